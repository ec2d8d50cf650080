"""Cyrus IMAP out of the distribution's packages (tools/cyrus.sh), in a folder of its own, on free loopback ports, with its
users in sasldb. Needs root, as its master does."""

import glob
import os
import pwd
import shutil
import subprocess
import unittest

from .net import can_connect, free_port
from .process import Process, wait_until

_USER = "nobody"
_HOST = "cyrus.test"

_IMAPD = """\
configdirectory: {folder}/conf
partition-default: {folder}/spool
proc_path: {folder}/conf/proc
mboxname_lockpath: {folder}/conf/lock
lmtpsocket: {folder}/conf/socket/lmtp
idlesocket: {folder}/conf/socket/idle
notifysocket: {folder}/conf/socket/notify
servername: {host}
cyrus_user: {user}
allowplaintext: yes
failedloginpause: 0
allowapop: {apop}
autocreate_quota: 0
unixhierarchysep: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb
sasl_mech_list: {mechanisms}
sasl_maximum_layer: 0
"""

_CYRUS = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0 maxchild=200
  pop3 cmd="{bin}/pop3d -C {folder}/imapd.conf" listen="127.0.0.1:{pop3}" prefork=0 maxchild=200
}}
EVENTS {{
}}
"""


def _programs():
    """The folder of the unpacked packages; the test is skipped where they cannot be had."""
    script = os.path.join(os.environ["POSTERN_SOURCE"], "tools/cyrus.sh")
    try:
        return subprocess.run([script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                              check=True).stdout.strip()
    except subprocess.SubprocessError as error:
        raise unittest.SkipTest(f"no Cyrus IMAP from the distribution: {error} {(error.stderr or '')[-300:]}") from None


class Cyrus(Process):
    """`users`: {name: password}. `mechanisms`: SASL's list. `apop`: a stamp in the POP3 greeting, and APOP."""

    def __init__(self, folder, users, mechanisms="PLAIN LOGIN CRAM-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256", apop=False):
        self.folder = os.path.join(folder, "cyrus")
        programs = os.path.join(folder, "cyrus-programs")
        # Cyrus drops its privileges, and the cache may lie where only root comes in.
        shutil.copytree(_programs(), programs, symlinks=True)
        self.ports = {protocol: free_port() for protocol in ("imap", "pop3")}
        self.address = {protocol: f"127.0.0.1:{port}" for protocol, port in self.ports.items()}
        for name in ("conf/socket", "conf/proc", "conf/lock", "conf/db", "spool"):
            os.makedirs(os.path.join(self.folder, name))
        values = {"folder": self.folder, "bin": programs + "/usr/lib/cyrus/bin", "user": _USER, "host": _HOST,
                  "mechanisms": mechanisms, "apop": "yes" if apop else "no", **self.ports}
        for name, text in (("imapd.conf", _IMAPD), ("cyrus.conf", _CYRUS)):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text.format(**values))
        for name, password in users.items():
            subprocess.run(["saslpasswd2", "-p", "-c", "-f", self.folder + "/sasldb", "-u", _HOST, name],
                           input=password.encode(), check=True)
        self._give_away()
        libraries = ":".join(glob.glob(programs + "/usr/lib/*-linux-gnu"))
        super().__init__([values["bin"] + "/master", "-C", self.folder + "/imapd.conf", "-M", self.folder + "/cyrus.conf",
                          "-p", self.folder + "/pid", "-D"], env={"LD_LIBRARY_PATH": libraries})
        wait_until(lambda: can_connect(self.ports["pop3"]) or not self.running(), 20, "Cyrus to listen")
        if not self.running():
            raise AssertionError(f"cyrus did not start: {self.output}")

    def _give_away(self):
        user = pwd.getpwnam(_USER)
        for path, _, files in os.walk(self.folder):
            for name in (".", *files):
                os.chown(os.path.join(path, name), user.pw_uid, user.pw_gid)
