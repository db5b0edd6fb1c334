//! One thing that was looked at, in the form of the other `doctor`.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It is broken, or lets by what it should not.
    Problem,
    /// That cannot be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// A stable name, such as `kubernetes.failurePolicy`.
    pub id: &'static str,
    /// Which of several: a webhook, a namespace.
    pub subject: Option<String>,
    /// What was looked at, in a few words.
    pub title: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do; `None` if there is nothing to do.
    pub remedy: Option<String>,
}

/// What a check is about.
pub(super) struct About {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) why: &'static str,
}

impl About {
    fn check(&self, subject: Option<&str>, state: State, found: String, remedy: Option<&str>) -> Check {
        Check {
            id: self.id,
            subject: subject.map(str::to_owned),
            title: self.title,
            state,
            found,
            why: self.why,
            remedy: remedy.map(str::to_owned),
        }
    }

    pub(super) fn ok(&self, subject: Option<&str>, found: impl Into<String>) -> Check {
        self.check(subject, State::Ok, found.into(), None)
    }

    pub(super) fn warning(&self, subject: Option<&str>, found: impl Into<String>, remedy: &str) -> Check {
        self.check(subject, State::Warning, found.into(), Some(remedy))
    }

    pub(super) fn problem(&self, subject: Option<&str>, found: impl Into<String>, remedy: &str) -> Check {
        self.check(subject, State::Problem, found.into(), Some(remedy))
    }

    pub(super) fn unknown(&self, subject: Option<&str>, found: impl Into<String>, remedy: &str) -> Check {
        self.check(subject, State::Unknown, found.into(), Some(remedy))
    }
}

/// What to do where something could not be looked at.
pub(super) const LOOK: &str =
    "Look with an account that may read it: `kubectl auth can-i --list` says what this one may.";

/// A list of names, bounded.
pub(super) fn names(list: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown} and {} more", list.len() - SHOWN) } else { shown }
}
