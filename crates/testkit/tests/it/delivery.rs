//! Answers that arrive badly, and an endpoint that goes away promptly.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Answer, Ecr, Script};

use crate::client::Client;

const OPERATION: &str = "DescribeImages";

fn with(answer: Answer) -> Ecr {
    Ecr::start(Script::new().on(OPERATION, answer))
}

#[test]
fn truncated_promises_more_than_it_sends() {
    let ecr = with(Answer::truncated(json!({ "imageDetails": [] }), 7));
    let mut client = Client::connect(&ecr);
    let received = client.ask(OPERATION, &json!({})).unwrap();
    assert_eq!(received.promised, r#"{"imageDetails":[]}"#.len());
    assert_eq!(received.body, br#"{"image"#);
    assert!(client.is_closed());
}

#[test]
fn truncated_never_sends_the_whole() {
    let ecr = with(Answer::truncated(json!({}), 1000));
    let received = Client::connect(&ecr).ask(OPERATION, &json!({})).unwrap();
    assert_eq!((received.promised, received.body.as_slice()), (2, &b"{"[..]));
}

#[test]
fn cut_says_nothing() {
    let ecr = with(Answer::cut());
    assert!(Client::connect(&ecr).ask(OPERATION, &json!({})).is_none());
    assert_eq!(ecr.count(OPERATION), 1);
}

#[test]
fn slow_drips() {
    let ecr = with(Answer::slow(json!({ "a": 1 }), 2, Duration::from_millis(30)));
    let started = Instant::now();
    let mut client = Client::connect(&ecr);
    let received = client.ask(OPERATION, &json!({})).unwrap();
    assert_eq!(received.json(), json!({ "a": 1 }));
    assert!(started.elapsed() >= Duration::from_millis(120), "{:?}", started.elapsed());
    assert!(client.ask(OPERATION, &json!({})).is_some(), "a whole answer leaves the connection open");
}

#[test]
fn hang_is_silent_and_then_closes() {
    let ecr = with(Answer::hang(Duration::from_millis(150)));
    let started = Instant::now();
    assert!(Client::connect(&ecr).ask(OPERATION, &json!({})).is_none());
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[test]
fn after_delays_any_answer() {
    let ecr = with(Answer::error("ThrottlingException", "Rate exceeded").after(Duration::from_millis(120)));
    let started = Instant::now();
    assert_eq!(Client::connect(&ecr).ask(OPERATION, &json!({})).unwrap().status, 400);
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[test]
fn dropping_ends_hangs_drips_and_idle_connections() {
    let answers = [
        Answer::hang(Duration::from_mins(10)),
        Answer::json(json!({})).after(Duration::from_mins(10)),
        Answer::slow(json!({}), 1, Duration::from_mins(10)),
    ];
    for answer in answers {
        let ecr = with(answer);
        let _idle = Client::connect(&ecr);
        let mut half = Client::connect(&ecr);
        half.send_raw(b"POST / HTTP/1.1\r\nContent-");
        let mut waiting = Client::connect(&ecr);
        waiting.send(OPERATION, &json!({}));
        while ecr.count(OPERATION) == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        let started = Instant::now();
        let address = ecr.address();
        drop(ecr);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
    }
}
