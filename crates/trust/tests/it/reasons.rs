//! One thing wrong at a time: each has its reason, and only that. What is right in every form verifies, with the signer and
//! the times that the authority gave it, so that a refusal here is for the fault and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use model::{
    Authentic, CertificateIdentity, Digest, ReasonCode, SignatureFormat, Signed, Signer, TimeSource, TrustName,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::authority::{self, Authority, Content, Entry, Fault, Identity, Request, SIGNED_AT};
use trust::{Artifact, Material, PublicKey, SigstoreRoot, Verifier};

const PREDICATE: &str = "https://example.com/predicate/v1";

fn subject() -> Digest {
    Digest::of(b"an image")
}

fn image() -> Request {
    Request::image(subject().as_str())
}

fn said() -> Request {
    Request::statement(subject().as_str(), PREDICATE, json!({"result": "PASSED"}))
}

fn material(authority: &Authority) -> Material {
    let name = TrustName { policy: "policy".to_owned(), signer: "release".to_owned() };
    Material {
        keys: vec![(name, PublicKey::from_pem("release.pub", authority.public_key().as_bytes()).unwrap())],
        roots: vec![SigstoreRoot::parse("trusted_root.json", &authority.trusted_root()).unwrap()],
        stores: Vec::new(),
    }
}

fn verifier(authority: &Authority) -> Verifier {
    Verifier::new(&material(authority)).unwrap()
}

/// What became of it: the codes of all reasons, where it does not verify.
fn verified(verifier: &Verifier, artifact: &Artifact<'_>) -> Result<Authentic<Signed>, Vec<&'static str>> {
    verifier.verify(&subject(), artifact).map_err(|reasons| reasons.iter().map(|reason| reason.code.as_str()).collect())
}

fn bundle(verifier: &Verifier, bytes: &[u8]) -> Result<Authentic<Signed>, Vec<&'static str>> {
    let artifact = Artifact {
        format: SignatureFormat::Bundle,
        media_type: "application/vnd.dev.sigstore.bundle.v0.3+json",
        bytes,
        annotations: &BTreeMap::new(),
    };
    verified(verifier, &artifact)
}

fn layer(verifier: &Verifier, layer: &authority::Layer) -> Result<Authentic<Signed>, Vec<&'static str>> {
    let format = match layer.media_type {
        "application/vnd.dsse.envelope.v1+json" => SignatureFormat::DsseEnvelope,
        _ => SignatureFormat::CosignSignature,
    };
    let artifact =
        Artifact { format, media_type: layer.media_type, bytes: &layer.bytes, annotations: &layer.annotations };
    verified(verifier, &artifact)
}

#[test]
fn s27_every_right_form_of_bundle_verifies_with_its_signer_and_times() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    for content in [Content::Image, Content::Message, said().content] {
        for entry in [Entry::Usual, Entry::Hashedrekord, Entry::Dsse, Entry::Intoto, Entry::Tiles] {
            for timestamp in [false, true] {
                let fits = match entry {
                    Entry::Dsse | Entry::Intoto => content != Content::Message,
                    Entry::Hashedrekord => content == Content::Message,
                    Entry::Tiles => timestamp, // it proves no time by itself
                    Entry::Usual | Entry::Nowhere => true,
                };
                if !fits {
                    continue;
                }
                let request = Request { content: content.clone(), entry, timestamp, ..image() };
                let what = format!("{content:?} {entry:?} {timestamp}");
                let found = bundle(&verifier, &authority.bundle(&request));
                if content == Content::Message {
                    // It verifies, and is no signature on the image all the same, as cosign has it.
                    assert_eq!(found.unwrap_err(), ["signature.unsupported"], "{what}");
                    continue;
                }
                let found = found.unwrap_or_else(|codes| panic!("{what}: {codes:?}"));
                match (&content, found.content()) {
                    (Content::Statement { .. }, Signed::Statement(_)) | (Content::Image, Signed::Image { .. }) => {}
                    (_, other) => panic!("{what}: {other:?}"),
                }
                let proof = found.proof();
                let Signer::Keyless { identity, issuer, claims, .. } = &proof.signer else { panic!("{what}") };
                assert!(
                    matches!(identity, CertificateIdentity::Uri(uri) if request.identities == [Identity::Uri(uri.clone())])
                );
                assert_eq!(
                    (issuer, claims["sourceRepositoryRef"].as_str()),
                    (&request.issuer, "refs/heads/main"),
                    "{what}"
                );
                assert!(proof.log.is_some(), "{what}");
                let by: BTreeSet<TimeSource> = proof.proven.iter().map(|time| time.by).collect();
                let mut expected = BTreeSet::new();
                if entry != Entry::Tiles {
                    expected.insert(TimeSource::TransparencyLog);
                }
                if timestamp {
                    expected.insert(TimeSource::TimestampAuthority);
                }
                assert_eq!(by, expected, "{what}");
                assert!(proof.proven.iter().all(|time| time.at.as_second() == SIGNED_AT), "{what}");
            }
        }
    }
}

#[test]
fn s27_every_fault_of_a_bundle_is_refused_for_its_own_reason() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    let mut wrong = Vec::new();
    for request in [image(), said(), Request { timestamp: true, ..image() }, Request { entry: Entry::Intoto, ..said() }]
    {
        for fault in Fault::ALL {
            // A timestamp proves the time as well, and is what stands between these two faults and the reason.
            if request.timestamp && *fault == Fault::NoTime {
                continue;
            }
            let codes = bundle(&verifier, &authority.bundle(&request.clone().with(*fault))).err();
            if codes.as_deref() != Some(&[fault.reason()]) {
                wrong.push(format!("{}: {codes:?} instead of {}", fault.name(), fault.reason()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn s27_every_reason_that_authentication_gives_has_a_fault_here() {
    // The others are judged by policy, or are those of the Notary Project.
    let judged = ["missing", "threshold", "identity", "window", "revoked", "expired"];
    let given: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.reason()).collect();
    let named: BTreeSet<&str> = ReasonCode::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| code.strip_prefix("signature.").is_some_and(|rest| !judged.contains(&rest)))
        .collect();
    assert_eq!(given, named);
}

#[test]
fn s27_parts_of_two_right_bundles_make_no_third() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    let ours = Request { timestamp: true, ..said() };
    let theirs = Request {
        content: Content::Statement { predicate_type: PREDICATE.to_owned(), predicate: json!({"result": "FAILED"}) },
        ..ours.clone()
    };
    let json = |request: &Request| -> Value { serde_json::from_slice(&authority.bundle(request)).unwrap() };
    let (ours, theirs) = (json(&ours), json(&theirs));
    for (pointer, reason) in [
        ("/dsseEnvelope", "signature.timestamp"),
        ("/dsseEnvelope/payload", "signature.invalid"),
        ("/dsseEnvelope/signatures", "signature.timestamp"),
        ("/verificationMaterial", "signature.timestamp"),
        ("/verificationMaterial/certificate", "signature.invalid"),
        ("/verificationMaterial/tlogEntries", "signature.logInvalid"),
        ("/verificationMaterial/tlogEntries/0/canonicalizedBody", "signature.logInvalid"),
        ("/verificationMaterial/tlogEntries/0/inclusionProof", "signature.logInvalid"),
        ("/verificationMaterial/tlogEntries/0/inclusionPromise", "signature.logInvalid"),
        ("/verificationMaterial/timestampVerificationData", "signature.timestamp"),
    ] {
        let mut mixed = ours.clone();
        *mixed.pointer_mut(pointer).unwrap() = theirs.pointer(pointer).unwrap().clone();
        let codes = bundle(&verifier, mixed.to_string().as_bytes()).unwrap_err();
        assert_eq!(codes, [reason], "{pointer}");
    }
}

/// Whether a layer of cosign v2 can have the fault: it holds no proofs of inclusion, and is no bundle.
fn of_layers(fault: Fault) -> bool {
    !matches!(
        fault,
        Fault::Version
            | Fault::EntryKind
            | Fault::EntryOfOtherKind
            | Fault::InclusionProof
            | Fault::NoInclusionProof
            | Fault::Checkpoint
            | Fault::CheckpointOfOtherTree
            | Fault::NoTime
    )
}

#[test]
fn s27_layers_of_cosign_2_verify_and_their_faults_are_refused() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    let mut wrong = Vec::new();
    for request in [
        image(),
        said(),
        Request { timestamp: true, ..image() },
        Request { entry: Entry::Intoto, ..said() },
        image().by_key(),
    ] {
        match layer(&verifier, &authority.layer(&request)) {
            Ok(found) => assert_eq!(found.proof().proven.len(), 1 + usize::from(request.timestamp), "{request:?}"),
            Err(codes) => wrong.push(format!("{request:?} is refused: {codes:?}")),
        }
        if request.signer == authority::Signer::Key {
            continue;
        }
        for fault in Fault::ALL.iter().copied().filter(|fault| of_layers(*fault)) {
            let codes = layer(&verifier, &authority.layer(&request.clone().with(fault))).err();
            // A layer does not say the kind of its entry; the body does.
            let reason = if fault == Fault::EntryBody { "signature.malformed" } else { fault.reason() };
            if codes.as_deref() != Some(&[reason]) {
                wrong.push(format!("{:?} {}: {codes:?} instead of {reason}", request.content, fault.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn s27_a_key_needs_no_log_and_a_log_that_is_known_has_to_be_right() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    let (bare, logged) = (Request { entry: Entry::Nowhere, ..said().by_key() }, said().by_key());

    let found = bundle(&verifier, &authority.bundle(&bare)).unwrap();
    assert!(matches!(found.proof().signer, Signer::Key { .. }));
    assert!(found.proof().log.is_none() && found.proof().proven.is_empty());

    let found = bundle(&verifier, &authority.bundle(&logged)).unwrap();
    assert!(found.proof().log.is_some());
    assert_eq!(found.proof().proven.iter().map(|time| time.by).collect::<Vec<_>>(), [TimeSource::TransparencyLog]);

    // In a log that nobody named, or without any root: by the key alone, and that is said.
    let elsewhere = authority.bundle(&logged.clone().with(Fault::UnknownLog));
    let rootless = Verifier::new(&Material { roots: Vec::new(), ..material(&authority) }).unwrap();
    for (verifier, bytes) in [(&verifier, &elsewhere), (&rootless, &authority.bundle(&logged))] {
        let found = bundle(verifier, bytes).unwrap();
        assert!(found.proof().log.is_none() && found.proof().proven.is_empty());
        assert!(!found.proof().notes.is_empty());
    }

    for fault in [
        Fault::Signature,
        Fault::OtherImage,
        Fault::UnknownKey,
        Fault::EntryTimestamp,
        Fault::InclusionProof,
        Fault::Checkpoint,
        Fault::CheckpointOfOtherTree,
        Fault::OtherEntry,
        Fault::EntryBody,
    ] {
        let codes = bundle(&verifier, &authority.bundle(&logged.clone().with(fault))).unwrap_err();
        assert_eq!(codes, [fault.reason()], "{}", fault.name());
    }
}

#[test]
fn s27_material_counts_only_for_its_own_time_and_purpose() {
    let authority = Authority::new("reasons");
    let bytes = authority.bundle(&Request { timestamp: true, ..image() });
    let root: Value = serde_json::from_slice(&authority.trusted_root()).unwrap();
    let refused = |root: &Value| {
        let roots = vec![SigstoreRoot::parse("root", root.to_string().as_bytes()).unwrap()];
        let verifier = Verifier::new(&Material { roots, ..Material::none() }).unwrap();
        bundle(&verifier, &bytes).map(|_| ()).unwrap_err()
    };
    for (list, place, reason) in [
        ("tlogs", "/publicKey/validFor", "signature.logInvalid"),
        ("certificateAuthorities", "/validFor", "signature.untrusted"),
        ("ctlogs", "/publicKey/validFor", "signature.sct"),
        ("timestampAuthorities", "/validFor", "signature.timestamp"),
    ] {
        for window in [
            json!({"start": "2020-01-01T00:00:00Z", "end": "2025-06-01T11:00:00Z"}), // it had ended
            json!({"start": "2025-06-01T13:00:00Z"}),                                // it had not begun
        ] {
            let mut changed = root.clone();
            *changed.pointer_mut(&format!("/{list}/0{place}")).unwrap() = window.clone();
            assert_eq!(refused(&changed), [reason], "{list} {window}");
        }
        let mut without = root.clone();
        without[list] = json!([]);
        let reason = match list {
            "tlogs" => "signature.logUnknown",
            "ctlogs" => "trust.rootInvalid", // no certificate at all can be judged with it
            _ => reason,
        };
        assert_eq!(refused(&without), [reason], "no {list}");
    }
}

#[test]
fn s27_more_than_one_of_a_kind_does_not_hide_a_wrong_one() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    let json = |request: &Request| -> Value { serde_json::from_slice(&authority.bundle(request)).unwrap() };
    let right = json(&Request { timestamp: true, ..said() });
    let (entries, stamps) =
        ("/verificationMaterial/tlogEntries", "/verificationMaterial/timestampVerificationData/rfc3161Timestamps");
    for (list, fault, reason) in [
        (entries, Fault::OtherEntry, "signature.malformed"), // two entries of one log
        (entries, Fault::UnknownLog, "signature.logUnknown"),
        (stamps, Fault::UnknownStamper, "signature.timestamp"),
        (stamps, Fault::OtherTimestamp, "signature.timestamp"),
        ("/dsseEnvelope/signatures", Fault::Signature, "signature.unsupported"),
    ] {
        let wrong = json(&Request { timestamp: true, ..said() }.with(fault)).pointer(list).unwrap()[0].clone();
        for place in [0, 1] {
            let mut both = right.clone();
            both.pointer_mut(list).unwrap().as_array_mut().unwrap().insert(place, wrong.clone());
            assert_eq!(
                bundle(&verifier, both.to_string().as_bytes()).unwrap_err(),
                [reason],
                "{} {place}",
                fault.name()
            );
        }
    }
    for (list, reason) in [(entries, "signature.logMissing"), ("/dsseEnvelope/signatures", "signature.unsupported")] {
        let mut none = right.clone();
        *none.pointer_mut(list).unwrap() = json!([]);
        assert_eq!(bundle(&verifier, none.to_string().as_bytes()).unwrap_err(), [reason], "{list}");
    }
}

#[test]
fn s27_another_authority_of_the_same_names_proves_nothing() {
    let (authority, other) = (Authority::new("reasons"), Authority::new("another"));
    let verifier = verifier(&other);
    for request in [image(), said(), said().by_key(), Request { content: Content::Message, ..image() }] {
        let codes = bundle(&verifier, &authority.bundle(&request)).unwrap_err();
        assert!(codes.iter().all(|code| code.starts_with("signature.")), "{codes:?}");
        let codes = layer(&verifier, &authority.layer(&request)).unwrap_err();
        assert!(codes.iter().all(|code| code.starts_with("signature.")), "{codes:?}");
    }
}

#[test]
fn s27_who_signed_is_told_with_the_kind_of_name_and_a_star_is_only_a_star() {
    let authority = Authority::new("reasons");
    let verifier = verifier(&authority);
    for (name, expected) in [
        (Identity::Email("a@example.com".to_owned()), CertificateIdentity::Email("a@example.com".to_owned())),
        (
            Identity::Uri("https://example.com/*".to_owned()),
            CertificateIdentity::Uri("https://example.com/*".to_owned()),
        ),
        (Identity::UserName("a!example.com".to_owned()), CertificateIdentity::UserName("a!example.com".to_owned())),
    ] {
        let request = Request { identities: vec![name], ..image() };
        let found = bundle(&verifier, &authority.bundle(&request)).unwrap();
        let Signer::Keyless { identity, .. } = &found.proof().signer else { panic!("{expected:?}") };
        assert_eq!(*identity, expected);
    }
}

/// A right bundle of every form.
static RIGHT: LazyLock<(Verifier, [Vec<u8>; 4])> = LazyLock::new(|| {
    let authority = Authority::new("reasons");
    let forms = [
        image(),
        Request { timestamp: true, ..said() },
        Request { entry: Entry::Tiles, timestamp: true, ..said() },
        said().by_key(),
    ];
    (verifier(&authority), forms.map(|request| authority.bundle(&request)))
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn s27_a_changed_byte_is_refused_or_changes_nothing_that_is_believed(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        form in 0..4_usize,
    ) {
        let (verifier, right) = &*RIGHT;
        let right = &right[form];
        let believed = bundle(verifier, right).unwrap();
        let mut changed = right.clone();
        let at = at.index(changed.len());
        changed[at] = byte;
        if let Ok(found) = bundle(verifier, &changed) {
            prop_assert_eq!(found.content(), believed.content());
            prop_assert_eq!(&found.proof().signer, &believed.proof().signer);
            prop_assert_eq!(&found.proof().window, &believed.proof().window);
            prop_assert!(found.proof().proven == believed.proof().proven || form == 3, "a key's log entry may be left out");
        }
    }
}
