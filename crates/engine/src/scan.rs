//! The scan of one manifest as a state machine: `step(state, reply, now)` says what to do next. Pure: it neither asks
//! nor waits. Every way an answer can be missing, empty, partial or odd ends in a wait or in a stop with its reason;
//! the one way to [`Step::Done`] leads through [`model::CompleteScan`].

use std::time::Duration;

use aws::{Failure, FailureKind};
use model::{
    CompleteScan, Digest, Incomplete, Observed, Origin, Reason, ReasonCode, Signal, SignedDuration, Timestamp,
    UnknownClass,
};
use signals::Limits;
use signals::ecr::{Page, PageState, Reading, page};

use crate::kept::evidence_of;
use crate::pace::{MOST_FAILURES, backoff};

/// How long after the push a scan that we may not start is still expected to appear by itself.
const APPEARS_WITHIN: SignedDuration = SignedDuration::from_secs(120);
/// The same for Amazon Inspector, whose first result takes longer.
const INSPECTOR_APPEARS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What does not change while a scan is waited for.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The account, if known.
    pub account: Option<String>,
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// The region that is asked.
    pub region: String,
    /// Whether the gate may start a scan.
    pub start_scan: bool,
    /// Between two looks.
    pub poll_interval: Duration,
    /// The oldest data that is of use: for basic, for continuous scanning.
    pub max_scan_age: (SignedDuration, SignedDuration),
}

/// What came back.
#[derive(Debug)]
pub enum Reply {
    /// The body of a `DescribeImageScanFindings` answer.
    Findings(Vec<u8>),
    /// `StartImageScan` was accepted.
    Started,
    /// A call failed.
    Failed(Failure),
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Wait this long, then ask for the first page; the reason is what is waited for.
    Wait(Duration, Reason),
    /// Start a scan.
    Start,
    /// Ask for the page with this token.
    NextPage(String),
    /// Here is the scan.
    Done(Observed<CompleteScan>),
    /// There will be no scan, for the reason in the signal.
    Stop(Signal<CompleteScan>),
}

/// Where we are.
#[derive(Debug, Default)]
pub struct State {
    /// What became of our wish to start a scan.
    start: Start,
    /// Pages read so far in this reading, and the digests of their bytes.
    reading: Option<(Reading, Vec<Digest>)>,
    /// The whole reading of the last look, if it was empty and needs a second one.
    empty: Option<Reading>,
    /// Failures in a row.
    failures: u32,
    /// The same of `StartImageScan`: the looks between two tries say nothing about it.
    start_failures: u32,
    /// How often the pages were read anew because a token was refused.
    restarts: u32,
    /// When the result ended that a scan was started to replace.
    replaces: Option<Timestamp>,
}

/// How often pages are read anew because a token was refused.
const MOST_RESTARTS: u32 = 3;

impl State {
    /// The token of the page that comes next; `None` for the first page.
    pub fn next_token(&self) -> Option<&str> {
        self.reading.as_ref().and_then(|(reading, _)| reading.next_token())
    }
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Start {
    #[default]
    NotAsked,
    Accepted,
    /// Refused because enhanced scanning is on.
    Enhanced,
    /// Refused because it was scanned in the last 24 hours.
    Limit,
    /// Refused for want of a permission.
    Denied(Reason),
}

/// The next step.
pub fn step(subject: &Subject, state: &mut State, reply: Reply, now: Timestamp) -> Step {
    match reply {
        Reply::Findings(body) => {
            state.failures = 0;
            match page(&body, &Limits::STANDARD).and_then(|page| subject.is_about(page)) {
                Err(reason) => Step::Stop(Signal::Failed(reason)),
                Ok(page) => on_page(subject, state, page, Digest::of(&body), now),
            }
        }
        Reply::Started => {
            state.failures = 0;
            state.start = Start::Accepted;
            let reason = Reason::new(ReasonCode::ScanPending, "a scan was started");
            Step::Wait(subject.poll_interval, reason)
        }
        Reply::Failed(failure) => on_failure(subject, state, &failure, now),
    }
}

fn on_page(subject: &Subject, state: &mut State, page: Page, evidence: Digest, now: Timestamp) -> Step {
    let Some((mut reading, mut pages)) = state.reading.take() else {
        return match Reading::start(page) {
            Ok(reading) => after_page(subject, state, reading, vec![evidence], now),
            Err(PageState::NoResult(reason)) => Step::Stop(Signal::Failed(reason)),
            Err(PageState::Unsupported(reason)) => Step::Stop(Signal::Unsupported(reason)),
            Err(PageState::Wait(reason)) => {
                // The second look does not confirm the first (S16).
                state.empty = None;
                Step::Wait(subject.poll_interval, reason)
            }
            Err(PageState::Result) => Step::Stop(Signal::Failed(internal("a result was refused"))),
        };
    };
    match reading.add(page, &Limits::STANDARD) {
        Err(reason) => Step::Stop(Signal::Failed(reason)),
        Ok(false) => {
            state.empty = None;
            let reason = Reason::new(ReasonCode::ScanPending, "the result changed while its pages were read");
            Step::Wait(subject.poll_interval, reason)
        }
        Ok(true) => {
            pages.push(evidence);
            after_page(subject, state, reading, pages, now)
        }
    }
}

fn after_page(subject: &Subject, state: &mut State, reading: Reading, pages: Vec<Digest>, now: Timestamp) -> Step {
    if let Some(token) = reading.next_token() {
        let token = token.to_owned();
        state.reading = Some((reading, pages));
        return Step::NextPage(token);
    }
    // Whatever this look says, an empty one before it is either confirmed now or not at all (S16).
    let agreeing = if state.empty.take().is_some_and(|earlier| earlier.agrees_with(&reading)) { 2 } else { 1 };
    match reading.complete(Some(subject.pushed_at), agreeing) {
        Err(Incomplete::EmptyOnce) => {
            let reason = Reason::new(ReasonCode::ScanUnconfirmed, Incomplete::EmptyOnce.to_string());
            state.empty = Some(reading);
            Step::Wait(subject.poll_interval, reason)
        }
        Err(Incomplete::OlderThanPush) => {
            let reason = Reason::new(ReasonCode::ScanOlderThanPush, Incomplete::OlderThanPush.to_string());
            renew(subject, state, reading.completed_at(), reason.clone()).unwrap_or(Step::Stop(Signal::Failed(reason)))
        }
        Err(Incomplete::NoPages | Incomplete::NoTargets) => {
            Step::Stop(Signal::Failed(internal("a reading without pages was called whole")))
        }
        Ok(scan) => {
            let limit = if scan.is_continuous() { subject.max_scan_age.1 } else { subject.max_scan_age.0 };
            let is_old = now.duration_since(scan.database_at()) >= limit;
            if is_old && !scan.is_continuous() {
                let reason = Reason::new(ReasonCode::ScanStale, "the scan is too old and a new one is under way");
                if let Some(step) = renew(subject, state, scan.completed_at(), reason) {
                    return step;
                }
            }
            let evidence = evidence_of(&pages);
            Step::Done(Observed { value: scan, origin: Origin::Ecr(subject.region.clone()), at: now, evidence })
        }
    }
}

/// A result that is too old: start a new scan if that is possible, or wait for the one that was started. `None` if the
/// old one is all there will be.
fn renew(subject: &Subject, state: &mut State, completed_at: Timestamp, reason: Reason) -> Option<Step> {
    match state.start {
        Start::NotAsked if subject.start_scan => {
            state.replaces = Some(completed_at);
            Some(Step::Start)
        }
        // The new result is there and no younger: nothing better will come.
        Start::Accepted if state.replaces.is_some_and(|old| completed_at > old) => None,
        Start::Accepted => Some(Step::Wait(subject.poll_interval, reason)),
        _ => None,
    }
}

fn on_failure(subject: &Subject, state: &mut State, failure: &Failure, now: Timestamp) -> Step {
    if failure.is_transient() {
        // What was read stays: the same page is asked for again ([`State::next_token`]).
        let failures =
            if failure.operation == "StartImageScan" { &mut state.start_failures } else { &mut state.failures };
        *failures += 1;
        let throttled = failure.kind == FailureKind::Throttled;
        if !throttled && *failures >= MOST_FAILURES {
            return Step::Stop(signal(failure.reason()));
        }
        return Step::Wait(backoff(throttled, *failures, subject.poll_interval), failure.reason());
    }
    state.failures = 0;
    // A page token that has lapsed is refused as not valid; the first page says whether the request was.
    let in_pages = state.reading.take().is_some();
    if in_pages && failure.kind == FailureKind::InvalidRequest && state.restarts < MOST_RESTARTS {
        state.restarts += 1;
        let reason = Reason::new(ReasonCode::ScanPending, "a page token was refused; the pages are read anew");
        return Step::Wait(subject.poll_interval, reason);
    }
    if failure.operation == "StartImageScan" {
        return on_start_refused(subject, state, failure);
    }
    if failure.kind != FailureKind::ScanNotFound {
        return Step::Stop(signal(failure.reason()));
    }
    let pushed_within = |limit: SignedDuration| now.duration_since(subject.pushed_at) < limit;
    match &state.start {
        Start::NotAsked if subject.start_scan => Step::Start,
        Start::NotAsked => {
            let reason =
                Reason::new(ReasonCode::ScanNotStartable, "no scan of the image exists, and the gate may start none");
            if pushed_within(APPEARS_WITHIN) {
                return Step::Wait(subject.poll_interval, reason);
            }
            Step::Stop(Signal::Absent(reason))
        }
        Start::Accepted => {
            let reason = Reason::new(ReasonCode::ScanPending, "a scan was started and is not to be seen yet");
            Step::Wait(subject.poll_interval, reason)
        }
        Start::Enhanced => {
            let reason = Reason::new(
                ReasonCode::ScanMissing,
                "enhanced scanning is on, but it has no result for the image",
            )
            .remedy(
                "Check that Amazon Inspector covers the repository (`ecr-gate doctor`); a first result takes minutes.",
            );
            if pushed_within(INSPECTOR_APPEARS_WITHIN) {
                return Step::Wait(subject.poll_interval, reason);
            }
            Step::Stop(Signal::Absent(reason))
        }
        Start::Limit => {
            let reason = Reason::new(
                ReasonCode::ScanMissing,
                "the image was scanned in the last 24 hours, but there is no result",
            )
            .remedy("Wait: ECR accepts one scan per image in 24 hours; or push the image again with another digest.");
            Step::Wait(subject.poll_interval, reason)
        }
        Start::Denied(reason) => {
            if pushed_within(APPEARS_WITHIN) {
                return Step::Wait(subject.poll_interval, reason.clone());
            }
            Step::Stop(signal(reason.clone()))
        }
    }
}

/// `StartImageScan` was refused for good: look once more at what there is.
fn on_start_refused(subject: &Subject, state: &mut State, failure: &Failure) -> Step {
    state.start = match failure.kind {
        FailureKind::ScanLimit => Start::Limit,
        FailureKind::InvalidRequest => Start::Enhanced,
        FailureKind::AccessDenied => Start::Denied(failure.reason()),
        _ => return Step::Stop(signal(failure.reason())),
    };
    Step::Wait(subject.poll_interval.min(Duration::from_millis(200)), failure.reason())
}

impl Subject {
    /// S1: a judgement never crosses images, repositories or accounts.
    fn is_about(&self, page: Page) -> Result<Page, Reason> {
        let other = |what: &str, theirs: &str, ours: &str| {
            Reason::new(ReasonCode::ScanOtherImage, format!("the answer is about {what} {theirs}, not {ours}"))
        };
        if let Some(digest) = &page.subject.digest
            && *digest != self.digest
        {
            return Err(other("image", digest.as_str(), self.digest.as_str()));
        }
        if let Some(repository) = &page.subject.repository
            && *repository != self.repository
        {
            return Err(other("repository", repository, &self.repository));
        }
        if let (Some(theirs), Some(ours)) = (&page.subject.account, &self.account)
            && theirs != ours
        {
            return Err(other("account", theirs, ours));
        }
        Ok(page)
    }
}

/// The signal that says this reason.
pub(crate) fn signal<T>(why: Reason) -> Signal<T> {
    match why.code.class() {
        Some(UnknownClass::ScanPending) => Signal::Pending(why),
        Some(UnknownClass::ScanMissing | UnknownClass::NotFound) => Signal::Absent(why),
        Some(UnknownClass::ScanUnsupported) => Signal::Unsupported(why),
        Some(UnknownClass::Throttled | UnknownClass::RegistryUnavailable | UnknownClass::Deadline) => {
            Signal::Unavailable { why, last: None }
        }
        _ => Signal::Failed(why),
    }
}

fn internal(what: &str) -> Reason {
    Reason::new(ReasonCode::Internal, what)
}

#[cfg(test)]
mod tests;
