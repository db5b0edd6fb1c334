//! The response to a review, built from its request alone: whose uid it has can neither be forgotten nor mixed up. Everything in it is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::words::line;
use serde_json::{Value, json};

use super::refusal::{Class, Refusal};
use super::review::{Review, VERSION};

/// The longest message.
const MESSAGE: usize = 4 << 10;
/// What is kept of it for saying how much is left out.
const TAIL: usize = 80;
/// The longest warning: more is cut off by API servers.
const WARNING: usize = 256;
/// The most warnings.
const WARNINGS: usize = 8;
/// The most causes, and the longest message of one.
const CAUSES: usize = 50;
const CAUSE: usize = 256;
/// The longest audit annotation.
const ANNOTATION: usize = 4 << 10;

/// What came out of a review.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How many images there were to ask about.
    pub images: usize,
    /// Those that do not start, and why. None: the object is allowed.
    pub refusals: Vec<Refusal>,
    /// What whoever wrote the object should know.
    pub warnings: Vec<String>,
    /// For the audit log of the API server.
    pub annotations: BTreeMap<&'static str, String>,
    /// JSON Patch.
    pub patch: Vec<Value>,
}

impl Outcome {
    /// Allowed, without a look at any image.
    pub fn not_asked(why: &str) -> Self {
        Self { annotations: [("why", why.to_owned())].into(), ..Self::default() }
    }

    /// Whether there is no answer: it hangs on nothing but what is left open.
    pub(super) fn is_left_open(&self) -> bool {
        !self.refusals.is_empty() && self.refusals.iter().all(|refusal| refusal.left_open)
    }

    /// Denied as a whole.
    pub fn refused(refusal: Refusal) -> Self {
        Self { refusals: vec![refusal], ..Self::default() }
    }
}

/// The response to a review.
pub fn respond(review: &Review<'_>, outcome: &Outcome) -> Vec<u8> {
    let mut response = json!({ "uid": review.uid, "allowed": outcome.refusals.is_empty() });
    let mut add = |key: &str, value: Value| {
        if let Value::Object(response) = &mut response {
            response.insert(key.to_owned(), value);
        }
    };
    if !outcome.refusals.is_empty() {
        add("status", status(outcome));
    } else if !outcome.patch.is_empty() {
        add("patchType", "JSONPatch".into());
        add("patch", STANDARD.encode(Value::Array(outcome.patch.clone()).to_string()).into());
    }
    if !outcome.warnings.is_empty() {
        add("warnings", warnings(&outcome.warnings).into());
    }
    if !outcome.annotations.is_empty() {
        let bounded = outcome.annotations.iter().map(|(key, value)| ((*key).to_owned(), cut(value, ANNOTATION).into()));
        add("auditAnnotations", Value::Object(bounded.collect()));
    }
    envelope(&response)
}

/// The response to a review that cannot be read; only its uid is known.
pub fn respond_to_error(uid: &str, what: &str) -> Vec<u8> {
    let refusal =
        Refusal::of_object(Class::Request, "request.invalid", what, "Tell those who run the cluster and the gate.");
    envelope(&json!({ "uid": uid, "allowed": false, "status": status(&Outcome::refused(refusal)) }))
}

fn envelope(response: &Value) -> Vec<u8> {
    format!(r#"{{"apiVersion":"{VERSION}","kind":"AdmissionReview","response":{response}}}"#).into_bytes()
}

/// The most important first.
fn status(outcome: &Outcome) -> Value {
    let mut refusals: Vec<&Refusal> = outcome.refusals.iter().collect();
    refusals.sort_by_key(|refusal| refusal.class);
    let class = refusals.first().map_or(Class::Internal, |refusal| refusal.class);
    let (code, reason) = class.status();
    let causes = refusals.iter().flat_map(|refusal| {
        refusal.causes.iter().map(
            |cause| json!({ "reason": cause.reason, "message": cut(&cause.message, CAUSE), "field": refusal.field }),
        )
    });
    let causes: Vec<Value> = causes.take(CAUSES).collect();
    json!({
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message(class, &refusals, outcome.images),
        "details": { "causes": causes },
    })
}

fn message(class: Class, refusals: &[&Refusal], images: usize) -> String {
    let mut text = format!("ecr-gate: {}", class.as_str());
    if images > 1 {
        let _ = write!(text, ": {} of {images} images may not run", refusals.len());
    }
    for (told, refusal) in refusals.iter().enumerate() {
        let left = refusals.len() - told;
        let room = MESSAGE - TAIL - text.len().min(MESSAGE - TAIL);
        // One is told of in any case, as far as there is room.
        if told > 0 && refusal.text.len() + 1 > room {
            let _ = write!(text, "\nand {left} more: `ecr-gate check` says why, image by image");
            break;
        }
        text.push('\n');
        text.push_str(&cut(&refusal.text, room.saturating_sub(1)));
    }
    text
}

fn warnings(all: &[String]) -> Vec<String> {
    let mut told: Vec<String> = all.iter().take(WARNINGS).map(|one| cut(&line(one, WARNING), WARNING)).collect();
    if all.len() > WARNINGS {
        told.truncate(WARNINGS - 1);
        told.push(format!("ecr-gate: {} more warnings", all.len() - told.len()));
    }
    told
}

/// At most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or(""))
}
