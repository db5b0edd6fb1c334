//! Documents about an image that somebody hands in: reports, bills of materials, VEX, measurements.

use api::{SignalQuery, SubmittedSignal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Asker, Point, Submission, Submitted};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Document, Parameters};
use crate::text::{NAME, sound};
use crate::trace::Trace;

pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    Parameters(query): Parameters<SignalQuery>,
    Document(document): Document,
) -> Result<(StatusCode, Json<SubmittedSignal>), Fail> {
    sound("image", &query.image, NAME)?;
    let by = Asker {
        identity: caller.name.as_deref().map(str::to_owned),
        point: Point::Api,
        pipeline: None,
        commit: None,
        trace_id: trace.trace.as_deref().map(str::to_owned),
    };
    let submission = Submission { image: query.image, kind: query.kind.as_str().to_owned(), document };
    let Submitted { id, evidence, format } = app.gate().submit(submission, &by, caller.actor()).await?;
    Ok((StatusCode::CREATED, Json(SubmittedSignal { id, evidence, format })))
}
