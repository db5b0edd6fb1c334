//! What is wrong with exceptions by themselves, without an image: expired, over-broad, and such as can never waive anything.

use model::{Clock, Timestamp};

use super::Exceptions;
use crate::document::dates::shown;
use crate::set::PolicySet;

/// What was found about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionFinding {
    /// The file it stands in.
    pub file: String,
    /// Its id.
    pub id: String,
    /// What is the matter with it, in words.
    pub what: String,
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
            let mut say = |what: String, is_error| {
                found.push(ExceptionFinding { file: listed.file.clone(), id: entry.id.clone(), what, is_error });
            };
            let rules = set.documents().find(|member| member.id.name == listed.policy);
            if let Some(why) = rules.and_then(|member| entry.pointless(&member.policy.spec.rules)) {
                say(format!("waives nothing: {why}"), true);
            } else if clock.reached(entry.expires.0) {
                say(format!("expired on {}; owner {}", shown(entry.expires.0), entry.owner), false);
            } else {
                let wide = entry.wide(listed.pattern.is_some(), &clock);
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
