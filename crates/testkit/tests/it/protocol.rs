//! The two protocols, and requests that are none.

use std::collections::HashMap;

use serde_json::json;
use testkit::fixtures::{self, digest};
use testkit::{Answer, Ecr, FOREIGN_ENV, Script};

use crate::client::Client;

#[test]
fn a_request_is_recorded_with_all_that_matters() {
    let ecr = Ecr::start(Script::new().on("DescribeImages", Answer::json(json!({}))));
    let body = json!({ "imageIds": [{ "imageDigest": digest(3), "imageTag": "v1" }], "nextToken": "t" });
    Client::connect(&ecr).ask("DescribeImages", &body);
    let requests = ecr.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((request.operation.as_str(), &request.body), ("DescribeImages", &body));
    assert_eq!(request.authorization.as_deref(), Some("AWS4-HMAC-SHA256 test"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!((request.digest(), request.tag()), (Some(digest(3).as_str()), Some("v1")));
    assert_eq!(request.next_token(), Some("t"));
}

#[test]
fn errors_look_like_those_of_ecr() {
    let script = Script::new()
        .on("A", Answer::error("RepositoryNotFoundException", "no such repository"))
        .on("A", Answer::error("ServerException", "oops"))
        .on("A", Answer::error_status(429, "TooManyRequestsException", "slow down").header("Retry-After", "1"));
    let ecr = Ecr::start(script);
    let mut client = Client::connect(&ecr);
    let mut ask = || client.ask("A", &json!({})).unwrap();

    let first = ask();
    assert_eq!(first.status, 400);
    assert_eq!(first.json(), json!({ "__type": "RepositoryNotFoundException", "message": "no such repository" }));
    assert!(first.head.contains("\r\nx-amzn-ErrorType: RepositoryNotFoundException\r\n"), "{}", first.head);
    assert!(first.head.contains("\r\nContent-Type: application/x-amz-json-1.1\r\n"), "{}", first.head);
    assert_eq!(ask().status, 500);
    let third = ask();
    assert_eq!(third.status, 429);
    assert!(third.head.contains("\r\nRetry-After: 1\r\n"), "{}", third.head);
}

#[test]
fn denied_xml_looks_like_that_of_moto() {
    let ecr = Ecr::start(Script::new().on("DescribeImages", Answer::denied_xml("User: <x> is not authorized")));
    let received = Client::connect(&ecr).ask("DescribeImages", &json!({})).unwrap();
    assert_eq!(received.status, 403);
    let body = String::from_utf8(received.body).unwrap();
    assert!(body.contains("<Code>AccessDenied</Code><Message>User: &lt;x&gt; is not authorized</Message>"), "{body}");
}

#[test]
fn the_query_protocol_of_sts_is_understood() {
    let operation = "AssumeRoleWithWebIdentity";
    let ecr = Ecr::start(Script::new().on(operation, Answer::xml(fixtures::assume_role_with_web_identity(0))));
    let form = "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx&Empty";
    let mut client = Client::connect(&ecr);
    client.send_raw(
        format!(
            "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        )
        .as_bytes(),
    );
    let received = client.receive().unwrap();
    assert_eq!(received.status, 200);
    let body = String::from_utf8(received.body).unwrap();
    assert!(body.starts_with("<AssumeRoleWithWebIdentityResponse"), "{body}");
    assert!(body.contains("<Expiration>1970-01-01T00:00:00Z</Expiration>"), "{body}");
    assert_eq!(ecr.requests()[0].body["RoleArn"], "arn:aws:iam::123456789012:role/x");
    assert_eq!(ecr.operations(), [operation]);
    assert!(client.is_closed(), "the client asked for that");
}

#[test]
fn an_operation_without_a_script_is_named() {
    let ecr = Ecr::start(Script::new());
    let received = Client::connect(&ecr).ask("PutImage", &json!({})).unwrap();
    assert_eq!(received.status, 400);
    assert_eq!(received.json()["__type"], "UnknownOperationException");
    assert!(received.json()["message"].as_str().unwrap().contains("PutImage"));
}

#[test]
fn what_is_no_request_is_refused_and_the_endpoint_goes_on() {
    let ecr = Ecr::start(Script::new().on("A", Answer::json(json!({}))));
    let refused: &[(&str, Option<u16>)] = &[
        ("\r\n\r\n", Some(400)),
        ("SSH-2.0-x\r\n\r\n", Some(400)),
        ("GET / HTTP/1.1\r\n\r\n", Some(405)),
        ("POST / HTTP/1.1\r\nX-Amz-Target: A\r\n\r\n", Some(411)),
        ("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", Some(400)),
        ("POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", Some(413)),
    ];
    for (bytes, status) in refused {
        let mut client = Client::connect(&ecr);
        client.send_raw(bytes.as_bytes());
        assert_eq!(client.receive().map(|received| received.status), *status, "{bytes:?}");
        assert!(client.is_closed(), "{bytes:?}");
    }
    assert_eq!(ecr.requests().len(), 0);

    let mut client = Client::connect(&ecr);
    client.send_raw(b"POST / HTTP/1.1\r\nX-Amz-Target: A\r\nContent-Length: 3\r\n\r\n\xff{}");
    assert_eq!(client.receive().unwrap().status, 200, "the body is the script's business");
    assert!(ecr.requests()[0].body.is_string());
}

#[test]
fn requests_may_arrive_together_or_in_pieces() {
    let ecr = Ecr::start(Script::new().on("A", Answer::json(json!(1))).on("A", Answer::json(json!(2))));
    let mut client = Client::connect(&ecr);
    client.send("A", &json!({}));
    client.send("A", &json!({}));
    assert_eq!(client.receive().unwrap().json(), 1);
    assert_eq!(client.receive().unwrap().json(), 2);
    for byte in b"POST / HTTP/1.1\r\nX-Amz-Target: A\r\nContent-Length: 2\r\n\r\n{}" {
        client.send_raw(&[*byte]);
    }
    assert_eq!(client.receive().unwrap().json(), 2);
}

#[test]
fn the_environment_leads_here_and_nowhere_else() {
    let ecr = Ecr::start(Script::new());
    let env: HashMap<_, _> = ecr.env().into_iter().collect();
    assert_eq!(env["AWS_ENDPOINT_URL"], ecr.url());
    assert_eq!(env["AWS_REGION"], fixtures::REGION);
    assert!(FOREIGN_ENV.iter().all(|name| !env.contains_key(name)));
}
