//! What an upgrade of a package has to reach. Versions of distributions have orders of their own, so two versions are
//! compared only where both are three numbers with dots, which everybody orders alike. Everything else is listed.

use std::collections::{BTreeMap, BTreeSet};

use model::{Fix, Package};
use semver::Version;

/// What is said about the fix of one finding, over all its packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fixing<'a> {
    /// There is one. Each package with the versions it is fixed in, of which one is enough; empty where none is named.
    Fixed(Vec<(&'a Package, Vec<&'a str>)>),
    /// There is none, in one of the packages at least.
    None,
    /// It is not said of each package whether there is one.
    NotSaid,
}

impl<'a> Fixing<'a> {
    pub(super) fn of(packages: &[&'a Package]) -> Self {
        let any = |fix: &Fix| packages.iter().any(|package| package.fix == *fix);
        if any(&Fix::None) {
            return Self::None;
        }
        if packages.is_empty() || any(&Fix::NotSaid) {
            return Self::NotSaid;
        }
        let versions = |package: &'a Package| match &package.fix {
            Fix::In(versions) => versions.split(',').map(str::trim).filter(|version| !version.is_empty()).collect(),
            Fix::Available | Fix::None | Fix::NotSaid => Vec::new(),
        };
        Self::Fixed(packages.iter().map(|package| (*package, versions(package))).collect())
    }
}

/// How many versions are tried, from the smallest one on that may do.
const MOST_TRIED: usize = 64;

/// The smallest version that clears all of these, or all versions that are named, each a list of which one is enough.
pub(super) fn target(fixes: &[(&Package, Vec<&str>)]) -> Vec<Vec<String>> {
    let named: Vec<_> = fixes.iter().filter(|(_, versions)| !versions.is_empty()).collect();
    let all: BTreeSet<Vec<String>> =
        named.iter().map(|(_, versions)| versions.iter().map(|version| (*version).to_owned()).collect()).collect();
    let mut read = Vec::new();
    for (package, versions) in named {
        let versions: Vec<Version> = versions.iter().filter_map(|version| plain(version)).collect();
        let Some(installed) = plain(&package.version) else { return all.into_iter().collect() };
        read.push((installed, versions));
    }
    let written: BTreeMap<Version, &String> =
        all.iter().flatten().rev().filter_map(|text| Some((plain(text)?, text))).collect();
    if all.iter().flatten().any(|text| plain(text).is_none()) {
        return all.into_iter().collect();
    }
    let clears_all = |version: &Version| read.iter().all(|(installed, fixed)| clears(version, installed, fixed));
    // Where only one version has a fix, nothing below it does.
    let least =
        read.iter().filter_map(|(_, fixed)| if let [only] = fixed.as_slice() { Some(only) } else { None }).max();
    let may_do = written.iter().filter(|(version, _)| least.is_none_or(|least| *version >= least));
    match may_do.take(MOST_TRIED).chain(written.last_key_value()).find(|(version, _)| clears_all(version)) {
        Some((_, text)) => vec![vec![(*text).clone()]],
        None => all.into_iter().collect(),
    }
}

/// True if this version is an upgrade and has the fix: it is at least the highest version with it, or the highest of its
/// own branch, such as 1.2.
fn clears(version: &Version, installed: &Version, fixed: &[Version]) -> bool {
    let of_branch = || fixed.iter().filter(|other| (other.major, other.minor) == (version.major, version.minor)).max();
    let reaches = |highest: Option<&Version>| highest.is_some_and(|highest| highest <= version);
    version > installed && (reaches(fixed.iter().max()) || reaches(of_branch()))
}

/// A version of three numbers. What follows them, as `-r1` or `+dfsg`, has another meaning everywhere.
fn plain(text: &str) -> Option<Version> {
    match Version::parse(text.strip_prefix('v').unwrap_or(text)) {
        Ok(version) if version.pre.is_empty() && version.build.is_empty() => Some(version),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(fixes: &[(&str, &str)]) -> Vec<Vec<String>> {
        let packages: Vec<Package> = fixes
            .iter()
            .map(|(installed, fixed)| Package {
                version: (*installed).to_owned(),
                ..crate::scene::package("x", Fix::In((*fixed).to_owned()))
            })
            .collect();
        let fixes: Vec<_> = packages
            .iter()
            .flat_map(|package| match Fixing::of(&[package]) {
                Fixing::Fixed(fixes) => fixes,
                other => panic!("{other:?}"),
            })
            .collect();
        target(&fixes)
    }

    #[test]
    fn b23_the_smallest_version_that_clears_all_is_chosen_where_the_order_is_known() {
        assert_eq!(target_of(&[("1.0.0", "1.2.3"), ("1.0.0", "1.10.0")]), [["1.10.0"]]);
        assert_eq!(target_of(&[("v1.0.0", "1.2.3"), ("1.0.0", "v1.0.9")]), [["1.2.3"]]);
        assert_eq!(target_of(&[("1.2.0", "1.2.3, 2.0.1"), ("1.2.0", "1.2.4, 2.0.0")]), [["1.2.4"]]);
        assert_eq!(target_of(&[("2.0.0", "1.2.3, 2.0.1")]), [["2.0.1"]], "never a downgrade");
        assert_eq!(target_of(&[("1.2.0", "1.2.3, 2.0.1"), ("1.2.0", "2.0.0")]), [["2.0.1"]], "2.0.0 has not both");
    }

    #[test]
    fn a5_any_number_of_versions_is_compared_in_bounded_time() {
        let fixes: Vec<_> = (1..20_000).map(|n| format!("{n}.0.0, {n}.1.0")).collect();
        let fixes: Vec<_> = fixes.iter().map(|fixed| ("0.1.0", fixed.as_str())).collect();
        assert_eq!(target_of(&fixes), [["19999.1.0"]]);
    }

    #[test]
    fn b23_versions_whose_order_is_not_known_are_all_named() {
        let deb = [("3.0.11-1~deb12u2", "3.0.14-1~deb12u1"), ("3.0.11-1~deb12u2", "3.0.13-1~deb12u1")];
        assert_eq!(target_of(&deb), [["3.0.13-1~deb12u1"], ["3.0.14-1~deb12u1"]]);
        assert_eq!(target_of(&[("3.1.0-r9", "3.1.0-r10"), ("3.1.0-r9", "3.1.0-r9")]).len(), 2, "no word is compared");
        assert_eq!(target_of(&[("", "1.0.0"), ("1.0", "1.0.1")]).len(), 2, "the installed version is not known");
        assert_eq!(target_of(&[("2.0.0", "1.0.0"), ("2.0.0", "1.5.0")]).len(), 2, "fixed before it was installed");
        assert_eq!(target_of(&[("1.0", "1.1, 2.0")]), [["1.1", "2.0"]], "one of two");
        assert_eq!(target_of(&[("1.0", "1.1"), ("1.0", "1.1")]), [["1.1"]]);
    }
}
