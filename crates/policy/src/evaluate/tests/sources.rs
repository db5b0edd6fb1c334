//! S22: whose reports count. S19: what a report that proves nothing may do. S18: which of two by the same source. A15.

use model::{Origin, Reason, ReasonCode, ScanReport, Scanner, Severity, Signal, UnknownClass, Verdict};

use crate::scene::{
    Scan, became, class, codes, days, file, finding, heard, hours, judge, messages, now, rule, scan, set, unproven,
    without,
};

fn sources(keys: &str) -> crate::PolicySet {
    rule(&format!("{{ max: {{ high: 0 }}, sources: {{ {keys} }} }}"))
}

fn clean(scanner: Scanner) -> Scan {
    file(scanner, vec![])
}

fn bad(scanner: Scanner) -> Scan {
    file(scanner, vec![finding("CVE-1", Severity::High)])
}

fn in_registry(scan: Scan) -> ScanReport {
    Scan { origin: Origin::Registry("sha256:abc".to_owned()), ..scan }.report()
}

fn notes(judgement: &model::Judgement) -> String {
    judgement.rules.first().notes.join("\n")
}

#[test]
fn s22_a_report_counts_by_its_way_in_and_its_scanner() {
    let ecr_api = || scan(vec![]).report();
    let ecr_saved = || clean(Scanner::Ecr).report();
    let trivy = || clean(Scanner::Trivy).report();
    let grype_attached = || in_registry(clean(Scanner::Grype));
    for (accept, [api, saved, of_trivy, attached]) in [
        ("[ecr]", [true, false, false, false]),
        ("[file]", [false, true, true, false]),
        ("[registry]", [false, false, false, true]),
        ("[ecr, file]", [true, true, true, false]),
        ("[ecr, file, registry]", [true, true, true, true]),
        // Named scanners narrow files and attached reports, a saved answer of ECR included.
        ("[file, trivy]", [false, false, true, false]),
        ("[file, grype]", [false, false, false, false]),
        ("[file, registry, grype]", [false, false, false, true]),
        ("[ecr, file, trivy]", [true, true, true, false]),
        ("[ecr, registry, snyk]", [true, false, false, false]),
    ] {
        let set = sources(&format!("accept: {accept}"));
        for (report, accepted) in
            [(ecr_api(), api), (ecr_saved(), saved), (trivy(), of_trivy), (grype_attached(), attached)]
        {
            let judgement = judge(&set, &heard(vec![report.clone()]));
            assert_eq!(judgement.verdict == Verdict::Allow, accepted, "{accept} {report:?}");
            if !accepted {
                assert_eq!(codes(&judgement), ["scan.notAccepted"], "{accept}");
                assert_eq!((class(&judgement), judgement.counts()), (UnknownClass::ScanMissing, None));
            }
        }
    }
}

#[test]
fn s22_a_report_that_does_not_count_says_what_would_make_it() {
    let remedy = |keys: &str, report: ScanReport| {
        let judgement = judge(&rule(&format!("{{ {keys} }}")), &heard(vec![report]));
        assert!(
            messages(&judgement).contains("does not accept the source of what there is"),
            "{}",
            messages(&judgement)
        );
        judgement.reasons()[0].remedy.clone()
    };
    let trivy = || clean(Scanner::Trivy).report();
    for (keys, report, add) in [
        ("", trivy(), "Add `file` to"),
        ("sources: { accept: [ecr] }", trivy(), "Add `file` to"),
        ("sources: { accept: [file, grype] }", trivy(), "Add `trivy` to"),
        ("sources: { accept: [registry, grype] }", trivy(), "Add `file` and `trivy` to"),
        ("sources: { accept: [file, grype] }", clean(Scanner::Ecr).report(), "Add `ecr` to"),
        ("sources: { accept: [file] }", in_registry(clean(Scanner::Trivy)), "Add `registry` to"),
        ("sources: { accept: [file] }", scan(vec![]).report(), "Add `ecr` to"),
    ] {
        let text = remedy(keys, report);
        assert!(text.starts_with(add), "{keys}: {text}");
    }
}

#[test]
fn s22_without_any_report_the_scan_is_missing() {
    for (keys, way) in [("", "scan on push"), ("sources: { accept: [file] }", "`--report`")] {
        let judgement = judge(&rule(&format!("{{ {keys} }}")), &heard(vec![]));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["scan.missing"]), "{keys}");
        assert!(judgement.reasons()[0].remedy.contains(way), "{keys}: {}", judgement.reasons()[0].remedy);
    }
}

#[test]
fn s19_what_is_not_accepted_may_add_findings_and_satisfies_nothing() {
    let set = sources("accept: [ecr]");
    // Beside a clean scan that counts, it denies; alone it denies, too, and the scan stays unknown.
    let judgement = judge(&set, &heard(vec![scan(vec![]).report(), bad(Scanner::Trivy).report()]));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
    assert!(
        notes(&judgement).contains("trivy (file trivy.json) may add findings and satisfies nothing"),
        "{}",
        notes(&judgement)
    );
    let alone = judge(&set, &heard(vec![bad(Scanner::Trivy).report()]));
    assert_eq!(codes(&alone), ["vuln.maxExceeded", "scan.notAccepted"]);
    assert_eq!(alone.counts(), None);
    // Nor does it stand in for an accepted source that has nothing to say.
    let pending = Signal::Pending(Reason::new(ReasonCode::ScanPending, "it runs"));
    let mut facts = crate::scene::facts(pending);
    facts.root.reports.push(clean(Scanner::Trivy).report());
    assert_eq!(codes(&judge(&set, &facts)), ["scan.pending"]);
    // Where sources have to agree, a stranger has no voice at all.
    for agree in ["majority", "all"] {
        let set = sources(&format!("accept: [ecr], blockWhen: {agree}"));
        let judgement = judge(&set, &heard(vec![scan(vec![]).report(), bad(Scanner::Trivy).report()]));
        assert_eq!(judgement.verdict, Verdict::Allow, "{agree}");
        assert!(notes(&judgement).contains("is left out"), "{}", notes(&judgement));
        assert_eq!(judgement.counts().map(|counts| counts.len()), Some(0));
    }
}

#[test]
fn s19_a_stranger_whose_scan_is_not_of_today_adds_nothing() {
    let old = Scan { dated: now() - days(30), ..bad(Scanner::Trivy) }.report();
    let judgement = judge(&sources("accept: [ecr]"), &heard(vec![scan(vec![]).report(), old]));
    assert_eq!(judgement.verdict, Verdict::Allow, "{:?}", judgement.reasons());
}

#[test]
fn s19_a_report_that_proves_nothing_may_block_and_never_satisfies() {
    let set = sources("accept: [ecr, file]");
    for scanner in [Scanner::CycloneDx, Scanner::Osv, Scanner::Sarif] {
        let empty = judge(&set, &heard(vec![unproven(scanner, vec![])]));
        assert_eq!((empty.verdict, codes(&empty)), (Verdict::Deny, vec!["scan.unproven"]));
        let high = || unproven(scanner, vec![finding("CVE-1", Severity::High)]);
        let alone = judge(&set, &heard(vec![high()]));
        assert_eq!(codes(&alone), ["vuln.maxExceeded", "scan.unproven"]);
        let beside = judge(&set, &heard(vec![scan(vec![]).report(), high()]));
        assert_eq!((beside.verdict, codes(&beside)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
        assert!(notes(&beside).contains("its findings may still block"), "{}", notes(&beside));
        let harmless = judge(&set, &heard(vec![scan(vec![]).report(), unproven(scanner, vec![])]));
        assert_eq!(harmless.verdict, Verdict::Allow);
    }
    // Even where not knowing is a warning, what it says denies.
    let soft = "onUnknown: { default: warn }, rules: [{ id: r, vulnerabilities: { max: { high: 0 }, sources: { accept: [file] } } }]";
    let judgement = judge(&set_of(soft), &heard(vec![unproven(Scanner::Osv, vec![finding("CVE-1", Severity::High)])]));
    assert_eq!(judgement.verdict, Verdict::Deny);
}

fn set_of(spec: &str) -> crate::PolicySet {
    set(spec)
}

#[test]
fn s19_required_sources_must_all_answer() {
    let set = sources("accept: [ecr, file], required: [ecr, trivy]");
    let (ecr, trivy, grype) =
        (|| scan(vec![]).report(), || clean(Scanner::Trivy).report(), || clean(Scanner::Grype).report());
    assert_eq!(judge(&set, &heard(vec![ecr(), trivy()])).verdict, Verdict::Allow);
    let saved = clean(Scanner::Ecr).report();
    assert_eq!(judge(&set, &heard(vec![saved, trivy()])).verdict, Verdict::Allow, "a saved answer that counts");
    for (reports, missing) in [(vec![ecr()], "trivy"), (vec![ecr(), grype()], "trivy"), (vec![trivy(), grype()], "ecr")]
    {
        let judgement = judge(&set, &heard(reports));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["scan.requiredMissing"]), "{missing}");
        assert!(messages(&judgement).contains(&format!("requires a scan by {missing}")), "{}", messages(&judgement));
        assert_eq!((class(&judgement), judgement.counts()), (UnknownClass::ScanMissing, None));
    }
    // One that tried and failed says why itself.
    let failed = |code| without(Scanner::Trivy, Signal::Failed(Reason::new(code, "it broke")), vec![]);
    for code in [ReasonCode::ScanMalformed, ReasonCode::ScanUnproven, ReasonCode::ScanOtherImage] {
        let judgement = judge(&set, &heard(vec![ecr(), failed(code)]));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec![code.as_str()]));
        assert!(messages(&judgement).starts_with("trivy (file trivy.json): it broke"));
    }
    let stale = Scan { dated: now() - days(9), ..clean(Scanner::Trivy) }.report();
    assert_eq!(codes(&judge(&set, &heard(vec![ecr(), stale]))), ["scan.stale"]);
    // A required scanner whose report came in by another way than the policy opens has not answered.
    let attached = in_registry(clean(Scanner::Trivy));
    let judgement = judge(&set, &heard(vec![ecr(), attached]));
    assert_eq!(codes(&judgement), ["scan.requiredMissing"]);
    // A second try of the same scanner that worked is an answer.
    assert_eq!(judge(&set, &heard(vec![ecr(), failed(ReasonCode::ScanFailed), trivy()])).verdict, Verdict::Allow);
    // But a file that was handed over for this image and is broken, or about another one, is a mistake.
    for code in [ReasonCode::ScanMalformed, ReasonCode::ScanOtherImage, ReasonCode::ScanPartial] {
        assert_eq!(judge(&set, &heard(vec![ecr(), failed(code), trivy()])).verdict, Verdict::Deny);
    }
}

#[test]
fn s19_nothing_usable_gives_every_reason_and_the_weightiest_class() {
    let set = self::set(
        "onUnknown: { scanPending: pending, default: deny },
         rules: [{ id: r, vulnerabilities: { sources: { accept: [ecr, file] } } }]",
    );
    let mut facts = crate::scene::facts(Signal::Pending(Reason::new(ReasonCode::ScanPending, "it runs")));
    assert_eq!(judge(&set, &facts).verdict, Verdict::Pending);
    facts.root.reports.push(without(
        Scanner::Trivy,
        Signal::Failed(Reason::new(ReasonCode::ScanOtherImage, "about another image")),
        vec![],
    ));
    let judgement = judge(&set, &facts);
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::EvidenceInvalid));
    assert_eq!(codes(&judgement), ["scan.pending", "scan.otherImage"]);
    assert!(messages(&judgement).contains("ecr (the ECR API in eu-central-1): it runs"), "{}", messages(&judgement));
}

#[test]
fn s19_an_unusable_report_beside_a_usable_one_is_named() {
    let set = sources("accept: [ecr, file]");
    let stale = Scan { dated: now() - days(9), ..bad(Scanner::Trivy) }.report();
    let future = Scan { dated: now() + hours(2), ..bad(Scanner::Snyk) }.report();
    let failed = without(Scanner::Grype, Signal::Failed(Reason::new(ReasonCode::ScanFailed, "it broke")), vec![]);
    let judgement = judge(&set, &heard(vec![stale, scan(vec![]).report(), failed, future]));
    assert_eq!(judgement.verdict, Verdict::Allow, "{:?}", judgement.reasons());
    let notes = notes(&judgement);
    for says in [
        "trivy (file trivy.json): the vulnerability data",
        "grype (file grype.json): it broke; another source answers",
        "snyk (file snyk.json): the scan is dated",
    ] {
        assert!(notes.contains(says), "{says}: {notes}");
    }
    // Alone, none of them is an answer.
    for scan in [
        Scan { dated: now() - days(9), ..clean(Scanner::Trivy) },
        Scan { dated: now() + hours(2), ..clean(Scanner::Snyk) },
    ] {
        assert_eq!(judge(&set, &heard(vec![scan.report()])).verdict, Verdict::Deny);
    }
}

#[test]
fn s22_a_file_that_cannot_be_read_says_so_wherever_files_count() {
    let why = || Signal::Failed(Reason::new(ReasonCode::ReportUnknownFormat, "no format that is known"));
    let unreadable = || without(Scanner::Unknown, why(), vec![]);
    for accept in ["[file]", "[file, trivy]"] {
        let judgement = judge(&sources(&format!("accept: {accept}")), &heard(vec![unreadable()]));
        assert_eq!(codes(&judgement), ["report.unknownFormat"], "{accept}");
    }
    assert_eq!(codes(&judge(&sources("accept: [ecr]"), &heard(vec![unreadable()]))), ["scan.notAccepted"]);
    // Whoever hands over a file means it to count: one that cannot be read leaves the answer open.
    let set = sources("accept: [ecr, file]");
    let judgement = judge(&set, &heard(vec![scan(vec![]).report(), unreadable()]));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["report.unknownFormat"]));
    // Whatever it claims to be, a report of nobody satisfies nothing.
    let claims = Scan { scanner: Scanner::Unknown, ..clean(Scanner::Trivy) }.report();
    assert_eq!(judge(&set, &heard(vec![claims])).verdict, Verdict::Deny);
}

#[test]
fn s18_of_two_reports_of_one_source_the_newer_data_counts() {
    let set = sources("accept: [file]");
    let dated = |hours_ago, scan: Scan| Scan { dated: now() - hours(hours_ago), ..scan }.report();
    for (reports, verdict) in [
        (vec![dated(1, clean(Scanner::Trivy)), dated(9, bad(Scanner::Trivy))], Verdict::Allow),
        (vec![dated(9, bad(Scanner::Trivy)), dated(1, clean(Scanner::Trivy))], Verdict::Allow),
        (vec![dated(9, clean(Scanner::Trivy)), dated(1, bad(Scanner::Trivy))], Verdict::Deny),
        (vec![dated(1, bad(Scanner::Trivy)), dated(9, clean(Scanner::Trivy))], Verdict::Deny),
        (vec![dated(9, bad(Scanner::Trivy)), dated(1, clean(Scanner::Grype))], Verdict::Deny),
    ] {
        let judgement = judge(&set, &heard(reports.clone()));
        assert_eq!(judgement.verdict, verdict, "{reports:?}");
        let replaced = reports[0].scanner == reports[1].scanner;
        assert_eq!(notes(&judgement).contains("is left out: trivy (file trivy.json) has newer data"), replaced);
        assert_eq!(judgement.inputs.signals.len(), 2, "both were read");
    }
    // One that is newer and cannot be used replaces nothing.
    let newer = dated(-2, clean(Scanner::Trivy));
    assert_eq!(judge(&set, &heard(vec![dated(9, bad(Scanner::Trivy)), newer])).verdict, Verdict::Deny);
}

#[test]
fn s22_one_way_in_never_replaces_what_came_by_another() {
    // Whoever may hand over a file or push to the repository could write a newer clean answer of ECR.
    let set = sources("accept: [ecr, file, registry]");
    let api = || Scan { dated: now() - hours(5), ..scan(vec![finding("CVE-1", Severity::High)]) }.report();
    for forged in [clean(Scanner::Ecr).report(), in_registry(clean(Scanner::Ecr))] {
        for agree in ["any", "majority", "all"] {
            let set = sources(&format!("accept: [ecr, file, registry], blockWhen: {agree}"));
            assert_eq!(judge(&set, &heard(vec![api(), forged.clone()])).verdict, Verdict::Deny, "{agree}");
        }
    }
    // Two tools that write the same format are two sources; two versions of one tool are one.
    let sarif = |tool, hours_ago, findings| {
        Scan { tool: Some(tool), dated: now() - hours(hours_ago), ..file(Scanner::Sarif, findings) }.report()
    };
    let high = || vec![finding("CVE-1", Severity::High)];
    let other = heard(vec![sarif("Alpha 1.0", 9, high()), sarif("Beta 2.0", 1, vec![])]);
    assert_eq!(judge(&set, &other).verdict, Verdict::Deny);
    let same = heard(vec![sarif("Alpha 1.0", 9, high()), sarif("Alpha v2.0", 1, vec![])]);
    assert_eq!(judge(&set, &same).verdict, Verdict::Allow);
}

#[test]
fn a15_an_unsupported_base_is_judged_by_a_second_source_or_says_what_to_do() {
    let unsupported = || Signal::Unsupported(Reason::new(ReasonCode::ScanUnsupported, "UNSUPPORTED_IMAGE"));
    let mut facts = crate::scene::facts(unsupported());
    facts.root.reports.push(clean(Scanner::Trivy).report());
    let judgement = judge(&crate::PolicySet::built_in().unwrap(), &facts);
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert!(notes(&judgement).contains("UNSUPPORTED_IMAGE; another source answers"), "{}", notes(&judgement));
    facts.root.reports[1] = bad(Scanner::Trivy).report();
    assert_eq!(judge(&crate::PolicySet::built_in().unwrap(), &facts).verdict, Verdict::Deny);
    // Where no file counts, the reason says what would.
    facts.root.reports[1] = clean(Scanner::Trivy).report();
    let judgement = judge(&rule("{}"), &facts);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["scan.unsupported"]));
    let remedy = &judgement.reasons()[0].remedy;
    assert!(remedy.contains("enhanced scanning") && remedy.contains("lists `file`"), "{remedy}");
}

#[test]
fn s18_a_report_of_a_file_may_be_eight_days_old() {
    let set = sources("accept: [file]");
    let aged = |age| judge(&set, &heard(vec![Scan { dated: now() - age, ..clean(Scanner::Trivy) }.report()]));
    assert_eq!(aged(days(8) - hours(1)).verdict, Verdict::Allow);
    assert_eq!(aged(days(8) - hours(1)).valid_until, Some(now() + hours(1)));
    assert_eq!(codes(&aged(days(8))), ["scan.stale"]);
}

#[test]
fn s5_a_last_known_good_scan_stands_in_for_its_own_source() {
    let last = Some(Box::new(scan(vec![finding("CVE-1", Severity::High)]).observed()));
    let why = Reason::new(ReasonCode::AwsUnavailable, "no answer");
    let mut facts = crate::scene::facts(Signal::Unavailable { why, last });
    facts.root.reports.push(clean(Scanner::Trivy).report());
    let spec = |keys: &str| {
        set(&format!(
            "onUnknown: {{ registryUnavailable: {{ lastKnownGood: 24h }} }},
             rules: [{{ id: r, vulnerabilities: {{ max: {{ high: 0 }}, sources: {{ accept: [ecr, file], {keys} }} }} }}]"
        ))
    };
    let judgement = judge(&spec("required: [ecr]"), &facts);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
    assert!(became(&judgement, "CVE-1").is_some());
    assert!(notes(&judgement).starts_with("the last known good scan of ecr (the ECR API in eu-central-1), read at"));
    assert_eq!(judgement.inputs.signals.len(), 2);
}
