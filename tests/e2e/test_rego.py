"""Rego policies through the front door (S41): on facts that were written down the gate says what OPA says of the same document.

The policies are those of crates/policy/tests/rego that are about facts, whose answers OPA gave. On facts of an image that is made here OPA itself is asked
as well, where `tools/setup peers` has built it.
"""

from __future__ import annotations

import datetime
import importlib.machinery
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import reports
from images import SERVER, dpkg, program
from reports import Vulnerability, policy, write

TOP = Path(__file__).parents[2]
CASES = sorted(case for case in (TOP / "crates/policy/tests/rego").glob("*/") if '"ecr-gate.dev/facts/v1"' in (case / "input.json").read_text())


@pytest.fixture
def explain(gate, tmp_path: Path):
    """What the gate says of facts by the policy of a case: its messages, and how the rule came out."""

    def run(case: Path, facts: Path) -> tuple[list[str], str]:
        folder = tmp_path / case.name
        shutil.copytree(case, folder, dirs_exist_ok=True)
        modules = sorted(module.name for module in folder.glob("*.rego") if module.name != "policy.rego")
        data = [file.name for file in folder.glob("data.json")]
        rego = {"file": "policy.rego", "query": "data.main", "needs": ["config"], **({"modules": modules} if modules else {}), **({"data": data} if data else {})}
        rules = policy(folder / "policy.yaml", {"rego": rego})
        said = gate("policy", "explain", "--facts", facts, "--policy", rules, "--output", "json")
        assert said.rc == 0, said.stdout + said.stderr
        (result,) = [rule["result"] for explained in said.json()["policies"] for rule in explained["rules"]]
        return sorted(reason["message"] for reason in result.get("reasons", []) if reason["code"] == "rego.denied"), result["outcome"]

    return run


def messages(answer: dict[str, Any]) -> list[str]:
    """An answer as the gate shows it."""
    every = [*answer["deny"], *answer["warn"]]
    return sorted(f"{one['code']}: {one['text']}" if "code" in one else one["text"] for one in every)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_s41_a_policy_about_facts_says_what_opa_said(explain, case):
    expected = json.loads((case / "expected.json").read_text())
    assert expected["deny"], "a case that denies nothing shows little"
    assert explain(case, case / "input.json") == (messages(expected), "fail")


def corpus() -> ModuleType:
    """tools/rego-corpus, which knows how to ask OPA."""
    loader = importlib.machinery.SourceFileLoader("rego_corpus", str(TOP / "tools/rego-corpus"))
    spec = importlib.util.spec_from_loader("rego_corpus", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def nanoseconds(text: str) -> int:
    """A moment as `time.now_ns` has it."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0") or 0)


@pytest.mark.peers("opa")
def test_s41_the_gate_and_opa_say_the_same_of_an_image_that_was_inspected(gate, explain, build_image, tmp_path):
    image = build_image(dpkg({"openssl": "3.0.14-1", "zlib1g": "1.3-1"}), {"app/run": program()}, SERVER, config={"User": "0", "Env": ["API_TOKEN=x"]})
    found = [Vulnerability("CVE-2024-0001", "CRITICAL"), Vulnerability("CVE-2024-0002", "HIGH", "zlib1g", "1.3-1", None)]
    report = write(tmp_path / "trivy.json", reports.trivy(image, *found))
    inspected = gate("inspect", f"oci:{image.folder}", "--report", report, "--output", "json")
    assert inspected.rc == 0, inspected.stderr
    facts = inspected.json()
    opa, differ, denied = corpus(), [], 0
    opa.NOW = nanoseconds(facts["at"])
    for case in CASES:
        asked = tmp_path / "asked" / case.name
        shutil.copytree(case, asked)
        answer = opa.answer(Path(write(asked / "input.json", facts)).parent)
        ours, _ = explain(case, asked / "input.json")
        denied += bool(ours)
        if ours != messages(answer):
            differ.append(f"{case.name}: the gate {ours}, OPA {messages(answer)}")
    assert not differ, "\n".join(differ)
    assert denied >= len(CASES) // 2, "the image gives the policies something to say"
