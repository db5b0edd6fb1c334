//! Which rule a result breaks, and whether a run's rules are about vulnerabilities. Source: SARIF 2.1.0, 3.27.5 to
//! 3.27.7 and 3.52.

use std::collections::BTreeMap;

use model::{Package, Severity};

use super::wire::{Component, Outcome, Rule, Run, Tool};
use super::{package, rating};
use crate::report::json::Text;
use crate::report::list::List;

/// The rules of a tool and its extensions, each read once.
pub(super) struct Rules<'r, 'a> {
    components: Vec<&'r Component<'a>>,
    by_id: BTreeMap<&'r str, Facts<'r>>,
}

/// What a rule says about its results; for an id that a tool writes several times, what they say together.
#[derive(Debug, Default)]
pub(super) struct Facts<'r> {
    /// The most serious of its score and words.
    pub(super) severity: Option<Severity>,
    pub(super) tenths: Option<u16>,
    /// The tool's own word.
    pub(super) word: Option<&'r str>,
    pub(super) level: Option<&'r str>,
    pub(super) url: Option<&'r str>,
    pub(super) package: Option<Package>,
    /// The vulnerability as the rule's help names it.
    pub(super) vulnerability: Option<&'r str>,
    pub(super) aliases: Vec<&'r str>,
}

impl<'r> Facts<'r> {
    fn add(&mut self, rule: &'r Rule<'_>) {
        rating::add(self, rule);
        let url = rule.help_uri.as_ref().and_then(Text::filled);
        self.url = self.url.or(url);
        self.package = self.package.take().or_else(|| package::of_rule(rule));
        self.vulnerability = self.vulnerability.or_else(|| package::vulnerability(rule));
        self.aliases.extend(super::result::aliases(rule));
    }
}

impl<'r, 'a> Rules<'r, 'a> {
    pub(super) fn of(tool: &'r Tool<'a>) -> Self {
        let components: Vec<_> = std::iter::once(&tool.driver).chain(List::each(tool.extensions.as_ref())).collect();
        let mut by_id = BTreeMap::<_, Facts<'r>>::new();
        for rule in components.iter().flat_map(|component| List::each(component.rules.as_ref())) {
            by_id.entry(rule.id.0.trim()).or_insert_with(Facts::default).add(rule);
        }
        Self { components, by_id }
    }

    /// The rule of a result and its id: by the id that the result names, else by the index. The id counts more, for there
    /// are tools that write the index 0 everywhere.
    pub(super) fn of_result(&self, result: &Outcome<'a>) -> Option<(&'r str, &Facts<'r>)> {
        let mut id = id_of(result);
        // `CA1000/1` is a kind of `CA1000`.
        for _ in 0..MOST_PARTS {
            let Some(name) = id else { break };
            if let Some((id, facts)) = self.by_id.get_key_value(name) {
                return Some((*id, facts));
            }
            id = name.rsplit_once('/').map(|(broader, _)| broader);
        }
        let reference = result.rule.as_ref();
        let index = result.rule_index.or_else(|| reference.and_then(|rule| rule.index)).and_then(position)?;
        let rules = List::each(self.component(result)?.rules.as_ref());
        self.by_id.get_key_value(rules.as_slice().get(index)?.id.0.trim()).map(|(id, facts)| (*id, facts))
    }

    /// Grype of 2021 wrote a suppression into every result, meaning nothing by it.
    pub(super) fn suppresses_all(&self) -> bool {
        let driver = self.components.first().map_or("", |driver| driver.name.0.as_ref());
        driver.starts_with("Anchore Container Vulnerability Report")
    }

    fn component(&self, result: &Outcome<'_>) -> Option<&'r Component<'a>> {
        let named = result.rule.as_ref().and_then(|rule| rule.tool_component.as_ref());
        let Some(named) = named else { return self.components.first().copied() };
        match (named.index.and_then(position), named.name.as_ref()) {
            (Some(extension), _) => self.components.get(extension.saturating_add(1)).copied(),
            (None, Some(name)) => self.components.iter().find(|component| component.name == *name).copied(),
            (None, None) => self.components.first().copied(),
        }
    }
}

/// More parts than the id of a rule has.
const MOST_PARTS: usize = 8;

/// -1 is how the specification writes "no index".
#[expect(clippy::disallowed_methods, reason = "an index below zero is none, by the specification")]
fn position(index: i64) -> Option<usize> {
    usize::try_from(index).ok()
}

/// The id of the rule as the result itself gives it.
pub(super) fn id_of<'r>(result: &'r Outcome<'_>) -> Option<&'r str> {
    let reference = result.rule.as_ref().and_then(|rule| rule.id.as_ref());
    result.rule_id.as_ref().and_then(Text::filled).or_else(|| reference.and_then(Text::filled))
}

/// Tools that look for nothing but known vulnerabilities in packages; an empty list of theirs has no rules to tell by.
const SCANNERS: [&str; 4] = ["grype", "osv-scanner", "snyk container", "docker scout"];

/// How the ids of known vulnerabilities begin, besides `CVE-` and `GHSA-`.
const ID_STARTS: [&str; 24] = [
    "BDSA-",
    "SNYK-",
    "ALAS",
    "DSA-",
    "DLA-",
    "DTSA-",
    "USN-",
    "UBUNTU-",
    "ELSA-",
    "RHSA-",
    "RLSA-",
    "ALSA-",
    "SUSE-SU-",
    "OPENSUSE-SU-",
    "PYSEC-",
    "GO-",
    "RUSTSEC-",
    "OSV-",
    "TEMP-",
    "NSWG-",
    "MAL-",
    "BIT-",
    "CGA-",
    "EUVD-",
];

/// Why an empty list of this run would not say that the image has no known vulnerabilities; `None` if it would. A
/// linter and a search for secrets find no vulnerabilities either.
pub(super) fn not_about_vulnerabilities(run: &Run<'_>) -> Option<String> {
    let driver = &run.tool.driver;
    let components = std::iter::once(driver).chain(List::each(run.tool.extensions.as_ref()));
    let mut rules = components.flat_map(|component| List::each(component.rules.as_ref())).peekable();
    let mut results = List::each(run.results.as_ref()).peekable();
    let says_so = if rules.peek().is_none() && results.peek().is_none() {
        let full_name = driver.full_name.as_ref().map_or("", |name| name.0.as_ref());
        SCANNERS.iter().any(|name| driver.name.0.eq_ignore_ascii_case(name)) || has_word(full_name)
    } else {
        rules.any(is_about_vulnerabilities) || results.filter_map(id_of).any(is_vulnerability)
    };
    (!says_so).then(|| format!("does not say that {} looked for known vulnerabilities", driver.name.0))
}

fn is_about_vulnerabilities(rule: &Rule<'_>) -> bool {
    let tags = List::each(rule.properties.as_ref().and_then(|properties| properties.tags.as_ref()));
    is_vulnerability(&rule.id.0) || tags.into_iter().any(|tag| tag.0.eq_ignore_ascii_case("vulnerability"))
}

fn has_word(name: &str) -> bool {
    name.split_whitespace().any(|word| word.eq_ignore_ascii_case("vulnerability"))
}

/// True for the id of a known vulnerability: `GO-2021-0113`, not `go-vet`. Snyk's rules for configurations are none.
pub(super) fn is_vulnerability(id: &str) -> bool {
    let starts = |start: &str| id.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let known = ID_STARTS.into_iter().any(|start| id.starts_with(start)) && !id.starts_with("SNYK-CC-");
    (starts("CVE-") || starts("GHSA-") || known) && id.bytes().any(|byte| byte.is_ascii_digit())
}
