"""The manifests of deploy/kubernetes, rendered, against the configuration in them and the program that serves it."""

import copy
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from harness import Case, LineClient, Postern, free_port, main, npm

try:
    import yaml
except ImportError:
    yaml = None

SOURCE = os.environ["POSTERN_SOURCE"]
SCHEMAS = ("kubernetes-models@5.1.0", "@kubernetes-models/cert-manager@4.4.4", "@kubernetes-models/prometheus-operator@6.0.0")
KINDS_OF_PODS = ("Deployment", "StatefulSet")
LAST_WORDS = 3  # seconds that the program takes for them after drain_timeout


def kubectl():
    """The program, where it knows enough: restartPolicy of init containers came with 1.28, its schema with kustomize 5."""
    program = shutil.which("kubectl")
    if not program:
        return None
    shown = subprocess.run([program, "version", "--client"], capture_output=True, text=True).stdout
    found = re.search(r"v1\.(\d+)", shown)
    return program if found and int(found.group(1)) >= 27 else None


class Manifests(Case):
    """What holds for both folders."""
    folder_name = None

    @classmethod
    def setUpClass(cls):
        if cls is Manifests:
            raise unittest.SkipTest("of those below")
        if yaml is None:
            raise unittest.SkipTest("no python3-yaml")
        if not kubectl():
            raise unittest.SkipTest("no kubectl of 1.27 or newer")
        done = subprocess.run([kubectl(), "kustomize", f"{SOURCE}/deploy/kubernetes/{cls.folder_name}"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cls.objects = [found for found in yaml.safe_load_all(done.stdout) if found]
        cls.workload, = [found for found in cls.objects if found["kind"] in KINDS_OF_PODS]
        cls.pod = cls.workload["spec"]["template"]["spec"]
        containers = cls.pod.get("initContainers", []) + cls.pod["containers"]
        cls.container, = [found for found in containers if found["name"] == "postern"]
        cls.text, = [found["data"]["postern.yaml"] for found in cls.objects if found["kind"] == "ConfigMap"]
        cls.configuration = yaml.safe_load(cls.text)
        cls.ports = {port["name"]: port["containerPort"] for port in cls.container["ports"]}

    def of(self, kind):
        return [found for found in self.objects if found["kind"] == kind]

    def local(self):
        """The configuration with the mounted files made here, and with free ports of the loopback: (text, ports)."""
        ports = {}

        def move(found):
            ports[int(found.group(1))] = free_port()
            return f'"127.0.0.1:{ports[int(found.group(1))]}"'
        text = re.sub(r'(?<=address: )":(\d+)"', move, self.text).replace("/run/", self.folder + "/")
        for folder in ("tls", "tickets"):
            os.makedirs(self.path(folder), exist_ok=True)
        shutil.copy(self.certificate.chain, self.path("tls/tls.crt"))
        shutil.copy(self.certificate.key, self.path("tls/tls.key"))
        with open(self.path("tickets/keys"), "wb") as file:
            file.write(os.urandom(96))
        return text, ports

    def mistakes(self, objects):
        """What their schemas have against them."""
        done = npm.node(npm.modules(*SCHEMAS), f"{SOURCE}/tests/program/kubernetes_schemas.mjs", json.dumps(objects))
        self.assertEqual((done[0], done[2]), (0, ""))
        return done[1].splitlines()

    def test_schemas(self):
        self.assertEqual(self.mistakes(self.objects), [])
        # What would be found: a value of the wrong kind, one that is missing, one too many.
        wrong = copy.deepcopy(self.workload)
        del wrong["spec"]["selector"]
        wrong["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "long"
        wrong["spec"]["template"]["spec"]["volumes"][0]["configMaps"] = {}
        found = "\n".join(self.mistakes([wrong]))
        for part in ("selector", "terminationGracePeriodSeconds must be integer", "configMaps is no field"):
            self.assertIn(part, found)

    def test_configuration_is_good(self):
        with open(self.path("postern.yaml"), "w") as file:
            file.write(self.local()[0])
        done = subprocess.run([os.environ["POSTERN"], "check", "-c", self.path("postern.yaml")], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ports(self):
        listening = {listener["name"]: int(listener["address"][1:]) for listener in self.configuration["listeners"]}
        admin = int(self.configuration["admin"]["address"][1:])
        self.assertEqual(sorted(self.ports.values()), sorted([*listening.values(), admin]))
        for name, port in listening.items():
            self.assertEqual(self.ports[name], port)
            self.assertGreater(port, 1023)  # no capability is there for lower ones
        for service in self.of("Service"):
            self.assertEqual({port["targetPort"] for port in service["spec"]["ports"]}, set(listening))
            for port in service["spec"]["ports"]:
                self.assertEqual(port["port"], {"imaps": 993, "pop3s": 995, "submission": 587}[port["name"]])
            self.selects(service["spec"]["selector"])

    def selects(self, selector):
        labels = self.workload["spec"]["template"]["metadata"]["labels"]
        self.assertTrue(selector)
        self.assertEqual(selector, {key: labels.get(key) for key in selector})

    def test_selectors(self):
        self.selects(self.workload["spec"]["selector"]["matchLabels"])
        for kind, key in (("PodDisruptionBudget", "selector"), ("PodMonitor", "selector"), ("NetworkPolicy", "podSelector")):
            for found in self.of(kind):
                self.selects(found["spec"][key]["matchLabels"])

    def test_files_are_mounted_where_the_configuration_says(self):
        mounts = {mount["mountPath"]: mount for mount in self.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        for file in re.findall(r"/run/[\w./-]+", self.text):
            mount = mounts[os.path.dirname(file)]
            self.assertTrue(mount["readOnly"])
            self.assertNotIn("subPath", mount)  # such a file is never renewed
            self.assertIn("secret", volumes[mount["name"]])
        self.assertEqual(self.container["args"], ["run", "-c", "/etc/postern/postern.yaml"])
        config = volumes[mounts["/etc/postern"]["name"]]["configMap"]["name"]
        self.assertEqual([config], [found["metadata"]["name"] for found in self.of("ConfigMap")])

    def test_restricted(self):
        outer = self.pod.get("securityContext", {})
        for container in self.pod.get("initContainers", []) + self.pod["containers"]:
            inner = container["securityContext"]
            self.assertIs(inner["allowPrivilegeEscalation"], False)
            self.assertEqual(inner["capabilities"], {"drop": ["ALL"]})
            self.assertIs({**outer, **inner}["runAsNonRoot"], True)
            self.assertEqual({**outer, **inner}["seccompProfile"]["type"], "RuntimeDefault")
        self.assertIs(self.container["securityContext"]["readOnlyRootFilesystem"], True)
        for volume in self.pod["volumes"]:
            self.assertTrue({"configMap", "secret", "emptyDir"} & set(volume))
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            self.assertNotIn(key, self.pod)

    def test_time_to_end(self):
        drain = int(re.fullmatch(r"(\d+)s", self.configuration["drain_timeout"]).group(1))
        before = max(found.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
                     for found in self.pod.get("initContainers", []) + self.pod["containers"])
        self.assertGreater(before, 0)
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], before + drain + LAST_WORDS)

    def test_probes_are_answered(self):
        text, ports = self.local()
        front = self.own(Postern(text, self.folder, wait=False))
        front.admin = f"127.0.0.1:{ports[int(self.configuration['admin']['address'][1:])]}"
        front.wait_listening()
        for name, answers in (("startupProbe", [200]), ("livenessProbe", [200]), ("readinessProbe", [200, 503])):
            get = self.container[name]["httpGet"]
            self.assertEqual(self.ports[get["port"]], int(self.configuration["admin"]["address"][1:]))
            self.assertIn(front.get(get["path"])[0], answers, name)
        self.assertNotEqual(self.container["readinessProbe"]["httpGet"]["path"],
                            self.container["livenessProbe"]["httpGet"]["path"])

    def test_certificate_is_renewed_by_the_kubelets_links(self):
        text, ports = self.local()
        for version in ("old", "new"):
            os.mkdir(self.path(version))
            subprocess.run([os.environ["POSTERN"], "cert", "self-signed", "--name", f"{version}.example", "--key",
                            self.path(f"{version}/tls.key"), "--chain", self.path(f"{version}/tls.crt")], check=True,
                           capture_output=True)
        shutil.rmtree(self.path("tls"))
        os.mkdir(self.path("tls"))
        os.symlink("../old", self.path("tls/..data"))
        for name in ("tls.crt", "tls.key"):
            os.symlink(f"..data/{name}", self.path(f"tls/{name}"))
        front = self.own(Postern(text, self.folder, wait=False))
        front.admin = f"127.0.0.1:{ports[int(self.configuration['admin']['address'][1:])]}"
        front.wait_listening()
        old = self.shown(ports[self.ports["imaps"]])
        os.symlink("../new", self.path("tls/..data_tmp"))
        os.rename(self.path("tls/..data_tmp"), self.path("tls/..data"))
        end = time.monotonic() + 15
        while self.shown(ports[self.ports["imaps"]]) == old:
            self.assertLess(time.monotonic(), end, "the new certificate is not shown")
            time.sleep(0.3)

    def shown(self, port):
        with LineClient(port, tls=True) as client:
            return client.socket.getpeercert(binary_form=True)


class Gateway(Manifests):
    folder_name = "gateway"

    def test_metrics_by_which_it_scales_are_there(self):
        scaler, = self.of("HorizontalPodAutoscaler")
        self.assertEqual(scaler["spec"]["scaleTargetRef"]["name"], self.workload["metadata"]["name"])
        self.assertNotIn("replicas", self.workload["spec"])
        text, ports = self.local()
        front = self.own(Postern(text, self.folder, wait=False))
        front.admin = f"127.0.0.1:{ports[int(self.configuration['admin']['address'][1:])]}"
        front.wait_listening()
        monitor, = self.of("PodMonitor")
        endpoint, = monitor["spec"]["podMetricsEndpoints"]
        self.assertEqual(endpoint["port"], "admin")
        status, shown = front.get(endpoint["path"])
        self.assertEqual(status, 200)
        for metric in scaler["spec"]["metrics"]:
            self.assertIn("\n" + metric["pods"]["metric"]["name"] + "{", shown)

    def test_network(self):
        policy, = self.of("NetworkPolicy")
        anywhere = [rule for rule in policy["spec"]["ingress"] if "from" not in rule]
        self.assertEqual({port["port"] for rule in anywhere for port in rule["ports"]}, set(self.ports) - {"admin"})
        out = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]} - {53}
        servers = [server for backend in self.configuration["backends"].values() for server in backend["servers"]]
        self.assertEqual(out, {int(server.rsplit(":", 1)[1]) for server in servers})

    def test_certificate(self):
        certificate, = self.of("Certificate")
        secrets = {volume["secret"]["secretName"] for volume in self.pod["volumes"] if "secret" in volume}
        self.assertIn(certificate["spec"]["secretName"], secrets)

    def test_the_clients_address_is_kept(self):
        service, = self.of("Service")
        self.assertEqual(service["spec"]["externalTrafficPolicy"], "Local")


class Sidecar(Manifests):
    folder_name = "sidecar"

    def test_it_is_native(self):
        self.assertIn(self.container, self.pod["initContainers"])
        self.assertEqual(self.container["restartPolicy"], "Always")

    def test_the_server_is_on_localhost_alone(self):
        for backend in self.configuration["backends"].values():
            for server in backend["servers"]:
                self.assertRegex(server, r"^127\.0\.0\.1:")

    def test_no_other_container_sees_the_key(self):
        secrets = {volume["name"] for volume in self.pod["volumes"] if "secret" in volume}
        for container in self.pod["containers"]:
            self.assertFalse(secrets & {mount["name"] for mount in container.get("volumeMounts", [])})


if __name__ == "__main__":
    main()
