//! Components against the package URLs that a policy denies. Where a component does not say enough to tell, that is
//! said: it is neither denied nor free of denied packages.

use std::collections::BTreeSet;

use model::{Component, Purl, Sbom};

use crate::document::PackagePattern;

/// Types whose namespace is the distributor. A pattern or a component that leaves it out means any.
const DISTRIBUTED: [&str; 4] = ["deb", "rpm", "apk", "alpm"];

/// The components that a pattern denies, and those of which it cannot be told.
pub(super) fn denied(patterns: Option<&[PackagePattern]>, sbom: &Sbom) -> (Vec<String>, Vec<String>) {
    let (mut denied, mut unclear) = (BTreeSet::new(), BTreeSet::new());
    let Some(patterns) = patterns else { return (Vec::new(), Vec::new()) };
    let names = Names::of(patterns);
    for component in sbom.components.iter().filter(|component| names.may_be_of(component)) {
        // A component whose package URL cannot be read is one without a package URL.
        let purl = component.purl.as_deref().and_then(Purl::parse);
        for PackagePattern(pattern) in patterns {
            match hits(pattern, component, purl.as_ref()) {
                Some(true) => denied.insert(shown(component)),
                None => unclear.insert(shown(component)),
                Some(false) => false,
            };
        }
    }
    (denied.into_iter().collect(), unclear.into_iter().collect())
}

/// The names of patterns, to leave out at a glance the thousands of components that are called nothing like them: reading a package
/// URL takes long.
struct Names<'p>(Option<Vec<&'p str>>);

impl<'p> Names<'p> {
    /// `None` where a name is not ASCII: those are compared in Unicode.
    fn of(patterns: &'p [PackagePattern]) -> Self {
        let name =
            |PackagePattern(pattern): &'p PackagePattern| Some(pattern.name.as_str()).filter(|name| name.is_ascii());
        Self(patterns.iter().map(name).collect())
    }

    /// False only if [`hits`] says `Some(false)` to every pattern: neither the name in the package URL nor the component's own,
    /// which stands in for a URL that cannot be read, is one of them in any spelling.
    fn may_be_of(&self, component: &Component) -> bool {
        let Some(names) = &self.0 else { return true };
        let own = component.name.as_str();
        let in_purl = match component.purl.as_deref() {
            None => own,
            Some(purl) => match Purl::name_in(purl) {
                Some(name) => name,
                None => return true,
            },
        };
        let bare = own.rsplit(['/', ':']).next().unwrap_or(own);
        !own.is_ascii() || names.iter().any(|name| [in_purl, own, bare].into_iter().any(|is| is_like(name, is)))
    }
}

/// True if two ASCII names may be the same in the spelling of some type.
fn is_like(one: &str, other: &str) -> bool {
    let folded = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(one, other)| folded(one) == folded(other))
}

/// Whether a pattern means this component; `None` if the component does not say enough.
fn hits(pattern: &Purl, component: &Component, purl: Option<&Purl>) -> Option<bool> {
    let wanted = pattern.full_version();
    let Some(purl) = purl else {
        // Without a package URL there is only the name, bare or with its namespace in front.
        let bare = component.name.rsplit(['/', ':']).next().unwrap_or(&component.name);
        let same =
            [bare, &component.name].into_iter().any(|name| spelling(pattern, name) == spelling(pattern, &pattern.name));
        let other_version =
            wanted.is_some_and(|wanted| !component.version.is_empty() && plain(&wanted) != plain(&component.version));
        return if same && !other_version { None } else { Some(false) };
    };
    if purl.kind != pattern.kind || spelling(pattern, &purl.name) != spelling(pattern, &pattern.name) {
        return Some(false);
    }
    let same_namespace = match (&pattern.namespace, &purl.namespace) {
        (Some(wanted), Some(named)) => spelling(pattern, wanted) == spelling(pattern, named),
        (None, None) => true,
        _ => DISTRIBUTED.contains(&pattern.kind.as_str()),
    };
    if !same_namespace {
        return Some(false);
    }
    let Some(wanted) = wanted else { return Some(true) };
    let version =
        purl.full_version().or_else(|| Some(component.version.clone()).filter(|version| !version.is_empty()))?;
    Some(plain(&wanted) == plain(&version))
}

/// Registries differ in whether they tell names apart by case, PyPI not by `-`, `_` and `.` either. Nobody should name two
/// packages so.
fn spelling(pattern: &Purl, name: &str) -> String {
    let name = name.to_lowercase();
    if pattern.kind == "pypi" { name.replace(['_', '.'], "-") } else { name }
}

/// Go writes `v1.2.3` where other tools write `1.2.3`; an epoch of 0 is said or not.
fn plain(version: &str) -> &str {
    let version = version.strip_prefix("0:").unwrap_or(version);
    version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(version)
}

fn shown(component: &Component) -> String {
    match &component.purl {
        Some(purl) => purl.clone(),
        None if component.version.is_empty() => component.name.clone(),
        None => format!("{} {}", component.name, component.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b19_a_glance_leaves_out_no_component_that_a_pattern_may_mean() {
        let pattern = |text: &str| PackagePattern(Purl::parse(text).unwrap());
        let purls = [
            None,
            Some("pkg:npm/left-pad@1"),
            Some("pkg:npm/%40acme/Left-Pad@1.0?x=1#s"),
            Some("pkg:npm/left%2Dpad"),
            Some("pkg:pypi/LEFT_pad@1"),
            Some("pkg:pypi/left.pad"),
            Some("pkg:npm/other@1"),
            Some("pkg:oci/team/left-pad@1"),
            Some("no url"),
            Some("pkg:npm/@1"),
        ];
        let names = ["left-pad", "left_pad", "@acme/left-pad", "g:left.pad", "other", "LEFT-PAD", "\u{212A}", ""];
        let (mut left_out, mut looked_at) = (0, 0);
        for texts in [&["pkg:npm/left-pad"][..], &["pkg:pypi/Left_Pad", "pkg:npm/k@1"], &["pkg:oci/left-pad"]] {
            let patterns: Vec<_> = texts.iter().map(|text| pattern(text)).collect();
            for purl in purls {
                for name in names {
                    let component = Component {
                        purl: purl.map(str::to_owned),
                        name: name.to_owned(),
                        version: "1".to_owned(),
                        licenses: Vec::new(),
                        hashes: Vec::new(),
                    };
                    if Names::of(&patterns).may_be_of(&component) {
                        looked_at += 1;
                        continue;
                    }
                    left_out += 1;
                    let read = purl.and_then(Purl::parse);
                    let no = |PackagePattern(pattern): &PackagePattern| {
                        hits(pattern, &component, read.as_ref()) == Some(false)
                    };
                    assert!(patterns.iter().all(no), "{texts:?} {component:?}");
                }
            }
        }
        assert!(left_out > 20 && looked_at > 20, "{left_out} {looked_at}");
    }
}
