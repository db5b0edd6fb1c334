//! A6: a missing scan is started once, and waited for.

use std::time::Duration;

use testkit::fixtures::{self, Scan, digest, now};
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, basic, enhanced, no_scan, pushed, scanned};

fn accepted() -> Answer {
    Answer::json(fixtures::start_image_scan(&digest(1), "IN_PROGRESS"))
}

fn only(status: &str) -> Answer {
    Answer::json(Scan::only_status(&digest(1), status).value())
}

#[test]
fn a6_a_missing_scan_is_started_once_and_waited_for() {
    for (scan, code) in [(basic(), 0), (basic().finding("CVE-2024-0001", "CRITICAL"), 1)] {
        let script =
            scanned([no_scan(), no_scan(), only("IN_PROGRESS"), only("IN_PROGRESS"), Answer::json(scan.value())])
                .on("StartImageScan", accepted());
        let gate = Gate::new(script);
        gate.check().run().exits(code);
        let start: Vec<_> =
            gate.ecr.requests().into_iter().filter(|request| request.operation == "StartImageScan").collect();
        assert_eq!(start.len(), 1);
        assert_eq!(start[0].digest(), Some(digest(1).as_str()), "by digest");
        assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 5);
    }
}

#[test]
fn a6_the_answer_to_a_start_is_never_a_verdict() {
    let mut clean = basic().value();
    clean["imageScanStatus"]["status"] = "COMPLETE".into();
    let script = scanned([no_scan()]).on("StartImageScan", Answer::json(clean));
    let gate = Gate::new(script);
    gate.check().timeout(SHORT).run().exits(4).because("scan.pending");
    assert_eq!(gate.ecr.count("StartImageScan"), 1);
}

#[test]
fn a6_scanned_in_the_last_24_hours() {
    let limit = || Answer::error("LimitExceededException", "The scan quota per image has been exceeded.");
    // Another job has started it: its result comes.
    let script = scanned([no_scan(), no_scan(), Answer::json(basic().value())]).on("StartImageScan", limit());
    let gate = Gate::new(script);
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count("StartImageScan"), 1);
    // It does not come.
    let gate = Gate::new(scanned([no_scan()]).on("StartImageScan", limit()));
    gate.check().timeout(SHORT).run().exits(4).because("scan.missing").says("24 hours");
    assert_eq!(gate.ecr.count("StartImageScan"), 1, "a refused start is not repeated");
}

#[test]
fn a6_the_start_is_denied() {
    let denied = || Answer::error("AccessDeniedException", "not authorized to perform: ecr:StartImageScan");
    let gate = Gate::new(scanned([no_scan()]).on("StartImageScan", denied()));
    gate.check().run().exits(3).because("aws.accessDenied").says("ecr:StartImageScan on arn:aws:ecr:");
    // The scan on push was only late.
    let gate = Gate::new(scanned([no_scan(), Answer::json(basic().value())]).on("StartImageScan", denied()));
    gate.check().run().exits(0);
}

#[test]
fn a6_none_may_be_started_but_one_appears_after_the_push() {
    let just_pushed = Answer::json(fixtures::describe_images(&digest(1), &["v1"], now() - 2));
    let scan = Answer::json(Scan::basic(&digest(1), now()).value());
    let script = Script::new()
        .on("DescribeImages", just_pushed.clone())
        .on("DescribeImageScanFindings", no_scan())
        .on("DescribeImageScanFindings", no_scan())
        .on("DescribeImageScanFindings", scan);
    let gate = Gate::new(script);
    gate.check().args(&["--no-start-scan"]).run().exits(0);
    assert_eq!(gate.ecr.count("StartImageScan"), 0);
    let script = Script::new().on("DescribeImages", just_pushed).on("DescribeImageScanFindings", no_scan());
    let gate = Gate::new(script);
    gate.check().args(&["--no-start-scan"]).timeout(SHORT).run().exits(3).because("scan.notStartable");
}

#[test]
fn a6_enhanced_scanning_starts_by_itself() {
    let script = scanned([
        no_scan(),
        no_scan(),
        only("PENDING"),
        Answer::json(enhanced().value()),
        Answer::json(enhanced().value()),
    ])
    .on("StartImageScan", Answer::error("ValidationException", "This feature is disabled"));
    let gate = Gate::new(script);
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count("StartImageScan"), 1);
    assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 5, "ACTIVE and empty needs a second look");
    // Nothing ever comes.
    let script =
        scanned([no_scan()]).on("StartImageScan", Answer::error("ValidationException", "This feature is disabled"));
    let ran = Gate::new(script).check().timeout(SHORT).run().exits(4).because("scan.missing");
    ran.says("Inspector").within(Duration::from_secs(3));
}

#[test]
fn a6_a_failed_scan_is_not_started_again() {
    let gate = Gate::new(scanned([only("FAILED")]).on("StartImageScan", accepted()));
    gate.check().run().exits(2).because("scan.failed");
    assert_eq!(gate.ecr.count("StartImageScan"), 0);
}

/// S18: a result that is too old, or from before the push, is replaced by a new scan where one may be started.
#[test]
fn s18_an_old_result_is_scanned_anew() {
    let day = 86_400;
    let old = Scan::basic(&digest(1), now() - 9 * day);
    let described_old = || Answer::json(fixtures::describe_images(&digest(1), &["v1"], now() - 20 * day));
    let script = |answers: Vec<Answer>| {
        let script = Script::new().on("DescribeImages", described_old()).on("StartImageScan", accepted());
        answers.into_iter().fold(script, |script, answer| script.on("DescribeImageScanFindings", answer))
    };
    let gate = Gate::new(script(vec![Answer::json(old.value()), only("IN_PROGRESS"), Answer::json(basic().value())]));
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count("StartImageScan"), 1);
    let gate = Gate::new(script(vec![Answer::json(old.value())]));
    gate.check().args(&["--no-start-scan"]).run().exits(4).because("scan.stale").says("8d");
    assert_eq!(gate.ecr.count("StartImageScan"), 0);
    let young = Gate::new(script(vec![Answer::json(Scan::basic(&digest(1), now() - 7 * day).value())]));
    young.check().run().exits(0);
}

#[test]
fn s16_a_scan_from_before_the_push_is_not_of_this_push() {
    let before = Scan::basic(&digest(1), pushed() - 60);
    let gate = Gate::new(scanned([Answer::json(before.value())]));
    gate.check().args(&["--no-start-scan"]).run().exits(4).because("scan.olderThanPush");
    let script = scanned([Answer::json(before.value()), Answer::json(before.value()), Answer::json(basic().value())]);
    let gate = Gate::new(script.on("StartImageScan", accepted()));
    gate.check().run().exits(0);
    assert_eq!(gate.ecr.count("StartImageScan"), 1);
    let gate = Gate::new(scanned([Answer::json(before.value())]).on("StartImageScan", accepted()));
    assert_ne!(gate.check().timeout(SHORT).run().code, 0);
}
