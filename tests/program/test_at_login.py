"""A backend that is connected at the log-in: Postern greets by itself, at once and in TLS."""
# label: tsan

import socket

from harness import Case, LineClient, main, self_signed


class AtLogin(Case):
    def start(self, protocol, tls):
        legacy = self.legacy(protocols=(protocol,))
        return self.serve({"tls": {"certificates": [self_signed(self.folder).entry]},
                           "backends": {"b": {"servers": [f"127.0.0.1:{legacy.ports[protocol]}"],
                                              "connect": "at_login"}},
                           "auth": {"mechanisms": {"BASIC": "tls" if tls != "none" else "always"}},
                           "listeners": [{"name": "l", "protocol": protocol, "tls": tls, "backend": "b"}]})

    def test_imap_greets_before_the_client_speaks(self):
        postern = self.start("imap", "implicit")
        with LineClient(postern.port("l"), tls=True, timeout=5) as client:
            self.assertRegex(client.line(), rb"^\* OK \[CAPABILITY ")
            client.send(b"a LOGIN fred secret\r\nb LOGOUT\r\n")
            self.assertRegex(client.line(), rb"^a OK")

    def test_pop3_greets_before_the_client_speaks(self):
        postern = self.start("pop3", "implicit")
        with LineClient(postern.port("l"), tls=True, timeout=5) as client:
            self.assertRegex(client.line(), rb"^\+OK")
            self.assertRegex(client.pop3(b"USER fred"), rb"^\+OK")
            self.assertRegex(client.pop3(b"PASS secret"), rb"^\+OK")

    def test_after_starttls_the_client_speaks_first(self):
        postern = self.start("imap", "starttls")
        with LineClient(postern.port("l"), timeout=5) as client:
            self.assertRegex(client.line(), rb"^\* OK")
            client.send(b"s STARTTLS\r\n")
            self.assertRegex(client.line(), rb"^s OK")
            client.start_tls()
            client.send(b"a LOGIN fred secret\r\n")
            self.assertRegex(client.line(), rb"^a OK")

    def test_a_client_that_has_said_all_gets_its_answers(self):
        said = {"imap": b"a LOGIN fred secret\r\nb LOGOUT\r\n", "pop3": b"USER fred\r\nPASS secret\r\nQUIT\r\n"}
        for protocol, last in (("imap", b"\r\nb OK"), ("pop3", b"\r\n+OK")):
            with self.subTest(protocol=protocol):
                postern = self.start(protocol, "none")
                with LineClient(postern.port("l"), timeout=5) as client:
                    client.line()
                    client.send(said[protocol])
                    client.socket.shutdown(socket.SHUT_WR)
                    self.assertIn(last, client.rest())


if __name__ == "__main__":
    main()
