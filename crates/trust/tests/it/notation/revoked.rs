//! Revocation lists.

use model::{Revocation, SignatureFormat, Signer};
use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, KeyIdMethod,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use trust::{StoreKind, TrustStore};

use super::mint::{Authority, Builder, subject};
use super::{image, store, verifier};

const SERIAL: u64 = 4711;

fn list(issuer: &Authority, change: impl FnOnce(&mut CertificateRevocationListParams)) -> Vec<u8> {
    let mut params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 6, 1),
        next_update: date_time_ymd(2026, 7, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    change(&mut params);
    params.signed_by(&issuer.issuer()).unwrap().der().to_vec()
}

fn revoking(serial: u64) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2026, 5, 1),
        reason_code: None,
        invalidity_date: None,
    }
}

fn part(uri: &str, scope: Option<CrlScope>) -> CrlIssuingDistributionPoint {
    CrlIssuingDistributionPoint { distribution_point: CrlDistributionPoint { uris: vec![uri.to_owned()] }, scope }
}

struct Scene {
    root: Authority,
    intermediate: Authority,
    builder: Builder,
}

fn scene() -> Scene {
    let root = Authority::root("root");
    let intermediate = root.authority("signing", |p| p.serial_number = Some(SerialNumber::from(SERIAL)));
    let builder = intermediate.builder_with(|p| {
        p.serial_number = Some(SerialNumber::from(SERIAL));
        p.crl_distribution_points = vec![CrlDistributionPoint { uris: vec!["http://crl.example/1".to_owned()] }];
    });
    Scene { root, intermediate, builder }
}

fn revocation(scene: &Scene, lists: Vec<Vec<u8>>) -> Revocation {
    let anchored = store("corp", StoreKind::Ca, std::slice::from_ref(&scene.root.der));
    let stores = vec![TrustStore { revocation_lists: lists, ..anchored }];
    let answer = super::verify(&verifier(stores), &subject(), SignatureFormat::NotationJws, &scene.builder.jws());
    match &image(&answer).1.signer {
        Signer::X509 { revocation, .. } => revocation.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn s27_lists_of_every_issuer_prove_that_nothing_is_revoked() {
    let scene = scene();
    let (root, intermediate) =
        (list(&scene.root, |_| {}), list(&scene.intermediate, |p| p.next_update = date_time_ymd(2026, 8, 1)));
    let good = Revocation::Good { until: "2026-07-01T00:00:00Z".parse().unwrap() };
    assert_eq!(revocation(&scene, vec![root.clone(), intermediate.clone()]), good);
    assert_eq!(revocation(&scene, vec![root.clone()]), Revocation::NotAsked); // the leaf names a service
    assert_eq!(revocation(&scene, vec![intermediate.clone()]), Revocation::NotChecked);
    assert_eq!(revocation(&scene, Vec::new()), Revocation::NotAsked);
    let newer = list(&scene.root, |p| p.next_update = date_time_ymd(2026, 9, 1));
    let later = Revocation::Good { until: "2026-08-01T00:00:00Z".parse().unwrap() };
    assert_eq!(revocation(&scene, vec![root, intermediate, newer]), later);
}

#[test]
fn s27_a_list_that_names_a_certificate_revokes_it() {
    let scene = scene();
    let since = |text: &str| Revocation::Revoked { since: text.parse().unwrap() };
    let clean = list(&scene.root, |_| {});
    let leaf = list(&scene.intermediate, |p| p.revoked_certs = vec![revoking(1), revoking(SERIAL)]);
    assert_eq!(revocation(&scene, vec![clean.clone(), leaf.clone()]), since("2026-05-01T00:00:00Z"));
    assert_eq!(
        revocation(&scene, vec![leaf.clone()]),
        since("2026-05-01T00:00:00Z"),
        "revoked, whatever else is unknown"
    );
    let above = list(&scene.root, |p| {
        p.revoked_certs =
            vec![RevokedCertParams { invalidity_date: Some(date_time_ymd(2026, 4, 1)), ..revoking(SERIAL) }];
    });
    assert_eq!(revocation(&scene, vec![above, leaf]), since("2026-04-01T00:00:00Z"));
    let others = list(&scene.intermediate, |p| p.revoked_certs = vec![revoking(1)]);
    assert!(matches!(revocation(&scene, vec![clean, others]), Revocation::Good { .. }));
}

#[test]
fn s27_lists_by_others_say_nothing() {
    let scene = scene();
    let twin = Authority::root("signing");
    let forged = list(&twin, |p| p.revoked_certs = vec![revoking(SERIAL)]);
    let clean = list(&twin, |_| {});
    let root = list(&scene.root, |_| {});
    assert_eq!(revocation(&scene, vec![root.clone(), forged]), Revocation::NotAsked);
    assert_eq!(revocation(&scene, vec![root, clean]), Revocation::NotAsked);
}

#[test]
fn s27_lists_of_a_part_prove_nothing_of_the_rest_and_still_revoke() {
    let scene = scene();
    let root = list(&scene.root, |_| {});
    let of = |uri: &str, scope, revoked: Vec<RevokedCertParams>| {
        let list = list(&scene.intermediate, |p| {
            p.issuing_distribution_point = Some(part(uri, scope));
            p.revoked_certs = revoked;
        });
        revocation(&scene, vec![root.clone(), list])
    };
    let (here, elsewhere) = ("http://crl.example/1", "http://crl.example/2");
    assert!(matches!(of(here, None, Vec::new()), Revocation::Good { .. }));
    assert!(matches!(of(here, Some(CrlScope::UserCertsOnly), Vec::new()), Revocation::Good { .. }));
    assert_eq!(of(here, Some(CrlScope::CaCertsOnly), Vec::new()), Revocation::NotAsked);
    assert_eq!(of(elsewhere, None, Vec::new()), Revocation::NotAsked);
    assert!(matches!(of(elsewhere, None, vec![revoking(SERIAL)]), Revocation::Revoked { .. }));
}

#[test]
fn s27_an_issuer_that_may_not_sign_lists_proves_nothing_by_one() {
    let root = Authority::root_with("root", |p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    // rcgen refuses to sign such a list: it is signed by a twin that has the same name and key, and may.
    let mut twin = Authority::root("root");
    let builder = root.builder();
    twin.params.key_usages.push(KeyUsagePurpose::CrlSign);
    twin.key = rcgen::KeyPair::try_from(root.key.serialize_der()).unwrap();
    let clean = list(&twin, |_| {});
    let scene = Scene { intermediate: Authority::root("unused"), root, builder };
    assert_eq!(revocation(&scene, vec![clean]), Revocation::NotChecked);
}
