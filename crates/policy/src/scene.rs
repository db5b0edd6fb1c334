//! What the tests of this crate judge: one image, one moment, a policy in one line, and findings made to order.

use std::collections::BTreeMap;

use model::{
    Ask, Authentic, CertificateIdentity, CompleteScan, Digest, Disposition, EnvironmentClass, Facts, FactsDocument,
    Finding, FirstSeen, Fix, Judged, Judgement, LogEntry, ManifestFacts, NonEmpty, Observed, Origin, Outcome, Package,
    Proof, ProvenTime, Reason, ReasonCode, RecordedFacts, ScanReport, Scanner, Severity, SeverityCounts, Signal,
    SignatureFormat, Signed, SignedArtifact, SignedDuration, Signer, TimeSource, Timestamp, TrustMaterial, TrustName,
    UnknownClass, VulnerabilityId,
};

use crate::testing::made;
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
    let packages = vec![package("openssl", Fix::In("3.0.9".to_owned()))];
    Finding { packages, ..Finding::new(vulnerability(id), severity) }
}

/// The same with other names for it.
pub(crate) fn aliased(id: &str, aliases: &[&str], severity: Severity) -> Finding {
    Finding { aliases: aliases.iter().map(|alias| vulnerability(alias)).collect(), ..finding(id, severity) }
}

pub(crate) fn vulnerability(id: &str) -> VulnerabilityId {
    VulnerabilityId::new(id).unwrap()
}

pub(crate) fn package(name: &str, fix: Fix) -> Package {
    Package { name: name.to_owned(), version: "3.0.8".to_owned(), fix, purl: None, layer: None }
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
    pub(crate) scanner: Scanner,
    /// The tool as it names itself.
    pub(crate) tool: Option<&'static str>,
}

/// A scan by ECR.
pub(crate) fn scan(findings: Vec<Finding>) -> Scan {
    let (origin, scanner) = (Origin::Ecr("eu-central-1".to_owned()), Scanner::Ecr);
    Scan {
        findings,
        summary: None,
        continuous: false,
        dated: now() - hours(1),
        ended: None,
        origin,
        scanner,
        tool: None,
    }
}

/// A scan by this scanner, handed over as a file.
pub(crate) fn file(scanner: Scanner, findings: Vec<Finding>) -> Scan {
    Scan { origin: Origin::File(format!("{scanner}.json")), scanner, ..scan(findings) }
}

/// A report of this scanner, handed over as a file, that proves no scan and has these findings.
pub(crate) fn unproven(scanner: Scanner, findings: Vec<Finding>) -> ScanReport {
    let why = Reason::new(ReasonCode::ScanUnproven, "it proves no whole scan");
    without(scanner, Signal::Failed(why), findings)
}

/// A report handed over as a file that is no scan.
pub(crate) fn without(scanner: Scanner, scan: Signal<CompleteScan>, unproven: Vec<Finding>) -> ScanReport {
    ScanReport { scanner, tool: None, origin: Origin::File(format!("{scanner}.json")), scan, unproven }
}

impl Scan {
    pub(crate) fn observed(self) -> Observed<CompleteScan> {
        let summary = self.summary.map(SeverityCounts::from_iter);
        let ended = self.ended.unwrap_or(self.dated);
        let value = made::complete(self.scanner, self.continuous, self.findings, summary, ended, self.dated).unwrap();
        Observed { value, origin: self.origin, at: now() - hours(1), evidence: Digest::of(b"evidence") }
    }

    pub(crate) fn report(self) -> ScanReport {
        let (scanner, origin, tool) = (self.scanner, self.origin.clone(), self.tool.map(str::to_owned));
        ScanReport { scanner, tool, origin, scan: Signal::Present(self.observed()), unproven: Vec::new() }
    }

    pub(crate) fn facts(self) -> Facts {
        heard(vec![self.report()])
    }
}

/// What ECR says about a manifest.
pub(crate) fn manifest(name: &str, scan: Signal<CompleteScan>) -> ManifestFacts {
    let origin = Origin::Ecr("eu-central-1".to_owned());
    let report = ScanReport { scanner: Scanner::Ecr, tool: None, origin, scan, unproven: Vec::new() };
    ManifestFacts::bare(Digest::of(name.as_bytes()), None).with(report)
}

pub(crate) fn facts(scan: Signal<CompleteScan>) -> Facts {
    about(manifest("image", scan))
}

/// What these reports say about the image.
pub(crate) fn heard(reports: Vec<ScanReport>) -> Facts {
    about(ManifestFacts { reports, ..ManifestFacts::bare(Digest::of(b"image"), None) })
}

pub(crate) fn about(root: ManifestFacts) -> Facts {
    Facts { root, platforms: None, first_seen: FirstSeen::new(), vex: Vec::new(), bases: Vec::new(), trust: None }
}

/// Facts of an index with these platforms.
pub(crate) fn index(platforms: Vec<(&str, Signal<CompleteScan>)>) -> Facts {
    let children = platforms.into_iter().map(|(name, scan)| (name.parse().unwrap(), manifest(name, scan)));
    Facts { platforms: NonEmpty::new(children.collect()), ..heard(Vec::new()) }
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
    let judgement = evaluate(set, &ask(), facts, &Exceptions::none(), now());
    assert_eq!(recorded(facts), *facts, "facts that were written down are read back as they were");
    judgement
}

/// The same facts, written down and read back.
pub(crate) fn recorded(facts: &Facts) -> Facts {
    let ask = Ask { digest: facts.root.digest.clone(), ..ask() };
    let document = FactsDocument::new(&ask, EnvironmentClass::Production, facts, now(), None);
    let text = serde_json::to_string_pretty(&document).unwrap();
    RecordedFacts::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}")).facts
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
    shown(judgement, id).map(|judged| judged.disposition.clone())
}

/// The finding with this id as the first rule shows it.
pub(crate) fn shown<'a>(judgement: &'a Judgement, id: &str) -> Option<&'a Judged> {
    judgement.rules.first().findings.iter().find(|judged| judged.finding.id.is(id))
}

/// The signers that the tests about signatures declare: keys `a`, `b` and `c`, and a pipeline.
pub(crate) const SIGNERS: &str = "a: { key: a.pub }, b: { key: b.pub }, c: { key: \"awskms:///alias/c\" }, \
    ci: { keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/acme/**\" } }";

/// The identity of the pipeline `ci`.
pub(crate) const PIPELINE: &str = "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main";

/// One policy with [`SIGNERS`] and one rule, given by its kind and the value.
pub(crate) fn signed_rule(rule: &str) -> PolicySet {
    set(&format!("signers: {{ {SIGNERS} }}, rules: [{{ id: r, {rule} }}]"))
}

/// A proof by the holder of this key; nothing says when.
pub(crate) fn by_key(key: &str) -> Proof {
    Proof::of(Signer::Key { key: Digest::of(key.as_bytes()), algorithm: "ecdsa-p256".to_owned() })
}

/// The same at this moment, as a timestamp authority says.
pub(crate) fn proven(proof: Proof, at: &[Timestamp]) -> Proof {
    let proven = at.iter().map(|at| ProvenTime { at: *at, by: TimeSource::TimestampAuthority, root: None }).collect();
    Proof { proven, ..proof }
}

/// A proof by this identity, an hour ago, with its entry in a log.
pub(crate) fn by_identity(identity: &str, issuer: &str) -> Proof {
    let certificate = Digest::of(identity.as_bytes());
    let (identity, issuer) = (CertificateIdentity::Uri(identity.to_owned()), issuer.to_owned());
    let claims = BTreeMap::from([("sourceRepositoryRef".to_owned(), "refs/heads/main".to_owned())]);
    let proof = Proof::of(Signer::Keyless { identity, issuer, claims, certificate });
    let log = Some(LogEntry { log: "c0ffee".to_owned(), index: 7, roots: vec![Digest::of(b"roots")] });
    proven(Proof { log, roots: vec![Digest::of(b"roots")], ..proof }, &[now() - hours(1)])
}

/// A proof by the pipeline `ci`.
pub(crate) fn by_pipeline() -> Proof {
    by_identity(PIPELINE, "https://gitlab.com")
}

/// Something signed that is attached to a manifest.
pub(crate) fn artifact(verified: Result<Authentic<Signed>, NonEmpty<Reason>>) -> SignedArtifact {
    made::artifact(SignatureFormat::Bundle, verified, None)
}

/// A signature on the manifest of this name.
pub(crate) fn signature_on(manifest: &str, proof: Proof) -> SignedArtifact {
    artifact(Ok(made::signature(Digest::of(manifest.as_bytes()), proof)))
}

/// A signature on the image.
pub(crate) fn signature(proof: Proof) -> SignedArtifact {
    signature_on("image", proof)
}

/// A statement about the image.
pub(crate) fn statement(kind: &str, predicate: &str, proof: Proof) -> SignedArtifact {
    artifact(Ok(made::statement(Digest::of(b"image"), kind, predicate.as_bytes().to_vec(), proof)))
}

/// Something that does not verify.
pub(crate) fn unverified(code: ReasonCode) -> SignedArtifact {
    artifact(Err(NonEmpty::one(Reason::new(code, "it does not verify"))))
}

/// The trust material of policy `p`: every key of [`SIGNERS`] and the roots.
pub(crate) fn material() -> TrustMaterial {
    let name = |signer: &str| TrustName { policy: "p".to_owned(), signer: signer.to_owned() };
    let keys = ["a", "b", "c"].into_iter().map(|key| (name(key), Ok(Digest::of(key.as_bytes())))).collect();
    let roots = BTreeMap::from([("p".to_owned(), Ok(vec![Digest::of(b"roots")]))]);
    TrustMaterial { digest: Digest::of(b"material"), keys, roots }
}

/// The same without the key of one signer, which could not be fetched.
pub(crate) fn without_key(signer: &str) -> TrustMaterial {
    let mut material = material();
    let why = Reason::new(ReasonCode::TrustKeyUnavailable, format!("the key of {signer} could not be fetched"));
    material.keys.insert(TrustName { policy: "p".to_owned(), signer: signer.to_owned() }, Err(why));
    material
}

/// A manifest with these attached to it.
pub(crate) fn holding(name: &str, artifacts: Vec<SignedArtifact>) -> ManifestFacts {
    let origin = Origin::Registry(HOST.to_owned());
    let signed = Observed { value: artifacts, origin, at: now(), evidence: Digest::of(b"listing") };
    ManifestFacts { signed: Signal::Present(signed), ..ManifestFacts::bare(Digest::of(name.as_bytes()), None) }
}

/// An image with these attached to it, and all trust material at hand.
pub(crate) fn attached(artifacts: Vec<SignedArtifact>) -> Facts {
    Facts { trust: Some(material()), ..about(holding("image", artifacts)) }
}
