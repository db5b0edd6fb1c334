//! Redirects: followed for content, by hand, with nothing of ours in them; and where they may not lead.

use model::Digest;
use registry::{Client, Error, Reference};
use testkit::oci::{Auth, Blob, Fault, ImageBuilder, Registry, Settings};
use tokio::io::AsyncReadExt;

use crate::support::{Wallet, at, basic, client, options};

#[tokio::test]
async fn s37_credentials_never_follow_a_redirect() {
    let storage = Registry::start();
    for auth in [Auth::basic("ci", "secret"), Auth::bearer("ci", "secret")] {
        let registry = Settings::new().auth(auth).blobs_from(&storage.url()).start();
        let blob = Blob::new("application/octet-stream", "content");
        let digest: Digest = blob.digest.parse().unwrap();
        registry.put_blob("app", &blob.bytes);
        storage.put_blob("app", &blob.bytes);
        let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
        let place = at(&registry, "app");
        assert_eq!(client.blob(&place, &digest, 100).await.unwrap(), blob.bytes);
        let descriptor = registry::Descriptor::of("x", &blob.bytes);
        let mut read = Vec::new();
        client.blob_stream(&place, &descriptor).await.unwrap().read_to_end(&mut read).await.unwrap();
        assert_eq!(read, blob.bytes);
    }
    assert_eq!(storage.requests().len(), 4);
    for request in storage.requests() {
        assert!(!request.had_authorization(), "{}", request.line());
        assert!(request.headers.iter().all(|(name, _)| name != "cookie" && name != "referer"));
    }
}

#[tokio::test]
async fn s37_redirects_to_special_addresses_are_refused() {
    let registry = Registry::start();
    let digest: Digest = registry.put_blob("app", b"content").parse().unwrap();
    for (target, why) in [
        ("http://169.254.169.254/latest/meta-data/?secret=hidden", "link-local"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://0.0.0.0/", "no single machine"),
        ("ftp://example.com/", "neither https nor http"),
        ("file:///etc/passwd", "neither https nor http"),
        ("http://user:hidden@example.com/", "user name"),
        ("http://", "no address that can be read"),
    ] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/blobs/").redirect(target));
        let error = client(&registry).blob(&at(&registry, "app"), &digest, 100).await.unwrap_err();
        assert!(matches!(error, Error::Redirect { .. }), "{target}: {error}");
        let shown = error.to_string();
        assert!(shown.contains(why) && !shown.contains("hidden"), "{target}: {shown}");
    }
}

#[tokio::test]
async fn redirects_that_do_not_end_are_an_error() {
    let registry = Registry::start();
    let digest: Digest = registry.put_blob("app", b"content").parse().unwrap();
    let own = format!("{}/v2/app/blobs/{digest}", registry.url());
    registry.fault(Fault::on("GET", "/blobs/").redirect(&own));
    let error = client(&registry).blob(&at(&registry, "app"), &digest, 100).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }) && error.to_string().contains("more than 5"), "{error}");
    assert_eq!(registry.requests().len(), 6);
}

#[tokio::test]
async fn the_storage_does_not_speak_for_the_registry() {
    let storage = Registry::start();
    let registry = Settings::new().blobs_from(&storage.url()).start();
    let digest: Digest = registry.put_blob("app", b"content").parse().unwrap();
    for status in [403, 404, 500] {
        storage.clear_faults();
        storage.fault(Fault::on("GET", "/").status(status));
        let error = client(&registry).blob(&at(&registry, "app"), &digest, 100).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{status}: {error}");
    }
}

#[tokio::test]
async fn lists_and_pushes_are_not_redirected() {
    let (registry, other) = (Registry::start(), Registry::start());
    let image = ImageBuilder::new().build();
    registry.push("app", Some("v1"), &image);
    other.push("app", Some("v1"), &image);
    let subject: Digest = image.digest().parse().unwrap();
    let (client, place) = (client(&registry), at(&registry, "app"));
    for (path, method) in [("/referrers/", "GET"), ("/tags/", "GET"), ("/uploads/", "POST")] {
        registry.fault(Fault::on(method, path).redirect(&other.url()));
    }
    assert!(matches!(client.referrers(&place, &subject, None).await, Err(Error::Redirect { .. })));
    assert!(matches!(client.tags(&place).await, Err(Error::Redirect { .. })));
    assert!(matches!(client.push_blob(&place, "x", "new".into()).await, Err(Error::Redirect { .. })));
    // A registry may hand its readers on to a copy, as registry.k8s.io does.
    registry.fault(Fault::on("GET", "/manifests/").redirect(&format!("{}/v2/app/manifests/v1", other.url())));
    let read = client.manifest(&place, &Reference::Tag("v1".parse().unwrap())).await.unwrap();
    assert_eq!(read.digest, subject);
    assert_eq!(other.requests().len(), 1);
}
