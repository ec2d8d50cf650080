"""What the black-box tests are written with: the real program, real servers, scripted ones, and raw clients.

Every test is a `harness.Case`, which owns a temporary folder and ends all that it started. Standard library only.

    from harness import Case, main

    class Capability(Case):
        def test_login_needs_tls(self):
            backend = self.scripted(rules(b"* OK ready\\r\\n", {b"LOGOUT": b"{tag} OK bye\\r\\n"}))
            postern = self.postern([{"protocol": "imap", "tls": "starttls", "backend": backend.address}])
            with self.client(postern.port("imap-starttls")) as client:
                client.line()
                client.send(b"a LOGIN fred secret\\r\\n")
                self.assertRegex(client.line(), rb"^a NO \\[PRIVACYREQUIRED\\]")
            self.assertNotIn(b"LOGIN", backend.received)
"""

from . import canned, debian, npm
from .backend import ScriptedBackend, rules
from .case import Case, MailSystem, Workshop, main
from .certs import Authority, Certificate, self_signed
from .client import LineClient, trusting
from .cyrus import Cyrus
from .dovecot import Dovecot
from .kerberos import Kdc
from .legacy import LegacyServer
from .manager import Manager
from .messages import body_of, message
from .metrics import Metrics
from .net import can_connect, free_port
from .postern import Postern
from .postfix import Postfix
from .process import Process, wait_until
from .programs import refused, run

__all__ = [
    "Authority", "Case", "Certificate", "Cyrus", "Dovecot", "Kdc", "LegacyServer", "LineClient", "MailSystem",
    "Manager", "Metrics", "Postern", "Postfix", "Process", "ScriptedBackend", "Workshop", "body_of", "can_connect",
    "canned", "debian", "free_port", "main", "message", "npm", "refused", "rules", "run", "self_signed", "trusting",
    "wait_until",
]
