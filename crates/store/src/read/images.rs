//! What is known about images: what was submitted, what they hold, where they run and where they went.

use model::{Digest, Timestamp};
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::value::{Filter, Reader, Value, places};
use crate::{PromotionRow, Result, SignalRow, Store, WorkloadRow};

/// More documents about one image are no list that anybody reads; a shorter one would hide some.
const DOCUMENTS: usize = 10_000;
/// How many digests one statement takes.
const CHUNK: usize = 256;

const SIGNAL: &str = "id, repository, digest, kind, evidence, submitted_at, submitted_by";

fn signal(row: &AnyRow) -> Result<SignalRow> {
    let row = Reader { row, what: "submitted document" };
    Ok(SignalRow {
        id: row.get("id")?,
        repository: row.get("repository")?,
        digest: row.digest("digest")?,
        kind: row.get("kind")?,
        evidence: row.digest("evidence")?,
        submitted_at: row.at("submitted_at")?,
        submitted_by: row.get("submitted_by")?,
    })
}

const WORKLOAD: &str = "digest, cluster, namespace, owner, container, repository, first_seen, last_seen";

fn workload(row: &AnyRow) -> Result<WorkloadRow> {
    let row = Reader { row, what: "workload" };
    Ok(WorkloadRow {
        cluster: row.get("cluster")?,
        namespace: row.get("namespace")?,
        owner: row.get("owner")?,
        container: row.get("container")?,
        repository: row.get("repository")?,
        digest: row.digest("digest")?,
        first_seen: row.at("first_seen")?,
        last_seen: row.at("last_seen")?,
    })
}

/// One package in one image.
type Held = (String, Digest, String);

impl Store {
    /// What was submitted about this image in this repository, the oldest first.
    pub async fn signals(&self, repository: &str, digest: &Digest) -> Result<Vec<SignalRow>> {
        self.signals_about(repository, std::slice::from_ref(digest)).await
    }

    /// What was submitted about any of these in this repository; about each the oldest first.
    pub async fn signals_about(&self, repository: &str, digests: &[Digest]) -> Result<Vec<SignalRow>> {
        let mut signals: Vec<SignalRow> = Vec::new();
        for some in digests.chunks(CHUNK) {
            let sql = format!(
                "SELECT {SIGNAL} FROM signals WHERE repository = $1 AND digest IN ({}) ORDER BY digest, id LIMIT ${}",
                places(2, some.len()),
                some.len() + 2
            );
            let mut values = vec![Value::Text(repository)];
            values.extend(some.iter().map(|digest| Value::Text(digest.as_str())));
            values.push(Value::Int(i64::try_from(DOCUMENTS + 1).unwrap_or(i64::MAX)));
            for row in &self.rows("reading submitted documents", &sql, &values).await? {
                signals.push(signal(row)?);
            }
            if signals.len() > DOCUMENTS {
                let why = format!("more than {DOCUMENTS} are about one image");
                return Err(StoreError::Unreadable { what: "list of submitted documents", why });
            }
        }
        Ok(signals)
    }

    /// A submitted document by its id.
    pub async fn signal(&self, id: &str) -> Result<Option<SignalRow>> {
        let sql = format!("SELECT {SIGNAL} FROM signals WHERE id = $1");
        self.row("reading a submitted document", &sql, &[Value::Text(id)]).await?.as_ref().map(signal).transpose()
    }

    /// Images that hold a package, by its URL without version, and its version if one is asked for: repository, digest, version. In order, and an image
    /// is never cut in two: with several versions in the last one there are more than `limit`.
    pub async fn images_with(
        &self,
        purl: &str,
        version: Option<&str>,
        after: Option<(String, Digest)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>> {
        let mut held = self.held(purl, version, after.as_ref(), None, limit).await?;
        if held.len() >= limit as usize
            && let Some((repository, digest, _)) = held.last().cloned()
        {
            held.retain(|(one, other, _)| (one, other) != (&repository, &digest));
            held.extend(self.held(purl, version, None, Some((&repository, &digest)), u32::MAX).await?);
        }
        Ok(held)
    }

    async fn held(
        &self,
        purl: &str,
        version: Option<&str>,
        after: Option<&(String, Digest)>,
        only: Option<(&str, &Digest)>,
        limit: u32,
    ) -> Result<Vec<Held>> {
        let mut filter = Filter::default();
        filter.and("p.purl =", Some(Value::Text(purl)));
        filter.and("p.version =", version.map(Value::Text));
        if let Some((repository, digest)) = after {
            filter.and_row("(i.repository, i.digest) >", [Value::Text(repository), Value::Text(digest.as_str())]);
        }
        if let Some((repository, digest)) = only {
            filter.and_row("(i.repository, i.digest) =", [Value::Text(repository), Value::Text(digest.as_str())]);
        }
        let limit = filter.place(Value::Int(limit.into()));
        let sql = format!(
            "SELECT DISTINCT i.repository, i.digest, p.version FROM packages p \
             JOIN set_members m ON m.package = p.id JOIN image_sets i ON i.set_id = m.set_id{} \
             ORDER BY i.repository, i.digest, p.version LIMIT {limit}",
            filter.text()
        );
        let rows = self.rows("reading the package index", &sql, &filter.values).await?;
        let image = |row| {
            let row = Reader { row, what: "package" };
            Ok((row.get("repository")?, row.digest("digest")?, row.get("version")?))
        };
        rows.iter().map(image).collect()
    }

    /// Where these run.
    pub async fn workloads(&self, digests: &[Digest], limit: u32) -> Result<Vec<WorkloadRow>> {
        let mut workloads = Vec::new();
        for some in digests.chunks(CHUNK) {
            let left = (limit as usize).saturating_sub(workloads.len());
            let sql = format!(
                "SELECT {WORKLOAD} FROM workloads \
                 WHERE digest IN ({}) ORDER BY digest, cluster, namespace, owner, container, repository LIMIT ${}",
                places(1, some.len()),
                some.len() + 1
            );
            let mut values: Vec<Value> = some.iter().map(|digest| Value::Text(digest.as_str())).collect();
            values.push(Value::Int(i64::try_from(left).unwrap_or(i64::MAX)));
            for row in &self.rows("reading workloads", &sql, &values).await? {
                workloads.push(workload(row)?);
            }
        }
        Ok(workloads)
    }

    /// The same image in the same place, whenever it was seen.
    pub async fn workload(&self, place: &WorkloadRow) -> Result<Option<WorkloadRow>> {
        let sql = format!(
            "SELECT {WORKLOAD} FROM workloads \
             WHERE digest = $1 AND cluster = $2 AND namespace = $3 AND owner = $4 AND container = $5 AND repository = $6"
        );
        let values = [
            Value::Text(place.digest.as_str()),
            Value::Text(&place.cluster),
            Value::Text(&place.namespace),
            Value::Text(&place.owner),
            Value::Text(&place.container),
            Value::Text(&place.repository),
        ];
        self.row("reading a workload", &sql, &values).await?.as_ref().map(workload).transpose()
    }

    /// A promotion.
    pub async fn promotion(&self, id: &str) -> Result<Option<PromotionRow>> {
        let sql = format!("SELECT {PROMOTION} FROM promotions WHERE id = $1");
        let row = self.row("reading a promotion", &sql, &[Value::Text(id)]).await?;
        row.as_ref().map(promotion).transpose()
    }

    /// Promotions to a repository (`host/repository`) under whatever tag, the newest first.
    pub async fn promotions_to(
        &self,
        repository: &str,
        environment: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PromotionRow>> {
        let mut filter = Filter::default();
        filter.and("environment =", environment.map(Value::Text));
        // By its length and not by LIKE, whose signs may be in names.
        let (tagged, by_digest) = (format!("{repository}:"), format!("{repository}@"));
        let start = format!("substr(destination, 1, {}) IN", repository.chars().count() + 1);
        filter.and_row(&start, [Value::Text(&tagged), Value::Text(&by_digest)]);
        let limit = filter.place(Value::Int(limit.into()));
        let sql = format!("SELECT {PROMOTION} FROM promotions{} ORDER BY id DESC LIMIT {limit}", filter.text());
        let rows = self.rows("reading promotions", &sql, &filter.values).await?;
        rows.iter().map(promotion).collect()
    }

    /// The newest first.
    pub async fn promotions(
        &self,
        environment: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<PromotionRow>> {
        let mut filter = Filter::default();
        filter.and("environment =", environment.map(Value::Text));
        filter.and("at >=", since.map(Value::from));
        filter.and("at <", until.map(Value::from));
        let limit = filter.place(Value::Int(limit.into()));
        let sql = format!(
            "SELECT {PROMOTION} FROM promotions{} \
             ORDER BY id DESC LIMIT {limit}",
            filter.text()
        );
        let rows = self.rows("reading promotions", &sql, &filter.values).await?;
        rows.iter().map(promotion).collect()
    }
}

const PROMOTION: &str = "id, decision, digest, source, destination, environment, at, promoted_by";

fn promotion(row: &sqlx::any::AnyRow) -> Result<PromotionRow> {
    let row = Reader { row, what: "promotion" };
    Ok(PromotionRow {
        id: row.get("id")?,
        decision: row.get("decision")?,
        digest: row.digest("digest")?,
        source: row.get("source")?,
        destination: row.get("destination")?,
        environment: row.get("environment")?,
        at: row.at("at")?,
        by: row.get("promoted_by")?,
    })
}
