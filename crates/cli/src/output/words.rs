//! Words that several forms of output share, and the one place where foreign text is made harmless: what scanners,
//! registries and files say can neither steer a terminal nor a CI log, nor break a line (A5, A7).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use engine::{Record, TimingRecord};
use model::{Disposition, Finding, Fix, Package, Platform, PolicyId, Severity, SeverityCounts, Timestamp};

/// Foreign text on one line of at most `most` characters. Control characters and marks that turn the direction of
/// writing show as `�`.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            line.push('…');
            break;
        }
        line.push(match c {
            c if c.is_whitespace() => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        });
    }
    line
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// The same for text that a CI log may show: GitHub reads `##[command]` anywhere in a line and `::command::` at its
/// start.
pub(crate) fn logged(text: &str, most: usize) -> String {
    let text = line(text, most);
    let text = if text.contains("##[") { text.replace("##[", "## [") } else { text };
    if text.trim_start().starts_with("::") { text.replacen("::", ": :", 1) } else { text }
}

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

/// One finding in one sentence without its end: `CVE-… in openssl 3.0.11 (linux/amd64): HIGH, CVSS 8.1, fixed in 3.0.13`.
pub(super) fn sentence(finding: &Finding, platform: Option<&Platform>) -> String {
    let mut text = format!("{} in {}", line(finding.id.as_str(), 80), packages(finding));
    if let Some(platform) = platform {
        text.push_str(&line(&format!(" ({platform})"), 80));
    }
    let _ = write!(text, ": {}", line(&finding.severity.to_string(), 80));
    if let Some(score) = cvss(finding) {
        let _ = write!(text, ", CVSS {score}");
    }
    if let Some(millionths) = finding.epss_millionths {
        let _ = write!(text, ", EPSS {}.{} %", millionths / 10_000, millionths / 1_000 % 10);
    }
    if finding.exploit_available == Some(true) {
        text.push_str(", an exploit is known");
    }
    if let Some(fix) = fix_words(finding) {
        let _ = write!(text, ", {fix}");
    }
    text
}

/// `fixed in 3.0.13`; nothing if the scanner does not say.
fn fix_words(finding: &Finding) -> Option<String> {
    let fixes = || finding.packages.iter().map(|package| &package.fix);
    let versions = distinct(fixes(), |fix| if let Fix::In(version) = fix { version } else { "" });
    if !versions.is_empty() {
        return Some(format!("fixed in {}", line(&versions, 120)));
    }
    if fixes().any(|fix| *fix == Fix::Available) {
        return Some("there is a fix, its version is not said".to_owned());
    }
    finding.said_unfixed().then(|| "no fix yet".to_owned())
}

/// `9.8`; nothing for a score of 0, which no source means.
pub(super) fn cvss(finding: &Finding) -> Option<String> {
    finding.cvss_tenths.filter(|tenths| *tenths > 0).map(|tenths| format!("{}.{}", tenths / 10, tenths % 10))
}

/// `openssl 3.0.11, libssl3 3.0.11 and 2 more`
fn packages(finding: &Finding) -> String {
    const SHOWN: usize = 5;
    let name = |package: &Package| line(format!("{} {}", package.name, package.version).trim_end(), 120);
    let names: Vec<String> = finding.packages.iter().take(SHOWN).map(name).collect();
    match finding.packages.len() {
        0 => "a package that is not named".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names.join(", "), n - SHOWN),
        _ => names.join(", "),
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

fn distinct<'a, T: 'a>(list: impl IntoIterator<Item = &'a T>, word: impl Fn(&'a T) -> &'a str) -> String {
    let mut seen = BTreeSet::new();
    let words: Vec<&str> = list.into_iter().map(word).filter(|word| !word.is_empty() && seen.insert(*word)).collect();
    words.join(", ")
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
    fn foreign_text_is_one_line_and_steers_nothing() {
        assert_eq!(
            line("a\nb\tc\r\n\u{1b}[31md\u{9b}e\u{202e}f\u{2028}g", 99),
            "a b c  \u{fffd}[31md\u{fffd}e\u{fffd}f g"
        );
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(logged("  ::error::x ##[add-mask]y ###[z", 99), "  : :error::x ## [add-mask]y ### [z");
        assert_eq!(logged("HTTP::Tiny", 99), "HTTP::Tiny");
    }

    #[test]
    fn json_stays_the_same_document() {
        let told = serde_json::json!({ "a": "\\##[b ###[c # [d \u{9b}31m\u{202e}\u{7f}\n" });
        let inert = inert_json(serde_json::to_string_pretty(&told).unwrap());
        assert!(!inert.contains("##[") && !inert.contains(['\u{9b}', '\u{202e}', '\u{7f}']), "{inert}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&inert).unwrap(), told);
    }
}
