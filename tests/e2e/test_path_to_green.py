"""The shortest path to green (B23): by a report that names layers, of an image whose base the policy approves by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import reports
from images import SERVER, Image, dpkg
from reports import Vulnerability, policy, vulnerabilities, write

YESTERDAY, TODAY = dpkg({"libc6": "2.36-9+deb12u7", "zlib1g": "1.3-1"}), dpkg({"libc6": "2.36-9+deb12u8", "zlib1g": "1.3-1"})


def layers(image: Image) -> list[str]:
    return json.loads(image.blob(image.manifest()["config"]["digest"]))["rootfs"]["diff_ids"]


@pytest.fixture
def judge(check, registry, tmp_path: Path):
    """Judges an image of the registry by what Trivy finds and by its base image."""

    def run(image: Image, reference: str, base: str, *found: Vulnerability):
        rules = policy(tmp_path / "policy.yaml", vulnerabilities(), {"baseImage": {"approved": [base]}})
        report = write(tmp_path / "trivy.json", reports.trivy(image, *found))
        outputs = ["-o", "table", "-o", "json=decision.json", "-o", "markdown=comment.md"]
        run = check(reference, "--report", report, "--policy", rules, *registry.flags, *outputs)
        assert run.rc == 1, run.stdout + run.stderr
        return run, json.loads((tmp_path / "decision.json").read_text())["pathToGreen"], (tmp_path / "comment.md").read_text()

    return run


def found(image: Image) -> list[Vulnerability]:
    below, own = layers(image)
    return [
        Vulnerability("CVE-2024-0001", "HIGH", "libc6", "2.36-9+deb12u7", "2.36-9+deb12u8", layer=below),
        Vulnerability("CVE-2024-0002", "CRITICAL", "libc6", "2.36-9+deb12u7", "2.36-9+deb12u8", layer=below),
        Vulnerability("CVE-2024-0003", "HIGH", "zlib1g", "1.3-1", None, layer=below),
        Vulnerability("CVE-2024-0004", "HIGH", "lodash", "4.17.15", "4.17.19", layer=own),
        Vulnerability("CVE-2024-0005", "HIGH", "lodash", "4.17.15", "4.17.21", layer=own),
        Vulnerability("CVE-2024-0006", "HIGH", "elsewhere", "1.0", "1.1"),
    ]


def test_b23_who_brought_what_and_what_clears_how_many(judge, build_image, registry, repo):
    old, new = build_image(YESTERDAY), build_image(TODAY)
    base = registry.push(old, f"{repo}/base:12")
    claim = {"org.opencontainers.image.base.name": base, "org.opencontainers.image.base.digest": old.digest}
    image = build_image(YESTERDAY, SERVER, annotations=claim)
    reference = registry.push(image, f"{repo}:1")
    assert registry.push(new, f"{repo}/base:12") == base

    run, path, comment = judge(image, reference, base, *found(image))
    assert [(who["by"], who["findings"]) for who in path["introduced"]] == [("base", 3), ("own", 2), ("unknown", 1)]
    assert (path["introduced"][0]["base"], path["introduced"][0]["newerBuild"]) == (base, True)
    steps = [
        f"build again on {base} of today (`docker build --pull`): may clear 2 findings (libc6)",
        "upgrade lodash 4.17.15 to 4.17.21: clears 2 findings",
        "upgrade elsewhere 1.0 to 1.1: clears 1 finding",
    ]
    assert [step["text"] for step in path["steps"]] == steps
    assert [(step["kind"], step["clears"], step["certain"]) for step in path["steps"]] == [
        ("rebuild", 2, False), ("upgrade", 2, True), ("upgrade", 1, True),
    ]
    assert (path["blocking"], path["stays"]["findings"], path["stays"]["noFix"]) == (6, 1, 1)
    shown = run.stdout.split("Shortest path to green:\n")[1]
    assert [f"  {number}. {step}" for number, step in enumerate(steps, 1)] == shown.splitlines()[1:4], run.stdout
    assert "1 finding is left: 1 without a fix" in shown
    assert "### Shortest path to green" in comment and "1. upgrade lodash 4.17.15 to 4.17.21" in comment


def test_b23_on_the_base_of_today_building_again_is_not_proposed(judge, build_image, registry, repo):
    base = registry.push(build_image(YESTERDAY), f"{repo}/base:12")
    image = build_image(YESTERDAY, SERVER)
    _, path, _ = judge(image, registry.push(image, f"{repo}:1"), base, *found(image))
    assert path["introduced"][0]["newerBuild"] is False
    assert [step["kind"] for step in path["steps"]] == ["upgrade"] * 3
    assert f"above {base}, of which there is no other build today" in path["steps"][0]["text"]
