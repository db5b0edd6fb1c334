//! `ecr-gate history`: everything that happened to an image, in order, as the audit log of the decision service has it.

use model::{Digest, ImageReference, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::decisions::{seconds, short, tell_next};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json};
use crate::server::{Ask, Pages, ServerArgs};
use crate::target::canonical_name;
use crate::ui::{ListFormat, Ui};

/// Tells the life of an image, the oldest event first: signals, decisions, promotions, exceptions
///
/// The image is named by its digest, in one repository or in all of them. A tag names no image for long: look the digest up
/// first, for example in the dotenv report or in a decision.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 told, 3 the service refuses or does not know it, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate history ghcr.io/team/app@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1
  ecr-gate history sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 --all --output json")]
pub(crate) struct HistoryArgs {
    /// The image: `HOST/REPOSITORY@DIGEST`, or the digest alone
    #[arg(value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    pages: Pages,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// An event, as far as the table shows it.
#[derive(Deserialize)]
struct Event {
    id: String,
    kind: String,
    at: Timestamp,
    repository: Option<String>,
    entry: Option<Value>,
}

impl HistoryArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let (repository, digest) = subject(&self.image)?;
        let Some(digest) = digest else {
            return Err(Failure::usage(format!(
                "{:?} names no digest, and a tag stands for another image tomorrow",
                self.image
            ))
            .hint("give HOST/REPOSITORY@sha256:… or the digest alone; `ecr-gate decisions --image` lists digests"));
        };
        let mut server = self.service.needed(ui)?;
        let ask = || Ask::get(format!("images/{digest}/events")).query("image", repository.as_ref());
        let read = self.pages.read::<Event>(&mut server, "events", ask).await;
        let (list, next) = read.map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => {
                let list: Vec<Value> = list.into_iter().map(|(value, _)| value).collect();
                ui.data(&inert_json(format!("{:#}", json!({ "events": list, "next": next }))))?;
            }
            ListFormat::Table if list.is_empty() => ui.say("nothing is known of this image"),
            ListFormat::Table => {
                ui.data(&columns(
                    ["AT", "EVENT", "REPOSITORY", "WHAT", "ID"],
                    list.into_iter().map(|(_, event)| row(event)),
                ))?;
                tell_next(next.as_deref(), ui);
            }
        }
        Ok(Exit::Allowed)
    }
}

fn row(Event { id, kind, at, repository, entry }: Event) -> [String; 5] {
    let what = entry.map_or_else(|| "no longer kept".to_owned(), |entry| what(&entry));
    [seconds(at), kind, repository.unwrap_or_else(|| "-".to_owned()), what, id]
}

/// The few words of an entry that tell it from others.
fn what(entry: &Value) -> String {
    let body = entry.get("body").unwrap_or(entry);
    let mut words = Vec::new();
    // Overrides hold what was granted in a part of its own, and what ended one in a part of that.
    let parts = [Some(body), body.get("label"), body.get("granted"), body.pointer("/granted/revoked")];
    let part = |name: &str| parts.iter().rev().flatten().find_map(|part| part.get(name));
    for name in ["verdict", "environment", "from", "to", "format", "source", "label", "until", "by", "reason", "policy"]
    {
        match part(name) {
            Some(Value::String(text)) => {
                let text = if text.starts_with("sha256:") { short(text) } else { text.clone() };
                words.push(format!("{name} {text}"));
            }
            Some(Value::Number(number)) => words.push(format!("{name} {number}")),
            _ => {}
        }
    }
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// Repository and digest of `HOST/REPOSITORY`, `HOST/REPOSITORY@DIGEST` or `DIGEST`.
pub(super) fn subject(text: &str) -> Result<(Option<String>, Option<Digest>), Failure> {
    if let Ok(digest) = text.parse::<Digest>() {
        return Ok((None, Some(digest)));
    }
    let reference: ImageReference =
        text.parse().map_err(|error| Failure::usage(format!("{text:?} is neither an image nor a digest: {error}")))?;
    let ImageReference { host: Some(host), repository, tag, digest } = reference else {
        return Err(Failure::usage(format!("{text:?} names no registry host"))
            .hint("write the whole name, as docker push does"));
    };
    if tag.is_some() && digest.is_none() {
        return Err(Failure::usage(format!("{text:?} names a tag, which stands for another image tomorrow"))
            .hint("give the digest instead, or leave the tag away to mean the repository"));
    }
    Ok((canonical_name(&format!("{host}/{repository}")), digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_repository_and_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let named = |text: &str| subject(text).ok().map(|(repository, digest)| (repository, digest.is_some()));
        let app = Some("ghcr.io/team/app".to_owned());
        assert_eq!(named(&digest), Some((None, true)));
        assert_eq!(named(&format!("ghcr.io/team/app@{digest}")), Some((app.clone(), true)));
        assert_eq!(named(&format!("ghcr.io/team/app:1@{digest}")), Some((app.clone(), true)));
        assert_eq!(named("ghcr.io/team/app"), Some((app, false)));
        for text in ["ghcr.io/team/app:1", "team/app", "", "sha256:00", "https://ghcr.io/team/app"] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
