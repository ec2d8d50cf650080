"""TLS as a listener offers it: certificates, versions, ALPN, tickets, client certificates."""
# label: tsan

import os
import socket
import ssl
import subprocess

from harness import Authority, Case, LineClient, canned, main, self_signed, trusting


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.imap())

    def listener(self, **keys):
        return {"protocol": "imap", "tls": "implicit", "backend": self.backend.address, **keys}

    def connect(self, front, name="imap-implicit", server_name=None, **settings):
        """A handshake and the greeting; returns the client."""
        client = self.client(front.port(name), tls=trusting(**settings), server_name=server_name)
        self.assertTrue(client.line().startswith(b"* OK"))
        return client

    def refused(self, front, name="imap-implicit", **settings):
        with self.assertRaises(ssl.SSLError):
            self.client(front.port(name), tls=trusting(**settings)).exactly(1)

    @staticmethod
    def names(client):
        certificate = client.socket.getpeercert(binary_form=True)
        shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-ext", "subjectAltName", "-text"],
                               input=certificate, capture_output=True, check=True).stdout.decode()
        return shown

    def test_sni_picks_the_certificate(self):
        first = self_signed(self.folder, ["mail.example.test"], "first")
        second = self_signed(self.folder, ["other.test", "*.wild.test"], "second")
        front = self.postern([self.listener()], tls={"certificates": [first.entry, second.entry]})
        for name, wanted in (("mail.example.test", "mail.example.test"), ("other.test", "other.test"),
                             ("a.wild.test", "*.wild.test"), ("unknown.test", "mail.example.test"),
                             ("OTHER.test", "other.test"), ("a.b.wild.test", "mail.example.test")):
            with self.subTest(name=name):
                self.assertIn(f"DNS:{wanted}", self.names(self.connect(front, server_name=name)))

    def test_ecdsa_and_rsa_side_by_side(self):
        pair = [self_signed(self.folder, ["both.test"], "ec").entry,
                self_signed(self.folder, ["both.test"], "rsa", rsa=True).entry]
        front = self.postern([self.listener()], tls={"certificates": pair})
        for cipher, wanted in (("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey"),
                               ("ECDHE-RSA-AES128-GCM-SHA256", "rsaEncryption")):
            with self.subTest(cipher=cipher):
                client = self.connect(front, server_name="both.test", ciphers=cipher,
                                      maximum_version=ssl.TLSVersion.TLSv1_2)
                self.assertIn(wanted, self.names(client))

    def test_versions(self):
        listeners = [self.listener(name="plain"), self.listener(name="new", tls={"mode": "implicit", "min_version": "1.3"}),
                     self.listener(name="old", tls={"mode": "implicit", "min_version": "1.0", "max_version": "1.2"})]
        front = self.postern(listeners)
        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        for name, version, wanted in (("plain", v12, "TLSv1.2"), ("plain", v13, "TLSv1.3"), ("new", v13, "TLSv1.3"),
                                      ("old", v12, "TLSv1.2")):
            with self.subTest(name=name, wanted=wanted):
                client = self.connect(front, name, minimum_version=version, maximum_version=version)
                self.assertEqual(client.socket.version(), wanted)
        self.refused(front, "new", maximum_version=v12)
        self.refused(front, "old", minimum_version=v13)
        old = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1,
               "ciphers": "ALL:@SECLEVEL=0"}
        self.refused(front, "plain", **old)
        self.assertEqual(self.connect(front, "old", **old).socket.version(), "TLSv1")
        metrics = front.metrics()
        self.assertEqual(metrics.value("tls_handshakes_total", listener="plain", version="1.3"), 1)
        self.assertEqual(metrics.value("tls_handshake_failures_total", listener="new", reason="no_shared"), 1)

    def test_alpn(self):
        front = self.postern([self.listener(name=mode, tls={"mode": "implicit", "alpn": mode})
                              for mode in ("strict", "lenient", "off")])
        taken = {("strict", "imap"): "imap", ("lenient", "imap"): "imap", ("lenient", "unheard-of"): None,
                 ("off", "http/1.1"): None, ("off", "imap"): None}
        for (mode, offered), chosen in taken.items():
            with self.subTest(mode=mode, offered=offered):
                self.assertEqual(self.connect(front, mode, alpn=[offered]).socket.selected_alpn_protocol(), chosen)
        self.assertEqual(self.connect(front, "strict", alpn=["h2", "imap"]).socket.selected_alpn_protocol(), "imap")
        self.connect(front, "strict")  # who offers nothing is welcome
        for mode, offered in (("strict", "http/1.1"), ("strict", "unheard-of"), ("strict", "pop3"), ("lenient", "http/1.1"),
                              ("lenient", "h2"), ("lenient", "pop3"), ("lenient", "ftp")):
            with self.subTest(mode=mode, offered=offered):
                done = subprocess.run(["openssl", "s_client", "-alpn", offered, "-connect",
                                       f"127.0.0.1:{front.port(mode)}"], stdin=subprocess.DEVNULL, capture_output=True)
                self.assertIn(b"alert no application protocol", done.stderr)
        self.assertEqual(front.metrics().value("tls_handshake_failures_total", reason="no_alpn"), 7)

    def resumed(self, front, name, context, session):
        raw = socket.create_connection(("127.0.0.1", front.port(name)), 10)
        wrapped = context.wrap_socket(raw, server_hostname="localhost", session=session)
        wrapped.recv(100)
        reused, session = wrapped.session_reused, wrapped.session
        wrapped.close()
        return reused, session

    def test_tickets_of_given_keys_are_good_at_another_instance(self):
        keys = self.path("ticket.keys")
        with open(keys, "wb") as file:
            file.write(os.urandom(96))
        tls = {"session_ticket_keys": keys}
        one, two = self.postern([self.listener()], tls=tls), self.postern([self.listener()], tls=tls)
        other = self.postern([self.listener()])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                context = trusting(maximum_version=version)
                fresh, session = self.resumed(one, "imap-implicit", context, None)
                self.assertFalse(fresh)
                self.assertTrue(self.resumed(two, "imap-implicit", context, session)[0])
                self.assertFalse(self.resumed(other, "imap-implicit", context, session)[0])
        self.assertEqual(two.metrics().value("tls_handshakes_total", resumed="yes"), 2)

    def test_a_ticket_does_not_cross_client_certificate_rules(self):
        authority = Authority(self.folder)
        front = self.postern([
            self.listener(name="open"),
            self.listener(name="asking", tls={"mode": "implicit", "client_ca": authority.ca,
                                              "client_certificate": "required"})])
        context = trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
        _, session = self.resumed(front, "open", context, None)
        with self.assertRaises(OSError):
            self.resumed(front, "asking", context, session)

    def test_client_certificates(self):
        authority, stranger = Authority(self.folder), Authority(self.folder, "Stranger", "stranger")
        good, bad = authority.issue(["client"], "good"), stranger.issue(["client"], "bad")
        front = self.postern([
            self.listener(name=rule, tls={"mode": "implicit", "client_ca": authority.ca, "client_certificate": rule})
            for rule in ("optional", "required")])

        def outcome(name, certificate):
            context = trusting()
            if certificate:
                context.load_cert_chain(certificate.chain, certificate.key)
            try:
                with LineClient(front.port(name), tls=context) as client:
                    return client.line().startswith(b"* OK")
            except ssl.SSLError:
                return False
        self.assertTrue(outcome("optional", None))
        self.assertTrue(outcome("optional", good))
        self.assertFalse(outcome("optional", bad))
        self.assertFalse(outcome("required", None))
        self.assertTrue(outcome("required", good))
        self.assertFalse(outcome("required", bad))
        self.assertEqual(front.metrics().value("tls_handshake_failures_total", reason="certificate"), 3)

    def test_groups(self):
        front = self.postern([self.listener(tls={"mode": "implicit", "groups": ["P-256"]})])
        self.connect(front).close()
        self.assertEqual(front.wait_event("session")["group"], "P-256")

    def test_the_session_line_tells_of_tls(self):
        front = self.postern([self.listener()])
        self.connect(front, server_name="localhost", alpn=["imap"]).close()
        event = front.wait_event("session")
        self.assertEqual((event["tls"], event["sni"], event["alpn"]), ("TLSv1.3", "localhost", "imap"))
        self.assertTrue(event["cipher"])
        self.assertTrue(event["group"])


if __name__ == "__main__":
    main()
