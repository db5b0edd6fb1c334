//! What a block was (S43): a false block, an accepted risk, or right. Only what somebody looked at counts for the false-block rate.

use std::sync::Arc;

use model::{Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, DecisionRow, ItemRow, StoreError};

use super::actor::{Actor, Right};
use super::denials::sound_reason;
use super::{GateError, Inner, recording};

/// The kind of item.
pub(super) const KIND: &str = "label";

/// What a block was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// It should not have been.
    FalseBlock,
    /// It was right, and the risk was taken.
    AcceptedRisk,
    /// It was right.
    True,
}

impl Label {
    /// `false-block`, `accepted-risk`, `true`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FalseBlock => "false-block",
            Self::AcceptedRisk => "accepted-risk",
            Self::True => "true",
        }
    }
}

/// A label, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Labelled {
    /// What the block was.
    pub label: Label,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Inner {
    /// Says what a block was; a later word replaces an earlier one.
    pub(super) async fn label(
        self: &Arc<Self>,
        decision: &str,
        label: Label,
        reason: &str,
        actor: &Actor,
    ) -> Result<Labelled, GateError> {
        let reason = sound_reason(reason)?;
        let row = self.seen_decision(decision, actor).await?;
        actor.may_or_refused(Right::Label, &row.repository, Some(&row.environment))?;
        if row.verdict != Verdict::Deny {
            return Err(GateError::invalid(format!(
                "decision {decision} blocked nothing: its verdict is {}",
                row.verdict.as_str()
            )));
        }
        let now = (self.settings.now)();
        let labelled = Labelled { label, reason, by: actor.identity.to_string(), at: now };
        let last = self.store.item(KIND, decision).await?;
        let item = ItemRow {
            kind: KIND.to_owned(),
            id: decision.to_owned(),
            revision: last.as_ref().map_or(1, |last| last.revision + 1),
            state: label.as_str().to_owned(),
            repository: Some(row.repository.clone()),
            digest: Some(row.digest.clone()),
            environment: Some(row.environment.clone()),
            created_at: last.map_or(now, |last| last.created_at),
            until: None,
            body: serde_json::to_vec(&labelled).map_err(|error| GateError::invalid(error.to_string()))?,
        };
        let body = json!({ "decision": decision, "environment": row.environment, "label": labelled });
        let subject = Some((row.repository.as_str(), &row.digest));
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "block.labelled", subject, now, body)?;
        self.store.write(Batch { items: vec![item], leaves: vec![leaf], ..Batch::default() }).await?;
        Ok(labelled)
    }

    /// What a decision's block was called, if somebody looked.
    pub(super) async fn label_of(&self, decision: &str, actor: &Actor) -> Result<Option<Labelled>, GateError> {
        self.seen_decision(decision, actor).await?;
        let Some(row) = self.store.item(KIND, decision).await? else { return Ok(None) };
        let read = serde_json::from_slice(&row.body);
        Ok(Some(read.map_err(|error| StoreError::Unreadable { what: "label", why: error.to_string() })?))
    }

    /// A decision that the actor sees; what they may not see is not there for them.
    pub(super) async fn seen_decision(&self, id: &str, actor: &Actor) -> Result<DecisionRow, GateError> {
        let row = self.store.decision(id).await?;
        row.filter(|row| actor.sees(&row.repository, Some(&row.environment)))
            .ok_or_else(|| GateError::NotFound { what: format!("decision {id}") })
    }
}
