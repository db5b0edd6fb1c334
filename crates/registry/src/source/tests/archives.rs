//! Tar archives that lie, break off or are too large; and any bytes at all.

use proptest::prelude::*;
use tar::EntryType;
use testkit::oci::Layout;

use super::*;

fn good() -> Layout {
    Layout::new().with(Some("v1"), &image("a"))
}

fn opened(bytes: &[u8]) -> Result<LocalImage, SourceError> {
    everything(&Place::new().archive(LocalKind::LayoutArchive, bytes))
}

#[test]
fn s4_entries_that_lead_out_or_are_no_files_are_refused() {
    let with = |entry: &dyn Fn(Layer) -> Layer| fault(opened(&entry(good().layer()).tar()));
    for name in ["../x", "a/../../x", "/etc/x", "blobs/..", "a\\..\\x"] {
        let fault = with(&|tar| tar.file(name, "x"));
        assert!(matches!(&fault, Fault::Escape { name: found } if found == name), "{name}: {fault}");
    }
    for tar in [good().layer().symlink("blobs/x", "y"), good().layer().hard_link("x", "index.json")] {
        assert!(matches!(fault(opened(&tar.tar())), Fault::Link { .. }));
    }
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::GNUSparse, EntryType::new(b'Z')] {
        let fault = with(&|tar| tar.entry(kind, "x", 0o644, None, Vec::new()));
        assert!(matches!(fault, Fault::Special { .. }), "{kind:?}: {fault}");
    }
    let twice = with(&|tar| tar.file("index.json", "{}"));
    assert!(matches!(twice, Fault::Twice { name } if name == "index.json"));
    let dotted = with(&|tar| tar.file("./index.json", "{}"));
    assert!(matches!(dotted, Fault::Twice { .. }), "{dotted}");
}

#[test]
fn s4_extension_records_are_bounded_and_say_the_same_to_everybody() {
    let long = format!("blobs/{}", "x".repeat(300));
    assert!(opened(&good().layer().file(&long, "x").tar()).is_ok(), "a long name of GNU");
    let pax = |kind, record: &str| {
        let record = format!("{} {record}\n", record.len() + 4);
        assert!(record.len() < 100 && record.len() > 9, "two digits of length");
        let tar = good().layer().entry(kind, "PaxHeaders/x", 0o644, None, record.into_bytes());
        opened(&tar.file("x", "content").tar())
    };
    assert!(pax(EntryType::XHeader, "path=blobs/other").is_ok());
    assert!(pax(EntryType::XGlobalHeader, "comment=made by hand").is_ok());
    let out = fault(pax(EntryType::XHeader, "path=../other"));
    assert!(matches!(out, Fault::Escape { .. }), "{out}");
    for (kind, record) in [
        (EntryType::XGlobalHeader, "path=index.json"),
        (EntryType::XHeader, "size=many"),
        (EntryType::XHeader, "GNU.sparse.major=1"),
    ] {
        let fault = fault(pax(kind, record));
        assert!(matches!(fault, Fault::NotATar { .. }), "{record}: {fault}");
    }
    let size = fault(pax(EntryType::XHeader, "size=99999999"));
    assert!(matches!(size, Fault::Truncated { .. }), "{size}");
    let huge = fault(pax(EntryType::XHeader, "size=18446744073709551615"));
    assert!(matches!(huge, Fault::TooLarge { .. }), "{huge}");
    let name = good().layer().entry(EntryType::GNULongName, "././@LongLink", 0, None, vec![b'a'; 2 << 20]);
    assert!(matches!(fault(opened(&name.tar())), Fault::TooLarge { .. }));
}

#[test]
fn s4_an_archive_that_is_cut_or_something_else_is_refused() {
    let tar = good().tar();
    for length in [0, 1, 511, 513, 700] {
        let fault = fault(opened(&tar[..length]));
        assert!(matches!(fault, Fault::NotATar { .. } | Fault::Truncated { .. }), "{length}: {fault}");
    }
    let packed = good().tar_gz();
    let cut = fault(opened(&packed[..packed.len() / 2]));
    assert!(matches!(cut, Fault::Truncated { .. }), "{cut}");
    assert!(matches!(fault(opened(&[0; 2048])), Fault::NotATar { .. }));
    assert!(matches!(fault(opened(b"{\"not\": \"a tar\"}")), Fault::Truncated { .. }));
    assert!(matches!(fault(opened(&[0x1f, 0x8b, 1, 2, 3])), Fault::NotATar { .. } | Fault::Truncated { .. }));
    let zstd = fault(opened(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0]));
    assert!(matches!(zstd, Fault::Compressed { with: "zstd", .. }), "{zstd}");
    // One block of zeros is the end for some and nothing for others.
    let end = tar.len() - 1024;
    let hidden = [&tar[..end], &[0; 512], &Layer::new().file("index.json", "{}").tar()].concat();
    assert!(matches!(fault(opened(&hidden)), Fault::NotATar { .. }));
    assert!(opened(&tar[..end]).is_ok(), "the end of the file is an end");
    let mut sum = tar.clone();
    sum[0] ^= 1;
    assert!(matches!(fault(opened(&sum)), Fault::NotATar { .. }));
}

#[test]
fn s4_archives_are_bounded_before_they_are_believed() {
    let place = Place::new();
    let within =
        |bytes: &[u8], limits| fault(everything_within(&place.archive(LocalKind::LayoutArchive, bytes), limits));
    let limits = SourceLimits::default;
    let entries = within(&good().tar(), SourceLimits { entries: 3, ..limits() });
    assert!(matches!(entries, Fault::TooMany { what: "entries", limit: 3 }), "{entries}");
    let large = within(&good().tar(), SourceLimits { archive_bytes: 3000, ..limits() });
    assert!(matches!(large, Fault::TooLarge { limit: 3000, .. }), "{large}");
    let mut bomb = good();
    bomb.put("zeros", vec![0; 8 << 20]);
    let packed = bomb.tar_gz();
    assert!(packed.len() < 1 << 20);
    let bomb = within(&packed, SourceLimits { archive_bytes: 1 << 20, ..limits() });
    assert!(matches!(bomb, Fault::TooLarge { .. }), "{bomb}");
}

#[test]
fn f7_large_files_of_a_gzipped_archive_are_read_again() {
    let words: Vec<u8> = (0..3_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let image = testkit::oci::ImageBuilder::new().layer(Layer::new().file("large", words).uncompressed()).build();
    let bytes = Layout::new().with(None, &image).tar_gz();
    let place = Place::new();
    let source = open(&place.archive(LocalKind::LayoutArchive, &bytes)).unwrap();
    let Subject::Manifest(manifest) = source.choose().unwrap() else { panic!() };
    let layer = &source.image(&manifest).unwrap().layers[0];
    assert_eq!(read(&source, layer).unwrap(), image.layers[0].bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn s4_no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048), kind in 0..2_usize) {
        let kind = [LocalKind::LayoutArchive, LocalKind::DockerArchive][kind];
        prop_assert!(everything(&Place::new().archive(kind, &bytes)).is_err());
    }

    #[test]
    fn s4_a_changed_archive_gives_the_true_image_or_an_error(at in any::<prop::sample::Index>(), bit in 0..8_u8, zip in any::<bool>()) {
        let layout = good();
        let mut bytes = if zip { layout.tar_gz() } else { layout.tar() };
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = opened(&bytes) {
            let true_image = image("a");
            prop_assert_eq!(read.manifest.unwrap().digest.to_string(), true_image.digest());
            let layers: Vec<_> = read.layers.iter().map(|layer| (layer.digest.to_string(), layer.size)).collect();
            prop_assert_eq!(layers, descriptors(&true_image));
        }
    }

    #[test]
    fn s4_a_cut_archive_gives_the_true_image_or_an_error(at in any::<prop::sample::Index>()) {
        let bytes = testkit::oci::DockerSave::classic(&[(&image("a"), &["app:1"])]).tar();
        let bytes = &bytes[..at.index(bytes.len())];
        if let Ok(read) = everything(&Place::new().archive(LocalKind::DockerArchive, bytes)) {
            prop_assert_eq!(read.config.digest.to_string(), image("a").config.digest);
            prop_assert_eq!(read.layers.len(), 2);
        }
    }
}
