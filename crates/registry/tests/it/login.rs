//! Logging in: what is sent, to whom, how often; and what is never sent.

use std::sync::Arc;

use model::ReasonCode;
use registry::{Anonymous, Client, Credential, Error, Reference, Secret};
use testkit::oci::{Account, Auth, Bearer, Fault, Image, ImageBuilder, Registry, Settings};

use crate::support::{Wallet, at, basic, options};

fn latest() -> Reference {
    Reference::Tag("latest".parse().unwrap())
}

fn started(auth: Auth) -> (Registry, Image) {
    let registry = Settings::new().auth(auth).start();
    let image = ImageBuilder::new().build();
    registry.push("app", Some("latest"), &image);
    registry.push("other", Some("latest"), &image);
    (registry, image)
}

#[tokio::test]
async fn basic_credentials_are_sent_when_asked_for_and_then_at_once() {
    let (registry, _) = started(Auth::basic("ci", "secret"));
    let wallet = Wallet::of(basic("ci", "secret"));
    let client = Client::new(options(&[&registry]), wallet.clone()).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    client.manifest(&at(&registry, "other"), &latest()).await.unwrap();
    let sent: Vec<bool> = registry.requests().iter().map(testkit::oci::Logged::had_authorization).collect();
    assert_eq!(sent, [false, true, true, true], "no credentials before the registry asks");
    assert!(wallet.asked().iter().all(|(host, refresh)| *host == registry.host() && !refresh));
}

#[tokio::test]
async fn a_token_is_fetched_once_per_repository_and_kept() {
    let (registry, _) = started(Auth::bearer("ci", "secret"));
    let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
    for _ in 0..3 {
        client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    }
    client.manifest(&at(&registry, "other"), &latest()).await.unwrap();
    assert_eq!(registry.count("GET", "/token"), 2);
    let without = registry.requests().iter().filter(|request| !request.had_authorization()).count();
    assert_eq!(without, 1, "the second repository is not asked in vain");
    let secret = "c2VjcmV0"; // base64 of "secret" inside the pair, and the word itself, go to the token service only
    for request in registry.requests().iter().filter(|request| request.path != "/token") {
        let header = request.authorization.clone().unwrap_or_default();
        assert!(!header.contains(secret) && !header.starts_with("Basic"), "{header}");
    }
}

#[tokio::test]
async fn anybody_may_get_a_token_where_the_registry_allows_it() {
    let (registry, _) = started(Auth::bearer_anonymous());
    let client = Client::new(options(&[&registry]), Arc::new(Anonymous)).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    assert_eq!(registry.count("GET", "/token"), 1);
}

#[tokio::test]
async fn an_identity_token_is_changed_for_an_access_token() {
    let bearer = Bearer { identity_token: Some("refresh-me".to_owned()), ..Bearer::anonymous(false) };
    let (registry, _) = started(Auth::Bearer(bearer));
    let credential = Credential::IdentityToken(Secret::new("refresh-me"));
    let client = Client::new(options(&[&registry]), Wallet::of(credential)).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    assert_eq!(registry.count("POST", "/token"), 1);
    let wrong = Wallet::of(Credential::IdentityToken(Secret::new("wrong")));
    let client = Client::new(options(&[&registry]), wrong).unwrap();
    let error = client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }) && error.to_string().contains("token service"), "{error}");
}

#[tokio::test]
async fn a_refused_login_is_renewed_once_and_then_an_error() {
    let (registry, _) = started(Auth::basic("ci", "new"));
    let wallet = Wallet::changing(basic("ci", "old"), basic("ci", "new"));
    let client = Client::new(options(&[&registry]), wallet.clone()).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    let refreshes: Vec<bool> = wallet.asked().iter().map(|(_, refresh)| *refresh).collect();
    assert_eq!(refreshes, [false, true]);
    let wallet = Wallet::of(basic("ci", "wrong"));
    let client = Client::new(options(&[&registry]), wallet.clone()).unwrap();
    registry.clear_log();
    let error = client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert_eq!(error.reason().code, ReasonCode::RegistryAccessDenied);
    assert!(!error.to_string().contains("wrong"), "{error}");
    assert_eq!(registry.requests().len(), 3, "asked, with the credentials, with new ones");
    for _ in 0..3 {
        client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    }
    assert_eq!(wallet.asked().len(), 2, "the source of credentials is not asked again and again");
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed_on_401_and_on_403() {
    let (registry, _) = started(Auth::bearer("ci", "secret"));
    let wallet = Wallet::of(basic("ci", "secret"));
    let client = Client::new(options(&[&registry]), wallet.clone()).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    registry.forget_tokens();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    assert_eq!(registry.count("GET", "/token"), 2);
    let client = Client::new(options(&[&registry]), wallet).unwrap();
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    registry.fault(Fault::on("GET", "/manifests/").status(403).times(1));
    client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_says_and_not_until_a_date() {
    let bearer = Bearer {
        accounts: vec![Account::new("ci", "secret").pull_only()],
        expires_in_seconds: Some(0),
        ..Bearer::anonymous(false)
    };
    let (registry, _) = started(Auth::Bearer(bearer));
    let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
    for _ in 0..3 {
        client.manifest(&at(&registry, "app"), &latest()).await.unwrap();
    }
    assert_eq!(registry.count("GET", "/token"), 3);
}

#[tokio::test]
async fn many_questions_at_a_time_log_in_once() {
    let (registry, _) = started(Auth::bearer("ci", "secret"));
    registry.fault(Fault::on("GET", "/token").delay(std::time::Duration::from_millis(200)));
    let wallet = Wallet::of(basic("ci", "secret"));
    let client = Client::new(options(&[&registry]), wallet.clone()).unwrap();
    let (place, reference) = (at(&registry, "app"), latest());
    let questions = (0..20).map(|_| client.manifest(&place, &reference));
    for outcome in futures_util::future::join_all(questions).await {
        outcome.unwrap();
    }
    assert_eq!((registry.count("GET", "/token"), wallet.asked().len()), (1, 1));
    registry.forget_tokens();
    let questions = (0..20).map(|_| client.manifest(&place, &reference));
    for outcome in futures_util::future::join_all(questions).await {
        outcome.unwrap();
    }
    assert_eq!((registry.count("GET", "/token"), wallet.asked().len()), (2, 2), "nor is it renewed by each of them");
}

#[tokio::test]
async fn s37_credentials_go_to_no_foreign_token_service() {
    let trap = Settings::new().auth(Auth::bearer("ci", "secret")).start();
    let port = trap.host().rsplit_once(':').unwrap().1.to_owned();
    let realm = format!("http://localhost:{port}/token?x=hidden");
    let bearer = Bearer { realm: Some(realm), accounts: vec![Account::new("ci", "secret")], ..Bearer::anonymous(true) };
    let (registry, _) = started(Auth::Bearer(bearer));
    for credential in [basic("ci", "secret"), Credential::Anonymous, Credential::IdentityToken(Secret::new("secret"))] {
        let client = Client::new(options(&[&registry]), Wallet::of(credential)).unwrap();
        let error = client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
        assert!(matches!(error, Error::ForeignRealm { .. }), "{error}");
        assert_eq!(error.reason().code, ReasonCode::RegistryAccessDenied);
        assert!(error.to_string().contains("no credentials were sent") && !error.to_string().contains("hidden"));
    }
    assert!(trap.requests().is_empty());
    // Listed as a realm it would have to speak https; listed as insecure it may do without.
    let mut options = options(&[&registry]);
    options.token_realms.insert("localhost".to_owned());
    let client = Client::new(options.clone(), Wallet::of(basic("ci", "secret"))).unwrap();
    assert!(matches!(client.manifest(&at(&registry, "app"), &latest()).await, Err(Error::ForeignRealm { .. })));
    options.insecure_hosts.insert(format!("localhost:{port}"));
    let client = Client::new(options, Wallet::of(basic("ci", "secret"))).unwrap();
    let _ = client.manifest(&at(&registry, "app"), &latest()).await;
    assert!(trap.count("GET", "/token") > 0, "who lists it wants it");
}

#[tokio::test]
async fn s25_a_failing_token_service_never_says_that_there_is_nothing() {
    let (registry, image) = started(Auth::bearer("ci", "secret"));
    for fault in [
        Fault::on("GET", "/token").status_code(404, "NAME_UNKNOWN"),
        Fault::on("GET", "/token").status(503),
        Fault::on("GET", "/token").throttled("0"),
        Fault::on("GET", "/token").oversized(100_000),
        Fault::on("GET", "/token").body("{}"),
        Fault::on("GET", "/token").body("<html>"),
        Fault::on("GET", "/token").body(r#"{"token":"a\nb"}"#),
        Fault::on("GET", "/token").redirect("http://127.0.0.1:1/"),
        Fault::on("GET", "/token").cut(),
    ] {
        registry.clear_faults();
        registry.fault(fault);
        let client = Client::new(options(&[&registry]), Wallet::of(basic("ci", "secret"))).unwrap();
        let place = at(&registry, "app");
        let error = client.manifest(&place, &latest()).await.unwrap_err();
        assert!(!error.is_not_found(), "{error}");
        let error = client.referrers(&place, &image.digest().parse().unwrap(), None).await.unwrap_err();
        assert!(!error.is_not_found(), "{error}");
    }
}

#[tokio::test]
async fn nobody_is_told_what_is_missing() {
    let (registry, _) = started(Auth::basic("ci", "secret"));
    let client = Client::new(options(&[&registry]), Arc::new(Anonymous)).unwrap();
    let error = client.manifest(&at(&registry, "app"), &latest()).await.unwrap_err();
    assert!(error.to_string().contains("user name and password, and none are set up"), "{error}");
    assert!(error.reason().remedy.contains("docker login"));
}
