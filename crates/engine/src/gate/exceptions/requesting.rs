//! Asking for an exception, and changing what was asked for. Whatever is changed has to be approved anew.

use std::sync::Arc;

use model::{Digest, ImageReference, SignedDuration, Timestamp};
use store::{Batch, NewJob, Scope as Change};

use super::scope::LONGEST;
use super::{Exception, ExceptionScope, ExceptionState, Found, Hand, Held, ending, written};
use crate::gate::actor::{Actor, Right};
use crate::gate::collecting::repository;
use crate::gate::understanding::canonical;
use crate::gate::{GateError, Inner};

/// The longest reason, and the longest name of anything.
const REASON: usize = 4_096;
const NAME: usize = 512;
/// How often what was asked for may be changed.
const CHANGES: usize = 50;

/// What somebody asks for. What is left out of a scope makes it wider.
#[derive(Debug, Clone)]
pub struct ExceptionRequest {
    /// `host/repository@sha256:…`, or `host/repository` for every image of it; or else `repositories`.
    pub image: Option<String>,
    /// A pattern of repositories of one registry: `host/team/**`.
    pub repositories: Option<String>,
    /// The vulnerability; or else `rule`.
    pub cve: Option<String>,
    /// The package that it is in.
    pub package: Option<String>,
    /// The rule: `POLICY/RULE`.
    pub rule: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// It ends where a source says that there is a fix.
    pub until_fixed: bool,
    /// Why.
    pub reason: String,
    /// The ticket it was agreed in.
    pub ticket: Option<String>,
    /// Who answers for it; whoever asks, if nobody is named.
    pub owner: Option<String>,
    /// Who wrote the commit: they do not approve it.
    pub author: Option<String>,
    /// When it ends: so long from now (`14d`), the last day (`2026-12-31`), or the moment.
    pub expires: String,
    /// The decision that it is asked for.
    pub decision: Option<String>,
}

impl Inner {
    pub(in crate::gate) async fn request_exception(
        self: &Arc<Self>,
        request: ExceptionRequest,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let now = whole_seconds((self.settings.now)());
        let hand = self.hand(actor, now, None);
        let held = self.asked_for(request, vec![hand.clone()], now, actor)?;
        self.is_about_its_decision(&held, actor).await?;
        let id = uuid::Uuid::now_v7().to_string();
        let jobs = vec![ending::at_the_end(&id, 1, held.expires)];
        let state = ExceptionState::Requested;
        let (row, leaf) = written(&id, 1, now, state, held, "exception.requested", (Some(&hand), now))?;
        let batch = Batch { items: vec![row], leaves: vec![leaf], jobs, ..Batch::default() };
        self.settle_exception(batch, &id).await?;
        self.exception(&id, actor).await
    }

    /// An edit voids the approval (S29): it counts no longer, everywhere.
    pub(in crate::gate) async fn edit_exception(
        self: &Arc<Self>,
        id: &str,
        revision: i64,
        request: ExceptionRequest,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        let is_theirs = found.held.requested.iter().any(|hand| actor.is_same_as(&hand.by, hand.person.as_deref()));
        if !is_theirs && !found.held.scope.may(actor, Right::Approve) {
            return Err(forbidden(
                "an exception is edited by whoever asked for it, or by whoever may approve it",
                "ask for one of your own: ecr-gate exception request",
            ));
        }
        found.has(revision)?;
        found.is(&[ExceptionState::Requested, ExceptionState::Approved], "edited")?;
        let now = whole_seconds((self.settings.now)());
        let hand = self.hand(actor, now, None);
        let mut hands = found.held.requested.clone();
        if hands.len() >= CHANGES {
            let what =
                format!("exception {id} was changed {CHANGES} times already; withdraw it, and ask for another one");
            return Err(GateError::invalid(what));
        }
        hands.push(hand.clone());
        let held = self.asked_for(request, hands, now, actor)?;
        self.is_about_its_decision(&held, actor).await?;
        let jobs: Vec<NewJob> = vec![ending::at_the_end(id, found.row.revision.saturating_add(1), held.expires)];
        let was_approved = found.state == ExceptionState::Approved;
        let state = ExceptionState::Requested;
        let (row, leaf) = found.next(state, held, "exception.edited", (Some(&hand), now))?;
        let changes = if was_approved { vec![Change::Global] } else { Vec::new() };
        let batch = Batch { items: vec![row], leaves: vec![leaf], changes, jobs, ..Batch::default() };
        self.settle_exception(batch, id).await?;
        self.exception(id, actor).await
    }

    /// A decision that is named has to be one that the caller sees, about what is asked for: whoever approves looks there.
    async fn is_about_its_decision(&self, held: &Held, actor: &Actor) -> Result<(), GateError> {
        let (Some(id), scope) = (&held.decision, &held.scope) else { return Ok(()) };
        let row = self.store.decision(id).await?.filter(|row| actor.sees(&row.repository, Some(&row.environment)));
        let row = row.ok_or_else(|| GateError::NotFound { what: format!("decision {id}") })?;
        let is_about = (scope.is_pattern || scope.repository == row.repository)
            && scope.digest.as_ref().is_none_or(|digest| *digest == row.digest)
            && scope.environment.as_ref().is_none_or(|environment| *environment == row.environment);
        if is_about { Ok(()) } else { Err(GateError::invalid(format!("decision {id} is about something else"))) }
    }

    /// What was asked for, checked. What can never waive anything is refused here, where whoever asks learns why.
    fn asked_for(
        &self,
        request: ExceptionRequest,
        requested: Vec<Hand>,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<Held, GateError> {
        let texts = [
            ("reason", Some(&request.reason), REASON),
            ("ticket", request.ticket.as_ref(), NAME),
            ("owner", request.owner.as_ref(), NAME),
            ("author", request.author.as_ref(), NAME),
            ("decision", request.decision.as_ref(), NAME),
            ("rule", request.rule.as_ref(), NAME),
            ("environment", request.environment.as_ref(), NAME),
            ("image", request.image.as_ref(), 2 * NAME),
            ("repositories", request.repositories.as_ref(), 2 * NAME),
            ("cve", request.cve.as_ref(), NAME),
            ("package", request.package.as_ref(), NAME),
        ];
        for (name, text, most) in texts {
            text.map_or(Ok(()), |text| sound(name, text, most))?;
        }
        let force = self.follower.force();
        if let Some(environment) = &request.environment {
            force.declares(environment)?;
        }
        let expires = end(&request.expires, now)?;
        let scope = scope(&request)?;
        if !scope.may(actor, Right::Request) {
            // Whose images they do not see is not told either.
            return Err(forbidden(
                format!("you may not ask for exceptions for {}{}", scope.repository, in_environment(&scope)),
                "ecr-gate whoami says what you may; the role developer asks for exceptions",
            ));
        }
        let wide = scope.wide(now, expires);
        let owner = request
            .owner
            .unwrap_or_else(|| actor.person.as_deref().map_or_else(|| actor.identity.to_string(), str::to_owned));
        let held = Held {
            scope,
            until_fixed: request.until_fixed,
            reason: request.reason,
            ticket: request.ticket,
            owner,
            author: request.author,
            decision: request.decision,
            expires,
            wide,
            requested,
            settled: None,
        };
        let granted = held.granted("new");
        granted.check().map_err(GateError::invalid)?;
        match granted.refusal(&force.policies) {
            Some(why) => Err(GateError::Invalid {
                what: format!("this exception would never count: {why}"),
                hint: Some(
                    "what cannot be waived has to be repaired, or the policy changed by those who may".to_owned(),
                ),
            }),
            None => Ok(held),
        }
    }
}

impl Found {
    /// Refuses whoever has seen another revision.
    pub(super) fn has(&self, revision: i64) -> Result<(), GateError> {
        if self.row.revision == revision {
            Ok(())
        } else {
            let (id, state, revision) = (&self.row.id, self.state.as_str(), self.row.revision);
            let what = format!(
                "exception {id}, which is {state} at revision {revision} now (`ecr-gate exception show {id}`),"
            );
            Err(GateError::Conflict { what })
        }
    }

    /// Refuses what can only be done in these states.
    pub(super) fn is(&self, states: &[ExceptionState], done: &str) -> Result<(), GateError> {
        if states.contains(&self.state) {
            return Ok(());
        }
        let (id, state) = (&self.row.id, self.state.as_str());
        Err(GateError::invalid(format!("exception {id} is {state}: it cannot be {done}")))
    }
}

fn in_environment(scope: &ExceptionScope) -> String {
    scope.environment.as_ref().map_or_else(|| " in every environment".to_owned(), |name| format!(" in {name}"))
}

/// What they may not do, and whom to turn to.
pub(super) fn forbidden(what: impl std::fmt::Display, instead: &str) -> GateError {
    GateError::Forbidden { what: format!("{what}; {instead}") }
}

/// Ends are to the second: an exception counts before that second begins, and not from then on.
pub(super) fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

fn end(text: &str, now: Timestamp) -> Result<Timestamp, GateError> {
    let wrong = |what: &str| GateError::Usage {
        what: format!("`expires` is {text:?}: {what}"),
        hint: Some("such as 14d, 2026-12-31 or 2026-12-31T12:00:00Z; at most 90 days from now".to_owned()),
    };
    if text.len() > 64 {
        return Err(GateError::usage("`expires` is no time", None));
    }
    let moment = match model::parse_duration(text) {
        Ok(left) => now.checked_add(left).map_err(|_| wrong("too late"))?,
        Err(_) => policy::end_of(text).map_err(|_| wrong("neither a duration nor a date nor a time"))?,
    };
    let moment = whole_seconds(moment);
    let left = moment.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Err(wrong("that is not to come"));
    }
    if left > LONGEST {
        return Err(wrong("an exception runs for at most 90 days"));
    }
    Ok(moment)
}

fn scope(request: &ExceptionRequest) -> Result<ExceptionScope, GateError> {
    let (repository, is_pattern, digest) = match (&request.image, &request.repositories) {
        (Some(image), None) => {
            let (repository, digest) = image_of(image)?;
            (repository, false, digest)
        }
        (None, Some(pattern)) => (pattern.clone(), true, None),
        _ => return Err(GateError::usage("an exception is for an `image`, or for `repositories`: one of both", None)),
    };
    match (&request.cve, &request.rule) {
        (None, Some(rule)) if rule.split_once('/').is_none() => {
            return Err(GateError::usage(
                format!("{rule:?}: a rule is named as POLICY/RULE, as decisions name it"),
                None,
            ));
        }
        (None, Some(_)) if request.package.is_some() => {
            return Err(GateError::usage("`package` belongs to `cve`; a rule is waived as a whole", None));
        }
        (Some(_), None) | (None, Some(_)) => {}
        _ => return Err(GateError::usage("an exception is for a `cve`, or for a `rule`: one of both", None)),
    }
    Ok(ExceptionScope {
        cve: request.cve.clone(),
        package: request.package.clone(),
        rule: request.rule.clone(),
        repository,
        is_pattern,
        digest,
        environment: request.environment.clone(),
    })
}

/// The repository as decisions name it, and the digest.
fn image_of(text: &str) -> Result<(String, Option<Digest>), GateError> {
    let shown: String = text.chars().take(300).collect();
    let wrong = |what: &str| GateError::Invalid {
        what: format!("{shown:?} {what}"),
        hint: Some("name the image as the decision does: HOST/REPOSITORY@sha256:…".to_owned()),
    };
    if text.contains('*') {
        return Err(wrong("holds `*`: an exception is for one repository, unless it is asked for as `repositories`"));
    }
    let image: ImageReference = text.parse().map_err(|_| wrong("is no image"))?;
    if image.host.is_none() {
        return Err(wrong("names no registry"));
    }
    if image.tag.is_some() {
        return Err(wrong("names a tag, which can stand for another image tomorrow"));
    }
    let image = canonical(image);
    Ok((repository(&image), image.digest))
}

/// Refuses what is empty, too long, or steers terminals.
pub(super) fn sound(name: &str, text: &str, most: usize) -> Result<(), GateError> {
    if text.trim().is_empty() {
        return Err(GateError::invalid(format!("`{name}` is empty")));
    }
    if text.len() > most {
        return Err(GateError::invalid(format!("`{name}` is longer than {most} bytes")));
    }
    if text.chars().any(|one| one.is_control() || is_invisible(one)) {
        return Err(GateError::invalid(format!("`{name}` holds a character that steers or hides text")));
    }
    Ok(())
}

/// Marks of direction and joiners: text that reads otherwise than it is.
fn is_invisible(one: char) -> bool {
    matches!(one, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
