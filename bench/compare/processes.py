"""Programs started for a measurement: on which processor, and how they are ended again."""

import os
import signal
import socket
import subprocess
import time


def free_port():
    """A port of 127.0.0.1 that nobody listens on. Someone else may take it before we do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process, log, seconds=15):
    """Until something listens on the port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    with open(log, errors="replace") as text:
        words = text.read()[-2000:].strip().replace("\n", " / ")
        raise RuntimeError(f"does not listen on {port}: {words}")


class Program:
    """A process of ours, pinned, its output in a file. Its children end with it."""

    def __init__(self, words, processor, log, environment=None):
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(processor)] + [str(word) for word in words],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=dict(os.environ, **(environment or {})),
            )

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, ports):
        for port in ports:
            wait_for(port, self.process, self.log)

    def stop(self):
        """Politely, then not. What it started is in its session and goes too."""
        for sign, seconds in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
