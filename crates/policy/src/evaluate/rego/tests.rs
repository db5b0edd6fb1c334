//! S41: `rego` rules from the policy document to the judgement.

use std::collections::BTreeMap;

use model::{Ask, Facts, Judgement, Outcome, Reason, ReasonCode, Severity, Signal, UnknownClass, Verdict};
use serde_json::Value;

use crate::document::Need;
use crate::evaluate::tests::image::{facts as with_config, image};
use crate::scene::{
    about, ask, ask_in, class, codes, document, exceptions, facts, finding, heard, holding, index, judge, judge_with,
    messages, now, scan, time, without,
};
use crate::{DocumentError, Exceptions, PolicySet, evaluate};

/// Denies what critical findings there are, by name.
const CRITICAL: &str = "package house\ndeny contains finding.id if {\n  some report in input.manifests[_].reports\n  \
    some finding in report.scan.present.value.findings\n  finding.severity == \"CRITICAL\"\n}";

fn load(spec: &str, files: &[(&str, &str)]) -> Result<PolicySet, DocumentError> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    PolicySet::load(&[document("p", spec)], &|_, path, _| match files.get(path) {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Err(DocumentError::new(path, "there is no such file")),
    })
}

/// One policy with this rule, which has this Rego and these keys beside it.
fn rule(rego: &str, keys: &str) -> PolicySet {
    let spec = format!("rules: [{{ id: r, rego: {{ file: house.rego }} }}], {keys}");
    load(&spec, &[("house.rego", rego)]).unwrap_or_else(|error| panic!("{error} ({:?})\n{rego}", error.hint))
}

fn needs(rego: &str, keys: &str) -> Vec<Need> {
    let spec = format!("rules: [{{ id: r, rego: {{ file: house.rego {keys} }} }}]");
    let set = load(&spec, &[("house.rego", rego)]).unwrap();
    set.members[0].programs["r"].needs.iter().copied().collect()
}

/// A package `house` with a rule that denies if this holds.
fn denies_if(condition: &str) -> String {
    format!("package house\ndeny contains \"denied\" if {{ {condition} }}")
}

fn outcome(judgement: &Judgement) -> &'static str {
    match judgement.rules.first().outcome {
        Outcome::Pass => "pass",
        Outcome::Fail(_) => "fail",
        Outcome::Unknown(..) => "unknown",
    }
}

fn scanned(severity: Severity) -> Facts {
    scan(vec![finding("CVE-2024-1", severity)]).facts()
}

#[test]
fn s41_a_policy_judges_the_findings_of_an_image() {
    let set = rule(CRITICAL, "");
    let judgement = judge(&set, &scanned(Severity::Critical));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["rego.denied"]));
    assert_eq!(messages(&judgement), "CVE-2024-1\n");
    let judgement = judge(&set, &scanned(Severity::High));
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Allow, "pass"));
}

#[test]
fn s41_what_a_policy_reads_by_name_has_to_be_known() {
    let read = |what: &str| needs(&denies_if(what), "");
    assert_eq!(read("input.image.tag == \"latest\""), []);
    assert_eq!(read("input.manifests[_].reports[_].scanner == \"x\""), [Need::Scans]);
    assert_eq!(read("some m in input.manifests; m.config.present.value.user == \"0\""), [Need::Config]);
    assert_eq!(read("some m in input.manifests; object.get(m, \"contents\", {}).x == 1"), [Need::Layers]);
    assert_eq!(read("m := input.manifests[0]; count(m[\"sboms\"]) == 1; m.signed.x"), [Need::Sboms, Need::Signatures]);
    assert_eq!(read("input.manifests[_].measurements.x"), [Need::Measurements]);
    assert_eq!(read("count(input.vex) == 0"), [Need::Vex]);
    assert_eq!(needs(&denies_if("input.image.tag == \"x\""), ", needs: [layers]"), [Need::Layers]);
    let both = needs(&denies_if("input.manifests[_].config.x"), ", needs: [sboms]");
    assert_eq!(both, [Need::Config, Need::Sboms]);
}

/// An empty list would say that nothing has to be known.
#[test]
fn a5_a_policy_that_needs_nothing_is_refused() {
    let spec = "rules: [{ id: r, rego: { file: house.rego, needs: [] } }]";
    let error = load(spec, &[("house.rego", CRITICAL)]).unwrap_err();
    assert!(error.what.contains("`rego.needs` is empty"), "{error:?}");
}

/// A scan may be in the registry where nobody could look.
#[test]
fn a5_scans_that_could_not_be_looked_for_are_unknown() {
    let why = || Reason::new(ReasonCode::RegistryReferrersCut, "the list was cut");
    let spec =
        "signers: { a: { key: a.pub } }, rules: [{ id: r, rego: { file: house.rego, sources: { accept: [a] } } }]";
    let set = load(spec, &[("house.rego", CRITICAL), ("a.pub", "a")]);
    let mut facts = scanned(Severity::Low);
    facts.root.signed = Signal::Unavailable { why: why(), last: None };
    let judgement = judge(&set.unwrap(), &facts);
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Deny, "unknown"));
}

/// A policy that does not say what it looks for needs everything, unless the document says what.
#[test]
fn s41_a_policy_that_looks_through_everything_needs_everything() {
    for condition in [
        "walk(input, [_, value]); value.severity == \"CRITICAL\"",
        "walk(input.manifests, [_, value]); value.severity == \"CRITICAL\"",
        "some key in object.keys(input); input[key] == 1",
        "document := input; document.x == 1",
        "some manifest in input.manifests; some key, _ in manifest; key == \"x\"",
    ] {
        assert_eq!(needs(&denies_if(condition), "").len(), 7, "{condition}");
        assert_eq!(needs(&denies_if(condition), ", needs: [scans]"), [Need::Scans], "{condition}");
        let judgement = judge(&rule(&denies_if(condition), ""), &heard(Vec::new()));
        assert_eq!(outcome(&judgement), "unknown", "{condition}");
    }
}

#[test]
fn s41_unknown_evidence_is_never_green() {
    let why = || Reason::new(ReasonCode::ScanFailed, "it failed");
    for scan in [
        Signal::Absent(why()),
        Signal::Pending(why()),
        Signal::Failed(why()),
        Signal::Unsupported(why()),
        Signal::NotCollected(why()),
        Signal::Unavailable { why: why(), last: None },
    ] {
        let judgement = judge(&rule(CRITICAL, ""), &facts(scan));
        assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Deny, "unknown"));
    }
    let config = rule(&denies_if("input.manifests[_].config.present.value.user == \"0\""), "");
    assert_eq!(outcome(&judge(&config, &scanned(Severity::Low))), "unknown");
    for (word, need) in
        [("contents", "layers"), ("sboms", "sboms"), ("measurements", "measurements"), ("signed", "signatures")]
    {
        let set = rule(&denies_if(&format!("input.manifests[_].{word}.nothing")), "");
        assert_eq!(outcome(&judge(&set, &scanned(Severity::Low))), "unknown", "{need}");
    }
    // Known to hold nothing is known.
    let signed = rule(&denies_if("input.manifests[_].signed.nothing"), "");
    assert_eq!(outcome(&judge(&signed, &about(holding("image", Vec::new())))), "pass");
    // No report at all.
    assert_eq!(outcome(&judge(&rule(CRITICAL, ""), &heard(Vec::new()))), "unknown");
}

#[test]
fn s41_a_break_that_was_found_counts_beside_a_gap() {
    let why = Reason::new(ReasonCode::ScanFailed, "it failed");
    let reports = vec![
        scan(vec![finding("CVE-2024-1", Severity::Critical)]).report(),
        without(model::Scanner::Ecr, Signal::Failed(why), Vec::new()),
    ];
    let set = rule(CRITICAL, "onUnknown: { default: warn }");
    let judgement = judge(&set, &heard(reports));
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Deny, "fail"));
    assert_eq!(codes(&judgement)[0], "rego.denied");
    let elsewhere = rule(
        "package house\ndeny contains \"tag\" if input.image.tag == null\ndeny contains \"user\" if input.manifests[_].config.present.value.user == \"0\"",
        "onUnknown: { default: warn }",
    );
    let judgement = judge(&elsewhere, &scanned(Severity::Low));
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Deny, "fail"));
    assert_eq!(codes(&judgement), ["rego.denied", "notCollected"]);
}

#[test]
fn s41_warnings_never_deny() {
    let warns = "package house\nwarn contains \"careful\"\ndeny contains \"never\" if input.image.tag == \"never\"";
    let judgement = judge(&rule(warns, ""), &scanned(Severity::Low));
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Warn, "fail"));
    assert_eq!(messages(&judgement), "careful\n");
    assert_eq!(judge(&rule(warns, "action: audit"), &scanned(Severity::Low)).verdict, Verdict::Allow);
    let both = warns.replace("if input.image.tag == \"never\"", "");
    assert_eq!(judge(&rule(&both, ""), &scanned(Severity::Low)).verdict, Verdict::Deny);
}

#[test]
fn s41_the_action_says_what_a_message_means() {
    for (action, verdict) in [("deny", Verdict::Deny), ("warn", Verdict::Warn), ("audit", Verdict::Allow)] {
        let set = rule(&denies_if("true"), &format!("action: {action}"));
        let judgement = judge(&set, &scanned(Severity::Low));
        assert_eq!((judgement.verdict, outcome(&judgement)), (verdict, "fail"), "{action}");
    }
}

const ENVIRONMENTS: &str = "parameters: { max: 1, who: ann, on: true }, environments: { production: { class: production }, \
    dev: { class: non-production, parameters: { max: 5 } } }";

#[test]
fn s41_parameters_and_environment_are_in_the_input() {
    let set = rule(
        "package house\ndeny contains sprintf(\"%d %s %v %s %s\", [input.parameters.max, input.parameters.who, input.parameters.on, \
         input.environment.name, input.environment.class])",
        ENVIRONMENTS,
    );
    for (environment, says) in
        [("production", "1 ann true production production\n"), ("dev", "5 ann true dev non-production\n")]
    {
        let judgement = evaluate(&set, &ask_in(environment), &scanned(Severity::Low), &Exceptions::none(), now());
        assert_eq!(messages(&judgement), says);
    }
}

#[test]
fn s41_the_image_is_in_the_input_as_it_was_asked_for() {
    let set = rule("package house\ndeny contains concat(\" \", [input.image.repository, input.image.digest])", "");
    let Ask { digest, .. } = ask();
    assert_eq!(messages(&judge(&set, &scanned(Severity::Low))), format!("team/app {digest}\n"));
}

#[test]
fn s41_of_an_index_the_policy_sees_the_platforms_it_judges() {
    let platforms =
        "package house\ndeny contains sprintf(\"%v\", [[m.platform | some m in input.manifests; m.reports]])";
    let clean = || Signal::Present(scan(vec![]).observed());
    let both = index(vec![("linux/amd64", clean()), ("windows/amd64", clean())]);
    let said = |keys: &str| messages(&judge(&rule(platforms, keys), &both));
    assert_eq!(said(""), "[\"linux/amd64\", \"windows/amd64\"]\n");
    assert_eq!(said("match: { platforms: [linux/amd64] }"), "[\"linux/amd64\"]\n");
    // A finding in what is not judged breaks nothing, and one in what is judged does.
    let bad = || Signal::Present(scan(vec![finding("CVE-1", Severity::Critical)]).observed());
    let mixed = index(vec![("linux/amd64", clean()), ("windows/amd64", bad())]);
    assert_eq!(judge(&rule(CRITICAL, "match: { platforms: [linux/amd64] }"), &mixed).verdict, Verdict::Allow);
    assert_eq!(judge(&rule(CRITICAL, ""), &mixed).verdict, Verdict::Deny);
}

#[test]
fn s1_a_platform_that_is_missing_is_not_found_whatever_the_policy_says() {
    let amd64 = index(vec![("linux/amd64", Signal::Present(scan(vec![]).observed()))]);
    for rego in [CRITICAL, "package house\ndeny contains \"x\" if input.image.tag == \"x\""] {
        let judgement = judge(&rule(rego, "match: { platforms: [linux/amd64, linux/arm64] }"), &amd64);
        assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::NotFound));
        assert_eq!(codes(&judgement), ["image.platformMissing"]);
    }
}

#[test]
fn s41_the_gap_of_a_platform_names_it() {
    let why = Reason::new(ReasonCode::ScanFailed, "it failed");
    let facts =
        index(vec![("linux/amd64", Signal::Present(scan(vec![]).observed())), ("linux/arm64", Signal::Failed(why))]);
    let judgement = judge(&rule(CRITICAL, ""), &facts);
    assert_eq!(outcome(&judgement), "unknown");
    assert!(messages(&judgement).starts_with("linux/arm64: "), "{}", messages(&judgement));
}

#[test]
fn s41_an_exception_waives_the_rule() {
    let waived = exceptions(&["id: e1, repository: team/app, rule: r, expires: 2026-06-01"]);
    let judgement = judge_with(&rule(CRITICAL, ""), &scanned(Severity::Critical), &waived);
    assert_eq!((judgement.verdict, outcome(&judgement)), (Verdict::Allow, "pass"), "{:?}", judgement.warnings);
    let expired = exceptions(&["id: e1, repository: team/app, rule: r, expires: 2026-01-01"]);
    assert_eq!(judge_with(&rule(CRITICAL, ""), &scanned(Severity::Critical), &expired).verdict, Verdict::Deny);
}

#[test]
fn s41_errors_and_limits_are_internal_and_follow_on_unknown() {
    let many = "count(numbers.range(1, 1000000000)) == 0";
    for (condition, code) in [
        ("to_number(input.image.repository) == 1", "rego.failed"),
        (many, "rego.limit"),
        ("1 / count(input.parameters) == 1", "rego.failed"),
    ] {
        for (answer, verdict) in [("deny", Verdict::Deny), ("warn", Verdict::Warn), ("pending", Verdict::Pending)] {
            let set = rule(&denies_if(condition), &format!("onUnknown: {{ internal: {answer}, default: deny }}"));
            let judgement = judge(&set, &scanned(Severity::Low));
            assert_eq!((judgement.verdict, class(&judgement)), (verdict, UnknownClass::Internal), "{condition}");
            assert_eq!(codes(&judgement), [code], "{condition}");
        }
    }
    let no_value = judge(&rule("package house\ndeny := input.image.nothing", ""), &scanned(Severity::Low));
    assert_eq!(codes(&no_value), ["rego.failed"]);
}

#[test]
fn s6_the_digest_of_a_policy_covers_its_rego_and_its_data() {
    let spec = "rules: [{ id: r, rego: { file: house.rego, modules: [lib.rego], data: [lists.yaml] } }]";
    let house = "package house\nimport data.lib\ndeny contains \"x\" if lib.bad(data.allowed[_])";
    let lib = "package lib\nbad(x) if x == \"bad\"";
    let digest = |house: &str, lib: &str, data: &str| {
        let files = [("house.rego", house), ("lib.rego", lib), ("lists.yaml", data)];
        load(spec, &files).unwrap_or_else(|error| panic!("{error}")).ids()[0].digest.clone()
    };
    let data = "allowed: [a, b]";
    let first = digest(house, lib, data);
    assert_eq!(digest(house, lib, data), first);
    assert_ne!(digest(&format!("{house}\n"), lib, data), first);
    assert_ne!(digest(house, &format!("{lib} # more"), data), first);
    assert_ne!(digest(house, lib, "allowed: [a, b, c]"), first);
    let judged = judge(
        &load(spec, &[("house.rego", house), ("lib.rego", lib), ("lists.yaml", "allowed: [bad]")]).unwrap(),
        &scanned(Severity::Low),
    );
    assert_eq!(judged.verdict, Verdict::Deny);
}

/// What YAML of today takes for text is text, as OPA has it; `no` is not false.
#[test]
fn s41_a_data_document_is_read_as_opa_reads_it() {
    let spec = "rules: [{ id: r, rego: { file: house.rego, data: [a.yaml, b.json] } }]";
    let files = [
        ("house.rego", "package house\ndeny contains json.marshal([data.yaml, data.json])"),
        ("a.yaml", "yaml: [y, no, on, Yes, true, \"no\", 1e3, 1.10, ~, 0x1F, 010, 2024-01-02, 12:30:45, $HOME]"),
        ("b.json", "{\"json\": [null, \"no\", 1.5]}"),
    ];
    let said = messages(&judge(&load(spec, &files).unwrap(), &scanned(Severity::Low)));
    let yaml = "\"y\",\"no\",\"on\",\"Yes\",true,\"no\",1000,1.1,null,31,8,\"2024-01-02\",\"12:30:45\",\"$HOME\"";
    assert_eq!(said, format!("[[{yaml}],[null,\"no\",1.5]]\n"));
}

#[test]
fn s41_a_file_that_is_missing_or_wrong_fails_at_load() {
    let spec = "rules: [{ id: r, rego: { file: house.rego, data: [a.yaml, b.json] } }]";
    let house = "package house\ndeny contains \"x\"";
    let wrong = |files: &[(&str, &str)]| load(spec, files).map(|_| ()).unwrap_err().to_string();
    assert!(wrong(&[]).contains("house.rego"));
    assert!(wrong(&[("house.rego", house), ("a.yaml", "k: 1")]).contains("b.json"));
    let twice = wrong(&[("house.rego", house), ("a.yaml", "k: 1"), ("b.json", "{\"k\": 2}")]);
    assert!(twice.contains("`data.k` is in two data documents"), "{twice}");
    let syntax = wrong(&[("house.rego", "package house\ndeny contains"), ("a.yaml", "k: 1"), ("b.json", "{}")]);
    assert!(syntax.starts_with("house.rego:2:"), "{syntax}");
    assert!(PolicySet::from_documents(&[document("p", spec)]).is_err(), "a set without files has no Rego");
}

/// What `inspect` prints is what a policy is given, but for the policy's own parameters.
#[test]
fn s41_the_input_is_the_facts_document() {
    let facts = about(with_config(image()));
    let document = model::FactsDocument::new(&ask(), model::EnvironmentClass::Production, &facts, now(), None);
    let expected: Value = serde_json::to_value(&document).unwrap();
    // A message is text, so the whole of it comes back as one.
    let set = rule("package house\ndeny contains json.marshal(input)", "");
    let judgement = judge(&set, &facts);
    let said = &judgement.reasons()[0].message;
    assert_eq!(serde_json::from_str::<Value>(said).unwrap(), expected);
}

#[test]
fn s41_an_answer_that_compares_times_holds_for_its_moment_alone() {
    let until = |condition: &str| judge(&rule(&denies_if(condition), ""), &scanned(Severity::Low)).valid_until;
    assert_eq!(until("input.image.tag == \"x\""), None);
    for condition in [
        "time.now_ns() > time.parse_rfc3339_ns(\"2030-01-01T00:00:00Z\")",
        "input.at == \"2030-01-01T00:00:00Z\"",
        "input[\"at\"] == \"2030-01-01T00:00:00Z\"",
        "document := input; document.at == \"2030-01-01T00:00:00Z\"",
    ] {
        assert_eq!(until(condition), Some(now()), "{condition}");
    }
    let old = rule(&denies_if("time.now_ns() > time.parse_rfc3339_ns(\"2026-05-01T00:00:00Z\")"), "");
    let at = |moment: &str| evaluate(&old, &ask(), &scanned(Severity::Low), &Exceptions::none(), time(moment)).verdict;
    assert_eq!([at("2026-04-30T23:59:59Z"), at("2026-05-01T00:00:01Z")], [Verdict::Allow, Verdict::Deny]);
    let input = rule(&denies_if("input.at == \"2026-03-10T12:00:00Z\""), "");
    assert_eq!(judge(&input, &scanned(Severity::Low)).verdict, Verdict::Deny);
}

/// `allow` says the opposite of what is asked for here: what it says false to would pass.
#[test]
fn s41_a_query_names_a_rule_that_says_what_it_is() {
    let spec = "rules: [{ id: r, rego: { file: house.rego, query: data.house.allow } }]";
    let error = load(spec, &[("house.rego", "package house\ndefault allow := false")]).unwrap_err();
    assert!(error.what.contains("data.house.allow"), "{error}");
}

#[test]
fn a5_parts_of_the_input_that_are_not_whole_are_not_known() {
    let telnet = denies_if("input.manifests[_].contents.present.value.packages[_].name == \"telnet\"");
    let mut facts = about(with_config(image()));
    let packages = || model::Contents {
        os: Some(model::OsRelease { id: "rhel".to_owned(), version: "7".to_owned() }),
        databases: Vec::new(),
        packages: Vec::new(),
        removed: Vec::new(),
        unreadable: Vec::new(),
        entrypoint: model::Entrypoint::NotSet,
    };
    for (contents, code) in [
        (packages(), "packages.noDatabase"),
        (model::Contents { unreadable: vec!["rpm bdb".to_owned()], ..packages() }, "image.contentUnsupported"),
    ] {
        facts.root.contents = Signal::Present(model::Observed {
            value: contents,
            origin: model::Origin::Registry("r".to_owned()),
            at: now(),
            evidence: model::Digest::of(b"layers"),
        });
        let judgement = judge(&rule(&telnet, ""), &facts);
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec![code]));
    }
    let unseen = crate::scene::attached(vec![crate::scene::unverified(ReasonCode::RegistryUnavailable)]);
    let veto =
        denies_if("input.manifests[_].signed.present.value[_].verified.ok.content.statement.predicateType == \"veto\"");
    assert_eq!(outcome(&judge(&rule(&veto, ""), &unseen)), "unknown", "the veto may be what could not be read");
    let pushed = denies_if("input.manifests[_].pushedAt > \"2026-01-01\"");
    assert_eq!(outcome(&judge(&rule(&pushed, ""), &about(with_config(image())))), "unknown");
}

#[test]
fn a5_a_policy_that_reads_nothing_of_the_input_does_not_load() {
    let spec = "rules: [{ id: r, rego: { file: house.rego } }]";
    let error =
        load(spec, &[("house.rego", &denies_if("input.manifest[_].config.present.value.user == \"0\""))]).unwrap_err();
    assert!(error.what.contains("`input.manifest` is no part of the input"), "{error}");
    assert_eq!((error.line, error.hint.as_deref()), (Some(2), Some("did you mean `manifests`?")));
    // The keys that are known are those of the document.
    let schema = model::facts_schema();
    let keys = |schema: &Value| -> Vec<String> { schema["properties"].as_object().unwrap().keys().cloned().collect() };
    let sorted = |list: &[&str]| {
        let mut list: Vec<String> = list.iter().map(|key| (*key).to_owned()).collect();
        list.sort();
        list
    };
    assert_eq!(keys(&schema), sorted(&crate::document::INPUT));
    assert_eq!(keys(&schema["$defs"]["ManifestDocument"]), sorted(&crate::document::MANIFEST));
}
