//! Policy and exception files end to end: S7, S12, S22, S29, and errors with their place.

use testkit::fixtures::{REPOSITORY, digest, iso8601, now, registry};

use crate::gate::{Gate, Ran, basic, policy, scan};

const RULES: &str = "rules:\n- id: serious\n  vulnerabilities: { max: { critical: 0, high: 0 } }";

fn blocked() -> Gate {
    Gate::new(scan(&basic().finding("CVE-2024-0001", "CRITICAL").finding("CVE-2024-0002", "LOW")))
}

/// A day in the future or the past.
fn day(days: i64) -> String {
    iso8601(now() + days * 86_400)[..10].to_owned()
}

/// A file of exceptions, each with these fields.
fn exceptions(entries: &[String]) -> String {
    let entries = entries.iter().map(|entry| format!("- {{ {entry} }}")).collect::<Vec<_>>().join("\n");
    format!("apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:\n{entries}")
}

fn entry(id: &str, cve: &str, more: &str, expires: &str) -> String {
    format!("id: {id}, cve: {cve}, {more}, reason: not reachable, owner: ada, expires: {expires}")
}

fn exact() -> String {
    format!("repository: {REPOSITORY}, package: openssl, environment: production, digest: '{}'", digest(1))
}

/// Judged with these exceptions.
fn with(gate: &Gate, entries: &[String]) -> Ran {
    gate.write("exceptions.yaml", exceptions(entries));
    let file = gate.write("gate.yaml", policy(&format!("exceptions: [exceptions.yaml]\n{RULES}")));
    gate.check().args(&["--policy", &file]).run()
}

#[test]
fn s29_an_exception_makes_it_green_and_is_named() {
    let gate = blocked();
    let ran = with(&gate, &[entry("EX-1", "CVE-2024-0001", &exact(), &day(10))]).exits(0);
    let ran = ran.says("exception EX-1").says("not reachable").says("ada");
    let record = ran.record();
    assert_eq!(record["exceptions"][0]["id"], "EX-1");
    assert_eq!(record["findings"]["waived"].as_array().unwrap().len(), 1);
    assert!(record["warnings"].as_array().unwrap().is_empty(), "{record:#}");
    assert_eq!(ran.variable("VULN_CRITICAL"), Some("1"), "it is still there");
    assert_eq!(ran.variable("VULN_TOTAL"), Some("0"), "and does not block");
    // S8: the judgement ends when the exception does.
    assert!(record["validUntil"].as_str().unwrap() <= format!("{}T00:00:00Z", day(11)).as_str(), "{record:#}");
}

#[test]
fn s29_an_exception_covers_nothing_else() {
    for (cve, more) in [
        ("CVE-2024-9999", exact()),
        ("CVE-2024-0001", exact().replace("openssl", "zlib")),
        ("CVE-2024-0001", exact().replace(&digest(1), &digest(2))),
        ("CVE-2024-0001", exact().replace(REPOSITORY, "team/other")),
        ("CVE-2024-0001", exact().replace(REPOSITORY, "team")),
    ] {
        with(&blocked(), &[entry("EX-1", cve, &more, &day(10))]).exits(1);
    }
}

#[test]
fn s29_expired_unused_and_over_broad_entries_are_named() {
    let gate = blocked();
    let ran = with(&gate, &[entry("EX-OLD", "CVE-2024-0001", &exact(), &day(-2))]).exits(1);
    ran.says("EX-OLD").says("expired on").says("owner ada");
    let ran = with(
        &gate,
        &[entry("EX-1", "CVE-2024-0001", &exact(), &day(10)), entry("EX-IDLE", "CVE-1999-0001", &exact(), &day(10))],
    );
    ran.exits(0).says("EX-IDLE").says("is unused");
    let wide = format!("repository: '{}/**'", registry());
    let ran = with(&gate, &[entry("EX-WIDE", "CVE-2024-0001", &wide, &day(400))]).exits(0);
    for words in [
        "EX-WIDE",
        "over-broad",
        "several repositories",
        "every image",
        "every package",
        "every environment",
        "more than 30 days",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {ran:#?}");
    }
}

/// S29: honoured only where the policy lists the file.
#[test]
fn s29_a_file_that_no_policy_lists_is_not_read() {
    let gate = blocked();
    let file = gate.write("exceptions.yaml", exceptions(&[entry("EX-1", "CVE-2024-0001", &exact(), &day(10))]));
    gate.check().run().exits(1);
    let alone = gate.write("gate.yaml", policy(RULES));
    gate.check().args(&["--policy", &alone]).run().exits(1);
    gate.check().args(&["--policy", &file]).run().exits(3);
    let listed = gate.write("gate.yaml", policy(&format!("exceptions: [missing.yaml]\n{RULES}")));
    gate.check().args(&["--policy", &listed]).run().exits(3).says("missing.yaml");
}

#[test]
fn s7_an_undeclared_environment_is_wrong_usage() {
    let gate = blocked();
    gate.check().args(&["--environment", "prod"]).run().exits(64).says("production").says("staging");
    gate.check().env("ECR_GATE_ENVIRONMENT", "mars").run().exits(64).says("mars").says("declared");
    let spec = format!("environments:\n  live: {{ class: production }}\n  test: {{ class: non-production }}\n{RULES}");
    let file = gate.write("gate.yaml", policy(&spec));
    let check = || gate.check().args(&["--policy", &file]);
    check().run().exits(64).says("\"production\" is not declared").says("live, test");
    check().args(&["--environment", "live"]).run().exits(1);
    check().env("ECR_GATE_ENVIRONMENT", "test").args(&["--environment", "live"]).run().exits(1);
    assert_eq!(gate.ecr.count("StartImageScan"), 0);
}

/// S7: only policy softens, per environment.
#[test]
fn s7_the_environment_decides_what_the_policy_says_for_it() {
    let gate = blocked();
    let environments = "environments:\n  production: { class: production }\n  dev: { class: non-production }";
    let hard = policy(&format!("{environments}\nmatch: {{ environments: [production] }}\n{RULES}"));
    let soft = policy(&format!("{environments}\nmatch: {{ environments: [dev] }}\n{RULES}\naction: warn"));
    let hard = gate.write("hard.yaml", hard);
    let soft = gate.write("soft.yaml", soft.replace("name: house", "name: soft"));
    let both = || gate.check().args(&["--policy", &hard, "--policy", &soft]);
    both().run().exits(1);
    both().args(&["--environment", "dev"]).run().exits(0).says("soft-fail");
    gate.check().env("ECR_GATE_POLICY", &format!("{hard}:{soft}")).args(&["--environment", "dev"]).run().exits(0);
    gate.check().args(&["--policy", &soft]).run().exits(1).because("policy.noneMatched");
}

#[test]
fn a1_3_a_policy_that_cannot_be_used_says_where_and_what_was_meant() {
    let gate = blocked();
    let nested = |yaml: &str| policy(&format!("rules:\n- id: r\n  vulnerabilities:\n    {yaml}"));
    for (text, says) in [
        (policy("rulez: []"), &["unknown key `rulez`", "gate.yaml:5", "did you mean `rules`?"][..]),
        (nested("max: { critcal: 0 }"), &["critcal", "gate.yaml:8", "did you mean `critical`?"]),
        (nested("max: { critical: none }"), &["gate.yaml:8"]),
        (nested("max:"), &["gate.yaml", "without a value"]),
        (policy("rules: []"), &["`spec.rules` is empty", "would allow everything"]),
        (policy("rules:\n- id: r"), &["exactly one of `vulnerabilities`"]),
        (policy(&format!("{RULES}\naction: alow")), &["alow", "deny"]),
        (policy(&format!("match: {{ environments: [mars] }}\n{RULES}")), &["mars", "declared"]),
        (policy(&format!("onUnknown: {{ scanPending: allow }}\n{RULES}")), &["allow", "pending"]),
        (policy(RULES).replace("GatePolicy", "GatePollicy"), &["GatePollicy", "did you mean `GatePolicy`?"]),
        (policy(RULES).replace("/v1", "/v9"), &["v9"]),
        (format!("{}---\n{}", policy(RULES), policy(RULES)), &["several documents"]),
        ("not: [yaml".to_owned(), &["gate.yaml"]),
        (String::new(), &["gate.yaml"]),
        (format!("{}{}", policy(RULES), "#".repeat(2 << 20)), &["larger than"]),
    ] {
        let file = gate.write("gate.yaml", &text);
        let ran = gate.check().args(&["--policy", &file]).run();
        assert_eq!(ran.code, 3, "{text}: {ran:#?}");
        for words in says {
            assert!(ran.stderr.contains(words), "{words:?} for {text}: {}", ran.stderr);
        }
    }
    gate.check().args(&["--policy", "missing.yaml"]).run().exits(3).says("missing.yaml");
    gate.check().args(&["--policy", "."]).run().exits(3);
    let binary = gate.write("gate.yaml", [0xff, 0xfe, 0]);
    gate.check().args(&["--policy", &binary]).run().exits(3).says("UTF-8");
    assert_eq!(gate.ecr.requests().len(), 0, "nothing is asked by a policy that cannot be used");
}

#[test]
fn s3_no_policy_that_matches_is_a_deny() {
    let gate = Gate::new(scan(&basic()));
    let file = gate.write("gate.yaml", policy(&format!("match: {{ images: ['*/other/**'] }}\n{RULES}")));
    gate.check().args(&["--policy", &file]).run().exits(1).because("policy.noneMatched");
    let file =
        gate.write("gate.yaml", policy(&format!("match: {{ images: ['*.dkr.ecr.*.amazonaws.com/**'] }}\n{RULES}")));
    gate.check().args(&["--policy", &file]).run().exits(0);
}

/// `onUnknown` softens what is not known, and only that.
#[test]
fn s3_on_unknown_softens_only_what_is_not_known() {
    let gate = Gate::new(crate::gate::scanned([testkit::Answer::error("AccessDeniedException", "no")]));
    let file = gate.write("gate.yaml", policy(&format!("onUnknown: {{ accessDenied: warn, default: deny }}\n{RULES}")));
    let check = || gate.check().args(&["--policy", &file]);
    let ran = check().run().exits(0).because("aws.accessDenied").says("soft-fail");
    assert_eq!(ran.variable("VULN_TOTAL"), None);
    check().args(&["--warn-exit-code", "9"]).run().exits(9);
    gate.ecr.set(scan(&basic().finding("CVE-2024-0001", "HIGH")));
    check().run().exits(1);
}
