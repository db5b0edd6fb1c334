//! A run as a process: dry runs, signals, and what is told while it waits.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::fixtures::{self, Scan, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, SHORT, basic, no_scan, scan, scanned};

fn pending() -> Script {
    scan(&Scan::only_status(&digest(1), "IN_PROGRESS"))
}

#[test]
fn s15_a_dry_run_starts_no_scan_and_decides_nothing() {
    let start = Answer::json(fixtures::start_image_scan(&digest(1), "IN_PROGRESS"));
    let gate = Gate::new(scanned([no_scan(), Answer::json(basic().value())]).on("StartImageScan", start));
    for arguments in [&["--dry-run"][..], &["--dry-run", "--start-scan"]] {
        gate.ecr.set(
            scanned([no_scan()])
                .on("StartImageScan", Answer::json(fixtures::start_image_scan(&digest(1), "IN_PROGRESS"))),
        );
        gate.check().args(arguments).run().exits(3).because("scan.notStartable");
        assert_eq!(gate.ecr.count("StartImageScan"), 0);
    }
    for (scan, code) in [(basic(), 0), (basic().finding("CVE-2024-0001", "HIGH"), 1)] {
        gate.ecr.set(crate::gate::scan(&scan));
        let ran = gate.check().args(&["--dry-run"]).run().exits(code);
        assert!(ran.record()["id"].is_null() && ran.record()["dryRun"] == true, "{ran:#?}");
        assert_eq!(ran.variable("ECR_GATE_DECISION_ID"), None);
    }
}

#[test]
fn a1_130_interrupted_within_a_second_and_without_a_verdict() {
    for (script, name) in [
        (pending(), "INT"),
        (pending(), "TERM"),
        (scanned([Answer::hang(Duration::from_secs(50))]), "INT"),
        (Script::new().on("DescribeImages", Answer::hang(Duration::from_secs(50))), "INT"),
    ] {
        let gate = Gate::new(script);
        let running = gate.check().timeout("50s").start();
        let asked = Instant::now();
        while gate.ecr.requests().is_empty() {
            assert!(asked.elapsed() < Duration::from_secs(20), "nothing was asked");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(150));
        let interrupted = Instant::now();
        running.signal(name);
        let ran = running.end().exits(130).says("interrupted");
        assert!(interrupted.elapsed() < Duration::from_secs(1), "{:?}", interrupted.elapsed());
        assert!(ran.stdout.is_empty() && ran.record.is_none(), "no output claims a verdict: {ran:#?}");
        let dotenv = ran.dotenv.unwrap_or_default();
        assert!(!dotenv.contains("allow") && !dotenv.contains("VULN_"), "{dotenv}");
    }
}

#[test]
fn a2_quiet_where_stderr_is_no_terminal_unless_verbose() {
    let gate = Gate::new(pending());
    let ran = gate.check().timeout(SHORT).run().exits(4);
    assert_eq!(ran.stderr, "");
    let ran = gate.check().timeout(SHORT).args(&["--verbose"]).run().exits(4);
    assert!(ran.stderr.contains(&format!("judging {}", digest(1))), "{}", ran.stderr);
    assert!(ran.stderr.contains("scan status IN_PROGRESS") && ran.stderr.contains("next look in"), "{}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| line.starts_with("ecr-gate: ")), "{}", ran.stderr);
    let ran = gate.check().timeout(SHORT).args(&["--verbose", "--quiet"]).run().exits(4);
    assert_eq!(ran.stderr, "");
    // Errors are never silenced.
    gate.check().args(&["--quiet", "--environment", "mars"]).run().exits(64).says("mars");
}

/// Every run of every test asserts that there are no escape codes; here with what asks for them.
#[test]
fn a1_no_escape_codes_where_there_is_no_terminal() {
    let gate = Gate::new(scan(&basic().finding("CVE-\u{1b}[31m2024", "CRITICAL")));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("COLORTERM", "truecolor")] {
        gate.check().env(name, value).run().exits(1);
        gate.check().env(name, value).args(&["--nonsense"]).run().exits(64);
        gate.check().env(name, value).args(&["--environment", "mars"]).run().exits(64);
    }
}

/// On a terminal there is colour, and `NO_COLOR` takes it away.
#[test]
fn a1_colour_on_a_terminal_unless_no_color() {
    let gate = Gate::new(scan(&basic().finding("CVE-2024-0001", "CRITICAL")));
    let on_a_terminal = |no_color: Option<&str>| {
        let run = format!("{} check {}", env!("CARGO_BIN_EXE_ecr-gate"), fixtures::image("v1", ""));
        let mut script = Command::new("script");
        script
            .args(["-qec", &run, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("TERM", "xterm");
        script.envs(gate.ecr.env()).envs(no_color.map(|value| ("NO_COLOR", value))).current_dir(gate.path(""));
        script
            .stdin(Stdio::null())
            .output()
            .map(|output| (output.status.code(), String::from_utf8(output.stdout).unwrap()))
    };
    let Ok((code, coloured)) = on_a_terminal(None) else {
        println!("1 test skipped: there is no script(1) to make a terminal");
        return;
    };
    assert!(code == Some(1) && coloured.contains("\u{1b}[1;31mDENY"), "{code:?} {coloured}");
    let (code, plain) = on_a_terminal(Some("1")).unwrap();
    // Redrawing the line of progress is no colour.
    let is_colour = |code: &str| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m');
    assert!(code == Some(1) && plain.contains("DENY"), "{code:?} {plain:?}");
    assert!(!plain.split("\u{1b}[").skip(1).any(is_colour), "{plain:?}");
}

/// The proxy that the environment names is not asked for a loopback endpoint, and one that is dead is named.
#[test]
fn a5_a_dead_proxy_is_a_network_failure() {
    let gate = Gate::new(scan(&basic()));
    let check =
        || gate.check().timeout("3s").env("HTTP_PROXY", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9");
    check().run().exits(0);
    let ran = check().without(&["NO_PROXY"]).run();
    assert!([0, 5].contains(&ran.code), "{ran:#?}");
}
