//! What a command answers when it could not do its work: what happened, and what to do next.
//! Rendering is in `main.rs`; which exit code is in `exit.rs`.

use crate::exit::Exit;

/// A command that ended without its answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The process exit code.
    pub exit: Exit,
    /// What happened and to what, one sentence.
    pub what: String,
    /// What to do next, printed as `hint: …` lines.
    pub hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hints: Vec::new() }
    }

    /// The command line is wrong (64).
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// A file, a setting or a permission is wrong (3).
    pub(crate) fn configuration(what: impl Into<String>) -> Self {
        Self::new(Exit::Configuration, what)
    }

    /// Our own fault, or the machine's (5).
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, what)
    }

    /// Adds a next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
