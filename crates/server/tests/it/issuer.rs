//! An identity provider on loopback: publishes its configuration and its keys, and signs what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Whom tokens are for.
pub(crate) const GATE: &str = "https://gate.example";

/// An identity provider.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    keys: Mutex<Vec<(String, EcdsaKeyPair)>>,
    asked: Mutex<usize>,
}

fn key() -> EcdsaKeyPair {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap()
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { keys: Mutex::new(vec![("first".to_owned(), key())]), asked: Mutex::default() });
        let app = axum::Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(move || async move {
                    Json(json!({ "issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys") }))
                }),
            )
            .route("/keys", get(list))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often the keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.shared.asked.lock().unwrap()
    }

    /// Signs with a new key from now on; the old one is no longer listed.
    pub(crate) fn rotate(&self, name: &str) {
        *self.shared.keys.lock().unwrap() = vec![(name.to_owned(), key())];
    }

    /// Lists no key at all from now on.
    pub(crate) fn take_back(&self) {
        self.shared.keys.lock().unwrap().clear();
    }

    /// A token as GitLab's, of a job on the protected branch `main` of project 42; with other claims over these.
    pub(crate) fn gitlab(&self, over: &Value) -> String {
        let now = now();
        let mut claims = json!({
            "iss": self.url(), "aud": GATE, "sub": "project_path:team-a/app:ref_type:branch:ref:main",
            "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "0",
            "namespace_id": "7", "namespace_path": "team-a", "project_id": "42", "project_path": "team-a/app",
            "user_id": "9", "user_login": "ada", "user_email": "Ada@Example.com", "pipeline_id": "4711",
            "job_id": "1", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        });
        for (name, value) in over.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.signed(&claims)
    }

    pub(crate) fn signed(&self, claims: &Value) -> String {
        let keys = self.shared.keys.lock().unwrap();
        let (kid, key) = &keys[0];
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": kid, "typ": "JWT" })), part(claims));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The same claims under another header, with a signature of one's own.
    pub(crate) fn forged(&self, token: &str, header: &Value, sign: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> String {
        let claims = token.split('.').nth(1).unwrap();
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let public = self.shared.keys.lock().unwrap()[0].1.public_key().as_ref().to_vec();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes(), &public)))
    }
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    *shared.asked.lock().unwrap() += 1;
    let keys = shared.keys.lock().unwrap();
    let listed = keys.iter().map(|(kid, key)| {
        let point = key.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) })
    });
    Json(json!({ "keys": listed.collect::<Vec<_>>() }))
}

#[expect(clippy::disallowed_methods, reason = "a test at the edge")]
pub(crate) fn now() -> i64 {
    model::Timestamp::now().as_second()
}
