"""What is slipped in at the change to TLS, on either side of Postern: Wietse Venema's command injection of 2011
(CVE-2011-0411 and its kin), and "Why TLS is better without STARTTLS" (Poddebniak, Ising, Böck, Schinzel, USENIX Security
2021, "NO STARTTLS"), which adds response injection, PREAUTH, and answers that talk a client out of TLS."""

import ssl
import time

from harness import Authority, Case, canned, main, rules

UPGRADE = {"imap": b"s STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n", "lmtp": b"STARTTLS\r\n"}
HARMLESS = {"imap": b"n NOOP\r\n", "pop3": b"CAPA\r\n", "smtp": b"EHLO test\r\n", "lmtp": b"LHLO test\r\n"}
EVIL = {"imap": b"e LOGIN evil evil\r\n", "pop3": b"USER evil\r\nPASS evil\r\n",
        "smtp": b"EHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n",
        "lmtp": b"LHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n"}
GOODBYE = {"imap": rb"^\* BYE \[UNAVAILABLE\] ", "pop3": rb"^-ERR \[SYS/TEMP\] ", "smtp": rb"^421 4\.3\.2 "}


def hello():
    """A ClientHello's bytes."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


class CommandInjection(Case):
    """CVE-2011-0411 and NO STARTTLS, 4.1: bytes in the clear behind the command, that TLS would make trustworthy."""

    def setUp(self):
        super().setUp()
        self.backends = {name: self.scripted(canned.SCRIPTS[name]()) for name in UPGRADE}
        self.front = self.postern([{"protocol": name, "tls": "starttls", "name": name, "backend": backend.address}
                                   for name, backend in self.backends.items()])

    def inject(self, protocol, data, before=b""):
        """Sends `data` in one piece; what came in the clear from then on, and the end has to follow."""
        counted = self.front.metrics().value("starttls_injections_total", listener=protocol)
        client = self.client(self.front.port(protocol))
        client.line()
        client.send(before + data)
        seen = client.rest()
        self.front.wait_metric("starttls_injections_total", counted + 1, listener=protocol)
        self.assertNotIn(b"evil", self.backends[protocol].received)
        return seen

    def test_commands_in_the_same_packet(self):
        """CVE-2011-0411 (Postfix), CVE-2011-1575 (Pure-FTPd), CVE-2021-33515 (Dovecot)."""
        for protocol in UPGRADE:
            with self.subTest(protocol=protocol):
                self.assertEqual(self.inject(protocol, UPGRADE[protocol] + EVIL[protocol]), b"")

    def test_the_commands_before_are_answered_and_the_upgrade_is_not(self):
        """CVE-2011-0411, with a pipeline in front of the command."""
        answers = {"imap": rb"^(\* .*\r\n)*n OK [^\r]*\r\n$", "pop3": rb"(?s)^\+OK.*\r\n\.\r\n$",
                   "smtp": rb"^(250-.*\r\n)*250 [^\r]*\r\n$", "lmtp": rb"^(250-.*\r\n)*250 [^\r]*\r\n$"}
        for protocol in UPGRADE:
            with self.subTest(protocol=protocol):
                seen = self.inject(protocol, UPGRADE[protocol] + EVIL[protocol], HARMLESS[protocol])
                self.assertRegex(seen, answers[protocol])

    def test_a_single_byte_a_bare_lf_and_half_a_command(self):
        """CVE-2011-0411: what is injected need not be whole; the rest would come from the victim, in TLS."""
        for protocol in UPGRADE:
            for data in (UPGRADE[protocol] + b"\n", UPGRADE[protocol][:-2] + b"\n" + EVIL[protocol],
                         UPGRADE[protocol] + EVIL[protocol][:-2], UPGRADE[protocol] * 2):
                with self.subTest(protocol=protocol, data=data):
                    self.assertEqual(self.inject(protocol, data), b"")

    def test_a_handshake_that_does_not_wait_is_none(self):
        """NO STARTTLS: even a ClientHello is bytes in the clear as long as the command has no answer."""
        for protocol in UPGRADE:
            with self.subTest(protocol=protocol):
                self.assertEqual(self.inject(protocol, UPGRADE[protocol] + hello()), b"")

    def test_the_next_client_gets_its_upgrade(self):
        """CVE-2011-0411: the end is that of the session alone."""
        self.inject("imap", UPGRADE["imap"] + EVIL["imap"])
        client = self.client(self.front.port("imap"))
        client.line()
        self.assertRegex(client.imap(b"s STARTTLS")[-1], rb"^s OK")
        client.start_tls()
        self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")


class ResponseInjection(Case):
    """NO STARTTLS, 4.2 to 4.4, where Postern is the client that is attacked: on its way to the backend."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        made = self.authority.issue(["localhost", "127.0.0.1"], "backend")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(made.chain, made.key)

    def front(self, protocol, script, **more):
        self.backend = self.scripted(script)
        return self.postern(
            [{"protocol": protocol, "tls": "implicit", "name": "l", "backend": "b", **more}],
            backends={"b": {"servers": [self.backend.address], "tls": "starttls", "verify": {"ca": self.authority.ca}}})

    def upgrading(self, greeting, agreed, inside, before_tls=b""):
        """A backend that sends `before_tls` in one piece with its consent `agreed`, and answers by `inside` in TLS."""
        def script(connection):
            connection.send(greeting)
            while True:
                line = connection.line()
                words = line.upper().split(b" ")
                if words[-1] in (b"STARTTLS", b"STLS"):
                    break
                connection.send(b"250-x\r\n250 STARTTLS\r\n" if words[0] == b"EHLO" else
                                b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + words[0] + b" OK x\r\n")
            connection.send(agreed.replace(b"{tag}", line.split(b" ")[0]) + before_tls)
            time.sleep(0.05)
            connection.socket = self.context.wrap_socket(connection.socket, server_side=True)
            while True:
                line = connection.line()
                words = line.split(b" ")
                verb = next((word.upper() for word in words[:2] if word.upper() in inside), None)
                connection.send(inside.get(verb, b"-ERR no\r\n").replace(b"{tag}", words[0]))
        return script

    def test_imap_answers_in_front_of_tls(self):
        """NO STARTTLS, 4.2 (CVE-2020-14954 mutt): untagged answers and a forged verdict, sent in the clear to be read in
        TLS."""
        injected = b"* CAPABILITY IMAP4rev1 AUTH=INJECTED\r\n* 1 EXISTS\r\na OK [ALERT] injected\r\n"
        script = self.upgrading(b"* OK clear\r\n", b"{tag} OK go\r\n",
                                {b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK x\r\n",
                                 b"LOGIN": b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"}, injected)
        self.nothing_injected("imap", script, b"a LOGIN fred wrong\r\n", b"a NO [AUTHENTICATIONFAILED]")

    def test_pop3_answers_in_front_of_tls(self):
        """NO STARTTLS, 4.2, in POP3."""
        script = self.upgrading(b"+OK clear\r\n", b"+OK go\r\n", {b"USER": b"+OK\r\n", b"PASS": b"-ERR wrong\r\n"},
                                b"+OK injected\r\n+OK injected\r\n")
        self.nothing_injected("pop3", script, b"USER fred\r\nPASS wrong\r\n", b"-ERR wrong")

    def test_smtp_answers_in_front_of_tls(self):
        """NO STARTTLS, 4.2 (CVE-2021-38371 Exim), in SMTP."""
        script = self.upgrading(b"220 clear\r\n", b"220 go\r\n",
                                {b"EHLO": b"250-x\r\n250 AUTH PLAIN\r\n", b"AUTH": b"535 5.7.8 wrong\r\n"},
                                b"250-injected\r\n250 AUTH INJECTED\r\n235 injected\r\n")
        self.nothing_injected("smtp", script, b"EHLO test\r\nAUTH PLAIN AGZyZWQAd3Jvbmc=\r\n", b"535 5.7.8")

    def nothing_injected(self, protocol, script, commands, verdict):
        """Either the forged bytes were dropped and the backend's true verdict comes, or the session was refused."""
        front = self.front(protocol, script)
        client = self.client(front.port("l"), tls=True)
        seen = client.line() + b"\r\n"
        client.send(commands)
        while verdict not in seen and (line := client.line()):
            seen += line + b"\r\n"
        self.assertNotIn(b"injected", seen.lower())
        self.assertRegex(seen, rb"(?s)" + verdict.replace(b"[", rb"\[") + rb"|" + GOODBYE[protocol])

    def test_preauth_in_front_of_tls(self):
        """NO STARTTLS, 4.3 (CVE-2020-12398 Thunderbird, CVE-2020-14093 mutt): PREAUTH forbids STARTTLS, and a client
        that goes on hands its mail to the attacker."""
        front = self.front("imap", rules(b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n", {}, b"{tag} OK x\r\n"))
        client = self.client(front.port("l"), tls=True)
        client.send(b"a LOGIN fred secret\r\nb APPEND Sent {6+}\r\nsecret\r\n")
        self.assertRegex(client.rest(), GOODBYE["imap"])
        front.wait_metric("backend_failures_total", lambda count: count >= 1, reason="greeting")
        self.assertNotIn(b"secret", self.backend.received)

    def test_a_backend_that_denies_starttls(self):
        """NO STARTTLS, 4.4 (stripping): no answer makes Postern speak to such a backend in the clear."""
        denials = {"imap": (b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n", b"{tag} NO x\r\n", b"a LOGIN fred secret"),
                   "pop3": (b"+OK x\r\n", b"-ERR x\r\n", b"USER fred\r\nPASS secret"),
                   "smtp": (b"220 x\r\n", b"502 x\r\n", b"AUTH PLAIN AGZyZWQAc2VjcmV0")}
        for protocol, (greeting, no, command) in denials.items():
            with self.subTest(protocol=protocol):
                front = self.front(protocol, rules(greeting, {b"EHLO": b"250-x\r\n250 AUTH PLAIN\r\n"}, no))
                client = self.client(front.port("l"), tls=True)
                client.send(command + b"\r\n")
                self.assertRegex(client.rest(), GOODBYE[protocol])
                self.assertNotIn(b"secret", self.backend.received)
                self.assertNotIn(b"AGZyZWQAc2VjcmV0", self.backend.received)

    def test_a_certificate_of_somebody_else(self):
        """NO STARTTLS, 5: an upgrade to the attacker's own TLS."""
        script = self.upgrading(b"+OK clear\r\n", b"+OK go\r\n", {b"USER": b"+OK\r\n", b"PASS": b"+OK\r\n"})
        self.authority = Authority(self.folder, "Other", "other")
        front = self.front("pop3", script)
        client = self.client(front.port("l"), tls=True)
        client.send(b"USER fred\r\nPASS secret\r\n")
        self.assertRegex(client.rest(), GOODBYE["pop3"])
        front.wait_metric("backend_failures_total", lambda count: count >= 1, reason="tls")
        self.assertNotIn(b"secret", self.backend.received)


if __name__ == "__main__":
    main()
