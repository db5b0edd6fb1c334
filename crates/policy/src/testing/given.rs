//! The keys of `given`: facts in few words. What is not given was not collected, and so is unknown, never absent; a list that
//! is given empty says that every place was looked at and holds none.

mod values;

use std::collections::BTreeMap;

use model::{Digest, Platform, Quantity, ReasonCode, Scanner, VexStatus, VulnerabilityId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Json;
use crate::document::{Duration, Millionths, PredicateType, Tenths};
pub(super) use values::{By, Image, Known, OfImage, PackageUrl};

/// Facts in few words. What is not given was not collected: a policy that asks for it does not pass.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Given {
    /// The image, as it is asked for. Without a digest in it one is made from the name.
    pub(super) image: Image,
    /// How long ago it was pushed, as the registry says.
    pub(super) pushed: Option<Duration>,
    /// What scanners say about it.
    pub(super) scans: Option<Vec<Scan>>,
    /// Its configuration.
    pub(super) config: Option<Config>,
    /// What its layers hold.
    pub(super) contents: Option<Contents>,
    /// Its bills of materials; `[]`: every place was looked at, and there is none.
    pub(super) sboms: Option<Vec<Sbom>>,
    /// Measurements; `[]`: every place was looked at, and there is none.
    pub(super) measurements: Option<Vec<Measurement>>,
    /// What is signed on it, which for an index is the index; `[]`: every place was looked at, and there is nothing.
    pub(super) signed: Option<Vec<Signed>>,
    /// What could not be known, and why.
    pub(super) unknown: Option<Unknown>,
    /// VEX documents.
    pub(super) vex: Option<Vec<Vex>>,
    /// Base images as their registries have them, by name.
    pub(super) bases: Option<BTreeMap<String, Base>>,
    /// When vulnerabilities were first seen in packages of the repository.
    pub(super) first_seen: Option<Vec<FirstSeen>>,
    /// Signers whose keys could not be had, and why.
    pub(super) missing_keys: Option<BTreeMap<String, ReasonCode>>,
    /// For an index: what is known about the manifest of each platform.
    pub(super) platforms: Option<BTreeMap<Platform, Manifest>>,
}

/// What is known about the manifest of one platform.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// Its digest; one is made up if nothing is said.
    #[schemars(with = "Option<String>")]
    pub(super) digest: Option<Digest>,
    /// How long ago it was pushed, as the registry says; when the index was, if nothing is said.
    pub(super) pushed: Option<Duration>,
    /// What scanners say about it.
    pub(super) scans: Option<Vec<Scan>>,
    /// Its configuration.
    pub(super) config: Option<Config>,
    /// What its layers hold.
    pub(super) contents: Option<Contents>,
    /// Its bills of materials; `[]`: every place was looked at, and there is none.
    pub(super) sboms: Option<Vec<Sbom>>,
    /// Measurements; `[]`: every place was looked at, and there is none.
    pub(super) measurements: Option<Vec<Measurement>>,
    /// What is signed on this manifest; `[]`: every place was looked at, and there is nothing.
    pub(super) signed: Option<Vec<Signed>>,
    /// What could not be known, and why.
    pub(super) unknown: Option<Unknown>,
}

/// What could not be known about a manifest, each by the reason code that says why.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Unknown {
    /// Its configuration.
    pub(super) config: Option<ReasonCode>,
    /// What its layers hold.
    pub(super) contents: Option<ReasonCode>,
    /// Its bills of materials.
    pub(super) sboms: Option<ReasonCode>,
    /// Measurements of it.
    pub(super) measurements: Option<ReasonCode>,
    /// What is signed on it.
    pub(super) signed: Option<ReasonCode>,
}

/// A scan: whole, unless `unknown` or `unproven` says otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Scan {
    /// Whose it is.
    pub(super) scanner: Scanner,
    /// The tool as it names itself, for formats that several write.
    pub(super) tool: Option<String>,
    /// How it came: `ecr` (default for the scanner ecr), `file` (default for all others), `registry`, or who signed it.
    pub(super) by: Option<By>,
    /// How old the scan and its data are; `1h` if nothing is said.
    pub(super) age: Option<Duration>,
    /// For ecr: enhanced scanning that goes on.
    pub(super) continuous: Option<bool>,
    /// What it found.
    pub(super) findings: Option<Vec<Finding>>,
    /// There is no scan, for this reason.
    pub(super) unknown: Option<ReasonCode>,
    /// The report proves no whole scan. What it found may block, and satisfies nothing.
    pub(super) unproven: Option<bool>,
}

/// A vulnerability in a package.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Finding {
    /// Its id.
    pub(super) id: VulnerabilityId,
    /// Other ids of it.
    pub(super) aliases: Option<Vec<VulnerabilityId>>,
    /// How serious it is.
    pub(super) severity: Known,
    /// The package; none is named if nothing is said.
    pub(super) package: Option<String>,
    /// The package's version.
    pub(super) version: Option<String>,
    /// The package URL, which VEX statements are compared with.
    pub(super) purl: Option<PackageUrl>,
    /// The version that fixes it.
    pub(super) fixed_in: Option<String>,
    /// The scanner says that there is no fix. Without this and `fixedIn` it does not say.
    pub(super) no_fix: Option<bool>,
    /// Whether an exploit is known; nothing: the scanner does not say.
    pub(super) exploit: Option<bool>,
    /// The CVSS score.
    #[schemars(with = "Option<f64>")]
    pub(super) cvss: Option<Tenths>,
    /// The EPSS probability.
    #[schemars(with = "Option<f64>")]
    pub(super) epss: Option<Millionths>,
    /// The scanner was told not to count it, by this.
    pub(super) suppressed: Option<String>,
}

/// The configuration of the image. What is left out is not set.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// The user; root if nothing is said.
    pub(super) user: Option<String>,
    /// `ENTRYPOINT`
    pub(super) entrypoint: Option<Vec<String>>,
    /// `CMD`
    pub(super) command: Option<Vec<String>>,
    /// The platform it is for; that of the index, or `linux/amd64`, if nothing is said.
    pub(super) platform: Option<Platform>,
    /// How long ago it was built; it does not say when, if nothing is said.
    pub(super) built: Option<Duration>,
    /// Labels.
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// Annotations of the manifest.
    pub(super) annotations: Option<BTreeMap<String, String>>,
    /// Ports it exposes, such as `8080/tcp`.
    pub(super) ports: Option<Vec<String>>,
    /// Names of environment variables.
    pub(super) variables: Option<Vec<String>>,
    /// How many layers it has; 5 if nothing is said.
    pub(super) layers: Option<u16>,
    /// The compressed size of all layers; `50MiB` if nothing is said.
    pub(super) size: Option<Quantity>,
    /// What looks like a secret in it, each by its kind: `private key`.
    pub(super) secrets: Option<Vec<String>>,
    /// The base image that it names.
    pub(super) base: Option<NamedBase>,
}

/// The base image that an image names.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NamedBase {
    /// Its name.
    pub(super) name: Option<String>,
    /// Its digest.
    #[schemars(with = "Option<String>")]
    pub(super) digest: Option<Digest>,
}

/// What the layers hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Contents {
    /// The distribution and its version: `debian 12`. None, if nothing is said.
    pub(super) os: Option<String>,
    /// The packages that the databases list.
    pub(super) packages: Option<Vec<PackageUrl>>,
    /// The package databases found; those of the packages, if nothing is said.
    pub(super) databases: Option<Vec<String>>,
    /// Package databases that are there and cannot be read.
    pub(super) unreadable: Option<Vec<String>>,
    /// What became of the entrypoint; it cannot be told, if nothing is said.
    pub(super) entrypoint: Option<Entrypoint>,
}

/// What became of the entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Entrypoint {
    /// It can be run.
    Resolved,
    /// There is none.
    NotSet,
    /// The file is not there.
    Missing,
    /// The file is not executable.
    NotExecutable,
    /// It is for another architecture.
    WrongArchitecture,
    /// It needs an interpreter that is not there.
    InterpreterMissing,
}

/// A bill of materials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Sbom {
    /// `cyclonedx` or `spdx`.
    pub(super) format: SbomFormat,
    /// How it came: `file` (default), `registry`, or who signed it.
    pub(super) by: Option<By>,
    /// What it is about; the image if nothing is said.
    pub(super) about: Option<About>,
    /// What it lists.
    pub(super) components: Option<Vec<PackageUrl>>,
    /// Licences of components.
    pub(super) licenses: Option<BTreeMap<PackageUrl, Vec<String>>>,
    /// How long ago it was made.
    pub(super) built: Option<Duration>,
}

/// The format of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SbomFormat {
    /// CycloneDX.
    CycloneDx,
    /// SPDX.
    Spdx,
}

/// What a document says that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum About {
    /// The image.
    Image,
    /// Another one.
    Other,
    /// It does not say.
    Nothing,
}

/// One metric measured in one run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Measurement {
    /// What was measured.
    pub(super) metric: String,
    /// Every sample, in order.
    #[schemars(extend("minItems" = 1))]
    pub(super) samples: Vec<Quantity>,
    /// How it came: `file` (default), `registry`, or who signed it.
    pub(super) by: Option<By>,
    /// `smoke` if nothing is said.
    pub(super) stage: Option<String>,
    /// How long ago; `1h` if nothing is said.
    pub(super) age: Option<Duration>,
    /// What was measured: `image` (default), or the digest of another one, to compare with.
    pub(super) of: Option<OfImage>,
}

/// A signature on the image, a signed statement about it, or something attached that does not verify (`refused`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Signed {
    /// Who signed: a signer of a policy (`POLICY/SIGNER` where several policies have one of this name), a keyless identity,
    /// or a key of nobody.
    pub(super) by: Option<By>,
    /// How long ago that is proven to be signed. If nothing is said: keyless, and by a signer that counted only in the past,
    /// at a moment at which the signer counted; by any other nothing proves when.
    pub(super) age: Option<Duration>,
    /// Whether a transparency log has it; if nothing is said, where the signer needs that.
    pub(super) log: Option<bool>,
    /// The type of a statement, by its URI or by a short word.
    #[serde(rename = "type")]
    pub(super) kind: Option<PredicateType>,
    /// What the statement says; `{}` if nothing is said.
    pub(super) predicate: Option<Json>,
    /// A statement of how the image was built.
    pub(super) provenance: Option<Provenance>,
    /// It does not verify, for this reason.
    pub(super) refused: Option<ReasonCode>,
}

/// How the image was built. What is left out the statement does not say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Provenance {
    /// The builder.
    pub(super) builder: Option<String>,
    /// The type of the build.
    pub(super) build_type: Option<String>,
    /// The repository of the source: `gitlab.com/acme/app`.
    pub(super) source: Option<String>,
    /// The branch or tag: `refs/heads/main`.
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<String>,
    /// The commit.
    pub(super) commit: Option<String>,
    /// The workflow.
    pub(super) workflow: Option<String>,
    /// Parameters of the build.
    pub(super) parameters: Option<BTreeMap<String, String>>,
}

/// A VEX document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Vex {
    /// How it came: `file` (default), `registry`, or who signed it.
    pub(super) by: Option<By>,
    /// Who says it, by the document.
    pub(super) author: String,
    /// What is said.
    pub(super) statements: Vec<VexStatement>,
}

/// A statement of a VEX document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VexStatement {
    /// The vulnerability.
    pub(super) vulnerability: VulnerabilityId,
    /// What is said about it.
    pub(super) status: VexStatus,
    /// Why it does not affect the product.
    pub(super) justification: Option<String>,
    /// The product: `image` (default), or a package URL.
    pub(super) product: Option<String>,
    /// How long ago it was said; it does not say when, if nothing is said.
    pub(super) age: Option<Duration>,
}

/// A base image as its registry has it; `unknown`, or what is known.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Base {
    /// Its digest; one is made up if nothing is said.
    #[schemars(with = "Option<String>")]
    pub(super) digest: Option<Digest>,
    /// How many of the image's own lowest layers are its; without this the image is not built on it.
    pub(super) layers: Option<u16>,
    /// How long ago it was built; it does not say when, if nothing is said.
    pub(super) built: Option<Duration>,
    /// It could not be looked up, for this reason.
    pub(super) unknown: Option<ReasonCode>,
}

/// When a vulnerability was first seen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct FirstSeen {
    /// The vulnerability.
    pub(super) vulnerability: VulnerabilityId,
    /// The package.
    pub(super) package: String,
    /// How long ago.
    pub(super) age: Duration,
}
