//! Whether a rule believes what somebody signed (S22, S27): one of the signers that it lists has to count for the proof. Who
//! signed and does not count is named; whom trust material cannot tell is a gap, never a no and never a yes.

use model::{Attested, Clock, DocumentKind, Gap, ManifestFacts, Origin, Reason, ReasonCode, TrustMaterial};

use super::super::Found;
use super::super::rule::Scene;
use super::super::signers::{Counts, at_hand, counts};
use crate::document::EvidenceSources;
use crate::set::Member;

/// What is needed to tell whose evidence counts.
#[derive(Clone, Copy)]
pub(in crate::evaluate) struct Believing<'s> {
    pub(in crate::evaluate) member: &'s Member,
    pub(in crate::evaluate) trust: Option<&'s TrustMaterial>,
    pub(in crate::evaluate) clock: &'s Clock,
}

/// Whether evidence counts.
#[derive(Debug)]
pub(in crate::evaluate) enum Standing {
    /// By the way that it came in, whoever made it.
    Open,
    /// By the signer at this place of the rule's list.
    Signed(usize),
    /// It does not, and why.
    Not(String),
    /// It cannot be told, and why.
    Unknown(Gap),
}

impl<'s> Believing<'s> {
    pub(in crate::evaluate) fn of(scene: &Scene<'s, 's>) -> Self {
        Self { member: scene.member, trust: scene.facts.trust.as_ref(), clock: scene.clock }
    }

    /// Whether evidence of this origin counts where a rule lists these ways and signers.
    pub(in crate::evaluate) fn standing(&self, from: Option<&EvidenceSources>, origin: &Origin) -> Standing {
        let Some(from) = from else { return Standing::Not(unlisted(origin)) };
        let signed = match origin {
            Origin::Attestation(attested) => self.signed(from.signers(), attested),
            Origin::File(_) | Origin::Registry(_) | Origin::Ecr(_) => Standing::Not(unlisted(origin)),
        };
        match signed {
            Standing::Not(_) | Standing::Unknown(_) if from.opens_to(origin) => Standing::Open,
            signed => signed,
        }
    }

    /// Whether what somebody signed counts as one of these signers'.
    pub(in crate::evaluate) fn signed(&self, signers: &[String], attested: &Attested) -> Standing {
        let (mut unknown, mut why) = (None, Vec::new());
        for (place, signer) in signers.iter().enumerate() {
            match counts(self.member, signer, &attested.proof, self.trust, self.clock) {
                Counts::Yes => return Standing::Signed(place),
                Counts::No(reason) => why.push(reason),
                Counts::Unknown(gap) => unknown = unknown.or(Some(gap)),
            }
        }
        if let Some(gap) = unknown {
            return Standing::Unknown(gap);
        }
        // That it is not the others is of no interest where it is one of them, and that one does not count.
        let (others, own): (Vec<Reason>, Vec<Reason>) =
            why.into_iter().partition(|reason| reason.code == ReasonCode::SignatureIdentity);
        let why = if own.is_empty() { others } else { own };
        let why: Vec<String> = why.into_iter().take(3).map(|reason| reason.message).collect();
        if why.is_empty() { Standing::Not(by_nobody(attested)) } else { Standing::Not(why.join("; ")) }
    }

    /// Adds what signed documents of a kind cannot be read: unknown if their signers count, noted if they do not.
    pub(in crate::evaluate) fn add_unreadable(
        &self,
        found: &mut Found,
        from: Option<&EvidenceSources>,
        manifest: &ManifestFacts,
        kind: DocumentKind,
    ) {
        for document in manifest.unreadable.iter().filter(|document| document.kind == kind) {
            match self.standing(from, &document.origin) {
                Standing::Open | Standing::Signed(_) => found.gaps.push(Gap::from(document.reason.clone())),
                Standing::Unknown(gap) => found.gaps.push(gap),
                Standing::Not(why) => {
                    found.notes.push(format!("{}; it would not count: {why}", document.reason.message));
                }
            }
        }
    }

    /// Why nothing by these signers can be told to be missing: their trust material is not at hand, or what is signed could
    /// not be looked at.
    pub(in crate::evaluate) fn unseen(&self, signers: &[String], manifest: &ManifestFacts) -> Vec<Gap> {
        let mut gaps: Vec<Gap> =
            signers.iter().filter_map(|signer| at_hand(self.member, signer, self.trust).err()).collect();
        if let (false, Err(gap)) = (signers.is_empty(), manifest.signed.usable(None, self.clock)) {
            gaps.push(gap);
        }
        gaps
    }
}

/// Why evidence does not count whose way in is not listed.
fn unlisted(origin: &Origin) -> String {
    match origin {
        Origin::Attestation(attested) => by_nobody(attested),
        Origin::File(_) | Origin::Registry(_) | Origin::Ecr(_) => {
            "nobody signed it, and `from` of the rule does not list where it came from".to_owned()
        }
    }
}

/// Why what somebody signed does not count where the rule lists no signer.
fn by_nobody(attested: &Attested) -> String {
    format!("it is signed by {}, and the rule lists no signer that this could be", attested.proof.signer)
}
