//! The SLSA verification summary (VSA v1) of a decision of ours. It says what was decided, never that somebody signed or
//! scanned the image (S26); no summary is made of what is not decided yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Digest, Verdict};
use serde_json::{Value, json};

use super::envelope::digest_set;

/// The predicate type of a verification summary.
pub const SUMMARY_TYPE: &str = "https://slsa.dev/verification_summary/v1";

/// A decision, as a summary tells it.
#[derive(Debug, Clone)]
pub struct VerificationSummary<'a> {
    /// Who decided: a URI.
    pub verifier: &'a str,
    /// With which version of which tools.
    pub versions: &'a BTreeMap<String, String>,
    /// When.
    pub verified_at: Timestamp,
    /// What it is about: the image's name, as consumers ask for it.
    pub resource: &'a str,
    /// The policy's URI or name.
    pub policy: &'a str,
    /// Digest of the policy; of all of them together where several matched.
    pub policy_digest: &'a Digest,
    /// The attestations that were looked at: where each is, and its digest.
    pub inputs: &'a [(Option<String>, Digest)],
    /// What was decided.
    pub verdict: Verdict,
    /// SLSA levels that were verified. None means that no level was looked at.
    pub levels: &'a [String],
    /// The environment it was decided for.
    pub environment: &'a str,
    /// Id of the decision.
    pub decision: &'a str,
    /// Time alone may change the decision from then on.
    pub valid_until: Option<Timestamp>,
}

/// The predicate of a verification summary; nothing for a verdict of `pending`. `warn` is PASSED with `ecrGate_verdict`
/// saying that it was a warning. Our own fields carry the prefix that SLSA asks of extensions.
pub fn verification_summary(summary: &VerificationSummary<'_>) -> Option<Value> {
    let (result, levels) = match summary.verdict {
        Verdict::Pending => return None,
        Verdict::Deny => ("FAILED", vec!["FAILED"]),
        Verdict::Allow | Verdict::Warn if summary.levels.is_empty() => ("PASSED", vec!["SLSA_BUILD_LEVEL_UNEVALUATED"]),
        Verdict::Allow | Verdict::Warn => ("PASSED", summary.levels.iter().map(String::as_str).collect()),
    };
    let inputs: Vec<Value> = summary
        .inputs
        .iter()
        .map(|(uri, digest)| match uri {
            Some(uri) => json!({ "uri": uri, "digest": digest_set(digest) }),
            None => json!({ "digest": digest_set(digest) }),
        })
        .collect();
    let mut predicate = json!({
        "verifier": { "id": summary.verifier, "version": summary.versions },
        "timeVerified": summary.verified_at.to_string(),
        "resourceUri": summary.resource,
        "policy": { "uri": summary.policy, "digest": digest_set(summary.policy_digest) },
        "inputAttestations": inputs,
        "verificationResult": result,
        "verifiedLevels": levels,
        "slsaVersion": "1.0",
        "ecrGate_environment": summary.environment,
        "ecrGate_verdict": summary.verdict.as_str(),
        "ecrGate_decision": summary.decision,
    });
    if let (Some(until), Some(object)) = (summary.valid_until, predicate.as_object_mut()) {
        object.insert("ecrGate_validUntil".to_owned(), Value::from(until.to_string()));
    }
    Some(predicate)
}
