//! How exceptions end by themselves: their time, and a fix. Nothing that is judged waits for this: whoever judges compares times and looks for fixes.
//! What happens here is what people and the audit log learn of it.

use std::sync::Arc;

use model::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Batch, Job, NewJob, Scope as Change};

use super::requesting::whole_seconds;
use super::{ExceptionState, Found, KIND, leaf};
use crate::gate::force::InForce;
use crate::gate::memory::Known;
use crate::gate::{GateError, Inner};

/// The kinds of jobs.
const ENDS: &str = "exception.ends";
const EXPIRING: &str = "exception.expiring";
const FIXED: &str = "exception.fixed";

/// How long before its end it is said that an exception ends; half-way where it is shorter than twice that.
const NOTICE: SignedDuration = SignedDuration::from_hours(24 * 3);

/// What a job is about: a revision, so that nothing happens to a later one.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    exception: String,
    revision: i64,
}

fn job(kind: &str, id: &str, revision: i64, run_at: Timestamp) -> NewJob {
    let payload = serde_json::json!({ "exception": id, "revision": revision }).to_string();
    NewJob { kind: kind.to_owned(), key: format!("{id} {revision}"), payload, run_at }
}

/// At its end it is marked as expired.
pub(super) fn at_the_end(id: &str, revision: i64, expires: Timestamp) -> NewJob {
    job(ENDS, id, revision, expires)
}

/// Before its end it is said that it ends.
pub(super) fn before_the_end(id: &str, revision: i64, from: Timestamp, expires: Timestamp) -> NewJob {
    let half = expires.duration_since(from) / 2;
    job(EXPIRING, id, revision, expires.checked_sub(half.min(NOTICE)).unwrap_or(expires))
}

/// Whether this is a job of exceptions.
pub(in crate::gate) fn is_ours(kind: &str) -> bool {
    [ENDS, EXPIRING, FIXED].contains(&kind)
}

/// Facts of which an exception says that it ends with them.
pub(in crate::gate) fn on_fix(force: &InForce, known: &Known, now: Timestamp) -> Vec<NewJob> {
    let granted = force.standing.exceptions.iter();
    let fixed = granted.filter(|granted| granted.is_fixed(&known.ask, &known.facts));
    // The job looks which revision that is: any that is approved and until a fix.
    fixed.map(|granted| job(FIXED, &granted.id, 0, now)).collect()
}

impl Inner {
    pub(in crate::gate) async fn exception_job(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        let About { exception: id, revision } = serde_json::from_str(&job.payload)
            .map_err(|error| GateError::invalid(format!("the job's payload cannot be read: {error}")))?;
        let Some(row) = self.store.item(KIND, &id).await? else { return Ok(Batch::default()) };
        let found = Found::read(row)?;
        let now = whole_seconds((self.settings.now)());
        let is_open = match job.kind.as_str() {
            FIXED => found.state == ExceptionState::Approved && found.held.until_fixed,
            EXPIRING => found.state == ExceptionState::Approved && found.row.revision == revision,
            _ => {
                let is_open = matches!(found.state, ExceptionState::Approved | ExceptionState::Requested);
                is_open && found.row.revision == revision
            }
        };
        if !is_open {
            return Ok(Batch::default());
        }
        let (state, kind, changes) = match job.kind.as_str() {
            EXPIRING => {
                let leaf = leaf(&id, revision, &found.held, EXPIRING, (None, now))?;
                return Ok(Batch { leaves: vec![leaf], ..Batch::default() });
            }
            // What a later scan leaves unsaid does not bring it back.
            FIXED => (ExceptionState::Fixed, FIXED, vec![Change::Global]),
            _ if now < found.held.expires => return Err(GateError::Pending),
            _ => (ExceptionState::Expired, "exception.expired", Vec::new()),
        };
        let (row, leaf) = found.next(state, found.held.clone(), kind, (None, now))?;
        Ok(Batch { items: vec![row], leaves: vec![leaf], changes, ..Batch::default() })
    }
}
