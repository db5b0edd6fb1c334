"""The measurements of the decision service: (m) an answer from a recorded decision beside a bare handler of the same stack and OPA's server, (n) an image
that is seen for the first time beside what its registry takes, (o) memory at rest and under load, (s) memory under mixed load for longer. Load is made by
wrk on the same machine."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evidence import die_with_parent, images, registries
from policies import Opa

CONNECTIONS = 16
SECONDS = int(os.environ.get("BENCH_SERVICE_SECONDS", "3"))  # of each turn of wrk
NEW_IMAGES = int(os.environ.get("BENCH_SERVICE_IMAGES", "60"))
SOAK = int(os.environ.get("BENCH_SERVICE_SOAK", "30"))  # seconds of load before memory is looked at again
MIXED = int(os.environ.get("BENCH_SOAK_SECONDS", "120"))  # of mixed load
MIXED_IMAGES, MIXED_ENVIRONMENTS = 40, 25
EACH_POLICY = 5  # seconds for which a policy is in force under mixed load
ADMIN = "token-of-the-bench-" + "x" * 20
POLICY = """apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: bench }
spec: { rules: [{ id: user, config: { nonRoot: true } }] }
"""
REGO = """package gate
import rego.v1
deny contains msg if {
    some manifest in input.manifests
    manifest.config.present.value.user in {"", "0", "root"}
    msg := "runs as root"
}
"""
LUA = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nlocal f = io.open("%s", "rb")\nwrk.body = f:read("*all")\nf:close()\n'
# Several bodies in turn, a line each.
IN_TURN_LUA = """local asks, next = {}, 0
wrk.headers["Content-Type"] = "application/json"
init = function()
  for line in io.lines("%s") do asks[#asks + 1] = wrk.format("POST", nil, nil, line) end
end
request = function()
  next = next %% #asks + 1
  return asks[next]
end
"""
# Of 100 asks 80 are about one image, 12 about any of a thousand pairs of image and environment, and 8 are queries.
MIXED_LUA = """local asks, queries = {}, {}
init = function()
  for line in io.lines("%s") do asks[#asks + 1] = wrk.format("POST", "/api/v1/decide", nil, line) end
  for line in io.lines("%s") do queries[#queries + 1] = wrk.format("GET", line) end
end
wrk.headers["Content-Type"] = "application/json"
math.randomseed(7)
request = function()
  local drawn = math.random(100)
  if drawn <= 80 then return asks[1] end
  if drawn <= 92 then return asks[math.random(#asks)] end
  return queries[math.random(#queries)]
end
"""


class Service:
    """`ecr-gate serve` with everything in one folder."""

    def __init__(self, gate: str, folder: Path, registry: Any, base: dict[str, str], *more: str, policy: str = POLICY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rules, ready = folder / "policy.yaml", folder / "ready"
        rules.write_text(policy)
        command = [gate, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data"), "--policy", str(rules), "--ready-file", str(ready)]
        command += ["--insecure-registry", registry.host, *more]
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(command, env={**base, "ECR_GATE_LOG": "warn", "ECR_GATE_ALLOWED_REGISTRIES": registry.host}, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        for _ in range(200):
            if ready.exists() and ready.read_text().endswith("\n"):
                break
            if self.process.poll() is not None:
                sys.exit(f"bench: serve ended: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        self.url = ready.read_text().strip()
        self.connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)

    def decide(self, image: str) -> bytes:
        self.connection.request("POST", "/api/v1/decide", json.dumps({"image": image}), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200 or json.loads(body)["verdict"] != "allow":
            sys.exit(f"bench: {answer.status} {body[:500]!r}")
        return body

    def memory_mib(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s*(\d+)", text, re.MULTILINE)[1]) / 1024

    def change(self, path: str, body: Any) -> dict[str, Any]:
        """Something that takes the administrator's token."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


@contextlib.contextmanager
def serving(gate: str, folder: Path, registry: Any, base: dict[str, str], *more: str, policy: str = POLICY) -> Iterator[Service]:
    service = Service(gate, folder, registry, base, *more, policy=policy)
    try:
        yield service
    finally:
        service.stop()


@contextlib.contextmanager
def bare(body: bytes, folder: Path, *tls: str) -> Iterator[str]:
    """The bare handler, which gives back these bytes; over TLS with certificate and key."""
    file = folder / "answer.json"
    file.write_bytes(body)
    with subprocess.Popen([os.environ["BENCH_BARE"], str(file), *tls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def wrk(url: str, bodies: list[bytes], folder: Path, seconds: int = SECONDS, connections: int = CONNECTIONS) -> tuple[float, float]:
    """Requests a second with these bodies in turn, and the time in seconds below which 99 of 100 are answered. A status other than 2xx ends the
    measurement."""
    file = folder / "body"
    file.write_bytes(b"\n".join(bodies))
    script = folder / "post.lua"
    script.write_text((LUA if len(bodies) == 1 else IN_TURN_LUA) % file)
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench: {said}")
    number, unit = re.search(r"^\s*99%\s+([0-9.]+)(us|ms|s)", said, re.MULTILINE).groups()
    return float(re.search(r"^Requests/sec:\s*([0-9.]+)", said, re.MULTILINE)[1]), float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def hey(url: str, body: bytes, folder: Path, rate: float) -> tuple[float, float]:
    """The times in seconds below which half and 99 of 100 are answered at this rate."""
    file = folder / "body"
    file.write_bytes(body)
    each = max(1, round(rate / CONNECTIONS))
    # Without a name it says address and port as the server's name, which is none.
    said = subprocess.run(
        ["hey", "-host", "localhost", "-z", f"{SECONDS}s", "-c", str(CONNECTIONS), "-q", str(each), "-m", "POST", "-T", "application/json", "-D", str(file), url],
        stdout=subprocess.PIPE, check=True, text=True,
    ).stdout
    middle, late = (float(re.search(rf"{part}%+ in ([0-9.]+) secs", said)[1]) for part in (50, 99))
    return middle, late


def recorded(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(m)"""
    turns = max(3, bench.TURNS // 3)
    with registries.docker_registry(folder, die_with_parent) as registry:
        image = images.build(folder / "image", images.DEBIAN, config={"User": "1000"})
        reference = registry.push(image, "shop/app:1")
        pinned = f"{registry.host}/shop/app@{image.digest}"
        facts = json.loads(subprocess.run([gate, "inspect", reference, "--insecure-registry", registry.host, "--output", "json", "--policy", str(policy(folder))], env=base, stdout=subprocess.PIPE, check=True).stdout)
        (folder / "opa.rego").write_text(REGO)
        print(f"\n(m) An answer from a recorded decision, beside a bare handler with the same bytes and OPA's server; {CONNECTIONS} connections of wrk, {turns} turns of {SECONDS} s")
        with serving(gate, folder / "service", registry, base) as service, Opa(folder / "opa.rego") as opa:
            body = service.decide(pinned)
            ask, question = json.dumps({"image": pinned}).encode(), json.dumps({"input": facts}).encode()
            if opa.ask(question)["result"] != []:
                sys.exit("bench: OPA does not allow what the gate allows")
            with bare(body, folder) as bare_url:
                sides: dict[str, tuple[str, bytes]] = {
                    "ecr-gate": (f"{service.url}/api/v1/decide", ask),
                    "a bare handler": (f"{bare_url}/api/v1/decide", ask),
                    "OPA's server": (f"http://127.0.0.1:{opa.port}/v1/data/gate/deny", question),
                }
                rates: dict[str, list[float]] = {name: [] for name in sides}
                for turn in range(turns + 1):
                    for name, (url, what) in sides.items():
                        rate, _ = wrk(url, [what], folder)
                        if turn > 0:
                            rates[name].append(rate)
                medians = {name: statistics.median(rate) for name, rate in rates.items()}
                for name, rate in medians.items():
                    print(f"  {name:34} {rate:9.0f} requests/s")
                _, late = hey(f"{service.url}/api/v1/decide", ask, folder, medians["ecr-gate"] / 2)
            ours, handler, opas = medians.values()
            bench.goal("requests/s: gate / bare handler", 100 * ours / handler, " %", 80, at_least=True)
            bench.goal("requests/s: gate / OPA", ours / opas, "×", 5, at_least=True)
            bench.goal("p99 at half load", late * 1000, " ms", 10, at_least=False)
            metrics = urllib.request.urlopen(f"{service.url}/metrics").read().decode()
            hits = int(re.search(r'cache_hits_total\{cache="judgements"\} (\d+)', metrics)[1])
            print(f"  {hits} answers came from one recorded decision")


def policy(folder: Path) -> Path:
    file = folder / "bench.yaml"
    file.write_text(POLICY)
    return file


def unseen(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(n)"""
    with registries.docker_registry(folder, die_with_parent) as registry, serving(gate, folder / "service", registry, base) as service:
        made = [images.build(folder / f"image{number}", images.DEBIAN, config={"User": "1000", "Labels": {"number": str(number)}}) for number in range(2 * NEW_IMAGES)]
        for number, image in enumerate(made):
            registry.push(image, f"shop/app:{number}")
        ours, registrys = [], []
        connection = http.client.HTTPConnection(registry.host)

        def fetch(path: str, accept: str) -> bytes:
            connection.request("GET", path, headers={"Accept": accept})
            return connection.getresponse().read()

        for number, image in enumerate(made):
            # In turns; what the registry has fetched for one is not in anybody's cache for the next.
            if number % 2 == 0:
                started = time.perf_counter()
                service.decide(f"{registry.host}/shop/app@{image.digest}")
                ours.append(time.perf_counter() - started)
            else:
                started = time.perf_counter()
                manifest = json.loads(fetch(f"/v2/shop/app/manifests/{image.digest}", images.MANIFEST))
                fetch(f"/v2/shop/app/blobs/{manifest['config']['digest']}", "*/*")
                registrys.append(time.perf_counter() - started)
        print(f"\n(n) The first decision about an image, {NEW_IMAGES} of them, beside fetching manifest and configuration over a kept connection")
        took, theirs = statistics.median(ours[3:]), statistics.median(registrys[3:])
        print(f"  {'ecr-gate, decided and recorded':34} {bench.ms(took)}\n  {'the registry':34} {bench.ms(theirs)}")
        bench.goal("above the registry's own time", (took - theirs) * 1000, " ms", 2, at_least=False)


def memory(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(o)"""
    with registries.docker_registry(folder, die_with_parent) as registry, serving(gate, folder / "service", registry, base) as service:
        image = images.build(folder / "image", images.DEBIAN, config={"User": "1000"})
        registry.push(image, "shop/app:1")
        ask = {"image": f"{registry.host}/shop/app@{image.digest}"}
        time.sleep(2)
        rest = service.memory_mib()
        url = f"{service.url}/api/v1/decide"
        wrk(url, [json.dumps(ask).encode()], folder, 5)
        early = service.memory_mib()
        wrk(url, [json.dumps(ask).encode()], folder, SOAK)
        late = service.memory_mib()
        print(f"\n(o) Memory of the service: at rest, after 5 s and after {SOAK} s more of load")
        print(f"  {'under load':34} {early:.1f} MiB, then {late:.1f} MiB")
        bench.goal("at rest", rest, " MiB", 40, at_least=False)
        bench.goal("growth while it runs", late / early, "×", 1.1, at_least=False)


def soak(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    """(s)"""
    config = folder / "serve.json"
    admin = {"name": "bench", "role": "admin", "sha256": hashlib.sha256(ADMIN.encode()).hexdigest()}
    config.write_text(json.dumps({"auth": {"tokens": [admin], "anonymousReads": True}}))  # JSON is YAML
    with registries.docker_registry(folder, die_with_parent) as registry, serving(gate, folder / "service", registry, base, "--config", str(config)) as service:
        made = [images.build(folder / f"image{number}", images.DEBIAN, config={"User": "1000", "Labels": {"number": str(number)}}) for number in range(MIXED_IMAGES)]
        asks, queries = [], []
        for number, image in enumerate(made):
            registry.push(image, f"shop/app{number}:1")
            pinned = f"{registry.host}/shop/app{number}@{image.digest}"
            asks += [json.dumps({"image": pinned, "environment": f"environment-{number}"}) for number in range(MIXED_ENVIRONMENTS)]
            queries += [f"/api/v1/decisions?digest={image.digest}&limit=20", f"/api/v1/decisions?image={pinned}&limit=20"]
            queries += [f"/api/v1/images/{image.digest}/events?limit=20"]
        (folder / "asks").write_text("\n".join(asks))
        (folder / "queries").write_text("\n".join(queries))
        (folder / "mixed.lua").write_text(MIXED_LUA % (folder / "asks", folder / "queries"))
        # The same rules under two names: whatever was judged is judged, and recorded, anew each time that the other one comes into force.
        declared = ", ".join(f"environment-{number}: {{ class: non-production }}" for number in range(MIXED_ENVIRONMENTS))
        text = POLICY.replace("spec: {", f"spec: {{ environments: {{ {declared} }},")
        texts = [text, text.replace("name: bench", "name: bench2")]
        versions = [service.change("/api/v1/policies", {"documents": [["policy.yaml", text]], "files": [{}]})["digest"] for text in texts]
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{MIXED}s", "-s", str(folder / "mixed.lua"), service.url]
        service.change(f"/api/v1/policies/{versions[0]}/activate", {})
        samples: list[float] = []
        begun, switched = time.monotonic(), 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent) as load:
            while load.poll() is None:
                if time.monotonic() - begun > (switched + 1) * EACH_POLICY:
                    switched += 1
                    service.change(f"/api/v1/policies/{versions[switched % 2]}/activate", {})
                samples.append(service.memory_mib())
                time.sleep(0.25)
            said = load.stdout.read()
        metrics = urllib.request.urlopen(f"{service.url}/metrics").read().decode()
        answers = re.findall(r'^ecr_gate_http_requests_total\{.*status="(\d)xx"\} (\d+)', metrics, re.MULTILINE)
        of = {kind: sum(int(count) for status, count in answers if status == kind) for kind in "245"}
        # Some are told to ask again, because the policy changed while they were answered.
        if of["5"] or of["4"] > of["2"] / 100 or "Socket errors" in said:
            sys.exit(f"bench: {said}{answers}")
        early = statistics.median(samples[len(samples) // 5 : len(samples) * 3 // 10])
        late = statistics.median(samples[len(samples) * 9 // 10 :])
        rate = float(re.search(r"^Requests/sec:\s*([0-9.]+)", said, re.MULTILINE)[1])
        decisions = sum(float(count) for count in re.findall(r"^ecr_gate_decisions_total\{[^}]*\} (\S+)", metrics, re.MULTILINE))
        print(f"\n(s) Memory under mixed load for {MIXED} s: one image, {len(asks)} pairs of image and environment, queries; another policy every {EACH_POLICY} s")
        print(f"  {'the load':34} {rate:.0f} requests/s ({of['4']} told to ask again), {switched} changes of policy, {decisions:.0f} decisions")
        print(f"  {'resident':34} {early:.1f} MiB at a quarter, {late:.1f} MiB at the end")
        bench.goal("growth from a quarter to the end", late / early, "×", 1.1, at_least=False)


MEASUREMENTS: dict[str, Callable[..., None]] = {"m": recorded, "n": unseen, "o": memory, "s": soak}


def main(gate: str, folder: Path, base: dict[str, str], bench: Any) -> None:
    environment = {**base, "DOCKER_CONFIG": str(folder), "NO_PROXY": "*"}
    for measure in (measure for letter, measure in MEASUREMENTS.items() if bench.wanted(letter)):
        place = folder / measure.__name__
        place.mkdir()
        measure(gate, place, environment, bench)


if __name__ == "__main__":
    sys.exit(f"run {os.path.dirname(__file__)}/run")
