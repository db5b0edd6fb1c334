//! What people settled beside the policy and stands: exceptions that were approved, what is denied everywhere, what is let through all the same. Read with every change that concerns all judgements.

use policy::{Denials, Exceptions, Granted};
use store::{ItemQuery, Store};

use super::exceptions::{self, ExceptionState};
use super::overrides::Overrides;
use super::{GateError, denials, overrides};

/// The most of one kind that stand at the same time. Beyond it nothing is approved, so that what stands is always known whole.
pub(super) const MOST: usize = 10_000;
/// Items that are read at once.
const PAGE: u32 = 500;

/// What stands.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Approved exceptions. Those whose time is over are among them: whoever judges compares times.
    pub(super) exceptions: Vec<Granted>,
    /// The deny list.
    pub(super) denials: Denials,
    /// Overrides; those that are over among them.
    pub(super) overrides: Overrides,
}

impl Standing {
    /// Adds the exceptions that stand to those of files.
    pub(super) fn grant(&self, exceptions: &mut Exceptions) {
        for granted in &self.exceptions {
            if let Err(error) = exceptions.grant(granted) {
                tracing::error!(exception = granted.id, %error, "an approved exception waives nothing");
            }
        }
    }

    /// Whether this is the id of one.
    pub(super) fn has_exception(&self, id: &str) -> bool {
        self.exceptions.iter().any(|granted| granted.id == id)
    }
}

/// Reads it, whole or not at all.
pub(super) async fn load(store: &Store) -> Result<Standing, GateError> {
    let mut exceptions = Vec::new();
    let mut before = None;
    loop {
        let state = Some(ExceptionState::Approved.as_str().to_owned());
        let query = ItemQuery { kind: exceptions::KIND, state, before, limit: PAGE, ..ItemQuery::default() };
        let rows = store.items(&query).await?;
        before = rows.last().map(|row| row.id.clone());
        let is_last = rows.len() < PAGE as usize;
        for row in rows {
            match exceptions::granted(&row) {
                Ok(granted) => exceptions.push(granted),
                // What cannot be read waives nothing.
                Err(error) => tracing::error!(exception = row.id, %error, "an approved exception cannot be read"),
            }
        }
        if exceptions.len() > MOST + PAGE as usize {
            return Err(GateError::invalid(format!("more than {MOST} exceptions are approved at the same time")));
        }
        if is_last {
            let (denials, overrides) = (denials::load(store).await?, overrides::load(store).await?);
            return Ok(Standing { exceptions, denials, overrides });
        }
    }
}
