//! Rules: what somebody with these claims may. A claim is compared as a whole text; only `*` in a pattern stands for something else.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use super::{IssuerKind, together};
use crate::gate::actor::{Grant, Role};

/// What a claim has to say.
#[derive(Debug, Clone)]
pub struct ClaimPattern {
    written: String,
    /// `None`: exactly what is written.
    matcher: Option<GlobMatcher>,
}

impl ClaimPattern {
    /// `*` stands for anything without a `/`, `**` between slashes for any parts; every other character for itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 1024 {
            return Err("a claim is compared with 1 to 1024 characters".to_owned());
        }
        let matcher = if text.contains('*') {
            let mut glob = String::with_capacity(text.len() + 8);
            for character in text.chars() {
                if matches!(character, '?' | '[' | ']' | '{' | '}' | '!' | '\\') {
                    glob.push('\\');
                }
                glob.push(character);
            }
            let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build();
            let glob = glob.map_err(|error| format!("{text:?} is no pattern: {}", error.kind()))?;
            Some(glob.compile_matcher())
        } else {
            None
        };
        Ok(Self { written: text.to_owned(), matcher })
    }

    fn is_exact(&self) -> bool {
        self.matcher.is_none()
    }

    /// Whether a text is as it says.
    pub fn matches(&self, text: &str) -> bool {
        self.matcher.as_ref().map_or(self.written == text, |matcher| matcher.is_match(text))
    }
}

/// What whoever has these claims may.
#[derive(Debug, Clone)]
pub struct IdentityRule {
    /// All of these, each as it says.
    pub when: BTreeMap<String, ClaimPattern>,
    /// Then these.
    pub grants: Vec<Grant>,
}

impl IdentityRule {
    fn says(&self, claim: &str, text: &str) -> bool {
        self.when.get(claim).is_some_and(|pattern| pattern.is_exact() && pattern.matches(text))
    }

    fn has_exact(&self, claims: &[&str]) -> bool {
        claims.iter().any(|claim| self.when.get(*claim).is_some_and(ClaimPattern::is_exact))
    }

    /// Refuses a rule that gives rights to more than can have been meant.
    pub(super) fn check(&self, kind: IssuerKind) -> Result<(), String> {
        if self.grants.is_empty() {
            return Err("it grants nothing".to_owned());
        }
        let ids: &[&str] = match kind {
            IssuerKind::Gitlab => &["project_id", "namespace_id"],
            IssuerKind::Github => &["repository_id", "repository_owner_id"],
            IssuerKind::Oidc | IssuerKind::Kubernetes => {
                if self.when.values().any(ClaimPattern::is_exact) {
                    return Ok(());
                }
                return Err("`when` compares no claim exactly, so that it would be about anybody".to_owned());
            }
        };
        // Names are given to somebody else once they are free; ids are not.
        if !self.has_exact(ids) {
            return Err(format!("`when` has to hold {} exactly: names may become somebody else's", ids.join(" or ")));
        }
        let usual = |role: Role| matches!(role, Role::Viewer | Role::Developer | Role::Ci);
        // Whoever may push to any branch writes what its jobs do.
        if let Some(grant) = self.grants.iter().find(|grant| !usual(grant.role))
            && !self.says("ref_protected", "true")
        {
            let role = grant.role.as_str();
            return Err(format!("{role} is for jobs of protected branches alone: add `ref_protected: \"true\"`"));
        }
        Ok(())
    }
}

/// What somebody may with claims of these texts.
pub(super) fn granted(rules: &[IdentityRule], texts: &dyn Fn(&str) -> Vec<String>) -> Vec<Grant> {
    let matching = rules.iter().filter(|rule| {
        // A rule without conditions would be about anybody.
        !rule.when.is_empty()
            && rule.when.iter().all(|(claim, pattern)| texts(claim).iter().any(|text| pattern.matches(text)))
    });
    together(matching.map(|rule| rule.grants.clone()))
}
