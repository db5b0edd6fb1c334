//! Fetching what is looked at. What cannot be fetched is kept as the reason why; only a cluster that is not there at all is an error.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use serde_json::{Value, json};

use super::hooks::{self, Webhook};
use super::{Certificate, Gate, Look, Observed, Probe};
use crate::client::{Cluster, ClusterError};
use crate::selector::chooses;

/// An image that nobody has: the name ends in `.invalid`.
const NOBODYS: &str =
    "doctor.ecr-gate.invalid/trial@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Fetches everything. `tries` is whether a pod is tried too.
///
/// # Errors
/// The cluster cannot be reached, or does not know who asks.
pub async fn fetch(
    cluster: &Cluster,
    gate: Gate,
    version: &'static str,
    tries: bool,
    now: Timestamp,
) -> Result<Observed, ClusterError> {
    let server = match cluster.get("/version").await {
        Ok(found) => found.ok_or_else(|| "there is no /version".to_owned()),
        Err(error @ (ClusterError::Unreachable(_) | ClusterError::Configuration(_))) => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    let list = async |path: String| cluster.list(&path).await.map_err(|error| error.to_string());
    let hooks = "/apis/admissionregistration.k8s.io/v1";
    let validating = list(format!("{hooks}/validatingwebhookconfigurations")).await;
    let mutating = list(format!("{hooks}/mutatingwebhookconfigurations")).await;
    let namespaces = list("/api/v1/namespaces".to_owned()).await;
    let of = |group: &str, kind: &str| format!("{group}/namespaces/{}/{kind}", gate.namespace);
    let deployments = list(of("/apis/apps/v1", "deployments")).await;
    let services = list(of("/api/v1", "services")).await;
    let mut certificates = BTreeMap::new();
    for name in secrets(&deployments, &selectors(&services, &validating, &gate)) {
        let certificate = certificate(cluster, &format!("{}/{name}", of("/api/v1", "secrets"))).await;
        certificates.insert(name, certificate);
    }
    let mut observed = Observed {
        now,
        version,
        server,
        validating,
        mutating,
        namespaces,
        services,
        slices: list(of("/apis/discovery.k8s.io/v1", "endpointslices")).await,
        deployments,
        pods: list(of("/api/v1", "pods")).await,
        budgets: list(of("/apis/policy/v1", "poddisruptionbudgets")).await,
        settings: list(of("/api/v1", "configmaps")).await,
        certificates,
        gate,
        probe: Probe::NotTried("it was not wanted".to_owned()),
    };
    if tries {
        observed.probe = probe(cluster, &observed).await;
    }
    Ok(observed)
}

/// How the Services that webhooks ask choose their pods.
fn selectors(services: &Look<Vec<Value>>, validating: &Look<Vec<Value>>, gate: &Gate) -> Vec<Value> {
    let hooks = hooks::of(validating, Webhook::Validating, gate);
    let names: BTreeSet<&str> = hooks.iter().filter_map(|hook| hook.service()?.get("name")?.as_str()).collect();
    let services = services.as_deref().unwrap_or(&[]).iter();
    let asked = services
        .filter(|one| one.pointer("/metadata/name").and_then(Value::as_str).is_some_and(|name| names.contains(name)));
    asked.filter_map(|one| Some(json!({ "matchLabels": one.pointer("/spec/selector")? }))).collect()
}

/// The Secrets that Deployments behind these Services mount a `tls.crt` of; without any Service, all.
fn secrets(deployments: &Look<Vec<Value>>, selectors: &[Value]) -> BTreeSet<String> {
    let is_behind = |one: &&Value| {
        let labels = one.pointer("/spec/template/metadata/labels");
        selectors.is_empty() || selectors.iter().any(|selector| chooses(Some(selector), labels) == Ok(true))
    };
    let list: Vec<&Value> = deployments.as_deref().unwrap_or(&[]).iter().filter(is_behind).collect();
    let volumes = list.iter().filter_map(|one| one.pointer("/spec/template/spec/volumes")?.as_array()).flatten();
    let sources = volumes.flat_map(|volume| {
        let projected = volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
        let projected = projected.filter_map(|source| source.get("secret"));
        projected.chain(volume.get("secret"))
    });
    let named = sources.filter_map(|secret| {
        let name = secret.get("name").or_else(|| secret.get("secretName"))?.as_str()?;
        let items = secret.get("items").and_then(Value::as_array);
        let has = items
            .is_some_and(|items| items.iter().any(|item| item.get("key").and_then(Value::as_str) == Some("tls.crt")));
        has.then(|| name.to_owned())
    });
    named.collect()
}

/// The certificate of a Secret, as it stands there. Its key is let go of at once.
async fn certificate(cluster: &Cluster, path: &str) -> Look<Certificate> {
    let Some(secret) = cluster.get(path).await.map_err(|error| error.to_string())? else {
        return Ok(Certificate::NoSecret);
    };
    let certificate = secret.pointer("/data/tls.crt").and_then(Value::as_str);
    Ok(certificate.map_or(Certificate::Empty, |pem| Certificate::Found(pem.to_owned())))
}

async fn probe(cluster: &Cluster, observed: &Observed) -> Probe {
    let hooks = hooks::of(&observed.validating, Webhook::Validating, &observed.gate);
    let namespaces = observed.namespaces.as_deref().unwrap_or(&[]);
    let name = |one: &Value| one.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("").to_owned();
    let is_asked_about = |one: &&Value| {
        let is_there = one.pointer("/status/phase").and_then(Value::as_str) != Some("Terminating");
        is_there
            && !name(one).starts_with("kube-")
            && hooks
                .iter()
                .any(|hook| chooses(hook.value.get("namespaceSelector"), one.pointer("/metadata/labels")) == Ok(true))
    };
    let chosen = namespaces.iter().filter(is_asked_about).map(name);
    let Some(namespace) = chosen.min_by_key(|name| (name != "default", name.clone())) else {
        return Probe::NotTried("there is no namespace that the gate is asked about".to_owned());
    };
    let security = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 65_534, "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    let limits = json!({ "cpu": "10m", "memory": "16Mi" });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "ecr-gate-doctor-" },
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "trial", "image": NOBODYS, "securityContext": security,
                "resources": { "limits": limits, "requests": limits },
            }],
        },
    });
    match cluster.create(&format!("/api/v1/namespaces/{namespace}/pods?dryRun=All"), &pod).await {
        Ok(_) => Probe::Admitted(namespace),
        Err(ClusterError::Status { message, .. }) => Probe::Refused(message),
        Err(error) => Probe::NotTried(error.to_string()),
    }
}
