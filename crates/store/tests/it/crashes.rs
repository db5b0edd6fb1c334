//! Processes that are killed, disks that are full, servers that are gone: what was acknowledged is there, and what is there is whole.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{Options, Store};

use crate::support::{Database, block_on, child, decided, decision, id, on_both, server};

on_both!(what_a_killed_process_acknowledged_is_there);

/// What a child said: which writes it had acknowledged, and how many had failed, by the time it was told to stop reading.
fn listen(child: &mut Child, mut until: impl FnMut(&[u64], u64) -> bool) -> (Vec<u64>, u64) {
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    let mut killed = false;
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // To the end of what it said: an acknowledgement that was said before the kill counts.
    while out.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(number) = line.trim().strip_prefix("ack ") {
            acknowledged.push(number.parse().unwrap());
        } else if line.starts_with("failed") {
            failed += 1;
        }
        line.clear();
        if !killed && until(&acknowledged, failed) {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "it ended by itself after {} acknowledgements", acknowledged.len());
    (acknowledged, failed)
}

/// Every acknowledged decision is there with its answer and leaf, and none is there in part.
async fn verify(store: &Store, acknowledged: &[u64]) {
    for number in acknowledged {
        let row = store.decision(&id(*number)).await.unwrap();
        assert_eq!(row, Some(decision(*number)), "{number} was acknowledged");
    }
    let status = store.status().await.unwrap();
    let count = |table: &str| status.rows.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!(count("decisions"), count("answers"));
    assert_eq!(count("decisions"), count("leaves"));
    assert!(count("decisions") >= acknowledged.len() as u64);
}

async fn what_a_killed_process_acknowledged_is_there(database: &Database) {
    let mut all = Vec::new();
    for round in 0..4_u64 {
        let mut command = child("writes", &database.url);
        command.env("ECR_GATE_STORE_FROM", (round * 100_000).to_string());
        let mut process = command.spawn().unwrap();
        let enough = usize::try_from(20 + round * 70).unwrap();
        let (acknowledged, failed) = listen(&mut process, |acknowledged, _| acknowledged.len() >= enough);
        assert_eq!(failed, 0);
        all.extend(acknowledged);
        let store = database.open().await;
        verify(&store, &all).await;
        store.close().await;
    }
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let database = Database::sqlite();
    // No file larger than 700 KiB; the signal that says so is ignored, as a full disk sends none.
    let whole = child("writes", &database.url);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -S -f 1400; exec \"$@\"", "sh"]);
    command.arg(whole.get_program()).args(whole.get_args());
    command.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut process = command.env("ECR_GATE_STORE_FROM", "0").spawn().unwrap();
    let pid = process.id().to_string();
    let mut room_since = None;
    let (acknowledged, failed) = listen(&mut process, |acknowledged, failed| {
        if failed >= 5 && room_since.is_none() {
            // There is room again.
            let done = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap();
            assert!(done.success());
            room_since = Some(acknowledged.len());
        }
        room_since.is_some_and(|before| acknowledged.len() >= before + 50)
    });
    assert!(failed >= 5 && room_since.unwrap() > 10, "{failed} failed, {} before", room_since.unwrap());
    block_on(async {
        let store = database.open().await;
        verify(&store, &acknowledged).await;
    });
}

/// Writes until it is killed, and says what was acknowledged.
#[test]
#[ignore = "a process that other tests start"]
fn writes() {
    let Ok(url) = std::env::var("ECR_GATE_STORE_CHILD") else { return };
    let from: u64 = std::env::var("ECR_GATE_STORE_FROM").unwrap().parse().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    block_on(async {
        let store = Store::open(Options { url, migrate: true, readers: 1 }).await.unwrap();
        let next = Arc::new(AtomicU64::new(from));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, next) = (store.clone(), Arc::clone(&next));
            writers.spawn(async move {
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let said = match store.write(decided(number)).await {
                        Ok(_) => format!("ack {number}\n"),
                        Err(_) => "failed\n".to_owned(),
                    };
                    let mut out = std::io::stdout().lock();
                    out.write_all(said.as_bytes()).unwrap();
                    out.flush().unwrap();
                }
            });
        }
        writers.join_all().await;
    });
}

/// Writes in this process while something happens to the server; gives what was acknowledged, and how many writes failed.
async fn under_load(store: &Store, happens: impl FnOnce() + Send + 'static) -> (Vec<u64>, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (store, stop, next) = (store.clone(), Arc::clone(&stop), Arc::clone(&next));
        writers.spawn(async move {
            let (mut acknowledged, mut failed) = (Vec::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                match store.write(decided(number)).await {
                    Ok(_) => acknowledged.push(number),
                    Err(_) => failed += 1,
                }
            }
            (acknowledged, failed)
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What nobody waits for is written when the server is back.
    for number in 0..5 {
        store.write_soon(decided(1_000_000 + number)).unwrap();
    }
    tokio::task::spawn_blocking(happens).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    for (some, errors) in writers.join_all().await {
        acknowledged.extend(some);
        failed += errors;
    }
    (acknowledged, failed)
}

fn server_goes_and_comes(words: &'static [&'static str], away: Duration) {
    let Some(database) = Database::postgres() else { return };
    block_on(async {
        let store = database.open().await;
        let (mut acknowledged, failed) = under_load(&store, move || {
            let server = server().unwrap();
            server.tell(words[0]);
            std::thread::sleep(away);
            server.tell(words[1]);
        })
        .await;
        // Away for less than a write is tried, nobody noticed.
        assert_eq!(failed, 0);
        store.write(decided(2_000_000)).await.unwrap();
        let started = Instant::now();
        while store.at_risk() > 0 {
            assert!(started.elapsed() < Duration::from_secs(3), "{} are not written", store.at_risk());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        acknowledged.extend([2_000_000, 1_000_000, 1_000_004]);
        assert!(acknowledged.len() > 20, "only {} were written", acknowledged.len());
        verify(&store, &acknowledged).await;
    });
}

#[test]
fn a_server_that_is_stopped_and_started_loses_nothing() {
    server_goes_and_comes(&["stop", "start"], Duration::from_millis(800));
}

#[test]
fn a_server_that_crashes_loses_nothing() {
    server_goes_and_comes(&["crash", "start"], Duration::from_millis(200));
}

#[test]
fn a_server_that_pauses_loses_nothing() {
    server_goes_and_comes(&["pause", "resume"], Duration::from_millis(1500));
}

#[test]
fn a_server_that_stays_away_is_an_error() {
    let Some(database) = Database::postgres() else { return };
    block_on(async {
        let store = database.open().await;
        store.write(decided(1)).await.unwrap();
        tokio::task::spawn_blocking(|| server().unwrap().tell("stop")).await.unwrap();
        store.write_soon(decided(2)).unwrap();
        let started = Instant::now();
        let refused = store.write(decided(3)).await;
        assert!(refused.is_err() && started.elapsed() < Duration::from_secs(15), "{refused:?}");
        // Once it is known, the next one hears of it sooner.
        let started = Instant::now();
        assert!(store.write(decided(4)).await.is_err() && started.elapsed() < Duration::from_secs(6));
        assert!(store.decision(&id(1)).await.is_err());
        assert_eq!(store.at_risk(), 1);
        tokio::task::spawn_blocking(|| server().unwrap().tell("start")).await.unwrap();
        store.write(decided(5)).await.unwrap();
        let started = Instant::now();
        while store.at_risk() > 0 {
            assert!(started.elapsed() < Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for number in [1, 2, 5] {
            assert!(store.decision(&id(number)).await.unwrap().is_some(), "{number}");
        }
    });
}
