"""SIGTERM, SIGINT and SIGHUP."""
# label: tsan

import json
import os
import signal
import socket
import time

from harness import Case, Process, canned, can_connect, free_port, main, self_signed, wait_until
from harness.postern import SLOWNESS, program


class Drain(Case):
    def setUp(self):
        super().setUp()
        self.backends = {name: self.scripted(canned.SCRIPTS[name]()) for name in ("imap", "pop3", "smtp")}

    def start(self, drain="6s"):
        return self.postern([{"protocol": name, "tls": "implicit", "backend": self.backends[name].address}
                             for name in self.backends], drain_timeout=drain)

    def open(self, front, protocol):
        client = self.client(front.port(f"{protocol}-implicit"), tls=True)
        client.line()
        return client

    def test_idle_clients_are_told_goodbye(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                front = self.start()
                clients = {name: self.open(front, name) for name in self.backends}
                front.send_signal(number)
                self.assertTrue(clients["imap"].line().startswith(b"* BYE "))
                self.assertTrue(clients["smtp"].line().startswith(b"421 "))
                for client in clients.values():
                    client.rest()
                self.assertEqual(front.wait(5), 0)
                self.assertTrue(front.of("drain") and front.of("stop"))

    def test_no_new_connection_is_taken(self):
        front = self.start()
        client = self.open(front, "imap")
        client.imap(b"a LOGIN fred secret")
        front.send_signal(signal.SIGTERM)
        wait_until(lambda: not can_connect(front.port("imap-implicit")), 2)
        self.assertEqual(front.get("/readyz")[0], 503)
        self.assertEqual(front.get("/healthz")[0], 200)
        self.assertRegex(client.imap(b"b NOOP")[-1], rb"^b OK")
        client.imap(b"c LOGOUT")
        client.rest()
        self.assertEqual(front.wait(3), 0)

    def test_the_logged_in_are_told_in_the_second_half(self):
        front = self.start("4s")
        imap = self.open(front, "imap")
        imap.imap(b"a LOGIN fred secret")
        idle = self.open(front, "imap")
        idle.imap(b"a LOGIN fred secret")
        idle.send(b"i IDLE\r\n")
        self.assertEqual(idle.line(), b"+ idling")
        pop3 = self.open(front, "pop3")
        pop3.pop3(b"USER fred")
        pop3.pop3(b"PASS secret")
        begun = time.monotonic()
        front.send_signal(signal.SIGTERM)
        self.assertTrue(imap.silent(1.5))
        self.assertTrue(imap.line().startswith(b"* BYE "))
        self.assertTrue(idle.line().startswith(b"* BYE "))
        self.assertEqual(pop3.rest(), b"")
        self.assertEqual(front.wait(6 * SLOWNESS), 0)
        self.assertLess(time.monotonic() - begun, 5.5 * SLOWNESS)
        self.assertTrue(front.of("session", fault="postern"))

    def test_a_message_that_has_begun_is_no_idle_client(self):
        front = self.start()
        client = self.open(front, "smtp")
        client.smtp(b"EHLO client.example")
        self.assertTrue(client.smtp(b"MAIL FROM:<fred@example.test>")[0].startswith(b"250"))
        front.send_signal(signal.SIGTERM)
        self.assertTrue(client.silent(1))
        self.assertTrue(client.smtp(b"RCPT TO:<jane@example.test>")[0].startswith(b"250"))
        self.assertTrue(client.smtp(b"DATA")[0].startswith(b"354"))
        self.assertTrue(client.smtp(b"hello\r\n.")[0].startswith(b"250"))
        self.assertTrue(client.line().startswith(b"421 "))
        self.assertEqual(front.wait(3 * SLOWNESS), 0)

    def test_a_second_signal_ends_it_at_once(self):
        front = self.start("60s")
        client = self.open(front, "imap")
        client.imap(b"a LOGIN fred secret")
        front.send_signal(signal.SIGTERM)
        front.wait_event("drain")
        front.send_signal(signal.SIGTERM)
        self.assertEqual(front.wait(3), 1)
        self.assertTrue(front.of("stop"))


class Reload(Case):
    def setUp(self):
        super().setUp()
        self.old, self.new = self.scripted(canned.imap()), self.scripted(canned.imap())

    def test_a_new_backend_and_a_new_listener(self):
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.old.address}])
        kept = self.client(front.port("imap-implicit"), tls=True)
        kept.line()
        config = dict(front.config)
        added = dict(config["listeners"][0], name="added", address=f"127.0.0.1:{free_port()}")
        config["listeners"] = [dict(config["listeners"][0], backend=self.new.address), added]
        front.write(config)
        front.send_signal(signal.SIGHUP)
        front.wait_metric("config_reloads_total", 1, result="ok")
        fresh = self.client(front.port("imap-implicit"), tls=True)
        fresh.line()
        fresh.imap(b"fresh NOOP")
        self.assertIn(b"fresh NOOP", self.new.received)
        self.assertRegex(kept.imap(b"kept NOOP")[-1], rb"^kept OK")
        self.assertIn(b"kept NOOP", self.old.received)
        other = self.client(int(added["address"].split(":")[1]), tls=True)
        self.assertTrue(other.line().startswith(b"* OK"))

    def test_a_listener_that_went(self):
        front = self.postern([{"protocol": "imap", "name": name, "tls": "implicit", "backend": self.old.address}
                              for name in ("stays", "goes")])
        client = self.client(front.port("goes"), tls=True)
        client.line()
        config = dict(front.config, listeners=[front.listeners["stays"]])
        front.write(config)
        front.send_signal(signal.SIGHUP)
        wait_until(lambda: not can_connect(front.port("goes")), 5)
        self.assertRegex(client.imap(b"a NOOP")[-1], rb"^a OK")
        self.assertTrue(can_connect(front.port("stays")))

    def test_a_bad_configuration_changes_nothing(self):
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.old.address}])
        front.write("listeners: nonsense\n")
        front.send_signal(signal.SIGHUP)
        front.wait_metric("config_reloads_total", 1, result="error")
        wait_until(lambda: [event for event in front.events if event["level"] == "error"], 5, "an error in the log")
        client = self.client(front.port("imap-implicit"), tls=True)
        self.assertTrue(client.line().startswith(b"* OK"))

    def test_asked_for_while_it_starts(self):
        pipe, admin, port = self.path("pipe.yaml"), f"127.0.0.1:{free_port()}", free_port()
        os.mkfifo(pipe)
        config = json.dumps({
            "admin": {"address": admin}, "tls": {"certificates": [self.certificate.entry]},
            "listeners": [{"protocol": "imap", "address": f"127.0.0.1:{port}", "backend": self.old.address}]})

        def write(front, before=lambda: None):
            def opened():  # once it is being read
                self.assertTrue(front.running(), front.output)
                try:
                    return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:
                    return None
            with open(wait_until(opened, 10 * SLOWNESS), "w") as file:
                before()
                file.write(config)
        front = self.own(Process([program(), "run", "-c", pipe]))
        write(front, lambda: front.send_signal(signal.SIGHUP))
        front.wait_line('"event":"listening"')
        write(front)
        front.wait_line('"reload","result":"ok"')

    def test_ports_in_use_are_named_at_their_place(self):
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.old.address}])
        with socket.socket() as one, socket.socket() as two:
            added = []
            for taken in (one, two):
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = f"127.0.0.1:{taken.getsockname()[1]}"
                added.append(dict(front.config["listeners"][0], name=address, address=address))
            front.write(dict(front.config, listeners=front.config["listeners"] + added))
            front.send_signal(signal.SIGHUP)
            front.wait_event("reload", count=2, level="error")
        for number, event in enumerate(front.of("reload", level="error"), 1):
            self.assertRegex(event["error"], rf"postern\.yaml:\d+:\d+: listeners\[{number}\]\.address: cannot listen")
        front.wait_metric("config_reloads_total", 1, result="error")

    def test_a_renewed_certificate_is_taken_without_a_signal(self):
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": self.old.address}])
        before = self.shown(front)
        renewed = self_signed(self.folder, ["localhost"], "renewed")
        for have, name in ((self.certificate.key, renewed.key), (self.certificate.chain, renewed.chain)):
            os.rename(name, have)
        wait_until(lambda: self.shown(front) != before, 15, "the new certificate to be shown")

    def shown(self, front):
        with self.client(front.port("imap-implicit"), tls=True) as client:
            return client.socket.getpeercert(binary_form=True)


if __name__ == "__main__":
    main()
