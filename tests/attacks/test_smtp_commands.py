"""Attacks on SMTP's commands: injection behind STARTTLS, other protocols, bad base64, log-ins tried again."""

import base64

from harness import Case, main, rules

PLAIN = base64.b64encode(b"\0fred\0secret")


class SmtpCommands(Case):
    def start(self, answers=(), **listener):
        said = {b"EHLO": b"250-mail\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n", b"QUIT": b"221 bye\r\n",
                b"NOOP": b"250 ok\r\n", b"MAIL": b"250 ok\r\n", **dict(answers)}
        self.backend = self.scripted(rules(b"220 mail ESMTP\r\n", said, b"250 ok\r\n"))
        front = self.postern([{"protocol": "smtp", "tls": "implicit", "name": "smtp", "backend": self.backend.address,
                               **listener}])
        front.wait_ready()
        self.front = front
        return front.port("smtp")

    def test_command_injection_behind_starttls_cve_2011_0411(self):
        client = self.client(self.start(tls="starttls"))
        client.smtp_reply()
        client.smtp(b"EHLO test")
        client.send(b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n")
        self.assertEqual(client.rest(), b"")
        self.front.wait_metric("starttls_injections_total", 1, listener="smtp")
        self.assertNotIn(b"evil", self.backend.received)

    def test_what_was_said_in_the_clear_is_forgotten(self):
        client = self.client(self.start(tls="starttls", require_tls=False))
        client.smtp_reply()
        client.smtp(b"EHLO test")
        self.assertEqual(client.smtp(b"MAIL FROM:<a@b.test>")[0][:3], b"250")
        self.assertEqual(client.smtp(b"STARTTLS")[0][:3], b"220")
        client.start_tls()
        self.assertEqual(client.smtp(b"RCPT TO:<c@d.test>")[0][:3], b"503")
        self.assertEqual(client.smtp(b"EHLO test")[0][:3], b"250")
        self.assertEqual(client.smtp(b"STARTTLS")[0][:3], b"503")
        self.assertIn(b"MAIL FROM:<a@b.test>\r\nRSET\r\n", self.backend.received)

    def test_another_protocol_alpaca(self):
        client = self.client(self.start(), tls=True)
        client.smtp_reply()
        client.send(b"POST / HTTP/1.1\r\nHost: mail.test\r\nContent-Length: 60\r\n\r\n"
                    b"EHLO x\r\nMAIL FROM:<evil@evil.test>\r\nRCPT TO:<victim@example.test>\r\n")
        self.assertEqual(client.rest()[:3], b"500")
        self.assertNotIn(b"evil@evil.test", self.backend.received)
        self.front.wait_metric("commands_blocked_total", 1, listener="smtp", reason="unknown")

    def test_bad_base64_in_log_ins_cve_2025_53859(self):
        answers = {b"AUTH": b"334 \r\n", b"*": b"501 aborted\r\n"}
        client = self.client(self.start(answers.items()), tls=True)
        client.smtp_reply()
        client.smtp(b"EHLO test")
        for bad in (b"=", b"A", b"AB=", b"A===", b"AG@yZWQ=", b"AGZyZWQ", b"AGZyZWR=", b"====", b"\xff\xff\xff\xff",
                    b"AGZyZWQ=\x0b"):
            with self.subTest(bad=bad):
                if bad != b"=":  # as an initial response it is an empty one
                    self.assertEqual(client.smtp(b"AUTH PLAIN " + bad)[0][:9], b"501 5.5.2")
                self.assertEqual(client.smtp(b"AUTH PLAIN")[0][:3], b"334")
                self.assertEqual(client.smtp(bad)[0][:9], b"501 5.5.2")
                self.assertEqual(client.smtp(b"NOOP")[0][:3], b"250")
                self.assertNotIn(bad + b"\r\n", self.backend.received.replace(b"*\r\n", b""))

    def test_a_challenge_failed_twice_on_one_connection_cve_2026_27651(self):
        tries = []

        def challenge(connection, line):
            connection.send(b"334 " + base64.b64encode(b"<%d@mail.test>" % len(tries)) + b"\r\n")
            tries.append(connection.line())
            connection.send(b"535 5.7.8 no\r\n")
        port = self.start({b"AUTH": challenge}.items(), auth={"to_backend": "CRAM-MD5"},
                          limits={"auth_failures_per_session": 5})
        client = self.client(port, tls=True)
        client.smtp_reply()
        client.smtp(b"EHLO test")
        for _ in range(3):
            self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"535")
        self.assertEqual(len(tries), 3)
        self.assertEqual(len(set(tries)), 3)
        self.assertTrue(all(base64.b64decode(answer).startswith(b"fred ") for answer in tries))
        self.assertNotIn(b"secret", self.backend.received)

    def test_a_password_in_no_log(self):
        client = self.client(self.start(tls="starttls"))
        client.smtp_reply()
        client.smtp(b"EHLO test")
        secret = base64.b64encode(b"hunter2hunter2")
        self.assertEqual(client.smtp(b"AUTH LOGIN")[0][:10], b"538 5.7.11")
        client.smtp(base64.b64encode(b"fred"))
        client.smtp(secret)
        client.smtp(b"AUTH PLAIN " + secret)
        client.smtp(b"QUIT")
        self.front.wait_event("session")
        self.assertNotIn(secret.decode(), self.front.output)
        self.assertNotIn(secret, self.backend.received)

    def test_endless_answers(self):
        def endless(connection, line):
            for _ in range(5000):
                connection.send(b"250-" + b"x" * 60 + b"\r\n")
        for verb, greeting in ((b"EHLO", b"220"), (b"HELP", b"220")):
            with self.subTest(verb=verb):
                client = self.client(self.start({verb: endless}.items()), tls=True)
                client.smtp_reply()
                client.send(verb + b" x\r\n")
                self.assertLess(len(client.rest()), 100_000)
                self.front.wait_metric("protocol_errors_total", 1, listener="smtp", reason="backend")


if __name__ == "__main__":
    main()
