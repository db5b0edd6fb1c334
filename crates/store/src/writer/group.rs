//! One transaction for many batches. Rows of all of them go into a table together, tables in one order and rows in the order of their keys, so that
//! two processes that write the same things wait for one another and never in turn; the lock of the clock comes last and is held shortest.

use sqlx::{AnyConnection, Row as _};

use super::prepared::Prepared;
use super::rows::Rows;
use crate::batch::Activation;
use crate::error::StoreError;
use crate::place::Backend;
use crate::rows::{ItemRow, Scope};
use crate::tables;
use crate::trouble::Trouble;
use crate::value::{Value, arguments, places, statement};

/// How many changes are kept at least, and after how many those before are dropped.
const KEPT: i64 = 10_000;
const TRIM: i64 = 1000;

/// What became of each batch: the number of its last change, or why it was refused.
pub(super) type Outcomes = Vec<Result<Option<i64>, StoreError>>;

/// Writes them, in the transaction that was begun. What an activation or an item says is judged last, so a batch with one has to be alone.
pub(super) async fn write(
    connection: &mut AnyConnection,
    backend: Backend,
    group: &[&Prepared],
) -> Result<Outcomes, Trouble> {
    let refused = claim_keys(connection, group).await?;
    let kept: Vec<&Prepared> = group.iter().zip(&refused).filter(|(_, no)| !**no).map(|(batch, _)| *batch).collect();

    write_documents(connection, &kept).await?;
    write_decisions(connection, &kept).await?;
    write_packages(connection, &kept).await?;
    write_happenings(connection, &kept).await?;
    write_jobs(connection, &kept).await?;
    for batch in &kept {
        if let Some(activation) = &batch.batch.activation {
            activate(connection, activation).await?;
        }
        for item in &batch.batch.items {
            settle(connection, item).await?;
        }
    }
    let mut last = number_changes(connection, backend, &kept).await?.into_iter();
    Ok(refused.into_iter().map(|no| if no { Err(StoreError::KeyReused) } else { Ok(last.next().flatten()) }).collect())
}

/// Keeps idempotency keys. True for each batch whose key another request used.
async fn claim_keys(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<Vec<bool>, Trouble> {
    let mut rows = Rows::of(&tables::IDEMPOTENCY);
    let mut keys: Vec<Value> = Vec::new();
    for one in group.iter().filter_map(|batch| batch.batch.idempotency.as_ref()) {
        let (request, response) = (Value::Text(&one.request), Value::Blob(&one.response));
        rows.add(vec![Value::Text(&one.key), request, one.until.into(), response]);
        keys.push(Value::Text(&one.key));
    }
    if keys.is_empty() {
        return Ok(vec![false; group.len()]);
    }
    rows.insert(connection, "").await?;
    let mut used = std::collections::HashMap::new();
    for some in keys.chunks(64) {
        let sql = format!("SELECT key, request FROM idempotency WHERE key IN ({})", places(1, some.len()));
        for row in statement(sql, arguments(some)?).fetch_all(&mut *connection).await? {
            used.insert(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
        }
    }
    let other = |batch: &&Prepared| {
        let one = batch.batch.idempotency.as_ref();
        one.is_some_and(|one| used.get(&one.key).is_some_and(|request| *request != one.request))
    };
    Ok(group.iter().map(other).collect())
}

/// Evidence, policies, and what was submitted.
async fn write_documents(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<(), Trouble> {
    let mut policies = Rows::of(&tables::POLICIES);
    let mut evidence = Rows::of(&tables::EVIDENCE);
    let mut signals = Rows::of(&tables::SIGNALS);
    for batch in group {
        for (row, names) in batch.batch.policies.iter().zip(&batch.names) {
            policies.add(vec![
                Value::Text(row.digest.as_str()),
                Value::Text(names),
                row.uploaded_at.into(),
                Value::Text(&row.uploaded_by),
                Value::Blob(&row.bundle),
            ]);
        }
        for row in &batch.batch.evidence {
            evidence.add(vec![
                Value::Text(row.digest.as_str()),
                Value::Text(&row.media_type),
                Value::Int(batch.at),
                Value::Blob(&row.bytes),
            ]);
        }
        for row in &batch.batch.signals {
            signals.add(vec![
                Value::Text(&row.id),
                Value::Text(&row.repository),
                Value::Text(row.digest.as_str()),
                Value::Text(&row.kind),
                Value::Text(row.evidence.as_str()),
                row.submitted_at.into(),
                Value::Text(&row.submitted_by),
            ]);
        }
    }
    policies.insert(connection, "").await?;
    evidence.insert(connection, "").await?;
    signals.insert(connection, "").await?;
    let mut withdrawn: Vec<&str> = group.iter().flat_map(|batch| &batch.batch.withdrawn).map(String::as_str).collect();
    withdrawn.sort_unstable();
    for id in withdrawn {
        sqlx::query("DELETE FROM signals WHERE id = $1").bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Decisions, and which is the newest about what.
async fn write_decisions(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<(), Trouble> {
    let mut decisions = Rows::of(&tables::DECISIONS);
    let mut latest = Rows::of(&tables::LATEST_DECISIONS);
    let mut parents = Rows::of(&tables::LATEST_PARENTS);
    for batch in group {
        for (row, children) in batch.batch.decisions.iter().zip(&batch.children) {
            let (id, repository) = (Value::Text(&row.id), Value::Text(&row.repository));
            let (digest, environment) = (Value::Text(row.digest.as_str()), Value::Text(&row.environment));
            decisions.add(vec![
                id,
                repository,
                digest,
                environment,
                Value::Text(row.verdict.as_str()),
                Value::Text(row.policy.as_str()),
                row.facts.as_ref().map(model::Digest::as_str).into(),
                row.recorded_at.into(),
                row.valid_until.map(model::Timestamp::as_millisecond).into(),
                Value::Text(children),
                Value::Blob(&row.record),
            ]);
            latest.merge(vec![repository, digest, environment, id], newer);
            for child in &row.children {
                parents.merge(vec![repository, Value::Text(child.as_str()), environment, id], newer);
            }
        }
    }
    decisions.insert(connection, "").await?;
    latest.insert(connection, "").await?;
    parents.insert(connection, "").await?;
    Ok(())
}

/// Of two rows about the same the one with the newer decision.
fn newer<'a>(there: &mut Vec<Value<'a>>, row: Vec<Value<'a>>) {
    if row.last() > there.last() {
        *there = row;
    }
}

/// Packages. The members of a set go in with the set: whoever inserts it writes them.
async fn write_packages(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<(), Trouble> {
    let mut sets = Rows::of(&tables::PACKAGE_SETS);
    let mut images = Rows::of(&tables::IMAGE_SETS);
    let all = || group.iter().flat_map(|batch| batch.batch.packages.iter().zip(&batch.sets).zip(&batch.packages));
    for ((row, set), _) in all() {
        sets.add(vec![Value::Blob(set), Value::Text(row.set.as_str())]);
        images.add(vec![Value::Text(&row.repository), Value::Text(row.digest.as_str()), Value::Blob(set)]);
    }
    let mut new = std::collections::HashSet::new();
    for row in sets.insert(connection, "id").await? {
        new.insert(row.try_get::<Vec<u8>, _>(0)?);
    }
    let mut packages = Rows::of(&tables::PACKAGES);
    let mut members = Rows::of(&tables::SET_MEMBERS);
    for ((row, set), ids) in all().filter(|((_, set), _)| new.contains(set.as_slice())) {
        for ((purl, version), id) in row.packages.iter().zip(ids) {
            packages.add(vec![Value::Blob(id), Value::Text(purl), Value::Text(version)]);
            members.add(vec![Value::Blob(id), Value::Blob(set)]);
        }
    }
    packages.insert(connection, "").await?;
    members.insert(connection, "").await?;
    images.insert(connection, "").await?;
    Ok(())
}

/// Answers, workloads, promotions, and the audit log's entries.
async fn write_happenings(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<(), Trouble> {
    let mut answers = Rows::of(&tables::ANSWERS);
    let mut workloads = Rows::of(&tables::WORKLOADS);
    let mut promotions = Rows::of(&tables::PROMOTIONS);
    let mut uses = Rows::of(&tables::USES);
    let mut leaves = Rows::of(&tables::LEAVES);
    for batch in group {
        for row in &batch.batch.answers {
            answers.add(vec![
                Value::Text(&row.id),
                Value::Text(&row.decision),
                Value::Text(&row.point),
                Value::Text(&row.basis),
                row.asked_by.as_deref().into(),
                row.pipeline.as_deref().into(),
                row.commit.as_deref().into(),
                row.trace_id.as_deref().into(),
                row.at.into(),
                Value::Int(row.times),
            ]);
        }
        for row in &batch.batch.workloads {
            let columns = vec![
                Value::Text(row.digest.as_str()),
                Value::Text(&row.cluster),
                Value::Text(&row.namespace),
                Value::Text(&row.owner),
                Value::Text(&row.container),
                Value::Text(&row.repository),
                row.first_seen.into(),
                row.last_seen.into(),
            ];
            workloads.merge(columns, |there, row| {
                there[6] = there[6].min(row[6]);
                there[7] = there[7].max(row[7]);
            });
        }
        for row in &batch.batch.promotions {
            promotions.add(vec![
                Value::Text(&row.id),
                Value::Text(&row.decision),
                Value::Text(row.digest.as_str()),
                Value::Text(&row.source),
                Value::Text(&row.destination),
                Value::Text(&row.environment),
                row.at.into(),
                Value::Text(&row.by),
            ]);
        }
        for (item, decision, at) in &batch.batch.uses {
            uses.add(vec![Value::Text(item), Value::Text(decision), (*at).into()]);
        }
        for row in &batch.batch.leaves {
            leaves.add(vec![
                Value::Text(&row.id),
                Value::Text(&row.kind),
                row.subject.as_ref().map(model::Digest::as_str).into(),
                row.repository.as_deref().into(),
                row.at.into(),
                Value::Blob(&row.hash),
                Value::NoInt,
                Value::Blob(&row.bytes),
            ]);
        }
    }
    answers.insert(connection, "").await?;
    workloads.insert(connection, "").await?;
    promotions.insert(connection, "").await?;
    uses.insert(connection, "").await?;
    leaves.insert(connection, "").await?;
    Ok(())
}

/// Jobs that are done, and new ones.
async fn write_jobs(connection: &mut AnyConnection, group: &[&Prepared]) -> Result<(), Trouble> {
    let mut done: Vec<(&str, &str)> = Vec::new();
    for batch in group {
        done.extend(batch.batch.done.iter().map(String::as_str).zip(batch.once_more.iter().map(String::as_str)));
    }
    done.sort_unstable();
    for (id, once_more) in done {
        let gone = sqlx::query("DELETE FROM jobs WHERE id = $1 AND again_at IS NULL").bind(id);
        if gone.execute(&mut *connection).await?.rows_affected() > 0 {
            continue;
        }
        // Under a new id: the batch may be sent again, and must not take away what was asked for later.
        sqlx::query(
            "UPDATE jobs SET id = $2, run_at = again_at, due_at = again_at, taken = 0, attempts = 0, again_at = NULL, \
             error = NULL WHERE id = $1",
        )
        .bind(id)
        .bind(once_more)
        .execute(&mut *connection)
        .await?;
    }
    let mut jobs = Rows::of(&tables::JOBS);
    for batch in group {
        for (row, id) in batch.batch.jobs.iter().zip(&batch.jobs) {
            let (run_at, zero) = (Value::from(row.run_at), Value::Int(0));
            let mut columns = vec![Value::Text(&row.kind), Value::Text(&row.key), Value::Text(id)];
            columns.extend([Value::Text(&row.payload), run_at, run_at, zero, zero, Value::NoInt, Value::NoText]);
            jobs.merge(columns, |there, row| {
                if row[4] < there[4] {
                    (there[4], there[5]) = (row[4], row[5]);
                }
            });
        }
    }
    jobs.insert(connection, "").await?;
    Ok(())
}

/// Brings a policy into force, if what was in force is what the caller believes.
async fn activate(connection: &mut AnyConnection, activation: &Activation) -> Result<(), Trouble> {
    // Whoever else activates waits here, and then sees this one.
    sqlx::query("UPDATE clock SET seq = seq WHERE id = 1").execute(&mut *connection).await?;
    let there = sqlx::query("SELECT 1 AS n FROM activations WHERE id = $1").bind(activation.row.id.as_str());
    if there.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(()); // sent again
    }
    let newest = sqlx::query("SELECT id, place FROM activations ORDER BY place DESC LIMIT 1");
    let (id, place) = match newest.fetch_optional(&mut *connection).await? {
        Some(row) => (Some(row.try_get::<String, _>(0)?), row.try_get::<i64, _>(1)?),
        None => (None, 0),
    };
    if id != activation.after {
        return Err(StoreError::Conflict { what: "the policy in force" }.into());
    }
    let row = &activation.row;
    let mut rows = Rows::of(&tables::ACTIVATIONS);
    rows.add(vec![
        Value::Text(&row.id),
        Value::Text(row.policy.as_str()),
        row.at.into(),
        Value::Text(&row.by),
        row.reason.as_deref().into(),
        Value::Int(place.saturating_add(1)),
    ]);
    rows.insert(connection, "").await?;
    Ok(())
}

/// Writes an item over the revision before it, if that is the last one.
async fn settle(connection: &mut AnyConnection, item: &ItemRow) -> Result<(), Trouble> {
    let [kind, id] = [Value::Text(&item.kind), Value::Text(&item.id)];
    let columns = [
        kind,
        id,
        Value::Int(item.revision),
        Value::Text(&item.state),
        item.repository.as_deref().into(),
        item.digest.as_ref().map(model::Digest::as_str).into(),
        item.environment.as_deref().into(),
        item.created_at.into(),
        item.until.map(model::Timestamp::as_millisecond).into(),
        Value::Blob(&item.body),
    ];
    let written = if item.revision == 1 {
        let mut rows = Rows::of(&tables::ITEMS);
        rows.add(columns.to_vec());
        !rows.insert(connection, "id").await?.is_empty()
    } else {
        let sql = "UPDATE items SET revision = $3, state = $4, repository = $5, digest = $6, environment = $7, created_at = $8, until = $9, \
                   body = $10 WHERE kind = $1 AND id = $2 AND revision = $3 - 1";
        statement(sql, arguments(&columns)?).execute(&mut *connection).await?.rows_affected() > 0
    };
    if written {
        return Ok(());
    }
    let there = statement("SELECT revision, body FROM items WHERE kind = $1 AND id = $2", arguments(&[kind, id])?);
    if let Some(row) = there.fetch_optional(connection).await?
        && row.try_get::<i64, _>(0)? == item.revision
        && row.try_get::<Vec<u8>, _>(1)? == item.body
    {
        return Ok(()); // sent again
    }
    Err(StoreError::Conflict { what: "what was seen of it" }.into())
}

/// Numbers changes: the clock's lock is held from here to the end of the transaction, so that they become visible in order. Gives the last number
/// of each batch.
async fn number_changes(
    connection: &mut AnyConnection,
    backend: Backend,
    group: &[&Prepared],
) -> Result<Vec<Option<i64>>, Trouble> {
    let count = i64::try_from(group.iter().map(|batch| batch.batch.changes.len()).sum::<usize>()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(vec![None; group.len()]);
    }
    let tick = sqlx::query("UPDATE clock SET seq = seq + $1 WHERE id = 1 RETURNING seq").bind(count);
    let last: i64 = tick.fetch_one(&mut *connection).await?.try_get(0)?;
    let mut number = last - count;
    let mut numbers = Vec::with_capacity(group.len());
    let mut scopes = Vec::new();
    for batch in group {
        for scope in &batch.batch.changes {
            number += 1;
            scopes.push((number, scope_text(scope)));
        }
        numbers.push((!batch.batch.changes.is_empty()).then_some(number));
    }
    let mut rows = Rows::of(&tables::CHANGES);
    for (number, scope) in &scopes {
        rows.add(vec![Value::Int(*number), Value::Text(scope)]);
    }
    rows.insert(connection, "").await?;
    if last / TRIM != (last - count) / TRIM {
        // Who is further behind than that is told that everything changed: `Store::changes`.
        let trim = sqlx::query("DELETE FROM changes WHERE seq <= $1").bind(last - KEPT);
        trim.execute(&mut *connection).await?;
    }
    if backend == Backend::Postgres {
        sqlx::query("SELECT pg_notify('ecr_gate_changes', '')").execute(&mut *connection).await?;
    }
    Ok(numbers)
}

fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Global => "global".to_owned(),
        Scope::Image(digest) => format!("image:{digest}"),
    }
}
