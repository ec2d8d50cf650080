"""swaks through Postern to Postfix."""

from harness import MailSystem, main, refused, run


class Swaks(MailSystem):
    def swaks(self, listener, *options, program=run):
        return program("swaks", "--server", "127.0.0.1", "--port", self.postern.port(listener), "--from",
                       "fred@example.test", "--to", "fred@example.test", *options)

    def test_starttls_with_every_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                self.swaks("smtp-starttls", "--tls", "--auth", mechanism, "--auth-user", "fred", "--auth-password",
                           "fred-secret", "--header", f"Subject: swaks {mechanism}", "--body", "hello")
                self.delivered("fred", f"swaks {mechanism}".encode())

    def test_implicit_tls_pipelined(self):
        self.swaks("smtp-implicit", "--tls-on-connect", "--pipeline", "--auth", "PLAIN", "--auth-user", "fred",
                   "--auth-password", "fred-secret", "--header", "Subject: swaks pipelined")
        self.delivered("fred", b"swaks pipelined")

    def test_the_clear_is_refused(self):
        said = self.swaks("smtp-starttls", "--auth", "PLAIN", "--auth-user", "fred", "--auth-password", "fred-secret",
                          program=refused)
        self.assertNotIn(b"235", said)
        said = self.swaks("smtp-starttls", program=refused)
        self.assertIn(b"530 5.7.0", said)


if __name__ == "__main__":
    main()
