//! The entries that are about the image that is judged: what each covers, how often it did, and what a reader should know
//! about it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use model::{Ask, Clock, Finding, Fix, Package};

use super::{Entry, Exceptions, LONGEST, Listed, Of};
use crate::document::dates::shown;
use crate::document::{Rule, compared_name, compared_pattern};
use crate::set::Member;

impl Exceptions {
    /// The entries of a policy that are about this image in this environment, ready to be matched and counted.
    pub(crate) fn about<'a>(&'a self, member: &Member, ask: &Ask, clock: &Clock) -> Covering<'a> {
        let (short, long) = (ask.image.repository.as_str(), ask.name());
        let compared = compared_name(&ask.image).unwrap_or_else(|| long.clone());
        let about = self
            .entries
            .iter()
            .filter(|listed| listed.policy.as_ref().is_none_or(|policy| *policy == member.id.name))
            .filter(|Listed { entry, of, .. }| {
                // Where a registry is named the whole name is compared, else the repository alone: a mirror whose paths begin
                // with the names of other registries is none of them.
                let first = entry.repository.split('/').next().unwrap_or(&entry.repository);
                let names_host = first.contains(['.', ':', '*']) || first == "localhost";
                let names = || if names_host { vec![long.as_str(), &compared] } else { vec![short] };
                match of {
                    Of::Named => names()
                        .into_iter()
                        .any(|name| entry.repository == name || compared_pattern(&entry.repository) == name),
                    Of::Glob(pattern) => names().into_iter().any(|name| pattern.is_match(name)),
                    Of::Exactly => entry.repository == compared,
                    Of::Within { host, paths } => compared
                        .strip_prefix(host.as_str())
                        .and_then(|rest| rest.strip_prefix('/'))
                        .is_some_and(|path| paths.is_match(path)),
                }
            })
            .filter(|listed| listed.entry.environment.as_ref().is_none_or(|name| *name == ask.environment))
            .filter(|listed| listed.entry.digest.as_ref().is_none_or(|digest| *digest == ask.digest))
            .map(|Listed { file, entry, of, .. }| Applicable {
                file,
                entry,
                wide_repository: of.is_wide(),
                granted: of.is_granted(),
                expired: clock.reached(entry.expires.0),
                pointless: entry.pointless(&member.policy.spec.rules),
                used: Cell::new(0),
            });
        Covering::of(about.collect())
    }
}

impl Entry {
    /// Why it can never waive anything under these rules, if so.
    pub(super) fn pointless(&self, rules: &[Rule]) -> Option<&'static str> {
        let Some(id) = &self.rule else {
            let any = rules.iter().any(|rule| rule.vulnerabilities.is_some() && rule.is_waivable());
            return if any { None } else { Some("no rule of the policy can be waived by it") };
        };
        match rules.iter().find(|rule| rule.id == *id) {
            None => Some("the policy has no such rule"),
            Some(rule) if !rule.is_waivable() => Some("the rule cannot be waived (`waivable` of the rule)"),
            Some(_) => None,
        }
    }
}

impl Rule {
    /// True if exceptions may waive it (S29).
    pub(crate) fn is_waivable(&self) -> bool {
        self.waivable.unwrap_or_else(|| self.check().is_ok_and(crate::document::Check::is_waivable))
    }
}

/// An entry that is about the image that is judged.
#[derive(Debug)]
pub(crate) struct Applicable<'a> {
    file: &'a str,
    pub(crate) entry: &'a Entry,
    pub(super) wide_repository: bool,
    granted: bool,
    expired: bool,
    pointless: Option<&'static str>,
    pub(crate) used: Cell<u64>,
}

/// The entries that are about the image that is judged, found by the vulnerability or the rule that they name.
#[derive(Debug)]
pub(crate) struct Covering<'a> {
    entries: Vec<Applicable<'a>>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl<'a> Covering<'a> {
    /// No entry at all.
    pub(crate) fn none() -> Self {
        Self { entries: Vec::new(), by_name: BTreeMap::new() }
    }

    fn of(entries: Vec<Applicable<'a>>) -> Self {
        let mut by_name = BTreeMap::new();
        for (at, applicable) in entries.iter().enumerate() {
            let Some(cve) = &applicable.entry.cve else { continue };
            by_name.entry(cve.trim().to_ascii_uppercase()).or_insert_with(Vec::new).push(at);
        }
        Self { entries, by_name }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Applicable<'a>> {
        self.entries.iter()
    }

    /// The first entry that covers this finding now; `parts` is what it was merged from, if it was.
    pub(crate) fn covering(&self, finding: &Finding, parts: &[&Finding], clock: &Clock) -> Option<&Applicable<'a>> {
        if self.entries.is_empty() {
            return None;
        }
        let names = finding.names().map(|name| name.as_str().to_ascii_uppercase());
        let about: BTreeSet<usize> = names.filter_map(|name| self.by_name.get(&name)).flatten().copied().collect();
        about.into_iter().map(|at| &self.entries[at]).find(|applicable| applicable.covers(finding, parts, clock))
    }

    /// The entries that waive this rule now.
    pub(crate) fn waiving<'s>(&'s self, rule: &'s str, clock: &'s Clock) -> impl Iterator<Item = &'s Applicable<'a>> {
        self.entries
            .iter()
            .filter(move |applicable| applicable.entry.is_for(rule) && !clock.reached(applicable.entry.expires.0))
    }
}

impl Applicable<'_> {
    /// True if it covers this finding now; counts the use and lets the judgement end when the entry does.
    fn covers(&self, finding: &Finding, parts: &[&Finding], clock: &Clock) -> bool {
        let Some(cve) = &self.entry.cve else { return false };
        let package = self.entry.package.as_ref();
        let all = || std::iter::once(finding).chain(parts.iter().copied());
        let has_fix = || all().flat_map(|part| &part.packages).any(|package| is_fixed(&package.fix));
        let covers = finding.is(cve)
            && (self.entry.until_fixed != Some(true) || !has_fix())
            // A package exception covers the finding only if every source speaks of this package and of nothing else.
            && package.is_none_or(|name| {
                all().all(|part| !part.packages.is_empty())
                    && finding.packages.iter().all(|package| is_named(package, name))
            })
            && !clock.reached(self.entry.expires.0);
        if covers {
            self.use_for(1);
        }
        covers
    }

    /// Counts what it waived.
    pub(crate) fn use_for(&self, count: u64) {
        self.used.set(self.used.get().saturating_add(count));
    }

    /// For a note: `exception "id" of ann until 2026-12-31T00:00Z: reason`.
    pub(crate) fn named(&self) -> String {
        let Entry { id, owner, reason, expires, .. } = self.entry;
        format!("exception {id:?} of {owner} until {}: {reason}", shown(expires.0))
    }

    /// What a reader of the judgement should know about this entry.
    pub(crate) fn warnings(&self, clock: &Clock) -> Vec<String> {
        // What people granted is listed, counted and ended where they did it.
        if self.granted {
            return Vec::new();
        }
        let Self { file, entry, .. } = self;
        let named = format!("{file}: exception {:?} ({})", entry.id, entry.about());
        if self.expired {
            return vec![format!("{named} expired on {}; owner {}", shown(entry.expires.0), entry.owner)];
        }
        if let Some(why) = self.pointless {
            return vec![format!("{named} waives nothing: {why}")];
        }
        let mut warnings = Vec::new();
        if self.used.get() == 0 {
            warnings.push(format!("{named} is unused: nothing it covers was found in this image"));
        }
        let wide = entry.wide(self.wide_repository, clock);
        if !wide.is_empty() {
            warnings.push(format!("{named} is over-broad: it covers {}", wide.join(", ")));
        }
        warnings
    }
}

/// A package is named by its name, or whole by its package URL.
pub(super) fn is_named(package: &Package, name: &str) -> bool {
    if name.starts_with("pkg:") { package.purl.as_deref() == Some(name) } else { package.name == name }
}

/// A source says that there is a fix.
pub(super) fn is_fixed(fix: &Fix) -> bool {
    matches!(fix, Fix::In(_) | Fix::Available)
}

impl Entry {
    /// What it covers beyond one image, package and environment for at most 30 days (S29).
    pub(super) fn wide(&self, wide_repository: bool, clock: &Clock) -> Vec<String> {
        let mut wide = Vec::new();
        if wide_repository {
            wide.push("several repositories".to_owned());
        }
        if self.digest.is_none() {
            wide.push("every image of the repository".to_owned());
        }
        if self.package.is_none() && self.cve.is_some() {
            wide.push("every package".to_owned());
        }
        if self.environment.is_none() {
            wide.push("every environment".to_owned());
        }
        if self.expires.0.duration_since(clock.now()) > LONGEST {
            wide.push(format!("more than 30 days (until {})", shown(self.expires.0)));
        }
        wide
    }
}
