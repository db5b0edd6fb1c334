//! The two forms of a simulation: a table with the words of each denial for people, a document for programs. Its JSON form is versioned by its `schema`
//! field; fields are added, never renamed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use server::admission::Refusal;

use super::judge::worse;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};

const SCHEMA: &str = "ecr-gate.dev/simulation/v1";
/// The longest line of an answer.
const LINE: usize = 1000;

/// What would become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    Allowed,
    Denied,
    NotAsked,
}

/// What would be said of one object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Where it stands.
    place: String,
    /// `Deployment/web`.
    object: String,
    namespace: Option<String>,
    environment: Option<String>,
    answer: State,
    exit_code: u8,
    /// Why no webhook is asked.
    why: Option<String>,
    /// The denial, as the API server would hand it on.
    status: Option<Value>,
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    allowed: bool,
    status: Option<Value>,
    #[serde(default)]
    warnings: Vec<String>,
}

impl Entry {
    pub(super) fn not_asked(place: String, object: &str, why: &str) -> Self {
        Self {
            place,
            object: object.to_owned(),
            namespace: None,
            environment: None,
            answer: State::NotAsked,
            exit_code: Exit::Allowed as u8,
            why: Some(why.to_owned()),
            status: None,
            warnings: Vec::new(),
        }
    }

    /// Denied as a whole.
    pub(super) fn refused(
        place: String,
        object: &str,
        namespace: &str,
        environment: Option<String>,
        refusal: &Refusal,
    ) -> Self {
        let (code, reason) = refusal.class.status();
        let causes: Vec<Value> = refusal
            .causes
            .iter()
            .map(
                |cause| serde_json::json!({ "reason": cause.reason, "message": cause.message, "field": refusal.field }),
            )
            .collect();
        let message = format!("ecr-gate: {}\n{}", refusal.class.as_str(), refusal.text);
        Self {
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            environment,
            answer: State::Denied,
            exit_code: Exit::Blocked as u8,
            why: None,
            status: Some(serde_json::json!({
                "status": "Failure", "code": code, "reason": reason, "message": message, "details": { "causes": causes },
            })),
            ..Self::not_asked(place, object, "")
        }
    }

    /// What the webhook's response says.
    pub(super) fn answered(
        place: String,
        object: &str,
        namespace: &str,
        environment: String,
        state: State,
        exit: Exit,
        response: &[u8],
    ) -> Result<Self, Failure> {
        let Envelope { response: Response { allowed, status, warnings } } = serde_json::from_slice(response)
            .map_err(|error| Failure::internal(format!("the response of a review cannot be read back: {error}")))?;
        if allowed != (state == State::Allowed) {
            return Err(Failure::internal("the response of a review does not say what was found"));
        }
        // A denial never ends with 0.
        let exit = if allowed { Exit::Allowed } else { worse(Exit::Undecided, exit) };
        Ok(Self {
            namespace: Some(namespace.to_owned()),
            environment: Some(environment),
            answer: state,
            exit_code: exit as u8,
            why: None,
            status,
            warnings,
            ..Self::not_asked(place, object, "")
        })
    }

    fn message(&self) -> &str {
        self.status.as_ref().and_then(|status| status.get("message")).and_then(Value::as_str).unwrap_or("")
    }
}

/// All of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    schema: &'static str,
    exit_code: u8,
    summary: Summary,
    objects: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    allowed: usize,
    denied: usize,
    not_asked: usize,
}

impl Report {
    pub(super) fn new(objects: Vec<Entry>) -> Self {
        let count = |state| objects.iter().filter(|entry| entry.answer == state).count();
        let summary =
            Summary { allowed: count(State::Allowed), denied: count(State::Denied), not_asked: count(State::NotAsked) };
        let worst = objects.iter().fold(Exit::Allowed, |worst, entry| worse(worst, Exit::of_number(entry.exit_code)));
        Self { schema: SCHEMA, exit_code: worst as u8, summary, objects }
    }

    pub(super) fn exit(&self) -> Exit {
        Exit::of_number(self.exit_code)
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self)
            .map(inert_json)
            .map_err(|error| Failure::internal(format!("the answer cannot be written as JSON: {error}")))
    }

    pub(super) fn text(&self) -> String {
        let dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), Clone::clone);
        let rows = self.objects.iter().map(|entry| {
            let answer = match entry.answer {
                State::Allowed => "allowed",
                State::Denied => "denied",
                State::NotAsked => "not asked about",
            };
            let (namespace, environment) = (dash(entry.namespace.as_ref()), dash(entry.environment.as_ref()));
            [answer.to_owned(), entry.object.clone(), namespace, environment, entry.place.clone()]
        });
        let mut text = columns(["ANSWER", "OBJECT", "NAMESPACE", "ENVIRONMENT", "MANIFEST"], rows);
        text.push('\n');
        for entry in &self.objects {
            if entry.answer == State::Denied || !entry.warnings.is_empty() {
                let _ = writeln!(text, "\n{} ({})", logged(&entry.object, LINE), logged(&entry.place, LINE));
            }
            for line in entry.message().lines().chain(entry.warnings.iter().map(String::as_str)) {
                let indent = line.len() - line.trim_start_matches(' ').len();
                let _ = writeln!(text, "  {}{}", " ".repeat(indent.min(8)), logged(line.trim_start(), LINE));
            }
        }
        let mut reasons: Vec<(&str, &str)> =
            self.objects.iter().filter_map(|entry| Some((entry.why.as_deref()?, entry.object.as_str()))).collect();
        reasons.sort_unstable();
        for group in reasons.chunk_by(|one, other| one.0 == other.0) {
            let names: Vec<&str> = group.iter().map(|(_, name)| *name).collect();
            let why = group.first().map_or("", |(why, _)| why);
            let _ = writeln!(text, "\nnot asked about: {}\n  {why}", logged(&names.join(", "), LINE));
        }
        let Summary { allowed, denied, not_asked } = self.summary;
        let _ = writeln!(text, "\n{denied} denied, {allowed} allowed, {not_asked} not asked about");
        text
    }
}
