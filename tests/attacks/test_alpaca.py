"""Application layer protocol confusion (ALPACA: Brinkmann, Dresen, Merget, Poddebniak, Müller, Somorovsky, Schwenk,
Schinzel, USENIX Security 2021): a browser is made to speak HTTP, with its cookies, to a mail server whose certificate is
good for the web site too."""

import socket
import ssl

from harness import Case, canned, main, trusting

PROTOCOLS = ("imap", "pop3", "smtp", "lmtp")
SMUGGLED = {"imap": b"a LOGIN evil evil\r\n", "pop3": b"USER evil\r\nPASS evil\r\n",
            "smtp": b"EHLO evil\r\nMAIL FROM:<evil@evil.test>\r\n",
            "lmtp": b"LHLO evil\r\nMAIL FROM:<evil@evil.test>\r\n"}
SCRIPT = b"<script>alert(document.domain)</script>"


class Alpaca(Case):
    def setUp(self):
        super().setUp()
        self.backends = {name: self.scripted(canned.SCRIPTS[name]()) for name in PROTOCOLS}
        self.front = self.postern([{"protocol": name, "tls": mode, "backend": backend.address}
                                   for name, backend in self.backends.items() for mode in ("implicit", "starttls")])

    def requests(self, protocol):
        body = SMUGGLED[protocol]
        yield b"POST / HTTP/1.1\r\nHost: mail.test\r\nCookie: id=evil\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        yield b"GET /" + SCRIPT + b" HTTP/1.1\r\nHost: mail.test\r\nCookie: id=evil\r\n\r\n" + body
        yield b"PUT /x HTTP/1.0\r\n\r\n" + body

    def test_alpn_of_another_protocol(self):
        """ALPACA, 6: strict ALPN. A browser offers http/1.1 and h2, and no mail protocol's port takes them."""
        for protocol in PROTOCOLS:
            others = [["http/1.1"], ["h2", "http/1.1"], ["ftp"], ["acme-tls/1"]]
            others += [[other] for other in PROTOCOLS if other != protocol]
            for offered in others:
                with self.subTest(protocol=protocol, offered=offered):
                    with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
                        self.client(self.front.port(f"{protocol}-implicit"), tls=trusting(alpn=offered))
            self.front.wait_metric("tls_handshake_failures_total", len(others), listener=f"{protocol}-implicit",
                                   reason="no_alpn")

    def test_http_in_tls_without_alpn(self):
        """ALPACA, 4 (upload and reflection attacks): neither the cookie nor the body's commands are let through, and
        no answer gives the attacker's script back."""
        for protocol in PROTOCOLS:
            for request in self.requests(protocol):
                with self.subTest(protocol=protocol, request=request):
                    client = self.client(self.front.port(f"{protocol}-implicit"), tls=True)
                    client.line()
                    client.send(request)
                    self.refused(protocol, client.rest())

    def test_http_in_the_clear(self):
        """ALPACA's forerunner (Topf, "The HTML form protocol attack", 2001), on the ports for STARTTLS."""
        for protocol in PROTOCOLS:
            for request in self.requests(protocol):
                with self.subTest(protocol=protocol, request=request):
                    client = self.client(self.front.port(f"{protocol}-starttls"))
                    client.line()
                    client.send(request)
                    self.refused(protocol, client.rest())

    def refused(self, protocol, seen):
        self.assertLessEqual(seen.count(b"\n"), 1, seen)  # one error and the end
        self.assertNotIn(b"script", seen)
        self.assertNotIn(b"evil", self.backends[protocol].received)

    def test_http_to_a_tls_port(self):
        """ALPACA: a request in the clear to a port with TLS is no handshake."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.client(self.front.port(f"{protocol}-implicit"))
                client.send(next(self.requests(protocol)))
                client.socket.shutdown(socket.SHUT_WR)
                client.rest()
                self.front.wait_metric("tls_handshake_failures_total", 1, listener=f"{protocol}-implicit",
                                       reason="bad_record")
                self.assertNotIn(b"evil", self.backends[protocol].received)


if __name__ == "__main__":
    main()
