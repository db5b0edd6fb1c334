//! O2, S35: identities that others vouch for, and what they may; with everything that somebody might try.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use engine::{
    Actor, ClaimPattern, Grant, IdentityRule, IdentitySettings, IssuerKind, IssuerSettings, Repositories, Role,
};
use serde_json::{Value, json};
use testkit::oci::{ImageBuilder, Layer, Registry};

use crate::issuer::{GATE, Issuer, now};
use crate::stage::{ADMIN, How, Served, served};

fn grant(role: Role, repositories: &str, environments: &[&str]) -> Grant {
    let repositories = vec![Repositories::parse(repositories).unwrap()];
    Grant { role, repositories, environments: environments.iter().map(|&name| name.to_owned()).collect() }
}

fn rule(when: &[(&str, &str)], grants: Vec<Grant>) -> IdentityRule {
    let when = when.iter().map(|(name, text)| ((*name).to_owned(), ClaimPattern::parse(text).unwrap()));
    IdentityRule { when: when.collect::<BTreeMap<_, _>>(), grants }
}

/// Project 42 is a pipeline of team a: on protected branches for production too; on `main` it may change policies.
fn gitlab(issuer: &Issuer, host: &str) -> IssuerSettings {
    let own = format!("{host}/team-a/**");
    IssuerSettings {
        name: "gitlab".to_owned(),
        issuer: issuer.url(),
        audience: GATE.to_owned(),
        kind: IssuerKind::Gitlab,
        keys: None,
        authorities: Vec::new(),
        person: None,
        longest: Duration::from_hours(24),
        pause: Duration::from_millis(500),
        rules: vec![
            rule(&[("project_id", "42")], vec![grant(Role::Ci, &own, &["staging"])]),
            rule(
                &[("project_id", "42"), ("ref_protected", "true"), ("ref_path", "refs/heads/*")],
                vec![grant(Role::Ci, &own, &["production"])],
            ),
            rule(
                &[("project_id", "1"), ("ref_protected", "true"), ("ref", "main")],
                vec![grant(Role::PolicyAdmin, "**", &["*"])],
            ),
        ],
    }
}

async fn stage(issuer: &Issuer, host: &str) -> Served {
    let identities = IdentitySettings { issuers: vec![gitlab(issuer, host)], certificates: Vec::new() };
    served(How { anonymous_reads: false, identities, insecure: vec![host.to_owned()], ..How::default() }).await
}

async fn whoami(served: &Served, token: &str) -> (u16, Value) {
    let answer = served.by(token, "/api/v1/whoami").await;
    assert!(!answer.body.contains(token), "no answer repeats a token");
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_a_job_is_known_by_its_project_and_may_what_its_rule_says() {
    let issuer = Issuer::start().await;
    let served = stage(&issuer, "r.example").await;
    let (status, me) = whoami(&served, &issuer.gitlab(&json!({}))).await;
    assert_eq!(status, 200, "{me}");
    assert_eq!(me["identity"], format!("oidc:{}#project:42", issuer.url()));
    assert_eq!(me["person"], "ada@example.com");
    assert_eq!(me["grants"].as_array().unwrap().len(), 2);
    // A renamed project is the same, and one of the same name is another.
    let (_, renamed) = whoami(&served, &issuer.gitlab(&json!({ "project_path": "other/name" }))).await;
    assert_eq!(renamed["identity"], me["identity"]);
    assert_eq!(issuer.asked(), 1, "the keys are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_no_rule_no_rights_and_no_protected_role_for_an_unprotected_branch() {
    let issuer = Issuer::start().await;
    let served = stage(&issuer, "r.example").await;
    let unprotected = json!({ "ref_protected": "false", "ref": "x", "ref_path": "refs/heads/x" });
    let (_, me) = whoami(&served, &issuer.gitlab(&unprotected)).await;
    assert_eq!(me["grants"].as_array().unwrap().len(), 1, "{me}");
    assert_eq!(me["grants"][0]["environments"], json!(["staging"]));
    for (over, sees) in [
        (json!({ "project_id": "43" }), "project_id: [\"43\"]"),
        (json!({ "project_id": "042" }), "042"),
        (json!({ "project_id": " 42" }), " 42"),
        (json!({ "project_id": ["43", 43] }), "does not say who"),
        (json!({ "project_id": "1", "ref_protected": "false" }), "ref_protected: [\"false\"]"),
        (json!({ "project_id": "1", "ref_protected": false }), "ref_protected: [\"false\"]"),
        (json!({ "project_id": "1", "ref_protected": "TRUE" }), "TRUE"),
        (json!({ "project_id": "1", "ref": "main2" }), "main2"),
        (json!({ "project_id": "1", "ref": "refs/heads/main" }), "refs/heads/main"),
    ] {
        let (status, problem) = whoami(&served, &issuer.gitlab(&over)).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == 403 || status == 401, "{over} {problem}");
        assert!(detail.contains(sees), "{over} {detail}");
        assert!(!detail.contains("Ada@"), "no more than what rules look at is told");
    }
    // Truth values and numbers are as their texts.
    let numbers = json!({ "project_id": 1, "ref_protected": true });
    assert_eq!(whoami(&served, &issuer.gitlab(&numbers)).await.0, 200);
    // A project that somebody else has on another issuer with the same id is not known at all.
    let other = Issuer::start().await;
    assert_eq!(whoami(&served, &other.gitlab(&json!({}))).await.0, 401);
    let posing = json!({ "iss": issuer.url() });
    let (status, problem) = whoami(&served, &other.gitlab(&posing)).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("auth.unknownToken")), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_forged_stale_and_borrowed_tokens_are_nobodys() {
    let issuer = Issuer::start().await;
    let served = stage(&issuer, "r.example").await;
    let now = now();
    for (over, why) in [
        (json!({ "aud": "https://vault.example" }), "vault.example"),
        (json!({ "aud": ["https://gate.example/"] }), "this gate is"),
        (json!({ "exp": now - 31 }), "ended"),
        (json!({ "nbf": now + 120 }), "good from"),
        (json!({ "iat": now + 120 }), "good from"),
        (json!({ "exp": now + 90_000 }), "longer"),
        (json!({ "exp": null }), "times"),
    ] {
        let (status, problem) = whoami(&served, &issuer.gitlab(&over)).await;
        assert_eq!(status, 401, "{over} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{over} {problem}");
    }
    let good = issuer.gitlab(&json!({}));
    let unsigned = issuer.forged(&good, &json!({ "alg": "none" }), |_, _| Vec::new());
    let confused = |alg: &'static str| {
        issuer.forged(&good, &json!({ "alg": alg, "kid": "first" }), |signed, public| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), signed).as_ref().to_vec()
        })
    };
    let garbage = issuer.forged(&good, &json!({ "alg": "ES256", "kid": "first" }), |_, _| vec![7; 64]);
    let zero = issuer.forged(&good, &json!({ "alg": "ES256", "kid": "first" }), |_, _| vec![0; 64]);
    let (head, _) = good.rsplit_once('.').unwrap();
    for forged in [unsigned, confused("HS256"), confused("RS256"), garbage, zero, format!("{head}."), head.to_owned()] {
        assert_eq!(whoami(&served, &forged).await.0, 401, "{forged}");
    }
    assert_eq!(whoami(&served, &good).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_new_keys_are_found_and_asked_for_no_more_often_than_the_issuer_bears() {
    let issuer = Issuer::start().await;
    let served = stage(&issuer, "r.example").await;
    let old = issuer.gitlab(&json!({}));
    assert_eq!(whoami(&served, &old).await.0, 200);
    tokio::time::sleep(Duration::from_millis(600)).await;
    issuer.rotate("second");
    assert_eq!(whoami(&served, &issuer.gitlab(&json!({}))).await.0, 200);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(whoami(&served, &old).await.0, 401, "a key that is no longer listed is none");
    let begun = std::time::Instant::now();
    for index in 0..20 {
        let unknown = issuer.forged(&old, &json!({ "alg": "ES256", "kid": index.to_string() }), |_, _| vec![1; 64]);
        assert_eq!(whoami(&served, &unknown).await.0, 401);
    }
    // Twice so far, and once in each pause since.
    let bears = 3 + begun.elapsed().as_millis() / 500;
    assert!(issuer.asked() as u128 <= bears && bears < 20, "{} times", issuer.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_keys_that_an_issuer_took_back_count_no_longer() {
    let issuer = Issuer::start().await;
    let served = stage(&issuer, "r.example").await;
    let good = issuer.gitlab(&json!({}));
    assert_eq!(whoami(&served, &good).await.0, 200);
    let unknown = issuer.forged(&good, &json!({ "alg": "ES256", "kid": "new" }), |_, _| vec![1; 64]);
    issuer.take_back();
    tokio::time::sleep(Duration::from_millis(600)).await;
    // A key that is not known has the list fetched again.
    assert_eq!(whoami(&served, &unknown).await.0, 401);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(whoami(&served, &good).await.0, 401, "an empty list is a list");
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_while_an_issuer_was_never_there_nobody_is_let_in_by_it() {
    let issuer = Issuer::start().await;
    let mut settings = gitlab(&issuer, "r.example");
    settings.keys = Some("http://127.0.0.1:1/keys".to_owned());
    let identities = IdentitySettings { issuers: vec![settings], certificates: Vec::new() };
    let served = served(How { anonymous_reads: false, identities, ..How::default() }).await;
    let (status, problem) = whoami(&served, &issuer.gitlab(&json!({}))).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("auth.issuerUnavailable")));
    assert_eq!(served.by(ADMIN, "/api/v1/whoami").await.status, 200, "others are");
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_another_teams_images_are_not_there() {
    let registry = Registry::start();
    let host = registry.host();
    let issuer = Issuer::start().await;
    let served = stage(&issuer, &host).await;
    let image = |text: &str| ImageBuilder::new().layer(Layer::new().file("etc/x", text)).user("1000").build();
    let mut decided = Vec::new();
    for team in ["team-a", "team-b"] {
        let digest = registry.push(&format!("{team}/app"), Some("1"), &image(team));
        let body = json!({ "image": format!("{host}/{team}/app@{digest}") }).to_string();
        let answer = served.post("/api/v1/decide", Some(ADMIN), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        decided.push((digest, answer.json()["decision"]["id"].as_str().unwrap().to_owned()));
    }
    let [(own_digest, own), (their_digest, theirs)] = decided.as_slice() else { unreachable!() };
    let job = issuer.gitlab(&json!({}));

    // What is asked by name is answered alike, whether it is there or not.
    let ask = |name: &str, environment: &str| json!({ "image": name, "environment": environment }).to_string();
    let there = served.post("/api/v1/decide", Some(&job), &ask(&format!("{host}/team-b/app:1"), "production")).await;
    let missing = served.post("/api/v1/decide", Some(&job), &ask(&format!("{host}/team-b/app:0"), "production")).await;
    let nowhere = served.post("/api/v1/decide", Some(&job), &ask(&format!("{host}/team-b/app:1"), "nowhere")).await;
    assert_eq!((there.status, missing.status, nowhere.status), (403, 403, 403), "{}", there.body);
    assert_eq!(without_id(&there.json()), without_id(&missing.json()));
    let own_ask = served.post("/api/v1/decide", Some(&job), &ask(&format!("{host}/team-a/app:1"), "production")).await;
    assert_eq!(own_ask.status, 200, "{}", own_ask.body);
    // Of a branch that anybody may push to, nothing is asked about production.
    let loose = issuer.gitlab(&json!({ "ref_protected": "false" }));
    let refused =
        served.post("/api/v1/decide", Some(&loose), &ask(&format!("{host}/team-a/app:1"), "production")).await;
    assert_eq!(refused.status, 403);

    // What is asked by id is not there.
    assert_eq!(served.by(&job, &format!("/api/v1/decisions/{own}")).await.status, 200);
    let absent = "01900000-0000-7000-8000-000000000000";
    for path in ["/api/v1/decisions/ID", "/api/v1/audit/proof/ID"] {
        let hidden = served.by(&job, &path.replace("ID", theirs)).await;
        let none = served.by(&job, &path.replace("ID", absent)).await;
        assert_eq!((hidden.status, none.status), (404, 404), "{path} {}", hidden.body);
        let said = without_id(&hidden.json()).to_string().replace(theirs.as_str(), "ID");
        assert_eq!(said, without_id(&none.json()).to_string().replace(absent, "ID"), "{path}");
    }
    assert_eq!(served.by(&loose, &format!("/api/v1/decisions/{own}")).await.status, 404, "production is not theirs");

    // Lists leave out what is not theirs.
    let list = served.by(&job, "/api/v1/decisions").await.json();
    let listed: Vec<&Value> = list["decisions"].as_array().unwrap().iter().map(|one| &one["repository"]).collect();
    assert!(!listed.is_empty() && listed.iter().all(|one| **one == format!("{host}/team-a/app")), "{list}");
    let of_them = served.by(&job, &format!("/api/v1/decisions?image={host}/team-b/app")).await.json();
    assert_eq!(of_them, json!({ "decisions": [], "next": null }));
    let events = |digest: &String| format!("/api/v1/images/{digest}/events");
    assert_eq!(served.by(&job, &events(their_digest)).await.json(), json!({ "events": [], "next": null }));
    assert_ne!(served.by(&job, &events(own_digest)).await.json()["events"], json!([]));
    // What is about everything is for whoever reads everything.
    for path in ["/api/v1/audit/entries", "/metrics"] {
        assert_eq!(served.by(&job, path).await.status, 403, "{path}");
        assert_eq!(served.by(ADMIN, path).await.status, 200, "{path}");
    }

    // Nothing is handed in about it, and no policy changed.
    let signal = |team: &str, digest: &str| format!("/api/v1/signals?kind=sbom&image={host}/{team}/app@{digest}");
    assert_eq!(served.post(&signal("team-b", their_digest), Some(&job), "{}").await.status, 403);
    assert_eq!(served.post(&signal("team-a", own_digest), Some(&job), "{}").await.status, 422);
    let bundle = json!({ "documents": [], "files": [] }).to_string();
    assert_eq!(served.post("/api/v1/policies", Some(&job), &bundle).await.status, 403);
    let admin = issuer.gitlab(&json!({ "project_id": "1" }));
    assert_eq!(served.post("/api/v1/policies", Some(&admin), &bundle).await.status, 422, "only this one is theirs");
}

/// A problem without what differs each time.
fn without_id(problem: &Value) -> Value {
    let mut problem = problem.clone();
    problem.as_object_mut().unwrap().remove("instance");
    problem
}

#[test]
fn s35_a_rule_that_would_be_about_anybody_is_refused() {
    let issuer = |kind, rule| IssuerSettings {
        name: "x".to_owned(),
        issuer: "https://id.example".to_owned(),
        audience: GATE.to_owned(),
        kind,
        keys: None,
        authorities: Vec::new(),
        person: None,
        longest: Duration::from_hours(1),
        pause: Duration::from_mins(1),
        rules: vec![rule],
    };
    let ci = || vec![grant(Role::Ci, "**", &["*"])];
    let approver = || vec![grant(Role::Approver, "**", &["*"])];
    let refused = [
        (IssuerKind::Gitlab, rule(&[], ci())),
        (IssuerKind::Gitlab, rule(&[("project_path", "team-a/app")], ci())),
        (IssuerKind::Gitlab, rule(&[("project_id", "4*")], ci())),
        (IssuerKind::Gitlab, rule(&[("project_id", "42")], approver())),
        (IssuerKind::Gitlab, rule(&[("project_id", "42"), ("ref_protected", "*")], approver())),
        (IssuerKind::Github, rule(&[("repository", "o/r")], ci())),
        (IssuerKind::Oidc, rule(&[("sub", "**")], ci())),
        (IssuerKind::Oidc, rule(&[], ci())),
        (IssuerKind::Oidc, rule(&[("sub", "x")], Vec::new())),
    ];
    for (kind, rule) in refused {
        assert!(issuer(kind, rule.clone()).check().is_err(), "{kind:?} {rule:?}");
    }
    let fine = [
        (IssuerKind::Gitlab, rule(&[("project_id", "42"), ("ref_protected", "true")], approver())),
        (IssuerKind::Github, rule(&[("repository_id", "1"), ("ref", "refs/heads/*")], ci())),
        (IssuerKind::Oidc, rule(&[("groups", "sre")], approver())),
    ];
    for (kind, rule) in fine {
        assert_eq!(issuer(kind, rule).check(), Ok(()));
    }
    let mut plain = issuer(IssuerKind::Oidc, rule(&[("groups", "sre")], ci()));
    plain.issuer = "http://id.example".to_owned();
    assert!(plain.check().is_err(), "keys come over TLS");
    assert!(!Actor::anonymous().may_somewhere(engine::Right::Submit));
}
