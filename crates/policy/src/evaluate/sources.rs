//! Whose word counts in a rule (S18, S19, S22): of every report about one manifest, whether the policy accepts its source,
//! whether it proves a complete scan, and whether that is of today. What does not count is named, never passed over.

mod believed;

use model::{
    Clock, CompleteScan, Completeness, Finding, Gap, ManifestFacts, Origin, Reason, ReasonCode, ScanReport, Scanner,
    Signal, SignedDuration, Timestamp, UnknownClass, format_duration,
};

use super::rule::{Scene, rule_for};
use crate::document::{BlockWhen, EvidenceSource, OnUnknown, Source, Vulnerabilities};
use crate::set::{BASIC_AGE, CONTINUOUS_AGE, Member};

pub(super) use believed::{Believing, Standing};

/// How far ahead of our clock a source's clock may be.
pub(super) const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// A report that has something to say in a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    /// Its place among the reports about the manifest.
    pub(super) index: usize,
    pub(super) report: &'a ScanReport,
    /// The scan, if it is complete, accepted and of today; only such a one satisfies anything.
    pub(super) scan: Option<&'a CompleteScan>,
    /// What it found.
    pub(super) findings: &'a [Finding],
    /// The policy lists its source. What anybody else says may add findings, and changes nothing about those of others.
    pub(super) accepted: bool,
    /// By whose word it counts, if it does.
    by: Option<By>,
}

/// By whose word a report counts: what is said by one of these is never replaced by what another one says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The ECR API.
    Ecr,
    /// Whoever handed over files.
    File,
    /// Whoever may push to the image's repository.
    Registry,
    /// The signer at this place of `sources.accept`.
    Signer(usize),
}

impl Answer<'_> {
    /// Who speaks: the scanner, or for a format that several tools write, the tool.
    pub(super) fn voice(&self) -> (Scanner, String) {
        voice(self.report)
    }
}

/// What the reports about one manifest come to.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    /// Complete scans first, then those that may only add findings.
    pub(super) heard: Vec<Answer<'a>>,
    pub(super) gaps: Vec<Gap>,
    pub(super) notes: Vec<String>,
}

/// Sorts the reports about one manifest.
pub(super) fn read<'a>(scene: &Scene<'_, 'a>, rule: &Vulnerabilities, manifest: &'a ManifestFacts) -> Answers<'a> {
    let Scene { member, clock, .. } = *scene;
    let id = &scene.rule.id;
    let believing = Believing::of(scene);
    let several = manifest.reports.len() > 1;
    let (mut complete, mut adding, mut strangers) = (Vec::<Answer>::new(), Vec::new(), Vec::new());
    // Reports of accepted sources that are no complete scan of today; sources that are not accepted, and why.
    let (mut unusable, mut refused) = (Vec::new(), Vec::new());
    let (mut gaps, mut notes) = (Vec::new(), Vec::new());
    for (index, report) in manifest.reports.iter().enumerate() {
        let by = by(rule, report, &believing);
        let scan = of_today(member, rule, report, manifest, clock);
        let accepted = matches!(by, Word::Counts(_));
        let counted = if let Word::Counts(by) = by { by } else { None };
        let answer = Answer { index, report, scan: None, findings: &report.unproven, accepted, by: counted };
        let found: &[Finding] = scan.as_ref().map_or(&report.unproven, |scan| scan.findings());
        match (by, scan) {
            (Word::Counts(_), Ok(scan)) => complete.push(Answer { scan: Some(scan), findings: found, ..answer }),
            (Word::Counts(_), Err(gap)) => {
                unusable.push((report, gap));
                adding.push(answer);
            }
            (Word::Not(why), _) => {
                refused.push((report, why));
                strangers.push(Answer { findings: found, ..answer });
            }
            (Word::Unknown(Gap { class, mut reason }), _) => {
                // It may be by one who would have said the opposite.
                reason.message.insert_str(0, &format!("{}: ", named(report)));
                gaps.push(Gap { class, reason });
                strangers.push(Answer { findings: found, ..answer });
            }
        }
    }
    let complete = newest_of_each(complete, &mut notes);
    for answer in &complete {
        if let Some(why) = answer.report.scan.why_not()
            && let Signal::Unavailable { last: Some(last), .. } = &answer.report.scan
        {
            let of = if several { format!(" of {}", named(answer.report)) } else { String::new() };
            let read = minute(last.at);
            notes.push(format!("the last known good scan{of}, read at {read}, stands in: {}", why.message));
        }
    }
    for (report, gap) in unusable {
        let Gap { class, mut reason } = gap;
        if several {
            reason.message = format!("{}: {}", named(report), reason.message);
        }
        if reason.code == ReasonCode::ScanUnsupported && !rule.opens(Source::File) && !rule.opens(Source::Registry) {
            reason.remedy.push_str(" Such a report counts where `sources.accept` of the rule lists `file`.");
        }
        // Nothing stands in for a source that the policy requires.
        let answered = |answer: &Answer<'_>| answer.report.scanner == report.scanner;
        let required = rule.required().any(|scanner| scanner == report.scanner) && !complete.iter().any(answered);
        // What was handed over for this image and is not about it, or cannot be read, is a mistake that nothing makes up for.
        let mistaken =
            matches!((&report.origin, &report.scan), (Origin::File(_), Signal::Failed(why)) if is_mistake(why));
        // And what may be attached, but cannot be listed or read, may say the opposite of what is there (S25).
        let unseen = report.scanner == Scanner::Unknown && is_asked_of_registry(rule, report, reason.code);
        if complete.is_empty() || required || mistaken || unseen {
            gaps.push(Gap { class, reason });
        } else {
            let adds =
                if report.unproven.is_empty() { "another source answers" } else { "its findings may still block" };
            notes.push(format!("{}; {adds}", reason.message));
        }
    }
    if complete.is_empty() && gaps.is_empty() {
        gaps = believing.unseen(rule.report_signers(), manifest);
    }
    if complete.is_empty() && gaps.is_empty() {
        gaps.push(nothing_counts(id, rule, &refused).into());
    }
    for scanner in rule.required() {
        let heard = complete.iter().chain(&adding).any(|answer| answer.report.scanner == scanner);
        if !heard {
            let message = format!("rule {id:?} requires a scan by {scanner}, and there is none");
            gaps.push(Reason::new(ReasonCode::ScanRequiredMissing, message).into());
        }
    }
    let adds = rule.block_when() == BlockWhen::Any;
    if !complete.is_empty() {
        let means = if adds { "may add findings and satisfies nothing" } else { "is left out" };
        notes.extend(refused.iter().map(|(report, why)| {
            let why = why.as_deref().unwrap_or("the rule does not accept its source");
            format!("{} {means}: {why}", named(report))
        }));
    }
    if !adds {
        strangers.clear();
    }
    let more = adding.into_iter().chain(strangers).filter(|answer| !answer.findings.is_empty());
    Answers { heard: complete.into_iter().chain(more).collect(), gaps, notes }
}

/// What the policy makes of whoever a report is by.
enum Word {
    /// It counts; by nobody in particular where a document could not be had or read.
    Counts(Option<By>),
    /// It does not; why, if there is more to say than that its source is not listed.
    Not(Option<String>),
    Unknown(Gap),
}

/// By whose word a report counts (S22).
fn by(rule: &Vulnerabilities, report: &ScanReport, believing: &Believing<'_>) -> Word {
    let (origin, scanner) = (&report.origin, report.scanner);
    let nobody = scanner == Scanner::Unknown;
    let listed = || match origin {
        _ if !rule.accepts(origin, scanner) => Word::Not(None),
        Origin::Ecr(_) => Word::Counts(Some(By::Ecr)),
        Origin::File(_) => Word::Counts(Some(By::File)),
        Origin::Registry(_) | Origin::Attestation(_) => Word::Counts(Some(By::Registry)),
    };
    if let Some(why) = stranger(report) {
        return Word::Not(Some(why.message.clone()));
    }
    match origin {
        // What could not be read is nobody's report; why it could not is worth knowing wherever such files count.
        _ if nobody && matches!(report.scan, Signal::Present(_)) => Word::Not(None),
        Origin::File(_) if nobody && !rule.opens(Source::File) => Word::Not(None),
        Origin::File(_) | Origin::Registry(_) | Origin::Ecr(_) if nobody => Word::Counts(None),
        Origin::Attestation(attested) if is_unread(report) => {
            let open = rule.opens(Source::Registry) || opens_vex(rule);
            let signers = [rule.report_signers(), rule.vex_signers()].concat();
            match believing.signed(&signers, attested) {
                Standing::Open | Standing::Signed(_) => Word::Counts(None),
                Standing::Not(_) | Standing::Unknown(_) if open => Word::Counts(None),
                Standing::Not(why) => Word::Not(Some(why)),
                Standing::Unknown(gap) => Word::Unknown(gap),
            }
        }
        Origin::Attestation(attested) => match (believing.signed(rule.report_signers(), attested), listed()) {
            (Standing::Signed(place), _) if rule.accepts_signed(scanner) => Word::Counts(Some(By::Signer(place))),
            (_, Word::Counts(by)) => Word::Counts(by),
            (Standing::Unknown(gap), _) if rule.accepts_signed(scanner) => Word::Unknown(gap),
            (Standing::Not(why), _) => Word::Not(Some(why)),
            (Standing::Open | Standing::Signed(_) | Standing::Unknown(_), _) => Word::Not(None),
        },
        Origin::File(_) | Origin::Registry(_) | Origin::Ecr(_) => listed(),
    }
}

/// Why a report counts for nobody here, if whoever brought it says so: it was handed in by somebody who may not hand in for this environment.
fn stranger(report: &ScanReport) -> Option<&Reason> {
    report.scan.why_not().filter(|why| why.code == ReasonCode::ScanNotAccepted)
}

/// True for something signed that could not be read; a report that was read and proves no scan is another matter.
fn is_unread(report: &ScanReport) -> bool {
    let proves_nothing = report.scan.why_not().is_some_and(|why| why.code == ReasonCode::ScanUnproven);
    report.scanner == Scanner::Unknown && !proves_nothing
}

/// True if the rule believes VEX documents in the image's repository, whoever pushed them.
fn opens_vex(rule: &Vulnerabilities) -> bool {
    rule.vex.as_ref().is_some_and(|vex| vex.from.opens(EvidenceSource::Registry))
}

/// True if the rule would have listened to what is attached in the registry and cannot be known.
fn is_asked_of_registry(rule: &Vulnerabilities, report: &ScanReport, code: ReasonCode) -> bool {
    let vex = opens_vex(rule);
    let reports = rule.opens(Source::Registry);
    // Who signed it is one whose documents count: that is why it is here.
    matches!(report.origin, Origin::Attestation(_)) && is_unread(report)
        || matches!(report.origin, Origin::Registry(_))
            && match code {
                ReasonCode::VexInvalid => vex,
                ReasonCode::ScanMalformed | ReasonCode::ReportUnknownFormat => reports,
                // A list or a document that could not be had: it may be either.
                _ => vex || reports,
            }
}

/// True for a file that is broken or is not about the image.
fn is_mistake(why: &Reason) -> bool {
    use ReasonCode::{ReportUnknownFormat, ScanMalformed, ScanOtherImage, ScanPartial};
    matches!(why.code, ReportUnknownFormat | ScanMalformed | ScanPartial | ScanOtherImage)
}

/// Of several scans by one source, the one with the newest data (S18). What a scanner says in one way in (the ECR API, a
/// file, the registry) or by one signer is never replaced by what comes in another way or by another one.
fn newest_of_each<'a>(complete: Vec<Answer<'a>>, notes: &mut Vec<String>) -> Vec<Answer<'a>> {
    let dated = |answer: &Answer<'_>| answer.scan.map(|scan| (scan.database_at(), scan.completed_at()));
    let same = |one: &Answer<'_>, other: &Answer<'_>| one.by == other.by && one.voice() == other.voice();
    let mut kept: Vec<Answer<'a>> = Vec::new();
    for answer in complete {
        // Of two with the same data neither is the newer one: both count.
        let tie = |earlier: &Answer<'_>| dated(earlier) == dated(&answer);
        let Some(earlier) = kept.iter_mut().find(|earlier| same(earlier, &answer) && !tie(earlier)) else {
            kept.push(answer);
            continue;
        };
        let older = if dated(&answer) > dated(earlier) { std::mem::replace(earlier, answer) } else { answer };
        notes.push(format!("{} is left out: {} has newer data", named(older.report), named(earlier.report)));
    }
    kept
}

/// Why the rule has no scan to judge.
fn nothing_counts(id: &str, rule: &Vulnerabilities, refused: &[(&ScanReport, Option<String>)]) -> Reason {
    if refused.is_empty() {
        let reason = Reason::new(ReasonCode::ScanMissing, "there is no scan of this image");
        if rule.opens(Source::Ecr) && !rule.opens(Source::File) {
            return reason;
        }
        return reason
            .remedy("Scan the image with a scanner that the rule accepts and hand its report in: with `--report`, or to the decision service with `ecr-gate signals submit`; an image in ECR can be scanned there.");
    }
    let names: Vec<_> = refused
        .iter()
        .map(|(report, why)| why.as_ref().map_or_else(|| named(report), |why| format!("{}: {why}", named(report))))
        .collect();
    let message = format!("rule {id:?} does not accept the source of what there is: {}", names.join(", "));
    if refused.iter().all(|(report, _)| matches!(report.origin, Origin::Attestation(_))) {
        return Reason::new(ReasonCode::ScanNotAccepted, message).remedy(
            "Add the signer to `spec.signers` and to `sources.accept` of the rule, or let one that is there sign a report.",
        );
    }
    if refused.iter().all(|(report, _)| stranger(report).is_some()) {
        let message = format!("nothing that there is counts for rule {id:?}: {}", names.join(", "));
        return Reason::new(ReasonCode::ScanNotAccepted, message).remedy(
            "Hand in the report as somebody who may submit for this environment too: `ecr-gate whoami` says for which one may.",
        );
    }
    let missing = refused.first().map(|(report, _)| rule.missing_for(&report.origin, report.scanner).join(" and "));
    let missing = missing.as_deref().unwrap_or("its source");
    Reason::new(ReasonCode::ScanNotAccepted, message)
        .remedy(format!("Add {missing} to `sources.accept` of the rule, or let the gate ask a source that it accepts."))
}

/// The scan of one report, if it is proven, of this push, and young enough.
fn of_today<'a>(
    member: &Member,
    rule: &Vulnerabilities,
    report: &'a ScanReport,
    manifest: &ManifestFacts,
    clock: &Clock,
) -> Result<&'a CompleteScan, Gap> {
    let stand_in = [UnknownClass::Throttled, UnknownClass::RegistryUnavailable, UnknownClass::Deadline]
        .into_iter()
        .filter(|class| report.scan.why_not().is_some_and(|why| why.code.class() == Some(*class)))
        .find_map(|class| match rule_for(member, class) {
            OnUnknown::LastKnownGood(age) => Some(age),
            _ => None,
        });
    let scan = &report.scan.usable(stand_in, clock)?.value;
    let newest = scan.database_at().max(scan.completed_at());
    if !clock.reached(newest.checked_sub(SKEW).unwrap_or(newest)) {
        let message = format!("the scan is dated {newest}, in the future");
        return Err(Reason::new(ReasonCode::ScanMalformed, message).into());
    }
    // S16: a saved answer does not hold the time of the push; the registry may. A scanner's own report is about content: what
    // was scanned before it was pushed under its digest was scanned.
    if let Some(pushed) = manifest.pushed_at
        && !matches!(scan.proof(), Completeness::Report { .. })
        && scan.completed_at() < pushed
    {
        let message =
            format!("the scan ended at {}, before the push at {}", minute(scan.completed_at()), minute(pushed));
        return Err(Reason::new(ReasonCode::ScanOlderThanPush, message).into());
    }
    let default = if scan.is_continuous() { CONTINUOUS_AGE } else { BASIC_AGE };
    let limit = rule.max_scan_age.map_or(default, |age| age.0);
    if clock.older_than(scan.database_at(), limit) {
        let age = clock.now().duration_since(scan.database_at());
        let hours = SignedDuration::from_hours(age.as_hours());
        let age = if hours.is_zero() { SignedDuration::from_mins(age.as_mins()) } else { hours };
        let message = format!(
            "the vulnerability data of the scan is of {}, {} old; the policy allows {}",
            minute(scan.database_at()),
            format_duration(age),
            format_duration(limit)
        );
        return Err(Reason::new(ReasonCode::ScanStale, message).into());
    }
    Ok(scan)
}

/// The scanner; for a format that several tools write, with the tool's name without its version.
fn voice(report: &ScanReport) -> (Scanner, String) {
    let version = |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let tool = match report.scanner {
        Scanner::Sarif | Scanner::CycloneDx | Scanner::Osv | Scanner::Harbor => report.tool.as_deref(),
        _ => None,
    };
    let words = tool.into_iter().flat_map(str::split_whitespace).take_while(|word| !version(word));
    (report.scanner, words.collect::<Vec<_>>().join(" ").to_lowercase())
}

/// The report as people know it: `trivy (file report.json)`.
pub(super) fn named(report: &ScanReport) -> String {
    let tool = report.tool.as_deref().unwrap_or_else(|| report.scanner.as_str());
    match &report.origin {
        Origin::Ecr(region) => format!("{tool} (the ECR API in {region})"),
        Origin::File(name) => format!("{tool} (file {name})"),
        Origin::Registry(digest) => format!("{tool} (in the registry, {digest})"),
        Origin::Attestation(attested) => format!("{tool} (in the registry, {attested})"),
    }
}

fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
