//! The token as ECR gives it, from the scripted endpoint.

use aws_credential_types::Credentials as AwsCredentials;
use aws_sdk_ecr::config::{BehaviorVersion, Region};
use serde_json::{Value, json};
use testkit::{Answer, Script};

use super::*;

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
/// The time of all of these.
const NOW: i64 = 1_767_323_045;
const HOUR: i64 = 3600;

fn token(pair: &str, seconds_left: i64) -> Value {
    let token = STANDARD.encode(pair);
    let endpoint = format!("https://{HOST}");
    json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": NOW + seconds_left, "proxyEndpoint": endpoint }] })
}

fn numbered(number: usize, seconds_left: i64) -> Answer {
    Answer::json(token(&format!("AWS:secret-{number}"), seconds_left))
}

/// Tokens from this endpoint, whatever the region.
fn tokens(ecr: &testkit::Ecr) -> RegistryTokens {
    let url = ecr.url();
    let connect = move |target: Target| -> BoxFuture<'static, Ecr> {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials = AwsCredentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        let config = aws_sdk_ecr::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(target.region.clone()))
            .endpoint_url(&url)
            .credentials_provider(credentials.clone())
            .http_client(http.clone())
            .retry_config(aws_sdk_ecr::config::retry::RetryConfig::disabled())
            .build();
        let sts = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(target.region.clone()))
            .credentials_provider(credentials)
            .http_client(http)
            .build();
        let ecr =
            Ecr { client: aws_sdk_ecr::Client::from_conf(config), sts: aws_sdk_sts::Client::from_conf(sts), target };
        Box::pin(std::future::ready(ecr))
    };
    RegistryTokens::with(Timestamp::from_second(NOW).unwrap(), Box::new(connect))
}

fn basic(number: usize) -> Credential {
    Credential::Basic { username: "AWS".to_owned(), password: Secret::new(format!("secret-{number}")) }
}

fn scripted(answers: impl IntoIterator<Item = Answer>) -> (testkit::Ecr, RegistryTokens) {
    let ecr =
        testkit::Ecr::start(answers.into_iter().fold(Script::new(), |script, answer| script.on(OPERATION, answer)));
    let tokens = tokens(&ecr);
    (ecr, tokens)
}

#[tokio::test(flavor = "current_thread")]
async fn a14_one_token_serves_a_region_until_half_an_hour_before_its_end() {
    let (ecr, tokens) = scripted([numbered(1, 12 * HOUR), numbered(2, 12 * HOUR), numbered(3, 12 * HOUR)]);
    assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(1));
    let same_region = "999999999999.dkr.ecr.eu-west-1.amazonaws.com";
    for host in [HOST, same_region, HOST] {
        assert_eq!(tokens.for_host(host, false).await.unwrap(), basic(1), "{host}");
    }
    assert_eq!(ecr.count(OPERATION), 1);
    let other_region = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    assert_eq!(tokens.for_host(other_region, false).await.unwrap(), basic(2));
    assert_eq!(tokens.for_host(HOST, true).await.unwrap(), basic(3), "refused, so fetched anew");
    assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(3));
    assert_eq!(ecr.count(OPERATION), 3);
}

#[tokio::test(flavor = "current_thread")]
async fn a14_a_token_near_its_end_or_past_it_is_good_for_one_login() {
    // The second is what moto gives: an end in 2015.
    for left in [HOUR / 2 - 5, 1_420_070_400 - NOW, 0] {
        let (ecr, tokens) = scripted([numbered(1, left), numbered(2, left)]);
        assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(1));
        assert_eq!(ecr.count(OPERATION), 1, "once for a login, whatever its end");
        assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(2));
    }
    let (ecr, tokens) = scripted([numbered(1, HOUR / 2 + 60)]);
    for _ in 0..3 {
        assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(1));
    }
    assert_eq!(ecr.count(OPERATION), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a14_callers_at_the_same_time_share_one_request() {
    let (ecr, tokens) = scripted([
        numbered(1, 12 * HOUR).after(Duration::from_millis(80)),
        numbered(2, 12 * HOUR).after(Duration::from_millis(80)),
    ]);
    for (refresh, wanted) in [(false, 1), (true, 2)] {
        let ask = || tokens.for_host(HOST, refresh);
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        for answer in [a, b, c] {
            assert_eq!(answer.unwrap(), basic(wanted));
        }
        assert_eq!(ecr.count(OPERATION), wanted);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a4_without_a_token_there_is_an_error_and_never_an_anonymous_request() {
    let denied =
        || Answer::error("AccessDeniedException", "User: x is not authorized to perform: ecr:GetAuthorizationToken");
    for (answer, words, hint) in [
        (denied(), "was refused", "on the resource \"*\""),
        (Answer::denied_xml("no"), "was refused", "on the resource \"*\""),
        (Answer::error("ExpiredTokenException", "The security token is expired"), "expired", "."),
        (Answer::json(json!({})), "no token", "."),
        (Answer::json(json!({ "authorizationData": [] })), "no token", "."),
        (Answer::json(json!({ "authorizationData": [{ "authorizationToken": "hunter2!" }] })), "not base64", "."),
        (Answer::json(token("hunter2", HOUR)), "not USER:PASSWORD", "."),
        (Answer::json(token("hunter2:", HOUR)), "no password", "."),
    ] {
        let (ecr, tokens) = scripted([answer]);
        let error = tokens.for_host(HOST, false).await.unwrap_err();
        assert!(error.message.contains(words) && error.hint.as_ref().unwrap().contains(hint), "{error:?}");
        assert!(!format!("{error:?} {tokens:?}").contains("hunter2"));
        assert_eq!(ecr.count(OPERATION), 1, "{error}");
    }
    let (ecr, tokens) = scripted([numbered(1, HOUR)]);
    for host in ["ghcr.io", "docker.io", "public.ecr.aws"] {
        assert_eq!(tokens.for_host(host, false).await.unwrap(), Credential::Anonymous, "{host}");
    }
    for host in ["12.dkr.ecr.eu-west-1.amazonaws.com", "123456789012.dkr.ecr.cn-north-1.amazonaws.com"] {
        assert!(tokens.for_host(host, false).await.is_err(), "{host} has the shape of ECR");
    }
    assert_eq!(ecr.count(OPERATION), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a4_a_passing_failure_is_asked_again_a_few_times() {
    let busy = || Answer::error("ThrottlingException", "Rate exceeded");
    let (ecr, tokens) = scripted([busy(), numbered(1, 12 * HOUR)]);
    assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(1));
    assert_eq!(ecr.count(OPERATION), 2);
    let (ecr, tokens) = scripted([busy()]);
    assert!(tokens.for_host(HOST, false).await.is_err());
    assert_eq!(ecr.count(OPERATION), 1 + PAUSES.len());
    // The failure is not kept.
    ecr.set(Script::new().on(OPERATION, numbered(2, HOUR)));
    assert_eq!(tokens.for_host(HOST, false).await.unwrap(), basic(2));
}
