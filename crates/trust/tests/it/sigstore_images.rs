//! Two images whose provenance was signed in public by the SLSA container generator, and a bundle from a registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{CertificateIdentity, Digest, ReasonCode, SignatureFormat, Signed, Signer, TimeSource};
use serde_json::Value;
use trust::{Material, SigstoreRoot};

use crate::common::{Found, image, material, outside};

/// Every attestation beside the image of a layout as cosign saves it.
fn attestations(layout: &Path) -> (Digest, Vec<Found>) {
    let json = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let blob =
        |digest: &Value| layout.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"));
    let index = json(&layout.join("index.json"));
    let kind = |kind: &str| {
        let kind = format!("dev.cosignproject.cosign/{kind}");
        let manifests = index["manifests"].as_array().unwrap();
        manifests.iter().find(|manifest| manifest["annotations"]["kind"] == kind.as_str()).unwrap()["digest"].clone()
    };
    let manifest = json(&blob(&kind("atts")));
    let layers = manifest["layers"].as_array().unwrap().iter().map(|layer| Found {
        format: SignatureFormat::DsseEnvelope,
        bytes: fs::read(blob(&layer["digest"])).unwrap(),
        annotations: serde_json::from_value::<BTreeMap<_, _>>(layer["annotations"].clone()).unwrap(),
    });
    (kind("imageIndex").as_str().unwrap().parse().unwrap(), layers.collect())
}

#[test]
fn s27_provenance_signed_in_public_names_its_builder_and_its_time() {
    let Some(folder) = outside("the SLSA images") else { return };
    let public = material(&[], true);
    for version in ["v1.10.0", "v2.1.0"] {
        let layout = folder.join("slsa-images").join(version).join("container_workflow_dispatch");
        let (digest, found) = attestations(&layout);
        assert_eq!(found.len(), 1);
        let authentic = found[0].verify(&public, &digest).unwrap();
        let proof = authentic.proof();
        let Signer::Keyless { identity, issuer, claims, .. } = &proof.signer else { panic!("{proof:?}") };
        let workflow =
            "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml";
        assert_eq!(*identity, CertificateIdentity::Uri(format!("{workflow}@refs/tags/{version}")));
        assert_eq!(issuer, "https://token.actions.githubusercontent.com");
        assert_eq!(claims["sourceRepositoryUri"], "https://github.com/slsa-framework/example-package");
        assert!(claims["sourceRepositoryRef"].starts_with("refs/"));
        assert!(["push", "workflow_dispatch"].contains(&claims["buildTrigger"].as_str()), "{claims:?}");
        assert_eq!(proof.proven.len(), 1);
        assert_eq!(proof.proven[0].by, TimeSource::TransparencyLog);
        let (from, to) = proof.window.unwrap();
        assert!(from <= proof.proven[0].at && proof.proven[0].at <= to);
        assert_eq!(proof.log.as_ref().unwrap().index, if version == "v1.10.0" { 80_008_005 } else { 174_304_112 });
        let Signed::Statement(statement) = authentic.content() else { panic!("an attestation is no signature") };
        assert_eq!(statement.predicate_type, "https://slsa.dev/provenance/v0.2");
        assert_eq!(statement.subjects, std::slice::from_ref(&digest));
        assert!(serde_json::from_slice::<Value>(&statement.predicate).unwrap()["builder"]["id"].is_string());

        assert_eq!(found[0].refused(&public, &image()), ReasonCode::SignatureOtherImage);
        assert_eq!(found[0].refused(&Material::none(), &digest), ReasonCode::TrustRootMissing);
        near_misses(&found[0], &public, &digest);
    }
}

/// What an attacker could change beside the envelope.
fn near_misses(found: &Found, public: &Material, digest: &Digest) {
    let with = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut found = found.clone();
        let name = format!("dev.sigstore.cosign/{name}");
        let changed = change(&found.annotations[&name]);
        assert_ne!(found.annotations[&name], changed, "{name}");
        found.annotations.insert(name, changed);
        found.refused(public, digest)
    };
    let later = |entry: &str| {
        let mut entry: Value = serde_json::from_str(entry).unwrap();
        entry["Payload"]["integratedTime"] = (entry["Payload"]["integratedTime"].as_i64().unwrap() + 1).into();
        entry.to_string()
    };
    assert_eq!(with("bundle", &later), ReasonCode::SignatureLogInvalid);
    assert_eq!(with("bundle", &|_| String::new()), ReasonCode::SignatureLogMissing);
    let other_log = |entry: &str| {
        let mut entry: Value = serde_json::from_str(entry).unwrap();
        entry["Payload"]["logID"] = "00".repeat(32).into();
        entry.to_string()
    };
    assert_eq!(with("bundle", &other_log), ReasonCode::SignatureLogUnknown);
    assert_eq!(with("certificate", &|text| text.repeat(2)), ReasonCode::SignatureMalformed);
    assert_eq!(with("certificate", &|_| String::new()), ReasonCode::SignatureUnknownKey);
    let mut spaced = found.clone();
    spaced.bytes.push(b'\n');
    assert_eq!(spaced.refused(public, digest), ReasonCode::SignatureLogInvalid, "the log knows another envelope");
}

#[test]
fn s27_of_several_roots_the_one_that_fits_counts() {
    let Some(folder) = outside("the SLSA images with several roots") else { return };
    let (digest, found) = attestations(&folder.join("slsa-images/v2.1.0/container_workflow_dispatch"));
    let private = fs::read(folder.join("sigstore/bundle-verify/rekor2-happy-path/trusted_root.json")).unwrap();
    let private = SigstoreRoot::parse("private", &private).unwrap();
    let public = SigstoreRoot::public_good().unwrap();
    let mut both = Material { roots: vec![private.clone(), public.clone()], ..Material::none() };
    assert!(found[0].verify(&both, &digest).is_ok());
    both.roots.reverse();
    assert!(found[0].verify(&both, &digest).is_ok());
}

#[test]
fn s27_a_bundle_from_a_registry_is_about_exactly_its_image() {
    let Some(folder) = outside("the OCI attestation") else { return };
    let bytes = fs::read(folder.join("sigstore/oci-attestation.sigstore.json")).unwrap();
    let found = Found::bundle(bytes.clone());
    assert_eq!(found.refused(&material(&[], true), &image()), ReasonCode::SignatureOtherImage);
    let bundle: Value = serde_json::from_slice(&bytes).unwrap();
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let digest = format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap()).parse().unwrap();
    let authentic = found.verify(&material(&[], true), &digest).unwrap();
    assert!(matches!(authentic.content(), Signed::Statement(statement) if statement.subjects == [digest]));
    let Signer::Keyless { identity, .. } = &authentic.proof().signer else { panic!("{:?}", authentic.proof()) };
    assert!(matches!(identity, CertificateIdentity::Email(_)), "an address is no URI: {identity:?}");
}
