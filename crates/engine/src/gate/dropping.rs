//! The text of old entries of the audit log is dropped on request alone, and never without a trace: an entry that says who asked, and before when.

use model::Timestamp;
use serde_json::json;
use store::Store;

use super::{GateError, recording};

/// The kind of the entry that says so. The text of such entries is never dropped.
const KIND: &str = "audit.dropped";

/// Drops the text of every entry from before then that has its place in the log, and gives how many those were. Hashes stay, so that the log still
/// verifies. The entry that says so waits for its place like any other.
pub async fn drop_audit_entries(store: &Store, before: Timestamp, by: &str, now: Timestamp) -> Result<u64, GateError> {
    let body = json!({ "before": before, "by": by });
    let trace = recording::leaf(uuid::Uuid::now_v7().to_string(), KIND, None, now, body)?;
    Ok(store.drop_leaf_bytes(before, trace).await?)
}
