//! What the decision service says about what runs: a deny on record, which costs a look; everything else is asked anew, because the deny list, a policy or a
//! finding may have changed since an image was allowed, and a decision on record stays as it was.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use model::{Timestamp, Verdict as Judged};
use serde::Deserialize;

use super::Subject;
use crate::clock::now;
use crate::commands::check::remote::{NoDecision, dry_decision};
use crate::failure::Failure;
use crate::output::logged;
use crate::server::{Ask, Server, Trouble};
use crate::target::canonical_name;
use crate::ui::Ui;

/// Questions at the same time.
const AT_ONCE: usize = 8;

/// What is said about an image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may, perhaps with a warning.
    Allowed,
    /// It may not, and why.
    Denied(String),
    /// Nobody ever asked about it; and what would be said now.
    None(String),
    /// That is not known, and why.
    Unknown(String),
}

/// What was asked.
pub(super) struct Answers {
    server: Server,
    ui: Ui,
    verdicts: RefCell<BTreeMap<Subject, Verdict>>,
    tags: RefCell<BTreeMap<(String, String), Result<String, String>>>,
}

#[derive(Deserialize)]
struct Page {
    decisions: Vec<Summary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: String,
    repository: String,
    digest: String,
    environment: String,
    verdict: Judged,
    valid_until: Option<Timestamp>,
    #[serde(default)]
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

impl Answers {
    pub(super) fn new(server: Server, ui: Ui) -> Self {
        Self { server, ui, verdicts: RefCell::default(), tags: RefCell::default() }
    }

    /// Asks about each.
    ///
    /// # Errors
    /// The service is away, or does not let us ask.
    pub(super) async fn learn(&self, subjects: BTreeSet<Subject>) -> Result<(), Failure> {
        let all = subjects.len();
        let asking = subjects.into_iter().map(|subject| async move {
            let verdict = self.ask(&subject).await?;
            Ok::<_, Failure>((subject, verdict))
        });
        let mut answers = stream::iter(asking).buffered(AT_ONCE);
        while let Some(answered) = answers.next().await {
            let (subject, verdict) = answered?;
            self.verdicts.borrow_mut().insert(subject, verdict);
            self.ui.redraw(&format!("{} of {all} images asked about", self.asked()));
        }
        Ok(())
    }

    /// Asks what each tag stands for now.
    ///
    /// # Errors
    /// The service is away, or does not let us ask.
    pub(super) async fn learn_tags(&self, tags: BTreeSet<(String, String)>) -> Result<(), Failure> {
        let all = tags.len();
        let asking = tags.into_iter().map(|(image, environment)| async move {
            let found = match dry_decision(&self.server, &image, &environment).await {
                Ok((record, _)) => record.image.digest.ok_or_else(|| "the service names no digest".to_owned()),
                Err(no) => Err(self.words(no)?),
            };
            Ok::<_, Failure>(((image, environment), found))
        });
        let mut answers = stream::iter(asking).buffered(AT_ONCE);
        while let Some(answered) = answers.next().await {
            let (tag, found) = answered?;
            self.tags.borrow_mut().insert(tag, found);
            self.ui.redraw(&format!("{} of {all} tags asked about", self.tags.borrow().len()));
        }
        Ok(())
    }

    pub(super) fn asked(&self) -> usize {
        self.verdicts.borrow().len()
    }

    pub(super) fn verdict(&self, subject: &Subject) -> Verdict {
        let known = self.verdicts.borrow().get(subject).cloned();
        known.unwrap_or_else(|| Verdict::Unknown("it was not asked about".to_owned()))
    }

    pub(super) fn stands_for(&self, image: &str, environment: &str) -> Result<String, String> {
        let known = self.tags.borrow().get(&(image.to_owned(), environment.to_owned())).cloned();
        known.unwrap_or_else(|| Err("it was not asked about".to_owned()))
    }

    async fn ask(&self, subject: &Subject) -> Result<Verdict, Failure> {
        let Subject { repository, digest, environment, .. } = subject;
        let name = canonical_name(repository).unwrap_or_else(|| repository.clone());
        let ask = Ask::get("decisions")
            .query("image", Some(&name))
            .query("digest", Some(digest))
            .query("environment", Some(environment))
            .query("limit", Some(1));
        let page: Page = match self.server.send(&ask).await.and_then(|reply| reply.read()) {
            Ok(page) => page,
            Err(trouble) => return self.words(NoDecision::Trouble(trouble)).map(Verdict::Unknown),
        };
        let last = match page.decisions.into_iter().next() {
            Some(last) if last.digest != *digest || last.environment != *environment || last.repository != name => {
                return Ok(Verdict::Unknown("the service answered about something else".to_owned()));
            }
            last => last,
        };
        // One that is over is judged anew: time alone may have changed it.
        let lasting = last.as_ref().filter(|last| last.valid_until.is_none_or(|until| until > now()));
        // It may have been denied under another name.
        let by_name = |last: &&Summary| last.reasons.iter().any(|reason| reason.code.starts_with("reference."));
        let lasting = lasting.filter(|last| !by_name(last));
        if let Some(Summary { id, verdict: Judged::Deny, reasons, .. }) = lasting {
            let why = reasons.first().map_or_else(
                || format!("decision {id}"),
                |reason| format!("{}: {} (decision {id})", reason.code, reason.message),
            );
            let is_overridden = self.is_overridden(&subject.image(), environment).await;
            return Ok(Verdict::Denied(if is_overridden { overridden(&why) } else { why }));
        }
        self.ask_now(subject, last.is_some()).await
    }

    async fn ask_now(&self, subject: &Subject, was_decided: bool) -> Result<Verdict, Failure> {
        let (record, is_overridden) = match dry_decision(&self.server, &subject.image(), &subject.environment).await {
            Ok(decided) => decided,
            Err(no) if was_decided => return self.words(no).map(Verdict::Unknown),
            Err(no) => return self.words(no).map(|why| Verdict::None(format!("and cannot be decided now: {why}"))),
        };
        let why = record.reasons.first().map_or_else(
            || record.verdict.as_str().to_owned(),
            |one| format!("{}: {}", one.reason.code, one.reason.message),
        );
        // What an index says covers the manifests in it (S1).
        let is_inherited = record.image.digest.as_deref() != Some(subject.digest.as_str());
        Ok(match record.verdict {
            _ if !was_decided && !is_inherited => Verdict::None(match record.verdict {
                Judged::Allow | Judged::Warn => "it would be allowed now".to_owned(),
                Judged::Deny => format!("it would be denied now: {why}"),
                Judged::Pending => format!("it would not be decided now: {why}"),
            }),
            Judged::Allow | Judged::Warn => Verdict::Allowed,
            Judged::Deny => Verdict::Denied(if is_overridden { overridden(&why) } else { why }),
            Judged::Pending => Verdict::Unknown(why),
        })
    }

    /// Whether somebody lets it through for now. Not known is no: it is denied all the same.
    async fn is_overridden(&self, image: &str, environment: &str) -> bool {
        dry_decision(&self.server, image, environment).await.is_ok_and(|(_, is_overridden)| is_overridden)
    }

    /// Why there is no answer about one image; a service that gives none to anybody is the end.
    fn words(&self, no: NoDecision) -> Result<String, Failure> {
        match no {
            NoDecision::Wrong(failure) => Ok(failure.what),
            NoDecision::Trouble(Trouble::Problem(problem))
                if !problem.is_away() && !matches!(problem.status, 401 | 403) =>
            {
                Ok(logged(problem.what.as_deref().unwrap_or("the service refuses to say"), 500))
            }
            NoDecision::Trouble(trouble) => Err(trouble.failure(&self.server)),
        }
    }
}

fn overridden(why: &str) -> String {
    format!("denied, and an override lets it start for now: {why}")
}
