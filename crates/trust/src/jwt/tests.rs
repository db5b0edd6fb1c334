//! Identity tokens, made here and made wrongly.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://gitlab.example";
const GATE: &str = "https://gate.example";
const NOW: i64 = 1_800_000_000;

/// Whether it is the error that is meant.
type Expected = fn(&TokenError) -> bool;

struct Signer {
    elliptic: EncodingKey,
    edwards: EncodingKey,
    list: Vec<u8>,
    public: Vec<u8>,
}

fn signer() -> Signer {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let edwards = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let edwards_public = Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap();
    let coded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let list = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "use": "sig", "x": coded(&point[1..33]), "y": coded(&point[33..]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": coded(edwards_public.public_key().as_ref()) },
        { "kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": coded(&point[1..33]), "y": coded(&point[33..]) },
        { "kty": "oct", "kid": "secret", "k": coded(b"everybody can read this") },
        { "kty": "new", "kid": "unknown" },
    ] });
    Signer {
        elliptic: EncodingKey::from_ec_der(pkcs8.as_ref()),
        edwards: EncodingKey::from_ed_der(edwards.as_ref()),
        list: list.to_string().into_bytes(),
        public: point.to_vec(),
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": [GATE, "other"], "sub": "x", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300,
        "ref_protected": true, "project_id": 42, "groups": ["a", "b"], "nested": { "a": 1 } })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn judged(signer: &Signer, token: &str) -> Result<Claims, TokenError> {
    let keys = KeyList::parse(&signer.list).unwrap();
    let now = Timestamp::from_second(NOW).unwrap();
    let longest = SignedDuration::from_hours(1);
    verify(token, &keys, &Wanted { issuer: ISSUER, audience: GATE, longest, now })
}

fn elliptic(signer: &Signer, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &signer.elliptic).unwrap()
}

#[test]
fn o2_a_token_of_the_issuer_for_this_gate_in_its_time_is_believed() {
    let signer = signer();
    for kid in [Some("ec"), None] {
        let claims = judged(&signer, &elliptic(&signer, kid, &claims())).unwrap();
        assert_eq!(claims.text("project_id").as_deref(), Some("42"));
        assert_eq!(claims.text("ref_protected").as_deref(), Some("true"));
        assert_eq!(claims.texts("groups"), ["a", "b"]);
        assert_eq!((claims.text("groups"), claims.text("nested")), (None, None));
    }
    let header = Header { kid: Some("ed".to_owned()), ..Header::new(Algorithm::EdDSA) };
    assert!(judged(&signer, &encode(&header, &claims(), &signer.edwards).unwrap()).is_ok());
}

#[test]
fn o2_what_is_wrong_with_claims_is_refused() {
    let signer = signer();
    let cases: [(&str, Value, Expected); 14] = [
        ("iss", json!("https://gitlab.example/"), |e| *e == TokenError::Issuer),
        ("iss", json!(["https://gitlab.example"]), |e| *e == TokenError::Issuer),
        ("aud", json!("https://gate.example.evil"), |e| matches!(e, TokenError::Audience { .. })),
        ("aud", json!([]), |e| matches!(e, TokenError::Audience { .. })),
        ("aud", json!(null), |e| matches!(e, TokenError::Audience { .. })),
        ("exp", json!(NOW - 30), |e| matches!(e, TokenError::Expired(_))),
        ("exp", json!(0), |e| matches!(e, TokenError::Expired(_))),
        ("exp", json!("2099"), |e| matches!(e, TokenError::Malformed(_))),
        ("exp", json!(null), |e| matches!(e, TokenError::Malformed(_))),
        ("exp", json!(1e300), |e| matches!(e, TokenError::Malformed(_))),
        ("exp", json!(NOW + 4000), |e| matches!(e, TokenError::TooLong(_))),
        ("nbf", json!(NOW + 31), |e| matches!(e, TokenError::NotYet(_))),
        ("iat", json!(NOW + 31), |e| matches!(e, TokenError::NotYet(_))),
        ("iat", json!("now"), |e| matches!(e, TokenError::Malformed(_))),
    ];
    for (name, value, expected) in cases {
        let error = judged(&signer, &elliptic(&signer, Some("ec"), &with(name, value.clone()))).unwrap_err();
        assert!(expected(&error), "{name} {value}: {error:?}");
    }
    for (name, value) in [("exp", json!(NOW - 29)), ("nbf", json!(NOW + 30)), ("exp", json!(1_800_000_010.5))] {
        assert!(judged(&signer, &elliptic(&signer, Some("ec"), &with(name, value.clone()))).is_ok(), "{name} {value}");
    }
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    assert!(matches!(judged(&signer, &elliptic(&signer, Some("ec"), &endless)), Err(TokenError::Malformed(_))));
}

#[test]
fn o2_no_algorithm_but_that_of_a_listed_key_proves_anything() {
    let signer = signer();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = elliptic(&signer, Some("ec"), &claims());
    let signature = good.rsplit('.').next().unwrap();
    let forged = |header: Value, signature: &str| format!("{}.{}.{signature}", part(&header), part(&claims()));
    for alg in ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "ES512", "es256", "RSA1_5"] {
        for kid in [json!("ec"), json!("secret"), json!(null)] {
            for signature in ["", signature] {
                let error = judged(&signer, &forged(json!({ "alg": alg, "kid": kid }), signature)).unwrap_err();
                assert!(matches!(error, TokenError::Algorithm(_)), "{alg} {error:?}");
            }
        }
    }
    // With the public key as the secret of an HMAC, or the secret that the list gives away.
    for secret in [signer.public.as_slice(), &signer.list, b"everybody can read this"] {
        let header = Header { kid: Some("secret".to_owned()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert!(matches!(judged(&signer, &token), Err(TokenError::Algorithm(_))));
    }
    // A key is for its own algorithms alone, and for signatures.
    for (alg, kid) in
        [("RS256", "ec"), ("EdDSA", "ec"), ("ES384", "ec"), ("ES256", "ed"), ("ES256", "enc"), ("ES256", "x")]
    {
        let error = judged(&signer, &forged(json!({ "alg": alg, "kid": kid }), signature)).unwrap_err();
        assert!(matches!(error, TokenError::UnknownKey(_)), "{alg} {kid} {error:?}");
    }
    let other = self::signer();
    assert_eq!(judged(&signer, &elliptic(&other, Some("ec"), &claims())).unwrap_err(), TokenError::Signature);
    assert!(matches!(
        judged(&signer, &forged(json!({ "alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": false }), signature)),
        Err(TokenError::Malformed(_))
    ));
}

#[test]
fn o2_what_is_no_token_is_none() {
    let signer = signer();
    let good = elliptic(&signer, Some("ec"), &claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let twice =
        URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"{ISSUER}","iss":"https://evil.example","exp":{}}}"#, NOW + 9));
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        head.to_owned(),
        format!("{good}."),
        format!("{good}.x"),
        format!("{head}."),
        format!("{}.{twice}.{signature}", head.split('.').next().unwrap()),
        format!("{good}{}", "A".repeat(LONGEST)),
    ] {
        assert!(judged(&signer, &bad).is_err(), "{bad}");
    }
    let changed = elliptic(&signer, Some("ec"), &with("project_id", json!(43)));
    let swapped = format!("{}.{signature}", changed.rsplit_once('.').unwrap().0);
    assert_eq!(judged(&signer, &swapped).unwrap_err(), TokenError::Signature);
    assert_eq!(unverified_issuer(&good).as_deref(), Ok(ISSUER));
    for list in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
        assert!(KeyList::parse(list.as_bytes()).is_err(), "{list}");
    }
    // A list in which nothing is left is a list.
    for list in [
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#,
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
    ] {
        assert!(KeyList::parse(list.as_bytes()).unwrap().is_empty(), "{list}");
    }
}
