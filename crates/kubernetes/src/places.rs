//! Which environment a namespace is, as the webhooks of a cluster say it: each that chooses the namespace asks for one.

use serde_json::Value;

use crate::client::{Cluster, ClusterError};
use crate::doctor::{Gate, Hook, Webhook, hooks_of, strangers};
use crate::selector::chooses;

/// The webhooks that validate, and the namespaces with their labels.
#[derive(Debug)]
pub struct Places {
    gate: Gate,
    validating: Result<Vec<Value>, String>,
    namespaces: Vec<Value>,
}

impl Places {
    /// Fetches them. Without the right to read webhooks the gate's configuration alone says it.
    ///
    /// # Errors
    /// The namespaces cannot be listed.
    pub async fn fetch(cluster: &Cluster, gate: Gate) -> Result<Self, ClusterError> {
        let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        let validating = cluster.list(path).await.map_err(|error| error.to_string());
        let namespaces = cluster.list("/api/v1/namespaces").await?;
        Ok(Self { gate, validating, namespaces })
    }

    /// The names of all namespaces.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str())
    }

    /// The environments that a namespace is asked about for: `None` is what the gate's configuration says. Nothing: no webhook asks about it.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn environments(&self, namespace: &str) -> Result<Vec<Option<String>>, String> {
        self.validating.as_ref().map_err(Clone::clone)?;
        let of = |one: &&Value| one.pointer("/metadata/name").and_then(Value::as_str) == Some(namespace);
        let found = self.namespaces.iter().find(of).ok_or_else(|| "the namespace was not listed".to_owned())?;
        let mut environments = Vec::new();
        let labels = found.pointer("/metadata/labels");
        for Hook { value, environment, .. } in hooks_of(&self.validating, Webhook::Validating, &self.gate) {
            if chooses(value.get("namespaceSelector"), labels)? {
                environments.push(environment);
            }
        }
        // Whether this is the gate, and what it says the environment is, nobody knows.
        for stranger in strangers(&self.validating, Webhook::Validating, &self.gate) {
            if environments.is_empty() && chooses(stranger.value.get("namespaceSelector"), labels)? {
                let address = stranger.address;
                return Err(format!(
                    "the webhook asks {address}; if that is the gate, say so with `--gate-url {address}`"
                ));
            }
        }
        environments.sort();
        environments.dedup();
        Ok(environments)
    }
}
