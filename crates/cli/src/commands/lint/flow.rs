//! The order of things, the same for every kind of pipeline: who pushes, who gates, who deploys, and whether every
//! deploy really waits for a gate, and every gate for the push.

use std::collections::HashMap;

use super::finding::{self as rule, Report};
use super::shell::Command;
use super::words;
use super::yaml::Place;

/// What a step does, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Push,
    Gate,
    Deploy,
}

/// One thing a job does, in order.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub at: Place,
    pub act: Act,
}

/// One entry of `needs`.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub job: String,
    pub at: Place,
    pub optional: bool,
}

/// What a job waits for.
#[derive(Debug, Clone)]
pub(super) enum Waits {
    /// For these.
    Needs(Vec<Need>),
    /// For all jobs of earlier stages.
    Stages,
}

/// A job, as far as the order is concerned.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub name: String,
    pub at: Place,
    pub stage: usize,
    pub waits: Waits,
    pub steps: Vec<Step>,
    /// Started by hand.
    pub manual: bool,
}

impl Job {
    pub(super) fn first(&self, act: Act) -> Option<(usize, Place)> {
        self.steps.iter().enumerate().find(|(_, step)| step.act == act).map(|(index, step)| (index, step.at))
    }

    pub(super) fn does(&self, act: Act) -> bool {
        self.first(act).is_some()
    }
}

/// The acts of shell commands, in order.
pub(super) fn steps_of(commands: &[Command]) -> Vec<Step> {
    let mut steps = Vec::new();
    for command in commands {
        let text = &command.text;
        for (act, does) in [
            (Act::Push, words::is_push(text)),
            (Act::Gate, words::is_gate(text)),
            (Act::Deploy, words::is_deploy(text)),
        ] {
            if does {
                steps.push(Step { at: command.at(), act });
            }
        }
    }
    steps
}

/// How much of the graph a search may use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Needs,
    Stages,
    Optional,
}

/// Checks the order. `opaque`: part of the pipeline is elsewhere and was not read.
pub(super) fn check(jobs: &[Job], opaque: bool, report: &mut Report<'_>) {
    let gate = jobs.iter().find(|job| job.does(Act::Gate));
    let pushes = jobs.iter().any(|job| job.does(Act::Push));
    let (behind_gate, behind_push) = (reach(Act::Gate, jobs), reach(Act::Push, jobs));
    for ((job, gate), push) in jobs.iter().zip(&behind_gate).zip(&behind_push) {
        within(job, gate.is_some(), report);
        if job.does(Act::Gate) && pushes && !job.does(Act::Push) && push.is_none() {
            report.error(
                &rule::GATE_BEFORE_PUSH,
                job.at,
                format!("the gate `{}` does not wait for a job that pushes", job.name),
            );
        }
    }
    let deploys = jobs.iter().zip(&behind_gate).filter(|(job, _)| job.does(Act::Deploy) && !job.does(Act::Gate));
    let Some(gate) = gate else {
        if let Some((deploy, _)) = deploys.into_iter().next().filter(|_| pushes) {
            let message = format!("`{}` deploys and nothing between push and deploy checks the image", deploy.name);
            if opaque {
                report.warning(&rule::NO_GATE, deploy.at, message + ", unless an included file does");
            } else {
                report.error(&rule::NO_GATE, deploy.at, message);
            }
        }
        return;
    };
    for (job, trust) in deploys {
        let place = match &job.waits {
            Waits::Needs(needs) => needs.first().map_or(job.at, |need| need.at),
            Waits::Stages => job.at,
        };
        let (name, gate) = (&job.name, &gate.name);
        match trust {
            Some(Trust::Needs) => {}
            Some(Trust::Stages) => report.warning(
                &rule::MISSING_NEEDS,
                job.at,
                format!(
                    "`{name}` waits for the gate only by the order of stages; the first `needs` somebody adds ends that"
                ),
            ),
            Some(Trust::Optional) => {
                report.error(&rule::OPTIONAL_NEEDS, place, format!("`{name}` needs the gate only optionally"));
            }
            None if job.manual => report.error(
                &rule::MANUAL_DEPLOY,
                job.at,
                format!("`{name}` is started by hand and does not need `{gate}`"),
            ),
            None => report.error(
                &rule::MISSING_NEEDS,
                place,
                format!("`{name}` deploys without waiting for the gate `{gate}`"),
            ),
        }
    }
}

/// The order inside one job. `behind_another`: it waits for another gate first.
fn within(job: &Job, behind_another: bool, report: &mut Report<'_>) {
    let Some((gate, gate_at)) = job.first(Act::Gate) else { return };
    if let Some((_, at)) = job.first(Act::Deploy).filter(|(deploy, _)| *deploy < gate)
        && !behind_another
    {
        report.error(&rule::DEPLOY_BEFORE_GATE, at, format!("`{}` deploys here and runs the gate later", job.name));
    }
    if job.first(Act::Push).is_some_and(|(push, _)| push > gate) {
        report.error(&rule::GATE_BEFORE_PUSH, gate_at, format!("`{}` runs the gate here and pushes later", job.name));
    }
}

/// For each job, the least trust with which it waits, directly or through others, for a job that does `act`.
fn reach(act: Act, jobs: &[Job]) -> Vec<Option<Trust>> {
    let mut best = vec![None; jobs.len()];
    for trust in [Trust::Needs, Trust::Stages, Trust::Optional] {
        for (best, reached) in best.iter_mut().zip(reached(act, trust, jobs)) {
            *best = best.or(reached.then_some(trust));
        }
    }
    best
}

/// Goes from the jobs that do `act` to those that wait for them, each job once.
fn reached(act: Act, trust: Trust, jobs: &[Job]) -> Vec<bool> {
    let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, job) in jobs.iter().enumerate() {
        if let Waits::Needs(needs) = &job.waits {
            for need in needs.iter().filter(|need| !need.optional || trust == Trust::Optional) {
                waiting.entry(&need.job).or_default().push(index);
            }
        }
    }
    let mut reached = vec![false; jobs.len()];
    let mut open: Vec<usize> = (0..jobs.len()).filter(|index| jobs[*index].does(act)).collect();
    let mut earliest = usize::MAX;
    while let Some(index) = open.pop() {
        let job = &jobs[index];
        let mut next = waiting.get(job.name.as_str()).cloned().unwrap_or_default();
        if trust >= Trust::Stages && job.stage < earliest {
            earliest = job.stage;
            next.extend(
                (0..jobs.len())
                    .filter(|other| matches!(jobs[*other].waits, Waits::Stages) && jobs[*other].stage > earliest),
            );
        }
        for other in next {
            if !std::mem::replace(&mut reached[other], true) {
                open.push(other);
            }
        }
    }
    reached
}
