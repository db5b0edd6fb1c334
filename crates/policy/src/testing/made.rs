//! Evidence made to order, for facts that a test gives and for the tests of this crate: whole scans, and what a verifier
//! would have answered. None of it reaches an enforcement point: whoever makes a judgement that counts collects facts, and
//! has no way here.

use std::collections::BTreeMap;

use model::{
    Authentic, CompleteScan, Completeness, Digest, Finding, Incomplete, NonEmpty, Proof, Provenance, Reason, Scanner,
    SeverityCounts, SignatureFormat, Signed, SignedArtifact, SignedImage, Statement, Timestamp,
};

/// A scan that is whole, with the proof that this scanner would give.
pub(crate) fn complete(
    scanner: Scanner,
    continuous: bool,
    findings: Vec<Finding>,
    summary: Option<SeverityCounts>,
    completed_at: Timestamp,
    database_at: Timestamp,
) -> Result<CompleteScan, Incomplete> {
    let (pages, pushed_at) = (1, None);
    let proof = match (scanner, continuous) {
        (Scanner::Ecr, true) => {
            Completeness::EcrEnhanced { continuous: true, pages, completed_at, pushed_at, agreeing_readings: 2 }
        }
        (Scanner::Ecr, false) => Completeness::EcrBasic { pages, completed_at, pushed_at },
        _ => Completeness::Report {
            proven_by: "a field".to_owned(),
            targets: vec!["the image".to_owned()],
            completed_at,
            database_dated: true,
        },
    };
    let summary = summary.unwrap_or_else(|| {
        let mut counted = SeverityCounts::new();
        for finding in &findings {
            *counted.entry(finding.severity.clone()).or_insert(0) += 1;
        }
        counted
    });
    CompleteScan::new(findings, summary, proof, database_at)
}

/// What a verifier answers.
#[expect(
    clippy::disallowed_methods,
    reason = "given facts are judged as if a verifier had answered; they enforce nothing"
)]
pub(crate) fn authentic(content: Signed, proof: Proof) -> Authentic<Signed> {
    Authentic::by_verifier(content, proof)
}

/// A signature on the image of this digest.
pub(crate) fn signature(digest: Digest, proof: Proof) -> Authentic<Signed> {
    authentic(Signed::Image(SignedImage { digest, reference: None, annotations: BTreeMap::new() }), proof)
}

/// A statement about the image of this digest.
pub(crate) fn statement(digest: Digest, predicate_type: &str, predicate: Vec<u8>, proof: Proof) -> Authentic<Signed> {
    let statement = Statement { predicate_type: predicate_type.to_owned(), subjects: vec![digest], predicate };
    authentic(Signed::Statement(statement), proof)
}

/// Something signed that is attached to a manifest.
pub(crate) fn artifact(
    format: SignatureFormat,
    verified: Result<Authentic<Signed>, NonEmpty<Reason>>,
    provenance: Option<Provenance>,
) -> SignedArtifact {
    SignedArtifact {
        format,
        manifest: Digest::of(format!("{verified:?}").as_bytes()),
        envelope: Digest::of(b"envelope"),
        place: "referrer".to_owned(),
        verified,
        provenance: provenance.map(Ok),
    }
}
