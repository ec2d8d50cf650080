"""The micro-benchmarks work. Nothing is judged by its time; what must not allocate is."""

# timeout: 600

import json
import os
import subprocess
import unittest

PROGRAM = os.path.join(os.path.dirname(os.environ.get("LOADGEN", "build/bench/loadgen")), "postern_bench")


class MicroTest(unittest.TestCase):
    def test_each_runs_without_an_error(self):
        words = [PROGRAM, "--benchmark_min_time=0.001", "--benchmark_format=json"]
        run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=500)
        self.assertEqual(run.returncode, 0)
        results = json.loads(run.stdout)["benchmarks"]
        self.assertGreater(len(results), 20)
        self.assertEqual([(r["name"], r.get("error_message")) for r in results if r.get("error_occurred")], [])


if __name__ == "__main__":
    unittest.main()
