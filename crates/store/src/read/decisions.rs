//! Decisions, answers and evidence.

use model::{Digest, Timestamp};

use crate::value::{Filter, Reader, Value, places};
use crate::{AnswerRow, Backend, DecisionQuery, DecisionRow, EvidenceRow, Result, Store};

const DECISION: &str = "SELECT id, repository, digest, environment, verdict, policy, facts, recorded_at, valid_until, children, record \
     FROM decisions";
const DOING: &str = "reading decisions";

impl Store {
    /// The decision with this id.
    pub async fn decision(&self, id: &str) -> Result<Option<DecisionRow>> {
        self.one_decision(&format!("{DECISION} WHERE id = $1"), &[Value::Text(id)]).await
    }

    /// Decisions, the newest first.
    pub async fn decisions(&self, query: &DecisionQuery) -> Result<Vec<DecisionRow>> {
        let mut filter = Filter::default();
        // Whatever narrows most is looked up, and the rest compared: SQLite keeps no statistics, and would as soon walk through a repository as
        // through an image. No index fits a text that is put together.
        let is_narrow = query.digest.is_some() || query.pipeline.is_some() || query.commit.is_some();
        let of_repository = if is_narrow { "repository || '' =" } else { "repository =" };
        let is_narrow = is_narrow || query.repository.is_some();
        let with_verdict = if is_narrow { "verdict || '' =" } else { "verdict =" };
        let is_narrow = is_narrow || query.verdict.is_some();
        let in_environment = if is_narrow { "environment || '' =" } else { "environment =" };
        filter.and("digest =", query.digest.as_ref().map(|digest| Value::Text(digest.as_str())));
        filter.and(of_repository, query.repository.as_deref().map(Value::Text));
        filter.and(in_environment, query.environment.as_deref().map(Value::Text));
        filter.and(with_verdict, query.verdict.map(|verdict| Value::Text(verdict.as_str())));
        filter.and("recorded_at >=", query.since.map(Value::from));
        filter.and("recorded_at <", query.until.map(Value::from));
        filter.and("id <", query.before.as_deref().map(Value::Text));
        // One answer has to be for both.
        let mut answered = Vec::new();
        for (column, value) in [("pipeline", &query.pipeline), ("commit_id", &query.commit)] {
            if let Some(value) = value {
                answered.push(format!("{column} = {}", filter.place(Value::Text(value))));
            }
        }
        if !answered.is_empty() {
            filter.and_that(format!("id IN (SELECT decision FROM answers WHERE {})", answered.join(" AND ")));
        }
        let limit = filter.place(Value::Int(query.limit.into()));
        // Ids are put in order, not records. These are then read by where they lie: by its id each would be looked up once more, in an index that is too
        // large to be kept in memory.
        let found = format!("FROM decisions{} ORDER BY id DESC LIMIT {limit}", filter.text());
        let sql = match self.backend() {
            Backend::Sqlite => format!("{DECISION} WHERE rowid IN (SELECT rowid {found})"),
            Backend::Postgres => format!("{DECISION} WHERE ctid = ANY (ARRAY(SELECT ctid {found}))"),
        };
        let rows = self.rows(DOING, &sql, &filter.values).await?;
        let rows = rows.iter().map(|row| decision(&Reader { row, what: "decision" }));
        let mut decisions = rows.collect::<Result<Vec<_>>>()?;
        decisions.sort_unstable_by(|one, other| other.id.cmp(&one.id));
        Ok(decisions)
    }

    /// The newest decision about this image in this repository and environment.
    pub async fn latest_decision(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
    ) -> Result<Option<DecisionRow>> {
        let sql = format!(
            "{DECISION} WHERE id = (SELECT decision FROM latest_decisions \
             WHERE repository = $1 AND digest = $2 AND environment = $3)"
        );
        let values = [Value::Text(repository), Value::Text(digest.as_str()), Value::Text(environment)];
        self.one_decision(&sql, &values).await
    }

    /// When the verdict about this image turned: the first decision that lets it through no more since the last that did. `None`: none ever did.
    /// `Some(None)`: it has not turned.
    pub async fn turned(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
    ) -> Result<Option<Option<Timestamp>>> {
        // By the index of digests, which is narrower than any other.
        let image = "repository || '' = $1 AND digest = $2 AND environment || '' = $3";
        let mut values = vec![Value::Text(repository), Value::Text(digest.as_str()), Value::Text(environment)];
        let last = format!(
            "SELECT id FROM decisions WHERE {image} AND verdict || '' IN ('allow', 'warn') ORDER BY id DESC LIMIT 1"
        );
        let Some(row) = self.row(DOING, &last, &values).await? else { return Ok(None) };
        let last: String = Reader { row: &row, what: "decision" }.get("id")?;
        let next = format!("SELECT recorded_at FROM decisions WHERE {image} AND id > $4 ORDER BY id LIMIT 1");
        values.push(Value::Text(&last));
        let row = self.row(DOING, &next, &values).await?;
        Ok(Some(row.map(|row| Reader { row: &row, what: "decision" }.at("recorded_at")).transpose()?))
    }

    /// The newest decision in this repository and environment that covers this manifest as a child (S1).
    pub async fn parent_decision(
        &self,
        repository: &str,
        child: &Digest,
        environment: &str,
    ) -> Result<Option<DecisionRow>> {
        let sql = format!(
            "{DECISION} WHERE id = (SELECT decision FROM latest_parents \
             WHERE repository = $1 AND child = $2 AND environment = $3)"
        );
        let values = [Value::Text(repository), Value::Text(child.as_str()), Value::Text(environment)];
        self.one_decision(&sql, &values).await
    }

    /// Answers that were given with this decision, the newest first.
    pub async fn answers(&self, decision: &str, limit: u32) -> Result<Vec<AnswerRow>> {
        let sql = "SELECT id, decision, point, basis, asked_by, pipeline, commit_id, trace_id, at, times FROM answers \
                   WHERE decision = $1 ORDER BY id DESC LIMIT $2";
        let rows = self.rows("reading answers", sql, &[Value::Text(decision), Value::Int(limit.into())]).await?;
        let answer = |row| {
            let row = Reader { row, what: "answer" };
            Ok(AnswerRow {
                id: row.get("id")?,
                decision: row.get("decision")?,
                point: row.get("point")?,
                basis: row.get("basis")?,
                asked_by: row.get("asked_by")?,
                pipeline: row.get("pipeline")?,
                commit: row.get("commit_id")?,
                trace_id: row.get("trace_id")?,
                at: row.at("at")?,
                times: row.get("times")?,
            })
        };
        rows.iter().map(answer).collect()
    }

    /// The bytes with this digest: read, they still have it.
    pub async fn evidence(&self, digest: &Digest) -> Result<Option<EvidenceRow>> {
        let sql = "SELECT digest, media_type, bytes FROM evidence WHERE digest = $1";
        let Some(row) = self.row("reading evidence", sql, &[Value::Text(digest.as_str())]).await? else {
            return Ok(None);
        };
        let row = Reader { row: &row, what: "piece of evidence" };
        let kept =
            EvidenceRow { digest: row.digest("digest")?, media_type: row.get("media_type")?, bytes: row.get("bytes")? };
        let kept = kept.unpacked()?;
        if digest.as_str().starts_with("sha256:") && Digest::of(&kept.bytes) != *digest {
            return Err(row.wrong("bytes", &format!("they are no longer those of {digest}")));
        }
        Ok(Some(kept))
    }

    /// Which of these are kept.
    pub async fn kept(&self, digests: &[Digest]) -> Result<Vec<Digest>> {
        let mut kept = Vec::new();
        for some in digests.chunks(256) {
            let sql = format!("SELECT digest FROM evidence WHERE digest IN ({})", places(1, some.len()));
            let values: Vec<Value> = some.iter().map(|digest| Value::Text(digest.as_str())).collect();
            for row in &self.rows("reading evidence", &sql, &values).await? {
                kept.push(Reader { row, what: "piece of evidence" }.digest("digest")?);
            }
        }
        Ok(kept)
    }

    /// Every (repository, digest, environment) that was decided, after this one, in order: to replay or re-evaluate them.
    pub async fn decided(
        &self,
        after: Option<(String, Digest, String)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>> {
        let mut filter = Filter::default();
        if let Some((repository, digest, environment)) = &after {
            let key = [Value::Text(repository), Value::Text(digest.as_str()), Value::Text(environment)];
            filter.and_row("(repository, digest, environment) >", key);
        }
        let limit = filter.place(Value::Int(limit.into()));
        let sql = format!(
            "SELECT repository, digest, environment FROM latest_decisions{} \
             ORDER BY repository, digest, environment LIMIT {limit}",
            filter.text()
        );
        let rows = self.rows(DOING, &sql, &filter.values).await?;
        let key = |row| {
            let row = Reader { row, what: "decision" };
            Ok((row.get("repository")?, row.digest("digest")?, row.get("environment")?))
        };
        rows.iter().map(key).collect()
    }

    async fn one_decision(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<DecisionRow>> {
        let row = self.row(DOING, sql, values).await?;
        row.map(|row| decision(&Reader { row: &row, what: "decision" })).transpose()
    }
}

fn decision(row: &Reader<'_>) -> Result<DecisionRow> {
    let children = row.list("children")?;
    let children = children.iter().map(|child| child.parse()).collect::<std::result::Result<_, _>>();
    Ok(DecisionRow {
        id: row.get("id")?,
        repository: row.get("repository")?,
        digest: row.digest("digest")?,
        environment: row.get("environment")?,
        verdict: row.verdict("verdict")?,
        policy: row.digest("policy")?,
        facts: row.digest_or_none("facts")?,
        recorded_at: row.at("recorded_at")?,
        valid_until: row.at_or_none("valid_until")?,
        children: children.map_err(|error: model::DigestError| row.wrong("children", &error))?,
        record: row.get("record")?,
    })
}
