"""A service manager, as systemd is one for the unit: a notify socket, and a store that keeps descriptors."""

import contextlib
import fcntl
import os
import socket
import struct
import threading

from .process import wait_until


class Manager:
    """The other end of NOTIFY_SOCKET. `store` holds descriptors by name, each socket once, as systemd's does."""

    def __init__(self, path):
        self.path, self.messages, self.store = path, [], {}
        name = "\0" + path[1:] if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name)
        self._socket.settimeout(0.1)
        self._ending = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._ending:
            try:
                data, control, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
            except socket.timeout:
                continue
            fds = []
            for level, kind, payload in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds += struct.unpack(f"{len(payload) // 4}i", payload)
            fields = dict(line.split("=", 1) for line in data.decode().splitlines())
            self._keep(fields, fds)
            self.messages.append(fields)

    def _keep(self, fields, fds):
        have = self.store.setdefault(fields.get("FDNAME", "stored"), [])
        if fields.get("FDSTOREREMOVE") == "1":
            while have:
                os.close(have.pop())
        for fd in fds:
            known = [os.fstat(kept).st_ino for kept in have]
            if fields.get("FDSTORE") == "1" and os.fstat(fd).st_ino not in known:
                have.append(fd)
            else:
                os.close(fd)

    def of(self, key, value="1"):
        return [fields for fields in list(self.messages) if fields.get(key) == value]

    def wait(self, key, count=1, timeout=20.0):
        wait_until(lambda: len(self.of(key)) >= count, timeout, f"{count} times {key}=1; {self.messages}")

    def kept(self):
        """Names and descriptors, as LISTEN_FDNAMES and the descriptors from 3 on would have them."""
        return [(name, fd) for name, fds in sorted(self.store.items()) for fd in fds]

    def close(self):
        self._ending = True
        self._thread.join()
        self._socket.close()
        for _, fd in self.kept():
            os.close(fd)

    @contextlib.contextmanager
    def handing_over(self):
        """What starts a program with all that is kept, from descriptor 3 on: (launcher, environment, pass_fds).
        LISTEN_PID can be known to the process alone, hence the shell (bash: dash has descriptors of one digit only)."""
        kept = self.kept()
        environment = {"NOTIFY_SOCKET": self.path, "FDSTORE": "64"}
        if not kept:
            yield [], environment, []
            return
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100 + len(kept)) for _, fd in kept]
        moves = " ".join([f"{3 + i}<&{fd}" for i, fd in enumerate(high)] + [f"{fd}<&-" for fd in high])
        environment |= {"LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": ":".join(name for name, _ in kept)}
        try:
            yield ["bash", "-c", f'exec {moves}; export LISTEN_PID=$$; exec "$@"', "bash"], environment, high
        finally:
            for fd in high:
                os.close(fd)
