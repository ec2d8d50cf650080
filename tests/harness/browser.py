"""Debian's Chromium without a window, driven over WebDriver with the standard library alone."""

import json
import shutil
import urllib.error
import urllib.request

from .net import free_port
from .process import Process, wait_until

INSTALLED = shutil.which("chromium") and shutil.which("chromedriver")


class Browser(Process):
    """`folder`: for its profile. `dark`: what the page is told of the person's wishes. `size`: of the window."""

    def __init__(self, folder, dark=False, size=(1280, 1000)):
        self._port = free_port()
        self._session = None
        super().__init__(["chromedriver", f"--port={self._port}"])
        wait_until(self._ready, 60, "chromedriver")
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--hide-scrollbars", f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}",
                     f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
            "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def _ready(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def _in_session(self, method, path, body=None):
        return self._call(method, f"/session/{self._session}{path}", body)

    def open(self, url):
        self._in_session("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What the JavaScript function's body returns."""
        return self._in_session("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, *arguments):
        """What the promise resolves to that the JavaScript function's body returns."""
        return self._in_session("POST", "/execute/async", {
            "script": f"(async function() {{ {script} }}).apply(null, [...arguments].slice(0, -1))"
                      f".then(arguments[arguments.length - 1], (error) => arguments[arguments.length - 1](String(error)));",
            "args": list(arguments)})

    def resize(self, width, height):
        """As a phone would show it, narrower than any window gets."""
        self._in_session("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}})

    def press(self, key):
        """One key, as a WebDriver code: "\\ue004" is Tab, "\\ue007" Enter."""
        self._in_session("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def console(self):
        """All messages since the last call."""
        return self._in_session("POST", "/se/log", {"type": "browser"})

    def screenshot(self):
        """A PNG file in base64."""
        return self._in_session("GET", "/screenshot")

    def stop(self, timeout=20.0, **options):
        if self._session and self.running():
            self._in_session("DELETE", "")
            self._session = None
        return super().stop(timeout, **options)
