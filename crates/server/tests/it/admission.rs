//! Reviews over the port of admission, with a registry behind the gate.

use std::io::Write as _;
use std::time::{Duration, Instant};

use engine::ClaimPattern;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use server::admission::{
    AdmissionSettings, CustomKind, Environments, GroupKind, Kinds, NamespaceRule, OwnImages, Paths, Tags,
};
use testkit::oci::{Fault, ImageBuilder, Layer, Registry};

use crate::stage::{ADMIN, Answer, How, PIPELINE, Served, served};

mod bounds;
mod mutation;
mod names;
mod system;
mod validation;

const UID: &str = "0c3331b6-1812-11ea-b3fc-02897404852e";

fn settings() -> AdmissionSettings {
    let names = vec![ClaimPattern::parse("team-a-*").unwrap()];
    AdmissionSettings {
        cluster: "test".to_owned(),
        environments: Environments { rules: vec![NamespaceRule { names, environment: "staging".to_owned() }] },
        tags: Tags::Pods,
        own: None,
        kinds: Kinds::default(),
        break_glass: None,
        controllers: vec![ClaimPattern::parse("system:serviceaccount:kube-system:*").unwrap()],
        certificates_only: false,
        concurrency: 64,
    }
}

fn non_root() -> Value {
    json!({ "id": "user", "config": { "nonRoot": true } })
}

/// A gate whose policy denies images that run as root.
struct Stage {
    served: Served,
    registry: Registry,
}

impl Stage {
    async fn with(settings: AdmissionSettings) -> Self {
        let registry = Registry::start();
        let insecure = vec![registry.host(), by_name(&registry)];
        let how = How { insecure, admission: Some(settings), ..How::default() };
        let stage = Self { served: served(how).await, registry };
        stage.rules(&json!([non_root()])).await;
        stage
    }

    /// Puts these rules in force.
    async fn rules(&self, rules: &Value) {
        self.rules_with(rules, &json!({})).await;
    }

    /// Puts these rules in force, with the files that they name.
    async fn rules_with(&self, rules: &Value, files: &Value) {
        let served = &self.served;
        let policy = json!({
            "apiVersion": "ecr-gate.dev/v1",
            "kind": "GatePolicy",
            "metadata": { "name": "house" },
            "spec": {
                "environments": { "production": { "class": "production" }, "staging": { "class": "non-production" } },
                "rules": rules,
            },
        });
        let bundle = json!({ "documents": [["policy.yaml", policy.to_string()]], "files": [files] }).to_string();
        let uploaded = served.post("/api/v1/policies", Some(ADMIN), &bundle).await;
        assert!(uploaded.status < 300, "{}", uploaded.body);
        let digest = uploaded.json()["digest"].as_str().unwrap().to_owned();
        let active = served.post(&format!("/api/v1/policies/{digest}/activate"), Some(ADMIN), "{}").await;
        assert_eq!(active.json()["inForce"], true, "{}", active.body);
    }

    async fn new() -> Self {
        Self::with(settings()).await
    }

    /// Pushes an image: its reference by digest.
    fn push(&self, name: &str, tag: &str, user: &str) -> String {
        let image = ImageBuilder::new().user(user).layer(Layer::new().file("name", name)).build();
        let digest = self.registry.push(name, Some(tag), &image);
        format!("{}@{digest}", self.registry.reference(name))
    }

    fn good(&self, name: &str) -> String {
        self.push(name, "1", "10001")
    }

    fn bad(&self, name: &str) -> String {
        self.push(name, "1", "root")
    }

    async fn send(&self, path: &str, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Answer {
        let address = self.served.admission.unwrap();
        let request = reqwest::Client::new()
            .post(format!("http://{address}{path}"))
            .header("content-type", "application/json")
            .header("user-agent", "kube-apiserver-admission");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.served.send(request.body(body)).await
    }

    /// The response to a review, which has to be one for it.
    async fn asked(&self, path: &str, review: &Value) -> Value {
        let answer = self.send(path, review.to_string(), &[]).await;
        assert_eq!(
            (answer.status, answer.headers["content-type"].as_bytes()),
            (200, b"application/json".as_slice()),
            "{}",
            answer.body
        );
        let said = answer.json();
        assert_eq!((&said["apiVersion"], &said["kind"]), (&json!("admission.k8s.io/v1"), &json!("AdmissionReview")));
        assert_eq!(said["response"]["uid"], review["request"]["uid"], "{said}");
        said["response"].clone()
    }

    async fn validated(&self, review: &Value) -> Value {
        self.asked("/admission/validate?timeout=10s", review).await
    }

    async fn metrics(&self) -> String {
        self.served.by(ADMIN, "/metrics").await.body
    }
}

/// The registry by another name of this machine.
fn by_name(registry: &Registry) -> String {
    registry.host().replace("127.0.0.1", "localhost")
}

fn spec(images: &[&str]) -> Value {
    let containers = images.iter().enumerate().map(|(at, image)| json!({ "name": format!("c{at}"), "image": image }));
    json!({ "containers": containers.collect::<Vec<_>>() })
}

fn review(group: &str, kind: &str, namespace: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": UID,
            "kind": { "group": group, "version": "v1", "kind": kind },
            "resource": { "group": group, "version": "v1", "resource": "things" },
            "name": "web",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "ada", "groups": ["system:authenticated"] },
            "object": object,
            "oldObject": null,
            "dryRun": false,
        },
    })
}

fn pod(namespace: &str, images: &[&str]) -> Value {
    review(
        "",
        "Pod",
        namespace,
        &json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" }, "spec": spec(images) }),
    )
}

fn deployment(namespace: &str, images: &[&str]) -> Value {
    let object =
        json!({ "metadata": { "name": "web", "uid": "u-1" }, "spec": { "template": { "spec": spec(images) } } });
    review("apps", "Deployment", namespace, &object)
}

fn message(response: &Value) -> &str {
    assert_eq!(response["allowed"], false, "{response}");
    response["status"]["message"].as_str().unwrap()
}

fn causes(response: &Value) -> Vec<&str> {
    let causes = response["status"]["details"]["causes"].as_array().unwrap();
    causes.iter().map(|cause| cause["reason"].as_str().unwrap()).collect()
}
