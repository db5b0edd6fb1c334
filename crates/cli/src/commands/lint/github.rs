//! The rules for GitHub Actions workflows and composite actions.

use std::rc::Rc;

use super::commands::{self, Context};
use super::finding::{self as rule, Report, Severity};
use super::flow::{self, Act, Job, Need, Step, Waits};
use super::keys;
use super::reference::{self, Reference};
use super::shell::{self, Command};
use super::source::Kind;
use super::timeouts;
use super::words;
use super::yaml::Node;

/// Everything about a workflow.
pub(super) fn check(root: &Rc<Node>, report: &mut Report<'_>) {
    keys::check(root, report);
    let mut jobs = Vec::new();
    let mut opaque = false;
    if let Some((key, runs)) = root.entry("runs") {
        let mut seen = Seen::new("the action", key, runs, root, report);
        seen.job.at = key.at;
        judge(&seen, report);
        jobs.push(seen.job);
    }
    for (key, body) in root.get("jobs").map(|jobs| jobs.entries()).unwrap_or_default() {
        let name = key.text().unwrap_or_default();
        if let Some((uses, _)) = body.entry("uses") {
            opaque = true;
            report.note(
                uses.at,
                format!("the workflow that `{name}` calls was not followed; what it does is told from its name"),
            );
        }
        let seen = Seen::new(name, key, body, root, report);
        judge(&seen, report);
        jobs.push(seen.job);
    }
    flow::check(&jobs, opaque, report);
}

/// A step of a job.
struct Action {
    body: Rc<Node>,
    commands: Vec<Command>,
    acts: Vec<Step>,
    shell: Option<String>,
}

impl Action {
    fn new(body: &Rc<Node>, shell: Option<String>, report: &Report<'_>) -> Self {
        let source = |line: usize| report.line(line).to_owned();
        let commands = body.get("run").map(|run| shell::commands_of(run, &source)).unwrap_or_default();
        let mut acts = flow::steps_of(&commands);
        if let Some(uses) = body.get("uses") {
            acts.extend(act_of(uses.text().unwrap_or_default(), body).map(|act| Step { at: uses.at, act }));
        }
        let own = body.get("shell").and_then(|shell| shell.text()).map(str::to_owned);
        Self { body: Rc::clone(body), commands, acts, shell: own.or(shell) }
    }

    fn does(&self, act: Act) -> bool {
        self.acts.iter().any(|step| step.act == act)
    }
}

/// What a published action does.
fn act_of(uses: &str, body: &Node) -> Option<Act> {
    let name = uses.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let with = |key: &str| body.get("with").and_then(|with| with.get(key));
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if name.ends_with("build-push-action") {
        let pushes =
            with("push").is_some_and(|push| push.is_true() || push.text().is_some_and(|text| text.starts_with("${{")));
        let output = with("outputs")
            .and_then(|outputs| outputs.text())
            .is_some_and(|text| text.contains("push=true") || text.contains("type=registry"));
        return (pushes || output).then_some(Act::Push);
    }
    if has(&[
        "ecr-gate",
        "ecr-scan",
        "ecr-scanning",
        "trivy-action",
        "anchore/scan-action",
        "docker/scout-action",
        "snyk/actions/docker",
    ]) {
        return Some(Act::Gate);
    }
    has(&[
        "amazon-ecs-deploy",
        "amazon-ecs-render",
        "k8s-deploy",
        "helm-deploy",
        "aws-lambda-deploy",
        "deploy-cloudrun",
        "aws-cloudformation-github-deploy",
        "argocd-deploy",
    ])
    .then_some(Act::Deploy)
}

/// A job with what was seen in it.
struct Seen {
    job: Job,
    body: Rc<Node>,
    actions: Vec<Action>,
}

impl Seen {
    fn new(name: &str, key: &Rc<Node>, body: &Rc<Node>, root: &Node, report: &Report<'_>) -> Self {
        let default_shell = |node: &Node| {
            let run = node.get("defaults").and_then(|defaults| defaults.get("run"));
            run.and_then(|run| run.get("shell")).and_then(|shell| shell.text()).map(str::to_owned)
        };
        let shell = default_shell(body).or_else(|| default_shell(root));
        let list = body.get("steps").map(Node::items).unwrap_or_default();
        let actions: Vec<Action> = list.iter().map(|step| Action::new(step, shell.clone(), report)).collect();
        let mut steps: Vec<Step> = actions.iter().flat_map(|action| action.acts.clone()).collect();
        if steps.is_empty() {
            let title = body.get("name").and_then(|title| title.text()).unwrap_or_default();
            if words::names_gate(name) || words::names_gate(title) {
                steps.push(Step { at: key.at, act: Act::Gate });
            } else if words::names_deploy(name) || words::names_deploy(title) || body.get("environment").is_some() {
                steps.push(Step { at: key.at, act: Act::Deploy });
            }
        }
        let need = |node: &Rc<Node>| node.text().map(|job| Need { job: job.to_owned(), at: node.at, optional: false });
        let needs = body.get("needs").map(Node::items).unwrap_or_default().iter().filter_map(need).collect();
        let job = Job { name: name.to_owned(), at: key.at, stage: 0, waits: Waits::Needs(needs), steps, manual: false };
        Self { job, body: Rc::clone(body), actions }
    }
}

fn judge(seen: &Seen, report: &mut Report<'_>) {
    let does = |act| seen.job.does(act);
    let deploy_only = does(Act::Deploy) && !does(Act::Gate) && !does(Act::Push);
    for action in &seen.actions {
        let shell = action.shell.as_deref();
        let pipefail = shell.is_some_and(|shell| shell == "bash" || shell.contains("pipefail"));
        let context = Context { kind: Kind::Github, gate: does(Act::Gate), deploy: deploy_only, pipefail };
        commands::check(&action.commands, context, report);
        if action.does(Act::Gate) {
            gate_step(action, report);
        }
        if action.does(Act::Deploy) {
            condition(&action.body, &seen.job.name, report);
            inputs(&action.body, report);
        }
    }
    if does(Act::Gate) {
        gate_job(seen, report);
    } else if does(Act::Deploy) {
        condition(&seen.body, &seen.job.name, report);
    }
    for key in ["container", "services"] {
        let Some(node) = seen.body.get(key).filter(|_| !does(Act::Gate)) else { continue };
        let image = node.get("image").unwrap_or(node);
        if image.text().is_some_and(|name| reference::reference(name) == Some(Reference::Latest)) {
            report.warning(
                &rule::LATEST_TAG,
                image.at,
                format!("`{}` runs in an image named by `latest`", seen.job.name),
            );
        }
    }
}

fn continue_on_error(body: &Node, what: &str, report: &mut Report<'_>) {
    let Some((key, value)) = body.entry("continue-on-error") else { return };
    if value.is_true() {
        report.error(&rule::CONTINUE_ON_ERROR, key.at, format!("{what} may fail"));
    } else if value.text().is_some_and(|text| text.contains("${{")) {
        report.warning(&rule::CONTINUE_ON_ERROR, key.at, format!("{what} may fail under some condition"));
    }
}

fn gate_step(action: &Action, report: &mut Report<'_>) {
    continue_on_error(&action.body, "the gate's step", report);
    let lax = action.shell.as_deref().is_some_and(|shell| {
        let mut words = shell.split_whitespace();
        let name = words.next().unwrap_or_default();
        shell.contains("{0}")
            && ["bash", "sh"].contains(&name)
            && !words.any(|word| word.starts_with('-') && word.contains('e'))
    });
    if lax
        && action.commands.len() > 1
        && let Some(first) = action.commands.first()
        && !action.commands.iter().any(|command| commands::sets_errexit(&command.text, '-').is_some())
    {
        report.error(&rule::NO_ERREXIT, first.at(), "this step's shell does not stop at a failed command");
    }
    let Some(uses) = action.body.get("uses") else { return };
    let name = uses.text().unwrap_or_default();
    let pinned = match name.split_once('@') {
        Some((_, commit)) => {
            (commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())) || reference::is_pinned(name)
        }
        None => name.starts_with("./"),
    };
    if !pinned {
        let moving = ["@main", "@master", "@latest", ":latest"].iter().any(|end| name.ends_with(end))
            || name.starts_with("docker://");
        let severity = if moving { Severity::Error } else { Severity::Warning };
        report.add(&rule::UNPINNED_GATE, severity, uses.at, "the gate's action is not pinned");
    }
}

fn gate_job(seen: &Seen, report: &mut Report<'_>) {
    let name = &seen.job.name;
    continue_on_error(&seen.body, &format!("the gate `{name}`"), report);
    if let Some(container) = seen.body.get("container") {
        let image = container.get("image").unwrap_or(container);
        let text = image.text().unwrap_or_default();
        if text.ends_with(":latest") {
            report.error(&rule::LATEST_TAG, image.at, format!("the gate `{name}` runs in an image named by `latest`"));
        } else if text.contains("${{") {
            report.warning(
                &rule::UNPINNED_GATE,
                image.at,
                format!("it is not seen here that the image of the gate `{name}` is pinned"),
            );
        } else if !reference::is_pinned(text) {
            report.error(
                &rule::UNPINNED_GATE,
                image.at,
                format!("the image of the gate `{name}` is not pinned by digest"),
            );
        }
    }
    let of_step = || {
        seen.actions
            .iter()
            .filter(|action| action.does(Act::Gate))
            .find_map(|action| action.body.get("timeout-minutes"))
    };
    if seen.body.get("uses").is_some() || seen.body.get("using").is_some() {
        return; // A called workflow and a composite action have no time limit of their own.
    }
    match seen.body.get("timeout-minutes").or_else(of_step) {
        None => {
            report.warning(&rule::MISSING_TIMEOUT, seen.job.at, format!("the gate `{name}` has no timeout-minutes"));
        }
        Some(timeout) => {
            let minutes = timeout.text().and_then(|text| text.parse().ok());
            for action in &seen.actions {
                timeouts::compare(minutes, timeout.at, &action.commands, report);
            }
        }
    }
}

/// `if: always()` and its kin on what deploys.
fn condition(body: &Node, job: &str, report: &mut Report<'_>) {
    let Some((key, value)) = body.entry("if") else { return };
    let text: String = value.text().unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    let checked = text.contains(".result=='success'") || text.contains("success()");
    if !checked && ["always()", "failure()", "cancelled()"].iter().any(|function| text.contains(function)) {
        report.error(&rule::IF_ALWAYS, key.at, format!("`{job}` deploys whatever came before"));
    }
}

/// Images among the inputs of an action that deploys.
fn inputs(body: &Node, report: &mut Report<'_>) {
    for (_, value) in body.get("with").map(|with| with.entries()).unwrap_or_default() {
        for (_, reference) in reference::references(value.text().unwrap_or_default()) {
            match reference {
                Reference::Latest => report.error(&rule::LATEST_TAG, value.at, "an image is named by `latest`"),
                Reference::Tag => {
                    report.error(&rule::DEPLOY_BY_TAG, value.at, "the deploy names the image by a tag");
                }
                Reference::Digest => {}
            }
        }
    }
}
