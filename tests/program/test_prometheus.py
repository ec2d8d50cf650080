"""A real Prometheus scrapes a real Postern with people on it: every query of docs/metrics.md and of the dashboard has an
answer, every selector of the rules finds something, and promtool is content."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import Case, Process, canned, free_port, main, wait_until

SOURCE = os.environ["POSTERN_SOURCE"]
RULES = os.path.join(SOURCE, "deploy/prometheus/postern.rules.yml")
DASHBOARD = os.path.join(SOURCE, "deploy/grafana/postern.json")
DOCS = os.path.join(SOURCE, "docs/metrics.md")
WARM_UP = 12  # seconds of traffic; a rate needs two scrapes, one of them after the first log-in


def text_of(path):
    with open(path) as file:
        return file.read()


def filled_in(query):
    """A query of the dashboard with its variables filled in."""
    for variable, value in (("$__rate_interval", "1m"), ("$__range", "5m"), ("$job", ".*"), ("$instance", ".*"),
                            ("$listener", ".*")):
        query = query.replace(variable, value)
    return query


@unittest.skipUnless(shutil.which("prometheus") and shutil.which("promtool"), "prometheus is not installed")
class Prometheus(Case):
    def test_rules(self):
        folder = os.path.dirname(RULES)
        for command in (["check", "rules", "postern.rules.yml"], ["test", "rules", "postern.rules.test.yml"]):
            done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, timeout=240)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_is_tested_both_ways(self):
        alerts = set(re.findall(r"alert: (\w+)", text_of(RULES)))
        tests = text_of(os.path.join(os.path.dirname(RULES), "postern.rules.test.yml"))
        self.assertEqual(set(re.findall(r"- alertname: (\w+)", tests)), alerts)
        self.assertEqual(set(re.findall(r"- \{ alertname: (\w+)", tests)), alerts)

    def test_every_query_has_an_answer(self):
        front = self.start_postern()
        self.prometheus(front.admin)
        stop = threading.Event()
        people = threading.Thread(target=self.traffic, args=(front, stop))
        people.start()
        try:
            wait_until(lambda: self.query("up == 1"), 60, "Prometheus to scrape")
            time.sleep(WARM_UP)
            queries = re.findall(r"```promql\n(.*?)```", text_of(DOCS), re.DOTALL)
            self.assertGreater(len(queries), 15)
            panels = json.loads(text_of(DASHBOARD))["panels"]
            queries += [filled_in(target["expr"]) for panel in panels for target in panel.get("targets", [])]
            self.assertGreater(len(queries), 50)
            for query in queries:
                with self.subTest(query=query):
                    self.assertTrue(self.numbers(query))
            for selector in set(re.findall(r"(postern_\w+(?:\{[^}]*\})?)", self.expressions_of_rules())):
                with self.subTest(selector=selector):
                    self.assertTrue(self.query(selector))
            loaded = self.api("rules")["groups"]
            for rule in (rule for group in loaded for rule in group["rules"]):
                self.assertEqual((rule["name"], rule.get("lastError", "")), (rule["name"], ""))
        finally:
            stop.set()
            people.join()

    def test_every_query_names_what_there_is(self):
        text = text_of(DOCS) + text_of(RULES) + text_of(DASHBOARD)
        front = self.start_postern()
        known = set()
        for name, kind in front.metrics().types.items():
            known |= {name} | ({name + part for part in ("_bucket", "_sum", "_count")} if kind == "histogram" else set())
        recorded = set(re.findall(r"record: \w+:(\w+)", text_of(RULES)))
        named = set(re.findall(r"\bpostern_[a-z_]+\b", text))
        self.assertEqual({name for name in named - known if not any(part.startswith(name) for part in recorded)}, set())
        for name in known:
            if name.startswith("postern_") and not name.endswith(("_bucket", "_sum", "_count")):
                self.assertIn(f"| `{name}` |", text_of(DOCS))

    def expressions_of_rules(self):
        # Recorded names have a colon and are looked up by themselves.
        found = re.findall(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)", text_of(RULES))
        return "\n".join(block or line for block, line in found).replace("worker:postern", "worker:")

    def start_postern(self):
        backend = self.scripted(canned.SCRIPTS["imap"]())
        front = self.postern([{"protocol": "imap", "tls": "implicit", "backend": backend.address},
                              {"protocol": "imap", "tls": "starttls", "backend": backend.address},
                              {"name": "watched", "protocol": "imap", "tls": "starttls", "backend": backend.address,
                               "require_tls": True, "auth": {"enforce": "observe"}}], check_quiet=False)
        front.wait_ready()
        return front

    def prometheus(self, target):
        self.port = free_port()
        config = self.path("prometheus.yml")
        with open(config, "w") as file:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [RULES],
                       "scrape_configs": [{"job_name": "postern", "static_configs": [{"targets": [target]}]}]}, file)
        self.own(Process(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.path('tsdb')}",
                          f"--web.listen-address=127.0.0.1:{self.port}"]))

    def api(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                raise
            raise AssertionError(error.read().decode()) from None

    def query(self, query):
        try:
            return self.api("query", query=query)["result"]
        except urllib.error.URLError:
            return []

    def numbers(self, query):
        return [one for one in self.query(query) if one["value"][1] != "NaN"]

    def traffic(self, front, stop):
        """Good and wrong passwords, log-ins in the clear, one that is watched, and sessions that stay."""
        staying = self.client(front.port("imap-implicit"), tls=True)
        staying.line()
        staying.imap(b"a LOGIN fred secret")
        while not stop.is_set():
            for listener, tls in (("imap-implicit", True), ("imap-starttls", None), ("watched", None)):
                client = self.client(front.port(listener), tls=tls)
                client.line()
                client.imap(b"a LOGIN fred wrong")
                client.imap(b"b LOGIN fred secret")
                client.close()
            stop.wait(0.2)


if __name__ == "__main__":
    main()
