//! Which images hold a package, and where those run (O4).

use api::{ImageWithPackage, PackagesPage, PackagesQuery};
use axum::Json;
use axum::extract::State;
use model::Digest;

use super::workloads::running;
use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::Parameters;
use crate::text::{NAME, limit, sound};

/// The most workloads beside a page of images.
const WORKLOADS: u32 = 1000;

pub(crate) async fn images(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<PackagesQuery>,
) -> Result<Json<PackagesPage>, Fail> {
    sound("purl", &query.purl, NAME)?;
    let after = query.cursor.as_deref().map(place).transpose()?;
    let limit = limit(query.limit, 50, 200)?;
    let (found, next) = app.gate().images_with(&query.purl, after, limit, caller.actor()).await?;
    let next = next.map(|(repository, digest)| format!("{repository}@{digest}"));
    let digests: Vec<Digest> = found.iter().map(|(_, digest, _)| digest.clone()).collect();
    let mut rows = Vec::new();
    if !digests.is_empty() {
        rows = app.gate().workloads(&digests, WORKLOADS + 1, caller.actor()).await?;
    }
    let more_workloads = rows.len() > WORKLOADS as usize;
    rows.truncate(WORKLOADS as usize);
    let image = |(repository, digest, version)| ImageWithPackage { repository, digest, version };
    let images = found.into_iter().map(image).collect();
    Ok(Json(PackagesPage { images, workloads: rows.into_iter().map(running).collect(), more_workloads, next }))
}

/// The last image of the page before.
fn place(cursor: &str) -> Result<(String, Digest), Fail> {
    let wrong = || Fail::invalid("cursor is none that a page gave");
    sound("cursor", cursor, NAME)?;
    let (repository, digest) = cursor.rsplit_once('@').ok_or_else(wrong)?;
    Ok((repository.to_owned(), digest.parse().map_err(|_| wrong())?))
}
