//! Decisions as they are recorded: the record, its facts, and its entry in the audit log, in one transaction. A judgement that says what the
//! last one said is that decision still, and is not recorded again.

use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::read::GzDecoder;
use model::{Digest, FactsDocument, Judgement, RecordedFacts, Timestamp, Verdict};
use policy::trust_score;
use serde_json::{Value, json};
use store::{Batch, DecisionRow, EvidenceRow, LeafRow};

use trust::log::{Entry, Subject, leaf_hash};

use super::asking::{AskError, Asker, RecordedDecision};
use super::force::InForce;
use super::memory::Known;
use super::{GateError, counting};
use crate::check::{Checked, Timing};
use crate::record::{Answer, Record};

/// Facts as they are kept.
pub(super) const FACTS: &str = "application/vnd.ecr-gate.facts.v1+json+gzip";
/// The largest facts that are read back, in bytes, unpacked.
const LARGEST: u64 = 256 << 20;

/// The most reasons in an entry of the audit log; the record, whose digest is in it, has all.
const REASONS: usize = 100;
/// The longest reason there, in characters.
const REASON: usize = 1_000;

/// A judgement, ready to be recorded.
pub(super) struct Draft {
    pub(super) judgement: Judgement,
    pub(super) record: Record,
    /// What it says, without what differs each time: two judgements with one essence are one decision.
    pub(super) essence: Digest,
}

/// Judges what is known, now.
pub(super) fn judge(force: &InForce, known: &Known, now: Timestamp, by: &Asker) -> Result<Draft, AskError> {
    let mut judgement = force.judge(&known.ask, &known.facts, now);
    judgement.warnings.extend(known.warnings.iter().cloned());
    let trust_score = trust_score(&force.policies, &known.ask, &known.facts, now);
    let timing = Timing {
        decided_at: now,
        pushed_at: known.facts.root.pushed_at,
        scan_completed_at: judgement.inputs.signals.iter().map(|signal| signal.completed_at).max(),
        request: known.took,
    };
    let checked = Checked {
        ask: known.ask.clone(),
        facts: Arc::clone(&known.facts),
        judgement,
        by_image_id: false,
        trust_score,
        timing,
    };
    let answer = Answer {
        point: by.point.as_str().into(),
        advisory: false,
        permit: None,
        asked_by: by.identity.clone(),
        pipeline: by.pipeline.clone(),
        commit: by.commit.clone(),
        trace_id: by.trace_id.clone(),
    };
    let record = Record::of(&checked, known.ask.image.to_string(), answer);
    let value = serde_json::to_value(&record).map_err(|error| AskError::Internal(error.to_string()))?;
    let essence = essence(value, &force.version);
    Ok(Draft { judgement: checked.judgement, record, essence })
}

/// What a record says, without who asked, when, and how old things were then.
fn essence(mut record: Value, version: &Digest) -> Digest {
    let at = record.get("recordedAt").cloned();
    if let Some(fields) = record.as_object_mut() {
        for volatile in ["id", "exitCode", "recordedAt", "dryRun", "answer", "timingMs", "attached"] {
            fields.remove(volatile);
        }
        // A judgement that holds for its moment alone says so each time, of another moment.
        if fields.get("validUntil") == at.as_ref() {
            fields.remove("validUntil");
        }
        // How the image was named changes nothing beyond what the rules say of it.
        if let Some(image) = fields.get_mut("image").and_then(Value::as_object_mut) {
            image.remove("reference");
            image.remove("tag");
        }
        for signal in fields.get_mut("signals").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(signal) = signal.as_object_mut() {
                signal.remove("ageSeconds");
                signal.remove("observedAt");
            }
        }
    }
    Digest::of(format!("{version} {record}").as_bytes())
}

/// The essence of a decision on record.
pub(super) fn essence_of(row: &DecisionRow) -> Option<Digest> {
    let record: Value = serde_json::from_slice(&row.record).ok()?;
    Some(essence(record, &row.policy))
}

/// A decision on record, as it is answered with.
pub(super) fn recorded(row: DecisionRow) -> RecordedDecision {
    RecordedDecision {
        id: row.id,
        repository: row.repository,
        digest: row.digest,
        environment: row.environment,
        verdict: row.verdict,
        recorded_at: row.recorded_at,
        valid_until: row.valid_until,
        record: Bytes::from(row.record),
        brief: OnceLock::new(),
    }
}

/// A decision and the transaction that records it.
pub(super) fn record(
    draft: Draft,
    known: &Known,
    force: &InForce,
    dry_run: bool,
) -> Result<(RecordedDecision, Batch), AskError> {
    let internal = |error: &dyn std::fmt::Display| AskError::Internal(error.to_string());
    let Draft { judgement, mut record, .. } = draft;
    let id = uuid::Uuid::now_v7().to_string();
    let now = record.recorded_at;
    record.id = (!dry_run).then(|| id.clone());
    record.dry_run = dry_run;
    // Whoever asked has a code of its own for each way not to know; what reads the record alone must not take a refusal for a 0.
    record.exit_code = match record.verdict {
        Verdict::Allow | Verdict::Warn => 0,
        Verdict::Deny => 1,
        Verdict::Pending => 4,
    };
    let bytes = serde_json::to_vec(&record).map_err(|error| internal(&error))?;
    let document = FactsDocument::new(&known.ask, judgement.environment_class, &known.facts, known.at, None);
    let facts = serde_json::to_vec(&document.decided(&judgement)).map_err(|error| internal(&error))?;
    let facts = store::pack(&facts).map_err(|error| internal(&error))?;
    let evidence = EvidenceRow { digest: Digest::of(&facts), media_type: FACTS.to_owned(), bytes: facts };
    let children = covered(known, force);
    let row = DecisionRow {
        id: id.clone(),
        repository: known.ask.name(),
        digest: known.ask.digest.clone(),
        environment: known.ask.environment.clone(),
        verdict: judgement.verdict,
        policy: force.version.clone(),
        facts: Some(evidence.digest.clone()),
        recorded_at: now,
        valid_until: judgement.valid_until,
        children,
        record: bytes,
    };
    let body = json!({
        "decision": id,
        "environment": row.environment,
        "verdict": row.verdict,
        "validUntil": row.valid_until,
        "policyVersion": row.policy,
        "policies": record.policies,
        "reasons": record.reasons.iter().take(REASONS).map(|reason| json!({
            "code": reason.reason.code, "message": shortened(&reason.reason.message), "rules": reason.rules,
        })).collect::<Vec<_>>(),
        "exceptions": record.exceptions.len(),
        "exceptionsUsed": record.exceptions.iter().take(REASONS).map(|used| &used.id).collect::<Vec<_>>(),
        "facts": row.facts,
        "record": Digest::of(&row.record),
        "children": row.children,
        "fullMetadata": counting::is_complete(&known.facts, record.answer.commit.as_deref(), record.answer.pipeline.as_deref()),
        "answer": { "point": record.answer.point, "askedBy": record.answer.asked_by, "pipeline": record.answer.pipeline,
            "commit": record.answer.commit, "traceId": record.answer.trace_id },
    });
    let leaf =
        leaf(id, "decision", Some((&row.repository, &row.digest)), now, body).map_err(|error| internal(&error))?;
    // B11: what people granted counts where it was used.
    let granted = record.exceptions.iter().filter(|used| force.standing.has_exception(&used.id));
    let uses = granted.map(|used| (used.id.clone(), row.id.clone(), now)).collect();
    let decision = recorded(row.clone());
    // The facts themselves, and what they were read from.
    let evidence = std::iter::once(evidence).chain(known.raw.iter().cloned()).collect();
    Ok((decision, Batch { decisions: vec![row], evidence, leaves: vec![leaf], uses, ..Batch::default() }))
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON).collect()
}

/// The platforms of an index that every policy in force judges: an answer about it covers them (S1). The same facts may be judged by another policy
/// later, so this belongs to the judgement.
pub(super) fn covered(known: &Known, force: &InForce) -> Vec<Digest> {
    let children = known.facts.platforms.iter().flatten();
    let judged = children.filter(|(platform, _)| force.policies.all_judge(&known.ask, platform));
    judged.map(|(_, child)| child.digest.clone()).collect()
}

/// An entry of the audit log.
pub(super) fn leaf(
    id: String,
    kind: &str,
    subject: Option<(&str, &Digest)>,
    at: Timestamp,
    body: Value,
) -> Result<LeafRow, GateError> {
    let internal = |what: &str| GateError::invalid(format!("an entry of the audit log cannot be written: {what}"));
    let Value::Object(body) = body else { return Err(internal("its body is no object")) };
    let named =
        |(repository, digest): (&str, &Digest)| Subject { digest: digest.clone(), repository: repository.to_owned() };
    let entry = Entry { at, body, id: id.clone(), kind: kind.to_owned(), subject: subject.map(named) };
    let bytes = entry.bytes().map_err(|error| internal(&error.to_string()))?.into_bytes();
    Ok(LeafRow {
        id,
        kind: kind.to_owned(),
        subject: subject.map(|(_, digest)| digest.clone()),
        repository: subject.map(|(repository, _)| repository.to_owned()),
        at,
        hash: leaf_hash(&bytes),
        bytes,
        index: None,
    })
}

/// Facts that were kept.
pub(super) fn read_facts(row: &EvidenceRow) -> Result<RecordedFacts, String> {
    if row.media_type != FACTS {
        return Err(format!("{} is {}, no facts of a kind that is known", row.digest, row.media_type));
    }
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(row.bytes.as_slice()).take(LARGEST);
    unpacked.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    RecordedFacts::read(&bytes).map_err(|error| error.to_string())
}
