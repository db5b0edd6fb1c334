//! The emitted pipelines: what must stand in them, that they pass our own lint and (where installed) the schema checkers,
//! actionlint and shellcheck, and that no value can break out of its place.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: InitArgs,
}

fn parse(platform: &str, more: &[&str]) -> InitArgs {
    let image = format!("--gate-image=registry.example.com/ecr-gate@{DIGEST}");
    let role = "--role-arn=arn:aws:iam::123456789012:role/ci-scan-gate";
    let registry = "--registry=123456789012.dkr.ecr.eu-central-1.amazonaws.com";
    let base = ["init", platform, "--repository=team/app", registry, role, &image];
    let own = base.into_iter().filter(|flag| {
        let name = flag.split('=').next().unwrap_or_default();
        !flag.starts_with("--") || !more.iter().any(|other| other.split('=').next() == Some(name))
    });
    Cli::try_parse_from(own.chain(more.iter().copied().filter(|flag| !flag.ends_with('=')))).unwrap().args
}

fn document(platform: &str, more: &[&str]) -> Result<String, Failure> {
    let args = parse(platform, more);
    args.parameters()?.fill(args.platform)
}

fn usage(platform: &str, more: &[&str]) -> Failure {
    let failure = document(platform, more).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage, "{more:?}");
    failure
}

const VARIANTS: [&[&str]; 4] = [
    &[],
    &["--environment=staging", "--branch=release/1.x", "--timeout=20m"],
    &["--push-role-arn=arn:aws:iam::123456789012:role/ci-push"],
    &[
        "--gate-image=123456789012.dkr.ecr.eu-central-1.amazonaws.com/ecr-gate:1.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ],
];

#[test]
fn gitlab_has_what_the_requirements_name() {
    let text = document("gitlab", &[]).unwrap();
    for line in [
        "    name: registry.example.com/ecr-gate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "  timeout: 13 minutes",
        "  allow_failure: false",
        "      aud: https://gitlab.com",
        "    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
        "    - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"",
        "      dotenv: scan.env",
        "      container_scanning: gl-container-scanning-report.json",
        "    when: always",
        "    - ./deploy.sh \"$ECR_REGISTRY/$ECR_REPO@$IMAGE_DIGEST\"",
        "    - job: scan-gate",
        "    # ECR_GATE_ENVIRONMENT: staging",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}");
    }
    let text = document("gitlab", VARIANTS[1]).unwrap();
    assert!(text.contains("timeout: 23 minutes") && text.contains("    ECR_GATE_ENVIRONMENT: staging\n"));
    assert!(text.contains("$CI_COMMIT_BRANCH == \"release/1.x\"") && text.contains("--timeout 20m "));
}

#[test]
fn github_and_shell_have_what_the_requirements_name() {
    let text = document("github", &[]).unwrap();
    for line in [
        "    needs: [build, gate]",
        "    timeout-minutes: 13",
        "      id-token: write",
        "      digest: ${{ steps.push.outputs.digest }}",
        "      - run: ./deploy.sh \"$ECR_REGISTRY/$ECR_REPO@$IMAGE_DIGEST\"",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}");
    }
    let text = document("shell", &["--role-arn="]).unwrap();
    for line in ["set -euo pipefail", "./deploy.sh \"$image\""] {
        assert!(text.lines().any(|own| own == line), "{line}");
    }
    assert!(text.contains("--kill-after=30 780 "));
}

#[test]
fn job_timeouts_round_up_and_add_three_minutes() {
    for (text, minutes) in [("10m", 13), ("90s", 5), ("1h", 63), ("60s", 4)] {
        assert_eq!(Duration::parse(text).unwrap().job_minutes(), minutes, "{text}");
    }
    for wrong in ["", "m", "10", "0m", "5s", "7h", "1d", "-1m", "99999999999m", "+5m", "1µ"] {
        assert!(Duration::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_gate_image_that_is_not_pinned_is_refused_and_the_reason_given() {
    for image in [
        "ecr-gate",
        "ecr-gate:latest",
        "ecr-gate:1.0",
        "ecr-gate@sha256:abc",
        "ecr-gate@md5:00",
        &format!("$X@{DIGEST}"),
        &format!("@{DIGEST}"),
    ] {
        let failure = usage("gitlab", &[&format!("--gate-image={image}")]);
        assert!(!failure.hints.is_empty(), "{image}");
    }
    assert!(usage("gitlab", &["--gate-image=ecr-gate:1.0"]).hints[0].contains("open it"));
}

#[test]
fn no_value_can_break_out_of_its_place() {
    for flag in [
        "registry",
        "repository",
        "role-arn",
        "push-role-arn",
        "gate-image",
        "timeout",
        "environment",
        "branch",
        "gitlab-url",
    ] {
        for attack in [
            "x\ny: z",
            "x\"",
            "x'",
            "$(id)",
            "`id`",
            "x #",
            "x: y",
            "{{x}}",
            "x\u{0}",
            "x\u{2028}y",
            "../x y",
            "&a",
            "*a",
            "!x",
        ] {
            let with_prefix = match flag {
                "gate-image" => format!("--{flag}={attack}@{DIGEST}"),
                "role-arn" | "push-role-arn" => format!("--{flag}=arn:aws:iam::123456789012:role/{attack}"),
                "gitlab-url" => format!("--{flag}=https://gitlab.com/{attack}"),
                _ => format!("--{flag}={attack}"),
            };
            for platform in ["gitlab", "github", "shell"] {
                assert!(document(platform, &[&with_prefix]).is_err(), "{platform} {with_prefix:?}");
            }
        }
    }
    // `@` is fine in a role name; it is not a placeholder there.
    assert!(
        document("gitlab", &["--role-arn=arn:aws:iam::123456789012:role/@@BRANCH@@"])
            .unwrap()
            .contains("role/@@BRANCH@@\n")
    );
    usage("gitlab", &["--environment=on"]);
    usage("github", &["--branch=true"]);
    usage("github", &["--role-arn="]);
}

#[test]
fn an_existing_file_is_not_overwritten_without_force() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ci.yml");
    let write = format!("--write={}", file.display());
    let ui = Ui::detect(true);
    std::fs::write(&file, "mine").unwrap();
    let failure = parse("gitlab", &[&write]).run(ui).unwrap_err();
    assert_eq!(failure.exit, Exit::Configuration);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(parse("gitlab", &[&write, "--force"]).run(ui).unwrap(), Exit::Allowed);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), document("gitlab", &[]).unwrap());
}

#[test]
fn our_own_lint_has_nothing_to_say() {
    for platform in ["gitlab", "github", "shell"] {
        for more in VARIANTS {
            let text = document(platform, more).unwrap();
            let findings = crate::commands::lint::rules_found("emitted", &text).unwrap();
            assert!(findings.is_empty(), "{platform} {more:?}: {findings:#?}");
        }
    }
}

/// The silence above means something: break what was emitted, and lint speaks.
#[test]
fn our_own_lint_sees_the_jobs_we_emit() {
    for (platform, from, to, rule) in [
        ("gitlab", "    - job: scan-gate\n      artifacts: true\n", "", "lint.missingNeeds"),
        ("gitlab", "  timeout: 13 minutes\n", "", "lint.missingTimeout"),
        ("gitlab", "@$IMAGE_DIGEST\"\n", ":$CI_COMMIT_SHA\"\n", "lint.deployByTag"),
        ("gitlab", "ecr-gate check", "ecr-gate version", "lint.noGate"),
        ("github", "needs: [build, gate]", "needs: [build]", "lint.missingNeeds"),
        ("github", "    needs: build\n", "", "lint.gateBeforePush"),
        ("github", "    timeout-minutes: 13\n", "", "lint.missingTimeout"),
        ("shell", "set -euo pipefail\n", "", "lint.noErrexit"),
        ("shell", "  check \"$image\"", "  version \"$image\"", "lint.noGate"),
    ] {
        let text = document(platform, &[]).unwrap();
        assert!(text.contains(from), "{platform} {from}");
        let changed = if platform == "gitlab" && from == "ecr-gate check" {
            text.replace(from, to).replace("scan-gate", "something")
        } else {
            text.replace(from, to)
        };
        let findings = crate::commands::lint::rules_found("emitted", &changed).unwrap();
        assert!(findings.iter().any(|finding| finding.rule == rule), "{platform} {rule}: {findings:#?}");
    }
}

fn tool(names: &[PathBuf]) -> Option<PathBuf> {
    let on_path = |name: &Path| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    };
    names.iter().find_map(|name| if name.is_absolute() { name.is_file().then(|| name.clone()) } else { on_path(name) })
}

fn cached(tail: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/ecr-gate").join(tail)
}

/// Runs the public checkers over every variant. A tool that is not there is skipped, and said so.
#[test]
fn the_public_checkers_accept_what_we_emit() {
    let schema = tool(&["check-jsonschema".into(), cached("venv/bin/check-jsonschema")]);
    let actionlint = tool(&["actionlint".into(), cached("bin/actionlint")]);
    let shellcheck = tool(&["shellcheck".into()]);
    let directory = tempfile::tempdir().unwrap();
    for (platform, name) in [("gitlab", ".gitlab-ci.yml"), ("github", "workflow.yml"), ("shell", "pipeline.sh")] {
        let file = directory.path().join(name);
        for more in VARIANTS {
            std::fs::write(&file, document(platform, more).unwrap()).unwrap();
            let checks: &[(&Option<PathBuf>, &[&str])] = match platform {
                "gitlab" => &[(&schema, &["--builtin-schema", "vendor.gitlab-ci"])],
                "github" => {
                    &[(&schema, &["--builtin-schema", "vendor.github-workflows"]), (&actionlint, &["-no-color"])]
                }
                _ => &[(&shellcheck, &["--severity=style"])],
            };
            for (tool, args) in checks {
                let Some(tool) = tool else {
                    eprintln!("skipped: a checker for {platform} is not installed");
                    continue;
                };
                let output = Command::new(tool).args(*args).arg(&file).output().unwrap();
                let said = [output.stdout, output.stderr].concat();
                assert!(output.status.success(), "{platform} {more:?}: {}", String::from_utf8_lossy(&said));
            }
        }
    }
}
