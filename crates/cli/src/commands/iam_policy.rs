//! `ecr-gate iam-policy`: prints the least-privilege IAM policy for one repository and use (requirement A10), or says
//! what is too wide in a policy document it is shown (`--lint`). Makes no AWS call; which permissions an identity
//! really has is `doctor`'s question.

mod actions;
mod document;
mod review;
#[cfg(test)]
mod tests;
mod uses;

use std::fmt::Write as _;

use clap::ValueEnum as _;
use serde_json::json;

use super::aws_names::Repository;
use super::input::{read_text, to_json};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::{OutputFormat, Ui};
use uses::{Policy, Scanning, Use, Wanted};

/// Print the least-privilege IAM policy for one repository, or lint a policy you have
///
/// Without --lint: prints the JSON document to attach to the role of a pipeline job. Every statement names the one
/// repository; `"Resource": "*"` stands only where AWS accepts nothing narrower.
///
/// With --lint FILE: looks for what is too wide — wildcards, `"Resource": "*"`, NotAction, destructive actions, public
/// principals — and says where, why, and what to write instead. Exit code 0 when nothing was found, 1 when something was.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  Policy for the gate job of one repository:
    ecr-gate iam-policy --repository arn:aws:ecr:eu-central-1:123456789012:repository/team/app --for check

  The same by name, for a registry that uses Amazon Inspector:
    ecr-gate iam-policy --repository team/app --account 123456789012 --region eu-central-1 --for check --scanning enhanced

  Promotion from one repository to another:
    ecr-gate iam-policy --repository 123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app --to release/app --for promote

  What is too wide in the policy we have?
    aws iam get-role-policy --role-name ci-gate --policy-name gate --query PolicyDocument | ecr-gate iam-policy --lint - --for check")]
pub(crate) struct IamPolicyArgs {
    /// The repository: its ARN, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, or a name with --account and --region
    #[arg(long, value_name = "ARN|NAME", required_unless_present = "lint")]
    repository: Option<String>,

    /// The account of a repository given by name
    #[arg(long, value_name = "ID", requires = "repository")]
    account: Option<String>,

    /// The region of a repository given by name
    #[arg(long, requires = "repository")]
    region: Option<String>,

    /// What the identity is for
    #[arg(long = "for", value_name = "USE", value_enum, required_unless_present = "lint")]
    r#use: Option<Use>,

    /// With --for promote: the repository to copy to (default: the same one)
    #[arg(long, value_name = "ARN|NAME", requires = "repository")]
    to: Option<String>,

    /// Which scanner the registry uses; `enhanced` (Amazon Inspector) needs two more read permissions
    #[arg(long, value_enum, default_value_t)]
    scanning: Scanning,

    /// Leave out ecr:StartImageScan: a missing scan is then an error, not started
    #[arg(long)]
    no_start_scan: bool,

    /// With --for doctor: also what `doctor --fix` changes (scan on push, tag immutability)
    #[arg(long)]
    fix: bool,

    /// Examine this IAM policy document instead of printing one; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    lint: Option<String>,

    /// How to print: the policy document (or the findings as text), or JSON around it
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl IamPolicyArgs {
    /// Prints the policy or the findings.
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if self.fix && self.r#use != Some(Use::Doctor) {
            return Err(Failure::usage("--fix belongs to --for doctor").hint("only `doctor --fix` changes settings"));
        }
        if self.to.is_some() && self.r#use != Some(Use::Promote) {
            return Err(
                Failure::usage("--to belongs to --for promote").hint("only `promote` writes to a second repository")
            );
        }
        let source = self
            .repository
            .as_deref()
            .map(|text| Repository::resolve(text, self.account.as_deref(), self.region.as_deref()));
        let source = source.transpose()?;
        let destination = match (&self.to, &source) {
            (Some(to), Some(source)) if Repository::resolve(to, None, None).is_err() => {
                Some(Repository::resolve(to, Some(&source.account), Some(&source.region))?)
            }
            (Some(to), _) => Some(Repository::resolve(to, None, None)?),
            (None, _) => None,
        };
        let arns = (source.as_ref().map(Repository::arn), destination.as_ref().map(Repository::arn));
        // When only linting, the repository may be left out: which actions are needed does not depend on it.
        let policy = self.r#use.map(|r#use| {
            uses::policy(Wanted {
                r#use,
                arn: arns.0.as_deref().unwrap_or("*"),
                destination: arns.1.as_deref(),
                scanning: self.scanning,
                start_scan: !self.no_start_scan,
                fix: self.fix,
            })
        });
        let use_name = self.r#use.and_then(|r#use| r#use.to_possible_value()).map(|value| value.get_name().to_owned());
        if let Some(file) = &self.lint {
            let repositories = [&arns.0, &arns.1].into_iter().flatten().map(String::as_str).collect();
            return lint(
                ui,
                file,
                self.output,
                &review::Meant { ideal: policy.as_ref(), r#use: use_name, repositories },
            );
        }
        let (Some(policy), Some(use_name), Some(arn)) = (policy, use_name, arns.0) else {
            return Err(Failure::usage("--repository and --for are needed").hint("or --lint FILE, to examine a policy"));
        };
        self.print(ui, &policy, &use_name, &arn)
    }

    fn print(&self, ui: Ui, policy: &Policy, use_name: &str, arn: &str) -> Result<Exit, Failure> {
        match self.output {
            OutputFormat::Text => ui.data(&to_json(policy)?)?,
            OutputFormat::Json => ui.data(&to_json(&json!({
                "schema": "ecr-gate.dev/iam-policy/v1", "for": use_name, "repository": arn, "policy": policy,
            }))?)?,
        }
        if self.r#use == Some(Use::Promote) && self.to.is_none() {
            ui.say("hint: this lets one repository be read and written; with --to, the source stays read-only");
        }
        if self.scanning == Scanning::Basic && matches!(self.r#use, Some(Use::Check | Use::Doctor | Use::Rescan)) {
            ui.say("hint: this is for basic scanning; if the registry uses Amazon Inspector, add --scanning enhanced");
        }
        Ok(Exit::Allowed)
    }
}

fn lint(ui: Ui, file: &str, form: OutputFormat, meant: &review::Meant<'_>) -> Result<Exit, Failure> {
    let name = if file == "-" { "standard input" } else { file };
    let document = document::parse(&read_text(file)?, name)?;
    let findings = review::review(&document, meant);
    match form {
        OutputFormat::Json => ui.data(&to_json(&json!({
            "schema": "ecr-gate.dev/iam-policy-lint/v1", "file": file, "for": meant.r#use, "findings": findings,
        }))?)?,
        OutputFormat::Text => {
            let mut text = String::new();
            for finding in &findings {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name}: {}: error[{}]: `{}`", finding.path, finding.rule, finding.value);
                let _ = writeln!(text, "  why: {}\n  fix: {}", finding.why, finding.fix);
            }
            if !text.is_empty() {
                ui.data(&text)?;
            }
        }
    }
    if findings.is_empty() {
        ui.say(&format!("{name}: nothing too wide found"));
        return Ok(Exit::Allowed);
    }
    ui.say(&format!("{name}: {} thing{} to mend", findings.len(), if findings.len() == 1 { "" } else { "s" }));
    Ok(Exit::Blocked)
}
