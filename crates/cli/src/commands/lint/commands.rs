//! The rules for shell commands, wherever they stand: in a script file, in a GitLab `script`, in a GitHub `run`.

use super::finding::{self as rule, Report};
use super::redact;
use super::reference::{self, Reference};
use super::shell::Command;
use super::source::Kind;
use super::words::{self, find_phrase, says};
use super::yaml::Place;

/// Where the commands stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub kind: Kind,
    /// They belong to the gate.
    pub gate: bool,
    /// They belong to a job that only deploys.
    pub deploy: bool,
    /// The shell already fails when any part of a pipe does.
    pub pipefail: bool,
}

/// Every rule for commands.
pub(super) fn check(commands: &[Command], context: Context, report: &mut Report<'_>) {
    let session = commands.iter().any(|command| command.text.contains("AWS_SESSION_TOKEN"));
    let pipefail = context.pipefail
        || commands.iter().any(|command| command.text.starts_with("set ") && command.text.contains("pipefail"));
    for (index, command) in commands.iter().enumerate() {
        if command.cut {
            report.note(command.at(), "this command is too long; only its beginning was judged");
        }
        static_keys(command, session, report);
        waiter_and_query(command, report);
        swallowed(command, context, report);
        empty_default(command, context, report);
        set_plus_e(command, context, report);
        scan_not_found(command, &commands[index + 1..], report);
        images(command, context, report);
        if !pipefail {
            piped(command, context, report);
        }
    }
}

fn waiter_and_query(command: &Command, report: &mut Report<'_>) {
    let text = &command.text;
    if let Some(at) = find_phrase(text, "image-scan-complete") {
        report.error(
            &rule::SCAN_WAITER,
            command.locate(at),
            "`aws ecr wait image-scan-complete` waits for COMPLETE only",
        );
    }
    let Some(at) = find_phrase(text, "--query") else { return };
    let query = text[at..].to_ascii_lowercase();
    if query.contains("severit") || query.contains("findings") {
        report.error(&rule::QUERY, command.locate(at), "--query reads severity counts that may be absent");
    } else if text.contains("describe-image-scan-findings") {
        report.warning(
            &rule::QUERY,
            command.locate(at),
            "--query reads a scan's state, and is None when there is no scan",
        );
    }
}

/// At most `bytes` of `text`.
fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

const SWALLOWS: [&str; 7] = ["true", ":", "echo", "printf", "exit 0", "return 0", "continue"];

/// `|| true` and its kin: the byte offset.
fn swallow(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find("||").map(|at| from + at) {
        let rest = beginning(text[at + 2..].trim_start(), 300);
        let ends = |word: &str| {
            rest.strip_prefix(word).is_some_and(|tail| {
                !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '='))
            })
        };
        // `|| echo why && exit 1` still fails.
        let fails =
            ["exit 1", "exit 2", "exit $", "exit \"$", "return 1", "false"].iter().any(|fail| rest.contains(fail));
        if SWALLOWS.iter().any(|word| ends(word)) && !fails {
            return Some(at);
        }
        from = at + 2;
    }
    let end = text.trim_end_matches([' ', '"', '\'', ')']);
    [";true", "; true", "; :", "; exit 0"].iter().find(|tail| end.ends_with(*tail)).map(|tail| end.len() - tail.len())
}

fn swallowed(command: &Command, context: Context, report: &mut Report<'_>) {
    let text = &command.text;
    let relevant = words::is_about_scans(text) || words::is_push(text) || words::is_deploy(text);
    if let Some(at) = swallow(text) {
        let place = command.locate(at);
        if relevant {
            report.error(&rule::SWALLOWED, place, "a failure of this command is turned into success");
        } else if context.gate {
            report.warning(&rule::SWALLOWED, place, "a failure in the gate's job is turned into success");
        }
    }
    if words::is_about_scans(text) || (context.gate && says(text, "aws")) {
        let silencers =
            ["2>/dev/null", "2> /dev/null", "&>/dev/null", "&> /dev/null", ">/dev/null 2>&1", "> /dev/null 2>&1"];
        if let Some(at) = silencers.iter().find_map(|silencer| text.find(silencer)) {
            report.error(&rule::SWALLOWED, command.locate(at), "what AWS says about the scan is thrown away");
        }
    }
}

fn empty_default(command: &Command, context: Context, report: &mut Report<'_>) {
    let text = &command.text;
    let mut from = 0;
    while let Some(at) = text[from..].find("//").map(|at| from + at) {
        from = at + 2;
        let rest = text[from..].trim_start();
        let harmless = ["empty", "0", "null", "\"0\"", "\"\"", "\\\"0\\\"", "[]", "{}", "false"];
        let ends = |word: &&&str| {
            rest.strip_prefix(**word)
                .is_some_and(|tail| !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_'))
        };
        let alternative = !text[..at].ends_with(':') && harmless.iter().any(|word| ends(&word));
        if alternative && (says(text, "jq") || says(text, "yq")) {
            let message = "a missing value is replaced by a harmless one";
            if context.gate || words::is_about_scans(text) || text.to_ascii_lowercase().contains("severit") {
                report.error(&rule::EMPTY_DEFAULT, command.locate(at), message);
            } else {
                report.warning(&rule::EMPTY_DEFAULT, command.locate(at), message);
            }
            return;
        }
    }
}

/// `set -e`, `set -eu`, `set -o errexit` (`+` for the opposite).
pub(super) fn sets_errexit(text: &str, sign: char) -> Option<usize> {
    let at = find_phrase(text, "set")?;
    let mut words = text[at + 3..].split(['&', ';', '|']).next().unwrap_or_default().split_whitespace();
    while let Some(word) = words.next() {
        let Some(flags) = word.strip_prefix(sign) else { continue };
        if flags.contains('e') || (flags.ends_with('o') && words.next() == Some("errexit")) {
            return Some(at);
        }
    }
    None
}

fn set_plus_e(command: &Command, context: Context, report: &mut Report<'_>) {
    let Some(at) = sets_errexit(&command.text, '+') else { return };
    if context.gate || context.kind == Kind::Shell {
        report.error(&rule::SET_PLUS_E, command.locate(at), "`set +e` lets the script go on after a failure");
    } else {
        report.warning(&rule::SET_PLUS_E, command.locate(at), "`set +e` lets the script go on after a failure");
    }
}

fn scan_not_found(command: &Command, following: &[Command], report: &mut Report<'_>) {
    let Some(at) = command.text.find("ScanNotFound") else { return };
    let block = following
        .iter()
        .take(6)
        .take_while(|next| !["fi", "else", "elif", ";;", "esac"].iter().any(|end| next.text.starts_with(end)));
    let mut all = command.text[at..].to_owned();
    for next in block {
        all.push_str(" ; ");
        all.push_str(&next.text);
    }
    let fails = ["exit 1", "exit 2", "exit 3", "exit 4", "exit $", "return 1", "start-image-scan", "sleep", "false"]
        .iter()
        .any(|word| all.contains(word));
    if fails {
        return;
    }
    let place = command.locate(at);
    if ["exit 0", "return 0", "true", "echo", "break", " : "].iter().any(|word| all.contains(word)) {
        report.error(&rule::SCAN_NOT_FOUND, place, "a missing scan is treated as fine");
    } else {
        report.warning(&rule::SCAN_NOT_FOUND, place, "it is not seen that a missing scan fails here");
    }
}

fn images(command: &Command, context: Context, report: &mut Report<'_>) {
    let text = &command.text;
    let (deploys, gates, pushes) = (words::is_deploy(text), words::is_gate(text), words::is_push(text));
    let (runs, tags) = (says(text, "docker run") || says(text, "podman run"), says(text, "docker tag"));
    for (at, reference) in reference::references(text) {
        let place = command.locate(at);
        match reference {
            Reference::Latest if deploys || gates || (context.deploy && !pushes) => {
                report.error(&rule::LATEST_TAG, place, "an image is named by `latest`");
            }
            Reference::Latest if pushes || context.gate => {
                report.warning(&rule::LATEST_TAG, place, "`latest` is moved by this push");
            }
            Reference::Tag if gates && runs && text[at..].contains("ecr-gate") => {
                report.error(&rule::UNPINNED_GATE, place, "the gate's image is named by a tag");
            }
            Reference::Tag if (deploys || context.deploy) && !pushes && !tags && !gates => {
                report.error(&rule::DEPLOY_BY_TAG, place, "the deploy names the image by a tag");
            }
            _ => {}
        }
    }
    let restart = find_phrase(text, "--force-new-deployment")
        .filter(|_| !says(text, "--task-definition"))
        .or_else(|| find_phrase(text, "rollout restart"));
    if let Some(at) = restart.filter(|_| deploys) {
        report.warning(&rule::DEPLOY_BY_TAG, command.locate(at), "this pulls again whatever the tag names by now");
    }
    if deploys {
        let setting = ["image.tag=", "imageTag=", "image_tag=", "--image-tag", "IMAGE_TAG="]
            .iter()
            .find_map(|word| text.find(word));
        if let Some(at) = setting {
            report.error(&rule::DEPLOY_BY_TAG, command.locate(at), "the deploy sets the image's tag");
        }
    }
}

fn piped(command: &Command, context: Context, report: &mut Report<'_>) {
    let text = &command.text;
    if !words::is_gate(text) || !text.contains("check") {
        return;
    }
    let bytes = text.as_bytes();
    let single = |at: &usize| {
        bytes.get(at + 1) != Some(&b'|') && at.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b'|')
    };
    let gate = text.find("ecr-gate").unwrap_or(0);
    let Some(at) = text.match_indices('|').map(|(at, _)| at).find(|at| *at > gate && single(at)) else { return };
    let message = "the gate's exit code ends in a pipe";
    if context.kind == Kind::Gitlab {
        report.warning(&rule::PIPED_GATE, command.locate(at), message);
    } else {
        report.error(&rule::PIPED_GATE, command.locate(at), message);
    }
}

fn static_keys(command: &Command, session: bool, report: &mut Report<'_>) {
    let text = &command.text;
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "aws_access_key_id", "aws_secret_access_key"] {
        let Some(at) = find_phrase(text, name) else { continue };
        let after = &text[at + name.len()..];
        let configure = says(text, "aws configure set");
        let Some(value) = after.strip_prefix('=').or_else(|| after.strip_prefix(' ').filter(|_| configure)) else {
            continue;
        };
        let value = value.trim_start_matches(['"', '\'', ' ']);
        // Made on the spot: `$(…)`, an answer of STS, or together with a session token.
        let made_here = value.starts_with("$(")
            || value.starts_with('`')
            || value.starts_with('%')
            || (session && value.starts_with('$'));
        if !value.is_empty() && !made_here && !text.contains("assume-role") {
            report.error(&rule::STATIC_KEYS, command.locate(at), format!("{name} is set to a stored key"));
        }
    }
}

/// Literal key ids, anywhere in the file, comments too.
pub(super) fn literal_keys(text: &str, report: &mut Report<'_>) {
    for (index, line) in text.lines().enumerate() {
        if let Some(at) = redact::key_id(line) {
            let column = line[..at].chars().count() + 1;
            report.error(&rule::STATIC_KEYS, Place { line: index + 1, column }, "an AWS access key id is written here");
        }
    }
}
