"""Dovecot's IMAP behind Postern."""
# label: tsan

import base64
import hashlib
import hmac

from harness import MailSystem, body_of, main, message


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode())


class DovecotImap(MailSystem):
    with_postfix = False

    def test_capabilities_before_tls_and_inside(self):
        client = self.client("imap-starttls")
        greeting = client.line()
        self.assertIn(b" STARTTLS", greeting)
        self.assertIn(b" LOGINDISABLED", greeting)
        self.assertNotIn(b"AUTH=", greeting)
        self.assertEqual(client.imap(b"a STARTTLS")[-1][:4], b"a OK")
        client.start_tls()
        shown = client.imap(b"b CAPABILITY")[0].split()
        self.assertNotIn(b"STARTTLS", shown)
        self.assertNotIn(b"LOGINDISABLED", shown)
        for wanted in (b"IMAP4rev1", b"AUTH=PLAIN", b"AUTH=LOGIN", b"AUTH=CRAM-MD5", b"SASL-IR", b"LITERAL+", b"IDLE"):
            self.assertIn(wanted, shown)

    def test_a_password_in_the_clear_never_reaches_dovecot(self):
        client = self.client("imap-starttls")
        client.line()
        self.assertRegex(client.imap(b"a LOGIN fred fred-secret")[-1], rb"^a NO \[PRIVACYREQUIRED\] ")
        self.assertRegex(client.imap(b"b AUTHENTICATE PLAIN " + plain("fred", "fred-secret"))[-1],
                         rb"^b NO \[PRIVACYREQUIRED\] ")
        self.assertRegex(client.imap(b"c AUTHENTICATE PLAIN")[-1], rb"^c NO \[PRIVACYREQUIRED\] ")
        client.send(b"d LOGIN {4}\r\n")
        self.assertRegex(client.line(), rb"^d NO \[PRIVACYREQUIRED\] |^\+ ")
        client.close()
        self.postern.wait_quiet()
        seen = self.dovecot.before_login()
        for secret in (b"secret", b"LOGIN", b"AUTHENTICATE", plain("fred", "fred-secret")):
            self.assertNotIn(secret, seen)
        self.assertGreaterEqual(
            self.postern.metrics().value("auth_total", listener="imap-starttls", channel="clear", result="blocked"), 3)

    def test_every_way_to_log_in(self):
        ways = [b"x LOGIN fred fred-secret", b'x LOGIN "fred" "fred-secret"',
                b"x LOGIN {4+}\r\nfred {11+}\r\nfred-secret", b"x AUTHENTICATE PLAIN " + plain("fred", "fred-secret")]
        for way in ways:
            with self.subTest(way=way):
                client = self.client("imap-implicit")
                client.line()
                self.assertRegex(client.imap(way)[-1], rb"^x OK ")
                self.assertRegex(client.imap(b"y LOGOUT")[-1], rb"^y OK ")

    def test_synchronizing_literals(self):
        client = self.client("imap-implicit")
        client.line()
        client.send(b"a LOGIN {4}\r\n")
        self.assertEqual(client.line()[:1], b"+")
        client.send(b"fred {11}\r\n")
        self.assertEqual(client.line()[:1], b"+")
        client.send(b"fred-secret\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a OK ")

    def test_sasl_without_initial_response(self):
        client = self.client("imap-implicit")
        client.line()
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        self.assertEqual(client.line()[:1], b"+")
        client.send(plain("fred", "fred-secret") + b"\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a OK ")

    def test_sasl_login(self):
        client = self.client("imap-implicit")
        client.line()
        client.send(b"a AUTHENTICATE LOGIN\r\n")
        for word in (b"fred", b"fred-secret"):
            self.assertEqual(client.line()[:1], b"+")
            client.send(base64.b64encode(word) + b"\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a OK ")

    def test_challenge_response_passes_byte_for_byte(self):
        client = self.client("imap-implicit")
        client.line()
        client.send(b"a AUTHENTICATE CRAM-MD5\r\n")
        challenge = base64.b64decode(client.line()[2:])
        answer = b"fred " + hmac.new(b"fred-secret", challenge, hashlib.md5).hexdigest().encode()
        client.send(base64.b64encode(answer) + b"\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a OK ")
        self.postern.wait_event("auth", mechanism="CRAM-MD5", result="accepted", user="fred")

    def test_an_aborted_exchange_leaves_room_for_the_next(self):
        client = self.client("imap-implicit")
        client.line()
        client.send(b"a AUTHENTICATE CRAM-MD5\r\n")
        self.assertEqual(client.line()[:1], b"+")
        client.send(b"*\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a BAD ")
        self.assertRegex(client.imap(b"b LOGIN fred fred-secret")[-1], rb"^b OK ")

    def test_a_wrong_password_is_refused_and_counted(self):
        labels = {"listener": "imap-implicit", "mechanism": "BASIC", "result": "rejected"}
        before = self.postern.metrics().value("auth_total", **labels)
        client = self.client("imap-implicit")
        client.line()
        self.assertRegex(client.imap(b"a LOGIN fred wrong")[-1], rb"^a NO ")
        self.assertRegex(client.imap(b"b LOGIN fred fred-secret")[-1], rb"^b OK ")
        self.assertEqual(self.postern.metrics().value("auth_total", **labels), before + 1)
        self.assertNotIn("fred-secret", self.postern.output)

    def test_pipelined_from_the_first_byte_to_the_last(self):
        client = self.client("imap-implicit")
        client.send(b"a CAPABILITY\r\nb NOOP\r\nc LOGIN fred fred-secret\r\nd SELECT INBOX\r\ne NOOP\r\nf LOGOUT\r\n")
        answers = client.rest()
        tagged = [line[:4] for line in answers.split(b"\r\n") if line[:1].isalpha()]
        self.assertEqual(tagged, [b"a OK", b"b OK", b"c OK", b"d OK", b"e OK", b"f OK"])

    def test_append_and_fetch_are_equal(self):
        sent = message(7, 300_000)
        client = self.client("imap-implicit")
        client.line()
        client.imap(b"a LOGIN jane jane-secret")
        client.send(b"b APPEND INBOX {%d}\r\n" % len(sent))
        self.assertEqual(client.line()[:1], b"+")
        client.send(sent + b"\r\n")
        self.assertRegex(client.imap_answer(b"b")[-1], rb"^b OK ")
        client.imap(b"c SELECT INBOX")
        client.send(b"d FETCH 1 BODY.PEEK[]\r\n")
        size = int(client.line().rsplit(b"{", 1)[1][:-1])
        self.assertEqual(client.exactly(size), sent)
        self.assertRegex(client.imap_answer(b"d")[-1], rb"^d OK ")
        self.assertEqual(body_of(self.dovecot.messages("jane")[0]), body_of(sent))

    def test_idle(self):
        client = self.client("imap-implicit")
        client.line()
        client.imap(b"a LOGIN bob bob-secret")
        client.imap(b"b SELECT INBOX")
        client.send(b"c IDLE\r\n")
        self.assertEqual(client.line()[:1], b"+")
        other = self.client("imap-implicit")
        other.line()
        other.imap(b"a LOGIN bob bob-secret")
        data = message(1)
        other.imap(b"b APPEND INBOX {%d+}\r\n" % len(data) + data)
        self.assertEqual(client.line(), b"* 1 EXISTS")
        client.send(b"DONE\r\n")
        self.assertRegex(client.imap_answer(b"c")[-1], rb"^c OK ")

    def test_literal_behind_a_bad_argument_is_no_command(self):
        # Dovecot shows LITERAL+, refuses such a LOGIN at its first line and takes what follows for commands.
        smuggled = b'b ID ("x-originating-ip" "192.0.2.66")\r\n'
        for argument in (b")", b"fred(", b"~", b"fred ~", b"\xff"):
            with self.subTest(argument=argument):
                client = self.client("imap-implicit")
                client.line()
                blank = b"" if argument.endswith(b"~") else b" "
                client.send(b"a LOGIN " + argument + blank + b"{%d+}\r\n" % len(smuggled) + smuggled + b"\r\n")
                self.assertRegex(client.imap_answer(b"a")[-1], rb"^a BAD ")
                self.assertRegex(client.imap(b"c NOOP")[0], rb"^c OK ")

    def test_message_for_a_mailbox_that_is_not_there(self):
        # Dovecot answers before it has had the message, and drops it.
        client = self.client("imap-implicit")
        client.line()
        client.imap(b"a LOGIN bob bob-secret")
        data = b"Subject: early\r\n\r\nsay STARTTLS\r\n"
        client.send(b"b APPEND Nowhere {%d+}\r\n" % len(data))
        self.assertRegex(client.line(), rb"^b NO \[TRYCREATE\] ")
        client.send(data + b"\r\n")
        self.assertRegex(client.imap(b"c CREATE Nowhere")[-1], rb"^c OK ")
        self.assertRegex(client.imap(b"d APPEND Nowhere {%d+}\r\n" % len(data) + data)[-1], rb"^d OK ")
        client.imap(b"e SELECT Nowhere")
        client.send(b"f FETCH 1 BODY.PEEK[]\r\n")
        self.assertIn(b"BODY[]", client.line())
        self.assertEqual(client.exactly(len(data)), data)


if __name__ == "__main__":
    main()
