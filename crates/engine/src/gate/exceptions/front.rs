//! What the gate offers about exceptions. Who may what is asked of the actor by whatever is done.

use super::{Exception, ExceptionPreview, ExceptionQuery, ExceptionRequest, ExceptionUsed, Settling};
use crate::gate::actor::Actor;
use crate::gate::{Gate, GateError};

impl Gate {
    /// Asks for an exception (B11). It counts when somebody else approved it.
    ///
    /// # Errors
    /// It would never count, the actor may not ask for it, or it cannot be kept.
    pub async fn request_exception(&self, request: ExceptionRequest, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.request_exception(request, actor).await
    }

    /// Asks for something else instead. An approval is void: it counts no longer, anywhere (S29).
    ///
    /// # Errors
    /// As for a request; or another revision is the last one, or the exception has ended.
    pub async fn edit_exception(
        &self,
        id: &str,
        revision: i64,
        request: ExceptionRequest,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        self.inner.edit_exception(id, revision, request, actor).await
    }

    /// Approves an exception: it counts at once on this replica, and within the lease on every other.
    ///
    /// # Errors
    /// The actor may not, is nobody's person or one of those who asked for it (S29); or another revision is the last one.
    pub async fn approve_exception(&self, id: &str, by: &Settling, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.approve_exception(id, by, actor).await
    }

    /// Says no to what was asked for.
    ///
    /// # Errors
    /// The actor may not, or another revision is the last one.
    pub async fn reject_exception(&self, id: &str, by: &Settling, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.reject_exception(id, by, actor).await
    }

    /// Ends an approved exception: it counts no longer, anywhere.
    ///
    /// # Errors
    /// The actor may not, or another revision is the last one.
    pub async fn revoke_exception(&self, id: &str, by: &Settling, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.revoke_exception(id, by, actor).await
    }

    /// Takes back what the actor asked for.
    ///
    /// # Errors
    /// Somebody else asked for it, or another revision is the last one.
    pub async fn withdraw_exception(&self, id: &str, by: &Settling, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.withdraw_exception(id, by, actor).await
    }

    /// An exception that the actor sees.
    ///
    /// # Errors
    /// There is none with this id.
    pub async fn exception(&self, id: &str, actor: &Actor) -> Result<Exception, GateError> {
        self.inner.exception(id, actor).await
    }

    /// Exceptions that the actor sees, the newest first; with the cursor of the next page.
    ///
    /// # Errors
    /// There is no such team, or the store cannot be read.
    pub async fn exceptions(
        &self,
        query: &ExceptionQuery,
        actor: &Actor,
    ) -> Result<(Vec<Exception>, Option<String>), GateError> {
        self.inner.exceptions(query, actor).await
    }

    /// Which decisions an exception changed, the newest first; with the cursor of the next page.
    ///
    /// # Errors
    /// There is none with this id.
    pub async fn exception_uses(
        &self,
        id: &str,
        before: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<ExceptionUsed>, Option<String>), GateError> {
        self.inner.exception_uses(id, before, limit, actor).await
    }

    /// What an exception changes, whether it counts already or not: the latest decisions it is about, without it and with it.
    ///
    /// # Errors
    /// There is none with this id.
    pub async fn preview_exception(&self, id: &str, actor: &Actor) -> Result<ExceptionPreview, GateError> {
        self.inner.preview_exception(id, actor).await
    }
}
