//! Asking the engine about the images of a review: all at the same time, within one deadline. What has no leave in time is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::words::line;
use engine::{Answered, AskError, Asked, Asker, Basis, Point, Seat, may_leave_open};
use futures_util::future;
use futures_util::stream::{self, StreamExt as _};
use model::ImageReference;

use super::glass::Glass;
use super::images::{ImageUse, Images, every, images};
use super::offline::{not_understood, warned};
use super::port::Inner;
use super::refusal::{Refusal, recorded};
use super::respond::Outcome;
use super::review::Review;

/// Images of one review that are asked about at the same time: no review takes all the room for looking at images.
pub(super) const AT_ONCE: usize = 16;
/// How often what was answered too long ago is asked again (S42).
const ROUNDS: usize = 3;
/// The longest name of a user in records.
const USER: usize = 256;

/// A review that is worked on, and what is beside it in its request.
pub(super) struct Call<'a> {
    pub(super) review: &'a Review<'a>,
    pub(super) environment: String,
    pub(super) deadline: Instant,
    pub(super) trace: Option<Arc<str>>,
}

/// No answer.
pub(super) enum NoAnswer {
    /// In time.
    Late,
    Error(AskError),
}

impl Call<'_> {
    pub(super) fn asker(&self) -> Asker {
        Asker {
            identity: Some(format!("kubernetes:{}", line(&self.review.user.name, USER))),
            point: Point::Admission,
            pipeline: None,
            commit: None,
            trace_id: self.trace.as_deref().map(str::to_owned),
            seat: None,
        }
    }

    /// What is judged: the image by its digest where it has one. A tag beside a digest is a name: rules see it, nodes do not look at it.
    pub(super) fn asked(&self, image: &ImageReference) -> Asked {
        let name = image.tag.clone().filter(|_| image.digest.is_some());
        let image = ImageReference { tag: image.tag.clone().filter(|_| name.is_none()), ..image.clone() };
        Asked {
            image: image.to_string(),
            name,
            environment: Some(self.environment.clone()),
            // S11: what is pending is said at once; whoever writes the object writes it again.
            wait: Duration::ZERO,
            dry_run: self.review.dry_run,
        }
    }

    /// An answer, if there is one in time.
    pub(super) async fn in_time<T>(&self, asking: impl Future<Output = Result<T, AskError>>) -> Result<T, NoAnswer> {
        match tokio::time::timeout_at(self.deadline.into(), asking).await {
            Ok(ended) => ended.map_err(NoAnswer::Error),
            Err(_) => Err(NoAnswer::Late),
        }
    }
}

impl Inner {
    /// Whether everything in an object may start.
    pub(super) async fn validate(&self, call: &Call<'_>) -> Outcome {
        let review = call.review;
        let glass = &self.glass(review);
        // What ran before is not stopped; with a new word of break-glass it is looked at all the same, so that what follows from it is known.
        let mut ran_before = None;
        let uses = match images(review, &self.settings.kinds) {
            Ok(Images::None(why)) => {
                if review.break_glass().is_none() {
                    return Outcome::not_asked(why);
                }
                ran_before = Some(why);
                every(review, &self.settings.kinds).unwrap_or_else(|_| Vec::new())
            }
            Ok(Images::Some(uses)) => uses,
            Err(unread) => return Outcome::refused(not_understood(&unread.to_string())),
        };
        let mut outcome = Outcome { images: uses.len(), ..Outcome::default() };
        outcome.warnings.extend(glass.warning());
        let judging = uses.into_iter().map(|one| self.judged(call, glass, one));
        // What is known is there at the first look, for which a few need no queue.
        let mut judged: Vec<Judged> = if outcome.images <= AT_ONCE {
            future::join_all(judging).await
        } else {
            stream::iter(judging).buffered(AT_ONCE).collect().await
        };
        for _ in 0..ROUNDS {
            let is_old = |one: &Judged| {
                one.leave.as_ref().is_ok_and(|leave| leave.as_ref().is_some_and(|leave| self.is_old(leave)))
            };
            if !judged.iter().any(is_old) {
                break;
            }
            let again = stream::iter(judged)
                .map(|one| async move { if is_old(&one) { self.judged(call, glass, one.image).await } else { one } });
            judged = again.buffered(AT_ONCE).collect().await;
        }
        let mut told = Told::default();
        for Judged { image, leave } in judged {
            match leave {
                Ok(Some(leave)) if self.is_old(&leave) => {
                    let what =
                        "what is in force could not be confirmed while the other images were looked at".to_owned();
                    outcome.refusals.push(Refusal::of_error(
                        &image,
                        &call.environment,
                        &AskError::StoreUnavailable(what),
                    ));
                }
                Ok(leave) => told.add(&image, leave.as_ref(), &mut outcome.warnings),
                Err(refusal) => outcome.refusals.push(refusal),
            }
        }
        if let Some(why) = ran_before {
            outcome.refusals.clear();
            outcome.annotations.insert("why", why.to_owned());
        }
        told.annotations(&mut outcome);
        outcome
    }

    /// S42: too much time has passed since it was known that nothing changed, or the leave has ended.
    fn is_old(&self, leave: &Answered) -> bool {
        let holds = leave.permit.as_ref().is_ok_and(|permit| permit.holds(Instant::now()));
        !holds || !self.app.gate().may_answer(leave)
    }

    /// Whether one image may start.
    async fn judged(&self, call: &Call<'_>, glass: &Glass, image: ImageUse) -> Judged {
        let leave = self.leave(call, glass, &image).await;
        Judged { image, leave }
    }

    /// Leave to start an image; `None` for what is the gate's own.
    async fn leave(&self, call: &Call<'_>, glass: &Glass, image: &ImageUse) -> Result<Option<Answered>, Refusal> {
        let (review, settings) = (call.review, &self.settings);
        if let Some(settled) = settings.settled(review, image, &call.environment) {
            let Err(refusal) = settled else { return Ok(None) };
            let is_fixed = settings.tags.fixes(review);
            return Err(if is_fixed { self.why_no_digest(call, image, refusal).await } else { refusal });
        }
        let (seat, by, asked) = (self.seat(review, image), call.asker(), call.asked(&image.reference));
        let admit = async || {
            let answered = self.app.gate().admit(asked.clone(), &seat, &by, &self.actor).await?;
            Ok(match self.broken(call, glass, &answered, &seat).await {
                None => (answered, None),
                Some(Ok(())) => (self.app.gate().admit(asked.clone(), &seat, &by, &self.actor).await?, None),
                Some(Err(why)) => (answered, Some(why)),
            })
        };
        let (answered, not_broken) = match self.beside(call, &asked, &seat, admit()).await {
            Ok(answered) => answered,
            Err((no, left_open)) => return Err(Refusal { left_open, ..no_answer(image, &call.environment, &no) }),
        };
        let permit = match &answered.permit {
            Err(refusal) => {
                if let Some(why) = not_broken {
                    tracing::warn!(why, workload = seat.workload, "break-glass is without effect");
                }
                return Err(Refusal::decided(image, &answered, *refusal, &self.denials));
            }
            Ok(permit) => permit,
        };
        // The decision may be that of an index, whose leave is for its platforms too (S1).
        let of_another = image.reference.digest.as_ref().is_some_and(|digest| permit.subject() != digest);
        let elsewhere =
            [permit.environment(), &answered.decision.environment].iter().any(|one| **one != call.environment);
        if of_another || elsewhere || permit.point() != Point::Admission {
            let cause = "the leave is for something else".to_owned();
            return Err(Refusal::of_error(image, &call.environment, &AskError::Internal(cause)));
        }
        Ok(Some(answered))
    }

    /// An answer in time; or why there is none, and (S40) whether it is left open: only if it is known by then that nothing is known against the image.
    async fn beside<T>(
        &self,
        call: &Call<'_>,
        asked: &Asked,
        seat: &Seat,
        asking: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, (NoAnswer, bool)> {
        if !seat.is_of_the_system() {
            return call.in_time(asking).await.map_err(|no| (no, false));
        }
        let known = tokio::time::timeout_at(call.deadline.into(), self.app.gate().known_against(asked, seat));
        let (answered, known) = tokio::join!(call.in_time(asking), known);
        answered.map_err(|no| {
            let why = match &no {
                NoAnswer::Late => None,
                NoAnswer::Error(error) => Some(error),
            };
            let left_open = may_leave_open(why) && known == Ok(Some(false));
            (no, left_open)
        })
    }

    /// S38: why a tag has none, where the mutating webhook puts digests in their place: what stands in the way now. Controllers show no warnings, so it is
    /// said in the denial.
    async fn why_no_digest(&self, call: &Call<'_>, image: &ImageUse, by_tag: Refusal) -> Refusal {
        let asked = call.asked(&image.reference);
        let (by, seat) = (call.asker(), self.seat(call.review, image));
        match self.beside(call, &asked, &seat, self.app.gate().ask(asked.clone(), &by, &self.actor)).await {
            Ok(_) => by_tag,
            Err((no, left_open)) => Refusal { left_open, ..no_answer(image, &call.environment, &no) },
        }
    }

    /// Where an image is to run. Who controls an object is believed of those alone who are configured for it (S32).
    fn seat(&self, review: &Review<'_>, image: &ImageUse) -> Seat {
        let believed = self.settings.controllers.iter().any(|one| one.matches(&review.user.name));
        let controller = review.controller().filter(|_| believed);
        let own = review.object_uid();
        let (workload, owner, heir) = match controller {
            // What a pod holds starts nothing else.
            Some((workload, uid)) => (workload, Some(uid), own.filter(|_| !review.is_pod())),
            None => (review.workload(), own, None),
        };
        Seat {
            cluster: self.settings.cluster.clone(),
            namespace: review.namespace.clone(),
            owner,
            heir,
            workload,
            container: image.container.clone(),
        }
    }
}

fn no_answer(image: &ImageUse, environment: &str, no: &NoAnswer) -> Refusal {
    match no {
        NoAnswer::Late => Refusal::late(image, environment),
        NoAnswer::Error(error) => {
            if let AskError::Internal(cause) = error {
                tracing::error!(cause, "an image could not be asked about");
            }
            Refusal::of_error(image, environment, error)
        }
    }
}

/// An image, and whether it may start.
struct Judged {
    image: ImageUse,
    leave: Result<Option<Answered>, Refusal>,
}

/// What is told of images that may start.
#[derive(Default)]
struct Told {
    decisions: Vec<String>,
    bases: Vec<String>,
    policies: std::collections::BTreeSet<String>,
}

impl Told {
    fn add(&mut self, image: &ImageUse, leave: Option<&Answered>, warnings: &mut Vec<String>) {
        let container = &image.container;
        let Some(leave) = leave else {
            self.bases.push(format!("{container}=own"));
            return;
        };
        self.decisions.extend(recorded(leave));
        if let Ok(permit) = &leave.permit {
            self.bases.push(format!("{container}={}", permit.basis().as_str()));
            warnings.extend(warning(container, leave, permit.basis()));
        }
        self.policies.extend(leave.decision.brief().policies.iter().cloned());
    }

    /// For the audit log of the API server.
    fn annotations(self, outcome: &mut Outcome) {
        let verdict = if outcome.refusals.is_empty() { "allow" } else { "deny" };
        let denied = outcome.refusals.iter().filter_map(|refusal| refusal.decision.clone());
        let decisions: Vec<String> = self.decisions.into_iter().chain(denied).collect();
        let classes: std::collections::BTreeSet<&str> = outcome.refusals.iter().map(|one| one.class.as_str()).collect();
        let parts = [
            ("verdict", verdict.to_owned()),
            ("decisions", decisions.join(",")),
            ("basis", self.bases.join(",")),
            ("policies", self.policies.into_iter().collect::<Vec<_>>().join(",")),
            ("refusals", classes.into_iter().collect::<Vec<_>>().join(",")),
        ];
        outcome.annotations.extend(parts.into_iter().filter(|(_, value)| !value.is_empty()));
    }
}

/// What whoever wrote the object should know about an image that starts.
fn warning(container: &str, leave: &Answered, basis: &Basis) -> Option<String> {
    let id = &leave.decision.id;
    match basis {
        Basis::Allowed | Basis::Inherited(_) => None,
        Basis::Warned => {
            let record: Option<engine::Record> = serde_json::from_slice(&leave.decision.record).ok();
            Some(warned(container, record.as_ref(), id))
        }
        Basis::Grandfathered(until) => {
            let until = until.strftime("%Y-%m-%d %H:%M UTC");
            Some(format!(
                "ecr-gate: {container} is denied now; it ran here before and may until {until}; decision {id}"
            ))
        }
        other => Some(format!(
            "ecr-gate: {container} is not allowed and runs all the same ({}); decision {id}",
            other.as_str()
        )),
    }
}
