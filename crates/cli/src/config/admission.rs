//! Kubernetes admission, as the configuration says it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Time, Tls};

/// Kubernetes admission: reviews are answered on a port of their own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Admission {
    /// Where to listen: address and port. Beyond loopback only with a certificate.
    pub listen: String,
    /// How answers, overrides and the inventory call the cluster.
    pub cluster: String,
    /// The certificate of this port; that of `tls` if it is left out.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The authorities of API servers, in PEM form: only who shows a certificate of theirs is answered. None: everybody who reaches the port.
    #[serde(default)]
    pub client_ca: Vec<PathBuf>,
    /// Which environment a namespace is: the first entry that fits. The rest is `production`.
    #[serde(default)]
    pub namespaces: Vec<NamespaceEntry>,
    /// Which kinds of objects get digests in the place of tags; `pods` if it is left out.
    #[serde(default)]
    pub tags: Tags,
    /// The gate's own images: what starts the gate cannot wait for it.
    #[serde(default, rename = "self")]
    pub own: Option<Own>,
    /// Kinds of objects besides those of Kubernetes itself, and where their images are.
    #[serde(default)]
    pub kinds: Vec<KindEntry>,
    /// Who may ask for an override with the write of a workload; nobody if it is left out.
    #[serde(default)]
    pub break_glass: Option<BreakGlass>,
    /// Users whose word about what controls an object is believed; the controllers of Kubernetes if it is left out.
    #[serde(default)]
    pub controllers: Option<Vec<String>>,
    /// How many reviews are worked on at the same time; 512 if it is left out. More wait, as long as the API server does.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub concurrency: Option<usize>,
}

/// Namespaces, and their environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NamespaceEntry {
    /// Their names; `*` stands for anything.
    pub names: Vec<String>,
    /// The environment, as `spec.environments` of a policy declares it.
    pub environment: String,
}

/// Which kinds of objects get digests in the place of tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tags {
    /// None: whoever writes a tag is denied.
    Off,
    /// Pods alone: what is kept elsewhere stays as it is written.
    #[default]
    Pods,
    /// All.
    All,
}

/// The gate's own images.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Own {
    /// Where they run.
    pub namespace: String,
    /// The images, by digest.
    pub images: Vec<String>,
}

/// A kind of objects. It has either `podSpec` or `images`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct KindEntry {
    /// Its group.
    #[serde(default)]
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// The JSON pointer to what is as the `spec` of a pod; `*` is every element of a list.
    #[serde(default)]
    pub pod_spec: Option<String>,
    /// JSON pointers to the images themselves; `*` is every element of a list.
    #[serde(default)]
    pub images: Vec<String>,
    /// Objects with nothing at any of these places hold no images, such as a Rollout with a `workloadRef`. Else they are denied.
    #[serde(default)]
    pub optional: bool,
}

/// Who may ask for an override with the write of a workload.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BreakGlass {
    /// Users; `*` stands for anything.
    #[serde(default)]
    pub users: Vec<String>,
    /// Groups; `*` stands for anything.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The longest time.
    pub longest: Time,
}
