//! What a replay found, counted as it goes on, and told at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::Verdict;
use serde::Serialize;

use super::Compared;
use crate::output::logged;

/// The longest foreign sentence that is shown.
const SENTENCE: usize = 300;

/// A verdict that would be another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flip {
    pub(super) image: String,
    pub(super) environment: String,
    pub(super) digest: String,
    pub(super) from: Verdict,
    pub(super) to: Verdict,
    /// What makes the new verdict, or what made the old one if the new one is softer.
    pub(super) reasons: Vec<String>,
    pub(super) document: String,
}

/// A document about which there is only something to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) image: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) why: String,
    pub(super) document: String,
}

/// The whole answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) decisions: u64,
    pub(super) same: u64,
    /// Of those, how many have other reasons; only where both sides were judged here.
    pub(super) same_with_other_reasons: u64,
    /// How many would flip: from, to, and how many.
    pub(super) flips: Vec<(Verdict, Verdict, u64)>,
    pub(super) flipped: Vec<Flip>,
    /// Those that stay for other reasons: the codes before and after.
    pub(super) other_reasons: Vec<Flip>,
    /// Flips that are counted and not listed.
    pub(super) unlisted: u64,
    pub(super) without_recorded_verdict: u64,
    /// What the new policy says of all that could be judged.
    pub(super) verdicts: BTreeMap<&'static str, u64>,
    pub(super) could_not_be_judged: Vec<Line>,
    pub(super) could_not_be_read: Vec<Line>,
    pub(super) seconds: f64,
    pub(super) threads: usize,
}

/// What was found so far.
pub(super) struct Tally {
    limit: usize,
    decisions: u64,
    same: u64,
    other_reasons: u64,
    unrecorded: u64,
    verdicts: BTreeMap<&'static str, u64>,
    flips: BTreeMap<(Verdict, Verdict), u64>,
    /// The first ones by image, so that what is listed does not depend on who was first.
    flipped: BTreeSet<Flip>,
    /// Those that stay for other reasons, in the same way.
    changed: BTreeSet<Flip>,
    unjudged: Vec<Line>,
    unread: Vec<Line>,
}

impl Tally {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            decisions: 0,
            same: 0,
            other_reasons: 0,
            unrecorded: 0,
            verdicts: BTreeMap::new(),
            flips: BTreeMap::new(),
            flipped: BTreeSet::new(),
            changed: BTreeSet::new(),
            unjudged: Vec::new(),
            unread: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, compared: Compared) {
        self.decisions += 1;
        let mut verdict = |verdict: Verdict| *self.verdicts.entry(verdict.as_str()).or_insert(0) += 1;
        match compared {
            Compared::Same(same) => {
                verdict(same);
                self.same += 1;
            }
            Compared::OtherReasons(same) => {
                verdict(same.to);
                self.same += 1;
                self.other_reasons += 1;
                self.changed.insert(same);
                while self.changed.len() > self.limit {
                    self.changed.pop_last();
                }
            }
            Compared::Flips(flip) => {
                verdict(flip.to);
                *self.flips.entry((flip.from, flip.to)).or_insert(0) += 1;
                self.flipped.insert(flip);
                while self.flipped.len() > self.limit {
                    self.flipped.pop_last();
                }
            }
            Compared::Unrecorded(said) => {
                verdict(said);
                self.unrecorded += 1;
            }
            Compared::Unjudged(line) => self.unjudged.push(line),
            Compared::Unread(line) => self.unread.push(line),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.same += other.same;
        self.other_reasons += other.other_reasons;
        self.unrecorded += other.unrecorded;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_insert(0) += count;
        }
        for (flip, count) in other.flips {
            *self.flips.entry(flip).or_insert(0) += count;
        }
        self.flipped.extend(other.flipped);
        while self.flipped.len() > self.limit {
            self.flipped.pop_last();
        }
        self.changed.extend(other.changed);
        while self.changed.len() > self.limit {
            self.changed.pop_last();
        }
        self.unjudged.extend(other.unjudged);
        self.unread.extend(other.unread);
    }

    pub(super) fn report(mut self, seconds: f64, threads: usize) -> Report {
        self.unjudged.sort();
        self.unread.sort();
        let flips: Vec<_> = self.flips.into_iter().map(|((from, to), count)| (from, to, count)).collect();
        let flipped: u64 = flips.iter().map(|(.., count)| count).sum();
        Report {
            schema: "ecr-gate.dev/policy-replay/v1",
            decisions: self.decisions,
            same: self.same,
            same_with_other_reasons: self.other_reasons,
            unlisted: flipped.saturating_sub(self.flipped.len() as u64),
            flips,
            flipped: self.flipped.into_iter().collect(),
            other_reasons: self.changed.into_iter().collect(),
            without_recorded_verdict: self.unrecorded,
            verdicts: self.verdicts,
            could_not_be_judged: self.unjudged,
            could_not_be_read: self.unread,
            seconds,
            threads,
        }
    }
}

impl Report {
    #[allow(clippy::cast_precision_loss)] // for people
    pub(super) fn rate(&self) -> f64 {
        self.decisions as f64 / self.seconds.max(1e-6)
    }

    /// For people.
    pub(super) fn page(&self) -> String {
        let report = self;
        let mut text = String::new();
        let flipped: u64 = report.flips.iter().map(|(.., count)| count).sum();
        let _ = writeln!(text, "{} decisions: {} stay, {flipped} flip", report.decisions, report.same);
        if report.same_with_other_reasons > 0 {
            let _ = writeln!(text, "  {} stay for other reasons", report.same_with_other_reasons);
        }
        for (from, to, count) in &report.flips {
            let _ = writeln!(text, "  {:>7} -> {:<7} {count}", from.as_str(), to.as_str());
        }
        if report.without_recorded_verdict > 0 {
            let _ = writeln!(
                text,
                "  {} have no recorded verdict to compare with (--against FILE compares with a policy)",
                report.without_recorded_verdict
            );
        }
        let says: Vec<String> = report.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let _ = writeln!(
            text,
            "  the new policy says: {}",
            if says.is_empty() { "nothing".to_owned() } else { says.join(", ") }
        );
        for flip in &report.flipped {
            let (from, to) = (flip.from.as_str(), flip.to.as_str());
            let _ = writeln!(
                text,
                "\n{from} -> {to}  {} ({})",
                logged(&flip.image, SENTENCE),
                logged(&flip.environment, 80)
            );
            for reason in &flip.reasons {
                let _ = writeln!(text, "    {}", logged(reason, SENTENCE));
            }
        }
        if report.unlisted > 0 {
            let _ = writeln!(text, "\n… and {} more flips (--limit N)", report.unlisted);
        }
        for same in &report.other_reasons {
            let (verdict, image) = (same.to.as_str(), logged(&same.image, SENTENCE));
            let _ = writeln!(text, "\n{verdict} stays  {image} ({})", logged(&same.environment, 80));
            for reason in &same.reasons {
                let _ = writeln!(text, "    {}", logged(reason, SENTENCE));
            }
        }
        lines(&mut text, "could not be judged", &report.could_not_be_judged);
        lines(&mut text, "could not be read", &report.could_not_be_read);
        text
    }
}

fn lines(text: &mut String, title: &str, list: &[Line]) {
    const SHOWN: usize = 20;
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{} {title}", list.len());
    for line in list.iter().take(SHOWN) {
        let image = line.image.as_ref().map_or_else(String::new, |image| format!(" {}", logged(image, SENTENCE)));
        let _ = writeln!(text, "  {}{image}: {}", logged(&line.document, SENTENCE), logged(&line.why, SENTENCE));
    }
    if list.len() > SHOWN {
        let _ = writeln!(text, "  … and {} more", list.len() - SHOWN);
    }
}
