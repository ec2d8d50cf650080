"""Ports that no other test has."""

import fcntl
import os
import random
import socket
import tempfile

# Below Linux's ephemeral range: no outgoing connection can sit on a port between its choice and its use.
_FIRST, _LAST = 20000, 32000
_locks = []  # descriptors; the locks on them end with this process


def free_port(family=socket.AF_INET):
    """A TCP port on loopback that nobody listens on and that no other test process will be given."""
    folder = os.path.join(tempfile.gettempdir(), f"postern-test-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    for port in random.SystemRandom().sample(range(_FIRST, _LAST), 500):
        lock = os.open(os.path.join(folder, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError:
            os.close(lock)
            continue
        _locks.append(lock)
        return port
    raise RuntimeError("no free port")


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False
