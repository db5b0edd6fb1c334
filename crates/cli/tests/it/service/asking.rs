//! Asking, and saying what was answered exactly as a check of one's own says it.

use std::fs;

use super::*;

const FORMS: [&str; 4] = ["sarif", "junit", "markdown", "gitlab"];

/// Every form of a check, with what differs from run to run left out: the decision's id, times and who asked.
fn forms(check: Check<'_>, gate: &Gate) -> (i32, Vec<String>) {
    let outputs: Vec<String> = FORMS.iter().map(|form| format!("{form}={form}.out")).collect();
    let arguments: Vec<&str> = outputs.iter().flat_map(|output| ["--output", output]).collect();
    let ran = check.args(&arguments).run();
    let mut texts: Vec<String> =
        FORMS.iter().map(|form| fs::read_to_string(gate.path(&format!("{form}.out"))).unwrap()).collect();
    texts.push(ran.stdout.clone());
    let mut record = ran.record().clone();
    record["answer"] = Value::Null;
    record["timingMs"]["request"] = Value::Null;
    texts.push(record.to_string());
    let time = |line: &&str| !line.contains("decided  ") && !line.contains("_time\"");
    let texts = texts.iter().map(|text| text.lines().filter(time).collect::<Vec<_>>().join("\n")).collect();
    (ran.code, texts)
}

#[test]
fn b20_every_form_is_the_one_of_a_check_of_ones_own() {
    let several =
        basic().finding("CVE-2024-0001", "CRITICAL").finding("CVE-2024-0002", "HIGH").finding("CVE-2024-0003", "HIGH");
    for of in [basic(), several, Scan::only_status(&digest(1), "FAILED")] {
        let (gate, _) = judged(&of);
        let (code, local) = forms(gate.check(), &gate);
        let record: Value = serde_json::from_str(&fs::read_to_string(gate.path("decision.json")).unwrap()).unwrap();
        let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
        let gate = bare();
        let (served_code, served) = forms(check(&gate, &service), &gate);
        assert_eq!(served_code, code);
        for (one, other) in local.iter().zip(&served) {
            assert_eq!(*one, without_offer(other));
        }
    }
}

/// What a check of one's own says in the place of the command that asks for an exception.
fn without_offer(text: &str) -> String {
    let (begins, ends) = ("; or ask for an exception: ", "--expires 14d");
    let mut rest = text;
    let mut without = String::new();
    while let Some((before, offer)) = rest.split_once(begins) {
        without.push_str(before);
        without.push_str("; or ask for an exception with an end date.");
        rest = offer.split_once(ends).unwrap().1;
    }
    without + rest
}

#[test]
fn b11_whoever_is_blocked_is_told_how_to_ask_for_an_exception() {
    let one = basic().finding("CVE-2024-0001", "CRITICAL");
    let two = one.clone().finding("CVE-2024-0002", "HIGH");
    for (of, says) in [(one, "--cve CVE-2024-0001 --package"), (two, "--decision ")] {
        let (gate, _) = judged(&of);
        forms(gate.check(), &gate);
        let record: Value = serde_json::from_str(&fs::read_to_string(gate.path("decision.json")).unwrap()).unwrap();
        let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
        let served = check(&bare(), &service).run().exits(1);
        let remedy = served.record()["reasons"][0]["remedy"].as_str().unwrap().to_owned();
        assert!(remedy.contains("ecr-gate exception request ") && remedy.contains(says), "{remedy}");
    }
}

#[test]
fn s14_the_dotenv_report_names_the_image_to_deploy_by() {
    let record = allowed();
    let served = record.clone();
    let service = Service::start(move |_, _| Answer::json(200, &answer(&served)));
    let gate = bare();
    let ran = check(&gate, &service).run().exits(0);
    assert_eq!(ran.variable("ECR_GATE_IMAGE"), Some(fixtures::image("", &digest(1)).as_str()));
    assert_eq!(ran.variable("ECR_GATE_DECISION_ID"), record["id"].as_str());
    assert_eq!(ran.variable("VULN_TOTAL"), Some("0"));
    assert_eq!(ran.record()["answer"]["advisory"], false, "S13: every other point acts on it too");
}

#[test]
fn s2_who_asks_goes_along_and_the_token_is_never_shown() {
    let record = allowed();
    let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
    let gate = bare();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ran = check(&gate, &service)
        .env("CI_PIPELINE_ID", "4711")
        .env("CI_COMMIT_SHA", "c0ffee")
        .env("GITLAB_USER_LOGIN", "ada")
        .env("TRACEPARENT", trace)
        .args(&["--verbose"])
        .run()
        .exits(0);
    let [request] = service.seen().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/api/v1/decide"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(request.header("traceparent"), Some(trace));
    assert!(request.header("idempotency-key").is_some_and(|key| key.len() == 36));
    let asked = request.json();
    let known = json!({ "image": fixtures::image("v1", ""), "environment": "production", "waitSeconds": asked["waitSeconds"],
        "dryRun": false, "point": "ci", "pipeline": "4711", "commit": "c0ffee" });
    assert_eq!(asked, known);
    assert!(asked["waitSeconds"].as_u64().unwrap() <= 4, "no longer than the check itself has time: {asked}");
    let by = &ran.record()["answer"];
    assert_eq!((&by["point"], &by["pipeline"], &by["askedBy"]), (&json!("ci"), &json!("4711"), &json!("ada")));
    assert!(!format!("{ran:?}").contains(TOKEN));
}

#[test]
fn a_token_comes_from_a_file_and_has_to_be_one_word() {
    let record = allowed();
    let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
    let gate = bare();
    let file = gate.write("token", "from-a-file\n");
    check(&gate, &service).args(&["--token-file", &file]).run().exits(0);
    assert_eq!(service.seen()[0].header("authorization"), Some("Bearer from-a-file"));
    check(&gate, &service).env("ECR_GATE_TOKEN_FILE", &file).run().exits(0);
    for text in ["", "two words", "line\nbreak", "\u{7f}"] {
        let file = gate.write("odd", text);
        let ran = check(&gate, &service).args(&["--token-file", &file]).run().exits(3).says("holds no token");
        assert!(text.is_empty() || !ran.stderr.contains(text), "{ran:?}");
    }
    check(&gate, &service).args(&["--token-file", "nowhere"]).run().exits(3).says("the token file nowhere");
    assert_eq!(service.seen().len(), 2, "nobody asks with half a token");
}

#[test]
fn s15_a_dry_run_stays_one() {
    let recorded = allowed();
    let mut dry = recorded.clone();
    dry["dryRun"] = true.into();
    dry["id"] = Value::Null;
    // Whatever the service answers it with, it is the answer to a dry run.
    for record in [recorded, dry] {
        let service = Service::start(move |_, _| Answer::json(200, &answer(&record)));
        let gate = bare();
        let ran = check(&gate, &service).args(&["--dry-run"]).run().exits(0);
        assert_eq!(service.seen()[0].json()["dryRun"], true);
        assert_eq!(ran.variable("ECR_GATE_DECISION_ID"), None);
        assert_eq!(ran.record()["dryRun"], true);
    }
}

#[test]
fn what_means_nothing_to_a_service_is_wrong_usage() {
    let service = Service::start(|_, _| Answer::silent());
    let gate = bare();
    let file = gate.write("file", "{}");
    let local: [&[&str]; 13] = [
        &["--policy", &file],
        &["--report", &file],
        &["--sbom", &file],
        &["--vex", &file],
        &["--measurement", &file],
        &["--insecure-registry", "localhost:1"],
        &["--registry-ca", &file],
        &["--registry-mirror", "a=b"],
        &["--token-realm", "a"],
        &["--start-scan"],
        &["--no-start-scan"],
        &["--attach", "--attest-key", &file],
        &["--output", "facts=facts.json"],
    ];
    for arguments in local {
        let ran = check(&gate, &service).args(arguments).run().exits(64).says("hint: ");
        assert!(ran.stderr.contains(arguments[0]), "{ran:?}");
    }
    check(&gate, &service).env("ECR_GATE_POLICY", &file).run().exits(64).says("ECR_GATE_POLICY");
    for image in ["oci:layout", "docker-archive:a.tar", "team/app:1", &fixtures::image("", "")] {
        check(&gate, &service).image(image).run().exits(64);
    }
    gate.check().args(&["--fallback", "local"]).run().exits(64).says("--fallback");
    assert!(service.seen().is_empty());
}

#[test]
fn plain_http_goes_to_this_machine_alone() {
    let gate = bare();
    let ask = |url: &str| gate.check().args(&["--server", url]).env("ECR_GATE_TOKEN", TOKEN);
    ask("http://gate.example.com").run().exits(64).says("plain http").says("--insecure-http");
    ask("http://10.1.2.3:8080").run().exits(64).says("plain http");
    ask("gate.example.com").run().exits(64);
    let ran = ask("https://user:hunter2@gate.example.com").run().exits(64).says("ECR_GATE_TOKEN");
    assert!(!format!("{ran:?}").contains("hunter2"));
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let record = allowed();
    let service = Service::start_tls(move |_, _| Answer::json(200, &answer(&record)));
    let gate = bare();
    let authority = gate.write("ca.pem", service.authority.as_ref().unwrap());
    check(&gate, &service).args(&["--server-ca", &authority]).run().exits(0);
    check(&gate, &service).env("ECR_GATE_SERVER_CA", &authority).run().exits(0);
    // Not believed is not tried again: another look would not help.
    let ran = check(&gate, &service).timeout("30s").run().exits(5).says("certificate").says("--server-ca");
    assert!(ran.took.as_secs() < 10, "{ran:?}");
    assert_eq!(service.seen().len(), 2, "the token went to nobody else");
    let none = gate.write("none.pem", "no certificate");
    check(&gate, &service).args(&["--server-ca", &none]).run().exits(3).says("holds no certificate");
}
