//! Layers made to deceive or to exhaust: what two readers would read differently, what takes memory without end, bytes
//! that are no layer at all.

use super::*;

/// A header written by hand, with its checksum.
fn header(path: &[u8], kind: u8, size: &[u8; 12], magic: [u8; 8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..path.len().min(100)].copy_from_slice(&path[..path.len().min(100)]);
    block[100..108].copy_from_slice(b"0000755\0");
    block[124..136].copy_from_slice(size);
    block[156] = kind;
    block[257..265].copy_from_slice(&magic);
    sum(&mut block);
    block
}

fn sum(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

const USTAR: [u8; 8] = *b"ustar\x0000";

fn octal(size: usize) -> [u8; 12] {
    format!("{size:011o}\0").into_bytes().try_into().unwrap()
}

/// An entry with its content, padded.
fn entry(path: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, kind, &octal(content.len()), USTAR);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn read(layer: &[u8]) -> Result<Contents, ParseError> {
    let mut reader = Reader::new(&config(1, &["/app"]), &Limits::STANDARD);
    reader.layer(PLAIN, layer)?;
    reader.finish()
}

fn names(layer: &[u8]) -> Vec<String> {
    read(layer).unwrap().packages.into_iter().map(|package| package.name).collect()
}

fn cause(layer: &[u8]) -> String {
    read(layer).expect_err("an error").cause
}

#[test]
fn b16_paths_stay_inside_the_image() {
    let database = deb("a");
    for path in [&b"../var/lib/dpkg/status"[..], b"var/../var/lib/dpkg/status", b"var/lib/dpkg/.."] {
        assert_eq!(cause(&entry(path, b'0', &database)), "its path leads out of the image by `..`");
    }
    for path in [&b"/var/lib/dpkg/status"[..], b"var//lib/./dpkg/status", b"./var/lib/dpkg/status"] {
        assert_eq!(names(&entry(path, b'0', &database)), ["a"]);
    }
    assert_eq!(names(&[entry(b"./", b'5', b""), entry(STATUS.as_bytes(), 0, &database)].concat()), ["a"]);
}

#[test]
fn b16_a_folder_has_no_content_whatever_its_header_says() {
    // Runtimes read the next header right behind a folder's or link's; a reader that skips the claimed size does not
    // see this database.
    let hidden = entry(STATUS.as_bytes(), b'0', &deb("hidden"));
    for kind in [b'1', b'2', b'5', b'6'] {
        let mut folder = header(b"folder", kind, &octal(hidden.len()), USTAR);
        folder[157] = b'x';
        sum(&mut folder);
        let bytes = [folder, hidden.clone()].concat();
        assert_eq!(names(&bytes), ["hidden"], "{}", char::from(kind));
    }
}

#[test]
fn b16_sizes_and_names_of_extended_headers_count() {
    let database = deb("a");
    let record = |text: &str| {
        let mut length = text.len() + 3;
        while format!("{length} {text}\n").len() != length {
            length += 1;
        }
        format!("{length} {text}\n").into_bytes()
    };
    let pax = |text: &str, entry: Vec<u8>| [self::entry(b"pax", b'x', &record(text)), entry].concat();
    assert_eq!(names(&pax(&format!("path={STATUS}"), entry(b"x", b'0', &database))), ["a"]);
    let mut wrong_size = entry(STATUS.as_bytes(), b'0', &database);
    wrong_size[124..136].copy_from_slice(&octal(1));
    sum(&mut wrong_size[..512]);
    assert_eq!(names(&pax(&format!("size={}", database.len()), wrong_size)), ["a"]);
    // A global header says nothing about the entries behind it.
    let global = [entry(b"pax", b'g', &record(&format!("path={STATUS}"))), entry(b"x", b'0', &database)].concat();
    assert!(names(&global).is_empty());
    let long = [entry(b"././@LongLink", b'L', format!("{STATUS}\0").as_bytes()), entry(b"x", b'0', &database)].concat();
    assert_eq!(names(&long), ["a"]);
    let mut prefixed = entry(b"status", b'0', &database);
    prefixed[345..345 + 12].copy_from_slice(b"var/lib/dpkg");
    sum(&mut prefixed[..512]);
    assert_eq!(names(&prefixed), ["a"]);

    assert_eq!(cause(&pax("size=-1", entry(b"x", b'0', b""))), "a number of a PAX record is not decimal");
    assert_eq!(cause(&pax("path=a\0b", entry(b"x", b'0', b""))), "a PAX record is broken");
    assert_eq!(cause(&entry(b"pax", b'x', b"9999 a=b\n")), "a PAX record is broken");
    assert_eq!(
        cause(&entry(b"pax", b'x', &record("path=a"))),
        "the archive ends after a header that describes a next entry"
    );
    let endless = header(b"././@LongLink", b'L', &octal(2 << 20), USTAR);
    assert_eq!(cause(&endless), "a name or header has 2097152 bytes; at most 1048576 are read");
}

#[test]
fn b16_sparse_files_are_not_misread() {
    let sparse = header(STATUS.as_bytes(), b'S', &octal(0), *b"ustar  \0");
    assert_eq!(cause(&sparse), "it is stored as a sparse file, which is not read");
    let record = b"22 GNU.sparse.major=1\n";
    let pax = [entry(b"pax", b'x', record), entry(STATUS.as_bytes(), b'0', &deb("a"))].concat();
    assert_eq!(cause(&pax), "it is stored as a sparse file, which is not read");
    let app = header(b"app", b'S', &octal(0), *b"ustar  \0");
    assert!(matches!(read(&app).unwrap().entrypoint, Entrypoint::NotDecidable(_)));
}

#[test]
fn b16_broken_archives_are_refused() {
    let good = entry(STATUS.as_bytes(), b'0', &deb("a"));
    assert_eq!(names(&good), ["a"], "an archive may end without zeros");
    assert_eq!(names(&[good.clone(), vec![0; 1024]].concat()), ["a"]);
    assert_eq!(names(&[good.clone(), vec![0; 512]].concat()), ["a"]);
    // Behind the end nothing is an entry.
    let behind = [good.clone(), vec![0; 1024], entry(b"var/lib/dpkg/.wh.status", b'0', b"")].concat();
    assert_eq!(names(&behind), ["a"]);
    let gap = [good.clone(), vec![0; 512], good.clone()].concat();
    assert_eq!(cause(&gap), "a block of zeros stands between two entries");
    assert_eq!(cause(&good[..700]), "the archive is cut off", "inside the content");
    assert_eq!(cause(&good[..100]), "the archive is cut off", "inside the header");
    let mut summed = good.clone();
    summed[0] ^= 1;
    assert_eq!(cause(&summed), "the checksum of a header is wrong, or this is no tar archive");
    assert!(cause(&entry(b"x", b'V', b"")).contains("unknown type 'V'"));
    let huge = header(b"x", b'0', b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", USTAR);
    assert_eq!(cause(&huge), "a number of a header is too large or negative");
    let letters = header(b"x", b'0', b"12345678abc\0", USTAR);
    assert_eq!(cause(&letters), "a number of a header is not octal");
    let max = header(b"x", b'0', b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", USTAR);
    assert_eq!(cause(&max), "an entry is too large");
    let deep = "a/".repeat(600);
    assert!(error(&[&[Put(&format!("{deep}x"), 0o644, b"")]]).contains("has more than 512 parts"));
    assert!(error(&[&[Put(&"n".repeat(300), 0o644, b"")]]).contains("or one of more than 255 bytes"));
    assert!(error(&[&[Link("x", &"n/".repeat(3000))]]).contains("longer than 4096 bytes"));
}

#[test]
fn b16_checksums_of_packed_layers_are_looked_at() {
    let tar = tar_of(&[Put(STATUS, 0o644, &deb("a"))]);
    let mut packed = gzip(&tar);
    let end = packed.len();
    packed[end - 6] ^= 1;
    let read =
        |media_type: &str, bytes: &[u8]| Reader::new(&config(1, &[]), &Limits::STANDARD).layer(media_type, bytes);
    assert!(read(GZIP, &packed).is_err(), "gzip");
    let garbage = [gzip(&tar), b"garbage".to_vec()].concat();
    assert!(read(GZIP, &garbage).is_err(), "behind the end");
    let mut frame = zstd(&tar);
    let end = frame.len();
    frame[end - 1] ^= 1;
    assert!(read(ZSTD, &frame).is_err(), "zstd");
    assert!(read(ZSTD, &[zstd(&tar), vec![0x28, 0xb5]].concat()).is_err());
    // A frame that asks for 2 GiB of memory.
    let greedy = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0, 0, 0];
    let error = read(ZSTD, &greedy).expect_err("memory").cause;
    assert!(error.contains("needs 2147483648 bytes of memory"), "{error}");
    assert!(read(GZIP, b"").is_err() && read(ZSTD, b"").is_err(), "nothing at all is no packed layer");
    assert!(read(PLAIN, b"").is_ok(), "an empty archive is one");
}

/// A program in so many nested folders of its own.
fn nested(number: usize, folders: usize) -> Vec<u8> {
    let path = format!("{number}/{}program\0", "d/".repeat(folders));
    [entry(b"././@LongLink", b'L', path.as_bytes()), header(b"x", b'0', &octal(0), USTAR)].concat()
}

#[test]
fn b16_many_programs_leave_the_entrypoint_open_and_the_packages_whole() {
    let mut bytes: Vec<u8> = (0..450).flat_map(|number| nested(number, 500)).collect();
    bytes.extend(entry(STATUS.as_bytes(), b'0', &deb("a")));
    bytes.extend(entry(b"var/lib", b'5', b""));
    bytes.extend([entry(b"lib", b'5', b""), entry(b"etc/program", b'0', b"x")].concat());
    let mut reader = Reader::new(&config(1, &["/app"]), &Limits::STANDARD);
    reader.layer(PLAIN, &bytes[..]).unwrap();
    let names = reader.tree.size().names;
    assert!((MOST_NAMES - SLACK..MOST_NAMES_AT_ALL).contains(&names), "{names}");
    let contents = reader.finish().unwrap();
    assert_eq!(contents.packages.len(), 1);
    assert!(matches!(contents.entrypoint, Entrypoint::NotDecidable(_)), "{:?}", contents.entrypoint);
    assert!(matches!(read(&nested(1, 500)).unwrap().entrypoint, Entrypoint::Missing(_)), "few are no trouble");
}

#[test]
fn b16_many_links_are_refused() {
    let target = [vec![b't'; 4000], vec![0]].concat();
    let long = entry(b"././@LongLink", b'K', &target);
    let links =
        (0..8000).flat_map(|n| [long.clone(), header(n.to_string().as_bytes(), b'2', &octal(0), USTAR)].concat());
    assert!(cause(&links.collect::<Vec<u8>>()).contains("take more than 29360128 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn b16_any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for media_type in [PLAIN, GZIP, ZSTD] {
            let mut reader = Reader::new(&config(1, &["sh"]), &Limits::STANDARD);
            prop_assert_eq!(reader.layer(media_type, &bytes[..]).is_ok(), bytes.is_empty() && media_type == PLAIN);
        }
        for magic in [&[0x1f, 0x8b, 8, 0][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x53, 0x2a, 0x4d, 0x18]] {
            let bytes = [magic, &bytes].concat();
            for media_type in [GZIP, ZSTD] {
                let _ = Reader::new(&config(1, &["sh"]), &Limits::STANDARD).layer(media_type, &bytes[..]);
            }
        }
    }

    #[test]
    fn b16_a_changed_packed_layer_is_refused_or_whole(at in any::<proptest::sample::Index>(), bit in 0u32..8) {
        let good = gzip(&tar_of(&[Put(STATUS, 0o644, &deb("a")), Put("bin/sh", 0o755, b"#!/bin/sh\n"), Link("a", "b")]));
        let mut changed = good.clone();
        let at = at.index(good.len());
        changed[at] ^= 1 << bit;
        let mut reader = Reader::new(&config(1, &["sh"]), &Limits::STANDARD);
        // Its checksum finds every change of the content; others may leave it as it is.
        if reader.layer(GZIP, &changed[..]).is_ok() {
            prop_assert_eq!(reader.finish().unwrap().packages.len(), 1);
        }
    }

    #[test]
    fn b16_a_changed_archive_is_read_without_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4)) {
        let mut tar = tar_of(&[
            Put(STATUS, 0o644, &deb("a")),
            Folder("usr/bin"),
            Link("bin", "usr/bin"),
            Put("bin/sh", 0o755, b"#!/bin/sh\n"),
            Hard("bin/bash", "bin/sh"),
            Put("usr/.wh..wh..opq", 0o644, b""),
        ]);
        for (at, byte) in changes {
            let at = at.index(tar.len());
            tar[at] = byte;
            // A right checksum, so that what was changed is looked at.
            let block = at / 512 * 512;
            if tar[block + 257..block + 262] == *b"ustar" {
                sum(&mut tar[block..block + 512]);
            }
        }
        let mut reader = Reader::new(&config(1, &["bash"]), &Limits::STANDARD);
        if reader.layer(PLAIN, &tar[..]).is_ok() {
            let _ = reader.finish();
        }
    }
}
