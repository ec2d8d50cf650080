"""One measurement: a peer started, load put on it, what came out of it."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from compare.peers import Setting
from compare.processes import Program

PROXY_PROCESSOR = 0
LOAD_PROCESSOR = 1


class Bench:
    """Certificates, the canned backend, and the programs under test."""

    def __init__(self, build):
        self.build = build
        self.postern = os.path.join(build, "postern")
        self.loadgen = os.path.join(build, "bench", "loadgen")
        self.folder = tempfile.mkdtemp(prefix="postern-bench-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.certificates = {kind: self.make_certificate(kind) for kind in ("ecdsa", "rsa")}
        self.count = 0

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_certificate(self, kind):
        key = os.path.join(self.folder, kind + ".key")
        chain = os.path.join(self.folder, kind + ".pem")
        algorithm = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ecdsa" else ["rsa:2048"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-days", "30"]
            + ["-subj", "/CN=mail.example", "-addext", "subjectAltName=DNS:mail.example"]
            + ["-keyout", key, "-out", chain],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        both = os.path.join(self.folder, kind + ".both")
        with open(both, "w") as file:
            for part in (key, chain):
                with open(part) as text:
                    file.write(text.read())
        for name in (key, chain, both):
            os.chmod(name, 0o644)
        return {"chain": chain, "key": key, "both": both}

    @contextlib.contextmanager
    def backend(self):
        """The canned legacy server, new; its ports by protocol, and the program."""
        log = os.path.join(self.folder, f"backend-{self.count}.log")
        words = [os.path.join(self.build, "bench", "legacy_server"), "--discard"]
        words += ["--message-size", 1 << 20]
        for protocol in ("imap", "pop3", "smtp"):
            words += ["--" + protocol, "127.0.0.1:0"]
        program = Program(words, LOAD_PROCESSOR, log)
        try:
            end = time.monotonic() + 10
            text = ""
            while "ready" not in text and time.monotonic() < end:
                time.sleep(0.01)
                with open(log) as file:
                    text = file.read()
            lines = (line.split() for line in text.splitlines() if " " in line)
            yield {protocol: int(address.rpartition(":")[2]) for protocol, address in lines}, program
        finally:
            program.stop()

    @contextlib.contextmanager
    def running(self, kind, certificate="ecdsa", workers=1, options=None):
        """A peer with a backend of its own."""
        self.count += 1
        folder = os.path.join(self.folder, str(self.count))
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        with self.backend() as (ports, backend):
            setting = Setting(
                folder,
                self.certificates[certificate],
                ports,
                self.postern,
                PROXY_PROCESSOR if workers == 1 else f"{PROXY_PROCESSOR},{LOAD_PROCESSOR}",
                workers,
                options,
            )
            peer = kind(setting)
            try:
                peer.start()
                peer.backend_pid = backend.pid
                yield peer
            finally:
                peer.stop()
                shutil.rmtree(folder, ignore_errors=True)

    def load(self, peer, protocol, tls, *options):
        """Runs the load generator against a running peer; its report."""
        words = [self.loadgen, "--target", f"127.0.0.1:{peer.ports[(protocol, tls)]}"]
        words += ["--protocol", protocol, "--tls", tls, "--backend-pid", peer.backend_pid]
        for pid in peer.pids():
            words += ["--proxy-pid", pid]
        words = ["taskset", "-c", str(LOAD_PROCESSOR)] + words + list(options)
        run = subprocess.run(
            [str(word) for word in words], stdout=subprocess.PIPE, text=True, timeout=300
        )
        if not run.stdout:
            raise RuntimeError("the load generator failed")
        return json.loads(run.stdout)

    def system_calls(self, peer, protocol, tls, *options):
        """System calls of the proxy for each operation of a load, counted by strace."""
        pids = " ".join(str(pid) for root in peer.pids() for pid in tree(root))
        result = os.path.join(self.folder, "strace")
        tracer = subprocess.Popen(
            ["strace", "-f", "-c", "-o", result] + sum((["-p", pid] for pid in pids.split()), []),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in pids.split():
            tracer.stderr.readline()  # attached
        time.sleep(0.3)
        try:
            report = self.load(peer, protocol, tls, *options)
        finally:
            tracer.terminate()
            tracer.communicate()
        calls = {}
        with open(result) as file:
            for line in file:
                fields = line.split()
                if len(fields) >= 5 and re.match(r"[\d.]+$", fields[0]) and fields[-1] != "total":
                    calls[fields[-1]] = int(fields[3])
        return report, calls


def tree(root):
    """A process and its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found
