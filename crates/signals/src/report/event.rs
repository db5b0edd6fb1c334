//! Events that ECR and Amazon Inspector send through EventBridge: an image was pushed or deleted, a scan has ended, a
//! finding has changed. Recognised by `detail-type` at the top. Source: Amazon ECR user guide, "EventBridge events";
//! Amazon Inspector user guide, "EventBridge event schema".
//!
//! Read: `ECR Image Action`, `ECR Image Scan` (source `aws.ecr`), `Inspector2 Scan`, `Inspector2 Finding` (source
//! `aws.inspector2`); of each `account`, `region`, `time` and the fields of `detail` that name the image.
//! An event is a hint to ask: the end of a scan names counts and lists nothing, so as a report it is never a scan.
//! Who sent an event is not known here.

mod detail;
mod scan;

#[cfg(test)]
mod tests;

use model::{Digest, Timestamp};
use serde::Deserialize;

pub use scan::ScanEnd;

use super::json::{self, Text, Time};
use super::{Document, inspector};
use crate::{Limits, ParseError};
use detail::{ImageAction, ScanDetail};

const FORMAT: &str = "EventBridge event";

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// An image was pushed.
    Pushed(EventImage),
    /// An image, or one of its tags, was deleted.
    Deleted(EventImage),
    /// A scan has ended, well or not.
    ScanEnded(ScanEnd),
    /// A finding of Amazon Inspector was made, changed or closed.
    Finding(Box<Document>),
}

/// The image an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventImage {
    /// The account of the registry.
    pub account: String,
    /// The region of the registry.
    pub region: String,
    /// The repository.
    pub repository: String,
    /// The image's digest.
    pub digest: Digest,
    /// The tags it had; for a push the one it was pushed with.
    pub tags: Vec<String>,
    /// When it happened, if the event says.
    pub at: Option<Timestamp>,
}

/// What every event has, without its detail.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "detail-type")]
    kind: Text<'a>,
    #[serde(borrow)]
    source: Option<Text<'a>>,
    #[serde(borrow)]
    account: Option<Text<'a>>,
    #[serde(borrow)]
    region: Option<Text<'a>>,
    time: Option<Time>,
}

#[derive(Deserialize)]
struct WithDetail<D> {
    detail: D,
}

/// Reads an event.
///
/// # Errors
/// It is no such event, or lacks what names the image.
pub fn event(bytes: &[u8], limits: &Limits) -> Result<Event, ParseError> {
    let envelope: Envelope<'_> = json::read(FORMAT, bytes, limits)?;
    let from = match envelope.kind.0.as_ref() {
        "ECR Image Action" | "ECR Image Scan" => "aws.ecr",
        "Inspector2 Scan" | "Inspector2 Finding" => "aws.inspector2",
        other => {
            let cause = format!("events of the type {other:?} are not read");
            return Err(ParseError::new(FORMAT, "detail-type", cause));
        }
    };
    let source = envelope.source.as_ref().map_or("", |source| source.0.as_ref());
    if source != from {
        let cause = format!("{:?} events come from {from:?}, not from {source:?}", envelope.kind.0);
        return Err(ParseError::new(FORMAT, "source", cause));
    }
    match envelope.kind.0.as_ref() {
        "ECR Image Action" => action(&envelope, &detail(bytes, limits)?),
        "ECR Image Scan" | "Inspector2 Scan" => {
            let detail: ScanDetail<'_> = detail(bytes, limits)?;
            detail.into_end(&envelope).map(Event::ScanEnded)
        }
        _ => {
            let finding: inspector::Wire<'_> = detail(bytes, limits)?;
            inspector::document(vec![finding], false, limits).map(|document| Event::Finding(Box::new(document)))
        }
    }
}

/// Reads an event as a report.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let envelope: Envelope<'_> = json::read(FORMAT, bytes, limits)?;
    if envelope.kind.0 == "ECR Image Action" {
        return Err(no_report());
    }
    match event(bytes, limits)? {
        Event::Finding(document) => Ok(*document),
        Event::ScanEnded(end) => Ok(end.into_document()),
        Event::Pushed(_) | Event::Deleted(_) => Err(no_report()),
    }
}

fn no_report() -> ParseError {
    let cause = "it tells of a push or a deletion, not of a scan; give the scan of the image";
    ParseError::new(FORMAT, "detail-type", cause)
}

fn detail<'a, D: Deserialize<'a>>(bytes: &'a [u8], limits: &Limits) -> Result<D, ParseError> {
    json::read(FORMAT, bytes, limits).map(|WithDetail { detail }| detail)
}

fn action(envelope: &Envelope<'_>, detail: &ImageAction<'_>) -> Result<Event, ParseError> {
    let result = detail.result.0.as_ref();
    if result != "SUCCESS" {
        return Err(ParseError::new(FORMAT, "detail.result", format!("the action ended with {result:?}")));
    }
    let tag = detail.tag.as_ref().and_then(Text::filled).map(str::to_owned);
    let image = envelope.image(&detail.repository, &detail.digest, tag.into_iter().collect())?;
    match detail.action.0.as_ref() {
        "PUSH" => Ok(Event::Pushed(image)),
        "DELETE" => Ok(Event::Deleted(image)),
        other => {
            Err(ParseError::new(FORMAT, "detail.action-type", format!("{other:?} is neither \"PUSH\" nor \"DELETE\"")))
        }
    }
}

impl Envelope<'_> {
    /// The image, from what every event says and what this one names. Inspector names a repository by its ARN.
    fn image(&self, repository: &Text<'_>, digest: &Text<'_>, tags: Vec<String>) -> Result<EventImage, ParseError> {
        let missing = |place: &str| ParseError::new(FORMAT, place, "it is missing or blank");
        let named = inspector::arn(&repository.0);
        let (account, repository) = match named {
            Some((account, repository)) => (Some(account), Some(repository)),
            None => (self.account.as_ref().and_then(Text::filled), repository.filled()),
        };
        let digest = digest
            .0
            .parse::<Digest>()
            .map_err(|error| ParseError::new(FORMAT, "detail.image-digest", format!("{:?}: {error}", digest.0)))?;
        let region = self.region.as_ref().and_then(Text::filled);
        Ok(EventImage {
            account: account.ok_or_else(|| missing("account"))?.to_owned(),
            region: region.ok_or_else(|| missing("region"))?.to_owned(),
            repository: repository.ok_or_else(|| missing("detail.repository-name"))?.to_owned(),
            digest,
            tags,
            at: self.time.and_then(|time| time.0),
        })
    }
}
