//! Lists of vulnerability ids, looked up without regard to case: the `allow` and `deny` lists of a rule.

use std::collections::BTreeSet;

use model::{Finding, VulnerabilityId};

/// A list of ids.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn of(list: Option<&Vec<String>>) -> Self {
        Self(list.into_iter().flatten().map(|id| id.trim().to_ascii_uppercase()).collect())
    }

    fn contains(&self, name: &VulnerabilityId) -> bool {
        let name = name.as_str();
        // Nearly all ids are in upper case.
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            self.0.contains(&upper(name))
        } else {
            self.0.contains(name)
        }
    }

    /// True if any name of the finding is listed.
    pub(super) fn mention(&self, finding: &Finding) -> bool {
        !self.0.is_empty() && finding.names().any(|name| self.contains(name))
    }

    /// True if the finding is about one listed vulnerability and no other.
    pub(super) fn are(&self, finding: &Finding) -> bool {
        let listed = |name: &&VulnerabilityId| self.contains(name);
        !self.0.is_empty() && finding.names().filter(listed).any(|name| finding.is(name.as_str()))
    }
}

/// An id as it is compared.
pub(super) fn upper(id: &str) -> String {
    id.to_ascii_uppercase()
}
