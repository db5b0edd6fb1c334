//! Which policies were asked about an image and why, and on what evidence each of their rules was judged. It explains a
//! judgement and makes none: outcomes are those of [`crate::evaluate`].

use model::{
    Ask, Clock, Facts, ManifestFacts, Observed, Origin, Platform, PolicyId, ScanReport, Signal, Signed, SignedArtifact,
    Timestamp,
};
use serde::Serialize;

use crate::document::{Action, Check, On};
use crate::evaluate::{Target, labels_meant, targets};
use crate::set::{Member, PolicySet};

/// The most lines of evidence per rule and manifest.
const LINES: usize = 20;

/// One policy, and what it has to do with the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedPolicy {
    /// Which policy.
    pub policy: PolicyId,
    /// It is about this image in this environment.
    pub applies: bool,
    /// Why it is, or why not.
    pub because: String,
    /// Its rules; of a policy that does not apply too.
    pub rules: Vec<ExplainedRule>,
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedRule {
    /// Its id.
    pub rule: String,
    /// What it looks at: `vulnerabilities`, `signatures`, …
    pub kind: &'static str,
    /// What a break of it means, once it is in force.
    pub action: &'static str,
    /// It has ended, and nothing was judged by it.
    pub ended: bool,
    /// What it was judged on, one sentence each. Empty: there is nothing.
    pub evidence: Vec<String>,
}

impl PolicySet {
    /// Every policy of the set, with what it has to do with this question.
    pub fn explain(&self, ask: &Ask, facts: &Facts, now: Timestamp) -> Vec<ExplainedPolicy> {
        let clock = Clock::at(now);
        let mut explained = Vec::new();
        for document in self.documents() {
            let member = self.reading(document, &ask.environment);
            let because = self.because(member, ask, facts);
            let applies = because.is_ok();
            let rules = member.policy.spec.rules.iter().map(|rule| {
                let check = rule.check();
                let action = rule.action.or(member.policy.spec.action).unwrap_or(Action::Deny);
                let evidence = match check {
                    Ok(check) if applies => evidence(check, member, ask, facts),
                    _ => Vec::new(),
                };
                ExplainedRule {
                    rule: rule.id.clone(),
                    kind: check.map_or("unknown", Check::kind),
                    action: action.as_str(),
                    ended: rule.until.is_some_and(|until| clock.reached(until.0)),
                    evidence,
                }
            });
            let rules = rules.collect();
            let because = because.unwrap_or_else(|why| why);
            explained.push(ExplainedPolicy { policy: member.id.clone(), applies, because, rules });
        }
        explained
    }

    /// Why a policy is about this question; as an error, why it is not.
    fn because(&self, member: &Member, ask: &Ask, facts: &Facts) -> Result<String, String> {
        let (name, environment) = (ask.name(), &ask.environment);
        if self.environment(environment).is_err() {
            return Err(format!("no policy declares the environment {environment}"));
        }
        if !member.is_for_environment(environment) {
            return Err(format!("`match.environments` does not name {environment}"));
        }
        if !member.is_for_image(ask, &name) {
            return Err(format!("no pattern of `match.images` matches {name}"));
        }
        match labels_meant(member, &targets(member, facts)) {
            Some(true) => Ok(because_of(member, "its labels are those of `match.labels`")),
            None => Ok(because_of(member, "its labels are not known, so that it applies")),
            Some(false) => Err("the image does not have the labels of `match.labels`".to_owned()),
        }
    }
}

fn because_of(member: &Member, labels: &str) -> String {
    let Some(matches) = &member.policy.spec.matches else { return "it is about every image".to_owned() };
    let mut parts = Vec::new();
    if matches.environments.is_some() {
        parts.push("`match.environments` names the environment");
    }
    if matches.images.is_some() {
        parts.push("a pattern of `match.images` matches");
    }
    if matches.labels.is_some() {
        parts.push(labels);
    }
    if parts.is_empty() { "it is about every image".to_owned() } else { parts.join("; ") }
}

/// What a rule was judged on.
fn evidence(check: Check<'_>, member: &Member, ask: &Ask, facts: &Facts) -> Vec<String> {
    match check {
        Check::Registries(_) => return vec![format!("the reference {}", ask.image)],
        Check::Rego(rule) => return vec![format!("what `inspect --output json` prints, asked by {}", rule.file)],
        _ => {}
    }
    let mut lines = Vec::new();
    let mut of = |platform: Option<&Platform>, manifest: &ManifestFacts| {
        let said = about(check, manifest, facts);
        let more = said.len().saturating_sub(LINES);
        let lead = platform.map_or_else(String::new, |platform| format!("{platform}: "));
        lines.extend(said.into_iter().take(LINES).map(|line| format!("{lead}{line}")));
        if more > 0 {
            lines.push(format!("{lead}and {more} more"));
        }
    };
    let on = check.on().filter(|_| facts.platforms.is_some());
    if matches!(on, Some(On::Index | On::All)) {
        of(None, &facts.root);
    }
    let children = if on == Some(On::Index) { Vec::new() } else { targets(member, facts) };
    for target in children {
        if let Target::Manifest(platform, manifest) = target {
            of(platform, manifest);
        }
    }
    lines
}

fn about(check: Check<'_>, manifest: &ManifestFacts, facts: &Facts) -> Vec<String> {
    match check {
        Check::Vulnerabilities(_) => {
            let vex = facts.vex.iter().map(|document| {
                let count = document.value.statements.len();
                format!("VEX by {} with {count} statements, {}", document.value.author, came(&document.origin))
            });
            manifest.reports.iter().map(scan).chain(vex).collect()
        }
        Check::Signatures(_) | Check::Attestations(_) | Check::Provenance(_) | Check::Vsa(_) => {
            signal(&manifest.signed, |list| list.iter().map(signed).collect())
        }
        Check::Sbom(_) => signal(&manifest.sboms, |list| {
            list.iter()
                .map(|sbom| {
                    let (format, count) = (&sbom.value.format, sbom.value.components.len());
                    format!("{format} with {count} components, {}", came(&sbom.origin))
                })
                .collect()
        }),
        Check::Measurements(_) => signal(&manifest.measurements, |list| {
            list.iter()
                .map(|one| {
                    let samples: Vec<String> = one.value.samples.iter().map(ToString::to_string).collect();
                    format!("{}: {}, {}", one.value.metric, samples.join(", "), came(&one.origin))
                })
                .collect()
        }),
        Check::Packages(_) => signal(&manifest.contents, |contents| {
            let databases =
                if contents.databases.is_empty() { "none".to_owned() } else { contents.databases.join(", ") };
            vec![format!("{} packages in the layers; package databases: {databases}", contents.packages.len())]
        }),
        Check::Config(_) | Check::BaseImage(_) | Check::Age(_) => {
            let mut lines = signal(&manifest.config, |config| {
                let built = config.created.map_or_else(|| "at no time it says".to_owned(), |at| format!("at {at}"));
                vec![format!("configuration {}, built {built}, {} layers", config.id, config.layers.len())]
            });
            if matches!(check, Check::BaseImage(_)) {
                lines.extend(facts.bases.iter().flat_map(|(name, base)| {
                    signal(base, |base| vec![format!("base image {name} is {} today", base.digest)])
                }));
            }
            lines
        }
        Check::Registries(_) | Check::Rego(_) => Vec::new(),
    }
}

/// What a signal says, or why it says nothing.
fn signal<T>(signal: &Signal<T>, says: impl Fn(&T) -> Vec<String>) -> Vec<String> {
    match signal {
        Signal::Present(observed) => says(&observed.value),
        other => other.why_not().map(|why| format!("none: {}", why.message)).into_iter().collect(),
    }
}

fn scan(report: &ScanReport) -> String {
    let who = report.tool.clone().unwrap_or_else(|| report.scanner.to_string());
    match &report.scan {
        Signal::Present(Observed { value, origin, .. }) => {
            let (count, at) = (value.findings().len(), value.database_at());
            format!("scan by {who} with {count} findings, data of {at}, {}", came(origin))
        }
        other => {
            let why = other.why_not().map_or("", |why| why.message.as_str());
            let some = if report.unproven.is_empty() {
                String::new()
            } else {
                format!(", {} findings that may only block", report.unproven.len())
            };
            format!("no scan by {who}: {why}{some}")
        }
    }
}

fn signed(artifact: &SignedArtifact) -> String {
    match &artifact.verified {
        Ok(authentic) => {
            let what = match authentic.content() {
                Signed::Image(_) => "signature".to_owned(),
                Signed::Statement(statement) => format!("statement {}", statement.predicate_type),
            };
            let when = authentic.proof().proven.first();
            let when = when.map_or_else(|| "at no proven time".to_owned(), |proven| format!("at {}", proven.at));
            format!("{what} by {} {when} ({})", authentic.proof().signer, artifact.place)
        }
        Err(reasons) => format!("not authentic: {} ({})", reasons.first().message, artifact.place),
    }
}

fn came(origin: &Origin) -> String {
    match origin {
        Origin::Ecr(region) => format!("from the ECR API in {region}"),
        Origin::File(file) => format!("from the file {file}"),
        Origin::Registry(digest) => format!("attached without a signature, {digest}"),
        Origin::Attestation(attested) => format!("signed by {}", attested.proof.signer),
    }
}
