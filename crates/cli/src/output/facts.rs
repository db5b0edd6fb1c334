//! Everything that was known about an image, as the document that policies are tested and replayed with.

use engine::{Checked, Inspection};
use model::{FactsDocument, Reason, SchemaName, Timestamp};
use serde::Serialize;

use super::View;
use super::json::document;
use crate::failure::Failure;

/// What stands in place of facts where the question could not be answered at all. It is no facts document: whoever reads it
/// back is told so.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoFacts<'a> {
    schema: SchemaName,
    at: Timestamp,
    refused: Vec<&'a Reason>,
}

pub(super) fn render(view: &View<'_>) -> Result<String, Failure> {
    let Some(checked) = view.checked else {
        let refused = view.record.reasons.iter().map(|reason| &reason.reason).collect();
        return document("the facts", &NoFacts { schema: SchemaName::V1, at: view.record.recorded_at, refused });
    };
    let Checked { ask, facts, judgement, timing, .. } = checked;
    let class = judgement.environment_class;
    document("the facts", &FactsDocument::new(ask, class, facts, timing.decided_at, None).decided(judgement))
}

/// The same of an image that was only looked at.
pub(crate) fn inspected(inspection: &Inspection) -> Result<String, Failure> {
    document("the facts", &inspection.document())
}
