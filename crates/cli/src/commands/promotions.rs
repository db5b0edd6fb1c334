//! A promotion or rollback that the decision service carries out, as whoever waits for it sees it: begun, watched to its end, and told.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::commands::asking::interrupted;
use crate::commands::decisions::{segment, short};
use crate::commands::time_limit::time_limit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::server::{Ask, Patience, Problem, Server, ServerArgs, Trouble};
use crate::ui::{OutputFormat, Ui};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a service that is not there is tried: as long as one that is started anew takes.
const AWAY: Duration = Duration::from_mins(2);
/// How often it is looked how far it is, where the service does not say.
const POLL: Duration = Duration::from_secs(1);
/// How often it is begun anew where nobody knows of it any more.
const ANEW: u32 = 5;

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

/// A promotion, as far as it is told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    state: String,
    source: String,
    destination: String,
    environment: String,
    rollback: bool,
    digest: Option<String>,
    progress: Progress,
    warnings: Vec<String>,
    promotion: Option<Recorded>,
    outcome: Option<Outcome>,
    decision: Option<String>,
    #[serde(default)]
    reasons: Vec<Reason>,
    problem: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    blobs: u64,
    blobs_done: u64,
    bytes: u64,
    bytes_done: u64,
}

#[derive(Deserialize)]
struct Recorded {
    id: String,
    decision: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    was_there: bool,
    basis: Option<String>,
    attached: u64,
    sent_bytes: u64,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

/// How long to wait, and how to answer.
#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// Give up waiting after this long; the service goes on with what it began
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    timeout: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(super) output: OutputFormat,
    #[command(flatten)]
    pub(super) service: ServerArgs,
}

impl WaitArgs {
    pub(super) fn timeout(&self) -> Result<Duration, Failure> {
        time_limit("--timeout", &self.timeout)
    }

    /// The service, which has to be there: `why`.
    pub(super) fn server(&self, why: &str) -> Result<Server, Failure> {
        crate::env::check()?;
        if self.service.address().is_none() {
            return Err(Failure::usage(format!("neither --server nor ECR_GATE_SERVER is given: {why}")).hint(
                "ecr-gate serve starts a decision service; `crane copy` copies without one, and without a decision",
            ));
        }
        self.service.connect(Patience { call: CALL, whole: self.timeout()?, away: AWAY })
    }
}

/// Begins it, waits for its end, and tells it.
pub(super) async fn carried_out(server: &Server, begin: &Ask, output: OutputFormat, ui: Ui) -> Result<Exit, Failure> {
    let followed = tokio::select! {
        followed = follow(server, begin, ui) => followed,
        () = interrupted() => {
            ui.clear();
            return Err(Failure::new(Exit::Interrupted, "interrupted; the service goes on with what it began")
                .hint("the same command again finds it, and waits for it"));
        }
    };
    ui.clear();
    let (value, state) = followed.map_err(|why| why.failure(server))?;
    for warning in &state.warnings {
        ui.insist(&format!("warning: {}", logged(warning, 500)));
    }
    if output == OutputFormat::Json {
        ui.data(&inert_json(format!("{value:#}")))?;
    }
    ended(server, &state, output, ui)
}

async fn follow(server: &Server, begin: &Ask, ui: Ui) -> Result<(Value, Told), Trouble> {
    let mut times = 0;
    'anew: loop {
        let accepted: Accepted = server.send(begin).await?.read()?;
        let id = segment("the id of the promotion", &accepted.id).map_err(|why| Trouble::NotUnderstood(why.what))?;
        times += 1;
        loop {
            let reply = match server.send(&Ask::get(format!("promotions/{id}"))).await {
                Ok(reply) => reply,
                // The process that carried it out is another one now: what was done is not done again.
                Err(Trouble::Problem(Problem { status: 404, .. })) if times < ANEW => continue 'anew,
                Err(trouble) => return Err(trouble),
            };
            let value: Value = reply.read()?;
            let state = Told::deserialize(&value)
                .map_err(|error| Trouble::NotUnderstood(format!("its answer cannot be read: {error}")))?;
            if !matches!(state.state.as_str(), "deciding" | "copying" | "verifying") {
                return Ok((value, state));
            }
            tell(&state, ui);
            let pause = reply.retry_after.unwrap_or(POLL);
            if server.left() <= pause {
                let why = format!("the time is up, and the promotion is still {}", logged(&state.state, 20));
                return Err(Trouble::Away { why, is_sure: false, is_lasting: true });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// How far it is.
fn tell(state: &Told, ui: Ui) {
    let Progress { blobs, blobs_done, bytes, bytes_done } = state.progress;
    let far = if blobs == 0 {
        String::new()
    } else {
        format!(": {} of {}, {blobs_done} of {blobs} blobs", size(bytes_done), size(bytes))
    };
    ui.redraw(&format!("{}{far}", logged(&state.state, 20)));
}

/// What it came to: data on stdout if it came about, words and an exit code if not.
fn ended(server: &Server, state: &Told, output: OutputFormat, ui: Ui) -> Result<Exit, Failure> {
    let digest = state.digest.as_deref().unwrap_or("");
    match (state.state.as_str(), &state.promotion) {
        ("promoted", Some(recorded)) => {
            if output == OutputFormat::Text {
                ui.data(&told(state, recorded, digest))?;
            }
            Ok(Exit::Allowed)
        }
        ("denied" | "pending", _) => {
            for Reason { code, message } in &state.reasons {
                ui.insist(&format!("  {}: {}", logged(code, 100), logged(message, 400)));
            }
            let (exit, word) = if state.state == "denied" {
                (Exit::Blocked, "denied")
            } else {
                (Exit::Undecided, "not decided in time")
            };
            let decision = state.decision.as_deref().unwrap_or("-");
            let said = |name: &str| state.problem.as_ref().and_then(|problem| problem.get(name)?.as_str());
            let done = if state.rollback { "brought back" } else { "promoted" };
            let mut what = format!(
                "{} is {word} for {}; nothing was {done} (decision {decision})",
                state.source, state.environment
            );
            // It may be the destination that is denied, and not the image.
            if let Some(detail) = said("detail") {
                what = format!("{what}: {}", logged(detail, 1_000));
            }
            let hint = said("hint").map(str::to_owned);
            let failure = Failure::new(exit, what);
            Err(match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        ("failed", _) => {
            let problem = state.problem.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
            let status = state.problem.as_ref().and_then(|problem| problem.get("status")?.as_u64()).unwrap_or(500);
            let status = u16::try_from(status).unwrap_or(500);
            Err(Trouble::Problem(Problem::read(status, problem.as_bytes())).failure(server))
        }
        (other, _) => {
            let why = format!("a promotion is {:?}, which this version does not know", logged(other, 40));
            Err(Trouble::NotUnderstood(why).failure(server))
        }
    }
}

fn told(state: &Told, recorded: &Recorded, digest: &str) -> String {
    let verb = if state.rollback { "brought back" } else { "promoted" };
    let mut lines = vec![
        format!("{verb} {} to {} for {}", short(digest), state.destination, state.environment),
        format!("  digest      {digest}"),
    ];
    if let Some(outcome) = &state.outcome {
        if outcome.was_there {
            lines.push("  it was there already, and on record: nothing was changed".to_owned());
        } else {
            lines.push(format!("  attached    {}", outcome.attached));
            lines.push(format!("  sent        {}", size(outcome.sent_bytes)));
        }
        if outcome.basis.as_deref() == Some("overridden") {
            lines.push("  policy denies it: this is an override, recorded as such".to_owned());
        }
    }
    lines.push(format!("  decision    {}", recorded.decision));
    lines.push(format!("  promotion   {}", recorded.id));
    lines.iter().map(|line| logged(line, 500)).collect::<Vec<_>>().join("\n")
}

/// A number of bytes as a person reads it.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (12_340_000, "12.3 MB"), (7_000_000_001, "7.0 GB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
