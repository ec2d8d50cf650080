"""What is measured: each figure with its load, its peers, and the goal that Postern has."""

from dataclasses import dataclass, field
from typing import Callable

from compare.peers import (
    Dovecot,
    Haproxy,
    Hitch,
    NginxMail,
    NginxStream,
    Postern,
    Stunnel,
)


def per_cpu_second(report):
    return report["proxy"]["operations_per_cpu_second"]


def cpu_per_gb(report):
    return report["proxy"]["cpu_seconds_per_gb"]


def kib_per_session(report):
    return report["proxy"]["kib_per_session"]


def latency(quantile):
    return lambda report: report["latency_us"][quantile]


@dataclass
class Figure:
    name: str  # short, for --only and file names
    title: str
    unit: str
    value: Callable  # of a report
    load: list
    protocol: str = "imap"
    tls: str = "implicit"
    certificate: str = "ecdsa"
    options: dict = field(default_factory=dict)  # of the peer
    peers: list = None  # None: all that serve it
    higher_is_better: bool = True
    # Postern is held against the best of them, or against the one that is named.
    against: str = "best"
    goal: float = None  # Postern's value over that peer's
    limit: float = None  # or Postern's value alone
    quick: bool = True
    shares: str = None  # the measurement of another figure, read in another way

    def runs_on(self, peer):
        return (self.protocol, self.tls) in peer.serves and (
            self.peers is None or peer in self.peers
        )


COLD = ["--connections", 32]
RELAYS = [Postern, Haproxy, NginxStream, Hitch, Stunnel]

FIGURES = [
    Figure(
        "handshake-ecdsa",
        "Full handshakes, ECDSA P-256",
        "per CPU second",
        per_cpu_second,
        ["--mode", "handshake", *COLD],
        against="nginx stream",
        goal=2.1,
    ),
    Figure(
        "handshake-at-login",
        "Full handshakes, ECDSA P-256, no backend connection",
        "per CPU second",
        per_cpu_second,
        ["--mode", "handshake", *COLD],
        options={"connect": "at_login"},
        peers=[Postern, NginxMail],
        against="nginx mail",
        goal=2.2,
    ),
    Figure(
        "handshake-rsa",
        "Full handshakes, RSA-2048",
        "per CPU second",
        per_cpu_second,
        ["--mode", "handshake", *COLD],
        certificate="rsa",
        against="nginx stream",
        goal=1.1,
    ),
    Figure(
        "resume",
        "Resumed handshakes",
        "per CPU second",
        per_cpu_second,
        ["--mode", "resume", *COLD],
        against="nginx stream",
        goal=2.0,
    ),
    Figure(
        "session-imap",
        "IMAP sessions",
        "per CPU second",
        per_cpu_second,
        ["--mode", "session", *COLD],
        goal=2.0,
    ),
    Figure(
        "session-pop3",
        "POP3 sessions",
        "per CPU second",
        per_cpu_second,
        ["--mode", "session", *COLD],
        protocol="pop3",
        goal=2.0,
        quick=False,
    ),
    Figure(
        "session-smtp",
        "SMTP sessions, one message each",
        "per CPU second",
        per_cpu_second,
        ["--mode", "session", *COLD],
        protocol="smtp",
        goal=2.0,
    ),
    Figure(
        "session-starttls",
        "IMAP sessions by STARTTLS",
        "per CPU second",
        per_cpu_second,
        ["--mode", "session", *COLD],
        tls="starttls",
        against="nginx mail",
        goal=2.0,
    ),
    Figure(
        "bulk-down",
        "Messages of 1 MiB down, 8 connections",
        "CPU seconds a GB",
        cpu_per_gb,
        ["--mode", "bulk-down", "--connections", 8],
        higher_is_better=False,
        against="haproxy",
        goal=0.75,
    ),
    Figure(
        "bulk-up",
        "Messages of 1 MiB up, 8 connections",
        "CPU seconds a GB",
        cpu_per_gb,
        ["--mode", "bulk-up", "--connections", 8],
        higher_is_better=False,
        against="haproxy",
        goal=0.75,
    ),
    Figure(
        "noop-64",
        "NOOP round trips, 64 connections",
        "per CPU second",
        per_cpu_second,
        ["--mode", "latency", "--connections", 64],
        against="nginx stream",
        goal=1.2,
    ),
    Figure(
        "noop-1-p50",
        "NOOP round trip, 1 connection, median",
        "µs",
        latency("p50"),
        ["--mode", "latency", "--connections", 1],
        higher_is_better=False,
        against="nginx stream",
        goal=1.0,
    ),
    Figure(
        "noop-1-p99",
        "NOOP round trip, 1 connection, 99th percentile",
        "µs",
        latency("p99"),
        ["--mode", "latency", "--connections", 1],
        higher_is_better=False,
        against="nginx stream",
        goal=1.0,
        shares="noop-1-p50",
    ),
    Figure(
        "mixed-ecdsa",
        "NOOP round trip, 64 connections amid 500 ECDSA handshakes a second, 99th percentile",
        "µs",
        latency("p99"),
        ["--mode", "mixed", "--connections", 64, "--active", 4, "--rate", 500],
        peers=[Postern, NginxStream],
        higher_is_better=False,
        against="nginx stream",
        goal=0.5,
    ),
    Figure(
        "mixed-rsa",
        "NOOP round trip, 64 connections amid 500 RSA handshakes a second, 99th percentile",
        "µs",
        latency("p99"),
        ["--mode", "mixed", "--connections", 64, "--active", 4, "--rate", 500],
        certificate="rsa",
        peers=[Postern, NginxStream],
        higher_is_better=False,
        against="nginx stream",
        goal=0.5,
        quick=False,
    ),
    Figure(
        "idle",
        "Memory of an idle logged-in session, 1,000 sessions",
        "KiB (PSS)",
        kib_per_session,
        ["--mode", "idle", "--connections", 1000],
        peers=[*RELAYS[:-1], NginxMail, Dovecot],
        higher_is_better=False,
        limit=5,
    ),
    Figure(
        "idle-9500",
        "Memory of an idle logged-in session, 9,500 sessions",
        "KiB (PSS)",
        kib_per_session,
        ["--mode", "idle", "--connections", 9500],
        peers=[Postern, Haproxy, NginxStream, NginxMail],
        higher_is_better=False,
        limit=5,
        quick=False,
    ),
]

# Curves over the number of open sessions: a NOOP under way on 16 of them at a time, in turn.
CURVE_SIZES = [10, 100, 1000, 5000, 9500]
CURVE_SIZES_QUICK = [10, 3000]
CURVE_PEERS = [Postern, Haproxy, NginxStream]

# System calls: (name, goal, load)
SYSTEM_CALLS = [
    ("an IMAP session", 45, ["--mode", "session", *COLD, "--count", 1000]),
    ("an IMAP session, alone", None, ["--mode", "session", "--connections", 1, "--count", 200]),
    ("a NOOP round trip", 6, ["--mode", "latency", "--connections", 1, "--count", 2000]),
    ("a MiB down", 24, ["--mode", "bulk-down", "--connections", 1, "--count", 50]),
    ("a MiB up", 30, ["--mode", "bulk-up", "--connections", 1, "--count", 50]),
]
SYSTEM_CALL_PEERS = [Postern, Haproxy, NginxStream, NginxMail, Hitch]

# What two workers bring: the work for a CPU second must not fall.
WORKER_FIGURES = ["handshake-ecdsa", "session-imap"]
