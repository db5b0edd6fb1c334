//! Exceptions in a file: `kind: GateExceptions` (S29). Each names one vulnerability, why, who answers for it, and when
//! it ends. Expired, unused and over-broad entries are named in every judgement.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use model::{Ask, Clock, Digest, Finding, SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::document::{read_yaml, schema_of};
use crate::error::DocumentError;

/// The longest an entry may run before it is called over-broad.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "ecr-gate exceptions")]
struct Document {
    /// The version of this format.
    #[allow(dead_code)]
    api_version: crate::document::ApiVersion,
    /// `GateExceptions`
    #[allow(dead_code)]
    kind: Kind,
    /// The entries.
    exceptions: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum Kind {
    GateExceptions,
}

/// One exception.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Entry {
    /// A name of its own, repeated where it is used.
    pub(crate) id: String,
    /// The vulnerability it is for.
    cve: String,
    /// The package; every package, if left out.
    package: Option<String>,
    /// The repository, exactly, or a pattern with `*` and `**`.
    repository: String,
    /// One image; every image of the repository, if left out.
    #[schemars(with = "Option<String>")]
    digest: Option<Digest>,
    /// One environment; every environment, if left out.
    environment: Option<String>,
    /// Why this is acceptable.
    pub(crate) reason: String,
    /// Who answers for it.
    pub(crate) owner: String,
    /// The ticket it was agreed in.
    #[allow(dead_code)] // for readers of the document
    ticket: Option<String>,
    /// The last day it holds (`2026-12-31`, in UTC), or the moment it ends (`2026-12-31T12:00:00Z`).
    #[schemars(with = "String")]
    pub(crate) expires: Expires,
}

/// The moment an exception ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expires(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Expires {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            || de::Error::custom(format!("{text:?} is not a date (2026-12-31) or a time (2026-12-31T12:00:00Z)"));
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self(moment));
        }
        // A time without a zone would be read as its whole day, which ends later than was written.
        let day: jiff::civil::Date = match text.len() {
            10 => text.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        };
        let next = day.tomorrow().map_err(|_| wrong())?;
        next.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| Self(zoned.timestamp())).map_err(|_| wrong())
    }
}

/// The exceptions of all files that the policies list.
#[derive(Debug, Clone, Default)]
pub struct Exceptions {
    entries: Vec<Listed>,
}

impl Exceptions {
    /// No exceptions.
    pub fn none() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds the entries of one file that the policy of this name lists. They count for that policy alone (S29).
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn add(&mut self, policy: &str, file: &str, text: &str) -> Result<(), DocumentError> {
        let document: Document = read_yaml(file, text)?;
        for entry in document.exceptions {
            let wrong = |what: &str| DocumentError::new(file, format!("exception {:?}: {what}", entry.id));
            if self.entries.iter().any(|other| other.policy == policy && other.entry.id == entry.id) {
                return Err(wrong("the id is there twice"));
            }
            for (name, value) in
                [("id", &entry.id), ("cve", &entry.cve), ("reason", &entry.reason), ("owner", &entry.owner)]
            {
                if value.trim().is_empty() {
                    return Err(wrong(&format!("`{name}` is empty")));
                }
            }
            if entry.cve.contains('*') {
                return Err(wrong("`cve` names one vulnerability; patterns are not possible"));
            }
            let pattern = if entry.repository.contains(['*', '?', '[', '{']) {
                let glob = globset::GlobBuilder::new(&entry.repository).literal_separator(true).build();
                Some(glob.map_err(|error| wrong(&format!("`repository`: {error}")))?.compile_matcher())
            } else {
                None
            };
            self.entries.push(Listed { policy: policy.to_owned(), file: file.to_owned(), entry, pattern });
        }
        Ok(())
    }

    /// The entries of a policy that are about this image in this environment, ready to be matched and counted.
    pub(crate) fn about<'a>(&'a self, policy: &str, ask: &Ask, clock: &Clock) -> Covering<'a> {
        let (short, long) = (ask.image.repository.as_str(), ask.name());
        let about = self
            .entries
            .iter()
            .filter(|listed| listed.policy == policy)
            .filter(|Listed { entry, pattern, .. }| match pattern {
                Some(pattern) => pattern.is_match(short) || pattern.is_match(&long),
                None => entry.repository == short || entry.repository == long,
            })
            .filter(|listed| listed.entry.environment.as_ref().is_none_or(|name| *name == ask.environment))
            .filter(|listed| listed.entry.digest.as_ref().is_none_or(|digest| *digest == ask.digest))
            .map(|Listed { file, entry, pattern, .. }| Applicable {
                file,
                entry,
                wide_repository: pattern.is_some(),
                expired: clock.reached(entry.expires.0),
                used: Cell::new(0),
            });
        Covering::of(about.collect())
    }
}

/// An entry, the file it stands in, and the policy that lists the file.
#[derive(Debug, Clone)]
struct Listed {
    policy: String,
    file: String,
    entry: Entry,
    pattern: Option<globset::GlobMatcher>,
}

/// An entry that is about the image that is judged.
#[derive(Debug)]
pub(crate) struct Applicable<'a> {
    file: &'a str,
    pub(crate) entry: &'a Entry,
    wide_repository: bool,
    expired: bool,
    pub(crate) used: Cell<u64>,
}

/// The entries that are about the image that is judged, found by the vulnerability they name.
#[derive(Debug)]
pub(crate) struct Covering<'a> {
    entries: Vec<Applicable<'a>>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl<'a> Covering<'a> {
    fn of(entries: Vec<Applicable<'a>>) -> Self {
        let mut by_name = BTreeMap::new();
        for (at, applicable) in entries.iter().enumerate() {
            let name = applicable.entry.cve.trim().to_ascii_uppercase();
            by_name.entry(name).or_insert_with(Vec::new).push(at);
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
}

impl Applicable<'_> {
    /// True if it covers this finding now; counts the use and lets the judgement end when the entry does.
    fn covers(&self, finding: &Finding, parts: &[&Finding], clock: &Clock) -> bool {
        let package = self.entry.package.as_ref();
        let all = || std::iter::once(finding).chain(parts.iter().copied());
        let covers = finding.is(&self.entry.cve)
            // A package exception covers the finding only if every source speaks of this package and of nothing else.
            && package.is_none_or(|name| {
                all().all(|part| !part.packages.is_empty())
                    && finding.packages.iter().all(|package| package.name == *name)
            })
            && !clock.reached(self.entry.expires.0);
        if covers {
            self.used.set(self.used.get() + 1);
        }
        covers
    }

    /// What a reader of the judgement should know about this entry.
    pub(crate) fn warnings(&self, clock: &Clock) -> Vec<String> {
        let Self { file, entry, .. } = self;
        let named = format!("{file}: exception {:?} ({})", entry.id, entry.cve);
        if self.expired {
            return vec![format!("{named} expired on {}; owner {}", day(entry.expires.0), entry.owner)];
        }
        let mut warnings = Vec::new();
        if self.used.get() == 0 {
            warnings.push(format!("{named} is unused: nothing it covers was found in this image"));
        }
        let mut wide = Vec::new();
        if self.wide_repository {
            wide.push("several repositories".to_owned());
        }
        if entry.digest.is_none() {
            wide.push("every image of the repository".to_owned());
        }
        if entry.package.is_none() {
            wide.push("every package".to_owned());
        }
        if entry.environment.is_none() {
            wide.push("every environment".to_owned());
        }
        if entry.expires.0.duration_since(clock.now()) > LONGEST {
            wide.push(format!("more than 30 days (until {})", day(entry.expires.0)));
        }
        if !wide.is_empty() {
            warnings.push(format!("{named} is over-broad: it covers {}", wide.join(", ")));
        }
        warnings
    }
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// The JSON Schema of `GateExceptions`.
pub fn exceptions_schema() -> serde_json::Value {
    schema_of::<Document>()
}

#[cfg(test)]
mod tests;
