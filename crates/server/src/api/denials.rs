//! The deny list: what is denied everywhere at once.

use api::{DenialsPage, DenialsQuery, DenyRequest, EndRequest, EndedBy};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{DenialBody, DenialEntry, Lifted, NewDenial};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json as Body, NameInPath, Parameters, SMALL};
use crate::text::{NAME, limit, sound_if_given};

pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body { value: DenyRequest { kind, what, quarantine, reason }, .. }: Body<DenyRequest, SMALL>,
) -> Result<(StatusCode, Json<api::Denial>), Fail> {
    let new = NewDenial { kind: kind.as_str().to_owned(), what, quarantine, reason };
    let entry = app.gate().deny(new, caller.actor()).await?;
    Ok((StatusCode::CREATED, Json(denial(entry))))
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<DenialsQuery>,
) -> Result<Json<DenialsPage>, Fail> {
    sound_if_given("cursor", query.cursor.as_deref(), NAME)?;
    let active = query.all != Some(true);
    let page = app.gate().denials(active, query.cursor, limit(query.limit, 50, 500)?, caller.actor());
    let (entries, next) = page.await?;
    Ok(Json(DenialsPage { denials: entries.into_iter().map(denial).collect(), next }))
}

pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Json<api::Denial>, Fail> {
    Ok(Json(denial(app.gate().denial(&id, caller.actor()).await?)))
}

pub(crate) async fn lift(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    Body { value: EndRequest { reason }, .. }: Body<EndRequest, SMALL>,
) -> Result<Json<api::Denial>, Fail> {
    Ok(Json(denial(app.gate().lift(&id, &reason, caller.actor()).await?)))
}

fn denial(entry: DenialEntry) -> api::Denial {
    let DenialEntry { id, state, added_at, body, .. } = entry;
    let DenialBody { kind, what, also, quarantine, reason, by, everywhere: _, lifted } = body;
    let lifted = lifted.map(ended);
    api::Denial { id, state, kind, what, also, quarantine, reason, by, added_at, lifted }
}

pub(super) fn ended(Lifted { at, by, reason }: Lifted) -> EndedBy {
    EndedBy { at, by, reason }
}
