//! What comes into force between judging and answering.

use std::collections::BTreeMap;
use std::time::Duration;

use store::{Scope, Store};
use testkit::oci::{ImageBuilder, Layer, Registry};

use super::*;
use crate::gate::{Actor, Bundle, Gate, GateSettings, Role};

fn bundle(rule: &str) -> Bundle {
    let text = format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: house }}\nspec:\n  rules:\n  - {rule}\n"
    );
    Bundle { documents: vec![("house.yaml".to_owned(), text)], files: vec![BTreeMap::new()] }
}

fn ada() -> Actor {
    Actor::everywhere("ada", &Role::ALL)
}

#[allow(clippy::disallowed_methods, reason = "a test is at the edge")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn s42_what_comes_into_force_while_an_answer_is_put_on_record_takes_it_back() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let image = ImageBuilder::new().layer(Layer::new().file("etc/os-release", "ID=debian\n")).user("1000").build();
    let digest = registry.push("team/app", Some("1"), &image);
    let url = format!("sqlite:{}", folder.path().join("gate.db").display());
    let store = Store::open(store::Options { url, migrate: true, readers: 2 }).await.unwrap();
    let mut settings = GateSettings::new(folder.path().join("audit.key"), "gate.example/log".to_owned(), now);
    settings.registries.insecure.push(registry.host());
    settings.policy = Some(bundle("{ id: user, config: { nonRoot: true } }"));
    let gate = Gate::start(settings, store.clone()).await.unwrap();
    let inner = &gate.inner;
    let image = format!("{}@{digest}", registry.reference("team/app"));
    let asked = Asked { image, name: None, environment: None, wait: Duration::from_secs(5), dry_run: false };
    let by = Asker { identity: None, point: Point::Ci, pipeline: None, commit: None, trace_id: None, seat: None };
    let understood = inner.understand(&asked).unwrap();
    let judged = async || {
        inner.ask(asked.clone(), &by).await.unwrap();
        inner.memory.judged.get(&inner.key(&understood, Point::Ci, &inner.follower.force()).unwrap().print()).unwrap()
    };
    // Nothing changed: it may be given, and what it rests on is never older than the lease.
    let first = judged().await;
    let confirmed = inner.confirmed().await.unwrap();
    inner.still_in_force(&first, confirmed).await.unwrap();
    let old = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
    assert!(inner.follower.is_within_lease(inner.still_in_force(&first, old).await.unwrap()));
    // Something about the image changed, by whichever replica.
    let change = Batch { changes: vec![Scope::Image(digest.parse().unwrap())], ..Batch::default() };
    store.write(change).await.unwrap();
    inner.follower.catch_up().await.unwrap();
    let taken = inner.still_in_force(&first, old).await.unwrap_err();
    assert!(matches!(&taken, AskError::Overloaded(why) if why.contains("ask again")), "{taken}");
    // Something about another image did.
    let second = judged().await;
    let change = Batch { changes: vec![Scope::Image(model::Digest::of(b"another"))], ..Batch::default() };
    store.write(change).await.unwrap();
    inner.follower.catch_up().await.unwrap();
    inner.still_in_force(&second, old).await.unwrap();
    // Another policy.
    let strict = gate.upload(bundle("{ id: none, registries: { deny: [\"**\"] } }"), &ada()).await.unwrap();
    inner.still_in_force(&second, old).await.unwrap();
    gate.activate(&strict.digest, None, None, &ada()).await.unwrap();
    assert!(matches!(inner.still_in_force(&second, old).await, Err(AskError::Overloaded(_))));
    assert_eq!(judged().await.decision.verdict, Verdict::Deny);
    gate.stop().await;
    // Without the store nobody knows, once the lease is over.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(matches!(inner.still_in_force(&second, old).await, Err(AskError::StoreUnavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_go_when_they_are_no_longer_fresh_and_what_was_judged_of_them_stays() {
    const FRESH: Duration = Duration::from_millis(1500);
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let image = ImageBuilder::new().layer(Layer::new().file("etc/os-release", "ID=debian\n")).user("1000").build();
    let digest = registry.push("team/app", Some("1"), &image);
    let image = format!("{}@{digest}", registry.reference("team/app"));
    let asked = Asked { image, name: None, environment: None, wait: Duration::from_secs(5), dry_run: false };
    let by = Asker { identity: None, point: Point::Api, pipeline: None, commit: None, trace_id: None, seat: None };
    let stands_in = bundle(
        "{ id: user, config: { nonRoot: true } }\n  onUnknown: { registryUnavailable: { lastKnownGood: 1h }, default: deny }",
    );
    for (policy, stays) in [(bundle("{ id: user, config: { nonRoot: true } }"), false), (stands_in, true)] {
        let place = folder.path().join(stays.to_string());
        std::fs::create_dir(&place).unwrap();
        let url = format!("sqlite:{}", place.join("gate.db").display());
        let store = Store::open(store::Options { url, migrate: true, readers: 2 }).await.unwrap();
        let mut settings = GateSettings::new(place.join("audit.key"), "gate.example/log".to_owned(), now);
        settings.registries.insecure.push(registry.host());
        settings.policy = Some(policy);
        settings.fresh = FRESH;
        let gate = Gate::start(settings, store).await.unwrap();
        let inner = &gate.inner;
        let first = inner.ask(asked.clone(), &by).await.unwrap();
        let key = inner.key(&inner.understand(&asked).unwrap(), Point::Api, &inner.follower.force()).unwrap().print();
        let facts = Arc::downgrade(&inner.memory.known.get(&key).unwrap().facts);
        assert!(facts.upgrade().is_some());
        tokio::time::sleep(FRESH + Duration::from_millis(200)).await;
        assert!(inner.memory.known.get(&key).is_none());
        inner.memory.known.run_pending_tasks();
        // Only what may stand in while the registry is away is kept.
        assert_eq!(facts.upgrade().is_some(), stays);
        assert_eq!(inner.memory.good.get(&key).is_some(), stays);
        assert_eq!(inner.memory.judged.get(&key).unwrap().decision.id, first.decision.id);
        // They are collected again, and say the same.
        let before = registry.requests().len();
        assert_eq!(inner.ask(asked.clone(), &by).await.unwrap().decision.id, first.decision.id);
        assert!(registry.requests().len() > before);
        gate.stop().await;
    }
}
