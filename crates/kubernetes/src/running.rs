//! What runs in a cluster: each container of each pod, with the image as it was written and the digest that the node runs; and each volume that is an image.

use serde_json::Value;

use crate::client::{Cluster, ClusterError};

/// One container that runs, or ran in a pod that is still there; or one volume of a pod that is an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// What controls it, by kind and name; else the pod itself.
    pub workload: String,
    /// The container's name, or that of the volume.
    pub name: String,
    /// It is a volume.
    pub is_volume: bool,
    /// The image as it is written.
    pub image: String,
    /// The digest that the node runs; else why that is not known. Of a volume it is the one that is written: no node says which it took.
    pub digest: Result<String, &'static str>,
    /// It waits for its first start, and nothing of it ever ran.
    pub is_waiting: bool,
    /// When the node looks for the image anew.
    pub pull: Pull,
}

/// When a node looks for an image in its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// Each time.
    Always,
    /// If it has none, or never: whoever is on the node gets what is there.
    Cached,
}

/// Everything that runs in one namespace or, without one, in all.
///
/// # Errors
/// It cannot be listed whole.
pub async fn running(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Running>, ClusterError> {
    let path = namespace.map_or_else(|| "/api/v1/pods".to_owned(), |name| format!("/api/v1/namespaces/{name}/pods"));
    Ok(cluster.list_as(&path, |pod| containers(&pod)).await?.into_iter().flatten().collect())
}

/// The containers of a pod that run, or may start again, and its volumes that are images. A pod that is over starts no more.
pub fn containers(pod: &Value) -> Vec<Running> {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    if matches!(text("/status/phase"), "Succeeded" | "Failed") {
        return Vec::new();
    }
    let pod_name = text("/metadata/name");
    let workload = workload(pod).unwrap_or_else(|| format!("Pod/{pod_name}"));
    let of = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let running = |name: String, image: String, policy: Option<&str>| Running {
        namespace: text("/metadata/namespace").to_owned(),
        pod: pod_name.to_owned(),
        workload: workload.clone(),
        name,
        is_volume: false,
        digest: Err("it was not looked at"),
        is_waiting: false,
        pull: pull(policy, &image),
        image,
    };
    let kinds = [
        ("/spec/initContainers", "/status/initContainerStatuses"),
        ("/spec/containers", "/status/containerStatuses"),
        ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses"),
    ];
    let mut found = Vec::new();
    for (specs, statuses) in kinds {
        let statuses = pod.pointer(statuses).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for spec in pod.pointer(specs).and_then(Value::as_array).into_iter().flatten() {
            let container = of(spec, "name").unwrap_or_else(String::new);
            let status = statuses.iter().find(|status| of(status, "name").as_ref() == Some(&container));
            let image = of(spec, "image").unwrap_or_else(String::new);
            let policy = spec.get("imagePullPolicy").and_then(Value::as_str);
            found.push(Running {
                digest: digest(status),
                is_waiting: status.is_some_and(is_waiting),
                ..running(container, image, policy)
            });
        }
    }
    // Volumes are there before the first container starts: where none ever did, nothing uses them yet.
    let waits = !found.is_empty() && found.iter().all(|one| one.is_waiting);
    for volume in pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten() {
        let Some(source) = volume.get("image").filter(|source| !source.is_null()) else { continue };
        let image = of(source, "reference").unwrap_or_else(String::new);
        let policy = source.get("pullPolicy").and_then(Value::as_str);
        found.push(Running {
            is_volume: true,
            digest: written(&image).ok_or("no node says which manifest of it a volume is"),
            is_waiting: waits,
            ..running(of(volume, "name").unwrap_or_else(String::new), image, policy)
        });
    }
    found
}

/// What controls a pod.
fn workload(pod: &Value) -> Option<String> {
    let owners = pod.pointer("/metadata/ownerReferences")?.as_array()?;
    let one = owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
    Some(format!("{}/{}", one.get("kind")?.as_str()?, one.get("name")?.as_str()?))
}

/// `docker-pullable://host/name@sha256:…`, `host/name@sha256:…`: the digest of the manifest that was pulled. A bare `sha256:…` is the id of an image that was
/// never pulled by digest, and no digest of a manifest.
fn digest(status: Option<&Value>) -> Result<String, &'static str> {
    let Some(status) = status else { return Err("it has not started") };
    let id = status.get("imageID").and_then(Value::as_str).unwrap_or("");
    if id.is_empty() {
        return Err("it has not started");
    }
    written(id).ok_or("the node does not say which manifest it runs: the image was loaded there, or built")
}

/// The digest in the name of an image.
fn written(image: &str) -> Option<String> {
    let (_, digest) = image.rsplit_once('@')?;
    (digest.starts_with("sha256:") || digest.starts_with("sha512:")).then(|| digest.to_owned())
}

/// Whether a container has never started: it waits, names no image that it runs, and none that it ran. Anything else is not known.
fn is_waiting(status: &Value) -> bool {
    let state = status.get("state").and_then(Value::as_object);
    let waits = state.is_some_and(|state| {
        state.get("waiting").is_some_and(Value::is_object)
            && state.iter().all(|(key, value)| key == "waiting" || value.is_null())
    });
    let is_nothing = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(parts)) => parts.values().all(Value::is_null),
        Some(_) => false,
    };
    let has_no_image = matches!(status.get("imageID"), None | Some(Value::Null))
        || status.get("imageID").and_then(Value::as_str) == Some("");
    let never_ran = status.get("restartCount").is_none_or(|count| count.as_u64() == Some(0));
    waits && has_no_image && never_ran && is_nothing(status.get("lastState"))
}

/// As the API server fills in what is not written.
fn pull(policy: Option<&str>, image: &str) -> Pull {
    match policy {
        Some("Always") => Pull::Always,
        Some(_) => Pull::Cached,
        None => {
            let name = image.rsplit('/').next().unwrap_or(image);
            let is_latest = !image.contains('@') && (!name.contains(':') || name.ends_with(":latest"));
            if is_latest { Pull::Always } else { Pull::Cached }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d7_each_container_is_found_with_what_the_node_runs() {
        let one = format!("sha256:{}", "1".repeat(64));
        let pod = json!({
            "metadata": { "namespace": "shop", "name": "web-1", "ownerReferences": [
                { "kind": "Other", "name": "x" }, { "kind": "ReplicaSet", "name": "web", "controller": true }] },
            "spec": {
                "initContainers": [{ "name": "migrate", "image": "host/migrate:1", "imagePullPolicy": "IfNotPresent" }],
                "containers": [{ "name": "web", "image": "host/web:2", "imagePullPolicy": "Always" }, { "name": "side", "image": "host/side" }],
                "ephemeralContainers": [{ "name": "debug", "image": "host/tools:1" }],
            },
            "status": {
                "phase": "Running",
                "initContainerStatuses": [{ "name": "migrate", "imageID": format!("host/migrate@{one}") }],
                "containerStatuses": [
                    { "name": "web", "imageID": format!("docker-pullable://host/web@{one}") }, { "name": "side", "imageID": one }],
            },
        });
        let found = containers(&pod);
        let short: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.digest.is_ok(), one.pull)).collect();
        assert_eq!(
            short,
            [
                ("migrate", true, Pull::Cached),
                ("web", true, Pull::Always),
                ("side", false, Pull::Always),
                ("debug", false, Pull::Cached),
            ]
        );
        assert!(found.iter().all(|one| one.workload == "ReplicaSet/web" && one.namespace == "shop"));
        assert_eq!(found[1].digest.as_deref(), Ok(one.as_str()));
        assert!(found.iter().all(|one| !one.is_waiting));
        let mut over = pod;
        over["status"]["phase"] = json!("Succeeded");
        assert!(containers(&over).is_empty());
    }

    #[test]
    fn d7_volumes_that_are_images_are_found_with_the_digest_that_is_written() {
        let one = format!("sha256:{}", "1".repeat(64));
        let status = |state: Value| json!([{ "name": "web", "imageID": "", "state": state }]);
        let waiting = status(json!({ "waiting": { "reason": "ContainerCreating" } }));
        let mut pod = json!({
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": {
                "containers": [{ "name": "web", "image": "host/web:2" }],
                "volumes": [
                    { "name": "data", "emptyDir": {} },
                    { "name": "none", "image": null },
                    { "name": "model", "image": { "reference": format!("host/model:1@{one}"), "pullPolicy": "Always" } },
                    { "name": "rules", "image": { "reference": "host/rules:1" } },
                    { "name": "later", "image": {} },
                ],
            },
            "status": { "phase": "Pending", "containerStatuses": waiting },
        });
        let volumes = |pod: &Value| containers(pod).into_iter().filter(|one| one.is_volume).collect::<Vec<_>>();
        let found = volumes(&pod);
        let short: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.digest.clone().ok(), one.pull)).collect();
        assert_eq!(
            short,
            [("model", Some(one), Pull::Always), ("rules", None, Pull::Cached), ("later", None, Pull::Always)]
        );
        assert!(found.iter().all(|one| one.is_waiting && one.workload == "Pod/web"));
        // One container that may have run is enough, and so is a pod of which nobody says anything.
        for statuses in [status(json!({ "running": {} })), json!([])] {
            pod["status"]["containerStatuses"] = statuses;
            assert!(volumes(&pod).iter().all(|one| !one.is_waiting));
        }
    }

    #[test]
    fn d7_only_what_waits_and_never_ran_has_not_started() {
        let waiting = json!({ "waiting": { "reason": "ErrImagePull" } });
        let id = format!("host/web@sha256:{}", "1".repeat(64));
        for (status, is) in [
            (json!({ "imageID": "", "state": waiting, "restartCount": 0, "lastState": {} }), true),
            (json!({ "state": waiting }), true),
            (json!({ "imageID": id, "state": waiting }), false),
            (json!({ "imageID": "", "state": waiting, "restartCount": 1 }), false),
            (json!({ "imageID": "", "state": waiting, "lastState": { "terminated": { "exitCode": 1 } } }), false),
            (json!({ "imageID": "", "state": { "running": {} } }), false),
            (json!({ "imageID": "", "state": { "waiting": {}, "running": {} } }), false),
            (json!({ "imageID": "", "state": { "terminated": {} } }), false),
            (json!({ "imageID": "", "state": {} }), false),
            (json!({ "imageID": 1, "state": waiting }), false),
            (json!({ "imageID": "" }), false),
        ] {
            let mut status = status;
            status["name"] = json!("web");
            let pod = json!({
                "metadata": { "namespace": "shop", "name": "web" },
                "spec": { "containers": [{ "name": "web", "image": "host/web:1" }] },
                "status": { "phase": "Pending", "containerStatuses": [status] },
            });
            assert_eq!(containers(&pod)[0].is_waiting, is, "{status}");
        }
        // A pod of which no node says anything is not known.
        let bare = json!({ "spec": { "containers": [{ "name": "web", "image": "host/web:1" }] }, "status": { "phase": "Pending" } });
        assert!(!containers(&bare)[0].is_waiting);
    }
}
