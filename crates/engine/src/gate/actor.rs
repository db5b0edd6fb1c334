//! Who acts on the gate, and what they may: roles, each for some repositories and environments (O2, S35). The server says who it is; what they may is
//! asked here, once, by whatever is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use unicode_normalization::UnicodeNormalization as _;

/// What somebody is to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads, asks, requests exceptions and says that a block was wrong.
    Developer,
    /// A pipeline: asks, hands in documents, promotes.
    Ci,
    /// Approves, rejects and revokes exceptions of others.
    Approver,
    /// Writes policies, the deny list, and exceptions that are wider than one image.
    PolicyAdmin,
    /// Lets what is denied through, for a while, and says why (S31).
    BreakGlass,
    /// Looks at what is quarantined (S30): a scanner.
    Scanner,
    /// Looks at what is quarantined (S30): whoever investigates.
    Forensics,
    /// Gives out tokens and says who is who.
    Admin,
    /// Nobody said who they are, where that is enough to read and to ask: an embedded gate on loopback. Nobody is given it.
    Anonymous,
}

/// What can be done with the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// See decisions, images, exceptions, the audit log.
    Read,
    /// Ask for a decision.
    Ask,
    /// Hand in documents about images.
    Submit,
    /// Copy what is allowed to where it runs, and back.
    Promote,
    /// Request an exception; withdraw one's own.
    Request,
    /// Approve, reject, revoke exceptions; say what a block was.
    Approve,
    /// Say what a block was.
    Label,
    /// Let through what is denied.
    Override,
    /// Write policies and the deny list.
    Govern,
    /// Give out tokens.
    Administer,
    /// Fetch what is quarantined.
    Inspect,
}

impl Role {
    /// Every role that can be given.
    pub const ALL: [Self; 9] = [
        Self::Viewer,
        Self::Developer,
        Self::Ci,
        Self::Approver,
        Self::PolicyAdmin,
        Self::BreakGlass,
        Self::Scanner,
        Self::Forensics,
        Self::Admin,
    ];

    /// `viewer`, `developer`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Ci => "ci",
            Self::Approver => "approver",
            Self::PolicyAdmin => "policy-admin",
            Self::BreakGlass => "break-glass",
            Self::Scanner => "scanner",
            Self::Forensics => "forensics",
            Self::Admin => "admin",
            Self::Anonymous => "anonymous",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it may.
    pub fn rights(self) -> &'static [Right] {
        use Right::{Administer, Approve, Ask, Govern, Inspect, Label, Override, Promote, Read, Request, Submit};
        match self {
            Self::Viewer => &[Read],
            Self::Developer => &[Read, Ask, Request],
            Self::Ci => &[Read, Ask, Submit, Promote],
            Self::Approver => &[Read, Ask, Approve, Label],
            Self::PolicyAdmin => &[Read, Ask, Request, Approve, Label, Govern],
            Self::BreakGlass => &[Read, Ask, Override],
            Self::Scanner => &[Read, Ask, Submit, Inspect],
            Self::Forensics => &[Read, Inspect],
            // Who says who may what does not decide what is let through: that takes a role, given on record.
            Self::Admin => &[Read, Ask, Administer],
            Self::Anonymous => &[Read, Ask],
        }
    }
}

/// Repositories, as they are written in a grant: `host/team/app`, `host/team/**`, `**`.
#[derive(Debug, Clone)]
pub struct Repositories {
    written: String,
    matcher: GlobMatcher,
}

impl PartialEq for Repositories {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Repositories {
    /// `*` stands for anything within one part of a name, `**` for any parts.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 512 {
            return Err("a pattern of repositories has 1 to 512 characters".to_owned());
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        let glob = glob.map_err(|error| format!("{text:?} is no pattern of repositories: {}", error.kind()))?;
        Ok(Self { written: text.to_owned(), matcher: glob.compile_matcher() })
    }

    /// True if it is one of them: `host/repository`.
    pub fn cover(&self, repository: &str) -> bool {
        self.matcher.is_match(repository)
    }

    /// True if every repository of the other pattern is one of these, as far as that can be told from how they are written.
    pub fn holds(&self, other: &Self) -> bool {
        if self.written == "**" || self.written == other.written {
            return true;
        }
        let special = |text: &str| text.contains(['*', '?', '[', ']', '{', '}', '!', '\\']);
        match self.written.strip_suffix("/**") {
            // What stands before the other's first special part is below.
            Some(start) if !special(start) => {
                let fixed: Vec<&str> = other.written.split('/').take_while(|part| !special(part)).collect();
                let fixed = fixed.join("/");
                let below = fixed
                    .strip_prefix(start)
                    .is_some_and(|rest| (rest.is_empty() && fixed != other.written) || rest.starts_with('/'));
                below && !other.written.contains(['{', '}'])
            }
            _ => !special(&other.written) && self.cover(&other.written),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// A role, for some repositories and environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// For these repositories; never empty: `**` is all.
    pub repositories: Vec<Repositories>,
    /// For these environments; `*` is all.
    pub environments: Vec<String>,
}

impl Grant {
    /// A role everywhere.
    pub fn everywhere(role: Role) -> Self {
        let all = Repositories::parse("**").into_iter().collect();
        Self { role, repositories: all, environments: vec!["*".to_owned()] }
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        let repositories: Vec<&str> = self.repositories.iter().map(Repositories::as_str).collect();
        format!("{} on {} in {}", self.role.as_str(), repositories.join(", "), self.environments.join(", "))
    }

    /// True if it is for all repositories and environments.
    pub fn is_everywhere(&self) -> bool {
        self.repositories.iter().any(|one| one.as_str() == "**") && self.is_for_environment(None)
    }

    fn is_for(&self, repository: &str, environment: Option<&str>) -> bool {
        self.repositories.iter().any(|one| one.cover(repository)) && self.is_for_environment(environment)
    }

    /// `None`: for each of them.
    fn is_for_environment(&self, environment: Option<&str>) -> bool {
        self.environments.iter().any(|one| one == "*" || environment.is_some_and(|environment| one == environment))
    }
}

/// A name as it is compared: in small letters, and each character in one spelling (NFKC), however it was put together.
pub(super) fn folded(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The name of a person, the same wherever they are known: in small letters and one spelling.
///
/// # Errors
/// It is no name.
pub fn person(name: &str) -> Result<Arc<str>, String> {
    let name = folded(name);
    if name.is_empty() || name.len() > 320 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "{:?} is no name of a person: 1 to 320 bytes without spaces",
            name.chars().take(80).collect::<String>()
        ));
    }
    Ok(name.into())
}

/// Who acts, as the server authenticated them.
#[derive(Debug, Clone, PartialEq)]
pub struct Actor {
    /// The name under which they stand in records and the audit log: by immutable ids, as `oidc:ISSUER#SUBJECT` or `token:NAME#ID`.
    pub identity: Arc<str>,
    /// The person behind it, the same for every identity of theirs; `None`: a machine, or nobody knows. Only a person approves (S29).
    pub person: Option<Arc<str>>,
    /// What they are.
    pub grants: Vec<Grant>,
}

impl Actor {
    /// Nobody in particular, where nobody has to say who they are.
    pub fn anonymous() -> Self {
        Self::everywhere("anonymous", &[Role::Anonymous])
    }

    /// Somebody with roles everywhere.
    pub fn everywhere(identity: &str, roles: &[Role]) -> Self {
        let grants = roles.iter().map(|role| Grant::everywhere(*role)).collect();
        Self { identity: identity.into(), person: None, grants }
    }

    /// Whether they may do this about this repository (`host/repository`); `environment: None`: whatever the environment is.
    pub fn may(&self, right: Right, repository: &str, environment: Option<&str>) -> bool {
        self.granted(right).any(|grant| grant.is_for(repository, environment))
    }

    /// Whether they may do this about something, in some environment.
    pub fn may_somewhere(&self, right: Right) -> bool {
        self.granted(right).next().is_some()
    }

    /// Whether they may do this about everything: what concerns all images.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.granted(right).any(Grant::is_everywhere)
    }

    /// Whether they see something about this repository, in any environment: what is no more than that it is there.
    pub fn sees(&self, repository: &str, environment: Option<&str>) -> bool {
        let covers = |grant: &Grant| grant.repositories.iter().any(|one| one.cover(repository));
        self.granted(Right::Read).any(|grant| {
            covers(grant) && environment.is_none_or(|environment| grant.is_for_environment(Some(environment)))
        })
    }

    /// Whether they may do this about this repository in some environment.
    pub fn may_in_some_environment(&self, right: Right, repository: &str) -> bool {
        self.granted(right).any(|grant| grant.repositories.iter().any(|one| one.cover(repository)))
    }

    /// The environments in which they may do this about this repository; `*` alone is all of them.
    pub fn environments(&self, right: Right, repository: &str) -> Vec<String> {
        if self.may(right, repository, None) {
            return vec!["*".to_owned()];
        }
        let about = self.granted(right).filter(|grant| grant.repositories.iter().any(|one| one.cover(repository)));
        let environments: BTreeSet<&String> = about.flat_map(|grant| &grant.environments).collect();
        environments.into_iter().cloned().collect()
    }

    /// True if both are known to be the same person, or the same identity (S29).
    pub fn is_same_as(&self, identity: &str, person: Option<&str>) -> bool {
        let person = person.map(folded);
        *self.identity == *identity || (person.is_some() && self.person.as_deref().map(folded) == person)
    }

    fn granted(&self, right: Right) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.role.rights().contains(&right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(role: Role, repositories: &str, environments: &[&str]) -> Grant {
        let repositories = vec![Repositories::parse(repositories).unwrap()];
        Grant { role, repositories, environments: environments.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn s35_a_role_is_for_its_repositories_and_environments_alone() {
        let grants = vec![grant(Role::Ci, "r.example/team-a/**", &["staging"])];
        let ci = Actor { identity: "ci".into(), person: None, grants };
        assert!(ci.may(Right::Ask, "r.example/team-a/app", Some("staging")));
        for (repository, environment) in [
            ("r.example/team-b/app", Some("staging")),
            ("r.example/team-a/app", Some("production")),
            ("r.example/team-a/app", None),
            ("r.example/team-ab/app", Some("staging")),
            ("evil.example/r.example/team-a/app", Some("staging")),
            ("r.example/team-a", Some("staging")),
        ] {
            assert!(!ci.may(Right::Ask, repository, environment), "{repository} {environment:?}");
        }
        assert!(ci.sees("r.example/team-a/app", None) && !ci.sees("r.example/team-a/app", Some("production")));
        assert!(!ci.may(Right::Approve, "r.example/team-a/app", Some("staging")));
        assert!(ci.may_somewhere(Right::Submit) && !ci.may_everywhere(Right::Submit));
        let nobody = Actor { identity: "x".into(), person: None, grants: Vec::new() };
        assert!(!nobody.may_somewhere(Right::Read));
    }

    #[test]
    fn s29_two_identities_of_one_person_are_one() {
        let actor = |identity: &str, person: Option<&str>| Actor {
            identity: identity.into(),
            person: person.map(Into::into),
            grants: Vec::new(),
        };
        assert!(actor("sso:1", Some("ada")).is_same_as("gitlab:7", Some("ada")));
        assert!(actor("sso:1", None).is_same_as("sso:1", None));
        assert!(
            !actor("sso:1", None).is_same_as("sso:2", None),
            "of two unknown persons nobody says that they are one"
        );
        assert!(!actor("sso:1", Some("ada")).is_same_as("sso:2", Some("bob")));
    }

    #[test]
    fn s29_a_person_is_the_same_however_their_name_is_spelled() {
        for (one, other) in [
            ("\u{c1}da@example.com", "a\u{301}da@EXAMPLE.com"),
            ("\u{ff21}da@example.com", " ada@example.com "),
            ("STRA\u{1e9e}E", "stra\u{df}e"),
        ] {
            assert_eq!(person(one), person(other), "{one}");
        }
        // What becomes a space is one.
        assert!(person("ada\u{a0}b").is_err() && person("ada\u{b4}").is_err() && person("\u{3000}").is_err());
        assert_ne!(person("ada"), person("\u{e1}da"), "another letter is another name");
    }

    #[test]
    fn o2_no_role_both_asks_for_and_grants_what_is_let_through() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.as_str()), Some(role));
            let rights = role.rights();
            assert!(!(rights.contains(&Right::Override) && rights.contains(&Right::Approve)), "{role:?}");
            assert!(!(rights.contains(&Right::Administer) && rights.contains(&Right::Govern)), "{role:?}");
        }
        assert_eq!(Role::named("root"), None);
        assert_eq!(Role::named("anonymous"), None, "nobody is given what nobody in particular may");
    }
}
