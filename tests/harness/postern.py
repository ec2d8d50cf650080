"""The program itself: started with a configuration, watched through its log and its admin address."""

import http.client
import json
import os
import socket
import urllib.error
import urllib.request

from .metrics import Metrics
from .net import free_port
from .process import Process, wait_until

# Sanitizers make everything slower; what a test waits for may take this much longer under them.
SLOWNESS = 4 if os.environ.get("POSTERN_SANITIZE") else 1


def program():
    return os.environ["POSTERN"]


class Postern(Process):
    """`config` is a dict (written as JSON, which is YAML) or a YAML text. Listeners without an address get a free port
    on 127.0.0.1, and those without a name are called PROTOCOL-MODE; both can be asked for by name. Under the thread
    sanitizer there are four workers where the configuration does not say. `launcher` is a command put in front of the program's, which gets `pass_fds`."""

    def __init__(self, config, folder, env=None, wait=True, arguments=(), launcher=(), pass_fds=()):
        self.path = os.path.join(folder, "postern.yaml")
        self.events = []  # the parsed lines of the log
        self.listeners = {}
        self.admin = None
        if isinstance(config, dict):
            config = self._complete(config)
        self.write(config)
        super().__init__([*launcher, program(), "run", "-c", self.path, *arguments], env=env,
                         on_stderr=self._take_event, pass_fds=pass_fds)
        if wait:
            try:
                self.wait_listening()
            except BaseException:
                self.kill()  # nobody else knows of it yet
                raise

    def _complete(self, config):
        config = {**config}
        if "admin" not in config:
            config["admin"] = {"address": f"127.0.0.1:{free_port()}"}
        self.admin = config["admin"].get("address") or None
        if os.environ.get("POSTERN_SANITIZE") == "thread":
            config.setdefault("workers", 4)
        listeners = []
        for listener in config.get("listeners", []):
            listener = {**listener}
            listener.setdefault("address", f"127.0.0.1:{free_port()}")
            mode = listener["tls"]["mode"] if isinstance(listener["tls"], dict) else listener["tls"]
            listener.setdefault("name", f"{listener['protocol']}-{mode}")
            self.listeners[listener["name"]] = listener
            listeners.append(listener)
        config["listeners"] = listeners
        self.config = config
        return config

    def write(self, config):
        """Replaces the configuration file, in one step; see `reload`."""
        with open(self.path + ".new", "w") as file:
            file.write(config if isinstance(config, str) else json.dumps(config, indent=1))
        os.rename(self.path + ".new", self.path)

    def _take_event(self, line):
        try:
            event = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict):
            self.events.append(event)

    def wait_listening(self, timeout=15.0):
        wanted = max(1, len(self.listeners))

        def listening():
            if not self.running():
                self.wait(5)
                raise AssertionError(f"postern did not start:\n{self.output}")
            return len(self.of("listening")) >= wanted and (not self.admin or self.get("/healthz")[0] == 200)
        wait_until(listening, timeout * SLOWNESS, f"postern to listen; its log:\n{self.output}")

    def port(self, name):
        return int(self.listeners[name]["address"].rsplit(":", 1)[1])

    # The log.

    def of(self, name, **fields):
        """The events of that name whose fields are as given."""
        return [event for event in list(self.events)
                if event.get("event") == name and all(event.get(key) == value for key, value in fields.items())]

    def wait_event(self, name, count=1, timeout=10.0, **fields):
        """Waits until there are `count` such events; returns the last of them."""
        def seen():
            found = self.of(name, **fields)
            return found[count - 1] if len(found) >= count else None
        return wait_until(seen, timeout * SLOWNESS, f"event {name} {fields}; the log:\n{self.output}")

    # The admin address.

    def get(self, path):
        """(status, body); status 0 where nobody answers."""
        try:
            if self.admin.startswith("unix:"):
                return self._get_unix(path)
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""

    def _get_unix(self, path):
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(self.admin[len("unix:"):])
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metrics(self):
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics: {status}"
        return Metrics(text)

    def wait_metric(self, name, value, timeout=10.0, **labels):
        """Waits until the metric has that value, or for a function of it to be true."""
        test = value if callable(value) else lambda have: have == value
        last = []

        def reached():
            last[:] = [self.metrics().value(name, **labels)]
            return test(last[0])
        try:
            wait_until(reached, timeout * SLOWNESS, interval=0.05)
        except AssertionError:
            raise AssertionError(f"{name}{labels} is {last}, wanted {value}") from None

    def wait_quiet(self, timeout=10.0):
        """Until no session is open: what every test has to come back to."""
        self.wait_metric("sessions_active", 0, timeout)

    def wait_ready(self, timeout=15.0):
        wait_until(lambda: self.get("/readyz")[0] == 200, timeout * SLOWNESS, f"ready: {self.get('/readyz')}")
