//! The gate itself in the cluster: whether something answers behind its Service, and whether it goes on doing so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Observed;
use super::check::{About, Check, LOOK, names};
use super::hooks::Hook;
use crate::selector::chooses;

const SERVICE: About = About {
    id: "kubernetes.service",
    title: "Service",
    why: "The API server asks the gate through it; without anybody behind it nothing starts, or everything does.",
};
const REPLICAS: About = About {
    id: "kubernetes.replicas",
    title: "Replicas",
    why: "While the only one restarts or moves to another node nothing new starts.",
};
const VERSIONS: About = About {
    id: "kubernetes.versions",
    title: "Versions",
    why: "Two versions of the gate may read an image in two ways, and an old API server does not know all that the webhooks say.",
};
/// `matchConditions` are on since then.
const OLDEST: (u64, u64) = (1, 28);

pub(super) fn checks(observed: &Observed, hooks: &[Hook<'_>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut wanted = BTreeSet::new();
    for hook in hooks {
        let text = |key| hook.service().and_then(|service| service.get(key)).and_then(Value::as_str);
        let port = hook.service().and_then(|service| service.get("port")).and_then(Value::as_u64).unwrap_or(443);
        wanted.extend(text("name").map(|name| (name, port)));
    }
    for (name, port) in wanted {
        checks.push(service(observed, name, port));
        if let Ok(Some(service)) = find(&observed.services, name) {
            checks.push(replicas(observed, service));
        }
    }
    checks.push(server(observed));
    checks.extend(gates(observed));
    checks
}

fn find<'a>(list: &'a Result<Vec<Value>, String>, name: &str) -> Result<Option<&'a Value>, String> {
    let list = list.as_ref().map_err(Clone::clone)?;
    Ok(list.iter().find(|one| one.pointer("/metadata/name").and_then(Value::as_str) == Some(name)))
}

fn service(observed: &Observed, name: &str, port: u64) -> Check {
    let subject = Some(name);
    let found = match find(&observed.services, name) {
        Err(why) => return SERVICE.unknown(subject, why, LOOK),
        Ok(None) => {
            return SERVICE.problem(
                subject,
                format!("there is no Service {name} in {}", observed.gate.namespace),
                "Install the chart again, or take the webhooks away: they ask a Service that is not there.",
            );
        }
        Ok(Some(found)) => found,
    };
    let ports = found.pointer("/spec/ports").and_then(Value::as_array);
    if !ports.is_some_and(|ports| ports.iter().any(|one| one.get("port").and_then(Value::as_u64) == Some(port))) {
        let what = format!("it has no port {port}, which the webhooks ask");
        return SERVICE.problem(subject, what, "Install the chart again: Service and webhooks name the same port.");
    }
    let slices = match &observed.slices {
        Ok(slices) => slices,
        Err(why) => return SERVICE.unknown(subject, why.clone(), LOOK),
    };
    let of = |slice: &&Value| {
        slice.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str) == subject
    };
    let endpoints = slices.iter().filter(of).filter_map(|slice| slice.get("endpoints")?.as_array()).flatten();
    let (ready, all) = endpoints.fold((0, 0), |(ready, all), one| {
        // Not said means ready.
        let is_ready = one.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
        (ready + usize::from(is_ready), all + 1)
    });
    match (ready, all) {
        (0, 0) => SERVICE.problem(
            subject,
            "nothing is behind it",
            &format!(
                "Look at the Deployment and its pods: `kubectl -n {} get deployment,replicaset,pods`, and at their events.",
                observed.gate.namespace
            ),
        ),
        (0, all) => SERVICE.problem(
            subject,
            format!("none of {all} behind it is ready"),
            "Look at the log of the pods, and at `/readyz`: it says what is missing, usually the database.",
        ),
        (ready, all) => SERVICE.ok(subject, format!("{ready} of {all} ready")),
    }
}

fn replicas(observed: &Observed, service: &Value) -> Check {
    let name = service.pointer("/metadata/name").and_then(Value::as_str);
    let selector = service.pointer("/spec/selector").map(|labels| serde_json::json!({ "matchLabels": labels }));
    let Some(selector) = selector.filter(|_| service.pointer("/spec/selector").is_some_and(Value::is_object)) else {
        return REPLICAS.unknown(name, "the Service chooses no pods", "Look at what stands behind it by hand.");
    };
    let deployments = match &observed.deployments {
        Ok(list) => list,
        Err(why) => return REPLICAS.unknown(name, why.clone(), LOOK),
    };
    let labels = |one: &Value| one.pointer("/spec/template/metadata/labels").cloned();
    let behind: Vec<&Value> =
        deployments.iter().filter(|one| chooses(Some(&selector), labels(one).as_ref()) == Ok(true)).collect();
    let [deployment] = behind.as_slice() else {
        let what = format!("{} Deployments make pods for it", behind.len());
        return REPLICAS.warning(
            name,
            what,
            "One Deployment stands behind the Service of the chart; look at the others.",
        );
    };
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_u64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let available = number("/status/availableReplicas").unwrap_or(0);
    if wanted < 2 {
        return REPLICAS.warning(
            name,
            format!("{wanted}"),
            "Set `replicas` to 2 or more, which needs `database.kind: postgresql`.",
        );
    }
    let budgets = match &observed.budgets {
        Ok(list) => list,
        Err(why) => return REPLICAS.unknown(name, why.clone(), LOOK),
    };
    let is_kept =
        budgets.iter().any(|one| chooses(one.pointer("/spec/selector"), labels(deployment).as_ref()) == Ok(true));
    if !is_kept {
        return REPLICAS.warning(
            name,
            format!("{wanted}, and no PodDisruptionBudget: a drain of nodes may end all of them at once"),
            "Set `podDisruptionBudget.enabled: true` in the values of the chart.",
        );
    }
    if available < wanted {
        let what = format!("{available} of {wanted} available");
        return REPLICAS.warning(name, what, "Look at the pods that are not: their events and their log say why.");
    }
    REPLICAS.ok(name, format!("{wanted}, with a PodDisruptionBudget"))
}

fn server(observed: &Observed) -> Check {
    let subject = Some("API server");
    let version = match &observed.server {
        Ok(version) => version,
        Err(why) => return VERSIONS.unknown(subject, why.clone(), LOOK),
    };
    let number = |key: &str| {
        let text = version.get(key).and_then(Value::as_str).unwrap_or("");
        text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()
    };
    match (number("major"), number("minor")) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => VERSIONS.ok(subject, format!("{major}.{minor}")),
        (Some(major), Some(minor)) => VERSIONS.problem(
            subject,
            format!("{major}.{minor} is older than {}.{}: it passes over `matchConditions`", OLDEST.0, OLDEST.1),
            "Update the cluster.",
        ),
        _ => VERSIONS.unknown(subject, "it does not say its version", "Look at `kubectl version`."),
    }
}

/// The images of the gate's pods, and what the chart calls its version.
fn gates(observed: &Observed) -> Option<Check> {
    let subject = Some("ecr-gate");
    let pods = match &observed.pods {
        Ok(pods) => pods,
        Err(why) => return Some(VERSIONS.unknown(subject, why.clone(), LOOK)),
    };
    let label = |pod: &Value, name: &str| pod.get("metadata")?.get("labels")?.get(name)?.as_str().map(str::to_owned);
    let ours: Vec<&Value> =
        pods.iter().filter(|pod| label(pod, "app.kubernetes.io/name").as_deref() == Some("ecr-gate")).collect();
    let images = ours.iter().filter_map(|pod| pod.pointer("/spec/containers/0/image")?.as_str());
    let images: BTreeSet<&str> = images.collect();
    let versions: BTreeSet<String> = ours.iter().filter_map(|pod| label(pod, "app.kubernetes.io/version")).collect();
    if ours.is_empty() {
        return None;
    }
    if images.len() > 1 {
        let list: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        return Some(VERSIONS.warning(
            subject,
            format!("its pods run {}", names(&list)),
            "While an update goes on that passes; else look at `kubectl rollout status`.",
        ));
    }
    let list: Vec<String> = versions.iter().cloned().collect();
    Some(match versions.iter().all(|version| version == observed.version) {
        true if !versions.is_empty() => VERSIONS.ok(subject, names(&list)),
        true => VERSIONS.unknown(subject, "its pods do not say their version", "Look at the image they run."),
        false => VERSIONS.warning(
            subject,
            format!("it is {} in the cluster, and this is {}", names(&list), observed.version),
            "Look with the version of the cluster: what is right there may have changed since.",
        ),
    })
}
