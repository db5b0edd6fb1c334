//! Resolving an image and collecting its scans: the loop that asks, and the only one that waits.

use std::time::Duration;

use aws::{Ecr, Failure, FailureKind, Image, ImageId};
use model::{
    CompleteScan, Digest, ManifestFacts, NonEmpty, Origin, Platform, Reason, ReasonCode, ScanReport, Scanner, Signal,
    Timestamp,
};
use signals::Limits;
use signals::manifest::{Manifest, is_index, manifest};
use tokio::time::Instant;

use crate::kept::Kept;
use crate::pace::{MOST_FAILURES, Pacer, backoff, out_of_time};
use crate::scan::{Reply, State, Step, Subject, signal, step};

/// What happens during a check, for people who wait.
#[derive(Debug)]
pub enum Event<'a> {
    /// The tag stands for this digest.
    Resolved {
        /// The digest that is judged.
        digest: &'a Digest,
    },
    /// The digest is an index.
    Index {
        /// How many platforms are judged.
        platforms: usize,
    },
    /// A scan was asked for.
    Started {
        /// The manifest.
        digest: &'a Digest,
    },
    /// A page was read.
    Page {
        /// Pages so far.
        pages: u32,
    },
    /// Nothing to do until the next look.
    Waiting {
        /// Since the start.
        elapsed: Duration,
        /// Until the next look.
        next: Duration,
        /// What is waited for.
        why: &'a Reason,
    },
}

/// Is told what happens.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// One conversation with ECR within one deadline.
pub(crate) struct Collector<'a> {
    pub(crate) ecr: &'a Ecr,
    pub(crate) pacer: Pacer,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) poll_interval: Duration,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) kept: Kept,
}

/// What a single scan still needs.
struct Job {
    subject: Subject,
    state: State,
    call: Call,
    due: Instant,
    waits_for: Option<Reason>,
    result: Option<Signal<CompleteScan>>,
    pages: u32,
    /// The pages as they came, of this reading.
    bodies: Vec<Vec<u8>>,
}

impl Job {
    /// The result, or what is still waited for.
    fn so_far(&self) -> Signal<CompleteScan> {
        let waiting = || {
            let reason = self.waits_for.clone();
            signal(
                reason.unwrap_or_else(|| Reason::new(ReasonCode::ScanPending, "the scan was not looked at to its end")),
            )
        };
        self.result.clone().unwrap_or_else(waiting)
    }
}

enum Call {
    Findings(Option<String>),
    Start,
}

impl Collector<'_> {
    /// The image that a tag or a digest stands for.
    pub(crate) async fn image(&mut self, id: &ImageId) -> Result<Image, Reason> {
        let ecr = self.ecr;
        let image = self.patiently("DescribeImages", || ecr.image(id)).await?;
        if let ImageId::Digest(digest) = id
            && image.digest != *digest
        {
            return Err(Reason::new(
                ReasonCode::AwsMalformed,
                format!("asked for {digest}, ECR describes {}", image.digest),
            ));
        }
        Ok(image)
    }

    /// The platforms of an index; `None` for an image of one platform.
    pub(crate) async fn platforms(
        &mut self,
        image: &Image,
        verify: bool,
    ) -> Result<Option<NonEmpty<(Platform, Digest)>>, Reason> {
        match image.media_type.as_deref() {
            // The registry says what it is; without its word the manifest has to.
            Some(media_type) if !is_index(media_type) => return Ok(None),
            _ => {}
        }
        let ecr = self.ecr;
        let bytes = self.patiently("BatchGetImage", || ecr.manifest(&image.digest)).await?;
        if verify && Digest::of(&bytes) != image.digest {
            let message = format!("the manifest ECR gave has the digest {}, not {}", Digest::of(&bytes), image.digest);
            return Err(Reason::new(ReasonCode::ImageManifestInvalid, message));
        }
        match manifest(&bytes, &Limits::STANDARD)? {
            Manifest::Image => Ok(None),
            Manifest::Index(platforms) => Ok(Some(platforms)),
        }
    }

    /// Looks at every scan until each has an end or the time is up; scans of several platforms run side by side.
    /// Once what is known suffices for a denial (`denied`), nothing more is waited for (S11).
    pub(crate) async fn scans(
        &mut self,
        subjects: Vec<Subject>,
        denied: impl Fn(Vec<Signal<CompleteScan>>) -> bool,
    ) -> Vec<Signal<CompleteScan>> {
        // A2: ECR throttles more than one request a second over time.
        let spacing = Duration::from_secs(subjects.len() as u64).min(Duration::from_mins(1));
        let many = subjects.len() > 10;
        let mut jobs: Vec<Job> = subjects
            .into_iter()
            .map(|mut subject| {
                if many {
                    subject.poll_interval = subject.poll_interval.max(spacing);
                }
                let call = Call::Findings(None);
                Job {
                    subject,
                    state: State::default(),
                    call,
                    due: Instant::now(),
                    waits_for: None,
                    result: None,
                    pages: 0,
                    bodies: Vec::new(),
                }
            })
            .collect();
        while let Some(job) = jobs.iter_mut().filter(|job| job.result.is_none()).min_by_key(|job| job.due) {
            let wait = job.due.saturating_duration_since(Instant::now());
            if let Some(why) = &job.waits_for
                && !wait.is_zero()
            {
                self.progress.event(&Event::Waiting { elapsed: self.pacer.elapsed(), next: wait, why });
                self.pacer.pause(job.due).await;
            }
            let reply = self.ask(job).await;
            if let Some(Reply::Findings(body)) = &reply {
                if matches!(job.call, Call::Findings(None)) {
                    job.bodies.clear();
                }
                job.bodies.push(body.clone());
            }
            let next = match reply {
                None if self.pacer.is_over() => {
                    let why = job.waits_for.take().unwrap_or_else(|| out_of_time("DescribeImageScanFindings"));
                    Step::Stop(signal(why))
                }
                // One call took too long, though there is time left: like a network failure.
                None => step(&job.subject, &mut job.state, Reply::Failed(self.hung(&job.call)), (self.now)()),
                Some(reply) => step(&job.subject, &mut job.state, reply, (self.now)()),
            };
            self.follow(job, next);
            if job.result.is_some() && denied(jobs.iter().map(Job::so_far).collect()) {
                break;
            }
        }
        jobs.iter().map(Job::so_far).collect()
    }

    async fn ask(&self, job: &Job) -> Option<Reply> {
        let digest = &job.subject.digest;
        match &job.call {
            Call::Start => {
                self.progress.event(&Event::Started { digest });
                let answer = self.pacer.bounded(self.ecr.start_scan(digest)).await?;
                Some(answer.map_or_else(Reply::Failed, |()| Reply::Started))
            }
            Call::Findings(token) => {
                let answer = self.pacer.bounded(self.ecr.scan_findings(digest, token.as_deref())).await?;
                Some(answer.map_or_else(Reply::Failed, Reply::Findings))
            }
        }
    }

    fn follow(&mut self, job: &mut Job, next: Step) {
        job.due = Instant::now();
        match next {
            Step::Start => job.call = Call::Start,
            Step::NextPage(token) => {
                job.pages += 1;
                self.progress.event(&Event::Page { pages: job.pages });
                job.call = Call::Findings(Some(token));
            }
            Step::Done(observed) => {
                self.kept.keep_pages(&std::mem::take(&mut job.bodies));
                job.result = Some(Signal::Present(observed));
            }
            Step::Stop(signal) => job.result = Some(signal),
            Step::Wait(wanted, why) => {
                // A start that was cut off by throttling or the network is looked at, not repeated blindly; a page is
                // asked for again.
                let token = job.state.next_token().map(str::to_owned);
                if token.is_none() {
                    job.pages = 0;
                }
                job.call = Call::Findings(token);
                match self.pacer.fit(wanted) {
                    Some(wait) => {
                        job.due = Instant::now() + wait;
                        job.waits_for = Some(why);
                    }
                    None => job.result = Some(signal(why)),
                }
            }
        }
    }

    fn hung(&self, call: &Call) -> Failure {
        let operation = match call {
            Call::Start => "StartImageScan",
            Call::Findings(_) => "DescribeImageScanFindings",
        };
        hung(operation, self.ecr)
    }

    /// One call, repeated with backoff while it fails for a while only.
    async fn patiently<T, F>(&mut self, operation: &'static str, mut call: impl FnMut() -> F) -> Result<T, Reason>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut failures = 0;
        let mut last: Option<Reason> = None;
        loop {
            let failure = match self.pacer.bounded(call()).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(failure)) if failure.is_transient() => failure,
                Some(Err(failure)) => return Err(failure.reason()),
                // What used up the time says more than that it is up.
                None if self.pacer.is_over() => return Err(last.unwrap_or_else(|| out_of_time(operation))),
                None => hung(operation, self.ecr),
            };
            failures += 1;
            let throttled = failure.kind == FailureKind::Throttled;
            let wait = self.pacer.fit(backoff(throttled, failures, self.poll_interval));
            let (Some(wait), true) = (wait, throttled || failures < MOST_FAILURES) else {
                return Err(failure.reason());
            };
            let why = failure.reason();
            self.progress.event(&Event::Waiting { elapsed: self.pacer.elapsed(), next: wait, why: &why });
            last = Some(why);
            self.pacer.pause(Instant::now() + wait).await;
        }
    }
}

fn hung(operation: &'static str, ecr: &Ecr) -> Failure {
    Failure {
        kind: FailureKind::Network,
        operation,
        code: None,
        message: "no answer within the time for one call (`--call-timeout`)".to_owned(),
        arn: ecr.target().arn(),
    }
}

/// Facts of a manifest of which ECR says this.
pub(crate) fn facts(
    digest: Digest,
    pushed_at: Option<Timestamp>,
    region: &str,
    scan: Signal<CompleteScan>,
) -> ManifestFacts {
    let origin = Origin::Ecr(region.to_owned());
    let report = ScanReport { scanner: Scanner::Ecr, tool: None, origin, scan, unproven: Vec::new() };
    ManifestFacts::bare(digest, pushed_at).with(report)
}
