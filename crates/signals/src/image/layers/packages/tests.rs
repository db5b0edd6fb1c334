//! Package databases as their tools write them, and broken ones.
//!
//! `rpmdb.sqlite.gz.base64` is a database of rpm 4.18 (`_db_backend sqlite`), made for this test: `rpmbuild -bb` of five
//! empty packages (one with epoch 4, one with epoch 0, one with 40 files, so that its header goes on over several
//! pages), `rpm --root … --import` of a throw-away key, `rpm --root … -i`, then gzip and base64.

use std::io::Read;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::kept::Kept;
use super::*;

const MOST: usize = 1000;

pub(in super::super) fn rpm_database() -> Vec<u8> {
    static DATABASE: LazyLock<Vec<u8>> = LazyLock::new(unpacked_database);
    DATABASE.clone()
}

fn unpacked_database() -> Vec<u8> {
    let text = include_str!("rpmdb.sqlite.gz.base64");
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| !b"\n=".contains(letter)).map(value).collect();
    let packed: Vec<u8> = letters
        .chunks(4)
        .flat_map(|four| {
            let bits = four.iter().enumerate().fold(0, |bits, (at, six)| bits | u32::from(*six) << (18 - 6 * at));
            bits.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect();
    let mut database = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut database).unwrap();
    database
}

fn keep(bytes: &[u8]) -> Kept {
    Kept::read(&mut &bytes[..], usize::MAX).unwrap().unwrap()
}

fn rpm_of(bytes: &[u8]) -> Installed {
    rpm::installed(&keep(bytes), MOST)
}

fn shown(installed: Installed) -> Vec<String> {
    let packages = installed.unwrap();
    packages.iter().map(|p| format!("{} {} {} {}", p.kind, p.name, p.version, p.architecture)).collect()
}

const STATUS: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u4
Description: GNU C Library
 Package: not-this-one
 .

Package: gone
Status: deinstall ok config-files
Architecture: amd64

Package: purged
Status: purge ok not-installed

Package: half
Status: install ok half-configured
Architecture: all
Version: 1:2.0~rc1-1


Package: by-hand
Version: 3
";

#[test]
fn b16_dpkg_lists_what_is_there() {
    assert_eq!(
        shown(deb::installed(STATUS.as_bytes(), MOST)),
        ["deb libc6 2.36-9+deb12u4 amd64", "deb half 1:2.0~rc1-1 all", "deb by-hand 3 "]
    );
    assert_eq!(shown(deb::installed(b"", MOST)), [""; 0]);
    assert_eq!(shown(deb::installed(b"Package: base-files\nVersion: 12\nArchitecture: arm64", MOST)).len(), 1);
    // Maintainers' names in old encodings do no harm.
    assert_eq!(shown(deb::installed(b"Package: a\nMaintainer: J\xe9r\xf4me\nVersion: 1\n", MOST)), ["deb a 1 "]);
}

#[test]
fn b16_a_broken_dpkg_database_is_refused() {
    for (text, place, cause) in [
        ("Package: a\nVersion: 1\nhello\n", "line 3", "it is no `Field: value`"),
        ("Package: a\nPackage: b\nVersion: 1\n", "line 2", "the field is there twice"),
        ("\n\nPackage: a\n\n", "the package that begins in line 3", "there is no version"),
        ("Version: 1\n", "the package that begins in line 1", "there is no package name"),
        ("Package:\nVersion: 1\n", "the package that begins in line 1", "\"\" is no package name"),
        ("Package: a b\nVersion: 1\n", "the package that begins in line 1", "\" a b\" is no package name"),
        (
            "Package: a\nVersion: 1\nStatus: fine\n",
            "the package that begins in line 1",
            "the status \" fine\" is unknown",
        ),
    ] {
        assert_eq!(deb::installed(text.as_bytes(), MOST), Err(Broken::new(place, cause)), "{text}");
    }
    let many = "Package: a\nVersion: 1\n\n".repeat(3);
    assert_eq!(deb::installed(many.as_bytes(), 2), Err(Broken::new("", "it lists more than 2 packages")));
    assert!(deb::installed(b"Package: \xff\nVersion: 1\n", MOST).is_err());
}

const INSTALLED: &str = "\
C:Q1p78yvTLG094tHE1+dToJGbmYzQE=
P:musl
V:1.2.4-r2
A:x86_64
S:383152
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1Cg

P:busybox
V:1.36.1-r15
A:x86_64
p:cmd:ash=1.36.1-r15
";

#[test]
fn b16_apk_lists_what_is_there() {
    assert_eq!(
        shown(apk::installed(INSTALLED.as_bytes(), MOST)),
        ["apk musl 1.2.4-r2 x86_64", "apk busybox 1.36.1-r15 x86_64"]
    );
    assert_eq!(shown(apk::installed(b"", MOST)), [""; 0]);
}

#[test]
fn b16_a_broken_apk_database_is_refused() {
    for (text, place, cause) in [
        ("P:a\nhello\n", "line 2", "it is no `X:value`"),
        ("P:a\nV:1\nP:b\n", "line 3", "the field is there twice"),
        ("P:a\n\nP:b\nV:1\n", "the package that begins in line 1", "there is no version"),
        ("V:1\n", "the package that begins in line 1", "there is no package name"),
        ("ADB\0", "line 1", "it is no `X:value`"),
    ] {
        assert_eq!(apk::installed(text.as_bytes(), MOST), Err(Broken::new(place, cause)), "{text}");
    }
}

#[test]
fn b16_rpm_lists_what_is_there_without_keys() {
    let mut found = shown(rpm_of(&rpm_database()));
    found.sort();
    assert_eq!(
        found,
        [
            "rpm epochal 4:2.0~rc1-1.fc40 noarch",
            "rpm last-one 0.1-2.el9 noarch",
            "rpm many-files 1.0-1 noarch",
            "rpm tiny 1.2-3 noarch",
            "rpm zero-epoch 7-1 noarch",
        ]
    );
    assert_eq!(
        rpm::installed(&keep(&rpm_database()), 2),
        Err(Broken::new("package 4", "it lists more than 2 packages"))
    );
}

#[test]
fn b16_a_broken_rpm_database_is_refused() {
    let good = rpm_database();
    let cause = |bytes: &[u8]| rpm_of(bytes).expect_err("broken").cause;
    assert_eq!(cause(b""), "it is no SQLite database");
    assert_eq!(cause(&[0; 4096]), "it is no SQLite database");
    assert!(cause(&good[..good.len() - 4096]).contains("its header says 58 pages"), "a page is missing");
    assert!(cause(&good[..good.len() - 1]).contains("bytes, and its header says"), "a byte is missing");
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    assert!(cause(&with(16, &[0, 3])).contains("its pages have 3 bytes"));
    assert!(cause(&with(56, &[0, 0, 0, 2])).contains("its text is not UTF-8"));
    // Page 2 is the root of `Packages`: an interior page whose last child is pointed to by its header.
    assert!(cause(&with(4096, &[0x0a])).contains("page 2 is of type 10"));
    assert!(cause(&with(4096 + 8, &[0, 0, 0, 2])).contains("are not in their order"), "a child is its own parent");
    assert!(cause(&with(4096 + 8, &[0, 0, 9, 9])).contains("it points to page 2313"));
    assert!(cause(&with(4096 + 8, &[0, 0, 0, 0])).contains("it points to page 0"));
    // The schema is on more than one page.
    let mut renamed = good.clone();
    let named: Vec<usize> = (0..good.len() - 13).filter(|at| good[*at..].starts_with(b"tablePackages")).collect();
    for at in named {
        renamed[at + 6] = b'o';
    }
    assert_eq!(cause(&renamed), "there is no table Packages");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn b16_any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = deb::installed(&bytes, MOST);
        let _ = apk::installed(&bytes, MOST);
        prop_assert!(rpm_of(&bytes).is_err());
        let mut database = rpm_database();
        database[100..100 + bytes.len()].copy_from_slice(&bytes);
        let _ = rpm_of(&database);
    }

    #[test]
    fn b16_a_changed_rpm_database_never_loses_most_of_its_packages(
        at in any::<proptest::sample::Index>(), byte in any::<u8>(), page in 0usize..8,
    ) {
        let mut database = rpm_database();
        let at = page * 4096 + at.index(4096);
        database[at] = byte;
        if let Ok(packages) = rpm_of(&database) {
            // One changed byte may rename a package to `gpg-pubkey` or take a leaf of the table away by its count of
            // cells; the tree itself is still whole.
            prop_assert!(packages.len() >= 2, "{packages:?} after byte {at}");
        }
    }

    #[test]
    fn b16_a_cut_text_database_never_gains(at in 0usize..400) {
        let cut = &STATUS.as_bytes()[..at.min(STATUS.len())];
        if let Ok(packages) = deb::installed(cut, MOST) {
            prop_assert!(packages.len() <= 3);
        }
    }

    #[test]
    fn b16_kept_parts_are_those_of_the_content(size in 0usize..200_000, from in 0usize..200_000, count in 0usize..70_000) {
        let content: Vec<u8> = (0..size).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let kept = keep(&content);
        prop_assert_eq!(kept.len(), size);
        prop_assert_eq!(&kept.content().unwrap(), &content);
        let part = kept.part(from, count, &mut None).unwrap();
        prop_assert_eq!(part.as_deref(), content.get(from..from + count));
    }
}
