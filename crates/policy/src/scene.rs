//! What the tests of this crate judge: one image, one moment, a policy in one line, and findings made to order.

use model::{
    Ask, CompleteScan, Completeness, Digest, Disposition, Facts, Finding, FirstSeen, Fix, Judgement, ManifestFacts,
    NonEmpty, Observed, Origin, Outcome, Package, Reason, ReasonCode, Severity, SeverityCounts, Signal, SignedDuration,
    Timestamp, UnknownClass, VulnerabilityId,
};

use crate::{Exceptions, PolicySet, evaluate};

pub(crate) const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The moment at which the tests judge, unless they say another one.
pub(crate) fn now() -> Timestamp {
    time("2026-03-10T12:00:00Z")
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(crate) fn days(days: i64) -> SignedDuration {
    hours(24 * days)
}

/// A policy document, its `spec` in flow style without the braces.
pub(crate) fn document(name: &str, spec: &str) -> (String, String) {
    let text =
        format!("apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n");
    (format!("{name}.yaml"), text)
}

pub(crate) fn sets(documents: &[(&str, &str)]) -> PolicySet {
    let documents: Vec<_> = documents.iter().map(|(name, spec)| document(name, spec)).collect();
    PolicySet::from_documents(&documents).unwrap_or_else(|error| panic!("{error} ({:?})", error.hint))
}

/// One policy with this `spec`.
pub(crate) fn set(spec: &str) -> PolicySet {
    sets(&[("p", spec)])
}

/// One policy with one rule: the text is the value of `vulnerabilities`.
pub(crate) fn rule(vulnerabilities: &str) -> PolicySet {
    set(&format!("rules: [{{ id: r, vulnerabilities: {vulnerabilities} }}]"))
}

/// A finding in one package that has a fix.
pub(crate) fn finding(id: &str, severity: Severity) -> Finding {
    Finding {
        id: VulnerabilityId::new(id).unwrap(),
        severity,
        packages: vec![package("openssl", Fix::In("3.0.9".to_owned()))],
        cvss_tenths: None,
        epss_millionths: None,
        exploit_available: None,
        url: None,
    }
}

pub(crate) fn package(name: &str, fix: Fix) -> Package {
    Package { name: name.to_owned(), version: "3.0.8".to_owned(), fix }
}

/// How a scan is put together; the parts that a test does not name are those of a good one.
#[derive(Clone)]
pub(crate) struct Scan {
    pub(crate) findings: Vec<Finding>,
    pub(crate) summary: Option<Vec<(Severity, u64)>>,
    pub(crate) continuous: bool,
    /// The time of the scanner's data.
    pub(crate) dated: Timestamp,
    /// When the scan ended; with its data, if not said.
    pub(crate) ended: Option<Timestamp>,
    pub(crate) origin: Origin,
}

pub(crate) fn scan(findings: Vec<Finding>) -> Scan {
    let origin = Origin::Ecr("eu-central-1".to_owned());
    Scan { findings, summary: None, continuous: false, dated: now() - hours(1), ended: None, origin }
}

impl Scan {
    pub(crate) fn observed(self) -> Observed<CompleteScan> {
        let mut counted = SeverityCounts::new();
        for finding in &self.findings {
            *counted.entry(finding.severity.clone()).or_insert(0) += 1;
        }
        let summary = self.summary.map_or(counted, SeverityCounts::from_iter);
        let (pages, completed_at, pushed_at) = (1, self.ended.unwrap_or(self.dated), None);
        let proof = if self.continuous {
            Completeness::EcrEnhanced { continuous: true, pages, completed_at, pushed_at, agreeing_readings: 2 }
        } else {
            Completeness::EcrBasic { pages, completed_at, pushed_at }
        };
        let value = CompleteScan::new(self.findings, summary, proof, self.dated).unwrap();
        Observed { value, origin: self.origin, at: now() - hours(1), evidence: Digest::of(b"evidence") }
    }

    pub(crate) fn facts(self) -> Facts {
        facts(Signal::Present(self.observed()))
    }
}

pub(crate) fn manifest(name: &str, scan: Signal<CompleteScan>) -> ManifestFacts {
    ManifestFacts { digest: Digest::of(name.as_bytes()), pushed_at: None, scan }
}

pub(crate) fn facts(scan: Signal<CompleteScan>) -> Facts {
    Facts { root: manifest("image", scan), platforms: None, first_seen: FirstSeen::new() }
}

/// Facts of an index with these platforms.
pub(crate) fn index(platforms: Vec<(&str, Signal<CompleteScan>)>) -> Facts {
    let why = Reason::new(ReasonCode::Internal, "an index is not scanned");
    let children = platforms.into_iter().map(|(name, scan)| (name.parse().unwrap(), manifest(name, scan)));
    Facts {
        root: manifest("image", Signal::NotCollected(why)),
        platforms: NonEmpty::new(children.collect()),
        first_seen: FirstSeen::new(),
    }
}

pub(crate) fn ask() -> Ask {
    let digest = Digest::of(b"image");
    let image = format!("{HOST}/team/app@{digest}").parse().unwrap();
    Ask { image, digest, environment: "production".to_owned() }
}

pub(crate) fn ask_in(environment: &str) -> Ask {
    Ask { environment: environment.to_owned(), ..ask() }
}

pub(crate) fn ask_about(image: &str) -> Ask {
    Ask { image: image.parse().unwrap(), ..ask() }
}

/// The judgement about [`ask`] now, without exceptions.
pub(crate) fn judge(set: &PolicySet, facts: &Facts) -> Judgement {
    evaluate(set, &ask(), facts, &Exceptions::none(), now())
}

/// The judgement about [`ask`] now, with these exceptions.
pub(crate) fn judge_with(set: &PolicySet, facts: &Facts, exceptions: &Exceptions) -> Judgement {
    evaluate(set, &ask(), facts, exceptions, now())
}

/// Exceptions from entries in flow style, without `reason`, `owner` and the braces.
pub(crate) fn exceptions(entries: &[&str]) -> Exceptions {
    let mut exceptions = Exceptions::none();
    exceptions
        .add("p", "exceptions.yaml", &exceptions_text(entries))
        .unwrap_or_else(|error| panic!("{error} ({:?})", error.hint));
    exceptions
}

pub(crate) fn exceptions_text(entries: &[&str]) -> String {
    let none = if entries.is_empty() { " []" } else { "" };
    let head = format!("apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:{none}\n");
    let list = entries.iter().map(|entry| format!("  - {{ reason: not reachable, owner: ann, {entry} }}\n"));
    std::iter::once(head).chain(list).collect()
}

/// The reason codes, the heaviest first.
pub(crate) fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.reasons().iter().map(|reason| reason.code.as_str()).collect()
}

/// The messages of all reasons, each with a line end.
pub(crate) fn messages(judgement: &Judgement) -> String {
    judgement.reasons().iter().flat_map(|reason| [reason.message.as_str(), "\n"]).collect()
}

/// The class of the first rule, which must be unknown.
pub(crate) fn class(judgement: &Judgement) -> UnknownClass {
    match &judgement.rules.first().outcome {
        Outcome::Unknown(class, _) => *class,
        other => panic!("not unknown: {other:?}"),
    }
}

/// What became of the finding with this id under the first rule.
pub(crate) fn became(judgement: &Judgement, id: &str) -> Option<Disposition> {
    let findings = &judgement.rules.first().findings;
    findings.iter().find(|judged| judged.finding.id.is(id)).map(|judged| judged.disposition.clone())
}
