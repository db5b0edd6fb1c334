//! Trust policy documents: which are taken, and that none is taken for more than it says.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

type Case = (&'static str, fn(&mut Value));

fn document() -> Value {
    json!({
        "version": "1.0",
        "trustPolicies": [
            {
                "name": "app",
                "registryScopes": ["registry.example.com/team/app", "localhost:5000/app"],
                "signatureVerification": { "level": "strict" },
                "trustStores": ["ca:acme", "signingAuthority:aws", "tsa:globalsign"],
                "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme\\, Inc., CN=builder"],
            },
            {
                "name": "unsigned",
                "registryScopes": ["registry.example.com/unsigned"],
                "signatureVerification": { "level": "skip" },
            },
            {
                "name": "rest",
                "registryScopes": ["*"],
                "signatureVerification": {
                    "level": "permissive",
                    "override": { "expiry": "enforce" },
                    "verifyTimestamp": "afterCertExpiry",
                },
                "trustStores": ["ca:acme", "tsa:globalsign"],
                "trustedIdentities": ["*"],
            },
        ],
    })
}

fn read(document: &Value, scope: &str) -> Result<NotationSigner, TrustPolicyError> {
    trust_policy(document.to_string().as_bytes(), scope)
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<NotationSigner, TrustPolicyError> {
    let mut document = document();
    change(&mut document);
    read(&document, "registry.example.com/team/app")
}

#[test]
fn s27_the_entry_of_the_repository_comes_before_the_global_one() {
    let app = read(&document(), "registry.example.com/team/app").unwrap();
    assert_eq!(app.stores, [(StoreKind::Ca, "acme".to_owned()), (StoreKind::SigningAuthority, "aws".to_owned())]);
    assert_eq!(app.timestamp_stores, ["globalsign"]);
    assert_eq!(app.identities, ["x509.subject: C=US, ST=WA, O=acme\\, Inc., CN=builder"]);
    assert_eq!((app.name.as_str(), app.strict, app.timestamp_required), ("app", true, true));
    let rest = read(&document(), "registry.example.com/team/app/more").unwrap();
    assert_eq!((rest.name.as_str(), rest.strict, rest.timestamp_required), ("rest", false, false));
    assert_eq!(rest.identities, ["*"]);
}

#[test]
fn s27_entries_that_let_every_signer_through_are_refused() {
    assert!(read(&document(), "registry.example.com/unsigned").unwrap_err().0.contains("skip"));
    let level = |level: Value| changed(|document| document["trustPolicies"][0]["signatureVerification"] = level);
    for bad in [
        json!({ "level": "audit" }),
        json!({ "level": "audit", "override": { "revocation": "enforce" } }),
        json!({ "level": "strict", "override": { "authenticity": "log" } }),
        json!({ "level": "strict", "override": { "authenticity": "skip" } }),
        json!({ "level": "strict", "override": { "integrity": "log" } }),
        json!({ "level": "strict", "override": { "expiry": "skip" } }),
        json!({ "level": "skip", "override": { "expiry": "log" } }),
        json!({ "level": "Strict" }),
        json!({ "level": "strict", "overrides": {} }),
        json!({ "level": "strict", "verifyTimestamp": "never" }),
        json!({}),
    ] {
        assert!(level(bad.clone()).is_err(), "{bad}");
    }
    assert!(!level(json!({ "level": "strict", "override": { "revocation": "skip" } })).unwrap().strict);
    assert!(level(json!({ "level": "permissive", "override": { "revocation": "enforce" } })).unwrap().strict);
}

#[test]
fn s27_documents_against_the_specification_are_refused() {
    let cases: [Case; 20] = [
        ("version", |d| d["version"] = json!("1.1")),
        ("unknown member", |d| d["more"] = json!(1)),
        ("unknown member of an entry", |d| d["trustPolicies"][0]["globalPolicy"] = json!(true)),
        ("no name", |d| d["trustPolicies"][0]["name"] = json!("")),
        ("two of a name", |d| d["trustPolicies"][1]["name"] = json!("app")),
        ("two of a scope", |d| d["trustPolicies"][1]["registryScopes"] = json!(["localhost:5000/app"])),
        ("no scope", |d| d["trustPolicies"][1]["registryScopes"] = json!([])),
        ("a pattern", |d| d["trustPolicies"][1]["registryScopes"] = json!(["registry.example.com/*"])),
        ("a tag", |d| d["trustPolicies"][1]["registryScopes"] = json!(["registry.example.com/a:1"])),
        ("no registry", |d| d["trustPolicies"][1]["registryScopes"] = json!(["app"])),
        ("all and one", |d| d["trustPolicies"][2]["registryScopes"] = json!(["*", "a.example/b"])),
        ("skip for all", |d| d["trustPolicies"][2]["signatureVerification"] = json!({ "level": "skip" })),
        ("no store", |d| d["trustPolicies"][0]["trustStores"] = json!([])),
        ("tsa alone", |d| d["trustPolicies"][0]["trustStores"] = json!(["tsa:a"])),
        ("another type", |d| d["trustPolicies"][0]["trustStores"] = json!(["x509:a"])),
        ("a way out", |d| d["trustPolicies"][0]["trustStores"] = json!(["ca:../ca2", "ca:a"])),
        ("a way up", |d| d["trustPolicies"][0]["trustStores"] = json!(["ca:.."])),
        ("no identity", |d| d["trustPolicies"][0]["trustedIdentities"] = json!([])),
        ("all and one identity", |d| {
            d["trustPolicies"][0]["trustedIdentities"] = json!(["*", "x509.subject: C=US, ST=WA, O=a"]);
        }),
        ("an error in another entry", |d| d["trustPolicies"][2]["trustStores"] = json!("ca:a")),
    ];
    for (what, change) in cases {
        assert!(changed(change).is_err(), "{what}");
    }
    for bad in [
        json!(["acme"]),
        json!(["x509.subject: C=US, ST=WA"]),
        json!(["x509.subject: C=US, ST=WA, O="]),
        json!(["x509.subject: C=US, ST=WA, O=a, O=b"]),
        json!(["x509.subject: C=US, ST=WA, O=a", "x509.subject: C=US, ST=WA, O=a, CN=b"]),
        json!(["x509.subject: C=US, S=WA, O=a", "x509.subject: C=US, ST=WA, O=a"]),
    ] {
        assert!(changed(|d| d["trustPolicies"][0]["trustedIdentities"] = bad.clone()).is_err(), "{bad}");
    }
    let twice = document().to_string().replacen("\"version\"", "\"version\":\"1.0\",\"version\"", 1);
    assert!(trust_policy(twice.as_bytes(), "localhost:5000/app").unwrap_err().0.contains("twice"));
    let mut alone = document();
    alone["trustPolicies"].as_array_mut().unwrap().truncate(1);
    assert!(read(&alone, "registry.example.com/other").unwrap_err().0.contains("no entry"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn b15_no_bytes_panic_the_reader_of_trust_policies(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..1000) {
        let _ = trust_policy(&bytes, "localhost:5000/app");
        let mut mixed = document().to_string().into_bytes();
        let at = at % mixed.len();
        mixed.splice(at..at, bytes);
        let _ = trust_policy(&mixed, "localhost:5000/app");
    }
}
