"""The image's root, made as its Containerfile makes it, and the program run in it as the image's user; the servers of
compose.yaml as far as they can be judged without a container."""

import os
import re
import shutil
import subprocess
import unittest

from harness import Case, Process, free_port, main, wait_until

try:
    import yaml
except ImportError:
    yaml = None

SOURCE = os.environ["POSTERN_SOURCE"]
CONTAINER = f"{SOURCE}/deploy/container"
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
MOST = 60 * 1000 * 1000  # bytes of the image


def read(name):
    with open(os.path.join(CONTAINER, name)) as file:
        return file.read()


@unittest.skipIf(os.environ.get("POSTERN_SANITIZE"), "the image has no sanitizers")
@unittest.skipUnless(os.geteuid() == 0 and CHROOT, "only root can change its root")
class Image(Case):
    def setUp(self):
        super().setUp()
        self.root = self.path("root")
        done = subprocess.run([f"{CONTAINER}/collect.sh", os.environ["POSTERN"], self.root], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def inside(self, *arguments):
        return [CHROOT, "--userspec=65532:65532", self.root, "/usr/bin/postern", *arguments]

    def run_inside(self, *arguments):
        return subprocess.run(self.inside(*arguments), capture_output=True, text=True, env={})

    def test_size_and_content(self):
        sizes = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                sizes[os.path.relpath(path, self.root)] = os.lstat(path).st_size
        self.assertLess(sum(sizes.values()), MOST)
        programs = [name for name in sizes if "/bin/" in "/" + name]
        self.assertEqual(programs, ["usr/bin/postern"])

    def test_it_serves_and_answers_its_health_check(self):
        made = self.run_inside("cert", "self-signed", "--name", "localhost", "--key", "/var/lib/postern/privkey.pem",
                               "--chain", "/var/lib/postern/fullchain.pem")
        self.assertEqual(made.returncode, 0, made.stderr)
        backends = self.legacy()
        text = re.sub(r'(?<=address: )":\d+"', lambda _: f'"127.0.0.1:{free_port()}"', read("postern.yaml"))
        for name, protocol in (("dovecot:143", "imap"), ("dovecot:110", "pop3"), ("postfix:25", "smtp")):
            text = text.replace(name, backends.address[protocol])
        text = re.sub(r", (proxy_protocol: v2|forward_client: xclient)", "", text)
        with open(f"{self.root}/etc/postern/postern.yaml", "w") as file:
            file.write(text)
        self.assertNotIn('":', re.sub(r"#.*", "", text))
        check, = re.findall(r"^  CMD \[(.*)\]$", read("Containerfile"), re.M)
        check = [word.strip(' "') for word in check.split(",")]
        self.assertEqual(self.run_inside(*check[1:]).returncode, 1)
        program = self.own(Process(self.inside("run", "-c", "/etc/postern/postern.yaml")))
        wait_until(lambda: self.run_inside(*check[1:]).returncode == 0, 20, f"healthy; {program.output}")
        self.assertEqual(program.stop(), 0)


class Compose(Case):
    def test_configuration(self):
        text = read("postern.yaml").replace("/var/lib/postern", self.folder)
        shutil.copy(self.certificate.chain, self.path("fullchain.pem"))
        shutil.copy(self.certificate.key, self.path("privkey.pem"))
        with open(self.path("postern.yaml"), "w") as file:
            file.write(text)
        done = subprocess.run([os.environ["POSTERN"], "check", "-c", self.path("postern.yaml")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        published = set(re.findall(r":(\d+)\"", re.search(r"ports: \[.*\]", read("compose.yaml")).group(0)))
        self.assertEqual(published, set(re.findall(r'":(\d+)"', text)))
        self.assertEqual(set(re.search(r"EXPOSE (.*)", read("Containerfile")).group(1).split()), published)

    @unittest.skipUnless(yaml, "no python3-yaml")
    def test_what_it_names_is_there(self):
        compose = yaml.safe_load(read("compose.yaml"))
        services = compose["services"]
        for name, service in services.items():
            with self.subTest(service=name):
                self.assertLessEqual(set(service.get("depends_on", [])), set(services))
                self.assertLessEqual(set(service.get("networks", [])), set(compose["networks"]))
                if "build" in service:
                    self.builds(service["build"])
                for volume in service.get("volumes", []):
                    source = volume.split(":")[0]
                    self.assertTrue(os.path.isfile(f"{CONTAINER}/{source}") if "/" in source else
                                    source in compose["volumes"], volume)
        # The images of one name are one image, and the servers that the configuration names are services.
        self.assertEqual(services["postern"]["image"], services["certificate"]["image"])
        for backend in yaml.safe_load(read("postern.yaml"))["backends"].values():
            for server in backend["servers"]:
                self.assertIn(server.split(":")[0], services)
                self.assertEqual(services[server.split(":")[0]]["networks"], ["back"])
        host, = re.findall(r"virtual_transport = lmtp:inet:(\w+):24", read("postfix/main.cf"))
        self.assertIn(host, services)

    def builds(self, build):
        context = os.path.normpath(f"{CONTAINER}/{build['context']}")
        path = os.path.join(context, build["dockerfile"])
        with open(path) as file:
            for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", file.read(), re.M):
                for name in copied.split():
                    self.assertTrue(os.path.exists(os.path.join(context, name)), f"{path}: {name}")

    def test_dovecot(self):
        if not shutil.which("doveconf"):
            self.skipTest("no doveconf")
        done = subprocess.run(["doveconf", "-n", "-c", f"{CONTAINER}/dovecot/dovecot.conf"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_postfix(self):
        program = shutil.which("postconf", path="/usr/sbin:/usr/bin")
        if not program:
            self.skipTest("no postconf")
        shutil.copy(f"{CONTAINER}/postfix/main.cf", self.folder)
        with open(self.path("master.cf"), "w"):
            pass
        done = subprocess.run([program, "-c", self.folder, "-n"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()
