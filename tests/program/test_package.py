"""What is packed with the program agrees with it: the shipped configuration, the unit, manual pages and completions."""

import os
import re
import shutil
import subprocess

from harness import Case, main

SOURCE = os.environ["POSTERN_SOURCE"]


def read(name):
    with open(os.path.join(SOURCE, name)) as file:
        return file.read()


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def options_of(*subcommand):
    shown = run(os.environ["POSTERN"], *subcommand, "--help").stdout
    return set(re.findall(r"(?<![\w-])--[a-z]+[a-z-]*", shown.split("Documentation:")[0])) - {"--help"}


class Package(Case):
    def test_shipped_configuration(self):
        shutil.copy(self.certificate.chain, self.path("fullchain.pem"))
        shutil.copy(self.certificate.key, self.path("privkey.pem"))
        shutil.copy(os.path.join(SOURCE, "debian/postern.yaml"), self.path("postern.yaml"))
        done = run(os.environ["POSTERN"], "check", "-c", self.path("postern.yaml"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # What it suggests in comments is right, too.
        suggested = re.sub(r"^( *)# (?=(min_version|enforce|to_backend|domain|users|  - \{ match|auth_fail|connections_per))",
                           r"\1", read("debian/postern.yaml"), flags=re.M)
        self.assertNotEqual(suggested, read("debian/postern.yaml"))
        with open(self.path("postern.yaml"), "w") as file:
            file.write(suggested)
        done = run(os.environ["POSTERN"], "check", "-c", self.path("postern.yaml"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_unit_waits_longer_than_the_drain(self):
        drain = int(re.search(r"^drain_timeout: (\d+)s$", read("debian/postern.yaml"), re.M).group(1))
        stop = int(re.search(r"^TimeoutStopSec=(\d+)$", read("deploy/systemd/postern.service"), re.M).group(1))
        self.assertGreater(stop, drain + 3)

    def test_unit_is_hardened(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=19",
                   os.path.join(SOURCE, "deploy/systemd/postern.service"))
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)

    def test_unit_is_verified(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        with open(self.path("postern.service"), "w") as file:
            file.write(read("deploy/systemd/postern.service").replace("/usr/bin/postern", os.environ["POSTERN"]))
        done = run("systemd-analyze", "verify", "--man=no", self.path("postern.service"))
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertNotIn(self.folder, done.stderr)

    def test_options_are_in_manual_and_completions(self):
        files = {name: read(name) for name in ("docs/man/postern.1.scd", "deploy/completions/postern",
                                               "deploy/completions/_postern", "deploy/completions/postern.fish")}
        for subcommand in (["run"], ["check"], ["status"], ["cert", "self-signed"], ["cert", "request"]):
            for option in options_of(*subcommand) - {"--config"}:
                for name, text in files.items():
                    with self.subTest(option=option, file=name):
                        spelled = f"-l {option[2:]}" if name.endswith(".fish") else option
                        self.assertRegex(text, re.escape(spelled) + r"\b")

    def test_every_key_is_in_the_manual(self):
        keys = set(re.findall(r"(?:^|[{,] *)([a-z_]+):(?= |$)", read("conf/examples/full.yaml"), re.M))
        keys |= set(re.findall(r"^ +([a-z_]+):", read("conf/examples/full.yaml"), re.M))
        manual = read("docs/man/postern.yaml.5.scd").lower()
        for key in sorted(keys - {"legacy", "imap", "pop3", "smtp"}):
            with self.subTest(key=key):
                self.assertRegex(manual, rf"\b{key}\b")

    def test_completion_in_bash(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        for words, expected in (("postern ch", "check"), ("postern check --m", "--matrix"),
                                ("postern cert s", "self-signed"), ("postern cert request --c", "--csr"),
                                ("postern status --r", "--ready")):
            script = (f"source {SOURCE}/deploy/completions/postern; COMP_WORDS=({words}); "
                      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _postern; echo ${COMPREPLY[@]}")
            with self.subTest(words=words):
                self.assertEqual(run("bash", "-c", script).stdout.split(), [expected])


if __name__ == "__main__":
    main()
