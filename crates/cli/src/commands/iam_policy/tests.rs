//! Each use prints what it should, and each review rule has a document that trips it and one that does not.

use clap::{Parser, ValueEnum as _};

use super::document::parse;
use super::review::{Finding, Meant, review};
use super::uses::{Policy, Scanning, Use, Wanted, policy};
use super::*;

const ARN: &str = "arn:aws:ecr:eu-central-1:123456789012:repository/team/app";

fn wanted(r#use: Use) -> Wanted<'static> {
    Wanted { r#use, arn: ARN, destination: None, scanning: Scanning::Basic, start_scan: true, fix: false }
}

fn actions_of(policy: &Policy) -> Vec<&'static str> {
    let mut all: Vec<_> = policy.statement.iter().flat_map(|statement| statement.action.clone()).collect();
    all.sort_unstable();
    all
}

fn found(text: &str, meant: &Meant<'_>) -> Vec<Finding> {
    review(&parse(text, "policy.json").unwrap(), meant)
}

fn rules(statement: &str) -> Vec<&'static str> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    found(&text, &Meant::default()).into_iter().map(|finding| finding.rule).collect()
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":{action},"Resource":{resource}}}"#)
}

#[test]
fn check_is_four_actions_on_one_repository() {
    assert_eq!(
        to_json(&policy(wanted(Use::Check))).unwrap(),
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadScanOfThisRepository",
      "Effect": "Allow",
      "Action": [
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecr:BatchGetImage"
      ],
      "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/team/app"
    },
    {
      "Sid": "StartAMissingScan",
      "Effect": "Allow",
      "Action": [
        "ecr:StartImageScan"
      ],
      "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/team/app"
    }
  ]
}"#
    );
    let read_only = policy(Wanted { start_scan: false, ..wanted(Use::Check) });
    assert!(!actions_of(&read_only).contains(&"ecr:StartImageScan"));
}

#[test]
fn each_use_needs_what_it_does_and_nothing_else() {
    let expect = |wanted: Wanted<'_>, actions: &[&str]| {
        let mut expected = actions.to_vec();
        expected.sort_unstable();
        assert_eq!(actions_of(&policy(wanted)), expected, "{wanted:?}");
    };
    let scan = ["ecr:BatchGetImage", "ecr:DescribeImageScanFindings", "ecr:DescribeImages"];
    let push = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ];
    let settings = [
        "ecr:DescribeRepositories",
        "ecr:BatchGetRepositoryScanningConfiguration",
        "ecr:GetRegistryScanningConfiguration",
    ];
    let inspector = ["inspector2:ListCoverage", "inspector2:ListFindings"];
    let pull = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    expect(wanted(Use::Rescan), &[&scan[..], &["ecr:StartImageScan"]].concat());
    expect(wanted(Use::Doctor), &[&scan[..], &settings, &["ecr:StartImageScan"]].concat());
    let mending = ["ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"];
    expect(
        Wanted { fix: true, ..wanted(Use::Doctor) },
        &[&scan[..], &settings, &mending, &["ecr:StartImageScan"]].concat(),
    );
    expect(wanted(Use::Proxy), &pull);
    expect(wanted(Use::Attach), &[&pull[..], &push].concat());
    let look = ["ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage"];
    let token = ["ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"];
    expect(wanted(Use::Promote), &[&scan[..], &push, &look, &token].concat());
    expect(Wanted { scanning: Scanning::Enhanced, ..wanted(Use::Check) }, &[&scan[..], &inspector].concat());
    let both = [&scan[..], &inspector, &["ecr:StartImageScan"]].concat();
    expect(Wanted { scanning: Scanning::Both, ..wanted(Use::Check) }, &both);
}

/// Never a wildcard action, `*` only where AWS knows nothing narrower, every action one that exists, own Sids — and our
/// own reviewer has nothing to say.
#[test]
fn no_printed_policy_is_too_wide() {
    let destination = "arn:aws:ecr:eu-central-1:123456789012:repository/release/app";
    for &r#use in Use::value_variants() {
        for &scanning in Scanning::value_variants() {
            for bits in 0..8 {
                let destination = (bits & 4 != 0).then_some(destination);
                let wanted =
                    Wanted { r#use, arn: ARN, destination, scanning, start_scan: bits & 1 == 0, fix: bits & 2 == 0 };
                let policy = policy(wanted);
                for statement in &policy.statement {
                    for action in &statement.action {
                        assert!(!action.contains(['*', '?']), "{wanted:?}");
                        let ecr = action.strip_prefix("ecr:").map(|name| super::actions::find(name).expect(action));
                        let narrow = ecr.is_some_and(|known| known.scope == super::actions::Scope::Repository);
                        assert_eq!(statement.resource == "*", !narrow, "{wanted:?} {action}");
                        assert!(ecr.is_none_or(|known| known.name == &action[4..]), "spelled as AWS does: {action}");
                    }
                    assert!(statement.sid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                }
                let mut sids: Vec<_> = policy.statement.iter().map(|statement| statement.sid).collect();
                sids.sort_unstable();
                assert!(sids.windows(2).all(|pair| pair[0] != pair[1]));
                let repositories = [Some(ARN), destination].into_iter().flatten().collect();
                let meant = Meant { ideal: Some(&policy), r#use: None, repositories };
                assert_eq!(found(&to_json(&policy).unwrap(), &meant), []);
            }
        }
    }
}

#[test]
fn promote_writes_only_to_the_destination() {
    let destination = "arn:aws:ecr:eu-central-1:123456789012:repository/release/app";
    let policy = policy(Wanted { destination: Some(destination), ..wanted(Use::Promote) });
    for statement in &policy.statement {
        assert!(!statement.action.contains(&"ecr:PutImage") || statement.resource == destination);
    }
}

#[test]
fn too_wide_actions_are_found_whatever_their_case() {
    let one = format!("\"{ARN}\"");
    for (action, expected) in [
        (r#""*""#, vec!["iam.allActions"]),
        (r#""*:*""#, vec!["iam.allActions"]),
        (r#"["e*:PutImage"]"#, vec!["iam.allActions"]),
        (r#""ecr:*""#, vec!["iam.serviceWildcard"]),
        (r#"["ECR:*"]"#, vec!["iam.serviceWildcard"]),
        (r#""s3:*""#, vec!["iam.serviceWildcard"]),
        (r#""ecr:Put*""#, vec!["iam.writeWildcard"]),
        (r#""Ecr:?utIm*""#, vec!["iam.writeWildcard"]),
        (r#""ecr:*Image""#, vec!["iam.writeWildcard"]),
        (r#""ecr:Describe*""#, vec!["iam.readWildcard"]),
        (r#""ecr:DeleteRepository""#, vec!["iam.destructive"]),
        (r#""ecr:batchdeleteimage""#, vec!["iam.destructive"]),
        (r#""ecr:SetRepositoryPolicy""#, vec!["iam.destructive"]),
        (r#""ecr:DescribeImageScanFinding""#, vec!["iam.unknownAction"]),
        (r#""DescribeImages""#, vec!["iam.unknownAction"]),
        (r#"["ecr:describeimages", "ecr:PutImage"]"#, vec![]),
    ] {
        assert_eq!(rules(&allow(action, &one)), expected, "{action}");
    }
}

#[test]
fn write_actions_are_measured_against_the_use() {
    let ideal = policy(wanted(Use::Check));
    let meant = Meant { ideal: Some(&ideal), r#use: Some("check".to_owned()), repositories: vec![ARN] };
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{}}}"#,
        allow(r#"["ecr:StartImageScan","ecr:PutImage","ecr:ListImages","s3:GetObject"]"#, &format!("\"{ARN}\""))
    );
    let findings = found(&text, &meant);
    let short: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.path.as_str())).collect();
    assert_eq!(short, [("iam.unneededWrite", "Statement.Action[1]"), ("iam.otherService", "Statement.Action[3]")]);
    assert!(findings[0].why.contains("`check`"));
}

#[test]
fn resources_are_measured_against_what_is_possible() {
    let describe = r#""ecr:DescribeImages""#;
    for (resource, expected) in [
        (r#""*""#, vec!["iam.resourceStar"]),
        (r#"["arn:aws:ecr:*:*:repository/*"]"#, vec!["iam.resourceStar"]),
        (r#""arn:aws:ecr:eu-west-1:999999999999:repository/*""#, vec!["iam.resourceStar"]),
        (r#""arn:*""#, vec!["iam.resourceStar"]),
        (r#""arn:aws:ecr:eu-central-1:123456789012:repository/team/*""#, vec!["iam.resourceWildcard"]),
        (r#""arn:aws:ecr:eu-central-1:123456789012:repository/team/app""#, vec![]),
    ] {
        assert_eq!(rules(&allow(describe, resource)), expected, "{resource}");
    }
    assert_eq!(rules(&allow(r#""ecr:GetAuthorizationToken""#, r#""*""#)), [] as [&str; 0]);
    assert_eq!(rules(&allow(r#"["ecr:GetAuthorizationToken","ecr:PutImage"]"#, r#""*""#)), ["iam.resourceStar"]);
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, allow(describe, &format!("\"{ARN}\"")));
    let meant =
        Meant { repositories: vec!["arn:aws:ecr:eu-central-1:123456789012:repository/other"], ..Meant::default() };
    assert_eq!(found(&text, &meant)[0].rule, "iam.otherRepository");
}

#[test]
fn negations_principals_and_version() {
    assert_eq!(rules(r#"{"Effect":"Allow","NotAction":"ecr:PutImage","Resource":"*"}"#), ["iam.notAction"]);
    assert_eq!(rules(r#"{"Effect":"Allow","Action":"ecr:DescribeImages","NotResource":"x"}"#), ["iam.notResource"]);
    assert_eq!(
        rules(r#"{"Effect":"Allow","NotPrincipal":{"AWS":"x"},"Action":"ecr:DescribeImages"}"#),
        ["iam.notPrincipal"]
    );
    for principal in [r#""*""#, r#"{"AWS":"*"}"#, r#"{"AWS":["arn:aws:iam::123456789012:root","*"]}"#] {
        let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"ecr:BatchGetImage"}}"#);
        assert_eq!(rules(&statement), ["iam.publicPrincipal"], "{principal}");
    }
    let conditioned = r#"{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}"#;
    assert_eq!(rules(conditioned), ["iam.publicPrincipal"]);
    let named =
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"},"Action":"ecr:BatchGetImage"}"#;
    assert_eq!(rules(named), [] as [&str; 0]);
    assert_eq!(rules(r#"{"Effect":"Deny","Principal":"*","Action":"ecr:*","Resource":"*"}"#), [] as [&str; 0]);
    let old = r#"{"Statement":[]}"#;
    assert_eq!(found(old, &Meant::default())[0].rule, "iam.version");
}

#[test]
fn what_is_not_a_policy_is_an_error_that_says_where() {
    for (text, says) in [
        ("nonsense", "expected"),
        ("[]", "not a JSON object"),
        (r#"{"Version":"2012-10-17"}"#, "no Statement"),
        (r#"{"PolicyDocument":{}}"#, "unknown key `PolicyDocument` at its top"),
        (r#"{"Version":"2012-10-17","Statement":[{"effect":"Allow"}]}"#, "did you mean `Effect`"),
        (r#"{"Statement":[{"Effect":"allow","Action":"x"}]}"#, "Statement[0].Effect"),
        (r#"{"Statement":[{"Effect":"Allow","Action":["x",1]}]}"#, "Statement[0].Action[1] is not text"),
        (r#"{"Statement":[{"Effect":"Allow","Action":"x","Action":"y"}]}"#, "`Action` is there twice"),
        (r#"{"Statement":[{"Effect":"Allow"}]}"#, "names no Action"),
        (r#"{"Statement":["x"]}"#, "Statement[0] is not an object"),
        (&"[".repeat(100_000), "recursion limit"),
    ] {
        let failure = parse(text, "policy.json").unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.what.contains(says), "{}", failure.what);
    }
}

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: IamPolicyArgs,
}

fn run(args: &[&str]) -> Result<Exit, Failure> {
    let cli =
        Cli::try_parse_from([&["iam-policy"], args].concat()).map_err(|error| Failure::usage(error.to_string()))?;
    cli.args.run(Ui::detect(true))
}

#[test]
fn exit_codes() {
    assert_eq!(run(&["--repository", ARN, "--for", "check"]).unwrap(), Exit::Allowed);
    assert_eq!(run(&["--repository", ARN, "--for", "promote", "--to", "release/app"]).unwrap(), Exit::Allowed);
    for wrong in [
        &["--for", "check"][..],
        &["--repository", ARN],
        &["--repository", ARN, "--for", "check", "--fix"],
        &["--repository", ARN, "--for", "check", "--to", "x/y"],
        &["--repository", "team/app", "--for", "check"],
        &["--repository", "arn:aws:ecr:eu-central-1:123456789012:repository/*", "--for", "check"],
    ] {
        assert_eq!(run(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.json");
    let path = file.to_str().unwrap();
    assert_eq!(run(&["--lint", path]).unwrap_err().exit, Exit::Configuration);
    std::fs::write(&file, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#)
        .unwrap();
    assert_eq!(run(&["--lint", path]).unwrap(), Exit::Blocked);
    std::fs::write(&file, to_json(&policy(wanted(Use::Check))).unwrap()).unwrap();
    assert_eq!(run(&["--lint", path, "--for", "check", "--repository", ARN]).unwrap(), Exit::Allowed);
}
