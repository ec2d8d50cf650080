"""mbsync: 500 messages through Postern are identical on both sides, down and up."""
# timeout: 600

import os

from harness import MailSystem, main, message, run

COUNT = 500


class Mbsync(MailSystem):
    with_postfix = False

    def configure(self, name, mode, user):
        folder = self.workshop.path(name)
        os.makedirs(folder + "/mail")
        encryption = {"implicit": "IMAPS", "starttls": "STARTTLS"}[mode]
        with open(folder + "/mbsyncrc", "w") as file:
            file.write(f"""\
IMAPAccount postern
Host localhost
Port {self.postern.port("imap-" + mode)}
User {user}
Pass {user}-secret
SSLType {encryption}
CertificateFile {self.ca}
SystemCertificates no

IMAPStore far
Account postern

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge None
SyncState {folder}/
""")
        return folder

    def sync(self, folder):
        run("mbsync", "-c", folder + "/mbsyncrc", "-a", timeout=400, env={"HOME": folder})

    def near(self, folder, mailbox="INBOX"):
        """The local messages without the header that mbsync puts in to know them again, CRLF at the line ends."""
        found = []
        for part in ("new", "cur"):
            path = f"{folder}/mail/{mailbox}/{part}"
            for name in os.listdir(path):
                with open(os.path.join(path, name), "rb") as file:
                    found.append(self.canonical(file.read()))
        return sorted(found)

    @staticmethod
    def canonical(data):
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        return b"\r\n".join(line for line in lines if not line.startswith(b"X-TUID: "))

    def test_down(self):
        sent = [message(number, 200 + 37 * (number % 200)) for number in range(COUNT)]
        with self.workshop.client(self.dovecot.ports["imap"]) as client:
            client.line()
            client.imap(b"a LOGIN fred fred-secret")
            for data in sent:
                client.imap(b"b APPEND INBOX {%d+}\r\n" % len(data) + data)
        folder = self.configure("down", "implicit", "fred")
        self.sync(folder)
        self.assertEqual(self.near(folder), sorted(sent))
        self.sync(folder)
        self.assertEqual(len(self.near(folder)), COUNT)

    def test_up(self):
        sent = [message(1000 + number, 200 + 37 * (number % 200)) for number in range(COUNT)]
        folder = self.configure("up", "starttls", "jane")
        for part in ("new", "cur", "tmp"):
            os.makedirs(f"{folder}/mail/INBOX/{part}")
        for number, data in enumerate(sent):
            with open(f"{folder}/mail/INBOX/new/{number}.test", "wb") as file:
                file.write(data.replace(b"\r\n", b"\n"))
        self.sync(folder)
        stored = sorted(self.canonical(data) for data in self.dovecot.messages("jane"))
        self.assertEqual(stored, sorted(sent))


if __name__ == "__main__":
    main()
