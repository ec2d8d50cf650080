"""Postfix out of the distribution's package with configuration, queue and data in a folder of its own: an smtpd on a
free loopback port, local delivery by LMTP where told, log-ins by Dovecot's auth socket. Needs root, as Postfix does."""

import glob
import grp
import os
import pwd
import shutil

from .net import can_connect, free_port
from .process import Process, wait_until

_MAIN = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "myhostname": "postfix.test",
    "mydomain": "test",
    "mydestination": "",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "virtual_mailbox_domains": "example.test",
    "virtual_mailbox_maps": "static:all",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_recipient_restrictions": "",
    "smtpd_tls_security_level": "none",
    "smtp_tls_security_level": "none",
    "smtp_dns_support_level": "disabled",
    "smtpd_peername_lookup": "no",
    "smtpd_client_connection_count_limit": "0",
    "smtputf8_enable": "yes",
    "message_size_limit": "0",
    "mailbox_size_limit": "0",
    "virtual_mailbox_limit": "0",
    "queue_minfree": "0",
    "maillog_file_prefixes": "/",
    "biff": "no",
}

_MASTER = """\
127.0.0.1:{port} inet n - n - 500 smtpd{verbose}
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix(Process):
    """`deliver_to`: a Dovecot, which stores mail for NAME@example.test as NAME's, and knows the users; without one mail
    is thrown away. `verbose`: every received line is in the log. `settings` are main.cf's. `cyrus_sasl`: the text of
    Cyrus SASL's smtpd.conf, by which users then log in."""

    def __init__(self, folder, deliver_to=None, verbose=False, settings=None, cyrus_sasl=None):
        self.folder = os.path.join(folder, f"postfix{len(glob.glob(folder + '/postfix*'))}")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        os.mkdir(self.folder, 0o755)
        main = {**_MAIN, "queue_directory": f"{self.folder}/queue", "data_directory": f"{self.folder}/data",
                "maillog_file": f"{self.folder}/log"}
        if deliver_to:
            main["virtual_transport"] = f"lmtp:inet:{deliver_to.address['lmtp']}"
            main |= {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
                     "smtpd_sasl_path": deliver_to.auth_socket, "broken_sasl_auth_clients": "yes",
                     "smtpd_sasl_security_options": "noanonymous"}
            main["lmtp_destination_recipient_limit"] = "1"
        else:
            main["virtual_transport"] = "discard:"
        if cyrus_sasl:
            # The distribution's Postfix looks for it here, whatever cyrus_sasl_config_path says.
            os.mkdir(os.path.join(self.folder, "sasl"))
            with open(os.path.join(self.folder, "sasl/smtpd.conf"), "w") as file:
                file.write(cyrus_sasl)
            main |= {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "cyrus", "smtpd_sasl_path": "smtpd",
                     "smtpd_sasl_security_options": "noanonymous"}
        main |= settings or {}
        with open(os.path.join(self.folder, "main.cf"), "w") as file:
            file.writelines(f"{key} = {value}\n" for key, value in main.items())
        with open(os.path.join(self.folder, "master.cf"), "w") as file:
            file.write(_MASTER.format(port=self.port, verbose=" -v" if verbose else ""))
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists("/etc/postfix/" + name):
                shutil.copy("/etc/postfix/" + name, self.folder)
        self._lay_out_queue()
        # master itself is our child, which it would not stay with `postfix start-fg`.
        super().__init__([main["daemon_directory"] + "/master", "-c", self.folder, "-d"])
        wait_until(lambda: can_connect(self.port) or not self.running(), 30, "Postfix to listen")
        if not self.running():
            raise AssertionError(f"postfix did not start: {self.output}\n{self.log}")

    def _lay_out_queue(self):
        """What `postfix check` would do, which takes it seconds."""
        owner, group = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        folders = {name: (owner, 0, 0o700) for name in
                   "active bounce corrupt defer deferred flush hold incoming private saved trace".split()}
        folders |= {"": (0, 0, 0o755), "pid": (0, 0, 0o755), "maildrop": (owner, group, 0o730),
                    "public": (owner, group, 0o710), "../data": (owner, 0, 0o700)}
        for name in sorted(folders):
            user, group, mode = folders[name]
            path = os.path.normpath(os.path.join(self.folder, "queue", name))
            os.makedirs(path, exist_ok=True)
            os.chown(path, user, group)
            os.chmod(path, mode)

    @property
    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout=30.0):
        wait_until(lambda: text in self.log, timeout, f"Postfix to log {text!r}; it said:\n{self.log[-3000:]}")
