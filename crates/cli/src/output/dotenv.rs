//! The dotenv report (A7): variables for the jobs that follow. GitLab reads at most 5 KB and one line a value.

use engine::Record;
use model::Severity;

use crate::exit::Exit;

/// GitLab's limit, in bytes.
const LIMIT: usize = 5 * 1024;
/// The longest value, in bytes; a reference with a sha512 digest fits.
const VALUE: usize = 800;

/// The file's text. Without a complete scan there are no `VULN_*` keys: a zero that nobody counted would be read as
/// "clean" (S14).
pub(crate) fn dotenv(record: &Record) -> String {
    let mut lines =
        vec![("ECR_GATE_VERDICT", record.verdict.as_str().to_owned()), ("ECR_GATE_REASON", reasons(record))];
    if let Some(digest) = &record.image.digest {
        lines.push(("ECR_GATE_DIGEST", digest.clone()));
    }
    if let Some(counts) = &record.findings.counts {
        let count = |severity: Severity| counts.get(&severity).copied().unwrap_or(0).to_string();
        lines.push(("VULN_CRITICAL", count(Severity::Critical)));
        lines.push(("VULN_HIGH", count(Severity::High)));
        lines.push(("VULN_MEDIUM", count(Severity::Medium)));
        lines.push(("VULN_LOW", count(Severity::Low)));
        lines.push(("VULN_TOTAL", record.findings.blocking_total.to_string()));
        // To deploy by: only what a registry knows.
        if let (Some(digest), true) = (&record.image.digest, record.image.in_registry) {
            lines.push(("ECR_GATE_IMAGE", format!("{}@{digest}", record.image.name)));
        }
    }
    if let Some(id) = &record.id {
        lines.push(("ECR_GATE_DECISION_ID", id.clone()));
    }
    if let Some(permit) = &record.answer.permit {
        lines.push(("ECR_GATE_PERMIT", permit.to_string()));
    }
    render(lines)
}

/// The file of a run that ended before there was anything to judge: a wrong command line, a file that cannot be read,
/// Ctrl-C.
pub(crate) fn undecided(exit: Exit) -> String {
    let (verdict, reason) = match exit {
        Exit::Usage => ("deny", "usage"),
        Exit::Configuration => ("deny", "configuration"),
        Exit::Interrupted => ("pending", "interrupted"),
        _ => ("deny", "internal"),
    };
    render(vec![("ECR_GATE_VERDICT", verdict.to_owned()), ("ECR_GATE_REASON", reason.to_owned())])
}

fn render(lines: Vec<(&str, String)>) -> String {
    let mut text = String::new();
    for (name, value) in lines {
        // Nothing that ends a line, and nothing that a shell which sources the file would act on.
        let value: String = value.chars().filter(|c| is_plain(*c)).take(VALUE).collect();
        if text.len() + name.len() + value.len() + 2 < LIMIT {
            text.push_str(name);
            text.push('=');
            text.push_str(&value);
            text.push('\n');
        }
    }
    text
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:/@,[]".contains(c)
}

/// Each code once, the weightiest first; as many as have room.
fn reasons(record: &Record) -> String {
    let mut list: Vec<&str> = Vec::new();
    let mut length = 0;
    for reason in &record.reasons {
        let code = reason.reason.code.as_str();
        if !list.contains(&code) && length + code.len() < VALUE {
            length += code.len() + 1;
            list.push(code);
        }
    }
    if list.is_empty() { "-".to_owned() } else { list.join(",") }
}
