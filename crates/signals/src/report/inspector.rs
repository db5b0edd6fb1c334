//! Amazon Inspector's own findings: the answer of `aws inspector2 list-findings`, an exported findings report, or one
//! finding. Recognised by `findings` (a list) or `findingArn` at the top. Source: Amazon Inspector API 2020-06-08,
//! `ListFindings`, `Finding`.
//!
//! Read of a finding: `type`, `severity`, `status`, `title`, `packageVulnerabilityDetails`, `fixAvailable`,
//! `exploitAvailable`, `epss.score`, `inspectorScore`, `inspectorScoreDetails.adjustedCvss.score`, and which image in
//! `resources`. `CLOSED` findings are none, `SUPPRESSED` ones are marked. Nothing in a list of findings says that the
//! image was scanned, so it never proves a scan (S19).

mod finding;
mod image;

#[cfg(test)]
mod tests;

use model::{Reason, ReasonCode, Scanner, Signal};
use serde::Deserialize;

pub(super) use finding::Wire;

use super::json::{self, Text};
use super::list::List;
use super::{Document, proves_nothing};
use crate::{Limits, ParseError};
use image::Images;

const FORMAT: &str = "Amazon Inspector findings";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow, default, deserialize_with = "json::not_null")]
    findings: Option<List<Wire<'a>>>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
    #[serde(borrow)]
    finding_arn: Option<Text<'a>>,
}

/// Reads the findings of one image.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let answer: Answer<'_> = json::read(FORMAT, bytes, limits).map_err(|mut error| {
        if error.cause.contains("\"NextToken\"") {
            error.cause.push_str("; the answer is one part of several: save it without `--max-items`");
        }
        error
    })?;
    let partial = answer.next_token.as_ref().is_some_and(|token| token.filled().is_some());
    match (answer.findings, answer.finding_arn) {
        (Some(List(findings)), None) => document(findings, partial, limits),
        (None, Some(_)) => document(vec![json::read(FORMAT, bytes, limits)?], partial, limits),
        (None, None) => Err(ParseError::new(FORMAT, "findings", "there is no such list")),
        (Some(_), Some(_)) => Err(ParseError::new(
            FORMAT,
            "",
            "it is a finding and a list of findings at once (`findingArn`, `findings`)",
        )),
    }
}

/// Account and name of the repository that an ARN of ECR names.
pub(super) fn arn(arn: &str) -> Option<(&str, &str)> {
    image::Name::of_arn(arn).map(|name| (name.account, name.repository))
}

/// The findings as a report about the one image that they name.
pub(super) fn document(wire: Vec<Wire<'_>>, partial: bool, limits: &Limits) -> Result<Document, ParseError> {
    if wire.len() > limits.findings {
        let cause = format!("{} findings; at most {} are read", wire.len(), limits.findings);
        return Err(ParseError::new(FORMAT, "findings", cause));
    }
    let (mut findings, mut images) = (Vec::new(), Images::default());
    for (at, wire) in wire.into_iter().enumerate() {
        images.add(&wire, &format!("findings[{at}]"))?;
        findings.extend(wire.into_finding(&format!("findings[{at}]"))?);
    }
    let (scanner, tool) = (Scanner::Inspector, Some("Amazon Inspector".to_owned()));
    let subject = images.into_subject();
    if partial {
        let reason = Reason::new(ReasonCode::ScanPartial, format!("{FORMAT}: the answer ends with a nextToken"))
            .remedy("Save the whole answer: `aws inspector2 list-findings` without `--no-paginate` and `--max-items`.");
        return Ok(Document { scanner, tool, subject, scan: Err(Signal::Failed(reason)), unproven: findings });
    }
    let because = if findings.is_empty() {
        "no open finding is listed, which is also so for an image that was never scanned"
    } else {
        "a list of findings does not say that the whole image was scanned"
    };
    let why = proves_nothing(FORMAT, because).remedy(
        "Let the gate ask ECR, or save `aws ecr describe-image-scan-findings`, which says that the scan is complete.",
    );
    Ok(Document::unproven(scanner, tool, subject, findings, why))
}
