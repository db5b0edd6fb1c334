//! Whose which repositories are.

use schemars::JsonSchema;
use serde::Deserialize;

/// A team: what its repositories are counted, listed and told by. It gives nobody any right.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TeamEntry {
    /// What it is called; `none` is what repositories are of that are of no team.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// Patterns of `HOST/REPOSITORY`: `*` stands for anything within one part of the name, `**` for any parts.
    #[schemars(length(min = 1))]
    pub repositories: Vec<String>,
}
