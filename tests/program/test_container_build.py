"""The image as its Containerfile makes it: both stages by buildah, on a Debian made by debootstrap, since no registry
need be reached; then its program in that root, as the user of the image, with nothing to write to. It takes long: the
packages, BoringSSL and Postern are fetched and built in there from nothing."""
# label: slow
# timeout: 3000

import json
import os
import shutil
import subprocess
import unittest

from harness import Case, Process, debian, free_port, main, wait_until

SOURCE = os.environ["POSTERN_SOURCE"]
MOST = 60 * 1000 * 1000  # bytes of the second stage


@unittest.skipUnless(os.geteuid() == 0, "only root can change its root")
@unittest.skipUnless(debian.DEBOOTSTRAP, "no debootstrap")
@unittest.skipUnless(shutil.which("buildah"), "no buildah")
class Built(Case):
    def buildah(self, *arguments):
        """With a storage of its own, which goes with the test."""
        done = subprocess.run(["buildah", "--storage-driver=vfs", f"--root={self.path('storage')}",
                               f"--runroot={self.path('run')}", *arguments],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout.strip()

    def build(self):
        """The image "postern"; returns its configuration."""
        debian.make(self.path("debian"))
        base = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", base, self.path("debian"), "/")
        self.buildah("commit", "--quiet", "--rm", base, "postern-base")
        shutil.rmtree(self.path("debian"))
        self.buildah("build", "--isolation=chroot", "--format=docker", "--pull-never", "--build-arg",
                     "BASE=localhost/postern-base", "-f", f"{SOURCE}/deploy/container/Containerfile", "-t", "postern", SOURCE)
        return json.loads(self.buildah("inspect", "--type=image", "postern"))["Docker"]["config"]

    def mounted(self):
        container = self.buildah("from", "--pull-never", "localhost/postern")
        return self.buildah("mount", container)

    def inside(self, state, *command):
        """The command line that runs a program of the image as compose.yaml has it: the root and /etc/postern are
        read-only, `state` ("ro", "rw") says what /var/lib/postern is; a user without powers."""
        script = ('set -e; mount --bind "$1" "$1"; mount --bind "$2" "$1/etc/postern"; '
                  'mount --bind "$3" "$1/var/lib/postern"; mount -o "remount,bind,$4" "$1/var/lib/postern"; '
                  'mount -o remount,bind,ro "$1/etc/postern"; mount -o remount,bind,ro "$1"; cd "$1"; user=$5; root=$1; '
                  'shift 5; exec chroot --userspec="$user" "$root" "$@"')
        return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", self.root, self.path("etc"),
                self.path("state"), state, self.user, *command]

    def run_inside(self, state, *command):
        return subprocess.run(self.inside(state, *command), capture_output=True, text=True, env={}, timeout=60)

    def configure(self):
        """What compose.yaml mounts: a configuration, here for servers and ports of the loopback, and a certificate."""
        for name in ("etc", "state"):
            os.mkdir(self.path(name))
        os.chown(self.path("state"), *map(int, self.user.split(":")))
        backend = self.legacy()
        text = {"admin": {"address": f"127.0.0.1:{free_port()}"}, "drain_timeout": "1s",
                "tls": {"certificates": [{"chain": "/var/lib/postern/fullchain.pem", "key": "/var/lib/postern/privkey.pem"}]},
                "listeners": [{"protocol": "imap", "address": f"127.0.0.1:{free_port()}", "tls": "implicit", "backend": "b"}],
                "backends": {"b": {"servers": [backend.address["imap"]],
                                   "health": {"interval": "200ms", "rise": 1, "fall": 1}}}}
        with open(self.path("etc/postern.yaml"), "w") as file:
            json.dump(text, file)
        return backend, int(text["listeners"][0]["address"].rsplit(":", 1)[1])

    def test_image(self):
        config = self.build()
        self.user, self.root = config["User"], self.mounted()
        self.assertRegex(self.user, r"^[1-9]\d*:[1-9]\d*$")
        self.size_and_content()
        program = [*config["Entrypoint"], *config["Cmd"]]
        self.assertEqual(config["Healthcheck"]["Test"][0], "CMD")
        health = config["Healthcheck"]["Test"][1:]
        backend, port = self.configure()
        made = self.run_inside("rw", *config["Entrypoint"], "cert", "self-signed", "--name", "localhost", "--key",
                               "/var/lib/postern/privkey.pem", "--chain", "/var/lib/postern/fullchain.pem")
        self.assertEqual(made.returncode, 0, made.stderr)
        refused = self.run_inside("ro", *config["Entrypoint"], "cert", "self-signed", "--name", "localhost", "--key",
                                  "/etc/new.pem", "--chain", "/etc/new-chain.pem")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Read-only file system", refused.stderr)
        self.assertEqual(self.run_inside("ro", *health).returncode, 1)
        running = self.own(Process(self.inside("ro", *program), env={}))
        wait_until(lambda: self.run_inside("ro", *health).returncode == 0, 20, f"healthy; {running.output}")
        with self.client(port, tls=True) as client:
            client.line()
            self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
        with open(f"/proc/{running.pid}/status") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        self.assertEqual(status["Uid"].split(), [self.user.split(":")[0]] * 4)
        self.assertEqual(int(status["CapEff"], 16), 0)
        backend.stop()
        wait_until(lambda: self.run_inside("ro", *health).returncode == 1, 20, "unhealthy")
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(running.stop(), 0)

    def size_and_content(self):
        sizes = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                sizes[os.path.relpath(path, self.root)] = os.lstat(path).st_size
        self.assertLess(sum(sizes.values()), MOST, sizes)
        # No shell and no package: the program, libraries, and a few files in /etc.
        for name in sizes:
            self.assertRegex(name, r"^(usr/bin/postern$|(usr/)?lib(64)?/.*\.so[.\d]*$|etc/)")
        self.assertIn("etc/ssl/certs/ca-certificates.crt", sizes)


if __name__ == "__main__":
    main()
