//! Teams (S35): a table of names and patterns of repositories. Every repository is of one team, the first whose patterns fit, or of none. A team is a
//! filter, a route of notices and a name to count by; it gives nobody any right.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::actor::Repositories;
use super::exceptions::ExceptionScope;
use super::reports::entries::Entry;
use super::{GateError, Inner};

/// What repositories are of that are of no team.
pub(super) const NONE: &str = "none";
/// Teams: each is a label.
const MOST: usize = 200;
/// Patterns of one team.
const PATTERNS: usize = 100;
/// The longest name.
const NAME: usize = 63;

/// A team.
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// What it is called: small letters, digits and hyphens.
    pub name: String,
    /// Its repositories.
    pub repositories: Vec<Repositories>,
}

/// All teams, in order. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Teams(Arc<[Team]>);

impl Teams {
    /// The first that fits counts.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn new(teams: Vec<Team>) -> Result<Self, String> {
        if teams.len() > MOST {
            return Err(format!("there are {}; at most {MOST} are told apart", teams.len()));
        }
        let mut names = BTreeSet::new();
        for Team { name, repositories } in &teams {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let begins = name.bytes().next().is_some_and(is_plain);
            if !begins || name.len() > NAME || !name.bytes().all(|byte| is_plain(byte) || byte == b'-') {
                return Err(format!(
                    "{:?} is no name of a team: up to {NAME} small letters, digits and hyphens, a hyphen not first",
                    name.chars().take(80).collect::<String>()
                ));
            }
            if name == NONE {
                return Err(format!("{NONE:?} is what repositories are of that are of no team"));
            }
            if repositories.is_empty() || repositories.len() > PATTERNS {
                return Err(format!("{name}: a team has 1 to {PATTERNS} patterns of repositories"));
            }
            if !names.insert(name.as_str()) {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(Self(teams.into()))
    }

    /// The team of a repository: `host/repository`.
    pub fn of(&self, repository: &str) -> &str {
        let fits = |team: &&Team| team.repositories.iter().any(|pattern| pattern.cover(repository));
        self.0.iter().find(fits).map_or(NONE, |team| &team.name)
    }

    /// Whether there is one of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        name == NONE || self.0.iter().any(|team| team.name == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a repository of this pattern may be of the team. Nothing is left out that may be.
    fn may_be_of(&self, name: &str, pattern: &str) -> bool {
        let patterns = self.0.iter().filter(|team| team.name == name).flat_map(|team| &team.repositories);
        let fixed = |text: &str| text.split(['*', '?', '[', ']', '{', '}', '!', '\\']).next().unwrap_or("").to_owned();
        let wanted = fixed(pattern);
        name == NONE
            || patterns.map(|one| fixed(one.as_str())).any(|one| one.starts_with(&wanted) || wanted.starts_with(&one))
    }
}

/// Whose repositories are wanted: those of one team, or all.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Option<(Teams, String)>);

impl Wanted {
    pub(super) fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// The team, if it is one.
    pub(super) fn team(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, name)| name.as_str())
    }

    pub(super) fn has(&self, repository: &str) -> bool {
        self.0.as_ref().is_none_or(|(teams, name)| teams.of(repository) == name)
    }

    /// An exception for a pattern is about each team that has a repository in it.
    pub(super) fn has_scope(&self, scope: &ExceptionScope) -> bool {
        self.has_place(&scope.repository, scope.is_pattern)
    }

    /// An entry of the audit log; one that is about no repository is about no team.
    pub(super) fn has_entry(&self, entry: &Entry) -> bool {
        if self.is_all() {
            return true;
        }
        let is_pattern = entry.body.get("scope").and_then(|scope| scope.get("isPattern")) == Some(&Value::Bool(true));
        let place = entry.repository.as_deref().or_else(|| entry.text(&[&["scope", "repository"]]));
        place.is_some_and(|place| self.has_place(place, is_pattern))
    }

    fn has_place(&self, place: &str, is_pattern: bool) -> bool {
        match &self.0 {
            Some((teams, name)) if is_pattern => teams.may_be_of(name, place),
            _ => self.has(place),
        }
    }
}

impl Inner {
    /// # Errors
    /// There is no such team.
    pub(super) fn of_team(&self, team: Option<&str>) -> Result<Wanted, GateError> {
        let Some(name) = team else { return Ok(Wanted::default()) };
        let teams = &self.settings.teams;
        if !teams.has(name) {
            return Err(GateError::Invalid {
                what: format!("there is no team {:?}", name.chars().take(80).collect::<String>()),
                hint: Some(format!("teams are those of the service's configuration; {NONE} is all the rest")),
            });
        }
        Ok(Wanted(Some((teams.clone(), name.to_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(name: &str, patterns: &[&str]) -> Team {
        let repositories = patterns.iter().map(|one| Repositories::parse(one).unwrap()).collect();
        Team { name: name.to_owned(), repositories }
    }

    fn teams() -> Teams {
        let list =
            vec![team("payments", &["r.example/shop/pay*", "r.example/pay/**"]), team("shop", &["r.example/shop/**"])];
        Teams::new(list).unwrap()
    }

    #[test]
    fn s35_a_repository_is_of_the_first_team_that_fits() {
        let teams = teams();
        for (repository, team) in [
            ("r.example/shop/pay", "payments"),
            ("r.example/shop/payout", "payments"),
            ("r.example/pay/a/b", "payments"),
            ("r.example/shop/cart", "shop"),
            ("r.example/shop/pay/more", "shop"),
            ("r.example/shop", "none"),
            ("r.example/shopping/cart", "none"),
            ("evil.example/r.example/shop/cart", "none"),
        ] {
            assert_eq!(teams.of(repository), team, "{repository}");
        }
        assert_eq!(Teams::default().of("r.example/shop/cart"), "none");
    }

    #[test]
    fn s35_names_are_labels_and_there_are_not_too_many() {
        let wrong = |list: Vec<Team>| Teams::new(list).unwrap_err();
        for name in ["", "-a", "Team", "a_b", "a b", "ä", "a.b", "none", &"a".repeat(64)] {
            assert!(Teams::new(vec![team(name, &["**"])]).is_err(), "{name}");
        }
        assert!(Teams::new(vec![team(&"a".repeat(63), &["**"]), team("0-b-", &["**"])]).is_ok());
        assert!(wrong(vec![team("a", &["x/**"]), team("a", &["y/**"])]).contains("twice"));
        assert!(wrong(vec![team("a", &[])]).contains("patterns"));
        let many = |count: usize| (0..count).map(|number| team(&format!("t{number}"), &["**"])).collect::<Vec<_>>();
        assert!(Teams::new(many(200)).is_ok());
        assert!(wrong(many(201)).contains("at most 200"));
    }

    #[test]
    fn s35_a_pattern_is_left_out_of_no_team_that_it_may_be_about() {
        let teams = teams();
        for (pattern, about) in [
            ("r.example/**", ["payments", "shop", "none"].as_slice()),
            ("**", &["payments", "shop", "none"]),
            ("r.example/shop/*", &["payments", "shop", "none"]),
            ("r.example/pay/**", &["payments", "none"]),
            ("other.example/**", &["none"]),
        ] {
            let found: Vec<_> =
                ["payments", "shop", "none"].into_iter().filter(|name| teams.may_be_of(name, pattern)).collect();
            assert_eq!(found, about, "{pattern}");
        }
    }
}
