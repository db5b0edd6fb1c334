//! What is known of a rule from its text: which form it has, what it reads, calls and replaces, and the names it leaves open.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;

/// A path from the root document on: `data`, `house`, `deny`.
pub(super) type Path = Vec<String>;

/// What kind of rule a definition makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `name contains x`
    Set,
    /// `name[key] := value`
    Object,
    /// `name := value`; with a condition it may have no value.
    Complete { unconditional: bool },
    /// `name(x) := value`, with so many parameters.
    Function(usize),
    /// `default name := value`
    Default,
}

impl Form {
    /// How many parameters a function has; `None` if it is none.
    pub(super) fn parameters(self) -> Option<usize> {
        match self {
            Self::Function(parameters) => Some(parameters),
            _ => None,
        }
    }

    /// May both be definitions of one rule?
    pub(super) fn goes_with(self, other: Self) -> bool {
        let alike = |form| (matches!(form, Self::Set), Self::parameters(form));
        alike(self) == alike(other)
    }
}

/// One definition of a rule.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) path: Path,
    pub(super) form: Form,
    pub(super) place: Place,
    pub(super) reads: Vec<Read>,
    /// References to `input`, up to the first part that is not written out.
    pub(super) inputs: Vec<Path>,
    pub(super) calls: Vec<Call>,
    /// What it replaces by `with`.
    pub(super) replaces: Vec<Replaced>,
    /// Names that are neither rules nor imports nor declared with a value.
    pub(super) variables: Vec<(String, Place)>,
    /// Names that something in it gives a value, and how often.
    pub(super) given: BTreeMap<String, usize>,
    /// Objects that may be patterns: with `=`, those whose names nothing else gives a value; elsewhere, those without names.
    pub(super) objects: Vec<(BTreeSet<String>, Place)>,
    /// How deep evaluation goes into it at most: every loop is a step, and every expression inside another.
    pub(super) depth: usize,
}

/// A reference to `data`, up to the first part that is not written out.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) path: Path,
    pub(super) place: Place,
}

/// What stands behind `with`.
#[derive(Debug)]
pub(super) struct Replaced {
    /// From `input` or `data` on; `None` for anything else.
    pub(super) path: Option<Path>,
    pub(super) place: Place,
}

/// A call of a function of the policy or of a builtin.
#[derive(Debug)]
pub(super) struct Call {
    /// From `data` on for a function of the policy, the name for a builtin.
    pub(super) target: Target,
    pub(super) arguments: usize,
    /// Is it a statement of its own, so that its last argument may be for its result: `count(list, n)`?
    pub(super) statement: bool,
    /// The names in its last argument.
    pub(super) last: BTreeSet<String>,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Target {
    Rule(Path),
    Builtin(String),
}
