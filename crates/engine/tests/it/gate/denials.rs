//! S30: what is denied by name is denied under whichever spelling and digest it is asked for, and lifted by whoever may.

use engine::{Actor, DenialEntry, Gate, GateError, Grant, NewDenial, Point, Repositories, Role};
use testkit::oci::{ImageBuilder, IndexBuilder};

use super::scene::{NON_ROOT, Scene, anybody, asked, by, image, named};

async fn deny(gate: &Gate, kind: &str, what: &str) -> Result<DenialEntry, GateError> {
    let new = NewDenial { kind: kind.to_owned(), what: what.to_owned(), quarantine: false, reason: "worm".to_owned() };
    gate.deny(new, &named("admin")).await
}

async fn runs(gate: &Gate, image: &str) -> bool {
    gate.ask(asked(image), &by(Point::Admission), &anybody()).await.unwrap().permit.is_ok()
}

/// An index of two platforms: its digest and theirs.
fn index(scene: &Scene, tag: &str, user: &str) -> [String; 3] {
    let (one, other) = (image(user), ImageBuilder::new().platform("linux/arm64").user(user).build());
    let index = IndexBuilder::new().image(&one).image(&other).build();
    let index = scene.registry.push("team/app", Some(tag), &index);
    [index, one.digest().to_string(), other.digest().to_string()]
}

#[tokio::test]
async fn s30_the_platforms_of_a_denied_index_are_denied_by_their_own_digests() {
    // Whether it was decided before, whether a policy judges each of them, and whether it was said where it is.
    for (rules, asked_before, with_repository) in [
        (NON_ROOT.to_owned(), false, true),
        (NON_ROOT.to_owned(), true, false),
        (format!("{NON_ROOT}\n  match: {{ platforms: [linux/amd64] }}"), true, false),
        (format!("{NON_ROOT}\n  match: {{ platforms: [linux/amd64] }}"), false, true),
    ] {
        let scene = Scene::new();
        let gate = scene.gate(&rules).await;
        let digests = index(&scene, "1", "1000");
        let [whole, one, other] = digests.clone().map(|digest| scene.named(&format!("@{digest}")));
        if asked_before {
            assert!(runs(&gate, &whole).await);
            assert!(runs(&gate, &one).await);
        }
        let entry = deny(&gate, "digest", if with_repository { &whole } else { &digests[0] }).await.unwrap();
        assert_eq!(entry.body.what, digests[0]);
        assert_eq!(entry.body.also.len(), 2, "{rules} {asked_before}");
        for image in [&whole, &one, &other] {
            assert!(!runs(&gate, image).await, "{image} of {rules}, asked before: {asked_before}");
        }
    }
}

#[tokio::test]
async fn s30_what_platforms_a_denied_index_has_is_learned_when_it_is_looked_at() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let digests = index(&scene, "1", "1000");
    let [whole, one, other] = digests.clone().map(|digest| scene.named(&format!("@{digest}")));
    let entry = deny(&gate, "digest", &digests[0]).await.unwrap();
    assert!(entry.body.also.is_empty(), "nobody looked at it");
    assert!(!runs(&gate, &whole).await);
    assert!(!runs(&gate, &one).await && !runs(&gate, &other).await);
    assert_eq!(gate.denial(&entry.id, &anybody()).await.unwrap().body.also.len(), 2);
}

#[tokio::test]
async fn s30_an_entry_is_compared_as_images_are_and_one_that_fits_nothing_is_refused() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let key = "ab".repeat(32);
    for (kind, what, kept) in [
        ("repository", "docker.io/nginx", "docker.io/library/nginx"),
        ("repository", "index.docker.io/*", "docker.io/library/*"),
        ("repository", "docker.io/**", "docker.io/**"),
        ("repository", "*.Example.COM/team/**", "*.example.com/team/**"),
        ("repository", "GHCR.io:443/team/app", "ghcr.io/team/app"),
        ("signer", &key.to_uppercase(), &format!("sha256:{key}")),
        ("signer", &format!("SHA256:{key}"), &format!("sha256:{key}")),
        ("signer", "eve@example.com", "eve@example.com"),
        ("vulnerability", "GHSA-jfh8-c2jp-5v3q", "GHSA-jfh8-c2jp-5v3q"),
    ] {
        assert_eq!(deny(&gate, kind, what).await.unwrap().body.what, kept);
    }
    for (kind, what) in [
        ("repository", "team/app"),
        ("repository", "team/**"),
        ("repository", "ghcr.io/Team/app"),
        ("repository", "ghcr.io/team/"),
        ("repository", "ghcr.io//app"),
        ("repository", "ghcr.io/***"),
        ("signer", "alice"),
        ("signer", "sha256:abcd"),
        ("vulnerability", "nonsense"),
        ("vulnerability", "CVE-*"),
        ("digest", "sha256:12"),
    ] {
        let refused = deny(&gate, kind, what).await;
        assert!(matches!(refused, Err(GateError::Usage { .. })), "{kind} {what}: {refused:?}");
    }
}

#[tokio::test]
async fn s30_what_the_house_denied_no_team_lifts() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let repository = scene.registry.reference("team/app");
    let grant =
        |role| Grant { repositories: vec![Repositories::parse(&repository).unwrap()], ..Grant::everywhere(role) };
    let team = Actor { grants: vec![grant(Role::PolicyAdmin)], ..Actor::everywhere("team", &[]) };
    let of_the_house = deny(&gate, "repository", &repository).await.unwrap();
    let refused = gate.lift(&of_the_house.id, "ours", &team).await;
    assert!(matches!(refused, Err(GateError::Forbidden { .. })), "{refused:?}");
    let new = NewDenial {
        kind: "repository".to_owned(),
        what: repository.clone(),
        quarantine: false,
        reason: "ours".to_owned(),
    };
    let of_the_team = gate.deny(new, &team).await.unwrap();
    gate.lift(&of_the_team.id, "over", &team).await.unwrap();
    gate.lift(&of_the_house.id, "over", &named("admin")).await.unwrap();
}

#[tokio::test]
async fn s1_an_index_that_is_denied_takes_no_leave_from_what_another_one_gives() {
    let scene = Scene::new();
    let gate = scene.gate(NON_ROOT).await;
    let (one, other) = (image("1000"), ImageBuilder::new().platform("linux/arm64").user("1000").build());
    let root = ImageBuilder::new().platform("linux/arm64").user("0").build();
    let good = scene.registry.push("team/app", Some("1"), &IndexBuilder::new().image(&one).image(&other).build());
    let bad = scene.registry.push("team/app", Some("2"), &IndexBuilder::new().image(&one).image(&root).build());
    let [good, bad, shared] = [good, bad, one.digest().to_string()].map(|digest| scene.named(&format!("@{digest}")));
    assert!(runs(&gate, &good).await);
    let basis = async || gate.ask(asked(&shared), &by(Point::Admission), &anybody()).await.unwrap().permit.unwrap();
    assert_eq!(basis().await.basis().as_str(), "inherited");
    assert!(!runs(&gate, &bad).await);
    assert_eq!(basis().await.basis().as_str(), "inherited", "the other index has nothing to do with it");
}
