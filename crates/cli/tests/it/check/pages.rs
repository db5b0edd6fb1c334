//! A17, S17: findings are read page by page to the end, and counts have to agree with them.

use serde_json::json;
use testkit::fixtures::{Scan, digest};
use testkit::{Answer, Script};

use crate::gate::{Gate, basic, described, enhanced, policy, scan, scanned};

fn paged(scan: &Scan, per_page: usize) -> Script {
    Script::new().on("DescribeImages", described()).pages("DescribeImageScanFindings", scan.pages(per_page))
}

#[test]
fn a17_the_last_of_2500_findings_blocks() {
    for base in [basic(), enhanced()] {
        let scan = base.findings(2499, "LOW").finding("CVE-2024-66666", "CRITICAL");
        let gate = Gate::new(paged(&scan, 1000));
        let ran = gate.check().run().exits(1).because("vuln.maxExceeded").says("CVE-2024-66666");
        assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 3);
        assert_eq!((ran.variable("VULN_CRITICAL"), ran.variable("VULN_LOW")), (Some("1"), Some("2499")));
        assert_eq!(ran.variable("VULN_TOTAL"), Some("1"));
    }
}

/// Without the summary only the last page knows.
#[test]
fn a17_the_last_page_counts_where_the_summary_is_silent() {
    let scan = basic().findings(2499, "LOW").finding("CVE-2024-66666", "CRITICAL").counts(json!({}));
    let gate = Gate::new(paged(&scan, 1000));
    gate.check().run().exits(1).says("CVE-2024-66666");
}

#[test]
fn a17_many_clean_pages_are_green() {
    let gate = Gate::new(paged(&basic().findings(2500, "LOW"), 1000));
    let ran = gate.check().run().exits(0);
    assert_eq!(ran.variable("VULN_LOW"), Some("2500"));
    let asked: Vec<_> = gate.ecr.requests().iter().filter_map(|request| request.body["maxResults"].as_u64()).collect();
    assert_eq!(asked, [1000, 1000, 1000]);
}

#[test]
fn a17_a_token_that_repeats_is_no_end() {
    let looping = basic().finding("CVE-2024-0001", "LOW").next_token("again");
    let gate = Gate::new(scanned([Answer::json(looping.value())]));
    gate.check().run().exits(2).because("scan.pagesEndless");
    assert_eq!(gate.ecr.count("DescribeImageScanFindings"), 2);
    // Every page with a token of its own, without end.
    let page = basic().finding("CVE-2024-0001", "LOW");
    let script = Script::new().on("DescribeImages", described()).always("DescribeImageScanFindings", move |request| {
        let n = request.next_token().map_or(0, |token| token.parse::<u64>().unwrap());
        Answer::json(page.clone().next_token(&(n + 1).to_string()).value())
    });
    let gate = Gate::new(script);
    gate.check().timeout("30s").run().exits(2).because("scan.pagesEndless");
}

/// The last page fails: what was read before is not the whole.
#[test]
fn a17_a_page_that_cannot_be_had_is_not_the_end() {
    let scan = basic().findings(30, "LOW").finding("CVE-2024-66666", "CRITICAL").counts(json!({ "LOW": 30 }));
    let pages = scan.pages(10);
    let (last, first) = (pages[3].clone(), pages[0].clone());
    for (answer, code) in [
        (Answer::error("AccessDeniedException", "no"), 3),
        (Answer::error("ServerException", "sorry"), 5),
        (Answer::error("ThrottlingException", "Rate exceeded"), 4),
        (Answer::truncated(last, 100), 5),
        (Answer::json(json!({})), 2),
        (Answer::error("InvalidParameterException", "Invalid parameter at 'nextToken'"), 3),
        (Answer::cut(), 5),
    ] {
        let pages = pages.clone();
        let script =
            Script::new().on("DescribeImages", described()).always("DescribeImageScanFindings", move |request| {
                match request.next_token() {
                    None => Answer::json(pages[0].clone()),
                    Some("findings-from-10") => Answer::json(pages[1].clone()),
                    Some("findings-from-20") => Answer::json(pages[2].clone()),
                    Some(_) => answer.clone(),
                }
            });
        let ran = Gate::new(script).check().timeout("2s").run().exits(code);
        assert_eq!(ran.variable("VULN_LOW"), None, "half a list is not counted");
    }
    // A page that says nothing but "scanning" interrupts the reading; the next one is whole.
    let mut turns = vec![first, Scan::only_status(&digest(1), "IN_PROGRESS").value()];
    turns.extend(pages);
    let gate = Gate::new(scanned(turns.into_iter().map(Answer::json)));
    gate.check().run().exits(1).says("CVE-2024-66666");
}

#[test]
fn s17_counts_over_the_list_block() {
    let more = basic().finding("CVE-2024-0001", "LOW").counts(json!({ "LOW": 1, "CRITICAL": 2 }));
    let ran = Gate::new(scan(&more)).check().run().exits(1).because("vuln.countExceeded");
    let ran = ran.says("counts 2 CRITICAL");
    assert_eq!((ran.variable("VULN_CRITICAL"), ran.variable("VULN_TOTAL")), (Some("2"), Some("2")));
    let empty = basic().counts(json!({ "HIGH": 1 }));
    Gate::new(scan(&empty)).check().run().exits(1).because("vuln.countExceeded");
}

#[test]
fn s17_the_list_over_the_counts_blocks() {
    let fewer = basic().finding("CVE-2024-0001", "HIGH").counts(json!({}));
    let ran = Gate::new(scan(&fewer)).check().run().exits(1).because("vuln.maxExceeded");
    assert_eq!(ran.variable("VULN_HIGH"), Some("1"));
}

#[test]
fn s17_a_disagreement_within_the_limit_is_no_result() {
    let gate = Gate::new(scan(&basic().finding("CVE-2024-0001", "MEDIUM").counts(json!({ "MEDIUM": 3 }))));
    let limited =
        gate.write("gate.yaml", policy("rules:\n- id: r\n  vulnerabilities: { max: { critical: 0, medium: 5 } }"));
    gate.check().args(&["--policy", &limited]).run().exits(2).because("scan.countsDisagree").says("counts 3 MEDIUM");
    // A severity that nothing limits is only noted.
    gate.check().run().exits(0).says("counts 3 MEDIUM findings and lists 1");
}

#[test]
fn s17_counts_that_are_no_counts_are_no_result() {
    for counts in [
        json!({ "CRITICAL": -1 }),
        json!({ "CRITICAL": "0" }),
        json!({ "CRITICAL": 0.5 }),
        json!({ "LOW": null }),
        json!([]),
        json!("none"),
        json!(0),
    ] {
        Gate::new(scan(&basic().counts(counts.clone()))).check().run().exits(2).because("scan.malformed");
    }
    let huge = basic().counts(json!({ "CRITICAL": u64::MAX, "HIGH": u64::MAX }));
    Gate::new(scan(&huge)).check().run().exits(1);
    let twice = basic()
        .value()
        .to_string()
        .replace("\"findingSeverityCounts\":{}", "\"findingSeverityCounts\":{\"CRITICAL\":1,\"CRITICAL\":0}");
    let ran = Gate::new(scanned([Answer::text(twice)])).check().run();
    assert!([1, 2].contains(&ran.code), "{ran:#?}");
}

/// A finding that stands twice, or a field that does, hides nothing.
#[test]
fn a5_a_document_with_two_minds_is_not_green() {
    let scan = basic().finding("CVE-2024-0001", "CRITICAL");
    let text = scan.value().to_string();
    for doubled in [
        text.replace("\"severity\":\"CRITICAL\"", "\"severity\":\"CRITICAL\",\"severity\":\"LOW\""),
        text.replace("\"imageScanStatus\":", "\"imageScanFindings\":{\"findings\":[],\"findingSeverityCounts\":{},\"imageScanCompletedAt\":9e9},\"imageScanStatus\":"),
        text.replace("\"status\":\"COMPLETE\"", "\"status\":\"FAILED\",\"status\":\"COMPLETE\""),
        format!("{text}{}", basic().value()),
        format!("{text} trailing"),
        format!("{text}\n{{}}"),
    ] {
        assert_ne!(doubled, text);
        let ran = Gate::new(scanned([Answer::text(doubled.clone())])).check().run();
        assert!([1, 2].contains(&ran.code), "{doubled}: {ran:#?}");
    }
}
