//! The real gate as a function of answer bodies: `engine::scan::step` and `policy::evaluate`, without network or sleep.
//! A wait is another look, a bounded number of times; then the time is up.

use std::borrow::Cow;
use std::time::Duration;

use aws::{Failure, FailureKind};
use engine::scan::{Reply, State, Step, Subject, step};
use engine::{
    HandedFile, HandedOver, Pace, Place, Question, RegistryAccess, RegistrySettings, Trust, TrustInputs, check_handed,
};
use model::{
    Ask, Digest, Facts, FirstSeen, Judgement, ManifestFacts, Origin, ScanReport, Scanner, Signal, SignedDuration,
    Timestamp, Verdict,
};
use policy::{Exceptions, PolicySet, evaluate};
use testkit::fixtures::{ACCOUNT, REGION, REPOSITORY, digest, image};

use super::scene::{NOW, PUSHED, World};

pub(crate) struct Gate {
    policies: PolicySet,
    ask: Ask,
    subject: Subject,
    access: RegistryAccess,
}

pub(crate) fn at(epoch_seconds: i64) -> Timestamp {
    Timestamp::from_second(epoch_seconds).unwrap()
}

impl Gate {
    /// With the built-in policy, in production.
    pub(crate) fn new() -> Self {
        let policies = PolicySet::built_in().unwrap();
        let digest: Digest = digest(1).parse().unwrap();
        let image = image("", digest.as_str()).parse().unwrap();
        let ask = Ask { image, digest: digest.clone(), environment: "production".to_owned() };
        let subject = Subject {
            account: Some(ACCOUNT.to_owned()),
            repository: REPOSITORY.to_owned(),
            digest,
            pushed_at: at(PUSHED),
            region: REGION.to_owned(),
            start_scan: true,
            poll_interval: Duration::from_secs(15),
            max_scan_age: policies.needs(&ask).max_scan_age,
        };
        Self { policies, ask, subject, access: RegistryAccess::new(RegistrySettings::default(), at(NOW)) }
    }

    /// What the gate says in this world.
    pub(crate) fn judge(&self, world: &mut World<'_>) -> Verdict {
        self.judge_through(world, |body| Cow::Borrowed(body)).verdict
    }

    /// The same, with every body changed on its way to the gate.
    pub(crate) fn judge_through(&self, world: &mut World<'_>, eyes: impl Fn(&str) -> Cow<'_, str>) -> Judgement {
        let mut state = State::default();
        let mut now = at(NOW);
        let mut reply = findings(&eyes(world.look().unwrap()));
        let scan = loop {
            match step(&self.subject, &mut state, reply, now) {
                Step::Done(observed) => break Signal::Present(observed),
                Step::Stop(signal) => break signal,
                Step::NextPage(_) => reply = findings(&eyes(world.more())),
                // The old result is all there will be: a new one would only turn the case into another one.
                Step::Start => reply = Reply::Failed(scanned_already()),
                Step::Wait(wait, why) => {
                    now += SignedDuration::try_from(wait).unwrap();
                    match world.look() {
                        Some(body) => reply = findings(&eyes(body)),
                        None => break Signal::Pending(why),
                    }
                }
            }
        };
        let origin = Origin::Ecr(REGION.to_owned());
        let report = ScanReport { scanner: Scanner::Ecr, tool: None, origin, scan, unproven: Vec::new() };
        let root = ManifestFacts::bare(self.ask.digest.clone(), Some(self.subject.pushed_at)).with(report);
        let facts = Facts { first_seen: FirstSeen::new(), ..Facts::of(root) };
        evaluate(&self.policies, &self.ask, &facts, &Exceptions::none(), now)
    }

    /// What the gate says about a saved answer of the AWS command line.
    pub(crate) fn judge_saved(&self, bytes: &[u8]) -> Verdict {
        let file = HandedFile { name: "scan.json".to_owned(), scanner: None, bytes: bytes.to_vec(), about: None };
        let handed = HandedOver { reports: vec![file], ..HandedOver::default() };
        let trust = Trust::new(TrustInputs::none());
        let question = Question {
            image: self.ask.image.clone(),
            place: Place::Registry,
            account: Some(ACCOUNT.to_owned()),
            environment: self.ask.environment.clone(),
            as_if: None,
            name: None,
            handed: &handed,
            access: &self.access,
            trust: &trust,
            start_scan: false,
            pace: Pace {
                timeout: Duration::from_secs(1),
                call_timeout: Duration::from_secs(1),
                poll_interval: Duration::from_secs(1),
                floor: Duration::ZERO,
                seed: 1,
            },
            now: || at(NOW),
        };
        // What does not say enough by itself would have to be asked for elsewhere, and is no answer.
        match check_handed(&question, &self.policies, &Exceptions::none()) {
            Some(Ok(checked)) => checked.judgement.verdict,
            Some(Err(_)) | None => Verdict::Deny,
        }
    }
}

fn findings(body: &str) -> Reply {
    Reply::Findings(body.as_bytes().to_vec())
}

fn scanned_already() -> Failure {
    Failure {
        kind: FailureKind::ScanLimit,
        operation: "StartImageScan",
        code: Some("LimitExceededException".to_owned()),
        message: "The scan quota per image has been exceeded.".to_owned(),
        arn: String::new(),
    }
}

/// Whether a pipeline would go on.
pub(crate) fn is_green(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow | Verdict::Warn)
}
