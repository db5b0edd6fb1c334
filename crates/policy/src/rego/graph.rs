//! Which rule needs which: a rule that needs itself has no value, and a long chain of rules needs a deep stack.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Rules, is_test};
use super::definition::{Path, Target};
use super::syntax::path_text;
use crate::error::DocumentError;

/// Rules, loops and expressions inside one another. Each took 1 to 2.3 KiB of stack where it was measured, and a thread has 2 MiB.
pub(super) const MAX_DEPTH: usize = 300;

/// Refuses circles and chains that are too long.
pub(super) fn check(rules: &Rules) -> Result<(), DocumentError> {
    let needs = needs(rules);
    let mut depths: BTreeMap<&Path, usize> = BTreeMap::new();
    loop {
        let mut left = needs.keys().filter(|path| !depths.contains_key(*path)).peekable();
        if left.peek().is_none() {
            return Ok(());
        }
        let mut ready = Vec::new();
        for path in left {
            let below = needs.get(path).into_iter().flatten();
            // `None` as soon as something it needs is not known yet.
            let deepest = below
                .map(|path| depths.get(*path).copied())
                .try_fold(0, |deepest, depth| depth.map(|depth| deepest.max(depth)));
            if let Some(below) = deepest {
                ready.push((*path, below));
            }
        }
        if ready.is_empty() {
            return Err(circle(rules, &needs, &depths));
        }
        for (path, below) in ready {
            let own = rules.of(path).map(|definition| definition.depth).max().unwrap_or(0);
            let depth = below.saturating_add(own);
            if depth > MAX_DEPTH
                && let Some(definition) = rules.of(path).next()
            {
                let what = format!(
                    "`{}` needs {depth} rules, loops and expressions inside one another; at most {MAX_DEPTH} are evaluated",
                    path_text(path)
                );
                return Err(definition.place.error(what));
            }
            depths.insert(path, depth);
        }
    }
}

/// What every rule reads and calls. A reference to a package needs all its rules, one into a rule that rule.
fn needs(rules: &Rules) -> BTreeMap<&Path, BTreeSet<&Path>> {
    let mut needs: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for definition in rules.definitions().iter().filter(|definition| !is_test(definition)) {
        let here = needs.entry(&definition.path).or_default();
        let calls = definition.calls.iter().filter_map(|call| match &call.target {
            Target::Rule(path) => Some(path),
            Target::Builtin(_) => None,
        });
        for path in definition.reads.iter().map(|read| &read.path).chain(calls) {
            here.extend(rules.paths().filter(|rule| rule.starts_with(path) || path.starts_with(rule)));
        }
    }
    // A test is needed by nobody, but a reference to its package names it.
    let kept: BTreeSet<&Path> = needs.keys().copied().collect();
    for paths in needs.values_mut() {
        paths.retain(|path| kept.contains(path));
    }
    needs
}

/// Names one circle among the rules whose depth has no end.
fn circle(rules: &Rules, needs: &BTreeMap<&Path, BTreeSet<&Path>>, depths: &BTreeMap<&Path, usize>) -> DocumentError {
    let mut chain: Vec<&Path> = Vec::new();
    let mut next = needs.keys().copied().find(|path| !depths.contains_key(path));
    while let Some(path) = next.filter(|path| !chain.contains(path)) {
        chain.push(path);
        next = needs.get(path).into_iter().flatten().copied().find(|path| !depths.contains_key(path));
    }
    let names: Vec<String> = chain
        .iter()
        .skip_while(|path| next.is_some_and(|first| first != **path))
        .map(|path| format!("`{}`", path_text(path)))
        .collect();
    let what = format!("a rule needs itself: {}", names.join(" needs "));
    match next.and_then(|path| rules.of(path).next()) {
        Some(definition) => definition.place.error(what),
        None => DocumentError::new("rego", what),
    }
}
