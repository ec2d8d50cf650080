"""The Debian package in a clean tree made by debootstrap: installed, started as the unit would, replaced by a newer one
while clients log in, removed, purged. It takes the package that `./dev package` has left in build-package/."""
# label: slow
# timeout: 1500

import glob
import os
import re
import shutil
import subprocess
import threading
import time
import unittest

from harness import Case, LineClient, Manager, Process, debian, free_port, main, wait_until

PACKAGES = sorted(glob.glob(f"{os.environ['POSTERN_SOURCE']}/build-package/postern_*.deb"))
POWER = "-all,+net_bind_service"  # AmbientCapabilities= of the unit


@unittest.skipUnless(PACKAGES, "no package: ./dev package")
@unittest.skipUnless(os.geteuid() == 0 and debian.DEBOOTSTRAP, "needs root and debootstrap")
class Install(Case):
    def sh(self, command):
        done = subprocess.run(["chroot", self.root, "sh", "-ec", command], capture_output=True, text=True,
                              env={"PATH": debian.PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def make_tree(self):
        """A minimal Debian, from the mirror that this machine uses, or a copy of what POSTERN_DEBIAN_ROOT names."""
        self.root = self.path("root")
        ready = os.environ.get("POSTERN_DEBIAN_ROOT")
        if ready:
            subprocess.run(["cp", "-a", ready, self.root], check=True)
            return
        debian.make(self.root, "adduser")

    def newer(self, package):
        folder = self.path("newer")
        subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
        control = f"{folder}/DEBIAN/control"
        with open(control) as file:
            text = re.sub(r"^Version: .*", r"\g<0>.1", file.read(), flags=re.M)
        with open(control, "w") as file:
            file.write(text)
        subprocess.run(["dpkg-deb", "-Zgzip", "--root-owner-group", "-b", folder, f"{self.root}/tmp/newer.deb"], check=True,
                       capture_output=True)

    def change_configuration(self):
        """Free ports of the loopback, a backend that is there; returns the port of IMAP inside TLS."""
        backend, path = self.legacy(), f"{self.root}/etc/postern/postern.yaml"
        with open(path) as file:
            text = file.read()
        port = free_port()
        text = text.replace('":993"', f'"127.0.0.1:{port}"').replace("127.0.0.1:9190", f"127.0.0.1:{free_port()}")
        for name in ("995", "587"):
            text = text.replace(f'":{name}"', f'"127.0.0.1:{free_port()}"')
        for name, protocol in (("143", "imap"), ("110", "pop3"), ("25", "smtp")):
            text = text.replace(f'"127.0.0.1:{name}"', f'"{backend.address[protocol]}"')
        text = text.replace("drain_timeout: 10s", "drain_timeout: 3s")
        with open(path, "w") as file:
            file.write(text)
        self.text = text
        return port

    def start(self):
        with self.manager.handing_over() as (launcher, environment, fds):
            return self.own(Process(
                [*launcher, "chroot", self.root, "setpriv", "--reuid=postern", "--regid=postern", "--clear-groups",
                 "--no-new-privs", f"--inh-caps={POWER}", f"--ambient-caps={POWER}", f"--bounding-set={POWER}",
                 "/usr/bin/postern", "run", "-c", "/etc/postern/postern.yaml"],
                env={**environment, "PATH": debian.PATH}, pass_fds=fds))

    def log_in(self, port):
        with LineClient(port, tls=True, timeout=60) as client:
            self.assertRegex(client.line(), rb"^\* OK")
            self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
            client.imap(b"z LOGOUT")

    def test_life_of_a_package(self):
        self.make_tree()
        shutil.copy("/etc/resolv.conf", f"{self.root}/etc/")
        shutil.copy(PACKAGES[-1], f"{self.root}/tmp/postern.deb")
        self.sh("apt-get -q update && apt-get -q install -y --no-install-recommends /tmp/postern.deb")
        self.sh("postern check -c /etc/postern/postern.yaml")
        port = self.change_configuration()
        self.manager = Manager(f"@postern-package-{os.getpid()}")
        self.addCleanup(self.manager.close)
        program = self.start()
        self.manager.wait("READY")
        self.log_in(port)
        self.upgrade(program, port)
        self.sh("dpkg -r postern && test -e /etc/postern/postern.yaml && dpkg -P postern")
        left = self.sh("find / -xdev -name '*postern*' -not -path '/tmp/*' -not -path '/proc/*'; getent passwd postern || true")
        self.assertEqual(left, "")

    def upgrade(self, program, port):
        self.newer(PACKAGES[-1])
        served, failures, ending = [], [], threading.Event()

        def load():
            while not ending.is_set():
                try:
                    self.log_in(port)
                    served.append(time.monotonic())
                except (OSError, AssertionError) as error:
                    failures.append(repr(error))
                time.sleep(0.02)
        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        self.sh("dpkg -i /tmp/newer.deb")
        program.stop()
        program = self.start()
        self.manager.wait("READY", 2)
        restarted = time.monotonic()
        wait_until(lambda: served and served[-1] > restarted, 30, "log-ins with the newer one")
        ending.set()
        for client in clients:
            client.join(60)
        self.assertEqual(failures, [])
        with open(f"{self.root}/etc/postern/postern.yaml") as file:
            self.assertEqual(file.read(), self.text)
        self.assertEqual(program.stop(), 0)


if __name__ == "__main__":
    main()
