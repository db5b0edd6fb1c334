//! What the policies name as trust material, and policies from the words of a command line.

use model::Verdict;

use super::*;
use crate::scene::{
    PIPELINE, ask, ask_about, attached, by_identity, by_key, by_pipeline, codes, judge, material, set, sets, signature,
};

const RULES: &str = "rules: [{ id: r, signatures: {} }]";

#[test]
fn s27_trust_material_is_named_with_its_policy_and_signer() {
    let x509 = "{ x509: { type: signingAuthority, certificates: [root.pem], timestampAuthorities: [tsa.pem], \
                revocationLists: [a.crl, b.crl] } }";
    let one = format!("signers: {{ x: {x509}, ci: {{ keyless: {{ issuer: i, identity: j }} }} }}, {RULES}");
    let pem = "\"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\"";
    let two = format!(
        "signers: {{ f: {{ key: keys/a.pub }}, i: {{ key: {pem} }}, k: {{ key: \"awskms:///alias/r\" }} }}, {RULES}"
    );
    let set = sets(&[("one", &one), ("two", &two)]);
    let sources = set.trust_sources();
    let named: Vec<_> = sources.iter().map(|source| (source.member, source.name.to_string())).collect();
    let expected = [(0, "one/x"), (1, "two/f"), (1, "two/i"), (1, "two/k")];
    assert_eq!(named, expected.map(|(member, name)| (member, name.to_owned())));
    assert_eq!(
        sources[0].from,
        SourceOf::X509 {
            kind: X509Kind::SigningAuthority,
            certificates: vec!["root.pem".to_owned()],
            timestamp_authorities: vec!["tsa.pem".to_owned()],
            revocation_lists: vec!["a.crl".to_owned(), "b.crl".to_owned()],
        }
    );
    assert_eq!(sources[1].from, SourceOf::Key(KeySource::File("keys/a.pub".to_owned())));
    assert!(matches!(&sources[2].from, SourceOf::Key(KeySource::Inline(pem)) if pem.contains("BEGIN PUBLIC KEY")));
    assert_eq!(sources[3].from, SourceOf::Key(KeySource::Kms("awskms:///alias/r".to_owned())));
}

#[test]
fn s27_roots_are_needed_where_something_depends_on_them() {
    let key = format!("signers: {{ a: {{ key: a.pub }} }}, {RULES}");
    let logged = format!("signers: {{ a: {{ key: a.pub, transparencyLog: required }} }}, {RULES}");
    let keyless = format!("signers: {{ ci: {{ keyless: {{ issuer: i, identity: j }} }} }}, {RULES}");
    let own = format!("trust: {{ roots: [root.json, sigstore-public-good] }}, {keyless}");
    let named = format!("trust: {{ roots: [root.json] }}, {key}");
    let set = sets(&[("key", &key), ("logged", &logged), ("keyless", &keyless), ("own", &own), ("named", &named)]);
    let file = || RootSource::File("root.json".to_owned());
    assert_eq!(
        set.trust_roots(),
        [
            (1, "logged", vec![RootSource::PublicGood]),
            (2, "keyless", vec![RootSource::PublicGood]),
            (3, "own", vec![file(), RootSource::PublicGood]),
            (4, "named", vec![file()]),
        ]
    );
}

#[test]
fn s27_only_matching_policies_name_repositories_to_look_in() {
    let with = |images: &str, repositories: &str| {
        format!(
            "match: {{ images: [\"{images}\"] }}, trust: {{ repositories: [{repositories}] }}, \
             signers: {{ a: {{ key: a.pub }} }}, {RULES}"
        )
    };
    let (one, two) = (with("**/team/app", "r.example/b, r.example/a"), with("**", "r.example/a"));
    let other = with("elsewhere.example/**", "r.example/c");
    let set = sets(&[("one", &one), ("two", &two), ("other", &other)]);
    assert_eq!(set.signature_repositories(&ask()), ["r.example/a", "r.example/b"]);
    assert_eq!(set.signature_repositories(&ask_about("elsewhere.example/x:1")), ["r.example/a", "r.example/c"]);
}

#[test]
fn s27_what_has_to_be_collected_follows_from_where_rules_look() {
    for (rules, root, platforms) in [
        ("{ id: r, vulnerabilities: {} }", false, false),
        ("{ id: r, signatures: {} }", true, false),
        ("{ id: r, signatures: { on: platforms } }", false, true),
        ("{ id: r, attestations: { type: vuln, on: all } }", true, true),
        ("{ id: r, provenance: { on: platforms } }, { id: s, vsa: { verifiers: [\"**\"] } }", true, true),
    ] {
        let needs = set(&format!("signers: {{ a: {{ key: a.pub }} }}, rules: [{rules}]")).needs(&ask());
        assert_eq!((needs.signed_root, needs.signed_platforms), (root, platforms), "{rules}");
    }
}

fn words() -> SignedBy {
    SignedBy {
        environment: Some("production".to_owned()),
        keys: Vec::new(),
        keyless: None,
        x509: Vec::new(),
        trusted_roots: Vec::new(),
        repositories: Vec::new(),
        transparency_log: false,
        what: WantedStatement::image(),
        any: false,
    }
}

fn policy(words: &SignedBy) -> PolicySet {
    let text = signed_by(words);
    PolicySet::from_documents(&[("command line".to_owned(), text.clone())])
        .unwrap_or_else(|error| panic!("{error} ({:?}): {text}", error.hint))
}

/// Facts in which the signer of this name has the key `a`.
fn by(signer: &str, proofs: Vec<model::Proof>) -> model::Facts {
    let mut trust = material();
    let name = TrustName { policy: COMMAND_LINE_POLICY.to_owned(), signer: signer.to_owned() };
    trust.keys.insert(name, Ok(model::Digest::of(b"a")));
    trust.roots.insert(COMMAND_LINE_POLICY.to_owned(), Ok(vec![model::Digest::of(b"roots")]));
    model::Facts { trust: Some(trust), ..attached(proofs.into_iter().map(signature).collect()) }
}

#[test]
fn s27_words_of_a_command_line_are_a_policy() {
    let all = SignedBy {
        keys: vec!["b \"quoted\" #.pub".to_owned(), "awskms:///alias/r".to_owned(), "awskms:///alias/r".to_owned()],
        keyless: Some((
            Wanted::Regex("^.*@acme\\.example$".to_owned()),
            Wanted::Exact("https://gitlab.com".to_owned()),
        )),
        x509: vec![StoreSigner {
            kind: X509Kind::Ca,
            certificates: vec!["root.pem".to_owned()],
            timestamp_authorities: vec!["tsa.pem".to_owned()],
            revocation_lists: vec!["ca.crl".to_owned()],
            subjects: vec!["C=US, O=acme".to_owned()],
            strict: true,
            timestamp: false,
        }],
        trusted_roots: vec!["root.json".to_owned()],
        repositories: vec!["r.example/s".to_owned()],
        transparency_log: true,
        what: WantedStatement::image(),
        ..words()
    };
    let set = policy(&all);
    let names: Vec<_> = set.trust_sources().into_iter().map(|source| source.name.signer).collect();
    assert_eq!(names, ["bquoted.pub", "r", "x509-1"]);
    let quoted = SourceOf::Key(KeySource::File("b \"quoted\" #.pub".to_owned()));
    assert!(set.trust_sources().iter().any(|source| source.from == quoted));
    assert_eq!(set.trust_roots(), [(0, COMMAND_LINE_POLICY, vec![RootSource::File("root.json".to_owned())])]);
    assert_eq!(set.signature_repositories(&ask()), ["r.example/s"]);
    let rules: Vec<_> = set.members[0].policy.spec.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(rules, ["signed-by-bquoted.pub", "signed-by-keyless", "signed-by-r", "signed-by-x509-1"]);
    let any = policy(&SignedBy { any: true, ..all });
    assert_eq!(any.members[0].policy.spec.rules.len(), 1);
    // Statements instead of signatures: a rule for each that is asked for, and never the signature rule beside it.
    let what = WantedStatement {
        predicate_type: Some("https://slsa.dev/provenance/v1".to_owned()),
        sources: vec!["github.com/acme/app".to_owned()],
        ..WantedStatement::image()
    };
    let stated = policy(&SignedBy { any: true, what, keys: vec!["a.pub".to_owned()], ..words() });
    let rules = &stated.members[0].policy.spec.rules;
    assert_eq!(rules.len(), 2);
    assert!(rules.iter().all(|rule| rule.signatures.is_none()));
    // Nobody asked for: not a policy that allows everything.
    assert!(PolicySet::from_documents(&[("words".to_owned(), signed_by(&words()))]).is_err());
}

#[test]
fn s27_a_policy_from_words_judges_like_any_other() {
    let key = SignedBy { keys: vec!["a.pub".to_owned()], ..words() };
    assert_eq!(judge(&policy(&key), &by("a.pub", vec![by_key("a")])).verdict, Verdict::Allow);
    assert_eq!(judge(&policy(&key), &by("a.pub", vec![by_key("b")])).verdict, Verdict::Deny);
    let logged = SignedBy { transparency_log: true, ..key.clone() };
    let judgement = judge(&policy(&logged), &by("a.pub", vec![by_key("a")]));
    assert_eq!(codes(&judgement), ["signature.missing", "signature.logMissing"]);
    let identity = |identity: Wanted| SignedBy {
        keyless: Some((identity, Wanted::Exact("https://gitlab.com".to_owned()))),
        ..key.clone()
    };
    let exact = identity(Wanted::Exact(PIPELINE.to_owned()));
    let both = || by("a.pub", vec![by_key("a"), by_pipeline()]);
    assert_eq!(judge(&policy(&exact), &both()).verdict, Verdict::Allow);
    assert_eq!(judge(&policy(&exact), &by("a.pub", vec![by_pipeline()])).verdict, Verdict::Deny, "all of them");
    let any = SignedBy { any: true, ..exact };
    assert_eq!(judge(&policy(&any), &by("a.pub", vec![by_pipeline()])).verdict, Verdict::Allow);
    // A `*` in an exact identity is itself, and an expression matches the whole of it.
    for wanted in
        [Wanted::Exact("https://gitlab.com/**".to_owned()), Wanted::Regex("https://gitlab.com/acme".to_owned())]
    {
        assert_eq!(judge(&policy(&identity(wanted)), &both()).verdict, Verdict::Deny);
    }
    let other = by_identity(PIPELINE, "https://gitlab.evil.example");
    assert_eq!(judge(&policy(&any), &by("a.pub", vec![other])).verdict, Verdict::Deny);
}

#[test]
fn s7_beside_policy_files_the_words_declare_no_environment() {
    let file =
        format!("environments: {{ live: {{ class: production }} }}, {}", "rules: [{ id: r, vulnerabilities: {} }]");
    let (name, text) = crate::scene::document("file", &file);
    let beside = SignedBy { keys: vec!["a.pub".to_owned()], environment: None, ..words() };
    let set = PolicySet::from_documents(&[(name, text), ("words".to_owned(), signed_by(&beside))]).unwrap();
    assert!(set.environment("live").is_ok() && set.environment("production").is_err());
    assert_eq!(set.matching(&crate::scene::ask_in("live")).count(), 2);
}
