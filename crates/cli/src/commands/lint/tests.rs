//! Every rule has a pipeline that breaks it — a sound one with one thing changed — and the sound ones break none.

mod github;
mod gitlab;
mod robust;
mod script;

use clap::Parser;

use super::*;

/// Rule and line of each finding.
fn found(name: &str, text: &str) -> Vec<(&'static str, usize)> {
    examine(name, text, None).unwrap().findings.into_iter().map(|finding| (finding.rule, finding.line)).collect()
}

/// Changes the sound pipeline in one place and expects exactly these rules, errors marked with `!`.
#[track_caller]
fn changed(name: &str, sound: &str, from: &str, to: &str, expected: &[&str]) {
    assert!(sound.contains(from), "nothing to change: {from}");
    let text = sound.replacen(from, to, 1);
    let report = examine(name, &text, None).unwrap();
    let mut rules: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            format!(
                "{}{}",
                finding.rule.trim_start_matches("lint."),
                if finding.severity == Severity::Error { "!" } else { "" }
            )
        })
        .collect();
    rules.sort();
    rules.dedup();
    assert_eq!(rules, expected, "{text}\n{:#?}", report.findings);
    for finding in &report.findings {
        assert!(!finding.why.is_empty() && !finding.fix.is_empty() && finding.line >= 1);
    }
}

/// The rules that the tests of this folder trip, by reading their sources: `"allowFailure!"` and the like.
#[test]
fn every_rule_has_a_failing_test() {
    let sources =
        [include_str!("tests/gitlab.rs"), include_str!("tests/github.rs"), include_str!("tests/script.rs")].concat();
    for rule in finding::ALL {
        let name = rule.id.trim_start_matches("lint.");
        assert!(
            sources.contains(&format!("\"{name}!\"")) || sources.contains(&format!("\"{name}\"")),
            "{name} has no failing test"
        );
        assert!(rule.id.starts_with("lint.") && !rule.why.is_empty() && !rule.fix.is_empty());
    }
}

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: LintArgs,
}

fn run(args: &[&str]) -> Result<Exit, Failure> {
    let cli = Cli::try_parse_from([&["lint"], args].concat()).map_err(|error| Failure::usage(error.to_string()))?;
    cli.args.run(Ui::detect(true))
}

#[test]
fn exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let sound = write("sound.yml", gitlab::SOUND);
    let warned = write("warned.yml", &gitlab::SOUND.replace("  timeout: 13 minutes\n", ""));
    let wrong = write("wrong.yml", &gitlab::SOUND.replace("allow_failure: false", "allow_failure: true"));
    let broken = write("broken.yml", "a: [\n");
    assert_eq!(run(&[&sound]).unwrap(), Exit::Allowed);
    assert_eq!(run(&[&warned]).unwrap(), Exit::Allowed);
    assert_eq!(run(&[&warned, "--strict"]).unwrap(), Exit::Blocked);
    assert_eq!(run(&[&sound, &wrong, "--output", "json"]).unwrap(), Exit::Blocked);
    assert_eq!(run(&[&sound, &broken]).unwrap_err().exit, Exit::Configuration);
    assert_eq!(run(&["/nonexistent.yml"]).unwrap_err().exit, Exit::Configuration);
    assert_eq!(run(&[]).unwrap_err().exit, Exit::Usage);
    assert_eq!(run(&["-", "-"]).unwrap_err().exit, Exit::Usage);
}

#[test]
fn text_looks_like_a_compiler() {
    let text = gitlab::SOUND.replace("allow_failure: false", "allow_failure: true");
    let report = examine("ci.yml", &text, None).unwrap();
    let line = text.lines().position(|line| line.contains("allow_failure: true")).unwrap() + 1;
    assert_eq!(
        render(&report),
        format!(
            "ci.yml:{line}:3: error[lint.allowFailure]: the gate `scan-gate` is allowed to fail\n  \
             | allow_failure: true\n  \
             why: a gate that may fail stops nothing: the pipeline goes on to deploy\n  \
             fix: write `allow_failure: false`\n"
        )
    );
}
