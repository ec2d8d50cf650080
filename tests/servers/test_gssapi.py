"""Kerberos through Postern: curl logs in by GSSAPI to Dovecot (IMAP, POP3) and to Postfix with Dovecot's log-in (SMTP), in
a realm of the test's own. The tickets vouch for client and server; Postern carries them byte for byte, or not at all."""

import base64
import os
import re
import subprocess
import threading
import unittest

from harness import Kdc, LineClient, Workshop, main, message, wait_until

USER = "fred@EXAMPLE.TEST"
SERVICES = {"imap": "imap", "pop3": "pop", "smtp": "smtp"}
PASSED = {"imap": b" OK ", "pop3": b"+OK", "smtp": b"235 "}
FAILED = {"imap": rb"^\w+ NO ", "pop3": rb"^-ERR ", "smtp": rb"^535 "}


class Tap:
    """A relay that writes down both directions of each connection."""

    def __init__(self, workshop, port):
        self.port, self.sent, self.answered = port, [], []
        self.address = workshop.scripted(self._relay).address

    def last(self):
        """Both directions of the last connection that a log-in by GSSAPI was tried on; others are Postern's own checks."""
        return next(both for both in reversed(list(zip(self.sent, self.answered))) if b"GSSAPI" in both[0])

    def _relay(self, connection):
        number = len(self.sent)
        self.sent.append(b"")
        self.answered.append(b"")
        with LineClient(self.port, timeout=60) as server:
            def back():
                try:
                    while data := server.socket.recv(65536):
                        self.answered[number] += data
                        connection.send(data)
                except OSError:
                    pass
                connection.close()
            threading.Thread(target=back, daemon=True).start()
            seen = 0
            while True:
                connection._read()
                server.send(connection.received[seen:])
                self.sent[number] += connection.received[seen:]
                seen = len(connection.received)


class Gssapi(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        cls.kdc = cls.workshop.own(Kdc(cls.workshop.folder))
        server_keys = cls.kdc.keys("server", *(f"{name}/localhost" for name in SERVICES.values()))
        cls.keys = cls.kdc.keys("fred", "fred")
        cls.dovecot = cls.workshop.dovecot({USER: "secret"}, "plain login gssapi", extra=f"""
            import_environment = $import_environment KRB5_CONFIG={cls.kdc.environment["KRB5_CONFIG"]}
            auth_krb5_keytab = {server_keys}
            auth_gssapi_hostname = localhost
            """)
        cls.postfix = cls.workshop.postfix(cls.dovecot)
        ports = {**cls.dovecot.ports, "smtp": cls.postfix.port}
        cls.taps = {protocol: Tap(cls.workshop, ports[protocol]) for protocol in SERVICES}
        listeners = []
        for protocol in SERVICES:
            for mode in ("implicit", "starttls"):
                for name, auth in (("", {}), ("-never", {"mechanisms": {"GSSAPI": "never"}})):
                    listeners.append({"protocol": protocol, "tls": mode, "name": f"{protocol}-{mode}{name}", "auth": auth,
                                      "backend": cls.taps[protocol].address})
        cls.postern = cls.workshop.postern(listeners)

    def setUp(self):
        self.addCleanup(self.postern.wait_quiet)

    def curl(self, listener, *options, keys=None, service=None):
        """The finished curl, which has tried to log in by GSSAPI alone."""
        protocol, mode = listener.split("-")[:2]
        scheme = protocol + ("s" if mode == "implicit" else "")
        return subprocess.run(
            ["curl", "-sS", "-v", "--insecure", "--ssl-reqd", "--max-time", "30", "--user", f"{USER}:",
             "--login-options", "AUTH=GSSAPI", *(["--service-name", service] if service else []), *options,
             f"{scheme}://localhost:{self.postern.port(listener)}"],
            env=self.kdc.client_environment(keys or self.keys), capture_output=True, timeout=60)

    def every_listener(self):
        for protocol in SERVICES:
            for mode in ("implicit", "starttls"):
                yield protocol, f"{protocol}-{mode}"

    def test_logged_in_by_a_ticket(self):
        for protocol, listener in self.every_listener():
            with self.subTest(listener=listener):
                before = self.accepted(listener)
                done = self.curl(listener)
                # 8: curl asks for HELP without a recipient, which Postfix does not know.
                self.assertIn(done.returncode, (0, 8) if protocol == "smtp" else (0,), done.stderr.decode())
                wait_until(lambda: self.accepted(listener) == before + 1, 5, "the log-in to be counted")

    def accepted(self, listener):
        return self.postern.metrics().value("auth_total", listener=listener, mechanism="GSSAPI", channel="tls",
                                            result="accepted")

    def test_with_an_initial_response(self):
        """IMAP and SMTP with the first token in the command (curl does not, as it is long), POP3 too (RFC 5034)."""
        for protocol, listener in self.every_listener():
            if listener.endswith("starttls"):
                continue
            with self.subTest(listener=listener):
                before = self.accepted(listener)
                done = subprocess.run(
                    ["/usr/bin/python3", "-m", "harness.gssapi_client", protocol, str(self.postern.port(listener)),
                     f"{SERVICES[protocol]}@localhost"],
                    env=os.environ | self.kdc.client_environment(self.keys), capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr.decode())
                self.assertIn(PASSED[protocol].strip(), done.stdout)
                self.assertRegex(self.taps[protocol].last()[0], rb"GSSAPI [A-Za-z0-9+/]{500,}")
                wait_until(lambda: self.accepted(listener) == before + 1, 5, "the log-in to be counted")

    def test_byte_for_byte(self):
        """What curl says that it sent and was answered within the exchange is what came to the server, and from it."""
        for protocol, listener in self.every_listener():
            with self.subTest(listener=listener):
                done = self.curl(listener)
                said = done.stderr.decode("latin-1")
                sent, answered = self.taps[protocol].last()
                for mark, passed in (("> ", sent), ("< ", answered)):
                    tokens = [line[2:].split(" ")[-1] for line in said.splitlines() if line.startswith(mark)]
                    tokens = [token.strip().encode() for token in tokens if is_token(token.strip())]
                    self.assertTrue(tokens, said)
                    for token in tokens:
                        self.assertIn(token, passed)
                self.assertIn(PASSED[protocol], answered)

    def test_mail_is_sent(self):
        """To a stranger, which Postfix takes from those alone who have logged in."""
        path = self.workshop.path("message")
        with open(path, "wb") as file:
            file.write(message(1))
        done = self.curl("smtp-starttls", "--mail-from", "fred@example.test", "--mail-rcpt", "jane@elsewhere.test",
                         "--upload-file", path)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.postfix.wait_log("sasl_method=GSSAPI, sasl_username=" + USER.lower())

    def test_a_ticket_for_another_server_is_refused_by_the_server(self):
        self.kdc.keys("elsewhere", "elsewhere/localhost")
        for protocol, listener in self.every_listener():
            with self.subTest(listener=listener):
                done = self.curl(listener, service="elsewhere")
                self.assertEqual(done.returncode, 67, done.stderr.decode())
                self.assertRegex(self.taps[protocol].last()[1].splitlines()[-1], FAILED[protocol])

    def test_never_is_not_shown_and_not_passed(self):
        for protocol, listener in self.every_listener():
            with self.subTest(listener=listener):
                tried = b"".join(self.taps[protocol].sent).count(b"GSSAPI")
                done = self.curl(listener + "-never")
                self.assertEqual(done.returncode, 67, done.stderr.decode())
                self.assertNotIn(b"GSSAPI", done.stderr.replace(b"AUTH=GSSAPI", b""))
                self.assertEqual(b"".join(self.taps[protocol].sent).count(b"GSSAPI"), tried)

    def test_an_abort_leaves_the_session_usable(self):
        begin = {"imap": b"x AUTHENTICATE GSSAPI", "pop3": b"AUTH GSSAPI", "smtp": b"AUTH GSSAPI"}
        after = {"imap": (b"y NOOP", b"y OK"), "pop3": (b"CAPA", b"+OK"), "smtp": (b"NOOP", b"250")}
        for protocol in SERVICES:
            with self.subTest(protocol=protocol):
                with LineClient(self.postern.port(f"{protocol}-implicit"), tls=True) as client:
                    client.line()
                    if protocol == "smtp":
                        client.smtp(b"EHLO test")
                    client.send(begin[protocol] + b"\r\n")
                    self.assertRegex(client.line(), rb"^(\+|334)")
                    client.send(b"*\r\n")
                    self.assertRegex(client.line(), rb"^(x (NO|BAD)|-ERR|5)")
                    client.send(after[protocol][0] + b"\r\n")
                    self.assertTrue(client.line().startswith(after[protocol][1]))


def is_token(word):
    """Base64 of a length that no word of a dialogue has."""
    if len(word) < 24 or len(word) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", word):
        return False
    return bool(base64.b64decode(word))


if __name__ == "__main__":
    main()
