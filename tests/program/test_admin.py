"""The admin address of the running program: what it says, to whom, and that nobody who asks can hold up mail."""
# label: tsan

import json
import os
import signal
import socket
import subprocess
import threading
import time

from harness import Case, canned, free_port, main, wait_until

SCRAPES = 100


class Admin(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.SCRIPTS["imap"]())
        self.front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.backend.address},
                                   {"protocol": "imap", "tls": "starttls", "backend": self.backend.address}],
                                  admin={"address": f"127.0.0.1:{free_port()}", "hosts": ["metrics.example"]})
        self.front.wait_ready()
        host, port = self.front.admin.rsplit(":", 1)
        self.address = (host, int(port))

    def ask(self, request, timeout=30):
        """All bytes of the answer, until the server closes or resets."""
        answer = b""
        with socket.create_connection(self.address, timeout) as connected:
            try:
                connected.sendall(request)
                while data := connected.recv(65536):
                    answer += data
            except ConnectionError:
                pass
        return answer

    def request(self, path="/metrics", method="GET", host="localhost", more=""):
        return self.ask(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n".encode())

    def log_in(self):
        start = time.monotonic()
        client = self.client(self.front.port("imap-implicit"), tls=True)
        client.line()
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
        client.close()
        return time.monotonic() - start

    def status(self):
        code, text = self.front.get("/status.json")
        self.assertEqual(code, 200)
        return json.loads(text)

    def test_pages(self):
        self.assertIn(b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", self.request("/metrics"))
        self.assertTrue(self.request("/healthz").endswith(b"\r\n\r\nok\n"))
        self.assertIn(b"Content-Type: application/json\r\n", self.request("/status.json"))
        page = self.request("/")
        self.assertIn(b"Content-Security-Policy: default-src 'none'; script-src 'sha256-", page)
        self.assertNotIn(b"unsafe", page)
        head = self.request("/metrics", "HEAD")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n"), head)

    def test_what_is_not_there(self):
        for path in ("/nothing", "/metrics/", "/../../etc/passwd", "/status", "//"):
            self.assertTrue(self.request(path).startswith(b"HTTP/1.1 404 "), path)

    def test_other_methods(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            answer = self.request("/metrics", method)
            self.assertTrue(answer.startswith(b"HTTP/1.1 405 "), answer)
            self.assertIn(b"Allow: GET, HEAD\r\n", answer)

    def test_foreign_hosts(self):
        for host in ("evil.example", "localhost.evil.example", f"evil.example:{self.address[1]}", "", "1.2.3.4.evil"):
            for path in ("/metrics", "/", "/status.json", "/healthz", "/nothing"):
                answer = self.request(path, host=host)
                self.assertRegex(answer, rb"^HTTP/1\.1 40[03] ", f"{host} {path}")
        for host in ("localhost", "127.0.0.1", "[::1]:80", "metrics.example", "METRICS.example:9190",
                     socket.gethostname()):
            self.assertTrue(self.request(host=host).startswith(b"HTTP/1.1 200 "), host)

    def test_requests_that_are_too_large(self):
        for request in (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
                        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
                        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + b"f4240\r\n" + b"x" * 1_000_000, b"\0" * 1_000_000, b"\r\n" * 500_000):
            start = time.monotonic()
            answer = self.ask(request)
            self.assertLess(time.monotonic() - start, 25)
            if answer:
                self.assertRegex(answer, rb"^HTTP/1\.1 4\d\d ")
        self.assertEqual(self.front.get("/healthz")[0], 200)

    def test_hundred_scrapes_at_once_while_people_log_in(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.request())) for _ in range(SCRAPES)]
        for thread in threads:
            thread.start()
        times = [self.log_in() for _ in range(10)]
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), SCRAPES)
        for answer in answers:
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:100])
            head, body = answer.split(b"\r\n\r\n", 1)
            self.assertIn(f"Content-Length: {len(body)}\r\n".encode(), head + b"\r\n")
        self.assertLess(max(times), 5)

    def test_peers_that_hang_hold_up_nobody_and_are_cut_off(self):
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.connect(self.address)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)  # answers that nobody takes
        trickle = socket.create_connection(self.address)
        silent = socket.create_connection(self.address, 30)
        start = time.monotonic()
        cut_off = None
        while cut_off is None and time.monotonic() - start < 40:
            self.log_in()
            self.assertEqual(self.front.get("/healthz")[0], 200)
            try:
                trickle.sendall(b"G")
                slow.recv(1)
            except ConnectionError:
                cut_off = time.monotonic() - start
            time.sleep(1)
        self.assertIsNotNone(cut_off)
        self.assertEqual(silent.recv(1), b"")
        for connected in (slow, trickle, silent):
            connected.close()

    def test_ready_only_while_a_backend_is(self):
        down = self.postern([{"protocol": "imap", "tls": "implicit", "backend": "dead"}],
                            backends={"dead": {"servers": [f"127.0.0.1:{free_port()}"],
                                               "health": {"interval": "100ms", "fall": 2}}})
        wait_until(lambda: "dead" in down.get("/readyz")[1] and down.get("/readyz")[0] == 503, 10, "the reason")
        self.assertEqual(down.get("/healthz")[0], 200)
        status = json.loads(down.get("/status.json")[1])
        self.assertFalse(status["ready"])
        self.assertIn("dead", status["reason"])
        wait_until(lambda: not json.loads(down.get("/status.json")[1])["backends"][0]["up"], 10, "down in the status")

    def test_a_drain_is_not_ready(self):
        client = self.client(self.front.port("imap-implicit"), tls=True)
        client.line()
        client.imap(b"a LOGIN fred secret")
        self.front.send_signal(signal.SIGTERM)
        self.front.wait_event("drain")
        wait_until(lambda: self.front.get("/readyz")[0] == 503, 5, "not ready")
        self.assertIn("drain", self.front.get("/readyz")[1])
        self.assertEqual(self.front.get("/healthz")[0], 200)
        self.assertTrue(self.status()["draining"])
        self.assertEqual(self.run_status("--admin", self.front.admin, "--ready").returncode, 1)
        client.imap(b"b LOGOUT")
        self.assertEqual(self.front.wait(30), 0)

    def test_status_agrees_with_metrics(self):
        for _ in range(3):
            self.log_in()
        client = self.client(self.front.port("imap-starttls"))
        client.line()
        client.imap(b"a LOGIN fred secret")
        client.close()
        self.front.wait_quiet()
        metrics, status = self.front.metrics(), self.status()
        for listener in status["listeners"]:
            label = {"listener": listener["name"]}
            self.assertEqual(listener["connections"], metrics.value("connections_total", **label))
            self.assertEqual(listener["sessions"], metrics.value("sessions_active", **label))
            self.assertEqual(listener["logins"], metrics.value("auth_total", result="accepted", **label))
            self.assertEqual(listener["bytes_in"], metrics.value("bytes_total", side="client", direction="in", **label))
        cells = {(cell["listener"], cell["mechanism"], cell["channel"]): cell for cell in status["policy"]}
        self.assertEqual(cells["imap-implicit", "BASIC", "tls"]["counts"]["accepted"], 3)
        self.assertEqual(cells["imap-starttls", "BASIC", "clear"]["counts"]["blocked"], 1)
        self.assertEqual(cells["imap-starttls", "BASIC", "clear"]["action"], "blocked")
        self.assertNotIn(("imap-implicit", "BASIC", "clear"), cells)
        self.assertEqual([(one["listener"], one["address"], one["mechanism"]) for one in status["refusals"]],
                         [("imap-starttls", "127.0.0.1", "BASIC")])
        self.assertNotIn("fred", json.dumps(status))
        self.assertNotIn("secret", json.dumps(status))
        self.assertEqual(status["certificates"][0]["names"][0], "localhost")
        self.assertTrue(status["backends"][0]["up"])
        self.assertGreater(status["backends"][0]["connect_p50"], 0)

    def test_a_reload_moves_it_or_changes_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = {**self.front.config, "admin": {"address": f"127.0.0.1:{taken.getsockname()[1]}"}}
            self.front.write(json.dumps(config))
            self.front.send_signal(signal.SIGHUP)
            event = self.front.wait_event("reload", result="error")
            self.assertIn("admin.address", event["error"])
        self.assertEqual(self.status()["reload"]["ok"], False)
        self.assertIn("admin.address", self.status()["reload"]["error"])
        port = free_port()
        self.front.write(json.dumps({**config, "admin": {"address": f"127.0.0.1:{port}"}}))
        self.front.send_signal(signal.SIGHUP)
        self.front.wait_event("reload", result="ok")
        before, self.front.admin = self.front.admin, f"127.0.0.1:{port}"
        wait_until(lambda: self.front.get("/healthz")[0] == 200, 10, "the new address")
        self.assertTrue(self.status()["reload"]["ok"])
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((before.rsplit(":", 1)[0], int(before.rsplit(":", 1)[1])))

    def test_unix_socket(self):
        path = self.path("admin.sock")
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.backend.address}],
                             admin={"address": f"unix:{path}"})
        front.wait_ready()
        self.assertEqual(front.get("/healthz")[0], 200)
        done = self.run_status("--admin", f"unix:{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.backend.address, done.stdout)

    def run_status(self, *arguments):
        return subprocess.run([os.environ["POSTERN"], "status", *arguments], capture_output=True, text=True, timeout=60)

    def test_status_command(self):
        done = self.run_status("-c", self.front.path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for part in ("ready", "imap-implicit", "imap-starttls", self.backend.address, "BASIC", "localhost"):
            self.assertIn(part, done.stdout)
        self.assertNotIn("\033", done.stdout)
        self.assertEqual(self.run_status("--admin", self.front.admin).returncode, 0)
        ready = self.run_status("--admin", self.front.admin, "--ready")
        self.assertEqual((ready.returncode, ready.stdout, ready.stderr), (0, "", ""))
        nobody = self.run_status("--admin", f"127.0.0.1:{free_port()}", "--ready")
        self.assertEqual(nobody.returncode, 1)
        self.assertEqual(self.run_status("--admin", f"127.0.0.1:{free_port()}").returncode, 1)
        self.assertEqual(self.run_status("--admin", "nowhere").returncode, 2)
        self.assertEqual(self.run_status("--admin", self.front.admin, "-c", self.front.path).returncode, 2)


if __name__ == "__main__":
    main()
