"""A clean Debian, made by debootstrap from the mirror that this machine itself uses."""

import glob
import os
import re
import shutil
import subprocess

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DEBOOTSTRAP = shutil.which("debootstrap", path=PATH)
CODENAME = "bookworm"


def mirror():
    """Where apt gets this release from; of several the first, whatever other archives are there besides."""
    for name in sorted(glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*.list")):
        with open(name) as file:
            found = re.search(rf"^deb(?:\s+\[[^]]*\])?\s+(\S+)\s+{CODENAME}\s", file.read(), re.M)
        if found:
            return found.group(1)
    for name in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        with open(name) as file:
            stanzas = re.split(r"\n\s*\n", file.read())
        for stanza in stanzas:
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", stanza, re.M))
            if CODENAME in fields.get("Suites", "").split() and "deb" in fields.get("Types", "").split():
                return fields["URIs"].split()[0]
    raise AssertionError(f"apt knows no mirror of {CODENAME}")


def make(root, *packages):
    """A minimal tree with these packages besides; as root."""
    include = [f"--include={','.join(packages)}"] if packages else []
    done = subprocess.run([DEBOOTSTRAP, "--variant=minbase", *include, CODENAME, root, mirror()], capture_output=True,
                          text=True, env={**os.environ, "PATH": PATH})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
