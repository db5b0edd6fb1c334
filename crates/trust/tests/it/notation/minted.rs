//! Envelopes and certificates with one fault each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coset::cbor::value::Value as Cbor;
use model::{ReasonCode, SignatureFormat, Signer, TimeSource};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};
use trust::{StoreKind, TrustStore};

use super::mint::{Authority, Builder, authority_header, header, payload, subject};
use super::{Answer, codes, image, messages, store, verifier};

type Case = (&'static str, fn(&mut CertificateParams));
type Fault = (&'static str, fn(&mut Value));

fn jws_in(stores: Vec<TrustStore>, bytes: &[u8]) -> Answer {
    super::verify(&verifier(stores), &subject(), SignatureFormat::NotationJws, bytes)
}

fn jws(root: &Authority, bytes: &[u8]) -> Answer {
    jws_in(vec![store("corp", StoreKind::Ca, std::slice::from_ref(&root.der))], bytes)
}

fn cose(root: &Authority, bytes: &[u8]) -> Answer {
    let stores = vec![store("corp", StoreKind::Ca, std::slice::from_ref(&root.der))];
    super::verify(&verifier(stores), &subject(), SignatureFormat::NotationCose, bytes)
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut header = header();
    for (name, value) in changes {
        header[*name] = value.clone();
    }
    header
}

#[test]
fn s27_a_minted_signature_verifies() {
    let root = Authority::root("root");
    let signer = root.authority("signing", |_| {}).builder();
    for answer in [jws(&root, &signer.jws()), cose(&root, &signer.cose_with(|header| header))] {
        let (content, proof) = image(&answer);
        assert_eq!(content.annotations.len(), 1);
        let Signer::X509 { subject, .. } = &proof.signer else { panic!("{proof:?}") };
        assert_eq!(subject, "CN=builder,O=acme,C=US");
        assert_eq!(proof.claimed.unwrap().to_string(), "2026-06-01T12:00:00Z");
        let window = proof.window.unwrap();
        assert_eq!(
            (window.0.to_string(), window.1.to_string()),
            ("2026-01-01T00:00:00Z".into(), "2027-01-01T00:00:00Z".into())
        );
    }
}

#[test]
fn s27_an_anchor_may_be_given_to_several_signers_and_may_be_an_intermediate() {
    let root = Authority::root("root");
    let intermediate = root.authority("signing", |_| {});
    let signer = intermediate.builder();
    let stores = vec![
        store("b", StoreKind::Ca, std::slice::from_ref(&root.der)),
        store("a", StoreKind::Ca, &[Authority::root("other").der, intermediate.der.clone()]),
        store("c", StoreKind::SigningAuthority, std::slice::from_ref(&root.der)),
        store("d", StoreKind::Ca, &[Authority::root("root").der]),
    ];
    let answer = jws_in(stores, &signer.jws());
    let (_, proof) = image(&answer);
    let Signer::X509 { stores, .. } = &proof.signer else { panic!("{proof:?}") };
    assert_eq!(stores.iter().map(|name| name.signer.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn s27_an_authority_of_the_same_name_and_another_key_is_not_trusted() {
    let (root, twin) = (Authority::root("root"), Authority::root("root"));
    assert_eq!(codes(jws(&root, &twin.builder().jws())), [ReasonCode::SignatureUntrusted]);
    // Its own chain with the trusted root appended or put in place of its root.
    for at in [1, 2] {
        let mut builder = twin.builder();
        builder.chain.truncate(at);
        builder.chain.push(root.der.clone());
        assert_eq!(codes(jws(&root, &builder.jws())), [ReasonCode::SignatureUntrusted]);
    }
}

#[test]
fn s27_chains_are_whole_and_in_order() {
    let root = Authority::root("root");
    let intermediate = root.authority("signing", |_| {});
    let changed = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut builder = intermediate.builder();
        change(&mut builder.chain);
        codes(jws(&root, &builder.jws()))
    };
    let untrusted = [ReasonCode::SignatureUntrusted];
    assert_eq!(changed(|chain| chain.swap(1, 2)), untrusted, "order");
    assert_eq!(changed(|chain| chain.truncate(2)), untrusted, "no root");
    assert_eq!(changed(|chain| chain.truncate(1)), untrusted, "the leaf alone");
    assert_eq!(changed(|chain| chain.push(chain[2].clone())), untrusted, "the root twice");
    assert_eq!(changed(|chain| chain.insert(1, Authority::root("x").der)), untrusted, "an unrelated one");
    assert_eq!(changed(|chain| chain.swap(0, 1)), [ReasonCode::SignatureInvalid], "another's key");
    assert_eq!(changed(Vec::clear), [ReasonCode::SignatureMalformed]);
    assert_eq!(changed(|chain| chain[1].truncate(20)), [ReasonCode::SignatureMalformed]);
    assert_eq!(changed(|chain| chain.extend(vec![chain[2].clone(); 9])), [ReasonCode::SignatureMalformed]);
}

#[test]
fn s27_certificates_that_are_not_for_signing_code_are_refused() {
    let root = Authority::root("root");
    let leaf = |change: fn(&mut CertificateParams)| codes(jws(&root, &root.builder_with(change).jws()));
    let cases: [Case; 11] = [
        ("servers", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth)),
        ("servers alone", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ("clients", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth)),
        ("mail", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::EmailProtection)),
        ("time", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::TimeStamping)),
        ("anything", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
        ("no key usage", |p| p.key_usages.clear()),
        ("another key usage", |p| p.key_usages = vec![KeyUsagePurpose::ContentCommitment]),
        ("more key usage", |p| p.key_usages.push(KeyUsagePurpose::KeyEncipherment)),
        ("an authority", |p| {
            p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            p.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }),
        ("a critical extension that is not known", |p| {
            let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            extension.set_criticality(true);
            p.custom_extensions.push(extension);
        }),
    ];
    for (what, change) in cases {
        assert_eq!(leaf(change), [ReasonCode::SignatureUntrusted], "{what}");
    }
    for good in [
        (|p: &mut CertificateParams| p.extended_key_usages.clear()) as fn(&mut CertificateParams),
        |p| p.is_ca = IsCa::ExplicitNoCa,
        |p| p.key_usages.push(KeyUsagePurpose::ContentCommitment),
    ] {
        image(&jws(&root, &root.builder_with(good).jws()));
    }
}

#[test]
fn s27_authorities_have_to_be_authorities() {
    let root = Authority::root("root");
    let untrusted = [ReasonCode::SignatureUntrusted];
    let cases: [Case; 3] = [
        ("no authority", |p| p.is_ca = IsCa::ExplicitNoCa),
        ("it does not say", |p| p.is_ca = IsCa::NoCa),
        ("another key usage", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
    ];
    for (what, change) in cases {
        let signer = root.authority("signing", change).builder();
        assert_eq!(codes(jws(&root, &signer.jws())), untrusted, "{what}");
    }
    let short = root.authority("short", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    image(&jws(&root, &short.builder().jws()));
    assert_eq!(codes(jws(&root, &short.authority("below", |_| {}).builder().jws())), untrusted);
}

#[test]
fn s27_the_time_in_which_all_certificates_are_valid_is_told_and_judged_by_policy() {
    let root = Authority::root("root");
    let expired = root.builder_with(|p| {
        p.not_before = date_time_ymd(2020, 1, 1);
        p.not_after = date_time_ymd(2021, 1, 1);
    });
    assert_eq!(
        codes(jws(&root, &expired.jws())),
        [ReasonCode::SignatureCertificateTime],
        "before the authority's time"
    );
    let old = Authority::root_with("old", |p| p.not_before = date_time_ymd(2020, 6, 1));
    let expired = old.builder_with(|p| {
        p.not_before = date_time_ymd(2020, 1, 1);
        p.not_after = date_time_ymd(2021, 1, 1);
    });
    let answer = jws(&old, &expired.jws());
    let (from, to) = image(&answer).1.window.unwrap();
    assert_eq!((from.to_string(), to.to_string()), ("2020-06-01T00:00:00Z".into(), "2021-01-01T00:00:00Z".into()));
    let endless = old.builder_with(|p| p.not_after = date_time_ymd(9999, 12, 31));
    image(&jws(&old, &endless.jws()));
}

#[test]
fn s27_a_signing_authority_vouches_for_the_time() {
    let root = Authority::root("root");
    let signer = root.builder();
    let in_stores = |kind, at: &str| {
        jws_in(vec![store("sa", kind, std::slice::from_ref(&root.der))], &signer.jws_with(&authority_header(at)))
    };
    let answer = in_stores(StoreKind::SigningAuthority, "2026-03-01T00:00:00Z");
    let (_, proof) = image(&answer);
    let [proven] = proof.proven.as_slice() else { panic!("{proof:?}") };
    assert_eq!((proven.by, proven.at.to_string().as_str()), (TimeSource::SigningAuthority, "2026-03-01T00:00:00Z"));
    assert_eq!(proof.claimed, None);
    for outside in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:01Z"] {
        let answer = in_stores(StoreKind::SigningAuthority, outside);
        assert_eq!(codes(answer), [ReasonCode::SignatureCertificateTime], "{outside}");
    }
    assert_eq!(codes(in_stores(StoreKind::Ca, "2026-03-01T00:00:00Z")), [ReasonCode::SignatureUntrusted]);
    let mut envelope = signer.jws_of(&authority_header("2026-03-01T00:00:00Z").to_string(), &payload().to_string());
    envelope["header"]["io.cncf.notary.timestampSignature"] = json!(STANDARD.encode("token"));
    let stores = vec![store("sa", StoreKind::SigningAuthority, std::slice::from_ref(&root.der))];
    let answer = jws_in(stores, envelope.to_string().as_bytes());
    assert!(image(&answer).1.notes[0].contains("timestamp was not evaluated"));
}

#[test]
fn s27_what_the_signer_says_of_the_end_is_told() {
    let root = Authority::root("root");
    let crit = json!(["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"]);
    let expiring = |at: &str| {
        jws(&root, &root.builder().jws_with(&with(&[("crit", crit.clone()), ("io.cncf.notary.expiry", json!(at))])))
    };
    assert_eq!(image(&expiring("2026-06-01T12:00:01Z")).1.expires.unwrap().to_string(), "2026-06-01T12:00:01Z");
    for bad in
        ["2026-06-01T12:00:00Z", "2026-06-01", "2026-06-01 12:30:00Z", "2026-06-01T12:30:00Z[UTC]", "", "tomorrow"]
    {
        assert_eq!(codes(expiring(bad)), [ReasonCode::SignatureMalformed], "{bad}");
    }
}

#[test]
fn s28_attributes_of_plugins_are_unsupported_and_never_valid() {
    let root = Authority::root("root");
    let signer = root.builder();
    let crit = |name: &str| ("crit", json!(["io.cncf.notary.signingScheme", name]));
    let plugin = "io.cncf.notary.verificationPlugin";
    let value = json!("com.amazonaws.signer.notation.plugin");
    for header in [
        with(&[crit(plugin), (plugin, value.clone())]),
        with(&[(plugin, value)]),
        with(&[crit("com.amazonaws.signer.signingJob"), ("com.amazonaws.signer.signingJob", json!("arn"))]),
        with(&[crit("b64"), ("b64", json!(false))]),
    ] {
        let answer = jws(&root, &signer.jws_with(&header));
        assert!(messages(answer.clone()).contains("not evaluated"), "{answer:?}");
        assert_eq!(codes(answer), [ReasonCode::SignatureUnsupported], "{header}");
    }
    let unknown = signer.cose_with(|header| {
        header
            .text_value(plugin.to_owned(), Cbor::Text("x".to_owned()))
            .add_critical_label(coset::RegisteredLabelWithPrivate::Text(plugin.to_owned()))
    });
    assert_eq!(codes(cose(&root, &unknown)), [ReasonCode::SignatureUnsupported]);
    let answer = jws(&root, &signer.jws_with(&with(&[("com.acme.note", json!({ "a": 1 }))])));
    assert!(image(&answer).1.notes[0].contains("com.acme.note"));
    let answer = cose(&root, &signer.cose_with(|header| header.text_value("com.acme.note".to_owned(), Cbor::Null)));
    assert!(image(&answer).1.notes[0].contains("com.acme.note"));
}

#[test]
fn s27_the_algorithm_is_that_of_the_key() {
    let root = Authority::root("root");
    let algorithm = |name: Value| codes(jws(&root, &root.builder().jws_with(&with(&[("alg", name)]))));
    for other in ["PS256", "ES384"] {
        assert_eq!(algorithm(json!(other)), [ReasonCode::SignatureInvalid], "{other}");
    }
    for other in ["none", "HS256", "RS256", "ES512", "EdDSA", ""] {
        assert_eq!(algorithm(json!(other)), [ReasonCode::SignatureUnsupported], "{other}");
    }
    assert_eq!(algorithm(json!(null)), [ReasonCode::SignatureMalformed]);
    let other = root.builder().cose_with(|header| header.algorithm(coset::iana::Algorithm::PS256));
    assert_eq!(codes(cose(&root, &other)), [ReasonCode::SignatureInvalid]);
    let other = root.builder().cose_with(|header| header.algorithm(coset::iana::Algorithm::HMAC_256_256));
    assert_eq!(codes(cose(&root, &other)), [ReasonCode::SignatureUnsupported]);
}

#[test]
fn s27_envelopes_against_the_specification_are_malformed() {
    let root = Authority::root("root");
    let signer = root.builder();
    let malformed = [ReasonCode::SignatureMalformed];
    let envelope = |change: fn(&mut Value)| {
        let mut envelope = signer.jws_of(&header().to_string(), &payload().to_string());
        change(&mut envelope);
        codes(jws(&root, envelope.to_string().as_bytes()))
    };
    let cases: [Fault; 8] = [
        ("another member", |e| e["signatures"] = json!([])),
        ("no x5c", |e| e["header"] = json!({})),
        ("no header", |e| e["header"] = Value::Null),
        ("x5c of another kind", |e| e["header"]["x5c"] = json!("a")),
        ("one name in both headers", |e| e["header"]["alg"] = json!("ES256")),
        ("padded", |e| e["signature"] = json!(format!("{}==", e["signature"].as_str().unwrap()))),
        ("no signature", |e| e["signature"] = Value::Null),
        ("no payload", |e| e["payload"] = json!(1)),
    ];
    for (what, change) in cases {
        assert_eq!(envelope(change), malformed, "{what}");
    }
    assert_eq!(envelope(|e| e["signature"] = json!("")), [ReasonCode::SignatureInvalid]);
    let of = |header: &str, payload: &str| codes(jws(&root, signer.jws_of(header, payload).to_string().as_bytes()));
    let twice = header().to_string().replacen('{', "{\"alg\":\"ES256\",", 1);
    assert_eq!(of(&twice, &payload().to_string()), malformed);
    assert_eq!(of(&header().to_string(), "{}"), malformed);
    assert_eq!(of("[]", &payload().to_string()), malformed);
    let compact = signer.jws_of(&header().to_string(), &payload().to_string());
    let compact =
        ["protected", "payload", "signature"].map(|name| compact[name].as_str().unwrap().to_owned()).join(".");
    assert_eq!(codes(jws(&root, compact.as_bytes())), malformed);
}

#[test]
fn s27_cose_times_are_tagged_numbers() {
    let root = Authority::root("root");
    let signer: Builder = root.builder();
    let expiring = |value: Cbor| {
        let name = "io.cncf.notary.expiry".to_owned();
        let bytes = signer.cose_with(|header| {
            let critical = coset::RegisteredLabelWithPrivate::Text(name.clone());
            header.text_value(name.clone(), value).add_critical_label(critical)
        });
        cose(&root, &bytes)
    };
    let tagged = |value: Cbor| Cbor::Tag(1, Box::new(value));
    for good in [Cbor::from(1_780_315_201), Cbor::Float(1_780_315_201.0)] {
        assert_eq!(image(&expiring(tagged(good))).1.expires.unwrap().to_string(), "2026-06-01T12:00:01Z");
    }
    for bad in [
        Cbor::from(1_780_315_201),
        Cbor::Tag(0, Box::new(Cbor::from(1_780_315_201))),
        tagged(Cbor::from(u64::MAX)),
        tagged(Cbor::from(i64::MAX)),
        tagged(Cbor::Float(f64::NAN)),
        tagged(Cbor::Float(f64::INFINITY)),
        tagged(Cbor::Text("2026-06-01T12:00:01Z".to_owned())),
    ] {
        assert_eq!(codes(expiring(bad.clone())), [ReasonCode::SignatureMalformed], "{bad:?}");
    }
}
