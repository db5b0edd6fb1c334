//! A5, never silently green: no null, empty, partial, malformed, truncated or unexpected answer becomes an allow.
//!
//! The real state machine and the real policy judge every single change of well-formed answers, and pairs of changes;
//! whenever they let an image through, [`oracle`] has to agree. [`blind`] shows that it would notice.

mod blind;
mod change;
mod gate;
mod oracle;
mod scene;
mod tables;

use std::time::Instant;

use model::Verdict;

use change::{changed, pairs, singles};
use gate::{Gate, is_green};
use oracle::{Source, permits};
use scene::{Scene, World, lean_scenes, scenes};

/// How a judge fared.
#[derive(Default)]
struct Tally {
    cases: usize,
    green: usize,
    /// Green where the oracle does not permit it.
    silent: Vec<String>,
}

impl Tally {
    /// Lets the judge look at one world, and the oracle at what the judge saw. True if it was green.
    fn judge(
        &mut self,
        judge: impl Fn(&mut World<'_>) -> Verdict,
        looks: &[Vec<String>],
        name: impl Fn() -> String,
    ) -> bool {
        let mut world = World::new(looks);
        let green = is_green(judge(&mut world));
        self.cases += 1;
        if green {
            self.green += 1;
            if let Err(why) = permits(Source::Ecr, &world.seen) {
                self.silent.push(format!("{}: {why}", name()));
            }
        }
        green
    }

    /// Says how many were tried, and fails if one was silently green.
    fn finish(&self, what: &str, since: Instant) {
        let (cases, green, seconds) = (self.cases, self.green, since.elapsed().as_secs_f64());
        println!("{what}: {cases} cases, {green} green, {} silently, in {seconds:.1} s", self.silent.len());
        let first = self.silent.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(self.silent.is_empty(), "{} of {cases} are silently green:\n  {first}", self.silent.len());
    }
}

/// The listing and the scanner's counts bear witness apart from each other; an index that ends early hides a listing.
const LISTING: &[&str] = &["findings", "enhancedFindings", "nextToken"];
const COUNTS: &[&str] = &["findingSeverityCounts"];

fn all_pairs(names: &[&str], budget: usize) {
    let (since, gate, mut tally, mut lies) = (Instant::now(), Gate::new(), Tally::default(), 0);
    let chosen: Vec<Scene> = lean_scenes().into_iter().filter(|scene| names.contains(&scene.name)).collect();
    assert_eq!(chosen.len(), names.len(), "a scene was renamed");
    for scene in &chosen {
        let (texts, changes) = (scene.texts(), singles(&scene.pages));
        for (first, second) in pairs(&changes, budget) {
            let name = || format!("{} | {} | {}", scene.name, first.name, second.name);
            let looks = [changed(scene, &texts, &[first, second])];
            if tally.judge(|world| gate.judge(world), &looks, name) && scene.blocked {
                let witness = |fields| first.touches(fields) || second.touches(fields);
                assert!(witness(LISTING) && witness(COUNTS), "one witness was enough: {}", name());
                lies += 1;
            }
        }
    }
    println!("{lies} of them hide a blocking finding, each by falsifying both the list and the counts");
    tally.finish(&format!("pairs of changes, {}", names.join("; ")), since);
}

#[test]
fn whole_answers_are_judged_for_what_they_say() {
    let gate = Gate::new();
    for scene in scenes() {
        let looks = [scene.texts()];
        let mut world = World::new(&looks);
        let wanted = if scene.blocked { Verdict::Deny } else { Verdict::Allow };
        assert_eq!(gate.judge(&mut world), wanted, "{}", scene.name);
        assert_eq!(permits(Source::Ecr, &world.seen).is_err(), scene.blocked, "{}", scene.name);
    }
}

#[test]
fn a5_no_single_change_is_silently_green_or_hides_a_blocking_finding() {
    let (since, gate, mut tally) = (Instant::now(), Gate::new(), Tally::default());
    for scene in scenes() {
        let texts = scene.texts();
        for change in singles(&scene.pages) {
            let name = || format!("{} | page {} | {}", scene.name, change.page, change.name);
            let looks = [changed(&scene, &texts, &[&change])];
            let green = tally.judge(|world| gate.judge(world), &looks, name);
            assert!(!(green && scene.blocked), "a blocking finding is hidden by {}", name());
        }
    }
    tally.finish("single changes", since);
}

#[test]
fn a5_no_pair_of_changes_to_a_small_answer_is_silently_green() {
    all_pairs(&["basic, clean", "enhanced, clean"], usize::MAX);
}

#[test]
fn a5_no_pair_of_changes_to_basic_findings_is_silently_green() {
    all_pairs(&["basic, one LOW", "basic, one CRITICAL", "basic, LOW and HIGH"], 40_000);
}

#[test]
fn a5_no_pair_of_changes_to_enhanced_findings_is_silently_green() {
    let names =
        ["enhanced, MEDIUM and UNTRIAGED", "enhanced, one HIGH", "enhanced, one CRITICAL and an empty basic list"];
    all_pairs(&names, 20_000);
}

#[test]
fn a5_no_pair_of_changes_to_several_pages_is_silently_green() {
    let names = ["basic, two pages of LOW", "basic, CRITICAL on the second page", "enhanced, HIGH on the second page"];
    all_pairs(&names, 20_000);
}

#[test]
fn a5_an_answer_that_changes_between_two_looks_is_not_silently_green() {
    let (since, gate, mut tally) = (Instant::now(), Gate::new(), Tally::default());
    for scene in lean_scenes().iter().filter(|scene| scene.name.ends_with("clean")) {
        let texts = scene.texts();
        let changes = singles(&scene.pages);
        let pages: Vec<Vec<String>> = changes.iter().map(|change| changed(scene, &texts, &[change])).collect();
        for (first, before) in changes.iter().zip(&pages) {
            let name = |then: &str| format!("{} | {}, then {then}", scene.name, first.name);
            let looks = [before.clone(), texts.clone(), before.clone()];
            tally.judge(|world| gate.judge(world), &looks, || name("whole and back again"));
            let looks = [texts.clone(), before.clone(), texts.clone()];
            tally.judge(|world| gate.judge(world), &looks, || name("whole, after whole"));
            for (second, after) in changes.iter().zip(&pages).step_by(7) {
                let looks = [before.clone(), after.clone()];
                tally.judge(|world| gate.judge(world), &looks, || name(&second.name));
            }
        }
    }
    tally.finish("changes between looks", since);
}

#[test]
fn the_proof_notices_every_gate_that_looks_away() {
    let (since, gate) = (Instant::now(), Gate::new());
    let chosen = ["basic, one LOW", "enhanced, clean", "enhanced, one HIGH", "basic, CRITICAL on the second page"];
    let mut worlds: Vec<Vec<String>> = Vec::new();
    for scene in lean_scenes().iter().filter(|scene| chosen.contains(&scene.name)) {
        let (texts, changes) = (scene.texts(), singles(&scene.pages));
        worlds.push(texts.clone());
        worlds.extend(changes.iter().map(|change| changed(scene, &texts, &[change])));
        let some = pairs(&changes, 100).into_iter();
        worlds.extend(some.map(|(first, second)| changed(scene, &texts, &[first, second])));
    }
    let run = |name: &str, judge: &dyn Fn(&mut World<'_>) -> Verdict| {
        let mut tally = Tally::default();
        for pages in &worlds {
            tally.judge(judge, std::slice::from_ref(pages), String::new);
        }
        println!("{name}: {} of {} cases are silently green", tally.silent.len(), tally.cases);
        tally.silent.len()
    };
    assert_eq!(run("the gate itself", &|world| gate.judge(world)), 0);
    assert!(run("defaults to zero", &blind::defaults_to_zero) > 0);
    for (name, blindfold) in blind::BLINDFOLDS {
        let judge = |world: &mut World<'_>| blind::blindfolded(&gate, *blindfold, world);
        assert!(run(name, &judge) > 0, "nothing notices a gate that {name}");
    }
    println!("in {:.1} s", since.elapsed().as_secs_f64());
}
