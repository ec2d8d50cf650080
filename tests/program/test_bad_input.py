"""Peers that send what they should not: the protocol's error where there is one, a counted reason, and the end of that
session alone."""
# label: tsan

import re
import socket
import time

from harness import Case, canned, main

PROTOCOLS = ("imap", "pop3", "smtp")


class BadInput(Case):
    def setUp(self):
        super().setUp()
        self.backends = {name: self.scripted(canned.SCRIPTS[name]()) for name in PROTOCOLS}
        self.front = self.postern(
            [{"protocol": name, "tls": mode, "backend": self.backends[name].address}
             for name in PROTOCOLS for mode in ("implicit", "starttls")],
            timeouts={"handshake": "1s"})

    def inside(self, protocol):
        client = self.client(self.front.port(f"{protocol}-implicit"), tls=True)
        client.line()
        return client

    def count(self, name, **labels):
        return self.front.metrics().value(name, **labels)

    def alive(self):
        """Another session on the same listener is served as if nothing had been."""
        client = self.inside("imap")
        self.assertRegex(client.imap(b"z LOGIN fred secret")[-1], rb"^z OK")
        client.imap(b"y LOGOUT")

    def test_a_line_that_is_too_long(self):
        endings = {"imap": rb"^\* BYE ", "pop3": rb"^-ERR ", "smtp": rb"^(500|421) "}
        for protocol, ending in endings.items():
            with self.subTest(protocol=protocol):
                client = self.inside(protocol)
                client.send(b"a" * 20000)
                lines = client.rest().split(b"\r\n")
                self.assertTrue([line for line in lines if re.match(ending, line)], lines)
                self.front.wait_metric("protocol_errors_total", 1, listener=f"{protocol}-implicit",
                                       reason="line_too_long")
                self.assertNotIn(b"aaaa", self.backends[protocol].received)
        self.alive()

    def test_a_nul_in_a_command(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.inside(protocol)
                client.send(b"NO\0OP\r\n")
                self.assertTrue(client.rest())
                self.front.wait_metric("protocol_errors_total", 1, listener=f"{protocol}-implicit", reason="nul")
        self.alive()

    def test_a_literal_over_the_limit(self):
        client = self.inside("imap")
        client.send(b"a LOGIN {999999999}\r\n")
        self.assertIn(b"* BYE ", client.rest())
        self.front.wait_metric("protocol_errors_total", 1, listener="imap-implicit", reason="literal")
        self.alive()

    def test_a_carriage_return_within_a_line(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.inside(protocol)
                client.send(b"NO\rOP\r\n")
                self.assertTrue(client.rest())
                self.front.wait_metric("protocol_errors_total", 1, listener=f"{protocol}-implicit", reason="bare_lf")
                self.assertNotIn(b"OP", self.backends[protocol].received)
        self.alive()

    def test_plain_text_to_a_tls_port(self):
        for text in (b"a LOGIN fred secret\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"EHLO x\r\n"):
            with self.subTest(text=text):
                client = self.client(self.front.port("imap-implicit"))
                client.send(text)
                client.rest()
        self.front.wait_metric("tls_handshake_failures_total", 3, listener="imap-implicit", reason="bad_record")
        self.assertNotIn(b"LOGIN", self.backends["imap"].received)
        self.alive()

    def test_tls_to_a_plain_port(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.client(self.front.port(f"{protocol}-starttls"))
                client.line()
                client.send(hello)
                client.rest()
        self.alive()

    def test_http_to_a_plain_port(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.client(self.front.port(f"{protocol}-starttls"))
                client.line()
                client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.socket.shutdown(socket.SHUT_WR)
                client.rest()
                self.assertNotIn(b"GET", self.backends[protocol].received)
        self.alive()

    def test_half_a_record_and_silence(self):
        client = self.client(self.front.port("imap-implicit"))
        client.send(b"\x16\x03\x01\x02\x00\x01\x00")
        begun = time.monotonic()
        client.rest()
        self.assertLess(time.monotonic() - begun, 8)
        self.front.wait_metric("tls_handshake_failures_total", 1, listener="imap-implicit", reason="timeout")
        self.alive()

    def test_a_client_that_only_connects_and_goes(self):
        for _ in range(20):
            self.client(self.front.port("imap-implicit")).close()
            self.client(self.front.port("smtp-starttls")).reset()
        self.front.wait_metric("tls_handshake_failures_total", 20, listener="imap-implicit", reason="eof")
        self.alive()

    def test_bytes_behind_starttls(self):
        commands = {"imap": (b"a STARTTLS\r\n", b"b LOGIN fred secret\r\n"), "pop3": (b"STLS\r\n", b"USER fred\r\n"),
                    "smtp": (b"STARTTLS\r\n", b"EHLO x\r\n")}
        for protocol, (upgrade, behind) in commands.items():
            with self.subTest(protocol=protocol):
                client = self.client(self.front.port(f"{protocol}-starttls"))
                client.line()
                client.send(upgrade + behind)
                self.assertEqual(client.rest(), b"")
                self.front.wait_metric("starttls_injections_total", 1, listener=f"{protocol}-starttls")
                self.assertNotIn(behind.strip(), self.backends[protocol].received)
        self.alive()

    def test_a_reset_in_mid_session(self):
        client = self.inside("imap")
        client.imap(b"a LOGIN fred secret")
        client.reset()
        self.front.wait_event("session", listener="imap-implicit", fault="client")
        self.alive()


if __name__ == "__main__":
    main()
