"""What a service manager is told and keeps: the test plays systemd, with a notify socket and a descriptor store of its
own, and starts the program as deploy/systemd/postern.service would."""
# label: tsan

import os
import signal
import threading
import time

from harness import Case, LineClient, Manager, Postern, free_port, main, rules, wait_until

IMAP = rules(b"* OK ready\r\n", {b"LOGIN": b"{tag} OK in\r\n", b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n",
                                 b"NOOP": b"{tag} OK noop\r\n"})


class ServiceManager(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(IMAP)
        self.port = free_port()

    def manager(self, path=None):
        self.manages = manager = Manager(path or self.path("notify"))
        self.addCleanup(manager.close)
        return manager

    def config(self, **more):
        return {"tls": {"certificates": [self.certificate.entry]}, "drain_timeout": "2s", "workers": 2,
                "auth": {"mechanisms": {"BASIC": "always"}},
                "listeners": [{"name": "l", "protocol": "imap", "tls": "none", "address": f"127.0.0.1:{self.port}",
                               "backend": self.backend.address},
                              {"name": "u", "protocol": "imap", "tls": "none", "address": f"unix:{self.path('imap')}",
                               "backend": self.backend.address}], **more}

    def start(self, config, **more):
        folder = self.path(f"unit{time.monotonic_ns()}")
        os.mkdir(folder)
        with self.manages.handing_over() as (launcher, environment, fds):
            return self.own(Postern(config, folder, env={**environment, **more}, launcher=launcher, pass_fds=fds))

    def test_life(self):
        manager = self.manager()
        unit = self.start(self.config())
        manager.wait("READY")
        self.assertEqual(list(manager.messages[-1]), ["READY"])
        unit.send_signal(signal.SIGHUP)
        manager.wait("READY", 2)
        reloading = [i for i, fields in enumerate(manager.messages) if "RELOADING" in fields]
        self.assertEqual(len(reloading), 1)
        said = int(manager.messages[reloading[0]]["MONOTONIC_USEC"])
        self.assertLess(abs(time.monotonic() - said / 1e6), 30)
        self.assertIn("READY", manager.messages[-1])
        unit.send_signal(signal.SIGTERM)
        manager.wait("STOPPING")
        self.assertEqual(unit.wait(20), 0)

    def test_a_bad_file_leaves_it_ready(self):
        manager = self.manager()
        unit = self.start(self.config())
        manager.wait("READY")
        unit.write("listeners: [")
        unit.send_signal(signal.SIGHUP)
        manager.wait("READY", 2)
        self.assertTrue(unit.wait_event("reload", result="error"))

    def test_abstract_socket(self):
        manager = self.manager(f"@postern-test-{os.getpid()}")
        self.start(self.config())
        manager.wait("READY")

    def test_watchdog(self):
        manager = self.manager()
        unit = self.start(self.config(), WATCHDOG_USEC="1000000")
        manager.wait("WATCHDOG", 3)
        unit.send_signal(signal.SIGSTOP)  # a loop that hangs
        time.sleep(0.5)
        before = len(manager.of("WATCHDOG"))
        time.sleep(1.5)
        self.assertEqual(len(manager.of("WATCHDOG")), before)
        unit.send_signal(signal.SIGCONT)
        manager.wait("WATCHDOG", before + 1)

    def test_another_process_watchdog(self):
        manager = self.manager()
        self.start(self.config(), WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        manager.wait("READY")
        time.sleep(1)
        self.assertFalse(manager.of("WATCHDOG"))

    def test_what_is_kept(self):
        manager = self.manager()
        config = self.config()
        unit = self.start(config)
        manager.wait("READY")
        self.assertEqual(sorted(len(fds) for fds in manager.store.values() if fds), [1, 2])
        for name, _ in manager.kept():
            self.assertRegex(name, r"^listen-[A-Za-z0-9._]+$")
        # A listener that goes is forgotten, one that comes is kept.
        other = free_port()
        unit.write({**unit.config, "listeners": [{**unit.config["listeners"][0], "address": f"127.0.0.1:{other}"}]})
        unit.send_signal(signal.SIGHUP)
        manager.wait("READY", 2)
        self.assertEqual([name for name in sorted(manager.store) if manager.store[name]],
                         [f"listen-127.0.0.1_3a{other}"])
        with LineClient(other) as client:
            self.assertEqual(client.line(), b"* OK ready")

    def test_kept_sockets_that_no_listener_wants_are_forgotten(self):
        manager = self.manager()
        first = self.start(self.config())
        manager.wait("READY")
        first.stop()
        config = self.config()
        config["listeners"] = config["listeners"][:1]
        self.start(config)
        manager.wait("READY", 2)
        self.assertEqual([len(fds) for fds in manager.store.values() if fds], [2])

    def test_restart_refuses_nobody(self):
        manager = self.manager()
        unit = self.start(self.config())
        manager.wait("READY")
        old = self.client(self.port)
        self.assertEqual(old.line(), b"* OK ready")
        failures, served, ending = [], [], threading.Event()

        def connect(where):
            while not ending.is_set():
                try:
                    with LineClient(where, timeout=60) as client:
                        greeting = client.line()
                        if greeting != b"* OK ready":
                            raise AssertionError(f"greeted with {greeting!r}")
                    served.append(time.monotonic())
                except (OSError, AssertionError) as error:
                    failures.append(f"{where}: {error!r}")
                time.sleep(0.01)
        threads = [threading.Thread(target=connect, args=(where,)) for where in (self.port, self.port, self.path("imap"))]
        for thread in threads:
            thread.start()
        for count in (2, 3, 4):
            time.sleep(0.3)
            unit.send_signal(signal.SIGTERM)
            self.assertEqual(unit.wait(30), 0)
            time.sleep(0.3)  # clients wait in the queue meanwhile
            unit = self.start(self.config())
            manager.wait("READY", count)
            restarted = time.monotonic()
            wait_until(lambda: served and served[-1] > restarted, 20, "clients of the new one")
        ending.set()
        for thread in threads:
            thread.join(60)
        self.assertRegex(old.rest(), rb"^\* BYE ")
        self.assertEqual(failures, [])
        self.assertEqual(sorted(len(fds) for fds in manager.store.values() if fds), [1, 2])

    def test_both_sockets_serve_after_a_restart(self):
        manager = self.manager()
        self.start(self.config()).stop()
        unit = self.start(self.config())
        manager.wait("READY", 2)
        clients = [self.client(self.port) for _ in range(40)]
        for client in clients:
            self.assertEqual(client.line(), b"* OK ready")
        self.assertEqual(unit.metrics().value("connections_total", listener="l"), 40)

    def test_another_process_sockets_are_left_alone(self):
        self.manager()
        unit = self.start(self.config(), LISTEN_PID="1", LISTEN_FDS="200", LISTEN_FDNAMES="x")
        with LineClient(self.port) as client:
            self.assertEqual(client.line(), b"* OK ready")
        self.assertTrue(unit.running())


class TheUnitFile(Case):
    """What the unit says against what the program does."""

    def test_store_and_times(self):
        lines = []
        with open(os.path.join(os.environ["POSTERN_SOURCE"], "deploy/systemd/postern.service")) as file:
            lines = [line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#")]
        values = {}
        for key, value in lines:
            values.setdefault(key, []).append(value)
        self.assertEqual(values["Type"], ["notify"])
        self.assertEqual(values["Environment"], [f"FDSTORE={values['FileDescriptorStoreMax'][0]}"])
        self.assertIn("prlimit64", values["SystemCallFilter"][-1])  # else 1024 descriptors are all there are
        self.assertIn("seccomp", values["SystemCallFilter"][-1])


if __name__ == "__main__":
    main()
