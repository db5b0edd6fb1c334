//! Images built in memory: layers by the `tar` crate, so that this reader is tried on another's writing.

mod databases;
mod entrypoints;
mod hostile;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::{Contents, Digest, Entrypoint, ImageConfig, Layer, Platform};
use proptest::prelude::*;

use super::*;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An entry of a layer.
enum Make<'a> {
    Folder(&'a str),
    File(&'a str, u32, &'a [u8]),
    Link(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Device(&'a str),
}
use Make::{Device, File as Put, Folder, Hard, Link};

fn tar_of(entries: &[Make<'_>]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = ::tar::Header::new_gnu();
        let (path, kind, mode, content, link) = match *entry {
            Folder(path) => (path, ::tar::EntryType::Directory, 0o755, &b""[..], None),
            Put(path, mode, content) => (path, ::tar::EntryType::Regular, mode, content, None),
            Link(path, target) => (path, ::tar::EntryType::Symlink, 0o777, &b""[..], Some(target)),
            Hard(path, target) => (path, ::tar::EntryType::Link, 0o644, &b""[..], Some(target)),
            Device(path) => (path, ::tar::EntryType::Char, 0o644, &b""[..], None),
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        match link {
            Some(target) => builder.append_link(&mut header, path, target).unwrap(),
            None => builder.append_data(&mut header, path, content).unwrap(),
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn config(layers: usize, arguments: &[&str]) -> ImageConfig {
    let digest = Digest::of(b"");
    let layer = Layer { digest: digest.clone(), media_type: GZIP.to_owned(), size_bytes: 0 };
    ImageConfig {
        id: digest.clone(),
        platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() },
        created: None,
        user: String::new(),
        entrypoint: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        command: Vec::new(),
        working_dir: String::new(),
        path: Vec::new(),
        variables: Vec::new(),
        ports: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
        layers: vec![layer; layers],
        diff_ids: vec![digest; layers],
        secrets: Vec::new(),
        base: None,
    }
}

/// What layers hold, lowest first.
fn try_contents(config: &ImageConfig, layers: &[&[Make<'_>]]) -> Result<Contents, ParseError> {
    let mut reader = Reader::new(config, &Limits::STANDARD);
    for layer in layers {
        reader.layer(GZIP, &gzip(&tar_of(layer))[..])?;
    }
    reader.finish()
}

fn contents(layers: &[&[Make<'_>]]) -> Contents {
    try_contents(&config(layers.len(), &[]), layers).unwrap()
}

/// The packages of an image with these layers, as `name version`.
fn packages(layers: &[&[Make<'_>]]) -> Vec<String> {
    let contents = contents(layers);
    assert_eq!(contents.unreadable, [""; 0]);
    contents.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

fn error(layers: &[&[Make<'_>]]) -> String {
    try_contents(&config(layers.len(), &[]), layers).expect_err("an error").to_string()
}

const STATUS: &str = "var/lib/dpkg/status";

fn deb(name: &str) -> Vec<u8> {
    format!("Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n").into_bytes()
}

#[test]
fn b16_upper_layers_win() {
    let (old, new) = (deb("old"), deb("new"));
    assert_eq!(packages(&[&[Put(STATUS, 0o644, &old)], &[Put(STATUS, 0o644, &new)]]), ["new 1"]);
    assert_eq!(packages(&[&[Put(STATUS, 0o644, &old), Put(STATUS, 0o644, &new)]]), ["new 1"], "the last of a layer");
    assert_eq!(packages(&[&[Put("./var/lib/dpkg/status", 0o644, &old)]]), ["old 1"]);
}

#[test]
fn b16_whiteouts_hide_what_is_below_them() {
    let (old, new) = (deb("old"), deb("new"));
    let lower: &[Make<'_>] = &[Put(STATUS, 0o644, &old)];
    for hidden in
        ["var/lib/dpkg/.wh.status", "var/lib/dpkg/.wh..wh..opq", "var/lib/.wh.dpkg", ".wh.var", ".wh..wh..opq"]
    {
        let contents = contents(&[lower, &[Put(hidden, 0o644, b"")]]);
        assert!(contents.packages.is_empty() && contents.databases.is_empty(), "{hidden}");
        assert_eq!(contents.unreadable, [""; 0]);
        // What the same layer brings stays, before and after the whiteout.
        assert_eq!(packages(&[lower, &[Put(hidden, 0o644, b""), Put(STATUS, 0o644, &new)]]), ["new 1"], "{hidden}");
        assert_eq!(packages(&[lower, &[Put(STATUS, 0o644, &new), Put(hidden, 0o644, b"")]]), ["new 1"], "{hidden}");
        // And a layer above may bring it again.
        assert_eq!(packages(&[lower, &[Put(hidden, 0o644, b"")], lower]), ["old 1"], "{hidden}");
    }
    for other in ["var/lib/dpkg/.wh.status-old", ".wh.va", "etc/.wh..wh..opq", ".wh..wh.plnk", "var/.wh.status"] {
        assert_eq!(packages(&[lower, &[Put(other, 0o644, b"")]]), ["old 1"], "{other}");
    }
    // A folder that is opaque and said anew: what lower layers had deep in it is gone.
    let upper: &[Make<'_>] = &[Folder("var/lib/dpkg"), Put("var/.wh..wh..opq", 0o644, b""), Folder("var/lib")];
    assert!(contents(&[lower, upper]).packages.is_empty());
    assert!(error(&[lower, &[Put("var/.wh.", 0o644, b"")]]).contains("it hides no file that could be there"));
    assert!(error(&[lower, &[Put("var/.wh...", 0o644, b"")]]).contains("it hides no file that could be there"));
}

#[test]
fn b16_files_replace_folders_and_folders_files() {
    let (old, new) = (deb("old"), deb("new"));
    let lower: &[Make<'_>] = &[Put(STATUS, 0o644, &old)];
    assert!(contents(&[lower, &[Put("var/lib", 0o644, b"now a file")]]).packages.is_empty());
    assert!(contents(&[lower, &[Link("var/lib", "/nowhere")]]).packages.is_empty());
    assert_eq!(packages(&[lower, &[Folder("var/lib/dpkg"), Folder("var")]]), ["old 1"], "a folder keeps what is in it");
    assert_eq!(packages(&[&[Put("var", 0o755, b"x")], &[Put(STATUS, 0o644, &new)]]), ["new 1"]);
    assert_eq!(
        contents(&[lower, &[Folder("var/lib/dpkg/status")]]).unreadable,
        ["dpkg: /var/lib/dpkg/status is a folder"]
    );
    assert_eq!(
        contents(&[lower, &[Device("var/lib/dpkg/status")]]).unreadable,
        ["dpkg: /var/lib/dpkg/status is no regular file"]
    );
}

#[test]
fn b16_links_are_followed_inside_the_image() {
    let database = deb("a");
    let real = "usr/lib/sysimage/apk";
    let installed = b"P:a\nV:1\n";
    // A folder that is a link, before and after the file behind it came.
    for target in ["usr/lib", "/usr/lib", "./usr/../usr/lib", "../../usr/lib"] {
        let link: &[Make<'_>] = &[Link("lib", target)];
        let file: &[Make<'_>] = &[Put("usr/lib/apk/db/installed", 0o644, installed)];
        assert_eq!(packages(&[link, file]), ["a 1"], "{target}");
        assert_eq!(packages(&[file, link]), ["a 1"], "{target}");
        // Written through the link.
        assert_eq!(packages(&[link, &[Put("lib/apk/db/installed", 0o644, installed)]]), ["a 1"], "{target}");
        // And hidden through it.
        let hidden: &[Make<'_>] = &[Put("lib/apk/db/.wh.installed", 0o644, b"")];
        assert!(contents(&[link, file, hidden]).databases.is_empty(), "{target}");
    }
    // A database that lies elsewhere is there, if not readable.
    let moved: &[Make<'_>] =
        &[Link("lib/apk", "/usr/lib/sysimage/apk"), Put(&format!("{real}/db/installed"), 0o644, installed)];
    assert_eq!(
        contents(&[moved]).unreadable,
        ["apk: /lib/apk/db/installed is the file /usr/lib/sysimage/apk/db/installed, which is not read"]
    );
    let moved: &[Make<'_>] = &[Link(STATUS, "/srv/list"), Put("srv/list", 0o644, &database)];
    assert_eq!(contents(&[moved]).unreadable, ["dpkg: /var/lib/dpkg/status links to /srv/list, which is not read"]);
    let moved: &[Make<'_>] = &[Link("var/lib/dpkg", "/srv/dpkg"), Put("srv/dpkg/status", 0o644, &database)];
    assert_eq!(
        contents(&[moved]).unreadable,
        ["dpkg: /var/lib/dpkg/status is the file /srv/dpkg/status, which is not read"]
    );
    // A circle.
    let circle: &[Make<'_>] = &[Link("var/lib/dpkg", "../lib/dpkg")];
    let unreadable = contents(&[circle]).unreadable;
    assert!(unreadable.contains(&"dpkg: /var/lib/dpkg/status links in a circle".to_owned()), "{unreadable:?}");
    assert!(error(&[circle, &[Put(STATUS, 0o644, &database)]]).contains("the folders of its path link in a circle"));
}

#[test]
fn b16_hard_links_are_the_same_file() {
    let database = deb("a");
    let twin: &[Make<'_>] =
        &[Put("var/lib/dpkg/status.d/a", 0o644, &database), Hard(STATUS, "var/lib/dpkg/status.d/a")];
    let both = contents(&[twin]);
    assert_eq!(both.databases, ["dpkg", "dpkg status.d"]);
    assert_eq!(both.packages.len(), 1, "the same package is one");
    // The other name went in an upper layer; the file did not.
    assert_eq!(packages(&[twin, &[Put("var/lib/dpkg/.wh.status.d", 0o644, b"")]]), ["a 1"]);
    // A database that is another name of a file that was not kept.
    let ostree: &[Make<'_>] =
        &[Put("sysroot/objects/00.file", 0o644, &database), Hard(STATUS, "sysroot/objects/00.file")];
    assert_eq!(
        contents(&[ostree]).unreadable,
        ["dpkg: /var/lib/dpkg/status is the file /var/lib/dpkg/status, which is not read"]
    );
    assert!(error(&[&[Folder("a"), Hard("b", "a")]]).contains("it is a hard link to a folder"));
    assert!(error(&[&[Hard("b", "../a")]]).contains("it is a hard link to no file"));
}

#[test]
fn b16_every_packing_that_runtimes_take_is_read() {
    let tar = tar_of(&[Put(STATUS, 0o644, &deb("a")), Put("big", 0o644, &vec![7; 300_000])]);
    let read = |media_type: &str, bytes: &[u8]| {
        let mut reader = Reader::new(&config(1, &[]), &Limits::STANDARD);
        reader.layer(media_type, bytes)?;
        reader.finish().map(|contents| contents.packages.len())
    };
    let members = [gzip(&tar[..1000]), gzip(&tar[1000..])].concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&tar)].concat();
    let frames = [zstd(&tar[..1000]), skippable.clone(), vec![]].concat();
    for (media_type, bytes) in [
        (PLAIN, tar.clone()),
        ("application/vnd.docker.image.rootfs.diff.tar", tar.clone()),
        (GZIP, gzip(&tar)),
        (GZIP, members),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip(&tar)),
        (ZSTD, zstd(&tar)),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", zstd(&tar)),
        (ZSTD, skippable),
    ] {
        assert_eq!(read(media_type, &bytes), Ok(1), "{media_type}");
        // Cut anywhere, it is an error, but for a plain archive between entries.
        let step = bytes.len() / 40 + 1;
        for at in (0..bytes.len() - 1).step_by(step).filter(|_| bytes != tar) {
            assert!(read(media_type, &bytes[..at]).is_err(), "{media_type} cut at {at}");
        }
    }
    // Two frames of which the second is a whole archive: the first is cut.
    assert!(read(ZSTD, &frames).is_err());
    for (media_type, words) in [
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "are kept outside the registry"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "are kept outside the registry"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "are not known"),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "are not known"),
        ("", "are not known"),
    ] {
        let error = read(media_type, &gzip(&tar)).expect_err(media_type).to_string();
        assert!(error.starts_with("image layer, at layer 1: layers of type") && error.contains(words), "{error}");
    }
    assert!(read(GZIP, &tar).expect_err("packing").cause.starts_with("its media type says Gzip, and it starts with"));
    assert!(read(ZSTD, &gzip(&tar)).expect_err("packing").cause.starts_with("its media type says Zstd"));
    assert!(read(PLAIN, &gzip(&tar)).is_err(), "a gzip stream is no archive");
}

#[test]
fn b16_a_missing_layer_is_no_answer() {
    let layer = gzip(&tar_of(&[Put(STATUS, 0o644, &deb("a"))]));
    let mut reader = Reader::new(&config(2, &[]), &Limits::STANDARD);
    reader.layer(GZIP, &layer[..]).unwrap();
    assert_eq!(reader.finish().expect_err("one is missing").cause, "1 of 2 layers were read to their end");
    let mut reader = Reader::new(&config(2, &[]), &Limits::STANDARD);
    reader.layer(GZIP, &layer[..50]).expect_err("cut");
    assert!(reader.layer(GZIP, &layer[..]).is_err(), "after an error");
    assert_eq!(reader.finish().expect_err("broken").cause, "a layer could not be read");
    assert_eq!(contents(&[]).entrypoint, Entrypoint::NotSet);
}
