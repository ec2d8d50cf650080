"""fetchmail through Postern from Dovecot: POP3 and IMAP, implicit TLS and STARTTLS."""

import os

from harness import MailSystem, body_of, main, message, run


class Fetchmail(MailSystem):
    with_postfix = False

    def fetch(self, protocol, mode, user):
        """Fetches all of a user's mail; returns the messages as fetchmail hands them on."""
        folder = self.workshop.path(f"{protocol}-{mode}")
        os.makedirs(folder)
        with open(folder + "/store", "w") as file:
            file.write(f'#!/bin/sh\nexec cat >"{folder}/$$.eml"\n')
        os.chmod(folder + "/store", 0o755)
        security = "ssl" if mode == "implicit" else "sslproto TLS1+"
        with open(folder + "/rc", "w") as file:
            file.write(f"""\
poll localhost service {self.postern.port(f"{protocol}-{mode}")} protocol {protocol}
  user {user} password {user}-secret {security} sslcertfile {self.ca} sslcertck
  fetchall keep mda "{folder}/store"
""")
        os.chmod(folder + "/rc", 0o600)
        run("fetchmail", "-f", folder + "/rc", "--nosyslog", "-v", "--pidfile", folder + "/pid", "-i", folder + "/ids",
            env={"HOME": folder, "FETCHMAILHOME": folder})
        files = [name for name in os.listdir(folder) if name.endswith(".eml")]
        return [open_bytes(os.path.join(folder, name)) for name in files]

    def test_all_four_ways(self):
        sent = [message(number, 5000 + 1000 * number) for number in range(20)]
        for data in sent:
            self.put("fred", data)
        for protocol in ("pop3", "imap"):
            for mode in ("implicit", "starttls"):
                with self.subTest(protocol=protocol, mode=mode):
                    got = self.fetch(protocol, mode, "fred")
                    self.assertEqual(sorted(map(body_of, got)), sorted(map(body_of, sent)))


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
