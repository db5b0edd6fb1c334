//! S29, S6, B11: what exceptions do.

mod file;
mod granted;
mod rules;

use model::{Digest, Disposition, Finding, Fix, Severity, Verdict};

use super::*;
use crate::scene::{
    HOST, ask, ask_about, ask_in, became, codes, exceptions, exceptions_text, finding, judge_with, now, package, rule,
    scan, set, time,
};
use crate::{PolicySet, evaluate};

fn policy() -> PolicySet {
    rule("{ max: { high: 0 } }")
}

fn facts() -> model::Facts {
    scan(vec![finding("CVE-1", Severity::High)]).facts()
}

fn verdict(entry: &str) -> Verdict {
    judge_with(&policy(), &facts(), &exceptions(&[entry])).verdict
}

fn refused(text: &str) -> DocumentError {
    Exceptions::none().add("p", "exceptions.yaml", text).expect_err(text)
}

/// What is wrong with a file of this one entry.
fn refused_entry(entry: &str) -> DocumentError {
    refused(&exceptions_text(&[entry]))
}

#[test]
fn s29_an_exception_waives_its_finding_and_is_recorded() {
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-03-20"]);
    let judgement = judge_with(&policy(), &facts(), &entries);
    assert_eq!(
        (judgement.verdict, became(&judgement, "CVE-1")),
        (Verdict::Allow, Some(Disposition::Excepted("e".to_owned())))
    );
    let used = &judgement.inputs.exceptions;
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].id.as_str(), used[0].owner.as_str(), used[0].reason.as_str()), ("e", "ann", "not reachable"));
    assert_eq!((used[0].expires, used[0].findings), (time("2026-03-21T00:00:00Z"), 1));
}

#[test]
fn s29_other_findings_still_block() {
    let facts = scan(vec![finding("CVE-1", Severity::High), finding("CVE-2", Severity::High)]).facts();
    let judgement =
        judge_with(&policy(), &facts, &exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-03-20"]));
    assert_eq!((judgement.verdict, judgement.blocking().len()), (Verdict::Deny, 1));
    assert_eq!(verdict("id: e, cve: CVE-11, repository: team/app, expires: 2026-03-20"), Verdict::Deny);
    assert_eq!(verdict("id: e, cve: cve-1, repository: team/app, expires: 2026-03-20"), Verdict::Allow, "in any case");
}

#[test]
fn s29_a_date_holds_to_the_end_of_its_day_and_a_time_to_the_moment() {
    let nano = SignedDuration::from_nanos(1);
    for (expires, end) in [
        ("2026-03-11", "2026-03-12T00:00:00Z"),
        ("\"2026-12-31\"", "2027-01-01T00:00:00Z"),
        ("2026-03-11T00:00:00Z", "2026-03-11T00:00:00Z"),
        ("2026-03-11T10:30:00+02:00", "2026-03-11T08:30:00Z"),
    ] {
        let entries = exceptions(&[&format!("id: e, cve: CVE-1, repository: team/app, expires: {expires}")]);
        let set = rule("{ max: { high: 0 }, maxScanAge: 5000d }");
        let at = |moment| evaluate(&set, &ask(), &facts(), &entries, moment).verdict;
        assert_eq!(at(time(end) - nano), Verdict::Allow, "{expires}");
        assert_eq!(at(time(end)), Verdict::Deny, "{expires}");
    }
}

#[test]
fn s29_an_expired_entry_is_named_and_does_nothing() {
    let entries = exceptions(&["id: old, cve: CVE-1, repository: team/app, expires: 2026-03-09"]);
    let judgement = judge_with(&policy(), &facts(), &entries);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
    assert!(judgement.inputs.exceptions.is_empty());
    let warning = &judgement.warnings[0];
    assert_eq!(judgement.warnings.len(), 1);
    assert!(
        warning.contains("exceptions.yaml: exception \"old\" (CVE-1) expired on 2026-03-10T00:00Z; owner ann"),
        "{warning}"
    );
}

#[test]
fn s29_an_unused_entry_is_named() {
    let digest = Digest::of(b"image");
    let entry = format!(
        "id: e, cve: CVE-7, package: openssl, repository: team/app, digest: {digest}, environment: production, expires: 2026-03-20"
    );
    let judgement = judge_with(&policy(), &facts(), &exceptions(&[&entry]));
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(judgement.warnings.len(), 1, "{:?}", judgement.warnings);
    assert!(judgement.warnings[0].contains("\"e\" (CVE-7) is unused"), "{:?}", judgement.warnings);
    // Entries about other images are none of this image's business.
    let other = exceptions(&["id: e, cve: CVE-7, repository: team/other, expires: 2026-03-20"]);
    assert!(judge_with(&policy(), &facts(), &other).warnings.is_empty());
}

#[test]
fn s29_an_over_broad_entry_is_named_with_every_breadth() {
    let digest = Digest::of(b"image");
    let exact = format!(
        "package: openssl, repository: team/app, digest: {digest}, environment: production, expires: 2026-04-09T12:00:00Z"
    );
    let warnings =
        |entry: &str| judge_with(&policy(), &facts(), &exceptions(&[&format!("id: e, cve: CVE-1, {entry}")])).warnings;
    assert_eq!(warnings(&exact), Vec::<String>::new(), "30 days exactly is not too long");
    for (from, to, says) in [
        ("package: openssl, ", "", "every package"),
        ("repository: team/app", "repository: \"team/*\"", "several repositories"),
        (&*format!("digest: {digest}, "), "", "every image of the repository"),
        ("environment: production, ", "", "every environment"),
        ("12:00:00Z", "12:00:01Z", "more than 30 days (until 2026-04-09T12:00Z)"),
    ] {
        let entry = exact.replace(from, to);
        assert_ne!(entry, exact);
        let found = warnings(&entry);
        assert!(
            found.len() == 1 && found[0].ends_with(&format!("is over-broad: it covers {says}")),
            "{entry}: {found:?}"
        );
    }
}

#[test]
fn s29_a_repository_is_exact_or_a_pattern() {
    let nested = ask_about(&format!("{HOST}/team/app/deep"));
    for (repository, app, deep) in [
        ("team/app", true, false),
        (&*format!("{HOST}/team/app"), true, false),
        ("other.example/team/app", false, false),
        ("team", false, false),
        ("app", false, false),
        ("Team/app", false, false),
        ("team/*", true, false),
        ("team/**", true, true),
        ("*", false, false),
        ("**", true, true),
        ("*/team/*", true, false),
        ("team/ap?", true, false),
        ("team/{app,api}", true, false),
    ] {
        let entries = exceptions(&[&format!(
            "id: e, cve: CVE-1, repository: \"{}\", expires: 2026-03-20",
            repository.trim_matches('"')
        )]);
        for (ask, covered) in [(&ask(), app), (&nested, deep)] {
            let judgement = evaluate(&policy(), ask, &facts(), &entries, now());
            assert_eq!(judgement.verdict == Verdict::Allow, covered, "{repository} for {}", ask.name());
        }
    }
}

#[test]
fn s29_a_digest_binds_it_to_one_image() {
    let of = |content: &[u8]| {
        verdict(&format!(
            "id: e, cve: CVE-1, repository: team/app, digest: {}, expires: 2026-03-20",
            Digest::of(content)
        ))
    };
    assert_eq!(of(b"image"), Verdict::Allow);
    assert_eq!(of(b"another image"), Verdict::Deny);
    let error = refused_entry("id: e, cve: CVE-1, repository: r, digest: sha256:abc, expires: 2026-03-20");
    assert!(error.what.contains("64"), "{error}");
}

#[test]
fn s29_an_environment_binds_it_to_one_environment() {
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]";
    let set = set(&format!(
        "environments: {{ production: {{ class: production }}, staging: {{ class: non-production }} }}, {rules}"
    ));
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, environment: staging, expires: 2026-03-20"]);
    let verdict = |environment| evaluate(&set, &ask_in(environment), &facts(), &entries, now()).verdict;
    assert_eq!(verdict("staging"), Verdict::Allow);
    assert_eq!(verdict("production"), Verdict::Deny);
}

#[test]
fn s29_a_package_binds_it_to_findings_in_nothing_else() {
    let entries = exceptions(&["id: e, cve: CVE-1, package: openssl, repository: team/app, expires: 2026-03-20"]);
    for (packages, verdict) in [
        (vec!["openssl"], Verdict::Allow),
        (vec!["openssl", "openssl"], Verdict::Allow),
        (vec!["openssl", "libssl3"], Verdict::Deny),
        (vec!["libssl3"], Verdict::Deny),
        (vec!["OpenSSL"], Verdict::Deny),
        (vec![], Verdict::Deny),
    ] {
        let list = packages.iter().map(|name| package(name, Fix::NotSaid)).collect();
        let facts = scan(vec![Finding { packages: list, ..finding("CVE-1", Severity::High) }]).facts();
        assert_eq!(judge_with(&policy(), &facts, &entries).verdict, verdict, "{packages:?}");
    }
}

#[test]
fn s29_a_use_is_counted_only_while_it_covers() {
    let findings =
        vec![finding("CVE-1", Severity::High), finding("CVE-1", Severity::High), finding("CVE-2", Severity::High)];
    let entries = exceptions(&[
        "id: one, cve: CVE-1, repository: team/app, expires: 2026-03-20",
        "id: other, cve: CVE-3, repository: team/app, expires: 2026-03-20",
        "id: over, cve: CVE-2, repository: team/app, expires: 2026-03-01",
    ]);
    let judgement = judge_with(&policy(), &scan(findings).facts(), &entries);
    let used: Vec<_> = judgement.inputs.exceptions.iter().map(|used| (used.id.as_str(), used.findings)).collect();
    assert_eq!(used, [("one", 2)]);
    // The same exceptions are counted anew for the next judgement.
    assert_eq!(judge_with(&policy(), &facts(), &entries).inputs.exceptions[0].findings, 1);
}

#[test]
fn s5_an_exception_does_not_make_a_missing_scan_known() {
    let why = model::Reason::new(model::ReasonCode::ScanMissing, "there is no scan");
    let entries = exceptions(&["id: e, cve: CVE-1, repository: \"**\", expires: 2026-03-20"]);
    assert_eq!(
        judge_with(&policy(), &crate::scene::facts(model::Signal::Absent(why)), &entries).verdict,
        Verdict::Deny
    );
}
