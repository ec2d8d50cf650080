"""Cyrus IMAP behind Postern: log-ins rewritten into every mechanism that it knows, NTLM among them, those of a client that
proves its password itself, and mail read. Skipped where the distribution's Cyrus cannot be had."""
# timeout: 600

import subprocess
import unittest

from harness import Cyrus, LineClient, Workshop, main, message
from servers.test_to_backend import PASSWORDS, PROVING, Rewritten


class ToCyrus(Rewritten, unittest.TestCase):
    protocols = ("imap", "pop3")
    proving = {protocol: (*PROVING[protocol], "NTLM") for protocol in protocols}

    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        cls.cyrus = cls.workshop.own(Cyrus(cls.workshop.folder, PASSWORDS, apop=True))
        cls.serve(cls.cyrus.ports)

    def test_mail_is_stored_and_read(self):
        sent = message(1, 20_000)
        with LineClient(self.postern.port("imap-NTLM"), tls=True) as client:
            client.line()
            client.imap(b"a LOGIN fred secret")
            self.assertRegex(client.imap(b"b APPEND INBOX {%d+}\r\n" % len(sent) + sent)[-1], rb"^b OK")
        with LineClient(self.postern.port("pop3-NTLM"), tls=True) as client:
            client.line()
            client.pop3(b"USER fred")
            client.pop3(b"PASS secret")
            lines = client.pop3(b"RETR 1", multi=True)
            self.assertEqual(b"\r\n".join(lines[1:]) + b"\r\n", sent)

    def test_a_client_that_speaks_ntlm_itself(self):
        """curl's NTLM passes through `same`, untouched."""
        for scheme in self.protocols:
            with self.subTest(protocol=scheme):
                port = self.postern.port(f"{scheme}-same")
                for password, status in (("secret", 0), ("Secret", 67)):
                    done = subprocess.run(
                        ["curl", "-sS", "--insecure", "--max-time", "30", "--user", f"fred:{password}",
                         "--login-options", "AUTH=NTLM", f"{scheme}s://localhost:{port}"],
                        capture_output=True, timeout=60)
                    self.assertEqual(done.returncode, status, done.stderr.decode())
        for result in ("accepted", "rejected"):
            self.assertGreaterEqual(self.postern.metrics().value("auth_total", mechanism="NTLM", result=result), 2)


if __name__ == "__main__":
    main()
