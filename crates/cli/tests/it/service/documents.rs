//! Documents that are handed in to the real service, and the bytes that its decisions rest on.

use std::fs;

use super::real::Real;
use super::*;
use crate::gate::described;

#[test]
fn b3_what_ecr_said_is_taken_home_page_by_page() {
    let scan = basic().findings(1500, "LOW").finding("CVE-2024-66666", "CRITICAL");
    let script = Script::new().on("DescribeImages", described());
    let gate = Gate::new(script.pages("DescribeImageScanFindings", scan.pages(1000)));
    let real = Real::start(&gate);
    let id = real.check(&gate).run().exits(1).record()["id"].as_str().unwrap().to_owned();
    real.run(&gate, &["decisions"]).exits(0).says("vuln.maxExceeded: ");
    let said = real.run(&gate, &["decisions", "--id", &id, "--evidence", "evidence"]).exits(0);
    assert!(!said.stderr.contains("warning"), "{said:?}");
    let (mut names, mut findings, mut list) = (Vec::new(), 0, String::new());
    for entry in fs::read_dir(gate.path("evidence")).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        let digest = model::Digest::of(&bytes).as_str().replacen(':', "-", 1);
        assert_eq!(name.trim_end_matches(".facts.json.gz"), digest, "named by what is in it");
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(page) => findings += page["imageScanFindings"]["findings"].as_array().unwrap().len(),
            Err(_) if !name.contains(".facts.") => list = String::from_utf8(bytes).unwrap(),
            Err(_) => {}
        }
        names.push(name);
    }
    let listed: Vec<String> = list.lines().map(|line| line.replacen(':', "-", 1)).collect();
    assert!(listed.len() == 2 && listed.iter().all(|page| names.contains(page)), "{names:?} {list}");
    assert_eq!((names.len(), findings), (4, 1501), "facts, two pages and the list of them: {names:?}");
    real.run(&gate, &["decisions", "--evidence", "evidence"]).exits(64);
    real.run(&gate, &["decisions", "--id", "unheard-of", "--evidence", "evidence"]).exits(3);
}

#[test]
fn s25_documents_are_handed_in_listed_and_taken_back_by_the_command_line() {
    let gate = Gate::new(scan(&basic()));
    let real = Real::start(&gate);
    let image = fixtures::image("", &digest(1));
    let file = gate.write("sbom.json", r#"{ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] }"#);
    real.run(&gate, &["signals", "list", &image]).exits(0).says("nothing that counts");
    real.run(&gate, &["signals", "submit", &image, &file, "--kind", "report"]).exits(3).says("is no report");
    let submit = ["signals", "submit", &image, &file, "--kind", "sbom", "--output", "json"];
    let id = real.run(&gate, &submit).exits(0).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(real.run(&gate, &submit).exits(0).json()["id"], id, "the same is the same");
    real.run(&gate, &["signals", "list", &image]).exits(0).says(&id).says("sbom");
    real.run(&gate, &["signals", "withdraw", &id]).exits(64);
    real.run(&gate, &["signals", "withdraw", &id, "--reason", "of another build"]).exits(0).says("taken back: sbom");
    real.run(&gate, &["signals", "withdraw", &id, "--reason", "once more"]).exits(3).says("there is no document");
    assert_eq!(
        real.run(&gate, &["signals", "list", &image, "--output", "json"]).exits(0).json(),
        json!({ "signals": [] })
    );
    real.run(&gate, &["history", &digest(1)]).exits(0).says("signal.withdrawn").says("reason of another build");
    let tag = image.split_once('@').unwrap().0;
    real.run(&gate, &["signals", "submit", &format!("{tag}:1"), &file, "--kind", "sbom"]).exits(64);
    real.run(&gate, &["signals", "list", tag]).exits(64).says("one manifest");
}
