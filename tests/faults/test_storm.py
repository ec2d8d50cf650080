# label: slow
"""Everything at once: clients and backends that misbehave at random, reloads, restarts. Two rounds of a minute each;
POSTERN_STORM_SECONDS changes that."""

import os
import random
import signal
import socket
import threading
import time

from harness import Case, LineClient, Process, free_port, main, wait_until

SECONDS = float(os.environ.get("POSTERN_STORM_SECONDS", "60"))
SESSIONS = 300


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Storm(Case):
    def setUp(self):
        super().setUp()
        self.ports = {name: free_port() for name in ("imap", "pop3", "smtp")}
        self.backend = None
        self.start_legacy()
        quick = {"health": {"interval": "1s", "timeout": "1s", "rise": 1, "fall": 2}}
        self.program = self.serve({
            "limits": {"connections_per_ip": 0, "handshakes_per_ip": "0/1m", "auth_failures_per_ip": "0/1m"},
            "timeouts": {"handshake": "3s", "login": "5s", "idle": "5s", "backend_greeting": "3s"},
            "backends": {name: {"servers": [f"127.0.0.1:{port}"], **quick} for name, port in self.ports.items()},
            "listeners": [{"protocol": name, "tls": tls, "backend": name}
                          for name in self.ports for tls in ("implicit", "starttls")]})

    def start_legacy(self):
        words = [os.environ["LEGACY_SERVER"], "--accept-any", "--messages", "3", "--chunking"]
        for name, port in self.ports.items():
            words += [f"--{name}", f"127.0.0.1:{port}"]
        self.backend = Process(words)
        self.backend.wait_line("ready")

    def dialogue(self, rng, protocol):
        """What a client says; some of it is nonsense."""
        lines = {
            "imap": [b"a CAPABILITY\r\n", b"b LOGIN u p\r\n", b"b LOGIN {1}\r\n", b"c SELECT INBOX\r\n", b"d NOOP\r\n",
                     b"e FETCH 1 BODY[]\r\n", b"f APPEND INBOX {5+}\r\nabcde\r\n", b"g IDLE\r\n", b"DONE\r\n", b"h LOGOUT\r\n",
                     b"i AUTHENTICATE PLAIN\r\n", b"AHUAcA==\r\n", b"*\r\n"],
            "pop3": [b"CAPA\r\n", b"USER u\r\n", b"PASS p\r\n", b"STAT\r\n", b"RETR 1\r\n", b"TOP 1 0\r\n", b"QUIT\r\n",
                     b"AUTH PLAIN\r\n", b"AHUAcA==\r\n"],
            "smtp": [b"EHLO me\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", b"hello\n.\n\r\n.\r\n",
                     b"BDAT 5\r\nabcde", b"BDAT 0 LAST\r\n", b"RSET\r\n", b"AUTH PLAIN AHUAcA==\r\n", b"QUIT\r\n"]}[protocol]
        if rng.random() < 0.4:
            return lines
        return [rng.choice(lines) if rng.random() < 0.9 else rng.randbytes(rng.randrange(1, 200)) for _ in range(8)]

    def one(self, rng):
        protocol = rng.choice(list(self.ports))
        tls = rng.random() < 0.7
        port = self.program.port(f"{protocol}-implicit" if tls else f"{protocol}-starttls")
        if tls and rng.random() < 0.1:  # a broken handshake
            with socket.create_connection(("127.0.0.1", port), 5) as raw:
                raw.sendall(b"\x16\x03\x01" + rng.randbytes(rng.randrange(0, 300)))
                time.sleep(rng.random())
            return
        with LineClient(port, tls=tls or None, timeout=8) as client:
            for line in self.dialogue(rng, protocol):
                if rng.random() < 0.05:  # a byte at a time
                    for byte in line[:40]:
                        client.send(bytes([byte]))
                    line = line[40:]
                if line:
                    client.send(line)
                if rng.random() < 0.5:
                    client.socket.settimeout(0.2)
                    try:
                        client.socket.recv(rng.choice((1, 100, 65536)))
                    except (TimeoutError, OSError):
                        pass
                    client.socket.settimeout(8)
            end = rng.random()
            if end < 0.2:  # a reset
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif end < 0.4:
                client.socket.shutdown(socket.SHUT_WR)
                client.rest()

    def round(self, seed):
        stop = time.monotonic() + SECONDS

        def client(number):
            rng = random.Random(seed * 1000 + number)
            while time.monotonic() < stop:
                try:
                    self.one(rng)
                except OSError:
                    time.sleep(0.1)  # what the faults explain
        clients = [threading.Thread(target=client, args=(n,)) for n in range(SESSIONS)]
        for thread in clients:
            thread.start()
        beat = 0
        while time.monotonic() < stop:
            time.sleep(min(5, max(0.1, stop - time.monotonic())))
            beat += 1
            self.program.send_signal(signal.SIGHUP)
            if beat % 2 == 0:
                self.backend.stop(timeout=5)
                self.start_legacy()
            self.assertTrue(self.program.running(), self.program.output[-4000:])
        for thread in clients:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        self.program.wait_quiet(timeout=30)

    def test_storm(self):
        self.addCleanup(lambda: self.backend.stop())
        wait_until(lambda: self.program.get("/readyz")[0] == 200, 20, "ready")
        before = descriptors(self.program.pid)
        self.round(1)
        resident = self.program.metrics().value("process_resident_memory_bytes")
        self.round(2)
        wait_until(lambda: descriptors(self.program.pid) <= before + 8, 15, "descriptors back where they were")
        after = self.program.metrics().value("process_resident_memory_bytes")
        self.assertLess(after, resident * 1.1 + 1024 * 1024)
        self.assertEqual(self.program.metrics().value("backend_connections_active"), 0)
        self.assertEqual(self.program.of("reload", result="error"), [])
        with LineClient(self.program.port("imap-implicit"), tls=True) as client:
            client.line()
            self.assertRegex(client.imap(b"a LOGIN u p")[-1], b"^a OK")


if __name__ == "__main__":
    main()
