//! Copying: everything comes along, nothing comes twice, and what is broken on the way comes not at all.

use std::sync::Arc;

use registry::{Client, Copied, CopyLimits, CopyProgress, Error, Location, Options};
use serde_json::json;
use testkit::oci::{
    Account, Artifact, Auth, Bearer, Fault, Image, ImageBuilder, Index, IndexBuilder, Layer, MANIFEST, Referrer,
    Registry, Settings, Stored,
};

use crate::support::{Wallet, at, basic, options};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An index of two platforms, with a signature, a bill of materials of one platform, and a signature of that.
struct Scene {
    index: Index,
    signature: Artifact,
    bill: Artifact,
    signed_bill: Artifact,
}

fn image(platform: &str) -> Image {
    let layer = Layer::new().file("etc/os-release", format!("ID=debian\n# {platform}\n"));
    ImageBuilder::new().platform(platform).layer(layer).build()
}

impl Scene {
    fn new() -> Self {
        let (amd, arm) = (image("linux/amd64"), image("linux/arm64"));
        let index = IndexBuilder::new().image(&amd).image(&arm).build();
        let signature = Referrer::new(&index, BUNDLE).layer(BUNDLE, r#"{"signed":1}"#).build();
        let bill = Referrer::new(&amd, "application/spdx+json").layer("application/spdx+json", "{}").build();
        let signed_bill = Referrer::new(&bill, BUNDLE).layer(BUNDLE, r#"{"signed":2}"#).build();
        Self { index, signature, bill, signed_bill }
    }

    fn push(&self, registry: &Registry, repository: &str) {
        registry.push(repository, Some("1"), &self.index);
        for artifact in [&self.signature, &self.bill, &self.signed_bill] {
            registry.push(repository, None, artifact);
        }
        cosign(registry, repository, self.index.digest(), ".sig", &["one"]);
    }

    fn digest(&self) -> model::Digest {
        self.index.digest().parse().unwrap()
    }

    async fn copy(&self, client: &Client, from: &Location, to: &Location) -> Result<Copied, Error> {
        client.copy(from, to, &self.digest(), &CopyLimits::default(), &CopyProgress::default()).await
    }
}

/// What cosign keeps under a tag: an image whose layers are signatures.
fn cosign(registry: &Registry, repository: &str, subject: &str, suffix: &str, signatures: &[&str]) -> String {
    let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
    let described = signatures.iter().map(|name| {
        let digest = registry.put_blob(repository, name.as_bytes());
        json!({ "mediaType": kind, "digest": digest, "size": name.len(), "annotations": { "dev.cosignproject.cosign/signature": name } })
    });
    let config = registry.put_blob(repository, b"{}");
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
        "layers": described.collect::<Vec<_>>() });
    let tag = format!("{}{suffix}", subject.replace(':', "-"));
    registry.put_manifest(repository, Some(&tag), MANIFEST, manifest.to_string().as_bytes())
}

fn between(registries: &[&Registry]) -> Client {
    Client::new(options(registries), Arc::new(registry::Anonymous)).unwrap()
}

fn holds(registry: &Registry, repository: &str, content: &impl Stored) {
    for manifest in content.manifests() {
        let (media_type, bytes) = registry.manifest(repository, &manifest.digest).unwrap();
        assert_eq!((media_type, bytes), (manifest.media_type.clone(), manifest.bytes.clone()));
    }
    for blob in content.blobs() {
        assert_eq!(registry.blob(repository, &blob.digest).unwrap(), blob.bytes);
    }
}

#[tokio::test]
async fn b7_everything_that_is_attached_comes_along_whoever_keeps_the_lists() {
    for (source, target) in [
        (Settings::new(), Settings::new()),
        (Settings::new(), Settings::new().without_referrers_api()),
        (Settings::new().without_referrers_api(), Settings::new()),
        (Settings::new().without_referrers_api(), Settings::new().without_referrers_api().relative_locations()),
    ] {
        let (source, target) = (source.start(), target.start());
        let scene = Scene::new();
        scene.push(&source, "team/app");
        let client = between(&[&source, &target]);
        let (from, to) = (at(&source, "team/app"), at(&target, "release/app"));
        let progress = CopyProgress::default();
        let copied = client.copy(&from, &to, &scene.digest(), &CopyLimits::default(), &progress).await.unwrap();
        assert_eq!((copied.manifests, copied.attached, copied.warnings), (7, 4, vec![]));
        let state = progress.state();
        assert_eq!((state.manifests_done, state.blobs_done, state.bytes_done), (7, state.blobs, state.bytes));
        assert!(state.is_verifying && copied.sent_bytes == state.bytes, "{state:?}");
        holds(&target, "release/app", &scene.index);
        for (subject, artifact) in [
            (scene.index.digest(), &scene.signature),
            (scene.bill.subject.as_str(), &scene.bill),
            (scene.bill.digest(), &scene.signed_bill),
        ] {
            holds(&target, "release/app", artifact);
            let listed = client.referrers(&to, &subject.parse().unwrap(), None).await.unwrap();
            assert_eq!(listed.descriptors.len(), 1, "{subject}");
            assert_eq!(listed.descriptors[0].digest.as_str(), artifact.digest());
        }
        let tag = format!("{}.sig", scene.index.digest().replace(':', "-"));
        assert_eq!(target.manifest("release/app", &tag), source.manifest("team/app", &tag));
        assert!(!target.tags("release/app").contains(&"1".to_owned()), "no tag of the image's own");

        target.clear_log();
        let again = scene.copy(&client, &from, &to).await.unwrap();
        assert_eq!((again.manifests, again.sent_bytes), (7, 0));
        assert_eq!((target.count("PUT", ""), target.count("POST", "")), (0, 0), "{:?}", target.lines());
    }
}

#[tokio::test]
async fn b7_within_a_registry_blobs_are_mounted_where_it_can() {
    for (settings, mounts) in [(Settings::new(), true), (Settings::new().without_mount(), false)] {
        let registry = settings.auth(Auth::bearer("ci", "secret")).start();
        let scene = Scene::new();
        scene.push(&registry, "team/app");
        let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
        let copied = scene.copy(&client, &at(&registry, "team/app"), &at(&registry, "release/app")).await.unwrap();
        assert_eq!(copied.sent_bytes == 0, mounts);
        holds(&registry, "release/app", &scene.index);
        let asked = registry.requests();
        let mount = asked.iter().find(|request| request.query.contains("mount=sha256")).unwrap();
        assert!(mount.query.contains("from=team%2Fapp"), "{}", mount.query);
        let logins: Vec<&str> =
            asked.iter().filter(|request| request.path == "/token").map(|request| &*request.query).collect();
        let both = |login: &&str| {
            login.contains("repository%3Arelease%2Fapp%3Apull%2Cpush")
                && login.contains("repository%3Ateam%2Fapp%3Apull")
        };
        assert!(logins.iter().any(both), "{logins:?}");
    }
}

#[tokio::test]
async fn b7_signatures_that_the_destination_has_besides_stay() {
    let (source, target) = (Registry::start(), Registry::start());
    let scene = Scene::new();
    scene.push(&source, "app");
    cosign(&target, "app", scene.index.digest(), ".sig", &["another"]);
    let client = between(&[&source, &target]);
    scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap();
    let tag = format!("{}.sig", scene.index.digest().replace(':', "-"));
    let (_, merged) = target.manifest("app", &tag).unwrap();
    let merged: serde_json::Value = serde_json::from_slice(&merged).unwrap();
    let names = merged["layers"].as_array().unwrap().iter().map(|layer| &layer["annotations"]);
    let names: Vec<_> = names.map(|all| all["dev.cosignproject.cosign/signature"].as_str().unwrap()).collect();
    assert_eq!(names, ["another", "one"]);
    let before = target.manifest("app", &tag);
    scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap();
    assert_eq!(target.manifest("app", &tag), before, "nothing is added twice");
}

#[tokio::test]
async fn s25_what_is_wrong_at_the_source_never_becomes_a_whole_copy() {
    let scene = Scene::new();
    let layer = scene.index.images[0].layers[0].digest.clone();
    for (fault, word) in [
        (Fault::on("GET", &layer).wrong_bytes(), "digest"),
        (Fault::on("GET", &layer).truncated(10), "bytes"),
        (Fault::on("GET", &layer).status(404), "not there"),
        (Fault::on("GET", "/referrers/").status(500), "500"),
        (Fault::on("GET", ".sig").status(403), "refused"),
        (Fault::on("GET", &format!("/manifests/{}", scene.bill.digest())).status(404), "not there"),
    ] {
        let (source, target) = (Registry::start(), Registry::start());
        scene.push(&source, "app");
        source.fault(fault.clone());
        let client = between(&[&source, &target]);
        let error = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap_err();
        assert!(error.to_string().contains(word), "{fault:?}: {error}");
        assert_eq!(target.manifest("app", scene.index.digest()), None, "{fault:?}");
        assert!(target.blob("app", &layer).is_none_or(|bytes| bytes == scene.index.images[0].layers[0].bytes));
        source.clear_faults();
        scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap();
        holds(&target, "app", &scene.index);
    }
}

#[tokio::test]
async fn b7_what_breaks_off_is_begun_anew_and_what_the_destination_refuses_ends_it() {
    let scene = Scene::new();
    let layer = scene.index.images[0].layers[0].digest.clone();
    let (source, target) = (Registry::start(), Registry::start());
    scene.push(&source, "app");
    source.fault(Fault::on("GET", &layer).truncated(10).times(1));
    target.fault(Fault::on("PUT", "/blobs/uploads/").status(503).times(1));
    let client = between(&[&source, &target]);
    scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap();
    holds(&target, "app", &scene.index);

    for fault in [
        Fault::on("PUT", "/manifests/").status(500),
        Fault::on("PUT", "/blobs/uploads/").status(500),
        Fault::on("PUT", &format!("/manifests/{}", scene.signature.digest())).status(403),
    ] {
        let target = Registry::start();
        target.fault(fault.clone());
        let client = between(&[&source, &target]);
        scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap_err();
        assert!(target.tags("app").is_empty(), "{fault:?}");
    }
    // A registry that takes a manifest and does not have it afterwards.
    let target = Registry::start();
    target.fault(
        Fault::on("GET", &format!("/manifests/{}", scene.signature.digest())).status_code(404, "MANIFEST_UNKNOWN"),
    );
    let client = between(&[&source, &target]);
    let error = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap_err();
    assert!(error.to_string().contains("does not have it"), "{error}");
    // One that takes a signature and lists it nowhere.
    let target = Registry::start();
    target.fault(
        Fault::on("GET", "/referrers/")
            .body(r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#),
    );
    let client = between(&[&source, &target]);
    let error = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap_err();
    assert!(error.to_string().contains("does not list it"), "{error}");
}

#[tokio::test]
async fn s25_what_is_about_something_else_is_left_behind_and_more_than_the_limits_is_nothing() {
    let (source, target) = (Settings::new().without_referrers_api().start(), Registry::start());
    let scene = Scene::new();
    scene.push(&source, "app");
    let other = Referrer::new(&image("linux/s390x"), BUNDLE).layer(BUNDLE, "{}").build();
    source.push("app", None, &other);
    source.list_in_fallback_tag("app", scene.index.digest(), &other.manifest);
    let client = between(&[&source, &target]);
    let copied = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await;
    let warnings = copied.unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains(other.digest()), "{warnings:?}");
    assert_eq!(target.manifest("app", other.digest()), None);

    let usual = CopyLimits::default();
    for limits in [
        CopyLimits { manifests: 6, ..usual.clone() },
        CopyLimits { manifest_bytes: 500, ..usual.clone() },
        CopyLimits { bytes: 100, ..usual },
    ] {
        let target = Registry::start();
        let client = between(&[&source, &target]);
        let progress = CopyProgress::default();
        let copied = client.copy(&at(&source, "app"), &at(&target, "app"), &scene.digest(), &limits, &progress).await;
        copied.unwrap_err();
        assert!(target.requests().is_empty(), "nothing was begun: {limits:?}");
    }
}

#[tokio::test]
async fn s39_images_and_indexes_that_are_attached_are_left_behind() {
    for settings in [Settings::new(), Settings::new().without_referrers_api()] {
        let (source, target) = (settings.start(), Registry::start());
        let scene = Scene::new();
        scene.push(&source, "app");
        let about = scene.index.root().descriptor();
        let layer = || Layer::new().file("evil", "6");
        let image = ImageBuilder::new().layer(layer()).manifest("subject", about.clone()).build();
        let called = ImageBuilder::new()
            .layer(layer())
            .manifest("subject", about.clone())
            .manifest("artifactType", json!("application/spdx+json"))
            .docker()
            .build();
        let inner = ImageBuilder::new().layer(layer()).user("7").build();
        let index = IndexBuilder::new().image(&inner).key("subject", about).build();
        source.push("app", None, &image);
        source.push("app", None, &called);
        source.push("app", None, &index);
        for evil in [image.root(), called.root(), index.root()] {
            source.list_in_fallback_tag("app", scene.index.digest(), evil);
        }
        // Under a tag where cosign keeps bills of materials.
        let tagged = ImageBuilder::new().layer(layer()).user("8").build();
        source.push("app", Some(&format!("{}.sbom", scene.index.digest().replace(':', "-"))), &tagged);
        let client = between(&[&source, &target]);
        let copied = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap();
        assert_eq!((copied.manifests, copied.attached), (7, 4), "what belongs to it came along");
        for evil in [image.digest(), called.digest(), index.digest(), inner.digest(), tagged.digest()] {
            assert_eq!(target.manifest("app", evil), None, "{evil}");
        }
        for evil in [image.digest(), called.digest(), index.digest(), tagged.digest()] {
            assert!(copied.warnings.iter().any(|warning| warning.contains(evil)), "{evil}: {:?}", copied.warnings);
        }
    }
}

#[tokio::test]
async fn b7_without_the_right_to_push_nothing_is_sent() {
    let source = Registry::start();
    let reader = Bearer { accounts: vec![Account::new("ci", "secret").pull_only()], ..Bearer::anonymous(false) };
    let target = Settings::new().auth(Auth::Bearer(reader)).start();
    let scene = Scene::new();
    scene.push(&source, "app");
    let options = Options { retries: 0, ..options(&[&source, &target]) };
    let client = Client::new(options, Wallet::of(basic("ci", "secret"))).unwrap();
    let error = scene.copy(&client, &at(&source, "app"), &at(&target, "app")).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
}
