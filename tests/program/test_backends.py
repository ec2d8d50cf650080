"""The way to the servers: which one, its failures, TLS to it, and its end in mid-session."""
# label: tsan

import os
import signal
import ssl
import time

from harness import Authority, Case, LineClient, free_port, main, rules, self_signed, wait_until

ANSWERS = {b"LOGIN": b"{tag} OK in\r\n", b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n", b"NOOP": b"{tag} OK noop\r\n",
           b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"}


def imap(name):
    return rules(b"* OK " + name + b"\r\n", ANSWERS)


class Backends(Case):
    def start(self, servers, **backend):
        return self.serve({"tls": {"certificates": [self_signed(self.folder).entry]},
                             "auth": {"mechanisms": {"BASIC": "always"}},
                             "backends": {"b": {"servers": servers, **backend}},
                             "listeners": [{"name": "l", "protocol": "imap", "tls": "none", "backend": "b"}]})

    def greeting(self, postern, **options):
        with LineClient(postern.port("l"), **options) as client:
            return client.line()

    def test_no_backend(self):
        postern = self.start([f"127.0.0.1:{free_port()}"])
        self.assertRegex(self.greeting(postern), rb"^\* BYE \[UNAVAILABLE\]")
        wait_until(lambda: postern.get("/readyz")[0] == 503, 20, "not ready")
        self.assertGreaterEqual(postern.metrics().value("backend_failures_total", reason="refused"), 1)

    def test_weights_and_refusals(self):
        one, two = self.scripted(imap(b"one")), self.scripted(imap(b"two"))
        postern = self.start([{"address": one.address, "weight": 3}, two.address, f"127.0.0.1:{free_port()}"],
                             health={"interval": "60s"})
        seen = [self.greeting(postern) for _ in range(20)]
        self.assertNotIn(b"", seen)
        self.assertTrue(all(s in (b"* OK one", b"* OK two") for s in seen), seen)
        self.assertGreater(seen.count(b"* OK one"), seen.count(b"* OK two"))

    def test_least_connections(self):
        one, two = self.scripted(imap(b"one")), self.scripted(imap(b"two"))
        postern = self.start([one.address, two.address], balance="least_connections")
        clients = [LineClient(postern.port("l")) for _ in range(6)]
        seen = [client.line() for client in clients]
        self.assertEqual(seen.count(b"* OK one"), 3)
        for client in clients:
            client.close()

    def test_source(self):
        one, two = self.scripted(imap(b"one")), self.scripted(imap(b"two"))
        postern = self.start([one.address, two.address], balance="source")
        seen = {}
        for host in range(1, 20):
            answers = {self.greeting(postern, source=f"127.0.0.{host}") for _ in range(3)}
            self.assertEqual(len(answers), 1)
            seen[host] = answers.pop()
        self.assertEqual(len(set(seen.values())), 2)

    def test_health_rise_and_fall(self):
        port = free_port()
        postern = self.start([f"127.0.0.1:{port}"], health={"interval": "200ms", "timeout": "1s", "rise": 2, "fall": 2})
        postern.wait_metric("backend_up", 0)
        backend = self.scripted(imap(b"one"), port=port)
        postern.wait_metric("backend_up", 1)
        wait_until(lambda: b"LOGOUT" in backend.received, 5, "a goodbye")
        self.assertEqual(postern.get("/readyz")[0], 200)

    def test_a_name(self):
        backend = self.scripted(imap(b"one"))
        postern = self.start([f"localhost:{backend.port}"])
        wait_until(lambda: self.greeting(postern) == b"* OK one", 10, "a greeting")
        postern = self.start(["does-not-exist.invalid:143"])
        self.assertRegex(self.greeting(postern), rb"^\* BYE \[UNAVAILABLE\]")

    def test_unix_socket(self):
        backend = self.scripted(imap(b"one"), unix=os.path.join(self.folder, "b.sock"))
        self.assertEqual(self.greeting(self.start([backend.address])), b"* OK one")

    def test_ends_in_mid_session(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            line = connection.line()
            connection.send(line.split()[0] + b" OK in\r\n")
            how = connection.line().split()[1]
            if how == b"HALF":
                connection.send(b"* 1 FETCH (BODY[] {100}\r\nabc")
            elif how == b"LINE":
                connection.send(b"* 5 EXISTS\r\n")
        postern = self.start([self.scripted(script).address])
        for command, wanted in ((b"x LINE", rb"^\* 5 EXISTS\r\n\* BYE \[UNAVAILABLE\] [^\n]+\r\n$"),
                                (b"x HALF", rb"^\* 1 FETCH \(BODY\[\] \{100\}\r\nabc$")):
            with LineClient(postern.port("l")) as client:
                client.line()
                client.imap(b"a LOGIN fred secret")
                client.send(command + b"\r\n")
                self.assertRegex(client.rest(), wanted)
        postern.wait_event("session", count=2, fault="backend")

    def test_before_login(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            connection.line()
        postern = self.start([self.scripted(script).address], health={"interval": "60s"})
        with LineClient(postern.port("l")) as client:
            client.line()
            client.send(b"a NOOP\r\n")
            self.assertRegex(client.rest(), rb"^\* BYE ")

    def test_refusing_greeting_and_preauth(self):
        postern = self.start([self.scripted(rules(b"* BYE full\r\n", {})).address])
        self.assertEqual(self.greeting(postern), b"* BYE full")
        postern = self.start([self.scripted(rules(b"* PREAUTH hello\r\n", {})).address])
        self.assertRegex(self.greeting(postern), rb"^\* BYE \[UNAVAILABLE\]|^\* BYE")
        self.assertGreaterEqual(postern.metrics().value("backend_failures_total", reason="greeting"), 1)

    def test_tls_implicit(self):
        authority = Authority(self.folder)
        made = authority.issue(["localhost", "127.0.0.1"], "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.chain, made.key)
        backend = self.scripted(imap(b"one"), context=context)
        postern = self.start([backend.address], tls="implicit", verify={"ca": authority.ca})
        self.assertEqual(self.greeting(postern), b"* OK one")
        postern = self.start([backend.address], tls="implicit", verify={"ca": authority.ca, "name": "other.example"})
        self.assertRegex(self.greeting(postern), rb"^\* BYE \[UNAVAILABLE\]")
        self.assertGreaterEqual(postern.metrics().value("backend_failures_total", reason="tls"), 1)
        postern = self.start([backend.address], tls="implicit")
        self.assertRegex(self.greeting(postern), rb"^\* BYE \[UNAVAILABLE\]")
        postern = self.start([backend.address], tls="implicit", verify="off")
        self.assertEqual(self.greeting(postern), b"* OK one")

    def test_a_reload_keeps_what_is_known_of_a_tls_backend(self):
        authority = Authority(self.folder)
        made = authority.issue(["localhost", "127.0.0.1"], "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.chain, made.key)

        def once(connection):  # who checks it again waits in vain
            if connection.number > 0:
                connection.drain()
            imap(b"one")(connection)
        backend = self.scripted(once, context=context)
        postern = self.start([backend.address], tls="implicit", verify={"ca": authority.ca},
                             health={"interval": "60s", "timeout": "30s"})
        postern.wait_ready()
        postern.send_signal(signal.SIGHUP)
        postern.wait_event("reload", result="ok")
        self.assertEqual(postern.get("/readyz")[0], 200)
        self.assertEqual(len(backend.connections), 1)
        # With other authorities it is to be looked at anew.
        with open(Authority(self.folder, "Other", "other").ca) as other, open(authority.ca, "a") as both:
            both.write(other.read())
        postern.send_signal(signal.SIGHUP)
        postern.wait_event("reload", count=2, result="ok")
        wait_until(lambda: postern.get("/readyz")[0] == 503, 5, "an unchecked backend")

    def test_tls_starttls(self):
        authority = Authority(self.folder)
        made = authority.issue(["localhost", "127.0.0.1"], "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.chain, made.key)

        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1 FROMTHECLEAR] clear\r\n")
            line = connection.line()
            if not line.upper().endswith(b"STARTTLS"):
                return
            connection.send(line.split()[0] + b" OK go\r\n* INJECTED\r\n")
            time.sleep(0.1)
            connection.socket = context.wrap_socket(connection.socket, server_side=True)
            while True:
                line = connection.line()
                connection.send(ANSWERS[line.split()[1].upper()].replace(b"{tag}", line.split()[0]))
        postern = self.start([self.scripted(script).address], tls="starttls", verify={"ca": authority.ca})
        with LineClient(postern.port("l")) as client:
            greeting = client.line()
            self.assertRegex(greeting, rb"^\* OK ")
            self.assertNotIn(b"FROMTHECLEAR", greeting)
            self.assertEqual(client.imap(b"a LOGIN fred secret"), [b"a OK in"])


if __name__ == "__main__":
    main()
