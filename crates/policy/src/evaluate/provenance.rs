//! The `provenance` rule: a provenance by a signer that counts says that an allowed builder built the image in an allowed
//! way from an allowed source. What it does not say is not allowed (S27).

use model::{Gap, ManifestFacts, Provenance as Statement, Reason, ReasonCode, SignedArtifact};

use super::Found;
use super::rule::Scene;
use super::signed::{described, hear, meant};
use crate::document::{Provenance, TextPattern};

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Provenance, manifest: &ManifestFacts) -> Found {
    let names = meant(scene, rule.signers.as_deref());
    let heard = match hear(scene, &names, manifest, |artifact, _| artifact.provenance.is_some()) {
        Ok(heard) => heard,
        Err(gap) => return Found::open(vec![gap], Vec::new()),
    };
    let (mut met, mut failures, mut gaps) = (0_usize, Vec::new(), Vec::new());
    for (artifact, _) in &heard.counting {
        match &artifact.provenance {
            Some(Ok(provenance)) => {
                let broken = broken(rule, artifact, provenance);
                met += usize::from(broken.is_empty());
                failures.extend(broken);
            }
            Some(Err(why)) => gaps.push(Gap::from(why.clone())),
            None => {}
        }
    }
    let mut others = heard.others;
    if met > 0 {
        let rest = heard.counting.len() - met;
        let mut found = Found::passed(others);
        if rest > 0 {
            found.notes.insert(0, format!("{met} provenance statements say what is asked, and {rest} more do not"));
        }
        return found;
    }
    for (artifact, _, open) in heard.open {
        match &artifact.provenance {
            Some(Ok(provenance)) => {
                let broken = broken(rule, artifact, provenance);
                if broken.is_empty() {
                    gaps.extend(open);
                } else {
                    others.extend(broken);
                }
            }
            Some(Err(why)) => others.push(why.clone()),
            None => {}
        }
    }
    gaps.extend(heard.unread);
    if !gaps.is_empty() {
        others.extend(failures);
        return Found::open(gaps, others);
    }
    if failures.is_empty() {
        let message = format!("no provenance by {} counts", names.join(", "));
        failures.push(Reason::new(ReasonCode::ProvenanceMissing, message));
    }
    Found::broken(failures, others)
}

/// Every key of the rule that the provenance does not meet.
fn broken(rule: &Provenance, artifact: &SignedArtifact, provenance: &Statement) -> Vec<Reason> {
    let source = provenance.source.as_ref();
    let sources: Option<Vec<&TextPattern>> =
        rule.sources.as_ref().map(|list| list.iter().map(|pattern| &pattern.0).collect());
    let repository = source.map(|source| source.repository.clone());
    let keys = [
        (ReasonCode::ProvenanceBuilder, "builder", some(rule.builders.as_ref()), Some(provenance.builder.as_str())),
        (
            ReasonCode::ProvenanceBuildType,
            "build type",
            some(rule.build_types.as_ref()),
            Some(provenance.build_type.as_str()),
        ),
        (ReasonCode::ProvenanceSource, "source", sources, repository.as_deref()),
        (
            ReasonCode::ProvenanceRef,
            "branch or tag",
            some(rule.refs.as_ref()),
            source.and_then(|source| source.git_ref.as_deref()),
        ),
        (
            ReasonCode::ProvenanceCommit,
            "commit",
            some(rule.commits.as_ref()),
            source.and_then(|source| source.commit.as_deref()),
        ),
        (ReasonCode::ProvenanceWorkflow, "workflow", some(rule.workflows.as_ref()), provenance.workflow.as_deref()),
    ];
    let mut broken = Vec::new();
    let mut push = |code, what: String| {
        broken.push(Reason::new(code, format!("{}: {what}", described(artifact))));
    };
    for (code, name, patterns, value) in keys {
        let Some(patterns) = patterns else { continue };
        match value.filter(|value| !value.is_empty()) {
            Some(value) if patterns.iter().any(|pattern| pattern.is_match(value)) => {}
            Some(value) => push(code, format!("the {name} is {value}, and allowed is {}", listed(&patterns))),
            None => push(code, format!("it names no {name}, and allowed is {}", listed(&patterns))),
        }
    }
    for (name, pattern) in rule.parameters.iter().flatten() {
        let what = match provenance.parameters.get(name) {
            Some(value) if pattern.is_match(value) => continue,
            Some(value) => format!("the parameter {name} is {value:?}, and has to be {pattern}"),
            None => format!("it has no parameter {name}, which has to be {pattern}"),
        };
        push(ReasonCode::ProvenanceParameters, what);
    }
    broken
}

fn some(patterns: Option<&Vec<TextPattern>>) -> Option<Vec<&TextPattern>> {
    patterns.map(|list| list.iter().collect())
}

fn listed(patterns: &[&TextPattern]) -> String {
    let texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
