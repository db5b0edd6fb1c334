//! The dotenv report (A7): variables for the jobs that follow. GitLab reads at most 5 KB and one line a value.

use engine::Record;
use model::Severity;

/// GitLab's limit, in bytes.
const LIMIT: usize = 5 * 1024;

/// The file's text. Without a complete scan there are no `VULN_*` keys: a zero that nobody counted would be read as
/// "clean" (S14).
pub(crate) fn dotenv(record: &Record) -> String {
    let mut lines = vec![format!("ECR_GATE_VERDICT={}", record.verdict.as_str())];
    if let Some(digest) = &record.image.digest {
        lines.push(format!("ECR_GATE_DIGEST={digest}"));
    }
    let reasons: Vec<&str> = record.reasons.iter().map(|reason| reason.reason.code.as_str()).collect();
    if let Some(counts) = &record.findings.counts {
        let count = |severity: &Severity| counts.get(severity).copied().unwrap_or(0);
        for severity in [Severity::Critical, Severity::High, Severity::Medium, Severity::Low] {
            lines.push(format!("VULN_{}={}", severity.as_str(), count(&severity)));
        }
        lines.push(format!("VULN_TOTAL={}", record.findings.blocking_total));
        let image = format!("{}@{}", record.image.name, record.image.digest.as_deref().unwrap_or("-"));
        lines.push(format!("ECR_GATE_IMAGE={image}"));
    }
    if let Some(id) = &record.id {
        lines.push(format!("ECR_GATE_DECISION_ID={id}"));
    }
    let mut text = String::new();
    let mut distinct = reasons;
    distinct.dedup();
    lines.insert(1, format!("ECR_GATE_REASON={}", if distinct.is_empty() { "-".to_owned() } else { distinct.join(",") }));
    for line in lines {
        // One line a value, whatever a name may hold; and never over the limit.
        let line: String = line.chars().filter(|c| !c.is_control()).take(800).collect();
        if text.len() + line.len() < LIMIT {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}
