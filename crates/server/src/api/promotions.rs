//! What was promoted, when, by which decision (O4).

use api::{PromotedImage, PromotionsPage, PromotionsQuery};
use axum::Json;
use axum::extract::State;
use engine::PromotionRow;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::Parameters;
use crate::text::{NAME, limit, sound_if_given};

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<PromotionsQuery>,
) -> Result<Json<PromotionsPage>, Fail> {
    sound_if_given("environment", query.environment.as_deref(), NAME)?;
    let limit = limit(query.limit, 50, 200)?;
    // One more than asked for tells whether there are more.
    let asked =
        app.gate().promotions(query.environment.as_deref(), query.since, query.until, limit + 1, caller.actor());
    let mut rows = asked.await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Json(PromotionsPage { promotions: rows.into_iter().map(promoted).collect(), more }))
}

fn promoted(row: PromotionRow) -> PromotedImage {
    let PromotionRow { id, decision, digest, source, destination, environment, at, by } = row;
    PromotedImage { id, decision, digest, source, destination, environment, at, by }
}
