"""The log of the running program: its form, that peers cannot break it, and that nobody waits for who reads it."""

import base64
import json
import os
import re
import signal
import subprocess
import time

from harness import Case, canned, free_port, main, wait_until

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
PASSWORD = b"Open-Sesame-8472"


class Log(Case):
    def start(self, **log):
        self.backend = self.scripted(canned.SCRIPTS["imap"]())
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.backend.address},
                              {"protocol": "imap", "tls": "starttls", "backend": self.backend.address}], log=log)
        front.wait_ready()
        return front

    def session(self, front, *commands, listener="imap-implicit"):
        client = self.client(front.port(listener), tls=listener == "imap-implicit" or None)
        client.line()
        for command in commands:
            client.send(command + b"\r\n")
            client.line()
        client.close()
        front.wait_quiet()

    def test_every_line_is_an_object_with_its_time_and_level(self):
        front = self.start(level="debug")
        self.session(front, b"a LOGIN fred wrong", b"b LOGIN fred secret")
        self.session(front, b"a LOGIN fred secret", listener="imap-starttls")
        session = front.wait_event("session", listener="imap-implicit")
        front.wait_event("session", listener="imap-starttls")
        for line in front.stderr_lines:
            event = json.loads(line)
            self.assertRegex(event["ts"], TIME)
            self.assertIn(event["level"], ("debug", "info", "warn", "error"))
            self.assertEqual(list(event)[:3], ["ts", "level", "event"])
        self.assertEqual({"id", "client", "listener", "server", "user", "tls", "cipher", "group", "sni", "resumed",
                          "bytes_in", "bytes_out", "duration", "end", "fault"} - set(session), set())
        own = [event["event"] for event in front.events if event.get("id") == session["id"]]
        self.assertEqual([name for name in own if name in ("auth", "session")], ["auth", "auth", "session"])
        for name in ("start", "listening", "tls", "connect", "backend", "blocked"):
            self.assertTrue(front.of(name), name)
        self.assertEqual(front.of("connect", id=session["id"])[0]["client"], "127.0.0.1")
        # The same fields whether there is something to say or not.
        fields = {"id", "client", "listener", "server", "user", "tls", "cipher", "group", "sni", "alpn", "resumed",
                  "client_certificate", "bytes_in", "bytes_out", "duration", "end", "fault"}
        for event in front.of("session"):
            self.assertEqual(set(event) - {"ts", "level", "event"}, fields)
        for event in front.of("auth"):
            self.assertEqual({"user", "mechanism", "channel", "result", "reason"} - set(event), set())
        front.stop()
        self.assertEqual([event["event"] for event in front.events if event["event"] in ("drain", "stop")],
                         ["drain", "stop"])

    def test_warnings_of_the_configuration_are_events(self):
        backend = self.scripted(canned.SCRIPTS["smtp"]())
        front = self.postern([{"protocol": "smtp", "tls": "implicit", "backend": backend.address}])
        self.assertRegex(front.wait_event("config", level="warn")["warning"],
                         r"postern\.yaml:\d+:\d+: listeners\[0\]\.backend: warning: hides from the backend")
        front.send_signal(signal.SIGHUP)
        self.assertIn("hides from the backend", front.wait_event("reload", level="warn")["warning"])
        for line in front.stderr_lines:
            json.loads(line)

    def test_info_has_no_debug_in_it(self):
        front = self.start()
        self.session(front, b"a LOGIN fred secret")
        front.wait_event("session")
        self.assertEqual([event for event in front.events if event["level"] == "debug"], [])

    def test_no_password_at_any_level(self):
        front = self.start(level="debug")
        plain = base64.b64encode(b"\0fred\0" + PASSWORD)
        for listener in ("imap-implicit", "imap-starttls"):
            self.session(front, b"a LOGIN fred " + PASSWORD, b"b LOGIN fred \"" + PASSWORD + b"\"",
                         b"c AUTHENTICATE PLAIN " + plain, b"LOGIN fred " + PASSWORD, PASSWORD, listener=listener)
        front.wait_event("session", count=2)
        for secret in (PASSWORD, plain, plain[-12:], base64.b64encode(PASSWORD)[:12]):
            self.assertNotIn(secret.decode(), front.output)
            self.assertNotIn(secret.decode(), front.get("/status.json")[1] + front.get("/metrics")[1])

    def test_peers_cannot_break_a_line(self):
        front = self.start()
        for user in (b'"\\"},{\\"event\\":\\"x"', b"\xff\xfe\x80", b"\"a b\x1b[31m\"", b"j\xc3\xbcrgen", b"x" * 2000):
            self.session(front, b"a LOGIN " + user + b" wrong")
        front.wait_event("session", count=5)
        for line in front.stderr_lines:
            self.assertTrue(line.isascii() and line.isprintable(), line)
            self.assertLess(len(line), 8000)
            json.loads(line)
        self.assertTrue(front.of("auth", user="j\u00fcrgen"))

    def raw(self, stderr, log=None):
        """Postern with a stderr of the test's own. Returns the process and its IMAP port."""
        backend = self.scripted(canned.SCRIPTS["imap"]())
        port = free_port()
        path = self.path("raw.yaml")
        with open(path, "w") as file:
            json.dump({"admin": {"address": ""}, "log": log or {"level": "debug"},
                       "tls": {"certificates": [self.certificate.entry]},
                       "listeners": [{"protocol": "imap", "address": f"127.0.0.1:{port}", "tls": "implicit",
                                      "backend": backend.address}]}, file)
        process = subprocess.Popen([os.environ["POSTERN"], "run", "-c", path], stdin=subprocess.DEVNULL, stderr=stderr)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, port

    def log_in(self, port):
        def connect():
            try:
                return self.client(port, tls=True)
            except OSError:
                return None
        client = wait_until(connect, 20, "postern to listen")
        client.line()
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
        client.close()

    def test_text_format(self):
        read, write = os.pipe()
        process, port = self.raw(write, {"format": "text"})
        os.close(write)
        self.log_in(port)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        with os.fdopen(read) as lines:
            text = lines.read()
        self.assertRegex(text, r"(?m)^\S+Z info  auth id=\S+ listener=\S+ client=127\.0\.0\.1 user=fred ")
        self.assertRegex(text, r"(?m)^\S+Z info  stop$")

    def test_nobody_reads_it(self):
        read, write = os.pipe()
        process, port = self.raw(write)
        os.close(write)
        for _ in range(300):  # more than a pipe holds
            self.log_in(port)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.assertLess(time.monotonic() - start, 15)
        os.close(read)

    def test_its_reader_has_gone(self):
        read, write = os.pipe()
        process, port = self.raw(write)
        os.close(write)
        os.close(read)
        for _ in range(5):
            self.log_in(port)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    main()
