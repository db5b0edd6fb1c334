//! Words that several faces of the gate share, and the one place where foreign text is made harmless: what scanners, registries, files and clusters say
//! can neither steer a terminal nor a CI log, nor break a line (A5, A7).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::{Finding, Fix, Package, Platform};

/// Foreign text on one line of at most `most` characters. Control characters and marks that turn the direction of
/// writing show as `�`.
pub fn line(text: &str, most: usize) -> String {
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

/// A character that steers a terminal, or turns the direction of writing.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// The same for text that a CI log may show: GitHub reads `##[command]` anywhere in a line and `::command::` at its
/// start.
pub fn logged(text: &str, most: usize) -> String {
    let text = line(text, most);
    let text = if text.contains("##[") { text.replace("##[", "## [") } else { text };
    if text.trim_start().starts_with("::") { text.replacen("::", ": :", 1) } else { text }
}

/// One finding in one sentence without its end: `CVE-… in openssl 3.0.11 (linux/amd64): HIGH, CVSS 8.1, fixed in 3.0.13`.
pub fn sentence(finding: &Finding, platform: Option<&Platform>) -> String {
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
pub fn cvss(finding: &Finding) -> Option<String> {
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

/// Words of a list, each once.
pub fn distinct<'a, T: 'a>(list: impl IntoIterator<Item = &'a T>, word: impl Fn(&'a T) -> &'a str) -> String {
    let mut seen = BTreeSet::new();
    let words: Vec<&str> = list.into_iter().map(word).filter(|word| !word.is_empty() && seen.insert(*word)).collect();
    words.join(", ")
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
}
