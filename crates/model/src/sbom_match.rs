//! Whether a bill of materials lists the packages of the operating system that an image really holds (B19). The caller
//! looks at package databases that could not be read; here what was read is taken for the whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::holds_something;
use crate::purl::without_zero_epoch;
use crate::{Contents, OsPackage, Purl, Sbom};

/// What differs between an image and its bill of materials; both lists are sorted, and a package that is there for several
/// architectures is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// In the image, not in the bill of materials.
    pub missing: Vec<OsPackage>,
    /// In the bill of materials, not in the image.
    pub phantom: Vec<OsPackage>,
}

impl Comparison {
    /// True if nothing differs.
    pub fn is_match(&self) -> bool {
        self.missing.is_empty() && self.phantom.is_empty()
    }
}

type Key = (String, String, String);

/// The packages of the operating system that a bill of materials lists, as (kind, name, version): components with a
/// package URL of type deb, apk or rpm. Source packages are none.
pub fn os_packages(sbom: &Sbom) -> BTreeSet<Key> {
    listed(sbom).into_keys().collect()
}

/// Compares a bill of materials with the package databases of the image, by kind, name and version.
pub fn compare(sbom: &Sbom, contents: &Contents) -> Comparison {
    let listed = listed(sbom);
    let mut held = BTreeMap::new();
    for package in contents.packages.iter().filter(|package| is_package(&package.kind, &package.name)) {
        let version = match package.kind.as_str() {
            "deb" | "rpm" => without_zero_epoch(&package.version),
            _ => &package.version,
        };
        held.entry((package.kind.clone(), package.name.clone(), version.to_owned())).or_insert_with(|| package.clone());
    }
    let only_in = |here: &BTreeMap<Key, OsPackage>, there: &BTreeMap<Key, OsPackage>| {
        here.iter().filter(|(key, _)| !there.contains_key(*key)).map(|(_, package)| package.clone()).collect()
    };
    let mut phantom: Vec<OsPackage> = only_in(&listed, &held);
    // A package that was removed and left its configuration behind is in the database, and some tools list it.
    let left = |package: &OsPackage| {
        contents.removed.iter().any(|removed| {
            (&removed.kind, &removed.name) == (&package.kind, &package.name)
                && without_zero_epoch(&removed.version) == package.version
        })
    };
    phantom.retain(|package| !left(package));
    Comparison { missing: only_in(&held, &listed), phantom }
}

fn listed(sbom: &Sbom) -> BTreeMap<Key, OsPackage> {
    let mut listed = BTreeMap::new();
    for purl in sbom.components.iter().filter_map(|component| Purl::parse(component.purl.as_deref()?)) {
        let architecture = purl.qualifiers.get("arch").map_or("", String::as_str);
        let is_source = matches!((purl.kind.as_str(), architecture), ("deb", "source") | ("rpm", "src" | "nosrc"));
        if !is_source && is_package(&purl.kind, &purl.name) {
            let version = purl.full_version().unwrap_or_else(String::new);
            let package = OsPackage {
                kind: purl.kind.clone(),
                name: purl.name.clone(),
                version: version.clone(),
                architecture: architecture.to_owned(),
            };
            listed.entry((purl.kind, purl.name, version)).or_insert(package);
        }
    }
    listed
}

/// Some tools list what is in a database and is no package, some leave it out. Neither counts.
fn is_package(kind: &str, name: &str) -> bool {
    ["apk", "deb", "rpm"].contains(&kind) && holds_something(kind, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Component, Entrypoint};

    fn sbom(purls: &[&str]) -> Sbom {
        let component = |purl: &&str| Component {
            purl: Some((*purl).to_owned()),
            name: "named by its purl".to_owned(),
            version: "0".to_owned(),
            licenses: vec![],
            hashes: vec![],
        };
        Sbom {
            format: "cyclonedx".to_owned(),
            version: "1.6".to_owned(),
            created: None,
            tools: vec![],
            describes: vec![],
            name: None,
            components: purls.iter().map(component).collect(),
        }
    }

    fn image(packages: &[(&str, &str, &str, &str)]) -> Contents {
        let package = |(kind, name, version, architecture): &(&str, &str, &str, &str)| OsPackage {
            kind: (*kind).to_owned(),
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: (*architecture).to_owned(),
        };
        Contents {
            os: None,
            databases: vec![],
            packages: packages.iter().map(package).collect(),
            removed: vec![],
            unreadable: vec![],
            entrypoint: Entrypoint::NotSet,
        }
    }

    #[test]
    fn b15_a_removed_package_whose_configuration_stays_is_neither_missing_nor_too_many() {
        let mut image = image(&[("deb", "kept", "1", "amd64")]);
        image.removed = vec![OsPackage {
            kind: "deb".to_owned(),
            name: "gone".to_owned(),
            version: "2".to_owned(),
            architecture: "amd64".to_owned(),
        }];
        assert!(compare(&sbom(&["pkg:deb/debian/kept@1", "pkg:deb/debian/gone@2"]), &image).is_match());
        assert!(compare(&sbom(&["pkg:deb/debian/kept@1"]), &image).is_match());
        assert!(!compare(&sbom(&["pkg:deb/debian/kept@1", "pkg:deb/debian/gone@3"]), &image).is_match());
    }

    fn names(packages: &[OsPackage]) -> Vec<String> {
        packages.iter().map(|package| format!("{} {} {}", package.kind, package.name, package.version)).collect()
    }

    #[test]
    fn b19_a_bill_of_materials_matches_the_databases_of_its_image() {
        // The spellings of the tools: epoch in the version or in a qualifier, `+` encoded or not, 0 said or not.
        let cases = [
            (
                sbom(&[
                    "pkg:deb/debian/bsdutils@1:2.38.1-5%2Bb1?arch=amd64&distro=debian-12&upstream=util-linux%402.38",
                ]),
                ("deb", "bsdutils", "1:2.38.1-5+b1", "amd64"),
            ),
            (
                sbom(&["pkg:deb/debian/bsdutils@2.38.1-5+b1?arch=amd64&epoch=1"]),
                ("deb", "bsdutils", "1:2.38.1-5+b1", "amd64"),
            ),
            (sbom(&["pkg:deb/debian/libstdc%2B%2B6@12.2.0-14"]), ("deb", "libstdc++6", "12.2.0-14", "amd64")),
            (sbom(&["pkg:deb/debian/x@1~rc1-1"]), ("deb", "x", "1~rc1-1", "all")),
            (
                sbom(&["pkg:apk/alpine/musl@1.2.4_git20230717-r4?arch=x86_64"]),
                ("apk", "musl", "1.2.4_git20230717-r4", "x86_64"),
            ),
            (
                sbom(&["pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&epoch=1"]),
                ("rpm", "openssl-libs", "1:3.0.7-24.el9", "x86_64"),
            ),
            (
                sbom(&["pkg:rpm/redhat/glibc@2.34-83.el9?arch=x86_64&epoch=0"]),
                ("rpm", "glibc", "2.34-83.el9", "x86_64"),
            ),
            (sbom(&["pkg:rpm/redhat/glibc@2.34-83.el9?arch=x86_64"]), ("rpm", "glibc", "0:2.34-83.el9", "x86_64")),
        ];
        for (sbom, package) in cases {
            let compared = compare(&sbom, &image(&[package]));
            assert!(compared.is_match(), "{package:?}: {compared:?}");
            assert_eq!(os_packages(&sbom).len(), 1);
        }
        assert!(compare(&sbom(&["pkg:npm/x@1", "pkg:oci/x@1"]), &image(&[])).is_match(), "nothing is what is there");
    }

    #[test]
    fn b19_what_is_missing_and_what_is_not_there_is_named() {
        let listed = sbom(&[
            "pkg:deb/debian/bash@5.2-1?arch=amd64",
            "pkg:deb/debian/curl@7.88-1?arch=amd64",
            "pkg:deb/debian/phantom@1?arch=amd64",
            "pkg:deb/debian/nothing-said?arch=amd64",
            "pkg:rpm/redhat/bash@5.2-1",
        ]);
        let held = image(&[
            ("deb", "bash", "5.2-1", "amd64"),
            ("deb", "curl", "1:7.88-1", "amd64"),
            ("deb", "openssl", "3.0-1", "amd64"),
            ("deb", "nothing-said", "1", "amd64"),
        ]);
        let compared = compare(&listed, &held);
        assert_eq!(names(&compared.missing), ["deb curl 1:7.88-1", "deb nothing-said 1", "deb openssl 3.0-1"]);
        assert_eq!(
            names(&compared.phantom),
            ["deb curl 7.88-1", "deb nothing-said ", "deb phantom 1", "rpm bash 5.2-1"]
        );
        assert!(!compared.is_match());
        assert_eq!(compare(&sbom(&[]), &held).missing.len(), 4);
        assert_eq!(compare(&listed, &image(&[])).phantom.len(), 5);
    }

    #[test]
    fn b19_several_architectures_of_one_package_are_one_and_sources_and_keys_are_none() {
        let listed = sbom(&[
            "pkg:deb/debian/libc6@2.36-9?arch=amd64",
            "pkg:deb/debian/libc6@2.36-9?arch=i386",
            "pkg:deb/debian/glibc@2.36-9?arch=source",
            "pkg:rpm/redhat/glibc@2.34-83.el9?arch=src",
            "pkg:rpm/redhat/gpg-pubkey@fd431d51-4ae0493b?arch=(none)",
            "not a purl at all",
        ]);
        let held = image(&[
            ("deb", "libc6", "2.36-9", "amd64"),
            ("deb", "libc6", "2.36-9", "i386"),
            ("apk", ".build-deps", "20240101.000000", "noarch"),
        ]);
        assert!(compare(&listed, &held).is_match());
        assert_eq!(names(&compare(&sbom(&[]), &held).missing), ["deb libc6 2.36-9"]);
        // Two versions of one package are two packages.
        let two = image(&[("rpm", "kernel", "5.14-1.el9", "x86_64"), ("rpm", "kernel", "5.14-2.el9", "x86_64")]);
        let one = compare(&sbom(&["pkg:rpm/redhat/kernel@5.14-2.el9?arch=x86_64"]), &two);
        assert_eq!(names(&one.missing), ["rpm kernel 5.14-1.el9"]);
    }
}
