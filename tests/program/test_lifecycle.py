"""Start, reload, renewal, takeover, drain and stop."""
# label: tsan

import os
import signal
import socket
import ssl
import threading
import time

from harness import Case, LineClient, Postern, free_port, main, rules, self_signed, trusting, wait_until

IMAP = rules(b"* OK ready\r\n", {b"LOGIN": b"{tag} OK in\r\n", b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n",
                                 b"NOOP": b"{tag} OK noop\r\n", b"IDLE": b"+ idling\r\n"})


class Lifecycle(Case):
    def config(self, backend=None, **more):
        self.backend = self.backend if backend is None and hasattr(self, "backend") else backend or self.scripted(IMAP)
        return {"tls": {"certificates": [self_signed(self.folder).entry]}, "drain_timeout": "4s",
                "auth": {"mechanisms": {"BASIC": "always"}},
                "listeners": [{"name": "l", "protocol": "imap", "tls": "none", "backend": self.backend.address},
                              {"name": "s", "protocol": "imap", "tls": "implicit", "backend": self.backend.address}],
                **more}

    def test_drain(self):
        postern = self.serve(self.config())
        idle = LineClient(postern.port("l"))
        idle.line()
        fresh = LineClient(postern.port("l"))
        fresh.line()
        idle.imap(b"a LOGIN fred secret")
        idle.send(b"b IDLE\r\n")
        idle.line()
        time.sleep(0.5)
        started = time.monotonic()
        postern.send_signal(signal.SIGTERM)
        self.assertRegex(fresh.rest(), rb"^\* BYE ")
        self.assertLess(time.monotonic() - started, 1.9)
        self.assertEqual(postern.get("/readyz")[0], 503)
        with self.assertRaises(OSError):
            LineClient(postern.port("l"))
        self.assertRegex(idle.rest(), rb"^\* BYE ")
        self.assertGreater(time.monotonic() - started, 1.8)
        self.assertEqual(postern.wait(10), 0)
        self.assertEqual({e["fault"] for e in postern.of("session")}, {"postern"})
        self.assertTrue(postern.of("drain") and postern.of("stop"))

    def test_second_signal(self):
        postern = self.serve(self.config())
        client = LineClient(postern.port("l"))
        client.line()
        client.imap(b"a LOGIN fred secret")
        postern.send_signal(signal.SIGTERM)
        postern.wait_event("drain")
        postern.send_signal(signal.SIGTERM)
        self.assertEqual(postern.wait(5), 1)

    def test_busy_session_is_ended_at_last(self):
        def script(connection):
            IMAP(connection)
        postern = self.serve(self.config())
        client = LineClient(postern.port("l"))
        client.line()
        client.imap(b"a LOGIN fred secret")
        client.send(b"b FETCH 1 BODY[]\r\n")  # never answered
        time.sleep(0.4)
        started = time.monotonic()
        postern.send_signal(signal.SIGTERM)
        client.rest()
        self.assertGreater(time.monotonic() - started, 3.5)
        self.assertEqual(postern.wait(10), 0)

    def test_reload(self):
        config = self.config()
        postern = self.serve(config)
        old = LineClient(postern.port("l"))
        old.line()
        more = {**postern.config, "listeners": postern.config["listeners"][:1] + [
            {"name": "new", "protocol": "imap", "tls": "none", "address": f"127.0.0.1:{free_port()}",
             "backend": self.backend.address}]}
        postern.write(more)
        postern.send_signal(signal.SIGHUP)
        postern.wait_event("listening", listener="new")
        new_port = int(more["listeners"][1]["address"].rsplit(":", 1)[1])
        with LineClient(new_port) as client:
            self.assertEqual(client.line(), b"* OK ready")

        def gone():
            try:
                LineClient(postern.port("s")).close()
            except ConnectionRefusedError:
                return True
        wait_until(gone, 5, "the removed listener to close")
        self.assertEqual(old.imap(b"a NOOP"), [b"a OK noop"])
        postern.write("listeners: nonsense\n")
        postern.send_signal(signal.SIGHUP)
        postern.wait_event("reload", result="error")
        with LineClient(new_port) as client:
            self.assertEqual(client.line(), b"* OK ready")
        self.assertEqual(postern.metrics().value("config_reloads_total", result="error"), 1)
        self.assertEqual(postern.metrics().value("config_reloads_total", result="ok"), 1)

    def test_certificate_renewed_by_swapped_link(self):
        for stem in ("one", "two"):
            os.mkdir(os.path.join(self.folder, stem))
            self_signed(os.path.join(self.folder, stem), stem="c")
        link = os.path.join(self.folder, "live")
        os.symlink("one", link)
        config = self.config()
        config["tls"]["certificates"] = [{"chain": f"{link}/c.chain.pem", "key": f"{link}/c.key.pem"}]
        postern = self.serve(config)

        def served():
            with LineClient(postern.port("s"), trusting()) as client:
                return ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()
        first = served()
        os.symlink("two", link + ".new")
        os.rename(link + ".new", link)
        wait_until(lambda: served() != first, 10, "the new certificate")
        self.assertEqual(served(), open(f"{self.folder}/two/c.chain.pem").read().strip())
        os.unlink(f"{self.folder}/two/c.key.pem")
        self_signed(self.folder, stem="wrong")
        os.rename(f"{self.folder}/wrong.key.pem", f"{self.folder}/two/c.key.pem")
        postern.wait_event("reload", result="error", timeout=12)
        self.assertEqual(served(), open(f"{self.folder}/two/c.chain.pem").read().strip())

    def test_takeover_refuses_nobody(self):
        config = self.config()
        first = self.serve(config)
        port = first.port("l")
        errors, good, stop = [], [], threading.Event()

        def knock():
            while not stop.is_set():
                try:
                    with LineClient(port, timeout=5) as client:
                        if client.line() != b"* OK ready":
                            errors.append("no greeting")
                        good.append(1)
                except OSError as error:
                    errors.append(repr(error))
        threads = [threading.Thread(target=knock) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        second = self.serve({**first.config, "admin": {"address": f"127.0.0.1:{free_port()}"}})
        time.sleep(0.3)
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(15), 0)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertGreater(len(good), 20)
        second.wait_quiet()

    def test_unix_listener(self):
        path = os.path.join(self.folder, "l.sock")
        config = self.config()
        config["listeners"] = [{"name": "u", "protocol": "imap", "tls": "none", "backend": self.backend.address,
                                "address": f"unix:{path}"}]
        postern = self.serve(config)
        with LineClient(path) as client:
            self.assertEqual(client.line(), b"* OK ready")
        postern.send_signal(signal.SIGTERM)
        self.assertEqual(postern.wait(10), 0)
        self.assertFalse(os.path.exists(path))

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = self.config()
            config["listeners"][0]["address"] = f"127.0.0.1:{taken.getsockname()[1]}"
            postern = Postern(config, self.folder, wait=False)
            self.assertEqual(postern.wait(10), 1)
            self.assertRegex(postern.output, r"listeners\[0\]\.address: cannot listen")

    def test_user_is_dropped(self):
        if os.getuid() != 0:
            self.skipTest("needs root")
        os.chmod(self.folder, 0o755)
        config = self.config(user="nobody")
        postern = self.serve(config)
        with open(f"/proc/{postern.pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual(status["Uid"].split()[0], "65534")
        self.assertEqual(status["NoNewPrivs"], "1")
        os.chmod(config["tls"]["certificates"][0]["key"], 0o600)
        postern.send_signal(signal.SIGHUP)
        postern.wait_event("reload", result="ok")
        second = self.serve({**postern.config, "admin": {"address": f"127.0.0.1:{free_port()}"}})
        with LineClient(second.port("l")) as client:
            self.assertEqual(client.line(), b"* OK ready")


if __name__ == "__main__":
    main()
