//! What the builders make: digests that are true, in the registry's form, as a layout, as both kinds of archive.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};
use testkit::oci::{DockerSave, Files, Image, ImageBuilder, IndexBuilder, Layer, Layout, Referrer, digest_of};

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn entries(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn image() -> Image {
    let long = format!("{}/file", "deep".repeat(60));
    ImageBuilder::new()
        .platform("linux/arm64/v8")
        .layer(Layer::new().folder("etc/").file("etc/os-release", "ID=debian\n").executable("bin/app", "#!/bin/sh\n"))
        .layer(Layer::new().whiteout("etc/os-release").opaque("bin").file("../../escape", "x").file(&long, "y"))
        .user("65532")
        .env("PATH", "/bin")
        .label("team", "a")
        .port("80/tcp")
        .build()
}

#[test]
fn an_image_holds_together() {
    let image = image();
    let (manifest, config) = (json_of(&image.manifest.bytes), json_of(&image.config.bytes));
    assert_eq!(manifest["config"]["digest"], digest_of(&image.config.bytes));
    assert_eq!(image.digest(), digest_of(&image.manifest.bytes));
    assert_eq!((config["architecture"].as_str(), config["variant"].as_str()), (Some("arm64"), Some("v8")));
    assert_eq!(config["config"]["Env"], json!(["PATH=/bin"]));
    assert_eq!((config["history"].as_array().unwrap().len(), image.layers.len()), (2, 2));
    for (at, layer) in image.layers.iter().enumerate() {
        assert_eq!(manifest["layers"][at]["digest"], digest_of(&layer.bytes));
        assert_eq!(manifest["layers"][at]["size"], layer.bytes.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(layer.bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][at], digest_of(&unpacked));
    }
    let lower = entries(&image.layer_tars[0]);
    assert_eq!(lower["etc/os-release"], b"ID=debian\n");
    let upper: Vec<String> = entries(&image.layer_tars[1]).into_keys().collect();
    let long = format!("{}/file", "deep".repeat(60));
    assert_eq!(upper, ["../../escape", "bin/.wh..wh..opq", long.as_str(), "etc/.wh.os-release"]);
    assert_eq!(image.digest(), self::image().digest(), "the same each time");
}

#[test]
fn a_layout_names_its_images_and_holds_their_blobs() {
    let image = image();
    let index = IndexBuilder::new().image(&image).build();
    let report = Referrer::new(&index, "a/b").layer("text/plain", "x").build();
    let mut layout = Layout::new().with(Some("v1"), &index).with(None, &report);
    let listed = json_of(&layout.0["index.json"]);
    assert_eq!(listed["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "v1");
    assert_eq!(listed["manifests"][1]["digest"], report.digest());
    for (path, bytes) in layout.0.iter().filter(|(path, _)| path.starts_with("blobs/")) {
        assert_eq!(*path, Files::blob_path(&digest_of(bytes)));
    }
    // index, manifest, configuration, two layers; referrer, its empty configuration, its layer
    assert_eq!(layout.0.keys().filter(|path| path.starts_with("blobs/")).count(), 8);
    assert_eq!(entries(&layout.tar()), layout.0);
    let before = layout.0.clone();
    layout.spoil(&Files::blob_path(image.digest()));
    assert_ne!(before, layout.0);
}

#[test]
fn an_archive_of_docker_save_has_both_forms() {
    let image = image();
    let classic = DockerSave::classic(&[(&image, &["app:1", "app:latest"]), (&image, &[])]);
    let manifest = json_of(&classic.0["manifest.json"]);
    assert_eq!(manifest[0]["RepoTags"], json!(["app:1", "app:latest"]));
    assert_eq!(manifest[1]["RepoTags"], Value::Null);
    assert_eq!(classic.0[manifest[0]["Config"].as_str().unwrap()], image.config.bytes);
    assert_eq!(classic.0[manifest[0]["Layers"][1].as_str().unwrap()], image.layer_tars[1]);
    assert!(!classic.0.contains_key("index.json"));

    let modern = DockerSave::modern(&[(&image, &["app:1"])]);
    let manifest = json_of(&modern.0["manifest.json"]);
    assert_eq!(manifest[0]["Layers"][0], Files::blob_path(&image.diff_ids[0]));
    assert_eq!(modern.0[manifest[0]["Layers"][0].as_str().unwrap()], image.layer_tars[0]);
    let made_up = json_of(&modern.0["index.json"])["manifests"][0]["digest"].as_str().unwrap().to_owned();
    assert_ne!(made_up, image.digest(), "Docker makes up a manifest that was never pushed");
    assert!(modern.0.contains_key(&Files::blob_path(&made_up)));
}
