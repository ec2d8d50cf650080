"""msmtp through Postern to Postfix."""

import os

from harness import MailSystem, body_of, main, message, run


class Msmtp(MailSystem):
    def send(self, listener, mechanism, data):
        path = self.workshop.path("msmtprc")
        with open(path, "w") as file:
            file.write(f"""\
account default
host localhost
port {self.postern.port(listener)}
from fred@example.test
auth {mechanism}
user fred
password fred-secret
tls on
tls_starttls {"on" if listener.endswith("starttls") else "off"}
tls_trust_file {self.ca}
""")
        os.chmod(path, 0o600)
        run("msmtp", "-C", path, "bob@example.test", text=data)

    def test_both_ways_to_tls_and_every_mechanism(self):
        number = 0
        for listener in ("smtp-starttls", "smtp-implicit"):
            for mechanism in ("plain", "login", "scram-sha-256"):
                with self.subTest(listener=listener, mechanism=mechanism):
                    sent = message(number, 20_000).replace(b"\r\n", b"\n")
                    self.send(listener, mechanism, sent)
                    self.assertEqual(body_of(self.delivered("bob", b"number %d" % number)), body_of(sent))
                    number += 1


if __name__ == "__main__":
    main()
