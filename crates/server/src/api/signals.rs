//! Documents about an image that somebody hands in: reports, bills of materials, VEX, measurements.

use api::{HandedInSignal, SignalQuery, SignalsPage, SignalsQuery, SubmittedSignal, WithdrawRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Asker, Point, SignalRow, Submission, Submitted};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Document, Json as Body, NameInPath, Parameters, SMALL};
use crate::text::{NAME, WORDS, sound};
use crate::trace::Trace;

pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    Parameters(query): Parameters<SignalQuery>,
    Document(document): Document,
) -> Result<(StatusCode, Json<SubmittedSignal>), Fail> {
    sound("image", &query.image, NAME)?;
    let by = asker(&caller, &trace);
    let submission = Submission { image: query.image, kind: query.kind.as_str().to_owned(), document };
    let Submitted { id, evidence, format } = app.gate().submit(submission, &by, caller.actor()).await?;
    Ok((StatusCode::CREATED, Json(SubmittedSignal { id, evidence, format })))
}

/// What was handed in about exactly this image.
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<SignalsQuery>,
) -> Result<Json<SignalsPage>, Fail> {
    sound("image", &query.image, NAME)?;
    let rows = app.gate().handed_in(&query.image, caller.actor()).await?;
    Ok(Json(SignalsPage { signals: rows.into_iter().map(handed_in).collect() }))
}

/// It no longer counts. Whoever may change policies takes back what others handed in.
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    NameInPath(id): NameInPath,
    Body { value: WithdrawRequest { reason }, .. }: Body<WithdrawRequest, SMALL>,
) -> Result<Json<HandedInSignal>, Fail> {
    sound("reason", &reason, WORDS)?;
    let row = app.gate().withdraw(&id, &reason, &asker(&caller, &trace), caller.actor()).await?;
    Ok(Json(handed_in(row)))
}

fn asker(caller: &Caller, trace: &Trace) -> Asker {
    Asker {
        identity: caller.name.as_deref().map(str::to_owned),
        point: Point::Api,
        pipeline: None,
        commit: None,
        trace_id: trace.trace.as_deref().map(str::to_owned),
        seat: None,
    }
}

fn handed_in(row: SignalRow) -> HandedInSignal {
    let SignalRow { id, repository, digest, kind, evidence, submitted_at, submitted_by } = row;
    HandedInSignal { id, repository, digest, kind, evidence, submitted_at, submitted_by }
}
