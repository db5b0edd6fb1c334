//! A2: bounded polling, every bound a flag and a variable; backoff when throttled.

use std::time::{Duration, Instant};

use testkit::fixtures::{Scan, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, basic, described, scan, scanned};

fn throttled() -> Answer {
    Answer::error("ThrottlingException", "Rate exceeded")
}

fn pending() -> Script {
    scan(&Scan::only_status(&digest(1), "PENDING"))
}

#[test]
fn a2_an_interval_under_10_s_is_refused_against_ecr_itself() {
    let gate = Gate::new(scan(&basic()));
    let ecr_itself = || gate.check().own_pace().without(&["AWS_ENDPOINT_URL"]);
    for interval in ["9s", "9999ms", "50ms"] {
        let ran = ecr_itself().args(&["--poll-interval", interval]).run().exits(64).says("under 10s");
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
    ecr_itself().env("ECR_GATE_POLL_INTERVAL", "2s").run().exits(64).says("under 10s");
    // An override that is not in force is none.
    let ignored = gate.check().env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    ignored.run().exits(64).says("under 10s");
    assert_eq!(gate.ecr.requests().len(), 0);
}

#[test]
fn a2_a_short_interval_is_accepted_with_an_endpoint_override() {
    let gate = Gate::new(scan(&basic()));
    gate.check().poll("50ms").run().exits(0);
    let url = gate.ecr.url();
    gate.check().without(&["AWS_ENDPOINT_URL"]).env("AWS_ENDPOINT_URL_ECR", &url).poll("50ms").run().exits(0);
}

#[test]
fn a2_bounds_by_flag_and_by_variable() {
    let gate = Gate::new(pending());
    // The variable's timeout of an hour would outlive the test; the flag wins.
    let check = gate.check().timeout(SHORT).poll("100ms");
    let ran = check.env("ECR_GATE_TIMEOUT", "1h").env("ECR_GATE_POLL_INTERVAL", "1h").run().exits(4);
    assert!(gate.ecr.count("DescribeImageScanFindings") >= 2, "the flag's interval wins: {ran:?}");

    gate.ecr.set(pending());
    let by_variable = |timeout: &str, interval: &str| {
        let check = gate.check().own_pace().env("ECR_GATE_TIMEOUT", timeout);
        check.env("ECR_GATE_POLL_INTERVAL", interval).run().exits(4).within(Duration::from_secs(4))
    };
    by_variable("600ms", "50ms");
    let fast = gate.ecr.count("DescribeImageScanFindings");
    gate.ecr.set(pending());
    by_variable("600ms", "1h");
    let slow = gate.ecr.count("DescribeImageScanFindings");
    assert!(slow == 2 && fast > slow, "an interval past the end gives one last look: {slow}, {fast}");
}

#[test]
fn a2_looks_are_never_closer_than_the_interval() {
    let gate = Gate::new(pending());
    gate.check().timeout("1500ms").poll("200ms").run().exits(4);
    let looks: Vec<_> =
        gate.ecr.requests().into_iter().filter(|request| request.operation == "DescribeImageScanFindings").collect();
    assert!((4..=8).contains(&looks.len()), "{} looks", looks.len());
    for pair in looks.windows(2).take(looks.len() - 2) {
        let distance = pair[1].at.duration_since(pair[0].at);
        assert!(distance >= Duration::from_millis(195), "{distance:?}");
    }
}

#[test]
fn a2_a_burst_of_throttling_is_waited_out() {
    for operation in ["DescribeImages", "DescribeImageScanFindings"] {
        let mut script = Script::new();
        for _ in 0..3 {
            script = script.on(operation, throttled());
        }
        script = script.on("DescribeImages", described());
        let script = script.on("DescribeImageScanFindings", Answer::json(basic().value()));
        let gate = Gate::new(script);
        gate.check().run().exits(0);
        let asked: Vec<_> = gate.ecr.requests().into_iter().filter(|request| request.operation == operation).collect();
        let needed = if operation == "DescribeImages" { 3 + 2 } else { 3 + 1 };
        assert_eq!(asked.len(), needed, "three refusals, then only what is needed");
        for (pair, wait) in asked.windows(2).zip([50, 100, 200]) {
            let gap = pair[1].at.duration_since(pair[0].at);
            assert!(gap >= Duration::from_millis(wait), "backoff doubles: {gap:?} after {wait} ms");
        }
    }
}

#[test]
fn a2_throttled_for_ever_ends_in_time() {
    for operation in ["DescribeImages", "DescribeImageScanFindings"] {
        for answer in
            [throttled(), Answer::error_status(429, "TOOMANYREQUESTS", "slow down"), Answer::raw(429, "text/plain", "")]
        {
            let script = Script::new().on("DescribeImages", described()).always(operation, move |_| answer.clone());
            let gate = Gate::new(script);
            let ran = gate.check().timeout("1s").run().exits(4).because("aws.throttled");
            let ran = ran.says("--poll-interval").within(Duration::from_secs(4));
            assert_eq!(ran.record()["verdict"], if operation == "DescribeImages" { "pending" } else { "deny" });
            let asked = gate.ecr.count(operation);
            assert!((3..=8).contains(&asked), "backing off, not hammering: {asked}");
        }
    }
}

#[test]
fn a2_throttled_for_ever_while_a_scan_is_started() {
    let script = scanned([crate::gate::no_scan()]).on("StartImageScan", throttled());
    let gate = Gate::new(script);
    gate.check().timeout(SHORT).run().exits(4).within(Duration::from_secs(3));
    let asked = gate.ecr.count("StartImageScan");
    assert!((2..=6).contains(&asked), "backing off, not hammering: {asked}");
}

#[test]
fn a2_the_default_interval_is_15_s() {
    let gate = Gate::new(pending());
    let running = gate.check().own_pace().start();
    let began = Instant::now();
    while gate.ecr.count("DescribeImageScanFindings") == 0 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 1, "one look in the first seconds");
    running.signal("TERM");
    running.end().exits(130);
}
