//! S36: who may do what.

use server::{Access, listed};

use crate::stage::{ADMIN, How, PIPELINE, READER, served};

/// A path of a route with something in place of its parameters.
fn path(template: &str) -> String {
    template.replace("{digest}", &format!("sha256:{}", "0".repeat(64))).replace("{id}", "x").replace("{entry}", "x")
}

#[tokio::test]
async fn s36_every_route_asks_for_its_role_and_no_other() {
    for anonymous_reads in [true, false] {
        let served = served(How { anonymous_reads, ..How::default() }).await;
        let mut tried = 0;
        for route in listed() {
            for (token, rank) in [(None, 0), (Some(READER), 1), (Some(PIPELINE), 2), (Some(ADMIN), 3)] {
                let request = reqwest::Client::new().request(route.method.clone(), served.url(&path(route.path)));
                let answer = served.send(token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth)).await;
                let needed = match route.access {
                    Access::Open => 0,
                    Access::Read if anonymous_reads => 0,
                    Access::Read | Access::Named => 1,
                    Access::Write => 2,
                    Access::Admin => 3,
                };
                let refused = if token.is_some() { 403 } else { 401 };
                // A reader may request things: which of the writes are for them, the engine says once it knows what is written.
                if (route.access, rank) == (Access::Write, 1) {
                    assert!(![200, 201, 401].contains(&answer.status), "{} {}", route.path, answer.status);
                    continue;
                }
                let what = format!("{} {} by {token:?}: {}", route.method, route.path, answer.status);
                assert_eq!([401, 403].contains(&answer.status), rank < needed, "{what}");
                assert!(rank >= needed || answer.status == refused, "{what}");
                tried += 1;
            }
        }
        assert!(tried >= 90, "{tried}");
    }
}

#[tokio::test]
async fn s36_an_unknown_token_is_refused_everywhere_but_where_everybody_may_ask() {
    let served = served(How::default()).await;
    for route in listed() {
        let request = reqwest::Client::new().request(route.method.clone(), served.url(&path(route.path)));
        let answer = served.send(request.bearer_auth("token-that-nobody-knows")).await;
        assert_eq!(answer.status == 401, route.access != Access::Open, "{} {}", route.method, route.path);
        assert!(!answer.body.contains("token-that-nobody-knows"));
        if answer.status == 401 {
            assert_eq!(answer.problem(), "auth.unknownToken");
            assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
        }
    }
}

#[tokio::test]
async fn s36_a_reader_hands_nothing_in() {
    let served = served(How::default()).await;
    let image = format!("r.example/team/app@sha256:{}", "0".repeat(64));
    let path = format!("/api/v1/signals?image={image}&kind=sbom");
    for (token, status) in [(Some(READER), 403), (Some(PIPELINE), 422), (None, 401)] {
        assert_eq!(served.post(&path, token, "{}").await.status, status, "{token:?}");
    }
}

#[tokio::test]
async fn s36_a_web_page_whose_name_points_here_reads_nothing_without_a_token() {
    let served = served(How::default()).await;
    let with_host = |host: &str| reqwest::Client::new().get(served.url("/api/v1/decisions")).header("host", host);
    assert_eq!(served.send(with_host("localhost")).await.status, 200);
    assert_eq!(served.send(with_host("page.example")).await.status, 401);
    assert_eq!(served.send(with_host("page.example").bearer_auth(READER)).await.status, 200);
}
