"""The decision service as its operators run it: processes of `ecr-gate serve`, a PostgreSQL of our own, a proxy that can be cut, and clients that keep
account of every answer they were given."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import itertools
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import requests
from registries import free_port

PATIENCE_S = 30
"""What takes longer than this hangs."""
TOKENS = {role: f"token-of-{role}-{'x' * 20}" for role in ("read", "write", "admin")}


def until(what: str, ready: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Asks again and again until the answer is true, and returns it."""
    deadline = time.monotonic() + patience_s
    while True:
        if found := ready():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {patience_s} s"
        time.sleep(0.02)


# --- the service -----------------------------------------------------------------------------------------------------


class Service:
    """One process of the service. What it is started with stays, so that it can be started again after whatever ended it."""

    def __init__(self, folder: Path, config: dict[str, Any], flags: list[str], env: dict[str, str]) -> None:
        self.folder, self.config, self.flags, self.env = folder, config, flags, env
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.preexec: list[Callable[[], None]] = []

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def command(self) -> list[str]:
        (self.folder / "serve.yaml").write_text(json.dumps(self.config))  # JSON is YAML
        settings = ["--config", "serve.yaml"] if self.config else []
        given = ["--listen", "127.0.0.1:0", "--data-dir", str(self.data), "--ready-file", str(self.folder / "ready")]
        return [os.environ["ECR_GATE_BIN"], "serve", *settings, *given, *self.flags]

    def spawn(self) -> Service:
        """Starts it, and does not wait."""
        (self.folder / "ready").unlink(missing_ok=True)

        def prepare() -> None:
            for step in self.preexec:
                step()

        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.folder, preexec_fn=prepare
            )
        return self

    def ready(self) -> Service:
        """Waits until it can be asked."""

        def there() -> bool:
            assert self.process and self.process.poll() is None, f"it ended:\n{self.log[-3000:]}"
            ready = self.folder / "ready"
            return ready.exists() and ready.read_text().endswith("\n")

        until("the service starts", there)
        self.url = (self.folder / "ready").read_text().strip()
        return self

    def start(self) -> Service:
        return self.spawn().ready()

    def fails(self) -> tuple[int, str]:
        """Starts it where it has to refuse: its exit code, and what it said."""
        done = subprocess.run(self.command(), env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return done.returncode, done.stderr

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = PATIENCE_S) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(within_s)

    def end(self) -> None:
        """Whatever state a test left it in."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def call(self, method: str, path: str, role: str | None = None, timeout: float = PATIENCE_S, **keywords: Any) -> requests.Response:
        headers = {**keywords.pop("headers", {}), **({"Authorization": f"Bearer {TOKENS[role]}"} if role else {})}
        return requests.request(method, self.url + path, headers=headers, timeout=timeout, **keywords)

    def get(self, path: str, role: str | None = None, **keywords: Any) -> requests.Response:
        return self.call("GET", path, role, **keywords)

    def post(self, path: str, body: Any = None, role: str | None = None, **keywords: Any) -> requests.Response:
        return self.call("POST", path, role, json=body, **keywords)

    def ask(self, image: str, *, headers: dict[str, str] | None = None, timeout: float = PATIENCE_S, **body: Any) -> requests.Response:
        return self.post("/api/v1/decide", {"image": image, **body}, headers=headers or {}, timeout=timeout)

    def decided(self, image: str, **body: Any) -> dict[str, Any]:
        """The answer, which has to be one."""
        answer = self.ask(image, **body)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}\n{self.log[-1000:]}"
        return answer.json()

    # --- policies

    def upload(self, policy: Path | str, role: str = "admin") -> requests.Response:
        text = policy.read_text() if isinstance(policy, Path) else policy
        return self.post("/api/v1/policies", {"documents": [["policy.yaml", text]], "files": [{}]}, role)

    def uploaded(self, policy: Path | str) -> str:
        """The version of a policy that was taken."""
        answer = self.upload(policy)
        assert answer.ok, answer.text
        return answer.json()["digest"]

    def activate(self, policy: Path | str) -> str:
        """Uploads a policy and brings it into force; its version."""
        version = self.uploaded(policy)
        activated = self.post(f"/api/v1/policies/{version}/activate", {}, "admin")
        assert activated.ok and activated.json()["inForce"], activated.text
        return version

    # --- the audit log

    def export(self, limit: int = 500) -> str:
        """The whole log, page by page."""
        lines: list[str] = []
        while True:
            page = self.get("/api/v1/audit/entries", "read", params={"from": max(len(lines) - 1, 0), "limit": limit})
            assert page.ok, page.text
            found = page.text.splitlines(keepends=True)
            lines += found if not lines else found[1:]
            if lines[-1].startswith('{"checkpoint"'):
                return "".join(lines)
            assert len(found) > 1, "a page without an entry"

    def vkey(self) -> str:
        return self.get("/api/v1/audit/key", "read").text.strip()


@dataclasses.dataclass
class Services:
    """Starts services, and ends them with the test."""

    folder: Path
    env: dict[str, str]
    started: list[Service] = dataclasses.field(default_factory=list)

    def new(
        self, *flags: str | Path, database: str | None = None, policy: Path | list[Path] | None = None, tokens: bool = True,
        data: Path | None = None, env: dict[str, str] | None = None, **config: Any,
    ) -> Service:
        """Not started yet. All have the same tokens and the same audit key."""
        folder = self.folder / f"service{len(self.started)}"
        folder.mkdir()
        folder.chmod(0o700)
        if tokens:
            entries = [{"name": role, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest()} for role, token in TOKENS.items()]
            config = {"auth": {"tokens": entries, "anonymousReads": True}, **config}
            config.setdefault("audit", {"key": str(self.folder / "audit.key"), "origin": "gate.example/audit"})
        if database:
            config["database"] = {"url": database}
        if policy:
            config["policy"] = [str(file) for file in (policy if isinstance(policy, list) else [policy])]
        if config:
            # A service that is configured says which registries it asks: those it speaks plain http to, and Amazon ECR.
            plain = (env or {}).get("ECR_GATE_INSECURE_REGISTRIES") or self.env.get("ECR_GATE_INSECURE_REGISTRIES", "")
            config.setdefault("registries", {"allowed": [*filter(None, plain.split(",")), "*.amazonaws.com"]})
        service = Service(folder, config, list(map(str, flags)), {**self.env, "HOME": str(folder), **(env or {})})
        if data:
            (folder / "data").symlink_to(data)
        self.started.append(service)
        return service

    def __call__(self, *flags: str | Path, **keywords: Any) -> Service:
        return self.new(*flags, **keywords).start()


def clock(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is off by this much, such as `-10m`; time passes as ever."""
    printed = subprocess.run(["faketime", "-f", offset, "env"], capture_output=True, text=True, timeout=10, check=True).stdout
    said = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    return {name: said[name] for name in ("LD_PRELOAD", "FAKETIME")} | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


class Postgres:
    """PostgreSQL 15 in a temporary folder, on a port of loopback. As root it runs as the user `postgres`, which it insists on."""

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        assert programs, "PostgreSQL is not installed; `tools/setup test` installs it"
        self.programs = programs[-1]
        self.folder = Path(tempfile.mkdtemp(prefix="ecr-gate-postgres-"))
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.numbers = itertools.count(1)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=gate", "--encoding=UTF8", "--locale=C", str(self.folder / "data"))

    def _as_user(self, *command: str) -> list[str]:
        # It goes with the suite, even if that is killed: a fast shutdown.
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else ["setpriv"]
        return [*become, "--pdeathsig=INT", "--", *command]

    def _run(self, program: str, *arguments: str) -> str:
        command = self._as_user(str(self.programs / program), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S * 2, check=False, cwd="/")
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, **others: str) -> Postgres:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder, "fsync": "on",
                    "shared_buffers": "16MB", "max_connections": 60, "min_wal_size": "32MB", "max_wal_size": "64MB", **others}  # fmt: skip
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command = self._as_user(str(self.programs / "postgres"), "-D", str(self.folder / "data"), *given)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]

        def there() -> bool:
            assert self.process.poll() is None, f"PostgreSQL ended:\n{(self.folder / 'log').read_text()[-2000:]}"
            return subprocess.run(ready, timeout=PATIENCE_S, check=False).returncode == 0

        until("PostgreSQL starts", there)
        return self

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Immediate, as after a crash: SIGQUIT is what `pg_ctl -m immediate stop` sends."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def _everyone(self) -> list[int]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, timeout=10, check=False)
        return [self.process.pid, *map(int, found.stdout.split())]

    def pause(self) -> list[int]:
        """SIGSTOP to all of its processes, the postmaster first, so that no new one comes."""
        os.kill(self.process.pid, signal.SIGSTOP)
        for pid in (everyone := self._everyone()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return everyone

    def resume(self, everyone: list[int]) -> None:
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def sql(self, statement: str, database: str = "postgres") -> str:
        command = [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "gate"]
        done = subprocess.run([*command, "-d", database, "-c", statement], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, f"{statement}\n{done.stderr}"
        return done.stdout.strip()

    def adopt(self, folder: Path) -> None:
        """Gives a folder to the server's user."""
        folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)

    def database(self, tablespace: str | None = None) -> str:
        """A new, empty database; its name."""
        name = f"gate{next(self.numbers)}"
        self.sql(f"CREATE DATABASE {name}" + (f" TABLESPACE {tablespace}" if tablespace else ""))
        return name

    def url(self, name: str, port: int | None = None) -> str:
        return f"postgres://gate@127.0.0.1:{port or self.port}/{name}"

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.resume(self._everyone())
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


# --- what is in between ----------------------------------------------------------------------------------------------


class Line:
    """A line to somewhere on loopback that can be cut, held up or slowed down."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = free_port()
        self.delay_s = 0.0
        self.open = threading.Event()
        """While it is not set nothing passes, and nobody learns why."""
        self.open.set()
        self.ends: set[socket.socket] = set()
        self.listener: socket.socket | None = None
        self.join()

    def join(self) -> None:
        """Listens."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        """Ends every connection in the middle of whatever it carries, and refuses new ones."""
        listener, self.listener = self.listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            self.ends |= {near, far}
            for source, sink in [(near, far), (far, near)]:
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.delay_s:
                    time.sleep(self.delay_s)
                self.open.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.discard(source)
        source.close()

    def end(self) -> None:
        self.open.set()
        self.cut()


@contextlib.contextmanager
def line(port: int) -> Iterator[Line]:
    between = Line(port)
    try:
        yield between
    finally:
        between.end()


class Between:
    """A registry, or Amazon ECR, behind a proxy that is told how it fails: slowly, with a status, or with other answers."""

    def __init__(self, host: str) -> None:
        self.target = host
        self.delay_s = 0.0
        self.status: int | None = None
        """What everything is answered with."""
        self.throttled_every = 0
        """Every such request is answered with 429; 0: none."""
        self.count = itertools.count(1)
        self.asked = threading.Event()
        """Set by every request."""
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        between = self

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                between.asked.set()
                time.sleep(between.delay_s)
                if between.throttled_every and next(between.count) % between.throttled_every == 0:
                    return self.say(429, "application/json", b'{"errors": [{"code": "TOOMANYREQUESTS"}]}')
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                if between.status or operation in between.answers:
                    status, said = between.answers.get(operation, (between.status, {"errors": [{"code": "TOOMANYREQUESTS"}]}))
                    return self.say(status, "application/json", json.dumps(said).encode())
                kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = requests.request(self.command, f"http://{between.target}{self.path}", headers=kept, data=body, timeout=PATIENCE_S)
                digest = answer.headers.get("Docker-Content-Digest")
                return self.say(answer.status_code, answer.headers.get("Content-Type", ""), answer.content, digest)

            do_HEAD = do_POST = do_GET

            def say(self, status: int, kind: str, body: bytes, digest: str | None = None) -> None:
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    if digest:
                        self.send_header("Docker-Content-Digest", digest)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body if self.command != "HEAD" else b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def say(self, operation: str, body: dict[str, Any], status: int = 200) -> None:
        """What this operation of ECR answers from here on."""
        self.answers[operation] = (status, body)

    def recovers(self) -> None:
        self.delay_s, self.status = 0.0, None
        self.answers.clear()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def between(host: str) -> Iterator[Between]:
    proxy = Between(host)
    try:
        yield proxy
    finally:
        proxy.end()


# --- clients ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """An answer that a client was given."""

    image: str
    environment: str
    pipeline: str
    decision: str
    verdict: str
    record: dict[str, Any]
    asked: float
    answered: float


class Load:
    """Clients that ask as pipelines do, each image once, for as long as it lasts, and keep account of what they were answered."""

    def __init__(self, services: list[Service], asks: Iterable[tuple[str, str]], clients: int = 6, **body: Any) -> None:
        self.services, self.body = services, {"waitSeconds": 0, **body}
        self.asks = iter(asks)
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self.others: list[requests.Response] = []
        self.unanswered = 0
        self.name, self.numbers = uuid.uuid4(), itertools.count()
        self.threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a client hangs"

    def _client(self, number: int) -> None:
        service = self.services[number % len(self.services)]
        session = requests.Session()
        while not self.over.is_set():
            with self.lock:
                image, environment = next(self.asks)
                pipeline = f"{self.name}-{next(self.numbers)}"
            body = {"image": image, "environment": environment, "point": "ci", "pipeline": pipeline, **self.body}
            asked = time.monotonic()
            try:
                answer = session.post(f"{service.url}/api/v1/decide", json=body, timeout=PATIENCE_S)
            except requests.RequestException:
                self.unanswered += 1
                session = requests.Session()
                time.sleep(0.05)
                continue
            if answer.status_code != 200:
                self.others.append(answer)
                time.sleep(0.05)
                continue
            given = answer.json()
            record = given["decision"]
            self.acknowledged.append(
                Acknowledged(image, environment, pipeline, record["id"], given["verdict"], record, asked, time.monotonic())
            )

    def reaches(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Waits until this many are answered."""
        until(f"{count} answers", lambda: len(self.acknowledged) >= count, patience_s)


def is_problem(answer: requests.Response) -> bool:
    """RFC 9457."""
    return answer.headers["content-type"] == "application/problem+json" and answer.json()["status"] == answer.status_code


def nothing_is_missing(service: Service, acknowledged: list[Acknowledged], verify: Callable[[str, str], Any]) -> str:
    """Every decision that was acknowledged is there as it was given, with the answers given last, and in a log that verifies. The export."""
    session = requests.Session()
    for one in acknowledged:
        found = session.get(f"{service.url}/api/v1/decisions/{one.decision}", timeout=PATIENCE_S)
        assert found.status_code == 200, f"{one.decision} was acknowledged: {found.status_code} {found.text}"
        assert found.json() == one.record
    for one in acknowledged[-20:]:
        found = session.get(f"{service.url}/api/v1/decisions", params={"pipeline": one.pipeline}, timeout=PATIENCE_S).json()
        assert [row["id"] for row in found["decisions"]] == [one.decision], f"the answer to {one.pipeline} is not on record"
    for one in acknowledged[-1:]:
        proof = session.get(f"{service.url}/api/v1/audit/proof/{one.decision}", timeout=PATIENCE_S)
        assert proof.ok, proof.text
    export = service.export()
    logged = {json.loads(line).get("entry", {}).get("id") for line in export.splitlines() if '"entry"' in line}
    missing = {one.decision for one in acknowledged} - logged
    assert not missing, f"{len(missing)} acknowledged decisions are not in the audit log"
    verify(export, service.vkey())
    return export


# --- room ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A folder with this much room, if one may be mounted here; else the error that says why not."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)], check=True, capture_output=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


def may_mount() -> bool:
    """Whether a tmpfs can be mounted."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError, subprocess.CalledProcessError), small_disk(Path(folder) / "disk", "64k"):
        return True
    return False


def fill(file: Path) -> None:
    """Takes all the room there is."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))


def no_signal_for_large_files() -> None:
    """In the child: a file that may not grow is an error, as on a full disk, and no end of the process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def largest_file(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
