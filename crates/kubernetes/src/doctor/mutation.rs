//! Whether mutation sees what validation judges.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{About, Check, LOOK, names};
use super::hooks::{Hook, MAKERS, OPERATIONS, PODS, Webhook};
use super::namespaces::labels_of;
use super::{Observed, Tags};

const MUTATION: About = About {
    id: "kubernetes.mutation",
    title: "Mutation",
    why: "What mutation does not see keeps its tags, for which validation denies it, and pods are not annotated with what was decided.",
};

/// That one of the two is not registered at all is told elsewhere.
pub(super) fn check(observed: &Observed, hooks: &[Hook<'_>], tags: Option<Tags>) -> Option<Check> {
    let of = |webhook| hooks.iter().filter(move |hook| hook.webhook == webhook);
    if of(Webhook::Validating).next().is_none() || of(Webhook::Mutating).next().is_none() {
        return None;
    }
    let namespaces = match &observed.namespaces {
        Ok(list) => list,
        Err(why) => return Some(MUTATION.unknown(None, why.clone(), LOOK)),
    };
    // Where the configuration cannot be read, mutation may have to see them.
    let makers = if matches!(tags, Some(Tags::All) | None) { &MAKERS[..] } else { &[] };
    let wanted: Vec<(&str, &str)> = PODS.iter().chain(makers).copied().collect();
    // Which namespaces lack the same.
    let mut lacking: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    let mut unread = Vec::new();
    for namespace in namespaces {
        let name = namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
        if name == observed.gate.namespace {
            continue;
        }
        let labels = labels_of(namespace);
        let choosing = |webhook| of(webhook).map(|hook| Ok((hook.chooses(&labels)?, hook)));
        let chosen: Result<Vec<(bool, &Hook<'_>)>, String> =
            choosing(Webhook::Validating).chain(choosing(Webhook::Mutating)).collect();
        let chosen: Vec<&Hook<'_>> = match chosen {
            Ok(all) => all.into_iter().filter_map(|(is_chosen, hook)| is_chosen.then_some(hook)).collect(),
            Err(why) => {
                unread.push(format!("{name} ({why})"));
                continue;
            }
        };
        let is_asked = |webhook, (group, resource): (&str, &str), operation| {
            chosen.iter().any(|hook| hook.webhook == webhook && hook.asks_about(group, resource, operation))
        };
        let is_lacking = |what: &(&str, &str)| {
            OPERATIONS.iter().any(|operation| {
                is_asked(Webhook::Validating, *what, operation) && !is_asked(Webhook::Mutating, *what, operation)
            })
        };
        let resources: Vec<&str> =
            wanted.iter().filter(|what| is_lacking(what)).map(|(_, resource)| *resource).collect();
        if !resources.is_empty() {
            lacking.entry(resources).or_default().push(name.to_owned());
        }
    }
    if !lacking.is_empty() {
        let list: Vec<String> = lacking
            .iter()
            .map(|(resources, namespaces)| format!("{} in {}", resources.join(", "), names(namespaces)))
            .collect();
        let what = format!("validation judges what mutation does not see: {}", list.join("; "));
        if tags.is_none() {
            let what = format!("{what}; whether it has to cannot be told without the configuration of the gate");
            return Some(MUTATION.unknown(None, what, LOOK));
        }
        return Some(MUTATION.warning(
            None,
            what,
            "Install the chart again: both configurations choose the same namespaces, and mutation has every kind that `admission.tags` names.",
        ));
    }
    if !unread.is_empty() {
        return Some(MUTATION.unknown(None, names(&unread), "Use a version of ecr-gate that knows these selectors."));
    }
    Some(MUTATION.ok(None, "it sees what validation judges"))
}
