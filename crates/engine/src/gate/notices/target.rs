//! Who is told, and of what.

use registry::{Fetch, Secret};
use serde_json::Value;

use super::super::actor::Repositories;
use super::super::reports::entries::Entry;
use super::super::teams::Teams;

/// The shortest secret, in bytes.
const SECRET: usize = 16;

/// How a target is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// JSON, signed with a secret.
    Webhook,
    /// A message as Slack takes it, and what is compatible with it.
    Slack,
}

/// What others are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeEvent {
    /// An image was denied.
    Block,
    /// A policy that came into force changes a verdict.
    Flip,
    /// An exception ends soon.
    ExceptionExpiring,
    /// An exception waits for an approver.
    ExceptionRequested,
    /// What is denied is let through.
    OverrideGranted,
    /// A policy came into force.
    PolicyActivated,
    /// Something is denied everywhere.
    DenialAdded,
}

impl NoticeEvent {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Block,
        Self::Flip,
        Self::ExceptionExpiring,
        Self::ExceptionRequested,
        Self::OverrideGranted,
        Self::PolicyActivated,
        Self::DenialAdded,
    ];

    /// `block`, `flip`, `exception.expiring`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Flip => "flip",
            Self::ExceptionExpiring => "exception.expiring",
            Self::ExceptionRequested => "exception.requested",
            Self::OverrideGranted => "override.granted",
            Self::PolicyActivated => "policy.activated",
            Self::DenialAdded => "denial.added",
        }
    }

    /// What an entry of the audit log is to others; `None`: nothing.
    pub(in crate::gate) fn of(entry: &Entry) -> Option<Self> {
        match entry.kind.as_str() {
            "decision" => (entry.text(&[&["verdict"]]) == Some("deny")).then_some(Self::Block),
            "verdict.flips" => Some(Self::Flip),
            kind => Self::ALL.into_iter().find(|event| event.as_str() == kind),
        }
    }
}

/// Somebody who is told.
#[derive(Clone)]
pub struct NoticeTarget {
    /// What it is called in messages; two have two names.
    pub name: String,
    /// Where: `https://…`, or `http://` on this machine. Whoever knows it may use it, so it is shown nowhere.
    pub url: String,
    /// How.
    pub kind: NoticeKind,
    /// Of what.
    pub events: Vec<NoticeEvent>,
    /// Of what is about these repositories, and of what is about all of them. Empty, and no teams: all.
    pub repositories: Vec<Repositories>,
    /// Of what is about repositories of these teams besides.
    pub teams: Vec<String>,
    /// Of what is about these environments, and of what is about all of them. Empty: all.
    pub environments: Vec<String>,
    /// What messages are signed with; a webhook has one.
    pub secret: Option<Secret>,
}

impl std::fmt::Debug for NoticeTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoticeTarget {{ name: {:?}, kind: {:?}, events: {:?} }}", self.name, self.kind, self.events)
    }
}

impl NoticeTarget {
    /// Whether it can be told.
    pub(super) fn check(&self, teams: &Teams) -> Result<(), String> {
        if self.name.is_empty() || self.name.len() > 100 || self.name.chars().any(|c| c.is_control() || c == ' ') {
            return Err("its name is empty, too long, or holds a space".to_owned());
        }
        Fetch::permitted(&self.url).map_err(|why| format!("its url: {why}"))?;
        if self.events.is_empty() {
            return Err("it is told of no events".to_owned());
        }
        if let Some(unknown) = self.teams.iter().find(|name| !teams.has(name)) {
            return Err(format!("{unknown:?} is no team of `teams`"));
        }
        match (self.kind, &self.secret) {
            (NoticeKind::Webhook, None) => Err("a webhook needs a secret to sign with".to_owned()),
            (NoticeKind::Slack, Some(_)) => Err("nothing is signed for slack: leave the secret out".to_owned()),
            (_, Some(secret)) if secret.expose().len() < SECRET => {
                Err(format!("its secret is shorter than {SECRET} bytes"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is told of this.
    pub(super) fn wants(&self, event: NoticeEvent, entry: &Entry, teams: &Teams) -> bool {
        let environment = entry.environment().is_none_or(|environment| {
            self.environments.is_empty() || self.environments.iter().any(|one| one == environment || one == "*")
        });
        let is_pattern = entry.body.get("scope").and_then(|scope| scope.get("isPattern")) == Some(&Value::Bool(true));
        let place = entry.repository.as_deref().or_else(|| entry.text(&[&["scope", "repository"]]));
        let repository = place.filter(|_| !is_pattern).is_none_or(|place| {
            let is_all = self.repositories.is_empty() && self.teams.is_empty();
            let is_of_team = || self.teams.iter().any(|name| name == teams.of(place));
            is_all || self.repositories.iter().any(|pattern| pattern.cover(place)) || is_of_team()
        });
        self.events.contains(&event) && environment && repository
    }
}
