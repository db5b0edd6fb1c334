"""The measurements of policies, beside OPA with the same rules in Rego over the same facts (ten-rules/): (j) the gate's own rules, (k) the gate's Rego
host, (l) replaying recorded decisions. The facts are made by make_facts.py."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import make_facts
from evidence import die_with_parent

RULES = Path(__file__).resolve().parent / "ten-rules"
FINDINGS, COMPONENTS, PACKAGES = 500, 2_000, 300
ASKED_EACH_TURN = 20  # of OPA's server in both ways, after as many that are not counted
MILLISECONDS_EACH_TURN = 600  # for the medians of the gate
REPLAYED = [10_000, 30_000, 100_000]

Times = dict[str, float]  # what was measured: seconds


# --- the two sides -----------------------------------------------------------------------------------------------------


def judge(facts: Path, policy: str) -> dict[str, Any]:
    """What the gate says of recorded facts in one process, and how long each evaluation took."""
    command = [os.environ["BENCH_JUDGE"], str(facts), str(RULES / policy), str(MILLISECONDS_EACH_TURN)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


class Opa:
    """`opa run --server` with the policy, and one connection to it that is kept; over TLS with certificate and key."""

    def __init__(self, *documents: Path, tls: tuple[Path, Path] | tuple[()] = ()) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [os.environ["ECR_GATE_OPA"], "run", "--server", "--addr", f"127.0.0.1:{self.port}", "--log-level", "error", "--disable-telemetry"]
        command += [f"--tls-{what}-file={file}" for what, file in zip(["cert", "private-key"], tls)]
        command += [str(file) for file in documents or [RULES / "policy.rego"]]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        for _ in range(200):
            try:
                if tls:
                    self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=ssl._create_unverified_context())  # it is ours
                else:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
                self.connection.request("GET", "/health")
                self.connection.getresponse().read()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        sys.exit("bench: OPA does not answer")

    def __enter__(self) -> Opa:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait()

    def ask(self, body: bytes, metrics: bool = False, path: str = "/v1/data/gate/deny") -> dict[str, Any]:
        self.connection.request("POST", path + ("?metrics" if metrics else ""), body, {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())

    def times(self, body: bytes) -> Times:
        """Medians: of whole requests, and of what OPA says of itself, which is asked in turns with them: measuring costs something, too."""
        requests, said = [], []
        for number in range(2 * ASKED_EACH_TURN):
            started = time.perf_counter()
            self.ask(body)
            requests.append(time.perf_counter() - started)
            said.append(self.ask(body, metrics=True)["metrics"])
            if number < ASKED_EACH_TURN:  # it warms up
                requests.clear()
                said.clear()
        own = {"evaluation": "timer_rego_query_eval_ns", "handler": "timer_server_handler_ns"}
        return {"request": statistics.median(requests)} | {key: statistics.median(one[name] for one in said) / 1e9 for key, name in own.items()}


# --- the same answer -----------------------------------------------------------------------------------------------------


def denied_by_rules(said: dict[str, Any]) -> set[str]:
    """The gate's reasons in the words of policy.rego."""
    denied = set()
    for rule in said["rules"]:
        if rule["unknown"]:
            sys.exit(f"bench: rule {rule['rule']} is unknown: {rule['reasons']}")
        if rule["blocks"]:
            denied |= {f"{rule['rule']}: {finding}" for finding in rule["blocks"]}
            continue
        listed = [text for reason in rule["reasons"] for text in named(rule["rule"], reason)]
        denied |= {f"{rule['rule']}: {text}" for text in listed} or {rule["rule"]}
    return denied


def named(rule: str, reason: str) -> list[str]:
    """The packages and licences that a reason lists, as policy.rego names them."""
    if rule == "parts-list":
        return reason.split("lists denied packages: ")[-1].split("lists denied licences: ")[-1].split(", ")
    if rule == "packages":
        return re.findall(r"(?:: deb |: pkg:deb/)([a-z-]+)", reason)
    return []


def denied_by_host(said: dict[str, Any]) -> set[str]:
    """What the Rego rule says; anything unknown is no answer."""
    if any(rule["unknown"] for rule in said["rules"]):
        sys.exit(f"bench: the gate's Rego host has no answer: {said['rules'][0]['reasons']}")
    return {reason for rule in said["rules"] for reason in rule["reasons"]}


def same(policy: str, what: str, ours: set[str], opas: set[str]) -> None:
    if ours != opas or (what == "good") != (not ours):
        sys.exit(f"bench: {policy}: of the {what} image only the gate says {sorted(ours - opas)}, and only OPA {sorted(opas - ours)}")


# --- printing --------------------------------------------------------------------------------------------------------


def row(name: str, seconds: float) -> None:
    print(f"  {name:34} {seconds * 1e6:8.0f} µs")


def medians(turns: list[Times]) -> Times:
    return {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}


def beside_opa(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    # Each policy with how its answer is told in the words of policy.rego.
    sides = {"policy.yaml": denied_by_rules} if bench.wanted("j") else {}
    sides |= {"rego.yaml": denied_by_host} if bench.wanted("k") else {}
    turns: dict[str, list[Times]] = {policy: [] for policy in [*sides, "opa"]}
    with Opa() as opa:
        for what, wrong in [("good", False), ("bad", True)]:
            facts = make_facts.document(1, FINDINGS, COMPONENTS, PACKAGES, wrong)
            file = folder / f"{what}.json"
            file.write_text(json.dumps(facts, separators=(",", ":")))
            body = json.dumps({"input": facts}, separators=(",", ":")).encode()
            opas = set(opa.ask(body)["result"])
            for policy, told in sides.items():
                same(policy, what, told(judge(file, policy)), opas)
        # The last one is measured: the bad one, in which there is more to say.
        for _ in range(bench.TURNS):
            for policy in sides:
                said = judge(file, policy)
                turns[policy].append({key: said[f"{key}Ns"] / 1e9 for key in ["evaluate", "readAndEvaluate"]})
            turns["opa"].append(opa.times(body))
    theirs = medians(turns["opa"])
    size = file.stat().st_size / 1024
    print(f"\n(j) (k) One image by ten rules, beside OPA: {FINDINGS} findings, {COMPONENTS} components, {PACKAGES} packages, 3 signatures")
    print(f"  {size:.0f} KiB of facts, {len(opas)} denials, the same by all sides; a good image is denied by none")
    row("OPA: the evaluation, as it says", theirs["evaluation"])
    row("OPA: the handler, as it says", theirs["handler"])
    row("OPA: the whole request", theirs["request"])
    if "policy.yaml" in sides:
        ours = medians(turns["policy.yaml"])
        print("(j) The gate's own rules")
        row("ecr-gate: evaluation", ours["evaluate"])
        row("ecr-gate: reading and evaluation", ours["readAndEvaluate"])
        bench.goal("evaluation: OPA / gate", theirs["evaluation"] / ours["evaluate"], "×", 20, at_least=True)
        print(f"  {'with reading: handler / gate':34} {theirs['handler'] / ours['readAndEvaluate']:9.1f}×   no goal; reading JSON is most of it")
        print("  A process each, which reads policy and facts:")
        command = [os.environ["ECR_GATE_OPA"], "eval", "--data", str(RULES / "policy.rego"), "--input", str(file), "data.gate.deny"]
        replay = [gate, "policy", "replay", "--facts", str(file), "--policy", str(RULES / "policy.yaml")]
        took = bench.in_turns({"ecr-gate policy replay": (replay, 0), "opa eval": (command, 0)}, base)
        bench.table(took, floor)
        print(f"  {'wall time: opa eval / gate':34} {took['opa eval'].wall / took['ecr-gate policy replay'].wall:9.1f}×   no goal; much of it is starting up")
    if "rego.yaml" in sides:
        ours = medians(turns["rego.yaml"])
        print("(k) The same Rego by the gate's host, which makes its input of the facts as OPA's handler makes it of the request")
        row("ecr-gate: evaluation", ours["evaluate"])
        row("ecr-gate: reading and evaluation", ours["readAndEvaluate"])
        bench.goal("gate / OPA's handler", ours["evaluate"] / theirs["handler"], "×", 1, at_least=False)
        print(f"  {'with reading: gate / handler':34} {ours['readAndEvaluate'] / theirs['handler']:9.2f}×   no goal; the gate reads the facts and makes the input of them")
        print(f"  {'gate / evaluation alone':34} {ours['evaluate'] / theirs['evaluation']:9.2f}×   no goal; OPA's is without its input")


# --- replay ----------------------------------------------------------------------------------------------------------


def replay(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    turns = max(3, bench.TURNS // 5)
    files = {}
    for count in REPLAYED:
        (folder / str(count)).mkdir()
        files[count] = folder / str(count) / "facts.jsonl"
    make_facts.write_many(REPLAYED[-1], files[REPLAYED[-1]])
    with files[REPLAYED[-1]].open() as lines:
        for count in REPLAYED[:-1]:
            lines.seek(0)
            files[count].write_text("".join(next(lines) for _ in range(count)))
    largest = files[REPLAYED[-1]].stat().st_size
    print(f"\n(l) ecr-gate policy replay of {REPLAYED[-1]:,} recorded decisions, {largest / REPLAYED[-1] / 1024:.1f} KiB each, by ten rules, on {os.cpu_count()} cores; {turns} turns")
    command = [gate, "policy", "replay", "--policy", str(RULES / "policy.yaml"), "--facts"]
    # Every tenth image is one that was allowed and breaks every rule.
    answer = json.loads(subprocess.run([*command, str(files[REPLAYED[0]]), "--output", "json"], env=base, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    wanted = (REPLAYED[0], REPLAYED[0] * 9 // 10, [["allow", "deny", REPLAYED[0] // 10]])
    if (answer["decisions"], answer["same"], answer["flips"]) != wanted:
        sys.exit(f"bench: replay says {answer['decisions']} decisions, {answer['same']} the same, flips {answer['flips']}")
    sides = {f"{count:,} decisions": [*command, str(file)] for count, file in files.items()}
    sides["10,000 on one core"] = ["taskset", "-c", "0", *command, str(files[10_000])]
    runs: dict[str, list[Any]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, one in sides.items():
            runs[name].append(bench.once(one, base, 0))
    took = {name: bench.Took(*map(statistics.median, zip(*rows, strict=True))) for name, rows in runs.items()}
    bench.table(took, floor)
    by_count = {count: took[f"{count:,} decisions"] for count in REPLAYED}
    rates = {count: count / row.wall for count, row in by_count.items()}
    print("  " + ", ".join(f"{count:,}: {rate:,.0f} a second" for count, rate in rates.items()))
    each = [row.cpu / count for count, row in by_count.items()]
    bench.goal("CPU time each: most / least", max(each) / min(each), "×", 1.2, at_least=False)
    largest_run, smallest_run = by_count[REPLAYED[-1]], by_count[REPLAYED[0]]
    bench.goal("memory: 100,000 / 10,000", largest_run.rss_kib / smallest_run.rss_kib, "×", 1.2, at_least=False)
    busy = largest_run.cpu / largest_run.wall / (os.cpu_count() or 1)
    bench.goal("cores in use", busy * 100, " %", 90, at_least=True)
    print(f"  {'all cores against one':34} {took['10,000 on one core'].wall / smallest_run.wall:9.2f}×   no goal; of {os.cpu_count()}")


def main(gate: str, folder: Path, base: dict[str, str], bench: Any, floor: float) -> None:
    place = folder / "policies"
    place.mkdir()
    if bench.wanted("j") or bench.wanted("k"):
        beside_opa(gate, place, base, bench, floor)
    if bench.wanted("l"):
        replay(gate, place, base, bench, floor)


if __name__ == "__main__":
    sys.exit(f"run {os.path.dirname(__file__)}/run")
