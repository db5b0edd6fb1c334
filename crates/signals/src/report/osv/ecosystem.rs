//! Ecosystems of OSV as types of package URLs. Source: OSV schema, "Defined ecosystems"; purl type definitions.
//! An ecosystem that is not in the table has no package URL; its packages go by their name.

use packageurl::PackageUrl;

/// Ecosystem, purl type, namespace.
const TYPES: [(&str, &str, &str); 26] = [
    ("AlmaLinux", "rpm", "almalinux"),
    ("Alpine", "apk", "alpine"),
    ("Chainguard", "apk", "chainguard"),
    ("ConanCenter", "conan", ""),
    ("CRAN", "cran", ""),
    ("crates.io", "cargo", ""),
    ("Debian", "deb", "debian"),
    ("GitHub Actions", "github", ""),
    ("Go", "golang", ""),
    ("Hackage", "hackage", ""),
    ("Hex", "hex", ""),
    ("Maven", "maven", ""),
    ("MinimOS", "apk", "minimos"),
    ("npm", "npm", ""),
    ("NuGet", "nuget", ""),
    ("openSUSE", "rpm", "opensuse"),
    ("Packagist", "composer", ""),
    ("Pub", "pub", ""),
    ("PyPI", "pypi", ""),
    ("Red Hat", "rpm", "redhat"),
    ("Rocky Linux", "rpm", "rocky-linux"),
    ("RubyGems", "gem", ""),
    ("SUSE", "rpm", "suse"),
    ("SwiftURL", "swift", ""),
    ("Ubuntu", "deb", "ubuntu"),
    ("Wolfi", "apk", "wolfi"),
];

/// The ecosystem without its release: `Debian` of `Debian:12`.
pub(super) fn base(ecosystem: &str) -> &str {
    ecosystem.split_once(':').map_or(ecosystem, |(base, _)| base)
}

/// The canonical package URL; `None` for an ecosystem that has none.
pub(super) fn purl(ecosystem: &str, name: &str, version: &str) -> Option<String> {
    let base = base(ecosystem);
    let (_, kind, vendor) = TYPES.iter().find(|(ecosystem, _, _)| *ecosystem == base)?;
    // Maven writes `group:artifact`; npm, Go and others have their namespace before the last slash.
    let (namespace, name) = match *kind {
        "maven" => name.split_once(':')?,
        _ if !vendor.is_empty() => (*vendor, name),
        _ => name.rsplit_once('/').unwrap_or(("", name)),
    };
    let Ok(mut url) = PackageUrl::new(*kind, name) else { return None };
    if !namespace.is_empty() && url.with_namespace(namespace).is_err() {
        return None;
    }
    if !version.is_empty() && url.with_version(version).is_err() {
        return None;
    }
    Some(url.to_string())
}
