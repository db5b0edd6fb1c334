//! OCI image layouts.

use serde_json::json;
use testkit::oci::{IndexBuilder, Layout, Referrer, digest_of};

use super::*;

#[test]
fn f7_a_layout_gives_the_image_with_its_digest_from_a_folder_and_from_archives() {
    let (place, image) = (Place::new(), image("a"));
    let layout = Layout::new().with(Some("v1"), &image);
    let dotted = layout
        .0
        .iter()
        .fold(Layer::new().folder("./"), |tar, (path, bytes)| tar.file(&format!("./{path}"), bytes.clone()));
    let check = |reference: &LocalReference| {
        let source = open(reference).unwrap();
        let listed = source.images();
        assert_eq!((listed.len(), listed[0].names.as_slice()), (1, ["v1".to_owned()].as_slice()));
        let Subject::Manifest(manifest) = source.choose().unwrap() else { panic!("a layout holds manifests") };
        assert_eq!((manifest.digest.as_str(), &manifest.bytes[..]), (image.digest(), &image.manifest.bytes[..]));
        let read_image = source.image(&manifest).unwrap();
        assert_eq!(read_image.config.digest.as_str(), image.config.digest);
        assert_eq!(
            (&read_image.config.bytes[..], read_image.manifest_bytes()),
            (&image.config.bytes[..], manifest.bytes)
        );
        for (layer, wanted) in read_image.layers.iter().zip(&image.layers) {
            assert_eq!(read(&source, layer).unwrap(), wanted.bytes);
            assert_eq!(layer.media_type, wanted.media_type);
        }
        assert_eq!(read_image.layers.len(), 2);
        assert_eq!(&source.blob(&layer_digest(&image, 0), 1 << 20).unwrap()[..], image.layers[0].bytes);
        assert!(matches!(
            *source.blob(&layer_digest(&image, 0), 9).unwrap_err().fault,
            Fault::TooLarge { limit: 9, .. }
        ));
    };
    check(&place.folder(&layout));
    check(&place.archive(LocalKind::LayoutArchive, &layout.tar()));
    check(&place.archive(LocalKind::LayoutArchive, &layout.tar_gz()));
    check(&place.archive(LocalKind::LayoutArchive, &dotted.tar()));
}

fn layer_digest(image: &Image, at: usize) -> Digest {
    image.layers[at].digest.parse().unwrap()
}

#[test]
fn f7_the_image_is_the_one_that_was_named_and_never_a_guess() {
    let (place, first, second) = (Place::new(), image("a"), image("b"));
    let index = IndexBuilder::new().image(&first).image(&second).build();
    let layout = Layout::new().with(Some("v1"), &first).with(Some("v2"), &second).with(Some("stable"), &second);
    let reference = place.folder(&layout.clone().with(Some("all"), &index));
    let digest = |reference: &LocalReference| match open(reference).unwrap().choose().unwrap() {
        Subject::Manifest(manifest) => manifest.digest.to_string(),
        Subject::Saved(_) => panic!("a layout holds manifests"),
    };
    assert_eq!(digest(&named(&reference, "v1")), first.digest());
    assert_eq!(digest(&named(&reference, "stable")), second.digest());
    assert_eq!(digest(&named(&reference, "all")), index.digest());
    assert_eq!(digest(&by_digest(&reference, second.digest())), second.digest());
    let source = open(&reference).unwrap();
    assert_eq!(source.images()[1].names, ["v2", "stable"], "one digest, one line");
    let Fault::SeveralImages { listed } = *source.choose().unwrap_err().fault else { panic!("there are three") };
    assert!(listed.len() == 3 && listed[0].contains("v1") && listed[0].contains(first.digest()), "{listed:?}");
    let Fault::NoSuchImage { asked, listed } = fault(everything(&named(&reference, "V1"))) else { panic!() };
    assert!(asked.contains("V1") && listed.len() == 3, "{asked} {listed:?}");
    let unknown = by_digest(&reference, &digest_of(b"nothing"));
    assert!(matches!(fault(everything(&unknown)), Fault::NoSuchImage { .. }));
    let twice = place.folder(&layout.with(Some("v1"), &second));
    assert!(matches!(fault(everything(&named(&twice, "v1"))), Fault::SameName { name, .. } if name == "v1"));
    assert!(matches!(fault(everything(&place.folder(&Layout::new()))), Fault::Empty));

    // An image inside an index is not in index.json, and is found by its digest alone.
    let inside = place.folder(&Layout::new().with(Some("all"), &index));
    assert_eq!(digest(&inside), index.digest());
    assert_eq!(digest(&by_digest(&inside, first.digest())), first.digest());
}

#[test]
fn s25_referrers_are_found_by_subject_and_fallback_tag_and_are_no_images() {
    let (place, image, other) = (Place::new(), image("a"), image("b"));
    let report = Referrer::new(&image, "a/report").layer("text/plain", "x").annotation("k", "v").build();
    let old = Referrer::new(&image, "").config("a/old", "{}").layer("text/plain", "y").build();
    let foreign = Referrer::new(&other, "a/report").layer("text/plain", "z").build();
    let listed = Referrer::new(&image, "a/listed").layer("text/plain", "l").build();
    let mut descriptor = listed.manifest.descriptor();
    descriptor["artifactType"] = json!("a/listed");
    let fallback = IndexBuilder::new().descriptor(descriptor).build();
    let mut layout = Layout::new()
        .with(Some("v1"), &image)
        .with(None, &report)
        .with(None, &old)
        .with(None, &foreign)
        .with(Some(&image.digest().replace(':', "-")), &fallback)
        .with_descriptor(json!({ "mediaType": "application/xml", "digest": digest_of(b"<a/>"), "size": 4 }), &Layout1);
    let reference = place.folder(&layout);
    let source = open(&reference).unwrap();
    let Subject::Manifest(chosen) = source.choose().unwrap() else { panic!() };
    assert_eq!(chosen.digest.as_str(), image.digest(), "the only image");
    let found = source.referrers(&chosen.digest).unwrap();
    let mut types: Vec<_> = found.iter().map(|found| (found.digest.to_string(), found.artifact_type.clone())).collect();
    types.sort();
    let mut wanted: Vec<_> = [(&report, "a/report"), (&old, "a/old"), (&listed, "a/listed")]
        .map(|(artifact, kind)| (artifact.digest().to_owned(), Some(kind.to_owned())))
        .to_vec();
    wanted.sort();
    assert_eq!(types, wanted);
    let with_notes = found.iter().find(|found| found.digest.as_str() == report.digest()).unwrap();
    assert_eq!(with_notes.annotations["k"], "v");
    assert!(source.referrers(&Digest::of(b"x")).unwrap().is_empty());

    // A referrer that cannot be read may be about this image: there is no list then.
    layout.remove(&Files::blob_path(report.digest()));
    let error = open(&place.folder(&layout)).unwrap().referrers(&chosen.digest).unwrap_err();
    assert!(matches!(*error.fault, Fault::Missing { .. }), "{error}");
}

/// Nothing but a line in index.json.
struct Layout1;

impl testkit::oci::Stored for Layout1 {
    fn root(&self) -> &testkit::oci::Blob {
        unreachable!("a descriptor of its own is given")
    }
    fn manifests(&self) -> Vec<&testkit::oci::Blob> {
        Vec::new()
    }
    fn blobs(&self) -> Vec<&testkit::oci::Blob> {
        Vec::new()
    }
}

#[test]
fn f7_signatures_as_cosign_saves_them_are_no_images() {
    let (place, image, signature) = (Place::new(), image("a"), image("b"));
    let marked = |image: &Image, kind: &str| {
        let mut descriptor = image.manifest.descriptor();
        descriptor["annotations"] = json!({ "kind": format!("dev.cosignproject.cosign/{kind}") });
        descriptor
    };
    let layout = Layout::new()
        .with_descriptor(marked(&image, "imageIndex"), &image)
        .with_descriptor(marked(&signature, "sigs"), &signature);
    assert_eq!(everything(&place.folder(&layout)).unwrap().config.digest.as_str(), image.config.digest);
    let tagged = Layout::new()
        .with(Some("v1"), &image)
        .with(Some(&format!("{}.sig", image.digest().replace(':', "-"))), &signature);
    assert_eq!(everything(&place.folder(&tagged)).unwrap().config.digest.as_str(), image.config.digest);
}

#[test]
fn s4_each_lie_of_a_layout_has_its_name() {
    let (place, image) = (Place::new(), image("a"));
    let good = || Layout::new().with(Some("v1"), &image);
    assert!(everything(&place.folder(&good())).is_ok(), "what is spoiled below is good before");
    let spoiled = |change: &dyn Fn(&mut Layout)| {
        let mut layout = good();
        change(&mut layout);
        fault(everything(&place.folder(&layout)))
    };
    let of = |blob: &testkit::oci::Blob| Files::blob_path(&blob.digest);
    let (manifest, config, layer) = (of(&image.manifest), of(&image.config), of(&image.layers[1]));

    let missing = spoiled(&|layout| layout.remove("oci-layout"));
    assert!(matches!(missing, Fault::NotALayout { docker: false }), "{missing}");
    let version = spoiled(&|layout| layout.edit("oci-layout", |value| value["imageLayoutVersion"] = json!("2.0.0")));
    assert!(matches!(version, Fault::LayoutVersion { found } if found == "2.0.0"));
    assert!(matches!(spoiled(&|layout| layout.remove("index.json")), Fault::Missing { .. }));
    for path in [&manifest, &config, &layer] {
        assert!(matches!(spoiled(&|layout| layout.remove(path)), Fault::Missing { .. }), "{path}");
        assert!(matches!(spoiled(&|layout| layout.spoil(path)), Fault::DigestMismatch { .. }), "{path}");
    }
    for change in [json!(null), json!({}), json!("x"), json!([{ "digest": image.digest(), "size": 3 }])] {
        let fault = spoiled(&|layout| layout.edit("index.json", |index| index["manifests"] = change.clone()));
        assert!(matches!(fault, Fault::Document { .. }), "{change}: {fault}");
    }
    for (pointer, value) in [("schemaVersion", json!(1)), ("schemaVersion", json!(null)), ("manifests", json!(null))] {
        let fault = spoiled(&|layout| layout.edit("index.json", |index| index[pointer] = value.clone()));
        assert!(matches!(fault, Fault::Document { .. }), "{pointer}: {fault}");
    }
    let kind = spoiled(&|layout| layout.edit("index.json", |index| index["mediaType"] = json!("a/b")));
    assert!(matches!(kind, Fault::MediaType { .. }), "{kind}");
    let size = spoiled(&|layout| layout.edit("index.json", |index| index["manifests"][0]["size"] = json!(7)));
    assert!(matches!(size, Fault::SizeMismatch { expected: 7, .. }), "{size}");
    let listed = spoiled(&|layout| {
        layout.edit("index.json", |index| index["manifests"][0]["mediaType"] = json!(testkit::oci::INDEX));
    });
    assert!(matches!(listed, Fault::MediaType { .. }), "{listed}");
    let other_case = spoiled(&|layout| layout.edit("index.json", |index| index["Manifests"] = json!([])));
    assert!(matches!(other_case, Fault::Ambiguous { read: "manifests", .. }), "{other_case}");
    let twice = spoiled(&|layout| {
        let text = String::from_utf8(layout.0["index.json"].clone()).unwrap();
        layout.put("index.json", text.replacen('{', "{\"manifests\":[],", 1));
    });
    assert!(matches!(twice, Fault::Document { .. }), "{twice}");
    // A folder in the place of a file, and a file in the place of the folder.
    let folder = spoiled(&|layout| {
        layout.remove(&layer);
        layout.put(&format!("{layer}/x"), "");
    });
    assert!(matches!(folder, Fault::WrongKind { expected: "file", .. }), "{folder}");
    let file = LocalReference { path: place.path("layout/index.json"), ..place.folder(&good()) };
    assert!(matches!(fault(everything(&file)), Fault::WrongKind { expected: "folder", .. }));
    let nowhere = LocalReference { path: place.path("nowhere"), ..file };
    assert!(matches!(fault(everything(&nowhere)), Fault::NotThere { .. }));
}

#[test]
fn s4_a_manifest_that_two_readers_take_for_different_things_is_refused() {
    let place = Place::new();
    let with = |build: testkit::oci::ImageBuilder| {
        everything(&place.folder(&Layout::new().with(None, &build.layer(Layer::new().file("a", "b")).build())))
    };
    let builder = testkit::oci::ImageBuilder::new;
    assert!(with(builder().manifest("mediaType", json!(null))).is_ok(), "OCI does not require it");
    let both = fault(with(builder().manifest("manifests", json!([]))));
    assert!(matches!(both, Fault::Document { .. }), "{both}");
    let said = fault(with(builder().manifest("mediaType", json!(testkit::oci::INDEX))));
    assert!(matches!(said, Fault::MediaType { .. }), "{said}");
    let cased = fault(with(builder().manifest("Layers", json!([]))));
    assert!(matches!(cased, Fault::Ambiguous { read: "layers", .. }), "{cased}");
    let none = fault(with(builder().manifest("layers", json!(null))));
    assert!(matches!(none, Fault::Document { .. }), "{none}");
    // Annotations and the settings of the configuration have free keys.
    assert!(with(builder().annotation("Config", "x").label("Layers", "y").env("OS", "z")).is_ok());
    let list = IndexBuilder::new().key("manifests", json!(null)).build();
    let error = open(&place.folder(&Layout::new().with(None, &list))).unwrap().choose().unwrap_err();
    assert!(matches!(*error.fault, Fault::MediaType { .. }), "{error}");
}

#[test]
fn s4_limits_are_errors_that_name_them() {
    let (place, image) = (Place::new(), image("a"));
    let reference = place.folder(&Layout::new().with(Some("v1"), &image).with(Some("v2"), &image));
    let limits = SourceLimits::default;
    let within = |limits| fault(everything_within(&reference, limits));
    let small = within(SourceLimits { manifest_bytes: 100, ..limits() });
    assert!(matches!(small, Fault::TooLarge { limit: 100, .. }), "{small}");
    let config = within(SourceLimits { config_bytes: 10, ..limits() });
    assert!(matches!(config, Fault::TooLarge { limit: 10, .. }), "{config}");
    let images = within(SourceLimits { images: 1, ..limits() });
    assert!(matches!(images, Fault::TooMany { limit: 1, .. }), "{images}");
    let layers = within(SourceLimits { layers: 1, ..limits() });
    assert!(matches!(layers, Fault::TooMany { what: "layers", .. }), "{layers}");
    assert_eq!(everything(&reference).unwrap().layers.len(), descriptors(&image).len());
}

#[test]
fn f7_real_layouts_of_cosign_are_read() {
    let Some(data) = std::env::var_os("ECR_GATE_TESTDATA") else {
        eprintln!("skipped: ECR_GATE_TESTDATA is not set");
        return;
    };
    for version in ["v1.10.0", "v2.1.0"] {
        let path = PathBuf::from(&data).join("slsa-images").join(version).join("container_workflow_dispatch");
        let digest = std::fs::read_to_string(path.with_extension("digest")).unwrap();
        let source = open(&LocalReference { kind: LocalKind::Layout, path, pick: Pick::Only }).unwrap();
        let Subject::Manifest(manifest) = source.choose().unwrap() else { panic!() };
        assert_eq!(manifest.digest.as_str(), digest.trim(), "{version}");
        assert!(source.referrers(&manifest.digest).is_ok());
    }
}
