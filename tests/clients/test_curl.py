"""curl against Dovecot and Postfix through Postern: implicit TLS and STARTTLS of all three protocols."""

from harness import MailSystem, body_of, main, message, refused, run


class Curl(MailSystem):
    def curl(self, url, *options, user="fred", text=None):
        return run("curl", "-sS", "--cacert", self.ca, "-u", f"{user}:{user}-secret", url, *options, text=text)

    def url(self, protocol, mode, path=""):
        scheme = protocol + ("s" if mode == "implicit" else "")
        return f"{scheme}://localhost:{self.postern.port(f'{protocol}-{mode}')}/{path}"

    def upgrade(self, mode):
        return ["--ssl-reqd"] if mode == "starttls" else []

    def test_imap_fetch_is_byte_for_byte(self):
        sent = message(1, 60_000)
        self.put("fred", sent, "Curl")
        for mode in ("implicit", "starttls"):
            with self.subTest(mode=mode):
                self.assertEqual(self.curl(self.url("imap", mode, "Curl;MAILINDEX=1"), *self.upgrade(mode)), sent)

    def test_imap_append_is_byte_for_byte(self):
        for number, mode in enumerate(("implicit", "starttls")):
            with self.subTest(mode=mode):
                sent = message(10 + number, 60_000)
                with open(self.workshop.path("upload"), "wb") as file:
                    file.write(sent)
                self.curl(self.url("imap", mode, "INBOX"), "-T", self.workshop.path("upload"), *self.upgrade(mode),
                          user="jane")
                self.assertEqual(self.dovecot.messages("jane")[-1], sent)

    def test_every_mechanism_that_is_shown(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            for protocol in ("imap", "pop3", "smtp"):
                with self.subTest(mechanism=mechanism, protocol=protocol):
                    command = ["-X", "NOOP"] if protocol == "smtp" else []
                    self.curl(self.url(protocol, "implicit"), "--login-options", f"AUTH={mechanism}", *command)
                    self.postern.wait_event("auth", mechanism=mechanism, result="accepted")

    def test_pop3(self):
        sent = message(20, 60_000)
        self.put("bob", sent)
        for mode in ("implicit", "starttls"):
            with self.subTest(mode=mode):
                self.assertIn(b"1 ", self.curl(self.url("pop3", mode), *self.upgrade(mode), user="bob"))
                got = self.curl(self.url("pop3", mode, "1"), *self.upgrade(mode), user="bob")
                self.assertEqual(body_of(got), body_of(sent))

    def test_smtp(self):
        for number, mode in enumerate(("implicit", "starttls")):
            with self.subTest(mode=mode):
                sent = message(30 + number, 60_000)
                self.curl(self.url("smtp", mode), "--mail-from", "fred@example.test", "--mail-rcpt",
                          "fred@example.test", "-T", "-", *self.upgrade(mode), text=sent)
                self.assertEqual(body_of(self.delivered("fred", b"number %d" % (30 + number))), body_of(sent))

    def test_a_wrong_password(self):
        for protocol in ("imap", "pop3", "smtp"):
            with self.subTest(protocol=protocol):
                refused("curl", "-sS", "-k", "-u", "fred:wrong", self.url(protocol, "implicit"))

    def test_no_password_goes_out_in_the_clear(self):
        before = self.dovecot.before_login().count(b"fred-secret")
        for protocol in ("imap", "pop3", "smtp"):
            with self.subTest(protocol=protocol):
                refused("curl", "-sS", "-u", "fred:fred-secret", self.url(protocol, "starttls"))
        self.assertEqual(self.dovecot.before_login().count(b"fred-secret"), before)


if __name__ == "__main__":
    main()
