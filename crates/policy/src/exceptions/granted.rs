//! Exceptions that somebody asked for and somebody else approved (S29). Nothing in them is a pattern unless it says so: names are compared as they
//! are written, and a pattern never leaves the registry that it names.

use std::collections::BTreeMap;

use model::{Ask, Digest, Facts, ImageReference, Signal, Timestamp};

use super::applicable::{is_fixed, is_named};
use super::{Entry, Exceptions, Listed, Of};
use crate::document::dates::Until;
use crate::document::{Form, TextPattern, compared_name};
use crate::set::{Member, PolicySet};

/// The longest id of a vulnerability, and the longest name of a package.
const ID: usize = 128;
const PACKAGE: usize = 512;

/// An exception that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Its id.
    pub id: String,
    /// What it waives.
    pub waived: Waived,
    /// `host/repository`, exactly; with `is_pattern` a path with `*` and `**` in the registry of this host.
    pub repository: String,
    /// `repository` is a pattern.
    pub is_pattern: bool,
    /// One image; `None`: every image of the repository.
    pub digest: Option<Digest>,
    /// One environment; `None`: every one.
    pub environment: Option<String>,
    /// It ends where a source says that there is a fix.
    pub until_fixed: bool,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
}

/// What an exception waives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waived {
    /// A vulnerability, under every policy.
    Vulnerability {
        /// Its id, or another name of it.
        id: String,
        /// In this package, by name or by whole package URL; `None`: in every one.
        package: Option<String>,
    },
    /// A rule of one policy.
    Rule {
        /// The policy.
        policy: String,
        /// The rule's id.
        rule: String,
    },
}

impl Granted {
    /// What is wrong with how it is written.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        match &self.waived {
            Waived::Vulnerability { id, package } => {
                check_vulnerability(id)?;
                package.as_deref().map_or(Ok(()), check_package)?;
            }
            Waived::Rule { policy, rule } if policy.is_empty() || rule.is_empty() => {
                return Err("a rule is named as POLICY/RULE".to_owned());
            }
            Waived::Rule { .. } if self.until_fixed => {
                return Err("`untilFixed` belongs to a vulnerability; a rule is not fixed by a package".to_owned());
            }
            Waived::Rule { .. } => {}
        }
        self.of().map(|_| ())
    }

    /// Why it can never waive anything under these policies, if so.
    pub fn refusal(&self, set: &PolicySet) -> Option<String> {
        let ask = self.ask();
        let members: Vec<&Member> = match &ask {
            Some(ask) => set.matching(ask).collect(),
            None => set.documents().collect(),
        };
        match &self.waived {
            Waived::Rule { policy, rule } => {
                let named: Vec<&Member> = members.into_iter().filter(|member| member.id.name == *policy).collect();
                if named.is_empty() {
                    return Some(format!("no policy {policy:?} is about this image in this environment"));
                }
                let whys: Vec<_> =
                    named.iter().map(|member| self.entry().pointless(&member.policy.spec.rules)).collect();
                let why = whys.iter().all(Option::is_some).then(|| whys.into_iter().flatten().next()).flatten();
                why.map(|why| format!("rule {policy}/{rule}: {why}"))
            }
            Waived::Vulnerability { id, .. } => {
                let rules = || {
                    members.iter().flat_map(|member| member.policy.spec.rules.iter().map(move |rule| (member, rule)))
                };
                if !rules().any(|(_, rule)| rule.vulnerabilities.is_some() && rule.is_waivable()) {
                    return Some(
                        "no rule of the policies about this image can be waived by an exception for a vulnerability"
                            .to_owned(),
                    );
                }
                let is_listed = |list: &Vec<String>| list.iter().any(|denied| denied.trim().eq_ignore_ascii_case(id));
                let denied = rules().find(|(_, rule)| {
                    rule.vulnerabilities.as_ref().and_then(|rule| rule.deny.as_ref()).is_some_and(is_listed)
                });
                denied.map(|(member, rule)| {
                    format!("{id} is on the deny list of rule {}/{}, which no exception lifts", member.id.name, rule.id)
                })
            }
        }
    }

    /// True if it is until there is a fix, is about this very image, and sources say of every package that it covers there that there is one.
    pub fn is_fixed(&self, ask: &Ask, facts: &Facts) -> bool {
        let Waived::Vulnerability { id, package } = &self.waived else { return false };
        let is_about = self.until_fixed
            && !self.is_pattern
            && self.digest.as_ref() == Some(&ask.digest)
            && compared_name(&ask.image).is_some_and(|name| name == self.repository)
            && self.environment.as_ref().is_none_or(|name| *name == ask.environment);
        if !is_about {
            return false;
        }
        let platforms = facts.platforms.iter().flatten().map(|(_, child)| child);
        let reports = std::iter::once(&facts.root).chain(platforms).flat_map(|manifest| &manifest.reports);
        let findings = reports.flat_map(|report| match &report.scan {
            Signal::Present(observed) => observed.value.findings(),
            _ => &report.unproven,
        });
        let mut fixed: BTreeMap<&str, bool> = BTreeMap::new();
        for found in findings.filter(|finding| finding.is(id)).flat_map(|finding| &finding.packages) {
            if package.as_ref().is_none_or(|name| is_named(found, name)) {
                *fixed.entry(&found.name).or_insert(false) |= is_fixed(&found.fix);
            }
        }
        !fixed.is_empty() && fixed.values().all(|fixed| *fixed)
    }

    /// The question that it is about, if it is about one repository in one environment.
    fn ask(&self) -> Option<Ask> {
        let environment = self.environment.clone().filter(|_| !self.is_pattern)?;
        let digest = self.digest.clone().unwrap_or_else(|| Digest::of(b""));
        match format!("{}@{digest}", self.repository).parse::<ImageReference>() {
            Ok(image) => Some(Ask { image, digest, environment }),
            Err(_) => None,
        }
    }

    fn of(&self) -> Result<Of, String> {
        let written = &self.repository;
        if !self.is_pattern {
            return is_one_repository(written).map(|()| Of::Exactly);
        }
        let wrong = |why: &str| format!("{written:?} is no pattern of repositories: {why}");
        let (host, path) = written
            .split_once('/')
            .ok_or_else(|| wrong("it begins with the registry, as in `registry.example.com/team/**`"))?;
        if !path.contains('*') {
            return Err(wrong("without `*` it is one repository"));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/*".contains(&byte);
        if !path.bytes().all(plain) || path.contains("//") || path.contains("***") || path.ends_with('/') {
            return Err(wrong(
                "a path is of small letters, digits, `.`, `_`, `-` and `/`, with `*` within a part or `**` over parts",
            ));
        }
        is_one_repository(&format!("{host}/x")).map_err(|_| wrong("the registry is written out, without `*`"))?;
        Ok(Of::Within { host: host.to_owned(), paths: TextPattern::new(Form::Glob, path)? })
    }

    fn entry(&self) -> Entry {
        let (cve, package, rule) = match &self.waived {
            Waived::Vulnerability { id, package } => (Some(id.clone()), package.clone(), None),
            Waived::Rule { rule, .. } => (None, None, Some(rule.clone())),
        };
        Entry {
            id: self.id.clone(),
            cve,
            rule,
            unknown: None,
            package,
            repository: self.repository.clone(),
            digest: self.digest.clone(),
            environment: self.environment.clone(),
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            ticket: None,
            expires: Until(self.expires),
            until_fixed: Some(self.until_fixed),
        }
    }
}

impl Exceptions {
    /// The same without the granted exception of this id.
    #[must_use]
    pub fn without(&self, id: &str) -> Self {
        let is_it = |listed: &&Listed| listed.of.is_granted() && listed.entry.id == id;
        Self { entries: self.entries.iter().filter(|listed| !is_it(listed)).cloned().collect() }
    }

    /// Adds an exception that was granted: one for a vulnerability counts for every policy, one for a rule for the policy it names.
    ///
    /// # Errors
    /// What is wrong with how it is written.
    pub fn grant(&mut self, granted: &Granted) -> Result<(), String> {
        granted.check()?;
        let policy = match &granted.waived {
            Waived::Vulnerability { .. } => None,
            Waived::Rule { policy, .. } => Some(policy.clone()),
        };
        let (entry, of) = (granted.entry(), granted.of()?);
        self.entries.push(Listed { policy, file: "granted".to_owned(), place: None, entry, of });
        Ok(())
    }
}

/// Ids are compared without regard to case, and by nothing else.
pub(crate) fn check_vulnerability(id: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let begins = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if id.len() > ID || !begins || !id.bytes().all(plain) {
        return Err(format!("{id:?} is no id of a vulnerability, such as CVE-2021-44228; patterns are not possible"));
    }
    Ok(())
}

fn check_package(name: &str) -> Result<(), String> {
    let never = |byte: u8| b"*[]{}\\\"'`<>|^".contains(&byte) || (byte == b'?' && !name.starts_with("pkg:"));
    if name.is_empty() || name.len() > PACKAGE || !name.bytes().all(|byte| byte.is_ascii_graphic() && !never(byte)) {
        return Err(format!(
            "{name:?} is no name of a package, such as openssl, and no package URL; patterns are not possible"
        ));
    }
    Ok(())
}

/// `host/repository` as judgements compare it.
fn is_one_repository(written: &str) -> Result<(), String> {
    let hint = "write host/repository, as in registry.example.com/team/app";
    if written.contains('*') {
        return Err(format!(
            "{written:?} holds `*`: an exception is for one repository, unless it is asked for as a pattern"
        ));
    }
    let wrong = || format!("{written:?} is no repository: {hint}");
    if !written.is_ascii() {
        return Err(wrong());
    }
    let reference: ImageReference = written.parse().map_err(|_| wrong())?;
    if reference.tag.is_some() || reference.digest.is_some() || reference.host.is_none() {
        return Err(wrong());
    }
    match compared_name(&reference) {
        Some(compared) if compared == written => Ok(()),
        Some(compared) => Err(format!("{written:?} is called {compared:?} here: write that")),
        None => Err(wrong()),
    }
}
