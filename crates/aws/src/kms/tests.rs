//! KMS as it answers, from the scripted endpoint.

use aws_credential_types::Credentials;
use aws_sdk_kms::config::{BehaviorVersion, retry::RetryConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testkit::{Answer, Script};

use super::*;

const GET: &str = "TrentService.GetPublicKey";
const SIGN: &str = "TrentService.Sign";

fn public(usage: &str, algorithms: &[&str]) -> Answer {
    Answer::json(json!({
        "KeyId": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "PublicKey": STANDARD.encode(b"a public key"),
        "KeyUsage": usage,
        "SigningAlgorithms": algorithms,
    }))
}

fn signed() -> Answer {
    Answer::json(
        json!({ "KeyId": "k", "Signature": STANDARD.encode(b"a signature"), "SigningAlgorithm": "ECDSA_SHA_256" }),
    )
}

/// A key at this endpoint.
fn kms(endpoint: &testkit::Ecr) -> Kms {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint.url())
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Kms::with(aws_sdk_kms::Client::from_conf(config), KmsKey::parse("awskms:///alias/release").unwrap())
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn s27_names_of_keys_are_those_of_cosign() {
    let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let known = |uri: &str| KmsKey::parse(uri).unwrap_or_else(|reason| panic!("{uri}: {}", reason.message));
    assert_eq!(known("awskms:///alias/team/release").id, "alias/team/release");
    assert_eq!(known(&format!("awskms:///{uuid}")).region, None);
    assert_eq!(known("awskms:///mrk-1234abcd12ab34cd56ef1234567890ab").endpoint, None);
    let arn = known(&format!("awskms:///arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/{uuid}"));
    assert_eq!(arn.region.as_deref(), Some("us-gov-west-1"));
    let alias = known("awskms:///arn:aws:kms:eu-west-1:123456789012:alias/release");
    assert_eq!((alias.region.as_deref(), alias.id.ends_with("alias/release")), (Some("eu-west-1"), true));
    assert_eq!(known("awskms://localhost:4566/alias/release").endpoint.as_deref(), Some("localhost:4566"));
    for wrong in [
        "",
        "alias/release",
        "awskms://",
        "awskms:///",
        "awskms:///alias/",
        "awskms://alias/release",
        "awskms:///release",
        "awskms:///alias/re lease",
        "awskms://user@host/alias/release",
        "awskms://host/path/alias/release",
        "awskms:///arn:aws:s3:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "awskms:///arn:aws:kms::123456789012:alias/release",
        "awskms:///arn:aws:kms:eu-west-1:12345:alias/release",
        "gcpkms://projects/p",
    ] {
        let reason = KmsKey::parse(wrong).expect_err(wrong);
        assert_eq!(reason.code, ReasonCode::TrustKeyUnavailable, "{wrong}");
        assert!(reason.remedy.contains("awskms:///alias/NAME"), "{wrong}");
    }
}

#[test]
fn s27_a_public_key_is_fetched_once() {
    let endpoint = testkit::Ecr::start(Script::new().on(GET, public("SIGN_VERIFY", &["ECDSA_SHA_256"])));
    let kms = kms(&endpoint);
    ready(async {
        assert_eq!(kms.public_key().await.unwrap(), b"a public key");
        assert_eq!(kms.public_key().await.unwrap(), b"a public key");
    });
    assert_eq!(endpoint.count(GET), 1);
    assert_eq!(endpoint.requests()[0].body, json!({ "KeyId": "alias/release" }));
}

#[test]
fn s27_short_messages_are_sent_whole_and_long_ones_as_their_digest() {
    let cases: [(&str, usize, &str, Option<Vec<u8>>); 4] = [
        ("ECDSA_SHA_256", RAW, "RAW", None),
        ("ECDSA_SHA_256", RAW + 1, "DIGEST", Some(Sha256::digest([7; RAW + 1]).to_vec())),
        ("ECDSA_SHA_384", RAW + 1, "DIGEST", Some(Sha384::digest([7; RAW + 1]).to_vec())),
        ("RSASSA_PKCS1_V1_5_SHA_256", RAW + 1, "DIGEST", Some(Sha256::digest([7; RAW + 1]).to_vec())),
    ];
    for (algorithm, length, kind, digest) in cases {
        // KMS names the algorithms of an RSA key in no order that is promised.
        let algorithms = ["RSASSA_PSS_SHA_256", algorithm];
        let script = Script::new().on(GET, public("SIGN_VERIFY", &algorithms)).on(SIGN, signed());
        let endpoint = testkit::Ecr::start(script);
        let message = vec![7; length];
        assert_eq!(ready(kms(&endpoint).sign(&message)).unwrap(), b"a signature");
        let asked = &endpoint.requests()[1].body;
        assert_eq!(asked["MessageType"], kind, "{algorithm} {length}");
        assert_eq!(asked["SigningAlgorithm"], algorithm);
        assert_eq!(asked["Message"], Value::String(STANDARD.encode(digest.unwrap_or(message))), "{algorithm} {length}");
    }
}

#[test]
fn s27_what_cannot_sign_is_named() {
    for (answer, words) in [
        (public("ENCRYPT_DECRYPT", &[]), "a key for ENCRYPT_DECRYPT, not for signing"),
        (public("SIGN_VERIFY", &["ECDSA_SHA_512"]), "signs with ECDSA_SHA_512, which is not supported"),
        (Answer::json(json!({ "KeyUsage": "SIGN_VERIFY" })), "holds no public key"),
        (Answer::json(json!({ "PublicKey": "AAAA" })), "a key for nothing that is said"),
    ] {
        let endpoint = testkit::Ecr::start(Script::new().on(GET, answer).on(SIGN, signed()));
        let reason = ready(kms(&endpoint).sign(b"message")).expect_err(words);
        assert!(reason.message.contains(words), "{words}: {}", reason.message);
        assert_eq!(endpoint.count(SIGN), 0, "{words}");
    }
    let script = Script::new().on(GET, public("SIGN_VERIFY", &["ECDSA_SHA_256"])).on(SIGN, Answer::json(json!({})));
    let endpoint = testkit::Ecr::start(script);
    let reason = ready(kms(&endpoint).sign(b"message")).unwrap_err();
    assert!(reason.message.contains("holds no signature"), "{}", reason.message);
}

#[test]
fn a4_permission_key_and_network_are_told_apart() {
    let arn = "User: arn:aws:sts::123456789012:assumed-role/ci is not authorized to perform: kms:GetPublicKey";
    let cases = [
        (Answer::error("AccessDeniedException", arn), "kms:GetPublicKey was refused", "Allow kms:GetPublicKey"),
        (Answer::denied_xml("no"), "kms:GetPublicKey was refused", "Allow kms:GetPublicKey"),
        (Answer::error("NotFoundException", "Alias is not found."), "there is no such key", "Check alias"),
        (Answer::error("DisabledException", "is disabled."), "the key is disabled", "Enable the key"),
        (Answer::error("KMSInvalidStateException", "is pending deletion."), "waits for its deletion", "Enable"),
        (Answer::error("UnsupportedOperationException", ""), "cannot do kms:GetPublicKey", "asymmetric"),
        (Answer::error("ExpiredTokenException", "expired"), "credentials cannot be used", "Give the job a role"),
        (Answer::error("SomethingNewException", "new"), "SomethingNewException: new", "kms:GetPublicKey"),
        (Answer::text("{"), "kms:GetPublicKey", ""),
    ];
    for (answer, words, remedy) in cases {
        let endpoint = testkit::Ecr::start(Script::new().on(GET, answer));
        let reason = ready(kms(&endpoint).public_key()).expect_err(words);
        let denied = ["was refused", "no such key", "credentials"].iter().any(|said| reason.message.contains(said));
        let code = if denied { ReasonCode::TrustKeyDenied } else { ReasonCode::TrustKeyUnavailable };
        assert_eq!(reason.code, code, "{words}");
        assert!(reason.message.starts_with("awskms:///alias/release"), "{}", reason.message);
        assert!(reason.message.contains(words), "{words}: {}", reason.message);
        assert!(reason.remedy.contains(remedy), "{words}: {}", reason.remedy);
        assert_eq!(endpoint.count(GET), 1, "{words} is not asked again");
    }
    let script = Script::new()
        .on(GET, public("SIGN_VERIFY", &["ECDSA_SHA_256"]))
        .on(SIGN, Answer::error("AccessDeniedException", "no"));
    let endpoint = testkit::Ecr::start(script);
    let reason = ready(kms(&endpoint).sign(b"message")).unwrap_err();
    assert!(reason.message.contains("kms:Sign was refused") && reason.remedy.contains("Allow kms:Sign"), "{reason:?}");
}

#[test]
fn a4_what_passes_is_asked_again_and_then_told() {
    let fault = || Answer::error_status(500, "KMSInternalException", "try again");
    let script = Script::new().on(GET, fault()).on(GET, public("SIGN_VERIFY", &["ECDSA_SHA_256"]));
    let endpoint = testkit::Ecr::start(script);
    assert_eq!(ready(kms(&endpoint).public_key()).unwrap(), b"a public key");
    let endpoint = testkit::Ecr::start(Script::new().on(GET, Answer::cut()));
    let reason = ready(kms(&endpoint).public_key()).unwrap_err();
    assert!(reason.message.contains("cannot be reached or fails"), "{}", reason.message);
    assert_eq!(endpoint.count(GET), 3);
}
