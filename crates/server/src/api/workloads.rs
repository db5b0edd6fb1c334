//! Where images run.

use api::{RunningImage, WorkloadsPage};
use axum::Json;
use axum::extract::State;
use engine::WorkloadRow;
use model::Digest;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::Parameters;
use crate::text::limit;

/// How many images are asked for at once.
const IMAGES: usize = 200;

/// `digest` may be there several times.
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(pairs): Parameters<Vec<(String, String)>>,
) -> Result<Json<WorkloadsPage>, Fail> {
    let (digests, limit) = query(pairs)?;
    // One more than asked for tells whether there are more.
    let mut rows = app.gate().workloads(&digests, limit + 1, caller.actor()).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Json(WorkloadsPage { workloads: rows.into_iter().map(running).collect(), more }))
}

fn query(pairs: Vec<(String, String)>) -> Result<(Vec<Digest>, u32), Fail> {
    let (mut digests, mut wanted) = (Vec::new(), None);
    for (key, value) in pairs {
        match key.as_str() {
            "digest" => digests.push(value.parse().map_err(|error| Fail::invalid(format!("digest: {error}")))?),
            "limit" if wanted.is_none() => {
                wanted = Some(value.parse().map_err(|error| Fail::invalid(format!("limit: {error}")))?);
            }
            _ => return Err(Fail::invalid(format!("the query: {key:?} is not known, or there twice"))),
        }
    }
    if digests.is_empty() || digests.len() > IMAGES {
        return Err(Fail::invalid(format!("digest is there {} times: 1 to {IMAGES}", digests.len())));
    }
    Ok((digests, limit(wanted, 50, 200)?))
}

pub(crate) fn running(row: WorkloadRow) -> RunningImage {
    let WorkloadRow { cluster, namespace, owner, container, repository, digest, first_seen, last_seen } = row;
    RunningImage { cluster, namespace, owner, container, repository, digest, first_seen, last_seen }
}
