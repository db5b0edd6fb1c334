"""Measures `ecr-gate` beside what it replaces, on this machine, in one run, turn by turn, and prints medians, ratios and whether the goals are met.

    python side_by_side.py PATH_OF_ECR_GATE

benches/README.md says how to read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import admission
import evidence
import policies
import service
import signatures
import store

HERE = Path(__file__).resolve().parent
TURNS = int(os.environ.get("BENCH_TURNS", "15"))  # how often each side runs; an odd number has a middle
FINDINGS_LIVE = 120  # of the image on the stand-in for ECR
FINDINGS_SAVED = 10_000  # of the saved report
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ONLY = os.environ.get("BENCH_ONLY", "")  # letters of measurements; all, if empty
COUNT_BY_SEVERITY = "[.imageScanFindings.findings[].severity] | group_by(.) | map({(.[0]): length}) | add"


def wanted(letter: str) -> bool:
    return not ONLY or letter in ONLY


class Took(NamedTuple):
    wall: float
    cpu: float
    rss_kib: float


def once(command: list[str], environment: dict[str, str], expected: int) -> Took:
    line = subprocess.run(
        [sys.executable, "-I", "-S", str(HERE / "once.py"), *command], env=environment, stdout=subprocess.PIPE, check=True, text=True
    ).stdout.split()
    if int(line[3]) != expected:
        sys.exit(f"bench: {' '.join(command)}: exit code {line[3]}, not {expected}; what it did was not what is measured")
    return Took(*map(float, line[:3]))


def in_turns(
    sides: dict[str, tuple[list[str], int]], environment: dict[str, str], each_turn: Callable[[], None] = lambda: None
) -> dict[str, Took]:
    """The medians of each side. They run in turns, so that what else the machine does meets all alike; the first turn is not counted."""
    runs: dict[str, list[Took]] = {name: [] for name in sides}
    for turn in range(TURNS + 1):
        for name, (command, expected) in sides.items():
            took = once(command, environment, expected)
            if turn > 0:
                runs[name].append(took)
        each_turn()
    return {name: Took(*map(statistics.median, zip(*took, strict=True))) for name, took in runs.items()}


# --- the machine -----------------------------------------------------------------------------------------------------


def first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0] if (done.stdout or done.stderr).strip() else "?"


def machine(gate: str) -> None:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(re.search(r"^MemTotal: *(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 2**20
    print(f"machine   {os.cpu_count()} cores, {model.group(1) if model else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}")
    print(f"built by  {first_line('rustc', '--version')}; {first_line(gate, '--version')}, {Path(gate).stat().st_size / 2**20:.1f} MiB")
    print(f"beside    {first_line('aws', '--version').split(' Linux')[0]}, {first_line('jq', '--version')}, {first_line('hyperfine', '--version')}, cosign {os.environ['COSIGN3_VERSION']}, OPA {os.environ['OPA_VERSION']}")
    load = os.getloadavg()[0]
    print(f"load      {load:.1f} before the start" + ("; OTHER WORK IS RUNNING: take the figures as they come" if load > 0.7 else ""))
    print(f"turns     {TURNS} of each side, medians")


# --- printing --------------------------------------------------------------------------------------------------------

missed: list[str] = []


def ms(seconds: float) -> str:
    return f"{seconds * 1000:8.1f} ms"


def mib(kib: float, floor: float) -> str:
    return f"{'< ' if kib <= floor * 1.02 else ''}{kib / 1024:.1f} MiB".rjust(12)


def table(took: dict[str, Took], floor: float) -> None:
    print(f"  {'':34} {'wall':>11} {'CPU':>11} {'peak memory':>12}")
    for name, row in took.items():
        print(f"  {name:34} {ms(row.wall)} {ms(row.cpu)} {mib(row.rss_kib, floor)}")


def goal(what: str, value: float, unit: str, limit: float, at_least: bool) -> None:
    met = value >= limit if at_least else value <= limit
    if not met:
        missed.append(what)
    sign = "at least" if at_least else "at most"
    print(f"  {what:34} {value:9.1f}{unit}   goal: {sign} {limit:g}{unit}   {'met' if met else 'MISSED'}")


# --- the measurements ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[tuple[str, str]]:
    """moto in a process of its own, which ends with its standard input."""
    command = [sys.executable, str(HERE / "stage.py"), str(FINDINGS_LIVE)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    log = (folder / "stage.log").open("w")
    with log, subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            answer = process.stdout.readline().split()
            if len(answer) != 2:
                sys.exit(f"bench: the stand-in for ECR did not start:\n{(folder / 'stage.log').read_text()[-2000:]}")
            yield answer[0], answer[1]
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def moto_alone(url: str, digest: str, operations: list[str]) -> list[float]:
    """Seconds of each of these calls by curl, without its own start: what neither side can be faster than here."""
    command = ["curl", "--silent", "--fail", "--noproxy", "*"]
    for number, operation in enumerate(operations):
        image = {"imageDigest": digest}
        body = {"repositoryName": "shop/api", **({"imageIds": [image]} if operation == "DescribeImages" else {"imageId": image})}
        command += ["--next"] if number else []
        command += ["--output", os.devnull, "--write-out", "%{time_total}\n", "--data", json.dumps(body), url]
        command += ["--header", "Content-Type: application/x-amz-json-1.1"]
        command += ["--header", f"X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.{operation}"]
        command += ["--header", "Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/eu-west-1/ecr/aws4_request, SignedHeaders=host, Signature=none"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [float(line) for line in done.stdout.split()]


def a_decision(gate: str, folder: Path, base: dict[str, str], floor: float) -> None:
    print(f"\n(a) One decision about an image whose scan is finished ({FINDINGS_LIVE} findings, some of them blocking), both asking the same moto")
    with stage(folder) as (url, digest):
        environment = {**base, "AWS_ENDPOINT_URL": url, "ECR_REPO": "shop/api", "IMAGE_DIGEST": digest}
        calls: list[list[float]] = []
        took = in_turns(
            {
                "ecr-gate check": ([gate, "check", f"{REGISTRY}/shop/api@{digest}"], 1),
                "the usual script (aws, 3 × jq)": ([str(HERE / "usual-script.sh")], 1),
            },
            environment,
            lambda: calls.append(moto_alone(url, digest, ["DescribeImages", "DescribeImageScanFindings"])),
        )
    ours, usual = took.values()
    table(took, floor)
    alone = statistics.median(map(sum, calls))
    alone_usual = statistics.median(findings for _, findings in calls)
    print(f"  {'of which moto: the two calls of ours':34} {ms(alone)}   (by curl; the one call of the script: {alone_usual * 1000:.1f} ms)")
    goal("wall time: script / gate", usual.wall / ours.wall, "×", 20, at_least=True)
    goal("CPU time: script / gate", usual.cpu / ours.cpu, "×", 40, at_least=True)
    goal("peak memory of the gate", ours.rss_kib / 1024, " MiB", 25, at_least=False)
    if ours.wall - alone > 0.001:  # else the machine is too busy to tell
        ratio = (usual.wall - alone_usual) / (ours.wall - alone)
        print(f"  {'without moto: script / gate':34} {ratio:9.1f}×   no goal; what is left when the server is taken off both")


def a_saved_report(gate: str, folder: Path, base: dict[str, str], floor: float) -> None:
    report = folder / "big.json"
    digest = subprocess.run(
        [sys.executable, str(HERE / "make_report.py"), str(FINDINGS_SAVED), str(report)], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.strip()
    size = report.stat().st_size / 2**20
    print(f"\n(b) Judging a saved report of {FINDINGS_SAVED} findings ({size:.1f} MiB), beside jq merely counting its severities")
    check = [gate, "check", "--report", f"ecr={report}", f"{REGISTRY}/shop/api@{digest}"]
    count = ["jq", COUNT_BY_SEVERITY, str(report)]
    # Both have to come to the same counts, or one of them does less.
    record = json.loads(subprocess.run([*check, "-o", "json"], env=base, stdout=subprocess.PIPE, check=False).stdout)
    counted = json.loads(subprocess.run(count, env=base, stdout=subprocess.PIPE, check=True).stdout)
    if record["findings"]["counts"] != counted:
        sys.exit(f"bench: the gate counts {record['findings']['counts']}, jq counts {counted}")
    took = in_turns({"ecr-gate check --report": (check, 1), "jq counting severities": (count, 0)}, base)
    ours, jq = took.values()
    table(took, floor)
    goal("wall time: jq / gate", jq.wall / ours.wall, "×", 10, at_least=True)
    print(f"  {'CPU time: jq / gate':34} {jq.cpu / ours.cpu:9.1f}×   no goal; the gate uses a second core for the digest of the file")


def start_up(gate: str, folder: Path, base: dict[str, str]) -> None:
    print("\n(c) Starting up: ecr-gate --version")
    figures = folder / "hyperfine.json"
    command = ["hyperfine", "--style", "none", "-N", "--warmup", "20", "--runs", "200", "--export-json", str(figures), f"'{gate}' --version"]
    subprocess.run(command, env=base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    [result] = json.loads(figures.read_text())["results"]
    print(f"  200 runs by hyperfine: {result['min'] * 1000:.2f} ms to {result['max'] * 1000:.2f} ms")
    goal("median", result["median"] * 1000, " ms", 5, at_least=False)


def main() -> None:
    [gate] = sys.argv[1:]
    machine(gate)
    with tempfile.TemporaryDirectory(prefix="ecr-gate-bench-") as name:
        folder = Path(name)
        # A clean environment for every side: no settings of a shell, no credentials of anybody.
        base = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        floor = once(["true"], base, 0).rss_kib
        print(f"floor     {floor / 1024:.1f} MiB: peak memory below it cannot be told from that of the process that measures")
        if wanted("a"):
            a_decision(gate, folder, base, floor)
        if wanted("b"):
            a_saved_report(gate, folder, base, floor)
        if wanted("c"):
            start_up(gate, folder, base)
        bench = sys.modules[__name__]
        evidence.main(gate, folder, base, bench, floor)
        signatures.main(gate, folder, base, bench, floor)
        policies.main(gate, folder, base, bench, floor)
        service.main(gate, folder, base, bench)
        store.main(folder / "store", bench)
        admission.main(gate, folder, base, bench)
    print()
    if missed:
        sys.exit(f"bench: {len(missed)} missed: {', '.join(missed)}")
    print("bench: every goal is met")


if __name__ == "__main__":
    main()
