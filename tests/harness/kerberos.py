"""A Kerberos realm of a test's own: MIT's KDC out of the distribution's packages, in a folder of its own, on a free
loopback port."""

import os
import subprocess

from .net import can_connect, free_port
from .process import Process, wait_until

REALM = "EXAMPLE.TEST"

_CLIENT = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""

_SERVER = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
  }}
[logging]
  kdc = FILE:{folder}/log
"""


class Kdc(Process):
    """`environment` is what servers and clients of the realm need: a server's own keys it has to be told besides."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "kdc")
        os.mkdir(self.folder, 0o755)
        self.port = free_port()
        for name, text in (("krb5.conf", _CLIENT), ("kdc.conf", _SERVER)):
            with open(self._path(name), "w") as file:
                file.write(text.format(realm=REALM, port=self.port, folder=self.folder))
        self.environment = {"KRB5_CONFIG": self._path("krb5.conf")}
        self._own = {**os.environ, **self.environment, "KRB5_KDC_PROFILE": self._path("kdc.conf")}
        self._run("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        super().__init__(["/usr/sbin/krb5kdc", "-n", "-r", REALM], env=self._own)
        wait_until(lambda: can_connect(self.port) or not self.running(), 20, "the KDC to listen")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _run(self, *command):
        subprocess.run(command, env=self._own, check=True, capture_output=True, timeout=60)

    def keys(self, name, *principals):
        """New random keys for these principals, in a file; returns its path."""
        path = self._path(name + ".keytab")
        for principal in principals:
            self._run("/usr/sbin/kadmin.local", "-r", REALM, "addprinc", "-randkey", principal)
            self._run("/usr/sbin/kadmin.local", "-r", REALM, "ktadd", "-k", path, principal)
        os.chmod(path, 0o644)
        return path

    def client_environment(self, keys):
        """For a client that has a user's keys in a file; tickets are fetched when they are needed. A log-in of its own
        each time it is called."""
        self._clients = getattr(self, "_clients", 0) + 1
        return {**self.environment, "KRB5_CLIENT_KTNAME": keys,
                "KRB5CCNAME": "FILE:" + self._path(f"tickets{self._clients}")}
