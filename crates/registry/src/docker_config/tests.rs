//! Files as `docker login` and podman write them, and helpers that are small scripts.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::credentials::{Anonymous, Secret};

fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: Secret::new(password) }
}

fn auth(pair: &str) -> Value {
    json!({ "auth": base64::engine::general_purpose::STANDARD.encode(pair) })
}

struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Docker's file.
    fn with(config: &Value) -> Self {
        let machine = Self::new();
        machine.write("docker/config.json", &config.to_string());
        machine
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn places(&self) -> Places {
        Places { docker_config: Some(self.0.path().join("docker")), ..Places::default() }
    }

    async fn find(&self, host: &str) -> Result<Credential, CredentialError> {
        DockerConfig::new(self.places()).for_host(host, false).await
    }
}

#[tokio::test(flavor = "current_thread")]
async fn s37_each_form_of_a_login_is_read_for_its_own_host_only() {
    let machine = Machine::with(&json!({
        "auths": {
            "https://index.docker.io/v1/": auth("hub:with:colon"),
            "ghcr.io": auth("me:secret\0\0"),
            "https://quay.io/v2/": { "username": "bot", "password": "plain" },
            "acr.example": { "auth": "", "identitytoken": "refresh me" },
            "direct.example": { "registrytoken": "bearer me" },
            "helped.example": {},
            "nothing.example": null,
            "quay.example/team": auth("team:only"),
        },
        "HttpHeaders": { "User-Agent": "x" },
    }));
    for (host, wanted) in [
        ("docker.io", basic("hub", "with:colon")),
        ("index.docker.io", basic("hub", "with:colon")),
        ("ghcr.io", basic("me", "secret")),
        ("quay.io", basic("bot", "plain")),
        ("acr.example", Credential::IdentityToken(Secret::new("refresh me"))),
        ("direct.example", Credential::Bearer(Secret::new("bearer me"))),
        ("helped.example", Credential::Anonymous),
        ("nothing.example", Credential::Anonymous),
        ("quay.example", Credential::Anonymous),
        ("evil.ghcr.io", Credential::Anonymous),
        ("ghcr.io:5000", Credential::Anonymous),
    ] {
        assert_eq!(machine.find(host).await.unwrap(), wanted, "{host}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn s37_files_are_asked_in_their_order_and_may_be_missing() {
    let machine = Machine::with(&json!({ "auths": { "a.example": auth("docker:1"), "b.example": auth("docker:1") } }));
    let explicit = machine.write("explicit.json", &json!({ "auths": { "a.example": auth("explicit:1") } }).to_string());
    machine.write("run/containers/auth.json", &json!({ "auths": { "c.example": auth("podman:1") } }).to_string());
    let places = Places {
        registry_auth_file: Some(explicit),
        runtime_dir: Some(machine.0.path().join("run")),
        home: Some("/nonexistent".into()),
        ..machine.places()
    };
    let config = DockerConfig::new(places.clone());
    for (host, user) in [("a.example", "explicit"), ("b.example", "docker"), ("c.example", "podman")] {
        assert_eq!(config.for_host(host, true).await.unwrap(), basic(user, "1"), "{host}");
    }
    let nowhere = Places { docker_config: None, home: Some("/dev/null".into()), ..Places::default() };
    assert_eq!(DockerConfig::new(nowhere).for_host("a.example", false).await.unwrap(), Credential::Anonymous);
    let home = Places { docker_config: None, home: Some(machine.0.path().into()), ..Places::default() };
    machine.write(".docker/config.json", &json!({ "auths": { "a.example": auth("home:1") } }).to_string());
    assert_eq!(DockerConfig::new(home).for_host("a.example", false).await.unwrap(), basic("home", "1"));
}

#[tokio::test(flavor = "current_thread")]
async fn s37_a_broken_file_is_an_error_that_shows_no_secret() {
    for text in [
        r#"{"auths": "hunter2"}"#,
        r#"{"auths": {"a.example": "hunter2"}}"#,
        r#"{"auths": {"a.example": {"auth": ["hunter2"]}}}"#,
        r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#,
        r#"{"auths": {"a.example": {"auth": "aHVudGVyMg=="}}}"#,
        r#"{"credsStore": {"hunter2": 1}}"#,
        r#"{"credsStore": "../hunter2"}"#,
        r#"{"credsStore": "hunter2; rm"}"#,
        "hunter2",
    ] {
        let machine = Machine::new();
        machine.write("docker/config.json", text);
        let error = machine.find("a.example").await.expect_err(text);
        let shown = format!("{error} {error:?} {:?}", error.hint);
        assert!(shown.contains("config.json") && !shown.contains("hunter2"), "{text}: {shown}");
    }
    let machine = Machine::new();
    machine.write("docker/config.json", &" ".repeat(2 << 20));
    assert!(machine.find("a.example").await.is_err(), "too large");
    machine.write("docker/config.json", "\n");
    assert_eq!(machine.find("a.example").await.unwrap(), Credential::Anonymous, "an empty file has no logins");
}

/// A helper on the PATH of this test's own process would be seen by other tests; the path of the program is given instead.
fn script(machine: &Machine, body: &str) -> Helper {
    let path = machine.write("docker-credential-test", &format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Helper::at(path.to_str().unwrap())
}

#[tokio::test(flavor = "current_thread")]
async fn s37_a_helper_is_asked_by_its_protocol_and_bounded() {
    let machine = Machine::new();
    let ask = async |body: &str| script(&machine, body).get("ghcr.io", Duration::from_millis(500)).await;
    let echo = r#"read server; [ "$1" = get ] && echo "{\"ServerURL\":\"$server\",\"Username\":\"u-$server\",\"Secret\":\"s\"}""#;
    assert_eq!(ask(echo).await.unwrap(), Some(basic("u-ghcr.io", "s")));
    let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
    assert_eq!(ask(token).await.unwrap(), Some(Credential::IdentityToken(Secret::new("t"))));
    assert_eq!(ask("echo credentials not found in native keychain; exit 1").await.unwrap(), None);
    assert_eq!(ask(r#"echo '{"Username":"","Secret":""}'"#).await.unwrap(), None);
    for (body, words) in [
        ("echo hunter2; echo hunter2 >&2; exit 1", "failed"),
        ("echo hunter2", "not the JSON"),
        (r#"echo '{"Secret":["hunter2"]}'"#, "not the JSON"),
        ("yes hunter2", "more than"),
        ("exec sleep 60", "within"),
        ("sleep 60 & exec sleep 60", "within"),
    ] {
        let began = Instant::now();
        let error = ask(body).await.expect_err(body);
        assert!(began.elapsed() < Duration::from_secs(5), "{body}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(words) && !shown.contains("hunter2"), "{body}: {shown}");
        assert!(error.hint.is_some_and(|hint| hint.contains("docker-credential-test")), "{body}");
    }
    let missing = Helper::new("ecr-gate-test-missing", std::path::Path::new("x")).ok().unwrap();
    let error = missing.get("ghcr.io", Duration::from_secs(5)).await.unwrap_err();
    assert!(error.message.contains("not on the PATH"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn s37_the_helper_of_a_host_comes_before_the_store_and_the_store_before_the_file() {
    let machine = Machine::with(&json!({
        "auths": { "a.example": auth("file:1"), "b.example": auth("file:1") },
        "credHelpers": { "https://a.example": "ecr-gate-test-a" },
        "credsStore": "ecr-gate-test-store",
    }));
    for (host, helper) in [("a.example", "ecr-gate-test-a"), ("b.example", "ecr-gate-test-store")] {
        let error = machine.find(host).await.unwrap_err();
        assert!(error.message.contains(helper), "{host}: {error}");
    }
    let own = Machine::with(&json!({
        "auths": { "a.example": auth("file:1") },
        "credHelpers": { "a.example": "" },
        "credsStore": "containers-auth.json",
    }));
    assert_eq!(own.find("a.example").await.unwrap(), basic("file", "1"));
}

/// A source that answers the same for every host.
#[derive(Debug)]
struct Fixed(Result<Credential, CredentialError>);

impl Credentials for Fixed {
    fn for_host<'a>(&'a self, _: &'a str, _: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

#[tokio::test(flavor = "current_thread")]
async fn s37_aws_is_asked_for_ecr_hosts_only_and_its_refusal_is_told() {
    const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let fixed = |answer: Result<Credential, CredentialError>| Arc::new(Fixed(answer));
    let aws = || fixed(Ok(basic("AWS", "token")));
    let no_aws = || fixed(Err(CredentialError::new("no AWS credentials")));
    let docker = || fixed(Ok(basic("docker", "1")));
    let broken = || fixed(Err(CredentialError::new("broken file")));
    let ask = async |chain: Chain, host: &str| chain.for_host(host, false).await;

    assert_eq!(ask(Chain::new().ecr(aws()).then(docker()), ECR).await.unwrap(), basic("AWS", "token"));
    for host in ["ghcr.io", "public.ecr.aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example"] {
        assert_eq!(ask(Chain::new().ecr(aws()).then(docker()), host).await.unwrap(), basic("docker", "1"), "{host}");
        assert_eq!(ask(Chain::new().ecr(aws()), host).await.unwrap(), Credential::Anonymous, "{host}");
    }
    assert_eq!(ask(Chain::new().ecr(no_aws()).then(docker()), ECR).await.unwrap(), basic("docker", "1"));
    for chain in [
        Chain::new().ecr(no_aws()),
        Chain::new().ecr(no_aws()).then(Arc::new(Anonymous)),
        Chain::new().ecr(no_aws()).then(broken()),
    ] {
        assert_eq!(ask(chain, ECR).await.unwrap_err().message, "no AWS credentials");
    }
    let second = Chain::new().then(Arc::new(Anonymous)).then(docker());
    assert_eq!(ask(second, "ghcr.io").await.unwrap(), basic("docker", "1"));
    assert_eq!(ask(Chain::new().then(broken()).then(docker()), "ghcr.io").await.unwrap_err().message, "broken file");
}
