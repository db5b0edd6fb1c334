//! S29, S34: two people are two people: whoever asked, whoever wrote it and whoever approves, by whatever name and whatever token.

use engine::{Actor, ExceptionRequest, ExceptionState, Gate, Grant, NewToken, Role};
use model::{Digest, SignedDuration};
use testkit::oci::ImageBuilder;

use super::exceptions::{actor, approver, blocked, dev, forbidden, governor, seen, wanted};
use super::scene::{Scene, now, verdict};

const AUTHORS: &str = "org.opencontainers.image.authors";
/// Nothing that would have the image's configuration read.
const SCAN: &str = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }";

fn approves(person: &str) -> Actor {
    actor(&format!("oidc:{person}"), Some(person), &[Role::PolicyAdmin])
}

async fn approve(gate: &Gate, wanted: ExceptionRequest, by: &Actor) -> Result<(), engine::GateError> {
    let asked = gate.request_exception(wanted, &dev()).await.unwrap();
    gate.approve_exception(&asked.id, &seen(&asked), by).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_who_wrote_the_image_does_not_approve_although_nothing_was_decided_about_it() {
    let scene = Scene::new();
    let built = ImageBuilder::new().user("1000").label(AUTHORS, "Ada <Ada@example.com>, bob").build();
    let digest = scene.registry.push("team/app", Some("1"), &built);
    let gate = scene.gate(SCAN).await;
    let image = scene.named(&format!("@{digest}"));
    for author in ["ada@example.com", "bob"] {
        forbidden(approve(&gate, wanted(&image), &approves(author)).await, "you wrote");
    }
    approve(&gate, wanted(&image), &approves("gus")).await.unwrap();
    gate.stop().await;

    // An image that nobody can read is approved by whoever the request names as another one.
    let scene = Scene::new();
    let gate = scene.gate(SCAN).await;
    let gone = scene.named(&format!("@{}", Digest::of(b"gone")));
    forbidden(approve(&gate, wanted(&gone), &approves("gus")).await, "nobody knows who wrote this image");
    let named = ExceptionRequest { author: Some("Ada <ada@example.com>".to_owned()), ..wanted(&gone) };
    forbidden(approve(&gate, named.clone(), &approves("ada@example.com")).await, "you wrote");
    approve(&gate, named, &approves("gus")).await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_an_exception_for_every_image_is_not_approved_by_who_wrote_one_of_them() {
    let scene = Scene::new();
    let built = ImageBuilder::new().user("0").label(AUTHORS, "ada").build();
    let digest = scene.registry.push("team/app", Some("1"), &built);
    let gate = scene.gate("- { id: user, config: { nonRoot: true } }").await;
    let image = scene.named(&format!("@{digest}"));
    assert_eq!(verdict(&gate, &image).await, model::Verdict::Deny);
    let (host, _) = image.split_once('/').unwrap();
    let rule = |image: Option<String>, repositories: Option<String>| ExceptionRequest {
        image,
        repositories,
        cve: None,
        package: None,
        rule: Some("house/user".to_owned()),
        ..wanted("x")
    };
    for request in [
        rule(Some(image.clone()), None),
        rule(Some(scene.named("")), None),
        rule(None, Some(format!("{host}/team/**"))),
        ExceptionRequest { environment: None, ..rule(Some(image.clone()), None) },
    ] {
        let asked = gate.request_exception(request.clone(), &approves("dora")).await.unwrap();
        forbidden(gate.approve_exception(&asked.id, &seen(&asked), &approves("ada")).await, "you wrote");
        gate.approve_exception(&asked.id, &seen(&asked), &approves("gus")).await.unwrap();
    }
    let asked = gate.request_exception(rule(None, Some(format!("{host}/other/**"))), &approves("dora")).await.unwrap();
    gate.approve_exception(&asked.id, &seen(&asked), &approves("ada")).await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_a_name_in_another_spelling_is_the_same_person() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    for author in ["Ada <ada@example.com>", " ADA@example.com ", "\u{ff21}da@Example.com; bob"] {
        let request = ExceptionRequest { author: Some(author.to_owned()), ..wanted(&image) };
        forbidden(approve(&gate, request, &approves("ada@example.com")).await, "you wrote");
    }
    let request = ExceptionRequest { author: Some("A\u{301}DA".to_owned()), ..wanted(&image) };
    forbidden(approve(&gate, request, &approves("\u{e1}da")).await, "you wrote");
    // As a token of an earlier version may name them.
    let asks = actor("oidc:1", Some("a\u{301}da"), &[Role::Developer]);
    let asked = gate.request_exception(wanted(&image), &asks).await.unwrap();
    forbidden(gate.approve_exception(&asked.id, &seen(&asked), &approves("\u{e1}da")).await, "you asked");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_what_nobody_in_particular_asked_for_is_taken_over_before_it_is_approved() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let machine = actor("of-a-bot", None, &[Role::Developer]);
    let asked = gate.request_exception(wanted(&image), &machine).await.unwrap();
    forbidden(gate.approve_exception(&asked.id, &seen(&asked), &approver()).await, "nobody knows which person");
    let taken = gate.edit_exception(&asked.id, asked.revision, wanted(&image), &governor()).await.unwrap();
    forbidden(gate.approve_exception(&asked.id, &seen(&taken), &governor()).await, "or changed it");
    let approved = gate.approve_exception(&asked.id, &seen(&taken), &approver()).await.unwrap();
    assert_eq!(approved.state, ExceptionState::Approved);
    gate.stop().await;
}

async fn token(gate: &Gate, name: &str, role: Role, person: &str, by: &Actor) -> (Actor, String) {
    let until = now() + SignedDuration::from_hours(1);
    let (grants, person) = (vec![Grant::everywhere(role)], Some(person.to_owned()));
    let made = gate.create_token(NewToken { name: name.to_owned(), grants, person, until }, by).await.unwrap();
    (gate.authenticate(&made.secret).await.unwrap().as_ref().clone(), made.token.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_tokens_that_one_person_gave_out_are_not_two_people() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let mallory = actor("oidc:m", Some("mallory"), &[Role::Admin, Role::Developer, Role::Approver]);
    let (dora, id) = token(&gate, "one", Role::Developer, "dora", &mallory).await;
    let (ada, _) = token(&gate, "two", Role::Approver, "ada", &mallory).await;
    let (agent, _) = token(&gate, "agent", Role::Admin, "agent", &mallory).await;
    let (eve, _) = token(&gate, "three", Role::Approver, "eve", &agent).await;
    let asked = gate.request_exception(wanted(&image), &dora).await.unwrap();
    // That it was revoked since says nothing about who had it.
    gate.revoke_token(&id, None, &mallory).await.unwrap();
    let other = actor("oidc:m2", Some("mallory"), &[Role::Approver]);
    for by in [&ada, &mallory, &eve, &other] {
        forbidden(gate.approve_exception(&asked.id, &seen(&asked), by).await, "that is not two people");
    }
    let theirs = gate.request_exception(wanted(&image), &mallory).await.unwrap();
    forbidden(gate.approve_exception(&theirs.id, &seen(&theirs), &ada).await, "that is not two people");
    // Somebody else's word is.
    let alice = actor("oidc:a", Some("alice"), &[Role::Admin]);
    let (bob, _) = token(&gate, "four", Role::Approver, "bob", &alice).await;
    gate.approve_exception(&asked.id, &seen(&asked), &bob).await.unwrap();
    gate.approve_exception(&theirs.id, &seen(&theirs), &approver()).await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_two_tokens_of_one_name_are_two_identities() {
    let scene = Scene::new();
    let gate = scene.gate(SCAN).await;
    let admin = actor("oidc:a", Some("alice"), &[Role::Admin]);
    let (one, id) = token(&gate, "ci", Role::Ci, "x", &admin).await;
    let (other, _) = token(&gate, "ci", Role::Ci, "y", &admin).await;
    assert_eq!(*one.identity, format!("token:ci#{id}"));
    assert_ne!(one.identity, other.identity);
    gate.stop().await;
}
