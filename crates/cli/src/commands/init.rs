//! `ecr-gate init gitlab|github|shell`: emits a pipeline with the gate between push and every deploy (requirements A11,
//! S14). The templates lie beside this file; only checked values are put into them, so a flag cannot write YAML or shell.

mod parameters;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use clap::ValueEnum;
use serde_json::json;

use super::aws_names::{Registry, checked_name, checked_role_arn};
use super::input::{shown, to_json};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::{OutputFormat, Ui};
use parameters::{Duration, Parameters};

/// Which pipeline to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// .gitlab-ci.yml
    Gitlab,
    /// A GitHub Actions workflow
    Github,
    /// A bash script, for any other runner
    Shell,
}

impl Platform {
    fn name(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Github => "github",
            Self::Shell => "shell",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Gitlab => include_str!("init/gitlab.yml"),
            Self::Github => include_str!("init/github.yml"),
            Self::Shell => include_str!("init/shell.sh"),
        }
    }
}

/// Print a ready pipeline: push, scan gate, deploy
///
/// The push job hands on the digest, the gate checks exactly that digest and may not fail silently, and every deploy
/// needs the gate and deploys the digest. No stored AWS keys: the jobs use OIDC tokens.
///
/// The gate image must be pinned by digest: it decides what reaches production, so whoever can move its tag can open
/// the gate.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  GitLab:
    ecr-gate init gitlab --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com --repository team/app \\
      --role-arn arn:aws:iam::123456789012:role/ci-scan-gate \\
      --gate-image registry.example.com/ecr-gate@sha256:<64 hex digits> --write .gitlab-ci.yml

  The digest of a gate image you have tested:
    docker buildx imagetools inspect registry.example.com/ecr-gate:1.4.0 --format '{{.Manifest.Digest}}'

The role: `ecr-gate trust-policy` says who may assume it, `ecr-gate iam-policy --for check` what it may do.")]
pub(crate) struct InitArgs {
    /// Which pipeline
    #[arg(value_enum)]
    platform: Platform,

    /// The ECR registry: ACCOUNT.dkr.ecr.REGION.amazonaws.com
    #[arg(long, value_name = "HOST")]
    registry: String,

    /// The repository in it
    #[arg(long, value_name = "NAME")]
    repository: String,

    /// The IAM role of the gate job (needed for gitlab and github)
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    /// The IAM role of the push job (default: the same; then it needs the push permissions too)
    #[arg(long, value_name = "ARN")]
    push_role_arn: Option<String>,

    /// The image with ecr-gate in it, pinned: NAME@sha256:DIGEST
    #[arg(long, value_name = "IMAGE")]
    gate_image: String,

    /// How long the gate waits for the scan; the job gets 3 minutes more
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: String,

    /// The environment the image is meant for, as the policy names it (default: production)
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// The branch that is deployed (default: gitlab: the default branch; github: main)
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,

    /// With gitlab: where GitLab is; the audience of the tokens
    #[arg(long, value_name = "URL", default_value = "https://gitlab.com")]
    gitlab_url: String,

    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    write: Option<String>,

    /// With --write: overwrite an existing file
    #[arg(long, requires = "write")]
    force: bool,

    /// How to print: the pipeline, or JSON around it
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl InitArgs {
    /// Prints or writes the pipeline.
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let parameters = self.parameters()?;
        let document = parameters.fill(self.platform)?;
        if let Some(file) = &self.write {
            self.write_to(file, &document)?;
            ui.say(&format!("wrote {file}; look at it again with: ecr-gate lint {file}"));
        }
        match (self.output, &self.write) {
            (OutputFormat::Text, Some(_)) => {}
            (OutputFormat::Text, None) => ui.data(&document)?,
            (OutputFormat::Json, written) => ui.data(&to_json(&json!({
                "schema": "ecr-gate.dev/init/v1",
                "platform": self.platform.name(),
                "jobTimeoutMinutes": parameters.timeout.job_minutes(),
                "written": written,
                "document": document,
            }))?)?,
        }
        if parameters.push_role.is_none() && self.platform != Platform::Shell {
            ui.say(
                "hint: push and gate share a role here; with --push-role-arn the gate's role needs no write permission",
            );
        }
        Ok(Exit::Allowed)
    }

    fn parameters(&self) -> Result<Parameters, Failure> {
        let role = self.role_arn.as_deref().map(checked_role_arn).transpose()?.map(str::to_owned);
        if role.is_none() && self.platform != Platform::Shell {
            return Err(Failure::usage("--role-arn is needed: the gate job exchanges its OIDC token for this role")
                .hint("`ecr-gate trust-policy` prints who may assume it, `ecr-gate iam-policy --for check` what it may do"));
        }
        Ok(Parameters {
            registry: Registry::parse(&self.registry)?,
            repository: checked_name(&self.repository)?,
            role,
            push_role: self.push_role_arn.as_deref().map(checked_role_arn).transpose()?.map(str::to_owned),
            gate_image: parameters::pinned_image(&self.gate_image)?.to_owned(),
            timeout: Duration::parse(&self.timeout)?,
            environment: self.environment.as_deref().map(parameters::environment).transpose()?.map(str::to_owned),
            branch: self.branch.as_deref().map(parameters::branch).transpose()?.map(str::to_owned),
            gitlab_url: parameters::url(&self.gitlab_url)?.to_owned(),
        })
    }

    fn write_to(&self, file: &str, document: &str) -> Result<(), Failure> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::configuration(format!("{} exists already; it was not changed", shown(file, 200)))
                    .hint("print to standard output and merge by hand, or pass --force to overwrite it")
            }
            _ => Failure::configuration(format!("cannot write {}: {error}", shown(file, 200))),
        };
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        #[cfg(unix)]
        if self.platform == Platform::Shell {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o755);
        }
        options.open(file).and_then(|mut file| file.write_all(document.as_bytes())).map_err(failed)
    }
}
