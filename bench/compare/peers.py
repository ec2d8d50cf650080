"""The proxies that are compared: how each is started with the same certificate, backend and duties.

A peer is started anew for each measurement, so that none carries anything over from the one before.
"""

import os
import pwd
import shutil
import time

from compare.processes import Program, free_port

# (protocol, tls) that a peer may serve
ALL = [(p, t) for p in ("imap", "pop3", "smtp") for t in ("implicit", "starttls")]
IMPLICIT = [("imap", "implicit"), ("pop3", "implicit"), ("smtp", "implicit")]

SUITE = "TLS_AES_128_GCM_SHA256"  # what the load generator's client prefers


class Setting:
    """What every peer is given."""

    def __init__(self, folder, certificate, backend, postern, processor=0, workers=1, options=None):
        self.folder = folder  # empty, of this measurement alone
        self.certificate = certificate  # {"chain", "key", "both"}: files
        self.backend = backend  # ports by protocol
        self.postern = postern  # the program
        self.processor = processor
        self.workers = workers
        self.options = options or {}

    def file(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        return path


class Peer:
    name = ""
    program = ""  # must be in PATH
    serves = IMPLICIT

    def __init__(self, setting):
        self.setting = setting
        self.ports = {way: free_port() for way in self.serves}
        self.programs = []
        self.helpers = []  # not counted as the proxy

    @classmethod
    def available(cls, setting_postern=None):
        return shutil.which(cls.program) is not None

    def start(self):
        self.launch()
        self.programs[-1].wait_for(self.ports.values())
        time.sleep(0.2)  # some listen before they have started their workers

    def launch(self):
        raise NotImplementedError

    def run(self, *words):
        log = self.setting.file(self.name.replace(" ", "-") + ".log")
        self.programs.append(Program(words, self.setting.processor, log))

    def pids(self):
        return [program.pid for program in self.programs]

    def stop(self):
        for program in self.programs + self.helpers:
            program.stop()


class Postern(Peer):
    name = "postern"
    serves = ALL

    @classmethod
    def available(cls, setting_postern=None):
        return setting_postern is not None and os.access(setting_postern, os.X_OK)

    def launch(self):
        s = self.setting
        connect = s.options.get("connect", "at_accept")
        lines = [
            f"workers: {s.workers}",
            "admin: { address: 127.0.0.1:%d }" % free_port(),
            "tls:",
            f"  certificates: [{{ chain: {s.certificate['chain']}, key: {s.certificate['key']} }}]",
            "  min_version: '1.2'",
            "  groups: [X25519]",
            "limits: { connections: 20000, exempt: [127.0.0.0/8] }",
            "listeners:",
        ]
        served = [way for way in self.serves if connect == "at_accept" or way[0] != "smtp"]
        for protocol, tls in served:
            port = self.ports[(protocol, tls)]
            lines.append(
                f"  - {{ name: {protocol}-{tls}, protocol: {protocol}, tls: {tls}, "
                f'address: "127.0.0.1:{port}", backend: {protocol} }}'
            )
        lines.append("backends:")
        for protocol in ("imap", "pop3", "smtp"):
            lines.append(
                f'  {protocol}: {{ servers: ["127.0.0.1:{s.backend[protocol]}"], '
                f"connect: {connect if protocol != 'smtp' else 'at_accept'} }}"
            )
        self.ports = {way: self.ports[way] for way in served}
        self.run(s.postern, "run", "-c", s.file("postern.yaml", "\n".join(lines) + "\n"))


class Haproxy(Peer):
    name = "haproxy"
    program = "haproxy"

    def launch(self):
        s = self.setting
        lines = [
            "global",
            f"  nbthread {s.workers}",
            "  maxconn 9900",
            "  ssl-default-bind-options ssl-min-ver TLSv1.2",
            f"  ssl-default-bind-ciphersuites {SUITE}",
            "  tune.ssl.default-dh-param 2048",
            "defaults",
            "  mode tcp",
            "  maxconn 9900",
            "  timeout connect 10s",
            "  timeout client 30m",
            "  timeout server 30m",
        ]
        for protocol, tls in self.serves:
            lines += [
                f"listen {protocol}",
                f"  bind 127.0.0.1:{self.ports[(protocol, tls)]} backlog 4096 ssl"
                f" crt {s.certificate['both']} curves X25519",
                f"  server backend 127.0.0.1:{s.backend[protocol]}",
            ]
        self.run("haproxy", "-db", "-f", s.file("haproxy.cfg", "\n".join(lines) + "\n"))


NGINX_HEAD = """\
load_module {modules}/ngx_mail_module.so;
load_module {modules}/ngx_stream_module.so;
daemon off;
user root;
worker_processes {workers};
worker_rlimit_nofile 20000;
error_log {folder}/error.log;
pid {folder}/{role}.pid;
events {{ worker_connections 19500; }}
"""

NGINX_TLS = """\
  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ecdh_curve X25519;
  ssl_conf_command Ciphersuites """ + SUITE + """;
  ssl_session_cache shared:TLS:10m;
"""


def nginx_head(setting, role, workers):
    modules = "/usr/lib/nginx/modules"
    if not os.path.isdir(modules):
        modules = "/usr/share/nginx/modules"
    return NGINX_HEAD.format(modules=modules, workers=workers, folder=setting.folder, role=role)


class NginxStream(Peer):
    name = "nginx stream"
    program = "nginx"

    def launch(self):
        s = self.setting
        text = nginx_head(s, "stream", s.workers) + "stream {\n"
        text += NGINX_TLS.format(**s.certificate)
        for protocol, tls in self.serves:
            text += (
                f"  server {{ listen 127.0.0.1:{self.ports[(protocol, tls)]} ssl backlog=4096;"
                f" tcp_nodelay on; proxy_timeout 30m;"
                f" proxy_pass 127.0.0.1:{s.backend[protocol]}; }}\n"
            )
        self.run("nginx", "-p", s.folder, "-c", s.file("stream.conf", text + "}\n"))


class NginxMail(Peer):
    """Its question who serves a user goes to a second nginx, which is not counted."""

    name = "nginx mail"
    program = "nginx"
    serves = ALL

    def launch(self):
        s = self.setting
        helper_port = free_port()
        ports = " ".join(f"{protocol} {s.backend[protocol]};" for protocol in s.backend)
        answer = nginx_head(s, "answer", 1) + (
            "http { access_log off; keepalive_requests 1000000;\n"
            f"  map $http_auth_protocol $backend_port {{ {ports} }}\n"
            f"  server {{ listen 127.0.0.1:{helper_port} backlog=4096; location / {{\n"
            "    add_header Auth-Status OK; add_header Auth-Server 127.0.0.1;\n"
            "    add_header Auth-Port $backend_port; return 200; } } }\n"
        )
        log = s.file("nginx-answer.log")
        words = ["nginx", "-p", s.folder, "-c", s.file("answer.conf", answer)]
        self.helpers.append(Program(words, 1 - s.processor, log))
        self.helpers[-1].wait_for([helper_port])
        text = nginx_head(s, "mail", s.workers) + "mail {\n" + NGINX_TLS.format(**s.certificate)
        text += f"  auth_http 127.0.0.1:{helper_port}/;\n  server_name mail.example;\n"
        text += "  smtp_auth none; xclient off; proxy_timeout 30m;\n"
        for (protocol, tls), port in self.ports.items():
            listen = f"listen 127.0.0.1:{port}{' ssl' if tls == 'implicit' else ''} backlog=4096;"
            start = "starttls on;" if tls == "starttls" else ""
            text += f"  server {{ {listen} protocol {protocol}; {start} }}\n"
        self.run("nginx", "-p", s.folder, "-c", s.file("mail.conf", text + "}\n"))


class Hitch(Peer):
    name = "hitch"
    program = "hitch"

    def launch(self):
        s = self.setting
        for protocol, tls in self.serves:
            text = (
                f'frontend = "[127.0.0.1]:{self.ports[(protocol, tls)]}"\n'
                f'backend = "[127.0.0.1]:{s.backend[protocol]}"\n'
                f'pem-file = "{s.certificate["both"]}"\n'
                f'tls-protos = TLSv1.2 TLSv1.3\nciphersuites = "{SUITE}"\n'
                'ecdh-curve = "X25519"\n'
                f"workers = {s.workers}\nbacklog = 4096\nkeepalive = 3600\n"
                'daemon = off\nquiet = on\nuser = "nobody"\n'
            )
            self.run("hitch", "--config=" + s.file(f"hitch-{protocol}.conf", text))


class Stunnel(Peer):
    name = "stunnel"
    program = "stunnel4"

    def launch(self):
        s = self.setting
        text = (
            "foreground = yes\npid =\ndebug = err\nsocket = l:TCP_NODELAY=1\n"
            f"socket = r:TCP_NODELAY=1\nciphersuites = {SUITE}\ncurves = X25519\n"
        )
        for protocol, tls in self.serves:
            text += (
                f"[{protocol}]\naccept = 127.0.0.1:{self.ports[(protocol, tls)]}\n"
                f"connect = 127.0.0.1:{s.backend[protocol]}\n"
                f"cert = {s.certificate['chain']}\nkey = {s.certificate['key']}\n"
            )
        self.run("stunnel4", s.file("stunnel.conf", text))


DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
instance_name = postern-bench-{instance}
protocols = imap pop3
listen = 127.0.0.1
disable_plaintext_auth = yes
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
ssl_curve_list = X25519
default_login_user = {login_user}
default_internal_user = {internal_user}
default_client_limit = 20000
default_process_limit = 20000
default_vsz_limit = 0
mail_max_userip_connections = 20000
passdb {{
  driver = static
  args = proxy=y nopassword=y host=127.0.0.1 port={imap} proxy_nopipelining=n
  override_fields = port={imap}
}}
service anvil {{
  client_limit = 40000
}}
service auth {{
  client_limit = 40000
}}
service imap-login {{
  service_count = 0
  process_min_avail = {workers}
  process_limit = {workers}
  client_limit = 20000
  inet_listener imap {{
    port = {imap_starttls}
  }}
  inet_listener imaps {{
    port = {imap_implicit}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = {workers}
  process_limit = {workers}
  client_limit = 20000
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


class Dovecot(Peer):
    """As an IMAP proxy: log-in processes that serve many clients each."""

    name = "dovecot"
    program = "dovecot"
    serves = [("imap", "implicit"), ("imap", "starttls")]

    def launch(self):
        s = self.setting

        def user(name):
            try:
                return pwd.getpwnam(name).pw_name
            except KeyError:
                return "nobody"

        text = DOVECOT.format(
            folder=s.folder,
            instance=os.getpid(),
            workers=s.workers,
            login_user=user("dovenull"),
            internal_user=user("dovecot"),
            imap=s.backend["imap"],
            imap_starttls=self.ports[("imap", "starttls")],
            imap_implicit=self.ports[("imap", "implicit")],
            **s.certificate,
        )
        self.run("dovecot", "-F", "-c", s.file("dovecot.conf", text))


ALL_PEERS = [Postern, Haproxy, NginxStream, NginxMail, Hitch, Stunnel, Dovecot]
