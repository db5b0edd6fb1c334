//! A14, S44: credentials through the standard chain, and `AWS_OIDC_TOKEN` exchanged in process.

use std::time::Duration;

use testkit::fixtures::{self, now};
use testkit::{Answer, Request, Script};

use crate::gate::{Check, Gate, OIDC_TOKEN, basic, described, scan};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci";
const STATIC: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

fn session() -> Answer {
    Answer::xml(fixtures::assume_role_with_web_identity(now() + 3600))
}

fn sts(answer: Answer) -> Script {
    scan(&basic()).on("AssumeRoleWithWebIdentity", answer)
}

/// Without static keys.
fn keyless(gate: &Gate) -> Check<'_> {
    gate.check().without(STATIC)
}

fn with_token(gate: &Gate) -> Check<'_> {
    keyless(gate).env("AWS_OIDC_TOKEN", OIDC_TOKEN).env("AWS_ROLE_ARN", ROLE)
}

/// Every call of ECR was signed with the session that STS gave.
#[track_caller]
fn by_the_session(requests: &[Request]) {
    let calls: Vec<_> = requests.iter().filter(|request| request.operation.starts_with("Describe")).collect();
    assert!(!calls.is_empty());
    for call in calls {
        assert!(call.authorization.as_ref().is_some_and(|header| header.contains("ASIAIOSFODNN7EXAMPLE")), "{call:?}");
        assert_eq!(call.header("x-amz-security-token"), Some("test-session-token"));
    }
}

#[test]
fn s44_a_token_in_a_variable_is_exchanged_in_process() {
    let gate = Gate::new(sts(session()));
    with_token(&gate).run().exits(0);
    let requests = gate.ecr.requests();
    let exchange = &requests[0];
    assert_eq!(exchange.operation, "AssumeRoleWithWebIdentity");
    assert_eq!((&exchange.body["WebIdentityToken"], &exchange.body["RoleArn"]), (&OIDC_TOKEN.into(), &ROLE.into()));
    assert_eq!(exchange.body["RoleSessionName"], "ecr-gate");
    assert_eq!(gate.ecr.count("AssumeRoleWithWebIdentity"), 1, "one session for all calls");
    by_the_session(&requests);
    gate.ecr.set(sts(session()));
    with_token(&gate)
        .env("AWS_ROLE_SESSION_NAME", "job-7")
        .env("AWS_OIDC_TOKEN", &format!(" {OIDC_TOKEN}\n"))
        .run()
        .exits(0);
    assert_eq!(gate.ecr.requests()[0].body["RoleSessionName"], "job-7");
    assert_eq!(gate.ecr.requests()[0].body["WebIdentityToken"], OIDC_TOKEN);
}

#[test]
fn s44_the_token_wins_over_other_credentials() {
    let gate = Gate::new(sts(session()));
    gate.check().env("AWS_OIDC_TOKEN", OIDC_TOKEN).env("AWS_ROLE_ARN", ROLE).run().exits(0);
    by_the_session(&gate.ecr.requests());
}

#[test]
fn s44_a_token_without_a_role_names_the_variable() {
    let gate = Gate::new(sts(session()));
    for role in [None, Some(""), Some("  ")] {
        let check = keyless(&gate).env("AWS_OIDC_TOKEN", OIDC_TOKEN);
        let check = role
            .map_or_else(|| keyless(&gate).env("AWS_OIDC_TOKEN", OIDC_TOKEN), |role| check.env("AWS_ROLE_ARN", role));
        check.run().exits(3).because("aws.credentialsInvalid").says("AWS_ROLE_ARN").within(Duration::from_secs(4));
    }
    assert_eq!(gate.ecr.requests().len(), 0, "nothing can be asked");
}

#[test]
fn s44_sts_refuses() {
    for (status, code, reason) in [
        (403, "AccessDenied", "aws.credentialsInvalid"),
        (400, "ExpiredTokenException", "aws.credentialsExpired"),
        (400, "InvalidIdentityToken", "aws.credentialsInvalid"),
        (400, "IDPRejectedClaim", "aws.credentialsInvalid"),
        (400, "MalformedPolicyDocument", "aws.credentialsInvalid"),
    ] {
        let words = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        let gate = Gate::new(sts(Answer::error_xml(status, code, words)));
        with_token(&gate).run().exits(3).because(reason).says(words);
        assert_eq!(gate.ecr.count("DescribeImages"), 0, "no call without a session");
    }
}

#[test]
fn s44_sts_cannot_be_reached() {
    for answer in
        [Answer::cut(), Answer::hang(Duration::from_secs(50)), Answer::error_xml(503, "ServiceUnavailable", "sorry")]
    {
        let gate = Gate::new(sts(answer.clone()));
        let ran = with_token(&gate).timeout("2s").run().within(Duration::from_secs(5));
        assert!([3, 4, 5].contains(&ran.code), "{answer:?}: {ran:#?}");
        assert!(ran.stdout.contains("\n  -> "));
    }
    for body in ["", "<html>Sign in</html>", "{}", "<AssumeRoleWithWebIdentityResponse/>"] {
        let gate = Gate::new(sts(Answer::xml(body)));
        let ran = with_token(&gate).timeout("2s").run();
        assert!([2, 3, 5].contains(&ran.code), "{body:?}: {ran:#?}");
    }
}

#[test]
fn a14_no_credentials_at_all() {
    let gate = Gate::new(scan(&basic()));
    let ran = keyless(&gate).timeout("20s").run().exits(3).because("aws.credentialsMissing");
    ran.says("AWS_ROLE_ARN").within(Duration::from_secs(5));
    assert_eq!(gate.ecr.requests().len(), 0);
    assert_ne!(keyless(&gate).env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").run().code, 0, "half a key");
}

#[test]
fn a14_a_web_identity_token_in_a_file() {
    let gate = Gate::new(sts(session()));
    let file = gate.write("token", OIDC_TOKEN);
    let check = || keyless(&gate).env("AWS_WEB_IDENTITY_TOKEN_FILE", &file).env("AWS_ROLE_ARN", ROLE);
    check().run().exits(0);
    assert_eq!(gate.ecr.requests()[0].body["WebIdentityToken"], OIDC_TOKEN);
    by_the_session(&gate.ecr.requests());
    gate.ecr.set(sts(Answer::error_xml(403, "AccessDenied", "Not authorized")));
    check().run().exits(3).says("Not authorized");
    gate.ecr.set(sts(session()));
    check().env("AWS_WEB_IDENTITY_TOKEN_FILE", "missing").run().exits(3).says("No such file");
}

#[test]
fn a14_a_profile() {
    let gate = Gate::new(scan(&basic()));
    let keys = "[ci]\naws_access_key_id = AKIAPROFILEEXAMPLE77\naws_secret_access_key = wJalrXUtnFEMI-profile\n";
    let file = gate.write("credentials", keys);
    let check = |profile: &str| keyless(&gate).env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_PROFILE", profile);
    check("ci").run().exits(0);
    let signed = gate.ecr.requests()[0].authorization.clone().unwrap();
    assert!(signed.contains("AKIAPROFILEEXAMPLE77/"), "{signed}");
    check("other").run().exits(3).says("other");
}

/// A session that ends while the gate waits.
#[test]
fn a4_credentials_that_expire_while_waiting() {
    let script = Script::new()
        .on("DescribeImages", described())
        .on(
            "DescribeImageScanFindings",
            Answer::json(fixtures::Scan::only_status(&fixtures::digest(1), "PENDING").value()),
        )
        .on("DescribeImageScanFindings", Answer::error("ExpiredTokenException", "The security token is expired"));
    let gate = Gate::new(script);
    gate.check().run().exits(3).because("aws.credentialsExpired").says("outlive");
    assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 2);
}
