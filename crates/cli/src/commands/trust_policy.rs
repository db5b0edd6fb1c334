//! `ecr-gate trust-policy gitlab|github`: prints the trust policy of the IAM role a pipeline assumes with its OIDC token
//! (requirement A14). Its `sub` condition is scoped to one project and to the branches, tags or environments named;
//! what would let another project in is refused. What the role may then do is `iam-policy`'s answer.

mod subject;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::aws_names::{Partition, checked_account, checked_region};
use super::input::{shown, to_json};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::{OutputFormat, Ui};
use subject::Subjects;

/// Where GitHub's tokens come from.
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Stands for the account that was not said.
const ACCOUNT_PLACEHOLDER: &str = "ACCOUNT_ID";

/// Print the trust policy of the IAM role that a pipeline assumes with its OIDC token
///
/// No static AWS keys: the pipeline proves who it is with a token, and this document says whose token opens the role.
/// The `sub` condition names one project and its branches, tags or environments; the `aud` condition names this use.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  GitLab, the default branch of one project:
    ecr-gate trust-policy gitlab --project group/project --branch main --account 123456789012

  GitHub, jobs of one environment:
    ecr-gate trust-policy github --repository owner/repo --environment production --account 123456789012

Then: aws iam create-role --role-name ci-scan-gate --assume-role-policy-document file://trust.json
and attach what `ecr-gate iam-policy --for check` prints.")]
pub(crate) struct TrustPolicyArgs {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Debug, clap::Subcommand)]
enum Platform {
    /// For GitLab CI (`id_tokens`)
    ///
    /// A merge request pipeline runs for its source branch, so `--branch main` does not admit it. Give merge requests a
    /// role of their own that can only read scans, with a pattern such as --branch '*'.
    Gitlab(GitlabArgs),
    /// For GitHub Actions (`permissions: id-token: write`)
    ///
    /// A job with `environment:` has that environment in its token instead of the branch. Repositories created, renamed
    /// or transferred after 15 July 2026 have numeric ids in their tokens: give --owner-id and --repository-id.
    Github(GithubArgs),
}

#[derive(Debug, clap::Args)]
struct GitlabArgs {
    /// The project path, with all groups
    #[arg(long, value_name = "GROUP/PROJECT")]
    project: String,
    /// A branch, or a pattern with `*`; may be given several times
    #[arg(long, required_unless_present = "tag")]
    branch: Vec<String>,
    /// A tag, or a pattern with `*`; may be given several times
    #[arg(long)]
    tag: Vec<String>,
    /// Where GitLab is
    #[arg(long, default_value = "https://gitlab.com")]
    url: String,
    /// The `aud` of the job's `id_tokens` (default: the URL)
    #[arg(long)]
    audience: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
struct GithubArgs {
    /// The repository
    #[arg(long, value_name = "OWNER/REPO")]
    repository: String,
    /// A branch, or a pattern with `*`; may be given several times
    #[arg(long, required_unless_present_any = ["tag", "environment", "pull_request"])]
    branch: Vec<String>,
    /// A tag, or a pattern with `*`; may be given several times
    #[arg(long)]
    tag: Vec<String>,
    /// A deployment environment; may be given several times
    #[arg(long)]
    environment: Vec<String>,
    /// Also jobs of pull requests; give such a role nothing but reading
    #[arg(long)]
    pull_request: bool,
    /// The owner's numeric id, for tokens with immutable subjects
    #[arg(long, value_name = "ID", requires = "repository_id")]
    owner_id: Option<u64>,
    /// The repository's numeric id, for tokens with immutable subjects
    #[arg(long, value_name = "ID", requires = "owner_id")]
    repository_id: Option<u64>,
    /// The audience the workflow asks for (default: sts.amazonaws.com, in China sts.amazonaws.com.cn)
    #[arg(long)]
    audience: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    /// The AWS account of the role (default: a placeholder to fill in)
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// A region of the account; tells the partition (aws, aws-cn, aws-us-gov, …)
    #[arg(long)]
    region: Option<String>,
    /// The partition, if no region tells it
    #[arg(long, conflicts_with = "region")]
    partition: Option<String>,
    /// How to print: the policy document, or JSON around it
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl CommonArgs {
    fn partition(&self) -> Result<Partition, Failure> {
        match (&self.region, &self.partition) {
            (Some(region), _) => Ok(Partition::of_region(checked_region(region)?)),
            (None, Some(name)) => Partition::named(name).ok_or_else(|| {
                Failure::usage(format!("`{}` is not an AWS partition", shown(name, 40)))
                    .hint(format!("one of {}", Partition::names()))
            }),
            (None, None) => {
                Partition::named("aws").ok_or_else(|| Failure::internal("the partition table has no `aws`"))
            }
        }
    }
}

/// The document, in the key order people are used to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    principal: Principal,
    action: &'static str,
    condition: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Principal {
    federated: String,
}

/// Everything that goes into the document.
#[derive(Debug)]
struct Trust<'a> {
    /// Host and path of the issuer: the provider's name in IAM.
    issuer: &'a str,
    audience: &'a str,
    subjects: Subjects,
    common: &'a CommonArgs,
}

impl TrustPolicyArgs {
    /// Prints the trust policy.
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.platform {
            Platform::Gitlab(args) => {
                let issuer = subject::issuer(&args.url)?;
                let url = args.url.trim_end_matches('/');
                let audience = subject::audience(args.audience.as_deref().unwrap_or(url))?;
                let subjects = subject::gitlab(&args.project, &args.branch, &args.tag)?;
                Trust { issuer, audience, subjects, common: &args.common }.print(ui)?;
                if args.branch.iter().all(|branch| !branch.contains('*')) {
                    ui.say("hint: merge request pipelines run for their source branch; give them a read-only role of their own");
                }
            }
            Platform::Github(args) => {
                let issuer = subject::issuer(GITHUB_ISSUER)?;
                let standard = if args.common.partition()?.name == "aws-cn" {
                    "sts.amazonaws.com.cn"
                } else {
                    "sts.amazonaws.com"
                };
                let audience = subject::audience(args.audience.as_deref().unwrap_or(standard))?;
                let ids = args.owner_id.zip(args.repository_id);
                let subjects = subject::Github { repository: &args.repository, ids };
                let subjects = subjects.all(&args.branch, &args.tag, &args.environment, args.pull_request)?;
                Trust { issuer, audience, subjects, common: &args.common }.print(ui)?;
                if ids.is_none() {
                    let repository = &args.repository;
                    ui.say(&format!(
                        "hint: newer repositories have ids in `sub`; look with `gh api repos/{repository}/actions/oidc/customization/sub`\n\
                         hint: and if so add --owner-id and --repository-id (`gh api repos/{repository} --jq '.owner.id, .id'`)"
                    ));
                }
            }
        }
        Ok(Exit::Allowed)
    }
}

impl Trust<'_> {
    fn document(&self) -> Result<Document, Failure> {
        let account = self.common.account.as_deref().map(checked_account).transpose()?.unwrap_or(ACCOUNT_PLACEHOLDER);
        let provider = format!("arn:{}:iam::{account}:oidc-provider/{}", self.common.partition()?.name, self.issuer);
        let (audience_key, subject_key) = (format!("{}:aud", self.issuer), format!("{}:sub", self.issuer));
        let subjects = match &self.subjects.values[..] {
            [one] => json!(one),
            several => json!(several),
        };
        let mut equals = Map::from_iter([(audience_key, json!(self.audience))]);
        let mut condition = Map::new();
        if self.subjects.has_wildcard {
            condition.insert("StringLike".to_owned(), Value::Object(Map::from_iter([(subject_key, subjects)])));
        } else {
            equals.insert(subject_key, subjects);
        }
        condition.insert("StringEquals".to_owned(), Value::Object(equals));
        Ok(Document {
            version: "2012-10-17",
            statement: [Statement {
                sid: "LetThisPipelineAssumeTheRole",
                effect: "Allow",
                principal: Principal { federated: provider },
                action: "sts:AssumeRoleWithWebIdentity",
                condition,
            }],
        })
    }

    fn print(&self, ui: Ui) -> Result<(), Failure> {
        let document = self.document()?;
        let create = format!(
            "aws iam create-open-id-connect-provider --url https://{} --client-id-list {}",
            self.issuer, self.audience
        );
        match self.common.output {
            OutputFormat::Text => ui.data(&to_json(&document)?)?,
            OutputFormat::Json => ui.data(&to_json(&json!({
                "schema": "ecr-gate.dev/trust-policy/v1",
                "trustPolicy": document,
                "subjects": self.subjects.values,
                "audience": self.audience,
                "createProvider": create,
            }))?)?,
        }
        if self.common.account.is_none() {
            ui.say(&format!("hint: put your account id in place of {ACCOUNT_PLACEHOLDER}, or pass --account"));
        }
        ui.say(&format!("hint: the account needs the provider once: {create}"));
        if self.subjects.any_ref {
            ui.say("hint: `*` lets every branch in, also one that anybody with push access made a minute ago");
        }
        Ok(())
    }
}
