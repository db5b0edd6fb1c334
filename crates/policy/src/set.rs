//! Several policies as one: which of them match a question, what has to be collected to answer it, and which
//! environments there are.

use std::collections::BTreeMap;
use std::fmt;

use model::{Ask, EnvironmentClass, Platform, PolicyId, SignedDuration};

use crate::document::{Class, Platforms, Policy};
use crate::error::DocumentError;

/// The policies in force.
#[derive(Debug, Clone)]
pub struct PolicySet {
    pub(crate) members: Vec<Member>,
    environments: BTreeMap<String, EnvironmentClass>,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: PolicyId,
    pub(crate) policy: Policy,
    images: Option<globset::GlobSet>,
}

/// An environment that no policy declares (S7): a usage error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentError {
    /// The name asked for.
    pub name: String,
    /// The names there are.
    pub declared: Vec<String>,
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment {:?} is not declared; declared: {}", self.name, self.declared.join(", "))
    }
}

impl std::error::Error for EnvironmentError {}

/// What has to be collected for a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Platforms of an index that are judged; `None` is all of them.
    pub platforms: Option<Vec<Platform>>,
    /// The oldest vulnerability data that every rule accepts, for basic and for continuous scanning (S18).
    pub max_scan_age: (SignedDuration, SignedDuration),
}

/// S18: the defaults.
pub(crate) const BASIC_AGE: SignedDuration = SignedDuration::from_hours(8 * 24);
pub(crate) const CONTINUOUS_AGE: SignedDuration = SignedDuration::from_hours(24);

impl PolicySet {
    /// The text of the built-in policy: CRITICAL and HIGH block in every environment.
    pub const BUILT_IN: &str = include_str!("built_in.yaml");

    /// The policies, in the order given.
    pub fn ids(&self) -> Vec<&PolicyId> {
        self.members.iter().map(|member| &member.id).collect()
    }

    /// The built-in default policy.
    ///
    /// # Errors
    /// None in practice: the document is part of the program and tested.
    pub fn built_in() -> Result<Self, DocumentError> {
        Self::from_documents(&[("built-in".to_owned(), Self::BUILT_IN.to_owned())])
    }

    /// Reads and checks `(file name, text)` documents.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn from_documents(documents: &[(String, String)]) -> Result<Self, DocumentError> {
        let mut set = Self { members: Vec::new(), environments: BTreeMap::new() };
        for (file, text) in documents {
            let policy = Policy::parse(file, text)?;
            let name = policy.metadata.name.clone();
            if set.members.iter().any(|member| member.id.name == name) {
                return Err(DocumentError::new(file, format!("the policy name {name:?} is there twice")));
            }
            set.declare(file, &policy)?;
            let images = policy.spec.matches.as_ref().and_then(|matches| matches.images.as_ref());
            let images = images.map(|patterns| globs(file, patterns)).transpose()?;
            let version = policy.metadata.version.clone();
            let id = PolicyId { name, version, fail_on: None, digest: model::Digest::of(text.as_bytes()) };
            set.members.push(Member { id, policy, images });
        }
        for (member, (file, _)) in set.members.iter().zip(documents) {
            for name in member.policy.spec.matches.iter().flat_map(|matches| matches.environments.iter().flatten()) {
                if !set.environments.contains_key(name) {
                    let declared: Vec<_> = set.environments.keys().cloned().collect();
                    return Err(DocumentError::new(
                        file,
                        format!("`match.environments` names {name:?}, which is not declared"),
                    )
                    .hint(format!("declared: {}", declared.join(", "))));
                }
            }
        }
        Ok(set)
    }

    fn declare(&mut self, file: &str, policy: &Policy) -> Result<(), DocumentError> {
        let declared = match &policy.spec.environments {
            None => vec![("production".to_owned(), EnvironmentClass::Production)],
            Some(environments) => environments
                .iter()
                .map(|(name, spec)| {
                    let class = match spec.class {
                        Class::Production => EnvironmentClass::Production,
                        Class::NonProduction => EnvironmentClass::NonProduction,
                    };
                    (name.clone(), class)
                })
                .collect(),
        };
        for (name, class) in declared {
            if self.environments.insert(name.clone(), class).is_some_and(|before| before != class) {
                return Err(DocumentError::new(file, format!("environment {name:?} is declared with two classes")));
            }
        }
        Ok(())
    }

    /// The class of a declared environment.
    ///
    /// # Errors
    /// The environment is not declared.
    pub fn environment(&self, name: &str) -> Result<EnvironmentClass, EnvironmentError> {
        self.environments.get(name).copied().ok_or_else(|| EnvironmentError {
            name: name.to_owned(),
            declared: self.environments.keys().cloned().collect(),
        })
    }

    /// The exception files that the policies list: position and name of the policy, path as written.
    pub fn exception_files(&self) -> Vec<(usize, &str, &str)> {
        let mut listed = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            for path in member.policy.spec.exceptions.iter().flatten() {
                listed.push((index, member.id.name.as_str(), path.as_str()));
            }
        }
        listed
    }

    /// The policies that are about this question; none, if the environment is not declared (S7).
    pub(crate) fn matching<'a>(&'a self, ask: &'a Ask) -> impl Iterator<Item = &'a Member> {
        let name = ask.name();
        let declared = self.environments.contains_key(&ask.environment);
        self.members.iter().filter(move |_| declared).filter(move |member| {
            let environments = member.policy.spec.matches.as_ref().and_then(|matches| matches.environments.as_ref());
            environments.is_none_or(|list| list.contains(&ask.environment))
                // Patterns name hosts; an image whose host is not known is judged by every policy that could mean it.
                && (ask.image.host.is_none() || member.images.as_ref().is_none_or(|images| images.is_match(&name)))
        })
    }

    /// What has to be collected to answer this question.
    pub fn needs(&self, ask: &Ask) -> Needs {
        let mut platforms = Some(Vec::new());
        let (mut basic, mut continuous) = (None, None);
        let strictest = |so_far: Option<SignedDuration>, next| Some(so_far.map_or(next, |age| age.min(next)));
        for member in self.matching(ask) {
            match (member.platforms(), &mut platforms) {
                (Some(named), Some(list)) => list.extend(named.iter().cloned()),
                _ => platforms = None,
            }
            for rule in &member.policy.spec.rules {
                let limit = rule.vulnerabilities.max_scan_age.map(|limit| limit.0);
                basic = strictest(basic, limit.unwrap_or(BASIC_AGE));
                continuous = strictest(continuous, limit.unwrap_or(CONTINUOUS_AGE));
            }
        }
        let max_scan_age = (basic.unwrap_or(BASIC_AGE), continuous.unwrap_or(CONTINUOUS_AGE));
        Needs { platforms: platforms.filter(|list| !list.is_empty()), max_scan_age }
    }
}

impl Member {
    /// The platforms of an index it judges; `None` is all of them.
    pub(crate) fn platforms(&self) -> Option<&[Platform]> {
        match self.policy.spec.matches.as_ref().and_then(|matches| matches.platforms.as_ref()) {
            Some(Platforms::Named(named)) => Some(named),
            Some(Platforms::All) | None => None,
        }
    }
}

fn globs(file: &str, patterns: &[String]) -> Result<globset::GlobSet, DocumentError> {
    let wrong = |error: globset::Error| DocumentError::new(file, format!("`match.images`: {error}"));
    let mut set = globset::GlobSetBuilder::new();
    for pattern in patterns {
        set.add(globset::GlobBuilder::new(pattern).literal_separator(true).build().map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

#[cfg(test)]
mod tests;
