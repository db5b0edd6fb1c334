//! Markdown for a merge-request comment or a step summary (B2): what a person wants to know first comes first.
//! Foreign text stays text: names stand in code spans, sentences are escaped (GitHub and GitLab flavours).

use std::fmt::Write as _;

use model::{Judged, Verdict};

use super::View;
use super::words::{self, fixes, found, justification, line, link, minute, versions};
use crate::failure::Failure;

/// How many findings, reasons, or warnings are listed.
const ROWS: usize = 50;
/// The longest name, and the longest sentence.
const NAME: usize = 120;
const REFERENCE: usize = 600;
const SENTENCE: usize = 1000;

#[expect(clippy::unnecessary_wraps, reason = "every form of output is rendered by the same signature")]
pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    Ok(summary(view))
}

pub(super) fn summary(view: &View<'_>) -> String {
    let record = view.record;
    let mut text = format!("## ecr-gate: {}\n\n", headline(view));
    facts(&mut text, view);
    counts(&mut text, view);
    let reasons = record.reasons.iter().map(|given| {
        let reason = &given.reason;
        let rules: Vec<String> =
            given.rules.iter().filter(|name| !name.starts_with("built-in/")).map(|name| code(name)).collect();
        let by = if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(", ")) };
        // Our own remedies are Markdown; one that was made for the occasion may hold foreign words.
        let ours = reason.remedy == reason.code.remedy();
        let remedy = if ours { reason.remedy.clone() } else { escape(&reason.remedy) };
        format!("`{}`: {}{by}  \n  Next step: {remedy}", reason.code, escape(&reason.message))
    });
    list(&mut text, "Reasons", reasons.collect());
    findings(&mut text, view, view.blocking_title(), &view.blocking());
    path(&mut text, view);
    findings(&mut text, view, "Findings that do not count", &view.waived());
    let exceptions = record.exceptions.iter().map(|exception| {
        let (id, owner) = (code(&exception.id), escape(&exception.owner));
        format!("{id}: {} (owner {owner}, until {})", escape(&exception.reason), minute(exception.expires))
    });
    list(&mut text, "Exceptions used", exceptions.collect());
    let notes = record
        .rules
        .iter()
        .flat_map(|rule| rule.notes.iter().map(|note| format!("rule {}: {}", code(&rule.rule), escape(note))));
    list(&mut text, "Notes", notes.collect());
    list(&mut text, "Warnings", record.warnings.iter().map(|warning| escape(warning)).collect());
    text
}

fn headline(view: &View<'_>) -> &'static str {
    match view.record.verdict {
        Verdict::Allow => "ALLOW",
        Verdict::Warn => "WARN (allowed, with a warning)",
        Verdict::Pending => "PENDING (not decided yet)",
        Verdict::Deny if view.record.rules.iter().any(|rule| rule.outcome == "fail") => "DENY (blocked by policy)",
        Verdict::Deny => "DENY (the image could not be judged)",
    }
}

fn facts(text: &mut String, view: &View<'_>) {
    let record = view.record;
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    fact("Image", &span(&record.image.reference, REFERENCE));
    fact("---", "---");
    fact(
        "Digest",
        &record.image.digest.as_deref().map_or_else(|| "not known".to_owned(), |digest| span(digest, REFERENCE)),
    );
    for child in &record.image.platforms {
        fact("Platform", &format!("{} {}", code(&child.platform.to_string()), span(&child.digest, REFERENCE)));
    }
    fact("Environment", &code(&record.environment.name));
    for policy in &record.policies {
        fact("Policy", &span(&words::policy(policy), REFERENCE));
    }
    for used in &record.signals {
        let platform = used.signal.platform.as_ref().map(|platform| format!("{}: ", code(&platform.to_string())));
        let platform = platform.unwrap_or_else(String::new);
        let (finished, age) = (minute(used.signal.completed_at), words::data_age(used));
        let scan = words::scan(used);
        fact("Scan", &format!("{platform}{}finished {finished}, {age}", escape(&scan)));
    }
    if let Some(id) = &record.id {
        fact("Decision", &code(id));
    }
}

fn counts(text: &mut String, view: &View<'_>) {
    let Some(counts) = &view.record.findings.counts else {
        text.push_str(if view.record.findings.judged {
            "\n**The findings are not known; the reasons say why.**\n"
        } else {
            "\nFindings were not judged: no rule is about them.\n"
        });
        return;
    };
    if !view.is_complete() {
        text.push_str("\n**Not every scan is complete: there may be more findings than these.**\n");
    }
    let found = found(counts);
    if found.is_empty() {
        text.push_str("\nNo findings.\n");
        return;
    }
    text.push_str("\n| Severity | Findings |\n| --- | ---: |\n");
    for (severity, count) in found.iter().take(ROWS) {
        let _ = writeln!(text, "| {} | {count} |", escape(&severity.to_string()));
    }
    more(text, found.len());
}

fn findings(text: &mut String, view: &View<'_>, title: &str, judged: &[&Judged]) {
    if judged.is_empty() {
        return;
    }
    let _ = write!(text, "\n### {title} ({})\n\n", judged.len());
    text.push_str(
        "| Vulnerability | Severity | Package | Installed | Fixed in | Why |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for Judged { finding, platform, disposition } in judged.iter().take(ROWS) {
        let id = code(finding.id.as_str());
        let id = match link(finding) {
            Some(url) => format!("[{id}]({})", url.replace('(', "%28").replace(')', "%29")),
            None => id,
        };
        let platform = platform.as_ref().map(|platform| format!("{}: ", code(&platform.to_string())));
        let _ = writeln!(
            text,
            "| {id} | {} | {} | {} | {} | {}{} |",
            escape(&finding.severity.to_string()),
            code(&finding.package_names()),
            code(&versions(finding)),
            code(&fixes(finding)),
            platform.unwrap_or_else(String::new),
            escape(&justification(view.record, disposition)),
        );
    }
    more(text, judged.len());
}

/// What to do, beside what the reasons say; nothing where no finding is listed.
fn path(text: &mut String, view: &View<'_>) {
    let Some(path) = view.path() else { return };
    let _ = write!(text, "\n### {}\n\n{}.\n", view.path_title(), escape(&path.origins()));
    let limited = path.limits.iter().any(|limit| limit.allowed > 0);
    if limited || !path.steps.is_empty() {
        text.push('\n');
    }
    for limit in path.limits.iter().filter(|limit| limit.allowed > 0) {
        let _ = writeln!(text, "- {}", escape(&limit.text()));
    }
    for step in path.steps.iter().take(ROWS) {
        let _ = writeln!(text, "1. {}", escape(&step.text));
    }
    more(text, path.steps.len());
    let _ = write!(text, "\n{}\n", escape(&path.stays.text));
}

fn list(text: &mut String, title: &str, entries: Vec<String>) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "\n### {title}\n\n");
    let all = entries.len();
    for entry in entries.into_iter().take(ROWS) {
        let _ = writeln!(text, "- {entry}");
    }
    more(text, all);
}

fn more(text: &mut String, all: usize) {
    if all > ROWS {
        let _ = write!(text, "\n… and {} more; `--output json` has all.\n", all - ROWS);
    }
}

/// A foreign name in a code span: nothing in it is markup, a link, a mention or a command.
fn code(name: &str) -> String {
    span(name, NAME)
}

fn span(name: &str, most: usize) -> String {
    let plain = line(name, most).replace('`', "'").replace('|', "\\|").replace("##[", "## [");
    if plain.trim().is_empty() { "-".to_owned() } else { format!("`{plain}`") }
}

/// A foreign sentence as plain text.
pub(super) fn escape(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut before = ' ';
    for c in line(sentence, SENTENCE).chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // `@name` calls people; `app@sha256:…` does not.
            '@' if !before.is_alphanumeric() => text.push_str("@&#8203;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
        before = c;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{code, escape};

    #[test]
    fn foreign_text_is_never_markup() {
        assert_eq!(
            escape("a|b `c` <script>\n[x](y) @all a@b"),
            "a\\|b \\`c\\` &lt;script&gt; \\[x\\](y) @&#8203;all a@b"
        );
        assert_eq!(code("a`|b\n::error::"), "`a'\\|b ::error::`");
        assert_eq!((code(""), code(" ")), ("-".to_owned(), "-".to_owned()));
    }
}
