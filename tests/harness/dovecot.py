"""Dovecot out of the distribution's package, in a folder of its own, on free loopback ports, without TLS."""

import glob
import os
import pwd
import re

from .net import free_port
from .process import Process, wait_until

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = postern-test
log_path = {folder}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_verbose = yes
auth_debug = {debug}
auth_failure_delay = 0
auth_username_chars =
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 0
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={folder}/mail/%u
}}
service imap-login {{
  executable = imap-login -R rawlog
  process_min_avail = 0
  service_count = 0
  client_limit = 4000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  executable = pop3-login -R rawlog
  service_count = 0
  client_limit = 4000
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 4000
}}
service pop3 {{
  process_limit = 4000
}}
protocol lmtp {{
  auth_username_format = %n
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  client_limit = 20000
  unix_listener {folder}/auth-client {{
    mode = 0666
  }}
}}
service stats {{
  client_limit = 20000
}}
service anvil {{
  client_limit = 20000
  # No waiting after failed log-ins: all clients of a test come from one address.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{extra}
"""


class Dovecot(Process):
    """`users`: {name: password}. `mechanisms`: Dovecot's list, as "plain login cram-md5 scram-sha-256 apop"."""

    def __init__(self, folder, users=None, mechanisms="plain login", extra="", debug=False):
        self.folder = os.path.join(folder, f"dovecot{len(glob.glob(folder + '/dovecot*'))}")
        self.ports = {protocol: free_port() for protocol in ("imap", "pop3", "lmtp")}
        self.address = {protocol: f"127.0.0.1:{port}" for protocol, port in self.ports.items()}
        self.auth_socket = os.path.join(self.folder, "auth-client")
        self._make_folders()
        with open(os.path.join(self.folder, "users"), "w") as file:
            for name, password in (users or {"fred": "secret"}).items():
                file.write(f"{name}:{{PLAIN}}{password}\n")
        config = os.path.join(self.folder, "dovecot.conf")
        with open(config, "w") as file:
            file.write(_CONFIG.format(folder=self.folder, mechanisms=mechanisms, extra=extra,
                                      debug="yes" if debug else "no", **self._identities(), **self.ports))
        super().__init__(["dovecot", "-F", "-c", config])
        self.wait_log("starting up")

    def _identities(self):
        """As root the package's users and one for the mail; else all is this user's own."""
        if os.geteuid() == 0:
            mail = pwd.getpwnam("nobody")
            names = {"login_user": "dovenull", "internal_user": "dovecot", "internal_group": "dovecot"}
        else:
            mail = pwd.getpwuid(os.geteuid())
            names = {"login_user": mail.pw_name, "internal_user": mail.pw_name, "internal_group": ""}
        return {**names, "mail_uid": mail.pw_uid, "mail_gid": mail.pw_gid}

    def _make_folders(self):
        who = self._identities()
        for name in ("", "run", "run/login", "run/login/rawlog", "state", "mail"):
            path = os.path.join(self.folder, name)
            os.makedirs(path, mode=0o755, exist_ok=True)
        os.chmod(os.path.join(self.folder, "run/login/rawlog"), 0o777)
        if os.geteuid() == 0:
            os.chown(os.path.join(self.folder, "mail"), who["mail_uid"], who["mail_gid"])

    @property
    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout=20.0):
        wait_until(lambda: text in self.log or not self.running(), timeout, f"Dovecot to log {text!r}: {self.log}")
        if text not in self.log:
            raise AssertionError(f"dovecot did not start: {self.log}\n{self.output}")

    def before_login(self):
        """Every byte that clients sent before their log-ins, of all connections together: Dovecot's own raw log, less
        the time that it puts before each line."""
        raw = b"".join(_contents(path) for path in sorted(glob.glob(self.folder + "/run/login/rawlog/*.in")))
        return re.sub(rb"^\d{10}\.\d{6} ", b"", raw, flags=re.MULTILINE)

    def messages(self, user="fred", mailbox=""):
        """The stored messages' files, as bytes with CRLF line ends, oldest first."""
        folder = os.path.join(self.folder, "mail", user, "Maildir", mailbox and "." + mailbox)
        found = glob.glob(os.path.join(folder, "new", "*")) + glob.glob(os.path.join(folder, "cur", "*"))
        return [re.sub(rb"\r?\n", b"\r\n", _contents(path)) for path in sorted(found, key=_delivered)]


def _delivered(path):
    """When a message came in: a name begins with SECONDS.MMICROSECONDS, the latter without leading zeros."""
    return [int(number) for number in re.findall(r"\d+", os.path.basename(path))[:2]]


def _contents(path):
    with open(path, "rb") as file:
        return file.read()
