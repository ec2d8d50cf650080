"""Programs that a test starts and always ends, by their own process id."""

import os
import signal
import subprocess
import threading
import time


def wait_until(condition, timeout=10.0, what="the condition", interval=0.02):
    """Calls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(interval)


class Process:
    """A child in a process group of its own, its stdout and stderr gathered line by line."""

    def __init__(self, command, env=None, cwd=None, on_stderr=None, pass_fds=()):
        self.command = [str(part) for part in command]
        self.stdout_lines, self.stderr_lines = [], []
        self._on_stderr = on_stderr
        self._options = {"env": {**os.environ, **(env or {})}, "cwd": cwd, "pass_fds": pass_fds}
        self._start()

    def _start(self):
        self._child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, start_new_session=True, **self._options)
        self._pumps = [
            threading.Thread(target=self._pump, args=(self._child.stdout, self.stdout_lines.append), daemon=True),
            threading.Thread(target=self._pump, args=(self._child.stderr, self._take_stderr), daemon=True)]
        for pump in self._pumps:
            pump.start()

    @staticmethod
    def _pump(stream, take):
        with stream:
            for line in stream:
                take(line.decode("utf-8", "replace").rstrip("\n"))

    def _take_stderr(self, line):
        self.stderr_lines.append(line)
        if self._on_stderr:
            self._on_stderr(line)

    @property
    def pid(self):
        return self._child.pid

    @property
    def output(self):
        return "\n".join(self.stdout_lines + self.stderr_lines)

    def running(self):
        return self._child.poll() is None

    def wait_line(self, text, timeout=20.0):
        """Waits for an output line that contains `text`."""
        def seen():
            if not self.running() and not any(text in line for line in self.stdout_lines + self.stderr_lines):
                self.wait(5)
                raise AssertionError(f"{self.command[0]} ended with {self._child.returncode}:\n{self.output}")
            return any(text in line for line in self.stdout_lines + self.stderr_lines)
        wait_until(seen, timeout, f"{self.command[0]} to say {text!r}")

    def send_signal(self, number):
        if self.running():
            self._child.send_signal(number)

    def wait(self, timeout=30.0):
        """Waits for the end; returns the exit status."""
        status = self._child.wait(timeout)
        for pump in self._pumps:
            pump.join(5)
        return status

    def stop(self, timeout=20.0, number=signal.SIGTERM):
        """Ends it politely, and by force where that does not help. Returns the exit status."""
        if self.running():
            self._child.send_signal(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self.wait(5)

    def restart(self, timeout=20.0):
        """Stopped and started once more, with what its output was before still in place."""
        self.stop(timeout)
        self._start()

    def kill(self):
        if self.running():
            self._child.kill()
        return self.wait(5)

    def memory_kib(self, field="VmRSS"):
        """A memory figure of /proc/PID/status, in KiB: VmRSS, RssAnon, VmHWM, …"""
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise KeyError(field)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
