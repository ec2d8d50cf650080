"""Attacks on the log-in: base64 that is none, a challenge that is failed and tried again, and IMAP tags that are no words.
Those of SMTP are in test_smtp_commands.py; a ticket that crosses client-certificate rules (CVE-2025-23419) is in
../program/test_handshakes.py."""

import base64
import hashlib
import hmac

from harness import Case, canned, main

GOOD = b"AGZyZWQAc2VjcmV0"  # \0fred\0secret
BAD = (b"A", b"AB=", b"A===", b"AG@yZWQ=", b"AGZyZWQ", b"AGZyZWR=", b"====", b"\xff\xff\xff\xff", b"AGZyZWQ=\x0b",
       b"AGZyZWQAc2VjcmV0=", b"-_8=")


class BadBase64(Case):
    """CVE-2025-53859 (nginx's mail proxy read over the end of what it had decoded, into its request to the
    authentication server): bad base64 is a refused log-in, and no byte of it gets to the backend."""

    def start(self, protocol, script, **listener):
        self.backend = self.scripted(script)
        self.front = self.postern([{"protocol": protocol, "tls": "implicit", "name": "l",
                                    "backend": self.backend.address, **listener}])
        self.front.wait_ready()
        client = self.client(self.front.port("l"), tls=True)
        client.line()
        return client

    def nothing_came(self, bad):
        said = [line.strip(b"\r") for line in self.backend.received.split(b"\n")]
        self.assertFalse([line for line in said if line.split(b" ")[-1] == bad], said)

    def imap(self, **listener):
        client = self.start("imap", canned.imap(b"IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR"), **listener)
        for bad in BAD:
            with self.subTest(bad=bad):
                self.assertRegex(client.imap(b"a AUTHENTICATE PLAIN " + bad)[-1], rb"^a BAD ")
                client.send(b"b AUTHENTICATE PLAIN\r\n")
                self.assertTrue(client.line().startswith(b"+"))
                client.send(bad + b"\r\n")
                self.assertRegex(client.imap_answer(b"b")[-1], rb"^b BAD ")
                self.nothing_came(bad)
                self.assertRegex(client.imap(b"n NOOP")[-1], rb"^n OK")
        client.send(b"c AUTHENTICATE PLAIN\r\n")
        self.assertTrue(client.line().startswith(b"+"))
        client.send(GOOD + b"\r\n")
        self.assertRegex(client.imap_answer(b"c")[-1], rb"^c OK")

    def test_imap(self):
        """CVE-2025-53859 in IMAP."""
        self.imap()

    def test_imap_where_postern_takes_the_log_in(self):
        """CVE-2025-53859 in IMAP, with the backend spoken to by Postern itself."""
        self.imap(auth={"to_backend": "BASIC"}, limits={"auth_failures_per_session": 0})

    def test_imap_login(self):
        """CVE-2025-53859 in both answers of SASL LOGIN."""
        client = self.start("imap", canned.imap(b"IMAP4rev1 AUTH=LOGIN"))
        for bad in BAD:
            with self.subTest(bad=bad):
                client.send(b"b AUTHENTICATE LOGIN\r\n")
                self.assertTrue(client.line().startswith(b"+"))
                client.send(bad + b"\r\n")
                self.assertRegex(client.imap_answer(b"b")[-1], rb"^b BAD ")
                self.nothing_came(bad)

    def pop3_auth(self, connection, line):
        words = line.split(b" ")
        if len(words) < 3:
            connection.send(b"+ \r\n")
            words.append(connection.line())
        connection.send(b"+OK in\r\n" if words[2] == GOOD else b"-ERR no\r\n")

    def test_pop3(self):
        """CVE-2025-53859 in POP3."""
        client = self.start("pop3", canned.pop3(AUTH=self.pop3_auth))
        for bad in BAD:
            with self.subTest(bad=bad):
                self.assertRegex(client.pop3(b"AUTH PLAIN " + bad), rb"^-ERR")
                self.assertRegex(client.pop3(b"AUTH PLAIN"), rb"^\+ ")
                self.assertRegex(client.pop3(bad), rb"^-ERR")
                self.nothing_came(bad)
                self.assertRegex(client.pop3(b"NOOP"), rb"^\+OK")
        self.assertRegex(client.pop3(b"AUTH PLAIN"), rb"^\+ ")
        self.assertRegex(client.pop3(GOOD), rb"^\+OK")

    def test_others_log_in_meanwhile(self):
        """CVE-2025-59028 (Dovecot: bad base64 in one session ended the log-ins of all the others)."""
        client = self.start("imap", canned.imap())
        other = self.client(self.front.port("l"), tls=True)
        other.line()
        other.send(b"o AUTHENTICATE PLAIN\r\n")
        self.assertTrue(other.line().startswith(b"+"))
        for bad in BAD:
            self.assertRegex(client.imap(b"a AUTHENTICATE PLAIN " + bad)[-1], rb"^a BAD ")
        other.send(GOOD + b"\r\n")
        self.assertRegex(other.imap_answer(b"o")[-1], rb"^o OK")

    def test_lmtp(self):
        """CVE-2025-53859 in LMTP."""
        client = self.start("lmtp", canned.smtp())
        client.smtp(b"LHLO test")
        for bad in BAD:
            with self.subTest(bad=bad):
                self.assertEqual(client.smtp(b"AUTH PLAIN " + bad)[0][:9], b"501 5.5.2")
                self.assertEqual(client.smtp(b"AUTH PLAIN")[0][:3], b"334")
                self.assertEqual(client.smtp(bad)[0][:9], b"501 5.5.2")
                self.nothing_came(bad)
                self.assertEqual(client.smtp(b"NOOP")[0][:3], b"250")
        self.assertEqual(client.smtp(b"AUTH PLAIN")[0][:3], b"334")
        self.assertEqual(client.smtp(GOOD)[0][:3], b"235")


def cram(name, password, challenge):
    return base64.b64encode(name + b" " + hmac.new(password, challenge, "md5").hexdigest().encode())


class ChallengeAgain(Case):
    """CVE-2026-27651 (nginx's mail proxy fell over a CRAM-MD5 or APOP log-in that came a second time, its salt gone):
    fail, fail again, and then be right, all on one connection."""

    def start(self, protocol, script, **listener):
        self.backend = self.scripted(script)
        self.front = self.postern([{"protocol": protocol, "tls": "implicit", "name": "l", "backend": self.backend.address,
                                    **listener}])
        client = self.client(self.front.port("l"), tls=True)
        client.line()
        return client

    def imap_cram(self, connection, line):
        challenge = b"<%d.%d@test>" % (connection.number, len(connection.received))
        connection.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
        good = connection.line() == cram(b"fred", b"secret", challenge)
        connection.send(line.split(b" ")[0] + (b" OK in\r\n" if good else b" NO [AUTHENTICATIONFAILED] no\r\n"))

    def imap_script(self):
        return canned.imap(b"IMAP4rev1 AUTH=CRAM-MD5", AUTHENTICATE=self.imap_cram)

    def imap_try(self, client, password):
        client.send(b"a AUTHENTICATE CRAM-MD5\r\n")
        client.send(cram(b"fred", password, base64.b64decode(client.line()[2:])) + b"\r\n")
        return client.imap_answer(b"a")[-1]

    def test_imap_cram_md5(self):
        """CVE-2026-27651, CRAM-MD5 in IMAP, passed through."""
        client = self.start("imap", self.imap_script())
        for _ in range(2):
            self.assertRegex(self.imap_try(client, b"wrong"), rb"^a NO")
        self.assertRegex(self.imap_try(client, b"secret"), rb"^a OK")

    def test_imap_cram_md5_third_failure_ends_the_session(self):
        """CVE-2026-27651, at the end that limits.auth_failures_per_session sets."""
        client = self.start("imap", self.imap_script(), limits={"auth_failures_per_session": 2})
        self.assertRegex(self.imap_try(client, b"wrong"), rb"^a NO")
        self.assertRegex(self.imap_try(client, b"wrong"), rb"^a NO")
        self.assertRegex(client.rest(), rb"^\* BYE ")

    def test_imap_to_a_backend_of_cram_md5(self):
        """CVE-2026-27651, with Postern as the one that answers the challenge."""
        client = self.start("imap", self.imap_script(), auth={"to_backend": "CRAM-MD5"})
        for _ in range(2):
            self.assertRegex(client.imap(b"a LOGIN fred wrong")[-1], rb"^a NO")
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")

    STAMP = b"<1896.697170952@test>"

    def pop3_script(self):
        def apop(connection, line):
            good = line == b"APOP fred " + hashlib.md5(self.STAMP + b"secret").hexdigest().encode()
            connection.send(b"+OK in\r\n" if good else b"-ERR no\r\n")

        def auth(connection, line):
            challenge = b"<%d@test>" % len(connection.received)
            connection.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
            good = connection.line() == cram(b"fred", b"secret", challenge)
            connection.send(b"+OK in\r\n" if good else b"-ERR no\r\n")
        return canned.pop3(b"+OK ready " + self.STAMP + b"\r\n", b"USER\r\nSASL CRAM-MD5\r\n", APOP=apop, AUTH=auth)

    def test_pop3_apop(self):
        """CVE-2026-27651, APOP passed through."""
        client = self.start("pop3", self.pop3_script())
        for password, answer in ((b"wrong", rb"^-ERR"), (b"wrong", rb"^-ERR"), (b"secret", rb"^\+OK")):
            digest = hashlib.md5(self.STAMP + password).hexdigest().encode()
            self.assertRegex(client.pop3(b"APOP fred " + digest), answer)

    def test_pop3_cram_md5(self):
        """CVE-2026-27651, CRAM-MD5 in POP3, passed through."""
        client = self.start("pop3", self.pop3_script())
        for password, answer in ((b"wrong", rb"^-ERR"), (b"wrong", rb"^-ERR"), (b"secret", rb"^\+OK")):
            challenge = base64.b64decode(client.pop3(b"AUTH CRAM-MD5")[2:])
            self.assertRegex(client.pop3(cram(b"fred", password, challenge)), answer)

    def test_pop3_to_a_backend_of_apop_and_cram_md5(self):
        """CVE-2026-27651, with Postern as the one that answers the challenge; USER/PASS and SASL PLAIN in turn."""
        for mechanism in ("APOP", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                client = self.start("pop3", self.pop3_script(), auth={"to_backend": mechanism})
                client.pop3(b"USER fred")
                self.assertRegex(client.pop3(b"PASS wrong"), rb"^-ERR")
                self.assertRegex(client.pop3(b"AUTH PLAIN AGZyZWQAd3Jvbmc="), rb"^-ERR")
                client.pop3(b"USER fred")
                self.assertRegex(client.pop3(b"PASS secret"), rb"^\+OK")
                self.assertNotIn(b"secret", self.backend.received)

    def test_an_abort_and_a_stale_answer(self):
        """CVE-2026-27651's neighbours: the exchange is cancelled, and its answer comes all the same."""
        client = self.start("imap", self.imap_script())
        client.send(b"a AUTHENTICATE CRAM-MD5\r\n")
        answer = cram(b"fred", b"secret", base64.b64decode(client.line()[2:]))
        client.send(b"*\r\n")
        self.assertRegex(client.imap_answer(b"a")[-1], rb"^a (NO|BAD)")
        client.send(answer + b"\r\n")
        self.assertRegex(client.line(), rb" BAD |^\* BAD ")
        self.assertNotIn(answer, self.backend.received)
        self.assertRegex(self.imap_try(client, b"secret"), rb"^a OK")


class Tags(Case):
    """Tags that a careless server takes for more than a word: format strings (CVE-2005-1523, Mailutils; Newsham, "Format
    String Attacks", 2000), and NUL, which ends a string for one half of a server and not for the other."""

    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.imap())
        self.front = self.postern([{"protocol": "imap", "tls": "implicit", "name": "l", "backend": self.backend.address}])

    def inside(self):
        client = self.client(self.front.port("l"), tls=True)
        client.line()
        return client

    def test_nul(self):
        """CVE-2019-11500 (Dovecot: a NUL in a string): the session ends before the backend sees one."""
        for data in (b"a\0b NOOP\r\n", b"\0 NOOP\r\n", b"a NO\0OP\r\n", b"a LOGIN \"fr\0ed\" secret\r\n",
                     b"a LOGIN {5}\r\nfr\0ed secret\r\n", b"a LOGIN {5+}\r\nfr\0ed secret\r\n"):
            with self.subTest(data=data):
                client = self.inside()
                client.send(data)
                client.socket.settimeout(5)
                seen = client.line()
                if b"{5" in data:  # refused as a log-in; whether the session goes on is not the question
                    self.assertFalse(seen.startswith(b"a OK"), seen)
                else:
                    self.assertIn(b"BYE", seen + client.rest())
                self.assertNotIn(b"\0", self.backend.received)

    def test_format_strings(self):
        """CVE-2005-1523, in tags, names and commands: given back as they are where they are an answer's tag, else not."""
        client = self.inside()
        for tag in (b"%n", b"%n%n%n%n", b"%s%s%s%s%s%s", b"%x.%x", b"%99999999d", b"%1$n"):
            with self.subTest(tag=tag):
                client.send(tag + b" NOOP\r\n")
                seen = client.line()
                self.assertTrue(seen.startswith((tag + b" OK", tag + b" BAD", b"* BAD")), seen)
                self.assertRegex(client.imap(b"a " + tag)[-1], rb"^a BAD [^%]*$")
                self.assertRegex(client.imap(b"a LOGIN \"" + tag + b"\" \"" + tag + b"\"")[-1], rb"^a NO no")
                client = self.inside()
        self.assertRegex(client.imap(b"z LOGIN fred secret")[-1], rb"^z OK")


if __name__ == "__main__":
    main()
