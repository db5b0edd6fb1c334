//! A4: every AWS error is named with its cause and its remedy.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::fixtures::{self, COMMON_ERRORS, ERRORS, OCI_INDEX, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, Ran, SHORT, each, no_scan, pushed, scanned};

/// The operation answers so, whenever it is asked; the others make sure that it is.
fn refusing(operation: &str, answer: Answer) -> Script {
    match operation {
        "DescribeImages" => Script::new().on(operation, answer),
        "BatchGetImage" => {
            let index = fixtures::describe_images_as(&digest(1), &["v1"], pushed(), OCI_INDEX);
            Script::new().on("DescribeImages", Answer::json(index)).on(operation, answer)
        }
        "StartImageScan" => scanned([no_scan()]).on(operation, answer),
        _ => scanned([answer]).on("StartImageScan", no_scan()),
    }
}

/// Every operation with every error it declares, and with those that every service shares.
fn every_error() -> Vec<(&'static str, &'static str)> {
    let declared = ERRORS.iter().flat_map(|(operation, codes)| codes.iter().map(|code| (*operation, *code)));
    let common = ERRORS.iter().flat_map(|(operation, _)| COMMON_ERRORS.iter().map(|code| (*operation, *code)));
    declared.chain(common).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The exit code that A1 gives an error code, written down apart from the gate.
fn expected(operation: &str, code: &str) -> i32 {
    let any = |words: &[&str]| words.iter().any(|word| code.contains(word));
    match code {
        "LimitExceededException" | "ScanNotFoundException" => 4,
        "UnsupportedImageTypeException" | "ImageArchivedException" => 2,
        // How ECR says that enhanced scanning is on; its first result may come late.
        "ValidationException" | "InvalidParameterException" | "ValidationError" if operation == "StartImageScan" => 4,
        _ if any(&["Throttl", "TooManyRequests", "RequestLimitExceeded"]) => 4,
        _ if any(&[
            "AccessDenied",
            "NotAuthorized",
            "OptInRequired",
            "Kms",
            "NotFound",
            "Validation",
            "InvalidParameter",
        ]) =>
        {
            3
        }
        _ if any(&["Expired", "Signature", "Token", "UnrecognizedClient"]) => 3,
        _ => 5,
    }
}

#[test]
fn a4_every_error_of_every_operation() {
    let cases = every_error();
    let codes = each(&cases, |gate, (operation, code)| {
        gate.ecr.set(refusing(operation, Answer::error(code, "the words of AWS")));
        let ran = gate.check().timeout(SHORT).run();
        let name = format!("{operation}: {code}");
        assert_ne!(ran.code, 0, "{name}: {ran:#?}");
        assert_eq!(ran.code, expected(operation, code), "{name}: {ran:#?}");
        assert!(ran.stdout.contains("\n  -> "), "{name}: a remedy: {ran:#?}");
        assert!(gate.ecr.count(operation) > 0, "{name}: the error was met");
        // What comes after a refused start decides; the refusal itself need not be the last word.
        let overtaken = *operation == "StartImageScan" && ran.code == 4 || *code == "ScanNotFoundException";
        if !overtaken {
            assert!(ran.stdout.contains(code) || ran.stdout.contains("the words of AWS"), "{name}: {ran:#?}");
            assert!(ran.stdout.contains(operation), "{name}: the operation is named: {ran:#?}");
        }
        if expected(operation, code) == 3 {
            assert_eq!(gate.ecr.count(operation), 1, "{name}: what a person has to mend is asked once");
        }
        ran.code
    });
    println!(
        "{} errors of {} operations; exit codes {:?}",
        cases.len(),
        ERRORS.len(),
        codes.iter().collect::<BTreeSet<_>>()
    );
    assert!(cases.len() > 140);
}

#[track_caller]
fn denied(ran: Ran, operation: &str) -> Ran {
    let arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app";
    let ran = ran.exits(3).because("aws.accessDenied").says(&format!("ecr:{operation} on {arn}"));
    ran.says(&format!("Allow ecr:{operation} on {arn}")).says("ecr-gate iam-policy")
}

#[test]
fn a4_access_denied_names_the_action_and_the_arn_and_is_asked_once() {
    for (operation, _) in ERRORS {
        for answer in [
            Answer::error("AccessDeniedException", "User: arn:aws:iam::123456789012:user/ci is not authorized"),
            Answer::error_status(403, "AccessDenied", "not authorized"),
            Answer::denied_xml("User is not authorized to perform the operation"),
            Answer::raw(403, "text/plain", "Forbidden"),
            Answer::raw(401, "text/html", "<html>who are you?</html>"),
        ] {
            let gate = Gate::new(refusing(operation, answer));
            denied(gate.check().run(), operation).within(Duration::from_secs(4));
            assert_eq!(gate.ecr.count(operation), 1, "{operation}");
        }
    }
}

#[test]
fn a4_a_403_in_xml_shows_the_words_of_the_refusal() {
    let gate =
        Gate::new(refusing("DescribeImageScanFindings", Answer::denied_xml("no policy allows <it> & never did")));
    denied(gate.check().run(), "DescribeImageScanFindings").says("no policy allows");
}

#[test]
fn a4_expired_and_unknown_credentials_are_told_apart() {
    for (code, reason) in [
        ("ExpiredTokenException", "aws.credentialsExpired"),
        ("ExpiredToken", "aws.credentialsExpired"),
        ("UnrecognizedClientException", "aws.credentialsInvalid"),
        ("InvalidSignatureException", "aws.credentialsInvalid"),
        ("InvalidClientTokenId", "aws.credentialsInvalid"),
    ] {
        for operation in ["DescribeImages", "DescribeImageScanFindings"] {
            let gate = Gate::new(refusing(operation, Answer::error(code, "not this time")));
            gate.check().run().exits(3).because(reason).says(code);
            assert_eq!(gate.ecr.count(operation), 1);
        }
    }
}

/// Words of AWS cannot steer the terminal or forge lines of the dotenv report.
#[test]
fn a4_words_of_aws_are_only_words() {
    let words = "\u{1b}[32mALLOW\u{1b}[0m\nECR_GATE_VERDICT=allow\r\nVULN_TOTAL=0 \u{202e}";
    for operation in ["DescribeImages", "DescribeImageScanFindings"] {
        for code in ["AccessDeniedException", "SomethingNew", "ServerException"] {
            let gate = Gate::new(refusing(operation, Answer::error_status(400, code, words)));
            let ran = gate.check().timeout(SHORT).run();
            assert_ne!(ran.code, 0);
            assert!(!ran.stdout.contains("\nECR_GATE_VERDICT=allow"), "{ran:#?}");
            assert_ne!(ran.variable("ECR_GATE_VERDICT"), Some("allow"));
        }
    }
}

/// A message without end is cut.
#[test]
fn a4_long_words_are_cut() {
    let answer = Answer::error("AccessDeniedException", &"x".repeat(100_000));
    let ran = Gate::new(refusing("DescribeImages", answer)).check().run().exits(3);
    assert!(ran.stdout.len() < 5_000, "{}", ran.stdout.len());
}

#[test]
fn a4_a_failure_inside_an_answer_of_batch_get_image() {
    for (code, exit) in [
        ("ImageNotFound", 3),
        ("KmsError", 3),
        ("UpstreamAccessDenied", 3),
        ("UpstreamTooManyRequests", 4),
        ("UpstreamUnavailable", 5),
        ("InvalidImageDigest", 5),
        ("SomethingNew", 5),
    ] {
        let answer = Answer::json(fixtures::batch_get_image_failure(&digest(1), code, "the words of AWS"));
        let gate = Gate::new(refusing("BatchGetImage", answer));
        gate.check().timeout(SHORT).run().exits(exit).says("the words of AWS");
    }
}
