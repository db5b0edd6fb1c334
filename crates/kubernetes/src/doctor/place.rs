//! Whether the gate is looked for where it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Observed;
use super::check::{About, Check};
use super::hooks::{Hook, Webhook};

const PLACE: About = About {
    id: "kubernetes.gate",
    title: "Gate",
    why: "What is looked for in another namespace than that of the gate is not found, and says nothing about it.",
};

/// No gate is here, and the webhooks ask one in another namespace.
pub(super) fn elsewhere(observed: &Observed, hooks: &[Hook<'_>]) -> Option<Check> {
    if !hooks.is_empty() || !is_gateless(observed) {
        return None;
    }
    let places: BTreeSet<&str> =
        [(&observed.validating, Webhook::Validating.path()), (&observed.mutating, Webhook::Mutating.path())]
            .into_iter()
            .flat_map(|(list, prefix)| list.as_deref().unwrap_or(&[]).iter().map(move |one| (one, prefix)))
            .filter_map(|(one, prefix)| Some((one.get("webhooks")?.as_array()?, prefix)))
            .flat_map(|(list, prefix)| list.iter().map(move |hook| (hook, prefix)))
            .filter_map(|(hook, prefix)| {
                let service = hook.pointer("/clientConfig/service")?;
                let text = |key: &str| service.get(key).and_then(Value::as_str);
                let rest = text("path")?.strip_prefix(prefix)?;
                (rest.is_empty() || rest.starts_with('/')).then(|| text("namespace"))?
            })
            .collect();
    let place = *places.first()?;
    Some(PLACE.problem(
        None,
        format!("{}; the webhooks ask one in {place}", here(observed)),
        &format!("Name the namespace that it is installed in: `--namespace {place}`."),
    ))
}

/// No gate is here, and none is asked anywhere else.
pub(super) fn missing(observed: &Observed, hooks: &[Hook<'_>]) -> Option<Check> {
    let asks_here = hooks.iter().any(|hook| hook.service().is_some());
    // Webhooks that name an address may ask a gate outside the cluster, which has no namespace. Where they choose every namespace nothing is missing.
    let is_outside = !hooks.is_empty() && !leaves_out(observed, hooks);
    if asks_here || is_outside || !is_gateless(observed) {
        return None;
    }
    Some(PLACE.problem(
        None,
        here(observed),
        "Name the namespace that it is installed in with `--namespace`; `kubectl get deployments -A -l app.kubernetes.io/name=ecr-gate` shows it. Where there is none, install the chart.",
    ))
}

fn here(observed: &Observed) -> String {
    format!("there is no gate in the namespace {}", observed.gate.namespace)
}

/// Known, and neither the namespace nor a Deployment of the chart in it.
fn is_gateless(observed: &Observed) -> bool {
    let name = |one: &Value| one.pointer("/metadata/name").and_then(Value::as_str) == Some(&observed.gate.namespace);
    let is_gate = |one: &Value| {
        let labels = one.pointer("/spec/template/metadata/labels");
        labels.and_then(|labels| labels.get("app.kubernetes.io/name")?.as_str()) == Some("ecr-gate")
    };
    let is_there = observed.namespaces.as_ref().map(|list| list.iter().any(name));
    match (is_there, &observed.deployments) {
        (Ok(false), _) => true,
        (_, Ok(list)) => !list.iter().any(is_gate),
        (_, Err(_)) => false,
    }
}

/// Whether some namespace is chosen by no webhook.
fn leaves_out(observed: &Observed, hooks: &[Hook<'_>]) -> bool {
    let validating: Vec<_> = hooks.iter().filter(|hook| hook.webhook == Webhook::Validating).collect();
    let chosen = |labels: Option<&Value>| {
        validating.iter().any(|hook| crate::selector::chooses(hook.value.get("namespaceSelector"), labels) != Ok(false))
    };
    observed.namespaces.as_deref().unwrap_or(&[]).iter().any(|one| !chosen(one.pointer("/metadata/labels")))
}
