//! The configuration of `ecr-gate serve`: a YAML file, and a variable for each of its keys. A flag wins over its variable, a variable over the
//! file. A key that is not known is an error with its place, because one that is skipped would be a protection somebody believes in.

mod admission;
mod identities;
mod notifications;
mod read;
mod teams;
#[cfg(test)]
mod tests;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use model::parse_duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::failure::Failure;

pub(crate) use admission::{Admission, BreakGlass, KindEntry, Own, Tags};
pub(crate) use identities::{GrantEntry, Identities, IssuerKind, Role, RuleEntry, TokenEntry};
pub(crate) use notifications::{NotificationEntry, NotificationEvent, NotificationKind};
pub(crate) use read::{parse, read};
pub(crate) use teams::TeamEntry;

/// The configuration of `ecr-gate serve`. Paths are relative to the file. Every key may be left out.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(title = "ecr-gate serve")]
pub(crate) struct Config {
    /// Where to listen: address and port; `127.0.0.1:8181` if it is left out. Beyond loopback only with `tls` and `auth.tokens`.
    pub listen: Option<String>,
    /// The folder for everything that is kept on this machine: `$XDG_STATE_HOME/ecr-gate`, else `~/.local/state/ecr-gate`.
    pub data_dir: Option<PathBuf>,
    /// The database.
    pub database: Database,
    /// The policy files that come into force at the start, if they are others than at the last one.
    pub policy: Vec<PathBuf>,
    /// The certificate to speak HTTPS with.
    pub tls: Option<Tls>,
    /// Who may ask.
    pub auth: Auth,
    /// Whom the gate knows besides tokens of its own.
    pub identities: Identities,
    /// How policies change.
    pub governance: Governance,
    /// Whose which repositories are: at most 200 teams, the first that fits counts.
    pub teams: Vec<TeamEntry>,
    /// How registries are spoken to.
    pub registries: Registries,
    /// How scans are waited for.
    pub scans: Scans,
    /// Decisions that are attached to images; without it none are.
    pub attach: Option<Attach>,
    /// The audit log.
    pub audit: Audit,
    /// Who is told of what.
    pub notifications: Vec<NotificationEntry>,
    /// Kubernetes admission; without it there is no such port.
    pub admission: Option<Admission>,
    /// Bounds.
    pub limits: Limits,
    /// The end.
    pub shutdown: Shutdown,
    /// The log.
    pub log: Log,
    /// The file, if there is one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// The database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Database {
    /// `sqlite:PATH`, or `postgres://…` for several replicas; `gate.db` in the data folder if it is left out. A password is better given in
    /// ECR_GATE_DATABASE_URL.
    pub url: Option<String>,
}

/// A certificate and its key. Both files are read again when they change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Tls {
    /// The certificate and those that lead to its authority, in PEM form.
    pub certificate: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

/// Who may ask.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Auth {
    /// Tokens. Without any, one is made at the first start: `admin.token` in the data folder.
    pub tokens: Vec<TokenEntry>,
    /// Decide and read without a token; on loopback alone. `true` there, if no tokens are given.
    pub anonymous_reads: Option<bool>,
}

/// How policies change.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Governance {
    /// Whether a second person confirms a policy before it comes into force (or goes), where it judges for production. `true` if it is left out and
    /// there are `identities`, else `false`. Where people are known apart, by `identities` or two tokens with a `person`, files with exceptions take a
    /// second person whatever stands here.
    pub two_people: Option<bool>,
}

/// How registries are spoken to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Registries {
    /// The registries that are asked at all: hosts as in image references, or `*.` and the end of hosts. May be left out on loopback without a configuration
    /// file alone.
    pub allowed: Vec<String>,
    /// Networks (`10.0.0.0/8`) that registries and their storages may be in, besides public addresses. A registry that is listed as an address, or as
    /// `localhost`, needs none.
    pub networks: Vec<String>,
    /// Hosts (with port) that are spoken to in plain http.
    pub insecure: Vec<String>,
    /// Files with certificate authorities in PEM form, besides those of the machine.
    pub authorities: Vec<PathBuf>,
    /// Mirrors that are asked first, each as `HOST=MIRROR`.
    pub mirrors: Vec<String>,
    /// Hosts that may hand out tokens for registries that are not their own.
    pub token_realms: Vec<String>,
}

impl Registries {
    /// The registries that a gate with this configuration asks; any, if it names none.
    pub(crate) fn reach(&self) -> Result<engine::Reach, Failure> {
        if self.allowed.is_empty() {
            return Ok(engine::Reach::Anywhere);
        }
        engine::Reach::listed(&self.allowed, &self.networks)
            .map_err(|why| Failure::configuration(format!("registries: {why}")))
    }
}

/// How scans are waited for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Scans {
    /// Whether scans are started where there is none; `true` if it is left out.
    pub start: Option<bool>,
    /// How often a scan that is not done is looked at, at least `10s` against ECR itself; `15s` if it is left out.
    pub poll_interval: Option<Time>,
    /// How long one call to AWS may take; `30s` if it is left out.
    pub call_timeout: Option<Time>,
    /// How long what may change (scans, what is attached) is taken for what is so before it is looked at again; `60s` if it is left out.
    pub fresh: Option<Time>,
}

/// Decisions are attached to the images they are about, as verification summaries (SLSA VSA) that others verify.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Attach {
    /// The private key that signs them: a file, or `awskms://…`. A password is in ECR_GATE_KEY_PASSWORD.
    pub key: String,
    /// Who decided, as summaries say it: a URI. Whoever reads them tells verifiers apart by it.
    #[serde(rename = "verifierId")]
    pub verifier_id: String,
}

/// The audit log.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Audit {
    /// The private key that signs its checkpoints (Ed25519, PEM), made if it is not there: `audit.key` in the data folder. Replicas of one
    /// database share it.
    pub key: Option<PathBuf>,
    /// The name of the log, as it stands in its checkpoints: a host name, or a URL without scheme. `ecr-gate.local` if it is left out.
    pub origin: Option<String>,
}

/// Bounds.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Limits {
    /// The longest wait for a decision; `10m` if it is left out.
    pub longest_wait: Option<Time>,
    /// How long a request may take that waits for no decision; `30s` if it is left out.
    pub request_timeout: Option<Time>,
    /// How many requests are worked on at the same time; 1024 if it is left out.
    #[schemars(range(min = 1))]
    pub concurrency: Option<usize>,
    /// How many images are looked at in registries at the same time; 64 if it is left out.
    #[schemars(range(min = 1))]
    pub collecting: Option<usize>,
    /// How long answers may rest on what was last read of changes; `1s` if it is left out.
    pub lease: Option<Time>,
    /// Requests a second of one client (a token, or an address); 500 beyond loopback, without bound on it.
    #[schemars(range(min = 1))]
    pub client_rate: Option<u32>,
    /// How many of them at once; twice the rate if it is left out.
    #[schemars(range(min = 1))]
    pub client_burst: Option<u32>,
}

/// The end.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Shutdown {
    /// How long to go on listening after SIGTERM, with `/readyz` saying no; `0s` if it is left out.
    pub delay: Option<Time>,
    /// How long to finish what was accepted; `25s` if it is left out.
    pub finish_within: Option<Time>,
}

/// The log, on stderr.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Log {
    /// `json` unless stderr is a terminal.
    pub format: Option<LogFormat>,
    /// What is logged: a level, or `target=level` several times with commas; `info` if it is left out.
    pub level: Option<String>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A duration: `500ms`, `30s`, `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub Duration);

impl std::str::FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Duration::try_from(parse_duration(text)?).map(Self).map_err(|error| error.to_string())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$", "description": "A duration: `500ms`, `30s`, `10m`." })
    }
}

/// The JSON Schema of the file.
pub(crate) fn schema() -> Value {
    SchemaGenerator::default().into_root_schema_for::<Config>().to_value()
}
