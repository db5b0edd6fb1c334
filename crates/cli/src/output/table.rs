//! The form for people: the verdict, why, and what to do; blocking findings first.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use model::{Disposition, Fix, Judged, Severity, Verdict};

use super::View;

/// How many findings the table shows; the JSON record has all.
const ROWS: usize = 50;

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
    let _ = writeln!(text, "{word}  {}", record.image.reference);
    if let Some(digest) = &record.image.digest {
        let _ = writeln!(text, "  digest       {digest}");
    }
    for platform in &record.image.platforms {
        let _ = writeln!(text, "  platform     {} {}", platform.platform, platform.digest);
    }
    let _ = writeln!(text, "  environment  {}", record.environment.name);
    for policy in &record.policies {
        let version = policy.version.as_ref().map(|version| format!(" {version}")).unwrap_or_else(String::new);
        let _ = writeln!(text, "  policy       {}{version} ({})", policy.name, policy.digest.short());
    }
    for signal in &record.signals {
        let scan = &signal.signal;
        let platform = scan.platform.as_ref().map(|platform| format!("{platform}: ")).unwrap_or_else(String::new);
        let _ = writeln!(
            text,
            "  scan         {platform}finished {}, vulnerability data {}",
            scan.completed_at.strftime("%Y-%m-%d %H:%M UTC"),
            age(signal.age_seconds)
        );
    }
    if let Some(counts) = &record.findings.counts {
        let _ = writeln!(text, "  findings     {}", counts_line(counts));
    }
    if let Some(id) = &record.id {
        let _ = writeln!(text, "  decision     {id}");
    }
    for reason in &record.reasons {
        let _ = writeln!(text, "\n{}: {}", reason.reason.code, reason.reason.message);
        let _ = writeln!(text, "  -> {}", reason.reason.remedy);
    }
    findings(&mut text, "Blocking findings", &record.findings.blocking);
    findings(&mut text, "Findings that do not count", &record.findings.waived);
    for rule in &record.rules {
        for note in &rule.notes {
            let _ = writeln!(text, "\nnote: rule {}: {note}", rule.rule);
        }
    }
    for exception in &record.exceptions {
        let _ = writeln!(
            text,
            "\nexception {}: {} (owner {}, until {})",
            exception.id,
            exception.reason,
            exception.owner,
            exception.expires.strftime("%Y-%m-%d %H:%M UTC")
        );
    }
    for warning in &record.warnings {
        let _ = writeln!(text, "\nwarning: {warning}");
    }
    text
}

fn findings(text: &mut String, title: &str, list: &[Judged]) {
    if list.is_empty() {
        return;
    }
    let mut list: Vec<&Judged> = list.iter().collect();
    list.sort_by_key(|judged| judged.finding.severity.clone());
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["ID", "SEVERITY", "PACKAGE", "INSTALLED", "FIXED IN", "WHY"]);
    for judged in list.iter().take(ROWS) {
        let finding = &judged.finding;
        let mut versions: Vec<&str> = finding.packages.iter().map(|package| package.version.as_str()).collect();
        versions.dedup();
        let mut fixes: Vec<&str> = finding.packages.iter().map(|package| fix(&package.fix)).collect();
        fixes.dedup();
        let platform = judged.platform.as_ref().map(|platform| format!("{platform}: ")).unwrap_or_else(String::new);
        table.add_row([
            finding.id.to_string(),
            finding.severity.to_string(),
            finding.package_names(),
            dash(&versions.join(", ")),
            dash(&fixes.join(", ")),
            format!("{platform}{}", why(&judged.disposition)),
        ].map(|cell| clean(&cell)));
    }
    let _ = writeln!(text, "\n{title}:");
    for line in table.to_string().lines() {
        let _ = writeln!(text, " {}", line.trim_end());
    }
    if list.len() > ROWS {
        let _ = writeln!(text, "  … and {} more; `--output json` has all", list.len() - ROWS);
    }
}

fn why(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Blocks(code) => code.as_str().to_owned(),
        Disposition::WithinLimit => "within the limit".to_owned(),
        Disposition::Excepted(id) => format!("exception {id}"),
        Disposition::Allowed => "the policy's allow list".to_owned(),
        Disposition::Grace(until) => format!("grace until {}", until.strftime("%Y-%m-%d %H:%M UTC")),
        Disposition::Unfixed => "no fix, and the policy ignores those".to_owned(),
    }
}

fn fix(fix: &Fix) -> &str {
    match fix {
        Fix::In(version) => version,
        Fix::Available => "yes, version not said",
        Fix::None => "no fix",
        Fix::NotSaid => "not said",
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Words of a scanner cannot steer the terminal.
fn clean(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    plain
}

/// `2 CRITICAL, 1 HIGH` or `none`.
fn counts_line(counts: &model::SeverityCounts) -> String {
    let order = |severity: &Severity| Severity::KNOWN.iter().position(|known| known == severity);
    let mut list: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    list.sort_by_key(|(severity, _)| order(severity));
    if list.is_empty() {
        return "none".to_owned();
    }
    list.iter().map(|(severity, count)| format!("{count} {severity}")).collect::<Vec<_>>().join(", ")
}

fn age(seconds: i64) -> String {
    match seconds {
        ..=119 => "of now".to_owned(),
        120..=7_199 => format!("{} minutes old", seconds / 60),
        7_200..=172_799 => format!("{} hours old", seconds / 3_600),
        _ => format!("{} days old", seconds / 86_400),
    }
}
