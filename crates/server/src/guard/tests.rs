//! What the guard does for any handler: bounds, panics, ids. The routes here stand in for real ones of the same paths.

use std::sync::atomic::{AtomicUsize, Ordering};

use api::Problem;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, get, post};
use engine::{Gate, GateSettings, Store, StoreOptions};
use tower::ServiceExt as _;

use super::*;
use crate::app::{Limits, PerClient, Settings};
use crate::extract::Json;
use crate::routes::{Route, guarded, listed};

async fn app(folder: &std::path::Path, limits: Limits) -> App {
    let url = format!("sqlite:{}", folder.join("gate.db").display());
    let store = Store::open(StoreOptions { url, migrate: true, readers: 1 }).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test at the edge")]
    let settings = GateSettings::new(folder.join("audit.key"), "test.example".to_owned(), model::Timestamp::now);
    let (metrics, now) = (settings.metrics.clone(), settings.now);
    let gate = Gate::start(settings, store).await.unwrap();
    App::new(gate, Settings { tokens: Vec::new(), anonymous_reads: true, limits, metrics, now })
}

fn with(app: App, path: &'static str, method: &Method, handler: MethodRouter<App>) -> Router {
    let route: Route = listed().into_iter().find(|route| route.path == path && route.method == *method).unwrap();
    guarded(vec![(route, handler)], app)
}

async fn ask(router: &Router, request: axum::http::request::Builder) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
    let request = request.header("host", "localhost").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, 1 << 20).await.unwrap().to_vec())
}

fn problem(body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

fn decisions() -> axum::http::request::Builder {
    Request::builder().uri("/api/v1/decisions")
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_that_says_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let panics = get(|| async { assert!(std::process::id() == 0, "the inside of it") });
    let router = with(app(folder.path(), Limits::default()).await, "/api/v1/decisions", &Method::GET, panics);
    for _ in 0..3 {
        let (status, headers, body) = ask(&router, decisions().header("x-request-id", "mine-1")).await;
        assert_eq!(status, 500);
        assert_eq!(headers["x-request-id"], "mine-1");
        assert_eq!(problem(&body).code, "internal");
        assert!(!String::from_utf8_lossy(&body).contains("inside"));
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { request: Duration::from_millis(50), ..Limits::default() };
    let slow = get(|| async { tokio::time::sleep(Duration::from_mins(1)).await });
    let router = with(app(folder.path(), limits).await, "/api/v1/decisions", &Method::GET, slow);
    let (status, headers, body) = ask(&router, decisions()).await;
    assert_eq!((status.as_u16(), problem(&body).code.as_str()), (503, "limit.time"));
    assert!(headers.contains_key("retry-after"));
}

#[tokio::test]
async fn no_more_is_worked_on_at_once_than_the_bound_and_a_place_comes_back() {
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { concurrency: 3, ..Limits::default() };
    let slow = get(|| async {
        MOST.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    });
    let router = with(app(folder.path(), limits).await, "/api/v1/decisions", &Method::GET, slow);
    let all = futures_util::future::join_all((0..10).map(|_| ask(&router, decisions()))).await;
    let (served, shed): (Vec<_>, Vec<_>) = all.into_iter().partition(|(status, ..)| status.is_success());
    assert_eq!((served.len(), shed.len(), MOST.load(Ordering::SeqCst)), (3, 7, 3));
    assert!(shed.iter().all(|(status, _, body)| *status == 503 && problem(body).code == "limit.busy"));
    assert!(ask(&router, decisions()).await.0.is_success());
}

#[tokio::test]
async fn s30_one_client_that_waits_leaves_places_for_others_and_all_that_wait_for_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { concurrency: 16, ..Limits::default() };
    let route = |path: &str, method: Method| {
        listed().into_iter().find(|route| route.path == path && route.method == method).unwrap()
    };
    let waits = post(|| async { tokio::time::sleep(Duration::from_secs(2)).await });
    let quick = get(|| async { "here" });
    let both = vec![(route("/api/v1/decide", Method::POST), waits), (route("/api/v1/decisions", Method::GET), quick)];
    let router = guarded(both, app(folder.path(), limits).await);
    let asks = |last: u8| {
        let address = SocketAddr::from(([192, 0, 2, last], 4711));
        let request = Request::builder().method("POST").uri("/api/v1/decide").extension(ConnectInfo(address));
        let router = router.clone();
        tokio::spawn(async move { ask(&router, request).await.0.as_u16() })
    };
    let mut waiting: Vec<_> = (0..30).map(|_| asks(1)).collect();
    waiting.extend((0..30).map(|_| asks(2)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let third = asks(3);
    let begun = Instant::now();
    assert!(ask(&router, decisions()).await.0.is_success() && begun.elapsed() < Duration::from_secs(1));
    waiting.extend((4..20).map(asks));
    assert!(ask(&router, decisions()).await.0.is_success() && begun.elapsed() < Duration::from_secs(1));
    let mut served = Vec::new();
    for one in waiting {
        served.push(one.await.unwrap());
    }
    let of = |some: &[u16]| some.iter().filter(|status| **status == 200).count();
    // Fourteen of sixteen may wait, four of one client.
    assert_eq!((of(&served[..30]), of(&served[30..60]), of(&served[60..])), (4, 4, 5), "{served:?}");
    assert_eq!(third.await.unwrap(), 200);
    assert!(served.iter().all(|status| [200, 503].contains(status)));
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_client: Some(PerClient { per_second: 1, burst: 2 }), ..Limits::default() };
    let quick = get(|| async { "here" });
    let router = with(app(folder.path(), limits).await, "/api/v1/decisions", &Method::GET, quick);
    let from = |last: u8| {
        let address = SocketAddr::from(([192, 0, 2, last], 4711));
        decisions().extension(ConnectInfo(address))
    };
    for _ in 0..2 {
        assert!(ask(&router, from(1)).await.0.is_success());
    }
    let (status, headers, body) = ask(&router, from(1)).await;
    assert_eq!((status.as_u16(), problem(&body).code.as_str()), (429, "limit.rate"));
    assert_eq!(headers["retry-after"], "1");
    assert!(ask(&router, from(2)).await.0.is_success());
    let guess = |last| from(last).header("authorization", "Bearer guess");
    let answers = [ask(&router, guess(3)).await.0, ask(&router, guess(3)).await.0, ask(&router, guess(3)).await.0];
    assert_eq!(answers.map(|status| status.as_u16()), [401, 401, 429], "guessing is bounded too");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { receiving: Duration::from_millis(50), ..Limits::default() };
    let reads = post(|Json { value, .. }: Json<serde_json::Value, 64>| async move { value.to_string() });
    let router = with(app(folder.path(), limits).await, "/api/v1/decide", &Method::POST, reads);
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request =
        Request::post("/api/v1/decide").header("host", "localhost").header("content-type", "application/json");
    let response = router.clone().oneshot(request.body(never).unwrap()).await.unwrap();
    assert_eq!(response.status(), 408);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 8]));
    let request =
        Request::post("/api/v1/decide").header("host", "localhost").header("content-type", "application/json");
    let response = router.oneshot(request.body(Body::from_stream(endless)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 413);
}
