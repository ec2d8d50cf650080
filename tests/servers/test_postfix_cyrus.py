"""Postfix with Cyrus SASL and its own password file: NTLM, CRAM-MD5 and SCRAM as another library judges them."""

import base64
import os
import pwd
import subprocess

from harness import Case, main
from harness.postfix import Postfix

PASSWORD = "s\u00e9cret {5} \"%s\\"


class CyrusPostfix(Postfix):
    """Debian's Postfix looks for the library's configuration in `sasl` beside main.cf."""

    def __init__(self, folder, mechanisms):
        self.mechanisms = mechanisms
        super().__init__(folder, verbose=True, settings={
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "cyrus", "smtpd_sasl_local_domain": "postfix.test",
            "smtpd_sasl_security_options": "noanonymous"})

    def _lay_out_queue(self):
        super()._lay_out_queue()
        folder = os.path.join(self.folder, "sasl")
        os.mkdir(folder, 0o755)
        database = os.path.join(folder, "sasldb2")
        subprocess.run(["saslpasswd2", "-c", "-p", "-f", database, "-u", "postfix.test", "fred"],
                       input=PASSWORD.encode(), check=True)
        os.chown(database, pwd.getpwnam("postfix").pw_uid, 0)
        with open(os.path.join(folder, "smtpd.conf"), "w") as file:
            file.write(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\n"
                       f"mech_list: {' '.join(self.mechanisms)}\n")


class CyrusSasl(Case):
    mechanisms = ("PLAIN", "LOGIN", "NTLM", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")

    def setUp(self):
        super().setUp()
        self.server = self.own(CyrusPostfix(self.folder, self.mechanisms))

    def log_in(self, mechanism, password):
        postern = self.postern([{"protocol": "smtp", "tls": "implicit", "require_auth": True,
                                 "auth": {"to_backend": mechanism}, "backend": self.server.address}])
        client = self.client(postern.port("smtp-implicit"), tls=True)
        client.smtp_reply()
        client.smtp(b"EHLO client.example")
        said = base64.b64encode(b"\0fred\0" + password.encode())
        return client.smtp(b"AUTH PLAIN " + said)[0]

    def test_each(self):
        for mechanism in self.mechanisms:
            with self.subTest(mechanism=mechanism):
                before = len(self.server.log)
                self.assertEqual(self.log_in(mechanism, "wrong")[:3], b"535", self.server.log[before:][-6000:])
                self.assertEqual(self.log_in(mechanism, PASSWORD)[:3], b"235", self.server.log[before:][-3000:])
                said = self.server.log[before:]
                self.assertIn(f": AUTH {mechanism}", said)
                if mechanism not in ("PLAIN", "LOGIN"):
                    for secret in (PASSWORD.encode(), b"\0fred\0" + PASSWORD.encode()):
                        self.assertNotIn(base64.b64encode(secret).decode().rstrip("="), said)


if __name__ == "__main__":
    main()
