"""SMTP smuggling (Longin, SEC Consult, 2023; CVE-2023-51764 Postfix, CVE-2023-51765 Sendmail, CVE-2023-51766 Exim) against
a backend that is as lax as the worst of them: any of CR, LF and CRLF ends its lines, and a dot between any two of them
its messages. It must see one message, of one sender, whatever the client sends."""

import itertools
import re

from harness import Case, main

ENDS = (b"\r\n", b"\n", b"\r")
TRUE_END = b"\r\n.\r\n"
VARIANTS = [before + b"." + after for before, after in itertools.product(ENDS, ENDS) if before + b"." + after != TRUE_END]
VARIANTS += [b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\n", b"\n..\n", b"\r\n.\n\r\n",
             b"\n.\r\n\r\n", b"\r.\r\n.\n", b"\r\n.\r.\n"]
SMUGGLED = b"MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\nevil\r\n.\r\n"


class LaxBackend:
    """The script of one. `senders` and `messages` are what it has understood."""

    def __init__(self, chunking=False):
        self.senders, self.messages, self.commands = [], [], []
        self.chunking = chunking

    def __call__(self, connection):
        connection.send(b"220 lax ESMTP\r\n")
        pending = b""
        while True:
            match = re.search(rb"\r\n|\n|\r(?=[^\n])", pending)
            if not match:
                pending += connection.socket.recv(65536) or self._gone()
                continue
            line, pending = pending[:match.start()], pending[match.end():]
            self.commands.append(line)
            verb = line[:4].upper()
            if verb == b"EHLO":
                connection.send(b"250-lax\r\n250 CHUNKING\r\n" if self.chunking else b"250 lax\r\n")
            elif verb == b"DATA":
                connection.send(b"354 go\r\n")
                pending = self._message(connection, b"\r\n" + pending)
                connection.send(b"250 taken\r\n")
            else:
                if verb == b"MAIL":
                    self.senders.append(line)
                connection.send(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    def _message(self, connection, pending):
        while True:
            match = re.search(rb"(\r\n|\n|\r)\.(\r\n|\n|\r(?=[^\n]))", pending)
            if match:
                self.messages.append(pending[2:match.start()])
                return pending[match.end():]
            pending += connection.socket.recv(65536) or self._gone()

    @staticmethod
    def _gone():
        raise OSError("gone")


class SmtpSmuggling(Case):
    def start(self, **listener):
        self.lax = LaxBackend()
        backend = self.scripted(self.lax)
        front = self.postern([{"protocol": "smtp", "tls": "implicit", "backend": backend.address, **listener}])
        front.wait_ready()
        self.lax.commands.clear()
        self.lax.senders.clear()
        return front

    def send(self, front, body):
        client = self.client(front.port("smtp-implicit"), tls=True)
        self.assertEqual(client.smtp_reply()[0][:3], b"220")
        for command in (b"EHLO test", b"MAIL FROM:<honest@client.test>", b"RCPT TO:<fred@example.test>"):
            self.assertEqual(client.smtp(command)[0][:3], b"250")
        self.assertEqual(client.smtp(b"DATA")[0][:3], b"354")
        client.send(body)
        return client

    def test_every_end_but_the_true_one(self):
        front = self.start()
        for end in VARIANTS:
            with self.subTest(end=end):
                before = len(self.lax.messages), len(self.lax.senders)
                client = self.send(front, b"Subject: x\r\n\r\nhello" + end + SMUGGLED)
                # The true end is that of the smuggled text, and all before it is one message.
                self.assertEqual(client.smtp_reply()[0][:3], b"250")
                self.assertEqual(client.smtp(b"QUIT")[0][:3], b"221")
                self.assertEqual(len(self.lax.messages), before[0] + 1)
                self.assertEqual(self.lax.senders[before[1]:], [b"MAIL FROM:<honest@client.test>"])
                self.assertIn(b"smuggled@evil.test", self.lax.messages[-1])

    def test_rejected_where_so_configured(self):
        front = self.start(bare_lf="reject")
        for end in VARIANTS:
            if not re.search(rb"\r(?!\n)|(?<!\r)\n", end):
                continue
            with self.subTest(end=end):
                client = self.send(front, b"Subject: x\r\n\r\nhello" + end + SMUGGLED)
                self.assertEqual(client.smtp_reply()[0][:9], b"521 5.5.2")
                self.assertTrue(client.ended())
        self.assertEqual(self.lax.messages, [])
        self.assertNotIn(b"MAIL FROM:<smuggled@evil.test>", self.lax.senders)

    def test_in_the_smallest_pieces(self):
        front = self.start()
        client = self.send(front, b"")
        for byte in b"hello\n.\r\n" + SMUGGLED:
            client.send(bytes([byte]))
        self.assertEqual(client.smtp_reply()[0][:3], b"250")
        self.assertEqual(self.lax.senders, [b"MAIL FROM:<honest@client.test>"])

    def test_a_chunk_that_the_backend_would_take_for_commands(self):
        front = self.start()
        client = self.client(front.port("smtp-implicit"), tls=True)
        client.smtp_reply()
        self.assertNotIn(b"250-CHUNKING", client.smtp(b"EHLO test"))
        client.send(b"BDAT %d LAST\r\n" % len(SMUGGLED) + SMUGGLED)
        self.assertEqual(client.smtp_reply()[0][:9], b"502 5.5.1")
        self.assertTrue(client.ended())
        self.assertEqual(self.lax.senders, [])

    def test_a_message_that_the_backend_has_not_asked_for(self):
        front = self.start()
        self.lax.commands.clear()
        client = self.client(front.port("smtp-implicit"), tls=True)
        client.smtp_reply()
        client.smtp(b"EHLO test")
        client.send(b"XDATA\r\nMAIL FROM:<a\rRCPT TO:<b@c>\r\n")
        self.assertEqual(client.smtp_reply()[0][:3], b"500")
        self.assertEqual(client.smtp_reply()[0][:3], b"500")
        self.assertTrue(client.ended())
        self.assertEqual(self.lax.commands[1:], [])


if __name__ == "__main__":
    main()
