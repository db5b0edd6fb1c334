//! What the rules about signers share: what is attached to a manifest, which of it counts, and why the rest does not, so
//! that whoever looks for a missing signature sees the one that is there.

use model::{
    Authentic, Gap, ManifestFacts, Reason, ReasonCode, Signal, Signed, SignedArtifact, Statement, UnknownClass,
};

use super::Found;
use super::rule::Scene;
use super::signers::{Counts, at_hand, counts, never_counts};
use crate::document::VSA;

/// How many artifacts a message names.
const SHOWN: usize = 10;

/// Everything signed that is attached to a manifest; an empty list says that there is nothing.
pub(super) fn listed<'a>(manifest: &'a ManifestFacts, scene: &Scene<'_, '_>) -> Result<&'a [SignedArtifact], Gap> {
    match &manifest.signed {
        Signal::Absent(why) if why.code.class().is_none() => Ok(&[]),
        signal => signal.usable(None, scene.clock).map(|observed| observed.value.as_slice()),
    }
}

/// The signers a rule means: those it names, or all of the policy's.
pub(super) fn meant<'s>(scene: &Scene<'s, '_>, names: Option<&'s [String]>) -> Vec<&'s str> {
    match names {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => scene.member.signer_names().collect(),
    }
}

/// An artifact as people find it.
pub(super) fn described(artifact: &SignedArtifact) -> String {
    format!("the {} in {} ({})", artifact.format.as_str(), artifact.manifest.short(), artifact.place)
}

/// What the signers that are meant are to one proof.
pub(super) struct Standing<'s> {
    /// Names under which it counts.
    pub(super) counts: Vec<&'s str>,
    /// Names under which that cannot be told, and why.
    pub(super) open: Vec<(&'s str, Gap)>,
    /// Why it does not count under the others.
    pub(super) refused: Vec<Reason>,
}

/// Asks every name whether the proof is its own.
pub(super) fn standing<'s, T>(scene: &Scene<'_, '_>, names: &[&'s str], authentic: &Authentic<T>) -> Standing<'s> {
    let mut standing = Standing { counts: Vec::new(), open: Vec::new(), refused: Vec::new() };
    for name in names {
        match counts(scene.member, name, authentic.proof(), scene.facts.trust.as_ref(), scene.clock) {
            Counts::Yes => standing.counts.push(name),
            Counts::Unknown(gap) => standing.open.push((name, gap)),
            Counts::No(reason) => standing.refused.push(reason),
        }
    }
    standing
}

impl Standing<'_> {
    /// Why it counts under no name, in one reason: what is wrong with it, or else whom it is not by.
    pub(super) fn why_not<T>(&self, names: &[&str], authentic: &Authentic<T>) -> Reason {
        let exact: Vec<&Reason> =
            self.refused.iter().filter(|reason| reason.code != ReasonCode::SignatureIdentity).collect();
        match (exact.as_slice(), self.refused.as_slice()) {
            ([first, ..], _) => {
                let messages: Vec<&str> = exact.iter().map(|reason| reason.message.as_str()).collect();
                Reason::new(first.code, messages.join("; ")).remedy(first.remedy.clone())
            }
            ([], [only]) => only.clone(),
            ([], _) => {
                let message = format!("{} is none of {}", authentic.proof().signer, names.join(", "));
                Reason::new(ReasonCode::SignatureIdentity, message)
            }
        }
    }
}

/// Of an artifact that does not verify: the names it could be by all the same, because what would show it is not at
/// hand.
pub(super) fn could_be<'s>(
    scene: &Scene<'_, '_>,
    names: &[&'s str],
    reasons: &model::NonEmpty<Reason>,
) -> Vec<(&'s str, Gap)> {
    // What could not be fetched may be anybody's. What was fetched and is wrong stays wrong, but for keys not at hand.
    let unread = reasons.iter().find(|reason| reason.code.class().is_some_and(is_unavailable));
    let gap = |name: &&'s str| match unread {
        Some(reason) => Some((*name, Gap::from(reason.clone()))),
        None => at_hand(scene.member, name, scene.facts.trust.as_ref()).err().map(|gap| (*name, gap)),
    };
    names.iter().filter(|name| !never_counts(scene.member, name)).filter_map(gap).collect()
}

/// What is attached, could be a word of these signers, and was not seen: evidence that is not there does not speak, and
/// evidence that could not be read may say the opposite of what was. Envelopes that were read and are nobody's count as
/// nothing; whose they are cannot be told while a signer's own material is not at hand. `open`: the rule hears whoever
/// signed.
pub(super) fn hidden(scene: &Scene<'_, '_>, signers: &[&str], open: bool, manifest: &ManifestFacts) -> Vec<Gap> {
    let (member, trust) = (scene.member, scene.facts.trust.as_ref());
    let signers: Vec<&str> = signers.iter().filter(|name| !never_counts(member, name)).copied().collect();
    let artifacts = match listed(manifest, scene) {
        Ok(artifacts) => artifacts,
        // What is signed could not be listed, or nobody asked.
        Err(gap) if !signers.is_empty() => return vec![gap],
        Err(_) => return Vec::new(),
    };
    let mut gaps: Vec<Gap> = Vec::new();
    let mut add = |gap: Gap| {
        if gaps.len() < SHOWN && !gaps.contains(&gap) {
            gaps.push(gap);
        }
    };
    for artifact in artifacts.iter().filter(|_| open || !signers.is_empty()) {
        let Err(reasons) = &artifact.verified else { continue };
        match reasons.iter().find(|reason| is_unseen(reason.code)) {
            Some(reason) => {
                let mut reason = reason.clone();
                reason.message = format!("{} was not read: {}", described(artifact), reason.message);
                add(Gap::from(reason));
            }
            None => signers.iter().filter_map(|name| at_hand(member, name, trust).err()).for_each(&mut add),
        }
    }
    gaps
}

/// The envelope itself was not had, or not whole.
fn is_unseen(code: ReasonCode) -> bool {
    code.class().is_some() && !matches!(code, ReasonCode::TrustRootMissing | ReasonCode::TrustRootInvalid)
}

/// Something kept us from looking; it says nothing about the artifact. That a root is missing is asked of each signer
/// apart: whoever may push can attach a keyless signature, and a signer with a key did not make it.
fn is_unavailable(class: UnknownClass) -> bool {
    matches!(
        class,
        UnknownClass::AccessDenied
            | UnknownClass::Throttled
            | UnknownClass::RegistryUnavailable
            | UnknownClass::StoreUnavailable
            | UnknownClass::Deadline
            | UnknownClass::Internal
    )
}

/// Leads reasons by the artifact they are about.
pub(super) fn led(artifact: &SignedArtifact, reasons: impl IntoIterator<Item = Reason>) -> Vec<Reason> {
    let lead = |mut reason: Reason| {
        reason.message = format!("{} does not count: {}", described(artifact), reason.message);
        reason
    };
    reasons.into_iter().map(lead).collect()
}

/// The statements that a rule is about.
pub(super) struct Heard<'a> {
    /// By signers that count.
    pub(super) counting: Vec<(&'a SignedArtifact, &'a Statement)>,
    /// By signers of whom that cannot be told.
    pub(super) open: Vec<(&'a SignedArtifact, &'a Statement, Vec<Gap>)>,
    /// What could be one if it could be read or verified.
    pub(super) unread: Vec<Gap>,
    /// Why what else is there does not count.
    pub(super) others: Vec<Reason>,
    /// The types of the statements that the rule is not about.
    pub(super) types: Vec<&'a str>,
}

/// Sorts what is attached to a manifest. `wanted` says which statements the rule is about.
pub(super) fn hear<'a>(
    scene: &Scene<'_, 'a>,
    names: &[&str],
    manifest: &'a ManifestFacts,
    wanted: impl Fn(&SignedArtifact, &Statement) -> bool,
) -> Result<Heard<'a>, Gap> {
    let mut heard =
        Heard { counting: Vec::new(), open: Vec::new(), unread: Vec::new(), others: Vec::new(), types: Vec::new() };
    for artifact in listed(manifest, scene)? {
        let authentic = match &artifact.verified {
            Ok(authentic) => authentic,
            Err(reasons) => {
                let could_be = could_be(scene, names, reasons);
                heard.unread.extend(could_be.into_iter().map(|(_, gap)| gap));
                heard.others.extend(led(artifact, reasons.iter().cloned()));
                continue;
            }
        };
        let Signed::Statement(statement) = authentic.content() else { continue };
        if !wanted(artifact, statement) {
            heard.types.push(&statement.predicate_type);
            continue;
        }
        if !statement.subjects.contains(&manifest.digest) {
            let reason = Reason::new(ReasonCode::SignatureOtherImage, "the statement is about another digest");
            heard.others.extend(led(artifact, [reason]));
            continue;
        }
        let standing = standing(scene, names, authentic);
        if !standing.counts.is_empty() {
            heard.counting.push((artifact, statement));
        } else if standing.open.is_empty() {
            heard.others.extend(led(artifact, [standing.why_not(names, authentic)]));
        } else {
            heard.open.push((artifact, statement, standing.open.into_iter().map(|(_, gap)| gap).collect()));
        }
    }
    // The gate's own summaries are nobody's statements (S26).
    heard.types.retain(|kind| *kind != VSA);
    heard.types.sort_unstable();
    heard.types.dedup();
    Ok(heard)
}

impl Found {
    /// The rule holds; what does not count is noted.
    pub(super) fn passed(others: Vec<Reason>) -> Self {
        Self { notes: texts(others), ..Self::nothing() }
    }

    /// The rule is broken: why, and what there is that does not count.
    pub(super) fn broken(mut reasons: Vec<Reason>, others: Vec<Reason>) -> Self {
        let hidden = others.len().saturating_sub(SHOWN);
        reasons.extend(others.into_iter().take(SHOWN));
        let notes = if hidden > 0 { vec![format!("{hidden} more do not count")] } else { Vec::new() };
        Self { failures: reasons, notes, ..Self::nothing() }
    }

    /// It cannot be told whether the rule holds, for these reasons, each once; the rest is noted.
    pub(super) fn open(gaps: Vec<Gap>, others: Vec<Reason>) -> Self {
        let mut once: Vec<Gap> = Vec::new();
        for gap in gaps {
            if !once.contains(&gap) {
                once.push(gap);
            }
        }
        Self { gaps: once, notes: texts(others), ..Self::nothing() }
    }
}

fn texts(reasons: Vec<Reason>) -> Vec<String> {
    let hidden = reasons.len().saturating_sub(SHOWN);
    let mut texts: Vec<String> = reasons.into_iter().take(SHOWN).map(|reason| reason.message).collect();
    if hidden > 0 {
        texts.push(format!("{hidden} more do not count"));
    }
    texts
}
