//! Which package a result is about. SARIF has no place for it, so tools write it into texts: Trivy and Docker into lines
//! of the message (`Package:`, `Installed Version:`, `Fixed Version:`), Grype into lines of the rule's help
//! (`Package:`, `Version:`, `Fix Version:`), Snyk as `name@version` into a logical location. For what is no known
//! vulnerability, the file it was found in stands for the package.

use model::{Fix, Package};

use super::rules::is_vulnerability;
use super::wire::{Message, Outcome, Rule};
use crate::report::json::Text;
use crate::report::list::List;
use crate::report::package::{fixed_in, purl};

/// The value of the first line `KEY: VALUE` with one of these keys (in lower case) and a value.
pub(super) fn line<'t>(text: &'t str, keys: &[&str]) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        let (key, value) = (key.trim(), value.trim());
        (!value.is_empty() && keys.iter().any(|name| key.eq_ignore_ascii_case(name))).then_some(value)
    })
}

/// The packages of a result.
///
/// A vulnerability without a package stays without: it is compared with other sources' by its name alone, which a file's
/// name in place of the package would prevent (B14).
pub(super) fn of(id: &str, result: &Outcome<'_>, of_rule: Option<&Package>) -> Vec<Package> {
    let in_message = text(result.message.as_ref()).and_then(in_lines);
    let package = in_message.or_else(|| of_rule.cloned()).or_else(|| in_location(result));
    let package = package.or_else(|| place(result).filter(|_| !is_vulnerability(id)));
    package.into_iter().collect()
}

/// The package of a rule about one vulnerability in one package, as Grype writes them: `CVE-2021-3711-openssl`.
pub(super) fn of_rule(rule: &Rule<'_>) -> Option<Package> {
    let package = in_lines(text(rule.help.as_ref())?)?;
    let is_of_rule = vulnerability(rule).is_some_and(|id| rule.id.0 == format!("{id}-{}", package.name));
    let urls = List::each(rule.properties.as_ref().and_then(|properties| properties.purls.as_ref()));
    let purl = urls.as_slice().first().and_then(|url| purl(&url.0)).filter(|_| urls.len() == 1);
    is_of_rule.then_some(Package { purl, ..package })
}

/// The id in the first line of Grype's and Trivy's help texts: `Vulnerability CVE-2021-3711`.
pub(super) fn vulnerability<'r>(rule: &'r Rule<'_>) -> Option<&'r str> {
    let first = text(rule.help.as_ref())?.lines().next()?;
    first.strip_prefix("Vulnerability ").map(str::trim).filter(|id| !id.is_empty())
}

fn in_lines(text: &str) -> Option<Package> {
    let named = line(text, &["package"])?;
    let fix = line(text, &["fixed version", "fix version"]).filter(|word| !word.eq_ignore_ascii_case("not fixed"));
    let fix = fix.map_or(Fix::NotSaid, |versions| fixed_in(versions.split(',')));
    let version = line(text, &["installed version", "version"]).unwrap_or("").to_owned();
    if named.starts_with("pkg:")
        && let Some(url) = purl(named)
    {
        // Docker names the package by its URL.
        let (name, version) = of_url(&url);
        return Some(Package { name, version, fix, purl: Some(url), layer: None });
    }
    Some(Package { name: named.to_owned(), version, fix, purl: None, layer: None })
}

fn of_url(url: &str) -> (String, String) {
    match url.parse::<packageurl::PackageUrl<'_>>() {
        Ok(parsed) => (parsed.name().to_owned(), parsed.version().unwrap_or("").to_owned()),
        Err(_) => (url.to_owned(), String::new()),
    }
}

fn in_location(result: &Outcome<'_>) -> Option<Package> {
    let names = List::each(result.locations.as_ref())
        .flat_map(|location| List::each(location.logical_locations.as_ref()))
        .filter_map(|location| location.fully_qualified_name.as_ref().and_then(Text::filled));
    names.filter_map(|name| name.rsplit_once('@')).find_map(|(name, version)| {
        // Grype's are `image@layer:path`.
        let is_version = !version.is_empty() && !version.contains('/') && !version.starts_with("sha256:");
        (is_version && !name.is_empty()).then(|| bare(name, version))
    })
}

fn place(result: &Outcome<'_>) -> Option<Package> {
    List::each(result.locations.as_ref()).find_map(|location| {
        let artifact = location.physical_location.as_ref()?.artifact_location.as_ref()?;
        artifact.uri.as_ref().and_then(Text::filled).map(|uri| bare(uri, ""))
    })
}

fn bare(name: &str, version: &str) -> Package {
    Package { name: name.to_owned(), version: version.to_owned(), fix: Fix::NotSaid, purl: None, layer: None }
}

pub(super) fn text<'r>(message: Option<&'r Message<'_>>) -> Option<&'r str> {
    message?.text.as_ref().and_then(Text::filled)
}
