//! B11, S29: an exception is asked for by one and approved by another, counts from then until it ends, everywhere, and for nothing beside it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use engine::{
    Actor, Exception, ExceptionQuery, ExceptionRequest, ExceptionState, Gate, GateError, GateSettings, Grant, Point,
    Repositories, Role, Settling, Submission,
};
use model::{Digest, SignedDuration, Verdict};
use serde_json::json;

use super::scene::{Scene, anybody, ask, by, now, verdict};

const RULES: &str = "- { id: scan, vulnerabilities: { sources: { accept: [file] }, maxScanAge: 400d, max: { critical: 0 } } }\n  \
    - { id: signed, vulnerabilities: { sources: { accept: [file] }, maxScanAge: 400d, deny: [CVE-2026-666] } }\n  \
    - { id: user, config: { nonRoot: true }, waivable: false }";

/// Somebody with roles everywhere.
pub(super) fn actor(identity: &str, person: Option<&str>, roles: &[Role]) -> Actor {
    Actor { person: person.map(Into::into), ..Actor::everywhere(identity, roles) }
}

pub(super) fn dev() -> Actor {
    actor("oidc:dev", Some("dora"), &[Role::Viewer, Role::Developer])
}

pub(super) fn approver() -> Actor {
    actor("oidc:approver", Some("ada"), &[Role::Viewer, Role::Approver])
}

pub(super) fn governor() -> Actor {
    actor("oidc:governor", Some("gus"), &[Role::PolicyAdmin])
}

/// What Trivy reports: each finding in a package, and its fix.
fn report(image: &str, digest: &str, found: &[(&str, &str, Option<&str>)]) -> Vec<u8> {
    let name = image.split_once('@').unwrap().0;
    let found: Vec<_> = found
        .iter()
        .map(|(id, package, fix)| {
            json!({ "VulnerabilityID": id, "PkgName": package, "InstalledVersion": "1.0", "FixedVersion": fix.unwrap_or(""),
                "Status": if fix.is_some() { "fixed" } else { "affected" }, "Severity": "CRITICAL" })
        })
        .collect();
    let report = json!({
        "SchemaVersion": 2, "CreatedAt": now().to_string(), "ArtifactName": format!("{name}:1"), "ArtifactType": "container_image",
        "Trivy": { "Version": "0.59.1" }, "Metadata": { "OS": { "Family": "debian", "Name": "12" },
        "RepoDigests": [format!("{name}@{digest}")] },
        "Results": [{ "Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": found }],
    });
    report.to_string().into_bytes()
}

pub(super) async fn submit(gate: &Gate, image: &str, found: &[(&str, &str, Option<&str>)]) {
    let document = report(image, image.split_once('@').unwrap().1, found).into();
    let submission = Submission { image: image.to_owned(), kind: "report".to_owned(), document };
    gate.submit(submission, &by(Point::Ci), &anybody()).await.unwrap();
}

pub(super) fn wanted(image: &str) -> ExceptionRequest {
    ExceptionRequest {
        image: Some(image.to_owned()),
        repositories: None,
        cve: Some("CVE-2026-1".to_owned()),
        package: Some("openssl".to_owned()),
        rule: None,
        environment: Some("production".to_owned()),
        until_fixed: false,
        reason: "not reachable".to_owned(),
        ticket: Some("SEC-1".to_owned()),
        owner: None,
        author: None,
        expires: "14d".to_owned(),
        decision: None,
    }
}

pub(super) fn seen(exception: &Exception) -> Settling {
    Settling { revision: exception.revision, reason: Some("looked at".to_owned()) }
}

#[expect(clippy::needless_pass_by_value, reason = "what came of it, as it came")]
pub(super) fn forbidden<T: std::fmt::Debug>(done: Result<T, GateError>, says: &str) {
    assert!(matches!(&done, Err(GateError::Forbidden { what, .. }) if what.contains(says)), "{says}: {done:?}");
}

#[expect(clippy::needless_pass_by_value, reason = "what came of it, as it came")]
fn invalid<T: std::fmt::Debug>(done: Result<T, GateError>, says: &str) {
    let is_it = |what: &String| what.contains(says);
    assert!(
        matches!(&done, Err(GateError::Invalid { what, .. } | GateError::Usage { what, .. }) if is_it(what)),
        "{says}: {done:?}"
    );
}

#[expect(clippy::needless_pass_by_value, reason = "what came of it, as it came")]
fn conflict<T: std::fmt::Debug>(done: Result<T, GateError>) {
    assert!(matches!(&done, Err(GateError::Conflict { .. })), "{done:?}");
}

/// A scene with an image that one finding blocks: `HOST/team/app@sha256:…`
pub(super) async fn blocked(scene: &Scene) -> (Gate, String) {
    let digest = scene.push("1", "1000");
    let gate = scene.gate(RULES).await;
    let image = scene.named(&format!("@{digest}"));
    submit(&gate, &image, &[("CVE-2026-1", "openssl", None)]).await;
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny);
    (gate, image)
}

async fn kinds(gate: &Gate, image: &str) -> Vec<String> {
    let digest: Digest = image.split_once('@').unwrap().1.parse().unwrap();
    gate.history(&digest, None, None, 100, &anybody()).await.unwrap().into_iter().map(|entry| entry.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn b11_somebody_else_approves_and_every_use_is_counted() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let asked = gate.request_exception(wanted(&image), &dev()).await.unwrap();
    assert_eq!((asked.state, asked.revision, asked.in_force), (ExceptionState::Requested, 1, false));
    assert!(asked.wide.is_empty() && asked.owner == "dora", "{asked:?}");
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "asked for is not approved");

    let preview = gate.preview_exception(&asked.id, &approver()).await.unwrap();
    assert!(preview.is_whole && (preview.judged, preview.covered, preview.flipped) == (1, 1, 1), "{preview:?}");
    let change = &preview.changes[0];
    assert_eq!((change.without, change.with, change.findings), (Verdict::Deny, Verdict::Allow, 2), "under both rules");

    let approved = gate.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    assert!(approved.state == ExceptionState::Approved && approved.in_force && approved.uses == 0);
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow, "from the moment of approval");
    let allowed = ask(&gate, &image).await.unwrap();
    assert_eq!(allowed.decision.valid_until, Some(approved.expires), "S8");
    let (uses, _) = gate.exception_uses(&asked.id, None, 10, &dev()).await.unwrap();
    assert_eq!(uses.iter().map(|used| used.decision.as_str()).collect::<Vec<_>>(), [allowed.decision.id.as_str()]);
    assert_eq!(gate.exception(&asked.id, &dev()).await.unwrap().uses, 1);

    let revoked = gate.revoke_exception(&asked.id, &seen(&approved), &approver()).await.unwrap();
    assert_eq!(revoked.state, ExceptionState::Revoked);
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "and not after it was revoked");
    let all = gate.exceptions(&ExceptionQuery { limit: 10, ..ExceptionQuery::default() }, &dev()).await.unwrap().0;
    assert_eq!(
        all.iter().map(|one| (one.id.as_str(), one.state)).collect::<Vec<_>>(),
        [(&*asked.id, ExceptionState::Revoked)]
    );
    let told = [
        "signal",
        "decision",
        "exception.requested",
        "exception.approved",
        "decision",
        "exception.revoked",
        "decision",
    ];
    assert_eq!(kinds(&gate, &image).await, told);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_nobody_approves_what_they_asked_for_nor_what_is_theirs() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let both = |identity: &str, person| actor(identity, person, &[Role::Developer, Role::Approver]);
    let asked = gate.request_exception(wanted(&image), &both("oidc:dev", Some("dora"))).await.unwrap();
    let approve = async |who: Actor| gate.approve_exception(&asked.id, &seen(&asked), &who).await;
    forbidden(approve(both("oidc:dev", Some("dora"))).await, "you asked for this");
    forbidden(approve(both("token:dora-2", Some("dora"))).await, "you asked for this");
    forbidden(approve(both("ci:pipeline", None)).await, "by a person");
    forbidden(approve(actor("ci:pipeline", None, &[Role::Ci])).await, "role approver");
    forbidden(approve(actor("x", Some("x"), &[Role::Admin])).await, "role approver");
    forbidden(approve(actor("x", Some("x"), &[Role::Developer, Role::BreakGlass])).await, "role approver");
    // Who may approve elsewhere sees no more than others, and may not here.
    let elsewhere = |repositories: &str, environment: &str| {
        let repositories = vec![Repositories::parse(repositories).unwrap()];
        let grants = vec![Grant { role: Role::Approver, repositories, environments: vec![environment.to_owned()] }];
        Actor { identity: "far".into(), person: Some("fay".into()), grants }
    };
    for far in [elsewhere("other.example/**", "*"), elsewhere("**", "staging")] {
        let done = approve(far).await;
        assert!(matches!(&done, Err(GateError::NotFound { .. })), "{done:?}");
    }
    let none = gate.approve_exception("unheard-of", &seen(&asked), &approver()).await;
    assert!(matches!(&none, Err(GateError::NotFound { .. })), "{none:?}");
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny);

    // Who wrote the commit does not approve it, as far as whoever asked said.
    let authored = ExceptionRequest { author: Some("Ada".to_owned()), ..wanted(&image) };
    let authored = gate.request_exception(authored, &dev()).await.unwrap();
    forbidden(gate.approve_exception(&authored.id, &seen(&authored), &approver()).await, "you wrote");
    gate.approve_exception(&authored.id, &seen(&authored), &governor()).await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_an_edit_voids_the_approval_and_whoever_edits_does_not_approve() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let asked = gate.request_exception(wanted(&image), &dev()).await.unwrap();
    let approved = gate.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow);
    let other = actor("oidc:other", Some("otto"), &[Role::Developer]);
    forbidden(gate.edit_exception(&asked.id, approved.revision, wanted(&image), &other).await, "edited by whoever");
    conflict(gate.edit_exception(&asked.id, asked.revision, wanted(&image), &dev()).await);
    let longer = ExceptionRequest { expires: "20d".to_owned(), ..wanted(&image) };
    let edited = gate.edit_exception(&asked.id, approved.revision, longer.clone(), &dev()).await.unwrap();
    assert!(edited.state == ExceptionState::Requested && !edited.in_force, "{edited:?}");
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "at once");
    // An approval of what was there before is none of what is there now.
    conflict(gate.approve_exception(&asked.id, &seen(&asked), &approver()).await);
    conflict(gate.approve_exception(&asked.id, &seen(&approved), &approver()).await);
    // Whoever changes it is one of those who ask.
    let edited = gate.edit_exception(&asked.id, edited.revision, longer, &governor()).await.unwrap();
    forbidden(gate.approve_exception(&asked.id, &seen(&edited), &governor()).await, "or changed it");
    let approved = gate.approve_exception(&asked.id, &seen(&edited), &approver()).await.unwrap();
    invalid(gate.approve_exception(&asked.id, &seen(&approved), &approver()).await, "is approved");
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_what_is_wide_takes_who_writes_policies() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let repository = image.split_once('@').unwrap().0;
    let host = repository.split_once('/').unwrap().0;
    for (wider, says) in [
        (ExceptionRequest { image: Some(repository.to_owned()), ..wanted(&image) }, "every image"),
        (ExceptionRequest { package: None, ..wanted(&image) }, "every package"),
        (ExceptionRequest { environment: None, ..wanted(&image) }, "every environment"),
        (ExceptionRequest { expires: "31d".to_owned(), ..wanted(&image) }, "more than 30 days"),
        (
            ExceptionRequest { image: None, repositories: Some(format!("{host}/team/**")), ..wanted(&image) },
            "several repositories",
        ),
        (
            ExceptionRequest { cve: None, package: None, rule: Some("house/scan".to_owned()), ..wanted(&image) },
            "everything that breaks",
        ),
    ] {
        let asked = gate.request_exception(wider, &dev()).await.unwrap();
        assert!(asked.wide.iter().any(|wide| wide.contains(says)), "{says}: {:?}", asked.wide);
        forbidden(gate.approve_exception(&asked.id, &seen(&asked), &approver()).await, "policy-admin");
        let approved = gate.approve_exception(&asked.id, &seen(&asked), &governor()).await.unwrap();
        assert_eq!(verdict(&gate, &image).await, Verdict::Allow, "{says}");
        gate.revoke_exception(&asked.id, &seen(&approved), &governor()).await.unwrap();
        assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "{says}");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_tricks_are_refused_where_it_is_asked_for() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let (repository, digest) = image.split_once('@').unwrap();
    let host = repository.split_once('/').unwrap().0;
    let of = |name: String| ExceptionRequest { image: Some(name), ..wanted(&image) };
    let cve = |id: &str| ExceptionRequest { cve: Some(id.to_owned()), ..wanted(&image) };
    let rule = |id: &str| ExceptionRequest { cve: None, package: None, rule: Some(id.to_owned()), ..wanted(&image) };
    let until = |text: &str| ExceptionRequest { expires: text.to_owned(), ..wanted(&image) };
    let like = |text: String| ExceptionRequest { image: None, repositories: Some(text), ..wanted(&image) };
    for (trick, says) in [
        (of(format!("{host}/team/*@{digest}")), "holds `*`"),
        (of(format!("*/team/app@{digest}")), "holds `*`"),
        (of(format!("{host}/Team/app@{digest}")), "is no image"),
        (of(format!("{host}/te\u{430}m/app@{digest}")), "is no image"),
        (of(format!("{repository}:1")), "names a tag"),
        (of(format!("team/app@{digest}")), "names no registry"),
        (like("**".to_owned()), "begins with the registry"),
        (like("*/team/**".to_owned()), "written out"),
        (cve("CVE-2026-*"), "patterns are not possible"),
        (cve("CVE\u{2010}2026-1"), "no id"),
        (cve("CVE-2026-666"), "deny list of rule house/signed"),
        (rule("house/user"), "cannot be waived"),
        (rule("house/nothing"), "no such rule"),
        (rule("other/scan"), "no policy"),
        (rule("scan"), "POLICY/RULE"),
        (until("91d"), "at most 90 days"),
        (until("0s"), "not to come"),
        (until("2020-01-01"), "not to come"),
        (until("soon"), "neither"),
        (ExceptionRequest { reason: " ".to_owned(), ..wanted(&image) }, "`reason` is empty"),
        (ExceptionRequest { reason: "a\u{1b}[2J".to_owned(), ..wanted(&image) }, "steers"),
        (ExceptionRequest { reason: "a\u{202e}b".to_owned(), ..wanted(&image) }, "steers"),
        (ExceptionRequest { reason: "x".repeat(5000), ..wanted(&image) }, "longer"),
        (ExceptionRequest { ticket: Some("\n".to_owned()), ..wanted(&image) }, "`ticket`"),
        (ExceptionRequest { environment: Some("prod*".to_owned()), ..wanted(&image) }, "not declared"),
        (ExceptionRequest { rule: Some("house/scan".to_owned()), ..wanted(&image) }, "one of both"),
        (ExceptionRequest { repositories: Some(format!("{host}/**")), ..wanted(&image) }, "one of both"),
    ] {
        invalid(gate.request_exception(trick, &dev()).await, says);
    }
    let viewer = actor("oidc:viewer", Some("vera"), &[Role::Viewer]);
    forbidden(gate.request_exception(wanted(&image), &viewer).await, "may not ask");
    forbidden(gate.request_exception(wanted(&image), &actor("ci", None, &[Role::Ci])).await, "may not ask");
    let nowhere = ExceptionRequest { decision: Some("unheard-of".to_owned()), ..wanted(&image) };
    assert!(matches!(gate.request_exception(nowhere, &dev()).await, Err(GateError::NotFound { .. })));
    assert_eq!(
        gate.exceptions(&ExceptionQuery { limit: 10, ..ExceptionQuery::default() }, &governor()).await.unwrap().0.len(),
        0
    );
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_another_image_is_not_covered() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let asked = gate.request_exception(wanted(&image), &dev()).await.unwrap();
    gate.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    let other = scene.named(&format!("@{}", scene.push("2", "1001")));
    submit(&gate, &other, &[("CVE-2026-1", "openssl", None)]).await;
    let elsewhere = scene.registry.push("team/app2", Some("1"), &super::scene::image("1000"));
    let elsewhere = format!("{}@{elsewhere}", scene.registry.reference("team/app2"));
    submit(&gate, &elsewhere, &[("CVE-2026-1", "openssl", None)]).await;
    submit(&gate, &image, &[("CVE-2026-1", "openssl", None), ("CVE-2026-2", "openssl", None)]).await;
    for denied in [&other, &elsewhere, &image] {
        assert_eq!(verdict(&gate, denied).await, Verdict::Deny, "{denied}");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_what_somebody_may_not_see_is_not_there() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let asked = gate.request_exception(wanted(&image), &dev()).await.unwrap();
    let repositories = vec![Repositories::parse("other.example/**").unwrap()];
    let grants = vec![Grant { role: Role::PolicyAdmin, repositories, environments: vec!["*".to_owned()] }];
    let stranger = Actor { identity: "s".into(), person: Some("sam".into()), grants };
    let answers = [
        gate.exception(&asked.id, &stranger).await.map(|_| ()),
        gate.exception(&"0".repeat(36), &stranger).await.map(|_| ()),
        gate.preview_exception(&asked.id, &stranger).await.map(|_| ()),
        gate.exception_uses(&asked.id, None, 1, &stranger).await.map(|_| ()),
        gate.approve_exception(&asked.id, &seen(&asked), &stranger).await.map(|_| ()),
        gate.reject_exception(&asked.id, &seen(&asked), &stranger).await.map(|_| ()),
        gate.revoke_exception(&asked.id, &seen(&asked), &stranger).await.map(|_| ()),
        gate.withdraw_exception(&asked.id, &seen(&asked), &stranger).await.map(|_| ()),
        gate.edit_exception(&asked.id, 1, wanted(&image), &stranger).await.map(|_| ()),
    ];
    for answer in answers {
        assert!(matches!(&answer, Err(GateError::NotFound { .. })), "{answer:?}");
    }
    assert!(
        gate.exceptions(&ExceptionQuery { limit: 10, ..ExceptionQuery::default() }, &stranger)
            .await
            .unwrap()
            .0
            .is_empty()
    );
    forbidden(gate.withdraw_exception(&asked.id, &seen(&asked), &approver()).await, "withdrawn by whoever");
    let silent = Settling { revision: 1, reason: None };
    invalid(gate.reject_exception(&asked.id, &silent, &approver()).await, "without a reason");
    let gone = gate.withdraw_exception(&asked.id, &silent, &dev()).await.unwrap();
    assert_eq!(gone.state, ExceptionState::Withdrawn);
    invalid(gate.approve_exception(&asked.id, &seen(&gone), &approver()).await, "is withdrawn");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f6_an_approval_counts_on_every_replica() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let store = scene.store().await;
    let one = Gate::start(scene.settings(RULES), store.clone()).await.unwrap();
    let two = Gate::start(scene.settings(RULES), store).await.unwrap();
    let image = scene.named(&format!("@{digest}"));
    submit(&one, &image, &[("CVE-2026-1", "openssl", None)]).await;
    assert_eq!((verdict(&one, &image).await, verdict(&two, &image).await), (Verdict::Deny, Verdict::Deny));
    let asked = one.request_exception(wanted(&image), &dev()).await.unwrap();
    let approved = two.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    assert_eq!(verdict(&two, &image).await, Verdict::Allow);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(verdict(&one, &image).await, Verdict::Allow);
    // Of two that settle it at once the second learns of the first.
    one.revoke_exception(&asked.id, &seen(&approved), &approver()).await.unwrap();
    conflict(two.revoke_exception(&asked.id, &seen(&approved), &governor()).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(verdict(&two, &image).await, Verdict::Deny);
    one.stop().await;
    two.stop().await;
}

/// The clock of one test, in seconds after the real one.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn ahead() -> model::Timestamp {
    now().checked_add(SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn b11_its_end_is_announced_and_comes_by_itself() {
    let scene = Scene::new();
    let digest = scene.push("1", "1000");
    let settings = GateSettings { now: ahead, ..scene.settings(RULES) };
    let gate = Gate::start(settings, scene.store().await).await.unwrap();
    let image = scene.named(&format!("@{digest}"));
    submit(&gate, &image, &[("CVE-2026-1", "openssl", None)]).await;
    let asked = gate.request_exception(wanted(&image), &dev()).await.unwrap();
    let approved = gate.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow);
    AHEAD.store(11 * 24 * 3600 + 60, Ordering::Relaxed);
    until_logged(&gate, &image, "exception.expiring").await;
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow, "announced is not ended");
    AHEAD.store(14 * 24 * 3600 + 60, Ordering::Relaxed);
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "whoever judges compares times, whatever jobs did");
    until_logged(&gate, &image, "exception.expired").await;
    let ended = gate.exception(&asked.id, &dev()).await.unwrap();
    assert_eq!((ended.state, ended.in_force, ended.revision), (ExceptionState::Expired, false, approved.revision + 1));
    assert_eq!(kinds(&gate, &image).await.iter().filter(|kind| *kind == "exception.expiring").count(), 1);
    gate.stop().await;
}

async fn until_logged(gate: &Gate, image: &str, kind: &str) {
    for _ in 0..150 {
        if kinds(gate, image).await.iter().any(|one| one == kind) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{kind} is not in the audit log: {:?}", kinds(gate, image).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_until_fixed_ends_when_a_fix_appears() {
    let scene = Scene::new();
    let (gate, image) = blocked(&scene).await;
    let asked = ExceptionRequest { until_fixed: true, ..wanted(&image) };
    let asked = gate.request_exception(asked, &dev()).await.unwrap();
    gate.approve_exception(&asked.id, &seen(&asked), &approver()).await.unwrap();
    assert_eq!(verdict(&gate, &image).await, Verdict::Allow);
    submit(&gate, &image, &[("CVE-2026-1", "openssl", Some("1.1"))]).await;
    assert_eq!(verdict(&gate, &image).await, Verdict::Deny, "there is a fix");
    until_logged(&gate, &image, "exception.fixed").await;
    assert_eq!(gate.exception(&asked.id, &dev()).await.unwrap().state, ExceptionState::Fixed);
    gate.stop().await;
}
