//! `check --server`: the decision service judges, and this end waits, looks whether the answer is one to this very question, and
//! says it. Nothing is judged here, except that `--fail-on` may deny what the service allows (S12), and that `--fallback local`
//! judges by itself what the service could not be asked (S13).

use std::time::Duration;

use engine::{Record, Refused};
use model::{ImageReference, Reason, ReasonCode, Verdict};
use policy::FailOn;
use serde::Serialize;
use tokio::time::Instant;

use super::believed::{Question, believed};
use super::tighten::tighten;
use super::{CheckArgs, Fallback, asker};
use crate::clock::now;
use crate::commands::asking::interrupted;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Destination, Format, logged};
use crate::server::{Ask, Patience, Server, Trouble};
use crate::target::Image;
use crate::ui::Ui;

/// The longest that the service is asked to hold one request.
const WAIT: Duration = Duration::from_secs(30);
/// How long a service that is not there is tried: as long as one that is started anew takes.
const AWAY: Duration = Duration::from_mins(2);
/// The same where there is something else to do.
const AWAY_WITH_FALLBACK: Duration = Duration::from_secs(20);
/// The pause where the service does not say one.
const PAUSE: Duration = Duration::from_secs(5);
/// With less time than this left, nothing is asked any more.
const LAST: Duration = Duration::from_millis(500);
/// The largest decision that is read.
const DECISION: usize = 64 << 20;

/// The arguments, read and checked.
struct Plan {
    question: Question,
    image: Image,
    server: Server,
    timeout: Duration,
    warn_exit_code: u8,
    outputs: Vec<Destination>,
    fail_on: Option<(&'static str, FailOn)>,
}

/// What is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    image: String,
    environment: &'a str,
    wait_seconds: u64,
    dry_run: bool,
    point: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
}

impl CheckArgs {
    pub(super) async fn ask_service(&self, ui: Ui) -> Result<u8, Failure> {
        let plan = self.service_plan(ui)?;
        // What is wrong with judging here is found before it is needed.
        let mut local = self.fallback.map(|_| self.plan(ui)).transpose()?;
        let begun = Instant::now();
        let asked = tokio::select! {
            asked = self.answered(&plan, ui) => asked,
            () = interrupted() => {
                return Err(Failure::new(Exit::Interrupted, "interrupted before an answer; nothing was allowed"));
            }
        };
        let mut record = match asked {
            Ok(record) => record,
            Err(trouble) => match (self.fall_back(&plan, trouble, ui)?, local.take()) {
                (Some(record), _) => *record,
                (None, Some(mut local)) => {
                    local.asking.pace.timeout = local.asking.pace.timeout.saturating_sub(begun.elapsed());
                    return Box::pin(self.decide(local, ui)).await;
                }
                (None, None) => return Err(Failure::internal("there is nothing to fall back to")),
            },
        };
        engine::offer_exceptions(&mut record);
        if let Some((name, list)) = &plan.fail_on {
            tighten(&mut record, name, list)?;
        }
        self.deliver(record, None, plan.warn_exit_code, &plan.outputs, ui)
    }

    /// Asks until there is a decision, or the time is up.
    async fn answered(&self, plan: &Plan, ui: Ui) -> Result<Record, Trouble> {
        let begun = Instant::now();
        let mut pending: Option<Record> = None;
        loop {
            let wait = plan.server.left().saturating_sub(Duration::from_secs(1)).min(WAIT);
            let reply = match (plan.server.send(&self.request(plan, wait)?).await, pending.take()) {
                (Ok(reply), before) => {
                    pending = before;
                    reply
                }
                // The time ran out while it was waited for: that is pending, and no service that is away.
                (Err(Trouble::Away { .. }), Some(record)) if plan.server.left() < LAST => return Ok(record),
                (Err(trouble), _) => return Err(trouble),
            };
            let (mut record, overridden) = believed(&reply, &plan.question)?;
            if pending.as_ref().is_some_and(|before| before.image.digest != record.image.digest) {
                return Ok(plan.refused(Reason::new(
                    ReasonCode::ImageTagMoved,
                    format!("{} stood for another digest while it was waited for", plan.image.reference),
                )));
            }
            record.timing_ms.request = Some(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
            let left = plan.server.left();
            if overridden {
                // An override is no allow (S31): where the image is let in, that point asks, and says so.
                ui.insist("warning: an override lets this image through where it is deployed; the verdict is as it was, and so is this job's exit code");
            }
            if record.verdict != Verdict::Pending || overridden || left < LAST {
                return Ok(record);
            }
            // One last look shortly before the time is up.
            let pause =
                reply.retry_after.unwrap_or(PAUSE).max(Duration::from_millis(50)).min(left.saturating_sub(LAST));
            if self.ask.verbose {
                let why = record.reasons.first().map_or("", |reason| reason.reason.message.as_str());
                let [gone, of, next] = [begun.elapsed(), plan.timeout, pause].map(|time| time.as_secs());
                ui.say(&format!("ecr-gate: {gone} of {of} s: pending, asking again in {next} s: {}", logged(why, 500)));
            }
            pending = Some(record);
            tokio::time::sleep(pause).await;
        }
    }

    fn request(&self, plan: &Plan, wait: Duration) -> Result<Ask, Trouble> {
        let by = asker();
        let body = Body {
            image: plan.question.image.to_string(),
            environment: &plan.question.environment,
            wait_seconds: wait.as_secs(),
            dry_run: self.dry_run,
            point: "ci",
            pipeline: by.pipeline.as_deref(),
            commit: by.commit.as_deref(),
        };
        // The same key when it is sent again: one ask is one answer, however often it had to be sent.
        let key = uuid::Uuid::now_v7().to_string();
        let ask = Ask::post("decide", &body).map_err(|failure| Trouble::NotUnderstood(failure.what))?;
        Ok(ask.header("idempotency-key", Some(key)).longer(wait).limit(DECISION))
    }

    /// What follows from having no answer: a refusal that is told like any other, or `None` for judging here.
    fn fall_back(&self, plan: &Plan, trouble: Trouble, ui: Ui) -> Result<Option<Box<Record>>, Failure> {
        let is_away = match &trouble {
            Trouble::Away { .. } => true,
            Trouble::Problem(problem) => problem.is_away(),
            Trouble::NotUnderstood(_) => false,
        };
        if is_away && self.fallback == Some(Fallback::Local) {
            let failure = trouble.failure(&plan.server);
            ui.insist(&format!("warning: {}", logged(&failure.what, 2_000)));
            ui.insist("warning: judging locally, as --fallback says: this verdict is advisory, no other enforcement point knows it");
            return Ok(None);
        }
        if let Trouble::Problem(problem) = &trouble
            && let Some(code) = problem.reason()
        {
            let message = problem.what.clone().unwrap_or_else(|| code.meaning().to_owned());
            let reason = Reason::new(code, message);
            let reason = problem.hint.clone().map_or(reason.clone(), |hint| reason.remedy(hint));
            return Ok(Some(Box::new(plan.refused(reason))));
        }
        let failure = trouble.failure(&plan.server);
        Err(if is_away {
            failure.hint(
                "there is no verdict without the service; --fallback local judges here instead, for this job alone",
            )
        } else {
            failure
        })
    }

    fn service_plan(&self, ui: Ui) -> Result<Plan, Failure> {
        crate::env::check()?;
        let outputs = self.outputs()?;
        let image = self.ask.image.resolve()?;
        if image.is_local() || image.reference.host.is_none() {
            return Err(Failure::usage("the decision service judges images in a registry, named with its host")
                .hint("push the image first, and name it as docker push does"));
        }
        if image.reference.tag.is_none() && image.reference.digest.is_none() {
            return Err(Failure::usage(format!("{} has neither tag nor digest", image.reference))
                .hint("name exactly what was pushed: `…:TAG` or, better, `…@sha256:…`"));
        }
        if let Some(given) = self.ask.local_only().filter(|_| self.fallback.is_none()) {
            let what = format!("{given} means nothing to the decision service, which judges by what it has itself");
            return Err(Failure::usage(what)
                .hint(goes_to_the_service(given))
                .hint("leave --server and ECR_GATE_SERVER away to judge here"));
        }
        if self.attach {
            return Err(Failure::usage("--attach signs what was judged here; the decision service judges")
                .hint("leave --attach away"));
        }
        if outputs.iter().any(|output| output.format == Format::Facts) {
            return Err(Failure::usage(
                "--output facts: the decision service keeps the facts, and answers with the decision",
            )
            .hint("`ecr-gate inspect --output json` collects the facts of an image here"));
        }
        let pace = self.ask.pace(false)?;
        let away = if self.fallback.is_some() { AWAY_WITH_FALLBACK.min(pace.timeout / 4) } else { AWAY };
        let patience = Patience { call: pace.call_timeout, whole: pace.timeout, away };
        let question = Question {
            image: image.canonical(),
            written: image.written(),
            environment: self.ask.environment(),
            dry_run: self.dry_run,
        };
        Ok(Plan {
            question,
            server: self.service.connect(patience)?,
            timeout: pace.timeout,
            warn_exit_code: self.warn_exit_code()?,
            outputs,
            fail_on: self.ask.severities(ui)?,
            image,
        })
    }
}

/// Where what only means something here goes, for the service to judge by it.
fn goes_to_the_service(given: &str) -> &'static str {
    match given {
        "--report" | "--sbom" | "--vex" | "--measurement" => {
            "documents about an image go to the service with `ecr-gate signals submit`"
        }
        "--insecure-registry" | "--registry-ca" | "--registry-mirror" | "--token-realm" => {
            "how registries are reached is a setting of the service: `registries` of its configuration, or the same flag of `ecr-gate serve`"
        }
        "--start-scan" | "--no-start-scan" => "whether scans are started is a setting of the service",
        _ => "policies go to the service with `ecr-gate policy push`",
    }
}

impl Plan {
    /// The record of a question that the service refused.
    fn refused(&self, reason: Reason) -> Record {
        let reference: &ImageReference = &self.image.reference;
        let mut answer = asker();
        (answer.point, answer.advisory) = ("ci".into(), false);
        Record::refused(
            &Refused { reason },
            reference,
            self.image.shown_name(),
            self.question.environment.clone(),
            now(),
            answer,
        )
    }
}
