//! The state machine, reply by reply. What no answer may do is proven in `tests/it/never_green.rs`; here is what every
//! reply does.

mod failures;
mod pages;
mod replies;

use aws::{Failure, FailureKind};
use model::{CompleteScan, ReasonCode, Signal, SignedDuration, UnknownClass};
use serde_json::Value;
use testkit::fixtures::{ACCOUNT, REGION, REPOSITORY, Scan, digest};

use super::*;

const NOW: i64 = 1_750_000_000;
const POLL: Duration = Duration::from_secs(15);

fn at(epoch_seconds: i64) -> Timestamp {
    Timestamp::from_second(epoch_seconds).unwrap()
}

/// A scan of the image that ended at this moment, with data of the same moment.
fn basic(completed_at: i64) -> Scan {
    Scan::basic(&digest(1), completed_at).source_updated_at(completed_at)
}

fn enhanced(completed_at: i64) -> Scan {
    Scan::enhanced(&digest(1), completed_at).source_updated_at(completed_at)
}

fn failure(operation: &'static str, kind: FailureKind) -> Failure {
    Failure { kind, operation, code: None, message: "said".to_owned(), arn: "arn".to_owned() }
}

/// A conversation about one image, pushed five minutes ago, at a time that does not pass.
struct Talk {
    subject: Subject,
    state: State,
}

impl Talk {
    fn new() -> Self {
        let subject = Subject {
            account: Some(ACCOUNT.to_owned()),
            repository: REPOSITORY.to_owned(),
            digest: digest(1).parse().unwrap(),
            pushed_at: at(NOW - 300),
            region: REGION.to_owned(),
            start_scan: true,
            poll_interval: POLL,
            max_scan_age: (SignedDuration::from_hours(8 * 24), SignedDuration::from_hours(24)),
        };
        Self { subject, state: State::default() }
    }

    fn without_start(mut self) -> Self {
        self.subject.start_scan = false;
        self
    }

    fn pushed(mut self, seconds_ago: i64) -> Self {
        self.subject.pushed_at = at(NOW - seconds_ago);
        self
    }

    fn reply(&mut self, reply: Reply) -> Step {
        step(&self.subject, &mut self.state, reply, at(NOW))
    }

    fn body(&mut self, body: impl Into<Vec<u8>>) -> Step {
        self.reply(Reply::Findings(body.into()))
    }

    fn page(&mut self, page: &Value) -> Step {
        self.body(page.to_string())
    }

    fn scan(&mut self, scan: &Scan) -> Step {
        self.page(&scan.value())
    }

    /// `DescribeImageScanFindings` fails.
    fn fails(&mut self, kind: FailureKind) -> Step {
        self.reply(Reply::Failed(failure("DescribeImageScanFindings", kind)))
    }

    /// `StartImageScan` fails.
    fn refuses(&mut self, kind: FailureKind) -> Step {
        self.reply(Reply::Failed(failure("StartImageScan", kind)))
    }
}

#[track_caller]
fn done(step: Step) -> CompleteScan {
    match step {
        Step::Done(observed) => observed.value,
        other => panic!("{other:?} is not the scan"),
    }
}

/// The wait and what is waited for.
#[track_caller]
fn waits(step: Step) -> (Duration, ReasonCode) {
    match step {
        Step::Wait(wait, reason) => (wait, reason.code),
        other => panic!("{other:?} is no wait"),
    }
}

/// Waits one poll interval for this.
#[track_caller]
fn polls(step: Step, code: ReasonCode) {
    assert_eq!(waits(step), (POLL, code));
}

#[track_caller]
fn starts(step: &Step) {
    assert!(matches!(step, Step::Start), "{step:?} is no start");
}

#[track_caller]
fn next_page(step: Step) -> String {
    match step {
        Step::NextPage(token) => token,
        other => panic!("{other:?} is no next page"),
    }
}

#[track_caller]
fn stops(step: Step) -> Signal<CompleteScan> {
    match step {
        Step::Stop(signal) => signal,
        other => panic!("{other:?} is no stop"),
    }
}

/// Stops for this reason.
#[track_caller]
fn stops_for(step: Step, code: ReasonCode) {
    assert_eq!(stops(step).why_not().map(|why| why.code), Some(code));
}
