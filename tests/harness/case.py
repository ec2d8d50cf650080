"""The base class of the black-box tests."""

import os
import shutil
import tempfile
import unittest

from .backend import ScriptedBackend
from .certs import self_signed
from .client import LineClient
from .legacy import LegacyServer
from .postern import Postern


class Case(unittest.TestCase):
    """Owns a folder and everything that is started through it; at the end of a test Postern's open-sessions gauge has
    to be 0, it has to stop with status 0, and no scripted backend may have failed."""

    maxDiff = None

    def setUp(self):
        # Servers that drop their privileges must be able to come in.
        self.folder = tempfile.mkdtemp(prefix="postern-test-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def certificate(self):
        """A self-signed certificate for localhost, made once a test."""
        if not hasattr(self, "_certificate"):
            self._certificate = self_signed(self.folder)
        return self._certificate

    def postern(self, listeners, check_quiet=True, **top):
        """Starts Postern with these listeners (see harness.Postern) and the general keys `top`; a general certificate is
        there without being said."""
        config = {"listeners": listeners, **top}
        tls = dict(config.get("tls", {}))
        tls.setdefault("certificates", [self.certificate.entry])
        config["tls"] = tls
        number = len(getattr(self, "_posterns", []))
        folder = self.path(f"postern{number}")
        os.mkdir(folder)
        started = Postern(config, folder)
        self._posterns = [*getattr(self, "_posterns", []), started]
        self.addCleanup(self._end, started, check_quiet)
        return started

    def _end(self, postern, check_quiet):
        try:
            if not postern.running():
                return
            if check_quiet and postern.admin:
                postern.wait_quiet()
            status = postern.stop()
            self.assertEqual(status, 0, f"postern's exit status; its log:\n{postern.output[-4000:]}")
            for report in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"):
                self.assertNotIn(report, postern.output)
        finally:
            postern.kill()

    def scripted(self, script, **options):
        backend = ScriptedBackend(script, **options)
        self.addCleanup(self._end_scripted, backend)
        return backend

    def _end_scripted(self, backend):
        backend.close()
        if backend.errors:
            raise backend.errors[0]

    def legacy(self, *arguments, **options):
        server = LegacyServer(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def own(self, process):
        """Takes over a started Process (a Dovecot, a Postfix): it is stopped when the test ends."""
        self.addCleanup(process.stop)
        return process

    def client(self, where, **options):
        client = LineClient(where, **options)
        self.addCleanup(client.close)
        return client


main = unittest.main
