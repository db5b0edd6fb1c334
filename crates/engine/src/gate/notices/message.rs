//! What others are told: as JSON with a signature, or as a message of Slack.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use model::Timestamp;
use model::reports::RollbackTo;
use serde_json::{Value, json};

use super::super::GateError;
use super::super::reports::entries::Entry;
use super::super::reports::incident::reasons;
use super::super::reports::tally::event as told;
use super::super::teams::Teams;
use super::target::{NoticeEvent, NoticeKind, NoticeTarget};

/// When it was signed, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "x-ecr-gate-timestamp";
/// `v1=` and HMAC-SHA256 over that time, a dot, and the body, in hexadecimal digits.
pub(super) const SIGNATURE: &str = "x-ecr-gate-signature";
/// The id of the event: the same each time it is sent.
const EVENT: &str = "x-ecr-gate-event";

/// The longest part of a message of Slack, in characters.
const SECTION: usize = 2_500;

/// A message, ready to be sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) fn of(
    target: &NoticeTarget,
    event: NoticeEvent,
    entry: &Entry,
    rollback: Option<&RollbackTo>,
    teams: &Teams,
    now: Timestamp,
) -> Result<Message, GateError> {
    let said = document(event, entry, rollback, teams);
    let said = match target.kind {
        NoticeKind::Webhook => said,
        NoticeKind::Slack => slack(&said),
    };
    let body = serde_json::to_vec(&said).map_err(|error| GateError::invalid(error.to_string()))?;
    let mut headers = vec![(EVENT, entry.id.clone())];
    if let Some(secret) = &target.secret {
        let at = now.as_second().to_string();
        headers.push((SIGNATURE, format!("v1={}", signature(secret.expose().as_bytes(), &at, &body))));
        headers.push((TIMESTAMP, at));
    }
    Ok(Message { headers, body })
}

pub(super) fn signature(secret: &[u8], at: &str, body: &[u8]) -> String {
    let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    signing.update(at.as_bytes());
    signing.update(b".");
    signing.update(body);
    let tag = signing.sign();
    tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What happened, for programs.
fn document(event: NoticeEvent, entry: &Entry, rollback: Option<&RollbackTo>, teams: &Teams) -> Value {
    let one = told(entry);
    let decision = entry.text(&[&["decision"]]);
    let exception = entry.text(&[&["exception"]]);
    let links = json!({
        "entry": format!("/api/v1/audit/proof/{}", entry.id),
        "decision": decision.map(|id| format!("/api/v1/decisions/{id}")),
        "exception": exception.map(|id| format!("/api/v1/exceptions/{id}")),
    });
    let what = match event {
        NoticeEvent::Block => "blocked".to_owned(),
        _ => one.what,
    };
    let mut reasons = reasons(&Value::Object(entry.body.clone()));
    reasons.extend(one.reason);
    json!({
        "id": entry.id,
        "event": event.as_str(),
        "at": entry.at,
        "subject": { "repository": one.repository, "digest": one.digest, "environment": one.environment },
        "team": entry.repository.as_deref().filter(|_| !teams.is_empty()).map(|place| teams.of(place)),
        "what": what,
        "by": one.by,
        "reasons": reasons,
        "pipeline": entry.text(&[&["answer", "pipeline"]]),
        "commit": entry.text(&[&["answer", "commit"]]),
        "rollback": rollback.map(|to| json!({ "digest": to.digest, "command": to.command })),
        "links": links,
    })
}

/// The same for people. Texts of others are no markup there: `&`, `<` and `>` are what begins it, and a link needs them.
fn slack(said: &Value) -> Value {
    let text = |path: &str| said.pointer(path).and_then(Value::as_str).map(plain);
    let (event, what) = (text("/event").unwrap_or_default(), text("/what").unwrap_or_default());
    let image = match (text("/subject/repository"), text("/subject/digest")) {
        (Some(repository), Some(digest)) => Some(format!("{repository}@{digest}")),
        (repository, _) => repository,
    };
    let place = text("/subject/environment").map(|environment| format!(" in {environment}")).unwrap_or_default();
    let short = match &image {
        Some(image) => format!("{event}: {image}{place}: {what}"),
        None => format!("{event}{place}: {what}"),
    };
    let mut lines = Vec::new();
    for (name, path) in
        [("Pipeline", "/pipeline"), ("Commit", "/commit"), ("By", "/by"), ("Go back to", "/rollback/command")]
    {
        lines.extend(text(path).map(|value| format!("{name}: {value}")));
    }
    let reasons = said.get("reasons").and_then(Value::as_array).into_iter().flatten();
    lines.extend(reasons.filter_map(Value::as_str).map(|reason| format!("• {}", plain(reason))));
    let section = |text: String| {
        let text: String = text.chars().take(SECTION).collect();
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
    };
    let mut blocks = vec![section(format!("*{short}*"))];
    if !lines.is_empty() {
        blocks.push(section(lines.join("\n")));
    }
    let short: String = short.chars().take(SECTION).collect();
    json!({ "text": short, "blocks": blocks })
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
