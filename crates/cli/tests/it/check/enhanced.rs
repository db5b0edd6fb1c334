//! A12: enhanced scanning (Amazon Inspector). `ACTIVE` never becomes `COMPLETE`; an empty list needs two looks.

use testkit::Answer;
use testkit::fixtures::{Scan, Vulnerability, digest, now};

use crate::gate::{Gate, SHORT, basic, enhanced, policy, scan, scanned};

const LOOKS: &str = "DescribeImageScanFindings";

#[test]
fn a12_active_with_findings_is_a_result() {
    let gate = Gate::new(scan(&enhanced().finding("CVE-2024-0001", "MEDIUM")));
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count(LOOKS), 1);
    let gate = Gate::new(scan(&enhanced().finding("CVE-2024-0001", "HIGH")));
    let ran = gate.check().run().exits(1).because("vuln.maxExceeded").says("CVE-2024-0001").says("openssl");
    ran.says("3.0.13-1");
    assert_eq!(gate.ecr.count(LOOKS), 1);
}

#[test]
fn a12_active_and_empty_needs_two_looks_that_agree() {
    let gate = Gate::new(scan(&enhanced()));
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count(LOOKS), 2);
    // The findings arrive between the two looks (aws-sdk issue 289).
    let late = enhanced().finding("CVE-2024-0001", "CRITICAL");
    let gate = Gate::new(scanned([Answer::json(enhanced().value()), Answer::json(late.value())]));
    gate.check().run().exits(1).says("CVE-2024-0001");
    // The second look is of another scan: a third has to agree with it.
    let anew = Scan::enhanced(&digest(1), now() - 5);
    let gate = Gate::new(scanned([Answer::json(enhanced().value()), Answer::json(anew.value())]));
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count(LOOKS), 3);
}

#[test]
fn a12_one_empty_look_is_not_clean() {
    let gate = Gate::new(scanned([
        Answer::json(enhanced().value()),
        Answer::json(Scan::only_status(&digest(1), "PENDING").value()),
    ]));
    gate.check().timeout(SHORT).run().exits(4);
    // No time for a second look.
    let gate = Gate::new(scanned([Answer::json(enhanced().value()), Answer::hang(std::time::Duration::from_secs(30))]));
    gate.check().timeout(SHORT).run().exits(4);
    let gate =
        Gate::new(scanned([Answer::json(enhanced().value()), Answer::error("ThrottlingException", "Rate exceeded")]));
    gate.check().timeout(SHORT).run().exits(4);
}

#[test]
fn a12_done_without_findings_is_pending() {
    for base in [basic(), enhanced()] {
        let without = base.clone().without_findings_object();
        Gate::new(scan(&without)).check().timeout(SHORT).run().exits(4).because("scan.noFindingsYet");
        let gate = Gate::new(scanned([
            Answer::json(without.value()),
            Answer::json(base.clone().finding("CVE-2024-0001", "HIGH").value()),
        ]));
        gate.check().run().exits(1);
        let mut without_list = base.value();
        for list in ["findings", "enhancedFindings"] {
            without_list["imageScanFindings"].as_object_mut().unwrap().remove(list);
        }
        Gate::new(scanned([Answer::json(without_list)]))
            .check()
            .timeout(SHORT)
            .run()
            .exits(4)
            .because("scan.noFindingsYet");
        Gate::new(scan(&base.without_completed_at()))
            .check()
            .timeout(SHORT)
            .run()
            .exits(4)
            .because("scan.noFindingsYet");
    }
}

/// A3: an absent key is zero only in a complete scan.
#[test]
fn a3_absent_counts_are_zero_only_when_complete() {
    let ran = Gate::new(scan(&basic())).check().run().exits(0);
    for severity in ["CRITICAL", "HIGH", "MEDIUM", "LOW"] {
        assert_eq!(ran.variable(&format!("VULN_{severity}")), Some("0"));
    }
    let ran = Gate::new(scan(&Scan::only_status(&digest(1), "IN_PROGRESS"))).check().timeout(SHORT).run().exits(4);
    assert_eq!(ran.variable("VULN_CRITICAL"), None);
}

#[test]
fn a12_exploit_and_fix_are_read() {
    let exploited = Vulnerability::new("CVE-2024-0001", "LOW").exploit_available("YES");
    let unfixed = Vulnerability::new("CVE-2024-0002", "HIGH").unfixed();
    let rules = "rules:\n- id: r\n  vulnerabilities: { max: { high: 0 }, ignoreUnfixed: true, knownExploited: deny }";
    let gate = Gate::new(scan(&enhanced().vulnerability(&unfixed)));
    let file = gate.write("gate.yaml", policy(rules));
    gate.check().args(&["--policy", &file]).run().exits(0).says("CVE-2024-0002").says("no fix");
    gate.ecr.set(scan(&enhanced().vulnerability(&exploited)));
    gate.check().args(&["--policy", &file]).run().exits(1).because("vuln.knownExploited");
}

#[test]
fn s18_continuous_data_older_than_a_day_is_stale() {
    let stale = enhanced().finding("CVE-2024-0001", "LOW").source_updated_at(now() - 25 * 3600);
    Gate::new(scan(&stale)).check().run().exits(4).because("scan.stale").says("25h old; the policy allows 1d");
}

/// S21: a word outside every vocabulary blocks.
#[test]
fn s21_an_unknown_severity_blocks() {
    for base in [basic(), enhanced()] {
        Gate::new(scan(&base.clone().finding("CVE-2024-0001", "SEVERE"))).check().run().exits(1).says("SEVERE");
        for word in ["UNDEFINED", "UNTRIAGED", "INFORMATIONAL"] {
            let gate = Gate::new(scan(&base.clone().finding("CVE-2024-0001", word)));
            gate.check().run().exits(0).says(&format!("1 {word}"));
        }
    }
}
