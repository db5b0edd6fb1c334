//! Lists of referrers: whole or an error (S25), with the API and with the fallback tag.

use std::sync::Arc;

use model::{Digest, ReasonCode};
use registry::{Anonymous, Client, Descriptor, Error, Limits, Options, Referrers, ReferrersBy};
use serde_json::json;
use testkit::oci::{
    Artifact, EMPTY, Fault, INDEX, Image, ImageBuilder, IndexBuilder, MANIFEST, Referrer, Registry, Settings,
};

use crate::support::{at, client, options};

const SBOM: &str = "application/spdx+json";
const REPORT: &str = "application/vnd.example.report";

fn image() -> Image {
    ImageBuilder::new().build()
}

fn artifacts(image: &Image) -> Vec<Artifact> {
    let one = |kind: &str, text: &str| Referrer::new(image, kind).layer("text/plain", text).build();
    vec![one(SBOM, "1"), one(REPORT, "2"), one(REPORT, "3"), one(SBOM, "4"), one(REPORT, "5")]
}

fn digests(descriptors: &[Descriptor]) -> Vec<String> {
    descriptors.iter().map(|descriptor| descriptor.digest.to_string()).collect()
}

fn chosen(artifacts: &[Artifact], kinds: &[usize]) -> Vec<String> {
    let mut digests: Vec<String> = kinds.iter().map(|at| artifacts[*at].digest().to_owned()).collect();
    digests.sort();
    digests
}

async fn asked(registry: &Registry, image: &Image, kind: Option<&str>) -> Result<Referrers, Error> {
    client(registry).referrers(&at(registry, "app"), &image.digest().parse().unwrap(), kind).await
}

#[tokio::test]
async fn s25_the_list_is_the_same_whatever_the_registry_can_do() {
    for settings in [
        Settings::new(),
        Settings::new().page_size(2),
        Settings::new().page_size(1).without_referrers_filter(),
        Settings::new().without_referrers_filter(),
        Settings::new().without_referrers_api(),
    ] {
        let registry = settings.clone().start();
        let image = image();
        registry.push("app", Some("v1"), &image);
        let before = asked(&registry, &image, None).await.unwrap();
        assert!(before.descriptors.is_empty(), "asked, and there are none");
        let artifacts = artifacts(&image);
        for artifact in &artifacts {
            registry.push("app", None, artifact);
        }
        let all = asked(&registry, &image, None).await.unwrap();
        assert_eq!(digests(&all.descriptors), chosen(&artifacts, &[0, 1, 2, 3, 4]), "{settings:?}");
        let reports = asked(&registry, &image, Some(REPORT)).await.unwrap();
        assert_eq!(digests(&reports.descriptors), chosen(&artifacts, &[1, 2, 4]), "{settings:?}");
        assert!(reports.descriptors.iter().all(|found| found.artifact_type.as_deref() == Some(REPORT)));
        assert!(asked(&registry, &image, Some("application/none")).await.unwrap().descriptors.is_empty());
    }
}

#[tokio::test]
async fn s25_how_the_list_is_kept_is_said() {
    let image = image();
    let registry = Registry::start();
    registry.push("app", None, &image);
    let found = asked(&registry, &image, None).await.unwrap();
    assert_eq!((found.by, found.requests), (ReferrersBy::Api, 1));
    let registry = Settings::new().without_referrers_api().start();
    registry.push("app", None, &image);
    let found = asked(&registry, &image, None).await.unwrap();
    assert_eq!((found.by, found.requests), (ReferrersBy::FallbackTag, 2));
    assert_eq!(registry.requests().len(), 2);
}

#[tokio::test]
async fn s25_a_list_that_is_too_long_or_cut_is_no_list() {
    let registry = Settings::new().page_size(2).start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    for artifact in &artifacts(&image) {
        registry.push("app", None, artifact);
    }
    let place = at(&registry, "app");
    let subject: Digest = image.digest().parse().unwrap();
    for limits in [Limits { referrers: 4, ..Limits::default() }, Limits { pages: 2, ..Limits::default() }] {
        let client = Client::new(Options { limits, ..options(&[&registry]) }, Arc::new(Anonymous)).unwrap();
        let error = client.referrers(&place, &subject, None).await.unwrap_err();
        assert_eq!(error.reason().code, ReasonCode::RegistryReferrersCut, "{error}");
    }
    for (fault, code) in [
        (Fault::on("GET", "/referrers/").status(404).after(1), ReasonCode::RegistryReferrersCut),
        (Fault::on("GET", "/referrers/").status(503).after(1), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/referrers/").throttled("0").after(1), ReasonCode::RegistryThrottled),
        (Fault::on("GET", "/referrers/").status(403).after(1), ReasonCode::RegistryAccessDenied),
        (Fault::on("GET", "/referrers/").body("{}").after(1), ReasonCode::RegistryMalformed),
        (Fault::on("GET", "/referrers/").header("Link", "rubbish"), ReasonCode::RegistryReferrersCut),
        (
            Fault::on("GET", "/referrers/").header("Link", "<http://evil.example/v2/>; rel=\"next\""),
            ReasonCode::RegistryReferrersCut,
        ),
        (
            Fault::on("GET", "/referrers/").header("Link", "<?page=1>; rel=\"next\"").times(9),
            ReasonCode::RegistryReferrersCut,
        ),
    ] {
        registry.clear_faults();
        registry.fault(fault);
        let error = asked(&registry, &image, None).await.unwrap_err();
        assert_eq!(error.reason().code, code, "{error}");
    }
}

#[tokio::test]
async fn s25_only_a_genuine_404_says_that_there_are_none() {
    let registry = Settings::new().without_referrers_api().start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN"] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/manifests/sha256-").status_code(404, code));
        assert!(asked(&registry, &image, None).await.unwrap().descriptors.is_empty());
    }
    for (status, code, reason) in [
        (401, "UNAUTHORIZED", ReasonCode::RegistryAccessDenied),
        (403, "DENIED", ReasonCode::RegistryAccessDenied),
        (404, "DENIED", ReasonCode::RegistryAccessDenied),
        (404, "TOOMANYREQUESTS", ReasonCode::RegistryThrottled),
        (404, "SOMETHING_ELSE", ReasonCode::RegistryUnavailable),
        (400, "TAG_INVALID", ReasonCode::RegistryUnavailable),
        (429, "TOOMANYREQUESTS", ReasonCode::RegistryThrottled),
        (500, "UNKNOWN", ReasonCode::RegistryUnavailable),
    ] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/manifests/sha256-").status_code(status, code));
        let error = asked(&registry, &image, None).await.unwrap_err();
        assert_eq!(error.reason().code, reason, "{status} {code}: {error}");
    }
    let registry = Registry::start();
    registry.push("app", Some("v1"), &image);
    for (status, code) in [(401, "UNAUTHORIZED"), (403, "DENIED"), (400, "NAME_INVALID"), (500, "UNKNOWN"), (429, "X")]
    {
        registry.clear_faults();
        registry.clear_log();
        registry.fault(Fault::on("GET", "/referrers/").status_code(status, code));
        asked(&registry, &image, None).await.unwrap_err();
        assert_eq!(registry.count("GET", "/manifests/"), 0, "{status}: an error is not a missing API");
    }
    for (status, code) in [(404, "X"), (405, "UNSUPPORTED"), (406, "X"), (501, "X"), (400, "UNSUPPORTED")] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/referrers/").status_code(status, code));
        assert_eq!(asked(&registry, &image, None).await.unwrap().by, ReferrersBy::FallbackTag, "{status}");
    }
}

#[tokio::test]
async fn s25_odd_bodies_are_no_empty_lists() {
    let registry = Registry::start();
    let image = image();
    registry.push("app", Some("v1"), &image);
    for (body, content_type) in [
        ("", INDEX),
        ("{}", INDEX),
        ("<html></html>", "text/html"),
        (r#"{"schemaVersion":2,"manifests":null}"#, INDEX),
        (r#"{"schemaVersion":2,"manifests":[]}"#, "application/json"),
        (r#"{"schemaVersion":2,"manifests":[]}"#, "text/html"),
        (r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#, INDEX),
    ] {
        registry.clear_faults();
        registry.fault(Fault::on("GET", "/referrers/").body(body).header("Content-Type", content_type));
        let error = asked(&registry, &image, None).await.unwrap_err();
        assert_eq!(error.reason().code, ReasonCode::RegistryMalformed, "{content_type} {body}: {error}");
    }
}

#[tokio::test]
async fn s25_entries_typed_empty_or_not_at_all_are_opened() {
    let image = image();
    for by in [ReferrersBy::Api, ReferrersBy::FallbackTag] {
        let settings = Settings::new();
        let has_api = by == ReferrersBy::Api;
        let registry = if has_api { settings } else { settings.without_referrers_api() }.start();
        registry.push("app", Some("v1"), &image);
        let signature = Referrer::new(&image, "application/vnd.dev.sigstore.bundle.v0.3+json")
            .annotation("created", "today")
            .build();
        let old = Referrer::new(&image, "").config("application/vnd.acme.config", "{\"a\":1}").build();
        let entry = |artifact: &Artifact, kind: Option<&str>| {
            let mut entry = artifact.manifest.descriptor();
            if let Some(kind) = kind {
                entry["artifactType"] = json!(kind);
            }
            entry
        };
        registry.push("app", None, &signature);
        registry.push("app", None, &old);
        let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(&signature, Some(EMPTY)), entry(&old, None)] });
        let list = list.to_string();
        registry.put_manifest("app", Some(&image.digest().replace(':', "-")), INDEX, list.as_bytes());
        if has_api {
            registry.fault(Fault::on("GET", "/referrers/").body(list.as_bytes()));
        }
        let found = asked(&registry, &image, None).await.unwrap();
        let kinds: Vec<_> = found.descriptors.iter().map(|found| found.artifact_type.clone().unwrap()).collect();
        assert!(kinds.contains(&"application/vnd.dev.sigstore.bundle.v0.3+json".to_owned()), "{kinds:?}");
        assert!(kinds.contains(&"application/vnd.acme.config".to_owned()), "{kinds:?}");
        assert_eq!((found.opened.len(), found.by), (2, by), "whoever wants them has them");
        let signed = found.descriptors.iter().find(|found| found.digest.as_str() == signature.digest()).unwrap();
        assert_eq!(signed.annotations["created"], "today");
        let one = asked(&registry, &image, Some("application/vnd.acme.config")).await.unwrap();
        assert_eq!(digests(&one.descriptors), [old.digest()]);
        // A listed manifest that is not there leaves a list that nobody can complete.
        registry.remove_manifest("app", old.digest());
        let error = asked(&registry, &image, None).await.unwrap_err();
        assert_eq!(error.reason().code, ReasonCode::RegistryReferrersCut, "{error}");
    }
}

#[tokio::test]
async fn s25_what_is_about_another_image_is_no_referrer_of_this_one() {
    let registry = Settings::new().without_referrers_api().start();
    let (image, other) = (image(), ImageBuilder::new().user("7").build());
    registry.push("app", Some("v1"), &image);
    let stray = Referrer::new(&other, REPORT).build();
    registry.push("app", None, &stray);
    registry.list_in_fallback_tag("app", image.digest(), &stray.manifest);
    let error = asked(&registry, &image, Some(REPORT)).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains("is about"), "{error}");
}

#[tokio::test]
async fn s25_a_fallback_tag_that_is_the_image_itself_holds_no_list() {
    let registry = Settings::new().without_referrers_api().start();
    let image = image();
    let index = IndexBuilder::new().image(&image).build();
    registry.push("app", Some("v1"), &index);
    // GitLab's registry takes the tag for the digest.
    for digest in [index.digest(), image.digest()] {
        registry.tag("app", &digest.replace(':', "-"), digest);
        let found = client(&registry).referrers(&at(&registry, "app"), &digest.parse().unwrap(), None).await.unwrap();
        assert!(found.descriptors.is_empty(), "the platforms of an index are not its referrers");
    }
    let stranger = ImageBuilder::new().user("7").build();
    registry.push("app", Some(&image.digest().replace(':', "-")), &stranger);
    let error = asked(&registry, &image, None).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(MANIFEST), "{error}");
}
