//! A5 through the front door: the real binary over a real wire, and answers that are spoiled one place at a time. Exit 0
//! is permitted only where the independent [`oracle`] still sees a complete scan of this image with nothing that blocks.

mod oracle;

use serde_json::{Value, json};
use testkit::fixtures::{self, COMMON_ERRORS, ERRORS, STATUSES, Scan, digest, now, start_image_scan};
use testkit::mutate::{self, Mutation, Step};
use testkit::{Answer, Script};

use self::oracle::{Times, image_permits, pages_permit, scan_permits};
use crate::gate::{Gate, basic, described, each, enhanced, no_scan, pushed, scanned};

/// How long a check that waits is let wait.
const BRIEF: &str = "300ms";
/// For a check that had no time to meet what it should meet.
const PATIENT: &str = "5s";

/// What AWS says, and whether green may follow.
struct Case {
    name: String,
    /// The operation that answers something odd.
    operation: &'static str,
    script: Script,
    permitted: bool,
}

fn times() -> Times {
    #[expect(clippy::cast_precision_loss, reason = "exact for every time in a test")]
    let seconds = |at: i64| at as f64;
    Times { now: seconds(now()), pushed: seconds(pushed()) }
}

/// What is done to each place; a third of what `mutate` knows.
fn is_chosen(mutation: &Mutation) -> bool {
    match mutation {
        Mutation::Remove | Mutation::Null => true,
        Mutation::Retype(value) => [json!("x"), json!(0), json!([]), json!({})].contains(value),
        Mutation::Raw(_) => false,
    }
}

/// Inside a finding, a verdict rests on what it is called and how bad it is; the rest is spoiled in the proof of the
/// engine, which costs no process for each case.
fn bears(path: &[Step]) -> bool {
    const FIELDS: [&str; 5] = ["name", "severity", "title", "packageVulnerabilityDetails", "vulnerabilityId"];
    let inside = path.iter().skip_while(|step| !matches!(step, Step::Element(_))).skip(1);
    let mut fields = inside.filter_map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None });
    let in_list = path.iter().any(|step| matches!(step, Step::Field(name) if name.ends_with("indings")));
    !in_list || fields.all(|name| FIELDS.contains(&name))
}

/// `(name, text)` of the document spoiled in one place.
fn spoiled(document: &Value) -> Vec<(String, String)> {
    let cases = mutate::cases(document).into_iter().filter(|case| is_chosen(&case.mutation) && bears(&case.path));
    let truncated = mutate::truncations(&document.to_string(), 8);
    let truncated = truncated.into_iter().map(|text| (format!("the first {} bytes", text.len()), text));
    cases.map(|case| (case.name, case.text)).chain(truncated).collect()
}

/// The findings of one image, spoiled in one place.
fn findings(scene: &str, scan: &Scan) -> Vec<Case> {
    let mut texts = spoiled(&scan.value());
    texts.push(("unspoiled".to_owned(), scan.value().to_string()));
    looks(scene, texts)
}

/// The findings of a clean image, with every status and with values that only this API makes dangerous.
fn dangers(scene: &str, scan: &Scan) -> Vec<Case> {
    let whole = scan.value();
    let mut texts = Vec::new();
    for status in STATUSES.iter().chain(&["", "complete", "SOMETHING_NEW"]) {
        let mut with_findings = whole.clone();
        with_findings["imageScanStatus"]["status"] = json!(status);
        texts.push((format!("status {status}"), with_findings.to_string()));
        texts.push((format!("only status {status}"), Scan::only_status(&digest(1), status).value().to_string()));
    }
    for (place, value) in [
        ("/imageId/imageDigest", json!(digest(2))),
        ("/repositoryName", json!("team/other")),
        ("/registryId", json!("999999999999")),
        ("/imageScanFindings/imageScanCompletedAt", json!(pushed() - 60)),
        ("/imageScanFindings/imageScanCompletedAt", json!(now() + 7200)),
        ("/imageScanFindings/vulnerabilitySourceUpdatedAt", json!(now() - 9 * 86_400)),
        ("/imageScanFindings/findingSeverityCounts", json!({ "CRITICAL": 1 })),
        ("/imageScanFindings/findingSeverityCounts", json!({ "SEVERE": 1 })),
        ("/imageScanFindings/findingSeverityCounts", json!({ "HIGH": -1 })),
    ] {
        let mut other = whole.clone();
        *other.pointer_mut(place).unwrap() = value.clone();
        texts.push((format!("{place} {value}"), other.to_string()));
    }
    looks(scene, texts)
}

fn looks(scene: &str, texts: Vec<(String, String)>) -> Vec<Case> {
    let case = |(name, text): (String, String)| Case {
        name: format!("{scene}: {name}"),
        operation: "DescribeImageScanFindings",
        permitted: scan_permits(&text, times()),
        script: scanned([Answer::text(text)]),
    };
    texts.into_iter().map(case).collect()
}

/// A CRITICAL finding on the second of two pages, which the summary does not tell; the second page is spoiled.
fn pages() -> Vec<Case> {
    let scan = basic().finding("CVE-2024-0001", "LOW").finding("CVE-2024-0002", "CRITICAL").counts(json!({}));
    let pages = scan.pages(1);
    let whole = ("unspoiled".to_owned(), pages[1].to_string());
    let mut cases = Vec::new();
    for (name, text) in spoiled(&pages[1]).into_iter().chain([whole]) {
        let first = pages[0].to_string();
        let permitted = pages_permit(&first, &text, times());
        let script =
            Script::new().on("DescribeImages", described()).always("DescribeImageScanFindings", move |request| {
                Answer::text(if request.next_token().is_none() { first.clone() } else { text.clone() })
            });
        let name = format!("second page: {name}");
        cases.push(Case { name, operation: "DescribeImageScanFindings", script, permitted });
    }
    cases
}

/// The first look at an enhanced scan is clean and empty, the second one is spoiled.
fn second_looks() -> Vec<Case> {
    let scan = enhanced().value();
    let case = |(name, text): (String, String)| Case {
        name: format!("second look: {name}"),
        operation: "DescribeImageScanFindings",
        permitted: scan_permits(&text, times()),
        script: scanned([Answer::json(scan.clone()), Answer::text(text)]),
    };
    spoiled(&scan).into_iter().map(case).collect()
}

/// What the tag stands for, spoiled when it is resolved and when it is confirmed.
fn images() -> Vec<Case> {
    let whole = fixtures::describe_images(&digest(1), &["v1"], pushed());
    let mut texts = spoiled(&whole);
    let two = json!({ "imageDetails": [whole["imageDetails"][0], whole["imageDetails"][0]] });
    texts.push(("two images".to_owned(), two.to_string()));
    for (place, value) in [
        ("imageDigest", json!(digest(2))),
        ("repositoryName", json!("team/other")),
        ("registryId", json!("999999999999")),
        ("imagePushedAt", json!(now() + 60)),
        ("imageManifestMediaType", json!(fixtures::OCI_INDEX)),
    ] {
        let mut other = whole.clone();
        other["imageDetails"][0][place] = value.clone();
        texts.push((format!("{place} {value}"), other.to_string()));
    }
    let clean = || Answer::json(basic().value());
    let mut cases = Vec::new();
    for (name, text) in texts {
        let resolved = Script::new().on("DescribeImages", Answer::text(&text)).on("DescribeImageScanFindings", clean());
        let confirmed = scanned([clean()]).on("DescribeImages", Answer::text(&text));
        // An index has other children than this test.
        let index = text.contains(fixtures::OCI_INDEX);
        for (when, script, resolving) in [("resolved", resolved, true), ("confirmed", confirmed, false)] {
            let permitted = image_permits(&text, times(), resolving) && !(index && resolving);
            cases.push(Case { name: format!("image {when}: {name}"), operation: "DescribeImages", script, permitted });
        }
    }
    cases
}

/// A scan is started and never seen: whatever the answer to the start says, it is no result.
fn starts() -> Vec<Case> {
    let mut texts = spoiled(&start_image_scan(&digest(1), "IN_PROGRESS"));
    for status in STATUSES {
        texts.push((format!("status {status}"), start_image_scan(&digest(1), status).to_string()));
    }
    texts.push(("a clean scan".to_owned(), basic().value().to_string()));
    let case = |(name, text): (String, String)| Case {
        name: format!("start: {name}"),
        operation: "StartImageScan",
        script: scanned([no_scan()]).on("StartImageScan", Answer::text(text)),
        permitted: false,
    };
    texts.into_iter().map(case).collect()
}

/// Every error, in words of AWS and with a body that looks like the answer.
fn errors() -> Vec<Case> {
    let clean = || Answer::json(basic().value());
    let mut cases = Vec::new();
    for operation in ["DescribeImages", "DescribeImageScanFindings", "StartImageScan"] {
        let declared = ERRORS.iter().find(|(name, _)| *name == operation).map_or(&[][..], |(_, codes)| codes);
        let mut answers: Vec<(String, Answer)> = declared
            .iter()
            .chain(COMMON_ERRORS)
            .map(|code| ((*code).to_owned(), Answer::error(code, "the words of AWS")))
            .collect();
        let looks_right = match operation {
            "DescribeImages" => fixtures::describe_images(&digest(1), &["v1"], pushed()),
            "StartImageScan" => start_image_scan(&digest(1), "COMPLETE"),
            _ => basic().value(),
        };
        for status in [400, 403, 404, 429, 500, 503] {
            let answer = Answer::raw(status, "application/x-amz-json-1.1", looks_right.to_string());
            answers.push((format!("HTTP {status} with the right body"), answer));
        }
        answers.push(("denied in XML".to_owned(), Answer::denied_xml("no")));
        answers.push(("cut".to_owned(), Answer::cut()));
        answers.push(("truncated".to_owned(), Answer::truncated(looks_right, 60)));
        for (name, answer) in answers {
            let mut case = |when: &str, script: Script| {
                let name = format!("{operation}{when}: {name}");
                cases.push(Case { name, operation, script, permitted: false });
            };
            match operation {
                "DescribeImages" => {
                    case("", Script::new().on(operation, answer.clone()).on("DescribeImageScanFindings", clean()));
                    case(" at the end", scanned([clean()]).on(operation, answer));
                }
                "StartImageScan" => case("", scanned([no_scan()]).on(operation, answer)),
                _ => case("", scanned([answer]).on("StartImageScan", no_scan())),
            }
        }
    }
    cases
}

/// Runs it, with more time if it met nothing in the brief one; its exit code.
fn judge(gate: &Gate, case: &Case) -> i32 {
    let mut timeout = if case.permitted { PATIENT } else { BRIEF };
    loop {
        gate.ecr.set(case.script.clone());
        let ran = gate.check().timeout(timeout).poll("50ms").run();
        let met = gate.ecr.count(case.operation) > 0 && !ran.reasons().contains(&"deadline");
        if met || timeout == PATIENT {
            return ran.code;
        }
        timeout = PATIENT;
    }
}

#[test]
fn a5_nothing_spoiled_is_ever_green() {
    let mut cases = Vec::new();
    cases.extend(findings("basic, one LOW", &basic().finding("CVE-2024-0001", "LOW")));
    cases.extend(findings("basic, one CRITICAL", &basic().finding("CVE-2024-0001", "CRITICAL")));
    cases.extend(findings("enhanced, empty", &enhanced()));
    cases.extend(findings("enhanced, one HIGH", &enhanced().finding("CVE-2024-0001", "HIGH")));
    cases.extend(dangers("basic, empty", &basic()));
    cases.extend(dangers("enhanced, one MEDIUM", &enhanced().finding("CVE-2024-0001", "MEDIUM")));
    cases.extend(pages());
    cases.extend(second_looks());
    cases.extend(images());
    cases.extend(starts());
    cases.extend(errors());

    let began = std::time::Instant::now();
    let codes = each(&cases, judge);
    let green = codes.iter().filter(|code| **code == 0).count();
    let permitted = cases.iter().filter(|case| case.permitted).count();
    println!("{} cases in {:.1?}: {green} green, {permitted} where green is permitted", cases.len(), began.elapsed());

    let wrong: Vec<_> = cases.iter().zip(&codes).filter(|(case, code)| **code == 0 && !case.permitted).collect();
    assert!(wrong.is_empty(), "wrong green: {:#?}", wrong.iter().map(|(case, _)| &case.name).collect::<Vec<_>>());
    // The codes are those of A1, and the harmless images are green: the proof could have failed.
    assert!(codes.iter().all(|code| (0..=5).contains(code)), "{codes:?}");
    let code = |name: &str| cases.iter().position(|case| case.name == name).map(|at| codes[at]);
    for clean in ["basic, one LOW: unspoiled", "enhanced, empty: unspoiled", "basic, empty: status COMPLETE"] {
        assert_eq!(code(clean), Some(0), "{clean}");
    }
    for blocked in ["basic, one CRITICAL", "enhanced, one HIGH", "second page"] {
        assert_eq!(code(&format!("{blocked}: unspoiled")), Some(1), "{blocked}");
    }
    assert!(cases.len() > 300 && permitted > 20 && green > 20);
}
