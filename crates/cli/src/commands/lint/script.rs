//! The rules for shell script files.

use super::commands::{self, Context};
use super::finding::{self as rule, Report};
use super::flow::{self, Act, Job, Waits};
use super::shell;
use super::source::Kind;
use super::yaml::Place;

/// Everything about a script.
pub(super) fn check(text: &str, report: &mut Report<'_>) {
    let lines = text.lines().enumerate().map(|(index, line)| (Place { line: index + 1, column: 1 }, line));
    let commands = shell::commands(lines);
    let top = Place { line: 1, column: 1 };
    let job = Job {
        name: "the script".to_owned(),
        at: top,
        stage: 0,
        waits: Waits::Stages,
        steps: flow::steps_of(&commands),
        manual: false,
    };
    let first_line = text.lines().next().unwrap_or_default();
    let by_shebang = first_line.starts_with("#!")
        && first_line
            .split_whitespace()
            .skip(1)
            .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('e'));
    let errexit = by_shebang || commands.iter().any(|command| commands::sets_errexit(&command.text, '-').is_some());
    if commands.len() > 1 && !errexit {
        let at = commands.first().map_or(top, shell::Command::at);
        report.error(&rule::NO_ERREXIT, at, "the script does not stop at a failed command");
    }
    let context = Context { kind: Kind::Shell, gate: job.does(Act::Gate), deploy: false, pipefail: false };
    commands::check(&commands, context, report);
    let deploys = job.first(Act::Deploy).filter(|_| !job.does(Act::Gate) && job.does(Act::Push));
    if let Some((_, at)) = deploys {
        report.error(&rule::NO_GATE, at, "the script pushes and deploys, and checks nothing in between");
    }
    flow::check(&[job], false, report);
}
