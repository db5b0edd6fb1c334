"""A real Kubernetes API server on loopback: etcd, kube-apiserver and kube-controller-manager, and kubectl as a user would type it.

There is no node and no scheduler: pods stay Pending, which is all that admission needs. What controllers make is really made: a Deployment makes its
ReplicaSet, that makes its pods, a CronJob its Jobs. `Hook` is a webhook of our own that keeps what it was sent.

What this API server (1.35) sends to webhooks; test_kubernetes.py holds it to that:
- `POST PATH?timeout=10s` with `User-Agent: kube-apiserver-admission`, `Accept: application/json, */*`, `Accept-Encoding: gzip` and a `Content-Length`. HTTP/2
  is offered to a URL on loopback alone; a Service, and any other URL, is asked by HTTP/1.1.
- `request.uid` is another one at the mutating and the validating webhook. `object.metadata.uid` is not there when a mutating webhook sees a CREATE, and is
  when a validating one does. `request.name` and `metadata.name` are not there for `generateName` at the mutating webhook, and are at the validating one.
- `object` and `oldObject` are always there, null where there is none; `dryRun` and `options` too. `subResource` only where there is one.
- Controllers are `system:serviceaccount:kube-system:NAME` with NAME `deployment-controller` (ReplicaSets), `replicaset-controller`, `statefulset-controller`,
  `daemon-set-controller`, `job-controller`, `replication-controller` (pods) and `cronjob-controller` (Jobs); groups `system:serviceaccounts`,
  `system:serviceaccounts:kube-system`, `system:authenticated`. What they make has one ownerReference with `controller: true`.
- `kubectl create job --from=cronjob/NAME` sends an ownerReference with `controller: true` as the user: an ownerReference alone proves nothing.
- `kubectl scale` sends `deployments/scale`, which no rule of ours has; then the deployment-controller UPDATEs the ReplicaSet with the template as it was.
- `kubectl debug` is an UPDATE of `pods` with `subResource: ephemeralcontainers`; object and oldObject are the whole Pod.
- An image volume is `spec.volumes[].image.reference`. Pods also get a projected volume with their token.
- A label is an UPDATE of the whole object. `kubectl apply` puts the whole manifest into an annotation.
- A deny reaches whoever asked with its code, reason, message (whole at 30 kB, line breaks too) and `details.causes`; where the asker is a controller it is in its
  events. `code: 429` makes clients ask again, kubectl ten times a second apart; 503 does not. A response without `status` is "denied the request without explanation".
- A warning with a control character, a line break too, is dropped without a word. Warnings are cut to 256 bytes each once all of them are over 4 kB.
- Audit annotations are kept whole at 20 kB, each as WEBHOOK/KEY. A wrong `uid`, or a patch of a validating webhook, is an error of the webhook: its failurePolicy.
- After the timeout the connection is broken off, and the request is an error of the webhook.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.server
import ipaddress
import itertools
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from registries import free_port
from services import until

PATIENCE_S = 60
USERS = {"admin": ["system:masters"], "developer": ["developers"], "on-call": ["break-glass"]}
"""The users with a kubeconfig, and their groups. Who is no admin may edit what is in namespaces (the ClusterRole `edit`)."""
WORKLOADS = [
    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods", "pods/ephemeralcontainers", "replicationcontrollers"]},
    {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments", "replicasets", "statefulsets", "daemonsets"]},
    {"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["jobs", "cronjobs"]},
]


PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


def program(name: str) -> str:
    """Where a command is, if it is: `tools/setup kubernetes` builds them; etcd is Debian's."""
    return shutil.which("etcd") or "" if name == "etcd" else str(Path(os.environ.get("ECR_GATE_KUBERNETES", "/nonexistent")) / name)


# --- certificates ----------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority in a folder: `NAME.crt` and `NAME.key` beside `ca.crt`."""

    def __init__(self, folder: Path, name: str = "authority of the tests") -> None:
        self.folder, self.key, self.name = folder, ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))
        self.file = folder / "ca.crt"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=2))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())

    @property
    def bundle(self) -> str:
        """As a webhook's `caBundle` has it."""
        return b64encode(self.file.read_bytes()).decode()

    def issue(self, name: str, groups: list[str] | None = None, hosts: list[str] | None = None) -> tuple[Path, Path]:
        """A certificate for a client (with its groups) or, with hosts, for a server: its file, and that of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name), *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups or [])]
        )
        names = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts or []]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        signed = self._signed(subject, key, usage, *([x509.SubjectAlternativeName(names)] if names else []))
        certificate, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        secret.chmod(0o600)
        return certificate, secret


# --- the cluster -----------------------------------------------------------------------------------------------------


class Cluster:
    """etcd, kube-apiserver and kube-controller-manager in a temporary folder, on ports of loopback, ended by their own process ids."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ecr-gate-kubernetes-"))
        self.prepare = prepare
        self.numbers = itertools.count(1)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.authority = Authority(self.folder)
        self.url = f"https://127.0.0.1:{free_port()}"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, a JSON object a line: what webhooks annotated is in `annotations`."""
        return self.folder / "audit.log"

    def _spawn(self, name: str, *flags: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [program(name), *flags]
            self.processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, preexec_fn=self.prepare)
            )

    def _log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def start(self) -> Cluster:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._spawn(
            "etcd", f"--data-dir={self.folder / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", "--logger=zap",
        )  # fmt: skip
        server, server_key = self.authority.issue("kube-apiserver", hosts=["127.0.0.1", "localhost", "10.96.0.1", "kubernetes.default.svc"])
        accounts, accounts_key = self.authority.issue("service-accounts")
        (self.folder / "audit.yaml").write_text(
            json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]})
        )
        self._spawn(
            "kube-apiserver", f"--admission-control-config-file={self._shows_itself()}", f"--etcd-servers={client}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.url.rsplit(':')[-1]}",
            f"--tls-cert-file={server}", f"--tls-private-key-file={server_key}", f"--client-ca-file={self.authority.file}", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={accounts}", f"--service-account-signing-key-file={accounts_key}", "--allow-privileged=true",
            f"--audit-policy-file={self.folder / 'audit.yaml'}", f"--audit-log-path={self.audit_log}",
        )  # fmt: skip
        for user, groups in USERS.items():
            self._kubeconfig(user, groups)
        try:
            until("the API server starts", lambda: self._live() and self.kubectl("get", "--raw=/readyz", check=False).returncode == 0, PATIENCE_S * 2)
            manager = self._kubeconfig("system:kube-controller-manager", [])
            # As kubeadm starts it: each controller is a service account of its own.
            self._spawn(
                "kube-controller-manager", f"--kubeconfig={manager}", "--use-service-account-credentials=true", f"--service-account-private-key-file={accounts_key}",
                f"--root-ca-file={self.authority.file}", "--leader-elect=false", "--bind-address=127.0.0.1", f"--secure-port={free_port()}",
                "--controllers=*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller",
            )  # fmt: skip
            # Whoever debugs a pod adds a container to it, which `edit` does not let.
            debug = {"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["get", "patch", "update"]}
            self.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "debug"}, "rules": [debug]})
            others = [user for user in USERS if user != "admin"]
            self.apply(*(binding(user, role) for user in others for role in ("edit", "debug")))
            may = ("auth", "can-i", "create", "pods", "--quiet")
            for user in others:
                until(f"{user} may make pods", lambda user=user: self.kubectl(*may, user=user, check=False).returncode == 0, PATIENCE_S)
            self.wait_for_account("default")
        except BaseException:
            self.end()
            raise
        return self

    def _shows_itself(self) -> Path:
        """What makes the API server show a certificate of `clients` to every webhook that asks for one."""
        (self.folder / "clients").mkdir()
        self.clients = Authority(self.folder / "clients", "authority of API servers")
        certificate, key = self.clients.issue("kube-apiserver")
        user = {"name": "*", "user": {"client-certificate": str(certificate), "client-key": str(key)}}
        (self.folder / "webhooks.kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": [user]}))
        group = "apiserver.config.k8s.io/v1"
        settings = {"apiVersion": group, "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": str(self.folder / "webhooks.kubeconfig")}
        plugins = [{"name": name, "configuration": settings} for name in ("ValidatingAdmissionWebhook", "MutatingAdmissionWebhook")]
        file = self.folder / "admission.yaml"
        file.write_text(json.dumps({"apiVersion": group, "kind": "AdmissionConfiguration", "plugins": plugins}))
        return file

    def _live(self) -> bool:
        for process in self.processes:
            assert process.poll() is None, f"{process.args[0]} ended:\n{self._log_of(Path(process.args[0]).name)}"
        return True

    def _kubeconfig(self, user: str, groups: list[str]) -> Path:
        certificate, key = self.authority.issue(user, groups)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": self.url, "certificate-authority": str(self.authority.file)}}],
            "users": [{"name": user, "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
        }
        file = self.folder / f"{user}.kubeconfig"
        file.write_text(json.dumps(config))
        file.chmod(0o600)
        return file

    def kubeconfig(self, user: str = "admin") -> Path:
        return self.folder / f"{user}.kubeconfig"

    def kubectl(self, *args: str | Path, user: str = "admin", stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl as this user; where it fails its words are the test's."""
        command = [program("kubectl"), f"--kubeconfig={self.kubeconfig(user)}", f"--cache-dir={self.folder / 'kubectl'}", *map(str, args)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done

    def apply(self, *objects: dict[str, Any], user: str = "admin", check: bool = True, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`kubectl apply` of all of them."""
        return self.kubectl("apply", "-f", "-", *flags, user=user, stdin=yaml.safe_dump_all(objects), check=check)

    def get(self, *args: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *args, "-o", "json").stdout)

    def wait_for_account(self, namespace: str) -> None:
        """Until pods can be made in it: the controller has made its service account."""
        wanted = ("get", "serviceaccount", "default", "-n", namespace)
        until(f"the service account of {namespace}", lambda: self._live() and self.kubectl(*wanted, check=False).returncode == 0, PATIENCE_S)

    @contextlib.contextmanager
    def namespace(self, name: str, **labels: str) -> Iterator[str]:
        """A namespace with these labels, gone afterwards with everything in it. A number is added to its name: what is deleted goes slowly."""
        name = f"{name}-{next(self.numbers)}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        try:
            self.wait_for_account(name)
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")

    @contextlib.contextmanager
    def webhooks(self, url: str, bundle: str, *, name: str = "gate", where: str = "default", **settings: Any) -> Iterator[None]:
        """Registers `URL/mutate` and `URL/validate` for workloads, until the end; `settings` are those of a webhook. They are in force when this
        goes on: a pod that is only tried in the namespace `where` got there.
        """
        common = {"admissionReviewVersions": ["v1"], "sideEffects": "NoneOnDryRun", "timeoutSeconds": 10, "failurePolicy": "Fail", "matchPolicy": "Equivalent"}
        rules = [{**rule, "operations": ["CREATE", "UPDATE"]} for rule in WORKLOADS]

        def configuration(kind: str, path: str, **more: Any) -> dict[str, Any]:
            hook = {"name": f"{path}.{name}.test", "clientConfig": {"url": f"{url}/{path}", "caBundle": bundle}, "rules": rules, **common, **more, **settings}
            return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "webhooks": [hook]}

        before = self.webhook_calls()
        self.apply(
            configuration("MutatingWebhookConfiguration", "mutate", reinvocationPolicy="IfNeeded"), configuration("ValidatingWebhookConfiguration", "validate")
        )

        def in_force() -> bool:
            self.apply(pod("tried", where, "tried:1"), flags=("--dry-run=server",), check=False)
            now = self.webhook_calls()
            # Who was refused by the first of the two never gets to the other.
            return any(count > before.get(hook, 0) for hook, count in now.items() if hook.endswith(f".{name}.test"))

        try:
            until("the webhooks are in force", in_force, PATIENCE_S)
            yield
        finally:
            self.kubectl("delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", name)

    def webhook_calls(self) -> dict[str, float]:
        """How often each webhook was called, whatever came of it, as the API server counts it."""
        found: dict[str, float] = {}
        for line in self.kubectl("get", "--raw=/metrics").stdout.splitlines():
            if match := re.match(r'apiserver_admission_webhook_request_total\{.*name="([^"]+)".*\} (\S+)', line):
                found[match[1]] = found.get(match[1], 0) + float(match[2])
        return found

    def audit(self, **said: Any) -> list[dict[str, Any]]:
        """The lines of the audit log about an object (`resource`, `namespace`, `name`)."""
        lines = [json.loads(line) for line in self.audit_log.read_text().splitlines()]
        return [line for line in lines if all(line.get("objectRef", {}).get(key) == value for key, value in said.items())]

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def binding(user: str, role: str) -> dict[str, Any]:
    """A user's ClusterRole everywhere."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{user}-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


# --- objects ---------------------------------------------------------------------------------------------------------


def pod_spec(*images: str, **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": f"c{number}", "image": image} for number, image in enumerate(images)], **more}


def pod(name: str, namespace: str, *images: str, annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(*images, **more)}


def workload(kind: str, name: str, namespace: str, *images: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob or ReplicationController of pods with these images."""
    labels = {"app": name}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": pod_spec(*images)}
    version = {"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1"}.get(kind, "apps/v1")
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
        body: dict[str, Any] = {"template": template}
        if kind == "CronJob":
            body = {"schedule": "* * * * *", "jobTemplate": {"spec": body}}
    elif kind == "ReplicationController":
        body = {"selector": labels, "template": template}
    else:
        body = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        body["serviceName"] = name
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {**body, **spec}}


# --- a webhook of our own --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of the API server, as it came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    version: str
    review: dict[str, Any]

    @property
    def request(self) -> dict[str, Any]:
        return self.review["request"]


class Hook:
    """A webhook over TLS that keeps every call, and answers what `answer` says: a response without uid; by default it lets everything through."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority of the webhook")
        self.calls: list[Call] = []
        self.connections: list[socket.socket] = []
        self.answer: Callable[[Call], dict[str, Any]] = lambda _: {"allowed": True}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.issue("webhook", hosts=["127.0.0.1"]))
        context.set_alpn_protocols(["http/1.1"])
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                hook.connections.append(self.connection)

            def do_POST(self) -> None:
                url = urllib.parse.urlparse(self.path)
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                call = Call(url.path, urllib.parse.parse_qs(url.query), dict(self.headers), self.request_version, review)
                hook.calls.append(call)
                response = {"uid": call.request["uid"], **hook.answer(call)}
                body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the API server waits no longer than it said
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, kind: str, path: str = "/validate", **request: Any) -> list[Call]:
        """The calls about objects of this kind, the oldest first, whose request says this."""
        found = [call for call in list(self.calls) if call.path == path and call.request["kind"]["kind"] == kind]
        return [call for call in found if all(call.request.get(key) == value for key, value in request.items())]

    def wait_for(self, kind: str, path: str = "/validate", **request: Any) -> Call:
        """The first such call, waited for."""
        return until(f"a call about a {kind}", lambda: self.of(kind, path, **request), PATIENCE_S)[0]

    def end(self) -> None:
        """Takes no more connections, and breaks those that the API server keeps."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def settle(seconds: float = 0.5) -> None:
    """A little while, for what must not happen."""
    time.sleep(seconds)
