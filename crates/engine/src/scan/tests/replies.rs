//! Whole answers of one page: statuses, age, the image they are about, and readings that have to agree.

use serde_json::json;
use testkit::fixtures::{STATUSES, Vulnerability};

use super::*;

#[test]
fn a12_every_status_without_a_result() {
    for status in STATUSES {
        let step = Talk::new().scan(&Scan::only_status(&digest(1), status));
        let code = match &step {
            Step::Wait(wait, reason) => {
                assert_eq!(*wait, POLL);
                reason.code
            }
            Step::Stop(Signal::Failed(reason) | Signal::Unsupported(reason)) => reason.code,
            other => panic!("{status}: {other:?}"),
        };
        let wanted = match *status {
            "COMPLETE" | "ACTIVE" => ReasonCode::ScanNoFindingsYet,
            "IN_PROGRESS" | "PENDING" => ReasonCode::ScanPending,
            "FAILED" => ReasonCode::ScanFailed,
            "UNSUPPORTED_IMAGE" => ReasonCode::ScanUnsupported,
            "SCAN_ELIGIBILITY_EXPIRED" => ReasonCode::ScanEligibilityExpired,
            "FINDINGS_UNAVAILABLE" => ReasonCode::ScanFindingsUnavailable,
            "LIMIT_EXCEEDED" => ReasonCode::ScanLimitExceeded,
            "IMAGE_ARCHIVED" => ReasonCode::ScanImageArchived,
            other => panic!("{other} is new: what does it mean?"),
        };
        assert_eq!(code, wanted, "{status}");
        let unsupported = matches!(step, Step::Stop(Signal::Unsupported(_)));
        assert_eq!(unsupported, matches!(*status, "UNSUPPORTED_IMAGE" | "IMAGE_ARCHIVED"), "{status}");
    }
}

#[test]
fn a12_a_result_counts_only_under_a_finished_status() {
    for status in STATUSES {
        let step = Talk::new().scan(&basic(NOW - 60).finding("CVE-2024-0001", "LOW").status(status));
        assert_eq!(matches!(step, Step::Done(_)), matches!(*status, "COMPLETE" | "ACTIVE"), "{status}: {step:?}");
    }
    stops_for(Talk::new().scan(&basic(NOW - 60).status("DONE")), ReasonCode::ScanUnknownStatus);
}

#[test]
fn a5_a_finished_status_waits_for_its_findings() {
    let mut talk = Talk::new();
    polls(talk.scan(&basic(NOW - 60).without_findings_object()), ReasonCode::ScanNoFindingsYet);
    polls(talk.scan(&basic(NOW - 60).without_completed_at()), ReasonCode::ScanNoFindingsYet);
    let scan = done(talk.scan(&basic(NOW - 60)));
    assert_eq!((scan.findings().len(), scan.completed_at()), (0, at(NOW - 60)));
}

#[test]
fn a5_a_body_that_cannot_be_read_stops() {
    let whole = basic(NOW - 60).finding("CVE-2024-0001", "LOW").value().to_string();
    for cut in 0..whole.len() {
        stops_for(Talk::new().body(&whole.as_bytes()[..cut]), ReasonCode::ScanMalformed);
    }
    for (place, _) in whole.match_indices(|character: char| character.is_ascii_alphabetic()) {
        let mut bytes = whole.clone().into_bytes();
        bytes[place] = 0xff;
        stops_for(Talk::new().body(bytes), ReasonCode::ScanMalformed);
    }
    for body in ["null", "[]", "{}", "<html></html>", r#"{"__type":"ThrottlingException"}"#] {
        stops_for(Talk::new().body(body), ReasonCode::ScanMalformed);
    }
    assert!(matches!(Talk::new().body("{}"), Step::Stop(Signal::Failed(_))));
}

#[test]
fn s1_an_answer_about_something_else_stops() {
    let good = basic(NOW - 60).value();
    for (path, other) in [
        ("/imageId/imageDigest", json!(digest(2))),
        ("/repositoryName", json!("team/other")),
        ("/registryId", json!("210987654321")),
    ] {
        let mut page = good.clone();
        *page.pointer_mut(path).unwrap() = other;
        stops_for(Talk::new().page(&page), ReasonCode::ScanOtherImage);
    }
    // Whose account it is, may be unknown.
    let mut talk = Talk::new();
    talk.subject.account = None;
    done(talk.page(&good));
}

#[test]
fn a6_a_stale_result_is_renewed_once() {
    let old = basic(NOW - 8 * 86_400);
    let mut talk = Talk::new().pushed(30 * 86_400);
    starts(&talk.scan(&old));
    polls(talk.reply(Reply::Started), ReasonCode::ScanPending);
    polls(talk.scan(&old), ReasonCode::ScanStale);
    polls(talk.scan(&old), ReasonCode::ScanStale);
    polls(talk.scan(&Scan::only_status(&digest(1), "IN_PROGRESS")), ReasonCode::ScanPending);
    assert_eq!(done(talk.scan(&basic(NOW - 5))).completed_at(), at(NOW - 5));
}

#[test]
fn s18_a_stale_result_that_cannot_be_renewed_is_handed_on_as_it_is() {
    let old = basic(NOW - 8 * 86_400);
    let old_at = |talk: &mut Talk| assert_eq!(done(talk.scan(&old)).database_at(), at(NOW - 8 * 86_400));
    old_at(&mut Talk::new().pushed(30 * 86_400).without_start());
    for refused in [FailureKind::ScanLimit, FailureKind::AccessDenied, FailureKind::InvalidRequest] {
        let mut talk = Talk::new().pushed(30 * 86_400);
        starts(&talk.scan(&old));
        let (wait, _) = waits(talk.refuses(refused));
        assert!(wait < POLL, "what is there can be looked at again at once");
        old_at(&mut talk);
    }
    // A moment younger is young enough; continuous scanning cannot be started.
    done(Talk::new().pushed(30 * 86_400).scan(&basic(NOW - 8 * 86_400 + 1)));
    let stale = enhanced(NOW - 3 * 86_400).finding("CVE-2024-0001", "LOW");
    assert!(done(Talk::new().pushed(30 * 86_400).scan(&stale)).is_continuous());
    // The age is that of the data, not of the scan.
    starts(&Talk::new().scan(&basic(NOW - 60).source_updated_at(NOW - 9 * 86_400)));
}

#[test]
fn s16_a_result_older_than_the_push_is_never_handed_on() {
    let older = basic(NOW - 301);
    let mut talk = Talk::new();
    starts(&talk.scan(&older));
    polls(talk.reply(Reply::Started), ReasonCode::ScanPending);
    polls(talk.scan(&older), ReasonCode::ScanOlderThanPush);
    done(talk.scan(&basic(NOW - 300)));

    stops_for(Talk::new().without_start().scan(&older), ReasonCode::ScanOlderThanPush);
    for refused in [FailureKind::ScanLimit, FailureKind::AccessDenied, FailureKind::InvalidRequest] {
        let mut talk = Talk::new();
        starts(&talk.scan(&older));
        waits(talk.refuses(refused));
        stops_for(talk.scan(&older), ReasonCode::ScanOlderThanPush);
    }
}

#[test]
fn s16_an_empty_enhanced_list_needs_two_looks_that_agree() {
    let empty = enhanced(NOW - 60);
    let mut talk = Talk::new();
    polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
    let scan = done(talk.scan(&empty));
    let proof = model::Completeness::EcrEnhanced {
        continuous: true,
        pages: 1,
        completed_at: at(NOW - 60),
        pushed_at: Some(at(NOW - 300)),
        agreeing_readings: 2,
    };
    assert_eq!(*scan.proof(), proof);

    // The list of basic scanning, or another status: still one scanner, whose list is empty.
    polls(Talk::new().scan(&basic(NOW - 60).status("ACTIVE")), ReasonCode::ScanUnconfirmed);
    polls(Talk::new().scan(&empty.clone().status("COMPLETE")), ReasonCode::ScanUnconfirmed);
    // One finding is a result at once.
    done(Talk::new().scan(&empty.finding("CVE-2024-0001", "LOW")));
}

#[test]
fn s16_a_different_second_look_does_not_count() {
    let empty = enhanced(NOW - 60);
    for other in [
        empty.clone().completed_at(NOW - 30),
        empty.clone().counts(json!({ "LOW": 1 })),
        empty.clone().status("COMPLETE"),
    ] {
        let mut talk = Talk::new();
        polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
        polls(talk.scan(&other), ReasonCode::ScanUnconfirmed);
        polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
        done(talk.scan(&empty));
    }
    // A look in between that has no result breaks the agreement.
    for between in [
        Scan::only_status(&digest(1), "PENDING"),
        empty.clone().without_findings_object(),
        empty.clone().without_completed_at(),
    ] {
        let mut talk = Talk::new();
        polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
        waits(talk.scan(&between));
        polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
        done(talk.scan(&empty));
    }
    // So does one whose result is older than the push.
    let mut talk = Talk::new();
    polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
    starts(&talk.scan(&empty.clone().completed_at(NOW - 301)));
    waits(talk.refuses(FailureKind::InvalidRequest));
    polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
    // A call that failed was no look.
    let mut talk = Talk::new();
    polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
    waits(talk.fails(FailureKind::Throttled));
    done(talk.scan(&empty));
    // A finding that appears is a result.
    let mut talk = Talk::new();
    polls(talk.scan(&empty), ReasonCode::ScanUnconfirmed);
    assert_eq!(done(talk.scan(&empty.finding("CVE-2024-0001", "HIGH"))).findings().len(), 1);
}

#[test]
fn evidence_names_the_bytes_that_were_read() {
    let body = basic(NOW - 60).vulnerability(&Vulnerability::new("CVE-2024-0001", "LOW")).value().to_string();
    let Step::Done(observed) = Talk::new().body(body.clone()) else { panic!("no result") };
    assert_eq!(observed.evidence, Digest::of(body.as_bytes()));
    assert_eq!((observed.origin, observed.at), (Origin::Ecr(REGION.to_owned()), at(NOW)));
}
