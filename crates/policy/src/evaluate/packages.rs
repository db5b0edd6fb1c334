//! The `packages` rule: the package databases in the layers against lists of packages (B13, B16). No list is not an empty
//! list: without a database, or with one that cannot be read, nobody knows what is there.

use model::{Clock, Contents, Gap, ManifestFacts, OsPackage, Purl, Reason, ReasonCode};

use super::{Found, listed};
use crate::document::{PackagePattern, Packages as Rule};

pub(super) fn judge(rule: &Rule, manifest: &ManifestFacts, clock: &Clock) -> Found {
    let mut found = Found::nothing();
    match manifest.contents.usable(None, clock) {
        Err(gap) => found.gaps.push(gap),
        Ok(observed) => weigh(rule, &observed.value, &mut found),
    }
    found
}

/// The packages that these patterns mean.
pub(super) fn those(patterns: &[PackagePattern], contents: &Contents) -> Vec<String> {
    let means = |package: &&OsPackage| patterns.iter().any(|pattern| hits(pattern, package));
    contents.packages.iter().filter(means).map(shown).collect()
}

fn weigh(rule: &Rule, contents: &Contents, found: &mut Found) {
    let packages: Vec<&OsPackage> = contents.packages.iter().filter(|package| package.is_installed()).collect();
    let any = |patterns: &[PackagePattern], package: &OsPackage| patterns.iter().any(|pattern| hits(pattern, package));
    let mut broken = |code, what: &str, wrong: Vec<&OsPackage>| {
        if !wrong.is_empty() {
            let names: Vec<String> = wrong.into_iter().map(shown).collect();
            found.failures.push(Reason::new(code, format!("{what}: {}", listed(&names))));
        }
    };
    // What is there is there, whatever else could not be read.
    if let Some(deny) = &rule.deny {
        // Not only what is installed: a name that is denied is denied however little is behind it.
        let denied = contents.packages.iter().filter(|package| any(deny, package)).collect();
        broken(ReasonCode::PackagesDenied, "the image holds packages that the policy denies", denied);
    }
    if let Some(allow) = &rule.allow {
        let others = packages.iter().copied().filter(|package| !any(allow, package)).collect();
        broken(ReasonCode::PackagesNotAllowed, "the image holds packages that the policy does not list", others);
    }
    if let Some(max) = rule.max
        && u32::try_from(packages.len()).map_or(true, |count| count > max)
    {
        let message = format!("the image holds {} packages; the policy allows {max}", packages.len());
        found.failures.push(Reason::new(ReasonCode::PackagesTooMany, message));
    }
    if !contents.unreadable.is_empty() {
        let message = format!("not all packages are known: {} cannot be read", listed(&contents.unreadable));
        found.gaps.push(Gap::from(Reason::new(ReasonCode::ContentUnsupported, message)));
        return;
    }
    if packages.is_empty() {
        without_database(rule, contents, found);
        return;
    }
    let missing = |pattern: &&PackagePattern| !packages.iter().any(|package| hits(pattern, package));
    let missing: Vec<String> =
        rule.required.iter().flatten().filter(missing).map(|pattern| pattern.0.to_string()).collect();
    if !missing.is_empty() {
        let message = format!("the image lacks packages that the policy asks for: {}", listed(&missing));
        found.failures.push(Reason::new(ReasonCode::PackagesMissing, message));
    }
}

/// An image built from nothing may have no database. One that names its distribution had one, and somebody took it out.
fn without_database(rule: &Rule, contents: &Contents, found: &mut Found) {
    let message = match (&contents.os, contents.databases.as_slice()) {
        (Some(os), []) => format!("the image says that it is {} {} and holds no package database", os.id, os.version),
        (None, []) => "the image holds no package database".to_owned(),
        (_, databases) => format!("the package databases of the image list no package: {}", listed(databases)),
    };
    if rule.without_database.is_some() && contents.os.is_none() && contents.databases.is_empty() {
        found.notes.push(format!("{message}: which packages it holds is not known, and the policy lets that pass"));
        return;
    }
    found.gaps.push(Gap::from(Reason::new(ReasonCode::PackagesNoDatabase, message)));
}

/// True if the pattern means this package. Nobody should name two packages alike but for case.
fn hits(PackagePattern(pattern): &PackagePattern, package: &OsPackage) -> bool {
    pattern.kind == package.kind
        && pattern.name.eq_ignore_ascii_case(&package.name)
        && version(pattern).is_none_or(|wanted| wanted == plain(&package.version))
}

fn version(pattern: &Purl) -> Option<String> {
    pattern.full_version().map(|version| plain(&version).to_owned())
}

/// An epoch of 0 is said or not.
fn plain(version: &str) -> &str {
    version.strip_prefix("0:").unwrap_or(version)
}

fn shown(package: &OsPackage) -> String {
    format!("{} {} {}", package.kind, package.name, package.version)
}

#[cfg(test)]
mod tests;
