"""The canned legacy mail server of bench/legacy_server."""

import os

from .net import free_port
from .process import Process


class LegacyServer(Process):
    """`protocols`: some of imap, pop3, smtp, lmtp. Ports are in `ports`, addresses in `address`."""

    def __init__(self, protocols=("imap", "pop3", "smtp"), users=(("fred", "secret"),), options=()):
        program = os.environ["LEGACY_SERVER"]
        self.ports = {protocol: free_port() for protocol in protocols}
        self.address = {protocol: f"127.0.0.1:{port}" for protocol, port in self.ports.items()}
        command = [program]
        for protocol, address in self.address.items():
            command += ["--" + protocol, address]
        for name, password in users:
            command += ["--user", f"{name}:{password}"]
        super().__init__([*command, *options])
        self.wait_line("ready")
