"""Every name of the contract is there, nothing else is, and what is counted is right."""
# label: tsan

import re

from harness import Case, canned, main

NAMES = """build_info connections_total connections_rejected_total sessions_active session_duration_seconds
tls_handshakes_total tls_handshake_failures_total tls_handshake_seconds tls_certificate_expiry_timestamp_seconds
starttls_injections_total auth_total auth_rewrites_total commands_blocked_total protocol_errors_total bytes_total
backend_up backend_connections_active backend_connect_seconds backend_failures_total config_reloads_total
config_last_reload_timestamp_seconds event_loop_lag_seconds""".split()


class Metrics(Case):
    def setUp(self):
        super().setUp()
        self.backends = {name: self.scripted(canned.SCRIPTS[name]()) for name in ("imap", "pop3", "smtp")}
        self.front = self.postern([{"protocol": name, "tls": mode, "backend": self.backends[name].address}
                                   for name in self.backends for mode in ("implicit", "starttls")])
        self.front.wait_ready()

    def imap(self, listener="imap-implicit"):
        client = self.client(self.front.port(listener), tls=listener.endswith("implicit") or None)
        client.line()
        return client

    def use(self):
        client = self.imap()
        client.imap(b"a LOGIN fred wrong")
        client.imap(b"b LOGIN fred secret")
        client.imap(b"c NOOP")
        client.close()
        client = self.imap("imap-starttls")
        client.imap(b"a LOGIN fred secret")
        client.imap(b"b AUTHENTICATE CRAM-MD5")
        client.imap(b"c AUTHENTICATE " + b"MADE-UP-%d" % 7)
        client.close()
        client = self.client(self.front.port("smtp-implicit"), tls=True)
        client.smtp_reply()
        for command in (b"EHLO x", b"VRFY fred", b"X-EXPS NTLM", b"NOOP"):
            client.smtp(command)
        client.close()
        self.front.wait_quiet()

    def test_names(self):
        self.use()
        metrics = self.front.metrics()
        shown = set(metrics.types)
        # A family whose every sample would be zero need not be shown; all others have to be.
        maybe = {"postern_auth_rewrites_total", "postern_backend_failures_total", "postern_config_last_reload_timestamp_seconds",
                 "postern_protocol_errors_total", "postern_tls_handshake_failures_total"}
        wanted = {"postern_" + name for name in NAMES}
        self.assertEqual(wanted - shown - maybe, set())
        self.assertEqual({name for name in shown if not name.startswith("process_")} - wanted, set())
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                     "process_start_time_seconds", "process_virtual_memory_bytes"):
            self.assertIn(name, shown)
        for name, kind in metrics.types.items():
            if name.startswith("postern_"):
                wanted_kind = "counter" if name.endswith("_total") else \
                    "histogram" if re.search(r"(duration|handshake|connect|lag)_seconds$", name) else "gauge"
                self.assertEqual(kind, wanted_kind, name)

    def test_counts(self):
        self.use()
        metrics = self.front.metrics()
        for name, labels, wanted in (
                ("connections_total", {"listener": "imap-implicit"}, 1),
                ("connections_total", {"listener": "imap-starttls"}, 1),
                ("connections_total", {"listener": "pop3-implicit"}, 0),
                ("sessions_active", {}, 0),
                ("session_duration_seconds_count", {"listener": "imap-implicit"}, 1),
                ("tls_handshakes_total", {"listener": "imap-implicit", "version": "1.3", "resumed": "no"}, 1),
                ("tls_handshake_seconds_count", {"listener": "imap-implicit"}, 1),
                ("auth_total", {"listener": "imap-implicit", "mechanism": "BASIC", "channel": "tls",
                                "result": "accepted"}, 1),
                ("auth_total", {"listener": "imap-implicit", "mechanism": "BASIC", "channel": "tls",
                                "result": "rejected"}, 1),
                ("auth_total", {"listener": "imap-starttls", "mechanism": "BASIC", "channel": "clear",
                                "result": "blocked"}, 1),
                ("auth_total", {"listener": "imap-starttls", "mechanism": "CRAM-MD5", "result": "blocked"}, 1),
                ("auth_total", {"listener": "imap-starttls", "mechanism": "other", "result": "blocked"}, 1),
                ("commands_blocked_total", {"listener": "smtp-implicit", "reason": "denied"}, 1),
                ("commands_blocked_total", {"listener": "smtp-implicit", "reason": "unknown"}, 1),
                ("backend_up", {}, 3),
                ("backend_connections_active", {}, 0),
                ("tls_certificate_expiry_timestamp_seconds", {}, None),
                ("build_info", {}, 1)):
            with self.subTest(name=name, labels=labels):
                if wanted is None:
                    self.assertGreater(metrics.value(name, **labels), 1.7e9)
                else:
                    self.assertEqual(metrics.value(name, **labels), wanted)

    def test_bytes_are_those_inside_tls(self):
        backend = self.backends["pop3"]
        client = self.client(self.front.port("pop3-implicit"), tls=True)
        got = client.line() + b"\r\n"
        sent = b"USER fred\r\nPASS secret\r\nSTAT\r\nQUIT\r\n"
        client.send(sent)
        got += client.rest()
        self.front.wait_quiet()
        metrics = self.front.metrics()
        listener = {"listener": "pop3-implicit"}
        self.assertEqual(metrics.value("bytes_total", side="client", direction="in", **listener), len(sent))
        self.assertEqual(metrics.value("bytes_total", side="client", direction="out", **listener), len(got))
        self.assertEqual(metrics.value("bytes_total", side="backend", direction="out", **listener), len(sent))
        self.assertIn(sent, backend.received)
        session = self.front.wait_event("session", listener="pop3-implicit")
        self.assertEqual((session["bytes_in"], session["bytes_out"]), (len(sent), len(got)))

    def test_no_client_makes_a_label(self):
        client = self.imap("imap-starttls")
        for number in range(50):
            client.imap(b"a%d AUTHENTICATE FANCY-%d" % (number, number))
        metrics = self.front.metrics()
        self.assertEqual({labels["mechanism"] for labels in metrics.labels("postern_auth_total")
                          if "FANCY" in labels["mechanism"]}, set())
        self.assertNotIn("FANCY", metrics.text)

    def test_the_admin_pages(self):
        self.assertEqual(self.front.get("/healthz")[0], 200)
        self.assertEqual(self.front.get("/readyz")[0], 200)
        self.assertEqual(self.front.get("/status.json")[0], 200)
        self.assertEqual(self.front.get("/")[0], 200)
        self.assertEqual(self.front.get("/nothing")[0], 404)


if __name__ == "__main__":
    main()
