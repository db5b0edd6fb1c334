//! Policy versions: upload, bring into force, roll back, replay.

use api::{
    ActivateRequest, Activated, Flip, PolicyBundle, PolicyVersion, Proposal, ProposalState, ReplayPage, ReplayRequest,
    RollbackRequest, VersionWithBundle, VersionsPage, VersionsQuery, WithdrawProposalRequest,
};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Bundle, Replayed};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{DigestInPath, Json, LARGE, NameInPath, OptionalJson, Parameters};
use crate::text::{NAME, WORDS, limit, sound_if_given};

/// Checked and kept; not in force yet. What fails the check changes nothing.
pub(crate) async fn upload(
    State(app): State<App>,
    caller: Caller,
    Json { value, .. }: Json<PolicyBundle, LARGE>,
) -> Result<Answer<PolicyVersion>, Fail> {
    let bundle = Bundle { documents: value.documents, files: value.files };
    Ok(Answer(version(app.gate().upload(bundle, caller.actor()).await?)))
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<VersionsQuery>,
) -> Result<Answer<VersionsPage>, Fail> {
    let versions = app.gate().versions(limit(query.limit, 50, 200)?, caller.actor()).await?;
    Ok(Answer(VersionsPage { versions: versions.into_iter().map(version).collect() }))
}

pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
) -> Result<Answer<VersionWithBundle>, Fail> {
    let (found, Bundle { documents, files }) = app.gate().version(&digest, caller.actor()).await?;
    Ok(Answer(VersionWithBundle { version: version(found), bundle: PolicyBundle { documents, files } }))
}

pub(crate) async fn activate(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
    OptionalJson(request): OptionalJson<ActivateRequest>,
) -> Result<(StatusCode, Answer<PolicyVersion>), Fail> {
    sound_if_given("reason", request.reason.as_deref(), WORDS)?;
    let activated = app.gate().activate(&digest, request.believed.as_ref(), request.reason, caller.actor()).await?;
    Ok(brought(activated))
}

pub(crate) async fn roll_back(
    State(app): State<App>,
    caller: Caller,
    OptionalJson(request): OptionalJson<RollbackRequest>,
) -> Result<(StatusCode, Answer<PolicyVersion>), Fail> {
    sound_if_given("reason", request.reason.as_deref(), WORDS)?;
    Ok(brought(app.gate().roll_back(request.reason, caller.actor()).await?))
}

/// S34: what somebody else proposed.
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
) -> Result<Answer<PolicyVersion>, Fail> {
    Ok(Answer(version(app.gate().confirm(&digest, caller.actor()).await?)))
}

/// S34: what waits for a second person waits no longer.
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
    OptionalJson(request): OptionalJson<WithdrawProposalRequest>,
) -> Result<Answer<PolicyVersion>, Fail> {
    sound_if_given("reason", request.reason.as_deref(), WORDS)?;
    Ok(Answer(version(app.gate().withdraw_proposal(&id, request.reason.as_deref(), caller.actor()).await?)))
}

/// In force, or waiting for a second person.
fn brought(found: engine::PolicyVersion) -> (StatusCode, Answer<PolicyVersion>) {
    let status = if found.in_force { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Answer(version(found)))
}

pub(crate) async fn replay(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
    OptionalJson(request): OptionalJson<ReplayRequest>,
) -> Result<Answer<ReplayPage>, Fail> {
    sound_if_given("cursor", request.cursor.as_deref(), NAME)?;
    let limit = limit(request.limit, 200, 1000)?;
    let replayed = app.gate().replay(&digest, request.cursor.as_deref(), limit, caller.actor()).await?;
    let Replayed { flips, judged, not_judged, next } = replayed;
    let flip = |flip: engine::Flip| {
        let engine::Flip { repository, digest, environment, recorded, replayed, reasons } = flip;
        Flip { repository, digest, environment, was: recorded, would_be: replayed, reasons }
    };
    Ok(Answer(ReplayPage { flips: flips.into_iter().map(flip).collect(), judged, not_judged, next }))
}

fn version(version: engine::PolicyVersion) -> PolicyVersion {
    let engine::PolicyVersion {
        digest,
        policies,
        names,
        uploaded_at,
        uploaded_by,
        activated,
        in_force,
        remarks,
        proposal,
    } = version;
    let proposal = proposal.map(|engine::Proposal { id, by, person, until, state }| {
        let state = match state {
            engine::ProposalState::Open => ProposalState::Open,
            engine::ProposalState::Confirmed => ProposalState::Confirmed,
            engine::ProposalState::Withdrawn => ProposalState::Withdrawn,
            engine::ProposalState::Expired => ProposalState::Expired,
        };
        Proposal { id, by, person, until, state }
    });
    let activated = activated.map(|(at, by)| Activated { at, by });
    PolicyVersion { digest, names, policies, uploaded_at, uploaded_by, activated, in_force, remarks, proposal }
}
