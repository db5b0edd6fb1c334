//! How serious a result is. SARIF itself has only levels; security tools add a CVSS score (`security-severity`) and
//! write their own word into messages and help texts. The most serious of score and words counts.
//!
//! A score has the severity of the CVSS scale, 0.0 none. Without score and word the level decides, so that nothing gets
//! smaller than it may be: `error` is HIGH, `warning` MEDIUM, `note` LOW, `none` INFORMATIONAL, any other word unknown.

use model::Severity;

use super::package::{line, text};
use super::rules::Facts;
use super::wire::{Outcome, Rule, Score};
use crate::report::json::Text;
use crate::report::severity::of_score;

/// A severity, the tool's own word where it is another one, and the score.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rating {
    pub(super) severity: Severity,
    pub(super) word: Option<String>,
    pub(super) tenths: Option<u16>,
}

/// The rating of a result that breaks this rule.
pub(super) fn of(result: &Outcome<'_>, rule: Option<&Facts<'_>>) -> Rating {
    let own = result.properties.as_ref().and_then(|properties| properties.security_severity.as_ref());
    let (of_own, own_tenths) = own.map_or((None, None), of_scale);
    let own_word = text(result.message.as_ref()).and_then(|text| line(text, &["severity"])).filter(is_word);
    let of_rule = rule.and_then(|rule| rule.severity.clone());
    let severity = [of_rule, of_own, own_word.map(read)].into_iter().flatten().min();
    let own_level = result.level.as_ref().and_then(Text::filled);
    let level = own_level.or(rule.and_then(|rule| rule.level)).unwrap_or("warning");
    let severity = severity.unwrap_or_else(|| of_level(level));
    let word = own_word.or(rule.and_then(|rule| rule.word)).unwrap_or(level);
    let word = (!severity.as_str().eq_ignore_ascii_case(word)).then(|| word.chars().take(64).collect());
    Rating { severity, word, tenths: own_tenths.max(rule.and_then(|rule| rule.tenths)) }
}

/// Adds what a rule says. Grype writes its word into a line `Severity: High` of the help text, as Trivy does into the
/// message; Snyk begins the short description with `High severity - `.
pub(super) fn add<'r>(facts: &mut Facts<'r>, rule: &'r Rule<'_>) {
    let score = rule.properties.as_ref().and_then(|properties| properties.security_severity.as_ref());
    let (of_score, tenths) = score.map_or((None, None), of_scale);
    let in_help = text(rule.help.as_ref()).and_then(|text| line(text, &["severity"]));
    let in_short = text(rule.short_description.as_ref()).and_then(|text| text.split_once(" severity - "));
    let words = [in_help, in_short.map(|(word, _)| word)].into_iter().flatten().filter(is_word);
    for word in words {
        facts.word = facts.word.or(Some(word));
        facts.severity = worse(facts.severity.take(), Some(read(word)));
    }
    facts.severity = worse(facts.severity.take(), of_score);
    facts.tenths = facts.tenths.max(tenths);
    let level = rule.default_configuration.as_ref().and_then(|configuration| configuration.level.as_ref());
    let levels = [facts.level, level.and_then(Text::filled)].into_iter().flatten();
    facts.level = levels.min_by_key(|level| of_level(level));
}

fn worse(one: Option<Severity>, other: Option<Severity>) -> Option<Severity> {
    one.into_iter().chain(other).min()
}

fn of_scale(score: &Score) -> (Option<Severity>, Option<u16>) {
    match score {
        Score::Tenths(0) | Score::None => (None, None),
        Score::Tenths(tenths) => (Some(of_score(*tenths)), Some(*tenths)),
        // Semgrep writes a word where the score belongs.
        Score::Unreadable(text) => (Some(read(text)), None),
    }
}

/// A sentence is no word, and a number is a score of its own kind.
fn is_word(word: &&str) -> bool {
    word.chars().all(char::is_alphabetic)
}

/// Words of Trivy, Grype, Snyk and Docker.
fn read(word: &str) -> Severity {
    match word.to_ascii_lowercase().as_str() {
        "moderate" => Severity::Medium,
        "negligible" | "info" => Severity::Informational,
        "unknown" | "none" | "unspecified" => Severity::Undefined,
        _ => Severity::parse(word),
    }
}

fn of_level(level: &str) -> Severity {
    match level {
        "error" => Severity::High,
        "warning" => Severity::Medium,
        "note" => Severity::Low,
        "none" => Severity::Informational,
        other => Severity::Unknown(other.chars().take(64).collect()),
    }
}
