//! An image's configuration and what its layers hold, as far as rules ask about it. Source: OCI image-spec `config.md`
//! and `manifest.md`. Values of environment variables are not kept: they may be secrets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// The configuration of an image and what its manifest says about its layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImageConfig {
    /// Digest of the configuration: the image id of `docker images`.
    pub id: Digest,
    /// Operating system, architecture, variant.
    pub platform: Platform,
    /// When it was built, as the builder says; reproducible builds write a fixed date.
    pub created: Option<Timestamp>,
    /// `User`, as it stands; empty is root.
    pub user: String,
    /// `Entrypoint`
    pub entrypoint: Vec<String>,
    /// `Cmd`
    pub command: Vec<String>,
    /// `WorkingDir`
    pub working_dir: String,
    /// The folders of `PATH`; empty if it is not set.
    pub path: Vec<String>,
    /// Names of the environment variables, in their order.
    pub variables: Vec<String>,
    /// `ExposedPorts`, such as `8080/tcp`, sorted.
    pub ports: Vec<String>,
    /// Labels of the configuration.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// `rootfs.diff_ids`, lowest first.
    pub diff_ids: Vec<Digest>,
    /// What looks like a secret.
    pub secrets: Vec<Secret>,
    /// The base image, if annotations or labels name it.
    pub base: Option<BaseImage>,
}

impl ImageConfig {
    /// Compressed size of all layers in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size_bytes))
    }

    /// A label, or the annotation of the same name.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).or_else(|| self.annotations.get(name)).map(String::as_str)
    }
}

/// A layer as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Layer {
    /// Digest of the compressed bytes.
    pub digest: Digest,
    /// Media type.
    pub media_type: String,
    /// Compressed size in bytes.
    pub size_bytes: u64,
}

/// Something that looks like a secret. The value itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Secret {
    /// Where: `environment variable DB_PASSWORD`, `history entry 4`, `label x`.
    pub place: String,
    /// What it looks like: `AWS access key id`, `private key`.
    pub kind: String,
}

/// The image another one was built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BaseImage {
    /// Its name, such as `docker.io/library/debian:12-slim`.
    pub name: Option<String>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Where that is said: `annotation`, `label`.
    pub said_by: String,
}

/// An approved base image as its registry has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KnownBase {
    /// Digest of its manifest; for an index, of the manifest for the judged platform.
    pub digest: Digest,
    /// Digest of the index it is in, if it is in one.
    pub index: Option<Digest>,
    /// Its layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// When it was built.
    pub created: Option<Timestamp>,
}

/// What the layers hold, after whiteouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Contents {
    /// `ID` and `VERSION_ID` of `/etc/os-release`.
    pub os: Option<OsRelease>,
    /// The package databases found, such as `dpkg`, `dpkg status.d`, `apk`, `rpm sqlite`.
    pub databases: Vec<String>,
    /// The packages of all of them, sorted.
    pub packages: Vec<OsPackage>,
    /// Packages that dpkg removed and whose configuration stayed, sorted: not there, but some tools list them.
    pub removed: Vec<OsPackage>,
    /// Package databases that are there and cannot be read (older rpm formats). If this is not empty, `packages` is not
    /// the whole truth.
    pub unreadable: Vec<String>,
    /// What became of the entrypoint.
    pub entrypoint: Entrypoint,
}

/// `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OsRelease {
    /// `ID`: `debian`, `alpine`, `rhel`.
    pub id: String,
    /// `VERSION_ID`; empty if it is not there.
    pub version: String,
}

/// An installed package of the operating system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OsPackage {
    /// `deb`, `apk`, `rpm`: the purl type.
    pub kind: String,
    /// The package's name.
    pub name: String,
    /// Its version as the database writes it; for rpm `[epoch:]version-release`.
    pub version: String,
    /// Its architecture; empty if the database does not say.
    pub architecture: String,
}

impl OsPackage {
    /// False for what stands in a database and holds nothing.
    pub fn is_installed(&self) -> bool {
        holds_something(&self.kind, &self.name)
    }
}

/// Databases list what is no package: the keys in rpm's, and the virtual packages of apk.
pub(crate) fn holds_something(kind: &str, name: &str) -> bool {
    match kind {
        "rpm" => name != "gpg-pubkey",
        "apk" => !name.starts_with('.'),
        _ => true,
    }
}

/// Whether what the image would run is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "is", content = "detail")]
pub enum Entrypoint {
    /// There and fit to run: its path in the image.
    Resolved(String),
    /// Neither `Entrypoint` nor `Cmd` is set.
    NotSet,
    /// No such file, with the name that was looked for.
    Missing(String),
    /// The file is not executable.
    NotExecutable(String),
    /// It is for another architecture: what was found.
    WrongArchitecture(String),
    /// Its interpreter (`#!` or ELF `PT_INTERP`) is not there.
    InterpreterMissing(String),
    /// It cannot be told, and why.
    NotDecidable(String),
}
