//! Rules that are not about vulnerabilities: their gaps and failures mean what any rule's do (S3), and they prove no scan.

use model::{Measurement, Outcome, Verdict};

use crate::scene::{ask, codes, finding, index, judge, messages, scan, set};

fn policy(action: &str, rules: &str) -> crate::PolicySet {
    set(&format!("{action} rules: [{rules}]"))
}

#[test]
fn s3_each_kind_of_rule_is_unknown_where_nobody_collected() {
    for kind in [
        "sbom: { from: [file] }",
        "packages: { max: 9 }",
        "config: { nonRoot: true }",
        "baseImage: { approved: [debian] }",
        "age: { max: 90d }",
        "measurements: { from: [file], metric: m, max: 1 }",
    ] {
        let of = |action: &str| judge(&policy(action, &format!("{{ id: r, {kind} }}")), &scan(vec![]).facts());
        let judgement = of("");
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["notCollected"]), "{kind}");
        assert!(matches!(judgement.rules.first().outcome, Outcome::Unknown(..)));
        assert_eq!(of("onUnknown: { internal: warn },").verdict, Verdict::Warn, "{kind}");
        assert_eq!(of("action: audit,").verdict, Verdict::Allow, "{kind}");
        assert!(!judgement.complete && judgement.counts().is_none());
    }
}

fn measured(metric: &str) -> model::Facts {
    let mut facts = scan(vec![finding("CVE-1", model::Severity::High)]).facts();
    let observed = |value| model::Observed {
        value,
        origin: model::Origin::File("m.json".to_owned()),
        at: crate::scene::now(),
        evidence: model::Digest::of(b"bytes"),
    };
    let measurement = Measurement {
        subject: ask().digest,
        metric: metric.to_owned(),
        samples: vec!["5".parse().unwrap()],
        tool: "k6".to_owned(),
        stage: "smoke".to_owned(),
        at: crate::scene::now(),
    };
    let list = vec![observed(measurement)];
    facts.root.measurements = model::Signal::Present(model::Observed {
        value: list,
        origin: model::Origin::File("m.json".to_owned()),
        at: crate::scene::now(),
        evidence: model::Digest::of(b"bytes"),
    });
    facts
}

#[test]
fn s14_a_policy_without_a_rule_about_vulnerabilities_gives_no_numbers() {
    let rule = |max: u32| format!("{{ id: m, measurements: {{ from: [file], metric: m, max: {max} }} }}");
    let judgement = judge(&policy("", &rule(5)), &measured("m"));
    assert_eq!(judgement.verdict, Verdict::Allow, "{:?}", judgement.reasons());
    assert!(!judgement.complete, "nobody looked at the scan");
    assert_eq!(judgement.counts(), None);
    // Beside a rule that looks at it, there are.
    let both = policy("", &format!("{}, {{ id: v, vulnerabilities: {{}} }}", rule(5)));
    let judgement = judge(&both, &measured("m"));
    assert!(judgement.complete && judgement.counts().is_some());
    // A broken rule of any kind denies, and leaves the numbers as they are.
    let both = policy("", &format!("{}, {{ id: v, vulnerabilities: {{}} }}", rule(4)));
    let judgement = judge(&both, &measured("m"));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["measurement.exceeded"]));
    assert!(judgement.counts().is_some());
}

#[test]
fn a18_every_kind_of_rule_names_the_platform() {
    let clean = || model::Signal::Present(scan(vec![]).observed());
    let judgement = judge(
        &policy("", "{ id: c, config: { nonRoot: true } }"),
        &index(vec![("linux/amd64", clean()), ("linux/arm64", clean())]),
    );
    let lines: Vec<_> = messages(&judgement).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("linux/amd64: ") && lines[1].starts_with("linux/arm64: "), "{lines:?}");
}
