//! How much the gate takes on at once, and what becomes of what it took on.

use std::time::{Duration, Instant};

use engine::{Answered, AskError, Asked, DecisionQuery, Gate, GateSettings, Point, RegistrySettings};
use model::Verdict;
use testkit::oci::{Fault, Registry};
use tokio::task::JoinHandle;

use super::scene::{NON_ROOT, Scene, anybody, ask, asked, by, image};

fn slow(scene: &Scene, by: Duration) {
    scene.registry.fault(Fault::on("GET", "/manifests/").delay(by));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_images_wait_to_be_looked_at_than_the_gate_is_set_up_for() {
    let scene = Scene::new();
    for tag in ["1", "2", "3"] {
        scene.push(tag, "1000");
    }
    slow(&scene, Duration::from_millis(400));
    // Of three places a registry has two.
    let settings = GateSettings { flights: 3, collecting: 1, ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let under_way: Vec<_> = ["1", "2"]
        .map(|tag| {
            let (gate, image) = (gate.clone(), scene.named(&format!(":{tag}")));
            tokio::spawn(async move { ask(&gate, &image).await })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let third = ask(&gate, &scene.named(":3")).await.unwrap_err();
    assert!(matches!(&third, AskError::Overloaded(what) if what.contains("wait to be looked at")), "{third}");
    assert!(ask(&gate, &scene.named(":2")).await.is_ok(), "who wants the same joins in");
    for ask in under_way {
        assert_eq!(ask.await.unwrap().unwrap().decision.verdict, Verdict::Allow);
    }
    assert!(ask(&gate, &scene.named(":3")).await.is_ok(), "then there is room again");
    gate.stop().await;
}

/// Another registry with the same image as `1`, by another name of this machine; and a gate that asks both.
async fn beside_another(scene: &Scene, settings: GateSettings) -> (Registry, String, Gate) {
    let other = Registry::start();
    other.push("team/app", Some("1"), &image("1000"));
    let host = other.host().replace("127.0.0.1", "localhost");
    let insecure = vec![scene.registry.host(), host.clone()];
    let settings =
        GateSettings { registries: RegistrySettings { insecure, ..settings.registries.clone() }, ..settings };
    (other, format!("{host}/team/app:1"), Gate::start(settings, scene.store().await).await.unwrap())
}

fn asks(gate: &Gate, images: impl IntoIterator<Item = String>) -> Vec<JoinHandle<Result<Answered, AskError>>> {
    let one = |image: String| {
        let gate = gate.clone();
        tokio::spawn(async move { ask(&gate, &image).await })
    };
    images.into_iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_a_registry_that_is_silent_leaves_room_for_the_images_of_others() {
    let scene = Scene::new();
    scene.registry.fault(Fault::on("*", "/").hang(Duration::from_secs(30)));
    let settings = GateSettings { collecting: 4, flights: 40, ..scene.settings(NON_ROOT) };
    let (_other, healthy, gate) = beside_another(&scene, settings).await;
    let silent = asks(&gate, (0..40).map(|tag| scene.named(&format!(":{tag}"))));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    assert_eq!(ask(&gate, &healthy).await.unwrap().decision.verdict, Verdict::Allow);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let mut refused = 0;
    for ask in silent {
        if ask.is_finished() {
            assert!(matches!(ask.await.unwrap(), Err(AskError::Overloaded(_))));
            refused += 1;
        } else {
            ask.abort();
        }
    }
    assert_eq!(refused, 20, "it has half of the room for waiting");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_what_waits_for_its_turn_and_nobody_waits_for_any_more_is_not_looked_at() {
    let scene = Scene::new();
    for tag in ["1", "2", "3"] {
        scene.push(tag, "1000");
    }
    slow(&scene, Duration::from_millis(400));
    let settings = GateSettings { collecting: 1, lingers: Duration::ZERO, ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let of = |tag: &str| scene.named(&format!(":{tag}"));
    let first = asks(&gate, [of("1")]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let later = asks(&gate, [of("2"), of("3"), of("3")]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    // One is asked for by two, of whom one stays.
    first[0].abort();
    later[0].abort();
    later[1].abort();
    assert!(later.into_iter().nth(2).unwrap().await.unwrap().is_ok());
    let looks = |tag: &str| scene.registry.count("GET", &format!("team/app/manifests/{tag}"));
    assert_eq!((looks("1"), looks("2"), looks("3")), (1, 0, 1), "what had begun went on");
    assert!(ask(&gate, &of("2")).await.is_ok(), "whoever asks again is answered");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_who_left_a_moment_ago_keeps_its_turn_so_that_impatient_askers_are_answered() {
    let scene = Scene::new();
    for tag in ["1", "2"] {
        scene.push(tag, "1000");
    }
    slow(&scene, Duration::from_millis(400));
    let settings = GateSettings { collecting: 1, ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let of = |tag: &str| scene.named(&format!(":{tag}"));
    let first = asks(&gate, [of("1")]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let impatient = asks(&gate, [of("2")]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    impatient[0].abort();
    assert!(first.into_iter().next().unwrap().await.unwrap().is_ok());
    let looks = || scene.registry.count("GET", "team/app/manifests/2");
    let looked = tokio::time::timeout(Duration::from_secs(20), async {
        while looks() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(looked.await.is_ok(), "its turn came although nobody waited");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_asks_that_nobody_waits_for_are_accepted_than_the_gate_is_set_up_for() {
    let scene = Scene::new();
    scene.push("1", "1000");
    slow(&scene, Duration::from_millis(400));
    let settings = GateSettings { later: 2, ..scene.settings(NON_ROOT) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let later = || gate.ask_later(asked(&scene.named(":1")), &by(Point::Api), &anybody());
    let ids = [later().unwrap(), later().unwrap()];
    let third = later().unwrap_err();
    assert!(matches!(&third, AskError::Overloaded(what) if what.contains("nobody waits for")), "{third}");
    gate.finish(Instant::now() + Duration::from_secs(10)).await;
    for id in ids {
        assert!(gate.later(&id, &anybody()).await.unwrap().unwrap().unwrap().permit.is_ok());
    }
    later().unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_on_record_before_the_end_and_what_takes_too_long_is_given_up() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    slow(&scene, Duration::from_millis(300));
    let gate = scene.gate(NON_ROOT).await;
    let pinned = scene.named(&format!("@{digest}"));
    let id = gate.ask_later(asked(&pinned), &by(Point::Api), &anybody()).unwrap();
    assert!(gate.later(&id, &anybody()).await.unwrap().unwrap().is_none(), "it is being looked for");
    gate.finish(Instant::now() + Duration::from_secs(10)).await;
    gate.stop().await;
    drop(gate);
    let gate = scene.gate(NON_ROOT).await;
    let everything = DecisionQuery { limit: 10, ..DecisionQuery::default() };
    let (found, _) = gate.decisions(&everything, None, &anybody()).await.unwrap();
    assert_eq!(found.iter().map(|row| row.digest.as_str()).collect::<Vec<_>>(), [digest.as_str()]);
    // Too slow for the time that is left.
    scene.registry.clear_faults();
    slow(&scene, Duration::from_secs(5));
    let elsewhere = Asked { environment: Some("staging".to_owned()), ..asked(&pinned) };
    gate.ask_later(elsewhere, &by(Point::Api), &anybody()).unwrap();
    let began = Instant::now();
    gate.finish(began + Duration::from_millis(200)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(gate.decisions(&everything, None, &anybody()).await.unwrap().0.len(), 1);
    gate.stop().await;
}
