//! Package databases inside layers, and the operating system's name.

use super::super::packages::tests::rpm_database;
use super::*;

#[test]
fn b16_distroless_packages_are_read_one_by_one() {
    let (a, b) = (deb("a"), b"Package: b\nVersion: 2\n".to_vec());
    let layer: &[Make<'_>] = &[
        Put("var/lib/dpkg/status.d/base", 0o644, &a),
        Put("var/lib/dpkg/status.d/base.md5sums", 0o644, b"0 x"),
        Put("var/lib/dpkg/status.d/bGliYw", 0o644, &b),
    ];
    assert_eq!(packages(&[layer]), ["a 1", "b 2"]);
    assert_eq!(contents(&[layer]).databases, ["dpkg status.d"]);
    assert_eq!(packages(&[layer, &[Put("var/lib/dpkg/status.d/.wh.base", 0o644, b"")]]), ["b 2"]);
    let link: &[Make<'_>] = &[Link("var/lib/dpkg/status.d", "/srv/list.d"), Put("srv/list.d/a", 0o644, &a)];
    assert_eq!(
        contents(&[link]).unreadable,
        ["dpkg status.d: /var/lib/dpkg/status.d links to /srv/list.d, which is not read"],
    );
    let broken = error(&[&[Put("var/lib/dpkg/status.d/x", 0o644, b"hello")]]);
    assert_eq!(broken, "package database, at /var/lib/dpkg/status.d/x, line 1: it is no `Field: value`");
}

#[test]
fn b16_rpm_databases_are_read_where_distributions_keep_them() {
    let database = rpm_database();
    for folder in ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"] {
        let path = format!("{folder}/rpmdb.sqlite");
        let layer: &[Make<'_>] = &[
            Put(&path, 0o644, &database),
            Put(&format!("{path}-wal"), 0o644, b""),
            Put(&format!("{path}-shm"), 0o644, &[0; 100]),
        ];
        assert_eq!(packages(&[layer]).len(), 5, "{folder}");
        assert_eq!(contents(&[layer]).databases, ["rpm sqlite"]);
    }
    let linked: &[Make<'_>] = &[
        Link("var/lib/rpm", "../../usr/lib/sysimage/rpm"),
        Put("usr/lib/sysimage/rpm/rpmdb.sqlite", 0o644, &database),
    ];
    assert_eq!(packages(&[linked]).len(), 5, "one database under two names");
    assert_eq!(contents(&[linked]).databases, ["rpm sqlite"]);
}

#[test]
fn b16_what_of_rpm_cannot_be_read_is_said() {
    let database = rpm_database();
    for (name, words) in [
        ("Packages", "rpm: /var/lib/rpm/Packages is of the older format Berkeley DB, which is not read"),
        ("Packages.db", "rpm: /var/lib/rpm/Packages.db is of the older format ndb, which is not read"),
    ] {
        let contents = contents(&[&[Put(&format!("var/lib/rpm/{name}"), 0o644, b"x")]]);
        assert_eq!(contents.unreadable, [words]);
        assert!(contents.databases.is_empty());
    }
    for name in ["rpmdb.sqlite-wal", "rpmdb.sqlite-journal"] {
        let layer: &[Make<'_>] =
            &[Put("var/lib/rpm/rpmdb.sqlite", 0o644, &database), Put(&format!("var/lib/rpm/{name}"), 0o644, b"x")];
        let found = contents(&[layer]);
        let words = format!("rpm sqlite: /var/lib/rpm/{name} holds changes that are not in the database yet");
        assert_eq!(found.unreadable, [words]);
        assert!(found.packages.is_empty());
        // Taken away above, the database is whole.
        assert_eq!(packages(&[layer, &[Put(&format!("var/lib/rpm/.wh.{name}"), 0o644, b"")]]).len(), 5);
    }
    let broken = error(&[&[Put("var/lib/rpm/rpmdb.sqlite", 0o644, &database[..8192])]]);
    assert!(broken.starts_with("package database, at /var/lib/rpm/rpmdb.sqlite: "), "{broken}");
}

#[test]
fn b16_apk_is_read_in_both_places() {
    let installed = b"P:musl\nV:1.2\nA:x86_64\n";
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        assert_eq!(packages(&[&[Put(path, 0o644, installed)]]), ["musl 1.2"], "{path}");
    }
    assert!(error(&[&[Put("lib/apk/db/installed", 0o644, b"\0")]]).starts_with("package database, at /lib/apk"));
}

#[test]
fn b16_other_package_managers_are_named() {
    for (path, words) in [
        ("var/lib/pacman/local/bash-5/desc", "pacman: /var/lib/pacman/local is of a package manager"),
        ("usr/lib/opkg/status", "opkg: /usr/lib/opkg/status is of a package manager"),
        ("var/db/pkg/sys-apps/x", "portage: /var/db/pkg is of a package manager"),
    ] {
        let folder = path.rsplit_once('/').unwrap().0;
        let contents = contents(&[&[Folder(folder), Put(path, 0o644, b"x")]]);
        assert_eq!(contents.unreadable.len(), 1, "{path}");
        assert!(contents.unreadable[0].starts_with(words), "{:?}", contents.unreadable);
    }
    assert_eq!(contents(&[&[Folder("var/db/pkg"), Put("srv/status", 0o644, b"x")]]).unreadable, [""; 0]);
}

#[test]
fn b16_the_operating_system_is_named() {
    let named = |entries: &[Make<'_>]| contents(&[entries]).os.map(|os| format!("{} {}", os.id, os.version));
    let debian = b"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
    assert_eq!(named(&[Put("etc/os-release", 0o644, debian)]).as_deref(), Some("debian 12"));
    assert_eq!(named(&[Put("usr/lib/os-release", 0o644, debian)]).as_deref(), Some("debian 12"));
    let linked = [Link("etc/os-release", "../usr/lib/os-release"), Put("usr/lib/os-release", 0o644, debian)];
    assert_eq!(named(&linked).as_deref(), Some("debian 12"));
    let both =
        [Put("etc/os-release", 0o644, b"ID='alpine'\nVERSION_ID=3.19.1\n"), Put("usr/lib/os-release", 0o644, debian)];
    assert_eq!(named(&both).as_deref(), Some("alpine 3.19.1"));
    assert_eq!(named(&[Put("etc/os-release", 0o644, b"# nothing")]).as_deref(), Some("linux "));
    assert_eq!(named(&[]), None);
}

#[test]
fn b16_a_database_over_the_limits_is_an_error_unless_it_is_replaced() {
    let small = Limits { bytes: 100, ..Limits::STANDARD };
    let huge = b"\n".repeat(101);
    let layer = |content: &[u8]| gzip(&tar_of(&[Put(STATUS, 0o644, content)]));
    let mut reader = Reader::new(&config(1, &[]), &small);
    reader.layer(GZIP, &layer(&huge)[..]).unwrap();
    assert_eq!(reader.finish().expect_err("too large").cause, "it has 101 bytes; at most 100 are read");
    let mut reader = Reader::new(&config(2, &[]), &small);
    reader.layer(GZIP, &layer(&huge)[..]).unwrap();
    reader.layer(GZIP, &layer(&deb("a"))[..]).unwrap();
    assert_eq!(reader.finish().unwrap().packages.len(), 1);
    let few = Limits { entries: 1, ..Limits::STANDARD };
    let mut reader = Reader::new(&config(1, &[]), &few);
    reader.layer(GZIP, &layer(&[deb("a"), b"\n".to_vec(), deb("b")].concat())[..]).unwrap();
    assert_eq!(reader.finish().expect_err("too many").cause, "it lists more than 1 packages");
}
