"""The canned legacy mail server, on its own. LEGACY_SERVER names the program."""

import hashlib
import hmac
import base64
import imaplib
import os
import poplib
import smtplib
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("LEGACY_SERVER", "build/bench/legacy_server")


class Server:
    """The program with all four protocols on ports of the system's choice."""

    def __init__(self, *options):
        words = [PROGRAM]
        for protocol in ("imap", "pop3", "smtp", "lmtp"):
            words += ["--" + protocol, "127.0.0.1:0"]
        self.process = subprocess.Popen(words + list(options), stdout=subprocess.PIPE, text=True)
        self.ports = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            protocol, address = line.split()
            self.ports[protocol] = int(address.rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def imap(self):
        return imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=10)

    def pop3(self):
        return poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=10)

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.ports["smtp"], timeout=10)

    def raw(self, protocol):
        connection = socket.create_connection(("127.0.0.1", self.ports[protocol]), timeout=10)
        return connection, connection.makefile("rb")


class ImapTest(unittest.TestCase):
    def test_fetches_what_was_appended(self):
        with Server("--messages", "3") as server, server.imap() as imap:
            imap.login("user", "secret")
            self.assertEqual(imap.select()[1], [b"3"])
            message = b"Subject: x\r\n\r\n" + bytes(range(1, 256)) * 5000
            imap.append("INBOX", "(\\Seen)", None, message)
            imap.noop()
            kind, parts = imap.uid("fetch", "4", "(FLAGS RFC822.SIZE BODY.PEEK[])")
            self.assertIn(b"\\Seen", parts[0][0])
            # imaplib turns every line end of an APPEND into CRLF.
            self.assertEqual(parts[0][1], imaplib.MapCRLF.sub(imaplib.CRLF, message))

    def test_sections_and_partial_fetch(self):
        with Server("--message-size", "1000") as server, server.imap() as imap:
            imap.login("user", "secret")
            imap.select(readonly=True)
            whole = imap.fetch("1", "(BODY[])")[1][0][1]
            self.assertEqual(len(whole), 1000)
            self.assertEqual(imap.fetch("1", "(BODY[]<10.20>)")[1][0][1], whole[10:30])
            head = imap.fetch("1", "(BODY[HEADER])")[1][0][1]
            text = imap.fetch("1", "(BODY[TEXT])")[1][0][1]
            self.assertEqual(head + text, whole)
            subject = imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1]
            self.assertEqual(subject, b"Subject: Message 1\r\n\r\n")

    def test_flags_search_and_expunge(self):
        with Server("--messages", "5") as server, server.imap() as imap:
            imap.login("user", "secret")
            imap.select()
            imap.store("2:3", "+FLAGS", "(\\Deleted)")
            self.assertEqual(imap.search(None, "UNDELETED")[1], [b"1 4 5"])
            self.assertEqual(imap.expunge()[1], [b"2", b"2"])
            self.assertEqual(imap.uid("search", "ALL")[1], [b"1 4 5"])

    def test_folders(self):
        with Server() as server, server.imap() as imap:
            imap.login("user", "secret")
            imap.create("Sent")
            self.assertEqual(len(imap.list()[1]), 2)
            imap.select()
            imap.copy("1:2", "Sent")
            self.assertIn(b"MESSAGES 2", imap.status("Sent", "(MESSAGES UIDNEXT)")[1][0])

    def test_login_with_literals_and_pipelining(self):
        with Server("--literal-plus") as server:
            connection, lines = server.raw("imap")
            with connection, lines:
                lines.readline()
                connection.sendall(b"a LOGIN {4}\r\n")
                self.assertTrue(lines.readline().startswith(b"+"))
                connection.sendall(b"user {6+}\r\nsecret\r\nb NOOP\r\nc LOGOUT\r\n")
                self.assertTrue(lines.readline().startswith(b"a OK"))
                self.assertTrue(lines.readline().startswith(b"b OK"))
                self.assertTrue(lines.readline().startswith(b"* BYE"))

    def test_refused_literals_are_not_commands(self):
        with Server("--max-message", "100") as server:
            connection, lines = server.raw("imap")
            with connection, lines:
                lines.readline()
                connection.sendall(b"a LOGIN user secret\r\nb APPEND INBOX {200+}\r\n")
                connection.sendall(b"x NOOP\r\n" * 25 + b"\r\nc APPEND INBOX {200}\r\nd NOOP\r\n")
                answers = [lines.readline().split()[:2] for _ in range(4)]
                self.assertEqual(
                    answers, [[b"a", b"OK"], [b"b", b"NO"], [b"c", b"NO"], [b"d", b"OK"]]
                )

    def test_idle_tells_of_new_mail(self):
        with Server("--messages", "1") as server:
            connection, lines = server.raw("imap")
            with connection, lines, server.smtp() as smtp:
                connection.sendall(b"a LOGIN user secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
                while not lines.readline().startswith(b"+"):
                    pass
                smtp.sendmail("a@b.example", ["user@b.example"], b"Subject: news\r\n\r\nx\r\n")
                self.assertEqual(lines.readline(), b"* 2 EXISTS\r\n")
                connection.sendall(b"DONE\r\n")
                self.assertTrue(lines.readline().startswith(b"c OK"))

    def test_mechanisms(self):
        with Server("--mechanisms", "PLAIN,LOGIN,CRAM-MD5,GSSAPI") as server:
            with server.imap() as imap:
                imap.authenticate("PLAIN", lambda _: b"\0user\0secret")
            with server.imap() as imap:
                self.assertEqual(imap.login_cram_md5("user", "secret")[0], "OK")
            with server.imap() as imap, self.assertRaises(imaplib.IMAP4.error):
                imap.login_cram_md5("user", "wrong")
            with server.imap() as imap:
                challenges = []
                imap.authenticate("GSSAPI", lambda text: challenges.append(text) or b"x")
                self.assertEqual(challenges, [b"", b"challenge 1", b"challenge 2"])


class ScramTest(unittest.TestCase):
    def exchange(self, password):
        """SCRAM-SHA-256 by hand; returns what the server said last."""
        answers = []
        state = {}

        def step(challenge):
            challenge = challenge or b""
            if not answers:
                reply = b"n,,n=user,r=abc"
            elif challenge.startswith(b"r="):
                parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
                salt = base64.b64decode(parts[b"s"])
                salted = hashlib.pbkdf2_hmac("sha256", password, salt, int(parts[b"i"]))
                key = hmac.digest(salted, b"Client Key", "sha256")
                bare = b"c=biws,r=" + parts[b"r"]
                text = b"n=user,r=abc," + challenge + b"," + bare
                signature = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
                proof = bytes(a ^ b for a, b in zip(key, signature))
                server_key = hmac.digest(salted, b"Server Key", "sha256")
                state["v"] = base64.b64encode(hmac.digest(server_key, text, "sha256"))
                reply = bare + b",p=" + base64.b64encode(proof)
            else:
                self.assertEqual(challenge, b"v=" + state["v"])
                reply = b""
            answers.append(challenge)
            return reply

        with Server("--mechanisms", "SCRAM-SHA-256") as server, server.imap() as imap:
            return imap.authenticate("SCRAM-SHA-256", step)[0]

    def test_right_password(self):
        self.assertEqual(self.exchange(b"secret"), "OK")

    def test_wrong_password(self):
        with self.assertRaises(imaplib.IMAP4.error):
            self.exchange(b"wrong")


class Pop3Test(unittest.TestCase):
    def test_session(self):
        with Server("--messages", "2", "--message-size", "500") as server:
            pop3 = server.pop3()
            self.assertIn("UIDL", pop3.capa())
            pop3.user("user")
            pop3.pass_("secret")
            self.assertEqual(pop3.stat(), (2, 1000))
            self.assertEqual(len(b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"), 500)
            self.assertEqual(pop3.top(1, 0)[1][-1], b"")
            pop3.dele(1)
            pop3.quit()
            pop3 = server.pop3()
            pop3.user("user")
            pop3.pass_("secret")
            self.assertEqual(pop3.stat()[0], 1)
            pop3.quit()

    def test_apop(self):
        with Server("--apop") as server:
            pop3 = server.pop3()
            self.assertTrue(pop3.apop("user", "secret").startswith(b"+OK"))
            pop3.quit()
            pop3 = server.pop3()
            with self.assertRaises(poplib.error_proto):
                pop3.apop("user", "wrong")
            pop3.quit()

    def test_no_capa(self):
        with Server("--profile", "exchange-5.5") as server:
            pop3 = server.pop3()
            with self.assertRaises(poplib.error_proto):
                pop3.capa()
            pop3.quit()


class SmtpTest(unittest.TestCase):
    def deliver(self, server, message):
        with server.smtp() as smtp:
            smtp.sendmail("a@b.example", ["user@b.example"], message)

    def fetch_last(self, server):
        pop3 = server.pop3()
        pop3.user("user")
        pop3.pass_("secret")
        lines = pop3.retr(pop3.stat()[0])[1]
        pop3.quit()
        return b"\r\n".join(lines) + b"\r\n"

    def test_dots_survive(self):
        message = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nx.\r\n"
        with Server() as server:
            self.deliver(server, message)
            self.assertEqual(self.fetch_last(server), message)

    def test_large_message_in_small_pieces(self):
        message = b"Subject: large\r\n\r\n" + b"0123456789" * 7 + b"\r\n"
        message += (b"x" * 70 + b"\r\n") * 20000
        with Server("--messages", "0") as server:
            connection, lines = server.raw("smtp")
            with connection, lines:
                connection.sendall(b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<user@b.c>\r\nDATA\r\n")
                while not lines.readline().startswith(b"354"):
                    pass
                wire = message + b".\r\n"
                for start in range(0, len(wire), 9973):
                    connection.sendall(wire[start : start + 9973])
                self.assertTrue(lines.readline().startswith(b"250"))
            self.assertEqual(self.fetch_last(server), message)

    def test_lone_line_feeds_do_not_end_data(self):
        for option, ended in (((), False), (("--lenient-dot",), True)):
            with Server(*option) as server:
                connection, lines = server.raw("smtp")
                with connection, lines:
                    connection.sendall(b"HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<u@b.c>\r\nDATA\r\n")
                    while not lines.readline().startswith(b"354"):
                        pass
                    connection.sendall(b"a\n.\nRSET\r\n.\r\n")
                    self.assertTrue(lines.readline().startswith(b"250 2.6.0"))
                    if ended:
                        self.assertTrue(lines.readline().startswith(b"250 2.0.0 Resetting"))

    def test_bdat(self):
        with Server("--chunking") as server:
            connection, lines = server.raw("smtp")
            with connection, lines:
                connection.sendall(b"HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<u@b.c>\r\n")
                connection.sendall(b"BDAT 3\r\na\r\nBDAT 6 LAST\r\n.\r\nb\r\nNOOP\r\n")
                answers = [lines.readline()[:3] for _ in range(7)]
                self.assertEqual(answers, [b"220"] + [b"250"] * 6)
            self.assertEqual(self.fetch_last(server), b"a\r\n.\r\nb\r\n")

    def test_auth_and_old_spellings(self):
        with Server("--profile", "exchange-2003", "--require-auth") as server:
            with server.smtp() as smtp:
                smtp.ehlo()
                self.assertIn("x-exps", smtp.esmtp_features)
                self.assertEqual(smtp.mail("a@b.c")[0], 530)
                smtp.login("user", "secret")
                self.assertEqual(smtp.mail("a@b.c")[0], 250)

    def test_no_ehlo(self):
        with Server("--no-ehlo") as server, server.smtp() as smtp:
            self.assertEqual(smtp.ehlo()[0], 500)
            self.assertEqual(smtp.helo()[0], 250)

    def test_lmtp_answers_for_each_recipient(self):
        with Server() as server:
            with smtplib.LMTP("127.0.0.1", server.ports["lmtp"]) as lmtp:
                refused = lmtp.sendmail("a@b.c", ["user@b.c", "nobody@b.c"], b"x: y\r\n\r\n")
                self.assertEqual(list(refused), ["nobody@b.c"])


class QuirkTest(unittest.TestCase):
    def test_slow_and_split_answers_arrive_whole(self):
        with Server("--slow", "50", "--split", "3", "--split-delay", "1") as server:
            began = time.monotonic()
            connection, lines = server.raw("smtp")
            with connection, lines:
                connection.sendall(b"NOOP\r\nNOOP\r\nQUIT\r\n")
                answers = lines.read().split(b"\r\n")
            self.assertEqual([line[:3] for line in answers], [b"220", b"250", b"250", b"221", b""])
            self.assertGreater(time.monotonic() - began, 0.2)

    def test_hangs_up(self):
        with Server("--hangup-after", "2") as server:
            connection, lines = server.raw("smtp")
            with connection, lines:
                connection.sendall(b"NOOP\r\nNOOP\r\nNOOP\r\n")
                try:
                    text = lines.read()
                except ConnectionResetError:
                    return
                self.assertEqual(text.count(b"250"), 2)

    def test_dies_and_refuses(self):
        with Server("--die-at", "VRFY", "--refuse", "rset") as server:
            connection, lines = server.raw("smtp")
            with connection, lines:
                connection.sendall(b"RSET\r\n")
                self.assertTrue(lines.readline().startswith(b"220"))
                self.assertTrue(lines.readline().startswith(b"550"))
                connection.sendall(b"VRFY x\r\n")
                self.assertEqual(lines.read(), b"")

    def test_journal_has_every_byte(self):
        with tempfile.NamedTemporaryFile("r") as journal:
            with Server("--log", journal.name) as server:
                connection, lines = server.raw("imap")
                with connection, lines:
                    lines.readline()
                    connection.sendall(b"a NOOP\r\nb LOGO")
                    lines.readline()
                    connection.sendall(b"UT\r\n")
                    lines.read()
                time.sleep(0.05)
                text = journal.read()
            self.assertEqual(
                text,
                "imap#1 open\nimap#1: a NOOP\\r\\n\nimap#1: b LOGO\nimap#1: UT\\r\\n\nimap#1 end\n",
            )

    def test_long_lines_end_the_session(self):
        with Server() as server:
            connection, lines = server.raw("imap")
            with connection, lines:
                lines.readline()
                connection.sendall(b"a" * 70000)
                try:
                    self.assertTrue(lines.readline().startswith(b"* BYE"))
                except ConnectionResetError:
                    pass

    def test_a_client_that_does_not_read_is_not_read_from(self):
        with Server("--message-size", "1000000") as server:
            connection, lines = server.raw("imap")
            with connection, lines:
                connection.sendall(b"a LOGIN user secret\r\nb SELECT INBOX\r\n")
                connection.settimeout(0.5)
                with self.assertRaises(TimeoutError):
                    while True:
                        connection.sendall(b"c FETCH 1:* BODY.PEEK[]\r\n" * 1000)
                with open(f"/proc/{server.process.pid}/statm") as statm:
                    self.assertLess(int(statm.read().split()[1]) * 4096, 64 << 20)

    def test_wrong_command_line(self):
        for words in ([], ["--imap"], ["--imap", "x"], ["--nonsense"], ["--imap", "h:1", "--user", "x"]):
            run = subprocess.run([PROGRAM] + words, stderr=subprocess.PIPE)
            self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    unittest.main()
