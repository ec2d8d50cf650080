"""Limits and timeouts of the running program."""
# label: tsan

import time

from harness import Case, LineClient, main, rules, self_signed

IMAP = rules(b"* OK ready\r\n", {b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n", b"NOOP": b"{tag} OK noop\r\n",
                                 b"LOGIN": lambda c, line: c.send(line.split()[0] + (
                                     b" OK in\r\n" if line.endswith(b"secret") else b" NO [AUTHENTICATIONFAILED] no\r\n"))})


class Limits(Case):
    def start(self, limits=None, timeouts=None, tls="none", script=IMAP, protocol="imap", **more):
        self.backend = self.scripted(script)
        return self.serve({"tls": {"certificates": [self_signed(self.folder).entry]},
                             "auth": {"mechanisms": {"BASIC": "always"}},
                             "limits": limits or {}, "timeouts": timeouts or {},
                             "listeners": [{"name": "l", "protocol": protocol, "tls": tls,
                                            "backend": self.backend.address, **more}]})

    def test_connections(self):
        postern = self.start({"connections": 2})
        clients = [LineClient(postern.port("l")) for _ in range(2)]
        for client in clients:
            self.assertEqual(client.line(), b"* OK ready")
        with LineClient(postern.port("l")) as third:
            self.assertRegex(third.rest(), rb"^\* BYE \[UNAVAILABLE\]|^\* BYE")
        postern.wait_metric("connections_rejected_total", 1, reason="limit")
        for client in clients:
            client.close()
        postern.wait_quiet()
        with LineClient(postern.port("l")) as again:
            self.assertEqual(again.line(), b"* OK ready")

    def test_connections_per_address(self):
        postern = self.start({"connections_per_ip": 1})
        with LineClient(postern.port("l")) as first:
            first.line()
            with LineClient(postern.port("l")) as second:
                self.assertRegex(second.rest(), rb"^\* BYE")
            with LineClient(postern.port("l"), source="127.0.0.2") as other:
                self.assertEqual(other.line(), b"* OK ready")
        postern.wait_metric("connections_rejected_total", 1, reason="ip_limit")

    def test_handshakes_per_address_and_exempt(self):
        postern = self.start({"handshakes_per_ip": "2/1m", "exempt": ["127.0.0.9"]}, tls="implicit")
        for _ in range(2):
            LineClient(postern.port("l"), True).close()
        with self.assertRaises(OSError):
            LineClient(postern.port("l"), True)
        for _ in range(4):
            LineClient(postern.port("l"), True, source="127.0.0.9").close()
        postern.wait_metric("connections_rejected_total", 1, reason="throttled")

    def test_failures_per_address(self):
        postern = self.start({"auth_failures_per_ip": "2/3s"})
        for _ in range(2):
            with LineClient(postern.port("l")) as client:
                client.line()
                self.assertRegex(client.imap(b"a LOGIN fred wrong")[-1], rb"^a NO \[AUTHENTICATIONFAILED\]")
        before = self.backend.received
        with LineClient(postern.port("l")) as client:
            client.line()
            self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a NO \[UNAVAILABLE\]")
        self.assertEqual(self.backend.received.count(b"LOGIN"), before.count(b"LOGIN"))
        with LineClient(postern.port("l"), source="127.0.0.3") as other:  # nobody is locked out by another
            other.line()
            self.assertRegex(other.imap(b"a LOGIN fred secret")[-1], b"^a OK")
        time.sleep(3.2)
        with LineClient(postern.port("l")) as client:
            client.line()
            self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], b"^a OK")
        self.assertEqual(postern.metrics().value("auth_total", result="rejected", mechanism="BASIC"), 2)
        self.assertGreaterEqual(postern.metrics().value("commands_blocked_total", reason="throttled"), 1)

    def test_failures_per_session(self):
        postern = self.start({"auth_failures_per_session": 2})
        with LineClient(postern.port("l")) as client:
            client.line()
            self.assertRegex(client.imap(b"a LOGIN fred wrong")[-1], b"^a NO")
            started = time.monotonic()
            client.send(b"b LOGIN fred wrong\r\n")
            answer = client.rest()
            self.assertGreater(time.monotonic() - started, 2.5)
            self.assertRegex(answer, rb"(?s)^b NO .*\* BYE ")
        self.assertEqual(postern.wait_event("session")["fault"], "policy")

    def test_login_timeout(self):
        postern = self.start(timeouts={"login": "1s"})
        with LineClient(postern.port("l")) as client:
            started = time.monotonic()
            client.line()
            for _ in range(3):
                time.sleep(0.3)
                client.send(b"x NOOP\r\n")
            self.assertIn(b"* BYE", client.rest())
            self.assertLess(time.monotonic() - started, 4)
        self.assertEqual(postern.wait_event("session")["fault"], "client")

    def test_idle_timeout(self):
        postern = self.start(timeouts={"idle": "1s"})
        with LineClient(postern.port("l")) as client:
            client.line()
            client.imap(b"a LOGIN fred secret")
            for _ in range(4):
                time.sleep(0.5)
                client.imap(b"n NOOP")
            started = time.monotonic()
            self.assertIn(b"* BYE", client.rest())
            self.assertLess(time.monotonic() - started, 4)

    def test_smtp_idle_counts_on_the_clients_turn(self):
        postern = self.start(timeouts={"idle": "1s"}, protocol="smtp",
                             script=rules(b"220 hello\r\n", {b"EHLO": lambda c, l: (time.sleep(2), c.send(b"250 x\r\n"))}))
        with LineClient(postern.port("l")) as client:
            client.line()
            client.send(b"EHLO me\r\n")
            self.assertRegex(client.line(), b"^250")
            self.assertRegex(client.rest(), b"^421 4.4.2")

    def test_idle_right_after_the_greeting(self):
        # The greeting's timer had just been armed: its time must not stand for the idle time.
        postern = self.start(timeouts={"idle": "1s"}, protocol="smtp", script=rules(b"220 hello\r\n", {}))
        with LineClient(postern.port("l")) as client:
            client.line()
            started = time.monotonic()
            self.assertRegex(client.rest(), b"^421 4.4.2")
            self.assertLess(time.monotonic() - started, 4)

    def test_backend_that_does_not_greet(self):
        postern = self.start(timeouts={"backend_greeting": "1s"}, script=lambda c: c.drain())
        with LineClient(postern.port("l")) as client:
            self.assertRegex(client.rest(), rb"^\* BYE \[UNAVAILABLE\]")
        self.assertGreaterEqual(postern.metrics().value("backend_failures_total", reason="timeout"), 1)
        self.assertEqual(postern.wait_event("session")["fault"], "backend")

    def test_slow_reader_holds_little(self):
        size = 64 * 1024 * 1024

        def script(connection):
            connection.send(b"* OK ready\r\n")
            line = connection.line()
            connection.send(line.split()[0] + b" OK in\r\n")
            connection.line()
            connection.send(b"* 1 FETCH (BODY[] {%d}\r\n" % size)
            for _ in range(64):
                connection.send(b"x" * (1024 * 1024))
            connection.send(b")\r\nf OK done\r\n")
            connection.drain()
        postern = self.start(script=script)
        with LineClient(postern.port("l"), timeout=60) as client:
            client.line()
            client.imap(b"a LOGIN fred secret")
            before = postern.metrics().value("process_resident_memory_bytes")
            client.send(b"f FETCH 1 BODY[]\r\n")
            time.sleep(2)
            self.assertLess(postern.metrics().value("process_resident_memory_bytes") - before, 4 * 1024 * 1024)
            got = 0
            while got < size:
                chunk = client.socket.recv(1 << 20)
                self.assertTrue(chunk)
                got += len(chunk)


if __name__ == "__main__":
    main()
