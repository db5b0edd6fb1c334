//! Which rules tests saw to pass and to hold something back. A rule is covered if both were seen: one that never failed may
//! let everything through, and one that never passed may hold everything back.

use std::collections::BTreeMap;

use model::{Digest, Judgement, Outcome};

use crate::set::PolicySet;

/// What was seen of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSeen {
    /// `metadata.name` of the policy.
    pub policy: String,
    /// The rule's id.
    pub rule: String,
    /// A test saw it pass.
    pub passed: bool,
    /// A test saw it broken, or not known.
    pub held_back: bool,
}

impl RuleSeen {
    /// Both were seen.
    pub fn is_covered(&self) -> bool {
        self.passed && self.held_back
    }
}

/// Every rule of the policies under test.
#[derive(Debug, Clone)]
pub struct Coverage {
    rules: BTreeMap<(String, Digest), Vec<RuleSeen>>,
}

impl Coverage {
    /// Nothing was tested yet.
    pub fn none() -> Self {
        Self { rules: BTreeMap::new() }
    }

    /// Takes in policies under test: their rules have to be seen. A policy that several test files name counts once.
    pub fn expect(&mut self, policies: &PolicySet) {
        for member in policies.documents() {
            let seen = || -> Vec<RuleSeen> {
                let rule = |rule: &crate::document::Rule| RuleSeen {
                    policy: member.id.name.clone(),
                    rule: rule.id.clone(),
                    passed: false,
                    held_back: false,
                };
                member.policy.spec.rules.iter().map(rule).collect()
            };
            self.rules.entry((member.id.name.clone(), member.id.digest.clone())).or_insert_with(seen);
        }
    }

    /// Takes in what one test saw.
    pub fn add(&mut self, policies: &PolicySet, judgement: &Judgement) {
        for member in policies.documents() {
            let Some(rules) = self.rules.get_mut(&(member.id.name.clone(), member.id.digest.clone())) else { continue };
            for seen in rules {
                let of = |result: &&model::RuleResult| result.policy == seen.policy && result.rule == seen.rule;
                for result in judgement.rules.iter().filter(of) {
                    match result.outcome {
                        Outcome::Pass => seen.passed = true,
                        Outcome::Fail(_) | Outcome::Unknown(..) => seen.held_back = true,
                    }
                }
            }
        }
    }

    /// Every rule, by policy and in the order of the document.
    pub fn rules(&self) -> impl Iterator<Item = &RuleSeen> {
        self.rules.values().flatten()
    }

    /// How many rules there are.
    pub fn total(&self) -> usize {
        self.rules().count()
    }

    /// How many of them are covered.
    pub fn covered(&self) -> usize {
        self.rules().filter(|rule| rule.is_covered()).count()
    }

    /// The same in percent, rounded down; 100 of nothing.
    pub fn percent(&self) -> u8 {
        let percent = (self.covered() * 100).checked_div(self.total()).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }
}
