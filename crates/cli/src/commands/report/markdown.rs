//! Reports as Markdown. Texts of others stand in it as text: nothing of theirs makes a heading, a table cell, a link, or a line of its own.

use std::fmt::Write as _;

use model::reports::{Covered, IncidentReport, PeriodReport, PoliciesInForce, Remediation, ReportEvent};

use crate::commands::decisions::{seconds, short};
use crate::output::logged;

/// The longest text in a table.
const CELL: usize = 300;

/// A weekly, monthly or quarterly report.
pub(super) fn period(report: &PeriodReport) -> String {
    let mut text = format!("# {} report of the gate\n\n", title(report.period.as_str()));
    covered(&mut text, &report.covered);
    section(&mut text, "Decisions");
    let rows = report.decisions.iter().map(|one| {
        let class = one.class.clone().unwrap_or_else(|| "not declared".to_owned());
        let counts = [one.allow, one.warn, one.deny, one.pending].map(|count| count.to_string());
        let [allow, warn, deny, pending] = counts;
        [one.environment.clone(), class, allow, warn, deny, pending]
    });
    table(&mut text, ["Environment", "Class", "Allow", "Warn", "Deny", "Pending"], rows, 0, "Nothing was decided.");
    line(
        &mut text,
        &format!(
            "Verdicts that changed with a policy: {}. Promoted: {}. Brought back: {}.",
            report.flips, report.promotions, report.rollbacks
        ),
    );
    section(&mut text, "Blocked");
    let rows = report
        .blocked
        .iter()
        .map(|one| [one.blocks.to_string(), one.repository.clone(), one.environment.clone(), one.code.clone()]);
    let titles = ["Blocks", "Repository", "Environment", "Reason"];
    table(&mut text, titles, rows, report.blocked_more, "Nothing was blocked.");
    if !report.blocked_by_team.is_empty() {
        let rows = report.blocked_by_team.iter().map(|one| [one.name.clone(), one.count.to_string()]);
        table(&mut text, ["Team", "Blocks"], rows, 0, "");
    }
    false_blocks(&mut text, report);
    remediation(&mut text, &report.remediation);
    section(&mut text, "Overrides");
    let overrides = &report.overrides;
    line(
        &mut text,
        &format!(
            "Granted: {} ({} to bring an image back). Revoked: {}. Decisions that one was used for: {}.",
            overrides.granted, overrides.for_rollbacks, overrides.revoked, overrides.used
        ),
    );
    let rows = overrides.by.iter().map(|one| [one.name.clone(), one.count.to_string()]);
    table(&mut text, ["Granted by", "Overrides"], rows, 0, "Nobody granted one.");
    section(&mut text, "Exceptions");
    let it = &report.exceptions;
    line(
        &mut text,
        &format!(
            "Requested: {}. Approved: {}. Rejected: {}. Revoked: {}. Expired: {}. Ended by a fix: {}. Decisions that one was used for: {}.",
            it.requested, it.approved, it.rejected, it.revoked, it.expired, it.fixed, it.used
        ),
    );
    match &it.longest_open {
        None => line(&mut text, "None waits for an approver."),
        Some(open) => {
            let of = open.repository.as_deref().unwrap_or("several repositories");
            let (id, since) = (cell(&open.id), seconds(open.requested_at));
            line(
                &mut text,
                &format!("Waiting for an approver: {}, the longest `{id}` of {} since {since}.", it.open, cell(of)),
            );
        }
    }
    section(&mut text, "Full metadata (M8)");
    let metadata = &report.full_metadata;
    let unknown =
        if metadata.unknown > 0 { format!(" Not known of {} more.", metadata.unknown) } else { String::new() };
    line(
        &mut text,
        &format!(
            "{} of {} decisions have commit, pipeline, bill of materials, complete scan, signature and provenance: {}.{unknown}",
            metadata.complete,
            metadata.decisions,
            percent(metadata.rate)
        ),
    );
    section(&mut text, "What people changed");
    events(&mut text, &report.changes, report.changes_more);
    in_force(&mut text, report.in_force.as_ref());
    text.trim_end().to_owned()
}

/// Thresholds, scanners and keys (O7).
fn in_force(text: &mut String, policies: Option<&PoliciesInForce>) {
    section(text, "In force at the end");
    let Some(policies) = policies else { return line(text, "No policies.") };
    let PoliciesInForce { version, since, by, rules, signers } = policies;
    line(text, &format!("Version `{}` since {} by {}.", short(version), seconds(*since), cell(by)));
    let says = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = rules.iter().map(|one| [one.policy.clone(), one.rule.clone(), one.action.clone(), says(&one.says)]);
    table(text, ["Policy", "Rule", "Action", "Says"], rows, 0, "It has no rules.");
    let rows = signers.iter().map(|one| [one.policy.clone(), one.signer.clone(), says(&one.says)]);
    table(text, ["Policy", "Signer", "Keys and identities"], rows, 0, "No signer is trusted by name.");
}

fn false_blocks(text: &mut String, report: &PeriodReport) {
    let it = &report.false_blocks;
    section(text, "False blocks (M4)");
    line(text, &format!("False-block rate: {} ({} of {} blocks).", percent(it.rate), it.false_blocks, it.blocks));
    let rows = [
        ("False block", it.false_blocks),
        ("Accepted risk", it.accepted_risks),
        ("True block", it.true_blocks),
        ("Without a label", it.unlabelled),
    ];
    table(text, ["Label", "Blocks"], rows.map(|(name, count)| [name.to_owned(), count.to_string()]), 0, "");
}

fn remediation(text: &mut String, it: &Remediation) {
    section(text, "From block to allow (M7)");
    line(
        text,
        &format!(
            "Fixed: {}, median {}, nine of ten within {}. Still blocked: {}.",
            it.fixed,
            time(it.median_seconds),
            time(it.p90_seconds),
            it.still_blocked
        ),
    );
    let rows = it.places.iter().map(|one| {
        let since = one.blocked_since.map_or_else(|| "no".to_owned(), |since| format!("since {}", seconds(since)));
        let (median, p90) = (time(one.median_seconds), time(one.p90_seconds));
        [one.repository.clone(), one.environment.clone(), one.fixed.to_string(), median, p90, since]
    });
    let titles = ["Repository", "Environment", "Fixed", "Median", "90 %", "Still blocked"];
    table(text, titles, rows, it.more, "Nothing was blocked.");
}

/// What changed in an incident.
pub(super) fn incident(report: &IncidentReport) -> String {
    let of = report.repository.as_deref().map(|name| format!(": {}", cell(name))).unwrap_or_default();
    let mut text = format!("# What changed in {}{of}\n\n", cell(&report.environment));
    covered(&mut text, &report.covered);
    section(&mut text, "Go back to");
    for one in &report.rollback {
        let place = cell(&one.repository);
        match (&one.digest, one.at, &one.command) {
            (Some(digest), Some(at), Some(command)) => {
                let _ = writeln!(
                    text,
                    "- {place}: `{digest}`, promoted {}\n\n  ```sh\n  {}\n  ```",
                    seconds(at),
                    logged(command, 1_000)
                );
            }
            (Some(digest), Some(at), None) => {
                let _ = writeln!(
                    text,
                    "- {place}: `{digest}`, allowed {}; the gate did not promote it, deploy it by its digest",
                    seconds(at)
                );
            }
            _ => {
                let _ = writeln!(text, "- {place}: nothing that was approved before is on record");
            }
        }
    }
    if report.rollback.is_empty() {
        line(&mut text, "Nothing was promoted or decided in this time.");
    }
    section(&mut text, "Promoted");
    let none = || "-".to_owned();
    let verdict = |verdict: Option<model::Verdict>| {
        verdict.map_or_else(|| "no longer on record".to_owned(), |it| it.as_str().to_owned())
    };
    let rows = report.promotions.iter().map(|one| {
        let what = if one.rollback { "brought back to" } else { "to" };
        let decided =
            format!("{} ({}) {}", verdict(one.verdict), one.basis.as_deref().unwrap_or("?"), one.reasons.join("; "));
        let way = format!("{} {what} {}", one.source, one.destination);
        let who = one.person.clone().or_else(|| one.by.clone()).unwrap_or_else(none);
        let (pipeline, commit) = (one.pipeline.clone().unwrap_or_else(none), one.commit.clone().unwrap_or_else(none));
        [seconds(one.at), way, one.digest.to_string(), who, pipeline, commit, decided]
    });
    let titles = ["When", "From and to", "Digest", "Who", "Pipeline", "Commit", "Decided"];
    table(&mut text, titles, rows, report.promotions_more, "Nothing was promoted.");
    section(&mut text, "Decided");
    let rows = report.decisions.iter().map(|one| {
        let image = format!("{}@{}", one.repository, short(one.digest.as_str()));
        let exceptions = if one.exceptions.is_empty() {
            String::new()
        } else {
            format!("exceptions: {} ", one.exceptions.join(", "))
        };
        let who = format!("{} {}", one.point.as_deref().unwrap_or(""), one.asked_by.as_deref().unwrap_or("-"));
        let (pipeline, commit) = (one.pipeline.clone().unwrap_or_else(none), one.commit.clone().unwrap_or_else(none));
        [
            seconds(one.at),
            image,
            one.verdict.as_str().to_owned(),
            who.trim().to_owned(),
            pipeline,
            commit,
            format!("{exceptions}{}", one.reasons.join("; ")),
        ]
    });
    let titles = ["When", "Image", "Verdict", "Asked by", "Pipeline", "Commit", "Why"];
    table(&mut text, titles, rows, report.decisions_more, "Nothing was decided anew.");
    section(&mut text, "What else changed");
    events(&mut text, &report.events, report.events_more);
    for one in &report.overrides_used {
        line(&mut text, &format!("The override `{}` was used for {} decisions.", cell(&one.name), one.count));
    }
    text.trim_end().to_owned()
}

fn covered(text: &mut String, it: &Covered) {
    line(
        text,
        &format!("{} to {} (UTC), from {} entries of the audit log.", seconds(it.since), seconds(it.until), it.entries),
    );
    if !it.missing.is_empty() {
        line(text, "**This is not everything.** It leaves out:");
        for one in &it.missing {
            let _ = writeln!(text, "- {}", cell(one));
        }
        text.push('\n');
    }
}

fn events(text: &mut String, events: &[ReportEvent], more: u64) {
    let rows = events.iter().map(|one| {
        let by = one.by.clone().unwrap_or_else(|| "-".to_owned());
        let by = one.confirmed_by.as_ref().map_or_else(|| by.clone(), |second| format!("{by}, confirmed by {second}"));
        let image = match (&one.repository, &one.digest) {
            (Some(repository), Some(digest)) => format!(" ({repository}@{})", short(digest.as_str())),
            (Some(repository), None) => format!(" ({repository})"),
            _ => String::new(),
        };
        let reason = one.reason.clone().unwrap_or_else(|| "-".to_owned());
        [seconds(one.at), one.kind.clone(), format!("{}{image}", one.what), by, reason]
    });
    table(text, ["When", "What", "About", "Who", "Why"], rows, more, "Nothing.");
}

fn section(text: &mut String, name: &str) {
    // A heading stands apart from a list that ends right before it.
    let apart = if text.ends_with("\n\n") || text.is_empty() { "" } else { "\n" };
    let _ = write!(text, "{apart}## {name}\n\n");
}

fn line(text: &mut String, words: &str) {
    let _ = write!(text, "{words}\n\n");
}

fn table<const N: usize>(
    text: &mut String,
    titles: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    more: u64,
    none: &str,
) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return line(text, none);
    }
    let _ = writeln!(text, "| {} |\n|{}", titles.join(" | "), " --- |".repeat(N));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.map(|one| cell(&one)).join(" | "));
    }
    text.push('\n');
    if more > 0 {
        line(text, &format!("And {more} more, which are not listed."));
    }
}

/// Text of others: one line, in which nothing means anything to Markdown.
fn cell(text: &str) -> String {
    let text = logged(text, CELL);
    let mut inert = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '`' | '*' | '\\' | '!' => {
                inert.push('\\');
                inert.push(c);
            }
            c => inert.push(c),
        }
    }
    inert
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "no rate".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}

fn time(seconds: Option<i64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 60 => format!("{seconds} s"),
        Some(seconds) if seconds < 3600 => format!("{} min", seconds / 60),
        Some(seconds) if seconds < 2 * 86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        Some(seconds) => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_make_no_markup() {
        let mut text = String::new();
        let hostile = "a | b\n# heading\n[link](https://evil.example) `code` <b> **loud** ![x](y)";
        table(&mut text, ["One", "Two"], [[hostile.to_owned(), "plain".to_owned()]], 3, "Nothing.");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["| One | Two |", "| --- | --- |"]);
        assert!(lines[2].starts_with("| a \\| b") && lines[2].ends_with("| plain |"), "{text}");
        assert!(!lines[2].contains(" [link]") && !lines[2].contains(" <b>") && !lines[2].contains(" **"), "{text}");
        assert!(text.contains("And 3 more") && !text.contains("\n# "), "{text}");
        let mut empty = String::new();
        table(&mut empty, ["One"], [], 0, "Nothing.");
        assert_eq!(empty, "Nothing.\n\n");
    }

    #[test]
    fn times_and_rates_are_for_people() {
        for (seconds, text) in [(59, "59 s"), (3_599, "59 min"), (3_600, "1 h 0 min"), (200_000, "2 d 7 h")] {
            assert_eq!(time(Some(seconds)), text);
        }
        assert_eq!(
            (time(None).as_str(), percent(None).as_str(), percent(Some(0.25)).as_str()),
            ("-", "no rate", "25.0 %")
        );
    }
}
