//! `ecr-gate` against a decision service. The service is one of the tests' own, in `stub`: it says what it is told to say, also what the
//! real one never would. What is answered by it is a record that a check of this binary really made, so that only what a test changes in
//! it is made up.

mod asking;
mod audit;
mod believed;
mod documents;
mod exceptions;
mod fail_on;
mod faults;
mod lists;
mod policies;
pub(crate) mod real;
mod stub;
mod waiting;

use serde_json::{Value, json};
use testkit::Script;
use testkit::fixtures::{self, Scan, digest};

use self::stub::{Answer, Request, Service};
use crate::gate::{Check, Gate, basic, scan};

/// The token of the tests; it is never shown.
const TOKEN: &str = "tok-7f3c9a-never-shown";

/// A check of this scan, judged here: the record, and the gate that made it.
fn judged(of: &Scan) -> (Gate, Value) {
    let gate = Gate::new(scan(of));
    let record = gate.check().run().record().clone();
    (gate, record)
}

/// The record of a clean image, allowed.
fn allowed() -> Value {
    judged(&basic()).1
}

/// The record of an image with a CRITICAL finding, denied.
fn denied() -> Value {
    judged(&basic().finding("CVE-2024-0001", "CRITICAL")).1
}

/// The record of an image whose scan is not done.
fn pending() -> Value {
    let gate = Gate::new(scan(&Scan::only_status(&digest(1), "IN_PROGRESS")));
    gate.check().timeout("100ms").run().exits(4).record().clone()
}

/// What the service answers with this record.
fn answer(record: &Value) -> Value {
    let permit = match record["verdict"].as_str().unwrap() {
        "allow" => "allowed",
        "warn" => "warned",
        "deny" => "denied",
        _ => "pending",
    };
    json!({ "verdict": record["verdict"], "permit": permit, "answerId": "0198-answer", "via": "recorded",
        "inForceAt": "2026-01-01T00:00:00Z", "decision": record })
}

/// A problem in the form of RFC 9457.
fn problem(status: u16, members: &Value) -> Answer {
    Answer::json(status, members).header("content-type", "application/problem+json")
}

/// A gate without any ECR behind it: whoever asks that is told nothing.
fn bare() -> Gate {
    Gate::new(Script::new())
}

/// A check that asks this service.
fn check<'a>(gate: &'a Gate, service: &Service) -> Check<'a> {
    gate.check().image(fixtures::image("v1", "")).env("ECR_GATE_TOKEN", TOKEN).args(&["--server", &service.url()])
}

/// What became of a command other than `check`.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?}: {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs the command in the gate's folder; `--server` and the token come from the environment.
#[track_caller]
fn run(gate: &Gate, service: &Service, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
    command.args(arguments).env_clear().env("ECR_GATE_SERVER", service.url()).env("ECR_GATE_TOKEN", TOKEN);
    let ran = command.current_dir(gate.path("")).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: ran.status.code().unwrap(), stdout: text(ran.stdout), stderr: text(ran.stderr) };
    let everything = format!("{said:?}");
    assert!(!everything.contains(TOKEN) && !everything.contains("panicked"), "{everything}");
    assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'), "an escape code: {everything}");
    said
}
