//! The bundle cases of the sigstore-conformance suite: a folder whose name ends in `_fail` has to be refused.

use std::fs;
use std::path::Path;

use model::Digest;
use trust::{Conformance, ConformanceError, Expected, SigstoreRoot};

use crate::common::outside;

const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn text(path: &Path, otherwise: &str) -> String {
    if path.exists() { fs::read_to_string(path).unwrap().trim().to_owned() } else { otherwise.to_owned() }
}

#[test]
fn s27_the_conformance_suites_bundles() {
    let Some(folder) = outside("the conformance suite's bundles") else { return };
    let sigstore = folder.join("sigstore");
    let mut cases = 0;
    for case in fs::read_dir(sigstore.join("bundle-verify")).unwrap() {
        let case = case.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let own = case.join("trusted_root.json");
        let root = if own.exists() { own } else { sigstore.join("trusted_root.json") };
        let root = SigstoreRoot::parse(&name, &fs::read(root).unwrap()).unwrap();
        let own = case.join("artifact");
        let artifact = fs::read(if own.exists() { own } else { sigstore.join("bundle-verify/a.txt") }).unwrap();
        let digest = Digest::of(&artifact);
        let bundle = fs::read(case.join("bundle.sigstore.json")).unwrap();
        let (identity, issuer) = (text(&case.join("identity"), BEACON), text(&case.join("issuer"), GITHUB));
        let key = case.join("key.pub");
        let key = key.exists().then(|| fs::read(key).unwrap());
        let question = |identity| {
            let expected = match &key {
                Some(key) => Expected::KeyFile(key),
                None => Expected::Identity { identity, issuer: &issuer },
            };
            Conformance { bundle: &bundle, expected, root: &root }
        };
        for answer in [question(&identity).verify(&artifact), question(&identity).verify_digest(&digest)] {
            let right = match &answer {
                Ok(()) => !name.ends_with("_fail"),
                Err(ConformanceError::Refused(_)) => name.ends_with("_fail"),
                Err(ConformanceError::Undecided(_)) => false,
            };
            assert!(right, "{name}: {answer:?}");
        }
        let mut near_misses =
            vec![question(&identity).verify_digest(&Digest::of(b"another")), question(&identity).verify(b"a")];
        if key.is_none() {
            let longer = format!("{identity}x");
            near_misses.extend([question(&longer).verify(&artifact), question(&identity[1..]).verify(&artifact)]);
        }
        for answer in near_misses {
            assert!(matches!(answer, Err(ConformanceError::Refused(_))), "{name}, nearly right: {answer:?}");
        }
        cases += 1;
    }
    assert!(cases >= 14, "only {cases} cases in {}", sigstore.display());
}
