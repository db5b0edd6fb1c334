//! Which namespaces are asked about, and as which environment.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Observed;
use super::check::{About, Check, LOOK, names};
use super::hooks::{Hook, Webhook};

const COVERED: About = About {
    id: "kubernetes.namespaces",
    title: "Namespaces",
    why: "In a namespace that no webhook chooses everything starts.",
};
const ENVIRONMENTS: About = About {
    id: "kubernetes.environments",
    title: "Environments",
    why: "The environment of a namespace decides which policy holds there.",
};
/// Labels by which people say what a namespace is for.
const SAYING: [&str; 3] = ["environment", "env", "stage"];

pub(super) fn checks(
    observed: &Observed,
    hooks: &[Hook<'_>],
    environment_of: Option<&dyn Fn(&str) -> String>,
) -> Vec<Check> {
    let list = match &observed.namespaces {
        Ok(list) => list,
        Err(why) => return vec![COVERED.unknown(None, why.clone(), LOOK)],
    };
    let hooks: Vec<&Hook<'_>> = hooks.iter().filter(|hook| hook.webhook == Webhook::Validating).collect();
    // That none is registered is told elsewhere.
    if hooks.is_empty() {
        return Vec::new();
    }
    let mut found = Found::default();
    for namespace in list {
        found.add(namespace, &hooks, observed, environment_of);
    }
    found.by_condition =
        hooks.iter().filter(|hook| hook.has_foreign_conditions()).map(|hook| hook.name.to_owned()).collect();
    found.checks(list.len(), environment_of.is_some())
}

/// The labels of a namespace, with its name as the API server adds it.
pub(super) fn labels_of(namespace: &Value) -> Value {
    let mut labels = namespace.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    if let (Value::Object(labels), Some(name)) = (&mut labels, namespace.pointer("/metadata/name")) {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
    }
    labels
}

#[derive(Default)]
struct Found {
    bare: Vec<String>,
    several: Vec<String>,
    surprising: Vec<String>,
    unread: Vec<String>,
    /// Webhooks with a condition that may let whole namespaces by.
    by_condition: Vec<String>,
    environments: BTreeSet<String>,
}

impl Found {
    fn add(
        &mut self,
        namespace: &Value,
        hooks: &[&Hook<'_>],
        observed: &Observed,
        environment_of: Option<&dyn Fn(&str) -> String>,
    ) {
        let name = namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
        if name == observed.gate.namespace {
            return;
        }
        let labels = labels_of(namespace);
        let mut chosen = Vec::new();
        for hook in hooks {
            match hook.chooses(&labels) {
                Ok(true) => chosen.push(hook),
                Ok(false) => {}
                Err(why) => return self.unread.push(format!("{name} ({why})")),
            }
        }
        if chosen.is_empty() {
            return self.bare.push(name.to_owned());
        }
        let known = |hook: &&&Hook<'_>| match &hook.environment {
            Some(environment) => Some(environment.clone()),
            None => environment_of.map(|of| of(name)),
        };
        let environments: BTreeSet<String> = chosen.iter().filter_map(known).collect();
        if environments.len() > 1 {
            let list: Vec<String> = environments.iter().cloned().collect();
            self.several.push(format!("{name} ({})", list.join(" and ")));
        }
        for environment in &environments {
            if let Some(said) = surprise(name, &labels, environment) {
                self.surprising.push(format!("{name} is {environment}, and {said}"));
            }
        }
        self.environments.extend(environments);
    }

    fn checks(self, all: usize, are_known: bool) -> Vec<Check> {
        let mut checks = Vec::new();
        if !self.unread.is_empty() {
            checks.push(COVERED.unknown(
                None,
                names(&self.unread),
                "Use a version of ecr-gate that knows these selectors.",
            ));
        }
        checks.push(match (self.bare.is_empty(), self.by_condition.is_empty()) {
            (true, true) => COVERED.ok(None, format!("every one of {all} but the gate's own is asked about")),
            (true, false) => COVERED.unknown(
                None,
                format!("which of {all} are asked about is said by conditions of {}", names(&self.by_condition)),
                "Take these conditions away: `namespaceSelector` says it so that it can be looked at.",
            ),
            (false, _) => COVERED.problem(
                None,
                format!("nobody asks about what starts in {}", names(&self.bare)),
                "Install the chart again: between them its selectors choose every namespace but the gate's own.",
            ),
        });
        if !self.several.is_empty() {
            checks.push(ENVIRONMENTS.warning(
                None,
                format!("judged as several environments: {}", names(&self.several)),
                "Have each namespace fit one of `admission.environments`; as it is all of them have to allow an image.",
            ));
        }
        if !self.surprising.is_empty() {
            checks.push(ENVIRONMENTS.warning(
                None,
                names(&self.surprising),
                "Correct `admission.namespaces`, `admission.environments` or the label: one of them says what is not so.",
            ));
        } else if are_known {
            let list: Vec<String> = self.environments.into_iter().collect();
            checks.push(ENVIRONMENTS.ok(None, names(&list)));
        } else {
            checks.push(ENVIRONMENTS.unknown(
                None,
                "the configuration of the gate could not be read, which says it for namespaces that go by their names",
                "Look with an account that may read the ConfigMaps of the gate's namespace.",
            ));
        }
        checks
    }
}

/// What the name or a label says that the environment does not.
fn surprise(name: &str, labels: &Value, environment: &str) -> Option<String> {
    let judged = is_production(environment);
    for (key, value) in labels.as_object()? {
        let last = key.rsplit('/').next().unwrap_or(key);
        let value = value.as_str().unwrap_or("");
        if SAYING.contains(&last) && !value.is_empty() && is_production(value) != judged {
            return Some(format!("its label {key} says {value}"));
        }
    }
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    (!judged && words.into_iter().any(is_production)).then(|| "its name says production".to_owned())
}

fn is_production(word: &str) -> bool {
    let word = word.to_lowercase();
    ["production", "prod", "prd", "live"].contains(&word.split(['-', '_', '.']).next().unwrap_or(""))
}
