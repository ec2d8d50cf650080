"""The base classes of the black-box tests."""

import contextlib
import os
import shutil
import tempfile
import unittest

from .backend import ScriptedBackend
from .certs import self_signed
from .client import LineClient
from .dovecot import Dovecot
from .legacy import LegacyServer
from .postern import Postern
from .postfix import Postfix
from .process import wait_until

_SANITIZER_REPORTS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:")


class Workshop:
    """Owns a folder and everything that is started through it. When it closes, Postern's open-sessions gauge has to be
    0, it has to stop with status 0 and without a sanitizer's report, and no scripted backend may have failed."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="postern-test-")
        os.chmod(self.folder, 0o755)  # servers that drop their privileges must be able to come in
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._count = 0
        self._certificate = None

    def close(self):
        self._stack.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def certificate(self):
        """A self-signed certificate for localhost, made once."""
        if not self._certificate:
            self._certificate = self_signed(self.folder)
        return self._certificate

    def postern(self, listeners, check_quiet=True, **top):
        """Starts Postern with these listeners (see harness.Postern) and the general keys `top`; a general certificate is
        there without being said."""
        tls = dict(top.get("tls", {}))
        tls.setdefault("certificates", [self.certificate.entry])
        folder = self.path(f"postern{self._count}")
        self._count += 1
        os.mkdir(folder)
        started = Postern({"listeners": listeners, **top, "tls": tls}, folder)
        self._stack.callback(self._end_postern, started, check_quiet)
        return started

    @staticmethod
    def _end_postern(postern, check_quiet):
        try:
            if postern.running():
                if check_quiet and postern.admin:
                    postern.wait_quiet()
                status = postern.stop(timeout=60)
                assert status == 0, f"postern's exit status is {status}; its log:\n{postern.output[-4000:]}"
            for report in _SANITIZER_REPORTS:
                assert report not in postern.output, postern.output[-20000:]
        finally:
            postern.kill()

    def scripted(self, script, **options):
        backend = ScriptedBackend(script, **options)
        self._stack.callback(self._end_scripted, backend)
        return backend

    @staticmethod
    def _end_scripted(backend):
        backend.close()
        if backend.errors:
            raise backend.errors[0]

    def own(self, process):
        """Takes over a started Process: it is stopped at the end."""
        self._stack.callback(process.stop)
        return process

    def legacy(self, *arguments, **options):
        return self.own(LegacyServer(*arguments, **options))

    def dovecot(self, *arguments, **options):
        return self.own(Dovecot(self.folder, *arguments, **options))

    def postfix(self, *arguments, **options):
        return self.own(Postfix(self.folder, *arguments, **options))

    def client(self, where, **options):
        client = LineClient(where, **options)
        self._stack.callback(client.close)
        return client


class Case(unittest.TestCase):
    """A test with a workshop of its own, whose functions are at hand as the test's."""

    maxDiff = None

    def setUp(self):
        self.workshop = Workshop()
        self.addCleanup(self.workshop.close)
        for name in ("folder", "path", "postern", "scripted", "legacy", "dovecot", "postfix", "own", "client"):
            setattr(self, name, getattr(self.workshop, name))

    @property
    def certificate(self):
        return self.workshop.certificate

    def serve(self, config):
        """Postern with a whole configuration in one dict."""
        config = dict(config)
        return self.postern(config.pop("listeners"), **config)


class MailSystem(unittest.TestCase):
    """Dovecot and Postfix (which delivers to it) with Postern in front of them, started once for all tests of a class:
    users fred, jane and bob with the password NAME-secret, addresses NAME@example.test. Listeners imap, pop3 and smtp,
    each `-implicit` and `-starttls`, smtp with require_auth. A class may change `mechanisms` (Dovecot's), `settings`
    (keys of every listener) and `top` (general keys), and set `with_postfix` to False."""

    maxDiff = None
    users = ("fred", "jane", "bob")
    mechanisms = "plain login cram-md5 scram-sha-1 scram-sha-256"
    with_postfix = True
    settings = {}
    top = {}

    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        cls.folder = cls.workshop.folder
        cls.dovecot = cls.workshop.dovecot({name: f"{name}-secret" for name in cls.users}, cls.mechanisms)
        backends = dict(cls.dovecot.address)
        if cls.with_postfix:
            cls.postfix = cls.workshop.postfix(cls.dovecot, verbose=True)
            backends["smtp"] = cls.postfix.address
        listeners = []
        for protocol in ("imap", "pop3", *(["smtp"] if cls.with_postfix else [])):
            for mode in ("implicit", "starttls"):
                own = {"require_auth": True} if protocol == "smtp" else {}
                listeners.append({"protocol": protocol, "tls": mode, "backend": backends[protocol], **own, **cls.settings})
        cls.postern = cls.workshop.postern(listeners, **cls.top)
        cls.ca = cls.workshop.certificate.chain

    def client(self, listener, **options):
        """A raw client of a listener, as imap-starttls; TLS from the start where it is implicit."""
        client = LineClient(self.postern.port(listener), tls=listener.endswith("implicit") or None, **options)
        self.addCleanup(client.close)
        return client

    def put(self, user, data, mailbox="INBOX"):
        """Stores a message past Postern."""
        with LineClient(self.dovecot.ports["imap"]) as client:
            client.line()
            client.imap(f"a LOGIN {user} {user}-secret".encode())
            client.imap(f"b CREATE {mailbox}".encode())
            answer = client.imap(f"c APPEND {mailbox} {{{len(data)}+}}\r\n".encode() + data)[-1]
            assert answer.startswith(b"c OK"), answer

    def delivered(self, user, subject, timeout=60):
        """Waits for a stored message with that subject; returns it."""
        line = b"\r\nSubject: " + subject + b"\r\n"

        def found():
            return [data for data in self.dovecot.messages(user) if line in data]
        return wait_until(found, timeout, f"{subject} to reach {user}; Postfix said:\n{self.postfix.log[-1500:]}")[0]

    def setUp(self):
        self.addCleanup(self.postern.wait_quiet)  # the first is done last, when the test's clients have closed


main = unittest.main
