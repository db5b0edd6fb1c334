//! HTTPS with a certificate that is replaced while the server runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use server::{Certificate, RunSettings, TlsFiles};

use crate::stage::{How, Served, served};

/// A certificate for `localhost` in a folder; its PEM form.
fn certificate(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem().into_bytes()
}

/// The status and version over a new connection that trusts this certificate alone.
async fn asked(served: &Served, trusted: &[u8]) -> Option<(u16, reqwest::Version)> {
    let trusted = reqwest::Certificate::from_pem(trusted).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let url = format!("https://localhost:{}/readyz", served.address.port());
    let response = client.get(url).timeout(Duration::from_secs(5)).send().await.ok()?;
    Some((response.status().as_u16(), response.version()))
}

async fn becomes(served: &Served, trusted: &[u8]) -> bool {
    for _ in 0..100 {
        if asked(served, trusted).await.is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn o1_a_new_certificate_is_used_a_broken_one_is_not() {
    // As Kubernetes mounts a secret: the files are links through `..data`, which is a link that is replaced.
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = certificate(&at("one"));
    symlink("one", at("..data")).unwrap();
    symlink("..data/tls.crt", at("tls.crt")).unwrap();
    symlink("..data/tls.key", at("tls.key")).unwrap();
    let files = TlsFiles { certificate: at("tls.crt"), key: at("tls.key"), clients: Vec::new() };
    let certificate_in_use = Certificate::read(files).unwrap();
    let run = RunSettings {
        certificate: Some(certificate_in_use),
        renew_every: Duration::from_millis(50),
        ..RunSettings::default()
    };
    let served = served(How { run, ..How::default() }).await;
    assert_eq!(asked(&served, &first).await, Some((200, reqwest::Version::HTTP_2)));

    let swap = |to: &str| {
        symlink(to, at("next")).unwrap();
        fs::rename(at("next"), at("..data")).unwrap();
    };
    let second = certificate(&at("two"));
    swap("two");
    assert!(becomes(&served, &second).await, "the new certificate is used");
    assert!(asked(&served, &first).await.is_none(), "and the old one is not");

    let unused = certificate(&at("broken"));
    fs::copy(at("one").join("tls.key"), at("broken").join("tls.key")).unwrap();
    swap("broken");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(asked(&served, &unused).await.is_none(), "a key of another certificate");
    assert!(asked(&served, &second).await.is_some(), "the old one stays");
    swap("nothing");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(asked(&served, &second).await.is_some(), "the old one stays without files");

    let third = certificate(&at("three"));
    swap("three");
    assert!(becomes(&served, &third).await, "and a sound one is used again");
}

#[test]
fn o1_what_is_no_certificate_is_told_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("tls.crt"),
        key: folder.path().join("tls.key"),
        clients: Vec::new(),
    };
    let error = || Certificate::read(files.clone()).unwrap_err().to_string();
    assert!(error().contains("tls.crt cannot be read"), "{}", error());
    certificate(folder.path());
    fs::write(&files.certificate, "text").unwrap();
    assert!(error().contains("tls.crt holds none in PEM form"), "{}", error());
    certificate(folder.path());
    fs::write(&files.key, "text").unwrap();
    assert!(error().contains("tls.key holds none in PEM form"), "{}", error());
}
