//! Answers of several pages: all are read, in order, of one scan.

use serde_json::json;

use super::*;

/// Three findings on three pages.
fn three() -> Vec<Value> {
    basic(NOW - 60).findings(3, "LOW").pages(1)
}

#[test]
fn a17_every_page_is_read() {
    let (pages, mut talk) = (three(), Talk::new());
    assert_eq!(next_page(talk.page(&pages[0])), "findings-from-1");
    assert_eq!(next_page(talk.page(&pages[1])), "findings-from-2");
    let Step::Done(observed) = talk.page(&pages[2]) else { panic!("not done") };
    assert_eq!(observed.value.findings().len(), 3);
    assert!(observed.value.disagreements().is_empty());
    let digests: Vec<String> = pages.iter().map(|page| Digest::of(page.to_string().as_bytes()).to_string()).collect();
    assert_eq!(observed.evidence, Digest::of(digests.join("\n").as_bytes()));
}

#[test]
fn a17_a_repeated_token_stops() {
    let (pages, mut talk) = (three(), Talk::new());
    next_page(talk.page(&pages[0]));
    stops_for(talk.page(&pages[0]), ReasonCode::ScanPagesEndless);
    let mut talk = Talk::new();
    next_page(talk.page(&pages[0]));
    next_page(talk.page(&pages[1]));
    let mut back = pages[2].clone();
    back["nextToken"] = pages[0]["nextToken"].clone();
    stops_for(talk.page(&back), ReasonCode::ScanPagesEndless);
}

#[test]
fn a17_a_result_that_changes_between_pages_is_read_anew() {
    let pages = three();
    let changed = |path: &str, value: Value| {
        let mut page = pages[1].clone();
        *page.pointer_mut(path).unwrap() = value;
        page
    };
    for second in [
        changed("/imageScanStatus/status", json!("ACTIVE")),
        changed("/imageScanStatus", json!({ "status": "IN_PROGRESS" })),
        changed("/imageScanFindings/imageScanCompletedAt", json!(NOW - 30)),
        changed("/imageScanFindings/findings", Value::Null),
        changed("/imageScanFindings", Value::Null),
    ] {
        let mut talk = Talk::new();
        next_page(talk.page(&pages[0]));
        polls(talk.page(&second), ReasonCode::ScanPending);
        // From the first page on; nothing of the earlier reading is left.
        next_page(talk.page(&pages[0]));
        next_page(talk.page(&pages[1]));
        assert_eq!(done(talk.page(&pages[2])).findings().len(), 3);
    }
}

#[test]
fn a5_a_last_page_without_a_list_ends_the_reading_only_if_everything_counted_was_listed() {
    let pages = three();
    for field in ["removed", "null"] {
        let mut last = pages[2].clone();
        let findings = last["imageScanFindings"].as_object_mut().unwrap();
        findings.remove("findings");
        if field == "null" {
            findings.insert("findings".to_owned(), Value::Null);
        }
        let mut talk = Talk::new();
        next_page(talk.page(&pages[0]));
        next_page(talk.page(&pages[1]));
        polls(talk.page(&last), ReasonCode::ScanPending);

        // Two findings are counted, and were listed.
        let two = basic(NOW - 60).findings(2, "LOW");
        let end = {
            let mut end = last.clone();
            end["imageScanFindings"]["findingSeverityCounts"] = json!({ "LOW": 2 });
            end
        };
        let mut talk = Talk::new();
        next_page(talk.page(&two.clone().next_token("more").value()));
        assert_eq!(done(talk.page(&end)).findings().len(), 2);

        // Without counts nothing says that the list was whole.
        let mut silent = end.clone();
        silent["imageScanFindings"]["findingSeverityCounts"] = Value::Null;
        let mut talk = Talk::new();
        next_page(talk.page(&two.counts(Value::Null).next_token("more").value()));
        polls(talk.page(&silent), ReasonCode::ScanPending);

        // Nor does an empty list say that there is nothing.
        let mut talk = Talk::new();
        next_page(talk.page(&basic(NOW - 60).next_token("more").value()));
        polls(talk.page(&silent), ReasonCode::ScanPending);
    }
}

#[test]
fn a17_pages_of_both_scanners_count_as_enhanced_scanning() {
    let mut talk = Talk::new();
    next_page(talk.page(&basic(NOW - 60).next_token("more").value()));
    let second = enhanced(NOW - 60).status("COMPLETE").finding("CVE-2024-0001", "LOW");
    let scan = done(talk.scan(&second));
    assert!(matches!(scan.proof(), model::Completeness::EcrEnhanced { continuous: false, .. }));
    assert!(!scan.is_continuous(), "COMPLETE is made on push alone");
}

#[test]
fn s18_the_oldest_data_of_all_pages_counts() {
    let pages = three();
    for (first, second) in
        [(Some(NOW - 60), Some(NOW - 86_400)), (Some(NOW - 86_400), None), (None, Some(NOW - 86_400))]
    {
        let mut talk = Talk::new();
        for (page, time) in pages.iter().zip([first, second, Some(NOW - 60)]) {
            let mut page = page.clone();
            page["imageScanFindings"]["vulnerabilitySourceUpdatedAt"] = json!(time);
            match talk.page(&page) {
                Step::NextPage(_) => {}
                other => assert_eq!(done(other).database_at(), at(NOW - 86_400)),
            }
        }
    }
}

#[test]
fn a5_a_page_that_cannot_be_read_or_is_of_another_image_stops() {
    let pages = three();
    let mut talk = Talk::new();
    next_page(talk.page(&pages[0]));
    stops_for(talk.body("{"), ReasonCode::ScanMalformed);
    let mut other = pages[1].clone();
    other["imageId"]["imageDigest"] = json!(digest(2));
    let mut talk = Talk::new();
    next_page(talk.page(&pages[0]));
    stops_for(talk.page(&other), ReasonCode::ScanOtherImage);
}

#[test]
fn a2_a_page_that_fails_for_a_while_is_asked_for_again() {
    let pages = three();
    for kind in [FailureKind::Throttled, FailureKind::Network, FailureKind::ServerFault] {
        let mut talk = Talk::new();
        for page in &pages[..2] {
            next_page(talk.page(page));
            let token = talk.state.next_token().map(str::to_owned);
            assert!(token.is_some());
            waits(talk.fails(kind));
            assert_eq!(talk.state.next_token(), token.as_deref(), "{kind:?}: the same page, not the first one");
        }
        assert_eq!(done(talk.page(&pages[2])).findings().len(), 3);
    }
}

#[test]
fn a17_a_refused_page_token_means_reading_anew_a_few_times() {
    let pages = three();
    let mut talk = Talk::new();
    for _ in 0..3 {
        next_page(talk.page(&pages[0]));
        polls(talk.fails(FailureKind::InvalidRequest), ReasonCode::ScanPending);
        assert_eq!(talk.state.next_token(), None);
    }
    next_page(talk.page(&pages[0]));
    stops_for(talk.fails(FailureKind::InvalidRequest), ReasonCode::AwsInvalidRequest);
}

#[test]
fn a5_what_was_read_before_a_failure_is_no_part_of_a_later_reading() {
    let (pages, clean) = (three(), basic(NOW - 60));
    // The scan is gone between two pages: another one is started, and read from its first page.
    let mut talk = Talk::new();
    next_page(talk.page(&pages[0]));
    starts(&talk.fails(FailureKind::ScanNotFound));
    polls(talk.reply(Reply::Started), ReasonCode::ScanPending);
    let mut listless = clean.value();
    listless["imageScanFindings"]["findings"] = Value::Null;
    polls(talk.page(&listless), ReasonCode::ScanNoFindingsYet);
    assert_eq!(done(talk.scan(&clean)).findings().len(), 0);
}

#[test]
fn s16_an_empty_enhanced_list_in_pages_needs_two_looks_too() {
    let first = enhanced(NOW - 60).next_token("more").value();
    let last = enhanced(NOW - 60).value();
    let mut talk = Talk::new();
    next_page(talk.page(&first));
    polls(talk.page(&last), ReasonCode::ScanUnconfirmed);
    // The same first page in the second look: a token repeats within one look only.
    next_page(talk.page(&first));
    done(talk.page(&last));
    // A second look that changes while it is read confirms nothing.
    let mut talk = Talk::new();
    next_page(talk.page(&first));
    polls(talk.page(&last), ReasonCode::ScanUnconfirmed);
    next_page(talk.page(&first));
    polls(talk.scan(&enhanced(NOW - 30)), ReasonCode::ScanPending);
    polls(talk.page(&last), ReasonCode::ScanUnconfirmed);
}
