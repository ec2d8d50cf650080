"""Sizes and numbers that a peer controls, run up on purpose: each has a bound, in memory and in time, and is counted."""

import resource
import socket
import ssl
import threading
import time

from harness import Case, LineClient, canned, main, rules

MIB = 1024 * 1024
FREE = {"connections_per_ip": 0, "handshakes_per_ip": 0}  # what stands in the way of many from one address


def client_hello(name):
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


class Exhaustion(Case):
    def front_of(self, protocol, script, **top):
        self.backend = self.scripted(script)
        self.front = self.postern([{"protocol": protocol, "tls": "implicit", "name": "l",
                                    "backend": self.backend.address}], **top)
        return self.front

    def inside(self):
        client = self.client(self.front.port("l"), tls=True)
        client.line()
        return client

    def memory(self):
        return self.front.metrics().value("process_resident_memory_bytes")

    def alive(self):
        client = self.inside()
        self.assertRegex(client.imap(b"z LOGIN fred secret")[-1], rb"^z OK")
        client.close()

    def test_literals_of_2_to_the_32_and_64(self):
        """CWE-190: a literal's size that wraps around where it is held in 32 or 64 bits, and is then a small one to the
        backend and a large one to Postern, or the other way round."""
        self.front_of("imap", canned.imap(b"IMAP4rev1 LITERAL+ AUTH=PLAIN"))
        self.alive()
        before = self.memory()
        sizes = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 4, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 4, 10**40]
        for size in sizes:
            for plus in (b"", b"+"):
                with self.subTest(size=size, plus=plus):
                    client = self.inside()
                    client.send(b"a LOGIN {%d%s}\r\nfred" % (size, plus))
                    seen = client.line()
                    self.assertFalse(seen.startswith(b"+"), seen)
                    self.assertIn(b"BYE", seen + client.rest())
        self.assertNotIn(b"LOGIN {", self.backend.received)
        self.assertGreaterEqual(self.front.metrics().value("protocol_errors_total", reason="literal"), len(sizes))
        self.assertLess(self.memory() - before, 8 * MIB)
        self.alive()

    def test_a_size_that_is_no_number(self):
        """CWE-444: what looks like a literal must not be one for the backend alone, which would take another log-in for
        its bytes."""
        self.front_of("imap", canned.imap())
        for size in (b"-1", b"0x10", b"", b" 4", b"4 ", b"4++", b"+4", b"4294967300000000000000000000000000000-"):
            with self.subTest(size=size):
                client = self.inside()
                client.send(b"a LOGIN {" + size + b"}\r\nb LOGIN fred secret\r\nc LOGOUT\r\n")
                client.rest()
                self.assertNotIn(b"a LOGIN", self.backend.received)
        self.alive()

    def test_fifty_empty_literals(self):
        """CWE-770: a command of many literals costs a round trip and a piece of memory each; 50 times {0} are one refused
        log-in."""
        self.front_of("imap", canned.imap(b"IMAP4rev1 LITERAL+ AUTH=PLAIN"))
        self.alive()
        before = self.memory()
        for literal in (b"{0}", b"{0+}"):
            for begin in (b"a LOGIN ", b"a LOGIN fred ", b"a ID ("):
                with self.subTest(literal=literal, begin=begin):
                    client = self.inside()
                    client.send(begin + (literal + b"\r\n ") * 50 + b"\r\nz LOGOUT\r\n")
                    client.socket.settimeout(5)
                    seen = client.rest()
                    self.assertNotIn(b"a OK in", seen)
                    self.assertLessEqual(len(seen), 4096)
        self.assertLess(self.memory() - before, 4 * MIB)
        self.alive()

    def test_a_megabyte_of_brackets(self):
        """CVE-2026-27857 (Dovecot's proxy took memory for each of them): refused before the log-in, passed on after it, and
        not held in either."""
        self.front_of("imap", canned.imap())
        self.alive()
        before = self.memory()
        for begin in (b"a LOGIN ", b"a ID ", b"", b"a NOOP "):
            with self.subTest(begin=begin):
                client = self.inside()
                try:
                    client.send(begin + b"(" * MIB + b"\r\n")
                except OSError:
                    pass  # the session has ended before all was sent
                client.rest()
                self.assertNotIn(b"((((((((((((((((", self.backend.received)
        self.front.wait_metric("protocol_errors_total", 4, listener="l", reason="line_too_long")
        client = self.inside()
        client.imap(b"a LOGIN fred secret")
        self.assertRegex(client.imap(b"b SEARCH " + b"(" * MIB)[-1], rb"^b OK")
        self.assertLess(self.memory() - before, 4 * MIB)

    def test_brackets_that_nobody_ends(self):
        """CVE-2026-27857 as it was published: NOOP, 4000 brackets, no end of line, and many connections that wait."""
        self.front_of("imap", canned.imap(), limits=FREE)
        quiet = [self.inside() for _ in range(100)]
        before = self.memory()
        for client in quiet:
            client.send(b"a NOOP " + b"(" * 4000 + b")" * 4000)
        time.sleep(0.3)
        self.assertLess((self.memory() - before) / len(quiet), 32 * 1024)
        self.assertNotIn(b"((((", self.backend.received)
        self.alive()
        for client in quiet:
            client.close()

    def test_a_megabyte_of_brackets_from_a_backend(self):
        """CVE-2026-27857 from the other side, in the greeting and in an answer before the log-in."""
        brackets = b"(" * MIB + b"\r\n"
        for script in (rules(b"* OK " + brackets, {}), canned.imap(NOOP=b"* X " + brackets + b"{tag} OK\r\n")):
            self.front_of("imap", script)
            client = self.client(self.front.port("l"), tls=True)
            client.send(b"a NOOP\r\n")
            self.assertLess(len(client.rest()), 65536)
            self.front.wait_metric("protocol_errors_total", lambda count: count >= 1, reason="backend")

    def test_endless_lines_of_a_reply(self):
        """CWE-400: a backend, or who plays it, whose `250-` has no end."""
        sent = []

        def endless(connection, line):
            for _ in range(2000):
                connection.send((b"250-" + b"x" * 60 + b"\r\n") * 100)
                sent.append(1)
        for verb, before_it in ((b"EHLO", b""), (b"NOOP", b"EHLO x\r\n"), (b"MAIL", b"EHLO x\r\n")):
            with self.subTest(verb=verb):
                answers = {verb.decode(): endless}
                self.front_of("smtp", canned.smtp(**answers))
                client = self.inside()
                before = self.memory()
                client.send(before_it + {b"EHLO": b"EHLO x", b"NOOP": b"NOOP", b"MAIL": b"MAIL FROM:<a@b.test>"}[verb] +
                            b"\r\n")
                self.assertLess(len(client.rest()), 200_000)
                self.front.wait_metric("protocol_errors_total", lambda count: count >= 1, reason="backend")
                self.assertLess(self.memory() - before, 4 * MIB)

    def test_ten_thousand_made_up_names(self):
        """CWE-770, names in SNI that nobody has: none is kept, in no cache and no metric."""
        self.front_of("imap", canned.imap(), limits=FREE)
        self.alive()
        hello = client_hello("name-00000.example.test")

        def ask(numbers):
            for number in numbers:
                with socket.create_connection(("127.0.0.1", self.front.port("l")), 10) as client:
                    client.sendall(hello.replace(b"name-00000", b"name-%05d" % number))
                    client.recv(65536)
        ask(range(1000))
        self.front.wait_quiet()
        before, lines = self.memory(), self.front.metrics().text.count("\n")
        threads = [threading.Thread(target=ask, args=(range(1000 + k, 11000, 4),)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.front.wait_quiet()
        after = self.front.metrics()
        self.assertLess(after.value("process_resident_memory_bytes") - before, 3 * MIB)
        self.assertNotIn("name-0", after.text)
        self.assertLess(after.text.count("\n") - lines, 30)
        self.alive()

    def test_a_hello_a_byte_at_a_time(self):
        """Slowloris (Hansen 2009) in TLS: each byte is progress, and the handshake's time runs out all the same."""
        self.front_of("imap", canned.imap(), timeouts={"handshake": "2s"})
        client = self.client(self.front.port("l"))
        begun = time.monotonic()
        for byte in client_hello("localhost"):
            try:
                client.send(bytes([byte]))
                time.sleep(0.05)
            except OSError:
                break
        else:
            self.fail("all of it was taken")
        self.assertLess(time.monotonic() - begun, 8)
        self.front.wait_metric("tls_handshake_failures_total", 1, listener="l", reason="timeout")
        self.alive()

    def test_two_thousand_half_open_handshakes(self):
        """TLS exhaustion (THC-SSL-DOS, 2011; Slowloris): handshakes that nobody ends do not keep others from logging in,
        and cost little."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 5000 if hard == resource.RLIM_INFINITY else min(hard, 5000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.front_of("imap", canned.imap(), limits=FREE, timeouts={"handshake": "60s"})

        def worst_of(count):
            times = []
            for _ in range(count):
                begun = time.monotonic()
                with LineClient(self.front.port("l"), tls=True) as client:
                    client.line()
                    self.assertRegex(client.imap(b"a LOGIN fred secret")[-1], rb"^a OK")
                times.append(time.monotonic() - begun)
            return sorted(times)[int(count * 0.95)]
        idle, before, hello = worst_of(40), self.memory(), client_hello("localhost")
        held = []
        try:
            for number in range(2000):
                held.append(socket.create_connection(("127.0.0.1", self.front.port("l")), 10))
                held[-1].sendall((b"", hello[:1], hello[:-1], hello)[number % 4])
            self.front.wait_metric("connections_total", lambda count: count >= 2040, listener="l")
            busy = worst_of(40)
            self.assertLess(busy, max(2 * idle, 0.5), f"idle {idle}")
            self.assertLess((self.memory() - before) / 2000, 40 * 1024)
        finally:
            for connection in held:
                connection.close()
        self.front.wait_quiet()


if __name__ == "__main__":
    main()
