//! Measures the store on SQLite, and prints one JSON object:
//!
//! `cargo run --release -p ecr-gate-store --example measure -- [SECONDS] [LARGEST] [FOLDER]`
//!
//! - `recording`: decisions recorded a second by 64 writers at once, each with 10 KiB of evidence, an audit entry and an answer, each durable before
//!   its writer goes on; beside it the same rows by bare INSERTs, in transactions of the size that the store's had on average.
//! - `queryByDigest`: the median time of a query by digest, with 10^4, 10^5, … decisions up to LARGEST.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{Digest, Timestamp, Verdict};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
use store::{AnswerRow, Batch, DecisionQuery, DecisionRow, EvidenceRow, LeafRow, Options, Store};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const WRITERS: u64 = 64;
const EVIDENCE: usize = 10 << 10;
/// Decisions about one image.
const EACH: u64 = 5;
const QUERIES: u64 = 2001;
/// As the store sets them.
const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;";

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let largest: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    // Not where temporary files are in memory: durable is the point.
    let folder = arguments.next().map_or_else(std::env::current_dir, |text| Ok(PathBuf::from(text)))?;
    let folder = tempfile::tempdir_in(folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let recording = recording(folder.path(), Duration::from_secs(seconds.max(1))).await?;
        let queries = queries(folder.path(), largest).await?;
        Outcome::Ok(json!({ "recording": recording, "queryByDigest": queries }))
    })?;
    writeln!(std::io::stdout(), "{answer:#}")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement has no other clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn image(number: u64) -> Digest {
    Digest::of(format!("image {number}").as_bytes())
}

fn decision(number: u64) -> DecisionRow {
    let record = format!("{{\"number\":{number},\"reasons\":\"{}\"}}", "reason ".repeat(250));
    DecisionRow {
        id: uuid::Uuid::now_v7().to_string(),
        repository: format!("registry.example/team/app-{}", number % 100),
        digest: image(number),
        environment: "production".to_owned(),
        verdict: Verdict::Allow,
        policy: image(0),
        facts: None,
        recorded_at: now(),
        valid_until: None,
        children: Vec::new(),
        record: record.into_bytes(),
    }
}

/// What the gate records with a decision.
fn batch(number: u64) -> Batch {
    let mut decision = decision(number);
    // Like packed facts: nothing that repeats.
    let mut bytes = Vec::with_capacity(EVIDENCE);
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < EVIDENCE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    let evidence = EvidenceRow { digest: Digest::of(&bytes), media_type: "application/octet-stream".to_owned(), bytes };
    decision.facts = Some(evidence.digest.clone());
    let answer = AnswerRow {
        id: uuid::Uuid::now_v7().to_string(),
        decision: decision.id.clone(),
        point: "ci".to_owned(),
        basis: "allowed".to_owned(),
        asked_by: Some("ci".to_owned()),
        pipeline: Some(number.to_string()),
        commit: None,
        trace_id: None,
        at: decision.recorded_at,
        times: 1,
    };
    let text = format!("{{\"decision\":\"{}\",\"reasons\":\"{}\"}}", decision.id, "reason ".repeat(80));
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    let leaf = LeafRow {
        id: decision.id.clone(),
        kind: "decision".to_owned(),
        subject: Some(decision.digest.clone()),
        repository: Some(decision.repository.clone()),
        at: decision.recorded_at,
        bytes: text.into_bytes(),
        hash,
        index: None,
    };
    Batch {
        decisions: vec![decision],
        answers: vec![answer],
        evidence: vec![evidence],
        leaves: vec![leaf],
        ..Batch::default()
    }
}

async fn recording(folder: &Path, during: Duration) -> Outcome<Value> {
    let file = folder.join("store.db");
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(Options { url, migrate: true, readers: 1 }).await?;
    let next = Arc::new(AtomicU64::new(0));
    let before = transactions(&file)?;
    let begun = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        writers.spawn(async move {
            let mut durable = 0_u64;
            while begun.elapsed() < during {
                store.write(batch(next.fetch_add(1, Ordering::Relaxed))).await?;
                durable += 1;
            }
            Outcome::Ok(durable)
        });
    }
    let mut durable = 0;
    while let Some(written) = writers.join_next().await {
        durable += written??;
    }
    let took = begun.elapsed();
    let transactions = transactions(&file)?.wrapping_sub(before);
    store.close().await;
    drop(store);
    let group = (durable + u64::from(transactions / 2)) / u64::from(transactions.max(1));
    let (bare, bare_took) = bare(&folder.join("bare.db"), group.max(1), during).await?;
    let (by_store, by_inserts) = (rate(durable, took), rate(bare, bare_took));
    Ok(json!({
        "writers": WRITERS,
        "evidenceBytes": EVIDENCE,
        "batches": durable,
        "transactions": transactions,
        "averageGroup": group,
        "storePerSecond": by_store,
        "bareInsertsPerSecond": by_inserts,
        "storePercentOfBare": by_store * 100 / by_inserts.max(1),
    }))
}

fn rate(count: u64, took: Duration) -> u64 {
    count * 1000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// How many transactions were committed to a SQLite file: the counter in the header of its WAL index.
fn transactions(file: &Path) -> Outcome<u32> {
    let mut name = file.as_os_str().to_owned();
    name.push("-shm");
    let index = std::fs::read(name)?;
    let counter: [u8; 4] = index.get(8..12).ok_or("the WAL index is too short")?.try_into()?;
    Ok(u32::from_ne_bytes(counter))
}

/// The same rows by bare INSERTs, one transaction after the other. They are made ready beside, as in the other run.
async fn bare(file: &Path, group: u64, during: Duration) -> Outcome<(u64, Duration)> {
    store::migrate(&format!("sqlite:{}", file.display())).await?;
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    connection.execute(PRAGMAS).await?;
    let (sender, mut ready) = tokio::sync::mpsc::channel(4);
    let producer = tokio::spawn(async move {
        let mut number = 0;
        loop {
            let batches: Vec<Batch> = (number..number + group).map(batch).collect();
            number += group;
            if sender.send(batches).await.is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let mut written = 0;
    while begun.elapsed() < during {
        let batches = ready.recv().await.ok_or("nothing was made ready")?;
        insert(&mut connection, &batches).await?;
        written += group;
    }
    let took = begun.elapsed();
    drop(ready);
    producer.await?;
    connection.close().await?;
    Ok((written, took))
}

fn into(table: &str, columns: usize, rows: usize) -> AssertSqlSafe<String> {
    let row = format!("({})", vec!["?"; columns].join(", "));
    AssertSqlSafe(format!("INSERT INTO {table} VALUES {}", vec![row; rows].join(", ")))
}

async fn insert(connection: &mut SqliteConnection, batches: &[Batch]) -> Outcome<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let rows = batches.len();
    let mut query = sqlx::query(into("evidence (digest, media_type, stored_at, bytes)", 4, rows));
    for row in batches.iter().flat_map(|batch| &batch.evidence) {
        let at = now().as_millisecond();
        query = query.bind(row.digest.as_str()).bind(&row.media_type).bind(at).bind(row.bytes.as_slice());
    }
    query.execute(&mut *transaction).await?;
    let columns =
        "(id, repository, digest, environment, verdict, policy, facts, recorded_at, valid_until, children, record)";
    let mut query = sqlx::query(into(&format!("decisions {columns}"), 11, rows));
    for row in batches.iter().flat_map(|batch| &batch.decisions) {
        query = query.bind(&row.id).bind(&row.repository).bind(row.digest.as_str()).bind(&row.environment);
        query = query.bind("allow").bind(row.policy.as_str()).bind(row.facts.as_ref().map(Digest::as_str));
        query = query.bind(row.recorded_at.as_millisecond()).bind(None::<i64>).bind("").bind(row.record.as_slice());
    }
    query.execute(&mut *transaction).await?;
    let mut query = sqlx::query(into("latest_decisions (repository, digest, environment, decision)", 4, rows));
    for row in batches.iter().flat_map(|batch| &batch.decisions) {
        query = query.bind(&row.repository).bind(row.digest.as_str()).bind(&row.environment).bind(&row.id);
    }
    query.execute(&mut *transaction).await?;
    let columns = "(id, decision, point, basis, asked_by, pipeline, commit_id, trace_id, at, times)";
    let mut query = sqlx::query(into(&format!("answers {columns}"), 10, rows));
    for row in batches.iter().flat_map(|batch| &batch.answers) {
        query = query.bind(&row.id).bind(&row.decision).bind(&row.point).bind(&row.basis).bind(row.asked_by.as_deref());
        query = query.bind(row.pipeline.as_deref()).bind(row.commit.as_deref()).bind(row.trace_id.as_deref());
        query = query.bind(row.at.as_millisecond()).bind(row.times);
    }
    query.execute(&mut *transaction).await?;
    let mut query = sqlx::query(into("leaves (id, kind, subject, repository, at, hash, place, bytes)", 8, rows));
    for row in batches.iter().flat_map(|batch| &batch.leaves) {
        query = query.bind(&row.id).bind(&row.kind).bind(row.subject.as_ref().map(Digest::as_str));
        query = query.bind(row.repository.as_deref()).bind(row.at.as_millisecond()).bind(row.hash.as_slice());
        query = query.bind(None::<i64>).bind(row.bytes.as_slice());
    }
    query.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn queries(folder: &Path, largest: u64) -> Outcome<Value> {
    let url = format!("sqlite:{}", folder.join("queries.db").display());
    let store = Store::open(Options { url, migrate: true, readers: 1 }).await?;
    let sizes: Vec<u64> = (4..10).map(|power| 10_u64.pow(power)).filter(|size| *size < largest).collect();
    let mut found = Vec::new();
    let mut written = 0;
    for size in sizes.into_iter().chain([largest]) {
        while written < size {
            let some = 1000.min(size - written);
            let decisions = (written..written + some).map(|number| decision(number / EACH)).collect();
            store.write(Batch { decisions, ..Batch::default() }).await?;
            written += some;
        }
        let mut took = Vec::new();
        let images = (size / EACH).max(1);
        for number in 0..QUERIES {
            // All over the table, in no order.
            let image = image(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % images);
            let begun = Instant::now();
            let query = DecisionQuery { digest: Some(image), limit: 20, ..DecisionQuery::default() };
            let rows = store.decisions(&query).await?;
            took.push(begun.elapsed());
            if rows.is_empty() {
                return Err("a decision that was written is not found".into());
            }
        }
        took.sort_unstable();
        let micros = |part: usize| u64::try_from(took[took.len() * part / 100].as_micros()).unwrap_or(u64::MAX);
        found.push(json!({ "decisions": size, "medianMicros": micros(50), "p99Micros": micros(99) }));
    }
    store.close().await;
    Ok(json!(found))
}
