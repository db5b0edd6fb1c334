//! `--fail-on` and `FAIL_ON_SEVERITY`: which severities block. They shape the built-in policy; with a policy file they
//! may only tighten it (S12).

use std::fmt;

use model::Severity;

use crate::document::{Limits, word};
use crate::set::PolicySet;

/// A list of severities of which no finding is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn(Vec<Severity>);

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailOnError {
    /// Not one word in it.
    Empty,
    /// A word that is no severity.
    Unknown {
        /// The word.
        word: String,
        /// A near one.
        near: Option<&'static str>,
    },
    /// The list lacks a severity that a policy limits, which would loosen it.
    Loosens {
        /// The policy's name.
        policy: String,
        /// The severity.
        severity: Severity,
    },
    /// No policy has a rule about vulnerabilities, so that the list would do nothing.
    NothingToTighten,
}

impl fmt::Display for FailOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the list of severities is empty: nothing would block"),
            Self::Unknown { word, near: Some(near) } => write!(f, "{word:?} is not a severity; did you mean {near}?"),
            Self::Unknown { word, near: None } => write!(
                f,
                "{word:?} is not a severity; there are CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED, UNTRIAGED"
            ),
            Self::NothingToTighten => {
                f.write_str("no policy has a `vulnerabilities` rule: the list of severities would do nothing")
            }
            Self::Loosens { policy, severity } => write!(
                f,
                "the list of severities leaves out {severity}, which policy {policy:?} limits; it may only tighten a policy"
            ),
        }
    }
}

impl std::error::Error for FailOnError {}

impl std::str::FromStr for FailOn {
    type Err = FailOnError;

    /// Words separated by blanks or commas, in any case: `CRITICAL HIGH`, `critical,high`.
    fn from_str(text: &str) -> Result<Self, FailOnError> {
        let mut list = Vec::new();
        for word in text.split([' ', ',', '\t', '\n', ';']).filter(|word| !word.is_empty()) {
            let severity = Severity::parse(word);
            if let Severity::Unknown(word) = severity {
                const NAMES: [&str; 7] =
                    ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"];
                let near = NAMES.into_iter().find(|name| strsim::damerau_levenshtein(name, &word.to_uppercase()) <= 2);
                return Err(FailOnError::Unknown { word, near });
            }
            if !list.contains(&severity) {
                list.push(severity);
            }
        }
        if list.is_empty() { Err(FailOnError::Empty) } else { Ok(Self(list)) }
    }
}

impl FailOn {
    /// The built-in policy with this list in place of its own.
    pub fn shape(&self, set: &mut PolicySet) {
        for member in &mut set.members {
            member.id.fail_on = Some(self.words());
            for rule in member.policy.spec.rules.iter_mut().filter_map(|rule| rule.vulnerabilities.as_mut()) {
                rule.max = Some(self.limits(Limits::NONE));
            }
        }
    }

    /// Tightens every `vulnerabilities` rule of the policy files; rules about other things stay as they are.
    ///
    /// # Errors
    /// [`FailOnError::Loosens`], [`FailOnError::NothingToTighten`]
    pub fn tighten(&self, set: &mut PolicySet) -> Result<(), FailOnError> {
        let mut tightened = false;
        for member in &mut set.members {
            for rule in member.policy.spec.rules.iter_mut().filter_map(|rule| rule.vulnerabilities.as_mut()) {
                let max = rule.max.clone().unwrap_or(Limits::NONE);
                let lost = Severity::KNOWN
                    .into_iter()
                    .find(|severity| max.get(severity).is_some() && !self.0.contains(severity));
                if let Some(severity) = lost {
                    return Err(FailOnError::Loosens { policy: member.id.name.clone(), severity });
                }
                rule.max = Some(self.limits(max));
                member.id.fail_on = Some(self.words());
                tightened = true;
            }
        }
        // A set without any policy denies whatever it is asked.
        if tightened || set.members.is_empty() { Ok(()) } else { Err(FailOnError::NothingToTighten) }
    }

    fn limits(&self, mut limits: Limits) -> Limits {
        for severity in &self.0 {
            limits.set(severity, 0);
        }
        limits
    }

    /// The most serious severity that is not in the list although a less serious one is.
    pub fn passed_over(&self) -> Option<Severity> {
        let order = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
        let last = order.iter().rposition(|severity| self.0.contains(severity))?;
        order[..last].iter().find(|severity| !self.0.contains(severity)).cloned()
    }

    /// True if no finding of this severity is allowed. A word outside every vocabulary counts as the most serious one in the list (S21).
    pub fn names(&self, severity: &Severity) -> bool {
        matches!(severity, Severity::Unknown(_)) || self.0.contains(severity)
    }

    /// `critical, high`
    pub fn words(&self) -> String {
        self.0.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
