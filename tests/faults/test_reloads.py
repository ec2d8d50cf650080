"""Thirty reloads, each of another configuration, while 500 sessions work and 100 new ones log in each second: nobody
notices."""
# serial
# timeout: 600

import asyncio
import signal
import time

from harness import Case, free_port, main, self_signed, trusting
from harness.logins import steadily
from harness.postern import SLOWNESS

RELOADS = 30
SESSIONS = 500 // SLOWNESS
RATE = 100 // SLOWNESS


class Worker:
    """A session that stays: logged in, with a command every two seconds, and what went wrong with it."""

    def __init__(self, number, protocol, port):
        self.number, self.protocol, self.port = number, protocol, port
        self.commands, self.error = 0, ""

    async def run(self, context, ready, stop):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
            await reader.readline()
            for line in {"imap": (b"a LOGIN fred secret",), "pop3": (b"USER fred", b"PASS secret"),
                         "smtp": (b"HELO test",)}[self.protocol]:
                await self.say(reader, writer, line)
            ready.release()
            await asyncio.sleep(2 * self.number / SESSIONS)
            while not stop.is_set():
                await self.say(reader, writer, b"a NOOP" if self.protocol == "imap" else b"NOOP")
                await asyncio.sleep(2)
            writer.transport.abort()
        except Exception as error:
            self.error = repr(error)
            ready.release()

    async def say(self, reader, writer, line):
        writer.write(line + b"\r\n")
        answer = await asyncio.wait_for(reader.readline(), 60)
        assert answer.startswith((b"a OK", b"+OK", b"250")), answer
        self.commands += 1


class Reloads(Case):
    def setUp(self):
        super().setUp()
        self.servers = [self.legacy(options=("--accept-any",)) for _ in range(2)]
        self.certificates = [self_signed(self.folder, stem=f"c{number}").entry for number in range(2)]
        self.front = self.serve(self.configuration(0))

    def configuration(self, beat):
        """Another certificate each time, listeners and servers that come and go, other limits."""
        config = {
            "tls": {"certificates": self.certificates[beat % 2:] + self.certificates[:beat % 2]},
            "limits": {"connections_per_ip": 0, "handshakes_per_ip": 0, "buffer": (65536, 131072)[beat % 2]},
            "listeners": [], "backends": {}}
        for protocol in ("imap", "pop3", "smtp"):
            servers = [server.address[protocol] for server in self.servers]
            config["backends"][protocol] = {"servers": (servers, servers[:1], servers[1:])[beat % 3]}
            config["listeners"].append({"name": protocol, "protocol": protocol, "tls": "implicit", "backend": protocol})
        if beat:
            config["admin"] = self.front.config["admin"]
            for listener in config["listeners"]:
                listener["address"] = self.front.listeners[listener["name"]]["address"]
        if beat % 2:
            config["listeners"].append({"name": f"extra{beat}", "protocol": "imap", "tls": "starttls", "backend": "imap",
                                        "address": f"127.0.0.1:{free_port()}"})
        return config

    def reload(self, beat):
        self.front.write(self.configuration(beat))
        self.front.send_signal(signal.SIGHUP)
        self.front.wait_event("reload", count=beat, timeout=30)

    async def work(self):
        context, stop, ready = trusting(), asyncio.Event(), asyncio.Semaphore(0)
        ports = [(protocol, self.front.port(protocol)) for protocol in ("imap", "pop3", "smtp")]
        workers = [Worker(number, *ports[number % 3]) for number in range(SESSIONS)]
        tasks = []
        for worker in workers:
            tasks.append(asyncio.create_task(worker.run(context, ready, stop)))
            if len(tasks) % 20 == 0:
                await asyncio.sleep(0.05)
        for _ in workers:
            await ready.acquire()
        beats = [(beat, lambda beat=beat: self.reload(beat)) for beat in range(1, RELOADS + 1)]
        begun = time.monotonic()
        log_ins = await steadily(RATE, RELOADS + 2, ports, timeout=60, at=beats)
        print(f"\n{len(log_ins)} log-ins and {sum(worker.commands for worker in workers)} commands of {SESSIONS} sessions "
              f"within {time.monotonic() - begun:.0f} s", flush=True)
        stop.set()
        await asyncio.gather(*tasks)
        return workers, log_ins

    def test_nobody_notices(self):
        workers, log_ins = asyncio.run(self.work())
        self.assertEqual([vars(one) for one in log_ins if one.error][:3], [])
        self.assertEqual([vars(one) for one in workers if one.error][:3], [])
        self.assertGreater(min(worker.commands for worker in workers), 5)
        self.assertEqual(len(self.front.of("reload", result="ok")), RELOADS)
        self.assertEqual(self.front.metrics().value("config_reloads_total", result="error"), 0)
        self.front.wait_quiet(30)
        self.assertEqual(self.front.metrics().value("backend_connections_active"), 0)


if __name__ == "__main__":
    main()
