//! Package URLs taken apart, so that they can be compared. Source: purl-spec, `PURL-SPECIFICATION.rst` and the type
//! definitions, read by the `packageurl` crate. Not for finding out what a package is: only whether two are the same.

use std::collections::BTreeMap;
use std::fmt;

use packageurl::PackageUrl;

use crate::Digest;

/// A package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purl {
    /// The type in lower case: `deb`, `npm`, `oci`.
    pub kind: String,
    /// The namespace, such as `debian` or `@scope`.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The version as it is written, percent-decoded; `None` if it is missing or empty.
    pub version: Option<String>,
    /// The qualifiers that have a value.
    pub qualifiers: BTreeMap<String, String>,
    /// The path inside the package.
    pub subpath: Option<String>,
    canonical: String,
}

impl Purl {
    /// Reads a package URL; `None` if it is none. An image with the path of its repository where the specification has
    /// none (`pkg:oci/team/app@sha256:…`, as some tools write it) is read by its last part.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let purl: PackageUrl = match text.parse() {
            Ok(purl) => purl,
            Err(_) => match without_repository(text)?.parse() {
                Ok(purl) => purl,
                Err(_) => return None,
            },
        };
        Some(Self {
            kind: purl.ty().to_owned(),
            namespace: purl.namespace().filter(|namespace| !namespace.is_empty()).map(str::to_owned),
            name: purl.name().to_owned(),
            version: purl.version().filter(|version| !version.is_empty()).map(str::to_owned),
            qualifiers: purl.qualifiers().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            subpath: purl.subpath().filter(|path| !path.is_empty()).map(str::to_owned),
            canonical: purl.to_string(),
        })
    }

    /// The name that [`Purl::parse`] would read in this text, as it is written there and without reading the rest, which takes
    /// many times as long. `None` if that takes more: the name is encoded or not ASCII, or the URL is one of an image. The name
    /// of a text that is no package URL means nothing.
    pub fn name_in(text: &str) -> Option<&str> {
        let text = text.trim();
        if text.starts_with("pkg:oci/") {
            return None;
        }
        let before = |text: &'_ str, mark: u8| text.bytes().rposition(|byte| byte == mark).unwrap_or(text.len());
        let text = &text[..before(text, b'#')];
        let text = &text[..before(text, b'?')];
        let version = before(text, b'@');
        let text = if text[version..].contains('/') { text } else { &text[..version] };
        let text = text.trim_end_matches('/');
        let name = text.bytes().rposition(|byte| byte == b'/').map_or(text, |slash| &text[slash + 1..]);
        (name.is_ascii() && !name.contains('%')).then_some(name)
    }

    /// The digest that an image is named by: the version of a `pkg:oci` or `pkg:docker` URL.
    pub fn digest(&self) -> Option<Digest> {
        let is_image = self.kind == "oci" || self.kind == "docker";
        match self.version.as_deref().filter(|_| is_image).map(str::parse) {
            Some(Ok(digest)) => Some(digest),
            _ => None,
        }
    }

    /// The version, with its epoch in front where deb and rpm packages have one. Tools write it into the version or into
    /// a qualifier, and write an epoch of 0 or not.
    pub fn full_version(&self) -> Option<String> {
        let version = self.version.as_deref()?;
        if self.kind != "deb" && self.kind != "rpm" {
            return Some(version.to_owned());
        }
        Some(match self.qualifiers.get("epoch") {
            Some(epoch) if !version.contains(':') => without_zero_epoch(&format!("{epoch}:{version}")).to_owned(),
            _ => without_zero_epoch(version).to_owned(),
        })
    }

    /// True if type, namespace, name and subpath are the same; versions and qualifiers are not looked at.
    pub fn is_same_package(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
            && self.subpath == other.subpath
    }

    /// True if this names exactly that package: the same package in the same version, and no qualifier here that the
    /// other does not have. What has no version names nothing exactly.
    pub fn names(&self, other: &Self) -> bool {
        let version = self.full_version();
        self.is_same_package(other)
            && version.is_some()
            && version == other.full_version()
            && self
                .qualifiers
                .iter()
                .filter(|(key, _)| key.as_str() != "epoch")
                .all(|(key, value)| other.qualifiers.get(key) == Some(value))
    }
}

impl fmt::Display for Purl {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

/// A version without an epoch of 0, which means the same as none.
pub(crate) fn without_zero_epoch(version: &str) -> &str {
    version.strip_prefix("0:").unwrap_or(version)
}

/// `pkg:oci/registry/team/app@…` without `registry/team/`.
fn without_repository(text: &str) -> Option<String> {
    let rest = text.strip_prefix("pkg:oci/")?;
    let end = rest.find(['@', '?', '#']).unwrap_or(rest.len());
    let (path, tail) = rest.split_at(end);
    let (_, name) = path.rsplit_once('/')?;
    Some(format!("pkg:oci/{name}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purl(text: &str) -> Purl {
        Purl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn b19_the_name_read_alone_is_that_of_the_whole() {
        // All texts of up to three of these parts: what is no URL has no name to compare with.
        let parts = [
            "npm/", "%40acme/", "@acme/", "left_pad", "PyPI/", "a/", "@1.0", "@1/2", "?x=1", "#s/t", "%2B", "ü", "/",
            "@", "?", "#",
        ];
        let mut texts =
            vec!["pkg:".to_owned(), "pkg:oci/".to_owned(), " pkg://pypi/".to_owned(), "pkg:deb/debian/".to_owned()];
        let (mut read, mut first) = (0, 0_usize);
        for _ in 0..3 {
            let longer = |text: &String| parts.map(|part| format!("{text}{part}"));
            let next: Vec<String> = texts[first..].iter().flat_map(longer).collect();
            first = texts.len();
            texts.extend(next);
        }
        for text in texts {
            let (Some(whole), Some(alone)) = (Purl::parse(&text), Purl::name_in(&text)) else { continue };
            let alone = if whole.kind == "pypi" { alone.replace('_', "-") } else { alone.to_owned() };
            assert!(whole.name.eq_ignore_ascii_case(&alone), "{text}: {whole:?} {alone}");
            read += 1;
        }
        assert!(read > 1000, "{read}");
        for (text, name) in [
            ("pkg:npm/%40acme/x@1", Some("x")),
            ("pkg:npm/x", Some("x")),
            ("pkg:npm/%78", None),
            ("pkg:oci/app@sha256:0", None),
        ] {
            assert_eq!(Purl::name_in(text), name, "{text}");
        }
    }

    #[test]
    fn b19_package_urls_are_decoded_and_shown_in_canonical_form() {
        let read = purl("pkg:DEB/Debian/libstdc%2B%2B6@1:12.2-14%2Bb1?distro=debian-12&arch=amd64&empty=");
        assert_eq!(
            (read.kind.as_str(), read.namespace.as_deref(), read.name.as_str()),
            ("deb", Some("debian"), "libstdc++6")
        );
        assert_eq!(read.version.as_deref(), Some("1:12.2-14+b1"));
        assert_eq!(read.to_string(), "pkg:deb/debian/libstdc%2B%2B6@1:12.2-14%2Bb1?arch=amd64&distro=debian-12");
        for bad in ["", "deb/debian/x@1", "pkg:", "pkg:deb", "pkg:deb/", "pkg:bad type/x@1", "pkg:oci/team/"] {
            assert_eq!(Purl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn s24_an_image_is_named_by_the_digest_of_its_purl() {
        let digest = Digest::of(b"manifest");
        let encoded = digest.as_str().replace(':', "%3A");
        for text in [
            format!("pkg:oci/app@{digest}?arch="),
            format!("pkg:oci/app@{encoded}?repository_url=example.com%2Fteam%2Fapp"),
            format!("pkg:oci/127.0.0.1:5000/team/app@{digest}?arch=amd64&tag=1.0"),
            format!("pkg:docker/team/app@{digest}"),
        ] {
            assert_eq!(purl(&text).digest(), Some(digest.clone()), "{text}");
        }
        for text in [
            format!("pkg:generic/app@{digest}"),
            "pkg:oci/app@1.0".to_owned(),
            format!("pkg:docker/app@{}", digest.short()),
        ] {
            assert_eq!(purl(&text).digest(), None, "{text}");
        }
    }

    #[test]
    fn s24_the_same_package_in_the_same_version_and_nothing_else() {
        let installed = purl("pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&epoch=1&distro=rhel-9.3");
        for same in [
            "pkg:rpm/redhat/openssl-libs@1:3.0.7-24.el9",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?epoch=1",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&epoch=1",
        ] {
            assert!(purl(same).names(&installed), "{same}");
        }
        for other in [
            "pkg:rpm/redhat/openssl-libs",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9",
            "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9?epoch=1",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?epoch=1&arch=aarch64",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?epoch=1&repository_id=x",
            "pkg:rpm/fedora/openssl-libs@3.0.7-24.el9?epoch=1",
            "pkg:rpm/openssl-libs@3.0.7-24.el9?epoch=1",
            "pkg:rpm/redhat/openssl@3.0.7-24.el9?epoch=1",
            "pkg:deb/redhat/openssl-libs@3.0.7-24.el9?epoch=1",
            "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?epoch=1#lib",
        ] {
            assert!(!purl(other).names(&installed), "{other}");
        }
        let unversioned = purl("pkg:npm/x");
        assert!(!unversioned.names(&unversioned), "without a version nothing is exact");
        assert!(purl("pkg:deb/debian/x@0:1.0").names(&purl("pkg:deb/debian/x@1.0?epoch=0")));
    }
}
