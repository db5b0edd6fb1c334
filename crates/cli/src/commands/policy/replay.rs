//! `ecr-gate policy replay` and `policy diff`: a changed policy over recorded facts. Every document is judged as `check` judges it;
//! here judgements are only compared.

mod report;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::exit::Exit;
use crate::facts_files::{Document, documents, list};
use crate::failure::Failure;
use crate::output::inert_json;
use crate::policies;
use crate::ui::{OutputFormat, Ui};
use model::{Judgement, Outcome, ReasonCode, RecordedFacts, Timestamp, Verdict};
use policy::{Exceptions, PolicySet, evaluate};
use report::{Flip, Line, Report, Tally};

/// Judges recorded facts by a changed policy, and says which verdicts would flip
///
/// Compares with the verdict that was recorded with the facts, or with what --against says of them. Facts are judged as of the
/// moment they were recorded, so that nothing flips because time went by.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Facts are recorded by `ecr-gate check IMAGE --output facts=FILE.json`; a folder may hold any number of them, and .jsonl files
with one document per line.

Exit codes: 0 replayed; 1 with --exit-code: a verdict would flip, or something could not be judged;
            3 a policy or the folder cannot be read, 64 wrong usage.

Examples:
  ecr-gate policy replay --facts facts/ --policy next.yaml
  ecr-gate policy replay --facts facts/ --policy next.yaml --against current.yaml --environment production")]
pub(crate) struct ReplayArgs {
    /// A file or folder of recorded facts
    #[arg(long, value_name = "DIR")]
    facts: PathBuf,
    /// The changed policy; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// Compare with this policy instead of the recorded verdict; may be given several times
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
}

/// Says which verdicts differ between two policies over recorded facts
///
/// The same as `policy replay --policy B --against A`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 compared; 1 with --exit-code: a verdict differs, or something could not be judged; 3 a file cannot be read, 64 wrong usage.

Example:
  ecr-gate policy diff current.yaml next.yaml --facts facts/")]
pub(crate) struct DiffArgs {
    /// The policy as it is
    #[arg(value_name = "A")]
    old: PathBuf,
    /// The policy as it would be
    #[arg(value_name = "B")]
    new: PathBuf,
    /// A file or folder of recorded facts
    #[arg(long, value_name = "DIR")]
    facts: PathBuf,
    #[command(flatten)]
    how: HowArgs,
}

/// How to replay.
#[derive(Debug, clap::Args)]
struct HowArgs {
    /// Judge for this environment, whatever the facts were recorded for
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Judge as of this moment (RFC 3339) instead of the moment of the facts
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// How many flips are listed; the counts are of all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Exit with 1 if a verdict would flip or something could not be judged
    #[arg(long)]
    exit_code: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

impl ReplayArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        self.how.run(&self.facts, &self.policy, &self.against, ui)
    }
}

impl DiffArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        self.how.run(&self.facts, std::slice::from_ref(&self.new), std::slice::from_ref(&self.old), ui)
    }
}

/// A policy and the exceptions it lists.
struct Side {
    policies: PolicySet,
    exceptions: Exceptions,
}

/// What became of one document.
enum Compared {
    /// The same verdict; whether for the same reasons, where both sides were judged here.
    Same(Verdict, Option<bool>),
    Flips(Flip),
    /// The new side could not be judged on these facts, and why.
    Unjudged(Line),
    /// It could not be read.
    Unread(Line),
    /// No verdict was recorded to compare with.
    Unrecorded(Verdict),
}

impl HowArgs {
    fn run(&self, facts: &std::path::Path, new: &[PathBuf], old: &[PathBuf], ui: Ui) -> Result<Exit, Failure> {
        let side = |paths: &[PathBuf]| -> Result<Side, Failure> {
            let (policies, exceptions) = policies::load(paths)?;
            Ok(Side { policies, exceptions })
        };
        let new = side(new)?;
        let old = if old.is_empty() { None } else { Some(side(old)?) };
        if let Some(environment) = &self.environment {
            let sides = std::iter::once(&new).chain(&old);
            for side in sides {
                side.policies.environment(environment).map_err(|error| {
                    Failure::usage(error.to_string())
                        .hint("environments are declared in `spec.environments` of the policy")
                })?;
            }
        }
        let files = list(facts)?;
        let report = self.replay(&files, &new, old.as_ref(), ui);
        let clean =
            report.flips.is_empty() && report.could_not_be_judged.is_empty() && report.could_not_be_read.is_empty();
        match self.output {
            OutputFormat::Json => {
                let text = serde_json::to_string_pretty(&report)
                    .map_err(|error| Failure::internal(format!("the answer cannot be written: {error}")))?;
                ui.data(&inert_json(text + "\n"))?;
            }
            OutputFormat::Text => ui.data(&report.page())?,
        }
        ui.say(&format!(
            "ecr-gate: {} decisions in {:.1} s on {} threads: {:.0} a second",
            report.decisions,
            report.seconds,
            report.threads,
            report.rate()
        ));
        Ok(if self.exit_code && !clean { Exit::Blocked } else { Exit::Allowed })
    }

    /// Judges every document, on all cores.
    fn replay(&self, files: &[PathBuf], new: &Side, old: Option<&Side>, ui: Ui) -> Report {
        let started = Instant::now();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (next, done, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let total = Mutex::new(Tally::new(self.limit));
        // The lines of one large file are shared out too: a thread reads, and all judge.
        let (send, receive) = std::sync::mpsc::sync_channel::<Document>(threads * 64);
        let receive = Mutex::new(receive);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let send = send;
                for file in files.iter().filter(|file| is_lines(file)) {
                    documents(file, &mut |document| send.send(document).is_ok());
                }
            });
            scope.spawn(|| progress(&done, &over, ui));
            let judges: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut tally = Tally::new(self.limit);
                        let mut judge = |document: Document| {
                            tally.add(self.compare(&document, new, old));
                            done.fetch_add(1, Ordering::Relaxed);
                            true
                        };
                        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                            if !is_lines(file) {
                                documents(file, &mut judge);
                            }
                        }
                        loop {
                            let document = receive.lock().map_or(None, |receive| receive.recv().ok());
                            let Some(document) = document else { break };
                            judge(document);
                        }
                        if let Ok(mut total) = total.lock() {
                            total.merge(tally);
                        }
                    })
                })
                .collect();
            for judge in judges {
                let _ = judge.join();
            }
            over.store(true, Ordering::Relaxed);
        });
        let tally = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        tally.report(started.elapsed().as_secs_f64(), threads)
    }

    fn compare(&self, document: &Document, new: &Side, old: Option<&Side>) -> Compared {
        let line = |recorded: Option<&RecordedFacts>, why: String| Line {
            image: recorded.map(|recorded| recorded.ask.image.to_string()),
            environment: recorded.map(|recorded| recorded.ask.environment.clone()),
            why,
            document: document.name.clone(),
        };
        let bytes = match &document.bytes {
            Ok(bytes) => bytes,
            Err(why) => return Compared::Unread(line(None, why.clone())),
        };
        let mut recorded = match RecordedFacts::read(bytes) {
            Ok(recorded) => recorded,
            Err(error) => return Compared::Unread(line(None, error.to_string())),
        };
        if let Some(environment) = &self.environment {
            recorded.ask.environment.clone_from(environment);
        }
        let now = self.at.unwrap_or(recorded.at);
        let judge = |side: &Side| -> Result<Judgement, String> {
            side.policies.environment(&recorded.ask.environment).map_err(|error| error.to_string())?;
            let judgement = evaluate(&side.policies, &recorded.ask, &recorded.facts, &side.exceptions, now);
            match not_recorded(&judgement) {
                Some(why) => Err(why),
                None => Ok(judgement),
            }
        };
        let judged = match judge(new) {
            Ok(judged) => judged,
            Err(why) => return Compared::Unjudged(line(Some(&recorded), why)),
        };
        let before = match old {
            None => match &recorded.decision {
                Some(decision) => Ok((decision.verdict, None)),
                None => return Compared::Unrecorded(judged.verdict),
            },
            Some(old) => judge(old).map(|judged| (judged.verdict, Some(judged))),
        };
        let (from, was) = match before {
            Ok(before) => before,
            Err(why) => return Compared::Unjudged(line(Some(&recorded), format!("before: {why}"))),
        };
        if from == judged.verdict {
            return Compared::Same(from, was.map(|was| codes(&was) == codes(&judged)));
        }
        // What a softer verdict no longer says is what a reader wants to know.
        let telling = was.as_ref().filter(|_| judged.verdict < from).unwrap_or(&judged);
        Compared::Flips(Flip {
            image: recorded.ask.image.to_string(),
            environment: recorded.ask.environment.clone(),
            digest: recorded.ask.digest.to_string(),
            from,
            to: judged.verdict,
            reasons: why(telling),
            document: document.name.clone(),
        })
    }
}

/// True for a file of many documents.
fn is_lines(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

/// How far it is, once a second on a terminal.
fn progress(done: &AtomicUsize, over: &AtomicBool, ui: Ui) {
    let mut ticks = 0_u32;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(std::time::Duration::from_millis(2));
        ticks = ticks.wrapping_add(1);
        if ui.stderr_is_terminal && ticks.is_multiple_of(500) {
            ui.say(&format!("ecr-gate: {} decisions replayed", done.load(Ordering::Relaxed)));
        }
    }
}

/// What was not recorded with the facts, if a rule asks for it: the judgement says nothing then about the image.
fn not_recorded(judgement: &Judgement) -> Option<String> {
    for rule in &judgement.rules {
        let reasons = match &rule.outcome {
            Outcome::Pass => continue,
            Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => reasons,
        };
        let missing = reasons.iter().find(|reason| {
            matches!(
                reason.code,
                ReasonCode::NotCollected | ReasonCode::TrustKeyUnavailable | ReasonCode::TrustRootMissing
            )
        });
        if let Some(reason) = missing {
            return Some(format!("rule {}/{}: {}", rule.policy, rule.rule, reason.message));
        }
    }
    None
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    let mut codes: Vec<&str> = judgement.reasons().iter().map(|reason| reason.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The reasons of the rules that make the verdict, with the rule.
fn why(judgement: &Judgement) -> Vec<String> {
    let heaviest = judgement.rules.iter().filter(|rule| rule.verdict == judgement.verdict);
    let mut said = Vec::new();
    for rule in heaviest {
        if let Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) = &rule.outcome {
            said.extend(reasons.iter().map(|reason| format!("{}/{}: {}", rule.policy, rule.rule, reason.message)));
        }
    }
    said.truncate(5);
    said
}
