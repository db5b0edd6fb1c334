//! The keys of a `config` rule: what an image's configuration must be (B16).
//! Every key that is left out asks nothing.

mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::sbom::not_empty;
pub(crate) use values::{IdRange, Pattern, PortRange, Size};

/// What an image's configuration must be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// `true`: the user that the image sets is not root. A user name passes, although nothing proves that it is not
    /// root's; Kubernetes' `runAsNonRoot` accepts numbers only.
    pub(crate) non_root: Option<bool>,
    /// The user must be a number in one of these ranges, such as `1000-65534` or `10001`.
    pub(crate) user_ids: Option<Vec<IdRange>>,
    /// `resolvable`: what the image runs is in its layers, executable, for its architecture, with its interpreter.
    pub(crate) entrypoint: Option<EntrypointRule>,
    /// Which ports the image may declare (`EXPOSE`).
    pub(crate) ports: Option<Ports>,
    /// Labels of the configuration, or annotations of the manifest of the same name.
    pub(crate) labels: Option<Labels>,
    /// `true`: nothing that looks like a secret is in environment, history or labels.
    pub(crate) no_secrets: Option<bool>,
    /// Architectures that are allowed, such as `amd64`, `arm64`, `arm/v7`.
    pub(crate) architectures: Option<Vec<Architecture>>,
    /// How large all layers may be together, compressed: `500MiB`.
    pub(crate) max_size: Option<Size>,
    /// How many layers it may have.
    pub(crate) max_layers: Option<u32>,
}

/// What must be true of the entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EntrypointRule {
    /// It can be run.
    Resolvable,
}

/// An architecture, with its variant after a `/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Architecture(pub(crate) String);

/// Which ports may be declared: `8080/tcp`, `8000-9000/tcp`; without a protocol, every protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Ports {
    /// The only ports that are allowed; an empty list allows none.
    pub(crate) allow: Option<Vec<PortRange>>,
    /// Ports that are not allowed, although `allow` may hold them.
    pub(crate) deny: Option<Vec<PortRange>>,
}

/// What labels must be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Labels {
    /// Labels that must be there with a value.
    pub(crate) required: Option<Vec<String>>,
    /// Labels that must be there with a value of this pattern: `*` within a part, `**` over parts.
    #[serde(rename = "match")]
    pub(crate) matches: Option<BTreeMap<String, Pattern>>,
}

impl Config {
    /// True if what the layers hold has to be read.
    pub(crate) fn needs_contents(&self) -> bool {
        self.entrypoint.is_some()
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        let leave_out = "leave the key out where it asks nothing";
        for (key, value) in [("nonRoot", self.non_root), ("noSecrets", self.no_secrets)] {
            if value == Some(false) {
                return Err((format!("rule {rule:?}: `config.{key}: false` asks nothing"), leave_out));
            }
        }
        not_empty(rule, "config.userIds", self.user_ids.as_deref(), "name a range such as 1000-65534")?;
        not_empty(rule, "config.architectures", self.architectures.as_deref(), "name one, such as amd64")?;
        if self.max_layers == Some(0) {
            return Err((format!("rule {rule:?}: `config.maxLayers: 0` allows no image"), "images have layers"));
        }
        if let Some(ports) = &self.ports {
            if ports.allow.is_none() && ports.deny.is_none() {
                return Err((format!("rule {rule:?}: `config.ports` asks nothing"), "give it `allow` or `deny`"));
            }
            not_empty(rule, "config.ports.deny", ports.deny.as_deref(), "name a port such as 22/tcp")?;
        }
        if let Some(labels) = &self.labels {
            let none = labels.matches.as_ref().is_none_or(BTreeMap::is_empty);
            if labels.required.as_ref().is_none_or(Vec::is_empty) && none {
                return Err((format!("rule {rule:?}: `config.labels` asks nothing"), "give it `required` or `match`"));
            }
            let names = labels.required.iter().flatten().chain(labels.matches.iter().flat_map(BTreeMap::keys));
            if names.into_iter().any(|name| name.trim().is_empty()) {
                return Err((format!("rule {rule:?}: `config.labels` has an empty name"), "name the label"));
            }
        }
        if self.asks_nothing() {
            return Err((format!("rule {rule:?}: `config` asks nothing"), "give it a key, such as `nonRoot: true`"));
        }
        Ok(())
    }

    fn asks_nothing(&self) -> bool {
        let Self { non_root, user_ids, entrypoint, ports, labels, no_secrets, architectures, max_size, max_layers } =
            self;
        let asked = [
            non_root.is_some(),
            user_ids.is_some(),
            entrypoint.is_some(),
            ports.is_some(),
            labels.is_some(),
            no_secrets.is_some(),
            architectures.is_some(),
            max_size.is_some(),
            max_layers.is_some(),
        ];
        !asked.contains(&true)
    }
}
