//! Exceptions (S29): those in a file, `kind: GateExceptions`, and those that were granted by people of the service. Each names one vulnerability or
//! one rule, why, who answers for it, and when it ends. Expired, unused and over-broad entries of files are named in every judgement.

mod applicable;
mod granted;
mod review;

use model::{Digest, SignedDuration, Timestamp, UnknownClass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::dates::Until;
use crate::document::{TextPattern, places, read_yaml, schema_of};
use crate::error::DocumentError;
pub(crate) use applicable::Covering;
pub(crate) use granted::check_vulnerability;
pub use granted::{Granted, Waived};
pub use review::ExceptionFinding;

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
#[schemars(extend("oneOf" = serde_json::json!([{ "required": ["cve"] }, { "required": ["rule"] }])))]
pub(crate) struct Entry {
    /// A name of its own, repeated where it is used.
    pub(crate) id: String,
    /// The vulnerability it is for.
    cve: Option<String>,
    /// The rule it is for, by its id in the policy that lists this file. What breaks it is waived; what is not known about it
    /// is not, but for the classes of `unknown`.
    rule: Option<String>,
    /// With `rule`: ways not to know (`scanUnsupported`, …) that are accepted too.
    pub(crate) unknown: Option<Vec<UnknownClass>>,
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
    pub(crate) expires: Until,
    /// With `cve`: it ends before that where a source says that there is a fix.
    until_fixed: Option<bool>,
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

    /// The entries of files: not those that were granted.
    pub fn of_files(&self) -> impl Iterator<Item = FileException> + '_ {
        self.entries.iter().filter(|listed| !listed.of.is_granted()).map(|Listed { policy, file, entry, .. }| {
            FileException {
                policy: policy.clone(),
                file: file.clone(),
                id: entry.id.clone(),
                cve: entry.cve.clone(),
                package: entry.package.clone(),
                rule: entry.rule.clone(),
                repository: entry.repository.clone(),
                digest: entry.digest.clone(),
                environment: entry.environment.clone(),
                owner: entry.owner.clone(),
                expires: entry.expires.0,
            }
        })
    }

    /// Adds the entries of one file that the policy of this name lists. They count for that policy alone (S29).
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn add(&mut self, policy: &str, file: &str, text: &str) -> Result<(), DocumentError> {
        let document: Document = read_yaml(file, text)?;
        for (index, entry) in document.exceptions.into_iter().enumerate() {
            let path = [places::Step::Key("exceptions".to_owned()), places::Step::Item(index)];
            let place = places::find(text, &path, "`id`");
            let wrong = |what: &str| {
                let what = format!("exception {:?}: {what}", entry.id);
                let error = DocumentError::new(file, &*what);
                match places::find(text, &path, &what) {
                    Some((line, column)) => error.at(line, Some(column)),
                    None => error,
                }
            };
            if self.entries.iter().any(|other| other.policy.as_deref() == Some(policy) && other.entry.id == entry.id) {
                return Err(wrong("the id is there twice"));
            }
            entry.check().map_err(|what| wrong(&what))?;
            let of = if entry.repository.contains(['*', '?', '[', '{']) {
                let glob = globset::GlobBuilder::new(&entry.repository).literal_separator(true).build();
                Of::Glob(glob.map_err(|error| wrong(&format!("`repository`: {error}")))?.compile_matcher())
            } else {
                Of::Named
            };
            self.entries.push(Listed { policy: Some(policy.to_owned()), file: file.to_owned(), place, entry, of });
        }
        Ok(())
    }
}

/// An entry of a file, for records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileException {
    /// The policy that it counts for.
    pub policy: Option<String>,
    /// The file, as the policy names it.
    pub file: String,
    /// Its id.
    pub id: String,
    /// The vulnerability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cve: Option<String>,
    /// The package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The repository, or a pattern.
    pub repository: String,
    /// The image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
}

/// An entry, the file it stands in, and the policy that it counts for.
#[derive(Debug, Clone)]
struct Listed {
    /// The one that lists the file, or whose rule it names; `None`: every one.
    policy: Option<String>,
    file: String,
    /// Line and column of its id.
    place: Option<(u64, u64)>,
    entry: Entry,
    of: Of,
}

/// Whose images an entry is about.
#[derive(Debug, Clone)]
enum Of {
    /// In a file: this repository, with its registry or without.
    Named,
    /// In a file: repositories like this one.
    Glob(globset::GlobMatcher),
    /// Granted: this repository of this registry, exactly as both are written.
    Exactly,
    /// Granted: repositories of this very registry whose paths are like this.
    Within { host: String, paths: TextPattern },
}

impl Of {
    fn is_wide(&self) -> bool {
        matches!(self, Self::Glob(_) | Self::Within { .. })
    }

    fn is_granted(&self) -> bool {
        matches!(self, Self::Exactly | Self::Within { .. })
    }
}

impl Entry {
    /// What it is for, in words.
    fn about(&self) -> String {
        match (&self.cve, &self.rule) {
            (Some(cve), _) => cve.clone(),
            (None, rule) => format!("rule {}", rule.as_deref().unwrap_or("-")),
        }
    }

    /// True if it is for this rule.
    fn is_for(&self, rule: &str) -> bool {
        self.rule.as_deref() == Some(rule)
    }

    fn check(&self) -> Result<(), String> {
        let named = [("id", Some(&self.id)), ("reason", Some(&self.reason)), ("owner", Some(&self.owner))];
        let others = [("cve", self.cve.as_ref()), ("rule", self.rule.as_ref()), ("repository", Some(&self.repository))];
        for (name, value) in named.into_iter().chain(others) {
            if value.is_some_and(|value| value.trim().is_empty()) {
                return Err(format!("`{name}` is empty"));
            }
        }
        match (&self.cve, &self.rule) {
            (Some(_), Some(_)) => return Err("it has `cve` and `rule` at once; write two exceptions".to_owned()),
            (None, None) => return Err("it says neither `cve` nor `rule`: what it is for".to_owned()),
            (Some(cve), None) if cve.contains('*') => {
                return Err("`cve` names one vulnerability; patterns are not possible".to_owned());
            }
            (None, Some(_)) if self.package.is_some() => {
                return Err("`package` belongs to `cve`; a rule is waived as a whole".to_owned());
            }
            _ => {}
        }
        if self.repository.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
            return Err("`repository` names a tag or digest; one image is named by `digest`".to_owned());
        }
        match &self.unknown {
            Some(classes) if classes.is_empty() => Err("`unknown` is empty".to_owned()),
            Some(_) if self.rule.is_none() => Err("`unknown` belongs to `rule`".to_owned()),
            _ if self.until_fixed.is_some() && self.cve.is_none() => {
                Err("`untilFixed` belongs to `cve`; a rule is not fixed by a package".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The JSON Schema of `GateExceptions`.
pub fn exceptions_schema() -> serde_json::Value {
    schema_of::<Document>()
}

#[cfg(test)]
mod tests;
