//! Jobs are queued once, taken by one, and not lost.

use std::collections::HashSet;
use std::time::Duration;

use store::{Batch, Job, NewJob, Store};

use crate::support::{Database, at, on_both};

on_both!(
    a_job_is_taken_by_one,
    a_job_is_taken_again_after_its_lease,
    a_waiting_job_is_not_queued_twice,
    a_job_that_is_asked_for_while_taken_runs_once_more,
    a_job_that_fails_waits_or_dies,
);

const LEASE: Duration = Duration::from_mins(1);

fn job(key: &str, run_at: i64) -> NewJob {
    NewJob { kind: "collect".to_owned(), key: key.to_owned(), payload: format!("\"{run_at}\""), run_at: at(run_at) }
}

async fn queue(store: &Store, jobs: impl IntoIterator<Item = NewJob>) {
    store.write(Batch { jobs: jobs.into_iter().collect(), ..Batch::default() }).await.unwrap();
}

async fn done(store: &Store, job: &Job) {
    store.write(Batch { done: vec![job.id.clone()], ..Batch::default() }).await.unwrap();
}

async fn take(store: &Store, now: i64) -> Vec<Job> {
    store.take_jobs(at(now), LEASE, 10).await.unwrap()
}

async fn a_job_is_taken_by_one(database: &Database) {
    let one = database.open().await;
    let two = if database.is_postgres { database.open().await } else { one.clone() };
    queue(&one, (0..60).map(|number| job(&number.to_string(), 0))).await;
    queue(&one, [job("later", 100)]).await;
    let mut taken = Vec::new();
    for _ in 0..100 {
        let (some, others) = tokio::join!(one.take_jobs(at(1), LEASE, 7), two.take_jobs(at(1), LEASE, 7));
        let (some, others) = (some.unwrap(), others.unwrap());
        if some.is_empty() && others.is_empty() {
            break;
        }
        taken.extend(some.into_iter().chain(others));
    }
    assert_eq!(taken.len(), 60);
    assert_eq!(taken.iter().map(|job| &job.key).collect::<HashSet<_>>().len(), 60, "one was taken twice");
    assert!(taken.iter().all(|job| job.attempts == 1 && job.lease_until == at(61) && job.kind == "collect"));
    assert_eq!(taken.iter().find(|job| job.key == "5").unwrap().payload, "\"0\"");
}

async fn a_job_is_taken_again_after_its_lease(database: &Database) {
    let store = database.open().await;
    queue(&store, [job("b", 2), job("a", 3), job("c", 1)]).await;
    let first = take(&store, 10).await;
    assert_eq!(first.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["c", "b", "a"], "the oldest first");
    assert_eq!(take(&store, 69).await, []);
    done(&store, &first[0]).await;
    let second = take(&store, 70).await;
    assert_eq!(second.iter().map(|job| (job.key.as_str(), job.attempts)).collect::<Vec<_>>(), [("b", 2), ("a", 2)]);
    for job in &second {
        done(&store, job).await;
    }
    assert_eq!(take(&store, 1000).await, []);
}

async fn a_waiting_job_is_not_queued_twice(database: &Database) {
    let store = database.open().await;
    queue(&store, [job("k", 10), job("k", 9), job("k", 11)]).await;
    queue(&store, [job("k", 20)]).await;
    assert_eq!(take(&store, 8).await, []);
    // Earlier is possible, later is not.
    queue(&store, [job("k", 5)]).await;
    let taken = take(&store, 5).await;
    assert_eq!(taken.len(), 1);
    done(&store, &taken[0]).await;
    assert_eq!(take(&store, 1000).await, []);
    // Done is gone: it may be queued again.
    queue(&store, [job("k", 6)]).await;
    assert_eq!(take(&store, 7).await.len(), 1);
}

async fn a_job_that_is_asked_for_while_taken_runs_once_more(database: &Database) {
    let store = database.open().await;
    queue(&store, [job("k", 1)]).await;
    let first = take(&store, 1).await.remove(0);
    // What it is about changed after it looked.
    queue(&store, [job("k", 3), job("k", 2)]).await;
    queue(&store, [job("k", 4)]).await;
    assert_eq!(take(&store, 5).await, []);
    done(&store, &first).await;
    done(&store, &first).await; // sent again: takes nothing away
    let second = take(&store, 5).await.remove(0);
    assert_ne!(second.id, first.id);
    assert_eq!((second.attempts, second.payload.as_str()), (1, "\"4\""));
    done(&store, &second).await;
    assert_eq!(take(&store, 1000).await, []);
    // Taken again after its lease, it has seen what was asked meanwhile.
    queue(&store, [job("k", 1)]).await;
    take(&store, 1).await;
    queue(&store, [job("k", 2)]).await;
    let again = take(&store, 100).await.remove(0);
    done(&store, &again).await;
    assert_eq!(take(&store, 1000).await, []);
}

async fn a_job_that_fails_waits_or_dies(database: &Database) {
    let store = database.open().await;
    queue(&store, [job("k", 1)]).await;
    let first = take(&store, 1).await.remove(0);
    store.fail_job(&first.id, Some(at(30)), "the registry\nis down").await.unwrap();
    assert_eq!(take(&store, 29).await, []);
    let second = take(&store, 30).await.remove(0);
    assert_eq!((second.id.as_str(), second.attempts), (first.id.as_str(), 2));
    store.fail_job(&second.id, None, "it is gone").await.unwrap();
    assert_eq!(take(&store, 100_000).await, []);
    assert_eq!(store.status().await.unwrap().dead_jobs, 1);
    // Asked for again, it lives again.
    queue(&store, [job("k", 50)]).await;
    assert_eq!(store.status().await.unwrap().dead_jobs, 0);
    let third = take(&store, 50).await.remove(0);
    assert_eq!((third.attempts, third.payload.as_str()), (1, "\"50\""));
    // Asked for while it was taken, it does not die.
    queue(&store, [job("k", 60)]).await;
    store.fail_job(&third.id, None, "no").await.unwrap();
    assert_eq!(take(&store, 60).await.len(), 1);
    store.fail_job("unheard of", None, "no").await.unwrap();
}
