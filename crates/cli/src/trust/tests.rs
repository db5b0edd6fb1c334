//! Which files policies name, and what becomes of one that is missing or something else.

use std::fs;

use policy::PolicySet;
use trust::SigningKey;

use super::*;
use crate::exit::Exit;

fn policy(spec: &str) -> PolicySet {
    let text = format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: p }}\nspec:\n{spec}\n  rules: [{{ id: r, config: {{ nonRoot: true }} }}]\n"
    );
    PolicySet::from_documents(&[("p.yaml".to_owned(), text)]).unwrap()
}

#[test]
fn s27_files_lie_beside_the_policy_and_inline_keys_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let pair = SigningKey::generate(None).unwrap();
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(folder.path().join("keys/release.pub"), &pair.public).unwrap();
    let inline = pair.public.replace('\n', "\\n");
    let set = policy(&format!(
        "  signers:\n    a: {{ key: keys/release.pub }}\n    b: {{ key: \"{inline}\" }}\n    c: {{ key: \"awskms:///alias/c\" }}"
    ));
    let path = folder.path().join("p.yaml");
    let inputs = inputs(&set, std::slice::from_ref(&path)).unwrap();
    let names: Vec<String> = inputs.material.keys.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["p/a", "p/b"]);
    assert_eq!(inputs.material.keys[0].1.id(), inputs.material.keys[1].1.id());
    assert_eq!(inputs.kms[0].1, "awskms:///alias/c");
    assert!(inputs.material.roots.is_empty() && inputs.roots.is_empty(), "no signer needs a root");
    assert_eq!(files(&set, &path), [folder.path().join("keys/release.pub")]);
}

#[test]
fn s27_a_keyless_signer_has_the_public_root_unless_the_policy_names_others() {
    let signers =
        "  signers:\n    ci: { keyless: { issuer: \"https://issuer.example\", identity: \"https://ci.example/**\" } }";
    let found = inputs(&policy(signers), &[]).unwrap();
    assert_eq!(found.material.roots.len(), 1);
    assert!(found.roots["p"].is_ok());
    let set = policy(&format!("  trust: {{ roots: [root.json, sigstore-public-good] }}\n{signers}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let missing = inputs(&set, std::slice::from_ref(&path)).unwrap_err();
    assert_eq!(missing.exit, Exit::Configuration);
    assert!(missing.what.contains("root.json cannot be read"), "{}", missing.what);
    fs::write(folder.path().join("root.json"), "{}").unwrap();
    let broken = inputs(&set, std::slice::from_ref(&path)).unwrap_err();
    assert_eq!(broken.exit, Exit::Configuration);
    assert!(broken.what.contains("root.json"), "{}", broken.what);
}

#[test]
fn s27_what_is_no_key_or_certificate_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let pair = SigningKey::generate(None).unwrap();
    fs::write(folder.path().join("private.key"), &pair.private).unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    fs::write(folder.path().join("large"), vec![b'-'; (64 << 10) + 1]).unwrap();
    let x509 =
        |certificate: &str| format!("  signers: {{ a: {{ x509: {{ type: ca, certificates: [{certificate}] }} }} }}");
    for (spec, why) in [
        ("  signers: { a: { key: private.key } }".to_owned(), "private.key"),
        ("  signers: { a: { key: empty } }".to_owned(), "empty"),
        ("  signers: { a: { key: large } }".to_owned(), "larger than"),
        ("  signers: { a: { key: gone.pub } }".to_owned(), "cannot be read"),
        (x509("empty"), "holds no CERTIFICATE"),
        (x509("private.key"), "where CERTIFICATE is asked for"),
        (x509("gone.pem"), "cannot be read"),
    ] {
        let failure = inputs(&policy(&spec), std::slice::from_ref(&path)).unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration, "{spec}");
        assert!(failure.what.contains(why), "{spec}: {}", failure.what);
        assert!(!failure.what.contains("PRIVATE KEY-----\n"), "a private key is never shown");
    }
}
