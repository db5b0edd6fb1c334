//! What is signed on an image, what of it verifies and why the rest does not, and whether that is what the policies ask
//! for. The judgement is that of `check`: there is no second evaluation.

use std::collections::BTreeMap;

use model::{
    Digest, Facts, LogEntry, ManifestFacts, NonEmpty, Platform, Proof, ProvenTime, Provenance, Reason, Signal, Signed,
    SignedArtifact, Signer, Timestamp, Tolerant, Verdict,
};
use policy::TrustScore;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::check::Checked;
use crate::record::RuleRecord;

/// The version of the JSON form.
const SCHEMA: &str = "ecr-gate.dev/verify/v1";

/// What was found and what follows, for programs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// `ecr-gate.dev/verify/v1`
    pub schema: &'static str,
    /// The image.
    pub image: VerifiedImage,
    /// When it was looked at.
    pub at: Timestamp,
    /// Whether the signers that were asked for signed it.
    pub verdict: Verdict,
    /// The exit code of the command.
    pub exit_code: u8,
    /// The earliest moment at which time alone could change the answer.
    pub valid_until: Option<Timestamp>,
    /// Everything signed that is attached.
    pub found: Vec<FoundArtifact>,
    /// Where signatures could not be looked for, and why.
    pub unavailable: Vec<Unlisted>,
    /// Each rule.
    pub rules: Vec<RuleRecord>,
    /// Every reason, the weightiest first.
    pub reasons: Vec<Reason>,
    /// How far the image can be trusted by what is known about it.
    pub trust_score: TrustScore,
    /// Digest over the trust material it was verified with.
    pub trust_material: Option<Digest>,
    /// What a reader should know although it changed nothing.
    pub warnings: Vec<String>,
}

/// The image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedImage {
    /// As the caller named it.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
}

/// A manifest whose signatures could not be listed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unlisted {
    /// The manifest.
    pub subject: Digest,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// One signature or signed statement.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundArtifact {
    /// The manifest it is attached to.
    pub subject: Digest,
    /// Its platform, for an index.
    pub platform: Option<Platform>,
    /// Its form.
    pub format: model::SignatureFormat,
    /// The manifest it was found in.
    pub manifest: Digest,
    /// The raw envelope.
    pub envelope: Digest,
    /// Where it was found.
    pub place: String,
    /// It is authentic; whether its signer counts is for the rules to say.
    pub verified: bool,
    /// What it says.
    pub content: Option<FoundContent>,
    /// Who signed it, and when that is proven.
    #[serde(flatten)]
    pub proof: Option<FoundProof>,
    /// How the image was built.
    pub provenance: Option<FoundProvenance>,
    /// Why it does not verify, or cannot be read.
    pub reasons: Vec<Reason>,
}

impl<'de> Deserialize<'de> for FoundArtifact {
    /// The proof lies flat beside the rest, if there is one, and is read tolerantly like the record it stands in.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Beside {
            subject: Digest,
            platform: Option<Platform>,
            format: model::SignatureFormat,
            manifest: Digest,
            envelope: Digest,
            place: String,
            verified: bool,
            content: Option<FoundContent>,
            provenance: Option<FoundProvenance>,
            reasons: Vec<Reason>,
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        // An artifact that is authentic has a proof; only one that is not may do without.
        let beside = Beside::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        let proof = (beside.verified || value.get("signer").is_some())
            .then(|| FoundProof::deserialize(Tolerant(&value)))
            .transpose()
            .map_err(de::Error::custom)?;
        let Beside { subject, platform, format, manifest, envelope, place, verified, content, provenance, reasons } =
            beside;
        Ok(Self { subject, platform, format, manifest, envelope, place, verified, content, proof, provenance, reasons })
    }
}

/// What an artifact says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum FoundContent {
    /// A signature on the image.
    Signature {
        /// The reference as the signer wrote it.
        reference: Option<String>,
        /// Annotations that were signed too.
        annotations: BTreeMap<String, String>,
    },
    /// A statement about it.
    Statement {
        /// The type of the statement's predicate.
        predicate_type: String,
    },
}

/// Who signed, and when that is proven.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundProof {
    /// Who.
    pub signer: Signer,
    /// When, as others vouch for it.
    pub proven: Vec<ProvenTime>,
    /// The entry in a transparency log.
    pub log: Option<LogEntry>,
    /// From when to when the certificate chain is valid.
    pub window: Option<(Timestamp, Timestamp)>,
    /// When, by the signer's own word.
    pub claimed: Option<Timestamp>,
    /// After this the signer no longer stands by it.
    pub expires: Option<Timestamp>,
    /// What was not evaluated.
    pub notes: Vec<String>,
}

/// How the image was built, in a few words.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundProvenance {
    /// The builder.
    pub builder: String,
    /// The kind of build.
    pub build_type: String,
    /// The repository that was built.
    pub source: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The entry point.
    pub workflow: Option<String>,
}

impl Verification {
    /// The record of what was found. `exit_code` is the command's.
    pub fn of(checked: &Checked, reference: String, exit_code: u8) -> Self {
        let Checked { ask, facts, judgement, timing, trust_score, .. } = checked;
        let mut unavailable = Vec::new();
        for (_, manifest) in manifests(facts) {
            match &manifest.signed {
                Signal::Present(_) | Signal::NotCollected(_) => {}
                other => unavailable.extend(
                    other.why_not().map(|reason| Unlisted { subject: manifest.digest.clone(), reason: reason.clone() }),
                ),
            }
        }
        Self {
            schema: SCHEMA,
            image: VerifiedImage { reference, digest: ask.digest.clone() },
            at: timing.decided_at,
            verdict: judgement.verdict,
            exit_code,
            valid_until: judgement.valid_until,
            found: found(facts),
            unavailable,
            rules: RuleRecord::all(judgement),
            reasons: judgement.reasons().into_iter().cloned().collect(),
            trust_score: trust_score.clone(),
            trust_material: facts.trust.as_ref().map(|trust| trust.digest.clone()),
            warnings: judgement.warnings.clone(),
        }
    }
}

/// Everything signed that was found.
pub(crate) fn found(facts: &Facts) -> Vec<FoundArtifact> {
    let mut found = Vec::new();
    for (platform, manifest) in manifests(facts) {
        if let Signal::Present(list) = &manifest.signed {
            found.extend(list.value.iter().map(|artifact| one(manifest, platform, artifact)));
        }
    }
    found
}

/// Every manifest that signatures may be attached to, the asked one first.
fn manifests(facts: &Facts) -> impl Iterator<Item = (Option<&Platform>, &ManifestFacts)> {
    let children = facts.platforms.iter().flatten().map(|(platform, child)| (Some(platform), child));
    std::iter::once((None, &facts.root)).chain(children)
}

fn one(manifest: &ManifestFacts, platform: Option<&Platform>, artifact: &SignedArtifact) -> FoundArtifact {
    let (content, proof) = match &artifact.verified {
        Ok(authentic) => (Some(said(authentic.content())), Some(shown(authentic.proof()))),
        Err(_) => (None, None),
    };
    let mut reasons: Vec<Reason> = match &artifact.verified {
        Ok(_) => Vec::new(),
        Err(reasons) => NonEmpty::iter(reasons).cloned().collect(),
    };
    let provenance = match &artifact.provenance {
        Some(Ok(provenance)) => Some(built(provenance)),
        Some(Err(reason)) => {
            reasons.push(reason.clone());
            None
        }
        None => None,
    };
    FoundArtifact {
        subject: manifest.digest.clone(),
        platform: platform.cloned(),
        format: artifact.format,
        manifest: artifact.manifest.clone(),
        envelope: artifact.envelope.clone(),
        place: artifact.place.clone(),
        verified: artifact.verified.is_ok(),
        content,
        proof,
        provenance,
        reasons,
    }
}

impl FoundContent {
    /// True for a verification summary, ours or another gate's.
    pub(crate) fn is_summary(&self) -> bool {
        matches!(self, Self::Statement { predicate_type } if predicate_type == trust::SUMMARY_TYPE)
    }
}

fn said(signed: &Signed) -> FoundContent {
    match signed {
        Signed::Image(image) => {
            FoundContent::Signature { reference: image.reference.clone(), annotations: image.annotations.clone() }
        }
        Signed::Statement(statement) => FoundContent::Statement { predicate_type: statement.predicate_type.clone() },
    }
}

fn shown(proof: &Proof) -> FoundProof {
    FoundProof {
        signer: proof.signer.clone(),
        proven: proof.proven.clone(),
        log: proof.log.clone(),
        window: proof.window,
        claimed: proof.claimed,
        expires: proof.expires,
        notes: proof.notes.clone(),
    }
}

fn built(provenance: &Provenance) -> FoundProvenance {
    let source = provenance.source.as_ref();
    FoundProvenance {
        builder: provenance.builder.clone(),
        build_type: provenance.build_type.clone(),
        source: source.map(|source| source.repository.clone()),
        git_ref: source.and_then(|source| source.git_ref.clone()),
        commit: source.and_then(|source| source.commit.clone()),
        workflow: provenance.workflow.clone(),
    }
}
