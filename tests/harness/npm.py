"""Packages of npm that tests look through other people's eyes with: schemas of Kubernetes, axe-core. Fetched once, into
the cache that BoringSSL lies in, too; where there is no npm or it reaches no registry, the test is skipped."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import unittest

SECONDS = 180  # for an installation
CACHE = (os.environ.get("POSTERN_CACHE")
         or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "postern"))


def modules(*packages):
    """The folder with the `node_modules` that hold these packages ("name@version"), and what they need, alone."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("no npm")
    folder = f"{CACHE}/npm-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            _install(folder, packages)
    return folder


def _install(folder, packages):
    made = f"{folder}.new"
    shutil.rmtree(made, ignore_errors=True)
    os.mkdir(made)
    try:
        # No package gets to run anything.
        done = subprocess.run(["npm", "install", "--prefix", made, "--ignore-scripts", "--no-audit", "--no-fund",
                               "--no-update-notifier", "--fetch-retries=1", "--fetch-timeout=30000", *packages],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        problem = done.stderr.strip() if done.returncode else None
    except subprocess.TimeoutExpired:
        problem = f"nothing in {SECONDS} s"
    if problem is not None:
        shutil.rmtree(made)
        raise unittest.SkipTest(f"npm could not fetch {' '.join(packages)}: {problem[:300]}")
    os.rename(made, folder)


def node(folder, script, text=""):
    """Runs an ECMAScript module that may import the packages in `folder`; (exit status, stdout, stderr)."""
    with open(script) as file:
        program = file.read()
    done = subprocess.run(["node", "--input-type=module", "--eval", program], cwd=folder, input=text,
                          capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stdout, done.stderr
