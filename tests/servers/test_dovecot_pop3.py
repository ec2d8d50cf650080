"""Dovecot's POP3 behind Postern."""
# label: tsan

import base64
import hashlib

from harness import MailSystem, body_of, main, message


class DovecotPop3(MailSystem):
    with_postfix = False
    mechanisms = "plain login cram-md5 apop"

    def deliver(self, user, data):
        with self.workshop.client(self.dovecot.ports["lmtp"]) as client:
            client.smtp_reply()
            client.smtp(b"LHLO test")
            client.smtp(b"MAIL FROM:<jane@example.test>")
            client.smtp(b"RCPT TO:<%s@example.test>" % user)
            client.smtp(b"DATA")
            dotted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in data.split(b"\r\n"))
            self.assertEqual(client.smtp(dotted + b".")[0][:3], b"250")

    def test_capabilities_before_tls_and_inside(self):
        client = self.client("pop3-starttls")
        self.assertEqual(client.line()[:3], b"+OK")
        shown = client.pop3(b"CAPA", multi=True)
        self.assertIn(b"STLS", shown)
        self.assertNotIn(b"USER", shown)
        self.assertFalse([line for line in shown if line.startswith(b"SASL")])
        self.assertEqual(client.pop3(b"STLS")[:3], b"+OK")
        client.start_tls()
        shown = client.pop3(b"CAPA", multi=True)
        self.assertNotIn(b"STLS", shown)
        self.assertIn(b"USER", shown)
        sasl = [line.split()[1:] for line in shown if line.startswith(b"SASL ")][0]
        self.assertTrue({b"PLAIN", b"LOGIN", b"CRAM-MD5"} <= set(sasl))

    def test_a_password_in_the_clear_never_reaches_dovecot(self):
        client = self.client("pop3-starttls")
        client.line()
        for command in (b"USER fred", b"PASS fred-secret", b"AUTH PLAIN", b"AUTH PLAIN AGZyZWQAZnJlZC1zZWNyZXQ="):
            self.assertEqual(client.pop3(command)[:4], b"-ERR", command)
        self.assertIn(b"STLS", client.pop3(b"USER fred"))
        client.close()
        self.postern.wait_quiet()
        seen = self.dovecot.before_login()
        for word in (b"USER", b"PASS", b"AUTH", b"secret"):
            self.assertNotIn(word, seen)

    def test_every_way_to_log_in(self):
        for listener in ("pop3-implicit", "pop3-starttls"):
            for way in ("user", "plain", "plain-ir", "apop"):
                with self.subTest(listener=listener, way=way):
                    client = self.client(listener)
                    greeting = client.line()
                    if listener == "pop3-starttls":
                        client.pop3(b"STLS")
                        client.start_tls()
                    self.assertEqual(self.log_in(client, greeting, way)[:3], b"+OK")
                    self.assertEqual(client.pop3(b"QUIT")[:3], b"+OK")
                    self.assertTrue(client.ended())

    def log_in(self, client, greeting, way):
        credentials = base64.b64encode(b"\0bob\0bob-secret")
        if way == "user":
            self.assertEqual(client.pop3(b"USER bob")[:3], b"+OK")
            return client.pop3(b"PASS bob-secret")
        if way == "plain":
            self.assertEqual(client.pop3(b"AUTH PLAIN")[:1], b"+")
            return client.pop3(credentials)
        if way == "plain-ir":
            return client.pop3(b"AUTH PLAIN " + credentials)
        stamp = greeting[greeting.index(b"<"):greeting.index(b">") + 1]
        return client.pop3(b"APOP bob " + hashlib.md5(stamp + b"bob-secret").hexdigest().encode())

    def test_retr_is_what_was_delivered(self):
        sent = message(3, 200_000)
        self.deliver(b"fred", sent)
        client = self.client("pop3-implicit")
        client.line()
        client.pop3(b"USER fred")
        client.pop3(b"PASS fred-secret")
        lines = client.pop3(b"RETR 1", multi=True)
        self.assertEqual(body_of(b"\r\n".join(lines[1:]) + b"\r\n"), body_of(sent))
        self.assertEqual(client.pop3(b"QUIT")[:3], b"+OK")

    def test_pipelined(self):
        client = self.client("pop3-implicit")
        client.send(b"CAPA\r\nUSER jane\r\nPASS jane-secret\r\nSTAT\r\nLIST\r\nQUIT\r\n")
        answers = client.rest().split(b"\r\n")
        self.assertEqual(sum(line.startswith(b"+OK") for line in answers), 7)
        self.assertFalse([line for line in answers if line.startswith(b"-ERR")])

    def test_a_wrong_password(self):
        client = self.client("pop3-implicit")
        client.line()
        client.pop3(b"USER fred")
        self.assertEqual(client.pop3(b"PASS wrong")[:4], b"-ERR")
        self.postern.wait_event("auth", mechanism="BASIC", result="rejected", user="fred")
        client.pop3(b"USER fred")
        self.assertEqual(client.pop3(b"PASS fred-secret")[:3], b"+OK")


if __name__ == "__main__":
    main()
