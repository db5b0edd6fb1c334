//! The decision record as JSON (B3).

use super::View;
use crate::failure::Failure;

pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    document("the record", view.record)
}

/// A document of any form that is JSON.
pub(super) fn document(what: &str, value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::internal(format!("{what} cannot be written as JSON: {error}")))
}
