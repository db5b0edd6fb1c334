//! Whether a proof counts: kinds, identities, windows, revocation, logs, material that is not at hand.

use model::{
    Clock, Digest, Gap, LogEntry, Proof, Reason, ReasonCode, Revocation, Signer, Timestamp, TrustMaterial, TrustName,
    UnknownClass,
};

use super::{Counts, counts};
use crate::scene::{
    PIPELINE, SIGNERS, by_identity, by_key, by_pipeline, days, hours, material, now, proven, set, time, without_key,
};

const RULE: &str = "rules: [{ id: r, signatures: {} }]";

/// Asks the signer `s` of this text; the answer, and how long it holds.
fn asked(signer: &str, proof: &Proof, trust: Option<&TrustMaterial>) -> (Counts, Option<Timestamp>) {
    let set = set(&format!("signers: {{ s: {signer} }}, {RULE}"));
    let clock = Clock::at(now());
    (counts(&set.members[0], "s", proof, trust, &clock), clock.horizon())
}

/// The material of the signer `s`: the key `a`, and the roots.
fn of_a() -> TrustMaterial {
    let mut material = material();
    let name = TrustName { policy: "p".to_owned(), signer: "s".to_owned() };
    material.keys.insert(name, Ok(Digest::of(b"a")));
    material
}

fn answer(signer: &str, proof: &Proof) -> Counts {
    asked(signer, proof, Some(&of_a())).0
}

fn code(counts: Counts) -> Option<ReasonCode> {
    match counts {
        Counts::Yes => None,
        Counts::No(reason) | Counts::Unknown(Gap { reason, .. }) => Some(reason.code),
    }
}

fn class(counts: &Counts) -> Option<UnknownClass> {
    match counts {
        Counts::Unknown(gap) => Some(gap.class),
        Counts::Yes | Counts::No(_) => None,
    }
}

/// A certificate of the trust store of `s`.
fn by_certificate(subject: &str, revocation: Revocation) -> Proof {
    let stores = vec![TrustName { policy: "p".to_owned(), signer: "s".to_owned() }];
    let certificate = Digest::of(subject.as_bytes());
    let key = Digest::of(b"its key");
    let signer = Signer::X509 { stores, subject: subject.to_owned(), certificate, key, revocation };
    Proof { window: Some((now() - days(30), now() + days(30))), ..Proof::of(signer) }
}

const KEYLESS: &str = "{ keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/acme/**\" } }";
const X509: &str = "{ x509: { type: ca, certificates: [root.pem] } }";

#[test]
fn s27_a_key_counts_only_as_itself() {
    assert_eq!(answer("{ key: a.pub }", &by_key("a")), Counts::Yes);
    for other in [by_key("b"), by_pipeline(), by_certificate("O=acme", Revocation::NotChecked)] {
        assert_eq!(code(answer("{ key: a.pub }", &other)), Some(ReasonCode::SignatureIdentity));
        assert_eq!(class(&answer("{ key: a.pub }", &other)), None);
    }
}

#[test]
fn s27_an_identity_counts_with_its_issuer_and_every_claim() {
    assert_eq!(answer(KEYLESS, &by_pipeline()), Counts::Yes);
    let claims = |claims: &str| KEYLESS.replace("/**\"", &format!("/**\", claims: {{ {claims} }}"));
    assert_eq!(answer(&claims("sourceRepositoryRef: refs/heads/main"), &by_pipeline()), Counts::Yes);
    for (signer, proof, says) in [
        (KEYLESS.to_owned(), by_identity("https://gitlab.com/evil/app", "https://gitlab.com"), "identity has to be"),
        (KEYLESS.to_owned(), by_identity(PIPELINE, "https://gitlab.com.evil.example"), "issuer has to be"),
        (KEYLESS.to_owned(), by_key("a"), "keyless identity"),
        (claims("sourceRepositoryRef: refs/heads/release"), by_pipeline(), "sourceRepositoryRef is refs/heads/main"),
        (claims("buildSignerUri: \"**\""), by_pipeline(), "has no buildSignerUri"),
    ] {
        let Counts::No(reason) = answer(&signer, &proof) else { panic!("{signer}") };
        assert_eq!(reason.code, ReasonCode::SignatureIdentity);
        assert!(reason.message.contains(says), "{}", reason.message);
    }
}

#[test]
fn s27_a_certificate_counts_by_its_store_and_subject() {
    let subjects = X509.replace(" } }", ", subjects: [\"C=US, O=acme\", \"O=corp\"] } }");
    let proof = by_certificate("CN=x,O=acme,C=US", Revocation::NotChecked);
    assert_eq!(answer(X509, &proof), Counts::Yes);
    assert_eq!(answer(&subjects, &proof), Counts::Yes);
    let other = by_certificate("CN=x,O=acme,C=DE", Revocation::NotChecked);
    assert_eq!(code(answer(&subjects, &other)), Some(ReasonCode::SignatureIdentity));
    let Signer::X509 { subject, certificate, revocation, .. } = proof.signer.clone() else { panic!() };
    for (policy, signer) in [("p", "t"), ("q", "s")] {
        let stores = vec![TrustName { policy: policy.to_owned(), signer: signer.to_owned() }];
        let (subject, certificate, revocation) = (subject.clone(), certificate.clone(), revocation.clone());
        let other = Proof {
            signer: Signer::X509 { stores, subject, certificate, key: Digest::of(b"its key"), revocation },
            ..proof.clone()
        };
        assert_eq!(code(answer(X509, &other)), Some(ReasonCode::SignatureIdentity), "{policy}/{signer}");
    }
}

#[test]
fn s27_material_that_is_not_at_hand_is_unknown() {
    let unavailable = Some(UnknownClass::TrustUnavailable);
    // The key could not be fetched, or nobody read it.
    let mut material = of_a();
    material.keys.remove(&TrustName { policy: "p".to_owned(), signer: "s".to_owned() });
    for trust in [None, Some(&material)] {
        let counts = asked("{ key: a.pub }", &by_key("a"), trust).0;
        assert_eq!((class(&counts), code(counts)), (unavailable, Some(ReasonCode::TrustRootMissing)));
    }
    let set = set(&format!("signers: {{ {SIGNERS} }}, {RULE}"));
    let counts = counts(&set.members[0], "c", &by_key("c"), Some(&without_key("c")), &Clock::at(now()));
    assert_eq!((class(&counts), code(counts)), (unavailable, Some(ReasonCode::TrustKeyUnavailable)));
    // Without roots an identity that is meant is unknown; another one is another one all the same.
    let mut material = of_a();
    material.roots.insert("p".to_owned(), Err(Reason::new(ReasonCode::TrustRootInvalid, "root.json cannot be read")));
    let counts = asked(KEYLESS, &by_pipeline(), Some(&material)).0;
    assert_eq!((class(&counts), code(counts)), (unavailable, Some(ReasonCode::TrustRootInvalid)));
    let other = by_identity("https://gitlab.com/evil/app", "https://gitlab.com");
    assert_eq!(code(asked(KEYLESS, &other, Some(&material)).0), Some(ReasonCode::SignatureIdentity));
    material.roots.clear();
    assert_eq!(class(&asked(KEYLESS, &by_pipeline(), Some(&material)).0), unavailable);
}

#[test]
fn s27_an_unknown_name_is_a_fault_and_no_yes() {
    let set = set(&format!("signers: {{ {SIGNERS} }}, {RULE}"));
    let counts = counts(&set.members[0], "nobody", &by_key("a"), Some(&material()), &Clock::at(now()));
    assert_eq!(class(&counts), Some(UnknownClass::Internal));
}

#[test]
fn s27_a_window_is_compared_with_every_proven_time() {
    let signer = "{ key: a.pub, notBefore: 2026-01-01, notAfter: 2026-02-28 }";
    let within = [time("2026-01-01T00:00:00Z"), time("2026-02-28T23:59:59Z")];
    assert_eq!(answer(signer, &proven(by_key("a"), &within)), Counts::Yes);
    for outside in ["2025-12-31T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-10T11:00:00Z"] {
        let (counts, horizon) = asked(signer, &proven(by_key("a"), &[within[0], time(outside)]), Some(&of_a()));
        assert_eq!(code(counts), Some(ReasonCode::SignatureWindow), "{outside}");
        assert_eq!(horizon, None, "what is proven does not change with time");
    }
    // Without a proven time it has to be inside now.
    assert_eq!(code(answer(signer, &by_key("a"))), Some(ReasonCode::SignatureWindow));
    assert_eq!(code(answer("{ key: a.pub, notBefore: 2026-03-11 }", &by_key("a"))), Some(ReasonCode::SignatureWindow));
}

#[test]
fn s8_a_window_that_is_compared_with_now_ends_the_judgement() {
    let (counts, horizon) = asked("{ key: a.pub, notAfter: 2026-03-11T00:00:00Z }", &by_key("a"), Some(&of_a()));
    assert_eq!((counts, horizon), (Counts::Yes, Some(time("2026-03-11T00:00:00Z"))));
    let (counts, horizon) = asked("{ key: a.pub, notBefore: 2026-03-12 }", &by_key("a"), Some(&of_a()));
    assert_eq!((code(counts), horizon), (Some(ReasonCode::SignatureWindow), Some(time("2026-03-12T00:00:00Z"))));
    // At the end itself it no longer counts.
    let at_the_end = "{ key: a.pub, notAfter: 2026-03-10T12:00:00Z }";
    assert_eq!(code(answer(at_the_end, &by_key("a"))), Some(ReasonCode::SignatureWindow));
    let proof = proven(by_key("a"), &[now() - hours(1)]);
    assert_eq!(asked("{ key: a.pub, notAfter: 2026-03-11 }", &proof, Some(&of_a())), (Counts::Yes, None));
}

#[test]
fn s27_what_is_revoked_counts_only_if_it_is_proven_to_be_older() {
    let before = proven(by_key("a"), &[time("2026-02-01T00:00:00Z")]);
    let revoked = Some(ReasonCode::SignatureRevoked);
    for proof in [&by_key("a"), &before] {
        assert_eq!(code(answer("{ key: a.pub, revoked: true }", proof)), revoked);
    }
    let at = "{ key: a.pub, revoked: { at: 2026-02-01T00:00:01Z } }";
    assert_eq!(answer(at, &before), Counts::Yes);
    assert_eq!(code(answer(at, &by_key("a"))), revoked, "nothing proves when");
    let both = proven(by_key("a"), &[time("2026-02-01T00:00:00Z"), time("2026-02-01T00:00:01Z")]);
    assert_eq!(code(answer(at, &both)), revoked, "every proven time has to be older");
    // By the signer's own word it is older; that is no proof.
    let claimed = Proof { claimed: Some(time("2026-01-01T00:00:00Z")), ..by_key("a") };
    assert_eq!(code(answer(at, &claimed)), revoked);
}

#[test]
fn s27_keyless_needs_a_log_entry_and_a_proven_time_and_a_key_only_where_the_policy_says_so() {
    let pipeline = by_pipeline();
    let unlogged = Proof { log: None, ..pipeline.clone() };
    assert_eq!(code(answer(KEYLESS, &unlogged)), Some(ReasonCode::SignatureLogMissing));
    let undated = Proof { proven: Vec::new(), ..pipeline.clone() };
    assert_eq!(code(answer(KEYLESS, &undated)), Some(ReasonCode::SignatureTimeUnproven));
    let required = "{ key: a.pub, transparencyLog: required }";
    assert_eq!(code(answer(required, &by_key("a"))), Some(ReasonCode::SignatureLogMissing));
    assert_eq!(answer(required, &Proof { log: pipeline.log, ..by_key("a") }), Counts::Yes);
    // Without roots no entry could be verified: that is not the signature's fault.
    let mut material = of_a();
    material.roots.clear();
    assert_eq!(class(&asked(required, &by_key("a"), Some(&material)).0), Some(UnknownClass::TrustUnavailable));
}

#[test]
fn s27_a_certificate_holds_in_its_own_time() {
    let proof = by_certificate("O=acme", Revocation::NotChecked);
    let until = now() + days(30);
    let (counts, horizon) = asked(X509, &proof, Some(&of_a()));
    assert_eq!(counts, Counts::Yes);
    assert_eq!(horizon, Some(until + model::SignedDuration::from_nanos(1)), "the last moment is part of it");
    let window = |from, until| Proof { window: Some((from, until)), ..proof.clone() };
    assert_eq!(code(answer(X509, &window(now() - days(2), now() - days(1)))), Some(ReasonCode::SignatureExpired));
    assert_eq!(
        code(answer(X509, &window(now() + days(1), now() + days(2)))),
        Some(ReasonCode::SignatureCertificateTime)
    );
    // A trusted timestamp keeps it alive after the certificate has ended.
    let ended = proven(window(now() - days(9), now() - days(1)), &[now() - days(2)]);
    assert_eq!(asked(X509, &ended, Some(&of_a())), (Counts::Yes, None));
    let late = proven(window(now() - days(9), now() - days(1)), &[now() - days(2), now() - hours(1)]);
    assert_eq!(code(answer(X509, &late)), Some(ReasonCode::SignatureCertificateTime));
}

#[test]
fn s27_a_signature_ends_when_its_signer_said_so() {
    let ended = Proof { expires: Some(now() - hours(1)), ..proven(by_key("a"), &[now() - days(1)]) };
    assert_eq!(code(answer("{ key: a.pub }", &ended)), Some(ReasonCode::SignatureExpired));
    let later = Proof { expires: Some(now() + hours(1)), ..by_key("a") };
    let (counts, horizon) = asked("{ key: a.pub }", &later, Some(&of_a()));
    assert_eq!((counts, horizon.unwrap() > now()), (Counts::Yes, true));
}

#[test]
fn s27_a_timestamp_that_is_asked_for_is_missed() {
    let signer = X509.replace(" } }", ", timestamp: required } }");
    let bare = by_certificate("O=acme", Revocation::NotChecked);
    assert_eq!(code(answer(&signer, &bare)), Some(ReasonCode::SignatureTimeUnproven));
    assert_eq!(answer(&signer, &proven(bare, &[now() - hours(1)])), Counts::Yes);
}

#[test]
fn s27_revocation_lists_are_known_as_far_as_the_policy_asks() {
    let good = Revocation::Good { until: now() + days(1) };
    let stale = Revocation::Good { until: now() };
    let revoked = Revocation::Revoked { since: now() - days(1) };
    let with = |more: &str| X509.replace(" } }", &format!(", {more} }} }}"));
    let lists = with("revocationLists: [ca.crl]");
    let if_given = with("revocationLists: [ca.crl], revocation: ifGiven");
    let ask = |signer: &str, revocation: &Revocation| answer(signer, &by_certificate("O=acme", revocation.clone()));
    let unavailable = Some(ReasonCode::TrustRevocationUnavailable);
    for signer in [X509, &lists, &if_given] {
        assert_eq!(ask(signer, &good), Counts::Yes);
        assert_eq!(code(ask(signer, &revoked)), Some(ReasonCode::SignatureRevoked));
        assert_eq!(code(ask(signer, &stale)), unavailable, "a list past its time says nothing");
        assert_eq!(class(&ask(signer, &stale)), Some(UnknownClass::TrustUnavailable));
    }
    assert_eq!(ask(X509, &Revocation::NotChecked), Counts::Yes);
    assert_eq!(ask(&if_given, &Revocation::NotChecked), Counts::Yes);
    assert_eq!(code(ask(&lists, &Revocation::NotChecked)), unavailable, "lists that are given are meant");
    assert_eq!(code(ask(&lists, &Revocation::NotAsked)), unavailable);
    let if_named = with("revocation: ifNamed");
    assert_eq!(ask(&if_named, &Revocation::NotChecked), Counts::Yes, "no certificate says where it would be revoked");
    assert_eq!(code(ask(&if_named, &Revocation::NotAsked)), unavailable);
    assert_eq!(ask(X509, &Revocation::NotAsked), Counts::Yes);
    // What was signed before the revocation is not saved by that: a list rarely says since when a key was stolen.
    let early = proven(by_certificate("O=acme", revoked), &[now() - days(2)]);
    assert_eq!(code(answer(X509, &early)), Some(ReasonCode::SignatureRevoked));
    let (_, horizon) = asked(X509, &by_certificate("O=acme", good), Some(&of_a()));
    assert_eq!(horizon, Some(now() + days(1)));
}

#[test]
fn s27_what_only_a_root_of_another_policy_vouches_for_is_nothing_to_this_one() {
    let (ours, stranger) = (Digest::of(b"roots"), Digest::of(b"the root of another policy"));
    let other = Proof { roots: vec![stranger.clone()], ..by_pipeline() };
    assert_eq!(answer(KEYLESS, &by_pipeline()), Counts::Yes);
    assert_eq!(code(answer(KEYLESS, &other)), Some(ReasonCode::SignatureUntrusted));
    let both = Proof { roots: vec![stranger.clone(), ours.clone()], ..other };
    assert_eq!(
        answer(KEYLESS, &both),
        Counts::Yes,
        "one root that this policy trusts is enough: it verified everything"
    );
    // A time that only a stranger proves is no time: after the end of the window nothing shows that this was signed before.
    let window = "{ key: a.pub, notAfter: 2025-01-01T00:00:00Z }";
    let before = |root: &Digest| {
        let mut proof = proven(by_key("a"), &[time("2024-06-01T00:00:00Z")]);
        proof.proven.iter_mut().for_each(|proven| proven.root = Some(root.clone()));
        proof
    };
    assert_eq!(answer(window, &before(&ours)), Counts::Yes);
    assert_eq!(code(answer(window, &before(&stranger))), Some(ReasonCode::SignatureWindow));
    // What a trusted root refuses does not count; what only a stranger's refuses is nothing to this policy.
    let refused = |root: &Digest| {
        let reason = Reason::new(ReasonCode::SignatureLogInvalid, "the proof does not hold");
        Proof { refused: vec![(root.clone(), reason)], ..by_key("a") }
    };
    assert_eq!(
        answer("{ key: a.pub, transparencyLog: required }", &by_key("a")),
        answer("{ key: a.pub, transparencyLog: required }", &refused(&stranger))
    );
    assert_eq!(code(answer("{ key: a.pub }", &refused(&ours))), Some(ReasonCode::SignatureLogInvalid));
    assert_eq!(answer("{ key: a.pub }", &refused(&stranger)), Counts::Yes);
    let logged = |root: &Digest| Proof {
        log: Some(LogEntry { log: "c0".to_owned(), index: 1, roots: vec![root.clone()] }),
        ..by_key("a")
    };
    assert_eq!(answer("{ key: a.pub, transparencyLog: required }", &logged(&ours)), Counts::Yes);
    assert_eq!(
        code(answer("{ key: a.pub, transparencyLog: required }", &logged(&stranger))),
        Some(ReasonCode::SignatureLogMissing)
    );
}
