"""One of two servers is killed, comes back, and then the other is, while 200 log-ins a second go on: those alone fail that
were with the dead one."""
# serial

import asyncio
import os
import signal
import time

from harness import Case, Process, free_port, main, wait_until
from harness.logins import steadily
from harness.postern import SLOWNESS

RATE = 200 // SLOWNESS
PROTOCOLS = ("imap", "pop3", "smtp")


class Server:
    """A canned server of all protocols that can be killed and comes back on the same ports."""

    def __init__(self, case, name):
        self.name, self.journals, self.killed_at = name, [], 0.0
        self.path = case.path
        self.ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.start()
        case.addCleanup(lambda: self.process.stop())

    def start(self):
        self.journals.append(self.path(f"{self.name}{len(self.journals)}"))
        words = [os.environ["LEGACY_SERVER"], "--accept-any", "--log", self.journals[-1]]
        for protocol, port in self.ports.items():
            words += ["--" + protocol, f"127.0.0.1:{port}"]
        self.process = Process(words)
        self.process.wait_line("ready")

    def kill(self):
        self.process.kill()
        self.killed_at = time.monotonic()

    def address(self, protocol):
        return f"127.0.0.1:{self.ports[protocol]}"

    def was_told(self, word):
        for journal in self.journals:
            with open(journal, errors="replace") as file:
                if word in file.read():
                    return True
        return False


class KilledServer(Case):
    def front_of(self, servers, connect):
        quick = {"health": {"interval": "300ms", "timeout": "1s", "rise": 1, "fall": 2}}
        return self.serve({
            "limits": {"auth_failures_per_ip": 0},
            "backends": {protocol: {"servers": [server.address(protocol) for server in servers], "connect": connect,
                                    **quick} for protocol in PROTOCOLS},
            "listeners": [{"name": protocol, "protocol": protocol, "tls": "implicit", "backend": protocol,
                           **({"require_auth": True} if protocol == "smtp" else {})} for protocol in PROTOCOLS]})

    def judge(self, front, servers, log_ins, excused):
        failed = [one for one in log_ins if one.error]
        print(f"\n{len(log_ins)} log-ins, {len(failed)} failed with their server", flush=True)
        for one in failed:
            served = wait_until(lambda: front.of("session", client=one.source), 10, f"the end of {vars(one)}")[0]
            dead = [server for server in servers if served.get("server") == server.address(one.protocol)]
            self.assertTrue(dead, f"{vars(one)} {served}")
            self.assertLess(one.begun, dead[0].killed_at, f"{vars(one)} {served}")
            self.assertTrue(excused(one, dead[0]), f"{vars(one)} {served}")

    def run_with(self, connect, excused):
        servers = [Server(self, "one"), Server(self, "two")]
        front = self.front_of(servers, connect)
        front.wait_ready()
        log_ins = asyncio.run(steadily(RATE, 7, [(protocol, front.port(protocol)) for protocol in PROTOCOLS], at=[
            (2, servers[0].kill), (3.5, servers[0].start), (5.5, servers[1].kill)]))
        self.judge(front, servers, log_ins, excused)

    def test_connected_at_accept(self):
        """Who has not been greeted yet is served by the other one."""
        self.run_with("at_accept", lambda one, dead: one.greeted)

    def test_connected_at_login(self):
        self.run_with("at_login", lambda one, dead: dead.was_told(one.user))


if __name__ == "__main__":
    main()
