//! Tokens made, listed, revoked; and the first one of all (S36).

use model::{Digest, SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{Batch, ItemQuery, ItemRow, Scope, Store, StoreError};

use super::body::{Body, FIRST, KeptGrant};
use super::{ACTIVE, KIND, MOST, NewToken, TokenMade, TokenSeen, active, secret};
use crate::gate::actor::{Actor, Grant, Right, Role, person};
use crate::gate::{Gate, GateError, Inner, persons, recording, scope};

/// The longest time for which a token is good.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// For how long the first one is.
const FIRST_HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The most grants of a token, and patterns or environments of a grant.
const PARTS: usize = 100;
/// The longest name.
const NAME: usize = 100;
/// Tokens over that are marked so at once.
const MARKED: usize = 200;

impl Gate {
    /// Makes a token. What it may, whoever makes it has to be able to give.
    ///
    /// # Errors
    /// The actor may not give it out, or it is no token as it should be.
    pub async fn create_token(&self, new: NewToken, actor: &Actor) -> Result<TokenMade, GateError> {
        self.inner.create_token(new, actor).await
    }

    /// Tokens that the actor could have given out, the newest first; with the cursor of the next page.
    ///
    /// # Errors
    /// The actor gives out none.
    pub async fn tokens(
        &self,
        before: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<TokenSeen>, Option<String>), GateError> {
        self.inner.tokens(before, limit, actor).await
    }

    /// Ends a token everywhere, within the lease.
    ///
    /// # Errors
    /// There is no such token that the actor sees, or it is over already.
    pub async fn revoke_token(&self, id: &str, reason: Option<String>, actor: &Actor) -> Result<TokenSeen, GateError> {
        self.inner.revoke_token(id, reason, actor).await
    }
}

impl Inner {
    async fn create_token(&self, new: NewToken, actor: &Actor) -> Result<TokenMade, GateError> {
        actor.somewhere_or_refused(Right::Administer)?;
        let now = (self.settings.now)();
        let person = sound(&new, now)?;
        self.means_something(&new.grants)?;
        if let Some(grant) = new.grants.iter().find(|grant| !gives(actor, grant)) {
            let about = format!("for {}", grant.words());
            return Err(scope::forbidden(actor, Right::Administer, &about));
        }
        let (over, good): (Vec<ItemRow>, Vec<ItemRow>) =
            active(&self.store).await?.into_iter().partition(|row| row.until.is_some_and(|until| now >= until));
        if good.len() >= MOST {
            return Err(GateError::invalid(format!("{MOST} tokens are good already: revoke those that nobody uses")));
        }
        let behind: Vec<String> = actor.person.iter().map(ToString::to_string).chain(self.vouched(actor)).collect();
        if behind.len() > persons::MOST {
            return Err(GateError::invalid("tokens were given out by tokens too often: sign in as yourself"));
        }
        let (made, mut batch) = draft(new, person, (&actor.identity, behind), false, now)?;
        for row in over.into_iter().take(MARKED) {
            batch.items.push(ItemRow { revision: row.revision + 1, state: "expired".to_owned(), ..row });
        }
        if let Some(id) = actor.identity.strip_prefix(FIRST) {
            // Of two that use it at once, one is too late.
            let row = good.into_iter().find(|row| row.id == id);
            let row = row.ok_or_else(|| GateError::Conflict { what: "the first token".to_owned() })?;
            batch.items.push(ItemRow { revision: row.revision + 1, state: "used".to_owned(), ..row });
        }
        self.store.write(batch).await.map_err(conflict)?;
        self.follower.catch_up().await?;
        Ok(made)
    }

    /// A grant for what cannot be there is written wrong: it would give nothing.
    fn means_something(&self, grants: &[Grant]) -> Result<(), GateError> {
        let force = self.follower.force();
        for grant in grants {
            for environment in grant.environments.iter().filter(|name| *name != "*") {
                force.declares(environment)?;
            }
            grant.repositories.iter().try_for_each(|pattern| scope::names_a_host(pattern.as_str()))?;
        }
        Ok(())
    }

    async fn tokens(
        &self,
        before: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<TokenSeen>, Option<String>), GateError> {
        actor.somewhere_or_refused(Right::Administer)?;
        let now = (self.settings.now)();
        let mut query =
            ItemQuery { kind: KIND, before: before.map(str::to_owned), limit: limit.max(200), ..ItemQuery::default() };
        let mut seen = Vec::new();
        loop {
            let rows = self.store.items(&query).await?;
            let is_last = rows.len() < query.limit as usize;
            query.before = rows.last().map(|row| row.id.clone());
            for row in rows {
                let token = Body::read(&row)?.seen(row, now)?;
                if token.grants.iter().all(|grant| gives(actor, grant)) {
                    seen.push(token);
                }
            }
            if seen.len() > limit as usize {
                seen.truncate(limit as usize);
                let next = seen.last().map(|token| token.id.clone());
                return Ok((seen, next));
            }
            if is_last {
                return Ok((seen, None));
            }
        }
    }

    async fn revoke_token(&self, id: &str, reason: Option<String>, actor: &Actor) -> Result<TokenSeen, GateError> {
        actor.somewhere_or_refused(Right::Administer)?;
        let none = || GateError::NotFound { what: format!("token {id}") };
        let row = self.store.item(KIND, id).await?.ok_or_else(none)?;
        let now = (self.settings.now)();
        let mut body = Body::read(&row)?;
        let known = body.clone().seen(row.clone(), now)?;
        if !known.grants.iter().all(|grant| gives(actor, grant)) {
            return Err(none());
        }
        if row.state != ACTIVE {
            // Again is as once.
            return Ok(known);
        }
        body.revoked_by = Some(actor.identity.to_string());
        let said = json!({ "token": id, "name": body.name, "by": &*actor.identity, "person": actor.person.as_deref(),
            "reason": reason });
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "token.revoked", None, now, said)?;
        let row = ItemRow { revision: row.revision + 1, state: "revoked".to_owned(), body: body.write()?, ..row };
        let batch =
            Batch { items: vec![row.clone()], leaves: vec![leaf], changes: vec![Scope::Global], ..Batch::default() };
        self.store.write(batch).await.map_err(conflict)?;
        self.follower.catch_up().await?;
        body.seen(row, now)
    }
}

/// S36: the first token, for somebody who has the machine and the database. It gives out one token within the hour, and is over.
///
/// # Errors
/// The store does not take it.
pub async fn bootstrap(store: &Store, now: Timestamp) -> Result<TokenMade, GateError> {
    let until = now.saturating_add(FIRST_HOUR).map_err(|error| GateError::invalid(error.to_string()))?;
    let grants = vec![Grant::everywhere(Role::Admin)];
    let new = NewToken { name: "bootstrap".to_owned(), grants: grants.clone(), person: None, until };
    let (made, batch) = draft(new, None, ("bootstrap", Vec::new()), true, now)?;
    store.write(batch).await?;
    Ok(made)
}

fn draft(
    new: NewToken,
    person: Option<String>,
    (by, behind): (&str, Vec<String>),
    once: bool,
    now: Timestamp,
) -> Result<(TokenMade, Batch), GateError> {
    let secret = secret()?;
    let id = uuid::Uuid::now_v7().to_string();
    let body = Body {
        name: new.name,
        sha256: Digest::of(secret.as_bytes()),
        grants: new.grants.iter().map(KeptGrant::from).collect(),
        person,
        created_by: by.to_owned(),
        behind,
        revoked_by: None,
        once,
    };
    // The hash is for this gate alone: with it nobody can do anything, and nobody needs it.
    let grants = serde_json::to_value(&body.grants).unwrap_or(Value::Null);
    let said = json!({ "token": id, "name": body.name, "grants": grants, "person": body.person, "until": new.until,
        "by": by });
    let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "token.created", None, now, said)?;
    let row = ItemRow {
        kind: KIND.to_owned(),
        id,
        revision: 1,
        state: ACTIVE.to_owned(),
        repository: None,
        digest: None,
        environment: None,
        created_at: now,
        until: Some(new.until),
        body: body.write()?,
    };
    let token = body.seen(row.clone(), now)?;
    let batch = Batch { items: vec![row], leaves: vec![leaf], changes: vec![Scope::Global], ..Batch::default() };
    Ok((TokenMade { token, secret }, batch))
}

/// What is wrong with a token that is wanted; the person's name as it is kept.
fn sound(new: &NewToken, now: Timestamp) -> Result<Option<String>, GateError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '/');
    if new.name.is_empty() || new.name.len() > NAME || !new.name.chars().all(plain) {
        let what = format!("a token's name has 1 to {NAME} letters, digits, or one of - _ . @ /");
        return Err(GateError::usage(what, None));
    }
    let too_many = |grant: &Grant| grant.repositories.len() > PARTS || grant.environments.len() > PARTS;
    let for_nothing = |grant: &Grant| grant.repositories.is_empty() || grant.environments.is_empty();
    if new.grants.is_empty()
        || new.grants.len() > PARTS
        || new.grants.iter().any(|grant| too_many(grant) || for_nothing(grant))
    {
        let what =
            format!("a token has 1 to {PARTS} grants, each for 1 to {PARTS} patterns of repositories and environments");
        return Err(GateError::usage(what, None));
    }
    if new.until <= now || new.until.duration_since(now) > LONGEST {
        return Err(GateError::usage("a token ends within a year: say for how long it is needed", None));
    }
    let person = new.person.as_deref().map(person).transpose().map_err(|what| GateError::usage(what, None))?;
    if person.is_none() && new.grants.iter().any(|grant| grant.role == Role::Approver) {
        return Err(GateError::Usage {
            what: "an approver is a person, and the token names none".to_owned(),
            hint: Some(
                "name the person as their identity provider does, usually by the address of their mail".to_owned(),
            ),
        });
    }
    Ok(person.map(|person| person.to_string()))
}

/// Whether an actor may give out a grant: within what they administer.
fn gives(actor: &Actor, grant: &Grant) -> bool {
    let own = actor.grants.iter().filter(|own| own.role.rights().contains(&Right::Administer));
    let mut own = own.into_iter();
    own.any(|own| {
        let repositories = grant.repositories.iter().all(|one| own.repositories.iter().any(|mine| mine.holds(one)));
        let environments =
            grant.environments.iter().all(|one| own.environments.iter().any(|mine| mine == "*" || mine == one));
        repositories && environments
    })
}

fn conflict(error: StoreError) -> GateError {
    match error {
        StoreError::Conflict { .. } => GateError::Conflict { what: "the token".to_owned() },
        error => error.into(),
    }
}
