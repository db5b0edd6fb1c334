//! The rules for GitLab CI files.

mod effective;

use std::rc::Rc;

use super::commands::{self, Context};
use super::finding::{self as rule, Report};
use super::flow::{self, Act, Job, Need, Step, Waits};
use super::keys;
use super::reference::{self, Reference};
use super::shell::{self, Command};
use super::source::Kind;
use super::timeouts;
use super::words;
use super::yaml::{Kind as Value, Node};
use crate::exit::Exit;
use effective::Effective;
pub(super) use effective::TooBig;

/// Everything about a GitLab pipeline.
pub(super) fn check(root: &Rc<Node>, report: &mut Report<'_>) -> Result<(), TooBig> {
    let includes = root.entry("include");
    if let Some((key, _)) = includes {
        report.note(key.at, "included files were not followed; what they define is not judged");
    }
    keys::check(root, report);
    let stages = stages(root);
    let all: Vec<Seen> = effective::jobs(root)?.into_iter().map(|job| Seen::new(job, &stages, report)).collect();
    for seen in &all {
        let does = |act| seen.job.does(act);
        let deploy_only = does(Act::Deploy) && !does(Act::Gate) && !does(Act::Push);
        let context = Context { kind: Kind::Gitlab, gate: does(Act::Gate), deploy: deploy_only, pipefail: false };
        commands::check(&seen.commands, context, report);
        if seen.is_template() {
            continue;
        }
        if seen.job.does(Act::Gate) {
            gate(seen, root, report);
        } else if seen.job.does(Act::Deploy) {
            deploy(seen, report);
        }
        let latest = |image: &Rc<Node>| image.text().and_then(reference::reference) == Some(Reference::Latest);
        if let Some(image) = image(seen).filter(latest).filter(|_| !seen.job.does(Act::Gate)) {
            let message = format!("`{}` runs in an image named by `latest`", seen.job.name);
            report.warning(&rule::LATEST_TAG, image.at, message);
        }
    }
    let jobs: Vec<Job> = all.into_iter().filter(|seen| !seen.is_template()).map(|seen| seen.job).collect();
    flow::check(&jobs, includes.is_some(), report);
    Ok(())
}

/// A job with what was seen in it.
struct Seen {
    job: Job,
    body: Rc<Node>,
    commands: Vec<Command>,
}

impl Seen {
    fn new(job: Effective, stages: &[String], report: &Report<'_>) -> Self {
        let Effective { key, body } = job;
        let name = key.text().unwrap_or_default().to_owned();
        let source = |line: usize| report.line(line).to_owned();
        let commands: Vec<Command> = ["before_script", "script", "after_script"]
            .iter()
            .filter_map(|part| body.get(part))
            .flat_map(|script| shell::commands_of(script, &source))
            .collect();
        let stage = body.get("stage").and_then(|stage| stage.text()).unwrap_or("test").to_owned();
        let mut steps = flow::steps_of(&commands);
        if steps.is_empty() {
            // No command says it: the name may.
            let environment = body.get("environment").is_some_and(|value| {
                let action = value.get("action").and_then(|action| action.text());
                !action.is_some_and(|action| ["stop", "verify", "access", "prepare"].contains(&action))
            });
            let tears_down = body.get("environment").and_then(|value| value.get("action")).is_some() && !environment;
            if words::names_gate(&name) {
                steps.push(Step { at: key.at, act: Act::Gate });
            } else if !tears_down && (environment || words::names_deploy(&name) || words::names_deploy(&stage)) {
                steps.push(Step { at: key.at, act: Act::Deploy });
            }
        }
        let when = |node: &Node| node.get("when").and_then(|when| when.text()) == Some("manual");
        let job = Job {
            at: key.at,
            stage: stage_index(&stage, stages),
            waits: waits(&body),
            steps,
            manual: when(&body) || rules(&body).iter().any(|rule| when(rule)),
            name,
        };
        Self { job, body, commands }
    }

    fn is_template(&self) -> bool {
        self.job.name.starts_with('.')
    }
}

fn stages(root: &Node) -> Vec<String> {
    let named = root.get("stages").map(Node::items).unwrap_or_default();
    if named.is_empty() {
        return ["build", "test", "deploy"].map(str::to_owned).to_vec();
    }
    named.iter().filter_map(|stage| stage.text().map(str::to_owned)).collect()
}

fn stage_index(stage: &str, stages: &[String]) -> usize {
    match stage {
        ".pre" => 0,
        ".post" => usize::MAX,
        _ => stages.iter().position(|known| known == stage).map_or(1, |index| index + 1),
    }
}

fn waits(body: &Node) -> Waits {
    let Some(needs) = body.get("needs") else { return Waits::Stages };
    let mut all = Vec::new();
    // `!reference` in a list leaves a list in the list.
    let mut open = needs.items();
    open.reverse();
    while let Some(item) = open.pop() {
        match &item.kind {
            Value::List(inner) => open.extend(inner.iter().rev().cloned()),
            Value::Scalar { text, .. } => all.push(Need { job: text.clone(), at: item.at, optional: false }),
            Value::Map(_) if item.get("pipeline").is_some() || item.get("project").is_some() => {}
            Value::Map(_) => {
                if let Some(job) = item.get("job").and_then(|job| job.text()) {
                    let optional = item.get("optional").is_some_and(|optional| optional.is_true());
                    all.push(Need { job: job.to_owned(), at: item.at, optional });
                }
            }
        }
    }
    Waits::Needs(all)
}

fn rules(body: &Node) -> Vec<Rc<Node>> {
    let rules = body.get("rules").map(Node::items).unwrap_or_default();
    rules
        .into_iter()
        .flat_map(|rule| if matches!(rule.kind, Value::List(_)) { rule.items() } else { vec![rule] })
        .collect()
}

fn image(seen: &Seen) -> Option<Rc<Node>> {
    let image = seen.body.get("image")?;
    Some(Rc::clone(image.get("name").unwrap_or(image)))
}

/// The value of a variable, as far as the file says it.
fn variable(name: &str, body: &Node, root: &Node) -> Option<String> {
    let value = body
        .get("variables")
        .and_then(|own| own.get(name))
        .or_else(|| root.get("variables").and_then(|global| global.get(name)))?;
    value.text().or_else(|| value.get("value").and_then(|value| value.text())).map(str::to_owned)
}

/// `allow_failure: { exit_codes: … }` forgives single codes: harmless for a code that `--warn-exit-code` was given, not
/// for one that the gate refuses with.
fn forgives_the_gate(value: &Rc<Node>) -> bool {
    let Value::Map(entries) = &value.kind else { return false };
    let ours = |code: &Rc<Node>| {
        let number = code.text().and_then(|text| text.trim().parse::<u8>().ok());
        number.is_none_or(|number| Exit::ALL.iter().any(|(exit, _)| *exit as u8 == number))
    };
    let codes = |codes: &Rc<Node>| match &codes.kind {
        Value::List(list) => list.iter().any(ours),
        _ => ours(codes),
    };
    entries.iter().any(|(key, value)| key.text() != Some("exit_codes") || codes(value))
}

/// Rules for the job that runs the gate.
fn gate(seen: &Seen, root: &Node, report: &mut Report<'_>) {
    let name = &seen.job.name;
    let all_rules = rules(&seen.body);
    for holder in std::iter::once(&seen.body).chain(&all_rules) {
        if let Some((key, value)) = holder.entry("allow_failure")
            && (value.is_true() || forgives_the_gate(value))
        {
            report.error(&rule::ALLOW_FAILURE, key.at, format!("the gate `{name}` is allowed to fail"));
        }
        if let Some((key, value)) = holder.entry("when")
            && value.text() == Some("manual")
        {
            report.error(&rule::MANUAL_GATE, key.at, format!("the gate `{name}` waits for somebody to start it"));
        }
    }
    if let Some(image) = image(seen) {
        let written = image.text().unwrap_or_default();
        let resolved = written
            .strip_prefix('$')
            .map(|name| name.trim_matches(['{', '}']))
            .and_then(|name| variable(name, &seen.body, root));
        let resolved = resolved.as_deref().unwrap_or(written);
        if reference::is_pinned(resolved) {
        } else if resolved.ends_with(":latest") {
            report.error(&rule::LATEST_TAG, image.at, format!("the gate `{name}` runs in an image named by `latest`"));
        } else if resolved.starts_with('$') {
            report.warning(
                &rule::UNPINNED_GATE,
                image.at,
                format!("it is not seen here that the image of the gate `{name}` is pinned"),
            );
        } else {
            report.error(
                &rule::UNPINNED_GATE,
                image.at,
                format!("the image of the gate `{name}` is not pinned by digest"),
            );
        }
    }
    match seen.body.get("timeout") {
        None => report.warning(&rule::MISSING_TIMEOUT, seen.job.at, format!("the gate `{name}` has no timeout")),
        Some(timeout) => {
            let minutes = timeout.text().and_then(timeouts::gitlab_minutes);
            timeouts::compare(minutes, timeout.at, &seen.commands, report);
        }
    }
}

/// Rules for jobs that deploy.
fn deploy(seen: &Seen, report: &mut Report<'_>) {
    let all_rules = rules(&seen.body);
    for holder in std::iter::once(&seen.body).chain(&all_rules) {
        if let Some((_, value)) = holder.entry("when")
            && let Some(when @ ("always" | "on_failure")) = value.text()
        {
            // A rule's `when: always` overrides on_success; the gate's failure no longer stops the job.
            report.error(&rule::WHEN_ALWAYS, value.at, format!("`{}` deploys with `when: {when}`", seen.job.name));
        }
    }
}
