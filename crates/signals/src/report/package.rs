//! Packages of a finding: package URLs in canonical form, and what the scanners' words about a fix mean.
//! Source: the purl specification (ECMA-427); Trivy `pkg/types` status, Grype `fix.state`.

use std::str::FromStr;

use model::{Fix, VulnerabilityId};
use packageurl::PackageUrl;

/// The package URL in canonical form; `None` if the text is none. The package is named by its name and version all the
/// same, so nothing is lost.
pub(super) fn purl(text: &str) -> Option<String> {
    match PackageUrl::from_str(text) {
        Ok(purl) => Some(purl.to_string()),
        Err(_) => None,
    }
}

/// A fix in one of these versions. Blank ones are left out; without any, nothing is said about a fix.
pub(super) fn fixed_in<'a>(versions: impl IntoIterator<Item = &'a str>) -> Fix {
    let mut named = String::new();
    for version in versions.into_iter().map(str::trim).filter(|version| !version.is_empty()) {
        if !named.is_empty() {
            named.push_str(", ");
        }
        named.push_str(version);
    }
    if named.is_empty() { Fix::NotSaid } else { Fix::In(named) }
}

/// Trivy's words, which Harbor's scanners use too: the fixed version counts whatever the status says.
pub(super) fn fix(version: Option<&str>, status: Option<&str>) -> Fix {
    match (version, status) {
        (Some(version), _) if !version.trim().is_empty() => Fix::In(version.trim().to_owned()),
        (_, Some("fixed")) => Fix::Available,
        (_, Some("affected" | "will_not_fix" | "fix_deferred" | "end_of_life")) => Fix::None,
        _ => Fix::NotSaid,
    }
}

/// Other names of a vulnerability: blank ones, its own and those that are there already are left out.
pub(super) fn add_alias(aliases: &mut Vec<VulnerabilityId>, id: &VulnerabilityId, alias: &str) {
    let alias = alias.trim();
    if id.is(alias) || aliases.iter().any(|known| known.is(alias)) {
        return;
    }
    aliases.extend(VulnerabilityId::new(alias));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_package_urls_are_canonical_and_what_is_none_is_left_out() {
        for (text, canonical) in [
            (
                "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
                "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
            ),
            (
                "pkg:DEB/debian/curl@7.50.3-1?distro=jessie&arch=i386",
                "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
            ),
            ("pkg:pypi/Django_Extras@1.0", "pkg:pypi/django-extras@1.0"),
            ("pkg:npm/%40angular/core@1.0.0", "pkg:npm/%40angular/core@1.0.0"),
        ] {
            assert_eq!(purl(text).as_deref(), Some(canonical), "{text}");
        }
        for text in ["", "curl", "pkg:", "pkg:deb", "https://example.org/curl@1"] {
            assert_eq!(purl(text), None, "{text}");
        }
    }

    #[test]
    fn b14_a_fix_is_named_only_if_the_source_names_one() {
        assert_eq!(fixed_in(["1.2", " ", "2.0"]), Fix::In("1.2, 2.0".to_owned()));
        assert_eq!(fixed_in(["", "  "]), Fix::NotSaid);
        assert_eq!(fixed_in([]), Fix::NotSaid);
    }

    #[test]
    fn b14_aliases_are_named_once() {
        let id = VulnerabilityId::new("GHSA-1").unwrap();
        let mut aliases = Vec::new();
        for alias in ["CVE-1", "ghsa-1", " cve-1 ", "", "CVE-2"] {
            add_alias(&mut aliases, &id, alias);
        }
        assert_eq!(aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(), ["CVE-1", "CVE-2"]);
    }
}
