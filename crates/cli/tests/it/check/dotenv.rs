//! A7, S14: the dotenv report. It never holds a number that nobody counted.

use testkit::fixtures::{self, Scan, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, Ran, SHORT, basic, scan, scanned};

/// The names in the report, in order.
fn names(ran: &Ran) -> Vec<&str> {
    let dotenv = ran.dotenv.as_deref().unwrap();
    dotenv.lines().map(|line| line.split_once('=').expect("NAME=VALUE").0).collect()
}

const VULN: [&str; 5] = ["VULN_CRITICAL", "VULN_HIGH", "VULN_MEDIUM", "VULN_LOW", "VULN_TOTAL"];

#[test]
fn a7_allowed() {
    let ran = Gate::new(scan(&basic().findings(2, "MEDIUM").finding("CVE-2024-0001", "LOW"))).check().run().exits(0);
    assert_eq!(VULN.map(|name| ran.variable(name).unwrap()), ["0", "0", "2", "1", "0"]);
    assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("allow"));
    assert_eq!(ran.variable("ECR_GATE_DIGEST"), Some(digest(1).as_str()));
    assert_eq!(ran.variable("ECR_GATE_IMAGE"), Some(fixtures::image("", &digest(1)).as_str()), "what deploy jobs use");
    assert_eq!(ran.variable("ECR_GATE_DECISION_ID"), ran.record()["id"].as_str());
    assert!(ran.record()["id"].is_string());
}

#[test]
fn a7_blocked_is_written_too() {
    let found = basic().findings(3, "CRITICAL").findings(2, "HIGH").findings(4, "MEDIUM");
    let ran = Gate::new(scan(&found)).check().run().exits(1);
    assert_eq!(VULN.map(|name| ran.variable(name).unwrap()), ["3", "2", "4", "0", "5"], "total: what blocks");
    assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("deny"));
    assert_eq!(ran.variable("ECR_GATE_REASON"), Some("vuln.maxExceeded"));
    assert_eq!(ran.variable("ECR_GATE_DECISION_ID"), ran.record()["id"].as_str());
}

#[test]
fn s14_undecided_has_no_numbers() {
    for status in ["PENDING", "IN_PROGRESS", "FAILED", "UNSUPPORTED_IMAGE"] {
        let ran = Gate::new(scan(&Scan::only_status(&digest(1), status))).check().timeout(SHORT).run();
        assert_ne!(ran.code, 0);
        assert!(VULN.iter().all(|name| ran.variable(name).is_none()), "{ran:#?}");
        assert_eq!(ran.variable("ECR_GATE_DIGEST"), Some(digest(1).as_str()));
        assert!(ran.variable("ECR_GATE_REASON").is_some_and(|reason| reason.starts_with("scan.")));
    }
    let ran = Gate::new(scanned([Answer::error("AccessDeniedException", "no")])).check().run().exits(3);
    assert_eq!(ran.variable("ECR_GATE_REASON"), Some("aws.accessDenied"));
    assert!(!names(&ran).iter().any(|name| name.starts_with("VULN_")));
}

#[test]
fn s14_before_any_digest_there_is_verdict_and_reason_only() {
    let gate = Gate::new(Script::new().on("DescribeImages", Answer::error("AccessDeniedException", "no")));
    let ran = gate.check().run().exits(3);
    assert_eq!(names(&ran), ["ECR_GATE_VERDICT", "ECR_GATE_REASON"]);
    assert_eq!(ran.variable("ECR_GATE_REASON"), Some("aws.accessDenied"));
    // The digest that the caller named is known whatever AWS says.
    let ran = gate.check().image(fixtures::image("", &digest(1))).run().exits(3);
    assert_eq!(ran.variable("ECR_GATE_DIGEST"), Some(digest(1).as_str()));
    assert_eq!(ran.variable("VULN_TOTAL"), None);
}

/// The report of an earlier run does not outlive a run that fails.
#[test]
fn s14_an_earlier_report_is_never_left_behind() {
    let gate = Gate::new(scan(&basic()));
    let report = gate.path("kept.env");
    let write_old = || std::fs::write(&report, "ECR_GATE_VERDICT=allow\nVULN_CRITICAL=0\n").unwrap();
    let args = ["--dotenv", "kept.env"];
    // `--dotenv` twice would be wrong usage: this test brings its own command line.
    let command = |more: &[&str], image: &str| {
        write_old();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
        command
            .env_clear()
            .envs(gate.ecr.env())
            .current_dir(gate.path(""))
            .arg("check")
            .args(args)
            .args(more)
            .arg(image);
        let code = command.output().unwrap().status.code().unwrap();
        (code, std::fs::read_to_string(&report).unwrap_or_default())
    };
    let image = fixtures::image("v1", "");
    for (more, image, code) in [
        (&["--policy", "missing.yaml"][..], image.as_str(), 3),
        (&["--fail-on", "SEVERE"][..], &image, 64),
        (&["--environment", "mars"][..], &image, 64),
        (&[][..], "123456789012.dkr.ecr.eu-west-1.amazonaws.com/App:1", 64),
    ] {
        let (ended, text) = command(more, image);
        assert_eq!(ended, code, "{more:?}");
        assert!(!text.contains("allow") && !text.contains("VULN_"), "{more:?}: {text}");
    }
    assert_eq!(command(&[], &image).0, 0);
}

#[test]
fn a7_under_the_limit_whatever_is_in_it() {
    let mut long = basic();
    for n in 0..200 {
        long = long.finding(&format!("CVE-2024-{n}\n\"VULN_TOTAL=0"), if n % 2 == 0 { "CRITICAL" } else { "HIGH" });
    }
    let ran = Gate::new(scan(&long)).check().run().exits(1);
    let dotenv = ran.dotenv.as_deref().unwrap();
    assert!(dotenv.len() < 5 * 1024);
    assert_eq!(dotenv.matches("VULN_TOTAL=").count(), 1);
    assert_eq!(ran.variable("VULN_TOTAL"), Some("200"));
    assert!(dotenv.lines().all(|line| {
        line.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    }));
}
