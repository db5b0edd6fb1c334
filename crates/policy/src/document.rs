//! The `GatePolicy` document: its keys, their meaning, and the checks that a schema cannot express.
//! The JSON Schema is made from these types, so a key and its description stand in one place.

mod age;
mod attestations;
mod base_image;
mod config;
pub(crate) mod dates;
mod files;
mod image_name;
mod load;
mod measurements;
mod packages;
mod parameters;
mod pattern;
pub(crate) mod places;
mod provenance;
mod registries;
mod rego;
mod rule;
mod sbom;
mod schema;
mod signatures;
mod signers;
mod subject;
mod types;
mod vsa;
mod vulnerabilities;

pub(crate) use age::{Age, AgeOf};
pub use attestations::predicate_type;
pub(crate) use attestations::{Attestations, Condition, PredicateType, VSA};
pub(crate) use base_image::{BaseImage, BaseName};
pub(crate) use config::{Config, PortRange};
pub use dates::until;
pub use image_name::compared_host;
pub(crate) use image_name::{compared_name, compared_pattern, full_name};
pub(crate) use load::{Problem, read_open_yaml, read_yaml};
pub(crate) use measurements::{Baseline, Measurements};
pub(crate) use packages::Packages;
pub(crate) use parameters::{Declared, Parameters};
pub(crate) use pattern::{Form, TextPattern};
pub(crate) use provenance::Provenance;
pub(crate) use registries::{NamePattern, Registries, TagPattern};
pub(crate) use rego::{Compiled, Need, Rego};
#[cfg(test)]
pub(crate) use rego::{INPUT, MANIFEST};
pub use rule::Rule;
pub(crate) use rule::{Announcement, Check};
pub(crate) use sbom::{
    EvidenceSource, EvidenceSources, LicenseId, MustMatch, PackagePattern, RESERVED, Sbom, SbomFormat,
};
pub use schema::schema;
pub(crate) use schema::schema_of;
pub(crate) use signatures::{On, Signatures};
pub use signers::X509Kind;
pub(crate) use signers::{Key, Keyless, PUBLIC_GOOD, RevocationRule, Revoked, Signer, SignerKind, X509};
pub use types::{Action, OnUnknown, Policy};
pub(crate) use types::{ApiVersion, Class, Duration, Platforms};
pub(crate) use vsa::Vsa;
pub use vulnerabilities::Vulnerabilities;
pub(crate) use vulnerabilities::{BlockWhen, KnownExploited, Limits, Millionths, Source, Tenths, Vex, word};

#[cfg(test)]
mod tests;
