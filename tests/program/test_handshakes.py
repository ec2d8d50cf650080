"""TLS with clients: section 4 of what users rely on, on the running program."""
# label: tsan

import os
import socket
import ssl
import subprocess
import time

from harness import Authority, Case, LineClient, main, rules, self_signed, trusting

GREETING = rules(b"* OK ready\r\n", {b"LOGIN": b"{tag} OK in\r\n", b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n",
                                     b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n{tag} OK done\r\n"})


def text_of(path):
    with open(path) as file:
        return file.read().strip()


class Tls(Case):
    def start(self, tls=None, mode="implicit", certificates=None, **listener):
        self.backend = self.scripted(GREETING)
        own = certificates or [self_signed(self.folder).entry]
        return self.serve({"tls": {"certificates": own},
                             "listeners": [{"protocol": "imap", "tls": {"mode": mode, **(tls or {})},
                                            "backend": self.backend.address, **listener}]})

    def failures(self, postern, reason, count=1):
        postern.wait_metric("tls_handshake_failures_total", count, reason=reason)
        postern.wait_quiet()

    def test_alpn_strict(self):
        postern = self.start()
        port = postern.port("imap-implicit")
        with LineClient(port, trusting(alpn=["imap"])) as client:
            self.assertEqual(client.socket.selected_alpn_protocol(), "imap")
            self.assertEqual(client.line(), b"* OK ready")
        with LineClient(port, trusting()) as client:
            self.assertEqual(client.line(), b"* OK ready")
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            LineClient(port, trusting(alpn=["http/1.1"]))
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            LineClient(port, trusting(alpn=["something"]))
        self.failures(postern, "no_alpn", 2)

    def test_alpn_lenient_and_off(self):
        postern = self.start({"alpn": "lenient"})
        port = postern.port("imap-implicit")
        LineClient(port, trusting(alpn=["something"])).close()
        for name in ("h2", "pop3", "ftp"):
            with self.assertRaises(ssl.SSLError):
                LineClient(port, trusting(alpn=[name]))
        LineClient(port, trusting(alpn=["h2", "imap"])).close()
        postern = self.start({"alpn": "off"})
        with LineClient(postern.port("imap-implicit"), trusting(alpn=["h2"])) as client:
            self.assertIsNone(client.socket.selected_alpn_protocol())

    def test_versions(self):
        postern = self.start()
        with self.assertRaises(ssl.SSLError):
            context = trusting()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            LineClient(postern.port("imap-implicit"), context)
        self.failures(postern, "no_shared")
        with LineClient(postern.port("imap-implicit"), trusting(maximum_version=ssl.TLSVersion.TLSv1_2)) as client:
            self.assertEqual(client.socket.version(), "TLSv1.2")
            self.assertEqual(client.line(), b"* OK ready")
        self.assertEqual(postern.metrics().value("tls_handshakes_total", version="1.2", resumed="no"), 1)

    def test_sni_and_key_kinds(self):
        one = self_signed(self.folder, ("one.example",), "one")
        two = self_signed(self.folder, ("two.example", "*.wild.example"), "two")
        rsa = self_signed(self.folder, ("two.example", "*.wild.example"), "two-rsa", rsa=True)
        postern = self.start(certificates=[one.entry, rsa.entry, two.entry])
        port = postern.port("imap-implicit")

        def certificate(name, **settings):
            with LineClient(port, trusting(**settings), name) as client:
                der = client.socket.getpeercert(binary_form=True)
                return ssl.DER_cert_to_PEM_cert(der).strip()

        def pem(made):
            with open(made.chain) as file:
                return file.read().strip()
        self.assertEqual(certificate("one.example"), pem(one))
        self.assertEqual(certificate("unknown.example"), pem(one))
        self.assertEqual(certificate("two.example"), pem(two))
        self.assertEqual(certificate("a.wild.example"), pem(two))
        self.assertEqual(certificate("a.b.wild.example"), pem(one))
        self.assertEqual(certificate("TWO.example", maximum_version=ssl.TLSVersion.TLSv1_2,
                                     ciphers="ECDHE-RSA-AES128-GCM-SHA256"), pem(rsa))

    def test_a_name_counts_more_than_a_wildcard(self):
        wild = self_signed(self.folder, ("*.example.test",), "wild")
        exact = self_signed(self.folder, ("mail.example.test",), "exact", rsa=True)
        postern = self.start(certificates=[wild.entry, exact.entry])
        for name, subject in (("mail.example.test", exact), ("other.example.test", wild)):
            with LineClient(postern.port("imap-implicit"), True, name) as client:
                self.assertEqual(ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip(),
                                 text_of(subject.chain))

    def test_key_kinds_go_by_what_the_listener_speaks_too(self):
        ecdsa = self_signed(self.folder, ("two.example",), "two")
        rsa = self_signed(self.folder, ("two.example",), "two-rsa", rsa=True)
        for settings, client_settings, wanted in (
                ({"max_version": "1.2", "ciphers": "ECDHE-RSA-AES256-GCM-SHA384"}, {}, rsa),
                ({"max_version": "1.2"}, {"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, rsa),
                ({}, {"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, ecdsa)):
            with self.subTest(settings=settings, client=client_settings):
                postern = self.start(settings, certificates=[ecdsa.entry, rsa.entry])
                with LineClient(postern.port("imap-implicit"), trusting(**client_settings), "two.example") as client:
                    self.assertEqual(ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip(),
                                     text_of(wanted.chain))

    def test_a_client_that_refuses_the_certificate(self):
        postern = self.start()
        port = postern.port("imap-implicit")
        for count, version in ((1, ssl.TLSVersion.TLSv1_2), (2, ssl.TLSVersion.TLSv1_3)):
            context = ssl.create_default_context()
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port)) as plain, self.assertRaises(ssl.SSLCertVerificationError):
                context.wrap_socket(plain, server_hostname="localhost")
            postern.wait_metric("tls_handshake_failures_total", count, reason="client_alert")
        self.assertEqual(postern.metrics().value("tls_handshake_failures_total"), 2)

    def test_bytes_that_do_not_decrypt(self):
        postern = self.start()
        for count, version in ((1, ssl.TLSVersion.TLSv1_2), (2, ssl.TLSVersion.TLSv1_3)):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trusting(maximum_version=version).wrap_bio(incoming, outgoing, server_hostname="localhost")

            def flight():
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                return bytearray(outgoing.read())
            with socket.create_connection(("127.0.0.1", postern.port("imap-implicit")), 10) as plain:
                plain.sendall(flight())
                answer = b""
                while not answer:
                    incoming.write(plain.recv(65536))
                    answer = flight()
                answer[-1] ^= 1  # in the client's last record, which is encrypted
                plain.sendall(answer)
                postern.wait_metric("tls_handshake_failures_total", count, reason="bad_record")

    def test_tickets(self):
        postern = self.start()
        context = trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
        session = None
        for resumed in (False, True):
            plain = socket.create_connection(("127.0.0.1", postern.port("imap-implicit")))
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
                tls.recv(100)
                session = tls.session
                self.assertEqual(tls.session_reused, resumed)
        postern.wait_metric("tls_handshakes_total", 1, version="1.2", resumed="yes")

    def test_client_certificates(self):
        authority = Authority(self.folder)
        good = authority.issue(["fred"], "fred")
        other = Authority(self.folder, "Other", "other").issue(["mallory"], "mallory")
        server = self_signed(self.folder).entry
        backend = self.scripted(GREETING)
        postern = self.serve({
            "tls": {"certificates": [server]},
            "listeners": [
                {"name": "free", "protocol": "imap", "tls": "implicit", "backend": backend.address},
                {"name": "asks", "protocol": "imap", "backend": backend.address,
                 "tls": {"mode": "implicit", "client_ca": authority.ca}},
                {"name": "needs", "protocol": "imap", "backend": backend.address,
                 "tls": {"mode": "implicit", "client_ca": authority.ca, "client_certificate": "required"}}]})

        def greets(name, certificate=None, session=None):
            context = trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
            if certificate:
                context.load_cert_chain(certificate.chain, certificate.key)
            with LineClient(postern.port(name), context) as client:
                return client.line()
        self.assertEqual(greets("free"), b"* OK ready")
        self.assertEqual(greets("asks"), b"* OK ready")
        self.assertEqual(greets("asks", good), b"* OK ready")
        self.assertEqual(greets("needs", good), b"* OK ready")
        with self.assertRaises(ssl.SSLError):
            greets("needs")
        with self.assertRaises(ssl.SSLError):
            greets("needs", other)
        self.failures(postern, "certificate", 2)
        postern.wait_event("session", client_certificate="CN=fred")

    def test_ticket_does_not_cross_client_certificate_rules(self):
        """CVE-2025-23419."""
        authority = Authority(self.folder)
        backend = self.scripted(GREETING)
        postern = self.serve({
            "tls": {"certificates": [self_signed(self.folder).entry]},
            "listeners": [
                {"name": "free", "protocol": "imap", "tls": "implicit", "backend": backend.address},
                {"name": "free2", "protocol": "imap", "tls": "implicit", "backend": backend.address},
                {"name": "needs", "protocol": "imap", "backend": backend.address,
                 "tls": {"mode": "implicit", "client_ca": authority.ca, "client_certificate": "required"}}]})
        context = trusting(maximum_version=ssl.TLSVersion.TLSv1_2)

        def connect(name, session=None):
            plain = socket.create_connection(("127.0.0.1", postern.port(name)))
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
                tls.recv(100)
                return tls.session, tls.session_reused
        session, _ = connect("free")
        self.assertTrue(connect("free2", session)[1])
        with self.assertRaises(ssl.SSLError):
            connect("needs", session)

    def test_plain_text_and_garbage_to_a_tls_port(self):
        postern = self.start({}, timeouts={"handshake": "1s"})
        port = postern.port("imap-implicit")
        for bytes_ in (b"a LOGIN fred secret\r\n", b"GET / HTTP/1.1\r\n\r\n", os.urandom(300)):
            with LineClient(port) as client:
                client.send(bytes_)
                client.rest()
        with LineClient(port) as client:  # half a record and silence
            client.send(b"\x16\x03\x01\x02\x00\x01\x00")
            started = time.monotonic()
            client.rest()
            self.assertLess(time.monotonic() - started, 5)
        self.failures(postern, "timeout")
        with LineClient(port) as client:
            client.send(b"\x16\x03\x01")
        self.failures(postern, "eof")
        self.assertGreaterEqual(postern.metrics().value("tls_handshake_failures_total", reason="bad_record"), 2)
        self.assertNotIn(b"LOGIN", self.backend.received)

    def test_tls_to_a_starttls_port(self):
        postern = self.start(mode="starttls")
        with self.assertRaises((ssl.SSLError, OSError)):
            LineClient(postern.port("imap-starttls"), True, timeout=3)
        postern.wait_quiet()

    def test_starttls(self):
        postern = self.start(mode="starttls")
        with LineClient(postern.port("imap-starttls")) as client:
            client.line()
            self.assertIn(b"STARTTLS", b" ".join(client.imap(b"a CAPABILITY")))
            self.assertRegex(client.imap(b"b STARTTLS")[-1], b"^b OK")
            client.start_tls()
            self.assertNotIn(b"STARTTLS", b" ".join(client.imap(b"c CAPABILITY")))
            self.assertRegex(client.imap(b"d STARTTLS")[-1], b"^d BAD")
            self.assertRegex(client.imap(b"e LOGIN fred secret")[-1], b"^e OK")
        self.assertNotIn(b"STARTTLS\r\n", self.backend.received)

    def test_ocsp_is_stapled(self):
        made = self_signed(self.folder)
        response = os.path.join(self.folder, "ocsp.der")
        with open(response, "wb") as file:
            file.write(b"\x30\x03\x0a\x01\x01")
        postern = self.start(certificates=[{**made.entry, "ocsp": response}])
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{postern.port('imap-implicit')}",
                                "-status", "-tlsextdebug"], input=b"", capture_output=True, timeout=15)
        self.assertIn(b"status request", shown.stdout)

    def test_close_notify_comes_before_the_end(self):
        postern = self.start()
        with LineClient(postern.port("imap-implicit"), trusting()) as client:
            client.line()
            client.send(b"a LOGOUT\r\n")
            data = b""
            while chunk := client.socket.recv(1000):  # raises SSLEOFError where close_notify is missing
                data += chunk
            self.assertIn(b"a OK", data)


if __name__ == "__main__":
    main()
