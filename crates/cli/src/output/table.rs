//! The form for people (B2): the verdict, why, and what to do; blocking findings first. Colour only repeats what a
//! word says, and nothing is built of a finding that is not shown.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use engine::FoundContent;
use model::{Judged, Severity, Verdict};

use super::View;
use super::words::{self, counts, fixes, logged, minute, versions, why};

/// How many findings the table shows; the JSON record has all.
const ROWS: usize = 50;
/// How many steps of the path to green.
const STEPS: usize = 10;
/// The longest text of one cell, and of one sentence.
const CELL: usize = 80;
const SENTENCE: usize = 1000;

/// The rules that give a reason. Of the built-in policy there is but one.
fn by(rules: &[String]) -> String {
    const SHOWN: usize = 3;
    let named: Vec<String> =
        rules.iter().filter(|name| !name.starts_with("built-in/")).map(|name| logged(name, CELL)).collect();
    match named.len() {
        0 => String::new(),
        1..=SHOWN => format!(" ({})", named.join(", ")),
        more => format!(" ({} and {} more)", named[..SHOWN].join(", "), more - SHOWN),
    }
}

pub(crate) fn render(view: &View<'_>, color: bool) -> String {
    let record = view.record;
    let mut text = String::new();
    let (word, code) = match record.verdict {
        Verdict::Allow => ("ALLOW", "32"),
        Verdict::Warn => ("WARN", "33"),
        Verdict::Pending => ("PENDING", "33"),
        Verdict::Deny => ("DENY", "31"),
    };
    let word = if color { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
    let _ = writeln!(text, "{word}  {}", sentence(&record.image.reference));
    facts(&mut text, view);
    for reason in &record.reasons {
        let by = by(&reason.rules);
        let _ = writeln!(text, "\n{}: {}{by}", reason.reason.code, sentence(&reason.reason.message));
        let _ = writeln!(text, "  -> {}", sentence(&reason.reason.remedy));
    }
    findings(&mut text, view.blocking_title(), &view.blocking(), color);
    path(&mut text, view);
    findings(&mut text, "Findings that do not count", &view.waived(), color);
    for rule in &record.rules {
        for note in &rule.notes {
            let _ = writeln!(text, "\nnote: rule {}: {}", sentence(&rule.rule), sentence(note));
        }
    }
    for exception in &record.exceptions {
        let _ = writeln!(
            text,
            "\nexception {}: {} (owner {}, until {})",
            logged(&exception.id, CELL),
            sentence(&exception.reason),
            logged(&exception.owner, CELL),
            minute(exception.expires)
        );
    }
    for warning in &record.warnings {
        let _ = writeln!(text, "\nwarning: {}", sentence(warning));
    }
    text
}

/// What was judged, by what, from which evidence.
fn facts(text: &mut String, view: &View<'_>) {
    let record = view.record;
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    if let Some(digest) = &record.image.digest {
        fact("digest", digest);
    } else if let Some(id) = &record.image.image_id {
        fact("image id", id);
    }
    for child in &record.image.platforms {
        let signal = record.signals.iter().find(|used| used.signal.subject.as_str() == child.digest);
        let found = match signal {
            Some(used) => counts(&used.signal.counts),
            None if view.was_asked(&child.digest) => "no scan".to_owned(),
            None => "not judged".to_owned(),
        };
        fact("platform", &format!("{} {}: {found}", logged(&child.platform.to_string(), CELL), child.digest));
    }
    fact("environment", &logged(&record.environment.name, CELL));
    for policy in &record.policies {
        fact("policy", &logged(&words::policy(policy), 2 * CELL));
    }
    for used in &record.signals {
        let scan = &used.signal;
        let platform = scan.platform.as_ref().map_or_else(String::new, |platform| format!("{platform}: "));
        let finished = minute(scan.completed_at);
        let scan = words::scan(used);
        fact("scan", &format!("{}{scan}finished {finished}, {}", logged(&platform, CELL), words::data_age(used)));
    }
    for used in &record.signatures {
        let (Some(proof), Some(content)) = (&used.proof, &used.content) else { continue };
        // Authentic, all of them; whose counts is for the rules to say.
        match content {
            FoundContent::Signature { .. } => fact("signature", &logged(&format!("by {}", proof.signer), SENTENCE)),
            FoundContent::Statement { predicate_type } => {
                fact("statement", &logged(&format!("{predicate_type} by {}", proof.signer), SENTENCE));
            }
        }
    }
    match &record.findings.counts {
        Some(found) if view.is_complete() => fact("findings", &counts(found)),
        Some(found) => fact("findings", &format!("{}, and not every scan is complete", counts(found))),
        None if !record.findings.judged => fact("findings", "not judged: no rule is about them"),
        None => fact("findings", "not known; the reasons say why"),
    }
    if let Some(decided) = words::latencies(&record.timing_ms) {
        fact("decided", &decided);
    }
    if let Some(id) = &record.id {
        fact("decision", id);
    }
    if let Some(referrer) = &record.attached {
        fact("attached", referrer);
    }
}

/// What to do, beside what the reasons say; nothing where no finding is listed.
fn path(text: &mut String, view: &View<'_>) {
    let Some(path) = view.path() else { return };
    let _ = writeln!(text, "\n{}:", view.path_title());
    let _ = writeln!(text, "  {}", sentence(&path.origins()));
    for limit in path.limits.iter().filter(|limit| limit.allowed > 0) {
        let _ = writeln!(text, "  {}", sentence(&limit.text()));
    }
    for (number, step) in path.steps.iter().take(STEPS).enumerate() {
        let _ = writeln!(text, "  {}. {}", number + 1, sentence(&step.text));
    }
    if path.steps.len() > STEPS {
        let _ = writeln!(text, "  … and {} more; `--output json` has all", steps(path.steps.len() - STEPS));
    }
    let _ = writeln!(text, "  {}", sentence(&path.stays.text));
}

fn steps(number: usize) -> String {
    if number == 1 { "1 step".to_owned() } else { format!("{number} steps") }
}

fn findings(text: &mut String, title: &str, list: &[&Judged], color: bool) {
    if list.is_empty() {
        return;
    }
    let shown: Vec<[String; 6]> = list.iter().take(ROWS).map(|judged| row(judged)).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["ID", "SEVERITY", "PACKAGE", "INSTALLED", "FIXED IN", "WHY"]);
    for cells in &shown {
        table.add_row(cells);
    }
    let _ = writeln!(text, "\n{title} ({}):", list.len());
    for (number, drawn) in table.to_string().lines().enumerate() {
        let drawn = drawn.trim_end();
        let cells = number.checked_sub(1).and_then(|row| Some((shown.get(row)?, list.get(row)?)));
        match cells {
            Some((cells, judged)) if color => {
                let _ = writeln!(text, " {}", painted(drawn, cells, &judged.finding.severity));
            }
            _ => {
                let _ = writeln!(text, " {drawn}");
            }
        }
    }
    if list.len() > ROWS {
        let _ = writeln!(text, "  … and {} more; `--output json` has all", list.len() - ROWS);
    }
}

fn row(judged: &Judged) -> [String; 6] {
    let finding = &judged.finding;
    let platform = judged.platform.as_ref().map_or_else(String::new, |platform| format!("{platform}: "));
    [
        finding.id.to_string(),
        finding.severity.to_string(),
        finding.package_names(),
        versions(finding),
        fixes(finding),
        format!("{platform}{}", why(&judged.disposition)),
    ]
    .map(|cell| logged(&cell, CELL))
}

/// The severity, which is the first thing after the id, bold, and red where it is serious.
fn painted(drawn: &str, [id, word, ..]: &[String; 6], severity: &Severity) -> String {
    let style = match severity {
        Severity::Unknown(_) | Severity::Critical => "1;31",
        Severity::High => "31",
        _ => return drawn.to_owned(),
    };
    let after_id = drawn.find(id.as_str()).map_or(0, |at| at + id.len());
    let Some(at) = drawn[after_id..].find(word.as_str()).map(|at| after_id + at) else { return drawn.to_owned() };
    let end = at + word.len();
    format!("{}\x1b[{style}m{word}\x1b[0m{}", &drawn[..at], &drawn[end..])
}

fn sentence(text: &str) -> String {
    logged(text, SENTENCE)
}
