"""Postfix behind Postern, which delivers to Dovecot by LMTP: what is sent is what is stored."""
# label: tsan

import base64
import hashlib
import hmac

from harness import MailSystem, body_of, main, message, wait_until

PLAIN = base64.b64encode(b"\0fred\0fred-secret")


def dotted(data):
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in data.split(b"\r\n"))


class Postfix(MailSystem):
    def logged_in(self, listener="smtp-implicit"):
        client = self.client(listener)
        self.assertEqual(client.smtp_reply()[-1][:3], b"220")
        if listener == "smtp-starttls":
            client.smtp(b"EHLO test")
            self.assertEqual(client.smtp(b"STARTTLS")[0][:3], b"220")
            client.start_tls()
        client.smtp(b"EHLO test")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        return client

    def test_what_is_shown(self):
        client = self.client("smtp-starttls")
        client.smtp_reply()
        words = [line[4:].split() for line in client.smtp(b"EHLO test")]
        shown = {line[0] for line in words if line}
        self.assertIn(b"STARTTLS", shown)
        self.assertFalse({b"AUTH", b"VRFY", b"AUTH=PLAIN"} & shown)
        client.smtp(b"STARTTLS")
        client.start_tls()
        words = [line[4:].split() for line in client.smtp(b"EHLO test")]
        shown = {line[0]: line[1:] for line in words if line}
        self.assertNotIn(b"STARTTLS", shown)
        self.assertTrue({b"PLAIN", b"LOGIN", b"CRAM-MD5"} <= set(shown[b"AUTH"]))
        for wanted in (b"PIPELINING", b"SIZE", b"8BITMIME", b"DSN", b"SMTPUTF8", b"CHUNKING", b"ENHANCEDSTATUSCODES"):
            self.assertIn(wanted, shown)

    def test_nothing_but_the_way_to_tls_in_the_clear(self):
        before = self.postfix.log.count("]: AUTH ")
        client = self.client("smtp-starttls")
        client.smtp_reply()
        client.smtp(b"EHLO in-the-clear")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:10], b"538 5.7.11")
        self.assertEqual(client.smtp(b"AUTH LOGIN")[0][:10], b"538 5.7.11")
        self.assertEqual(client.smtp(b"MAIL FROM:<clear@example.test>")[0][:9], b"530 5.7.0")
        self.assertEqual(client.smtp(b"QUIT")[0][:3], b"221")
        self.assertEqual(self.postfix.log.count("]: AUTH "), before)
        self.assertNotIn("clear@example.test", self.postfix.log)

    def test_mail_before_the_login_is_refused(self):
        client = self.client("smtp-implicit")
        client.smtp_reply()
        client.smtp(b"EHLO test")
        self.assertEqual(client.smtp(b"MAIL FROM:<early@example.test>")[0][:9], b"530 5.7.0")
        self.assertNotIn("early@example.test", self.postfix.log)

    def test_denied_and_unknown_commands(self):
        client = self.logged_in()
        for command in (b"VRFY fred", b"EXPN fred", b"XCLIENT ADDR=1.2.3.4", b"X-EXPS NTLM", b"XAUTH LOGIN"):
            self.assertEqual(client.smtp(command)[0][:1], b"5", command)
        self.assertNotIn("XCLIENT ADDR", self.postfix.log)

    def test_data_arrives_byte_for_byte(self):
        for number, listener in enumerate(("smtp-implicit", "smtp-starttls")):
            with self.subTest(listener=listener):
                sent = message(100 + number, 150_000)
                client = self.logged_in(listener)
                client.send(b"MAIL FROM:<jane@example.test> BODY=8BITMIME\r\nRCPT TO:<fred@example.test>\r\nDATA\r\n")
                self.assertEqual([client.smtp_reply()[0][:3] for _ in range(3)], [b"250", b"250", b"354"])
                self.assertEqual(client.smtp(dotted(sent) + b".")[0][:3], b"250")
                self.assertEqual(body_of(self.delivered("fred", b"number %d" % (100 + number))), body_of(sent))

    def test_bdat_arrives_byte_for_byte(self):
        sent = message(200, 100_000)
        client = self.logged_in()
        client.smtp(b"MAIL FROM:<jane@example.test> BODY=8BITMIME")
        client.smtp(b"RCPT TO:<bob@example.test>")
        half = len(sent) // 2
        client.send(b"BDAT %d\r\n" % half + sent[:half] + b"BDAT %d LAST\r\n" % (len(sent) - half) + sent[half:])
        self.assertEqual([client.smtp_reply()[0][:3] for _ in range(2)], [b"250", b"250"])
        self.assertEqual(body_of(self.delivered("bob", b"number 200")), body_of(sent))

    def test_lone_line_feeds_become_line_ends(self):
        client = self.logged_in()
        client.smtp(b"MAIL FROM:<jane@example.test>")
        client.smtp(b"RCPT TO:<jane@example.test>")
        client.smtp(b"DATA")
        client.send(b"Subject: bare\r\n\r\none\n.\ntwo\n.\r\nMAIL FROM:<smuggled@example.test>\r\n.\r\n")
        self.assertEqual(client.smtp_reply()[0][:3], b"250")
        self.assertEqual(client.smtp(b"NOOP")[0][:3], b"250")
        self.assertEqual(body_of(self.delivered("jane", b"bare")),
                         b"one\n.\ntwo\n.\nMAIL FROM:<smuggled@example.test>\n")
        self.assertNotIn("from=<smuggled@example.test>", self.postfix.log)

    def test_sasl_login_and_cram_md5(self):
        client = self.client("smtp-implicit")
        client.smtp_reply()
        client.smtp(b"EHLO test")
        self.assertEqual(client.smtp(b"AUTH LOGIN")[0][:3], b"334")
        self.assertEqual(client.smtp(base64.b64encode(b"fred"))[0][:3], b"334")
        self.assertEqual(client.smtp(base64.b64encode(b"fred-secret"))[0][:3], b"235")

        client = self.client("smtp-implicit")
        client.smtp_reply()
        client.smtp(b"EHLO test")
        challenge = base64.b64decode(client.smtp(b"AUTH CRAM-MD5")[0][4:])
        proof = hmac.new(b"fred-secret", challenge, hashlib.md5).hexdigest().encode()
        self.assertEqual(client.smtp(base64.b64encode(b"fred " + proof))[0][:3], b"235")


class PublicMx(MailSystem):
    """`require_tls: false`: mail is taken in the clear, too, log-ins are not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mx = cls.workshop.postern([
            {"protocol": "smtp", "name": "mx", "tls": "starttls", "require_tls": False, "backend": cls.postfix.address}])

    def test_mail_in_the_clear(self):
        client = self.workshop.client(self.mx.port("mx"))
        client.smtp_reply()
        shown = client.smtp(b"EHLO test")
        self.assertTrue([line for line in shown if line[4:] == b"STARTTLS"])
        self.assertFalse([line for line in shown if line[4:8] == b"AUTH"])
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:10], b"538 5.7.11")
        self.assertEqual(client.smtp(b"MAIL FROM:<a@elsewhere.test>")[0][:3], b"250")
        self.assertEqual(client.smtp(b"RCPT TO:<fred@example.test>")[0][:3], b"250")
        self.assertEqual(client.smtp(b"DATA")[0][:3], b"354")
        self.assertEqual(client.smtp(b"Subject: mx\r\n\r\nhello\r\n.")[0][:3], b"250")
        wait_until(lambda: [data for data in self.dovecot.messages("fred") if b"Subject: mx" in data], 60)
        client.close()
        self.mx.wait_quiet()


if __name__ == "__main__":
    main()
