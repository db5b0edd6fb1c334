//! S35: what an actor may ask for and see, at the gate's door. What is refused by its name alone, before anything is looked up, is refused with
//! words; what would tell that something is there is not there.

use model::{Digest, ImageReference};
use serde_json::Value;
use store::LeafRow;

use super::actor::{Actor, Grant, Right};
use super::asking::{AskError, Asked};
use super::collecting::repository;
use super::understanding::canonical;
use super::{GateError, Submission};

/// The environment of an ask that names none (S7).
pub(super) const USUAL: &str = "production";
/// Grants that are named to whoever lacks another.
const SHOWN: usize = 3;
/// Rows that are looked through for one page of what somebody sees: beyond, the page ends early and says where to go on.
pub(super) const LOOKED_THROUGH: u32 = 5_000;

impl Right {
    /// The roles that have it, for whoever is told that they lack it.
    fn roles(self) -> String {
        let roles = super::Role::ALL.into_iter().filter(|role| role.rights().contains(&self));
        roles.map(super::Role::as_str).collect::<Vec<_>>().join(", ")
    }

    fn words(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ask => "ask for decisions",
            Self::Submit => "submit documents",
            Self::Promote => "promote",
            Self::Request => "request exceptions",
            Self::Approve => "approve exceptions",
            Self::Label => "label decisions",
            Self::Override => "override denials",
            Self::Govern => "change policies",
            Self::Administer => "give out tokens",
            Self::Inspect => "inspect what is quarantined",
        }
    }
}

/// That an actor lacks a right for something: because of what it is, or because it is that for something else.
pub(super) fn forbidden(actor: &Actor, right: Right, about: &str) -> GateError {
    let (who, doing, roles) = (&actor.identity, right.words(), right.roles());
    let takes = if roles.contains(", ") { format!("one of the roles {roles}") } else { format!("the role {roles}") };
    let has: Vec<String> = actor
        .grants
        .iter()
        .filter(|grant| grant.role.rights().contains(&right))
        .map(Grant::words)
        .take(SHOWN)
        .collect();
    let what = if has.is_empty() {
        format!("{who} may not {doing} {about}: it takes {takes}")
    } else {
        format!(
            "{who} may not {doing} {about}: it takes {takes}, and it has {}, which does not cover this",
            has.join("; ")
        )
    };
    GateError::Forbidden { what }
}

/// That a pattern of repositories begins with what can be a registry's host, as every repository does: else it means nothing.
pub(super) fn names_a_host(pattern: &str) -> Result<(), GateError> {
    let (host, path) = pattern.split_once('/').map_or((pattern, None), |(host, path)| (host, Some(path)));
    let is_open = host.contains(['*', '?', '[', '{']);
    let is_host = host.contains(['.', ':']) || host == "localhost";
    if (is_open && (path.is_some() || host == "**")) || (is_host && path.is_some()) {
        return Ok(());
    }
    let what = format!("{pattern:?} means no repository: it does not begin with the host of a registry");
    Err(GateError::usage(what, "write HOST/REPOSITORY, such as ghcr.io/team/app or ghcr.io/team/**"))
}

impl Actor {
    /// # Errors
    /// They may not do this about everything.
    pub(super) fn everywhere_or_refused(&self, right: Right) -> Result<(), GateError> {
        if self.may_everywhere(right) {
            return Ok(());
        }
        Err(forbidden(self, right, "for all repositories and environments (`**` and `*`)"))
    }

    /// # Errors
    /// They may not do this about this repository in this environment (`None`: whichever it is).
    pub(super) fn may_or_refused(
        &self,
        right: Right,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<(), GateError> {
        if self.may(right, repository, environment) {
            return Ok(());
        }
        Err(forbidden(self, right, &format!("about {repository} in {}", environment.unwrap_or("every environment"))))
    }

    /// # Errors
    /// They may not do this about anything.
    pub(super) fn somewhere_or_refused(&self, right: Right) -> Result<(), GateError> {
        if self.may_somewhere(right) { Ok(()) } else { Err(forbidden(self, right, "anywhere")) }
    }

    /// Whether they see an entry of the audit log: by its image, and the environment it is about.
    pub(super) fn sees_entry(&self, repository: Option<&str>, bytes: &[u8]) -> bool {
        if self.may_everywhere(Right::Read) {
            return true;
        }
        let Some(repository) = repository else { return false };
        let entry: Option<Value> = serde_json::from_slice(bytes).ok();
        match entry {
            // About the image, whatever the environment.
            Some(entry) => {
                match ["/body/environment", "/body/scope/environment"].iter().find_map(|at| entry.pointer(at)) {
                    None | Some(Value::Null) => self.sees(repository, None),
                    Some(Value::String(environment)) => self.sees(repository, Some(environment)),
                    Some(_) => false,
                }
            }
            // Retention dropped what it was about.
            None => self.may(Right::Read, repository, None),
        }
    }

    pub(super) fn sees_leaf(&self, leaf: &LeafRow) -> bool {
        self.sees_entry(leaf.repository.as_deref(), &leaf.bytes)
    }
}

/// Whether this may be asked for. Nothing is looked up: the answer is the same whether the image is there or not.
pub(super) fn ask(actor: &Actor, asked: &Asked) -> Result<(), AskError> {
    // What is no whole reference is refused as such, and says nothing about any image.
    let Some(repository) = named(&asked.image) else { return Ok(actor.somewhere_or_refused(Right::Ask)?) };
    let environment = asked.environment.as_deref().unwrap_or(USUAL);
    if actor.may(Right::Ask, &repository, Some(environment)) {
        return Ok(());
    }
    Err(forbidden(actor, Right::Ask, &format!("about {repository} in {environment}")).into())
}

/// Whether this may be handed in, in some environment: it counts there, and only adds findings in the others.
pub(super) fn submit(actor: &Actor, submission: &Submission) -> Result<(), GateError> {
    let Some(repository) = named(&submission.image) else { return actor.somewhere_or_refused(Right::Submit) };
    if actor.may_in_some_environment(Right::Submit, &repository) {
        return Ok(());
    }
    Err(forbidden(actor, Right::Submit, &format!("about {repository}")))
}

/// The repository of a reference, as it stands in records.
fn named(image: &str) -> Option<String> {
    let image: ImageReference = image.parse().ok()?;
    image.host.as_ref()?;
    Some(repository(&canonical(image)))
}

/// What somebody does not see is called as what is not there.
pub(super) fn no_decision(id: &str) -> GateError {
    GateError::NotFound { what: format!("decision {id}") }
}

/// As for an entry that nobody wrote.
pub(super) fn no_entry(id: &str) -> GateError {
    GateError::NotFound { what: format!("entry {id} in the audit log") }
}

/// A place among rows that are ordered by image.
pub(super) type ImagePlace = (String, Digest);
