//! `ecr-gate kubernetes doctor`: is admission set up as it has to be? Looking changes nothing.

use std::fmt::Write as _;

use kubernetes::doctor::{Check, Configured, Gate, GateUrl, Observed, State, Tags, examine, fetch};
use serde::Serialize;
use serde_json::Value;
use server::admission::{self, AdmissionSettings};

use super::{ClusterArgs, failure};
use crate::clock::now;
use crate::commands::serve::admission::AdmissionSetup;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::ui::{OutputFormat, Ui};

const SCHEMA: &str = "ecr-gate.dev/kubernetes-doctor/v1";
/// The longest sentence that is shown.
const SENTENCE: usize = 1500;

/// Finds the usual mistakes in how admission is set up in a cluster
///
/// Reads the webhooks and looks whether everything that starts images is asked about, in every namespace, and what happens where the gate does not answer;
/// whether something is behind the gate's Service and stays there; whether the API server believes its certificate, and for how long; and tries it: a pod with
/// an image that nobody can allow is made as a trial (`--dry-run=server`), and has to be denied by the gate. Nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing but ok and warnings, 1 something is broken, 3 something could not be looked at, or the account or context is wrong,
            5 the API server cannot be reached, 64 wrong usage.

Examples:
  ecr-gate kubernetes doctor
  ecr-gate kubernetes doctor --context production-eu --namespace ecr-gate --output json
  ecr-gate kubernetes doctor --gate-url https://gate.example.com:9443")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The namespace that the gate is installed in
    #[arg(long, short, value_name = "NAME", default_value = "ecr-gate")]
    namespace: String,
    /// The address of the gate, where webhooks ask it by URL and not by its Service; several times
    #[arg(long, value_name = "URL")]
    gate_url: Vec<GateUrl>,
    /// Try no pod
    #[arg(long)]
    no_trial: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    schema: &'static str,
    examined_at: model::Timestamp,
    exit_code: u8,
    cluster: &'a str,
    namespace: &'a str,
    summary: Summary,
    checks: &'a [Check],
}

/// How many checks ended how.
#[derive(Clone, Copy, Serialize)]
struct Summary {
    ok: usize,
    warning: usize,
    problem: usize,
    unknown: usize,
}

impl DoctorArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        // Part of a path of the API server.
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.namespace.is_empty() || !self.namespace.chars().all(is_name) {
            return Err(Failure::usage(format!("--namespace: {:?} is no name of a namespace", self.namespace)));
        }
        let cluster = self.cluster.connect().await?;
        let version = env!("CARGO_PKG_VERSION");
        let gate = Gate { namespace: self.namespace.clone(), urls: self.gate_url.clone() };
        let observed = fetch(&cluster, gate, version, !self.no_trial, now()).await.map_err(|error| failure(&error))?;
        let mut checks = match settings(&observed) {
            Some(AdmissionSettings { environments, tags, .. }) => {
                let environment_of = |namespace: &str| environments.of(None, namespace).to_owned();
                let tags = match tags {
                    admission::Tags::Off => Tags::Off,
                    admission::Tags::Pods => Tags::Pods,
                    admission::Tags::All => Tags::All,
                };
                examine(&observed, Some(&Configured { environment_of: &environment_of, tags }))
            }
            None => examine(&observed, None),
        };
        if self.no_trial {
            checks.retain(|check| check.id != "kubernetes.trial");
        }
        let count = |state| checks.iter().filter(|check| check.state == state).count();
        let summary = Summary {
            ok: count(State::Ok),
            warning: count(State::Warning),
            problem: count(State::Problem),
            unknown: count(State::Unknown),
        };
        // What could not be looked at is not right.
        let exit = match summary {
            Summary { problem: 1.., .. } => Exit::Blocked,
            Summary { unknown: 1.., .. } => Exit::Configuration,
            _ => Exit::Allowed,
        };
        let report = Report {
            schema: SCHEMA,
            examined_at: observed.now,
            exit_code: exit as u8,
            cluster: cluster.address(),
            namespace: &self.namespace,
            summary,
            checks: &checks,
        };
        ui.data(&match self.output {
            OutputFormat::Text => report.text(ui.color),
            OutputFormat::Json => serde_json::to_string_pretty(&report)
                .map(inert_json)
                .map_err(|error| Failure::internal(format!("the report cannot be written as JSON: {error}")))?,
        })?;
        Ok(exit)
    }
}

/// How admission is configured, if there is one configuration of the gate that can be read.
fn settings(observed: &Observed) -> Option<AdmissionSettings> {
    let settings = observed.settings.as_ref().ok()?;
    let mut texts = settings.iter().filter_map(|one| one.pointer("/data/serve.yaml").and_then(Value::as_str));
    let (text, None) = (texts.next()?, texts.next()) else { return None };
    let config = config::parse("serve.yaml", text).ok()?;
    Some(AdmissionSetup::of(config.admission?, config.tls.as_ref()).ok()?.settings)
}

impl Report<'_> {
    /// One line for what is as it should be; why and what to do for the rest.
    fn text(&self, color: bool) -> String {
        let mut text = format!("{} in {}\n\n", logged(self.namespace, SENTENCE), logged(self.cluster, SENTENCE));
        for check in self.checks {
            let (mark, code) = match check.state {
                State::Ok => ("ok", "32"),
                State::Warning => ("warn", "33"),
                State::Problem => ("FAIL", "31"),
                State::Unknown => ("?", "33"),
            };
            let space = " ".repeat(6 - mark.len());
            let mark = if color { format!("\x1b[1;{code}m{mark}\x1b[0m") } else { mark.to_owned() };
            let of = check.subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
            let (of, found) = (logged(&of, SENTENCE), logged(&check.found, SENTENCE));
            let _ = writeln!(text, "{mark}{space}{}{of}: {found}", check.title);
            if let Some(remedy) = &check.remedy {
                let _ = writeln!(text, "      why: {}", check.why);
                let _ = writeln!(text, "      -> {}", logged(remedy, SENTENCE));
            }
        }
        let Summary { ok, warning, problem, unknown } = self.summary;
        let _ = writeln!(
            text,
            "\n{problem} problem{}, {warning} warning{}, {unknown} not known, {ok} ok",
            if problem == 1 { "" } else { "s" },
            if warning == 1 { "" } else { "s" },
        );
        text
    }
}
