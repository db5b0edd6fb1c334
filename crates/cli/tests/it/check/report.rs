//! `--report ecr=FILE`: a saved answer is judged by the same rules as one over the wire.

use serde_json::json;
use testkit::fixtures::{self, Scan, digest, now};
use testkit::{Answer, mutate};

use crate::gate::{Gate, Ran, basic, each, enhanced, policy, scan, scanned};

/// Judges the file; nothing may be asked of AWS.
fn judged(gate: &Gate, text: impl AsRef<[u8]>, image: &str) -> Ran {
    let file = gate.write("report.json", text);
    gate.ecr.set(testkit::Script::new());
    let ran = gate.check().args(&["--report", &format!("ecr={file}")]).image(image).run();
    assert_eq!(gate.ecr.requests().len(), 0, "a report asks nothing of AWS");
    ran
}

fn by_digest() -> String {
    fixtures::image("", &digest(1))
}

#[test]
fn s18_wire_and_command_line_give_the_same_verdict() {
    let day = 86_400;
    let scans = [
        basic(),
        basic().findings(3, "MEDIUM"),
        basic().finding("CVE-2024-0001", "CRITICAL"),
        basic().finding("CVE-2024-0001", "LOW").counts(json!({ "HIGH": 1 })),
        basic().finding("CVE-2024-0001", "SEVERE"),
        basic().without_findings_object(),
        enhanced().finding("CVE-2024-0001", "LOW"),
        enhanced().finding("CVE-2024-0001", "HIGH"),
        Scan::basic(&digest(1), now() - 9 * day),
        enhanced().finding("CVE-2024-0001", "LOW").source_updated_at(now() - 2 * day),
        Scan::only_status(&digest(1), "FAILED"),
        Scan::only_status(&digest(1), "UNSUPPORTED_IMAGE"),
        Scan::only_status(&digest(1), "PENDING"),
        Scan::only_status(&digest(1), "SOMETHING_NEW"),
    ];
    let codes = each(&scans, |gate, saved| {
        // The push was before all of these, and no new scan is made.
        let described = Answer::json(fixtures::describe_images(&digest(1), &["v1"], now() - 30 * day));
        gate.ecr.set(
            testkit::Script::new()
                .on("DescribeImages", described)
                .on("DescribeImageScanFindings", Answer::json(saved.value())),
        );
        let wire = gate.check().image(by_digest()).args(&["--no-start-scan"]).timeout("1s").run();
        let as_wire = judged(gate, saved.value().to_string(), &by_digest());
        let as_cli = judged(gate, saved.as_cli_output().to_string(), &by_digest());
        let pretty = judged(gate, format!("{:#}\n", saved.as_cli_output()), &by_digest());
        for other in [&as_wire, &as_cli, &pretty] {
            assert_eq!((other.code, other.reasons()), (wire.code, wire.reasons()), "{wire:#?} {other:#?}");
            assert_eq!(other.record()["findings"]["counts"], wire.record()["findings"]["counts"]);
        }
        wire.code
    });
    assert_eq!(codes, [0, 0, 1, 1, 1, 4, 0, 1, 4, 4, 2, 2, 4, 2]);
}

#[test]
fn s16_one_empty_look_of_enhanced_scanning_is_not_clean_in_a_file_either() {
    judged(&Gate::new(scan(&enhanced())), enhanced().as_cli_output().to_string(), &by_digest())
        .exits(4)
        .because("scan.unconfirmed");
}

#[test]
fn s1_a_report_about_something_else() {
    let gate = Gate::new(scan(&basic()));
    let clean = basic().as_cli_output();
    judged(&gate, clean.to_string(), &fixtures::image("", &digest(2))).exits(2).because("scan.otherImage");
    for (field, other) in [("repositoryName", "team/other"), ("registryId", "999999999999")] {
        let mut report = clean.clone();
        report[field] = other.into();
        judged(&gate, report.to_string(), &by_digest()).exits(2).because("scan.otherImage").says(other);
    }
    let mut tagged = clean.clone();
    tagged["imageId"]["imageTag"] = "v2".into();
    judged(&gate, tagged.to_string(), &fixtures::image("v1", "")).exits(2).because("scan.otherImage");
    let mut nameless = clean;
    nameless["imageId"].as_object_mut().unwrap().remove("imageDigest");
    judged(&gate, nameless.to_string(), &by_digest()).exits(2).because("scan.otherImage").says("imageDigest");
}

#[test]
fn a5_half_a_report() {
    let gate = Gate::new(scan(&basic()));
    let page = basic().findings(20, "LOW").page(0..10);
    judged(&gate, page.to_string(), &by_digest()).exits(2).because("scan.partial").says("more pages");
    // What `aws … --max-items` leaves.
    let mut cut = basic().findings(20, "LOW").as_cli_output();
    cut["NextToken"] = "eyJuZXh0VG9rZW4iOiBudWxsfQ==".into();
    judged(&gate, cut.to_string(), &by_digest()).exits(2).because("scan.partial");
    for text in
        ["", "{}", "[]", "null", "CVE-2024-0001 HIGH", "<html></html>", "An error occurred (ScanNotFoundException)"]
    {
        judged(&gate, text, &by_digest()).exits(2);
    }
    judged(&gate, [0xff, 0xfe, 0, 0], &by_digest()).exits(2).because("report.unknownFormat");
    let whole = basic().as_cli_output().to_string();
    for part in mutate::truncations(&whole, 12) {
        judged(&gate, part, &by_digest()).exits(2);
    }
    judged(&gate, format!("{whole}{whole}"), &by_digest()).exits(2);
    // `--query` and `--output text` leave no answer.
    judged(&gate, basic().value()["imageScanFindings"].to_string(), &by_digest()).exits(2);
}

#[test]
fn a1_3_a_report_that_cannot_be_read() {
    let gate = Gate::new(scan(&basic()));
    for (report, code) in
        [("ecr=missing.json", 3), ("missing.json", 3), ("ecr=.", 3), ("ecr=", 64), ("", 64), ("nessus=x.json", 64)]
    {
        gate.check().args(&["--report", report]).run().exits(code);
    }
}

#[test]
fn s22_a_policy_takes_a_file_only_where_it_lists_files() {
    let gate = Gate::new(scan(&basic()));
    let report = gate.write("report.json", basic().as_cli_output().to_string());
    let with = |sources: &str| {
        let rule = format!("rules:\n- id: r\n  vulnerabilities: {{ {sources} max: {{ critical: 0 }} }}");
        let file = gate.write("gate.yaml", policy(&rule));
        gate.check().args(&["--policy", &file, "--report", &report]).image(by_digest()).run()
    };
    with("sources: { accept: [file] },").exits(0);
    // A policy that believes ECR alone asks ECR; what the file says satisfies nothing, with or without `sources`.
    with("sources: { accept: [ecr] },").exits(0).says("does not accept its source");
    gate.ecr.set(scan(&Scan::only_status(&digest(1), "FAILED")));
    with("sources: { accept: [ecr] },").exits(2).because("scan.failed");
    with("").exits(2).because("scan.failed");
    // And one that lists only files takes no answer of ECR.
    let only = gate.write(
        "gate.yaml",
        policy("rules:\n- id: r\n  vulnerabilities: { sources: { accept: [file] }, max: { critical: 0 } }"),
    );
    gate.ecr.set(scanned([Answer::json(basic().value())]));
    assert_ne!(gate.check().args(&["--policy", &only]).run().code, 0);
}

/// Other registries have no ECR to ask, but may have a saved result.
#[test]
fn a1_a_report_needs_no_credentials_and_no_region() {
    let gate = Gate::new(scan(&basic()));
    let file = gate.write("report.json", basic().as_cli_output().to_string());
    let nothing =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"];
    let check = || gate.check().without(&nothing).own_pace().args(&["--report", &file]);
    check().image(by_digest()).run().exits(0);
    check().image(format!("registry.example/team/app@{}", digest(1))).run().exits(0);
    check().image("registry.example/team/other:v1").run().exits(2).because("scan.otherImage");
}

/// `app.tar` is a name that an image may have, and what people write who mean the file.
#[test]
fn s1_a_file_is_no_image_of_that_name() {
    let gate = Gate::new(scan(&basic()));
    let file = gate.write("report.json", basic().as_cli_output().to_string());
    let nothing = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let ran = gate.check().without(&nothing).args(&["--report", &file]).image("app.tar").run();
    ran.exits(64).says("docker-archive:app.tar");
}
