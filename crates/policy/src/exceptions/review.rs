//! What is wrong with exceptions by themselves, without an image: expired, over-broad, and such as can never waive anything.

use std::collections::BTreeSet;

use model::{Clock, Timestamp};

use super::{Exceptions, Listed};
use crate::document::dates::shown;
use crate::error::DocumentError;
use crate::set::PolicySet;

/// What was found about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionFinding {
    /// Its id.
    pub id: String,
    /// Where it stands, and what is the matter with it.
    pub about: DocumentError,
    /// It waives nothing, now or ever: an error and no mere remark.
    pub is_error: bool,
}

impl Exceptions {
    /// Looks at every entry as it stands at `now`.
    pub fn review(&self, set: &PolicySet, now: Timestamp) -> Vec<ExceptionFinding> {
        let clock = Clock::at(now);
        let mut found = Vec::new();
        for listed in &self.entries {
            let entry = &listed.entry;
            let mut say = |what: String, is_error: bool| {
                found.push(ExceptionFinding { id: entry.id.clone(), about: listed.says(&what), is_error });
            };
            let rules = set.documents().find(|member| Some(&member.id.name) == listed.policy.as_ref());
            if let Some(why) = rules.and_then(|member| entry.pointless(&member.policy.spec.rules)) {
                say(format!("waives nothing: {why}"), true);
            } else if clock.reached(entry.expires.0) {
                say(format!("expired on {}; owner {}", shown(entry.expires.0), entry.owner), false);
            } else {
                let wide = entry.wide(listed.of.is_wide(), &clock);
                if !wide.is_empty() {
                    say(format!("is over-broad: it covers {}", wide.join(", ")), false);
                }
            }
            if let Some(environment) = entry.environment.as_ref().filter(|name| set.environment(name).is_err()) {
                say(format!("is for environment {environment:?}, which no policy declares"), true);
            }
        }
        found
    }
}

impl Exceptions {
    /// The entries that are none of `used`, each with its place and these words.
    pub fn others(&self, used: &BTreeSet<String>, what: &str) -> Vec<DocumentError> {
        let unused = self.entries.iter().filter(|listed| !used.contains(&listed.entry.id));
        unused.map(|listed| listed.says(what)).collect()
    }
}

impl Listed {
    fn says(&self, what: &str) -> DocumentError {
        let error = DocumentError::new(&self.file, format!("exception {:?} {what}", self.entry.id));
        match self.place {
            Some((line, column)) => error.at(line, Some(column)),
            None => error,
        }
    }
}
