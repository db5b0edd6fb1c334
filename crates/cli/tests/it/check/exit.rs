//! A1: every exit code by the right cause.

use std::net::TcpListener;
use std::time::Duration;

use testkit::fixtures::{STATUSES, Scan, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, basic, each, no_scan, policy, scan, scanned};

#[test]
fn a1_0_a_finished_scan_without_blocking_findings() {
    let ran = Gate::new(scan(&basic().finding("CVE-2024-0001", "MEDIUM"))).check().run().exits(0);
    assert_eq!(ran.record()["verdict"], "allow");
    assert_eq!(ran.record()["image"]["digest"], digest(1));
    assert_eq!(ran.stderr, "", "quiet where stderr is no terminal");
    assert!(!ran.record()["signals"].as_array().unwrap().is_empty(), "green rests on evidence");
}

#[test]
fn a1_1_a_blocking_finding() {
    for severity in ["CRITICAL", "HIGH"] {
        let ran = Gate::new(scan(&basic().finding("CVE-2024-0001", severity))).check().run();
        ran.exits(1).because("vuln.maxExceeded").says("CVE-2024-0001").says(severity);
    }
}

/// Every status alone, with findings and without: only COMPLETE and ACTIVE can ever be green.
#[test]
fn a1_every_status_alone() {
    let statuses: Vec<&str> = STATUSES.iter().copied().chain(["", "complete", "COMPLETED", "SOMETHING_NEW"]).collect();
    let cases: Vec<(&str, bool)> = statuses.iter().flat_map(|status| [(*status, true), (*status, false)]).collect();
    each(&cases, |gate, (status, with_findings)| {
        let answer = if *with_findings { basic().status(status) } else { Scan::only_status(&digest(1), status) };
        gate.ecr.set(scan(&answer));
        let waits =
            matches!(*status, "IN_PROGRESS" | "PENDING") || !with_findings && matches!(*status, "COMPLETE" | "ACTIVE");
        let ran = gate.check().timeout(if waits { SHORT } else { "5s" }).run();
        let (code, reason) = match (*status, *with_findings) {
            ("COMPLETE" | "ACTIVE", true) => (0, None),
            ("COMPLETE" | "ACTIVE", false) => (4, Some("scan.noFindingsYet")),
            ("IN_PROGRESS" | "PENDING", _) => (4, Some("scan.pending")),
            ("FAILED", _) => (2, Some("scan.failed")),
            ("UNSUPPORTED_IMAGE", _) => (2, Some("scan.unsupported")),
            ("SCAN_ELIGIBILITY_EXPIRED", _) => (2, Some("scan.eligibilityExpired")),
            ("FINDINGS_UNAVAILABLE", _) => (2, Some("scan.findingsUnavailable")),
            ("LIMIT_EXCEEDED", _) => (2, Some("scan.limitExceeded")),
            ("IMAGE_ARCHIVED", _) => (2, Some("scan.imageArchived")),
            _ => (2, Some("scan.unknownStatus")),
        };
        let ran = ran.exits(code);
        if let Some(reason) = reason {
            ran.because(reason);
        }
    });
}

#[test]
fn a1_2_the_status_and_its_words_are_shown() {
    let failed = Scan::only_status(&digest(1), "FAILED").description("The operating system 'x' is unknown.");
    Gate::new(scan(&failed)).check().run().exits(2).says("The operating system 'x' is unknown.").says("FAILED");
    let odd = Scan::only_status(&digest(1), "SOMETHING_NEW");
    Gate::new(scan(&odd)).check().run().exits(2).says("SOMETHING_NEW").says("newer ecr-gate");
}

/// A15
#[test]
fn a15_an_unsupported_base_says_what_to_do() {
    let unsupported = Scan::only_status(&digest(1), "UNSUPPORTED_IMAGE");
    let ran = Gate::new(scan(&unsupported)).check().run().exits(2);
    ran.says("enhanced scanning").says("a scanner's report as a second source");
}

#[test]
fn a1_3_no_scan_and_none_may_be_started() {
    for (arguments, variable) in [(&["--no-start-scan"][..], None), (&[][..], Some("false"))] {
        let gate = Gate::new(scanned([no_scan()]));
        let mut check = gate.check().args(arguments);
        if let Some(value) = variable {
            check = check.env("ECR_GATE_START_SCAN", value);
        }
        check.run().exits(3).because("scan.notStartable");
        assert_eq!(gate.ecr.count("StartImageScan"), 0);
    }
}

#[test]
fn a1_3_repository_or_image_not_found() {
    for (code, reason) in
        [("RepositoryNotFoundException", "aws.repositoryNotFound"), ("ImageNotFoundException", "aws.imageNotFound")]
    {
        let gate = Gate::new(Script::new().on("DescribeImages", Answer::error(code, "it is not there")));
        gate.check().run().exits(3).because(reason).says(code);
        assert_eq!(gate.ecr.operations(), ["DescribeImages"], "nothing more to ask");
    }
}

#[test]
fn a1_4_pending_until_the_time_is_up() {
    for status in ["PENDING", "IN_PROGRESS"] {
        let gate = Gate::new(scan(&Scan::only_status(&digest(1), status)));
        let ran = gate.check().timeout(SHORT).run().exits(4).because("scan.pending").within(Duration::from_secs(3));
        assert_eq!(ran.record()["verdict"], "pending");
        assert!(ran.took >= Duration::from_millis(700), "it waited: {:?}", ran.took);
        let looks = gate.ecr.count("DescribeImageScanFindings");
        assert!((3..=21).contains(&looks), "{looks} looks in a second, every 50 ms");
    }
}

#[test]
fn a1_5_nobody_listens() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let gate = Gate::new(Script::new());
    let check = gate.check().env("AWS_ENDPOINT_URL", &format!("http://{free}"));
    check.timeout("20s").run().exits(5).because("aws.unavailable").within(Duration::from_secs(15));
}

#[test]
fn a1_64_wrong_usage() {
    for (arguments, says) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["--timeout", "ten"], "ten"),
        (&["--timeout", "0s"], "--timeout"),
        (&["--timeout", "25h"], "24h"),
        (&["--poll-interval=-1s"], "-1s"),
        (&["--output", "xml"], "xml"),
        (&["--output", "json=x", "--output", "json"], "two outputs go to stdout"),
        (&["--warn-exit-code", "256"], "256"),
        (&["--report", "nessus=x.json"], "nessus"),
        (&["--tag", "v1"], "not both"),
        (&["--fail-on", "SEVERE"], "SEVERE"),
    ] {
        let gate = Gate::new(scan(&basic()));
        gate.check().own_pace().args(arguments).run().exits(64).says(says);
        assert_eq!(gate.ecr.requests().len(), 0, "{arguments:?}: nothing is asked before the command line is right");
    }
    let gate = Gate::new(scan(&basic()));
    gate.check().without_image().run().exits(64).says("which image?");
    gate.check().image("not an image").run().exits(64).says("not an image");
    gate.check().env("ECR_GATE_WARN_EXIT_CODE", "many").run().exits(64).says("ECR_GATE_WARN_EXIT_CODE");
    gate.check().env("ECR_GATE_START_SCAN", "maybe").run().exits(64).says("ECR_GATE_START_SCAN");
    gate.check().own_pace().env("ECR_GATE_TIMEOUT", "soon").run().exits(64).says("ECR_GATE_TIMEOUT");
}

#[test]
fn a1_a_soft_fail_exits_0_and_says_so() {
    let gate = Gate::new(scan(&basic().finding("CVE-2024-0001", "CRITICAL")));
    let soft = gate
        .write("soft.yaml", policy("rules:\n- id: soft\n  vulnerabilities: { max: { critical: 0 } }\n  action: warn"));
    let check = || gate.check().args(&["--policy", &soft]);
    let ran = check().run().exits(0).because("vuln.maxExceeded").says("WARN").says("CVE-2024-0001");
    assert!(ran.stderr.contains("soft-fail"), "{}", ran.stderr);
    assert_eq!(ran.record()["verdict"], "warn");
    assert_eq!(ran.variable("VULN_CRITICAL"), Some("1"));
    check().args(&["--warn-exit-code", "7"]).run().exits(7).says("soft-fail");
    check().env("ECR_GATE_WARN_EXIT_CODE", "8").run().exits(8);
    check().env("ECR_GATE_WARN_EXIT_CODE", "8").args(&["--warn-exit-code", "0"]).run().exits(0);
    // Only a warning is softened.
    gate.check().args(&["--warn-exit-code", "0"]).run().exits(1);
    gate.ecr.set(scan(&basic()));
    check().args(&["--warn-exit-code", "7"]).run().exits(0);
}

#[test]
fn a5_an_answer_that_cannot_be_delivered_is_not_green() {
    let gate = Gate::new(scan(&basic()));
    let ran = gate.check().args(&["--output", "json=/nonexistent/decision.json"]).start().end_unchecked();
    let ran = ran.exits(5).says("/nonexistent");
    let dotenv = ran.dotenv.unwrap();
    assert!(!dotenv.contains("allow") && !dotenv.contains("VULN_"), "what was not delivered was not allowed: {dotenv}");
    gate.ecr.set(scan(&basic().finding("CVE-2024-0001", "HIGH")));
    gate.check().args(&["--output", "json=/nonexistent/decision.json"]).run().exits(1).says("/nonexistent");
}

#[test]
fn a1_an_answer_about_another_image_is_no_answer() {
    let mut elsewhere = basic().value();
    elsewhere["repositoryName"] = "team/other".into();
    for answer in [Scan::basic(&digest(2), testkit::fixtures::now()).value(), elsewhere] {
        Gate::new(scanned([Answer::json(answer)])).check().run().exits(2).because("scan.otherImage");
    }
    let script = Script::new()
        .on("DescribeImages", Answer::json(testkit::fixtures::describe_images(&digest(2), &[], 0)))
        .on("DescribeImageScanFindings", Answer::json(basic().value()));
    let asked_by_digest = testkit::fixtures::image("", &digest(1));
    Gate::new(script).check().image(asked_by_digest).run().exits(2).because("aws.malformed");
}
