//! `ecr-gate policy explain`: which policies and rules applied to an image, each with what it found, on what evidence, and what
//! would make it pass. It shows a judgement; what was asked and judged is what `check` asks and judges.

use std::fmt::Write as _;
use std::path::PathBuf;

use engine::RuleRecord;
use model::{Ask, Facts, Judgement, RecordedFacts, Timestamp, Verdict};
use policy::{ExplainedPolicy, ExplainedRule, PathToGreen, evaluate, path_to_green};
use serde::Serialize;

use crate::commands::asking::AskArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::output::{inert_json, logged};
use crate::policies;
use crate::ui::{OutputFormat, Ui};

/// The longest foreign sentence that is shown.
const SENTENCE: usize = 500;
/// The largest facts that are read.
const FACTS: usize = 256 << 20;

/// Which policies and rules apply to an image, what each found, on what evidence, and what would make it pass
///
/// Asks what `check` asks, starts no scan and records nothing. With --facts it explains what was recorded, without asking
/// anybody.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 explained, whatever the verdict; 2 a file cannot be read as facts, 3 access or configuration, 4 not in time,
            5 registry unreachable, 64 wrong usage.

Examples:
  ecr-gate policy explain ghcr.io/team/app:1.2 --policy gate.yaml --report trivy.json
  ecr-gate policy explain --facts facts/app.json --policy gate.yaml --environment staging")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Facts that were recorded by `inspect --output json` or `check --output facts=FILE`, instead of an image
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    facts: Option<PathBuf>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    schema: &'static str,
    image: String,
    digest: String,
    environment: &'a str,
    verdict: Verdict,
    at: Timestamp,
    valid_until: Option<Timestamp>,
    policies: Vec<Explained<'a>>,
    /// What came out beyond the rules of policies: no policy matched, or labels are not known.
    beyond: Vec<&'a RuleRecord>,
    warnings: &'a [String],
    path_to_green: Option<PathToGreen>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained<'a> {
    policy: &'a model::PolicyId,
    applies: bool,
    because: &'a str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    #[serde(flatten)]
    explained: &'a ExplainedRule,
    /// What it found; nothing if it was not asked.
    result: Option<&'a RuleRecord>,
}

impl ExplainArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.facts {
            Some(file) => self.recorded(file, ui),
            None => self.asked(ui).await,
        }
    }

    async fn asked(&self, ui: Ui) -> Result<Exit, Failure> {
        let asking = self.ask.read(ui)?;
        let checked = Box::pin(asking.ask(true, self.ask.verbose, ui)).await?.map_err(|refused| {
            let exit = Exit::of_reason(refused.reason.code);
            Failure::new(exit, refused.reason.message).hint(refused.reason.remedy)
        })?;
        let now = checked.timing.decided_at;
        let explained = asking.policies.explain(&checked.ask, &checked.facts, now);
        self.show(&checked.ask, &checked.facts, &checked.judgement, &explained, now, ui)
    }

    fn recorded(&self, file: &std::path::Path, ui: Ui) -> Result<Exit, Failure> {
        let bytes = files::read("the facts", file, FACTS)?;
        let RecordedFacts { mut ask, facts, at, .. } = RecordedFacts::read(&bytes).map_err(|error| {
            Failure::new(Exit::NoResult, format!("{}: these are no facts: {error}", file.display())).hint(
                "record them with `ecr-gate check IMAGE --output facts=FILE` or `ecr-gate inspect IMAGE --output json`",
            )
        })?;
        if let Some(environment) = &self.ask.environment {
            ask.environment.clone_from(environment);
        }
        let (policies, exceptions) = policies::load(&policies::paths(&self.ask.policy)?)?;
        policies.environment(&ask.environment).map_err(|error| {
            Failure::usage(error.to_string()).hint("environments are declared in `spec.environments` of the policy")
        })?;
        let judgement = evaluate(&policies, &ask, &facts, &exceptions, at);
        self.show(&ask, &facts, &judgement, &policies.explain(&ask, &facts, at), at, ui)
    }

    fn show(
        &self,
        ask: &Ask,
        facts: &Facts,
        judgement: &Judgement,
        explained: &[ExplainedPolicy],
        at: Timestamp,
        ui: Ui,
    ) -> Result<Exit, Failure> {
        let records = RuleRecord::all(judgement);
        let of =
            |policy: &str, rule: &str| records.iter().find(|record| record.policy == policy && record.rule == rule);
        let policies: Vec<Explained<'_>> = explained
            .iter()
            .map(|policy| Explained {
                policy: &policy.policy,
                applies: policy.applies,
                because: &policy.because,
                rules: policy
                    .rules
                    .iter()
                    .map(|rule| Rule { explained: rule, result: of(&policy.policy.name, &rule.rule) })
                    .collect(),
            })
            .collect();
        let is_shown = |record: &RuleRecord| {
            policies
                .iter()
                .flat_map(|policy| &policy.rules)
                .filter_map(|rule| rule.result)
                .any(|other| other.policy == record.policy && other.rule == record.rule)
        };
        let explanation = Explanation {
            schema: "ecr-gate.dev/explanation/v1",
            image: ask.image.to_string(),
            digest: ask.digest.to_string(),
            environment: &ask.environment,
            verdict: judgement.verdict,
            at,
            valid_until: judgement.valid_until,
            beyond: records.iter().filter(|record| !is_shown(record)).collect(),
            policies,
            warnings: &judgement.warnings,
            path_to_green: path_to_green(judgement, facts),
        };
        match self.output {
            OutputFormat::Json => {
                let text = serde_json::to_string_pretty(&explanation)
                    .map_err(|error| Failure::internal(format!("the explanation cannot be written: {error}")))?;
                ui.data(&inert_json(text + "\n"))?;
            }
            OutputFormat::Text => ui.data(&page(&explanation))?,
        }
        Ok(Exit::Allowed)
    }
}

fn page(explanation: &Explanation<'_>) -> String {
    let mut text = String::new();
    let (image, verdict) = (logged(&explanation.image, SENTENCE), explanation.verdict.as_str());
    let _ = writeln!(text, "{image}\ndigest   {}", explanation.digest);
    let until = explanation.valid_until.map_or_else(String::new, |until| format!(", holds until {until}"));
    let _ = writeln!(text, "verdict  {verdict} for {} at {}{until}", explanation.environment, explanation.at);
    for policy in &explanation.policies {
        let name = logged(&policy.policy.name, 200);
        let version = policy.policy.version.as_ref().map_or_else(String::new, |text| format!(" {}", logged(text, 80)));
        let applies = if policy.applies { "applies" } else { "does not apply" };
        let _ = writeln!(text, "\npolicy {name}{version} ({})", policy.policy.digest.short());
        let _ = writeln!(text, "  {applies}: {}", logged(policy.because, SENTENCE));
        if policy.applies {
            policy.rules.iter().for_each(|rule| rule_lines(&mut text, rule));
        }
    }
    for record in &explanation.beyond {
        let _ = writeln!(text, "\n  {:<8} {}", outcome(record), logged(&record.rule, 200));
        result_lines(&mut text, record);
    }
    if !explanation.warnings.is_empty() {
        text.push_str("\nTo know\n");
        for warning in explanation.warnings {
            let _ = writeln!(text, "  - {}", logged(warning, SENTENCE));
        }
    }
    if let Some(path) = &explanation.path_to_green {
        let title = if path.from == Verdict::Warn { "What would make it clean" } else { "Shortest path to green" };
        let _ = writeln!(text, "\n{title}");
        for (number, step) in path.steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {}", number + 1, logged(&step.text, SENTENCE));
        }
        if path.blocking > 0 {
            let _ = writeln!(text, "  {}", logged(&path.stays.text, SENTENCE));
        }
    }
    text
}

/// The state of a rule, in capitals where it says something: colour never carries it.
fn outcome(record: &RuleRecord) -> &'static str {
    match record.outcome {
        "pass" => "pass",
        "fail" => "FAIL",
        _ => "UNKNOWN",
    }
}

fn rule_lines(text: &mut String, rule: &Rule<'_>) {
    let ExplainedRule { rule: id, kind, action, ended, evidence } = rule.explained;
    let state = match rule.result {
        Some(record) => outcome(record),
        None if *ended => "ended",
        None => "not asked",
    };
    let means = match rule.result {
        Some(record) if record.outcome != "pass" => format!(" -> {}", record.verdict.as_str()),
        _ => String::new(),
    };
    let _ = writeln!(text, "  {state:<8} {}  ({kind}, action {action}){means}", logged(id, 200));
    for line in evidence {
        let _ = writeln!(text, "             evidence: {}", logged(line, SENTENCE));
    }
    if let Some(record) = rule.result {
        result_lines(text, record);
    }
}

fn result_lines(text: &mut String, record: &RuleRecord) {
    for reason in &record.reasons {
        let _ = writeln!(text, "             {}: {}", reason.code, logged(&reason.message, SENTENCE));
        let _ = writeln!(text, "             remedy: {}", logged(&reason.remedy, SENTENCE));
    }
    for (class, answer) in &record.on_unknown {
        let _ = writeln!(text, "             onUnknown.{class}: {answer}");
    }
    for note in &record.notes {
        let _ = writeln!(text, "             note: {}", logged(note, SENTENCE));
    }
}
