//! Exceptions: asked for, approved by somebody else, counted, ended. Who may what is the engine's to say.

use api::{
    EditExceptionRequest, Exception, ExceptionChange, ExceptionHand, ExceptionPreview, ExceptionRequest,
    ExceptionScope, ExceptionStateWord, ExceptionUsed, ExceptionUsesPage, ExceptionUsesQuery, ExceptionsPage,
    ExceptionsQuery, SettleExceptionRequest,
};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{ExceptionQuery, ExceptionState, Settling};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json, NameInPath, Parameters, SMALL};
use crate::text::{NAME, limit, sound_if_given};

pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    Json { value, .. }: Json<ExceptionRequest, SMALL>,
) -> Result<(StatusCode, Answer<Exception>), Fail> {
    let asked = app.gate().request_exception(wanted(value), caller.actor()).await?;
    Ok((StatusCode::CREATED, Answer(exception(asked))))
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<ExceptionsQuery>,
) -> Result<Answer<ExceptionsPage>, Fail> {
    let texts = [&query.image, &query.team, &query.environment, &query.cursor];
    for (what, text) in ["image", "team", "environment", "cursor"].into_iter().zip(texts) {
        sound_if_given(what, text.as_deref(), NAME)?;
    }
    let query = ExceptionQuery {
        limit: limit(query.limit, 50, 200)?,
        state: query.state.map(state_of),
        repository: query.image,
        digest: query.digest,
        environment: query.environment,
        team: query.team,
        before: query.cursor,
    };
    let (list, next) = app.gate().exceptions(&query, caller.actor()).await?;
    Ok(Answer(ExceptionsPage { exceptions: list.into_iter().map(exception).collect(), next }))
}

pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Answer<Exception>, Fail> {
    Ok(Answer(exception(app.gate().exception(&id, caller.actor()).await?)))
}

pub(crate) async fn edit(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Json { value, .. }: Json<EditExceptionRequest, SMALL>,
) -> Result<Answer<Exception>, Fail> {
    let EditExceptionRequest { revision, exception: request } = value;
    let edited = app.gate().edit_exception(&id, revision, wanted(request), caller.actor()).await?;
    Ok(Answer(exception(edited)))
}

pub(crate) async fn approve(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Json { value, .. }: Json<SettleExceptionRequest, SMALL>,
) -> Result<Answer<Exception>, Fail> {
    Ok(Answer(exception(app.gate().approve_exception(&id, &settling(value), caller.actor()).await?)))
}

pub(crate) async fn reject(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Json { value, .. }: Json<SettleExceptionRequest, SMALL>,
) -> Result<Answer<Exception>, Fail> {
    Ok(Answer(exception(app.gate().reject_exception(&id, &settling(value), caller.actor()).await?)))
}

pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Json { value, .. }: Json<SettleExceptionRequest, SMALL>,
) -> Result<Answer<Exception>, Fail> {
    Ok(Answer(exception(app.gate().revoke_exception(&id, &settling(value), caller.actor()).await?)))
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Json { value, .. }: Json<SettleExceptionRequest, SMALL>,
) -> Result<Answer<Exception>, Fail> {
    Ok(Answer(exception(app.gate().withdraw_exception(&id, &settling(value), caller.actor()).await?)))
}

pub(crate) async fn preview(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Answer<ExceptionPreview>, Fail> {
    let preview = app.gate().preview_exception(&id, caller.actor()).await?;
    let engine::ExceptionPreview { revision, changes, covered, flipped, judged, not_judged, is_whole: whole } = preview;
    let changes = changes.into_iter().map(change).collect();
    Ok(Answer(ExceptionPreview { revision, changes, covered, flipped, judged, not_judged, whole }))
}

pub(crate) async fn uses(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Parameters(query): Parameters<ExceptionUsesQuery>,
) -> Result<Answer<ExceptionUsesPage>, Fail> {
    sound_if_given("cursor", query.cursor.as_deref(), NAME)?;
    let limit = limit(query.limit, 50, 200)?;
    let found = app.gate().exception_uses(&id, query.cursor.as_deref(), limit, caller.actor()).await?;
    Ok(Answer(ExceptionUsesPage { uses: found.0.into_iter().map(used).collect(), next: found.1 }))
}

fn wanted(request: ExceptionRequest) -> engine::ExceptionRequest {
    let ExceptionRequest {
        image,
        repositories,
        cve,
        package,
        rule,
        environment,
        until_fixed,
        reason,
        ticket,
        owner,
        author,
        expires,
        decision,
    } = request;
    engine::ExceptionRequest {
        image,
        repositories,
        cve,
        package,
        rule,
        environment,
        until_fixed,
        reason,
        ticket,
        owner,
        author,
        expires,
        decision,
    }
}

fn settling(SettleExceptionRequest { revision, reason }: SettleExceptionRequest) -> Settling {
    Settling { revision, reason }
}

fn exception(exception: engine::Exception) -> Exception {
    let scope = exception.scope;
    Exception {
        id: exception.id,
        revision: exception.revision,
        state: word_of(exception.state),
        in_force: exception.in_force,
        scope: ExceptionScope {
            cve: scope.cve,
            package: scope.package,
            rule: scope.rule,
            repository: scope.repository,
            is_pattern: scope.is_pattern,
            digest: scope.digest,
            environment: scope.environment,
        },
        until_fixed: exception.until_fixed,
        reason: exception.reason,
        ticket: exception.ticket,
        owner: exception.owner,
        author: exception.author,
        decision: exception.decision,
        expires: exception.expires,
        wide: exception.wide,
        created_at: exception.created_at,
        requested: exception.requested.into_iter().map(hand).collect(),
        settled: exception.settled.map(hand),
        uses: exception.uses,
    }
}

fn hand(hand: engine::Hand) -> ExceptionHand {
    let engine::Hand { by, person, at, reason, .. } = hand;
    ExceptionHand { by, person, at, reason }
}

fn change(change: engine::ExceptionChange) -> ExceptionChange {
    let engine::ExceptionChange { decision, repository, digest, environment, without, with, findings, reasons } =
        change;
    ExceptionChange { decision, repository, digest, environment, without, with, findings, reasons }
}

fn used(engine::ExceptionUsed { decision, at, about }: engine::ExceptionUsed) -> ExceptionUsed {
    let (repository, digest, environment, verdict) = match about {
        Some((repository, digest, environment, verdict)) => {
            (Some(repository), Some(digest), Some(environment), Some(verdict))
        }
        None => (None, None, None, None),
    };
    ExceptionUsed { decision, at, repository, digest, environment, verdict }
}

fn word_of(state: ExceptionState) -> ExceptionStateWord {
    match state {
        ExceptionState::Requested => ExceptionStateWord::Requested,
        ExceptionState::Approved => ExceptionStateWord::Approved,
        ExceptionState::Rejected => ExceptionStateWord::Rejected,
        ExceptionState::Withdrawn => ExceptionStateWord::Withdrawn,
        ExceptionState::Revoked => ExceptionStateWord::Revoked,
        ExceptionState::Expired => ExceptionStateWord::Expired,
        ExceptionState::Fixed => ExceptionStateWord::Fixed,
    }
}

fn state_of(word: ExceptionStateWord) -> ExceptionState {
    match word {
        ExceptionStateWord::Requested => ExceptionState::Requested,
        ExceptionStateWord::Approved => ExceptionState::Approved,
        ExceptionStateWord::Rejected => ExceptionState::Rejected,
        ExceptionStateWord::Withdrawn => ExceptionState::Withdrawn,
        ExceptionStateWord::Revoked => ExceptionState::Revoked,
        ExceptionStateWord::Expired => ExceptionState::Expired,
        ExceptionStateWord::Fixed => ExceptionState::Fixed,
    }
}
