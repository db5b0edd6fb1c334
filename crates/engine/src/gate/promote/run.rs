//! A promotion from its beginning to its end: leave, copy, leave once more, tag, record. The tag is the last thing that is written, and only the digest
//! that was decided about gets it, whatever the tag of the source stands for by then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use model::{Digest, ImageReference, Timestamp};
use registry::{Copied, Manifest};
use serde_json::json;
use store::{Batch, PromotionRow};

use super::super::asking::AskError;
use super::super::collecting::repository;
use super::super::permit::Basis;
use super::super::{Inner, answers, overrides, recording};
use super::claim::Claim;
use super::destination::Ends;
use super::documents::HandedOn;
use super::leave::{Leave, SOON};
use super::there::There;
use super::tracking::{Run, promoted};
use super::{Plan, PromoteError, Promoted};

/// How often leave is asked for once more, because what it rests on grew old while it was put on record.
const TRIES: usize = 5;
/// Promotions of one place that are looked through for one that is on record already.
const BEFORE: u32 = 200;
/// Digests of what is attached that one entry of the audit log lists.
const LISTED: usize = 500;

/// What was copied, and stands at the destination without a tag.
struct Done {
    ends: Ends,
    /// Where it came from, by its digest.
    pinned: ImageReference,
    /// Every manifest that came.
    coming: BTreeSet<Digest>,
    attached: BTreeSet<Digest>,
    copied: Copied,
    manifest: Manifest,
}

/// What goes on record.
struct Settling<'a> {
    source: &'a ImageReference,
    leave: &'a Leave,
    /// The override that was written, if there is one.
    granted: Option<&'a str>,
    copied: &'a Copied,
    attached: &'a BTreeSet<Digest>,
    is_there: bool,
}

impl Inner {
    pub(super) async fn carry_out(self: &Arc<Self>, run: &Run) -> Result<Promoted, PromoteError> {
        let plan = &run.plan;
        run.warn(self.fit_for_promotion(plan).await?);
        let mut there = There::default();
        let (mut leave, source) = self.first_leave(plan, &mut there).await?;
        let digest = leave.permit.subject().clone();
        run.decided(&digest);
        let ends = Ends::open(self, &source, &plan.destination)?;
        let is_there = ends.is_there(&plan.destination, &digest).await?;
        let pinned = ImageReference { digest: Some(digest.clone()), tag: None, ..source };
        // Deciding and waiting take no room.
        let slot = self.runs.slots.take(&plan.identity, plan.rollback.is_some()).await;
        if !leave.permit.holds(Instant::now()) {
            leave = self.leave_to_promote(plan, &pinned, &mut there).await?;
        }
        let to_copy = ends.to_copy(&leave.permit).await?;
        let coming: BTreeSet<Digest> = to_copy.manifests().cloned().collect();
        let attached = to_copy.attached().clone();
        self.none_denied(&coming, &leave)?;
        let copied = ends.copy(&to_copy, &run.progress).await?;
        drop((to_copy, slot));
        run.warn(copied.warnings.iter().cloned());
        let manifest = ends.manifest(&digest).await?;
        let done = Done { ends, pinned, coming, attached, copied, manifest };
        // What is there already is not written.
        if plan.destination.tag.is_none() || is_there {
            return self.tag_and_record(run, &done, &mut there, None).await;
        }
        let claim = self.claim(run).await?;
        let ended = self.tag_and_record(run, &done, &mut there, Some(&claim)).await;
        self.give_back(claim).await;
        ended
    }

    /// Leave once more, the tag, the record.
    async fn tag_and_record(
        self: &Arc<Self>,
        run: &Run,
        done: &Done,
        there: &mut There,
        claim: Option<&Claim>,
    ) -> Result<Promoted, PromoteError> {
        let plan = &run.plan;
        let Done { ends, pinned, coming, attached, copied, manifest } = done;
        let digest = &manifest.digest;
        // Policies and what is known may be others than before the copy.
        self.announce(run, ends.is_there(&plan.destination, digest).await?).await?;
        let mut granted = None;
        for _ in 0..TRIES {
            let leave = self.leave_to_promote(plan, pinned, there).await?;
            self.none_denied(coming, &leave)?;
            if let (Basis::Overridden(id), None) = (leave.permit.basis(), &granted) {
                self.write_override(run, &leave, id).await?;
                granted = Some(id.clone());
            }
            let is_there = ends.is_there(&plan.destination, digest).await?;
            // S42: what it rests on was read a moment ago.
            if !self.follower.is_within_lease(leave.confirmed) {
                continue;
            }
            if let (Some(tag), false) = (&plan.destination.tag, is_there) {
                // Without a claim the tag was there: somebody took it away meanwhile.
                if claim.is_none_or(|claim| !claim.holds()) {
                    break;
                }
                ends.tag(&leave.permit, &plan.environment, tag, manifest).await?;
            }
            let (leave, granted) = (&leave, granted.as_deref());
            let settling = Settling { source: pinned, leave, granted, copied, attached, is_there };
            return self.settle(run, &settling).await;
        }
        let what = "the store or the registry answers too slowly to promote on what it says; try again".to_owned();
        Err(AskError::StoreUnavailable(what).into())
    }

    /// Leave, and where the image is. What is brought back was judged where it came from; if it is no longer there, it is judged where it is.
    async fn first_leave(
        self: &Arc<Self>,
        plan: &Plan,
        there: &mut There,
    ) -> Result<(Leave, ImageReference), PromoteError> {
        let mut source = plan.source.clone();
        if plan.rollback.is_some()
            && plan.from() != plan.to()
            && !Ends::open(self, &source, &plan.destination)?.has_source(&source).await?
        {
            source = ImageReference { tag: None, digest: source.digest, ..plan.destination.clone() };
        }
        Ok((self.leave_to_promote(plan, &source, there).await?, source))
    }

    /// Says in the audit log that a tag is about to be written: if it is, and its record fails, that much is known.
    async fn announce(&self, run: &Run, is_there: bool) -> Result<(), PromoteError> {
        let plan = &run.plan;
        let (Some(digest), Some(_), false) = (run.status().digest, &plan.destination.tag, is_there) else {
            return Ok(());
        };
        let body = json!({ "source": plan.source.to_string(), "destination": plan.destination.to_string(),
            "environment": plan.environment, "by": &*plan.identity, "rollback": plan.rollback.is_some() });
        let id = uuid::Uuid::now_v7().to_string();
        let leaf = recording::leaf(id, "promotion.begun", Some((&plan.to(), &digest)), (self.settings.now)(), body)?;
        self.store.write(Batch { leaves: vec![leaf], ..Batch::default() }).await?;
        Ok(())
    }

    /// S31: what is denied and goes on all the same is recorded as that, before anything is done.
    async fn write_override(&self, run: &Run, leave: &Leave, id: &str) -> Result<(), PromoteError> {
        let (plan, now) = (&run.plan, (self.settings.now)());
        let reason = plan.rollback.as_ref().and_then(|back| back.reason.as_deref());
        let body = json!({ "override": id, "for": "rollback", "promotion": run.id, "decision": leave.decision.id,
            "environment": plan.environment, "destination": plan.destination.to_string(), "reason": reason,
            "overridden": leave.overridden, "by": &*plan.identity, "person": plan.person.as_deref() });
        let subject = Some((&*plan.to(), leave.permit.subject())).map(|(to, digest)| (to.to_owned(), digest.clone()));
        let subject = subject.as_ref().map(|(to, digest)| (to.as_str(), digest));
        let leaf = recording::leaf(id.to_owned(), "override.granted", subject, now, body)?;
        let answer = answers::row(&leave.decision.id, &plan.by, leave.permit.basis().as_str(), now);
        let until = now.saturating_add(SOON).unwrap_or(now);
        let about = (&*plan.to(), leave.permit.subject(), plan.environment.as_str());
        let by = (&*plan.identity, plan.person.as_deref());
        let row = overrides::of_rollback(id, about, by, reason.unwrap_or(""), (now, until))?;
        let uses = vec![(id.to_owned(), leave.decision.id.clone(), now)];
        let batch = Batch { items: vec![row], uses, leaves: vec![leaf], answers: vec![answer], ..Batch::default() };
        self.store.write(batch).await?;
        Ok(())
    }

    /// Puts the promotion on record; one that is there and on record is that one.
    async fn settle(&self, run: &Run, settling: &Settling<'_>) -> Result<Promoted, PromoteError> {
        let Settling { source, leave, granted, copied, attached, is_there } = *settling;
        let plan = &run.plan;
        let digest = leave.permit.subject();
        let destination = match &plan.destination.tag {
            Some(_) => plan.destination.to_string(),
            None => format!("{}@{digest}", plan.to()),
        };
        // As the store keeps it: what is told now is what is told later.
        let now = (self.settings.now)();
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        if is_there {
            let known = self.store.promotions_to(&plan.to(), Some(&plan.environment), BEFORE).await?;
            let same = |row: &PromotionRow| row.destination == destination && row.digest == *digest;
            if let Some(row) = known.into_iter().find(same) {
                // What was handed in since goes along too.
                let handed = self.documents_for(plan, source, &leave.permit, &row.id, now).await?;
                self.write_with(run, handed, Batch::default()).await?;
                return Ok(Promoted { manifests: copied.manifests, attached: copied.attached, ..promoted(row) });
            }
        }
        let id = uuid::Uuid::now_v7().to_string();
        let handed = self.documents_for(plan, source, &leave.permit, &id, now).await?;
        let row = PromotionRow {
            id: id.clone(),
            decision: leave.decision.id.clone(),
            digest: digest.clone(),
            source: repository(source),
            destination,
            environment: plan.environment.clone(),
            at: now,
            by: plan.identity.to_string(),
        };
        let basis = leave.permit.basis();
        let granted = granted.or(if let Basis::Overridden(id) = basis { Some(id.as_str()) } else { None });
        let body = json!({ "promotion": id, "decision": row.decision, "source": source.to_string(),
            "destination": row.destination, "environment": row.environment, "by": row.by,
            "person": plan.person.as_deref(), "pipeline": plan.by.pipeline, "commit": plan.by.commit,
            "traceId": plan.by.trace_id, "rollback": plan.rollback.is_some(),
            "reason": plan.rollback.as_ref().and_then(|back| back.reason.as_deref()), "basis": basis.as_str(),
            "override": granted, "wasThere": is_there, "manifests": copied.manifests,
            "attached": copied.attached, "attachedDigests": attached.iter().take(LISTED).collect::<Vec<_>>(),
            "documents": handed.count() });
        let leaf = recording::leaf(id, "image.promoted", Some((&plan.to(), digest)), now, body)?;
        let promoted = Promoted {
            basis: Some(basis.as_str().to_owned()),
            was_there: false,
            manifests: copied.manifests,
            attached: copied.attached,
            sent_bytes: copied.sent_bytes,
            ..promoted(row.clone())
        };
        let batch = Batch { promotions: vec![row], leaves: vec![leaf], ..Batch::default() };
        self.write_with(run, handed, batch).await?;
        Ok(promoted)
    }

    /// Writes what is there to write, with the documents that go along: in one transaction, so that an image that was promoted has them.
    async fn write_with(&self, run: &Run, handed: HandedOn, mut batch: Batch) -> Result<(), PromoteError> {
        run.warn(handed.warning(&run.plan));
        let (is_news, has_documents) = (!batch.promotions.is_empty(), !handed.is_empty());
        handed.write(&mut batch);
        if is_news || has_documents {
            self.store.write(batch).await?;
        }
        if has_documents {
            self.follower.catch_up().await?;
        }
        Ok(())
    }
}
