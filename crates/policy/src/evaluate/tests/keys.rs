//! Every key of a `vulnerabilities` rule and of `action`.

use model::{Disposition, Finding, Fix, ReasonCode, Severity, Verdict};

use crate::scene::{
    became, class, codes, days, exceptions, finding, hours, judge, judge_with, messages, now, package, rule, scan, set,
};

#[test]
fn a3_no_findings_in_a_complete_scan_are_allowed() {
    let judgement = judge(&rule("{ max: { critical: 0 } }"), &scan(vec![]).facts());
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert_eq!(judgement.reasons(), Vec::<&model::Reason>::new());
    assert_eq!(judgement.counts().map(|counts| counts.len()), Some(0));
}

#[test]
fn a8_each_severity_has_its_own_limit() {
    for severity in Severity::KNOWN {
        let key = severity.as_str().to_lowercase();
        for (limit, count) in [(0, 1), (1, 2), (3, 4)] {
            let of = |count: u32| (0..count).map(|n| finding(&format!("CVE-{n}"), severity.clone())).collect();
            let set = rule(&format!("{{ max: {{ {key}: {limit} }} }}"));
            let within = judge(&set, &scan(of(limit)).facts());
            assert_eq!(within.verdict, Verdict::Allow, "{limit} of {key}");
            let over = judge(&set, &scan(of(count)).facts());
            assert_eq!((over.verdict, codes(&over)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{count} of {key}");
            assert!(messages(&over).contains(&format!("{count} {severity} finding")), "{}", messages(&over));
            assert_eq!(over.blocking().len(), count as usize);
        }
    }
}

#[test]
fn a8_a_severity_that_is_left_out_is_not_limited() {
    let all =
        Severity::KNOWN.into_iter().map(|severity| finding(severity.as_str(), severity.clone())).collect::<Vec<_>>();
    for severity in Severity::KNOWN {
        let key = severity.as_str().to_lowercase();
        let judgement = judge(&rule(&format!("{{ max: {{ {key}: 0 }} }}")), &scan(all.clone()).facts());
        assert_eq!(judgement.verdict, Verdict::Deny);
        let blocking: Vec<_> = judgement.blocking().iter().map(|judged| judged.finding.severity.clone()).collect();
        assert_eq!(blocking, [severity]);
    }
    assert_eq!(judge(&rule("{}"), &scan(all).facts()).verdict, Verdict::Allow);
}

#[test]
fn a8_findings_within_a_limit_are_shown_as_such() {
    let judgement = judge(&rule("{ max: { high: 1 } }"), &scan(vec![finding("CVE-1", Severity::High)]).facts());
    assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::WithinLimit));
}

#[test]
fn s6_ignore_unfixed_needs_a_source_that_says_so_of_every_package() {
    let with = |packages| scan(vec![Finding { packages, ..finding("CVE-1", Severity::High) }]).facts();
    let p = |fix| package("openssl", fix);
    let set = rule("{ max: { high: 0 }, ignoreUnfixed: true }");
    let unfixed = judge(&set, &with(vec![p(Fix::None), p(Fix::None)]));
    assert_eq!((unfixed.verdict, became(&unfixed, "CVE-1")), (Verdict::Allow, Some(Disposition::Unfixed)));
    for packages in [
        vec![],
        vec![p(Fix::NotSaid)],
        vec![p(Fix::None), p(Fix::NotSaid)],
        vec![p(Fix::None), p(Fix::Available)],
        vec![p(Fix::In("2".to_owned())), p(Fix::None)],
    ] {
        assert_eq!(judge(&set, &with(packages.clone())).verdict, Verdict::Deny, "{packages:?}");
    }
    for off in ["{ max: { high: 0 } }", "{ max: { high: 0 }, ignoreUnfixed: false }"] {
        assert_eq!(judge(&rule(off), &with(vec![p(Fix::None)])).verdict, Verdict::Deny);
    }
}

#[test]
fn b13_allow_and_deny_lists_do_not_regard_case() {
    let one = |id| scan(vec![finding(id, Severity::Low)]).facts();
    let deny = rule("{ deny: [cve-2021-44228] }");
    let judgement = judge(&deny, &one("CVE-2021-44228"));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.denied"]));
    assert!(messages(&judgement).contains("CVE-2021-44228"));
    assert_eq!(judge(&deny, &one("CVE-2021-4422")).verdict, Verdict::Allow);
    assert_eq!(judge(&deny, &one("CVE-2021-442281")).verdict, Verdict::Allow);
    let allow = rule("{ max: { low: 0 }, allow: [ghsa-AAAA] }");
    let judgement = judge(&allow, &one("GHSA-aaaa"));
    assert_eq!((judgement.verdict, became(&judgement, "GHSA-aaaa")), (Verdict::Allow, Some(Disposition::Allowed)));
    assert_eq!(judge(&allow, &one("GHSA-bbbb")).verdict, Verdict::Deny);
}

#[test]
fn s6_deny_list_beats_exception() {
    let facts = scan(vec![finding("CVE-1", Severity::Low)]).facts();
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-04-01"]);
    let judgement = judge_with(&rule("{ deny: [CVE-1] }"), &facts, &entries);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.denied"]));
    assert!(judgement.inputs.exceptions.is_empty(), "an exception that changed nothing is not a use");
}

#[test]
fn s6_deny_list_beats_everything_else() {
    let finding = Finding { packages: vec![package("openssl", Fix::None)], ..finding("CVE-1", Severity::High) };
    let mut facts = scan(vec![finding]).facts();
    facts.first_seen.insert(("CVE-1".to_owned(), "openssl".to_owned()), now());
    let set =
        rule("{ deny: [CVE-1], allow: [CVE-1], gracePeriod: { high: 7d }, ignoreUnfixed: true, max: { high: 9 } }");
    let judgement = judge(&set, &facts);
    assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::Blocks(ReasonCode::VulnDenied)));
    assert_eq!(judgement.verdict, Verdict::Deny);
}

#[test]
fn s20_known_exploited_overrides_grace_and_ignore_unfixed() {
    let packages = vec![package("openssl", Fix::None)];
    let exploited = |exploit_available| {
        let finding = Finding { exploit_available, packages: packages.clone(), ..finding("CVE-1", Severity::Low) };
        let mut facts = scan(vec![finding]).facts();
        facts.first_seen.insert(("CVE-1".to_owned(), "openssl".to_owned()), now() - hours(1));
        facts
    };
    let set = rule("{ knownExploited: deny, gracePeriod: { low: 7d }, ignoreUnfixed: true }");
    let judgement = judge(&set, &exploited(Some(true)));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.knownExploited"]));
    assert_eq!(judge(&set, &exploited(Some(false))).verdict, Verdict::Allow);
    assert!(judge(&set, &exploited(Some(false))).rules.first().notes.is_empty());
    // A source that does not say is named, for nobody to take it for "no exploit".
    let unsaid = judge(&set, &exploited(None));
    assert_eq!(unsaid.verdict, Verdict::Allow);
    assert!(unsaid.rules.first().notes[0].contains("does not say"), "{:?}", unsaid.rules.first().notes);
    assert_eq!(judge(&rule("{ max: { low: 1 } }"), &exploited(Some(true))).verdict, Verdict::Allow);
}

#[test]
fn s6_known_exploited_does_not_override_an_exception() {
    let facts = scan(vec![Finding { exploit_available: Some(true), ..finding("CVE-1", Severity::Low) }]).facts();
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-04-01"]);
    let judgement = judge_with(&rule("{ knownExploited: deny }"), &facts, &entries);
    assert_eq!(
        (judgement.verdict, became(&judgement, "CVE-1")),
        (Verdict::Allow, Some(Disposition::Excepted("e".to_owned())))
    );
}

#[test]
fn a12_scores_block_from_the_limit_on() {
    let cvss = |score| scan(vec![Finding { cvss_tenths: score, ..finding("CVE-1", Severity::Low) }]).facts();
    let epss = |score| scan(vec![Finding { epss_millionths: score, ..finding("CVE-1", Severity::Low) }]).facts();
    let set = rule("{ denyCvssFrom: 7.5 }");
    for (score, verdict) in
        [(Some(75), Verdict::Deny), (Some(100), Verdict::Deny), (Some(74), Verdict::Allow), (None, Verdict::Allow)]
    {
        assert_eq!(judge(&set, &cvss(score)).verdict, verdict, "{score:?}");
    }
    assert_eq!(codes(&judge(&set, &cvss(Some(75)))), ["vuln.cvss"]);
    let set = rule("{ denyEpssFrom: 0.1 }");
    for (score, verdict) in [(100_000, Verdict::Deny), (99_999, Verdict::Allow), (1_000_000, Verdict::Deny)] {
        assert_eq!(judge(&set, &epss(Some(score))).verdict, verdict, "{score}");
    }
    assert_eq!(codes(&judge(&set, &epss(Some(100_000)))), ["vuln.epss"]);
    assert_eq!(judge(&set, &epss(None)).verdict, Verdict::Allow);
}

#[test]
fn s20_grace_needs_a_recorded_first_sighting_of_every_package() {
    let packages = vec![package("openssl", Fix::Available), package("libssl3", Fix::Available)];
    let mut facts = scan(vec![Finding { packages, ..finding("CVE-1", Severity::High) }]).facts();
    let set = rule("{ max: { high: 0 }, gracePeriod: { high: 7d } }");
    assert_eq!(judge(&set, &facts).verdict, Verdict::Deny, "no record");
    facts.first_seen.insert(("CVE-1".to_owned(), "openssl".to_owned()), now() - days(1));
    assert_eq!(judge(&set, &facts).verdict, Verdict::Deny, "one package without a record");
    facts.first_seen.insert(("CVE-2".to_owned(), "libssl3".to_owned()), now());
    assert_eq!(judge(&set, &facts).verdict, Verdict::Deny, "the record of another vulnerability");
    facts.first_seen.insert(("CVE-1".to_owned(), "libssl3".to_owned()), now() - days(3));
    let judgement = judge(&set, &facts);
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::Grace(now() + days(4))), "the earliest of the packages");
    assert_eq!(judgement.valid_until, Some(now() + days(4)));
    facts.first_seen.insert(("CVE-1".to_owned(), "libssl3".to_owned()), now() - days(7));
    assert_eq!(judge(&set, &facts).verdict, Verdict::Deny, "over at its end exactly");
}

#[test]
fn s20_no_grace_without_a_package_or_for_another_severity() {
    let with = |severity, packages| {
        let mut facts = scan(vec![Finding { packages, ..finding("CVE-1", severity) }]).facts();
        facts.first_seen.insert(("CVE-1".to_owned(), "openssl".to_owned()), now());
        facts
    };
    let openssl = || vec![package("openssl", Fix::Available)];
    let set = rule("{ max: { critical: 0, high: 0 }, gracePeriod: { high: 7d } }");
    assert_eq!(judge(&set, &with(Severity::High, openssl())).verdict, Verdict::Allow);
    assert_eq!(judge(&set, &with(Severity::High, vec![])).verdict, Verdict::Deny);
    assert_eq!(judge(&set, &with(Severity::Critical, openssl())).verdict, Verdict::Deny);
    assert_eq!(judge(&set, &with(Severity::Unknown("ODD".to_owned()), openssl())).verdict, Verdict::Deny);
}

#[test]
fn s22_a_file_counts_only_if_the_rule_lists_files() {
    let file = model::Origin::File("report.json".to_owned());
    let ecr = model::Origin::Ecr("eu-central-1".to_owned());
    for (sources, accepts_file, accepts_ecr) in [
        ("", false, true),
        (", sources: { accept: [ecr] }", false, true),
        (", sources: { accept: [file] }", true, false),
        (", sources: { accept: [ecr, file] }", true, true),
    ] {
        let set = rule(&format!("{{ max: {{ critical: 0 }}{sources} }}"));
        for (origin, accepted) in [(&file, accepts_file), (&ecr, accepts_ecr)] {
            let judgement = judge(&set, &crate::scene::Scan { origin: origin.clone(), ..scan(vec![]) }.facts());
            assert_eq!(judgement.verdict == Verdict::Allow, accepted, "{origin:?} under {sources:?}");
            if !accepted {
                assert_eq!(class(&judgement), model::UnknownClass::ScanMissing);
            }
        }
    }
}

#[test]
fn s3_actions_of_rule_and_policy() {
    let facts = scan(vec![finding("CVE-1", Severity::High)]).facts();
    for (of_policy, of_rule, verdict) in [
        ("", "", Verdict::Deny),
        ("action: deny,", "", Verdict::Deny),
        ("action: warn,", "", Verdict::Warn),
        ("action: audit,", "", Verdict::Allow),
        ("action: audit,", "action: deny,", Verdict::Deny),
        ("action: deny,", "action: warn,", Verdict::Warn),
        ("action: warn,", "action: audit,", Verdict::Allow),
    ] {
        let set =
            set(&format!("{of_policy} rules: [{{ id: r, {of_rule} vulnerabilities: {{ max: {{ high: 0 }} }} }}]"));
        let judgement = judge(&set, &facts);
        assert_eq!(judgement.verdict, verdict, "{of_policy} {of_rule}");
        // Audit leaves the verdict alone and still says what was found.
        assert_eq!(codes(&judgement), ["vuln.maxExceeded"]);
    }
}

#[test]
fn s16_a_scan_that_ended_before_the_push_is_not_of_this_image() {
    let mut facts = scan(vec![]).facts();
    facts.root.pushed_at = Some(now() - hours(1));
    assert_eq!(judge(&rule("{}"), &facts).verdict, Verdict::Allow, "ended as it was pushed");
    facts.root.pushed_at = Some(now() - hours(1) + model::SignedDuration::from_nanos(1));
    let judgement = judge(&rule("{}"), &facts);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["scan.olderThanPush"]));
}
