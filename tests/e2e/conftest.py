"""The stage of the end-to-end suite: a real ECR control plane (moto) and real registries on loopback, and the built binary run as a user would.

What moto does unlike Amazon ECR, as far as these helpers must know it, is said where it matters.
"""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import gated
import images
import kubernetes
import pytest
import registries
import requests
import services

REGION = "eu-west-1"  # not moto's default region, so that a forgotten region shows
ACCOUNT = "123456789012"
GATE_TIMEOUT_S = 60
NOWHERE = "http://127.0.0.1:9"  # refuses connections: without moto no test may reach AWS


def digest_of(content: str | bytes) -> str:
    """The content's address: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def image_manifest(seed: str) -> str:
    """A real OCI image manifest; another seed gives another image."""
    config, layer = digest_of(f"config of {seed}"), digest_of(f"layer of {seed}")
    return json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1470},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 31357624}],
    })


def index_manifest(children: dict[str, tuple[str, int]]) -> str:
    """A real OCI index: platform (`linux/amd64`) to the child's digest and size."""
    manifests = []
    for platform, (digest, size) in children.items():
        os_name, architecture = platform.split("/")
        manifests.append({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": size,
            "platform": {"os": os_name, "architecture": architecture},
        })
    return json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests})


@dataclasses.dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str

    def env(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


TEST_CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class Moto:
    """moto's control plane at `url`, and what a test says to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ecr = self.client("ecr")
        self.iam = self.client("iam")
        self.sts = self.client("sts")

    def client(self, service: str, credentials: Credentials = TEST_CREDENTIALS) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            # A refusal is what a test asks for, never a reason to wait.
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def control(self, path: str, **keywords: Any) -> None:
        """A call of moto's own interface, which no AWS client knows."""
        response = requests.post(f"{self.url}/moto-api/{path}", timeout=10, **keywords)
        assert response.ok, f"moto-api/{path}: {response.status_code} {response.text}"

    def reset(self) -> None:
        self.control("reset")
        # IAM enforcement survives a reset; "inf" is moto's word for: never enforce.
        self.control("reset-auth", data="inf", headers={"content-type": "text/plain"})

    def push_image(self, repo: str, tag: str | None, manifest: str | None = None, digest: str | None = None) -> str:
        """Pushes a manifest (without one: an image of its own for `repo:tag`), creates the repository if needed, returns the digest.

        moto would hash the layer list, not the manifest, so the real digest is passed; another `digest` makes a registry that lies.
        """
        if not any(r["repositoryName"] == repo for r in self.ecr.describe_repositories()["repositories"]):
            self.ecr.create_repository(repositoryName=repo)
        manifest = manifest if manifest is not None else image_manifest(f"{repo}:{tag}")
        digest = digest or digest_of(manifest)
        keywords = {} if tag is None else {"imageTag": tag}
        image = self.ecr.put_image(repositoryName=repo, imageManifest=manifest, imageDigest=digest, **keywords)["image"]
        assert image["imageId"]["imageDigest"] == digest, f"{repo}:{tag} was there already under another digest"
        return digest

    def seed_scan(self, repo: str, digest: str, body: dict[str, Any]) -> dict[str, Any]:
        """Makes `body` the answer of DescribeImageScanFindings for `repo@digest`; returns what it answers, as the wire carries it.

        Repository, registry and image id are filled in where `body` lacks them. What moto asks of us:
        - a scan must have been started, or it says ScanNotFoundException whatever was seeded;
        - each distinct imageId asked for takes one seeded result and keeps it for good, so one image is seeded once, and asked by digest alone;
        - between untagged images of one repository results are mixed up, so ours is taken at once;
        - the answer passes through the service model: fields that ECR does not have are dropped, so are nulls, and dates become epoch seconds.
        """
        body = {"registryId": ACCOUNT, "repositoryName": repo, "imageId": {"imageDigest": digest}, **body}
        self.ecr.start_image_scan(repositoryName=repo, imageId={"imageDigest": digest})
        self.control("static/ecr/scan-finding-results", json={"results": [body], "region": REGION})
        answer = self.raw("DescribeImageScanFindings", {"repositoryName": repo, "imageId": {"imageDigest": digest}})
        assert answer["imageScanStatus"] == body["imageScanStatus"], f"moto did not take the seeded result: {answer}"
        return answer

    def raw(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call of ECR as JSON on the wire, unsigned: what is there before a client library has read it."""
        response = requests.post(
            self.url,
            data=json.dumps(body),
            timeout=10,
            headers={
                "X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={TEST_CREDENTIALS.access_key_id}/20260101/{REGION}/ecr/aws4_request, "
                "SignedHeaders=host, Signature=none",
            },
        )
        response.raise_for_status()
        return response.json()

    def enforce_iam(self, policy: list[str] | dict[str, Any]) -> Credentials:
        """From here on only what IAM permits; returns the keys of a user with this policy: actions, or a whole document.

        Push and seed before: the suite's own keys are refused afterwards. moto judges every ECR call as one on the resource `*`, so a
        document's resources are widened to it; what they name is for the test to look at. A refusal is 403 with XML, where ECR says 400 with JSON.
        """
        statements = [{"Effect": "Allow", "Action": policy}] if isinstance(policy, list) else policy["Statement"]
        document = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"} for statement in statements]}
        self.iam.create_user(UserName="gate")
        self.iam.put_user_policy(UserName="gate", PolicyName="gate", PolicyDocument=json.dumps(document))
        key = self.iam.create_access_key(UserName="gate")["AccessKey"]
        self.control("reset-auth", data="0", headers={"content-type": "text/plain"})
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def _die_with_parent() -> None:
    """In the child: SIGTERM when the suite goes, even if it was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _start_moto(log: Path) -> tuple[subprocess.Popen[bytes], str] | None:
    """One try on a port that was free a moment ago; None if somebody else took it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_parent)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            # Ready means: this process serves (another one on the port would leave ours dead at the next poll).
            if requests.get(f"{url}/moto-api/data.json", timeout=5).ok and process.poll() is None:
                return process, url
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    _stop(process)
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a moto_server of our own, stopped by its own process id at the end."""
    log = tmp_path_factory.mktemp("moto") / "moto.log"
    for _ in range(3):
        if started := _start_moto(log):
            break
    else:
        pytest.fail(f"moto_server does not start:\n{log.read_text()[-2000:]}", pytrace=False)
    process, url = started
    try:
        yield url
    finally:
        _stop(process)


@pytest.fixture
def moto(moto_server: str) -> Iterator[Moto]:
    """moto, empty at the start of every test."""
    control = Moto(moto_server)
    control.reset()
    yield control
    control.reset()


@pytest.fixture
def push_image(moto: Moto) -> Callable[..., str]:
    return moto.push_image


@pytest.fixture
def seed_scan(moto: Moto) -> Callable[..., dict[str, Any]]:
    return moto.seed_scan


@pytest.fixture
def enforce_iam(moto: Moto) -> Callable[..., Credentials]:
    return moto.enforce_iam


@dataclasses.dataclass(frozen=True)
class Run:
    """What a command left: its exit code and both streams."""

    args: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def gate(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Run]:
    """Runs the binary named by ECR_GATE_BIN: `gate("check", image, env={...}, cwd=...)`.

    Its environment is clean: PATH, a HOME of its own, test keys, the region, and as endpoint moto if the test uses it, else
    an address that refuses. `env` adds to it; a value of None takes a variable away.
    """
    binary = os.environ.get("ECR_GATE_BIN")
    if not binary or not os.access(binary, os.X_OK):
        pytest.fail(f"ECR_GATE_BIN does not name an executable ({binary!r}); `make e2e` builds it and sets it", pytrace=False)
    base = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": NOWHERE,
        **TEST_CREDENTIALS.env(),
    }
    if "moto" in request.fixturenames:
        base["AWS_ENDPOINT_URL"] = request.getfixturevalue("moto").url

    def run(*args: str | Path, env: dict[str, str | None] | None = None, cwd: Path = tmp_path, stdin: str = "") -> Run:
        command = (str(binary), *map(str, args))
        environment = {name: value for name, value in {**base, **(env or {})}.items() if value is not None}
        try:
            done = subprocess.run(
                command, env=environment, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=GATE_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"{' '.join(command)}: still running after {GATE_TIMEOUT_S} s\nstdout: {late.stdout}\nstderr: {late.stderr}")
        return Run(command, done.returncode, done.stdout, done.stderr)

    return run


# --- images and registries of any kind -------------------------------------------------------------------------------

NO_AWS: dict[str, str | None] = dict.fromkeys(
    ["AWS_REGION", "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
)


@pytest.fixture
def check(gate: Callable[..., Run]) -> Callable[..., Run]:
    """`gate("check", …)` as somebody runs it who has never heard of AWS: none of its variables is set."""

    def run(*args: str | Path, env: dict[str, str | None] | None = None, **keywords: Any) -> Run:
        return gate("check", *args, env={**NO_AWS, **(env or {})}, **keywords)

    return run


@pytest.fixture
def verify(gate: Callable[..., Run]) -> Callable[..., Run]:
    """`gate("verify", …)` of an image that was placed, told how to speak to its registry; JSON unless something else is asked for."""

    def run(placed: Any, *args: str | Path, output: str = "json", env: dict[str, str | None] | None = None, **keywords: Any) -> Run:
        given = ["--output", output] if output else []
        return gate("verify", placed.reference, *args, *given, *placed.registry.flags, env={**NO_AWS, **(env or {})}, **keywords)

    return run


@pytest.fixture
def build_image(tmp_path: Path) -> Callable[..., images.Image]:
    """Makes an image in an OCI layout: `build_image(*layers, config={…})`."""
    numbers = itertools.count(1)
    return lambda *layers, **keywords: images.build(tmp_path / f"layout{next(numbers)}", *layers, **keywords)


@pytest.fixture
def repo(request: pytest.FixtureRequest) -> str:
    """A repository that no other test uses."""
    return f"team/{digest_of(request.node.nodeid)[7:19]}"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """Debian's docker-registry in plain http: no login, no referrers API."""
    with registries.docker_registry(tmp_path_factory.mktemp("registry"), _die_with_parent) as running:
        yield running


@pytest.fixture(scope="session")
def registry_auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """The same, with a login by name and password."""
    with registries.docker_registry(tmp_path_factory.mktemp("registry-auth"), _die_with_parent, auth=True) as running:
        yield running


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """The same over TLS, its certificate from an authority that no machine knows."""
    with registries.docker_registry(tmp_path_factory.mktemp("registry-tls"), _die_with_parent, tls=True) as running:
        yield running


@pytest.fixture(scope="session")
def referrers_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """A registry with the referrers API: zot where it is installed, else the testkit's."""
    folder = tmp_path_factory.mktemp("referrers")
    with registries.zot(folder, _die_with_parent) if registries.zot_binary() else registries.testkit(folder) as running:
        yield running


@pytest.fixture(params=["docker-registry", "referrers-api"])
def any_registry(request: pytest.FixtureRequest) -> registries.Registry:
    """Both kinds: without the referrers API, and with it."""
    return request.getfixturevalue("registry" if request.param == "docker-registry" else "referrers_registry")


# --- the decision service --------------------------------------------------------------------------------------------


@pytest.fixture
def serve(request: pytest.FixtureRequest, registry: registries.Registry, tmp_path: Path) -> Iterator[services.Services]:
    """Starts the service: `serve(policy=…, database=…, scans={…})`. It speaks plain http to the registry; its environment is that of `gate`."""
    endpoint = request.getfixturevalue("moto").url if "moto" in request.fixturenames else NOWHERE
    env = {"PATH": os.environ["PATH"], "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint, **TEST_CREDENTIALS.env()}
    started = services.Services(tmp_path, {**env, "ECR_GATE_INSECURE_REGISTRIES": registry.host})
    try:
        yield started
    finally:
        for service in started.started:
            service.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.Postgres]:
    """A PostgreSQL of our own. A test that stops it starts it again."""
    server = services.Postgres()
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Both databases: None, for the file in the data folder, and the URL of an empty one."""
    if request.param == "sqlite":
        return None
    server = request.getfixturevalue("postgres")
    return server.url(server.database())


@pytest.fixture
def verify_export(gate: Callable[..., Run], tmp_path: Path) -> Callable[..., Run]:
    """`ecr-gate audit verify` of an export, which has to succeed."""
    numbers = itertools.count(1)

    def verify(export: str, key: str, *args: str | Path, rc: int = 0) -> Run:
        file = tmp_path / f"export{next(numbers)}.jsonl"
        file.write_text(export)
        run = gate("audit", "verify", file, "--key", key, *args)
        assert run.rc == rc, run.stdout + run.stderr
        return run

    return verify


@pytest.fixture
def ecr_between(moto: Moto) -> Iterator[services.Between]:
    """moto behind a proxy that can be told to answer something else."""
    with services.between(moto.url.removeprefix("http://")) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def many_images(registry: registries.Registry, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Images by their digests, alike but for an annotation."""
    image = images.build(tmp_path_factory.mktemp("many") / "layout")
    registry.push(image, "load/app:1")
    manifest, repository = image.manifest(), registry.repository("load/app")
    described = [repository.put_manifest({**manifest, "annotations": {"number": str(number)}})[0] for number in range(150)]
    return [f"{registry.host}/load/app@{one['digest']}" for one in described]


# --- Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cluster() -> Iterator[kubernetes.Cluster]:
    """A real API server with its controllers, for this worker. A test that asks for it has the mark `kubernetes`; what it registers it takes away."""
    for attempt in range(3):
        running = kubernetes.Cluster(_die_with_parent)
        try:
            running.start()
            break
        except AssertionError:  # somebody else took one of its ports
            if attempt == 2:
                raise
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[kubernetes.Hook]:
    """A webhook of our own, which keeps what it was sent."""
    running = kubernetes.Hook(tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs helm, with no repository and no cluster but the one it is told: `helm("template", …)`. A test that uses it has the mark `helm`."""

    def run(*args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as home:
            command = [os.environ["ECR_GATE_HELM"], *map(str, args)]
            environment = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": "/dev/null"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GATE_TIMEOUT_S * 2, check=False)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture(scope="module")
def gates(
    cluster: kubernetes.Cluster, registry: registries.Registry, helm: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[gated.Gates]:
    """Makes gates that the cluster asks: `gates(admission={…})`. A test that asks for it has the marks `kubernetes` and `helm`."""
    folder = tmp_path_factory.mktemp("gates")
    made = gated.Gates(cluster, registry, lambda *args: helm(*args).stdout, folder, {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"})
    try:
        yield made
    finally:
        made.end()


def _missing(mark: pytest.Mark) -> list[str]:
    """Why a test cannot run here, each a sentence."""
    if mark.name == "peers":
        wanted = {name: os.environ.get(f"ECR_GATE_{name.upper()}", "") for name in mark.args}
    elif mark.name == "helm":
        wanted = {"helm": os.environ.get("ECR_GATE_HELM", "")}
    else:
        wanted = {name: kubernetes.program(name) for name in kubernetes.PROGRAMS}
    stage = "peers" if mark.name == "peers" else "kubernetes"
    return [f"{name} is not there: `make e2e` builds it, or `tools/setup {stage}`" for name, file in wanted.items() if not os.access(file, os.X_OK)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need what is not installed are skipped, and the summary says how many and why."""
    for item in items:
        for name in ("peers", "kubernetes", "helm"):
            for mark in item.iter_markers(name):
                for reason in _missing(mark):
                    item.add_marker(pytest.mark.skip(reason=reason))
