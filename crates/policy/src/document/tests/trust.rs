//! `spec.trust`, `spec.signers` and the rules that name signers: what is refused, and with which words.

use super::{HEAD, parse, refused};

/// A policy with these signers and this rule.
fn with(signers: &str, rule: &str) -> String {
    format!("{HEAD}spec:\n  signers: {{ {signers} }}\n  rules: [{{ id: r, {rule} }}]\n")
}

fn signer(text: &str) -> String {
    with(&format!("s: {text}"), "signatures: {}")
}

fn rule(text: &str) -> String {
    with("a: { key: a.pub }, b: { key: b.pub }", text)
}

#[test]
fn s27_a_signer_is_of_exactly_one_kind() {
    let keyless = "keyless: { issuer: i, identity: j }";
    let x509 = "x509: { type: ca, certificates: [root.pem] }";
    for kind in ["key: a.pub", keyless, x509] {
        assert!(parse(&signer(&format!("{{ {kind} }}"))).is_ok(), "{kind}");
    }
    for (text, says) in [
        ("{}".to_owned(), "of no kind"),
        ("{ notBefore: 2026-01-01 }".to_owned(), "of no kind"),
        (format!("{{ key: a.pub, {keyless} }}"), "of several kinds"),
        (format!("{{ {x509}, {keyless} }}"), "of several kinds"),
    ] {
        let error = refused(&signer(&text));
        assert!(error.what.starts_with("signer \"s\": ") && error.what.contains(says), "{error}");
        assert_eq!(error.hint.as_deref(), Some("a signer is exactly one of `key`, `keyless` and `x509`"));
    }
}

#[test]
fn s27_a_signer_that_could_not_count_as_written_is_refused() {
    let x509 = |more: &str| format!("{{ x509: {{ type: ca, certificates: [root.pem], {more} }} }}");
    for (text, says) in [
        ("{ key: a.pub, notBefore: 2026-02-01, notAfter: 2026-01-31 }".to_owned(), "`notBefore` is not before"),
        ("{ key: a.pub, notBefore: 2026-02-01T00:00:00Z, notAfter: 2026-02-01T00:00:00Z }".to_owned(), "is not before"),
        ("{ key: a.pub, notBefore: soon }".to_owned(), "is not a date"),
        ("{ key: a.pub, notBefore: 2026-02-01T00:00:00 }".to_owned(), "is not a date"),
        ("{ key: a.pub, notAfter: 2026-02-30 }".to_owned(), "is not a date"),
        ("{ key: a.pub, revoked: false }".to_owned(), "leave `revoked` out"),
        ("{ key: a.pub, revoked: {} }".to_owned(), "`at` is missing"),
        ("{ key: a.pub, revoked: { since: 2026-01-01 } }".to_owned(), "unknown key `since`"),
        ("{ key: a.pub, revoked: yesterday }".to_owned(), "`true` or `{at: TIME}`"),
        ("{ key: a.pub, transparencyLog: ifGiven }".to_owned(), "unknown value `ifGiven`"),
        ("{ key: \"\" }".to_owned(), "`key` is empty"),
        ("{ key: \"gcpkms://projects/x\" }".to_owned(), "keys at gcpkms:// are not read"),
        ("{ key: \"https://example.com/a.pub\" }".to_owned(), "keys at https:// are not read"),
        ("{ key: \"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\" }".to_owned(), "this is a private key"),
        ("{ keyless: { issuer: i } }".to_owned(), "`identity` is missing"),
        ("{ keyless: { identity: i } }".to_owned(), "`issuer` is missing"),
        ("{ keyless: { issuer: \"\", identity: j } }".to_owned(), "a pattern is empty"),
        ("{ keyless: { issuer: i, identity: { regex: \"(\" } } }".to_owned(), "no regular expression"),
        ("{ keyless: { issuer: i, identity: { regex: a, exact: b } } }".to_owned(), "at once; write one"),
        ("{ keyless: { issuer: i, identity: {} } }".to_owned(), "a pattern is empty"),
        ("{ keyless: { issuer: i, identity: [j] } }".to_owned(), "text in quotes"),
        ("{ keyless: { issuer: i, identity: j, claims: {} } }".to_owned(), "`keyless.claims` is empty"),
        ("{ x509: { type: ca, certificates: [] } }".to_owned(), "`x509.certificates` is empty"),
        ("{ x509: { type: tsa, certificates: [a] } }".to_owned(), "unknown value `tsa`"),
        (x509("timestampAuthorities: []"), "`x509.timestampAuthorities` is empty"),
        (x509("revocationLists: [\" \"]"), "`x509.revocationLists` is empty"),
        (x509("subjects: []"), "`x509.subjects` is empty"),
        (x509("subjects: [acme]"), "is no subject"),
        (x509("revocation: required"), "without `revocationLists`"),
        (
            "{ transparencyLog: required, x509: { type: ca, certificates: [a] } }".to_owned(),
            "`transparencyLog` is not for `x509`",
        ),
    ] {
        let error = refused(&signer(&text));
        assert!(error.what.contains(says), "{text}: {error}");
    }
    let error = refused(&signer("{ keyless: { issuer: i, identity: { globb: j } } }"));
    assert_eq!((error.what.as_str(), error.hint.as_deref()), ("unknown key `globb`", Some("did you mean `glob`?")));
    assert_eq!((error.line, error.column.is_some()), (Some(5), true));
    let error = refused(&signer("{ keyles: {} }"));
    assert_eq!((error.what.as_str(), error.hint.as_deref()), ("unknown key `keyles`", Some("did you mean `keyless`?")));
}

#[test]
fn s27_names_of_signers_mean_nothing_else() {
    for name in ["file", "registry", "ecr", "trivy", "osv", "\"\"", "\"a b\"", "\"a/b\"", "\"*\""] {
        let error = refused(&with(&format!("{name}: {{ key: a.pub }}"), "signatures: {}"));
        assert!(error.what.starts_with("signer "), "{name}: {error}");
    }
    assert!(parse(&with("release-key_2.0: { key: a.pub }", "signatures: { of: [release-key_2.0] }")).is_ok());
    assert!(refused(&with("a: { key: a.pub }, a: { key: b.pub }", "signatures: {}")).what.contains("duplicate"));
    assert!(refused(&with("", "signatures: {}")).what.contains("`spec.signers` is empty"));
}

#[test]
fn s27_rules_name_signers_that_there_are() {
    for (text, key) in [
        ("signatures: { of: [a, bb] }", "signatures.of"),
        ("signatures: { required: [bb] }", "signatures.required"),
        ("attestations: { type: vuln, signers: [bb] }", "attestations.signers"),
        ("provenance: { signers: [bb] }", "provenance.signers"),
        ("vsa: { verifiers: [\"**\"], signers: [bb] }", "vsa.signers"),
    ] {
        let error = refused(&rule(text));
        assert_eq!(error.what, format!("rule \"r\": `{key}` names \"bb\", which `spec.signers` does not declare"));
        assert!(error.hint.unwrap().starts_with("did you mean `"), "{text}");
        // Without any signer nobody's word would count.
        let none =
            text.replace(", bb", "").replace("bb", "a").replace(", signers: [a]", "").replace("signers: [a]", "");
        let error = refused(&format!("{HEAD}spec: {{ rules: [{{ id: r, {none} }}] }}\n"));
        assert_eq!(error.hint.as_deref(), Some("declare signers in `spec.signers`"), "{none}: {error}");
    }
    let error = refused(&format!("{HEAD}spec: {{ rules: [{{ id: r, signatures: {{}} }}] }}\n"));
    assert!(error.what.contains("the policy has no signers"), "{error}");
}

#[test]
fn s27_a_rule_that_nobody_could_meet_or_break_is_refused() {
    for (text, says) in [
        ("signatures: { threshold: 0 }", "`signatures.threshold: 0` asks for nothing"),
        ("signatures: { threshold: 3 }", "is 3, and there are 2 signers"),
        ("signatures: { threshold: 2, of: [a] }", "is 2, and there are 1 signers"),
        ("signatures: { threshold: -1 }", "a whole number"),
        ("signatures: { of: [] }", "`signatures.of` is empty"),
        ("signatures: { of: [a, a] }", "names \"a\" twice"),
        ("signatures: { required: [] }", "`signatures.required` is empty"),
        ("signatures: { required: [a, a] }", "names \"a\" twice"),
        ("signatures: { of: [a], required: [b] }", "`signatures.required` names \"b\", which `signatures.of` does not"),
        ("signatures: { on: root }", "unknown value `root`"),
        ("attestations: { type: vuln, signers: [] }", "`attestations.signers` is empty"),
        ("attestations: { signers: [a] }", "`type` is missing"),
        ("attestations: { type: vulnn }", "unknown value `vulnn`"),
        ("attestations: { type: \"https://sigstore.dev/cosign/sign/v1\" }", "is a signature"),
        ("attestations: { type: \"https://slsa.dev/verification_summary/v0.2\" }", "is a verification summary"),
        ("attestations: { type: vuln, conditions: [] }", "`attestations.conditions` is empty"),
        ("attestations: { type: vuln, conditions: [{ path: /a }] }", "`/a` asks nothing"),
        ("attestations: { type: vuln, conditions: [{ path: a, exists: true }] }", "is no JSON pointer"),
        ("attestations: { type: vuln, conditions: [{ path: /a~2, exists: true }] }", "is no JSON pointer"),
        ("attestations: { type: vuln, conditions: [{ path: \"\", exists: true }] }", "is no JSON pointer"),
        ("attestations: { type: vuln, conditions: [{ exists: true }] }", "`path` is missing"),
        ("attestations: { type: vuln, conditions: [{ path: /a, exists: false }] }", "`exists: false`"),
        ("attestations: { type: vuln, conditions: [{ path: /a, in: [] }] }", "has an empty `in`"),
        ("attestations: { type: vuln, conditions: [{ path: /a, equals: [1] }] }", "text, numbers and truth values"),
        ("attestations: { type: vuln, conditions: [{ path: /a, equals: {} }] }", "text, numbers and truth values"),
        ("attestations: { type: vuln, conditions: [{ path: /a, atMost: \"1\" }] }", "are numbers"),
        ("attestations: { type: vuln, conditions: [{ path: /a, atMost: .nan }] }", "non-finite"),
        (
            "attestations: { type: vuln, conditions: [{ path: /a, matches: { regex: \")\" } }] }",
            "no regular expression",
        ),
        ("attestations: { type: vuln, conditions: [{ path: /a, notOlderThan: 7 }] }", "is not a duration"),
        ("provenance: { builders: [] }", "`provenance.builders` is empty"),
        ("provenance: { sources: [] }", "`provenance.sources` is empty"),
        ("provenance: { parameters: {} }", "`provenance.parameters` is empty"),
        ("provenance: { sources: [\"https://github.com/acme/app@refs/heads/main\"] }", "name those in `refs`"),
        ("provenance: { commits: [1234567] }", "text in quotes"),
        ("vsa: { verifiers: [] }", "`vsa.verifiers` is empty"),
        ("vsa: {}", "`verifiers` is missing"),
    ] {
        let error = refused(&rule(text));
        assert!(error.what.contains(says), "{text}: {error}");
    }
    let error = refused(&rule("attestations: { type: vulnn }"));
    assert_eq!(error.hint.as_deref(), Some("did you mean `vuln`?"));
    for good in [
        "signatures: {}",
        "signatures: { threshold: 2, required: [b] }",
        "attestations: { type: spdxjson, conditions: [{ path: /a, equals: 1 }] }",
        "attestations: { type: \"urn:acme:reviewed\" }",
        "provenance: {}",
    ] {
        assert!(parse(&rule(good)).is_ok(), "{good}");
    }
}

#[test]
fn s27_the_places_of_trust_are_checked() {
    let trust = |text: &str| {
        format!(
            "{HEAD}spec: {{ trust: {text}, signers: {{ a: {{ key: a.pub }} }}, rules: [{{ id: r, signatures: {{}} }}] }}\n"
        )
    };
    assert!(parse(&trust("{ roots: [root.json], repositories: [\"localhost:5000/signatures\"] }")).is_ok());
    for (text, says) in [
        ("{ roots: [] }", "`trust.roots` is empty"),
        ("{ roots: [\"\"] }", "`trust.roots` is empty"),
        ("{ repositories: [] }", "`trust.repositories` is empty"),
        ("{ repositories: [signatures] }", "is no repository"),
        ("{ repositories: [\"r.example/a:1\"] }", "is no repository"),
        ("{ repositories: [\"https://r.example/a\"] }", "is no repository"),
        ("{ root: [a] }", "unknown key `root`"),
    ] {
        let error = refused(&trust(text));
        assert!(error.what.contains(says), "{text}: {error}");
    }
}

#[test]
fn s27_words_for_predicate_types_are_those_that_cosign_writes() {
    for (word, uri) in [
        ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
        ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
        ("spdxjson", "https://spdx.dev/Document"),
        ("cyclonedx", "https://cyclonedx.org/bom"),
        ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
        ("openvex", "https://openvex.dev/ns"),
        ("link", "https://in-toto.io/Link/v1"),
        ("custom", "https://cosign.sigstore.dev/attestation/v1"),
        ("https://example.com/x", "https://example.com/x"),
    ] {
        assert_eq!(crate::predicate_type(word).as_deref(), Ok(uri));
    }
    for bad in ["", "vulns", ":x", "https://a b", "https://acme.example/**"] {
        assert!(crate::predicate_type(bad).is_err(), "{bad}");
    }
}
