//! Reading manifests, blobs, tags and lists: what is handed out was checked, what is odd is an error.

use std::sync::Arc;

use model::{Digest, ReasonCode};
use registry::{Client, Descriptor, Error, Limits, Options, Reference, media_type};
use testkit::oci::{Fault, ImageBuilder, IndexBuilder, Layer, Registry, Settings, digest_of};
use tokio::io::AsyncReadExt;

use crate::support::{at, client, options, subject};

fn image() -> testkit::oci::Image {
    ImageBuilder::new().layer(Layer::new().file("etc/motd", "hello")).build()
}

fn tag(name: &str) -> Reference {
    Reference::Tag(name.parse().unwrap())
}

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

#[tokio::test]
async fn manifests_are_read_by_tag_and_by_digest() {
    let registry = Registry::start();
    let image = image();
    let index = IndexBuilder::new().image(&image).build();
    registry.push("team/app", Some("v1"), &image);
    registry.push("team/app", Some("all"), &index);
    let (client, place) = (client(&registry), at(&registry, "team/app"));
    let manifest = client.manifest(&place, &tag("v1")).await.unwrap();
    assert_eq!(manifest.digest.as_str(), image.digest());
    assert_eq!(manifest.media_type, media_type::OCI_MANIFEST);
    assert_eq!(manifest.bytes, image.manifest.bytes);
    assert_eq!(manifest.descriptor(), subject(&image));
    assert_eq!(client.manifest(&place, &digest(image.digest()).into()).await.unwrap(), manifest);
    assert_eq!(client.head(&place, &tag("v1")).await.unwrap(), subject(&image));
    let list = client.manifest(&place, &tag("all")).await.unwrap();
    assert!(list.is_index() && !manifest.is_index());
    assert_eq!(client.requests(), 4);
    assert_eq!(client.requests(), registry.requests().len() as u64);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let registry = Registry::start();
    registry.push("team/app", Some("v1"), &image());
    let client = client(&registry);
    let error = client.manifest(&at(&registry, "team/app"), &tag("v2")).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("team/app: manifest v2: not there"), "{error}");
    assert_eq!(error.reason().code, ReasonCode::RegistryNotFound);
    let error = client.manifest(&at(&registry, "team/none"), &tag("v1")).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound { code: Some(code), .. } if code == "NAME_UNKNOWN"), "{error}");
    let error = client.blob(&at(&registry, "team/app"), &Digest::of(b"none"), 10).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(client.requests(), 3, "what is not there is not asked for again");
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_never_handed_out() {
    let registry = Registry::start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    let (client, place) = (client(&registry), at(&registry, "app"));
    registry.fault(Fault::on("GET", "/manifests/").wrong_bytes());
    for reference in [tag("v1"), digest(image.digest()).into()] {
        let error = client.manifest(&place, &reference).await.unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
        assert_eq!(error.reason().code, ReasonCode::RegistryMalformed);
    }
    registry.clear_faults();
    // The header names another digest than the one that was asked for, the bytes are right: somebody is confused.
    registry.fault(Fault::on("*", "/manifests/").header("Docker-Content-Digest", &digest_of(b"x")));
    for reference in [tag("v1"), digest(image.digest()).into()] {
        assert!(matches!(client.manifest(&place, &reference).await, Err(Error::DigestMismatch { .. })));
    }
    assert!(matches!(client.head(&place, &digest(image.digest()).into()).await, Err(Error::DigestMismatch { .. })));
    registry.clear_faults();
    registry.fault(Fault::on("*", "/manifests/").header("Docker-Content-Digest", "sha256:junk"));
    assert!(matches!(client.manifest(&place, &tag("v1")).await, Err(Error::Malformed { .. })));
    registry.clear_faults();
    registry.fault(Fault::on("*", "/manifests/").without_header("Docker-Content-Digest"));
    assert_eq!(client.manifest(&place, &tag("v1")).await.unwrap().digest.as_str(), image.digest());
    assert_eq!(client.head(&place, &tag("v1")).await.unwrap(), subject(&image), "read, because the head does not say");
}

#[tokio::test]
async fn a_header_does_not_turn_an_image_into_an_index() {
    let registry = Registry::start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    registry.fault(Fault::on("GET", "/manifests/").header("Content-Type", media_type::OCI_INDEX));
    let error = client(&registry).manifest(&at(&registry, "app"), &tag("v1")).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn bodies_end_at_their_limits() {
    let registry = Registry::start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    let place = at(&registry, "app");
    let limits = Limits { manifest_bytes: 2_000, ..Limits::default() };
    let options = Options { limits, ..options(&[&registry]) };
    let client = Client::new(options, Arc::new(registry::Anonymous)).unwrap();
    assert!(client.manifest(&place, &tag("v1")).await.is_ok());
    for fault in [Fault::on("GET", "/").oversized(3_000), Fault::on("GET", "/").endless(1 << 30)] {
        registry.clear_faults();
        registry.fault(fault);
        let error = client.manifest(&place, &tag("v1")).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 2_000, .. }), "{error}");
        assert_eq!(error.reason().code, ReasonCode::RegistryTooLarge);
        let error = client.blob(&place, &digest(&image.config.digest), 1_000).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 1_000, .. }), "{error}");
        assert!(matches!(client.tags(&place).await, Err(Error::TooLarge { .. })));
    }
    registry.clear_faults();
    let error = client.blob(&place, &digest(&image.config.digest), 3).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 3, .. }), "{error}");
}

#[tokio::test]
async fn a_blob_is_checked_against_its_digest() {
    let registry = Registry::start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    let (client, place) = (client(&registry), at(&registry, "app"));
    let config = digest(&image.config.digest);
    assert_eq!(client.blob(&place, &config, 1 << 20).await.unwrap(), image.config.bytes);
    registry.put_blob_as("app", config.as_str(), b"something else");
    assert!(matches!(client.blob(&place, &config, 1 << 20).await, Err(Error::DigestMismatch { .. })));
}

async fn streamed(client: &Client, registry: &Registry, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut reader = client.blob_stream(&at(registry, "app"), blob).await?;
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let again = reader.read(&mut [0]).await.unwrap_err();
            assert_eq!(Error::of_io(&again), Error::of_io(&error), "an error stays one");
            Err(Error::of_io(&error).unwrap().clone())
        }
    }
}

#[tokio::test]
async fn a_stream_ends_only_when_size_and_digest_were_right() {
    let registry = Registry::start();
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let right = Descriptor::new("x", digest(&registry.put_blob("app", &content)), content.len() as u64);
    let client = client(&registry);
    assert_eq!(streamed(&client, &registry, &right).await.unwrap(), content);
    let empty = Descriptor::new("x", digest(&registry.put_blob("app", b"")), 0);
    assert_eq!(streamed(&client, &registry, &empty).await.unwrap(), b"");
    for size in [0, right.size - 1, right.size + 1] {
        let error = streamed(&client, &registry, &Descriptor { size, ..right.clone() }).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{size}: {error}");
    }
    for (fault, code) in [
        (Fault::on("GET", "/blobs/").wrong_bytes(), ReasonCode::RegistryMalformed),
        (Fault::on("GET", "/blobs/").truncated(100_000), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/blobs/").endless(1 << 30), ReasonCode::RegistryMalformed),
        (Fault::on("GET", "/blobs/").hang(std::time::Duration::from_secs(8)).times(1), ReasonCode::RegistryUnavailable),
    ] {
        registry.clear_faults();
        registry.fault(fault);
        let outcome = streamed(&client, &registry, &right).await;
        match (outcome, code) {
            // The hang is over before the last repetition.
            (Ok(bytes), ReasonCode::RegistryUnavailable) => assert_eq!(bytes, content),
            (outcome, code) => assert_eq!(outcome.unwrap_err().code(), code),
        }
    }
}

#[tokio::test]
async fn tags_are_listed_over_all_pages() {
    let registry = Settings::new().page_size(2).start();
    let image = image();
    for name in ["a", "b", "c", "d", "e"] {
        registry.push("app", Some(name), &image);
    }
    let (client, place) = (client(&registry), at(&registry, "app"));
    let tags: Vec<String> = client.tags(&place).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["a", "b", "c", "d", "e"]);
    let port = registry.host().rsplit_once(':').unwrap().1.to_owned();
    let same_port = format!("<http://localhost:{port}/v2/app/tags/list?last=b>; rel=\"next\"");
    for (link, why) in [
        (same_port.as_str(), "another host"),
        ("</v2/app/tags/list>; rel=\"next\"", "circle"),
        ("<http://other.example/v2/app/tags/list?last=b>; rel=\"next\"", "another host"),
        ("no link", "cannot be read"),
    ] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/tags/list").header("Link", link));
        let error = client.tags(&place).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(why), "{error}");
    }
    registry.clear_faults();
    for body in ["{}x", "[]", r#"{"tags":[1]}"#, r#"{"tags":["no tag"]}"#] {
        registry.fault(Fault::on("GET", "/tags/list").body(body).without_header("Link").times(1));
        assert!(matches!(client.tags(&place).await, Err(Error::Malformed { .. })), "{body}");
    }
}

#[tokio::test]
async fn a_mirror_is_asked_first_and_the_host_itself_when_it_fails() {
    let (origin, mirror) = (Registry::start(), Registry::start());
    let image = image();
    origin.push("team/app", Some("v1"), &image);
    mirror.push("cache/team/app", Some("v1"), &image);
    let mut options = options(&[&origin, &mirror]);
    options.mirrors.insert(origin.host(), vec![format!("{}/cache", mirror.host())]);
    let client = Client::new(options, Arc::new(registry::Anonymous)).unwrap();
    let place = at(&origin, "team/app");
    let by_digest = Reference::Digest(digest(image.digest()));
    assert_eq!(client.manifest(&place, &by_digest).await.unwrap().digest.as_str(), image.digest());
    assert!(origin.requests().is_empty());
    mirror.fault(Fault::on("GET", "/").wrong_bytes().times(2));
    assert!(client.manifest(&place, &by_digest).await.is_ok());
    assert!(client.blob(&place, &digest(&image.config.digest), 1 << 20).await.is_ok());
    assert_eq!(origin.requests().len(), 2);
    mirror.clear_log();
    // What a tag stands for only the host itself knows: a mirror may be of yesterday.
    assert_eq!(client.manifest(&place, &tag("v1")).await.unwrap().digest.as_str(), image.digest());
    assert!(mirror.requests().is_empty());
    let none = client.referrers(&place, &digest(image.digest()), None).await.unwrap();
    assert!(none.descriptors.is_empty() && mirror.requests().is_empty(), "a mirror cannot say that there are none");
}

#[tokio::test]
async fn plain_http_is_spoken_only_to_listed_hosts() {
    let registry = Registry::start();
    registry.push("app", Some("v1"), &image());
    let client = Client::new(
        Options { retries: 0, insecure_hosts: [].into(), ..options(&[&registry]) },
        Arc::new(registry::Anonymous),
    );
    let error = client.unwrap().manifest(&at(&registry, "app"), &tag("v1")).await.unwrap_err();
    assert_eq!(error.code(), ReasonCode::RegistryUnavailable, "{error}");
    assert!(registry.requests().is_empty());
    let bad = Options { ca_pem: vec![b"no certificate".to_vec()], ..Options::default() };
    assert!(matches!(Client::new(bad, Arc::new(registry::Anonymous)), Err(Error::Setup(_))));
}
