//! One dry ask of the decision service (S15), for commands that ask about many images: the answer is believed as in `check --server`, and nothing is
//! recorded for it.

use std::time::Duration;

use engine::Record;
use model::ImageReference;
use serde::Serialize;

use super::believed::{Question, believed};
use crate::failure::Failure;
use crate::server::{Ask, Server, Trouble};
use crate::target::ImageArgs;

/// The largest decision that is read.
const DECISION: usize = 64 << 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    environment: &'a str,
    wait_seconds: u64,
    dry_run: bool,
    point: &'static str,
}

/// Why there is no decision.
pub(crate) enum NoDecision {
    /// The image is nothing to ask about.
    Wrong(Failure),
    /// The service gives none.
    Trouble(Trouble),
}

impl From<Trouble> for NoDecision {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// What the service says now, and whether an override lets the image through all the same. What is pending is not waited for (S11). Of a name with tag and
/// digest the tag is a name alone, as where images start.
pub(crate) async fn dry_decision(
    server: &Server,
    image: &str,
    environment: &str,
) -> Result<(Record, bool), NoDecision> {
    let named =
        ImageArgs { image: Some(image.to_owned()), ..ImageArgs::none() }.resolve().map_err(NoDecision::Wrong)?;
    let question = Question {
        image: named.canonical(),
        written: named.written(),
        environment: environment.to_owned(),
        dry_run: true,
    };
    let name = named.name_beside_digest();
    let image = ImageReference { tag: question.image.tag.clone().filter(|_| name.is_none()), ..question.image.clone() };
    let (image, name) = (image.to_string(), name.map(|name| name.to_string()));
    let body = Body { image, name, environment, wait_seconds: 0, dry_run: true, point: "api" };
    let ask = Ask::post("decide", &body).map_err(|failure| Trouble::NotUnderstood(failure.what))?;
    let reply = server.send(&ask.longer(Duration::from_secs(10)).limit(DECISION)).await?;
    Ok(believed(&reply, &question)?)
}
