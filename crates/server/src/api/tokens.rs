//! Tokens that the gate gives out, and who asks.

use api::{Grant, NewToken, RevokeRequest, Token, TokenMade, TokensPage, TokensQuery, WhoAmI};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Repositories, Role, TokenSeen};
use model::SignedDuration;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json, NameInPath, OptionalJson, Parameters, SMALL};
use crate::text::{NAME, WORDS, limit, sound, sound_if_given};

/// Shown this once.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json { value, .. }: Json<NewToken, SMALL>,
) -> Result<(StatusCode, Answer<TokenMade>), Fail> {
    let NewToken { name, grants, person, lifetime_seconds } = value;
    let grants = grants.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let until = (app.shared.now)().saturating_add(SignedDuration::from_secs(lifetime_seconds.into()));
    let until = until.map_err(|_| Fail::invalid("lifetimeSeconds leads beyond all time"))?;
    let new = engine::NewToken { name, grants, person, until };
    let engine::TokenMade { token, secret } = app.gate().create_token(new, caller.actor()).await?;
    Ok((StatusCode::CREATED, Answer(TokenMade { secret, token: seen(token) })))
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<TokensQuery>,
) -> Result<Answer<TokensPage>, Fail> {
    sound_if_given("cursor", query.cursor.as_deref(), NAME)?;
    let limit = limit(query.limit, 50, 200)?;
    let (tokens, next) = app.gate().tokens(query.cursor.as_deref(), limit, caller.actor()).await?;
    Ok(Answer(TokensPage { tokens: tokens.into_iter().map(seen).collect(), next }))
}

pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    OptionalJson(request): OptionalJson<RevokeRequest>,
) -> Result<Answer<Token>, Fail> {
    sound_if_given("reason", request.reason.as_deref(), WORDS)?;
    Ok(Answer(seen(app.gate().revoke_token(&id, request.reason, caller.actor()).await?)))
}

pub(crate) async fn whoami(caller: Caller) -> Answer<WhoAmI> {
    let actor = caller.actor();
    let person = actor.person.as_deref().map(str::to_owned);
    let identity = caller.name.as_deref().map(str::to_owned);
    Answer(WhoAmI { identity, person, grants: actor.grants.iter().map(written).collect() })
}

fn read(grant: Grant) -> Result<engine::Grant, Fail> {
    let Grant { role, repositories, environments } = grant;
    let role = Role::named(&role).ok_or_else(|| {
        let roles = Role::ALL.map(Role::as_str).join(", ");
        Fail::invalid(format!("{:?} is no role: {roles}", role.chars().take(NAME).collect::<String>()))
    })?;
    for environment in &environments {
        sound("environments", environment, NAME)?;
    }
    let repositories: Result<Vec<_>, _> = repositories.iter().map(|one| Repositories::parse(one)).collect();
    Ok(engine::Grant { role, repositories: repositories.map_err(Fail::invalid)?, environments })
}

fn written(grant: &engine::Grant) -> Grant {
    Grant {
        role: grant.role.as_str().to_owned(),
        repositories: grant.repositories.iter().map(|one| one.as_str().to_owned()).collect(),
        environments: grant.environments.clone(),
    }
}

fn seen(token: TokenSeen) -> Token {
    let TokenSeen { id, name, grants, person, created_at, created_by, until, state, revoked_by } = token;
    let grants = grants.iter().map(written).collect();
    Token { id, name, grants, person, created_at, created_by, until, state, revoked_by }
}
