//! The webhooks of the gate: whether they are registered, and what they let by.

use serde_json::Value;

use super::address::{Gate, Whose};
use super::check::{About, Check, LOOK, names};
use super::{Look, Observed, Tags};

/// The chart, whose conditions are those that are right.
const CHART: &str = include_str!("../../../../deploy/helm/ecr-gate/templates/_webhooks.tpl");
/// How its condition is called.
const CONDITION: &str = "what-makes-pods-changes";
/// The longest expression that is shown.
const EXPRESSION: usize = 400;
/// What an expression about namespaces has in it, however it is written: `request.namespace`, `object.metadata["namespace"]`, `namespaceObject`.
const NAMESPACE: &str = "namespace";

/// Whether it validates or mutates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Webhook {
    Validating,
    Mutating,
}

impl Webhook {
    /// The path that the gate answers at.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Validating => "/admission/validate",
            Self::Mutating => "/admission/mutate",
        }
    }
}

/// One webhook of the gate.
#[derive(Debug, Clone)]
pub(crate) struct Hook<'a> {
    pub(crate) webhook: Webhook,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
    /// The environment that its path names.
    pub(crate) environment: Option<String>,
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

    /// Whether a rule of it is about this.
    pub(super) fn asks_about(&self, group: &str, resource: &str, operation: &str) -> bool {
        let rules = self.value.get("rules").and_then(Value::as_array);
        rules.is_some_and(|rules| rules.iter().any(|rule| covers(rule, group, resource, operation)))
    }

    /// Whether it is asked about what is in a namespace with these labels.
    ///
    /// # Errors
    /// What is not understood of its selector.
    pub(super) fn chooses(&self, labels: &Value) -> Result<bool, String> {
        crate::selector::chooses(self.value.get("namespaceSelector"), Some(labels))
    }

    /// A condition that is not the chart's and mentions namespaces: which of them are asked about cannot be told from outside.
    pub(super) fn goes_by_namespace(&self) -> bool {
        self.foreign().any(|condition| text_of(condition, "expression").contains(NAMESPACE))
    }

    /// Conditions that are not the chart's: what they leave out cannot be told from outside.
    pub(super) fn has_foreign_conditions(&self) -> bool {
        self.foreign().next().is_some()
    }

    /// The conditions that are not the chart's.
    fn foreign(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let list = self.value.get("matchConditions").and_then(Value::as_array);
        list.into_iter().flatten().filter(|condition| !is_ours(condition))
    }

    /// The Service that it asks.
    pub(super) fn service(&self) -> Option<&'a Value> {
        self.value.pointer("/clientConfig/service")
    }
}

/// Those that ask the gate at a path that only the gate has.
pub(crate) fn of<'a>(list: &'a Look<Vec<Value>>, webhook: Webhook, gate: &Gate) -> Vec<Hook<'a>> {
    let found = all(list).filter_map(|(name, value)| match gate.whose(value, webhook.path())? {
        Whose::Gate(rest) => {
            let environment = rest.strip_prefix('/').filter(|name| !name.is_empty()).map(str::to_owned);
            (rest.is_empty() || environment.is_some()).then_some(Hook { webhook, name, value, environment })
        }
        Whose::Nobodys(_) => None,
    });
    found.collect()
}

/// A webhook that asks somebody at a path of the gate, of whom nobody said that it is the gate.
#[derive(Debug)]
pub(crate) struct Stranger<'a> {
    pub(super) name: &'a str,
    pub(crate) value: &'a Value,
    /// What would be the gate's address.
    pub(crate) address: String,
}

/// Those that are nobody's.
pub(crate) fn strangers<'a>(list: &'a Look<Vec<Value>>, webhook: Webhook, gate: &Gate) -> Vec<Stranger<'a>> {
    let found = all(list).filter_map(|(name, value)| match gate.whose(value, webhook.path())? {
        Whose::Gate(_) => None,
        Whose::Nobodys(address) => Some(Stranger { name, value, address }),
    });
    found.collect()
}

/// Every webhook of a list, with its name.
fn all(list: &Look<Vec<Value>>) -> impl Iterator<Item = (&str, &Value)> {
    let configurations = list.as_deref().unwrap_or(&[]).iter();
    let webhooks = configurations.filter_map(|one| one.get("webhooks").and_then(Value::as_array)).flatten();
    webhooks.map(|value| (value.get("name").and_then(Value::as_str).unwrap_or("?"), value))
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

/// `tags` is which objects get digests, as far as the gate's configuration is known.
pub(super) fn checks(observed: &Observed, hooks: &[Hook<'_>], tags: Option<Tags>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (webhook, list) in [(Webhook::Validating, &observed.validating), (Webhook::Mutating, &observed.mutating)] {
        checks.push(registered(list, hooks, webhook, tags));
        checks.extend(strangers(list, webhook, &observed.gate).iter().map(strange));
    }
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

fn registered(list: &Look<Vec<Value>>, hooks: &[Hook<'_>], webhook: Webhook, tags: Option<Tags>) -> Check {
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
        (true, Webhook::Mutating) => match tags {
            Some(Tags::Off) => REGISTERED.warning(
                Some(kind),
                "none asks the gate: pods are not annotated with what was decided",
                "Install the chart again (`helm upgrade`): it brings the webhooks back.",
            ),
            Some(Tags::Pods | Tags::All) => REGISTERED.problem(
                Some(kind),
                "none asks the gate: tags stay tags, and pods by tag are denied",
                "Install the chart again (`helm upgrade`): it brings the webhooks back.",
            ),
            None => REGISTERED.unknown(
                Some(kind),
                "none asks the gate, and whether tags are to get digests is in its configuration, which could not be read",
                "Look with an account that may read the ConfigMaps of the gate's namespace.",
            ),
        },
    }
}

fn strange(one: &Stranger<'_>) -> Check {
    let Stranger { name, address, .. } = one;
    REGISTERED.warning(
        Some(name),
        format!("it asks {address} at a path of the gate; nobody said that this is the gate, and it is not counted"),
        &format!(
            "If it is the gate, say so with `--gate-url {address}`. If it is not, find out who registered it: it sees every object, and may let it in or change it."
        ),
    )
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
pub(super) const PODS: [(&str, &str); 2] = [("", "pods"), ("", "pods/ephemeralcontainers")];
pub(super) const MAKERS: [(&str, &str); 7] = [
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
];

pub(super) const OPERATIONS: [&str; 2] = ["CREATE", "UPDATE"];

fn rules(hook: &Hook<'_>) -> Check {
    let subject = Some(hook.name);
    let missing = |wanted: &[(&str, &str)]| -> Vec<String> {
        // What mutation does not see is told beside what validation judges.
        let is_missing = |(group, resource): &(&str, &str)| {
            hook.webhook == Webhook::Validating
                && !OPERATIONS.iter().all(|operation| hook.asks_about(group, resource, operation))
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
    let makers = missing(&MAKERS);
    if makers.is_empty() {
        let found = match hook.webhook {
            Webhook::Validating => "all that starts images",
            Webhook::Mutating => "whatever the version of an object",
        };
        return RULES.ok(subject, found);
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
    let foreign: Vec<String> = hook.foreign().map(told).collect();
    if foreign.is_empty() {
        let list = hook.value.get("matchConditions").and_then(Value::as_array);
        let found = if list.is_none_or(Vec::is_empty) { "none" } else { "that of the chart" };
        return CONDITIONS.ok(subject, found);
    }
    if hook.goes_by_namespace() {
        return CONDITIONS.problem(
            subject,
            format!("whole namespaces may be let by, nobody is asked about what makes this false: {}", names(&foreign)),
            "Take the condition away: which namespaces are asked about is said by `namespaceSelector`, where it can be looked at. `helm upgrade` with the chart of this version puts its own conditions in their place.",
        );
    }
    CONDITIONS.warning(
        subject,
        format!(
            "not those of this version of the chart, nobody is asked about what makes this false: {}",
            names(&foreign)
        ),
        "Read what they let by. `helm upgrade` with the chart of this version puts its own in their place.",
    )
}

/// A condition as it is written.
fn told(condition: &Value) -> String {
    let (name, expression) = (text_of(condition, "name"), plain(text_of(condition, "expression")));
    let is_long = expression.chars().count() > EXPRESSION;
    let shown: String = expression.chars().take(EXPRESSION).collect();
    format!("{name}: `{shown}{}`", if is_long { "…" } else { "" })
}

fn text_of<'a>(condition: &'a Value, key: &str) -> &'a str {
    condition.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Without the line breaks and the spaces that mean nothing: the chart's own has no other ones.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a condition is that of the chart, but for white space.
fn is_ours(condition: &Value) -> bool {
    let ours = CHART.split_once("expression: >-").and_then(|(_, rest)| rest.split_once("{{- end -}}"));
    text_of(condition, "name") == CONDITION
        && ours.is_some_and(|(ours, _)| plain(ours) == plain(text_of(condition, "expression")))
}
