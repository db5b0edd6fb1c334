//! Reading documents into a set: each once for every environment that gives parameters values of its own, the environments of
//! all of them together, and one digest over a document and every file that it names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Digest, EnvironmentClass, PolicyId};

use super::{Declaration, Member, PolicySet, Reading};
use crate::document::{Class, Compiled, Declared, Policy, compared_pattern, places};
use crate::error::DocumentError;

/// Reads a file that a document names: the position of the document, the path as it is written, and what it is for.
pub type FileReader<'r> = &'r dyn Fn(usize, &str, FileUse) -> Result<Vec<u8>, DocumentError>;

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// A rule is judged by its content: Rego policies and their data.
    Judging,
    /// The policy's digest covers it; its content is read elsewhere.
    Digest,
}

impl PolicySet {
    /// Reads and checks `(file name, text)` documents that name no file whose content is needed to judge.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn from_documents(documents: &[(String, String)]) -> Result<Self, DocumentError> {
        Self::read(documents, None)
    }

    /// Reads and checks `(file name, text)` documents and every file that they name.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn load(documents: &[(String, String)], files: FileReader<'_>) -> Result<Self, DocumentError> {
        Self::read(documents, Some(files))
    }

    fn read(documents: &[(String, String)], files: Option<FileReader<'_>>) -> Result<Self, DocumentError> {
        let mut set = Self { members: Vec::new(), environments: BTreeMap::new() };
        for (document, (file, text)) in documents.iter().enumerate() {
            let declared = Declared::read(file, text)?;
            let named: Vec<String> = declared.by_environment.keys().cloned().collect();
            let own = declared.by_environment.into_iter().map(|(name, values)| (Reading::Only(name), values));
            let readings = std::iter::once((Reading::AllBut(named), declared.common)).chain(own);
            let first = set.members.len();
            for (reading, parameters) in readings {
                let policy = Policy::parse(file, text, &parameters)?;
                let images = policy.spec.matches.as_ref().and_then(|matches| matches.images.as_ref());
                let images = images.map(|patterns| globs(file, patterns)).transpose()?;
                let (name, version) = (policy.metadata.name.clone(), policy.metadata.version.clone());
                let digest = Digest::of(text.as_bytes());
                let id = PolicyId { name, version, fail_on: None, digest };
                let programs = programs(file, text, &policy, document, files)?;
                set.members.push(Member { id, document, reading, policy, parameters, programs, images });
            }
            let (before, [common, others @ ..]) = set.members.split_at(first) else { continue };
            if before.iter().any(|member| member.id.name == common.id.name) {
                return Err(DocumentError::new(file, format!("the policy name {:?} is there twice", common.id.name)));
            }
            if let Some(key) = others.iter().find_map(|other| common.policy.differs_beyond_rules(&other.policy)) {
                let what = format!(
                    "`{key}` has a parameter; only rules, `onUnknown` and `action` differ between environments"
                );
                return Err(
                    DocumentError::new(file, what).with_hint("write it out, or write a policy for each environment")
                );
            }
            let policy = common.policy.clone();
            set.declare(file, &policy)?;
            if let Some(files) = files {
                let listed = set.members[first..].iter().flat_map(|member| member.policy.files()).collect();
                let digest = digest_with_files(document, text, listed, files)?;
                for member in &mut set.members[first..] {
                    member.id.digest = digest.clone();
                }
            }
        }
        for member in set.documents() {
            let (file, text) = &documents[member.document];
            set.check_environments(member, file, text)?;
        }
        Ok(set)
    }

    fn check_environments(&self, member: &Member, file: &str, text: &str) -> Result<(), DocumentError> {
        for name in member.policy.spec.matches.iter().flat_map(|matches| matches.environments.iter().flatten()) {
            if !self.environments.contains_key(name) {
                let declared: Vec<_> = self.environments.keys().cloned().collect();
                let what = format!("`match.environments` names {name:?}, which is not declared");
                let error = DocumentError::new(file, &*what).with_hint(format!("declared: {}", declared.join(", ")));
                return Err(match places::find(text, &places::spec("match"), &what) {
                    Some((line, column)) => error.at(line, Some(column)),
                    None => error,
                });
            }
        }
        Ok(())
    }

    fn declare(&mut self, file: &str, policy: &Policy) -> Result<(), DocumentError> {
        let declared: Vec<(String, Declaration)> = match &policy.spec.environments {
            None => {
                vec![("production".to_owned(), Declaration { class: EnvironmentClass::Production, none_matched: None })]
            }
            Some(environments) => environments
                .iter()
                .map(|(name, spec)| {
                    let class = match spec.class {
                        Class::Production => EnvironmentClass::Production,
                        Class::NonProduction => EnvironmentClass::NonProduction,
                    };
                    (name.clone(), Declaration { class, none_matched: spec.none_matched })
                })
                .collect(),
        };
        for (name, mut new) in declared {
            if let Some(before) = self.environments.get(&name) {
                if before.class != new.class {
                    return Err(DocumentError::new(file, format!("environment {name:?} is declared with two classes")));
                }
                // The strictest of what is said.
                new.none_matched = match (before.none_matched, new.none_matched) {
                    (Some(one), Some(other)) if one.verdict() >= other.verdict() => Some(one),
                    (one, other) => other.or(one),
                };
            }
            self.environments.insert(name, new);
        }
        Ok(())
    }
}

/// The digest over a document and every file that it names; of the document alone, if it names none.
fn digest_with_files(
    document: usize,
    text: &str,
    mut listed: Vec<String>,
    files: FileReader<'_>,
) -> Result<Digest, DocumentError> {
    let own = Digest::of(text.as_bytes());
    listed.sort_unstable();
    listed.dedup();
    if listed.is_empty() {
        return Ok(own);
    }
    let mut lines = format!("ecr-gate policy v1\n{own}\n");
    for path in listed {
        let _ = writeln!(lines, "{path:?} {}", Digest::of(&files(document, &path, FileUse::Digest)?));
    }
    Ok(Digest::of(lines.as_bytes()))
}

/// Compiles the Rego rules of a policy.
fn programs(
    file: &str,
    text: &str,
    policy: &Policy,
    document: usize,
    files: Option<FileReader<'_>>,
) -> Result<BTreeMap<String, Compiled>, DocumentError> {
    let mut programs = BTreeMap::new();
    for (index, rule) in policy.spec.rules.iter().enumerate() {
        let Some(rego) = &rule.rego else { continue };
        let read = |path: &str| -> Result<String, DocumentError> {
            let wrong = |what: String| {
                let error = DocumentError::new(file, &*what);
                match places::find(text, &places::rule(index), "`rego`") {
                    Some((line, column)) => error.at(line, Some(column)),
                    None => error,
                }
            };
            let files = files.ok_or_else(|| wrong(format!("rule {:?}: {path} is not at hand", rule.id)))?;
            String::from_utf8(files(document, path, FileUse::Judging)?)
                .map_err(|_| wrong(format!("{path} is no UTF-8 text")))
        };
        programs.insert(rule.id.clone(), rego.compile(&read)?);
    }
    Ok(programs)
}

fn globs(file: &str, patterns: &[String]) -> Result<globset::GlobSet, DocumentError> {
    let wrong = |error: globset::Error| DocumentError::new(file, format!("`match.images`: {error}"));
    let mut set = globset::GlobSetBuilder::new();
    for pattern in patterns {
        // As it is written, and with its host in the one spelling in which references are compared.
        for text in [Cow::Borrowed(pattern.as_str()), compared_pattern(pattern)] {
            set.add(globset::GlobBuilder::new(&text).literal_separator(true).build().map_err(wrong)?);
        }
    }
    set.build().map_err(wrong)
}
