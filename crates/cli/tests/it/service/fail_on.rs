//! S12: beside a service `--fail-on` may deny, and never allow.

use super::*;
use crate::gate::policy;

/// The record of a check by a policy that allows this scan.
fn by(spec: &str, of: &Scan, exceptions: Option<&str>) -> Value {
    let gate = Gate::new(scan(of));
    let file = gate.write("policy.yaml", policy(spec));
    if let Some(text) = exceptions {
        gate.write("exceptions.yaml", text);
    }
    let ran = gate.check().args(&["--policy", &file]).run().exits(0);
    ran.record().clone()
}

fn served(record: Value, list: &str) -> crate::gate::Ran {
    let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
    let gate = bare();
    check(&gate, &service).args(&["--fail-on", list]).run()
}

const CRITICAL_ONLY: &str = "rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]";

fn some() -> Scan {
    basic().finding("CVE-2024-0001", "HIGH").finding("CVE-2024-0002", "LOW").finding("CVE-2024-0003", "LOW")
}

#[test]
fn s12_a_finding_of_a_listed_severity_denies() {
    let record = by(CRITICAL_ONLY, &some(), None);
    let ran = served(record.clone(), "CRITICAL,HIGH")
        .exits(1)
        .because("vuln.maxExceeded")
        .says("--fail-on allows no finding of critical, high");
    assert_eq!(ran.record()["answer"]["advisory"], true, "S13: nobody else denies it");
    assert_eq!(ran.record()["id"], Value::Null, "the service's decision is another one");
    assert!(ran.record()["warnings"][0].as_str().unwrap().contains(record["id"].as_str().unwrap()));
    assert_eq!(ran.variable("VULN_TOTAL"), Some("1"));
    served(record.clone(), "LOW").exits(1).says("2 LOW");
    let ran = served(record, "CRITICAL,MEDIUM").exits(0);
    assert_eq!(ran.record()["answer"]["advisory"], false);
}

#[test]
fn s12_the_variable_does_the_same() {
    let record = by(CRITICAL_ONLY, &some(), None);
    let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
    check(&bare(), &service).env("FAIL_ON_SEVERITY", "CRITICAL HIGH").run().exits(1).says("FAIL_ON_SEVERITY");
    check(&bare(), &service).args(&["--fail-on", "worst"]).run().exits(64);
    check(&bare(), &service).args(&["--fail-on", ""]).run().exits(64);
}

#[test]
fn s12_what_the_service_warns_of_is_denied_too() {
    let record = by(
        "rules: [{ id: r, action: warn, vulnerabilities: { max: { high: 0 } } }]",
        &basic().finding("CVE-2024-0001", "HIGH"),
        None,
    );
    assert_eq!(record["verdict"], "warn");
    served(record.clone(), "CRITICAL").exits(0);
    served(record, "HIGH").exits(1).because("vuln.maxExceeded");
}

#[test]
fn s12_what_the_services_policy_waives_stays_waived() {
    let record = by(
        "rules: [{ id: r, vulnerabilities: { max: { critical: 0, high: 0 }, allow: [CVE-2024-0001] } }]",
        &some(),
        None,
    );
    served(record.clone(), "CRITICAL,HIGH").exits(0);
    served(record, "LOW").exits(1);
}

#[test]
fn s12_a_severity_that_nobody_knows_counts() {
    let record = by(CRITICAL_ONLY, &basic().finding("CVE-2024-0001", "LOW"), None);
    let mut odd = record.clone();
    odd["findings"]["counts"] = json!({ "WEIRD": 1 });
    served(odd, "CRITICAL").exits(1);
    served(record, "CRITICAL").exits(0);
}

#[test]
fn s12_what_cannot_be_told_is_no_allow() {
    let untold = |change: &dyn Fn(&mut Value)| {
        let mut record = by(CRITICAL_ONLY, &some(), None);
        change(&mut record);
        served(record, "MEDIUM").exits(3).says("cannot be told");
    };
    untold(&|record| record["findings"]["judged"] = false.into());
    untold(&|record| record["findings"]["counts"] = Value::Null);
    // More that does not count than there is.
    let waived = by(
        "rules: [{ id: r, vulnerabilities: { max: { critical: 0, high: 0 }, allow: [CVE-2024-0001] } }]",
        &some(),
        None,
    )["findings"]["waived"]
        .clone();
    untold(&|record| {
        record["findings"]["counts"] = json!({ "LOW": 2 });
        record["findings"]["waived"] = waived.clone();
    });
    // Another source may call the HIGH one MEDIUM.
    untold(&|record| {
        let mut second = record["signals"][0].clone();
        second["scanner"] = "trivy".into();
        record["signals"].as_array_mut().unwrap().push(second);
    });
}

#[test]
fn s12_a_deny_stays_one() {
    served(denied(), "LOW").exits(1).because("vuln.maxExceeded");
    let ran = served(denied(), "LOW");
    assert_eq!(ran.record()["answer"]["advisory"], false);
}

#[test]
fn what_the_record_does_not_list_is_never_called_whole() {
    let record = by(CRITICAL_ONLY, &some(), None);
    let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
    let gate = bare();
    check(&gate, &service).args(&["--output", "sarif=a.sarif", "--output", "gitlab=a.json"]).run().exits(0);
    let read =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(gate.path(name)).unwrap()).unwrap() };
    let sarif = read("a.sarif");
    assert_eq!(
        sarif["runs"][0]["invocations"][0]["executionSuccessful"], false,
        "S19: a gate that reads it takes no list for whole"
    );
    assert!(sarif.to_string().contains("3 more findings"), "{sarif}");
    let gitlab = read("a.json");
    assert_eq!(gitlab["scan"]["scanner"]["id"], "ecr-gate", "GitLab resolves nothing of the scanner's");
    assert!(gitlab["scan"]["messages"].to_string().contains("3 more findings"), "{gitlab}");
}
