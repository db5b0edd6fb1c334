//! Documents about images that somebody hands in: kept as they are, read with every look at the image. Whether they count is for the policy.

use std::sync::Arc;

use model::{Digest, ImageReference};
use serde_json::json;
use signals::{Limits, measurement, report, sbom, vex};
use store::{Batch, EvidenceRow, Scope, SignalRow};

use super::actor::{Actor, Right};
use super::asking::Asker;
use super::collecting::repository;
use super::documents::{self, Places};
use super::understanding::canonical;
use super::{Gate, GateError, Inner, Submission, Submitted, recording};

/// The most documents about one image in one repository that count in the same environments.
pub(super) const MOST: usize = 200;

impl Gate {
    /// What was handed in about exactly this image (`host/repository@sha256:…`) and counts, the oldest first.
    ///
    /// # Errors
    /// It names no such image, or the store cannot be read. Of an image that the actor does not see there is none.
    pub async fn handed_in(&self, image: &str, actor: &Actor) -> Result<Vec<SignalRow>, GateError> {
        self.inner.handed_in(image, actor).await
    }

    /// Takes back a document that was handed in: from now on no judgement reads it. Whoever does not govern the repository takes back what they handed in.
    ///
    /// # Errors
    /// There is none with this id, it is somebody else's, or the store did not do it.
    pub async fn withdraw(&self, id: &str, reason: &str, by: &Asker, actor: &Actor) -> Result<SignalRow, GateError> {
        self.inner.withdraw(id, reason, by, actor).await
    }
}

impl Inner {
    pub(super) async fn submit(
        self: &Arc<Self>,
        submission: Submission,
        by: &Asker,
        actor: &Actor,
    ) -> Result<Submitted, GateError> {
        let (image, digest) = image(&submission.image)?;
        let digest = &digest;
        let format = format(&submission.kind, &submission.document)?;
        let repository = repository(&image);
        let environments = actor.environments(Right::Submit, &repository);
        let mut known = self.store.signals(&repository, digest).await?;
        let places = Places::of(&self.store, &known).await?;
        // What counts in fewer environments neither stands for it nor takes its place.
        known.retain(|row| places.counts_in_all(&row.id, &environments));
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
            "by": submitted_by, "pipeline": by.pipeline, "commit": by.commit, "environments": environments });
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
            items: documents::kept(&row, environments)?.into_iter().collect(),
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

    /// What was handed in about exactly this image, and counts.
    async fn handed_in(&self, named: &str, actor: &Actor) -> Result<Vec<SignalRow>, GateError> {
        let (image, digest) = image(named)?;
        let repository = repository(&image);
        if !actor.sees(&repository, None) {
            return Ok(Vec::new());
        }
        Ok(self.store.signals(&repository, &digest).await?)
    }

    /// The document no longer counts. Whoever does not govern withdraws what they handed in themselves, and could hand in today: one identity may stand
    /// for jobs of protected branches and of others.
    async fn withdraw(
        self: &Arc<Self>,
        id: &str,
        reason: &str,
        by: &Asker,
        actor: &Actor,
    ) -> Result<SignalRow, GateError> {
        let row = self.store.signal(id).await?.filter(|row| actor.sees(&row.repository, None));
        let row = row.ok_or_else(|| GateError::NotFound { what: format!("document {id} that counts") })?;
        let governs = actor.may(Right::Govern, &row.repository, None);
        if !governs && by.identity.as_ref() != Some(&row.submitted_by) {
            let what =
                format!("it was handed in by {}; they withdraw it, or whoever may change policies", row.submitted_by);
            return Err(GateError::Forbidden { what });
        }
        let places = Places::of(&self.store, std::slice::from_ref(&row)).await?;
        if !governs && !places.are_within(&row, actor) {
            let what = format!(
                "it counts in {}: whoever may hand in documents for all of that withdraws it, or whoever may change policies",
                places.words(id)
            );
            return Err(GateError::Forbidden { what });
        }
        let now = (self.settings.now)();
        let body = json!({ "signal": row.id, "document": row.evidence, "documentKind": row.kind, "reason": reason,
            "by": by.identity, "submittedBy": row.submitted_by, "submittedAt": row.submitted_at });
        let subject = Some((row.repository.as_str(), &row.digest));
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "signal.withdrawn", subject, now, body)?;
        let batch = Batch {
            withdrawn: vec![row.id.clone()],
            leaves: vec![leaf],
            changes: vec![Scope::Image(row.digest.clone())],
            ..Batch::default()
        };
        self.store.write(batch).await?;
        self.follower.catch_up().await?;
        Ok(row)
    }
}

/// The one image that a document is about.
fn image(text: &str) -> Result<(ImageReference, Digest), GateError> {
    let image: ImageReference =
        text.parse().map_err(|error| GateError::invalid(format!("`image` is no image reference: {error}")))?;
    let image = canonical(image);
    match (&image.digest, &image.host) {
        (Some(digest), Some(_)) => Ok((image.clone(), digest.clone())),
        _ => Err(GateError::invalid("a document is about one image in one registry: HOST/REPOSITORY@sha256:…")),
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
