//! O2: clients that are known by their certificate.

use std::fs;
use std::path::Path;

use engine::{ClaimPattern, Grant, IdentityRule, IdentitySettings, Role};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use server::{Certificate, RunSettings, TlsFiles};

use crate::stage::{How, READER, Served, served};

type Authority = Issuer<'static, KeyPair>;

fn authority(file: &Path) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "clients");
    fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

/// A client's certificate and key.
fn client(authority: &Authority, uri: &str, name: &str, over: bool) -> reqwest::Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if over {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let made = params.signed_by(&key, authority).unwrap();
    reqwest::Identity::from_pem(format!("{}{}", made.pem(), key.serialize_pem()).as_bytes()).unwrap()
}

async fn who(
    served: &Served,
    trusted: &[u8],
    identity: Option<reqwest::Identity>,
    token: Option<&str>,
) -> Option<(u16, String)> {
    let builder = reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(trusted).unwrap()]);
    let builder = identity.into_iter().fold(builder, reqwest::ClientBuilder::identity);
    let request = builder.build().unwrap().get(format!("https://localhost:{}/api/v1/whoami", served.address.port()));
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let response = request.send().await.ok()?;
    Some((response.status().as_u16(), response.text().await.ok()?))
}

#[tokio::test]
async fn o2_a_client_is_known_by_a_certificate_of_the_authority_of_clients() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(at("tls.crt"), made.cert.pem()).unwrap();
    fs::write(at("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let ours = authority(&at("clients.pem"));
    let theirs = authority(&at("others.pem"));
    let files = TlsFiles { certificate: at("tls.crt"), key: at("tls.key"), clients: vec![at("clients.pem")] };
    let run = RunSettings { certificate: Some(Certificate::read(files).unwrap()), ..RunSettings::default() };
    let when = [("uri".to_owned(), ClaimPattern::parse("spiffe://house/ci/*").unwrap())].into();
    let rule = IdentityRule { when, grants: vec![Grant::everywhere(Role::Ci)] };
    let identities = IdentitySettings { issuers: Vec::new(), certificates: vec![rule] };
    let served = served(How { anonymous_reads: false, identities, run, ..How::default() }).await;
    let pem = made.cert.pem().into_bytes();

    let known = client(&ours, "spiffe://house/ci/builder", "builder", false);
    let (status, body) = who(&served, &pem, Some(known.clone()), None).await.unwrap();
    assert!(status == 200 && body.contains("mtls:spiffe://house/ci/builder"), "{status} {body}");
    // Who says who they are by a token is that.
    let (_, body) = who(&served, &pem, Some(known.clone()), Some(READER)).await.unwrap();
    assert!(body.contains("\"reader\""), "{body}");
    assert_eq!(who(&served, &pem, Some(known), Some("guess")).await.unwrap().0, 401, "a wrong token is no certificate");
    assert_eq!(who(&served, &pem, None, None).await.unwrap().0, 401, "nobody");
    let (status, body) =
        who(&served, &pem, Some(client(&ours, "spiffe://house/web", "web", false)), None).await.unwrap();
    assert!(status == 403 && body.contains("spiffe://house/web"), "{status} {body}");
    for bad in [
        client(&theirs, "spiffe://house/ci/builder", "builder", false),
        client(&ours, "spiffe://house/ci/builder", "builder", true),
    ] {
        assert_eq!(who(&served, &pem, Some(bad), None).await, None, "no connection at all");
    }
}
