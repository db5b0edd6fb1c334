//! Pushing and attaching: what was pushed is there, in the registry's list or under the fallback tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::{Digest, ReasonCode};
use registry::{Anonymous, Client, Descriptor, Error, Reference, ReferrersBy};
use testkit::oci::{Account, Auth, Bearer, Fault, Image, ImageBuilder, Registry, Settings, digest_of};

use crate::support::{Wallet, at, basic, client, options, subject};

const REPORT: &str = "application/vnd.example.report";

fn pushed_image(registry: &Registry) -> Image {
    let image = ImageBuilder::new().build();
    registry.push("app", Some("v1"), &image);
    image
}

async fn attach(client: &Client, registry: &Registry, image: &Image, text: &str) -> Result<Descriptor, Error> {
    let layers = vec![("application/json".to_owned(), Bytes::from(text.to_owned()))];
    let annotations = BTreeMap::from([("from".to_owned(), "test".to_owned())]);
    client.push_referrer(&at(registry, "app"), &subject(image), REPORT, layers, annotations).await
}

#[tokio::test]
async fn s25_what_is_attached_is_found_with_and_without_the_api() {
    for (settings, by) in [
        (Settings::new(), ReferrersBy::Api),
        (Settings::new().relative_locations(), ReferrersBy::Api),
        (Settings::new().without_referrers_api(), ReferrersBy::FallbackTag),
    ] {
        let registry = settings.start();
        let image = pushed_image(&registry);
        let client = client(&registry);
        let first = attach(&client, &registry, &image, "{\"n\":1}").await.unwrap();
        let second = attach(&client, &registry, &image, "{\"n\":2}").await.unwrap();
        assert_eq!(attach(&client, &registry, &image, "{\"n\":2}").await.unwrap(), second, "the same is the same");
        let found =
            client.referrers(&at(&registry, "app"), &image.digest().parse().unwrap(), Some(REPORT)).await.unwrap();
        let mut expected = vec![first.clone(), second];
        expected.sort_by(|a, b| a.digest.cmp(&b.digest));
        assert_eq!((found.descriptors, found.by), (expected, by));
        let manifest = client.manifest(&at(&registry, "app"), &first.digest.clone().into()).await.unwrap();
        let text = String::from_utf8(manifest.bytes.to_vec()).unwrap();
        assert!(text.contains(&format!("\"subject\":{{\"mediaType\":\"{}\"", image.manifest.media_type)), "{text}");
        assert_eq!(registry.blob("app", &digest_of(b"{\"n\":1}")).unwrap(), b"{\"n\":1}");
    }
}

#[tokio::test]
async fn s25_writers_of_one_fallback_tag_lose_nothing() {
    let registry = Settings::new().without_referrers_api().start();
    let image = pushed_image(&registry);
    let shared = client(&registry);
    let texts: Vec<String> = (0..8).map(|n| format!("{{\"n\":{n}}}")).collect();
    let pushes = texts.iter().map(|text| attach(&shared, &registry, &image, text));
    for outcome in futures_util::future::join_all(pushes).await {
        outcome.unwrap();
    }
    let subject: Digest = image.digest().parse().unwrap();
    assert_eq!(shared.referrers(&at(&registry, "app"), &subject, None).await.unwrap().descriptors.len(), 8);
}

#[tokio::test]
async fn s25_a_lost_entry_is_written_again_and_a_race_that_does_not_end_is_an_error() {
    let registry = Settings::new().without_referrers_api().start();
    let image = pushed_image(&registry);
    let client = client(&registry);
    let tag = format!("/manifests/{}", image.digest().replace(':', "-"));
    // The list as read back once lacks the entry: another writer was faster.
    registry.fault(Fault::on("GET", &tag).status_code(404, "MANIFEST_UNKNOWN").after(1).times(1));
    attach(&client, &registry, &image, "1").await.unwrap();
    registry.clear_faults();
    registry.fault(Fault::on("GET", &tag).status_code(404, "MANIFEST_UNKNOWN"));
    let options = registry::Options { deadline: std::time::Duration::from_secs(2), ..options(&[&registry]) };
    let impatient = Client::new(options, Arc::new(Anonymous)).unwrap();
    let error = attach(&impatient, &registry, &image, "2").await.unwrap_err();
    assert!(matches!(error, Error::LostRace { attempts: 2.., .. }), "{error}");
    registry.clear_faults();
    registry.clear_log();
    registry.fault(Fault::on("GET", &tag).status(403));
    let error = attach(&client, &registry, &image, "3").await.unwrap_err();
    assert_eq!(error.code(), ReasonCode::RegistryAccessDenied, "a list that cannot be read is not written over");
    assert_eq!(registry.count("PUT", &tag), 0);
}

#[tokio::test]
async fn blobs_are_pushed_once_and_checked() {
    let registry = Settings::new().auth(Auth::bearer("ci", "secret")).start();
    let wallet = Wallet::of(basic("ci", "secret"));
    let client = Client::new(options(&[&registry]), wallet).unwrap();
    let place = at(&registry, "app");
    let blob = client.push_blob(&place, "x", "content".into()).await.unwrap();
    assert_eq!(registry.blob("app", blob.digest.as_str()).unwrap(), b"content");
    assert_eq!(client.push_blob(&place, "x", "content".into()).await.unwrap(), blob);
    assert_eq!((registry.count("POST", "/uploads/"), registry.count("GET", "/token")), (1, 1));
    let reader = Bearer { accounts: vec![Account::new("ci", "secret").pull_only()], ..Bearer::anonymous(false) };
    let registry = Settings::new().auth(Auth::Bearer(reader)).start();
    let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
    let error = client.push_blob(&at(&registry, "app"), "x", "content".into()).await.unwrap_err();
    assert_eq!(error.code(), ReasonCode::RegistryAccessDenied, "{error}");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_begun_anew() {
    let registry = Registry::start();
    for fault in [Fault::on("PUT", "/uploads/").cut(), Fault::on("POST", "/uploads/").status(503)] {
        registry.fault(fault.times(1));
        client(&registry).push_blob(&at(&registry, "app"), "x", "content".into()).await.unwrap();
        registry.remove_blob("app", &digest_of(b"content"));
    }
    assert_eq!(registry.count("POST", "/uploads/"), 4);
}

#[tokio::test]
async fn s37_content_and_credentials_go_to_no_other_host() {
    let (registry, other) = (Settings::new().auth(Auth::basic("ci", "secret")).start(), Registry::start());
    let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
    let elsewhere = format!("{}/v2/app/blobs/uploads/1", other.url());
    registry.fault(Fault::on("POST", "/uploads/").header("Location", &elsewhere));
    let error = client.push_blob(&at(&registry, "app"), "x", "content".into()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains("another host"), "{error}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn manifests_are_pushed_under_their_own_digest_only() {
    let registry = Registry::start();
    let image = pushed_image(&registry);
    let (client, place) = (client(&registry), at(&registry, "app"));
    let bytes = Bytes::from(image.manifest.bytes.clone());
    let media_type = image.manifest.media_type.as_str();
    let wrong = Reference::Digest(Digest::of(b"other"));
    assert!(matches!(
        client.push_manifest(&place, &wrong, media_type, bytes.clone()).await,
        Err(Error::DigestMismatch { .. })
    ));
    let tag = Reference::Tag("v2".parse().unwrap());
    assert_eq!(client.push_manifest(&place, &tag, media_type, bytes.clone()).await.unwrap(), subject(&image));
    assert_eq!(registry.tags("app"), ["v1", "v2"]);
    registry.fault(Fault::on("PUT", "/manifests/").header("Docker-Content-Digest", &digest_of(b"x")));
    assert!(matches!(client.push_manifest(&place, &tag, media_type, bytes).await, Err(Error::DigestMismatch { .. })));
}
