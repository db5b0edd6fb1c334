//! What happened in a time, and what changed in an incident (O4, O7).

use api::{IncidentReport, IncidentsQuery, PeriodReport, ReportsQuery};
use axum::Json;
use axum::extract::State;
use model::reports::ReportPeriod;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{NameInPath, Parameters};
use crate::text::{NAME, sound_if_given};

pub(crate) async fn period(
    State(app): State<App>,
    caller: Caller,
    NameInPath(name): NameInPath,
    Parameters(query): Parameters<ReportsQuery>,
) -> Result<Json<PeriodReport>, Fail> {
    let period = ReportPeriod::named(&name)
        .ok_or_else(|| Fail::invalid(format!("{name:?} is no report: weekly, monthly or quarterly")))?;
    let ReportsQuery { ending, team } = query;
    sound_if_given("team", team.as_deref(), NAME)?;
    Ok(Json(app.gate().report(period, ending, team.as_deref(), caller.actor()).await?))
}

pub(crate) async fn incident(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<IncidentsQuery>,
) -> Result<Json<IncidentReport>, Fail> {
    let IncidentsQuery { since, until, environment, repository } = query;
    sound_if_given("environment", environment.as_deref(), NAME)?;
    sound_if_given("repository", repository.as_deref(), NAME)?;
    let found = app.gate().incident(since, until, environment.as_deref(), repository.as_deref(), caller.actor());
    Ok(Json(found.await?))
}
