//! What is recorded.

use model::{Digest, Timestamp, Verdict};
use store::{AnswerRow, Batch, DecisionRow, EvidenceRow, LeafRow};

pub(crate) const EVIDENCE: usize = 10 << 10;

#[expect(clippy::disallowed_methods, reason = "a measurement has no other clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn image(number: u64) -> Digest {
    Digest::of(format!("image {number}").as_bytes())
}

/// A decision about this image, whose record has this many words.
pub(crate) fn decision(number: u64, about: u64, words: usize) -> DecisionRow {
    let record = format!("{{\"number\":{number},\"reasons\":\"{}\"}}", "reason ".repeat(words));
    DecisionRow {
        id: uuid::Uuid::now_v7().to_string(),
        repository: format!("registry.example/team/app-{}", about % 100),
        digest: image(about),
        environment: "production".to_owned(),
        verdict: Verdict::Allow,
        policy: image(0),
        facts: None,
        recorded_at: now(),
        valid_until: None,
        children: Vec::new(),
        record: record.into_bytes(),
    }
}

/// What the gate records with a decision.
pub(crate) fn batch(number: u64) -> Batch {
    let mut decision = decision(number, number, 250);
    // Like packed facts: nothing that repeats.
    let mut bytes = Vec::with_capacity(EVIDENCE);
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < EVIDENCE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    let evidence = EvidenceRow { digest: Digest::of(&bytes), media_type: "application/octet-stream".to_owned(), bytes };
    decision.facts = Some(evidence.digest.clone());
    let answer = AnswerRow {
        id: uuid::Uuid::now_v7().to_string(),
        decision: decision.id.clone(),
        point: "ci".to_owned(),
        basis: "allowed".to_owned(),
        asked_by: Some("ci".to_owned()),
        pipeline: Some(number.to_string()),
        commit: None,
        trace_id: None,
        at: decision.recorded_at,
        times: 1,
    };
    let text = format!("{{\"decision\":\"{}\",\"reasons\":\"{}\"}}", decision.id, "reason ".repeat(80));
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    let leaf = LeafRow {
        id: decision.id.clone(),
        kind: "decision".to_owned(),
        subject: Some(decision.digest.clone()),
        repository: Some(decision.repository.clone()),
        at: decision.recorded_at,
        bytes: text.into_bytes(),
        hash,
        index: None,
    };
    Batch {
        decisions: vec![decision],
        answers: vec![answer],
        evidence: vec![evidence],
        leaves: vec![leaf],
        ..Batch::default()
    }
}
