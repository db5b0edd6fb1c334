//! Words that several forms of output share. Foreign text is made harmless in [`engine::words`]; whole documents are here.

use std::fmt::Write as _;

use engine::words::steers;
pub(super) use engine::words::{cvss, distinct, sentence};
pub(crate) use engine::words::{line, logged};
use engine::{Record, TimingRecord};
use model::{Disposition, Finding, Fix, PolicyId, Severity, SeverityCounts, Timestamp};

/// A JSON document that says the same without `##[` and without a character that steers a terminal.
pub(crate) fn inert_json(text: String) -> String {
    let text = if text.contains("##[") { text.replace("##[", "#\\u0023[") } else { text };
    let acts = |c: char| c != '\n' && steers(c);
    if !text.contains(acts) {
        return text;
    }
    let mut inert = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if acts(c) {
            // All of these lie below U+10000, so one escape names each.
            let _ = write!(inert, "\\u{:04x}", u32::from(c));
        } else {
            inert.push(c);
        }
    }
    inert
}

/// An XML document without `##[`; it says the same.
pub(crate) fn inert_xml(text: String) -> String {
    if text.contains("##[") { text.replace("##[", "#&#35;[") } else { text }
}

/// A web address that may become a link; anything else a scanner gives is left out.
pub(super) fn link(finding: &Finding) -> Option<&str> {
    let url = finding.url.as_deref()?;
    let web = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    (!web.is_empty() && url.len() <= 2000 && url.bytes().all(plain)).then_some(url)
}

/// A message as a whole sentence, to be followed by another one.
pub(super) fn ended(message: &str) -> String {
    if message.ends_with('.') { message.to_owned() } else { format!("{message}.") }
}

/// Whose scan it is, where that is not ECR itself: `Trivy 0.67.2: `.
pub(super) fn scan(used: &engine::SignalRecord) -> String {
    match used.signal.scanner {
        model::Scanner::Ecr => String::new(),
        scanner => format!("{}: ", line(used.signal.tool.as_deref().unwrap_or(scanner.as_str()), 80)),
    }
}

/// How old the vulnerability data is, as far as that is known.
pub(super) fn data_age(used: &engine::SignalRecord) -> String {
    match used.signal.proof {
        model::Completeness::Report { database_dated: false, .. } => {
            "the age of its vulnerability data is not said".to_owned()
        }
        _ => format!("vulnerability data {}", age(used.age_seconds)),
    }
}

/// What became of a finding, and why.
pub(super) fn why(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Blocks(code) => code.as_str().to_owned(),
        Disposition::WithinLimit => "within the limit".to_owned(),
        Disposition::Excepted(id) => format!("exception {}", line(id, 80)),
        Disposition::Allowed => "the policy's allow list".to_owned(),
        Disposition::Grace(until) => format!("grace until {}", minute(*until)),
        Disposition::Unfixed => "no fix, and the policy ignores those".to_owned(),
        Disposition::Suppressed(why) => format!("left out by the scanner: {}", line(why, 200)),
        Disposition::NotAgreed => "too few of the sources report it".to_owned(),
        Disposition::Vex(said) => format!("VEX: {}", line(said, 200)),
    }
}

/// The same with the words of the exception, if it is one.
pub(super) fn justification(record: &Record, disposition: &Disposition) -> String {
    let why = why(disposition);
    let Disposition::Excepted(id) = disposition else { return why };
    match record.exceptions.iter().find(|exception| exception.id == *id) {
        Some(exception) => format!(
            "{why}: {} (owner {}, until {})",
            line(&exception.reason, 300),
            line(&exception.owner, 80),
            minute(exception.expires)
        ),
        None => why,
    }
}

/// The installed versions, each once; `-` if none is said.
pub(super) fn versions(finding: &Finding) -> String {
    dash(distinct(&finding.packages, |package| &package.version))
}

/// What is said about fixes, each once; `-` if nothing is.
pub(super) fn fixes(finding: &Finding) -> String {
    dash(distinct(finding.packages.iter().map(|package| &package.fix), fix))
}

fn fix(fix: &Fix) -> &str {
    match fix {
        Fix::In(version) => version,
        Fix::Available => "yes, version not said",
        Fix::None => "no fix",
        Fix::NotSaid => "not said",
    }
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// `house 7 (0123456789ab)`, and the severities that `--fail-on` put over it.
pub(super) fn policy(policy: &PolicyId) -> String {
    let version = policy.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let fail_on = policy.fail_on.as_ref().map_or_else(String::new, |list| format!(" with --fail-on {list}"));
    format!("{}{version} ({}){fail_on}", policy.name, policy.digest.short())
}

/// The severities that were found, most serious first.
pub(super) fn found(counts: &SeverityCounts) -> Vec<(&Severity, u64)> {
    counts.iter().map(|(severity, count)| (severity, *count)).filter(|(_, count)| *count > 0).collect()
}

/// `2 CRITICAL, 1 HIGH` or `none`. A scanner may use any number of words of its own.
pub(super) fn counts(counts: &SeverityCounts) -> String {
    const SHOWN: usize = 12;
    let found = found(counts);
    let shown =
        found.iter().take(SHOWN).map(|(severity, count)| format!("{count} {}", logged(&severity.to_string(), 80)));
    let shown: Vec<String> = shown.collect();
    match found.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} severities more", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    }
}

/// `2026-12-31 12:00 UTC`
pub(super) fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `of now`, `3 hours old`
pub(super) fn age(seconds: i64) -> String {
    match seconds {
        ..=119 => "of now".to_owned(),
        120..=7_199 => format!("{} minutes old", seconds / 60),
        7_200..=172_799 => format!("{} hours old", seconds / 3_600),
        _ => format!("{} days old", seconds / 86_400),
    }
}

/// M2: `in 0.4 s, 2 min after the scan ended, 3 min after the push`.
pub(super) fn latencies(timing: &TimingRecord) -> Option<String> {
    let mut text = format!("in {}", span(i64::try_from(timing.request?).ok()?));
    for (from, what) in [(timing.scan_end_to_decision, "the scan ended"), (timing.push_to_decision, "the push")] {
        if let Some(milliseconds) = from.filter(|milliseconds| *milliseconds >= 0) {
            text = format!("{text}, {} after {what}", span(milliseconds));
        }
    }
    Some(text)
}

fn span(milliseconds: i64) -> String {
    match milliseconds {
        ..=999 => format!("{milliseconds} ms"),
        1_000..=99_999 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        100_000..=7_199_999 => format!("{} min", milliseconds / 60_000),
        7_200_000..=172_799_999 => format!("{} h", milliseconds / 3_600_000),
        _ => format!("{} d", milliseconds / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_document() {
        let told = serde_json::json!({ "a": "\\##[b ###[c # [d \u{9b}31m\u{202e}\u{7f}\n" });
        let inert = inert_json(serde_json::to_string_pretty(&told).unwrap());
        assert!(!inert.contains("##[") && !inert.contains(['\u{9b}', '\u{202e}', '\u{7f}']), "{inert}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&inert).unwrap(), told);
    }
}
