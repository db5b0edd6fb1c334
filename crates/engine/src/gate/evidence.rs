//! What a decision rests on, for auditors: its facts, and the bytes that they were read from as far as they were kept.

use model::{Digest, Facts};
use store::EvidenceRow;

use super::actor::{Actor, Right};
use super::{Gate, GateError, Inner, recording, scope};
use crate::kept;

/// A piece of evidence that a decision names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its digest.
    pub digest: Digest,
    /// They are the facts themselves.
    pub is_facts: bool,
    /// The store has it: it may have been too large, or be forgotten.
    pub kept: bool,
}

impl Gate {
    /// What a decision rests on: its facts first, then what they were read from.
    ///
    /// # Errors
    /// There is no such decision, or the store cannot be read.
    pub async fn pieces(&self, decision: &str, actor: &Actor) -> Result<Vec<Piece>, GateError> {
        self.inner.pieces(decision, actor).await
    }

    /// The bytes with this digest, as they were read. They may be about any image, so they are for whoever reads everything.
    ///
    /// # Errors
    /// They are not kept, the actor may not read them, or the store cannot be read.
    pub async fn evidence(&self, digest: &Digest, actor: &Actor) -> Result<EvidenceRow, GateError> {
        actor.everywhere_or_refused(Right::Read)?;
        self.inner.evidence(digest).await
    }
}

impl Inner {
    /// The bytes with this digest.
    async fn evidence(&self, digest: &Digest) -> Result<EvidenceRow, GateError> {
        let row = self.store.evidence(digest).await?;
        row.ok_or_else(|| GateError::NotFound { what: format!("evidence {digest}, or no longer") })
    }

    /// What a decision rests on: the facts first.
    async fn pieces(&self, decision: &str, actor: &Actor) -> Result<Vec<Piece>, GateError> {
        let row = self.store.decision(decision).await?;
        let row = row.filter(|row| actor.sees(&row.repository, Some(&row.environment)));
        let row = row.ok_or_else(|| scope::no_decision(decision))?;
        let Some(facts) = row.facts else { return Ok(Vec::new()) };
        let Some(kept) = self.store.evidence(&facts).await? else {
            return Ok(vec![Piece { digest: facts, is_facts: true, kept: false }]);
        };
        let mut pieces = vec![Piece { digest: facts, is_facts: true, kept: true }];
        let read: Facts = recording::read_facts(&kept).map_err(GateError::invalid)?.facts;
        let named = kept::named(&read);
        let there = self.store.kept(&named).await?;
        for digest in named {
            let kept = there.contains(&digest);
            let pages = if kept { self.pages(&digest).await? } else { Vec::new() };
            pieces.push(Piece { digest, is_facts: false, kept });
            let there = self.store.kept(&pages).await?;
            pieces.extend(pages.into_iter().map(|digest| {
                let kept = there.contains(&digest);
                Piece { digest, is_facts: false, kept }
            }));
        }
        Ok(pieces)
    }

    /// The pages that a piece of evidence is a list of.
    async fn pages(&self, digest: &Digest) -> Result<Vec<Digest>, GateError> {
        Ok(self.store.evidence(digest).await?.map_or_else(Vec::new, |row| kept::pages(&row)))
    }
}
