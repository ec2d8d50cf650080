"""limits.connections against the limit of descriptors, and what happens where there are none left."""

import json
import os
import resource
import subprocess
import time

from harness import Case, LineClient, Postern, canned, main, wait_until


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

    def test_a_rest_when_there_are_none_left(self):
        """The kernel's queue holds the clients meanwhile, nobody spins, and who comes when some are free is served."""
        backend = self.scripted(canned.imap())
        # Half of them are taken by others, which Postern's own count does not know of.
        taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(150)]
        front = Postern({"tls": {"certificates": [self.certificate.entry]}, "workers": 1, "listeners": [
            {"protocol": "imap", "name": "l", "tls": "implicit", "backend": backend.address}]}, self.folder,
            launcher=("prlimit", "--nofile=300:300"), pass_fds=taken)
        self.own(front)
        for descriptor in taken:
            os.close(descriptor)
        waiting = [self.client(front.port("l")) for _ in range(200)]
        front.wait_event("accept", level="error")
        before, begun = self.cpu_seconds(front.pid), time.monotonic()
        time.sleep(2)
        self.assertLess((self.cpu_seconds(front.pid) - before) / (time.monotonic() - begun), 0.3)
        self.assertEqual(len(front.of("accept")), 1)
        for client in waiting:
            client.close()

        def served():
            with LineClient(front.port("l"), tls=True) as client:
                client.line()
                return client.imap(b"a LOGIN fred secret")[-1].startswith(b"a OK")
        wait_until(served, 15, "a log-in")

    @staticmethod
    def cpu_seconds(pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
