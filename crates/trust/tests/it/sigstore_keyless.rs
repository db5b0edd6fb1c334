//! Signatures with certificates, and log entries of keys, under a Sigstore of our own: what is right verifies, and each way of
//! being wrong is refused for what it is.

use model::{CertificateIdentity, Digest, LogEntry, ProvenTime, ReasonCode, Signed, Signer, TimeSource, TrustName};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use serde_json::{Value, json};
use trust::{Material, SigstoreRoot};

use crate::authority::{Authority, Change, IDENTITY, Key, OIDC, TIME, base64, sha256};
use crate::common::{Found, changed, image, places};

fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "app", "digest": { "sha256": image().as_str().trim_start_matches("sha256:") } }],
        "predicateType": "https://example.com/p",
        "predicate": { "passed": true },
    })
}

fn rooted(roots: &[SigstoreRoot]) -> Material {
    Material { roots: roots.to_vec(), ..Material::none() }
}

fn keyed(key: &Key, roots: &[SigstoreRoot]) -> Material {
    let name = TrustName { policy: "test".into(), signer: "key".into() };
    Material { keys: vec![(name, key.public())], ..rooted(roots) }
}

fn found(bundle: &Value) -> Found {
    Found::bundle(bundle.to_string().into_bytes())
}

fn proven(root: &SigstoreRoot) -> Vec<ProvenTime> {
    let at = jiff::Timestamp::from_second(TIME).unwrap();
    vec![ProvenTime { at, by: TimeSource::TransparencyLog, root: Some(root.digest().clone()) }]
}

const AS_IS: Change<'_> = &|_| {};

#[test]
fn s27_a_certificate_its_publication_its_log_entry_and_its_time_make_a_signer() {
    let authority = Authority::new();
    let holder = authority.holder(AS_IS, true);
    let bundle = authority.keyless(&holder, &statement(), TIME);
    let (own, other) = (authority.root("own"), Authority::new().root("other"));
    let public = SigstoreRoot::public_good().unwrap();
    for roots in [vec![own.clone()], vec![other.clone(), own.clone()], vec![own.clone(), public.clone(), other.clone()]]
    {
        let authentic = found(&bundle).verify(&rooted(&roots), &image()).unwrap();
        let proof = authentic.proof();
        let Signer::Keyless { identity, issuer, claims, certificate } = &proof.signer else { panic!("{proof:?}") };
        assert_eq!(*identity, CertificateIdentity::Uri(IDENTITY.into()));
        assert_eq!((issuer.as_str(), claims["sourceRepositoryRef"].as_str()), (OIDC, "refs/heads/main"));
        assert_eq!(*certificate, Digest::of(&holder.certificate));
        assert_eq!((&proof.proven, &proof.roots), (&proven(&own), &vec![own.digest().clone()]));
        let log = hex::encode(sha256(&authority.log.der()));
        assert_eq!(proof.log, Some(LogEntry { log, index: 7, roots: vec![own.digest().clone()] }));
        let (from, to) = proof.window.unwrap();
        assert_eq!((from.to_string(), to.to_string()), ("2025-06-15T00:00:00Z".into(), "2025-06-16T00:00:00Z".into()));
        assert!(proof.notes.is_empty() && proof.claimed.is_none() && proof.expires.is_none());
        assert!(matches!(authentic.content(), Signed::Statement(statement) if statement.subjects == [image()]));
    }
    assert_eq!(found(&bundle).refused(&rooted(&[]), &image()), ReasonCode::TrustRootMissing);
    assert_eq!(found(&bundle).refused(&rooted(&[other, public]), &image()), ReasonCode::SignatureLogUnknown);
    assert_eq!(found(&bundle).refused(&rooted(&[own]), &Digest::of(b"other")), ReasonCode::SignatureOtherImage);
}

#[test]
fn s27_each_fault_of_a_certificate_has_its_own_reason() {
    let authority = Authority::new();
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let cases: [(Change<'_>, bool, i64, ReasonCode); 7] = [
        (AS_IS, false, TIME, ReasonCode::SignatureSct),
        (AS_IS, true, TIME + 86_400, ReasonCode::SignatureCertificateTime),
        (AS_IS, true, TIME - 86_400, ReasonCode::SignatureCertificateTime),
        (
            &|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            true,
            TIME,
            ReasonCode::SignatureUntrusted,
        ),
        (&|it| it.subject_alt_names.push(uri("https://b.example")), true, TIME, ReasonCode::SignatureCertificate),
        (&|it| it.subject_alt_names = vec![uri("https://a.example\0b")], true, TIME, ReasonCode::SignatureCertificate),
        (&|it| it.custom_extensions.clear(), true, TIME, ReasonCode::SignatureCertificate),
    ];
    for (change, published, time, code) in cases {
        let bundle = authority.keyless(&authority.holder(change, published), &statement(), time);
        assert_eq!(found(&bundle).refused(&rooted(&[authority.root("own")]), &image()), code);
    }
    // Another authority with the same logs, and the same authority with another certificate log.
    let mut other = Authority::new();
    other.log = authority.log;
    let bundle = other.keyless(&other.holder(AS_IS, true), &statement(), TIME);
    let mut mixed = Authority::new();
    mixed.log = other.log;
    assert_eq!(found(&bundle).refused(&rooted(&[mixed.root("own")]), &image()), ReasonCode::SignatureUntrusted);
    let mut unlisted = mixed;
    let holder = unlisted.holder(AS_IS, true);
    unlisted.certificate_log = Key::new();
    let bundle = unlisted.keyless(&holder, &statement(), TIME);
    assert_eq!(found(&bundle).refused(&rooted(&[unlisted.root("own")]), &image()), ReasonCode::SignatureSct);
}

type Fault = fn(&mut Value);

/// What may be done to the log entries and the form of a bundle, and what it is refused for.
fn faults() -> Vec<(Fault, ReasonCode)> {
    fn entry(bundle: &mut Value) -> &mut Value {
        &mut bundle["verificationMaterial"]["tlogEntries"][0]
    }
    fn without(bundle: &mut Value, name: &str) {
        entry(bundle).as_object_mut().unwrap().remove(name);
    }
    vec![
        (|it| entry(it)["integratedTime"] = (TIME + 1).to_string().into(), ReasonCode::SignatureLogInvalid),
        (|it| entry(it)["integratedTime"] = "4000000000".into(), ReasonCode::SignatureLogInvalid),
        (|it| entry(it)["logIndex"] = "8".into(), ReasonCode::SignatureLogInvalid),
        (
            |it| entry(it)["inclusionPromise"]["signedEntryTimestamp"] = base64(b"no").into(),
            ReasonCode::SignatureLogInvalid,
        ),
        (|it| entry(it)["inclusionProof"]["rootHash"] = base64(&[7; 32]).into(), ReasonCode::SignatureLogInvalid),
        (|it| entry(it)["inclusionProof"]["treeSize"] = "2".into(), ReasonCode::SignatureLogInvalid),
        (|it| without(it, "inclusionProof"), ReasonCode::SignatureLogInvalid),
        (
            |it| {
                without(it, "inclusionProof");
                without(it, "inclusionPromise");
            },
            ReasonCode::SignatureLogInvalid,
        ),
        (
            // Beside one that is proven, one that nothing proves.
            |it| {
                let mut unproven = entry(it).clone();
                unproven["logIndex"] = "9".into();
                unproven.as_object_mut().unwrap().retain(|name, _| !name.starts_with("inclusion"));
                it["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap().push(unproven);
            },
            ReasonCode::SignatureLogInvalid,
        ),
        (|it| entry(it)["kindVersion"]["version"] = "0.0.2".into(), ReasonCode::SignatureUnsupported),
        (
            |it| entry(it)["kindVersion"] = json!({ "kind": "intoto", "version": "0.0.1" }),
            ReasonCode::SignatureUnsupported,
        ),
        (
            |it| it["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.4+json".into(),
            ReasonCode::SignatureUnsupported,
        ),
        (|it| it["dsseEnvelope"]["payloadType"] = "text/plain".into(), ReasonCode::SignatureUnsupported),
        (
            |it| {
                let signatures = it["dsseEnvelope"]["signatures"].as_array_mut().unwrap();
                signatures.push(json!({ "sig": base64(b"another") }));
            },
            ReasonCode::SignatureUnsupported,
        ),
        (|it| it["messageSignature"] = json!({ "signature": base64(b"x") }), ReasonCode::SignatureMalformed),
        (
            |it| it["verificationMaterial"]["x509CertificateChain"] = json!({ "certificates": [] }),
            ReasonCode::SignatureMalformed,
        ),
        (|it| it["unknown"] = json!(1), ReasonCode::SignatureMalformed),
        (
            |it| {
                let entries = it["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
                entries.push(entries[0].clone());
            },
            ReasonCode::SignatureMalformed,
        ),
    ]
}

#[test]
fn s27_each_fault_of_a_log_entry_has_its_own_reason() {
    let authority = Authority::new();
    let key = Key::new();
    let keyless = authority.keyless(&authority.holder(AS_IS, true), &statement(), TIME);
    let by_key = authority.keyed(&key, &statement(), TIME);
    let material = keyed(&key, &[authority.root("own")]);
    for (bundle, keyless) in [(keyless, true), (by_key, false)] {
        assert!(found(&bundle).verify(&material, &image()).is_ok());
        for (number, (fault, code)) in faults().into_iter().enumerate() {
            let mut bundle = bundle.clone();
            fault(&mut bundle);
            assert_eq!(found(&bundle).refused(&material, &image()), code, "fault {number}, keyless {keyless}");
        }
        let mut bare = bundle.clone();
        bare["verificationMaterial"]["tlogEntries"] = json!([]);
        let answer = found(&bare).verify(&material, &image());
        assert_eq!(answer.is_ok(), !keyless, "a key needs no log, a certificate does");
        if keyless {
            assert_eq!(found(&bare).refused(&material, &image()), ReasonCode::SignatureLogMissing);
        }
        let mut untimed = bundle.clone();
        untimed["verificationMaterial"]["tlogEntries"][0].as_object_mut().unwrap().remove("inclusionPromise");
        match found(&untimed).verify(&material, &image()) {
            Ok(authentic) => {
                assert!(!keyless && authentic.proof().proven.is_empty() && authentic.proof().log.is_some());
            }
            Err(reasons) => {
                assert!(keyless && reasons.first().code == ReasonCode::SignatureTimeUnproven, "{reasons:?}");
            }
        }
    }
}

#[test]
fn s27_a_log_entry_is_about_its_own_signature() {
    let authority = Authority::new();
    let key = Key::new();
    let material = keyed(&key, &[authority.root("own")]);
    let holder = authority.holder(AS_IS, true);
    let mut other = statement();
    other["predicate"] = json!({ "passed": false });
    for (mut bundle, other) in [
        (authority.keyless(&holder, &statement(), TIME), authority.keyless(&holder, &other, TIME)),
        (authority.keyed(&key, &statement(), TIME), authority.keyed(&key, &other, TIME)),
    ] {
        bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"].clone();
        assert_eq!(found(&bundle).refused(&material, &image()), ReasonCode::SignatureLogInvalid);
        bundle["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"].clone();
        assert_eq!(found(&bundle).refused(&material, &image()), ReasonCode::SignatureInvalid);
    }
}

#[test]
fn s27_a_keys_log_entry_counts_where_its_log_is_known_and_else_is_told() {
    let authority = Authority::new();
    let key = Key::new();
    let bundle = authority.keyed(&key, &statement(), TIME);
    let own = authority.root("own");
    let authentic = found(&bundle).verify(&keyed(&key, std::slice::from_ref(&own)), &image()).unwrap();
    assert_eq!(authentic.proof().proven, proven(&own));
    assert_eq!(authentic.proof().log.as_ref().unwrap().index, 7);
    assert!(authentic.proof().notes.is_empty() && authentic.proof().window.is_none());
    for (roots, told) in
        [(vec![], "no trusted root"), (vec![Authority::new().root("other")], "none of the trusted roots (other)")]
    {
        let authentic = found(&bundle).verify(&keyed(&key, &roots), &image()).unwrap();
        assert!(authentic.proof().log.is_none() && authentic.proof().proven.is_empty(), "it proves nothing");
        assert!(authentic.proof().notes[0].contains(told), "{:?}", authentic.proof().notes);
        // Nor does it matter then whether it could be judged, or holds.
        let mut odd = bundle.clone();
        odd["verificationMaterial"]["tlogEntries"][0]["kindVersion"]["version"] = "0.0.2".into();
        assert!(found(&odd).verify(&keyed(&key, &roots), &image()).is_ok());
    }
    assert_eq!(found(&bundle).refused(&keyed(&Key::new(), &[]), &image()), ReasonCode::SignatureUnknownKey);
    let mut changed = bundle;
    changed["dsseEnvelope"]["payload"] = base64(statement().to_string().replace("true", "null").as_bytes()).into();
    assert_eq!(found(&changed).refused(&keyed(&key, &[]), &image()), ReasonCode::SignatureInvalid);
}

#[test]
fn s27_every_field_of_a_logged_bundle_counts() {
    let authority = Authority::new();
    let key = Key::new();
    let material = keyed(&key, &[authority.root("own")]);
    let holder = authority.holder(AS_IS, true);
    for bundle in [authority.keyless(&holder, &statement(), TIME), authority.keyed(&key, &statement(), TIME)] {
        let mut all = Vec::new();
        places(&bundle, "", &mut all);
        assert!(all.len() >= 17, "{all:?}");
        for place in all.iter().filter(|place| !place.ends_with("/hint") && !place.ends_with("/tlogEntries")) {
            for seed in [0, 1, 7, 11, 29, 97, 1234] {
                let Some(changed) = changed(&bundle, place, seed) else { continue };
                match found(&changed).verify(&material, &image()) {
                    Ok(authentic) => {
                        // A log that nobody named proves nothing, and takes nothing from a key.
                        let told = !authentic.proof().notes.is_empty() && authentic.proof().log.is_none();
                        assert!(told && place.ends_with("/keyId"), "{place} does not count: {authentic:?}");
                    }
                    Err(reasons) => assert!(!reasons.first().message.is_empty()),
                }
            }
        }
    }
}
