//! `ecr-gate policy check | explain | diff | replay | fmt` from the outside: what they say about policies and recorded facts, and
//! which code they end with (B10).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "no {word:?} in {}\n{}", self.stdout, self.stderr);
        }
        self
    }
}

/// A folder with policies and recorded facts.
struct Desk {
    folder: TempDir,
}

const LATEST: &str = "2026-01-01T12:00:00Z";

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_ecr-gate"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Records facts about an image with these findings, as `check` does.
    fn record(&self, name: &str, findings: &[(&str, &str)]) -> PathBuf {
        let vulnerabilities: Vec<Value> = findings
            .iter()
            .map(|(id, severity)| {
                json!({ "VulnerabilityID": id, "PkgName": "openssl", "InstalledVersion": "3.0.8", "FixedVersion": "3.0.9",
                        "Severity": severity })
            })
            .collect();
        let id = format!("sha256:{:0>64}", format!("{:x}", name.bytes().map(u64::from).sum::<u64>()));
        let report = json!({
            "SchemaVersion": 2, "CreatedAt": LATEST, "ArtifactName": name, "ArtifactType": "container_image",
            "Metadata": { "ImageID": id, "OS": { "Family": "debian", "Name": "12" } },
            "Results": [{ "Target": "debian", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": vulnerabilities }],
        });
        let report = self.write(&format!("{name}.trivy.json"), &report.to_string());
        self.write("current.yaml", &policy("current", "0", ""));
        let facts = format!("facts=facts/{name}.json");
        fs::create_dir_all(self.folder.path().join("facts")).unwrap();
        let report = report.display().to_string();
        let ran = self.run(&["check", name, "--report", &report, "--policy", "current.yaml", "--output", &facts]);
        assert!(ran.code <= 1, "{}\n{}", ran.stdout, ran.stderr);
        self.folder.path().join("facts").join(format!("{name}.json"))
    }
}

/// A policy with a limit for HIGH; `more` are further rules.
fn policy(name: &str, high: &str, more: &str) -> String {
    format!(
        "apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: {{ name: {name} }}
spec:
  environments:
    production: {{ class: production }}
    staging: {{ class: non-production }}
  rules:
    - id: serious
      vulnerabilities:
        sources: {{ accept: [file] }}
        max: {{ critical: 0, high: {high} }}
        maxScanAge: 3650d
{more}"
    )
}

#[test]
fn b10_check_names_what_is_wrong_and_what_is_odd_with_its_place() {
    let desk = Desk::new();
    let odd = "    - id: weaker
      vulnerabilities:
        sources: { accept: [file] }
        max: { critical: 3, high: 3 }
        maxScanAge: 3650d
    - id: over
      age: { max: 30d }
      until: 2020-01-01
";
    desk.write("odd.yaml", &policy("odd", "0", odd));
    let ran = desk.run(&["policy", "check", "odd.yaml"]).exits(0).says(&[
        "odd.yaml:14:7: warning: rule \"weaker\": it never decides",
        "odd.yaml:19:7: warning: rule \"over\": it ended on 2020-01-02",
        "ok: policy odd (sha256:",
    ]);
    assert!(!ran.stdout.contains("error"), "{}", ran.stdout);
    desk.run(&["policy", "check", "odd.yaml", "--strict"]).exits(3);
    let page = desk.run(&["policy", "check", "odd.yaml", "--output", "json"]).exits(0).json();
    assert_eq!(page["findings"][0]["line"], 14);
    assert_eq!(page["findings"][0]["level"], "warning");

    desk.write("wrong.yaml", &policy("wrong", "0", "    - id: r\n      config: { nonRoot: false }\n"));
    desk.run(&["policy", "check", "wrong.yaml"])
        .exits(3)
        .says(&["wrong.yaml:15:26: error: rule \"r\": `config.nonRoot: false` asks nothing"]);
    desk.write("typo.yaml", &policy("typo", "0", "    - id: r\n      vulnerabilites: {}\n"));
    // Each file with what is wrong with it.
    desk.run(&["policy", "check", "wrong.yaml", "typo.yaml"]).exits(3).says(&[
        "typo.yaml:15:7: error: unknown key `vulnerabilites`",
        "hint: did you mean `vulnerabilities`?",
        "wrong.yaml:15",
    ]);
    desk.run(&["policy", "check", "nowhere.yaml"]).exits(3);
}

#[test]
fn b10_check_finds_rules_that_nothing_can_pass() {
    let desk = Desk::new();
    let lost = "    - id: signed
      signatures: { threshold: 1, of: [old], required: [old] }
  signers:
    old: { key: old.pub, revoked: true }
  match: { images: [\"team/app\"] }
";
    desk.write("lost.yaml", &policy("lost", "0", lost));
    desk.write("old.pub", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErBasbtD78bgKqgZsjsZ5asBwu7vu\nwI66Zbs5mmAGwoL1gKgEpEHtfq1wgR6PGG7p2Oq8+0mTBL4yNv6u5Y1t3A==\n-----END PUBLIC KEY-----\n");
    desk.run(&["policy", "check", "lost.yaml"]).exits(3).says(&[
        "error: rule \"signed\": `signatures.required` names \"old\", who is revoked",
        "error: `match.images`: \"team/app\" matches no image in a registry: it does not begin with a registry host",
    ]);
}

#[test]
fn s29_check_names_exceptions_that_are_expired_wide_pointless_or_unused() {
    let desk = Desk::new();
    desk.record("app:1", &[("CVE-2026-1", "HIGH")]);
    desk.write("gate.yaml", &policy("gate", "0", "  exceptions: [ex.yaml]\n"));
    let entry = |id: &str, what: &str, expires: &str| {
        format!("  - {{ id: {id}, {what}, repository: app, reason: r, owner: ann, expires: {expires} }}\n")
    };
    let entries = [
        entry("old", "cve: CVE-2026-1", "2026-01-01"),
        entry("gone", "rule: nowhere", "2099-01-01"),
        entry("other", "cve: CVE-2026-2", "2099-01-01"),
        entry("used", "cve: CVE-2026-1", "2099-01-01"),
    ];
    desk.write(
        "ex.yaml",
        &format!("apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:\n{}", entries.concat()),
    );
    desk.run(&["policy", "check", "gate.yaml", "--facts", "facts"]).exits(3).says(&[
        "warning: exception \"old\" expired on 2026-01-02",
        "error: exception \"gone\" waives nothing: the policy has no such rule",
        "warning: exception \"other\" is over-broad",
        "warning: exception \"other\" is used by none of 1 recorded images",
    ]);
    let ran = desk.run(&["policy", "check", "gate.yaml", "--facts", "facts"]);
    assert!(!ran.stdout.contains("\"used\" is used by none"), "{}", ran.stdout);
}

#[test]
fn b23_explain_shows_each_rule_with_its_evidence_and_the_way_to_green() {
    let desk = Desk::new();
    let facts = desk.record("app:1", &[("CVE-2026-1", "HIGH")]).display().to_string();
    let more = "    - id: named
      registries: { digestOnly: true }
      action: warn
    - id: has-sbom
      sbom: { from: [file] }
    - id: runs
      config: { nonRoot: true }
";
    desk.write("gate.yaml", &policy("gate", "0", more));
    desk.write("staging.yaml", &policy("other", "9", "  match: { environments: [staging] }\n"));
    let arguments = ["policy", "explain", "--facts", &facts, "--policy", "gate.yaml", "--policy", "staging.yaml"];
    desk.run(&arguments).exits(0).says(&[
        "verdict  deny for production",
        "policy gate",
        "FAIL     serious  (vulnerabilities, action deny) -> deny",
        "evidence: scan by trivy",
        "vuln.maxExceeded: 1 HIGH finding; the policy allows 0",
        "FAIL     named  (registries, action warn) -> warn",
        "FAIL     has-sbom  (sbom, action deny) -> deny",
        "evidence: none: none was handed over",
        "UNKNOWN  runs  (config, action deny) -> deny",
        "onUnknown.internal: deny",
        "does not apply: `match.environments` does not name production",
        "Shortest path to green",
        "upgrade openssl 3.0.8 to 3.0.9: clears 1 finding",
    ]);
    let page = desk.run(&[&arguments[..], &["--output", "json"]].concat()).exits(0).json();
    assert_eq!(page["schema"], "ecr-gate.dev/explanation/v1");
    assert_eq!(page["policies"][0]["rules"][0]["result"]["outcome"], "fail");
    assert_eq!(page["policies"][1]["applies"], false);
    assert_eq!(page["pathToGreen"]["blocking"], 1);
    // The same judgement as check's.
    let facts_of_check: Value = serde_json::from_str(&fs::read_to_string(&facts).unwrap()).unwrap();
    assert_eq!(facts_of_check["decision"]["verdict"], "deny");
    desk.run(&[&arguments[..], &["--environment", "qa"]].concat()).exits(64);
    desk.write("no.json", "{}");
    desk.run(&["policy", "explain", "--facts", "no.json", "--policy", "gate.yaml"]).exits(2);
}

#[test]
fn b10_diff_and_replay_say_which_verdicts_flip() {
    let desk = Desk::new();
    desk.record("app:1", &[("CVE-2026-1", "HIGH")]);
    desk.record("clean:1", &[]);
    desk.record("bad:1", &[("CVE-2026-2", "CRITICAL")]);
    desk.write("next.yaml", &policy("next", "5", ""));
    let page = desk
        .run(&["policy", "diff", "current.yaml", "next.yaml", "--facts", "facts", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!((&page["decisions"], &page["same"]), (&json!(3), &json!(2)));
    assert_eq!(page["flips"], json!([["deny", "allow", 1]]));
    assert_eq!(page["flipped"][0]["image"], "app:1");
    assert!(page["flipped"][0]["reasons"][0].as_str().unwrap().contains("1 HIGH finding"), "{page}");
    // Against what was recorded, the same.
    let replay = ["policy", "replay", "--facts", "facts", "--policy", "next.yaml"];
    desk.run(&replay).exits(0).says(&["3 decisions: 2 stay, 1 flip", "deny -> allow", "app:1 (production)"]);
    desk.run(&[&replay[..], &["--exit-code"]].concat()).exits(1);
    desk.run(&["policy", "replay", "--facts", "facts", "--policy", "current.yaml", "--exit-code"]).exits(0);
    // Reasons that are others make no flip, and are counted.
    desk.write("renamed.yaml", &policy("renamed", "0", "    - id: named\n      registries: { digestOnly: true }\n"));
    let page =
        desk.run(&["policy", "diff", "current.yaml", "renamed.yaml", "--facts", "facts", "--output", "json"]).json();
    assert_eq!(page["sameWithOtherReasons"], 2);
    assert_eq!(page["flips"], json!([["allow", "deny", 1]]));
}

#[test]
fn a5_replay_counts_apart_what_it_cannot_judge_or_read() {
    let desk = Desk::new();
    let facts = desk.record("app:1", &[]);
    // Nobody looked at signatures when the facts were recorded.
    let signed = "    - id: signed\n      signatures: { threshold: 1, of: [release] }\n  signers:\n    release: { keyless: { issuer: \"https://i\", identity: \"https://s\" } }\n";
    desk.write("signed.yaml", &policy("signed", "0", signed));
    desk.write("facts/broken.json", "{\"schema\": \"ecr-gate.dev/facts/v1\"");
    let document = fs::read_to_string(facts).unwrap();
    let line = serde_json::from_str::<Value>(&document).unwrap();
    desk.write("facts/many.jsonl", &format!("{line}\n\n{line}\nnot json\n"));
    let page = desk
        .run(&["policy", "replay", "--facts", "facts", "--policy", "signed.yaml", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(page["decisions"], 5);
    assert_eq!(page["couldNotBeJudged"].as_array().unwrap().len(), 3, "{page}");
    assert!(page["couldNotBeJudged"][0]["why"].as_str().unwrap().contains("signed"), "{page}");
    assert_eq!(page["couldNotBeRead"].as_array().unwrap().len(), 2);
    let unread: Vec<&str> =
        page["couldNotBeRead"].as_array().unwrap().iter().map(|line| line["document"].as_str().unwrap()).collect();
    assert!(unread.iter().any(|document| document.ends_with("many.jsonl:4")), "{page}");
    assert_eq!(page["flips"], json!([]));
    // An environment that no policy declares is nobody's verdict.
    desk.run(&["policy", "replay", "--facts", "facts", "--policy", "signed.yaml", "--environment", "qa"]).exits(64);
    fs::create_dir(desk.folder.path().join("empty")).unwrap();
    desk.run(&["policy", "replay", "--facts", "empty", "--policy", "current.yaml"]).exits(3);
}

#[test]
fn b10_fmt_keeps_comments_and_what_is_said() {
    let desk = Desk::new();
    let text = "# why\napiVersion:   ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {name:  p}\nspec:\n    rules:\n        - id: r # first\n          age: {max:   30d}\n";
    desk.write("p.yaml", text);
    desk.run(&["policy", "fmt", "--check", "p.yaml"]).exits(1).says(&["p.yaml"]);
    desk.run(&["policy", "fmt", "p.yaml"]).exits(0);
    let new = fs::read_to_string(desk.folder.path().join("p.yaml")).unwrap();
    assert_eq!(
        new,
        "# why\napiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: { name: p }\nspec:\n  rules:\n    - id: r # first\n      age: { max: 30d }\n"
    );
    desk.run(&["policy", "fmt", "--check", "p.yaml"]).exits(0);
    desk.write("broken.yaml", "a: [\n");
    desk.run(&["policy", "fmt", "broken.yaml"]).exits(3);
    assert_eq!(fs::read_to_string(desk.folder.path().join("broken.yaml")).unwrap(), "a: [\n", "left as it is");
}

#[test]
fn b2_the_same_facts_policy_and_time_give_the_same_judgement() {
    let desk = Desk::new();
    let facts = desk.record("app:1", &[("CVE-2026-1", "HIGH"), ("CVE-2026-2", "LOW")]).display().to_string();
    let explain = || {
        desk.run(&["policy", "explain", "--facts", &facts, "--policy", "current.yaml", "--output", "json"])
            .exits(0)
            .stdout
    };
    assert_eq!(explain(), explain());
}
