//! Documents about images that somebody hands in: kept as they are, read with every look at the image. Whether they count is for the policy.

use std::sync::Arc;

use model::{Digest, ImageReference};
use serde_json::json;
use signals::{Limits, measurement, report, sbom, vex};
use store::{Batch, EvidenceRow, Scope, SignalRow};

use super::asking::Asker;
use super::collecting::repository;
use super::deciding::canonical;
use super::{GateError, Inner, Submission, Submitted, recording};

/// The most documents about one image in one repository.
const MOST: usize = 200;

impl Inner {
    pub(super) async fn submit(self: &Arc<Self>, submission: Submission, by: &Asker) -> Result<Submitted, GateError> {
        let image: ImageReference = submission
            .image
            .parse()
            .map_err(|error| GateError::invalid(format!("`image` is no image reference: {error}")))?;
        let image = canonical(image);
        let (Some(digest), Some(_)) = (&image.digest, &image.host) else {
            return Err(GateError::invalid("a document is about one image in one registry: HOST/REPOSITORY@sha256:…"));
        };
        let format = format(&submission.kind, &submission.document)?;
        let repository = repository(&image);
        let known = self.store.signals(&repository, digest).await?;
        let evidence = Digest::of(&submission.document);
        // The same document again is the same.
        if let Some(row) = known.iter().find(|row| row.evidence == evidence && row.kind == submission.kind) {
            return Ok(Submitted { id: row.id.clone(), evidence, format });
        }
        if known.len() >= MOST {
            return Err(GateError::invalid(format!("{MOST} documents about {image} were handed in already")));
        }
        let now = (self.settings.now)();
        let id = uuid::Uuid::now_v7().to_string();
        let submitted_by = by.identity.clone().unwrap_or_else(|| "unknown".to_owned());
        let body = json!({ "document": evidence, "documentKind": submission.kind, "format": format,
            "by": submitted_by, "pipeline": by.pipeline, "commit": by.commit });
        let leaf = recording::leaf(id.clone(), "signal", Some((&repository, digest)), now, body)?;
        let row = SignalRow {
            id: id.clone(),
            repository,
            digest: digest.clone(),
            kind: submission.kind,
            evidence: evidence.clone(),
            submitted_at: now,
            submitted_by,
        };
        let document = EvidenceRow {
            digest: evidence.clone(),
            media_type: "application/octet-stream".to_owned(),
            bytes: submission.document.to_vec(),
        };
        let batch = Batch {
            signals: vec![row],
            evidence: vec![document],
            leaves: vec![leaf],
            changes: vec![Scope::Image(digest.clone())],
            ..Batch::default()
        };
        self.store.write(batch).await?;
        self.follower.catch_up().await?;
        Ok(Submitted { id, evidence, format })
    }
}

/// What it is read as. What cannot be read is refused here, where whoever made it learns of it.
fn format(kind: &str, document: &[u8]) -> Result<String, GateError> {
    let limits = &Limits::STANDARD;
    let wrong = |error: &dyn std::fmt::Display| GateError::invalid(format!("the document is no {kind}: {error}"));
    match kind {
        "report" => Ok(report::parse(document, limits).map_err(|error| wrong(&error))?.scanner.to_string()),
        "sbom" => sbom::parse(document, limits).map(|_| "sbom".to_owned()).map_err(|error| wrong(&error)),
        "vex" => vex::parse(document, limits).map(|_| "vex".to_owned()).map_err(|error| wrong(&error)),
        "measurement" => {
            measurement::parse(document, limits).map(|_| "measurement".to_owned()).map_err(|error| wrong(&error))
        }
        other => Err(GateError::invalid(format!("{other:?} is no kind of document: report, sbom, vex or measurement"))),
    }
}
