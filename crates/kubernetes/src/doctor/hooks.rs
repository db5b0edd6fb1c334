//! The webhooks of the gate: whether they are registered, and what they let by.

use serde_json::Value;

use super::check::{About, Check, LOOK, names};
use super::{Look, Observed};

/// The chart, whose conditions are those that are right.
const CHART: &str = include_str!("../../../../deploy/helm/ecr-gate/templates/_webhooks.tpl");
/// How its condition is called.
const CONDITION: &str = "what-makes-pods-changes";
/// Whether it validates or mutates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Webhook {
    Validating,
    Mutating,
}

/// One webhook of the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook<'a> {
    pub(crate) webhook: Webhook,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
    /// The environment that its path names.
    pub(crate) environment: Option<&'a str>,
}

impl<'a> Hook<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.value.get(key).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether it is for kube-system alone.
    fn is_of_the_system(&self) -> bool {
        const NAME: &str = "kubernetes.io/metadata.name";
        let part = |name: &str| self.value.get("namespaceSelector").and_then(|selector| selector.get(name));
        let by_label =
            part("matchLabels").and_then(|labels| labels.get(NAME)).is_some_and(|name| name == "kube-system");
        // All requirements have to hold: one that names it alone is enough.
        let names_it = |one: &Value| {
            one.get("key").is_some_and(|key| key == NAME)
                && one.get("operator").is_some_and(|operator| operator == "In")
                && one.get("values").is_some_and(|values| *values == serde_json::json!(["kube-system"]))
        };
        by_label || part("matchExpressions").and_then(Value::as_array).is_some_and(|list| list.iter().any(names_it))
    }

    /// The Service that it asks.
    pub(super) fn service(&self) -> Option<&'a Value> {
        self.value.pointer("/clientConfig/service")
    }
}

/// Those of the gate in this namespace: by the paths that only the gate has.
pub(crate) fn of<'a>(list: &'a Look<Vec<Value>>, webhook: Webhook, namespace: &str) -> Vec<Hook<'a>> {
    let prefix = match webhook {
        Webhook::Validating => "/admission/validate",
        Webhook::Mutating => "/admission/mutate",
    };
    let configurations = list.as_deref().unwrap_or(&[]);
    let webhooks = configurations.iter().filter_map(|one| one.get("webhooks").and_then(Value::as_array)).flatten();
    let found = webhooks.filter_map(|value| {
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
        let path = match (text("/clientConfig/service/namespace"), text("/clientConfig/url")) {
            (Some(of), _) if of == namespace => text("/clientConfig/service/path")?,
            (None, Some(url)) => path_of(url),
            _ => return None,
        };
        let rest = path.strip_prefix(prefix)?;
        let environment = rest.strip_prefix('/').filter(|name| !name.is_empty());
        let is_ours = rest.is_empty() || environment.is_some();
        is_ours.then(|| Hook { webhook, name: text("/name").unwrap_or("?"), value, environment })
    });
    found.collect()
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
}

const REGISTERED: About = About {
    id: "kubernetes.webhooks",
    title: "Webhooks",
    why: "What no webhook is registered for, nobody asks the gate about.",
};
const POLICY: About = About {
    id: "kubernetes.failurePolicy",
    title: "Failure policy",
    why: "It says what the API server does where the gate does not answer: with Ignore everything starts then.",
};
const TIMEOUT: About = About {
    id: "kubernetes.timeout",
    title: "Timeout",
    why: "The gate decides within what the API server waits: a first look at an image takes seconds, and as long as it waits a write hangs.",
};
const EFFECTS: About = About {
    id: "kubernetes.sideEffects",
    title: "Side effects",
    why: "A trial (`--dry-run=server`) is asked about only where the webhook says that it leaves no trace then.",
};
const RULES: About = About {
    id: "kubernetes.rules",
    title: "Kinds",
    why: "A kind or an operation that no rule names starts pods without a question, or is denied only when its pods start.",
};
const SELECTORS: About = About {
    id: "kubernetes.objectSelector",
    title: "Selector of objects",
    why: "Whoever writes an object writes its labels, and with them whether the gate is asked.",
};
const CONDITIONS: About = About {
    id: "kubernetes.matchConditions",
    title: "Conditions",
    why: "What a condition lets by is never asked about.",
};

pub(super) fn checks(observed: &Observed, hooks: &[Hook<'_>]) -> Vec<Check> {
    let mut checks = vec![
        registered(&observed.validating, hooks, Webhook::Validating),
        registered(&observed.mutating, hooks, Webhook::Mutating),
    ];
    for hook in hooks {
        checks.push(policy(hook));
        checks.push(timeout(hook));
        checks.push(effects(hook));
        checks.push(rules(hook));
        checks.extend(objects(hook));
        checks.push(conditions(hook));
    }
    checks
}

fn registered(list: &Look<Vec<Value>>, hooks: &[Hook<'_>], webhook: Webhook) -> Check {
    let kind = match webhook {
        Webhook::Validating => "ValidatingWebhookConfiguration",
        Webhook::Mutating => "MutatingWebhookConfiguration",
    };
    if let Err(why) = list {
        return REGISTERED.unknown(Some(kind), why.clone(), LOOK);
    }
    let found: Vec<String> =
        hooks.iter().filter(|hook| hook.webhook == webhook).map(|hook| hook.name.to_owned()).collect();
    match (found.is_empty(), webhook) {
        (false, _) => REGISTERED.ok(Some(kind), names(&found)),
        (true, Webhook::Validating) => REGISTERED.problem(
            Some(kind),
            "none asks the gate: everything starts",
            "Install the chart again (`helm upgrade`): it brings the webhooks back. If they were taken away in an emergency, that is over then.",
        ),
        (true, Webhook::Mutating) => REGISTERED.problem(
            Some(kind),
            "none asks the gate: tags stay tags, and pods by tag are denied",
            "Install the chart again (`helm upgrade`): it brings the webhooks back.",
        ),
    }
}

fn policy(hook: &Hook<'_>) -> Check {
    let subject = Some(hook.name);
    match (hook.text("failurePolicy"), hook.webhook) {
        ("Fail", _) => POLICY.ok(subject, "Fail"),
        ("Ignore", _) if hook.is_of_the_system() => {
            POLICY.ok(subject, "Ignore, for kube-system alone: a cluster whose gate is down starts its network again")
        }
        // What is not changed is validated all the same.
        ("Ignore", Webhook::Mutating) => POLICY.ok(subject, "Ignore; validation judges all the same"),
        ("Ignore", Webhook::Validating) => POLICY.problem(
            subject,
            "Ignore: whoever brings the gate down, or slows it, starts what he likes",
            "Set `admission.failurePolicy: Fail` in the values of the chart; for an emergency there is break-glass.",
        ),
        (other, _) => {
            POLICY.unknown(subject, format!("{other:?} is not known"), "Use a version of ecr-gate that knows it.")
        }
    }
}

fn timeout(hook: &Hook<'_>) -> Check {
    let subject = Some(hook.name);
    match hook.value.get("timeoutSeconds").and_then(Value::as_u64).unwrap_or(10) {
        seconds @ 0..=2 => TIMEOUT.problem(
            subject,
            format!("{seconds} s: hardly any image is looked at in that time"),
            "Set `admission.timeoutSeconds` to 10 in the values of the chart.",
        ),
        seconds @ 3..=4 => TIMEOUT.warning(
            subject,
            format!("{seconds} s: the first start of an image is often denied"),
            "Set `admission.timeoutSeconds` to 10 in the values of the chart.",
        ),
        seconds @ 5..=20 => TIMEOUT.ok(subject, format!("{seconds} s")),
        seconds => TIMEOUT.warning(
            subject,
            format!("{seconds} s: a write may hang as long, and each webhook adds to it"),
            "Set `admission.timeoutSeconds` to 10 in the values of the chart.",
        ),
    }
}

fn effects(hook: &Hook<'_>) -> Check {
    match hook.text("sideEffects") {
        "NoneOnDryRun" => EFFECTS.ok(Some(hook.name), "NoneOnDryRun"),
        other => EFFECTS.warning(
            Some(hook.name),
            format!("{other}, and the gate records what it decides, except for trials"),
            "Set `sideEffects: NoneOnDryRun`, as the chart does.",
        ),
    }
}

/// What has to be asked about, and what better is.
const PODS: [(&str, &str); 2] = [("", "pods"), ("", "pods/ephemeralcontainers")];
const MAKERS: [(&str, &str); 7] = [
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
];

fn rules(hook: &Hook<'_>) -> Check {
    let subject = Some(hook.name);
    let missing = |wanted: &[(&str, &str)]| -> Vec<String> {
        let asked = |group: &str, resource: &str, operation: &str| {
            let rules = hook.value.get("rules").and_then(Value::as_array);
            rules.is_some_and(|rules| rules.iter().any(|rule| covers(rule, group, resource, operation)))
        };
        let is_missing = |(group, resource): &(&str, &str)| {
            !["CREATE", "UPDATE"].iter().all(|operation| asked(group, resource, operation))
        };
        wanted.iter().filter(|one| is_missing(one)).map(|(_, resource)| (*resource).to_owned()).collect()
    };
    let pods = missing(&PODS);
    if !pods.is_empty() {
        return RULES.problem(
            subject,
            format!("nobody asks about CREATE and UPDATE of {}", names(&pods)),
            "Install the chart again: its rules name all that starts images.",
        );
    }
    if hook.text("matchPolicy") == "Exact" {
        return RULES.problem(
            subject,
            "matchPolicy is Exact: the same object in another version of its API is not asked about",
            "Set `matchPolicy: Equivalent`, as the chart does.",
        );
    }
    let makers = if hook.webhook == Webhook::Validating { missing(&MAKERS) } else { Vec::new() };
    if makers.is_empty() {
        return RULES.ok(subject, "all that starts images");
    }
    RULES.warning(
        subject,
        format!(
            "{} are not asked about; their pods are: who writes them is not told, and sees no pods",
            names(&makers)
        ),
        "Install the chart again: its rules name all kinds that make pods.",
    )
}

/// Whether a rule is about this.
fn covers(rule: &Value, group: &str, resource: &str, operation: &str) -> bool {
    let has = |key: &str, is: &dyn Fn(&str) -> bool| {
        rule.get(key).and_then(Value::as_array).is_some_and(|list| list.iter().filter_map(Value::as_str).any(is))
    };
    let version = if group == "batch" || group == "apps" || group.is_empty() { "v1" } else { "*" };
    let is_resource = |text: &str| match text.split_once('/') {
        None => text == resource || (text == "*" && !resource.contains('/')),
        Some(("*", "*")) => true,
        Some((of, "*")) => resource.split('/').next() == Some(of),
        Some(("*", sub)) => resource.split_once('/').is_some_and(|(_, found)| found == sub),
        Some(_) => text == resource,
    };
    let scope = rule.get("scope").and_then(Value::as_str).unwrap_or("*");
    has("operations", &|text| text == "*" || text == operation)
        && has("apiGroups", &|text| text == "*" || text == group)
        && has("apiVersions", &|text| text == "*" || text == version)
        && has("resources", &is_resource)
        && scope != "Cluster"
}

fn objects(hook: &Hook<'_>) -> Option<Check> {
    let selector = hook.value.get("objectSelector").and_then(Value::as_object)?;
    let is_empty = selector.values().all(|value| match value {
        Value::Object(labels) => labels.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => value.is_null(),
    });
    (!is_empty).then(|| {
        SELECTORS.problem(
            Some(hook.name),
            "objects are asked about by their labels",
            "Take `objectSelector` away; which namespaces are asked about is said by `namespaceSelector`.",
        )
    })
}

fn conditions(hook: &Hook<'_>) -> Check {
    let subject = Some(hook.name);
    let list = hook.value.get("matchConditions").and_then(Value::as_array);
    let foreign: Vec<String> = list
        .into_iter()
        .flatten()
        .filter(|condition| !is_ours(condition))
        .map(|condition| condition.get("name").and_then(Value::as_str).unwrap_or("?").to_owned())
        .collect();
    if foreign.is_empty() {
        let found = if list.is_none_or(Vec::is_empty) { "none" } else { "that of the chart" };
        return CONDITIONS.ok(subject, found);
    }
    CONDITIONS.warning(
        subject,
        format!("not those of this version of the chart: {}", names(&foreign)),
        "Read what they let by. `helm upgrade` with the chart of this version puts its own in their place.",
    )
}

/// Whether a condition is that of the chart, but for white space.
fn is_ours(condition: &Value) -> bool {
    let text = |key| condition.get(key).and_then(Value::as_str).unwrap_or("");
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ours = CHART.split_once("expression: >-").and_then(|(_, rest)| rest.split_once("{{- end -}}"));
    text("name") == CONDITION && ours.is_some_and(|(ours, _)| plain(ours) == plain(text("expression")))
}
