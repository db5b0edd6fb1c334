//! Overrides: what is denied and let through all the same, for a while; and what a block was.

use api::{BlockLabel, EndRequest, LabelRequest, LabelledBlock, OverrideRequest, OverridesPage, OverridesQuery};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Label, Labelled, NewOverride, OverrideBody, OverrideEntry, OverrideOwner};
use model::SignedDuration;

use super::denials::ended;
use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json as Body, NameInPath, Parameters, SMALL};
use crate::text::{NAME, limit, sound, sound_if_given};

pub(crate) async fn grant(
    State(app): State<App>,
    caller: Caller,
    Body { value: OverrideRequest { image, environment, reason, ticket, minutes }, .. }: Body<OverrideRequest, SMALL>,
) -> Result<(StatusCode, Json<api::Override>), Fail> {
    sound("image", &image, NAME)?;
    sound("environment", &environment, NAME)?;
    let lasts = SignedDuration::from_mins(minutes.into());
    let entry = app
        .gate()
        .grant_override(NewOverride { image, environment, reason, ticket, lasts, owner: None }, caller.actor());
    Ok((StatusCode::CREATED, Json(an_override(entry.await?))))
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<OverridesQuery>,
) -> Result<Json<OverridesPage>, Fail> {
    let OverridesQuery { digest, team, limit: most, cursor } = query;
    sound_if_given("cursor", cursor.as_deref(), NAME)?;
    sound_if_given("team", team.as_deref(), NAME)?;
    let limit = limit(most, 50, 500)?;
    let (entries, next) = app.gate().overrides(digest, team.as_deref(), cursor, limit, caller.actor()).await?;
    Ok(Json(OverridesPage { overrides: entries.into_iter().map(an_override).collect(), next }))
}

pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Json<api::Override>, Fail> {
    Ok(Json(an_override(app.gate().an_override(&id, caller.actor()).await?)))
}

pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Body { value: EndRequest { reason }, .. }: Body<EndRequest, SMALL>,
) -> Result<Json<api::Override>, Fail> {
    Ok(Json(an_override(app.gate().revoke_override(&id, &reason, caller.actor()).await?)))
}

pub(crate) async fn label(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Body { value: LabelRequest { label, reason }, .. }: Body<LabelRequest, SMALL>,
) -> Result<Json<LabelledBlock>, Fail> {
    let label = match label {
        BlockLabel::FalseBlock => Label::FalseBlock,
        BlockLabel::AcceptedRisk => Label::AcceptedRisk,
        BlockLabel::True => Label::True,
    };
    let labelled = app.gate().label(&id, label, &reason, caller.actor()).await?;
    Ok(Json(block(id, Some(labelled))))
}

pub(crate) async fn label_of(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Json<LabelledBlock>, Fail> {
    let labelled = app.gate().label_of(&id, caller.actor()).await?;
    Ok(Json(block(id, labelled)))
}

fn block(decision: String, labelled: Option<Labelled>) -> LabelledBlock {
    let word = |label| match label {
        Label::FalseBlock => BlockLabel::FalseBlock,
        Label::AcceptedRisk => BlockLabel::AcceptedRisk,
        Label::True => BlockLabel::True,
    };
    match labelled {
        None => LabelledBlock { decision, label: None, reason: None, by: None, at: None },
        Some(Labelled { label, reason, by, at }) => {
            LabelledBlock { decision, label: Some(word(label)), reason: Some(reason), by: Some(by), at: Some(at) }
        }
    }
}

fn an_override(entry: OverrideEntry) -> api::Override {
    let OverrideEntry { id, state, repository, digest, environment, granted_at, until, body, uses, warnings, .. } =
        entry;
    let OverrideBody { reason, ticket, by, revoked, owner, .. } = body;
    let revoked = revoked.map(ended);
    let owner = owner.map(|OverrideOwner { cluster, namespace, uid, workload, .. }| api::OverrideOwner {
        cluster,
        namespace,
        workload,
        uid,
    });
    api::Override {
        id,
        state,
        repository,
        digest,
        environment,
        reason,
        ticket,
        by,
        granted_at,
        until,
        uses,
        owner,
        revoked,
        warnings,
    }
}
