//! Faults on the wire: what passes is tried again in time, what lasts is an error with its cause.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::ReasonCode;
use registry::{Anonymous, Client, Error, Options, Reference};
use testkit::oci::{Fault, ImageBuilder, Registry};

use crate::support::{at, client, options};

fn latest() -> Reference {
    Reference::Tag("latest".parse().unwrap())
}

fn started() -> Registry {
    let registry = Registry::start();
    registry.push("app", Some("latest"), &ImageBuilder::new().build());
    registry
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let registry = started();
    for fault in [
        Fault::on("GET", "/").status(503),
        Fault::on("GET", "/").status(500),
        Fault::on("GET", "/").throttled("1"),
        Fault::on("GET", "/").status_code(403, "TOOMANYREQUESTS"),
        Fault::on("GET", "/").cut(),
        Fault::on("GET", "/").truncated(10),
    ] {
        registry.clear_faults();
        registry.clear_log();
        registry.fault(fault.times(1));
        client(&registry).manifest(&at(&registry, "app"), &latest()).await.unwrap();
        assert!(registry.requests().len() >= 2);
    }
}

#[tokio::test]
async fn what_lasts_is_an_error_with_its_cause() {
    let registry = started();
    for (fault, code) in [
        (Fault::on("GET", "/").status(503), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/").throttled("0"), ReasonCode::RegistryThrottled),
        (Fault::on("GET", "/").status_code(403, "TOOMANYREQUESTS"), ReasonCode::RegistryThrottled),
        (Fault::on("GET", "/").cut(), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/").truncated(10), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/").status(403), ReasonCode::RegistryAccessDenied),
        (Fault::on("GET", "/").status_code(404, "DENIED"), ReasonCode::RegistryAccessDenied),
        (Fault::on("GET", "/").status(400), ReasonCode::RegistryUnavailable),
        (Fault::on("GET", "/").body("<html>").without_header("Docker-Content-Digest"), ReasonCode::RegistryMalformed),
        (Fault::on("GET", "/").body("").without_header("Docker-Content-Digest"), ReasonCode::RegistryMalformed),
    ] {
        registry.clear_faults();
        registry.fault(fault);
        let error = client(&registry).manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
        assert_eq!(error.reason().code, code, "{error}");
        assert!(error.to_string().contains("/app: manifest latest"), "{error}");
    }
}

#[tokio::test]
async fn retry_after_is_obeyed_and_never_outlasts_the_deadline() {
    let registry = started();
    registry.fault(Fault::on("GET", "/").throttled("1").times(1));
    let begin = Instant::now();
    client(&registry).manifest(&at(&registry, "app"), &latest()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    registry.fault(Fault::on("GET", "/").throttled("3600"));
    let begin = Instant::now();
    let error = client(&registry).manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert!(matches!(error, Error::Throttled { retry_after: Some(wait), .. } if wait.as_secs() == 3_600), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2), "a wait beyond the deadline is not begun");
}

#[tokio::test]
async fn a_silent_registry_does_not_hold_us() {
    let registry = started();
    registry.fault(Fault::on("GET", "/").hang(Duration::from_secs(20)));
    let options = Options { timeout: Duration::from_millis(300), retries: 1, ..options(&[&registry]) };
    let client = Client::new(options, Arc::new(Anonymous)).unwrap();
    let begin = Instant::now();
    let error = client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert_eq!(error.code(), ReasonCode::RegistryUnavailable, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3));
    registry.clear_faults();
    registry.fault(Fault::on("GET", "/").slow(1, Duration::from_millis(100)));
    let begin = Instant::now();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(3), "a body that drips is cut off too");
}

#[tokio::test]
async fn a_host_is_asked_no_more_than_so_many_things_at_a_time() {
    let registry = started();
    registry.fault(Fault::on("GET", "/").delay(Duration::from_millis(200)));
    let options = Options { concurrency: 2, ..options(&[&registry]) };
    let client = Client::new(options, Arc::new(Anonymous)).unwrap();
    let (place, reference) = (at(&registry, "app"), latest());
    let begin = Instant::now();
    let questions = (0..6).map(|_| client.manifest(&place, &reference));
    for outcome in futures_util::future::join_all(questions).await {
        outcome.unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(590), "{:?}", begin.elapsed());
}
