//! What each form of output says of one decision. Every scene is answered in all forms at once, and whatever it is
//! about, the forms keep the promises in [`promises`]: sound documents, one story, and nothing that looks clean unless
//! a complete scan was.

mod forms;
mod promises;

use testkit::fixtures::{Scan, Vulnerability, digest, now};

use self::forms::{Forms, filters, scene};

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => filters(), omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

fn basic() -> Scan {
    Scan::basic(&digest(1), now() - 60)
}

/// What a scanner, or who feeds it, could say to be taken for something else.
fn hostile() -> Scan {
    let id = "::error::CVE|`x`\n\u{1b}[31m<script>alert(1)</script> ##[add-mask]y \u{202e}z";
    let package = "a|b`c`\r\n::error::pwn ![x](http://e) @all";
    let finding = Vulnerability::new(id, "CRITICAL").package(package, "1 {0}\n## heading").basic();
    let mut lured =
        Vulnerability::new("CVE-2024-0002", "WEIRD\u{1b}[2J|<b>").package("::stop-commands::x", "2").basic();
    lured["uri"] = "javascript:alert(1)".into();
    basic().finding_with(finding).finding_with(lured)
}

#[test]
fn b2_a_clean_image() {
    let forms = scene("clean").report(&basic().as_cli_output()).exits(0);
    snapshot!("clean.table", &forms.table);
    snapshot!("clean.md", &forms.markdown);
    assert!(forms.results().is_empty() && forms.vulnerabilities().is_empty());
    assert_eq!(forms.ran.variable("VULN_TOTAL"), Some("0"));
}

#[test]
fn b2_a_blocked_image_in_every_form() {
    let scan = basic()
        .vulnerability(&Vulnerability::new("CVE-2024-0001", "CRITICAL"))
        .vulnerability(&Vulnerability::new("CVE-2024-0002", "HIGH").package("zlib", "1.2"))
        .vulnerability(&Vulnerability::new("CVE-2024-0003", "LOW"))
        .vulnerability(&Vulnerability::new("ALAS-2024-1", "UNTRIAGED").score(0.0));
    let forms = scene("blocked").report(&scan.as_cli_output()).exits(1);
    snapshot!("blocked.table", &forms.table);
    snapshot!("blocked.md", &forms.markdown);
    snapshot!("blocked.sarif", forms.text("sarif"));
    snapshot!("blocked.xml", forms.text("junit"));
    snapshot!("blocked.gitlab", forms.text("gitlab"));
    assert_eq!(forms.levels(), ["error", "error", "note", "note"], "every finding, not only those that block");
    assert_eq!(forms.severities(), ["Critical", "High", "Low", "Unknown"]);
}

#[test]
fn a12_fix_versions_and_exploits_of_enhanced_scanning_are_told() {
    let scan = Scan::enhanced(&digest(1), now() - 60)
        .vulnerability(&Vulnerability::new("CVE-2024-0001", "CRITICAL").fixed_in("3.0.13-1").exploit_available("YES"))
        .vulnerability(&Vulnerability::new("CVE-2024-0002", "HIGH").unfixed());
    let forms = scene("enhanced").report(&scan.as_cli_output()).exits(1);
    snapshot!("enhanced.table", &forms.table);
    snapshot!("enhanced.md", &forms.markdown);
    let [first, second] = forms.results() else { panic!("two results") };
    let text = first["message"]["text"].as_str().unwrap();
    assert!(text.contains("an exploit is known") && text.contains("fixed in 3.0.13-1"), "{text}");
    assert!(second["message"]["text"].as_str().unwrap().contains("no fix yet"));
    assert_eq!(forms.vulnerabilities()[0]["solution"], "Upgrade openssl to 3.0.13-1.");
    assert_eq!(forms.vulnerabilities()[1].get("solution"), None);
    assert_eq!(forms.gitlab["scan"]["scanner"]["id"], "amazon-inspector");
}

#[test]
fn b11_a_waived_finding_is_shown_with_its_exception() {
    let exceptions = "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:\n\
        - { id: EX|1, cve: CVE-2024-0001, repository: team/app, reason: 'not | reachable <b>', owner: '@team', expires: 2999-12-31 }\n\
        - { id: EX-2, cve: CVE-2024-0009, repository: team/app, reason: gone, owner: team, expires: 2999-12-31 }\n";
    let spec = "exceptions: [exceptions.yaml]\nrules:\n\
        - { id: none, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }\n\
        - { id: soft, action: warn, vulnerabilities: { sources: { accept: [file] }, max: { high: 0 } } }\n\
        - { id: seen, action: audit, vulnerabilities: { sources: { accept: [file] }, max: { low: 0 } } }\n";
    let scan =
        basic().finding("CVE-2024-0001", "CRITICAL").finding("CVE-2024-0002", "HIGH").finding("CVE-2024-0003", "LOW");
    let forms = scene("waived").exceptions(exceptions).policy(spec).report(&scan.as_cli_output()).exits(0);
    assert_eq!(forms.ran.record()["verdict"], "warn");
    snapshot!("waived.table", &forms.table);
    snapshot!("waived.md", &forms.markdown);
    snapshot!("waived.xml", forms.text("junit"));
    assert_eq!(forms.levels(), ["warning", "warning", "note"], "a soft-fail is no error");
    let suppressed: Vec<_> =
        forms.results().iter().filter(|result| result["suppressions"] != serde_json::json!([])).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["ruleId"], "CVE-2024-0001");
    let why = suppressed[0]["suppressions"][0]["justification"].as_str().unwrap();
    assert!(why.starts_with("exception EX|1: not | reachable <b> (owner @team, until "), "{why}");
    assert!(forms.annotations().iter().all(|line| line.starts_with("::warning ")), "{:?}", forms.annotations());
}

#[test]
fn a5_an_image_without_an_answer_looks_clean_in_no_form() {
    let digest = digest(1);
    let pending = Scan::only_status(&digest, "PENDING").as_cli_output();
    let forms = scene("pending").report(&pending).exits(4);
    snapshot!("pending.table", &forms.table);
    snapshot!("pending.md", &forms.markdown);
    snapshot!("pending.sarif", forms.text("sarif"));
    snapshot!("pending.xml", forms.text("junit"));
    snapshot!("pending.gitlab", forms.text("gitlab"));

    let forms = scene("cut off").bytes(b"{\"imageScanStatus\": {\"sta").exits(2);
    snapshot!("malformed.table", &forms.table);
    assert_eq!(forms.results()[0]["ruleId"], "report.unknownFormat");

    // Without any digest there is not even a question: a record without rules.
    let forms = scene("no digest").image(":v1").bytes(b"{}").exits(2);
    snapshot!("refused.xml", forms.text("junit"));
    snapshot!("refused.md", &forms.markdown);
    assert_eq!(forms.results().len(), 1);

    for status in ["FAILED", "UNSUPPORTED_IMAGE", "A_STATUS_OF_TOMORROW"] {
        let forms = scene(status).report(&Scan::only_status(&digest, status).as_cli_output()).exits(2);
        assert_eq!(forms.levels(), ["error"]);
    }
    let stale = Scan::basic(&digest, now() - 40 * 86_400).finding("CVE-2024-0001", "LOW");
    let forms = scene("stale").report(&stale.as_cli_output()).exits(4);
    assert_eq!(forms.levels(), ["error", "note"], "the reason, and what was found long ago");
}

#[test]
fn a5_a_soft_fail_for_want_of_a_scan_is_a_warning_and_still_no_clean_result() {
    let spec = "onUnknown: { default: warn }\nrules: [{ id: r, vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } } }]";
    let failed = Scan::only_status(&digest(1), "FAILED").as_cli_output();
    let forms = scene("soft").policy(spec).report(&failed).exits(0);
    assert_eq!(forms.levels(), ["warning"]);
    assert_eq!(forms.sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(forms.gitlab["scan"]["status"], "failure");
}

#[test]
fn b2_hostile_words_stay_words() {
    let forms = scene("hostile").report(&hostile().as_cli_output()).exits(1);
    snapshot!("hostile.table", &forms.table);
    snapshot!("hostile.md", &forms.markdown);
    snapshot!("hostile.annotations", &forms.annotations().join("\n"));
    assert_eq!(forms.sarif["runs"][0]["tool"]["driver"]["rules"][0].get("helpUri"), None, "no link to javascript");
    assert!(!forms.markdown.contains("](javascript"));
}

#[test]
fn b2_long_lists_are_cut_for_people_and_whole_for_programs() {
    let forms = scene("sixty").report(&basic().findings(60, "HIGH").as_cli_output()).exits(1);
    let rows = |text: &str, start: &str| text.lines().filter(|line| line.trim_start().starts_with(start)).count();
    assert_eq!(rows(&forms.table, "CVE-2024-1"), 50);
    assert_eq!(rows(&forms.markdown, "| [`CVE-2024-1"), 50);
    assert!(forms.table.contains("… and 10 more") && forms.markdown.contains("… and 10 more"));
    assert_eq!((forms.results().len(), forms.vulnerabilities().len()), (60, 60));
    assert_eq!(forms.annotations().len(), 10);
}

#[test]
fn b2_the_same_finding_is_the_same_in_the_next_build() {
    let ids = |forms: &Forms| {
        let prints: Vec<_> = forms.results().iter().map(|result| result["partialFingerprints"].clone()).collect();
        let ids: Vec<_> = forms.vulnerabilities().iter().map(|vulnerability| vulnerability["id"].clone()).collect();
        (prints, ids)
    };
    let built = |n: u64| {
        let digest = digest(n);
        let scan = Scan::basic(&digest, now() - 60).finding("CVE-2024-0001", "HIGH").finding("CVE-2024-0002", "LOW");
        scene("build").image(&format!("@{digest}")).report(&scan.as_cli_output()).exits(1)
    };
    assert_eq!(ids(&built(1)), ids(&built(2)));
}

#[test]
fn a18_findings_of_an_index_name_their_platform() {
    let forms = forms::index(["LOW", "CRITICAL"]).exits(1);
    snapshot!("index.table", &forms.table);
    snapshot!("index.md", &forms.markdown);
    let [blocking, other] = forms.results() else { panic!("two results") };
    assert!(blocking["message"]["text"].as_str().unwrap().contains("(linux/arm64/v8)"));
    assert_ne!(blocking["partialFingerprints"], other["partialFingerprints"]);
    let images: Vec<_> =
        forms.vulnerabilities().iter().map(|entry| entry["location"]["image"].as_str().unwrap()).collect();
    assert!(images[0].ends_with(&digest(12)) && images[1].ends_with(&digest(11)), "{images:?}");
}

#[test]
fn a5_a_block_on_one_platform_does_not_hide_that_another_one_is_not_scanned() {
    let forms = forms::index(["CRITICAL", "PENDING"]).exits(1);
    assert!(forms.table.contains("not every scan is complete") || forms.table.contains("not known"), "{}", forms.table);
    assert_eq!(forms.levels(), ["error", "error"], "the finding, and the scan that is not there");
}
