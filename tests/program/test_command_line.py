"""The command line: what it prints, and its exit status."""

import os
import socket
import stat
import subprocess

from harness import Case, free_port, main
from harness.postern import program


class CommandLine(Case):
    def postern_says(self, *arguments):
        done = subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, cwd=self.folder)
        return done.returncode, done.stdout, done.stderr

    def file(self, text, name="postern.yaml"):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def good(self, port=None):
        return f"""\
tls:
  certificates:
    - {{ chain: {self.certificate.chain}, key: {self.certificate.key} }}
admin: {{ address: "" }}
listeners:
  - {{ protocol: imap, address: "127.0.0.1:{port or free_port()}", tls: implicit, backend: "127.0.0.1:1143" }}
"""

    def test_version(self):
        status, out, _ = self.postern_says("version")
        self.assertEqual(status, 0)
        for word in ("postern 0.", "BoringSSL", "libuv"):
            self.assertIn(word, out)

    def test_help_reads(self):
        status, out, _ = self.postern_says("--help")
        self.assertEqual(status, 0)
        for word in ("run", "check", "cert", "status", "version"):
            self.assertIn(word, out)
        for command in ("run", "check", "cert", "status"):
            self.assertEqual(self.postern_says(command, "--help")[0], 0)

    def test_a_wrong_command_line_is_2(self):
        for arguments in ([], ["fly"], ["run"], ["check"], ["run", "--colour"], ["cert"], ["cert", "self-signed"],
                          ["cert", "self-signed", "--name", "x"], ["check", "-c"], ["version", "extra"],
                          ["status", "-c", "x", "--admin", "y"]):
            with self.subTest(arguments=arguments):
                status, out, err = self.postern_says(*arguments)
                self.assertEqual(status, 2, err)
                self.assertTrue(err)

    def test_check_takes_a_good_file(self):
        path = self.file(self.good())
        status, _, err = self.postern_says("check", "-c", path)
        self.assertEqual((status, err), (0, ""))

    def test_the_configuration_in_front_of_the_command(self):
        admin = free_port()
        path = self.file(self.good().replace('admin: { address: "" }', f'admin: {{ address: "127.0.0.1:{admin}" }}'))
        self.assertEqual(self.postern_says("-c", path, "check")[0], 0)
        status, _, err = self.postern_says("-c", path, "status")
        self.assertEqual(status, 1)
        self.assertIn(f"127.0.0.1:{admin}", err)
        for command in ("run", "check"):
            self.assertEqual(self.postern_says(command)[0], 2)

    def test_check_opens_nothing(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            path = self.file(self.good(taken.getsockname()[1]))
            self.assertEqual(self.postern_says("check", "-c", path)[0], 0)

    def test_check_shows_the_matrix(self):
        path = self.file(self.good())
        status, out, _ = self.postern_says("check", "-c", path, "--matrix")
        self.assertEqual(status, 0)
        self.assertIn("BASIC", out)

    def test_every_mistake_in_one_run(self):
        path = self.file(f"""\
workers: many
tls:
  certificates:
    - {{ chain: {self.certificate.chain}, key: /nowhere/key.pem }}
  alpn: strickt
listeners:
  - {{ protocol: imap, address: "127.0.0.1:1993", tls: startls, backend: "127.0.0.1:143" }}
  - {{ protocol: smtp, address: "127.0.0.1:1587", tls: implicit, backend: nobody, colour: red }}
""")
        status, _, err = self.postern_says("check", "-c", path)
        self.assertEqual(status, 1)
        lines = err.splitlines()
        self.assertRegex(err, r'postern\.yaml:7:\d+: listeners\[0\]\.tls: unknown mode "startls".*'
                              r'did you mean "starttls"\?')
        for place in (":1:10: ", ":4:", ":5:9: ", ":7:", ":8:"):
            self.assertTrue([line for line in lines if place in line], f"{place} in {err}")
        self.assertEqual(self.postern_says("run", "-c", path)[0], 1)

    def test_a_mistake_is_told_once(self):
        listener = '{ protocol: imap, address: ":1993", tls: implicit, backend: "127.0.0.1:143" }'
        for tls, wanted in (("certificates: [ c.pem ]", r"tls\.certificates\[0\]: must be a mapping"),
                            (f"certificates: [ {{ chain: {self.certificate.chain}, key: {self.certificate.key} }} ], "
                             "groups: [ CECPQ2 ]", r"tls\.groups\[0\]: CECPQ2"),
                            (f"certificates: [ {{ chain: {self.certificate.key}, key: {self.certificate.key} }} ]",
                             r"tls\.certificates\[0\]\.chain: .* holds a key")):
            status, _, err = self.postern_says("check", "-c", self.file(f"tls: {{ {tls} }}\nlisteners: [ {listener} ]\n"))
            self.assertEqual(status, 1)
            self.assertRegex(err, r"^\S*postern\.yaml:1:\d+: " + wanted)
            self.assertEqual(len(err.splitlines()), 1, err)

    def test_a_broken_certificate_behind_the_first(self):
        chain = self.path("chain.pem")
        with open(self.certificate.chain) as good, open(chain, "w") as file:
            own = good.read()
            file.write(own + "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n" + own)
        for tls in (f"certificates: [ {{ chain: {chain}, key: {self.certificate.key} }} ]",
                    f"certificates: [ {{ chain: {self.certificate.chain}, key: {self.certificate.key} }} ], "
                    f"client_ca: {chain}"):
            status, _, err = self.postern_says("check", "-c", self.file(
                f"tls: {{ {tls} }}\n"
                'listeners: [ { protocol: imap, address: ":1993", tls: implicit, backend: "127.0.0.1:143" } ]\n'))
            self.assertEqual(status, 1)
            self.assertIn("a broken one", err)

    def test_run_says_why_it_cannot(self):
        self.assertEqual(self.postern_says("run", "-c", self.path("missing.yaml"))[0], 1)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            status, _, err = self.postern_says("run", "-c", self.file(self.good(port)))
            self.assertEqual(status, 1)
            self.assertIn("in use", err)

    def test_a_self_signed_certificate(self):
        for options, words in (([], "id-ecPublicKey"), (["--rsa"], "rsaEncryption")):
            with self.subTest(options=options):
                key, chain = self.path(f"k{words}"), self.path(f"c{words}")
                status, _, err = self.postern_says("cert", "self-signed", "--name", "mail.example.test,localhost,127.0.0.1",
                                                   "--key", key, "--chain", chain, *options)
                self.assertEqual(status, 0, err)
                self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
                text = subprocess.run(["openssl", "x509", "-in", chain, "-noout", "-text"], capture_output=True,
                                      text=True, check=True).stdout
                self.assertIn(words, text)
                self.assertIn("DNS:mail.example.test", text)
                status, _, err = self.postern_says("cert", "self-signed", "--name", "x", "--key", key, "--chain", chain,
                                                   *options)
                self.assertEqual(status, 1, "an existing key is not overwritten")
                self.assertEqual(self.postern_says("cert", "self-signed", "--name", "x", "--key", key, "--chain", chain,
                                                   "--force", *options)[0], 0)

    def test_a_signing_request(self):
        status, _, err = self.postern_says("cert", "request", "--name", "mail.example.test", "--key", self.path("k"),
                                           "--csr", self.path("r"))
        self.assertEqual(status, 0, err)
        text = subprocess.run(["openssl", "req", "-in", self.path("r"), "-noout", "-text", "-verify"],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn("DNS:mail.example.test", text)


if __name__ == "__main__":
    main()
