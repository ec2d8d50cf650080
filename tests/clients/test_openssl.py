"""`openssl s_client`, with -starttls and without, through Postern."""

import subprocess

from harness import MailSystem, main, run


class SClient(MailSystem):
    def talk(self, listener, *options, text):
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", self.ca, "-servername",
                   "localhost", "-connect", f"127.0.0.1:{self.postern.port(listener)}", *options]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            child.stdin.write(text)
            child.stdin.flush()
            # s_client would close at the end of its input; the goodbye of the protocol ends it here.
            output = child.stdout.read()
            child.wait(20)
        finally:
            child.stdin.close()
            child.stdout.close()
            if child.poll() is None:
                child.kill()
                child.wait()
        return output

    def test_starttls_of_all_three(self):
        goodbye = {"imap": (b"a CAPABILITY\r\nb LOGOUT\r\n", b"b OK"), "pop3": (b"CAPA\r\nQUIT\r\n", b"+OK"),
                   "smtp": (b"EHLO test\r\nQUIT\r\n", b"221")}
        for protocol, (text, wanted) in goodbye.items():
            with self.subTest(protocol=protocol):
                self.assertIn(wanted, self.talk(f"{protocol}-starttls", "-starttls", protocol, text=text))

    def test_implicit_tls_with_both_versions(self):
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with self.subTest(version=name):
                output = self.talk("imap-implicit", version, text=b"a LOGIN fred fred-secret\r\nb LOGOUT\r\n")
                self.assertIn(b"a OK", output)
                self.assertIn(b"b OK", output)

    def test_old_versions_are_refused(self):
        done = subprocess.run(
            ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
             f"127.0.0.1:{self.postern.port('imap-implicit')}"], stdin=subprocess.DEVNULL, capture_output=True)
        self.assertNotEqual(done.returncode, 0)

    def test_a_ticket_resumes_the_session(self):
        where = f"127.0.0.1:{self.postern.port('imap-implicit')}"
        session = self.workshop.path("session")
        run("openssl", "s_client", "-tls1_2", "-connect", where, "-sess_out", session)
        output = run("openssl", "s_client", "-tls1_2", "-connect", where, "-sess_in", session)
        self.assertIn(b"Reused, TLSv1.2", output)
        self.postern.wait_metric("tls_handshakes_total", lambda count: count >= 1, listener="imap-implicit",
                                 resumed="yes")


if __name__ == "__main__":
    main()
