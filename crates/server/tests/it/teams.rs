//! S35: every repository is of one team, by which things are listed and counted; a list by team holds what the reader sees and nothing more.

use std::sync::Arc;

use engine::{Actor, Grant, Repositories, Role, Team, Teams};
use serde_json::{Value, json};
use server::Token;
use testkit::oci::{ImageBuilder, Layer, Registry};

use crate::stage::{ADMIN, How, Served, served};

const SCOPED: &str = "a-token-of-somebody-who-sees-the-shop";

/// `payments` has a repository of the shop, `shop` the rest of it.
fn teams(host: &str) -> Teams {
    let team = |name: &str, pattern: &str| Team {
        name: name.to_owned(),
        repositories: vec![Repositories::parse(&format!("{host}/{pattern}")).unwrap()],
    };
    Teams::new(vec![team("payments", "shop/pay"), team("shop", "shop/**"), team("idle", "idle/**")]).unwrap()
}

fn token(secret: &str, actor: Actor) -> Token {
    let mut token = Token::of("other", secret, server::Role::Read);
    token.actor = Arc::new(actor);
    token
}

async fn stage(host: &str) -> Served {
    let sees = Grant {
        role: Role::Viewer,
        repositories: vec![Repositories::parse(&format!("{host}/shop/cart")).unwrap()],
        environments: vec!["*".to_owned()],
    };
    let scoped = Actor { identity: "scoped".into(), person: None, grants: vec![sees] };
    let tokens = vec![
        token(SCOPED, scoped),
        token("glass", Actor::everywhere("glass", &[Role::BreakGlass])),
        token("devs", Actor::everywhere("dev", &[Role::Developer, Role::PolicyAdmin])),
    ];
    let insecure = vec![host.to_owned()];
    served(How { anonymous_reads: false, insecure, tokens, teams: teams(host), ..How::default() }).await
}

/// Repositories, without the host, in order.
fn listed(answer: &Value, list: &str, host: &str) -> Vec<String> {
    let name = |one: &Value| {
        let name = one.get("repository").unwrap_or_else(|| &one["scope"]["repository"]).as_str().unwrap();
        name.strip_prefix(&format!("{host}/")).unwrap().to_owned()
    };
    let mut names: Vec<String> = answer[list].as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_what_is_listed_and_counted_by_team_is_of_its_repositories() {
    let registry = Registry::start();
    let host = registry.host();
    let served = stage(&host).await;
    let places = ["shop/cart", "shop/pay", "other/app"];
    for place in places {
        let image = ImageBuilder::new().layer(Layer::new().file("etc/x", place)).user("1000").build();
        let digest = registry.push(place, Some("1"), &image);
        let name = format!("{host}/{place}@{digest}");
        // No scan: the built-in policy does not know enough.
        let asked = served.post("/api/v1/decide", Some(ADMIN), &json!({ "image": name }).to_string()).await;
        assert_eq!((asked.status, asked.json()["permit"] == "allowed"), (200, false), "{}", asked.body);
        let wanted = json!({ "image": name, "environment": "production", "reason": "outage", "minutes": 10 });
        let granted = served.post("/api/v1/overrides", Some("glass"), &wanted.to_string()).await;
        assert_eq!(granted.status, 201, "{}", granted.body);
    }
    let teams =
        [("shop", ["shop/cart"].as_slice()), ("payments", &["shop/pay"]), ("none", &["other/app"]), ("idle", &[])];
    for list in ["decisions", "overrides"] {
        for (team, expected) in teams {
            let answer = served.by(ADMIN, &format!("/api/v1/{list}?team={team}")).await.json();
            assert_eq!(listed(&answer, list, &host), expected, "{list} {team}");
        }
        let all = served.by(ADMIN, &format!("/api/v1/{list}")).await.json();
        assert_eq!(listed(&all, list, &host).len(), 3);
        // Page after page it is the same.
        let first = served.by(ADMIN, &format!("/api/v1/{list}?team=payments&limit=1")).await.json();
        assert_eq!(listed(&first, list, &host), ["shop/pay"]);
        if let Some(next) = first["next"].as_str() {
            let rest = served.by(ADMIN, &format!("/api/v1/{list}?team=payments&limit=1&cursor={next}")).await.json();
            assert_eq!(rest[list], json!([]), "{rest}");
        }
        // Within what somebody sees.
        for (team, expected) in [("shop", ["shop/cart"].as_slice()), ("payments", &[]), ("none", &[])] {
            let answer = served.by(SCOPED, &format!("/api/v1/{list}?team={team}")).await.json();
            assert_eq!(listed(&answer, list, &host), expected, "{list} {team}");
        }
        let unknown = served.by(ADMIN, &format!("/api/v1/{list}?team=nobody")).await;
        assert_eq!(unknown.status, 422, "{}", unknown.body);
    }
    report_of(&served).await;
}

async fn report_of(served: &Served) {
    let report = async |query: &str| served.by(ADMIN, &format!("/api/v1/reports/weekly{query}")).await.json();
    let granted = |report: &Value| report["overrides"]["granted"].as_u64().unwrap();
    let missing = |report: &Value| report["covered"]["missing"].to_string();
    let (all, shop, idle) = (report("").await, report("?team=shop").await, report("?team=idle").await);
    assert_eq!((granted(&all), granted(&shop), granted(&idle)), (3, 1, 0));
    assert!(!missing(&all).contains("team") && missing(&shop).contains("the team shop"), "{shop}");
    let kinds = |report: &Value| report["changes"].to_string();
    assert!(kinds(&all).contains("policy.activated") && !kinds(&shop).contains("policy.activated"));
    assert_eq!(served.by(ADMIN, "/api/v1/reports/weekly?team=nobody").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_exceptions_by_team_and_those_for_patterns_are_left_out_of_none_they_may_be_about() {
    let host = "r.example";
    let served = stage(host).await;
    let digest = format!("sha256:{}", "0".repeat(64));
    #[expect(clippy::disallowed_methods, reason = "a test at the edge")]
    let expires = (model::Timestamp::now() + model::SignedDuration::from_hours(24 * 7)).to_string();
    let asked = |name: Option<String>, pattern: Option<String>| {
        json!({ "image": name, "repositories": pattern, "cve": "CVE-2026-1", "package": "zlib", "environment": "production",
            "reason": "not reached", "owner": "ada@example.com", "expires": expires })
    };
    let mut wanted: Vec<Value> = ["shop/cart", "shop/pay", "other/app"]
        .map(|place| asked(Some(format!("{host}/{place}@{digest}")), None))
        .into();
    wanted.push(asked(None, Some(format!("{host}/shop/**"))));
    for one in wanted {
        let mut one = one;
        one.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let answer = served.post("/api/v1/exceptions", Some("devs"), &one.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    for (team, expected) in [
        ("shop", ["shop/**", "shop/cart"].as_slice()),
        ("payments", &["shop/**", "shop/pay"]),
        ("none", &["other/app", "shop/**"]),
        ("idle", &[]),
    ] {
        let answer = served.by(ADMIN, &format!("/api/v1/exceptions?team={team}")).await.json();
        assert_eq!(listed(&answer, "exceptions", host), expected, "{team}");
    }
    let open = async |query: &str| {
        let report = served.by(ADMIN, &format!("/api/v1/reports/weekly{query}")).await.json();
        (report["exceptions"]["requested"].as_u64().unwrap(), report["exceptions"]["open"].as_u64().unwrap())
    };
    assert_eq!((open("").await, open("?team=payments").await, open("?team=idle").await), ((4, 4), (2, 2), (0, 0)));
    assert_eq!(served.by(ADMIN, "/api/v1/exceptions?team=nobody").await.status, 422);
}
