//! What is counted of entries.

use model::reports::{Covered, ExceptionCounts, FalseBlocks, OverrideCounts, PeriodReport, ReportPeriod};
use model::{Digest, Timestamp};
use serde_json::{Value, json};

use super::entries::{Entry, first_id};
use super::tally::{Tally, event, most};
use crate::gate::{Repositories, Team, Teams};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn entry(kind: &str, when: &str, repository: Option<&str>, body: Value) -> Entry {
    let Value::Object(body) = body else { panic!("an object") };
    let digest = repository.map(|_| Digest::of(b"image"));
    Entry {
        id: format!("{kind} {when}"),
        kind: kind.into(),
        repository: repository.map(Into::into),
        digest,
        at: at(when),
        body,
    }
}

fn decided(repository: &str, environment: &str, verdict: &str, when: &str, codes: &[&str]) -> Entry {
    let reasons: Vec<_> = codes.iter().map(|code| json!({ "code": code, "message": "why", "rules": [] })).collect();
    let body = json!({ "environment": environment, "verdict": verdict, "reasons": reasons, "exceptionsUsed": [] });
    entry("decision", when, Some(repository), body)
}

fn report(entries: &[Entry]) -> PeriodReport {
    let mut tally = Tally::default();
    for entry in entries {
        tally.add(entry);
    }
    reported(tally, entries.len() as u64)
}

fn reported(tally: Tally, entries: u64) -> PeriodReport {
    let (since, until) = (at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z"));
    let covered = Covered { since, until, read_until: until, entries, missing: Vec::new() };
    let overrides = OverrideCounts {
        granted: tally.granted,
        for_rollbacks: tally.for_rollbacks,
        revoked: tally.revoked,
        used: 0,
        by: most(tally.granted_by.clone()),
    };
    let (labels, exceptions) = (FalseBlocks::of(tally.blocks.len() as u64, 0, 0, 0), tally.exceptions.clone());
    tally.report(ReportPeriod::Weekly, covered, labels, overrides, exceptions, |name| {
        (name == "production").then(|| name.to_owned())
    })
}

#[test]
fn m7_from_the_first_block_to_the_next_allow_of_a_place() {
    let day = "2026-01-02T";
    let found = report(&[
        decided("r/a", "production", "deny", &format!("{day}08:00:00Z"), &["cve.limit"]),
        decided("r/a", "production", "deny", &format!("{day}09:00:00Z"), &["cve.limit"]),
        // Another environment and another repository fix nothing here; neither does what is not known.
        decided("r/a", "staging", "allow", &format!("{day}09:10:00Z"), &[]),
        decided("r/b", "production", "allow", &format!("{day}09:20:00Z"), &[]),
        decided("r/a", "production", "pending", &format!("{day}09:30:00Z"), &[]),
        decided("r/a", "production", "warn", &format!("{day}10:00:00Z"), &[]),
        decided("r/a", "production", "allow", &format!("{day}11:00:00Z"), &[]),
        decided("r/a", "production", "deny", &format!("{day}12:00:00Z"), &["cve.limit"]),
        decided("r/a", "production", "allow", &format!("{day}16:00:00Z"), &[]),
        decided("r/c", "production", "deny", &format!("{day}13:00:00Z"), &["cve.limit"]),
    ]);
    let all = &found.remediation;
    assert_eq!((all.fixed, all.still_blocked), (2, 1));
    assert_eq!((all.median_seconds, all.p90_seconds), (Some(3 * 3600), Some(4 * 3600)));
    assert_eq!(all.places[0].repository, "r/c", "what is blocked still comes first");
    assert_eq!(all.places[0].blocked_since, Some(at("2026-01-02T13:00:00Z")));
    assert_eq!((all.places[1].repository.as_str(), all.places[1].fixed), ("r/a", 2));
}

#[test]
fn o7_decisions_are_counted_by_verdict_and_blocks_by_reason() {
    let when = "2026-01-02T08:00:00Z";
    let mut entries = vec![
        decided("r/a", "production", "deny", "2026-01-02T08:00:01Z", &["cve.limit", "cve.limit", "signature.missing"]),
        decided("r/a", "production", "deny", "2026-01-02T08:00:02Z", &["cve.limit"]),
        decided("r/a", "production", "allow", when, &[]),
        decided("r/a", "lab", "warn", when, &["cve.limit"]),
    ];
    for number in 0..30 {
        entries.push(decided(&format!("r/n{number}"), "lab", "deny", when, &["config.user"]));
    }
    let found = report(&entries);
    let (lab, production) = (&found.decisions[0], &found.decisions[1]);
    assert_eq!((lab.environment.as_str(), lab.warn, lab.deny, lab.class.clone()), ("lab", 1, 30, None));
    assert_eq!((production.allow, production.deny, production.class.as_deref()), (1, 2, Some("production")));
    assert_eq!(found.blocked.len(), 20);
    assert_eq!(found.blocked_more, 12);
    let first = &found.blocked[0];
    assert_eq!((first.repository.as_str(), first.code.as_str(), first.blocks), ("r/a", "cve.limit", 2), "once each");
}

#[test]
fn s35_blocks_are_counted_by_team_once_each_and_none_is_left_out() {
    let team = |name: &str, pattern: &str| Team {
        name: name.to_owned(),
        repositories: vec![Repositories::parse(pattern).unwrap()],
    };
    let mut tally = Tally::new(Teams::new(vec![team("a", "r/a/**"), team("b", "r/**")]).unwrap());
    for (number, place) in ["r/a/x", "r/a/y", "r/b", "other/z", "r/a/x"].into_iter().enumerate() {
        tally.add(&decided(place, "production", "deny", &format!("2026-01-02T08:00:0{number}Z"), &["one", "two"]));
    }
    tally.add(&decided("r/a/x", "production", "allow", "2026-01-02T09:00:00Z", &[]));
    let found = reported(tally, 6).blocked_by_team;
    let found: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.count)).collect();
    assert_eq!(found, [("a", 3), ("b", 1), ("none", 1)]);
    let without = [decided("r/a/x", "production", "deny", "2026-01-02T08:00:00Z", &["one"])];
    assert_eq!(report(&without).blocked_by_team, []);
}

#[test]
fn o7_what_people_did_is_counted_and_told() {
    let when = "2026-01-03T08:00:00Z";
    let granted = json!({ "override": "o1", "environment": "production", "until": "2026-01-03T10:00:00Z",
        "granted": { "by": "ada", "reason": "outage" } });
    let revoked = json!({ "override": "o1", "environment": "production", "until": "2026-01-03T10:00:00Z",
        "granted": { "by": "ada", "reason": "outage", "revoked": { "by": "bob", "reason": "over", "at": when } } });
    let rollback =
        json!({ "override": "o2", "for": "rollback", "environment": "production", "by": "cy", "reason": "INC-1" });
    let denied = json!({ "denial": "d", "denied": { "kind": "package", "what": "pkg:npm/x", "quarantine": true, "by": "eve", "reason": "backdoor" } });
    let policy = json!({ "policyVersion": "sha256:aa", "by": "ada", "confirmedBy": "bob", "reason": "stricter" });
    let entries = [
        entry("override.granted", when, Some("r/a"), granted),
        entry("override.revoked", when, Some("r/a"), revoked),
        entry("override.granted", when, Some("r/a"), rollback),
        entry("denial.added", when, None, denied),
        entry("policy.activated", when, None, policy),
        entry("exception.requested", when, Some("r/a"), json!({})),
        entry("image.promoted", when, Some("r/a"), json!({ "rollback": true })),
        entry("image.promoted", when, Some("r/a"), json!({ "rollback": false })),
    ];
    let found = report(&entries);
    assert_eq!((found.overrides.granted, found.overrides.for_rollbacks, found.overrides.revoked), (2, 1, 1));
    assert_eq!(found.overrides.by.iter().map(|by| by.name.as_str()).collect::<Vec<_>>(), ["ada", "cy"]);
    assert_eq!(found.exceptions, ExceptionCounts { requested: 1, ..ExceptionCounts::default() });
    assert_eq!((found.promotions, found.rollbacks), (1, 1));
    let told: Vec<_> =
        found.changes.iter().map(|one| (one.kind.as_str(), one.by.as_deref(), one.reason.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("override.granted", Some("ada"), Some("outage")),
            ("override.revoked", Some("bob"), Some("over")),
            ("override.granted", Some("cy"), Some("INC-1")),
            ("denial.added", Some("eve"), Some("backdoor")),
            ("policy.activated", Some("ada"), Some("stricter")),
        ]
    );
    assert_eq!(found.changes[3].what, "quarantine of package pkg:npm/x");
    assert_eq!(found.changes[4].confirmed_by.as_deref(), Some("bob"));
    assert_eq!(event(&entries[0]).environment.as_deref(), Some("production"));
}

#[test]
fn o4_a_window_begins_before_every_id_of_its_time() {
    let moment = at("2026-01-02T08:00:00.123Z");
    let made = |milliseconds: i64| {
        let since_epoch =
            std::time::Duration::from_millis(u64::try_from(moment.as_millisecond() + milliseconds).unwrap());
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, since_epoch.as_secs(), since_epoch.subsec_nanos());
        uuid::Uuid::new_v7(stamp).to_string()
    };
    for _ in 0..100 {
        assert!(made(-1) < first_id(moment, 0) && first_id(moment, 0) <= made(0) && made(4) < first_id(moment, 5));
    }
}
