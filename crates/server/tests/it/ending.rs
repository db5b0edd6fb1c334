//! The end: what was accepted is finished, nothing new is taken, and a second signal does not wait.

use std::time::{Duration, Instant};

use server::{Ended, RunSettings};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{How, served};

/// A registry that takes connections and never answers.
async fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn what_was_accepted_is_finished_and_nothing_new_is_taken() {
    let registry = silent().await;
    let host = registry.local_addr().unwrap().to_string();
    let run = RunSettings { delay: Duration::from_millis(300), ..RunSettings::default() };
    let mut served = served(How { insecure: vec![host.clone()], run, ..How::default() }).await;
    let body = format!(r#"{{"image":"{host}/team/app:1","waitSeconds":1}}"#);
    let client = reqwest::Client::new();
    let request = client.post(served.url("/api/v1/decide")).header("content-type", "application/json").body(body);
    let asking = tokio::spawn(request.send());
    let (_connection, _) = registry.accept().await.unwrap();
    served.signals.send(()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ready = served.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (503, Some(false)), "{}", ready.body);
    assert!(ready.json()["reasons"][0].as_str().unwrap().contains("ending"));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(TcpStream::connect(served.address).await.is_err(), "no new connections");
    assert!(!served.ended.is_finished(), "an ask is still looked into");
    let answer = asking.await.unwrap().unwrap();
    assert_eq!(answer.status(), 503, "its answer: the registry is silent");
    assert!(answer.text().await.unwrap().contains("\"class\""));
    assert_eq!((&mut served.ended).await.unwrap().unwrap(), Ended::Gracefully);
}

#[tokio::test]
async fn what_takes_too_long_is_not_waited_for_longer_than_said() {
    let registry = silent().await;
    let host = registry.local_addr().unwrap().to_string();
    let run = RunSettings { finish_within: Duration::from_millis(300), ..RunSettings::default() };
    let mut served = served(How { insecure: vec![host.clone()], run, ..How::default() }).await;
    let body = format!(r#"{{"image":"{host}/team/app:1","waitSeconds":20}}"#);
    let request =
        reqwest::Client::new().post(served.url("/api/v1/decide")).header("content-type", "application/json").body(body);
    let asking = tokio::spawn(request.send());
    let (_connection, _) = registry.accept().await.unwrap();
    let began = Instant::now();
    served.signals.send(()).await.unwrap();
    assert_eq!((&mut served.ended).await.unwrap().unwrap(), Ended::Gracefully);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(asking.await.unwrap().is_err(), "it was cut off");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let registry = silent().await;
    let host = registry.local_addr().unwrap().to_string();
    let mut served = served(How { insecure: vec![host.clone()], ..How::default() }).await;
    let body = format!(r#"{{"image":"{host}/team/app:1","waitSeconds":20}}"#);
    let request =
        reqwest::Client::new().post(served.url("/api/v1/decide")).header("content-type", "application/json").body(body);
    let asking = tokio::spawn(request.send());
    let (_connection, _) = registry.accept().await.unwrap();
    served.signals.send(()).await.unwrap();
    served.signals.send(()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.ended).await.unwrap();
    assert_eq!(ended.unwrap().unwrap(), Ended::AtOnce);
    assert!(asking.await.unwrap().is_err());
}
