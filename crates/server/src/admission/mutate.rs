//! Tag to digest (D2), and what is known about a pod's images as its annotations (D7). Nothing is denied here: what cannot be resolved stays as it is
//! written, and validation judges the object that comes out.

use engine::words::line;
use engine::{Answered, AskError};
use futures_util::stream::{self, StreamExt as _};
use model::{Digest, ImageReference};

use super::annotate::{self, Known};
use super::asking::{AT_ONCE, Call, NoAnswer};
use super::images::{ImageUse, Images, every, images};
use super::patch;
use super::port::Inner;
use super::refusal::recorded;
use super::respond::Outcome;

/// What became of an image.
struct Resolved {
    image: ImageUse,
    known: Known,
    /// The digest that its tag stands for.
    digest: Option<Digest>,
    /// Why it stays as it is.
    why: Option<String>,
}

impl Inner {
    /// What has to change in an object.
    pub(super) async fn mutate(&self, call: &Call<'_>) -> Outcome {
        let (review, settings) = (call.review, &self.settings);
        let new = match images(review, &settings.kinds) {
            Ok(Images::None(why)) => return Outcome::not_asked(why),
            Ok(Images::Some(new)) => new,
            Err(unread) => {
                let warnings = vec![format!("ecr-gate: nothing is changed: {unread}")];
                return Outcome { warnings, ..Outcome::default() };
            }
        };
        let fixes = settings.tags.fixes(review);
        // The rest of a pod does not change with its ephemeral containers.
        let annotates = review.is_pod() && !review.is_ephemeral();
        let uses = match every(review, &settings.kinds) {
            Ok(all) if annotates => all,
            _ if fixes => new.clone(),
            _ => return Outcome::not_asked("tags stay as they are written"),
        };
        let is_new = |image: &ImageUse| new.iter().any(|one| one.pointer == image.pointer);
        let resolving = uses.into_iter().map(|image| {
            let gets_digest = fixes && is_new(&image);
            self.resolved(call, image, gets_digest, annotates)
        });
        let resolved: Vec<Resolved> = stream::iter(resolving).buffered(AT_ONCE).collect().await;
        let mut outcome = Outcome { images: resolved.len(), ..Outcome::default() };
        for one in &resolved {
            if let Some(digest) = &one.digest {
                outcome.patch.push(patch::replace(&one.image.pointer, &one.image.with(digest)));
                self.app.shared.metrics.tag_resolved();
            }
            outcome.warnings.extend(one.why.clone());
        }
        if annotates {
            let known: Vec<Known> = resolved.into_iter().map(|one| one.known).collect();
            outcome.patch.extend(annotate::patch(review, &known));
        }
        outcome
    }

    async fn resolved(&self, call: &Call<'_>, image: ImageUse, gets_digest: bool, annotates: bool) -> Resolved {
        let mut resolved = Resolved {
            known: Known { container: image.container.clone(), ..Known::default() },
            image,
            digest: None,
            why: None,
        };
        let own = self.settings.own.as_ref().is_some_and(|own| own.hold(&call.review.namespace, &resolved.image));
        if own {
            resolved.known.digest = resolved.image.reference.digest.as_ref().map(ToString::to_string);
            return resolved;
        }
        let mut reference = resolved.image.reference.clone();
        if reference.digest.is_none() {
            if !gets_digest {
                return resolved;
            }
            match self.looked_up(call, &reference).await {
                Ok(answered) => {
                    let digest = answered.decision.digest.clone();
                    reference.digest = Some(digest.clone());
                    resolved.digest = Some(digest);
                }
                Err(why) => {
                    let (container, image) = (&resolved.image.container, line(&resolved.image.image, 100));
                    resolved.why = Some(format!("ecr-gate: {container}: no digest for {image}: {why}"));
                    return resolved;
                }
            }
        }
        resolved.known.digest = reference.digest.as_ref().map(ToString::to_string);
        if annotates && let Ok(answered) = self.looked_up(call, &reference).await {
            // What is asked here is what validation will ask: it finds the answer.
            resolved.known.decision = recorded(&answered);
            let brief = answered.decision.brief();
            (resolved.known.commit, resolved.known.pipeline) = (brief.commit.clone(), brief.pipeline.clone());
        }
        resolved
    }

    /// What the gate knows about an image, whatever the verdict.
    async fn looked_up(&self, call: &Call<'_>, reference: &ImageReference) -> Result<Answered, String> {
        let (asked, by) = (call.asked(reference), call.asker());
        let answered = call.in_time(self.app.gate().ask(asked, &by, &self.actor)).await;
        answered.map_err(|no| match no {
            NoAnswer::Late => "there was no answer in time".to_owned(),
            NoAnswer::Error(AskError::Internal(_)) => "a fault of the gate".to_owned(),
            NoAnswer::Error(error) => line(&error.to_string(), 200),
        })
    }
}
