//! What people read.

use engine::{FoundArtifact, RuleRecord, Unlisted, VerifiedImage};
use model::{Digest, LogEntry, ProvenTime, ReasonCode, SignatureFormat, Timestamp, Verdict};
use policy::{TrustPart, TrustScore};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn artifact(format: SignatureFormat) -> FoundArtifact {
    FoundArtifact {
        subject: Digest::of(b"image"),
        platform: None,
        format,
        manifest: Digest::of(b"manifest"),
        envelope: Digest::of(b"envelope"),
        place: "referrer".to_owned(),
        verified: false,
        content: None,
        proof: None,
        provenance: None,
        reasons: Vec::new(),
    }
}

fn record() -> Verification {
    let keyless = Signer::Keyless {
        identity: CertificateIdentity::Uri("https://ci.example/acme\u{202e}\u{1b}[31m".to_owned()),
        issuer: "https://issuer.example".to_owned(),
        claims: [("sourceRepositoryRef".to_owned(), "refs/heads/main".to_owned())].into(),
        certificate: Digest::of(b"certificate"),
    };
    let proof = |signer| FoundProof {
        signer,
        proven: Vec::new(),
        log: None,
        window: None,
        claimed: None,
        expires: None,
        notes: Vec::new(),
    };
    let key = Signer::Key { key: Digest::of(b"key"), algorithm: "ecdsa-p256".to_owned() };
    let signature = FoundArtifact {
        verified: true,
        content: Some(FoundContent::Signature {
            reference: Some("registry.example.com/app".to_owned()),
            annotations: std::collections::BTreeMap::new(),
        }),
        proof: Some(proof(key)),
        ..artifact(SignatureFormat::CosignSignature)
    };
    let statement = FoundArtifact {
        verified: true,
        content: Some(FoundContent::Statement { predicate_type: "https://slsa.dev/provenance/v1".to_owned() }),
        proof: Some(FoundProof {
            proven: vec![ProvenTime { at: at("2026-05-01T10:00:00Z"), by: TimeSource::TransparencyLog, root: None }],
            log: Some(LogEntry { log: "c0d2".to_owned(), index: 7, roots: Vec::new() }),
            ..proof(keyless)
        }),
        provenance: Some(FoundProvenance {
            builder: "https://ci.example/builder".to_owned(),
            build_type: "https://ci.example/build/v1".to_owned(),
            source: Some("git.example.com/acme/app".to_owned()),
            git_ref: None,
            commit: None,
            workflow: None,
        }),
        ..artifact(SignatureFormat::Bundle)
    };
    let refused = FoundArtifact {
        reasons: vec![Reason::new(ReasonCode::SignatureUnknownKey, "no key of the policies made it")],
        ..artifact(SignatureFormat::NotationJws)
    };
    let missing = Reason::new(ReasonCode::SignatureMissing, "release-key did not sign");
    Verification {
        schema: "ecr-gate.dev/verify/v1",
        image: VerifiedImage { reference: "registry.example.com/app:1".to_owned(), digest: Digest::of(b"image") },
        at: at("2026-06-01T00:00:00Z"),
        verdict: Verdict::Deny,
        exit_code: 1,
        valid_until: None,
        found: vec![signature, statement, refused],
        unavailable: vec![Unlisted {
            subject: Digest::of(b"child"),
            reason: Reason::new(ReasonCode::RegistryUnavailable, "no answer"),
        }],
        rules: vec![RuleRecord {
            policy: "command-line".to_owned(),
            rule: "signed-by-key-1".to_owned(),
            outcome: "fail",
            verdict: Verdict::Deny,
            reasons: vec![missing.clone()],
            on_unknown: std::collections::BTreeMap::new(),
            notes: vec!["a note".to_owned()],
        }],
        reasons: vec![missing],
        trust_score: TrustScore {
            score: 25,
            parts: vec![TrustPart {
                name: "signature".into(),
                weight: 25,
                points: 25,
                why: "release-key signed it".to_owned(),
            }],
        },
        trust_material: None,
        warnings: Vec::new(),
    }
}

#[test]
fn s27_each_artifact_says_who_signed_when_and_what_or_why_not() {
    let page = verification(&record(), false);
    let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
    let key = format!("  signer       the holder of the ecdsa-p256 key {}", Digest::of(b"key"));
    for expected in [
        "NOT VERIFIED  registry.example.com/app:1",
        "  found        1 signature, 1 signed statement, 1 that does not verify",
        "1. verified signature on the image (cosign signature)",
        key.as_str(),
        "  signed at    not proven",
        "2. verified statement about the image (Sigstore bundle)",
        "  says         https://slsa.dev/provenance/v1",
        "  issuer       https://issuer.example",
        "  claim        sourceRepositoryRef=refs/heads/main",
        "  signed at    2026-05-01 10:00 UTC, proven by the transparency log",
        "  log entry    7 of the log c0d2",
        "  commit       not said",
        "3. does not verify (Notation signature (JWS))",
        "  signature.unknownKey: no key of the policies made it",
        "    -> Add the key to `spec.signers`, or sign with one that is there.",
        "  registry.unavailable: no answer",
        "rule signed-by-key-1: fail",
        "  signature.missing: release-key did not sign",
        "  note: a note",
        "trust score 25 of 100",
        "  signature    25 of 25  release-key signed it",
    ] {
        assert!(lines.contains(&expected), "{expected:?} is missing in\n{page}");
    }
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "foreign text steers nothing");
}

#[test]
fn s27_the_first_word_follows_the_exit_code_and_colour_only_repeats_it() {
    for (exit_code, word) in [(0, "VERIFIED"), (1, "NOT VERIFIED"), (3, "NOT DECIDED"), (5, "NOT DECIDED")] {
        let record = Verification { exit_code, found: Vec::new(), ..record() };
        let page = verification(&record, false);
        assert!(page.starts_with(&format!("{word}  ")), "{page}");
        assert!(page.contains("found        nothing signed"));
        let painted = verification(&record, true).replace("\u{1b}[0m", "");
        assert!(painted.contains(&format!("m{word}  ")), "{painted}");
    }
}
