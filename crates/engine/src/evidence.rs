//! Files that the caller hands over: each is read once, and bound to the image it says that it is about. A report about
//! another image, or one that cannot be read, leaves nothing that could satisfy a rule.

use model::{
    Digest, ImageReference, ManifestFacts, Measurement, Observed, Origin, Reason, ReasonCode, Sbom, ScanReport,
    Scanner, Signal, Timestamp, VexDocument,
};
use signals::report::{Document, Subject};
use signals::{Limits, measurement, report, sbom, vex};

mod beside;
mod narrowed;

/// A file the caller hands over.
#[derive(Debug, Clone)]
pub struct HandedFile {
    /// Its name.
    pub name: String,
    /// The scanner the caller says it is from; refused if the content says something else.
    pub scanner: Option<Scanner>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The one manifest that whoever handed it over said it is about; nothing: whatever is asked about.
    pub about: Option<Digest>,
}

/// Everything the caller hands over.
#[derive(Debug, Clone, Default)]
pub struct HandedOver {
    /// Scanner reports.
    pub reports: Vec<HandedFile>,
    /// Bills of materials.
    pub sboms: Vec<HandedFile>,
    /// VEX documents.
    pub vex: Vec<HandedFile>,
    /// Measurement documents.
    pub measurements: Vec<HandedFile>,
    /// Scanner reports that may add findings and satisfy nothing, whatever the policy says of files (S22); each with why.
    pub beside: Vec<(HandedFile, Reason)>,
    /// They add to what registries and ECR say, who are asked all the same; else they may stand for it.
    pub adds: bool,
}

/// A document that was read, and where it came from.
#[derive(Debug)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
    pub(crate) evidence: Digest,
    /// The one manifest it was handed over about.
    about: Option<Digest>,
}

/// What was handed over, read.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Reports not yet bound to a manifest.
    reports: Vec<Given<Document>>,
    /// The first report about each manifest that cannot be used at all.
    broken: Vec<Broken>,
    sboms: Vec<Given<Vec<Sbom>>>,
    vex: Vec<Given<VexDocument>>,
    measurements: Vec<Given<Vec<Measurement>>>,
    /// Reports that may add findings alone, and why that is all.
    beside: Vec<(Given<Document>, Reason)>,
}

/// A report that cannot be used at all, with its scanner as far as it is known.
#[derive(Debug)]
struct Broken {
    scanner: Scanner,
    origin: Origin,
    reason: Reason,
    about: Option<Digest>,
}

/// What an image is known by.
#[derive(Debug, Clone, Copy)]
struct Identity<'a> {
    /// The manifest that is judged; for a `docker save` archive its image id.
    digest: &'a Digest,
    /// The image id, if the configuration is known.
    config: Option<&'a Digest>,
}

/// From this size on, in bytes, a thread costs less than it saves.
const SIDE_BY_SIDE: usize = 1 << 20;

impl Evidence {
    /// Reads every file.
    ///
    /// # Errors
    /// A VEX document, bill of materials or measurement cannot be read: a verdict without it would not be the one that was
    /// asked for.
    pub(crate) fn read(handed: &HandedOver) -> Result<Self, Reason> {
        let limits = &Limits::STANDARD;
        let mut evidence = Self {
            reports: Vec::new(),
            broken: Vec::new(),
            sboms: list(&handed.sboms, ReasonCode::SbomInvalid, |bytes| {
                sbom::parse(bytes, limits).map(|one| vec![one])
            })?,
            vex: list(&handed.vex, ReasonCode::VexInvalid, |bytes| vex::parse(bytes, limits))?,
            measurements: list(&handed.measurements, ReasonCode::MeasurementInvalid, |bytes| {
                measurement::parse(bytes, limits)
            })?,
            beside: beside::read(&handed.beside),
        };
        for file in &handed.reports {
            let (parsed, digest) = side_by_side(&file.bytes);
            let named = |reason: Reason| Reason { message: format!("{}: {}", file.name, reason.message), ..reason };
            match parsed.map_err(|error| named(error.reason(code_of(&error)))) {
                Err(reason) => evidence.is_broken(file.scanner, file, reason),
                Ok(document) if file.scanner.is_some_and(|said| said != document.scanner) => {
                    let said = file.scanner.map_or("", Scanner::as_str);
                    let message =
                        format!("{} was given as a report of {said}, but it is one of {}", file.name, document.scanner);
                    let reason = Reason::new(ReasonCode::ReportUnknownFormat, message);
                    evidence.is_broken(Some(document.scanner), file, reason);
                }
                Ok(document) => evidence.reports.push(given(document, file, digest)),
            }
        }
        Ok(evidence)
    }

    fn is_broken(&mut self, scanner: Option<Scanner>, file: &HandedFile, reason: Reason) {
        let (scanner, about) = (scanner.unwrap_or(Scanner::Unknown), file.about.clone());
        self.add_broken(Broken { scanner, origin: Origin::File(file.name.clone()), reason, about });
    }

    fn add_broken(&mut self, broken: Broken) {
        if !self.broken.iter().any(|other| other.about == broken.about) {
            self.broken.push(broken);
        }
    }

    /// True if a report was handed over, whatever became of it.
    pub(crate) fn has_reports(&self) -> bool {
        !self.reports.is_empty() || !self.broken.is_empty()
    }

    /// True if there are reports, all of them saved answers of ECR or files that cannot be read as anything.
    pub(crate) fn is_saved_from_ecr(&self) -> bool {
        self.has_reports() && self.reports.iter().all(|report| report.value.scanner == Scanner::Ecr)
    }

    /// Adds a report that was found in the registry.
    pub(crate) fn attach(&mut self, document: Document, origin: Origin, evidence: Digest) {
        self.reports.push(Given { value: document, origin, evidence, about: None });
    }

    /// What the reports alone say about which image they are about, if every one of them says it so exactly that nothing
    /// has to be asked of a registry: by the digest of one manifest (never of an index), or by one image id.
    /// With `by_id` an image id will do where a report names digests too: there is no registry to ask about them.
    pub(crate) fn speaks_for_itself(&self, by_id: bool) -> Option<Exact> {
        let mut exact: Option<Exact> = None;
        for report in &self.reports {
            let subject = &report.value.subject;
            let this = match (report.value.scanner, subject.manifests.as_slice(), &subject.config) {
                (Scanner::Ecr | Scanner::Grype | Scanner::Inspector, [one], _) => Exact::Manifest(one.clone()),
                (_, [], Some(id)) => Exact::ImageId(id.clone()),
                (_, _, Some(id)) if by_id => Exact::ImageId(id.clone()),
                // What says nothing cannot be bound by anything that a registry knows.
                (_, [], None) => continue,
                _ => return None,
            };
            match &exact {
                Some(other) if *other != this => return None,
                _ => exact = Some(this),
            }
        }
        Some(exact.unwrap_or(Exact::Nothing))
    }

    /// Why the first report that cannot be read cannot be read.
    pub(crate) fn broken(&self) -> Option<Reason> {
        self.broken.first().map(|broken| broken.reason.clone())
    }

    /// S1: refuses reports about another repository, account or tag than the one that is asked about.
    pub(crate) fn contradicts(&mut self, image: &ImageReference, account: Option<&str>) {
        let mut kept = Vec::new();
        for report in std::mem::take(&mut self.reports) {
            match contradiction(image, account, &report.value.subject) {
                None => kept.push(report),
                Some((what, theirs, ours)) => {
                    let message = format!("the report is about {what} {theirs}, not {ours}");
                    let reason = Reason::new(ReasonCode::ScanOtherImage, message);
                    let Given { value, origin, about, .. } = report;
                    self.add_broken(Broken { scanner: value.scanner, origin, reason, about });
                }
            }
        }
        self.reports = kept;
        self.beside.retain(|(report, _)| contradiction(image, account, &report.value.subject).is_none());
    }

    /// True if a report can only be bound by the image id.
    pub(crate) fn wants_config(&self) -> bool {
        let beside = self.beside.iter().map(|(report, _)| report);
        self.reports.iter().chain(beside).any(|report| report.value.subject.config.is_some())
    }

    /// Gives what is left over to every manifest that it was handed over for: what says nothing about its image may add findings; what is
    /// about another image, or cannot be read, was handed over for this one and so leaves no report standing.
    pub(crate) fn settle<'a>(
        &mut self,
        root: &Digest,
        manifests: impl Iterator<Item = &'a mut ManifestFacts>,
        now: Timestamp,
    ) {
        let rest = self.rest(root, now);
        let by_hand = |report: &ScanReport| matches!(report.origin, Origin::File(_));
        let refused = |report: &ScanReport| match &report.scan {
            Signal::Failed(reason) => {
                reason.code != ReasonCode::ScanUnbound && by_hand(report) && report.unproven.is_empty()
            }
            _ => false,
        };
        for facts in manifests {
            let mine = rest.iter().filter(|(about, _)| is_for(about.as_ref(), root, &facts.digest));
            let (refused, harmless): (Vec<ScanReport>, Vec<ScanReport>) =
                mine.map(|(_, report)| report.clone()).partition(refused);
            if !refused.is_empty() {
                facts.reports.retain(|report| !by_hand(report));
                facts.reports.splice(0..0, refused);
            }
            facts.reports.extend(harmless);
            facts.reports.extend(self.beside(root, facts));
        }
    }

    /// Binds reports to one manifest: those about it are taken out of the evidence.
    pub(crate) fn bind(
        &mut self,
        root: &Digest,
        digest: &Digest,
        config: Option<&Digest>,
        now: Timestamp,
    ) -> Vec<ScanReport> {
        let identity = Identity { digest, config };
        let (mine, others) = std::mem::take(&mut self.reports).into_iter().partition(|report| {
            is_for(report.about.as_ref(), root, digest) && matches!(about(&report.value.subject, identity), Bond::Same)
        });
        self.reports = others;
        mine.into_iter().map(|report| scan_report(report, now)).collect()
    }

    /// What is left when every manifest took its own: reports that do not say what they are about, or are about
    /// something else. They may add findings where they do not say it; they never satisfy anything.
    fn rest(&mut self, root: &Digest, now: Timestamp) -> Vec<(Option<Digest>, ScanReport)> {
        let mut rest = Vec::new();
        for mut report in std::mem::take(&mut self.reports) {
            let subject = &report.value.subject;
            let names = subject.name.clone().unwrap_or_else(|| "nothing".to_owned());
            let says_nothing = subject.manifests.is_empty() && subject.config.is_none();
            let origin = report.origin.clone();
            let tell = |origin: &Origin| match origin {
                Origin::File(name) => name.clone(),
                Origin::Ecr(place) | Origin::Registry(place) => place.clone(),
                Origin::Attestation(attested) => attested.to_string(),
            };
            let reason = if says_nothing {
                let message =
                    format!("{} does not say by digest which image it is about (it names {names})", tell(&origin));
                Reason::new(ReasonCode::ScanUnbound, message)
            } else {
                let theirs = subject.manifests.first().or(subject.config.as_ref()).map_or("", Digest::as_str);
                let what = tell(&origin);
                let message = if theirs == root.as_str() {
                    format!(
                        "the report {what} is about the whole index {root}; each platform needs a report of its own"
                    )
                } else {
                    let asked = report.about.as_ref().unwrap_or(root);
                    format!("the report {what} is about image {theirs}, not {asked}")
                };
                Reason::new(ReasonCode::ScanOtherImage, message)
            };
            // A report that proves nothing anyway may keep its reason.
            let scan = std::mem::replace(&mut report.value.scan, Err(Signal::Failed(reason.clone())));
            if says_nothing {
                match scan {
                    Ok(scan) => report.value.unproven = scan.into_findings(),
                    Err(signal) => report.value.scan = Err(signal),
                }
            } else {
                report.value.unproven.clear();
            }
            rest.push((report.about.clone(), scan_report(report, now)));
        }
        let broken = std::mem::take(&mut self.broken).into_iter().map(|Broken { scanner, origin, reason, about }| {
            let scan = Signal::Failed(reason);
            (about, ScanReport { scanner, tool: None, origin, scan, unproven: Vec::new() })
        });
        rest.extend(broken);
        rest
    }
}

/// What reports alone say about the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exact {
    /// This manifest.
    Manifest(Digest),
    /// This image id.
    ImageId(Digest),
    /// No report says anything about it.
    Nothing,
}

enum Bond {
    Same,
    Other,
}

/// S1: whether a report is about this manifest. The image id decides where both are known: digests of the same image
/// differ from registry to registry, and a scanner may name the index instead of the manifest.
fn about(subject: &Subject, identity: Identity<'_>) -> Bond {
    if let (Some(theirs), Some(ours)) = (&subject.config, identity.config) {
        return if theirs == ours { Bond::Same } else { Bond::Other };
    }
    let named = |digest: &Digest| subject.manifests.contains(digest);
    if named(identity.digest) || (subject.config.as_ref() == Some(identity.digest)) {
        return Bond::Same;
    }
    Bond::Other
}

/// What a report names that is not what is asked about: the kind of thing, theirs, ours.
fn contradiction(
    image: &ImageReference,
    account: Option<&str>,
    subject: &Subject,
) -> Option<(&'static str, String, String)> {
    if let Some(theirs) = &subject.repository
        && theirs != image.repository.as_str()
    {
        return Some(("repository", theirs.clone(), image.repository.to_string()));
    }
    if let (Some(theirs), Some(ours)) = (&subject.account, account)
        && theirs != ours
    {
        return Some(("account", theirs.clone(), ours.to_owned()));
    }
    // A tag that the report names has to be the tag that was asked for; by digest alone nothing is claimed about tags.
    if let (Some(theirs), Some(ours), None) = (&subject.tag, &image.tag, &image.digest)
        && theirs != ours.as_str()
    {
        return Some(("tag", theirs.clone(), ours.to_string()));
    }
    None
}

fn scan_report(report: Given<Document>, at: Timestamp) -> ScanReport {
    let Given { value, origin, evidence, .. } = report;
    let scan = match value.scan {
        Ok(scan) => Signal::Present(Observed { value: scan, origin: origin.clone(), at, evidence }),
        Err(signal) => signal,
    };
    ScanReport { scanner: value.scanner, tool: value.tool, origin, scan, unproven: value.unproven }
}

fn given<T>(value: T, file: &HandedFile, evidence: Digest) -> Given<T> {
    Given { value, origin: Origin::File(file.name.clone()), evidence, about: file.about.clone() }
}

/// S1, S22: a file that was handed over about one manifest counts for no other; one about the whole index, or whatever is asked about, is for
/// those of its manifests that it says itself that it is about.
fn is_for(about: Option<&Digest>, root: &Digest, manifest: &Digest) -> bool {
    about.is_none_or(|about| about == manifest || about == root)
}

fn list<T>(
    files: &[HandedFile],
    code: ReasonCode,
    parse: impl Fn(&[u8]) -> Result<T, signals::ParseError>,
) -> Result<Vec<Given<T>>, Reason> {
    let read = files.iter().map(|file| {
        let value = parse(&file.bytes).map_err(|error| Reason::new(code, format!("{}: {error}", file.name)))?;
        Ok(given(value, file, Digest::of(&file.bytes)))
    });
    read.collect()
}

/// What the bytes say, and their digest. The digest of a large report takes half as long as reading it, so both are done
/// side by side.
fn side_by_side(bytes: &[u8]) -> (Result<Document, signals::ParseError>, Digest) {
    let parse = || report::parse(bytes, &Limits::STANDARD);
    if bytes.len() < SIDE_BY_SIDE {
        return (parse(), Digest::of(bytes));
    }
    std::thread::scope(|scope| {
        let digest = std::thread::Builder::new().spawn_scoped(scope, || Digest::of(bytes));
        let parsed = parse();
        let digest = match digest {
            Ok(thread) => thread.join().unwrap_or_else(|_| Digest::of(bytes)),
            Err(_) => Digest::of(bytes),
        };
        (parsed, digest)
    })
}

/// Nothing known is another reason than something known that is broken.
fn code_of(error: &signals::ParseError) -> ReasonCode {
    if error.format.is_some() { ReasonCode::ScanMalformed } else { ReasonCode::ReportUnknownFormat }
}
