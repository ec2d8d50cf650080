"""Clients that hang, trickle, send garbage, reset, half-close and stop reading, at each step: they end alone, with a reason,
and what they had cost comes back. Backends that half-close, greet late or stop reading besides."""
# label: tsan

import socket
import ssl
import time

from harness import Case, canned, main

STEPS = ("connected", "in_handshake", "greeted", "in_command", "in_exchange", "logged_in", "in_literal", "in_data")
LOGIN = {"imap": (b"a LOGIN fred secret",), "pop3": (b"USER fred", b"PASS secret"),
         "smtp": (b"EHLO test", b"AUTH PLAIN AGZyZWQAc2VjcmV0")}


def half_a_hello():
    out = ssl.MemoryBIO()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()[:100]


class ClientFaults(Case):
    def setUp(self):
        super().setUp()
        self.backends = {
            "imap": self.scripted(canned.imap(b"IMAP4rev1 AUTH=PLAIN", APPEND=b"+ go on\r\n")),
            "pop3": self.scripted(canned.pop3()),
            "smtp": self.scripted(canned.smtp(DATA=self.data))}
        self.front = self.postern(
            [{"protocol": protocol, "tls": "implicit", "name": protocol, "backend": backend.address}
             for protocol, backend in self.backends.items()],
            timeouts={"handshake": "2s", "login": "2s", "idle": "2s"}, workers=2)

    @staticmethod
    def data(connection, _):
        connection.send(b"354 go on\r\n")
        connection.until(b"\r\n.\r\n")
        connection.send(b"250 2.0.0 taken\r\n")

    def at(self, step, protocol):
        """A client that has come so far; None where the protocol has no such step."""
        client = self.client(self.front.port(protocol), tls=step not in ("connected", "in_handshake"))
        if step == "in_handshake":
            client.send(half_a_hello())
        if step in ("connected", "in_handshake"):
            return client
        client.line()
        if step == "in_command":
            client.send(b"a CAPABIL" if protocol == "imap" else b"CAP" if protocol == "pop3" else b"EHL")
        if step == "in_exchange":
            if protocol == "smtp":
                client.smtp(b"EHLO test")
            client.send(b"x AUTHENTICATE PLAIN\r\n" if protocol == "imap" else b"AUTH PLAIN\r\n")
            self.assertRegex(client.line(), rb"^(\+|334)")
            client.send(b"AGZyZW")
        if step in ("logged_in", "in_literal", "in_data"):
            self.log_in(client, protocol)
        if step == "in_literal":
            if protocol != "imap":
                return None
            client.send(b"b APPEND x {100}\r\n")
            self.assertTrue(client.line().startswith(b"+"))
            client.send(b"half of it")
        if step == "in_data":
            if protocol != "smtp":
                return None
            for line in (b"MAIL FROM:<a@b.test>", b"RCPT TO:<c@d.test>", b"DATA"):
                client.smtp(line)
            client.send(b"Subject: half\r\n\r\nof")
        return client

    def log_in(self, client, protocol):
        for line in LOGIN[protocol]:
            client.send(line + b"\r\n")
            answer = client.line()
            while answer.startswith(b"250-"):
                answer = client.line()
            self.assertRegex(answer, rb"^(a OK|\+OK|250|235)")

    def everywhere(self, fault):
        for protocol in self.backends:
            for step in STEPS:
                with self.subTest(protocol=protocol, step=step):
                    client = self.at(step, protocol)
                    if client is not None:
                        fault(client)
        self.front.wait_quiet()
        for event in self.front.of("session"):
            self.assertIn(event["fault"], ("client", "policy"), event)
        self.assertEqual(self.front.metrics().value("backend_connections_active"), 0)
        self.all_is_well()

    def all_is_well(self):
        for protocol in self.backends:
            client = self.client(self.front.port(protocol), tls=True)
            client.line()
            self.log_in(client, protocol)
            client.close()

    def test_resets(self):
        self.everywhere(lambda client: client.reset())

    def test_ends_without_goodbye(self):
        self.everywhere(lambda client: client.close())

    def test_half_closes(self):
        """TLS 1.3 lets either side end first: what is owed still comes, then the end, and in good time."""
        def half_close(client):
            client.socket.shutdown(socket.SHUT_WR)
            begun = time.monotonic()
            client.rest()
            self.assertLess(time.monotonic() - begun, 8)
        self.everywhere(half_close)

    def test_hangs(self):
        """Each step has a time."""
        clients = []
        self.everywhere(clients.append)
        for client in clients:
            self.assertLess(len(client.rest()), 500)

    def test_garbage(self):
        def garbage(client):
            try:
                client.send(bytes(range(256)) * 64)
                client.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has been thrown out in the middle
            client.rest()
        self.everywhere(garbage)

    def test_a_byte_at_a_time(self):
        """Slow is no fault."""
        for protocol in self.backends:
            with self.subTest(protocol=protocol):
                client = self.client(self.front.port(protocol), tls=True)
                client.line()
                for line in LOGIN[protocol]:
                    for byte in line + b"\r\n":
                        client.send(bytes([byte]))
                        time.sleep(0.01)
                    answer = client.line()
                    while answer.startswith(b"250-"):
                        answer = client.line()
                    self.assertRegex(answer, rb"^(a OK|\+OK|250|235)")


class MoreBackendFaults(Case):
    def front_of(self, script, **top):
        self.backend = self.scripted(script)
        self.front = self.postern([{"protocol": "imap", "tls": "implicit", "name": "l",
                                    "backend": self.backend.address}], **top)
        return self.client(self.front.port("l"), tls=True)

    def test_half_closes_before_the_login(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            connection.socket.shutdown(socket.SHUT_WR)
            connection.drain()
        client = self.front_of(script)
        client.line()
        self.assertRegex(client.line(), rb"^\* BYE \[UNAVAILABLE\]")
        self.assertTrue(client.ended())

    def test_half_closes_after_the_login(self):
        def noop(connection, line):
            connection.send(line.split()[0] + b" OK\r\n")
            connection.socket.shutdown(socket.SHUT_WR)
            connection.drain()
            return False
        client = self.front_of(canned.imap(NOOP=noop))
        client.line()
        client.imap(b"a LOGIN fred secret")
        self.assertRegex(client.imap(b"b NOOP")[-1], rb"^b OK")
        self.assertRegex(client.line(), rb"^\* BYE ")
        self.assertTrue(client.ended())

    def test_greets_late(self):
        plain = canned.imap()

        def script(connection):
            time.sleep(1)
            plain(connection)
        client = self.front_of(script, timeouts={"backend_greeting": "10s"})
        self.assertTrue(client.line().startswith(b"* OK"))
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")

    def test_garbage_for_a_greeting_and_for_an_answer(self):
        for script in (lambda connection: connection.send(bytes(range(256)) * 8 + b"\r\n"),
                       canned.imap(NOOP=lambda connection, _: connection.send(b"\x00\xff" * 500 + b"\r\n"))):
            client = self.front_of(script)
            client.send(b"a NOOP\r\n")
            self.assertRegex(client.rest(), rb"\* BYE [^\r\n]*\r\n$")
            self.front.wait_event("session", fault="backend")

    def test_resets_in_mid_answer(self):
        def fetch(connection, line):
            connection.send(b"* 1 FETCH (BODY[] {1000}\r\nhalf")
            time.sleep(0.3)
            connection.reset()
            return False
        client = self.front_of(canned.imap(FETCH=fetch))
        client.line()
        client.imap(b"a LOGIN fred secret")
        client.send(b"b FETCH 1 BODY[]\r\n")
        self.assertEqual(client.rest(), b"* 1 FETCH (BODY[] {1000}\r\nhalf")
        self.front.wait_event("session", fault="backend")


if __name__ == "__main__":
    main()
