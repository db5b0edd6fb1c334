//! A `vulnerabilities` rule on one manifest: whose reports count ([`super::sources`]), their findings as one list
//! ([`super::merge`]), and what becomes of each ([`super::findings`]). Without a complete scan it is unknown, whatever the
//! findings are.

use std::cell::RefCell;

use model::{ManifestFacts, Platform, Signal};

use super::Found;
use super::evidence::Evidence;
use super::findings::{Context, View, judge as judge_findings};
use super::merge::merge;
use super::names::Names;
use super::rule::Scene;
use super::sources::{Believing, named, read};
use super::vex::Statements;
use crate::document::Vulnerabilities;

pub(super) fn judge<'a>(
    scene: &Scene<'_, 'a>,
    rule: &Vulnerabilities,
    manifest: &'a ManifestFacts,
    platform: Option<&'a Platform>,
    evidence: &mut Evidence<'a>,
) -> Found {
    let Scene { facts, clock, exceptions, .. } = *scene;
    let mut answers = read(scene, rule, manifest);
    evidence.add(platform, manifest, &answers.heard);
    let several = answers.heard.len() > 1;
    let view = match answers.heard.as_slice() {
        [] => View::One(&[]),
        [only] => View::One(only.findings),
        heard => View::Several(merge(heard, rule.block_when())),
    };
    let complete = answers.heard.iter().filter_map(|answer| answer.scan.map(|scan| (answer.report, scan)));
    let scans: Vec<_> =
        complete.map(|(report, scan)| (if several { named(report) } else { "the scanner".to_owned() }, scan)).collect();
    let mut image = vec![manifest.digest.clone(), facts.root.digest.clone()];
    if let Signal::Present(config) = &manifest.config {
        image.push(config.value.id.clone());
    }
    let believing = Believing::of(scene);
    let statements = Statements::new(rule.vex.as_ref(), &facts.vex, image, &believing);
    answers.gaps.append(&mut statements.gaps(rule.vex.as_ref(), manifest, &believing));
    let context = Context {
        rule,
        exceptions,
        clock,
        first_seen: &facts.first_seen,
        platform,
        allow: Names::of(rule.allow.as_ref()),
        deny: Names::of(rule.deny.as_ref()),
        vex: statements,
        unapplied: RefCell::new(Vec::new()),
    };
    let mut found = judge_findings(&context, &view, &scans);
    // What is not known stands before what was found out about the rest.
    answers.gaps.append(&mut found.gaps);
    answers.notes.append(&mut found.notes);
    Found { gaps: answers.gaps, notes: answers.notes, ..found }
}
