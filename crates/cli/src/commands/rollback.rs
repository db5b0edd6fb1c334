//! `ecr-gate rollback`: what was promoted to a repository before, and bringing one of those back.

use model::{Digest, Tag, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commands::check::asker;
use crate::commands::decisions::{seconds, short};
use crate::commands::promotions::{WaitArgs, carried_out};
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json};
use crate::server::{Ask, Trouble};
use crate::ui::{OutputFormat, Ui};

/// Lists what was promoted to a repository, or brings one of those images back
///
/// Without `--previous` or `--to` it lists, the newest first. What is brought back is judged anew, by what is known and in force now. If nothing but
/// vulnerabilities stands against it, somebody with the role break-glass may bring it back all the same, with `--reason`; that is recorded as an
/// override. A denied, revoked or unsigned image is never brought back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, or brought back, 1 denied by policy, 3 there is nothing to go back to, the tag is taken, or access, 4 not decided in time,
            5 unreachable or a registry failed, 64 wrong usage.

Examples:
  ecr-gate rollback registry.example.com/release/app --environment production
  ecr-gate rollback registry.example.com/release/app --environment production --previous --tag 1.4.2-rollback.1 --output json
  ecr-gate rollback registry.example.com/release/app --to sha256:4bcf… --reason \"INC-1234: 1.4.3 loses orders\"")]
pub(crate) struct RollbackArgs {
    /// The repository that was promoted to: `HOST/REPOSITORY`
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// The environment [default: production] [env: ECR_GATE_ENVIRONMENT]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Bring back what was promoted before the last one
    #[arg(long, conflicts_with = "to")]
    previous: bool,
    /// Bring back this digest, which was promoted there once
    #[arg(long, value_name = "DIGEST")]
    to: Option<Digest>,
    /// The tag that it gets, one that is not there yet. Without it none: who deploys by digest needs none
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Why; needed where it is denied now
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How many to list
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    wait_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    digest: String,
    current: bool,
    at: Timestamp,
    by: String,
    destination: String,
    decision: String,
    verdict: Option<String>,
}

impl RollbackArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if let Some(tag) = &self.tag {
            tag.parse::<Tag>().map_err(|error| Failure::usage(format!("--tag: {error}")))?;
        }
        let is_list = !self.previous && self.to.is_none();
        if is_list && (self.tag.is_some() || self.reason.is_some()) {
            return Err(Failure::usage("what is to be brought back?")
                .hint("give --previous, or --to with a digest of the list that comes without --tag and --reason"));
        }
        let environment = self.environment.clone().or_else(|| env::ENVIRONMENT.get());
        let server = self.wait.server("what was promoted is on record at the decision service")?;
        if is_list {
            let ask = Ask::get("rollbacks")
                .query("repository", Some(&self.repository))
                .query("environment", environment.as_ref())
                .query("limit", Some(self.limit));
            let value: Value = async { server.send(&ask).await?.read() }.await.map_err(|why| why.failure(&server))?;
            return self.listed(&value, ui).map_err(|why| match why {
                Ok(trouble) => trouble.failure(&server),
                Err(failure) => failure,
            });
        }
        let by = asker();
        let body = Body {
            repository: self.repository.clone(),
            environment,
            to: self.to.clone(),
            tag: self.tag.clone(),
            reason: self.reason.clone(),
            wait_seconds: self.wait.timeout()?.as_secs().max(1),
            pipeline: by.pipeline,
            commit: by.commit,
        };
        carried_out(&server, &Ask::post("rollbacks", &body)?.goes_on(), self.wait.output, ui).await
    }

    fn listed(&self, value: &Value, ui: Ui) -> Result<Exit, Result<Trouble, Failure>> {
        let page = Page::deserialize(value)
            .map_err(|error| Ok(Trouble::NotUnderstood(format!("its answer cannot be read: {error}"))))?;
        if self.wait.output == OutputFormat::Json {
            ui.data(&inert_json(format!("{value:#}"))).map_err(Err)?;
        } else if page.candidates.is_empty() {
            ui.say("nothing was promoted there for that environment: what is not allowed is not promoted");
        } else {
            let titles = ["PROMOTED", "", "DIGEST", "AS", "BY", "DECIDED THEN", "DECISION"];
            let rows = page.candidates.into_iter().map(row);
            ui.data(&columns(titles, rows)).map_err(Err)?;
        }
        Ok(Exit::Allowed)
    }
}

fn row(candidate: Candidate) -> [String; 7] {
    let Candidate { digest, current, at, by, destination, decision, verdict } = candidate;
    let mark = if current { "now" } else { "" };
    let verdict = verdict.unwrap_or_else(|| "-".to_owned());
    [seconds(at), mark.to_owned(), short(&digest), destination, by, verdict, decision]
}
