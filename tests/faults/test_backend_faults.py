"""Backends that are down, hang, die, or say what they should not: each client gets its protocol's words and the end."""
# label: tsan

import socket
import time

from harness import Case, canned, free_port, main, rules

GOODBYE = {"imap": rb"^\* BYE \[UNAVAILABLE\] ", "pop3": rb"^-ERR \[SYS/TEMP\] ", "smtp": rb"^421 4\.3\.2 "}
PROTOCOLS = ("imap", "pop3", "smtp")


class BackendFaults(Case):
    def front(self, backends, **top):
        """`backends`: {protocol: address}."""
        return self.postern([{"protocol": name, "tls": "implicit", "backend": address}
                             for name, address in backends.items()], **top)

    def inside(self, front, protocol):
        return self.client(front.port(f"{protocol}-implicit"), tls=True)

    def test_nobody_listens(self):
        front = self.front({name: f"127.0.0.1:{free_port()}" for name in PROTOCOLS})
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.inside(front, protocol)
                self.assertRegex(client.line(), GOODBYE[protocol])
                self.assertTrue(client.ended())
                front.wait_event("session", listener=f"{protocol}-implicit", fault="backend")
        front.wait_metric("backend_failures_total", lambda count: count >= 3, reason="refused")

    def test_no_greeting_in_time(self):
        backends = {name: self.scripted(lambda connection: connection.drain()) for name in PROTOCOLS}
        front = self.front({name: backend.address for name, backend in backends.items()},
                           timeouts={"backend_greeting": "1s"})
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.inside(front, protocol)
                begun = time.monotonic()
                self.assertRegex(client.line(), GOODBYE[protocol])
                self.assertLess(time.monotonic() - begun, 8)
                self.assertTrue(client.ended())

    def test_the_next_server_is_tried_unnoticed(self):
        alive = self.scripted(canned.imap())
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": "two"}],
                             backends={"two": {"servers": [f"127.0.0.1:{free_port()}", alive.address]}})
        for _ in range(4):
            client = self.inside(front, "imap")
            self.assertTrue(client.line().startswith(b"* OK"))
            client.close()

    def test_a_greeting_that_says_no_is_passed_on(self):
        greetings = {"imap": b"* BYE full\r\n", "pop3": b"-ERR full\r\n", "smtp": b"554 full\r\n"}
        backends = {name: self.scripted(rules(greeting, {})) for name, greeting in greetings.items()}
        front = self.front({name: backend.address for name, backend in backends.items()})
        for protocol, greeting in greetings.items():
            with self.subTest(protocol=protocol):
                client = self.inside(front, protocol)
                self.assertEqual(client.line(), greeting.strip())
                self.assertTrue(client.ended())

    def test_preauth_is_a_fault(self):
        backend = self.scripted(rules(b"* PREAUTH welcome\r\n", {}))
        front = self.front({"imap": backend.address})
        client = self.inside(front, "imap")
        self.assertRegex(client.line(), GOODBYE["imap"])
        front.wait_metric("backend_failures_total", lambda count: count >= 1, reason="greeting")

    def test_gone_before_the_login(self):
        backends = {"imap": self.scripted(canned.imap(NOOP=lambda *_: False)),
                    "pop3": self.scripted(canned.pop3(NOOP=lambda *_: False)),
                    "smtp": self.scripted(canned.smtp(NOOP=lambda *_: False))}
        front = self.front({name: backend.address for name, backend in backends.items()})
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                client = self.inside(front, protocol)
                client.line()
                client.send(b"a NOOP\r\n" if protocol == "imap" else b"NOOP\r\n")
                self.assertRegex(client.line(), GOODBYE[protocol])
                self.assertTrue(client.ended())

    def test_gone_in_mid_answer_what_came_is_passed_on(self):
        def die(connection, line):
            connection.send(b"* 1 FETCH (BODY[] {1000}\r\nhalf of it")
            return False
        backend = self.scripted(canned.imap(FETCH=die))
        front = self.front({"imap": backend.address})
        client = self.inside(front, "imap")
        client.line()
        client.imap(b"a LOGIN fred secret")
        client.send(b"b FETCH 1 BODY[]\r\n")
        self.assertEqual(client.rest(), b"* 1 FETCH (BODY[] {1000}\r\nhalf of it")
        front.wait_event("session", fault="backend")

    def test_gone_in_mid_line_what_came_is_passed_on(self):
        for last in (b"250 2.0.0 O", b"250-One\r\n250-Tw", b"250"):
            with self.subTest(last=last):
                def die(connection, line, last=last):
                    connection.send(last)
                    return False
                front = self.front({"smtp": self.scripted(rules(b"220 ready\r\n", {b"NOOP": die})).address})
                client = self.inside(front, "smtp")
                client.line()
                client.send(b"NOOP\r\n")
                self.assertEqual(client.rest(), last)
                front.wait_event("session", fault="backend")

    def test_gone_before_a_code_is_gone_before_the_answer(self):
        def die(connection, line):
            connection.send(b"25")
            return False
        front = self.front({"smtp": self.scripted(rules(b"220 ready\r\n", {b"NOOP": die})).address})
        client = self.inside(front, "smtp")
        client.line()
        client.send(b"NOOP\r\n")
        self.assertRegex(client.rest(), GOODBYE["smtp"])

    def test_a_timeout_within_an_answer_says_nothing(self):
        backend = self.scripted(rules(b"220 ready\r\n", {b"HELP": b"214-One\r\n"}))
        front = self.postern([{"protocol": "smtp", "tls": "implicit", "backend": backend.address, "require_auth": True}],
                             timeouts={"login": "1s"})
        client = self.inside(front, "smtp")
        client.line()
        client.send(b"HELP\r\n")
        self.assertEqual(client.rest(), b"214-One\r\n")
        front.wait_event("session", end="login_timeout")

    def test_gone_at_the_goodbye_is_no_fault(self):
        backend = self.scripted(rules(b"220 ready\r\n", {b"QUIT": lambda connection, line: False}))
        front = self.front({"smtp": backend.address})
        client = self.inside(front, "smtp")
        client.line()
        client.send(b"QUIT\r\n")
        client.rest()
        front.wait_event("session", end="logout", fault="client")

    def test_gone_while_idle_after_login(self):
        backend = self.scripted(canned.imap())
        front = self.front({"imap": backend.address})
        client = self.inside(front, "imap")
        client.line()
        client.imap(b"a LOGIN fred secret")
        backend.connections[-1].socket.shutdown(socket.SHUT_RDWR)
        self.assertRegex(client.line(), rb"^\* BYE ")
        self.assertTrue(client.ended())

    def test_a_backend_that_trickles(self):
        def script(connection):
            for byte in b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n":
                connection.send(bytes([byte]))
                time.sleep(0.002)
            while True:
                for byte in connection.line().split(b" ")[0] + b" OK done\r\n":
                    connection.send(bytes([byte]))
                    time.sleep(0.002)
        front = self.front({"imap": self.scripted(script).address})
        client = self.inside(front, "imap")
        self.assertIn(b"AUTH=PLAIN", client.line())
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
        self.assertRegex(client.imap(b"b NOOP")[-1], rb"^b OK")

    def test_an_endless_answer_before_the_login(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            connection.line()
            while True:
                connection.send(b"x" * 65536)
        backend = self.scripted(script)
        front = self.front({"imap": backend.address})
        client = self.inside(front, "imap")
        client.line()
        before = front.memory_kib()
        client.send(b"a CAPABILITY\r\n")
        client.rest()
        front.wait_event("session", fault="backend")
        self.assertLess(front.memory_kib() - before, 4096)
        self.assertGreaterEqual(front.metrics().value("protocol_errors_total", reason="backend"), 1)


if __name__ == "__main__":
    main()
