"""Log-ins rewritten, on real servers: every form that a client can use, spoken to Dovecot (IMAP, POP3) and to Postfix
with Cyrus SASL (SMTP) in every mechanism. What goes over the back connection is recorded by a relay in between."""

import base64
import shutil
import socket
import subprocess
import threading
import unittest

from harness import LineClient, Workshop, main

PASSWORDS = {
    "fred": "secret",
    "blank": " two  words ",
    "quote": "\"quo\\ted\"",
    "literal": "{5}",
    "percent": "100%n%s%",
    "umlaut": "gr\u00fc\u00dfe",
    "chinese": "\u5bc6\u7801",
    "long": "0123456789abcde" * 17,
}
OPEN = ("same", "BASIC", "PLAIN", "LOGIN")
PROVING = {
    "imap": ("CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "auto"),
    "pop3": ("APOP", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "auto"),
    "smtp": ("CRAM-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256", "auto"),
}
ACCEPTED = {"imap": b"x OK", "pop3": b"+OK", "smtp": b"235"}
REFUSED = {"imap": b"x NO", "pop3": b"-ERR", "smtp": b"535"}


def encoded(text):
    return base64.b64encode(text.encode())


def plain(user, password):
    return encoded(f"\0{user}\0{password}")


def relay_to(port):
    """A script for a scripted backend: all to that port and back."""

    def script(connection):
        with socket.create_connection(("127.0.0.1", port)) as server:
            def back():
                try:
                    while data := server.recv(65536):
                        connection.send(data)
                except OSError:
                    pass
                connection.close()
            threading.Thread(target=back, daemon=True).start()
            sent = 0
            while True:
                connection._read()
                server.sendall(connection.received[sent:])
                sent = len(connection.received)

    return script


class Client(LineClient):
    """Past the greeting, and in smtp past EHLO. `log_in` gives the last line of the answer."""

    def __init__(self, protocol, port):
        super().__init__(port, tls=True)
        self.protocol = protocol
        self.line()
        if protocol == "smtp":
            self.smtp(b"EHLO test")

    def log_in(self, form, user, password):
        return getattr(self, f"_{self.protocol}_{form}")(user, password)

    def _answer(self):
        while True:
            line = self.line()
            if not line or line.startswith((b"x ", b"+", b"-ERR")) or line[3:4] == b" ":
                return line

    def _say(self, *lines):
        """One after the other, each but the first in answer to a prompt."""
        for number, line in enumerate(lines):
            self.send(line + b"\r\n")
            answer = self._answer()
            if number + 1 < len(lines) and answer[:2] != b"+ " and answer[:3] != b"334":
                return answer
        return answer

    def _imap_basic(self, user, password):
        raw = password.encode()
        self.send(b"x LOGIN %s {%d+}\r\n%s\r\n" % (user.encode(), len(raw), raw))
        return self._answer()

    def _imap_plain(self, user, password):
        return self._say(b"x AUTHENTICATE PLAIN", plain(user, password))

    def _imap_plain_at_once(self, user, password):
        return self._say(b"x AUTHENTICATE PLAIN " + plain(user, password))

    def _imap_login(self, user, password):
        return self._say(b"x AUTHENTICATE LOGIN", encoded(user), encoded(password))

    def _pop3_basic(self, user, password):
        self._say(b"USER " + user.encode())
        return self._say(b"PASS " + password.encode())

    def _pop3_plain(self, user, password):
        return self._say(b"AUTH PLAIN", plain(user, password))

    def _pop3_plain_at_once(self, user, password):
        return self._say(b"AUTH PLAIN " + plain(user, password))

    def _pop3_login(self, user, password):
        return self._say(b"AUTH LOGIN", encoded(user), encoded(password))

    _smtp_plain, _smtp_plain_at_once, _smtp_login = _pop3_plain, _pop3_plain_at_once, _pop3_login

    def _smtp_login_at_once(self, user, password):
        return self._say(b"AUTH LOGIN " + encoded(user), encoded(password))


FORMS = {
    "imap": ("basic", "plain", "plain_at_once", "login"),
    "pop3": ("basic", "plain", "plain_at_once", "login"),
    "smtp": ("plain", "plain_at_once", "login", "login_at_once"),
}


class Rewritten:
    """The tests, for the protocols of a class; `ports` are the servers', `proving` the mechanisms that show no password."""

    protocols = ()
    proving = PROVING

    @classmethod
    def serve(cls, ports):
        cls.relays = {protocol: cls.workshop.scripted(relay_to(ports[protocol])) for protocol in cls.protocols}
        listeners = []
        for protocol in cls.protocols:
            for to in OPEN + cls.proving[protocol]:
                listeners.append({"protocol": protocol, "name": f"{protocol}-{to}", "tls": "implicit",
                                  "backend": cls.relays[protocol].address, "auth": {"to_backend": to}})
        cls.postern = cls.workshop.postern(listeners, limits={"auth_failures_per_ip": 0})

    def setUp(self):
        self.addCleanup(self.postern.wait_quiet)

    def log_in(self, protocol, to, form, user, password):
        with Client(protocol, self.postern.port(f"{protocol}-{to}")) as client:
            return client.log_in(form, user, password)

    def every_way(self):
        for protocol in self.protocols:
            for to in OPEN + self.proving[protocol]:
                yield protocol, to

    def test_every_form_in_every_mechanism(self):
        for protocol, to in self.every_way():
            for form in FORMS[protocol]:
                with self.subTest(protocol=protocol, to=to, form=form):
                    answer = self.log_in(protocol, to, form, "fred", "secret")
                    self.assertTrue(answer.startswith(ACCEPTED[protocol]), answer)

    def test_a_wrong_password_gets_the_servers_own_answer(self):
        for protocol, to in self.every_way():
            form = FORMS[protocol][0]
            with self.subTest(protocol=protocol, to=to):
                with Client(protocol, self.postern.port(f"{protocol}-{to}")) as client:
                    for password in ("Secret", "secret "):
                        answer = client.log_in(form, "fred", password)
                        self.assertTrue(answer.startswith(REFUSED[protocol]), answer)
                    answer = client.log_in(form, "fred", "secret")
                    self.assertTrue(answer.startswith(ACCEPTED[protocol]), answer)

    def test_odd_passwords(self):
        for number, (protocol, to) in enumerate(self.every_way()):
            for more, (user, password) in enumerate(PASSWORDS.items()):
                form = FORMS[protocol][(number + more) % len(FORMS[protocol])]
                with self.subTest(protocol=protocol, to=to, form=form, user=user):
                    answer = self.log_in(protocol, to, form, user, password)
                    self.assertTrue(answer.startswith(ACCEPTED[protocol]), answer)

    def test_no_password_on_the_back_connection(self):
        for protocol in self.protocols:
            relay = self.relays[protocol]
            for to in self.proving[protocol]:
                for user, password in PASSWORDS.items():
                    before = len(relay.received)
                    self.log_in(protocol, to, FORMS[protocol][0], user, password)
                    sent = relay.received[before:]
                    with self.subTest(protocol=protocol, to=to, user=user):
                        self.assertTrue(sent)
                        for form in (password.encode(), encoded(password), plain(user, password)):
                            self.assertNotIn(form.rstrip(b"="), sent)


class ToDovecot(Rewritten, unittest.TestCase):
    protocols = ("imap", "pop3")

    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        cls.dovecot = cls.workshop.dovecot(PASSWORDS, "plain login cram-md5 apop scram-sha-1 scram-sha-256")
        cls.serve(cls.dovecot.ports)


class ToCyrusSasl(Rewritten, unittest.TestCase):
    protocols = ("smtp",)

    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        database = cls.workshop.path("sasldb2")
        for user, password in PASSWORDS.items():
            subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", "postfix.test", user],
                           input=password.encode(), check=True)
        shutil.chown(database, "postfix")
        postfix = cls.workshop.postfix(
            settings={"smtpd_sasl_local_domain": "postfix.test"},
            cyrus_sasl=f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\n"
                       "mech_list: PLAIN LOGIN CRAM-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256\n")
        cls.serve({"smtp": postfix.port})


if __name__ == "__main__":
    main()
