//! What the authority promises to tests: the same roots for the same seed, and one change for each fault.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn subject() -> String {
    format!("sha256:{}", hex::encode(sha256(b"an image")))
}

#[test]
fn one_seed_has_one_trusted_root_and_two_seeds_share_nothing() {
    assert_eq!(Authority::new("a").trusted_root(), Authority::new("a").trusted_root());
    assert_eq!(Authority::new("a").public_key(), Authority::new("a").public_key());
    let values = |seed: &str| -> BTreeSet<String> {
        let root: Value = serde_json::from_slice(&Authority::new(seed).trusted_root()).unwrap();
        let text = serde_json::to_string_pretty(&root).unwrap();
        text.lines().filter(|line| line.contains("rawBytes") || line.contains("keyId")).map(str::to_owned).collect()
    };
    assert_eq!(values("a").len(), 10, "2 logs, 2 authorities, 1 certificate log, 2 for timestamps; 3 ids");
    assert!(values("a").is_disjoint(&values("b")));
}

#[test]
fn faults_have_names_of_their_own() {
    let names: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    assert_eq!(names.len(), Fault::ALL.len());
    for fault in Fault::ALL {
        assert_eq!(Fault::from_name(fault.name()), Some(*fault));
    }
    assert_eq!(Fault::from_name("none"), None);
}

#[test]
fn a_bundle_holds_what_was_asked_for() {
    let authority = Authority::new("a");
    let pointer = |request: &Request, pointer: &str| -> Option<Value> {
        serde_json::from_slice::<Value>(&authority.bundle(request)).unwrap().pointer(pointer).cloned()
    };
    let kind = |request: &Request| pointer(request, "/verificationMaterial/tlogEntries/0/kindVersion/kind");
    let image = Request::image(&subject());
    assert_eq!(kind(&image).unwrap(), "dsse");
    assert_eq!(kind(&Request { entry: Entry::Intoto, ..image.clone() }).unwrap(), "intoto");
    assert_eq!(kind(&Request { entry: Entry::Nowhere, ..image.clone() }), None);
    assert_eq!(kind(&Request { content: Content::Message, ..image.clone() }).unwrap(), "hashedrekord");
    assert!(pointer(&image, "/verificationMaterial/certificate").is_some());
    assert!(pointer(&image.clone().by_key(), "/verificationMaterial/publicKey/hint").is_some());
    assert!(pointer(&image, "/verificationMaterial/timestampVerificationData").is_none());
    let stamped = Request { timestamp: true, ..image.clone() };
    assert!(pointer(&stamped, "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0").is_some());

    let layer = authority.layer(&image);
    assert!(String::from_utf8(layer.bytes).unwrap().contains(&subject()));
    assert_eq!(
        layer.annotations.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "dev.cosignproject.cosign/signature",
            "dev.sigstore.cosign/bundle",
            "dev.sigstore.cosign/certificate",
            "dev.sigstore.cosign/chain",
        ]
    );
}
