//! What an exception is about, how wide that is, and who may do what with it.

use model::{Digest, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::gate::actor::{Actor, Repositories, Right};

/// The longest that an exception runs without being called wide, and the longest at all (S29).
pub(super) const USUAL: SignedDuration = SignedDuration::from_hours(24 * 30);
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What an exception is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionScope {
    /// The vulnerability that it is for.
    pub cve: Option<String>,
    /// The package that it is in; `None`: every one.
    pub package: Option<String>,
    /// The rule that it is for: `POLICY/RULE`.
    pub rule: Option<String>,
    /// `host/repository`, or a pattern of those.
    pub repository: String,
    /// `repository` is a pattern.
    pub is_pattern: bool,
    /// The image; `None`: every one of the repository.
    pub digest: Option<Digest>,
    /// The environment; `None`: every one.
    pub environment: Option<String>,
}

impl ExceptionScope {
    /// What it covers beyond one image, package and environment for 30 days (S29).
    pub(super) fn wide(&self, from: Timestamp, expires: Timestamp) -> Vec<String> {
        let mut wide = Vec::new();
        let mut is = |wider: bool, what: &str| {
            if wider {
                wide.push(what.to_owned());
            }
        };
        is(self.is_pattern, "several repositories");
        is(self.digest.is_none(), "every image of the repository");
        is(self.rule.is_some(), "everything that breaks the rule");
        is(self.cve.is_some() && self.package.is_none(), "every package");
        is(self.environment.is_none(), "every environment");
        is(expires.duration_since(from) > USUAL, "more than 30 days");
        wide
    }

    /// Whether somebody may do this about all that it is about.
    pub(super) fn may(&self, actor: &Actor, right: Right) -> bool {
        let environment = self.environment.as_deref();
        if !self.is_pattern {
            return actor.may(right, &self.repository, environment);
        }
        // Whether one pattern covers another is told for those that end alike alone: the rest takes a role for everything.
        let covers = |one: &Repositories| {
            let prefix = one.as_str().strip_suffix("**").filter(|prefix| !prefix.contains(['*', '?', '[', '{', '!']));
            let is_whole = |prefix: &str| prefix.is_empty() || prefix.ends_with('/');
            prefix.is_some_and(|prefix| is_whole(prefix) && self.repository.starts_with(prefix))
        };
        actor.grants.iter().any(|grant| {
            let of_all = grant.environments.iter().any(|one| one == "*" || Some(one.as_str()) == environment);
            grant.role.rights().contains(&right) && of_all && grant.repositories.iter().any(covers)
        })
    }

    /// Whether somebody sees that it is there.
    pub(super) fn is_seen_by(&self, actor: &Actor) -> bool {
        if self.is_pattern {
            return match self.environment {
                Some(_) => self.may(actor, Right::Read),
                None => self.may(&anywhere(actor), Right::Read),
            };
        }
        actor.sees(&self.repository, self.environment.as_deref())
    }
}

/// The same for whichever environment: an exception for every environment is about each of them.
fn anywhere(actor: &Actor) -> Actor {
    let mut actor = actor.clone();
    for grant in &mut actor.grants {
        grant.environments = vec!["*".to_owned()];
    }
    actor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::actor::{Grant, Role};

    fn actor(repositories: &str, environments: &[&str]) -> Actor {
        let repositories = vec![Repositories::parse(repositories).unwrap()];
        let environments = environments.iter().map(|&name| name.to_owned()).collect();
        Actor {
            identity: "x".into(),
            person: None,
            grants: vec![Grant { role: Role::Developer, repositories, environments }],
        }
    }

    fn like(pattern: &str, environment: Option<&str>) -> ExceptionScope {
        ExceptionScope {
            cve: Some("CVE-1".to_owned()),
            package: None,
            rule: None,
            repository: pattern.to_owned(),
            is_pattern: true,
            digest: None,
            environment: environment.map(str::to_owned),
        }
    }

    #[test]
    fn s35_a_pattern_is_for_those_whose_grant_covers_all_of_it() {
        for (grant, pattern, may) in [
            ("**", "r.example/**", true),
            ("r.example/**", "r.example/**", true),
            ("r.example/team/**", "r.example/team/*", true),
            ("r.example/team/**", "r.example/team/a/**", true),
            ("r.example/team/**", "r.example/**", false),
            ("r.example/team/**", "r.example/team*/x", false),
            ("r.example/team/*", "r.example/team/**", false),
            ("r.example/te?m/**", "r.example/te?m/*", false),
            ("r.example/team/app", "r.example/team/*", false),
            ("other.example/**", "r.example/**", false),
        ] {
            let scope = like(pattern, Some("production"));
            assert_eq!(scope.may(&actor(grant, &["production"]), Right::Request), may, "{grant} {pattern}");
            assert!(!scope.may(&actor(grant, &["staging"]), Right::Request), "{grant} {pattern}");
            assert!(!like(pattern, None).may(&actor(grant, &["production"]), Right::Request), "{grant} {pattern}");
        }
    }

    #[test]
    fn s29_what_is_wide_is_said() {
        let from: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let narrow = ExceptionScope {
            package: Some("openssl".to_owned()),
            digest: Some(Digest::of(b"image")),
            is_pattern: false,
            ..like("r.example/app", Some("production"))
        };
        let wide = |scope: &ExceptionScope, days: i64| scope.wide(from, from + SignedDuration::from_hours(24 * days));
        assert!(wide(&narrow, 30).is_empty());
        assert_eq!(wide(&narrow, 31), ["more than 30 days"]);
        assert_eq!(wide(&ExceptionScope { digest: None, ..narrow.clone() }, 1), ["every image of the repository"]);
        assert_eq!(wide(&ExceptionScope { package: None, ..narrow.clone() }, 1), ["every package"]);
        assert_eq!(wide(&ExceptionScope { environment: None, ..narrow.clone() }, 1), ["every environment"]);
        assert_eq!(wide(&ExceptionScope { is_pattern: true, ..narrow.clone() }, 1), ["several repositories"]);
        let rule = ExceptionScope { cve: None, package: None, rule: Some("p/r".to_owned()), ..narrow };
        assert_eq!(wide(&rule, 1), ["everything that breaks the rule"]);
    }
}
