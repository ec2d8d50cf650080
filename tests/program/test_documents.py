"""What the documents say is true: whole configurations in them pass `postern check`, mistakes are named as they are
shown, other programs take what is said to be theirs, and links lead somewhere."""

import glob
import os
import re
import shutil
import subprocess

from harness import Case, Process, free_port, main

SOURCE = os.environ["POSTERN_SOURCE"]
_FILE = re.compile(r"\b(chain|key|client_ca|ca|session_ticket_keys): *\"?([\w./-]+)")


def documents():
    return sorted(glob.glob(f"{SOURCE}/docs/*.md")) + [f"{SOURCE}/README.md"]


def blocks(document, language):
    """(line, text) of every fenced block in that language."""
    with open(document) as file:
        text = file.read()
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
        yield text[:found.start()].count("\n") + 2, found.group(1)


def is_whole(block):
    return re.search(r"^tls:", block, re.M) and re.search(r"^listeners:", block, re.M)


class Documents(Case):
    def put_files(self, config):
        """Puts what a configuration names into the test's folder; returns it with the names changed accordingly."""
        def put(found):
            key, name = found.groups()
            path = self.path(name.lstrip("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if key == "session_ticket_keys":
                with open(path, "wb") as file:
                    file.write(os.urandom(96))
            else:
                shutil.copy(self.certificate.key if key == "key" else self.certificate.chain, path)
            return found.group(0).replace(name, path if name.startswith("/") else name)
        return _FILE.sub(put, config)

    def check(self, config):
        with open(self.path("postern.yaml"), "w") as file:
            file.write(self.put_files(config))
        return subprocess.run([os.environ["POSTERN"], "check", "-c", "postern.yaml"], cwd=self.folder, text=True,
                              capture_output=True)

    def test_tests_that_threats_are_shown_by(self):
        """In docs/threats.md a test without a folder is in that of the one before it; transcripts have their own."""
        with open(f"{SOURCE}/docs/threats.md") as file:
            rows = [line.split("|")[3] for line in file if line.count("|") == 4 and not line.startswith("| ---")]
        for shown in rows[1:]:
            folder = ""
            for name in re.findall(r"`([\w./*-]+)`", shown):
                if name.startswith("tests/"):
                    folder = os.path.dirname(name)
                    pattern = name
                elif name.endswith(".py"):
                    pattern = f"{folder}/{name}"
                else:
                    pattern = f"tests/transcripts/{name if '/' in name else '*/' + name}.txt"
                with self.subTest(name=name):
                    self.assertTrue(glob.glob(f"{SOURCE}/{pattern}"), pattern)

    def test_whole_configurations(self):
        checked = 0
        for document in documents():
            for line, block in blocks(document, "yaml"):
                if not is_whole(block) or "startls" in block:
                    continue
                checked += 1
                with self.subTest(document=os.path.basename(document), line=line):
                    done = self.check(block)
                    self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(checked, 5)

    def test_examples(self):
        for example in sorted(glob.glob(f"{SOURCE}/conf/examples/*.yaml")):
            with self.subTest(example=os.path.basename(example)):
                with open(example) as file:
                    done = self.check(re.sub(r", ocsp: [^ }]+", "", file.read()))
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_mistakes_are_named_as_shown(self):
        document = f"{SOURCE}/docs/configuration.md"
        (_, wrong), = [found for found in blocks(document, "yaml") if "startls" in found[1]]
        shown, = [text for _, text in blocks(document, "") if text.startswith("postern.yaml:")]
        done = self.check(wrong)
        self.assertEqual((done.returncode, done.stderr), (1, shown))

    def test_links(self):
        for document in documents():
            with open(document) as file:
                text = file.read()
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                with self.subTest(document=os.path.basename(document), target=target):
                    self.assertTrue(os.path.exists(os.path.join(os.path.dirname(document), target)))


class ComingFrom(Case):
    """The other programs' files of docs/coming-from.md, judged by those programs where they are installed. Servers
    that would have to be reached, ports and folders that would need root are no part of it."""

    def theirs(self, language, program):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            self.skipTest(f"no {program}")
        (_, text), = blocks(f"{SOURCE}/docs/coming-from.md", language)
        shutil.copy(self.certificate.chain, self.path("fullchain.pem"))
        shutil.copy(self.certificate.key, self.path("privkey.pem"))
        with open(self.path("both.pem"), "w") as both:
            for name in ("fullchain.pem", "privkey.pem"):
                with open(self.path(name)) as part:
                    both.write(part.read())
        return text.replace("/etc/postern", self.folder)

    def judge(self, text, *command):
        with open(self.path("conf"), "w") as file:
            file.write(text)
        path = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env={**os.environ, "PATH": path})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_nginx(self):
        text = self.theirs("nginx", "nginx")
        module = "/usr/lib/nginx/modules/ngx_mail_module.so"
        if not os.path.exists(module):
            self.skipTest("nginx without its mail module")
        text = re.sub(r"listen (\d+)", lambda found: f"listen 127.0.0.1:{30000 + int(found.group(1))}", text)
        head = f"load_module {module}; pid {self.path('pid')}; error_log {self.path('errors')}; events {{ }}\n"
        self.judge(head + text, "nginx", "-t", "-c", self.path("conf"), "-e", self.path("errors"))

    def test_stunnel(self):
        text = self.theirs("ini", "stunnel4")  # which has no mode that only looks
        text = re.sub(r"accept = \d+", lambda _: f"accept = 127.0.0.1:{free_port()}", text)
        with open(self.path("conf"), "w") as file:
            file.write("foreground = yes\npid =\n" + text)
        self.own(Process(["stunnel4", self.path("conf")])).wait_line("Configuration successful")

    def test_haproxy(self):
        self.judge(self.theirs("haproxy", "haproxy"), "haproxy", "-c", "-f", self.path("conf"))

    def test_dovecot(self):
        self.judge(self.theirs("dovecot", "doveconf"), "doveconf", "-n", "-c", self.path("conf"))


if __name__ == "__main__":
    main()
