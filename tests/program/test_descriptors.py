"""limits.connections against the limit of descriptors."""

import json
import os
import resource
import subprocess

from harness import Case, main


class Descriptors(Case):
    def check(self, limits):
        path = self.path("d.yaml")
        with open(path, "w") as file:
            json.dump({**limits, "tls": {"certificates": [self.certificate.entry]},
                       "listeners": [{"protocol": "imap", "address": "127.0.0.1:19930", "tls": "implicit",
                                      "backend": "127.0.0.1:143"}]}, file)
        return subprocess.run([os.environ["POSTERN"], "check", "-c", path], capture_output=True, text=True, timeout=20,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))

    def test_warning_where_it_was_written(self):
        done = self.check({"limits": {"connections": 5000}})
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"d\.yaml:\d+:\d+: limits\.connections: warning: .*descriptor limit of 1000")
        self.assertNotIn("limits", self.check({}).stderr)
        self.assertNotIn("limits", self.check({"limits": {"connections": 400}}).stderr)


if __name__ == "__main__":
    main()
