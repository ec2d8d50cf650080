"""256 MiB in one message, each way and in each protocol: equal at the far end, and Postern's memory hardly moves, not
even while the reader stalls for ten seconds."""
# label: plain
# serial
# timeout: 900

import hashlib
import threading
import time

from harness import Case, main

SIZE = 256 * 1024 * 1024
STALL = 10
ALLOWED_KIB = 4 * 1024

# Lines of a message, 1 MiB of them; no line begins with a dot, so that no protocol changes a byte.
_LINE = b"0123456789abcdef" * 4 + b"\r\n"
_BLOCK = (_LINE * (1024 * 1024 // len(_LINE)) + b"x" * 1024)[:1024 * 1024 - 2] + b"\r\n"
_HEADER = b"Subject: large\r\nFrom: a@example.test\r\n\r\n"


def pieces():
    yield _HEADER
    left = SIZE - len(_HEADER)
    while left > len(_BLOCK):
        yield _BLOCK
        left -= len(_BLOCK)
    yield _BLOCK[:left - 2] + b"\r\n"


def digest():
    sha = hashlib.sha256()
    for piece in pieces():
        sha.update(piece)
    return sha.hexdigest()


class Watch:
    """The highest resident memory of a process while this is open, over what it was at first, in KiB."""

    def __init__(self, process):
        self._process, self._idle, self.growth = process, process.memory_kib(), 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _look(self):
        while not self._done.wait(0.05):
            self.growth = max(self.growth, self._process.memory_kib() - self._idle)


class LargeMessages(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.legacy(users=[("fred", "secret")], options=["--messages", "0", "--max-store", "2147483648"])
        self.front = self.postern([
            {"protocol": protocol, "tls": "implicit", "backend": self.backend.address[protocol]}
            for protocol in ("imap", "pop3", "smtp")], workers=1)

    def imap(self):
        client = self.client(self.front.port("imap-implicit"), tls=True, timeout=120)
        client.line()
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
        return client

    def store(self, client):
        """Appends the message, past or through Postern."""
        client.send(b"b APPEND INBOX {%d}\r\n" % SIZE)
        self.assertEqual(client.line()[:1], b"+")
        for piece in pieces():
            client.send(piece)
        client.send(b"\r\n")
        self.assertRegex(client.imap_answer(b"b")[-1], rb"^b OK")

    def fetch_digest(self, client, stall=0):
        client.imap(b"c SELECT INBOX")
        client.send(b"d FETCH 1 BODY.PEEK[]\r\n")
        size = int(client.line().rsplit(b"{", 1)[1].rstrip(b"}"))
        sha = hashlib.sha256(client.buffer[:size])
        left = size - len(client.buffer[:size])
        client.buffer = client.buffer[size:]
        time.sleep(stall)
        while left:
            data = client.socket.recv(min(left, 1 << 20))
            self.assertTrue(data, "the end in mid-message")
            sha.update(data)
            left -= len(data)
        self.assertRegex(client.imap_answer(b"d")[-1], rb"^d OK")
        return size, sha.hexdigest()

    def test_imap_append_then_fetch(self):
        with Watch(self.front) as watch:
            self.store(self.imap())
            self.assertEqual(self.fetch_digest(self.imap(), STALL), (SIZE, digest()))
        self.assertLess(watch.growth, ALLOWED_KIB)

    def test_smtp_data_then_pop3_retr(self):
        with Watch(self.front) as watch:
            client = self.client(self.front.port("smtp-implicit"), tls=True, timeout=120)
            client.smtp_reply()
            client.smtp(b"EHLO test")
            client.smtp(b"MAIL FROM:<a@example.test>")
            self.assertEqual(client.smtp(b"RCPT TO:<fred@example.test>")[0][:3], b"250")
            self.assertEqual(client.smtp(b"DATA")[0][:3], b"354")
            for piece in pieces():
                client.send(piece)
            self.assertEqual(client.smtp(b".")[0][:3], b"250")

            client = self.client(self.front.port("pop3-implicit"), tls=True, timeout=120)
            client.line()
            client.pop3(b"USER fred")
            self.assertEqual(client.pop3(b"PASS secret")[:3], b"+OK")
            self.assertEqual(client.pop3(b"RETR 1")[:3], b"+OK")
            time.sleep(STALL)
            # A server may put lines of its own in front of what was sent, as a Received header.
            sha, tail, body = hashlib.sha256(), client.buffer, False
            while not tail.endswith(b"\r\n.\r\n"):
                if not body and _HEADER[:16] in tail:
                    tail, body = tail[tail.index(_HEADER[:16]):], True
                if body and len(tail) > 8:
                    sha.update(tail[:-8])
                    tail = tail[-8:]
                data = client.socket.recv(1 << 20)
                self.assertTrue(data, "the end in mid-message")
                tail += data
            sha.update(tail[:-3])
            self.assertEqual(sha.hexdigest(), digest())
        self.assertLess(watch.growth, ALLOWED_KIB)

    def test_a_backend_that_does_not_read_for_ten_seconds(self):
        received = hashlib.sha256()
        arrived = []

        def script(connection):
            connection.send(b"220 ready\r\n")
            for answer in (b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                connection.line()
                connection.send(answer)
            time.sleep(STALL)
            connection.socket.settimeout(120)
            left = SIZE
            while left:
                data = connection.socket.recv(min(left, 1 << 20))
                if not data:
                    return
                received.update(data)
                left -= len(data)
            connection.until(b".\r\n")
            arrived.append(True)
            connection.send(b"250 taken\r\n")
            connection.drain()

        backend = self.scripted(script)
        front = self.postern([{"protocol": "smtp", "tls": "implicit", "backend": backend.address}], workers=1)
        with Watch(front) as watch:
            client = self.client(front.port("smtp-implicit"), tls=True, timeout=120)
            client.smtp_reply()
            for command in (b"EHLO test", b"MAIL FROM:<a@example.test>", b"RCPT TO:<b@example.test>", b"DATA"):
                client.smtp(command)
            for piece in pieces():
                client.send(piece)
            self.assertEqual(client.smtp(b".")[0][:3], b"250")
            client.close()
        self.assertTrue(arrived)
        self.assertEqual(received.hexdigest(), digest())
        self.assertLess(watch.growth, ALLOWED_KIB)


if __name__ == "__main__":
    main()
