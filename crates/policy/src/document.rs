//! The `GatePolicy` document: its keys, their meaning, and the checks that a schema cannot express.
//! The JSON Schema is made from these types, so a key and its description stand in one place.

mod config;
mod load;
mod measurements;
mod sbom;
mod schema;
mod types;
mod vulnerabilities;

pub(crate) use config::{Base, BaseName, Config, PortRange, full_name};
pub(crate) use load::read_yaml;
pub(crate) use measurements::{Baseline, Measurements};
pub(crate) use sbom::{EvidenceSource, LicenseId, MustMatch, PackagePattern, Sbom};
pub use schema::schema;
pub(crate) use schema::schema_of;
pub use types::{Action, OnUnknown, Policy, Rule};
pub(crate) use types::{ApiVersion, Check, Class, Platforms};
pub use vulnerabilities::Vulnerabilities;
pub(crate) use vulnerabilities::{BlockWhen, KnownExploited, Limits, Source, Vex, VexWay, word};

#[cfg(test)]
mod tests;
