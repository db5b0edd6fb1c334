//! The Rego host: compiles OPA policies once and asks them about one input at a time (S41).
//!
//! Its work is counted in steps (`meter`), so that a limit means the same on every machine, and an error inside a rule is an error
//! and not a rule that does not match. No answer depends on a clock, an environment or a network: what would is refused when the
//! policy is loaded (`builtins`).

mod answer;
mod builtins;
mod check;
mod dates;
mod declared;
mod definition;
mod format;
mod graph;
mod guard;
mod heads;
mod judge;
mod load;
mod meter;
mod network;
mod pattern;
mod place;
mod query;
mod syntax;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::error::DocumentError;

/// A policy file as it was handed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module<'a> {
    /// Its name, for messages.
    pub(crate) file: &'a str,
    /// What is in it.
    pub(crate) text: &'a str,
}

/// How much one rule may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Steps for each rule that is asked. The same policy and input take the same number everywhere.
    pub(crate) steps: u64,
    /// A backstop for what no step counts, such as comparing long lists.
    pub(crate) seconds: u64,
    /// Messages from all rules together.
    pub(crate) messages: usize,
    /// Bytes of text in them.
    pub(crate) text_bytes: usize,
}

impl Limits {
    /// Ten million steps took 0.6 to 3 seconds where they were measured, by what is done in them; an ordinary policy on 5,000 findings
    /// takes a twentieth of a second.
    pub(crate) const DEFAULT: Self = Self { steps: 10_000_000, seconds: 10, messages: 100_000, text_bytes: 16 << 20 };
}

/// A policy that was compiled and may be asked: shared by many evaluations on many threads.
#[derive(Debug, Clone)]
pub(crate) struct Program(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// With modules and data, and without input.
    interpreter: regorus::Engine,
    asked: Vec<query::Asked>,
    looks: Looks,
    limits: Limits,
}

/// What a policy looks at, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    /// It takes the input as a whole, or a part whose name is not written out.
    pub(crate) at_everything: bool,
    /// It compares times with that of the decision.
    pub(crate) at_the_clock: bool,
}

/// What is judged, in the form that evaluation reads; made once per image, for all rules.
#[derive(Debug, Clone)]
pub(crate) struct Input(regorus::Value);

/// What the rules said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Breaks: from `deny`, `violation` and their `_*`.
    pub(crate) deny: Vec<Message>,
    /// Warnings: from `warn` and `warn_*`.
    pub(crate) warn: Vec<Message>,
}

/// One thing that a rule said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    /// The author's code for it.
    pub(crate) code: Option<String>,
    /// What is wrong.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Input {
    /// Takes over a document.
    pub(crate) fn new(document: serde_json::Value) -> Self {
        Self(regorus::Value::from(document))
    }
}

impl Program {
    /// Compiles modules with the data documents they read, and finds the rules to ask.
    ///
    /// `query` is a rule (`data.house.deny`) or a package (`data.house`); without one it is the package of the first module.
    pub(crate) fn load(
        modules: &[Module<'_>],
        data: &serde_json::Value,
        query: Option<&str>,
    ) -> Result<Self, DocumentError> {
        Self::load_with(modules, data, query, Limits::DEFAULT)
    }

    /// What the policy looks at.
    pub(crate) fn looks(&self) -> Looks {
        self.0.looks
    }
}
