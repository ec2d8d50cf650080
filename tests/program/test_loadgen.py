"""The load generator against the canned server, without TLS: that it counts what it does."""

import json
import os
import subprocess
import unittest

LOADGEN = os.environ.get("LOADGEN", "build/bench/loadgen")
SERVER = os.environ.get("LEGACY_SERVER", "build/bench/legacy_server")


class LoadgenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        words = [SERVER, "--discard", "--message-size", "100000"]
        for protocol in ("imap", "pop3", "smtp"):
            words += ["--" + protocol, "127.0.0.1:0"]
        cls.server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        cls.targets = {}
        for line in cls.server.stdout:
            if line == "ready\n":
                break
            protocol, address = line.split()
            cls.targets[protocol] = address

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()

    def load(self, mode, protocol, *options, status=0):
        words = [LOADGEN, "--target", self.targets[protocol], "--tls", "none", "--mode", mode]
        words += ["--protocol", protocol, "--connections", "4", "--seconds", "5", "--warmup", "0"]
        words += ["--proxy-pid", str(self.server.pid), *options]
        run = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(run.returncode, status)
        return json.loads(run.stdout)

    def test_sessions(self):
        for protocol in ("imap", "pop3", "smtp"):
            report = self.load("session", protocol, "--count", "50")
            self.assertGreaterEqual(report["operations"], 50)
            self.assertEqual(report["failures"]["all"], 0)
            self.assertGreater(report["latency_us"]["p50"], 0)

    def test_round_trips(self):
        for protocol in ("imap", "pop3", "smtp"):
            report = self.load("latency", protocol, "--count", "500", "--active", "2")
            self.assertGreaterEqual(report["operations"], 500)
            self.assertEqual(report["open"], 4)

    def test_bulk_moves_whole_messages(self):
        for mode, protocol in (
            ("bulk-down", "imap"),
            ("bulk-down", "pop3"),
            ("bulk-up", "imap"),
            ("bulk-up", "smtp"),
        ):
            report = self.load(mode, protocol, "--count", "20", "--size", "100000")
            self.assertGreaterEqual(report["operations"], 20)
            self.assertGreater(report["bytes"] / report["operations"], 100000)
            self.assertLess(report["bytes"] / report["operations"], 101000)

    def test_idle_and_mixed(self):
        report = self.load("idle", "imap", "--hold", "0.1")
        self.assertEqual(report["open"], 4)
        self.assertGreater(report["proxy"]["pss_kib"], 0)
        report = self.load("mixed", "imap", "--seconds", "0.5", "--rate", "100")
        self.assertGreater(report["operations"], 0)
        self.assertGreater(report["handshakes"], 20)

    def test_says_when_there_is_nothing(self):
        words = [LOADGEN, "--target", "127.0.0.1:1", "--tls", "none", "--seconds", "1"]
        run = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(run.returncode, 1)
        self.assertGreater(json.loads(run.stdout)["failures"]["all"], 0)

    def test_wrong_command_line(self):
        for words in ([], ["--target", "x"], ["--mode", "x"], ["--nonsense"]):
            self.assertEqual(subprocess.run([LOADGEN] + words, stderr=subprocess.PIPE).returncode, 2)


if __name__ == "__main__":
    unittest.main()
