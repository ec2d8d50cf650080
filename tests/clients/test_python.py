"""Python's imaplib, poplib and smtplib through Postern to Dovecot and Postfix."""

import imaplib
import poplib
import smtplib
import ssl

from harness import MailSystem, body_of, main, message


class PythonLibraries(MailSystem):
    def context(self):
        return ssl.create_default_context(cafile=self.ca)

    def imap(self, mode):
        port = self.postern.port(f"imap-{mode}")
        if mode == "implicit":
            return imaplib.IMAP4_SSL("localhost", port, ssl_context=self.context())
        client = imaplib.IMAP4("localhost", port)
        client.starttls(self.context())
        return client

    def pop3(self, mode):
        port = self.postern.port(f"pop3-{mode}")
        if mode == "implicit":
            return poplib.POP3_SSL("localhost", port, context=self.context())
        client = poplib.POP3("localhost", port)
        client.stls(self.context())
        return client

    def smtp(self, mode):
        port = self.postern.port(f"smtp-{mode}")
        if mode == "implicit":
            return smtplib.SMTP_SSL("localhost", port, context=self.context())
        client = smtplib.SMTP("localhost", port)
        client.starttls(context=self.context())
        return client

    def test_imaplib(self):
        for number, mode in enumerate(("implicit", "starttls")):
            with self.subTest(mode=mode):
                sent = message(number, 100_000)
                with self.imap(mode) as client:
                    client.login("fred", "fred-secret")
                    client.create(f"box-{mode}")
                    self.assertEqual(client.append(f"box-{mode}", "", None, sent)[0], "OK")
                    client.select(f"box-{mode}")
                    self.assertEqual(client.fetch("1", "(RFC822)")[1][0][1], sent)

    def test_imaplib_cram_md5(self):
        with self.imap("implicit") as client:
            self.assertEqual(client.login_cram_md5("fred", "fred-secret")[0], "OK")

    def test_imaplib_is_told_that_login_is_disabled(self):
        client = imaplib.IMAP4("localhost", self.postern.port("imap-starttls"))
        self.assertIn("LOGINDISABLED", client.capabilities)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "PRIVACYREQUIRED"):
            client.login("fred", "fred-secret")
        client.logout()

    def test_poplib(self):
        sent = [message(number, 30_000) for number in (50, 51)]
        for data in sent:
            self.put("bob", data)
        for mode in ("implicit", "starttls"):
            with self.subTest(mode=mode):
                client = self.pop3(mode)
                client.user("bob")
                client.pass_("bob-secret")
                self.assertEqual(client.stat()[0], 2)
                for number, data in enumerate(sent, 1):
                    got = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
                    self.assertEqual(body_of(got), body_of(data))
                self.assertEqual(len(client.uidl()[1]), 2)
                client.quit()

    def test_smtplib(self):
        for number, mode in enumerate(("implicit", "starttls")):
            with self.subTest(mode=mode):
                sent = message(60 + number, 100_000)
                with self.smtp(mode) as client:
                    client.login("jane", "jane-secret")
                    client.sendmail("jane@example.test", ["jane@example.test", "bob@example.test"], sent,
                                    mail_options=["BODY=8BITMIME"])
                for user in ("jane", "bob"):
                    self.assertEqual(body_of(self.delivered(user, b"number %d" % (60 + number))), body_of(sent))


if __name__ == "__main__":
    main()
