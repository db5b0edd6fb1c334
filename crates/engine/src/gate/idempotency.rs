//! What was answered to requests that carried an idempotency key, kept for whoever serves the gate. The bytes mean nothing here.

use model::Timestamp;
use store::{Batch, Idempotency};

use super::{Gate, GateError};

impl Gate {
    /// What was answered to this request under this key.
    ///
    /// # Errors
    /// The key was used for another request (`StoreError::KeyReused`), or the store did not answer.
    pub async fn kept_answer(&self, key: &str, request: &str, now: Timestamp) -> Result<Option<Vec<u8>>, GateError> {
        Ok(self.inner.store.idempotent(key, request, now).await?)
    }

    /// Keeps an answer under a key, durably. What another request left there stays.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn keep_answer(&self, kept: Idempotency) -> Result<(), GateError> {
        self.inner.store.write(Batch { idempotency: Some(kept), ..Batch::default() }).await?;
        Ok(())
    }
}
