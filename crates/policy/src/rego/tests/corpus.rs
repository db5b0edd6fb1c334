//! Policies as they are in use, whose answers were compared with OPA's (crates/policy/tests/rego/README.md).
#![expect(clippy::disallowed_methods, reason = "a folder of files, read by a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::{Input, Message, Module, Program};
use super::now;

fn shown(messages: &[Message]) -> Vec<Value> {
    let one = |message: &Message| {
        let parts = [("code", &message.code), ("remedy", &message.remedy)];
        let optional = parts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text.as_ref()?))));
        Value::Object([("text".to_owned(), json!(message.text))].into_iter().chain(optional).collect())
    };
    messages.iter().map(one).collect()
}

#[test]
fn s41_policies_in_use_are_answered_as_opa_answers_them() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for case in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rego")).unwrap() {
        let case = case.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        let read = |file: &str| fs::read_to_string(case.join(file));
        let json = |file: &str| read(file).map(|text| serde_json::from_str::<Value>(&text).unwrap());
        let data = if case.join("data.json").exists() { json("data.json").unwrap() } else { json!({}) };
        let files = fs::read_dir(&case).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let texts: BTreeMap<String, String> = files
            .filter(|file| Path::new(file).extension().is_some_and(|ending| ending == "rego"))
            .map(|file| (file.clone(), read(&file).unwrap()))
            .collect();
        let modules: Vec<_> = texts.iter().map(|(file, text)| Module { file, text }).collect();
        let answer = match Program::load(&modules, &data, Some("data.main")) {
            Err(error) => json!({"load": error.to_string()}),
            Ok(program) => match program.judge(&Input::new(json("input.json").unwrap()), now()) {
                Ok(answer) => json!({"deny": shown(&answer.deny), "warn": shown(&answer.warn)}),
                Err(reason) => json!({"error": reason.code.as_str(), "message": reason.message}),
            },
        };
        let expected = json("expected.json").unwrap();
        let agrees =
            if expected["error"].is_null() { answer == expected } else { answer["error"] == expected["error"] };
        if !agrees {
            wrong.push(format!("{}\n  here {answer}\n  OPA  {expected}", case.display()));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 30, "{cases} cases");
}
