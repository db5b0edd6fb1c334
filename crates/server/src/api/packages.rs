//! Which images hold a package, and where those run (O4).

use api::{ImageWithPackage, PackagesPage, PackagesQuery};
use axum::Json;
use axum::extract::State;
use model::Digest;

use super::workloads::running;
use crate::app::App;
use crate::errors::Fail;
use crate::extract::Parameters;
use crate::text::{NAME, limit, sound};

/// The most workloads beside a page of images.
const WORKLOADS: u32 = 1000;

pub(crate) async fn images(
    State(app): State<App>,
    Parameters(query): Parameters<PackagesQuery>,
) -> Result<Json<PackagesPage>, Fail> {
    sound("purl", &query.purl, NAME)?;
    let after = query.cursor.as_deref().map(place).transpose()?;
    let limit = limit(query.limit, 50, 200)?;
    // One more than asked for tells whether there is a next page.
    let mut found = app.gate().images_with(&query.purl, after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = if more { found.last().map(|(repository, digest, _)| format!("{repository}@{digest}")) } else { None };
    let digests: Vec<Digest> = found.iter().map(|(_, digest, _)| digest.clone()).collect();
    let mut rows = if digests.is_empty() { Vec::new() } else { app.gate().workloads(&digests, WORKLOADS + 1).await? };
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
