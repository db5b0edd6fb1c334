//! Which answer is given: queues, images, functions, pages, and a script replaced while the endpoint runs.

use serde_json::{Value, json};
use testkit::fixtures::{Scan, digest};
use testkit::{Answer, Ecr, Script};

use crate::client::Client;

const SCAN: &str = "DescribeImageScanFindings";

fn about(digest: &str) -> Value {
    json!({ "repositoryName": "team/app", "imageId": { "imageDigest": digest } })
}

#[test]
fn a_queue_runs_in_order_and_its_last_answer_repeats() {
    let ecr = Ecr::start(
        Script::new()
            .on(SCAN, Answer::error("ThrottlingException", "Rate exceeded"))
            .on(SCAN, Answer::json(Scan::only_status(&digest(1), "PENDING").value()))
            .on(SCAN, Answer::json(Scan::enhanced(&digest(1), 1_700_000_000).value())),
    );
    let mut client = Client::connect(&ecr);
    let mut ask = || client.ask(SCAN, &about(&digest(1))).unwrap().json();
    assert_eq!(ask()["__type"], "ThrottlingException");
    let pending = ask();
    assert_eq!(pending["imageScanStatus"]["status"], "PENDING");
    assert!(pending.get("imageScanFindings").is_none());
    for _ in 0..3 {
        assert_eq!(ask()["imageScanStatus"]["status"], "ACTIVE");
    }
    assert_eq!(ecr.count(SCAN), 5);
    assert_eq!(ecr.connections(), 1, "one connection carried them all");
}

#[test]
fn an_image_has_a_queue_of_its_own() {
    let ecr = Ecr::start(
        Script::new()
            .on(SCAN, Answer::json(json!("any")))
            .on_image(SCAN, &digest(2), Answer::json(json!("two, first")))
            .on_image(SCAN, &digest(2), Answer::json(json!("two, then")))
            .on_image("DescribeImages", "v1", Answer::json(json!("by tag"))),
    );
    let mut client = Client::connect(&ecr);
    let mut ask = |operation, body: Value| client.ask(operation, &body).unwrap().json();
    assert_eq!(ask(SCAN, about(&digest(2))), "two, first");
    assert_eq!(ask(SCAN, about(&digest(1))), "any");
    assert_eq!(ask(SCAN, about(&digest(2))), "two, then");
    assert_eq!(ask("DescribeImages", json!({ "imageIds": [{ "imageTag": "v1" }] })), "by tag");
    assert_eq!(
        ask("DescribeImages", json!({ "imageIds": [{ "imageTag": "v2" }] }))["__type"],
        "UnknownOperationException"
    );
}

#[test]
fn a_function_answers_from_the_request() {
    let script = Script::new()
        .on(SCAN, Answer::cut())
        .always(SCAN, |request| Answer::json(json!({ "asked": request.digest() })))
        .on_image(SCAN, &digest(9), Answer::json(json!("the image wins")));
    let ecr = Ecr::start(script);
    let mut client = Client::connect(&ecr);
    assert_eq!(client.ask(SCAN, &about(&digest(1))).unwrap().json(), json!({ "asked": digest(1) }));
    assert_eq!(client.ask(SCAN, &about(&digest(9))).unwrap().json(), "the image wins");
}

#[test]
fn pages_follow_their_tokens() {
    let pages = Scan::basic(&digest(1), 1_700_000_000).findings(5, "LOW").pages(2);
    assert_eq!(pages.len(), 3);
    let ecr = Ecr::start(Script::new().pages(SCAN, pages.clone()));
    let mut client = Client::connect(&ecr);
    let (mut body, mut seen) = (about(&digest(1)), Vec::new());
    loop {
        let page = client.ask(SCAN, &body).unwrap().json();
        seen.push(page.clone());
        match page.get("nextToken") {
            Some(token) => body["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen, pages);
    body["nextToken"] = json!("nonsense");
    assert_eq!(client.ask(SCAN, &body).unwrap().json()["__type"], "InvalidParameterException");
}

#[test]
fn a_script_is_replaced_while_the_endpoint_runs() {
    let script = Script::new().on(SCAN, Answer::json(json!(1))).on(SCAN, Answer::json(json!(2)));
    let ecr = Ecr::start(script.clone());
    let mut client = Client::connect(&ecr);
    assert_eq!(client.ask(SCAN, &json!({})).unwrap().json(), 1);
    assert_eq!(client.ask(SCAN, &json!({})).unwrap().json(), 2);

    ecr.set(script);
    assert_eq!(ecr.requests().len(), 0);
    assert_eq!(client.ask(SCAN, &json!({})).unwrap().json(), 1, "a clone starts from the beginning");

    ecr.set(Script::new());
    assert_eq!(client.ask(SCAN, &json!({})).unwrap().json()["__type"], "UnknownOperationException");
    assert_eq!((ecr.count(SCAN), ecr.connections()), (1, 1));
}
