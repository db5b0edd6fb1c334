//! Archives of `docker save`.

use serde_json::json;
use testkit::oci::{DockerSave, Layout};

use super::*;

fn save(place: &Place, files: &Files) -> LocalReference {
    place.archive(LocalKind::DockerArchive, &files.tar())
}

#[test]
fn f7_an_archive_of_docker_save_has_no_manifest_digest_in_either_form() {
    let (place, image) = (Place::new(), image("a"));
    let names: &[&str] = &["app:1", "ghcr.io/team/app:1"];
    for (archive, form) in
        [(DockerSave::classic(&[(&image, names)]), "classic"), (DockerSave::modern(&[(&image, names)]), "modern")]
    {
        for bytes in [archive.tar(), archive.tar_gz()] {
            let reference = place.archive(LocalKind::DockerArchive, &bytes);
            let source = open(&reference).unwrap();
            let Subject::Saved(saved) = source.choose().unwrap() else { panic!("{form} has a digest") };
            assert_eq!(saved.manifest, None, "{form}");
            assert_eq!(saved.config.digest.as_str(), image.config.digest);
            assert_eq!(saved.names, names);
            let listed = source.images();
            assert_eq!(listed[0].platform.as_ref().unwrap().to_string(), "linux/amd64");
            for (at, layer) in saved.layers.iter().enumerate() {
                assert_eq!(layer.digest.as_str(), image.diff_ids[at]);
                assert_eq!(read(&source, layer).unwrap(), image.layer_tars[at], "{form}");
            }
            let made_up: serde_json::Value = serde_json::from_slice(&saved.manifest_bytes()).unwrap();
            assert_eq!(made_up["layers"][1]["digest"], image.diff_ids[1]);
            assert_ne!(Digest::of(&saved.manifest_bytes()).as_str(), image.digest());
            let pushed: Digest = image.digest().parse().unwrap();
            assert!(matches!(*source.manifest(&pushed).unwrap_err().fault, Fault::NoManifests));
            assert!(source.referrers(&pushed).unwrap().is_empty());
        }
    }
}

#[test]
fn f7_saved_images_are_chosen_by_name_as_docker_completes_it_or_by_image_id() {
    let (place, first, second, third) = (Place::new(), image("a"), image("b"), image("c"));
    let archive = DockerSave::classic(&[
        (&first, &["app:1", "localhost:5000/x:y"]),
        (&second, &["docker.io/team/app:latest"]),
        (&third, &[]),
    ]);
    let reference = save(&place, &archive);
    let id = |reference: &LocalReference| everything(reference).map(|image| image.config.digest.to_string());
    for (name, image) in [
        ("app:1", &first),
        ("docker.io/library/app:1", &first),
        ("localhost:5000/x:y", &first),
        ("team/app", &second),
        ("team/app:latest", &second),
    ] {
        assert_eq!(id(&named(&reference, name)).unwrap(), image.config.digest, "{name}");
    }
    assert_eq!(id(&by_digest(&reference, &third.config.digest)).unwrap(), third.config.digest);
    for name in ["app", "app:2", "other/app:1", "localhost:5000/x"] {
        assert!(matches!(fault(everything(&named(&reference, name))), Fault::NoSuchImage { .. }), "{name}");
    }
    let Fault::SeveralImages { listed } = fault(everything(&reference)) else { panic!() };
    assert!(listed.len() == 3 && listed[2].starts_with("(no name) @sha256:"), "{listed:?}");
}

#[test]
fn s4_each_lie_of_an_archive_has_its_name() {
    let (place, image) = (Place::new(), image("a"));
    let spoiled = |change: &dyn Fn(&mut DockerSave)| {
        let mut archive = DockerSave::classic(&[(&image, &["app:1"])]);
        change(&mut archive);
        fault(everything(&save(&place, &archive)))
    };
    let good = DockerSave::classic(&[(&image, &["app:1"])]);
    assert!(everything(&save(&place, &good)).is_ok());
    let listed: serde_json::Value = serde_json::from_slice(&good.0["manifest.json"]).unwrap();
    let (config, layer) = (listed[0]["Config"].as_str().unwrap(), listed[0]["Layers"][1].as_str().unwrap());

    assert!(matches!(spoiled(&|a| a.remove("manifest.json")), Fault::NotADockerArchive { layout: false }));
    for path in [config, layer] {
        assert!(matches!(spoiled(&|a| a.remove(path)), Fault::Missing { .. }), "{path}");
        assert!(matches!(spoiled(&|a| a.spoil(path)), Fault::DigestMismatch { .. }), "{path}");
    }
    let fewer = spoiled(&|a| a.edit("manifest.json", |list| list[0]["Layers"].as_array_mut().unwrap().truncate(1)));
    assert!(matches!(fewer, Fault::LayerCount { layers: 1, diff_ids: 2 }), "{fewer}");
    let none = spoiled(&|a| a.edit("manifest.json", |list| list[0]["Layers"] = json!(null)));
    assert!(matches!(none, Fault::LayerCount { layers: 0, diff_ids: 2 }), "{none}");
    let swapped = spoiled(&|a| a.edit("manifest.json", |list| list[0]["Layers"].as_array_mut().unwrap().reverse()));
    assert!(matches!(swapped, Fault::DigestMismatch { .. } | Fault::SizeMismatch { .. }), "{swapped}");
    let cased = spoiled(&|a| a.edit("manifest.json", |list| list[0]["layers"] = json!([])));
    assert!(matches!(cased, Fault::Ambiguous { read: "Layers", .. }), "{cased}");
    for value in [json!({}), json!(null), json!([{}]), json!([null]), json!([{ "Config": 1 }])] {
        let fault = spoiled(&|a| a.edit("manifest.json", |list| *list = value.clone()));
        assert!(matches!(fault, Fault::Document { .. }), "{value}: {fault}");
    }
    assert!(matches!(spoiled(&|a| a.edit("manifest.json", |list| *list = json!([]))), Fault::Empty));
    let out = spoiled(&|a| a.edit("manifest.json", |list| list[0]["Layers"][0] = json!("../../etc/passwd")));
    assert!(matches!(out, Fault::Missing { .. }), "{out}");
    let other = place.archive(LocalKind::DockerArchive, &Layout::new().with(None, &image).tar());
    assert!(matches!(fault(everything(&other)), Fault::NotADockerArchive { layout: true }));
    let other = place.archive(LocalKind::LayoutArchive, &good.tar());
    assert!(matches!(fault(everything(&other)), Fault::NotALayout { docker: true }));
}

#[test]
fn f7_layers_that_older_dockers_link_and_newer_ones_compress_are_read() {
    let (place, image) = (Place::new(), image("a"));
    let mut archive = DockerSave::classic(&[(&image, &["app:1"])]);
    let listed: serde_json::Value = serde_json::from_slice(&archive.0["manifest.json"]).unwrap();
    let layer = listed[0]["Layers"][1].as_str().unwrap().to_owned();
    archive.remove(&layer);
    let linked = |target: &str| {
        let tar = archive.layer().file("other/layer.tar", image.layer_tars[1].clone()).symlink(&layer, target);
        everything(&place.archive(LocalKind::DockerArchive, &tar.tar()))
    };
    assert!(linked("../other/layer.tar").is_ok());
    for target in ["../../other/layer.tar", "/other/layer.tar", "../nowhere", "layer.tar"] {
        assert!(matches!(fault(linked(target)), Fault::Missing { .. }), "{target}");
    }
    assert!(matches!(
        fault(linked(&format!("../{}", listed[0]["Layers"][0].as_str().unwrap()))),
        Fault::DigestMismatch { .. }
    ));

    archive.put(&layer, image.layers[1].bytes.clone());
    assert!(everything(&save(&place, &archive)).is_ok(), "gzipped");
    archive.spoil(&layer);
    let broken = fault(everything(&save(&place, &archive)));
    assert!(matches!(broken, Fault::Unreadable { .. } | Fault::DigestMismatch { .. }), "{broken}");
    archive.put(&layer, [0x28, 0xb5, 0x2f, 0xfd, 0, 0]);
    assert!(matches!(fault(everything(&save(&place, &archive))), Fault::Compressed { with: "zstd", .. }));
}
