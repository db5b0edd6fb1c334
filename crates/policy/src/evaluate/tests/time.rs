//! S18: how old a scan may be. S8: how long a judgement holds.

use model::{Severity, SignedDuration, UnknownClass, Verdict};

use crate::scene::{
    Scan, ask, class, codes, days, exceptions, finding, hours, judge, judge_with, messages, now, rule, scan, set,
};
use crate::{Exceptions, evaluate};

const NANO: SignedDuration = SignedDuration::from_nanos(1);

#[test]
fn s18_the_age_of_the_data_is_limited_by_default_and_by_max_scan_age() {
    for (continuous, key, limit) in [
        (false, "", days(8)),
        (true, "", hours(24)),
        (false, "maxScanAge: 24h", hours(24)),
        (true, "maxScanAge: 3d", days(3)),
        (false, "maxScanAge: 30d", days(30)),
    ] {
        let set = rule(&format!("{{ {key} }}"));
        let aged = |age| judge(&set, &Scan { continuous, dated: now() - age, ..scan(vec![]) }.facts());
        let young = aged(limit - NANO);
        assert_eq!(young.verdict, Verdict::Allow, "{continuous} {key}");
        assert_eq!(young.valid_until, Some(now() + NANO));
        for age in [limit, limit + NANO, limit + days(400)] {
            let old = aged(age);
            assert_eq!(
                (old.verdict, class(&old)),
                (Verdict::Deny, UnknownClass::ScanStale),
                "{continuous} {key} {age:#}"
            );
            assert_eq!(old.valid_until, None, "time alone does not mend it");
            assert_eq!(old.counts(), None);
        }
        assert_eq!(aged(SignedDuration::ZERO).valid_until, Some(now() + limit));
    }
    let message = messages(&judge(
        &rule("{ maxScanAge: 30m }"),
        &Scan { dated: now() - hours(1) + NANO, ..scan(vec![]) }.facts(),
    ));
    assert!(message.contains("59m old; the policy allows 30m"), "{message}");
}

#[test]
fn s18_the_age_is_that_of_the_data_and_not_of_the_scan() {
    let scanned =
        |dated, ended| judge(&rule("{}"), &Scan { dated, ended: Some(ended), ..scan(vec![]) }.facts()).verdict;
    assert_eq!(scanned(now() - days(8), now() - hours(1)), Verdict::Deny, "a new scan with old data");
    assert_eq!(scanned(now() - hours(1), now() - days(9)), Verdict::Allow, "an old scan that was kept up to date");
    assert_eq!(scanned(now() + hours(1), now() - hours(1)), Verdict::Deny, "data from the future");
    assert_eq!(scanned(now() - hours(1), now() + hours(1)), Verdict::Deny, "a scan from the future");
}

#[test]
fn s18_stale_is_for_on_unknown_to_decide() {
    let old = Scan { dated: now() - days(9), ..scan(vec![]) }.facts();
    let rules = "rules: [{ id: r, vulnerabilities: {} }]";
    assert_eq!(judge(&set(&format!("onUnknown: {{ scanStale: warn }}, {rules}")), &old).verdict, Verdict::Warn);
    assert_eq!(judge(&set(&format!("onUnknown: {{ scanStale: pending }}, {rules}")), &old).verdict, Verdict::Pending);
}

#[test]
fn s9_a_scan_from_the_future_is_not_believed() {
    let skew = SignedDuration::from_mins(10);
    let dated = |ahead| Scan { dated: now() + ahead, ..scan(vec![]) }.facts();
    assert_eq!(judge(&rule("{}"), &dated(skew)).verdict, Verdict::Allow, "clocks differ a little");
    let judgement = judge(&rule("{}"), &dated(skew + hours(1)));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["scan.malformed"]));
    assert_eq!(judgement.valid_until, Some(now() + hours(1)), "from then on it could be believed");
}

#[test]
fn s8_a_judgement_holds_until_the_earliest_end() {
    let findings = vec![finding("CVE-1", Severity::High), finding("CVE-2", Severity::High)];
    let mut facts = scan(findings).facts();
    facts.first_seen.insert(("CVE-2".to_owned(), "openssl".to_owned()), now() - days(1));
    let policy =
        |grace, age| rule(&format!("{{ max: {{ high: 0 }}, gracePeriod: {{ high: {grace} }}, maxScanAge: {age} }}"));
    let until = |end: &str| exceptions(&[&format!("id: e, cve: CVE-1, repository: team/app, expires: {end}")]);
    let scan_end = |age| now() - hours(1) + age;
    for (grace, age, exception, ends) in [
        ("3d", "8d", "2026-03-11T00:00:00Z", crate::scene::time("2026-03-11T00:00:00Z")),
        ("2d", "8d", "2026-03-20T00:00:00Z", now() + days(1)),
        ("5d", "12h", "2026-03-20T00:00:00Z", scan_end(hours(12))),
    ] {
        let judgement = judge_with(&policy(grace, age), &facts, &until(exception));
        assert_eq!(
            (judgement.verdict, judgement.valid_until),
            (Verdict::Allow, Some(ends)),
            "{grace} {age} {exception}"
        );
    }
}

#[test]
fn s8_none_when_no_time_was_compared() {
    let why = model::Reason::new(model::ReasonCode::ScanMissing, "none");
    assert_eq!(judge(&rule("{}"), &crate::scene::facts(model::Signal::Absent(why))).valid_until, None);
    assert_eq!(
        judge(&rule("{ maxScanAge: 5200w }"), &scan(vec![]).facts()).valid_until,
        Some(now() - hours(1) + days(36_400))
    );
}

#[test]
fn s8_a_deny_that_time_could_lift_is_not_kept_for_ever() {
    // One exception has ended, the scan is young: the judgement still holds only as long as the scan.
    let facts = scan(vec![finding("CVE-1", Severity::High)]).facts();
    let over = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-03-09"]);
    let judgement = judge_with(&rule("{ max: { high: 0 } }"), &facts, &over);
    assert_eq!((judgement.verdict, judgement.valid_until), (Verdict::Deny, Some(now() - hours(1) + days(8))));
}

#[test]
fn s8_an_unused_exception_limits_it_too_for_its_warning_changes() {
    let entries = exceptions(&["id: e, cve: CVE-9, repository: team/app, expires: 2026-03-11T00:00:00Z"]);
    let facts = scan(vec![]).facts();
    let end = crate::scene::time("2026-03-11T00:00:00Z");
    let judgement = judge_with(&rule("{}"), &facts, &entries);
    assert_eq!(judgement.valid_until, Some(end));
    assert_eq!(evaluate(&rule("{}"), &ask(), &facts, &entries, end - NANO), judgement);
    assert_ne!(evaluate(&rule("{}"), &ask(), &facts, &entries, end), judgement);
}

#[test]
fn b2_evaluating_twice_gives_the_same_judgement() {
    let facts = scan(vec![finding("CVE-2", Severity::High), finding("CVE-1", Severity::Low)]).facts();
    let set = rule("{ max: { high: 0, low: 3 }, deny: [CVE-1] }");
    let once = evaluate(&set, &ask(), &facts, &Exceptions::none(), now());
    let again = evaluate(&set.clone(), &ask(), &facts.clone(), &Exceptions::none(), now());
    assert_eq!(once, again);
    assert_eq!(format!("{once:?}"), format!("{again:?}"), "to the letter");
}
