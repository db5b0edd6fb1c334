//! The parts of A5 that are a list: every status with every shape of findings, cut and garbled bytes, JSON that is no
//! answer, and saved reports.

use std::time::Instant;

use model::Verdict;
use serde_json::{Value, json};
use testkit::fixtures::{STATUSES, Scan, as_cli_output, digest};

use super::Tally;
use super::change::{changed, pairs, singles};
use super::gate::{Gate, is_green};
use super::oracle::{Source, permits};
use super::scene::{NOW, SCANNED, World, lean_scenes};

fn verdict(gate: &Gate, page: &Value) -> Verdict {
    let looks = [vec![page.to_string()]];
    gate.judge(&mut World::new(&looks))
}

#[test]
fn a12_every_status_with_and_without_findings() {
    let gate = Gate::new();
    let mut cases = 0;
    for status in STATUSES.iter().copied().chain(["", "complete", "Complete", "COMPLETED", "SUCCEEDED", "active"]) {
        for enhanced in [false, true] {
            let scan = if enhanced { Scan::enhanced } else { Scan::basic };
            let scan = scan(&digest(1), SCANNED).status(status);
            let list = if enhanced { "enhancedFindings" } else { "findings" };
            let spoiled = |change: &dyn Fn(&mut Value)| {
                let mut page = scan.value();
                change(&mut page["imageScanFindings"]);
                page
            };
            let without = |field: &str| spoiled(&|findings| drop(findings.as_object_mut().unwrap().remove(field)));
            let shapes = [
                ("an empty list", scan.value()),
                ("a LOW finding", scan.clone().finding("CVE-2024-0001", "LOW").value()),
                ("a CRITICAL finding", scan.clone().finding("CVE-2024-0001", "CRITICAL").value()),
                ("no findings object", scan.clone().without_findings_object().value()),
                ("null for findings object", spoiled(&|findings| *findings = Value::Null)),
                ("an empty findings object", spoiled(&|findings| *findings = json!({}))),
                ("no list", without(list)),
                ("null for a list", spoiled(&|findings| findings[list] = Value::Null)),
                ("no time of completion", without("imageScanCompletedAt")),
                ("counts alone", spoiled(&|findings| *findings = json!({ "findingSeverityCounts": {} }))),
            ];
            for (shape, page) in shapes {
                let wanted = match (status, shape) {
                    ("COMPLETE" | "ACTIVE", "an empty list" | "a LOW finding") => Verdict::Allow,
                    ("COMPLETE" | "ACTIVE", "a CRITICAL finding") => Verdict::Deny,
                    ("COMPLETE" | "ACTIVE" | "IN_PROGRESS" | "PENDING", _) => Verdict::Pending,
                    _ => Verdict::Deny,
                };
                assert_eq!(verdict(&gate, &page), wanted, "{status:?}, enhanced: {enhanced}, {shape}");
                cases += 1;
            }
        }
    }
    println!("statuses and shapes: {cases} cases");
}

#[test]
fn a5_cut_and_garbled_bytes_are_never_green() {
    let (since, gate, mut tally) = (Instant::now(), Gate::new(), Tally::default());
    for scene in lean_scenes() {
        let whole = scene.texts();
        for (number, text) in whole.iter().enumerate() {
            let mut judge = |spoiled: String, name: &str, at: usize| {
                let mut pages = whole.clone();
                pages[number] = spoiled;
                let name = || format!("{} | page {number} {name} at byte {at}", scene.name);
                tally.judge(|world| gate.judge(world), &[pages], name)
            };
            for at in 0..text.len() {
                assert!(!judge(text[..at].to_owned(), "is cut", at), "{} is green although cut at {at}", scene.name);
                if at % 3 == 0 {
                    judge(format!("{}{}", &text[..at], &text[at + 1..]), "lacks one", at);
                    judge(format!("{}\0{}", &text[..at], &text[at + 1..]), "has a zero", at);
                }
            }
            for tail in ["}", "{}", "null", "\0", "x", ",", text] {
                assert!(!judge(format!("{text}{tail}"), "goes on", text.len()), "{} with {tail}", scene.name);
            }
        }
    }
    tally.finish("cut and garbled bytes", since);
}

#[test]
fn a5_bytes_that_are_no_text_are_never_green() {
    let gate = Gate::new();
    let clean = Scan::basic(&digest(1), SCANNED).finding("CVE-2024-0001", "LOW");
    let (wire, saved) = (clean.value().to_string(), clean.as_cli_output().to_string());
    let places = wire.match_indices(|character: char| character.is_ascii_alphabetic());
    assert_eq!(gate.judge_saved(saved.as_bytes()), Verdict::Allow);
    for (at, _) in saved.match_indices(|character: char| character.is_ascii_alphabetic()) {
        let mut bytes = saved.clone().into_bytes();
        bytes[at] = 0xff;
        assert!(!is_green(gate.judge_saved(&bytes)), "a byte that is no UTF-8 at {at} of {saved}");
    }
    // What a text cannot hold, the wire can: see `scan::tests`. Here, escapes that stand for no character.
    for (at, _) in places {
        let spoiled = format!("{}\\ud8{}", &wire[..at], &wire[at + 1..]);
        let looks = [vec![spoiled]];
        assert!(!is_green(gate.judge(&mut World::new(&looks))), "half an escape at {at}");
    }
}

#[test]
fn a5_json_that_is_no_answer_is_never_green() {
    let gate = Gate::new();
    let scan = Scan { description: None, ..Scan::basic(&digest(1), SCANNED) };
    let clean = scan.value().to_string();
    let (when, list) = (SCANNED.to_string(), r#""findings":[]"#);
    let replaced = |from: &str, to: &str| {
        assert!(clean.contains(from), "{from} is not in {clean}");
        clean.replacen(from, to, 1)
    };
    let answers = [
        String::new(),
        " ".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "0".to_owned(),
        "\"COMPLETE\"".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!("[{clean}]"),
        format!("{{\"answer\":{clean}}}"),
        format!("{clean}\n{clean}"),
        format!("// {clean}"),
        "<html><body>502 Bad Gateway</body></html>".to_owned(),
        "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>".to_owned(),
        r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.to_owned(),
        r#"{"message":"Internal Server Error"}"#.to_owned(),
        clean.replace('"', "'"),
        clean.to_uppercase(),
        clean.replace("imageScanStatus", "ImageScanStatus"),
        clean.replace("findings\"", "Findings\""),
        // A list is no object, although its elements might be the fields in their order.
        replaced(r#"{"status":"COMPLETE"}"#, r#"["COMPLETE",null]"#),
        format!(
            r#"["123456789012","team/app",null,{{"status":"COMPLETE"}},{{"imageScanCompletedAt":{when},{list}}},null]"#
        ),
        format!(r#"{{"imageScanStatus":{{"status":"COMPLETE"}},"imageScanFindings":[{when},{when},{{}},[],null]}}"#),
        replaced(list, r#""findings":[["CVE-2024-0001","LOW",null,null]]"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":[["LOW",1]]"#),
        // What stands twice says nothing, whichever is read.
        replaced(list, r#""findings":[{"name":"CVE-2024-0001","severity":"CRITICAL"}],"findings":[]"#),
        replaced(list, r#""findings":[],"findings":[]"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":1,"CRITICAL":0}"#),
        replaced(
            r#""findingSeverityCounts":{}"#,
            r#""findingSeverityCounts":{"CRITICAL":1},"findingSeverityCounts":{}"#,
        ),
        replaced(r#""status":"COMPLETE""#, r#""status":"FAILED","status":"COMPLETE""#),
        replaced(r#""imageScanStatus""#, r#""imageScanStatus":{"status":"PENDING"},"imageScanStatus""#),
        replaced(r#""registryId""#, r#""nextToken":"more","nextToken":null,"registryId""#),
        // Numbers that are none.
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":NaN}"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":1e400}"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":18446744073709551616}"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":-0}"#),
        replaced(r#""findingSeverityCounts":{}"#, r#""findingSeverityCounts":{"CRITICAL":18446744073709551615}"#),
    ];
    for answer in &answers {
        let looks = [vec![answer.clone()]];
        let verdict = gate.judge(&mut World::new(&looks));
        assert!(!is_green(verdict), "{verdict:?} for {answer}");
        assert!(!is_green(gate.judge_saved(answer.as_bytes())), "saved: {answer}");
    }
    assert_eq!(verdict(&gate, &clean.parse().unwrap()), Verdict::Allow, "the answer they are made from is clean");
    let marked = format!("\u{feff}{clean}");
    assert!(!is_green(gate.judge(&mut World::new(&[vec![marked.clone()]]))), "no answer of AWS starts so");
    assert!(is_green(gate.judge_saved(marked.as_bytes())), "an editor's mark changes nothing");
    println!("no answers: {} cases", answers.len());
}

#[test]
fn a5_no_change_of_a_saved_report_is_silently_green() {
    let (since, gate) = (Instant::now(), Gate::new());
    let (mut cases, mut green, mut silent) = (0, 0, Vec::new());
    for scene in lean_scenes().into_iter().filter(|scene| scene.pages.len() == 1) {
        let saved = super::Scene { pages: scene.pages.iter().map(as_cli_output).collect(), ..scene };
        let (texts, changes) = (saved.texts(), singles(&saved.pages));
        // What a file shows once, nobody has looked at twice.
        let wanted = match saved.name {
            _ if saved.blocked => Verdict::Deny,
            "enhanced, clean" => Verdict::Pending,
            _ => Verdict::Allow,
        };
        assert_eq!(gate.judge_saved(texts[0].as_bytes()), wanted, "{}", saved.name);
        let mut judge = |text: &str, name: &dyn Fn() -> String| {
            cases += 1;
            if is_green(gate.judge_saved(text.as_bytes())) {
                green += 1;
                if let Err(why) = permits(Source::File, &[vec![text]]) {
                    silent.push(format!("{} | {}: {why}", saved.name, name()));
                }
            }
        };
        for change in &changes {
            judge(&changed(&saved, &texts, &[change])[0], &|| change.name.clone());
        }
        for (first, second) in pairs(&changes, 500) {
            let text = &changed(&saved, &texts, &[first, second])[0];
            judge(text, &|| format!("{} | {}", first.name, second.name));
        }
        for at in 0..texts[0].len() {
            assert!(!is_green(gate.judge_saved(&texts[0].as_bytes()[..at])), "{} cut at {at}", saved.name);
            cases += 1;
        }
    }
    let seconds = since.elapsed().as_secs_f64();
    println!("saved reports at {NOW}: {cases} cases, {green} green, {} silently, in {seconds:.1} s", silent.len());
    assert!(
        silent.is_empty(),
        "{} are silently green:\n  {}",
        silent.len(),
        silent[..silent.len().min(10)].join("\n  ")
    );
}
