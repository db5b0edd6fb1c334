//! The Rego host, clause by clause of S41.

mod answers;
mod corpus;
mod errors;
mod heads;
mod limits;
mod loading;

use jiff::Timestamp;
use model::Reason;
use serde_json::{Value, json};

use super::{Answer, Input, Limits, Module, Program};
use crate::error::DocumentError;

/// The time of every decision here: 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn load(text: &str) -> Result<Program, DocumentError> {
    // Tests of the limit mean the limit, however slow the machine is.
    let limits = Limits { seconds: 600, ..Limits::DEFAULT };
    Program::load_with(&[Module { file: "house.rego", text }], &json!({}), None, limits)
}

/// Loads a package `house` with these rules.
fn rules(rules: &str) -> Program {
    let text = format!("package house\n{rules}");
    load(&text).unwrap_or_else(|error| panic!("{error} {:?}\n{text}", error.hint))
}

/// Why it does not load, with the hint.
fn refused(text: &str) -> String {
    let error = load(text).map(|_| ()).expect_err(text);
    format!("{error} | {}", error.hint.as_deref().unwrap_or("-"))
}

fn judge(program: &Program, input: &Value) -> Result<Answer, Reason> {
    program.judge(&Input::new(input.clone()), now())
}

/// The texts of the breaks.
fn deny(text: &str, input: &Value) -> Vec<String> {
    let answer = judge(&rules(text), input).unwrap_or_else(|reason| panic!("{reason:?}\n{text}"));
    answer.deny.into_iter().map(|message| message.text).collect()
}

/// Why there is no answer: code and message.
fn fails(text: &str, input: &Value) -> String {
    match judge(&rules(text), input) {
        Ok(answer) => panic!("an answer: {answer:?}\n{text}"),
        Err(reason) => {
            assert_eq!(reason.code.class(), Some(model::UnknownClass::Internal));
            format!("{}: {}", reason.code, reason.message)
        }
    }
}
