//! The decision record as JSON.

use super::View;
use crate::failure::Failure;

pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    serde_json::to_string_pretty(view.record)
        .map_err(|error| Failure::internal(format!("the record cannot be written as JSON: {error}")))
}
