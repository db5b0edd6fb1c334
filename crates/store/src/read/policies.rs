//! Policies, changes, and what was answered before.

use model::{Digest, Timestamp};

use crate::error::StoreError;
use crate::value::{Reader, Value};
use crate::{ActivationRow, Change, PolicyRow, Result, Scope, Store};

impl Store {
    /// The policy version with this digest.
    pub async fn policy(&self, digest: &Digest) -> Result<Option<PolicyRow>> {
        let sql = "SELECT digest, names, uploaded_at, uploaded_by, bundle FROM policies WHERE digest = $1";
        let row = self.row("reading a policy", sql, &[Value::Text(digest.as_str())]).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Reader { row: &row, what: "policy" };
        Ok(Some(policy(&row, row.get("bundle")?)?))
    }

    /// The newest first, without their bundles.
    pub async fn policies(&self, limit: u32) -> Result<Vec<PolicyRow>> {
        let sql =
            "SELECT digest, names, uploaded_at, uploaded_by FROM policies ORDER BY uploaded_at DESC, digest LIMIT $1";
        let rows = self.rows("reading policies", sql, &[Value::Int(limit.into())]).await?;
        rows.iter().map(|row| policy(&Reader { row, what: "policy" }, Vec::new())).collect()
    }

    /// The newest first; the first one is in force.
    pub async fn activations(&self, limit: u32) -> Result<Vec<ActivationRow>> {
        let sql = "SELECT id, policy, at, activated_by, reason FROM activations ORDER BY place DESC LIMIT $1";
        let rows = self.rows("reading activations", sql, &[Value::Int(limit.into())]).await?;
        let activation = |row| {
            let row = Reader { row, what: "activation" };
            Ok(ActivationRow {
                id: row.get("id")?,
                policy: row.digest("policy")?,
                at: row.at("at")?,
                by: row.get("activated_by")?,
                reason: row.get("reason")?,
            })
        };
        rows.iter().map(activation).collect()
    }

    /// The number of the last change.
    pub async fn sequence(&self) -> Result<i64> {
        let row = self.row("reading the clock", "SELECT seq FROM clock WHERE id = 1", &[]).await?;
        let missing = || StoreError::Unreadable { what: "clock", why: "it has no row".to_owned() };
        Reader { row: &row.ok_or_else(missing)?, what: "clock" }.get("seq")
    }

    /// The changes after this number, in order.
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>> {
        let sql = "SELECT seq, scope FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.rows("reading changes", sql, &[Value::Int(after), Value::Int(limit.into())]).await?;
        let change = |row| {
            let row = Reader { row, what: "change" };
            let scope: &str = row.get("scope")?;
            let scope = match scope.strip_prefix("image:") {
                Some(digest) => Scope::Image(digest.parse().map_err(|error| row.wrong("scope", &error))?),
                // Written by a later version, it is about more than this one knows of.
                None => Scope::Global,
            };
            Ok(Change { seq: row.get("seq")?, scope })
        };
        rows.iter().map(change).collect()
    }

    /// What was answered under this idempotency key, if that still counts. [`StoreError::KeyReused`] if it was another request.
    pub async fn idempotent(&self, key: &str, request: &str, now: Timestamp) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT request, until, response FROM idempotency WHERE key = $1";
        let Some(row) = self.row("reading an idempotency key", sql, &[Value::Text(key)]).await? else {
            return Ok(None);
        };
        let row = Reader { row: &row, what: "idempotency key" };
        if row.at("until")? <= now {
            // It makes room for the next request under this key.
            let (key, now) = (key.to_owned(), now.as_millisecond());
            self.transact("forgetting an idempotency key", None, move |connection| {
                let query = sqlx::query("DELETE FROM idempotency WHERE key = $1 AND until <= $2");
                let query = query.bind(key.clone()).bind(now);
                Box::pin(async move { Ok(query.execute(connection).await.map(|_| ())?) })
            })
            .await?;
            return Ok(None);
        }
        if row.get::<&str>("request")? != request {
            return Err(StoreError::KeyReused);
        }
        Ok(Some(row.get("response")?))
    }
}

fn policy(row: &Reader<'_>, bundle: Vec<u8>) -> Result<PolicyRow> {
    Ok(PolicyRow {
        digest: row.digest("digest")?,
        names: row.list("names")?,
        bundle,
        uploaded_at: row.at("uploaded_at")?,
        uploaded_by: row.get("uploaded_by")?,
    })
}
