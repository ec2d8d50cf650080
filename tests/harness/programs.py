"""Other people's mail programs, run to their end."""

import os
import subprocess


def run(*command, text=None, env=None, timeout=120, cwd=None):
    """Runs a program; its exit status has to be 0. Returns its stdout as bytes. `text`: its stdin, as bytes."""
    done = subprocess.run([str(part) for part in command], input=text, stdin=None if text else subprocess.DEVNULL,
                          capture_output=True, timeout=timeout, cwd=cwd, env={**os.environ, **(env or {})})
    assert done.returncode == 0, (f"{' '.join(map(str, command))}: status {done.returncode}\n"
                                  f"{done.stdout[-2000:]}\n{done.stderr.decode('utf-8', 'replace')[-4000:]}")
    return done.stdout


def refused(*command, text=None, timeout=60):
    """Runs a program that has to fail; returns all that it printed."""
    done = subprocess.run([str(part) for part in command], input=text, stdin=None if text else subprocess.DEVNULL,
                          capture_output=True, timeout=timeout)
    assert done.returncode != 0, f"{' '.join(map(str, command))} was to fail:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
