"""Log-ins while the admin address is put under all that one must not do to it (harness.askers): each is answered or cut
off in bounded time, and the 99th percentile of a log-in stays what it was. Runs are interleaved, and what they are held
against is the same load on the admin address of another Postern, so that what the askers themselves cost does not
count. The margin is for machines that are shared."""
# label: slow
# label: plain
# serial
# timeout: 600

import json
import os
import statistics
import subprocess
import sys

from harness import Case, main

ROUNDS, SECONDS = 7, 3
MOST = 1.5  # times the p99 of the other runs; docs/status.md has what was measured
LONGEST = 25  # seconds for any answer
EXPECTED = {"scrape": {"200"}, "post": {"405"}, "unknown": {"404"}, "foreign": {"403"},
            "large": {"431", "0"}}  # 0: cut off while it was still sending


class AdminLoad(Case):
    def start(self):
        backend = self.legacy()
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": backend.address["imap"]}],
                             limits={"connections_per_ip": 0, "handshakes_per_ip": 0})
        front.wait_ready()
        return front

    def measure(self, asked):
        """The p99 of log-ins in milliseconds, with the admin address of `asked` under load."""
        askers = None
        if asked:
            askers = subprocess.Popen([sys.executable, "-m", "harness.askers", *asked.admin.rsplit(":", 1)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.assertEqual(askers.stdout.readline(), "asking\n")
        try:
            done = subprocess.run(
                [os.environ["LOADGEN"], "--target", f"127.0.0.1:{self.front.port('imap-implicit')}", "--mode", "session",
                 "--connections", "1", "--seconds", str(SECONDS), "--user", "fred", "--password", "secret"],
                capture_output=True, text=True, check=True)
        finally:
            if askers:
                said, _ = askers.communicate(timeout=60)
        if askers:
            self.answered(json.loads(said))
        found = json.loads(done.stdout)
        self.assertEqual(found["failures"]["all"], 0)
        return found["latency_us"]["p99"] / 1000

    def answered(self, said):
        self.assertLess(said["longest"], LONGEST)
        for name, allowed in EXPECTED.items():
            self.assertTrue(said["answers"][name])
            self.assertLessEqual(set(said["answers"][name]), allowed, f"{name}: {said}")

    def test_a_log_in_takes_as_long_as_before(self):
        self.front, other = self.start(), self.start()
        runs = [("quiet", None), ("elsewhere", other), ("here", self.front)]
        found = {name: [] for name, _ in runs}
        self.measure(None)
        for turn in range(ROUNDS):
            for name, asked in runs[turn % 3:] + runs[:turn % 3]:
                found[name].append(self.measure(asked))
        medians = {name: statistics.median(times) for name, times in found.items()}
        print("p99 of a log-in in ms:", {name: f"{value:.1f}" for name, value in medians.items()})
        self.assertLess(medians["here"], MOST * max(medians["quiet"], medians["elsewhere"]), found)


if __name__ == "__main__":
    main()
