//! Which flags name whom.

use std::fs;

use clap::Parser;

use super::*;
use crate::exit::Exit;

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    signers: SignerArgs,
}

fn words(flags: &[&str]) -> Result<Option<SignedBy>, Failure> {
    let flags = Flags::try_parse_from(std::iter::once("x").chain(flags.iter().copied())).unwrap();
    flags.signers.words("registry.example.com/team/app", Some("production".to_owned()))
}

#[test]
fn s27_flags_become_the_words_of_a_policy() {
    assert_eq!(words(&[]).unwrap(), None);
    let named = words(&[
        "--key",
        "a.pub",
        "--key",
        "awskms:///alias/b",
        "--certificate-identity-regexp",
        "https://github.com/acme/.*",
        "--certificate-oidc-issuer",
        "https://token.actions.githubusercontent.com",
        "--trusted-root",
        "root.json",
        "--signature-repository",
        "registry.example.com/signatures",
        "--transparency-log",
    ])
    .unwrap()
    .unwrap();
    assert_eq!(named.keys, ["a.pub", "awskms:///alias/b"]);
    let issuer = "https://token.actions.githubusercontent.com".to_owned();
    let identity = Wanted::Regex("https://github.com/acme/.*".to_owned());
    assert_eq!(named.keyless, Some((identity, Wanted::Exact(issuer))));
    assert_eq!((named.any, named.transparency_log), (false, true), "every signer is asked for");
    assert!(words(&["--key", "a.pub", "--any-signer"]).unwrap().unwrap().any);
}

#[test]
fn s27_flags_that_name_nobody_or_everybody_are_wrong_usage() {
    for flags in [
        &["--certificate-identity", "a@example.com"][..],
        &["--certificate-oidc-issuer", "https://issuer.example"],
        &["--certificate-identity", "", "--certificate-oidc-issuer", "https://issuer.example"],
        &["--trusted-root", "root.json"],
        &["--any-signer"],
        &["--transparency-log"],
        &["--key", "gcpkms://projects/p"],
    ] {
        assert_eq!(words(flags).unwrap_err().exit, Exit::Usage, "{flags:?}");
    }
}

/// A trust policy and a trust store; the flags that name them.
fn notation(folder: &Path, verification: &str, stores: &str) -> [String; 4] {
    let policy = folder.join("trustpolicy.json");
    let document = format!(
        r#"{{"version": "1.0", "trustPolicies": [{{"name": "app", "registryScopes": ["registry.example.com/team/app"],
        "signatureVerification": {verification}, "trustStores": {stores},
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]}}]}}"#
    );
    fs::write(&policy, document).unwrap();
    for store in ["ca/acme", "ca/other", "signingAuthority/acme", "tsa/acme"] {
        let store = folder.join("x509").join(store);
        fs::create_dir_all(&store).unwrap();
        fs::write(store.join("root.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    ["--notation-trust-policy".to_owned(), text(&policy), "--notation-trust-store".to_owned(), text(folder)]
}

#[test]
fn s27_notations_trust_policy_becomes_one_signer_for_each_kind_of_store() {
    let folder = tempfile::tempdir().unwrap();
    let permissive = r#"{"level": "permissive"}"#;
    let flags = notation(folder.path(), permissive, r#"["ca:acme", "ca:other"]"#);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let named = words(&flags).unwrap().unwrap();
    assert_eq!(named.x509.len(), 1);
    assert_eq!(named.x509[0].certificates.len(), 2, "of several stores any will do");
    assert_eq!(named.x509[0].subjects, ["C=US, ST=WA, O=acme"]);
    assert!(!named.any && !named.x509[0].strict);
    let flags = notation(folder.path(), permissive, r#"["ca:acme", "signingAuthority:acme"]"#);
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let named = words(&flags).unwrap().unwrap();
    assert_eq!((named.x509.len(), named.any), (2, true));
    flags.extend(["--key", "a.pub"]);
    assert_eq!(words(&flags).unwrap_err().exit, Exit::Usage, "one of the kinds and the key cannot be said");
}

#[test]
fn s27_what_notation_asks_for_beside_the_signer_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (verification, stores, strict, timestamp) in [
        (r#"{"level": "strict"}"#, r#"["ca:acme"]"#, true, false),
        (r#"{"level": "strict", "override": {"revocation": "log"}}"#, r#"["ca:acme"]"#, false, false),
        (r#"{"level": "permissive"}"#, r#"["ca:acme", "tsa:acme"]"#, false, true),
        (
            r#"{"level": "permissive", "verifyTimestamp": "afterCertExpiry"}"#,
            r#"["ca:acme", "tsa:acme"]"#,
            false,
            false,
        ),
    ] {
        let flags = notation(folder.path(), verification, stores);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let named = words(&flags).unwrap().unwrap();
        assert_eq!((named.x509[0].strict, named.x509[0].timestamp), (strict, timestamp), "{verification}");
        policy::PolicySet::from_documents(&[("x".to_owned(), policy::signed_by(&named))]).unwrap();
    }
}

#[test]
fn s27_a_trust_policy_that_looks_away_or_a_store_that_is_missing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (verification, stores, why) in
        [(r#"{"level": "audit"}"#, r#"["ca:acme"]"#, "audit"), (r#"{"level": "permissive"}"#, r#"["ca:gone"]"#, "gone")]
    {
        let flags = notation(folder.path(), verification, stores);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let failure = words(&flags).unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration, "{verification} {stores}");
        assert!(failure.what.contains(why), "{verification} {stores}: {}", failure.what);
    }
}
