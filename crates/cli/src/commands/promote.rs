//! `ecr-gate promote`: the decision service copies an allowed image to where it runs.

use model::ImageReference;
use serde::Serialize;

use crate::commands::check::asker;
use crate::commands::promotions::{WaitArgs, carried_out};
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::Ask;
use crate::ui::Ui;

/// Copies an allowed image to the repository it runs from, with its signatures, SBOMs and attestations
///
/// The decision service asks itself whether the image may be used in the environment, waits for what is pending, copies the digest that was decided
/// about with everything that is attached to it, asks once more, writes the tag last, and records it. A tag that stands for something else is never
/// written over. The same again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 promoted (or it was already), 1 denied by policy, 3 the destination is not fit (its tag is taken, or can be moved), access, not found,
            4 not decided in time, 5 unreachable or a registry failed, 64 wrong usage. Whatever is not 0 left no new tag at the destination,
            except for 5, after which the same command again tells.

Examples:
  ecr-gate promote 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@sha256:4bcf… \\
    123456789012.dkr.ecr.eu-west-1.amazonaws.com/release/app:1.4.2 --environment production
  ecr-gate promote \"$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA\" \"$RELEASE_IMAGE:$CI_COMMIT_TAG\" --environment staging --output json")]
pub(crate) struct PromoteArgs {
    /// What: the image with its registry host, by tag or, better, by digest
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where to: `HOST/REPOSITORY:TAG`
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The environment it is for [default: production] [env: ECR_GATE_ENVIRONMENT]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Promote to an ECR repository whose tags can be moved; never for environments of the class production
    #[arg(long)]
    allow_mutable_destination: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    source: String,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    wait_seconds: u64,
    allow_mutable_destination: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

impl PromoteArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let source = whole("SOURCE", &self.source)?;
        let destination = whole("DESTINATION", &self.destination)?;
        if source.tag.is_none() && source.digest.is_none() {
            return Err(Failure::usage(format!("{source} has neither tag nor digest")));
        }
        if destination.tag.is_none() || destination.digest.is_some() {
            return Err(Failure::usage(format!("{destination} is no place to promote to"))
                .hint("name the tag that it gets there: HOST/REPOSITORY:TAG, without a digest"));
        }
        let server = self.wait.server("a promotion has to be decided and put on record by the decision service")?;
        let by = asker();
        let body = Body {
            source: self.source.clone(),
            destination: self.destination.clone(),
            environment: self.environment.clone().or_else(|| env::ENVIRONMENT.get()),
            wait_seconds: self.wait.timeout()?.as_secs().max(1),
            allow_mutable_destination: self.allow_mutable_destination,
            pipeline: by.pipeline,
            commit: by.commit,
        };
        carried_out(&server, &Ask::post("promotions", &body)?.goes_on(), self.wait.output, ui).await
    }
}

fn whole(what: &str, text: &str) -> Result<ImageReference, Failure> {
    let image: ImageReference = text.parse().map_err(|error| Failure::usage(format!("{what}: {error}")))?;
    if image.host.is_none() {
        return Err(Failure::usage(format!("{what}: {text} names no registry"))
            .hint("write the whole reference, as docker push does"));
    }
    Ok(image)
}
