"""What a user who has logged in, or a server behind him, can run up (CWE-400, CWE-770): lines and literals without end, and
a peer that does not take them. Postern holds no more of it than `limits.buffer` and what sockets hold."""
# label: plain

import re
import select
import threading
import time

from harness import Case, canned, main

MIB = 1024 * 1024
FLOOD = 64 * MIB
LOGIN = {"imap": (b"a LOGIN fred secret",), "pop3": (b"USER fred", b"PASS secret"),
         "smtp": (b"EHLO test", b"AUTH PLAIN AGZyZWQAc2VjcmV0")}
SIZES = (2**31, 2**32 - 1, 2**32, 2**32 + 4, 2**63 - 1, 2**64, 2**64 + 4, 10**40)


def takes_all(connection, line):
    """Agrees to whatever it is, and reads on for ever."""
    connection.send(b"+ go on\r\n")
    swallow(connection)


def swallow(connection):
    total = 0
    while data := connection.socket.recv(1 << 20):
        total += len(data)
        connection.swallowed = total
    return False


def takes_none(connection, line):
    """Agrees and reads nothing more, until it is told."""
    connection.send(b"+ go on\r\n")
    connection.held.wait(60)
    return False


class AfterLogin(Case):
    def front_of(self, protocol, script, **settings):
        def with_event(connection):
            connection.held, connection.swallowed = threading.Event(), 0
            script(connection)
        self.protocol, self.backend = protocol, self.scripted(with_event)
        self.front = self.postern([{"protocol": protocol, "tls": "implicit", "name": "l", "backend": "b"}],
                                  backends={"b": {"servers": [self.backend.address], **settings}})
        self.front.wait_ready()
        self.inside().close()  # what is made once is there
        self.front.wait_quiet()
        self.before = self.memory()

    def inside(self):
        client = self.client(self.front.port("l"), tls=True)
        client.line()
        for line in LOGIN[self.protocol]:
            client.send(line + b"\r\n")
            answer = client.line()
            while answer.startswith(b"250-"):
                answer = client.line()
            self.assertRegex(answer, rb"^(a OK|\+OK|250|235)")
        return client

    def memory(self):
        return self.front.memory_kib("RssAnon") * 1024

    def check_flat(self):
        self.assertLess(self.memory() - self.before, 2 * MIB)

    def flood(self, client, data=b"x" * 65536):
        """All of FLOOD, while memory stays where it is."""
        for _ in range(FLOOD // len(data)):
            client.send(data)
        self.check_flat()

    def push(self, client, data=b"x" * 65536):
        """As much as goes, against a peer that reads nothing. Returns how much that was."""
        client.socket.setblocking(False)
        sent, quiet_since = 0, time.monotonic()
        while time.monotonic() < quiet_since + 1 and sent < FLOOD:
            try:
                sent += client.socket.send(data)
                quiet_since = time.monotonic()
            except OSError:  # full
                select.select([], [client.socket], [], 0.1)
        client.socket.settimeout(15)
        self.check_flat()
        return sent

    def connection(self):
        return self.backend.connections[-1]

    # From the client.

    def test_literals_of_2_to_the_32_and_64(self):
        self.front_of("imap", canned.imap(b"IMAP4rev1 LITERAL+ UNAUTHENTICATE AUTH=PLAIN", APPEND=takes_all))
        for size in SIZES:
            for plus in (b"", b"+"):
                with self.subTest(size=size, plus=plus):
                    client = self.inside()
                    client.send(b"b APPEND x {%d%s}\r\n" % (size, plus))
                    self.assertTrue(client.line().startswith(b"+"))
                    for _ in range(4 * MIB // 65536):
                        client.send(b"x" * 65536)
                    self.check_flat()
                    client.close()

    def test_no_literal_hides_a_command_from_a_server_that_counts_in_32_or_64_bits(self):
        """CWE-190: the literal of 2^32 + 4 is one of 4 bytes to it, and UNAUTHENTICATE a command."""
        self.front_of("imap", canned.imap(b"IMAP4rev1 LITERAL+ UNAUTHENTICATE AUTH=PLAIN"))
        for size in (2**32 + 4, 2**64 + 4):
            with self.subTest(size=size):
                client = self.inside()
                client.send(b"b APPEND x {%d+}\r\nabcd\r\nc UNAUTHENTICATE\r\nz NOOP\r\n" % size)
                client.imap_answer(b"z")
                self.assertNotRegex(self.backend.received, re.compile(rb"UNAUTHENTICATE\r\n", re.IGNORECASE))

    def test_a_line_without_end(self):
        for protocol, script, begin in (
                ("imap", canned.imap(SEARCH=takes_all), b"b SEARCH \r\nc SEARCH "),
                ("pop3", canned.pop3(RETR=takes_all), b"RETR 1\r\nRETR ")):
            with self.subTest(protocol=protocol):
                self.front_of(protocol, script)
                client = self.inside()
                client.send(begin)
                self.assertTrue(client.line().startswith(b"+"))
                self.flood(client)

    def test_a_line_without_end_in_smtp(self):
        """Commands are bounded there always; message data is not, and not held."""
        self.front_of("smtp", canned.smtp(DATA=lambda connection, _: connection.send(b"354 go on\r\n") or
                                          swallow(connection)))
        client = self.inside()
        client.send(b"NOOP " + b"x" * 20_000)
        self.assertRegex(client.rest(), rb"^(500|421) ")
        client = self.inside()
        client.smtp(b"MAIL FROM:<a@b.test>")
        client.smtp(b"RCPT TO:<c@d.test>")
        self.assertRegex(client.smtp(b"DATA")[-1], rb"^354")
        self.flood(client)
        self.flood(client, b"\n." * 32768)

    def test_a_server_that_reads_nothing(self):
        self.front_of("imap", canned.imap(b"IMAP4rev1 LITERAL+ AUTH=PLAIN", SEARCH=takes_none))
        for begin in (b"b SEARCH \r\nc SEARCH ", b"b SEARCH \r\nc APPEND x {4294967295+}\r\n"):
            with self.subTest(begin=begin):
                client = self.inside()
                client.send(begin)
                self.assertTrue(client.line().startswith(b"+"))
                self.assertLess(self.push(client), FLOOD)
                self.connection().held.set()
                client.close()

    def test_commands_that_nobody_answers(self):
        """A hundred thousand, pipelined; with `pipelining: false` they wait, bounded."""
        for pipelining in (True, False):
            with self.subTest(pipelining=pipelining):
                self.front_of("imap", canned.imap(SEARCH=takes_none), pipelining=pipelining)
                client = self.inside()
                client.send(b"b SEARCH x\r\n")
                self.assertTrue(client.line().startswith(b"+"))
                self.assertLess(self.push(client, b"n NOOP\r\n" * 8192), FLOOD)
                self.connection().held.set()

    # From the server.

    def test_a_server_whose_line_or_literal_has_no_end(self):
        def endless(begin):
            def script(connection, line):
                connection.send(begin)
                for _ in range(FLOOD // 65536):
                    connection.send(b"y" * 65536)
                return False
            return script
        for protocol, script, command in (
                ("imap", canned.imap(SEARCH=endless(b"* SEARCH ")), b"b SEARCH ALL\r\n"),
                ("imap", canned.imap(SEARCH=endless(b"* 1 FETCH (BODY[] {18446744073709551620}\r\n")), b"b SEARCH 1\r\n"),
                ("pop3", canned.pop3(RETR=endless(b"+OK ")), b"RETR 1\r\n")):
            with self.subTest(command=command):
                self.front_of(protocol, script)
                client = self.inside()
                client.send(command)
                taken, worst = 0, 0
                while data := client.socket.recv(1 << 20):
                    taken += len(data)
                    worst = max(worst, self.memory())
                self.assertGreaterEqual(taken, FLOOD)
                self.assertLess(worst - self.before, 2 * MIB)

    def test_a_client_that_reads_nothing(self):
        def endless(connection, line):
            connection.socket.settimeout(5)
            try:
                while True:
                    connection.swallowed += connection.socket.send(b"y" * 65536)
            except TimeoutError:
                pass
            connection.held.set()
            connection.drain()
            return False
        self.front_of("imap", canned.imap(SEARCH=endless))
        client = self.inside()
        client.send(b"b SEARCH ALL\r\n")
        client.socket.settimeout(60)
        self.front.wait_metric("sessions_active", 1)
        self.assertTrue(self.connection().held.wait(60))
        self.assertLess(self.connection().swallowed, FLOOD)
        self.check_flat()


if __name__ == "__main__":
    main()
