//! S35: what is about an environment is for those who see that environment, whichever way they ask.

use engine::{Actor, ExceptionQuery, ExceptionRequest, Gate, Grant, Point, Repositories, Role};
use model::{Digest, SignedDuration};

use super::exceptions::{blocked, dev, governor, wanted};
use super::promotions::{ci, ended};
use super::scene::{NON_ROOT, Scene, anybody, by, named};

fn viewer(repositories: &str, environment: &str) -> Actor {
    let repositories = vec![Repositories::parse(repositories).unwrap()];
    let grants = vec![Grant { role: Role::Viewer, repositories, environments: vec![environment.to_owned()] }];
    Actor { identity: "viewer".into(), person: None, grants }
}

/// The incident report once the log has caught up.
async fn incident(gate: &Gate, actor: &Actor) -> String {
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    format!("{:?}", gate.incident(None, None, Some("production"), None, actor).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_an_exception_for_production_is_not_told_to_who_sees_staging() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let (host, digest) = (image.split('/').next().unwrap(), image.split_once('@').unwrap().1);
    let digest: Digest = digest.parse().unwrap();
    let secret = |request: ExceptionRequest| ExceptionRequest { reason: "SECRET".to_owned(), ..request };
    gate.request_exception(secret(wanted(&image)), &dev()).await.unwrap();
    let team = ExceptionRequest { image: None, repositories: Some(format!("{host}/team/**")), ..wanted(&image) };
    let pattern = gate.request_exception(secret(team.clone()), &governor()).await.unwrap();
    let everywhere = gate.request_exception(ExceptionRequest { environment: None, ..team }, &governor()).await.unwrap();
    let query = || ExceptionQuery { limit: 10, ..ExceptionQuery::default() };
    for (who, environment) in [(viewer("**", "staging"), "staging"), (viewer("**", "production"), "production")] {
        let sees = environment == "production";
        let history = gate.history(&digest, None, None, 100, &who).await.unwrap();
        assert_eq!(format!("{history:?}").contains("SECRET"), sees, "{environment}: {history:?}");
        let (list, _) = gate.exceptions(&query(), &who).await.unwrap();
        assert_eq!(list.len(), if sees { 3 } else { 1 }, "{environment}");
        assert!(list.iter().any(|one| one.id == everywhere.id), "what is for every environment is for theirs");
        assert_eq!(gate.exception(&pattern.id, &who).await.is_ok(), sees, "{environment}");
        assert_eq!(incident(&gate, &who).await.contains("SECRET"), sees, "{environment}");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_who_sees_where_an_image_went_is_not_told_how_it_was_decided_where_it_came_from() {
    let scene = Scene::new();
    scene.push("1", "1000");
    let gate = scene.gate(NON_ROOT).await;
    let id = gate.promote(&scene.promotion(":1", "1.0"), &by(Point::Api), &ci()).unwrap();
    assert!(ended(&gate, &id).await.ended.unwrap().is_ok());
    let told = incident(&gate, &anybody()).await;
    assert!(told.contains("verdict: Some(Allow)"), "{told}");
    let told = incident(&gate, &viewer("*/release/**", "*")).await;
    assert!(told.contains("verdict: None") && !told.contains("verdict: Some"), "{told}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_a_page_of_overrides_ends_with_one_that_is_seen() {
    let scene = Scene::new();
    let digest = scene.push("1", "root");
    let gate = scene.gate(NON_ROOT).await;
    let mut ids = Vec::new();
    for environment in ["staging", "production", "staging", "production", "production"] {
        let new = engine::NewOverride {
            owner: None,
            image: scene.named(&format!("@{digest}")),
            environment: environment.to_owned(),
            reason: "outage".to_owned(),
            ticket: None,
            lasts: SignedDuration::from_mins(10),
        };
        let made = gate.grant_override(new, &named("on-call")).await;
        let id = made.unwrap().id;
        if environment == "staging" {
            ids.insert(0, id);
        }
    }
    let who = viewer("**", "staging");
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let (page, next) = gate.overrides(None, None, before, 1, &who).await.unwrap();
        assert!(next.is_none() || next == page.last().map(|one| one.id.clone()), "{next:?}");
        seen.extend(page.into_iter().map(|one| one.id));
        let Some(next) = next else { break };
        before = Some(next);
    }
    assert_eq!(seen, ids);
    gate.stop().await;
}
