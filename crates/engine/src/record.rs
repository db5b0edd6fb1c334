//! The decision record: what was asked, what was decided, from what, and by whom it was asked (B3). Its JSON form is
//! versioned by its `schema` field; fields are added, never renamed. A record that is read back prints the same bytes.

mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::{
    Digest, Disposition, EnvironmentClass, ExceptionUse, ImageReference, Judged, Judgement, Outcome, Platform,
    PolicyId, Reason, Severity, SeverityCounts, SignalUsed, Timestamp, UnknownClass, Verdict,
};
use serde::{Deserialize, Serialize};

use policy::{PathToGreen, TrustScore, path_to_green};

use crate::check::{Checked, Refused};
use crate::verify::{FoundArtifact, found};

pub use read::distinct;

/// The version of the JSON form.
pub(crate) const SCHEMA: &str = "ecr-gate.dev/decision/v1";

/// A decision and the answer it was given in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Record {
    /// `ecr-gate.dev/decision/v1`
    #[serde(deserialize_with = "read::schema")]
    pub schema: &'static str,
    /// The decision's id; `None` if nothing was decided, or for a dry run.
    #[serde(deserialize_with = "read::said")]
    pub id: Option<String>,
    /// The answer.
    pub verdict: Verdict,
    /// The exit code of the command.
    pub exit_code: u8,
    /// When.
    pub recorded_at: Timestamp,
    /// The earliest moment at which time alone could change the answer.
    #[serde(deserialize_with = "read::said")]
    pub valid_until: Option<Timestamp>,
    /// Nothing was started, used or written.
    pub dry_run: bool,
    /// What was judged.
    pub image: ImageRecord,
    /// For which environment.
    pub environment: EnvironmentRecord,
    /// Every reason, the weightiest first.
    pub reasons: Vec<ReasonRecord>,
    /// The findings that policy touched.
    pub findings: FindingsRecord,
    /// What has to be done so that nothing blocks; `None` if nothing does, or nothing was decided.
    pub path_to_green: Option<PathToGreen>,
    /// By which policies.
    pub policies: Vec<PolicyId>,
    /// Each rule.
    pub rules: Vec<RuleRecord>,
    /// The referrer that carries this decision, if it was attached to the image.
    pub attached: Option<String>,
    /// From which evidence.
    pub signals: Vec<SignalRecord>,
    /// With which signatures and signed statements, as far as they are authentic.
    pub signatures: Vec<FoundArtifact>,
    /// Digest over the trust material they were verified with.
    pub trust_material: Option<Digest>,
    /// How far the image can be trusted by what is known about it; `None` if nothing was decided.
    pub trust_score: Option<TrustScore>,
    /// With which exceptions.
    pub exceptions: Vec<ExceptionUse>,
    /// Entries of exception files that need a look.
    pub warnings: Vec<String>,
    /// Who asked, from where (S2: not part of the decision).
    pub answer: Answer,
    /// M2, in milliseconds.
    pub timing_ms: TimingRecord,
}

/// What was judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// As the caller named it.
    pub reference: String,
    /// `host/repository`
    pub name: String,
    /// The reference names a registry; a local image does not.
    #[serde(skip)]
    pub in_registry: bool,
    /// The digest; `None` if it could not be resolved, or if there is none.
    #[serde(deserialize_with = "read::said")]
    pub digest: Option<String>,
    /// The digest of its configuration, if that is known; the only name of an image of `docker save`.
    pub image_id: Option<String>,
    /// The tag, if one was named.
    pub tag: Option<String>,
    /// For an index: its platforms.
    pub platforms: Vec<PlatformRecord>,
}

/// One platform of an index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRecord {
    /// `linux/amd64`
    pub platform: Platform,
    /// Its manifest.
    pub digest: String,
}

/// For which environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentRecord {
    /// Its name.
    pub name: String,
    /// Its class; `None` if nothing was decided.
    #[serde(deserialize_with = "read::said")]
    pub class: Option<EnvironmentClass>,
}

/// A reason with its class.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasonRecord {
    /// Code, message, remedy.
    #[serde(flatten)]
    pub reason: Reason,
    /// The class of unknown; `None` for a broken rule.
    #[serde(deserialize_with = "read::said")]
    pub class: Option<UnknownClass>,
    /// The rules that give it, each as `POLICY/RULE`; empty where nothing was judged.
    pub rules: Vec<String>,
}

/// The findings that policy touched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingsRecord {
    /// A rule is about vulnerabilities; `false`: nobody asked for a scan.
    pub judged: bool,
    /// Per severity, the larger of list and summary; `None` unless every scan is complete.
    #[serde(deserialize_with = "read::said")]
    pub counts: Option<SeverityCounts>,
    /// How many block.
    pub blocking_total: u64,
    /// Those that block.
    pub blocking: Vec<Judged>,
    /// Those that an exception, a list, a grace period or `ignoreUnfixed` let pass.
    pub waived: Vec<Judged>,
}

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRecord {
    /// The policy's name.
    pub policy: String,
    /// The rule's id.
    pub rule: String,
    /// `pass`, `fail` or `unknown`.
    #[serde(deserialize_with = "read::outcome")]
    pub outcome: &'static str,
    /// What it means.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// For each way in which something was not known: what the policy's `onUnknown` says to it, or `excepted`.
    pub on_unknown: BTreeMap<UnknownClass, String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One piece of evidence and its age.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalRecord {
    /// The evidence.
    #[serde(flatten)]
    pub signal: SignalUsed,
    /// Age of the scanner's vulnerability data at the time of the decision.
    pub age_seconds: i64,
}

/// Who asked, from where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// `cli`, `ci`, `api`, …
    pub point: Cow<'static, str>,
    /// Made without a server: advisory for everybody else (S13).
    pub advisory: bool,
    /// What leave the service gave (`allowed`, `overridden`, …); left out where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Cow<'static, str>>,
    /// The user.
    pub asked_by: Option<String>,
    /// The pipeline's id.
    pub pipeline: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The W3C trace id.
    pub trace_id: Option<String>,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimingRecord {
    /// From the push.
    pub push_to_decision: Option<i64>,
    /// From the end of the last scan.
    pub scan_end_to_decision: Option<i64>,
    /// From the question.
    pub request: Option<u64>,
}

impl RuleRecord {
    /// Every rule of a judgement.
    pub fn all(judgement: &Judgement) -> Vec<Self> {
        judgement
            .rules
            .iter()
            .map(|rule| {
                let (outcome, reasons) = match &rule.outcome {
                    Outcome::Pass => ("pass", Vec::new()),
                    Outcome::Fail(reasons) => ("fail", reasons.iter().cloned().collect()),
                    Outcome::Unknown(_, reasons) => ("unknown", reasons.iter().cloned().collect()),
                };
                RuleRecord {
                    policy: rule.policy.clone(),
                    rule: rule.rule.clone(),
                    outcome,
                    verdict: rule.verdict,
                    reasons,
                    on_unknown: rule.on_unknown.clone(),
                    notes: rule.notes.clone(),
                }
            })
            .collect()
    }
}

impl Record {
    /// The record of a judgement. Id and exit code are the caller's to give.
    pub fn of(checked: &Checked, reference: String, answer: Answer) -> Self {
        let Checked { ask, facts, judgement, timing, by_image_id, trust_score } = checked;
        let blocking: Vec<Judged> = judgement.blocking().into_iter().cloned().collect();
        let waived = judgement
            .rules
            .iter()
            .flat_map(|rule| &rule.findings)
            .filter(|judged| !matches!(judged.disposition, Disposition::Blocks(_) | Disposition::WithinLimit));
        let unlisted = unlisted(checked);
        let since = |from: Option<Timestamp>| {
            from.map(|from| i64::try_from(timing.decided_at.duration_since(from).as_millis()).unwrap_or(i64::MAX))
        };
        Self {
            schema: SCHEMA,
            id: None,
            verdict: judgement.verdict,
            exit_code: 0,
            recorded_at: timing.decided_at,
            valid_until: judgement.valid_until,
            dry_run: false,
            image: ImageRecord {
                reference,
                name: ask.name(),
                in_registry: ask.image.host.is_some(),
                digest: (!by_image_id).then(|| ask.digest.to_string()),
                image_id: image_id(checked),
                tag: ask.image.tag.as_ref().map(ToString::to_string),
                platforms: facts
                    .platforms
                    .iter()
                    .flatten()
                    .map(|(platform, child)| PlatformRecord {
                        platform: platform.clone(),
                        digest: child.digest.to_string(),
                    })
                    .collect(),
            },
            environment: EnvironmentRecord { name: ask.environment.clone(), class: Some(judgement.environment_class) },
            reasons: reasons(judgement),
            findings: FindingsRecord {
                judged: judgement.scans_asked,
                counts: judgement.counts(),
                blocking_total: unlisted.saturating_add(blocking.len() as u64),
                blocking,
                waived: waived.cloned().collect(),
            },
            path_to_green: path_to_green(judgement, facts),
            policies: judgement.inputs.policies.clone(),
            rules: RuleRecord::all(judgement),
            attached: None,
            signatures: found(facts).into_iter().filter(|artifact| artifact.verified).collect(),
            trust_material: facts.trust.as_ref().map(|trust| trust.digest.clone()),
            trust_score: Some(trust_score.clone()),
            signals: judgement
                .inputs
                .signals
                .iter()
                .map(|signal| SignalRecord {
                    age_seconds: timing.decided_at.duration_since(signal.database_at).as_secs(),
                    signal: signal.clone(),
                })
                .collect(),
            exceptions: judgement.inputs.exceptions.clone(),
            warnings: judgement.warnings.clone(),
            answer,
            timing_ms: TimingRecord {
                push_to_decision: since(timing.pushed_at),
                scan_end_to_decision: since(timing.scan_completed_at),
                request: Some(u64::try_from(timing.request.as_millis()).unwrap_or(u64::MAX)),
            },
        }
    }

    /// The record of a question that could not be judged. Denied, unless waiting longer would have helped.
    pub fn refused(
        refused: &Refused,
        image: &ImageReference,
        name: String,
        environment: String,
        now: Timestamp,
        answer: Answer,
    ) -> Self {
        let waiting = matches!(refused.reason.code.class(), Some(UnknownClass::Throttled | UnknownClass::Deadline));
        Self {
            schema: SCHEMA,
            id: None,
            verdict: if waiting { Verdict::Pending } else { Verdict::Deny },
            exit_code: 0,
            recorded_at: now,
            valid_until: None,
            dry_run: false,
            image: ImageRecord {
                reference: image.to_string(),
                name,
                in_registry: image.host.is_some(),
                digest: None,
                image_id: None,
                tag: image.tag.as_ref().map(ToString::to_string),
                platforms: Vec::new(),
            },
            environment: EnvironmentRecord { name: environment, class: None },
            reasons: vec![reason(&refused.reason)],
            findings: FindingsRecord {
                judged: true,
                counts: None,
                blocking_total: 0,
                blocking: Vec::new(),
                waived: Vec::new(),
            },
            path_to_green: None,
            policies: Vec::new(),
            rules: Vec::new(),
            signals: Vec::new(),
            attached: None,
            signatures: Vec::new(),
            trust_material: None,
            trust_score: None,
            exceptions: Vec::new(),
            warnings: Vec::new(),
            answer,
            timing_ms: TimingRecord { push_to_decision: None, scan_end_to_decision: None, request: None },
        }
    }
}

fn image_id(checked: &Checked) -> Option<String> {
    match &checked.facts.root.config {
        model::Signal::Present(config) => Some(config.value.id.to_string()),
        _ => checked.by_image_id.then(|| checked.ask.digest.to_string()),
    }
}

fn reason(reason: &Reason) -> ReasonRecord {
    ReasonRecord { class: reason.code.class(), reason: reason.clone(), rules: Vec::new() }
}

/// Every reason once, the heaviest verdict first, with all the rules that give it.
fn reasons(judgement: &Judgement) -> Vec<ReasonRecord> {
    let mut rules: Vec<_> = judgement.rules.iter().collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.verdict));
    let mut records: Vec<ReasonRecord> = Vec::new();
    for rule in rules {
        let (Outcome::Fail(given) | Outcome::Unknown(_, given)) = &rule.outcome else { continue };
        // What no policy says is said by none of its rules.
        let name = (!rule.policy.is_empty()).then(|| format!("{}/{}", rule.policy, rule.rule));
        for one in given {
            let known = records.iter_mut().find(|record| record.reason == *one);
            match known {
                Some(record) => {
                    record
                        .rules
                        .extend(name.iter().filter(|name| !record.rules.contains(name)).cloned().collect::<Vec<_>>());
                }
                None => records.push(ReasonRecord { rules: name.iter().cloned().collect(), ..reason(one) }),
            }
        }
    }
    records
}

/// Findings that the scanner counts beyond its list, in severities that block for it.
fn unlisted(checked: &Checked) -> u64 {
    let exceeded =
        checked.judgement.reasons().into_iter().any(|reason| reason.code == model::ReasonCode::VulnCountExceeded);
    if !exceeded {
        return 0;
    }
    let manifests =
        std::iter::once(&checked.facts.root).chain(checked.facts.platforms.iter().flatten().map(|(_, child)| child));
    let mut total = 0_u64;
    for manifest in manifests {
        // As the policy counts them: of several sources the one with the largest excess.
        let mut most: BTreeMap<Severity, u64> = BTreeMap::new();
        for report in &manifest.reports {
            let model::Signal::Present(observed) = &report.scan else { continue };
            for (severity, listed, summary) in observed.value.disagreements() {
                let excess = most.entry(severity).or_insert(0);
                *excess = (*excess).max(summary.saturating_sub(listed));
            }
        }
        total = most.values().fold(total, |sum, excess| sum.saturating_add(*excess));
    }
    total
}
