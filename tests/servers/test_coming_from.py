"""The Postern configurations of docs/coming-from.md in front of a real Dovecot and Postfix: each serves a log-in on all
of its ports."""

import base64
import os
import re
import unittest

from harness import LineClient, Postern, Workshop, free_port, main

SOURCE = os.environ["POSTERN_SOURCE"]
PROXIED = """
haproxy_trusted_networks = 127.0.0.0/8
service imap-login {
  inet_listener imap {
    haproxy = yes
  }
}
"""


def configurations():
    """{title of the section: the first yaml block in it}"""
    with open(f"{SOURCE}/docs/coming-from.md") as file:
        sections = re.split(r"^## ", file.read(), flags=re.M)[1:]
    return {section.split("\n", 1)[0]: re.search(r"^```yaml\n(.*?)^```$", section, re.M | re.S).group(1)
            for section in sections}


class ComingFrom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        users = {"fred": "secret"}
        cls.dovecot = cls.workshop.dovecot(users)
        cls.proxied = [cls.workshop.dovecot(users, extra=PROXIED) for _ in range(2)]
        cls.postfix = cls.workshop.postfix(cls.dovecot, settings={"smtpd_authorized_xclient_hosts": "127.0.0.0/8"})

    def serve(self, title):
        """Starts Postern with that section's configuration; returns {port in the document: port here}."""
        config, = [text for name, text in configurations().items() if name.startswith(title)]
        certificate = self.workshop.certificate
        config = config.replace("/etc/postern/fullchain.pem", certificate.chain)
        config = config.replace("/etc/postern/privkey.pem", certificate.key)
        wants_header = "proxy_protocol: v2" in config
        imap = [server.address["imap"] for server in (self.proxied if wants_header else [self.dovecot])]
        for was, now in (("10.0.0.5:143", imap[0]), ("10.0.0.6:143", imap[-1]),
                         ("10.0.0.5:110", self.dovecot.address["pop3"]), ("10.0.0.5:25", self.postfix.address)):
            config = config.replace(was, now)
        ports = {}

        def move(found):
            ports[int(found.group(1))] = free_port()
            return f'"127.0.0.1:{ports[int(found.group(1))]}"'
        config = re.sub(r'(?<=address: )":(\d+)"', move, config)
        admin = f"127.0.0.1:{free_port()}"
        folder = self.workshop.path(re.sub(r"\W", "", title))
        os.mkdir(folder)
        front = Postern(config + f"admin: {{ address: '{admin}' }}\n", folder, wait=False)
        self.addCleanup(front.stop)
        front.admin = admin
        front.wait_listening()
        front.wait_ready()
        return ports

    def logs_in(self, port, here):
        implicit = port in (993, 995)
        with LineClient(here, tls=implicit or None) as client:
            client.line()
            if port in (143, 993):
                if not implicit:
                    self.assertRegex(client.imap(b"s STARTTLS")[-1], rb"^s OK")
                    client.start_tls()
                self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
                self.assertRegex(client.imap(b"b LOGOUT")[-1], rb"^b OK")
            elif port == 995:
                self.assertRegex(client.pop3(b"USER fred"), rb"^\+OK")
                self.assertRegex(client.pop3(b"PASS secret"), rb"^\+OK")
                self.assertRegex(client.pop3(b"QUIT"), rb"^\+OK")
            else:
                client.smtp(b"EHLO client.example")
                self.assertRegex(client.smtp(b"STARTTLS")[0], rb"^220")
                client.start_tls()
                client.smtp(b"EHLO client.example")
                plain = base64.b64encode(b"\0fred\0secret")
                self.assertRegex(client.smtp(b"AUTH PLAIN " + plain)[0], rb"^235")
                self.assertRegex(client.smtp(b"QUIT")[0], rb"^221")

    def all_ports(self, title, expected):
        ports = self.serve(title)
        self.assertEqual(set(ports), expected)
        for port, here in ports.items():
            for _ in range(3):  # each server's turn
                with self.subTest(port=port):
                    self.logs_in(port, here)

    def test_nginx(self):
        self.all_ports("nginx", {993, 143, 995, 587})

    def test_stunnel(self):
        self.all_ports("stunnel", {993, 995, 587})

    def test_haproxy(self):
        self.all_ports("HAProxy", {993})

    def test_dovecot(self):
        self.all_ports("Dovecot", {143, 993, 995})


if __name__ == "__main__":
    main()
