"""Attacks on POP3: injection behind STLS, other protocols, bad base64, log-ins tried again, answers nobody asked for."""

import base64
import hashlib

from harness import Case, main, rules

PLAIN = base64.b64encode(b"\0fred\0secret")
STAMP = b"<1896.697170952@dbc.mtview.ca.us>"


class Pop3Commands(Case):
    def start(self, answers=(), greeting=b"+OK ready " + STAMP + b"\r\n", backend=None, **listener):
        said = {b"CAPA": b"+OK\r\nUSER\r\nSASL PLAIN CRAM-MD5\r\n.\r\n", b"QUIT": b"+OK bye\r\n",
                b"USER": b"+OK\r\n", b"NOOP": b"+OK\r\n", **dict(answers)}
        self.backend = self.scripted(rules(greeting, said, b"-ERR no\r\n"))
        top = {"backends": {"b": {"servers": [self.backend.address], **(backend or {})}}}
        front = self.postern([{"protocol": "pop3", "tls": "implicit", "name": "pop3", "backend": "b", **listener}], **top)
        front.wait_ready()
        self.front = front
        return front.port("pop3")

    def test_command_injection_behind_stls_cve_2011_0411(self):
        client = self.client(self.start(tls="starttls"))
        client.line()
        client.send(b"STLS\r\nUSER evil\r\nPASS evil\r\n")
        self.assertEqual(client.rest(), b"")
        self.front.wait_metric("starttls_injections_total", 1, listener="pop3")
        self.assertNotIn(b"evil", self.backend.received)

    def test_what_was_said_in_the_clear_is_forgotten(self):
        client = self.client(self.start(tls="starttls", auth={"mechanisms": {"BASIC": "always"}}))
        client.line()
        self.assertEqual(client.pop3(b"USER fred")[:3], b"+OK")
        self.assertEqual(client.pop3(b"STLS")[:3], b"+OK")
        client.start_tls()
        self.assertEqual(client.pop3(b"PASS secret")[:4], b"-ERR")
        self.assertEqual(client.pop3(b"STLS")[:4], b"-ERR")
        self.assertNotIn(b"secret", self.backend.received)

    def test_another_protocol_alpaca(self):
        client = self.client(self.start(), tls=True)
        client.line()
        client.send(b"POST / HTTP/1.1\r\nHost: mail.test\r\nContent-Length: 60\r\n\r\nUSER evil\r\nPASS evil\r\n")
        self.assertEqual(client.rest()[:4], b"-ERR")
        self.assertNotIn(b"evil", self.backend.received)
        self.front.wait_metric("protocol_errors_total", 1, listener="pop3", reason="unexpected")

    def test_bad_base64_in_log_ins_cve_2025_53859(self):
        answers = {b"AUTH": b"+ \r\n", b"*": b"-ERR aborted\r\n"}
        client = self.client(self.start(answers.items()), tls=True)
        client.line()
        for bad in (b"A", b"AB=", b"A===", b"AG@yZWQ=", b"AGZyZWQ", b"AGZyZWR=", b"====", b"\xff\xff\xff\xff"):
            with self.subTest(bad=bad):
                self.assertEqual(client.pop3(b"AUTH PLAIN " + bad)[:4], b"-ERR")
                self.assertEqual(client.pop3(b"AUTH PLAIN")[:1], b"+")
                self.assertEqual(client.pop3(bad)[:4], b"-ERR")
                self.assertEqual(client.pop3(b"NOOP")[:3], b"+OK")
                self.assertNotIn(b"\n" + bad + b"\r\n", self.backend.received)

    def test_apop_failed_twice_on_one_connection_cve_2026_27651(self):
        digest = hashlib.md5(STAMP + b"secret").hexdigest().encode()
        for connect in ("at_accept", "at_login"):
            with self.subTest(connect=connect):
                client = self.client(self.start(auth={"to_backend": "APOP"}, backend={"connect": connect}), tls=True)
                client.line()
                for _ in range(2):
                    self.assertEqual(client.pop3(b"USER fred")[:3], b"+OK")
                    self.assertEqual(client.pop3(b"PASS secret")[:4], b"-ERR")
                self.assertEqual(self.backend.received.count(b"APOP fred " + digest + b"\r\n"), 2)
                self.assertNotIn(b"secret", self.backend.received)

    def test_commands_behind_auth_are_no_response(self):
        client = self.client(self.start({b"AUTH": b"-ERR no such mechanism\r\n"}.items()), tls=True)
        client.line()
        client.send(b"AUTH CRAM-MD5\r\nNOOP\r\n")
        self.assertEqual(client.line()[:4], b"-ERR")
        self.assertEqual(client.line()[:3], b"+OK")

    def test_an_answer_that_nobody_asked_for_ends_the_session(self):
        client = self.client(self.start(greeting=b"+OK ready\r\n+OK logged in\r\n"), tls=True)
        self.assertEqual(client.line()[:3], b"+OK")
        self.assertEqual(client.rest()[:4], b"-ERR")
        self.front.wait_metric("protocol_errors_total", 1, listener="pop3", reason="backend")


if __name__ == "__main__":
    main()
