//! S29: exceptions that people granted cover what they name, exactly, and nothing beside it.

use model::{Ask, Digest, Disposition, Finding, Fix, Severity, Verdict};

use crate::exceptions::{Exceptions, Granted, Waived};
use crate::scene::{
    HOST, ask, ask_in, became, finding, judge_with, now, package, rule, scan, set, sets, signed_rule, time,
};
use crate::{PolicySet, evaluate};

fn granted() -> Granted {
    Granted {
        id: "01".to_owned(),
        waived: Waived::Vulnerability { id: "CVE-2026-1".to_owned(), package: Some("openssl".to_owned()) },
        repository: format!("{HOST}/team/app"),
        is_pattern: false,
        digest: Some(Digest::of(b"image")),
        environment: Some("production".to_owned()),
        until_fixed: false,
        reason: "not reachable".to_owned(),
        owner: "ada".to_owned(),
        expires: time("2026-03-14T00:00:00Z"),
    }
}

fn for_rule(policy: &str, rule: &str) -> Granted {
    Granted { waived: Waived::Rule { policy: policy.to_owned(), rule: rule.to_owned() }, ..granted() }
}

fn like(pattern: &str) -> Granted {
    Granted { repository: pattern.to_owned(), is_pattern: true, digest: None, ..granted() }
}

fn all(list: &[Granted]) -> Exceptions {
    let mut exceptions = Exceptions::none();
    for one in list {
        exceptions.grant(one).unwrap();
    }
    exceptions
}

fn policy() -> PolicySet {
    rule("{ max: { high: 0 } }")
}

fn facts() -> model::Facts {
    scan(vec![finding("CVE-2026-1", Severity::High)]).facts()
}

/// Whether it makes the image an allowed one.
fn covers(granted: Granted) -> bool {
    judge_with(&policy(), &facts(), &all(&[granted])).verdict == Verdict::Allow
}

#[test]
fn s29_a_granted_exception_waives_what_it_names_and_says_so() {
    let judgement = judge_with(&policy(), &facts(), &all(&[granted()]));
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert_eq!(became(&judgement, "CVE-2026-1"), Some(Disposition::Excepted("01".to_owned())));
    let used = &judgement.inputs.exceptions;
    assert_eq!((used.len(), used[0].id.as_str(), used[0].findings), (1, "01", 1));
    assert_eq!(judgement.valid_until, Some(granted().expires), "S8");
    assert!(judgement.warnings.is_empty(), "{:?}", judgement.warnings);
}

#[test]
fn s29_nothing_beside_what_it_names_is_covered() {
    let waived =
        |id: &str, package: &str| Waived::Vulnerability { id: id.to_owned(), package: Some(package.to_owned()) };
    for (what, other) in [
        ("another digest", Granted { digest: Some(Digest::of(b"another")), ..granted() }),
        ("another repository", Granted { repository: format!("{HOST}/team/app2"), ..granted() }),
        ("a repository above", Granted { repository: format!("{HOST}/team"), ..granted() }),
        ("another registry", Granted { repository: "other.example/team/app".to_owned(), ..granted() }),
        ("another environment", Granted { environment: Some("staging".to_owned()), ..granted() }),
        ("another vulnerability", Granted { waived: waived("CVE-2026-10", "openssl"), ..granted() }),
        ("another package", Granted { waived: waived("CVE-2026-1", "openssl3"), ..granted() }),
        ("another case", Granted { waived: waived("CVE-2026-1", "OpenSSL"), ..granted() }),
        ("a rule of another policy", for_rule("q", "r")),
        ("another rule", for_rule("p", "s")),
        ("a pattern for other paths", like(&format!("{HOST}/other/*"))),
        ("a star within a part", like(&format!("{HOST}/*"))),
        ("a pattern of another registry", like("other.example/**")),
    ] {
        assert!(!covers(other), "{what}");
    }
    for (what, same) in [
        ("the rule", for_rule("p", "r")),
        ("a pattern within a part", like(&format!("{HOST}/team/*"))),
        ("a pattern over parts", like(&format!("{HOST}/**"))),
        ("every environment", Granted { environment: None, ..granted() }),
        (
            "every package",
            Granted { waived: Waived::Vulnerability { id: "cve-2026-1".to_owned(), package: None }, ..granted() },
        ),
    ] {
        assert!(covers(same), "{what}");
    }
}

#[test]
fn s29_what_is_no_plain_name_is_refused() {
    let repository = |text: &str| Granted { repository: text.to_owned(), ..granted() };
    let cve = |id: &str| Granted { waived: Waived::Vulnerability { id: id.to_owned(), package: None }, ..granted() };
    let in_package = |name: &str| {
        let package = Some(name.to_owned());
        Granted { waived: Waived::Vulnerability { id: "CVE-2026-1".to_owned(), package }, ..granted() }
    };
    for (refused, says) in [
        (repository(&format!("{HOST}/team/*")), "holds `*`"),
        (repository("*/team/app"), "holds `*`"),
        (repository(&format!("{HOST}/team/ap?")), "is no repository"),
        (repository(&format!("{HOST}/team/{{app,api}}")), "is no repository"),
        (repository(&format!("{HOST}/team/[a]pp")), "is no repository"),
        (repository(&format!("{HOST}/team/\u{430}pp")), "is no repository"),
        (repository(&format!("{HOST}/Team/app")), "is no repository"),
        (repository(&format!("{HOST}/team/app:1")), "is no repository"),
        (repository(&format!("{HOST}/team/app@{}", Digest::of(b"image"))), "is no repository"),
        (repository(&format!("{HOST}/team/app ")), "is no repository"),
        (repository(&format!("{}/team/app", HOST.to_uppercase())), "write that"),
        (repository("team/app"), "is no repository"),
        (repository(""), "is no repository"),
        (like("*.example/team/*"), "without `*`"),
        (like("**"), "begins with the registry"),
        (like("**/app"), "without `*`"),
        (like(&format!("{HOST}/team/app")), "one repository"),
        (like(&format!("{HOST}/team/a***")), "small letters"),
        (like(&format!("{HOST}/team/[a-z]*")), "small letters"),
        (like(&format!("{HOST}/Team/*")), "small letters"),
        (like(&format!("{HOST}/team//*")), "small letters"),
        (like(&format!("{HOST}/te\u{430}m/*")), "small letters"),
        (cve("CVE-2026-*"), "no id of a vulnerability"),
        (cve("*"), "no id of a vulnerability"),
        (cve(""), "no id of a vulnerability"),
        (cve("CVE\u{2010}2026-1"), "no id of a vulnerability"),
        (cve(" CVE-2026-1"), "no id of a vulnerability"),
        (cve(&"C".repeat(129)), "no id of a vulnerability"),
        (in_package("open*"), "no name of a package"),
        (in_package("openss?"), "no name of a package"),
        (in_package("\u{43e}penssl"), "no name of a package"),
        (in_package(""), "no name of a package"),
        (for_rule("", "r"), "POLICY/RULE"),
        (Granted { until_fixed: true, ..for_rule("p", "r") }, "belongs to a vulnerability"),
    ] {
        let error = Exceptions::none().grant(&refused).expect_err(says);
        assert!(error.contains(says), "{refused:?}: {error}");
    }
}

#[test]
fn s29_its_end_is_exclusive_to_the_second() {
    let at = |moment: &str| evaluate(&policy(), &ask(), &facts(), &all(&[granted()]), time(moment)).verdict;
    assert_eq!(at("2026-03-10T12:00:00Z"), Verdict::Allow);
    let set = rule("{ max: { high: 0 }, maxScanAge: 5000d }");
    let at = |moment: &str| evaluate(&set, &ask(), &facts(), &all(&[granted()]), time(moment)).verdict;
    assert_eq!(at("2026-03-13T23:59:59Z"), Verdict::Allow);
    assert_eq!(at("2026-03-14T00:00:00Z"), Verdict::Deny);
}

#[test]
fn s29_until_fixed_ends_where_a_source_knows_a_fix() {
    let covers = |until_fixed, fix: &Fix| {
        let packages = vec![package("openssl", fix.clone())];
        let facts = scan(vec![Finding { packages, ..finding("CVE-2026-1", Severity::High) }]).facts();
        let exceptions = all(&[Granted { until_fixed, ..granted() }]);
        judge_with(&policy(), &facts, &exceptions).verdict == Verdict::Allow
    };
    for fix in [Fix::None, Fix::NotSaid] {
        assert!(covers(true, &fix), "{fix:?}");
    }
    for fix in [Fix::Available, Fix::In("3.0.9".to_owned())] {
        assert!(!covers(true, &fix) && covers(false, &fix), "{fix:?}");
    }
}

#[test]
fn s29_a_package_url_is_compared_whole() {
    let purl = "pkg:deb/debian/openssl@3.0.8?arch=amd64";
    let covers = |written: &str| {
        let named = model::Package { purl: Some(purl.to_owned()), ..package("openssl", Fix::None) };
        let facts = scan(vec![Finding { packages: vec![named], ..finding("CVE-2026-1", Severity::High) }]).facts();
        let waived = Waived::Vulnerability { id: "CVE-2026-1".to_owned(), package: Some(written.to_owned()) };
        judge_with(&policy(), &facts, &all(&[Granted { waived, ..granted() }])).verdict == Verdict::Allow
    };
    assert!(covers(purl) && !covers("pkg:deb/debian/openssl@3.0.8") && !covers("pkg:deb/debian/openssl"));
}

#[test]
fn s29_it_counts_for_every_policy_and_is_listed_once() {
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]";
    let two = sets(&[("p", rules), ("q", rules)]);
    let judgement = judge_with(&two, &facts(), &all(&[granted()]));
    assert_eq!(judgement.verdict, Verdict::Allow);
    let used: Vec<_> = judgement.inputs.exceptions.iter().map(|used| (used.id.as_str(), used.findings)).collect();
    assert_eq!(used, [("01", 2)]);
    // One for a rule is for that rule of that policy.
    assert_eq!(judge_with(&two, &facts(), &all(&[for_rule("p", "r")])).verdict, Verdict::Deny);
}

#[test]
fn s6_what_cannot_be_waived_stands_and_is_said_beforehand() {
    let says = |granted: &Granted, set: &PolicySet| granted.refusal(set).unwrap_or_else(|| "nothing".to_owned());
    let signatures = signed_rule("signatures: { threshold: 1, of: [a] }");
    let judgement = judge_with(&signatures, &facts(), &all(&[for_rule("p", "r")]));
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert!(
        says(&for_rule("p", "r"), &signatures).contains("cannot be waived"),
        "{}",
        says(&for_rule("p", "r"), &signatures)
    );
    assert!(says(&granted(), &signatures).contains("no rule of the policies"));

    let denied = rule("{ max: { high: 0 }, deny: [cve-2026-1] }");
    assert_eq!(judge_with(&denied, &facts(), &all(&[granted()])).verdict, Verdict::Deny);
    assert!(says(&granted(), &denied).contains("deny list of rule p/r"));

    assert!(says(&for_rule("p", "s"), &policy()).contains("no such rule"));
    assert!(says(&for_rule("q", "r"), &policy()).contains("no policy \"q\""));
    assert_eq!(says(&granted(), &policy()), "nothing");
    assert_eq!(says(&for_rule("p", "r"), &policy()), "nothing");
    let waivable = set("rules: [{ id: r, waivable: false, vulnerabilities: { max: { high: 0 } } }]");
    assert!(says(&granted(), &waivable).contains("can be waived"));
}

#[test]
fn s29_an_exception_for_one_environment_is_for_no_other() {
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]";
    let set = set(&format!(
        "environments: {{ production: {{ class: production }}, staging: {{ class: non-production }} }}, {rules}"
    ));
    let verdict = |ask: &Ask| evaluate(&set, ask, &facts(), &all(&[granted()]), now()).verdict;
    assert_eq!((verdict(&ask()), verdict(&ask_in("staging"))), (Verdict::Allow, Verdict::Deny));
}
