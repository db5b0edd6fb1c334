//! `ecr-gate policy test` from the outside: what it finds, what it says, and which code it ends with.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

const POLICY: &str = "apiVersion: ecr-gate.dev/v1
kind: GatePolicy
metadata: { name: production }
spec:
  signers: { release: { key: keys/nobody-has-this.pub } }
  exceptions: [exceptions.yaml]
  rules:
    - id: serious
      vulnerabilities: { max: { critical: 0, high: 0 } }
    - id: signed
      signatures: { threshold: 1, of: [release] }
";

const EXCEPTIONS: &str = "apiVersion: ecr-gate.dev/v1
kind: GateExceptions
exceptions:
  - { id: EX-1, cve: CVE-2026-9999, repository: team/app, reason: not reachable, owner: ada, expires: 2026-01-20 }
";

fn tests(more: &str) -> String {
    format!(
        "apiVersion: ecr-gate.dev/v1
kind: GatePolicyTest
metadata: {{ name: production }}
policies: [../production.yaml]
tests:
  - name: signed and clean
    given:
      image: registry.example.com/team/app:1
      scans: [{{ scanner: ecr }}]
      signed: [{{ by: release }}]
    expect: {{ verdict: allow, reasons: [] }}
  - name: a critical finding is denied
    given:
      image: registry.example.com/team/app:1
      scans: [{{ scanner: ecr, findings: [{{ id: CVE-2026-0001, severity: critical, package: openssl }}] }}]
    expect: {{ verdict: deny, rules: {{ serious: fail, signed: unknown }}, message: 1 CRITICAL finding }}
{more}"
    )
}

const WRONG: &str = "  - name: wrong on purpose
    given: { image: registry.example.com/team/app:1, scans: [{ scanner: ecr }], signed: [] }
    expect: { verdict: allow, rules: { signed: pass } }
";

const WAIVED: &str = "  - name: the exception covers it
    given:
      image: registry.example.com/team/app:1
      scans: [{ scanner: ecr, findings: [{ id: CVE-2026-9999, severity: high, package: openssl }] }]
      signed: [{ by: release }]
    expect: { verdict: allow }
";

/// A policy, its exceptions, and in the folder `tests` a file with these tests.
fn folder(more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    fs::write(folder.path().join("production.yaml"), POLICY).unwrap();
    fs::write(folder.path().join("exceptions.yaml"), EXCEPTIONS).unwrap();
    fs::write(folder.path().join("tests/production.test.yaml"), tests(more)).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-gate"))
        .args(["policy", "test"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("panicked"), "{}", ran.stderr);
    ran
}

#[test]
fn b10_tests_that_pass_say_so_and_exit_0() {
    let folder = folder(WAIVED);
    for arguments in [&[][..], &["tests"], &["tests/production.test.yaml"], &["tests", "tests/production.test.yaml"]] {
        let ran = run(folder.path(), arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert_eq!(
            ran.stdout,
            "tests/production.test.yaml (production)
  ok    signed and clean
  ok    a critical finding is denied
  ok    the exception covers it

3 tests in 1 file: 3 passed, 0 failed
"
        );
    }
    let file = folder.path().join("tests/production.test.yaml");
    fs::write(&file, tests(WAIVED).replace("tests:\n", "exceptions: false\ntests:\n")).unwrap();
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.code, 1, "without the exceptions of the policy: {}", ran.stdout);
    assert!(ran.stdout.contains("FAIL  the exception covers it\n        verdict: expected allow, and it is deny"));
}

#[test]
fn b10_a_failed_test_shows_what_differs_and_why_and_exits_1() {
    let ran = run(folder(WRONG).path(), &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    let shown = "  FAIL  wrong on purpose
        verdict: expected allow, and it is deny
          production/signed: signature.missing: no signature counts: missing is release
        rule production/signed: expected pass, and it is fail

3 tests in 1 file: 2 passed, 1 failed
";
    assert!(ran.stdout.ends_with(shown), "{}", ran.stdout);
}

#[test]
fn b10_the_report_for_programs_has_every_test_rule_and_difference() {
    let folder = folder(WRONG);
    let ran = run(folder.path(), &["--output", "json"]);
    assert_eq!(ran.code, 1);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["schema"], "ecr-gate.dev/policy-test/v1");
    assert_eq!((&report["passed"], &report["failed"]), (&2.into(), &1.into()));
    let file = &report["files"][0];
    assert_eq!(file["file"], "tests/production.test.yaml");
    assert_eq!(file["policies"], serde_json::json!(["production"]));
    let test = &file["tests"][2];
    assert_eq!(
        (&test["name"], &test["passed"], &test["verdict"]),
        (&"wrong on purpose".into(), &false.into(), &"deny".into())
    );
    let difference = &test["differences"][1];
    assert_eq!(difference["what"], "rule production/signed");
    assert_eq!((&difference["expected"], &difference["found"]), (&"pass".into(), &"fail".into()));
    assert_eq!(difference["reasons"][0]["rule"], "production/signed");
    assert_eq!(difference["reasons"][0]["code"], "signature.missing");
    assert!(!difference["reasons"][0]["remedy"].as_str().unwrap().is_empty());
    assert_eq!(test["rules"][1]["outcome"], "fail");
    assert_eq!(file["tests"][0]["differences"], serde_json::json!([]));
    assert_eq!(report["coverage"]["percent"], 100);
}

#[test]
fn b10_the_test_report_is_red_where_the_command_is() {
    let folder = folder(WRONG);
    let ran = run(folder.path(), &["--output", "text", "--output", "junit=report.xml", "--min-coverage", "100"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("1 failed"));
    let report = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(report.contains("tests=\"4\"") && report.contains("failures=\"1\""), "{report}");
    assert!(
        report.contains("<failure message=\"verdict: expected allow, and it is deny\" type=\"verdict\">"),
        "{report}"
    );
    // A run that ends without an answer leaves no report of the run before.
    fs::write(folder.path().join("production.yaml"), "kind: GatePolicy").unwrap();
    assert_eq!(run(folder.path(), &["--output", "junit=report.xml"]).code, 3);
    assert!(!folder.path().join("report.xml").exists());
}

#[test]
fn b10_rules_that_no_test_saw_both_ways_are_listed() {
    let folder = folder("");
    let one = tests("").replace("signed: [{ by: release }]", "config: {}").replace("allow, reasons: []", "deny");
    fs::write(folder.path().join("tests/production.test.yaml"), one).unwrap();
    let ran = run(folder.path(), &["--coverage"]);
    assert_eq!(ran.code, 0);
    let shown = "coverage: 1 of 2 rules were seen to pass and to hold an image back (50%)
  production/signed: never seen to pass
";
    assert!(ran.stdout.ends_with(shown), "{}", ran.stdout);
    assert_eq!(run(folder.path(), &["--min-coverage", "50"]).code, 0);
    let ran = run(folder.path(), &["--min-coverage", "51", "--output", "junit"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("50%; 51% are asked for"), "{}", ran.stdout);
}

#[test]
fn b10_what_cannot_be_used_is_told_with_its_place_and_exits_3() {
    for (from, to, says) in [
        (
            "verdict: allow",
            "verdit: allow",
            "error: tests/production.test.yaml:11:15: unknown key `verdit`\nhint: did you mean `verdict`?\n",
        ),
        (
            "by: release",
            "by: relaese",
            "error: tests/production.test.yaml:10:22: \"relaese\" is no signer of the policies under test\nhint: did you mean `release`?\n",
        ),
        ("../production.yaml", "nowhere.yaml", "error: the policy tests/nowhere.yaml cannot be read"),
        ("metadata:", "meta:", "error: tests/production.test.yaml:3:1: unknown key `meta`"),
    ] {
        let folder = folder("");
        fs::write(folder.path().join("tests/production.test.yaml"), tests("").replacen(from, to, 1)).unwrap();
        let ran = run(folder.path(), &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{says}");
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
    }
    let folder = folder("  - { name: recorded, facts: f.json, expect: { verdict: deny } }\n");
    assert!(run(folder.path(), &[]).stderr.contains("the facts tests/f.json cannot be read"));
    fs::write(folder.path().join("tests/f.json"), "{}").unwrap();
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.starts_with("error: tests/f.json:1:2: "), "{}", ran.stderr);
}

#[test]
fn b10_no_test_is_no_test_that_passed() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join(".hidden")).unwrap();
    fs::write(folder.path().join(".hidden/a.test.yaml"), tests("")).unwrap();
    for arguments in [&[][..], &["."], &["no-such.test.yaml"]] {
        let ran = run(folder.path(), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{arguments:?}: {}", ran.stderr);
    }
    assert!(run(folder.path(), &[]).stderr.starts_with("error: there is no test in ."));
}

#[test]
fn a1_wrong_usage_exits_64_and_nothing_that_is_read_is_written_over() {
    let folder = folder("");
    for arguments in [
        &["--output", "xml"][..],
        &["--output", "junit="],
        &["--min-coverage", "101"],
        &["--output", "json", "--output", "junit"],
        &["--output", "junit=a", "--output", "json=./a"],
        &["--output", "junit=production.yaml"],
        &["--output", "junit=exceptions.yaml"],
        &["--output", "junit=tests/production.test.yaml"],
    ] {
        let ran = run(folder.path(), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(fs::read_to_string(folder.path().join("production.yaml")).unwrap(), POLICY);
    assert_eq!(run(folder.path(), &[]).code, 0);
}

#[test]
fn a7_foreign_words_steer_nothing() {
    let name = "  - name: \"\\e[31m ::error::\\n ##[error] x\"\n    given: { image: registry.example.com/team/app:1 }\n    expect: { verdict: allow }\n";
    let folder = folder(name);
    for form in ["text", "json", "junit"] {
        let ran = run(folder.path(), &["--output", form]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains("##["), "{form}: {}", ran.stdout);
        assert!(!ran.stdout.contains("\n ::"), "{form}: {}", ran.stdout);
    }
}
