//! The `GatePolicy` document: its keys, their meaning, and the checks that a schema cannot express.
//! The JSON Schema is made from these types, so a key and its description stand in one place.

mod load;
mod schema;
mod types;

pub(crate) use load::read_yaml;
pub use schema::schema;
pub(crate) use schema::schema_of;
pub use types::{Action, OnUnknown, Policy, Rule, Vulnerabilities};
pub(crate) use types::{ApiVersion, Class, KnownExploited, Limits, Platforms, Source, word};

#[cfg(test)]
mod tests;
