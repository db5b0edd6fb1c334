//! The documents, word for word, and every way to widen them that must be refused.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: TrustPolicyArgs,
}

fn parse(args: &[&str]) -> Result<TrustPolicyArgs, Failure> {
    Cli::try_parse_from([&["trust-policy"], args].concat())
        .map(|cli| cli.args)
        .map_err(|error| Failure::usage(error.to_string()))
}

fn run(args: &[&str]) -> Result<Exit, Failure> {
    parse(args)?.run(Ui::detect(true))
}

fn gitlab(common: &CommonArgs, subjects: Subjects) -> Value {
    let trust = Trust { issuer: "gitlab.com", audience: "https://gitlab.com", subjects, common };
    serde_json::to_value(trust.document().unwrap()).unwrap()
}

fn common() -> CommonArgs {
    CommonArgs { account: Some("123456789012".to_owned()), region: None, partition: None, output: OutputFormat::Text }
}

fn text(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

#[test]
fn gitlab_one_branch_is_compared_exactly() {
    let document = gitlab(&common(), subject::gitlab("group/sub/project", &text(&["main"]), &[]).unwrap());
    assert_eq!(
        document,
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "LetThisPipelineAssumeTheRole",
                "Effect": "Allow",
                "Principal": { "Federated": "arn:aws:iam::123456789012:oidc-provider/gitlab.com" },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": { "StringEquals": {
                    "gitlab.com:aud": "https://gitlab.com",
                    "gitlab.com:sub": "project_path:group/sub/project:ref_type:branch:ref:main",
                } },
            }],
        })
    );
}

#[test]
fn a_pattern_is_compared_with_string_like_and_the_audience_still_exactly() {
    let subjects = subject::gitlab("g/p", &text(&["main", "release/*"]), &text(&["v*"])).unwrap();
    let document = gitlab(&common(), subjects);
    assert_eq!(
        document["Statement"][0]["Condition"],
        json!({
            "StringEquals": { "gitlab.com:aud": "https://gitlab.com" },
            "StringLike": { "gitlab.com:sub": [
                "project_path:g/p:ref_type:branch:ref:main",
                "project_path:g/p:ref_type:branch:ref:release/*",
                "project_path:g/p:ref_type:tag:ref:v*",
            ] },
        })
    );
}

#[test]
fn github_subjects() {
    let none: &[String] = &[];
    let of = |ids| subject::Github { repository: "owner/repo", ids };
    let one = |subjects: Subjects| subjects.values.join(" ");
    assert_eq!(one(of(None).all(&text(&["main"]), none, none, false).unwrap()), "repo:owner/repo:ref:refs/heads/main");
    assert_eq!(one(of(None).all(none, &text(&["v*"]), none, false).unwrap()), "repo:owner/repo:ref:refs/tags/v*");
    assert_eq!(
        one(of(None).all(none, none, &text(&["production"]), false).unwrap()),
        "repo:owner/repo:environment:production"
    );
    assert_eq!(one(of(None).all(none, none, none, true).unwrap()), "repo:owner/repo:pull_request");
    let immutable = of(Some((12, 34))).all(&text(&["main"]), none, none, false).unwrap();
    assert_eq!(one(immutable), "repo:owner@12/repo@34:ref:refs/heads/main");
}

#[test]
fn partitions_and_the_placeholder() {
    let document = |partition: Option<&str>, region: Option<&str>| {
        let common = CommonArgs {
            account: None,
            region: region.map(str::to_owned),
            partition: partition.map(str::to_owned),
            output: OutputFormat::Text,
        };
        gitlab(&common, subject::gitlab("g/p", &text(&["main"]), &[]).unwrap())["Statement"][0]["Principal"]["Federated"].to_string()
    };
    assert_eq!(document(None, Some("cn-north-1")), "\"arn:aws-cn:iam::ACCOUNT_ID:oidc-provider/gitlab.com\"");
    assert_eq!(document(Some("aws-us-gov"), None), "\"arn:aws-us-gov:iam::ACCOUNT_ID:oidc-provider/gitlab.com\"");
}

#[test]
fn what_would_let_others_in_is_refused() {
    for project in
        ["*/*", "group/*", "gr*/p", "group", "g/p:ref_type:branch:ref:x", "g/p\"", "g/${aws:x}", "g//p", "g/..", "g/?"]
    {
        assert!(subject::gitlab(project, &text(&["main"]), &[]).is_err(), "{project}");
        assert!(
            subject::Github { repository: project, ids: None }.all(&text(&["main"]), &[], &[], false).is_err(),
            "{project}"
        );
    }
    for branch in ["", "main:x", "ma?n", "a b", "a\"b", "${x}", "a\nb", "refs/heads/main", "-x"] {
        assert!(subject::gitlab("g/p", &text(&[branch]), &[]).is_err(), "{branch}");
    }
    let reason = subject::gitlab("group/*", &text(&["main"]), &[]).unwrap_err();
    assert!(reason.what.contains("other projects"), "{}", reason.what);
    assert!(subject::Github { repository: "a/b/c", ids: None }.all(&text(&["main"]), &[], &[], false).is_err());
    assert!(subject::Github { repository: "a/b", ids: None }.all(&[], &[], &text(&["*"]), false).is_err());
    for url in [
        "http://gitlab.com",
        "https://gitlab.com:8443",
        "https://a@gitlab.com",
        "https://localhost",
        "https://x.y/\"",
        "gitlab.com",
    ] {
        assert!(subject::issuer(url).is_err(), "{url}");
    }
    assert_eq!(subject::issuer("https://git.example.com/gitlab/").unwrap(), "git.example.com/gitlab");
    assert!(subject::audience("*").is_err() && subject::audience("a b; rm").is_err());
}

#[test]
fn exit_codes() {
    let gitlab = ["gitlab", "--project", "g/p"];
    let github = ["github", "--repository", "o/r"];
    assert_eq!(run(&[&gitlab[..], &["--branch", "main"]].concat()).unwrap(), Exit::Allowed);
    assert_eq!(
        run(&[&github[..], &["--environment", "production", "--output", "json"]].concat()).unwrap(),
        Exit::Allowed
    );
    assert_eq!(
        run(&[&github[..], &["--tag", "v*", "--owner-id", "1", "--repository-id", "2"]].concat()).unwrap(),
        Exit::Allowed
    );
    for wrong in [
        gitlab.to_vec(),
        github.to_vec(),
        [&gitlab[..], &["--branch", "main", "--account", "12"]].concat(),
        [&gitlab[..], &["--branch", "main", "--partition", "aws-moon"]].concat(),
        [&github[..], &["--branch", "main", "--owner-id", "1"]].concat(),
    ] {
        assert_eq!(run(&wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
    }
}
