"""How much power the running program keeps (docs/threats.md), and that a reload, a renewal and a second instance work with
that. Needs root."""
# label: plain

import glob
import os
import random
import shutil
import signal
import subprocess
import unittest

from harness import Case, LineClient, canned, free_port, main, self_signed, wait_until

NOBODY = 65534
NET_BIND_SERVICE, DAC_READ_SEARCH = 1 << 10, 1 << 2


def low_port():
    """One that only root, or who may as root, can listen on."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        first = int(file.read())
    if first < 1024:
        raise unittest.SkipTest("every user may listen on low ports here")
    return random.SystemRandom().randrange(600, first)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Privileges(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.imap())
        self.keys = self.folder_of_root("keys")
        self.front = self.serve({"user": "nobody", "tls": {"certificates": [self.keys.entry]}, "listeners": [
            {"name": "l", "protocol": "imap", "tls": "implicit", "backend": self.backend.address}]})

    def folder_of_root(self, name):
        """With a certificate whose key root alone can read, in a folder that root alone can enter."""
        folder = self.path(name)
        os.mkdir(folder, 0o700)
        made = self_signed(folder)
        os.chmod(made.key, 0o600)
        return made

    def greeting(self, port):
        with LineClient(port, tls=True) as client:
            return client.line()

    def test_what_is_left(self):
        """In every thread."""
        for path in glob.glob(f"/proc/{self.front.pid}/task/*/status"):
            with open(path) as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            self.assertEqual(set(status["Uid"].split() + status["Gid"].split()), {str(NOBODY)})
            self.assertEqual(status["Groups"].split(), [str(NOBODY)])
            for name in ("CapEff", "CapPrm"):
                self.assertEqual(int(status[name], 16) & ~(NET_BIND_SERVICE | DAC_READ_SEARCH), 0)
            for name in ("CapInh", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_its_memory_is_nobodys_business(self):
        """Not dumpable: others of the same user can neither trace it nor look into it, and a crash leaves no file."""
        self.assertEqual(os.stat(f"/proc/{self.front.pid}/mem").st_uid, 0)
        self.assertEqual(self.limit("Max core file size"), ("0", "0"))
        for name in ("mem", "environ", "maps"):
            done = subprocess.run(["/usr/bin/head", "-c1", f"/proc/{self.front.pid}/{name}"], user=NOBODY, group=NOBODY,
                                  extra_groups=[], cwd="/", capture_output=True)
            self.assertNotEqual(done.returncode, 0, name)
            self.assertEqual(done.stdout, b"")

    def test_as_many_descriptors_as_there_may_be(self):
        soft, hard = self.limit("Max open files")
        self.assertEqual(soft, hard)

    def limit(self, name):
        with open(f"/proc/{self.front.pid}/limits") as file:
            return next(tuple(line[len(name):].split()[:2]) for line in file if line.startswith(name))

    def test_a_reload_opens_a_low_port_and_a_key_in_a_folder_of_roots(self):
        port = low_port()
        renewed = self.folder_of_root("elsewhere")
        added = {**self.front.config["listeners"][0], "name": "low", "address": f"127.0.0.1:{port}"}
        self.front.write({**self.front.config, "tls": {"certificates": [renewed.entry]},
                          "listeners": [*self.front.config["listeners"], added]})
        self.front.send_signal(signal.SIGHUP)
        self.front.wait_event("reload", result="ok")
        self.assertTrue(self.greeting(port).startswith(b"* OK"))
        self.assertEqual(self.shown(port), self.shown(self.front.port("l")))

    def shown(self, port):
        with LineClient(port, tls=True) as client:
            return client.socket.getpeercert(binary_form=True)

    def test_a_key_of_roots_is_renewed_without_a_signal(self):
        before = self.shown(self.front.port("l"))
        renewed = self.folder_of_root("renewed")
        shutil.move(renewed.key, self.keys.key)
        shutil.move(renewed.chain, self.keys.chain)
        wait_until(lambda: self.shown(self.front.port("l")) != before, 15, "the new certificate")

    def test_a_second_instance_takes_the_ports(self):
        second = self.serve({**self.front.config, "admin": {"address": f"127.0.0.1:{free_port()}"}})
        self.front.send_signal(signal.SIGTERM)
        self.assertEqual(self.front.wait(15), 0)
        self.assertTrue(self.greeting(second.port("l")).startswith(b"* OK"))


if __name__ == "__main__":
    main()
