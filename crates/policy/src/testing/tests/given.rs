//! Each key of `given`.

use super::*;

fn reasons(rule: &str, given: &str) -> Vec<&'static str> {
    let test = format!("{{ name: a, given: {{ {IMAGE}, {given} }}, expect: {{ verdict: deny }} }}");
    let spec = format!("{SIGNERS}, rules: [{{ id: r, {rule} }}]");
    let outcomes = run(&[("p", &spec)], &test, None).unwrap_or_else(|error| panic!("{error} ({:?})", error.hint));
    outcomes[0].judgement.reasons().iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn b10_scans_count_by_scanner_way_age_and_proof() {
    let finding = "findings: [{ id: CVE-2026-1, severity: HIGH, package: openssl, version: 3.0.8, fixedIn: 3.0.9 }]";
    let ecr = "vulnerabilities: { max: { high: 0 } }";
    let files = "vulnerabilities: { max: { high: 0 }, sources: { accept: [file] } }";
    let signed = "vulnerabilities: { max: { high: 0 }, sources: { accept: [ci] } }";
    for (rule, given, expected) in [
        (ecr, "scans: [{ scanner: ecr, continuous: true }]".to_owned(), "pass"),
        (ecr, format!("scans: [{{ scanner: ecr, {finding} }}]"), "fail"),
        (ecr, "scans: [{ scanner: ecr, age: 9d }]".to_owned(), "unknown"),
        (ecr, "scans: [{ scanner: ecr, continuous: true, age: 2d }]".to_owned(), "unknown"),
        (ecr, "scans: [{ scanner: ecr, age: 2d }], pushed: 1d".to_owned(), "unknown"),
        (ecr, "scans: [{ scanner: ecr, unknown: scan.failed }]".to_owned(), "unknown"),
        (ecr, "scans: [{ scanner: trivy }]".to_owned(), "unknown"),
        (ecr, "scans: []".to_owned(), "unknown"),
        (files, "scans: [{ scanner: trivy }]".to_owned(), "pass"),
        (files, "scans: [{ scanner: trivy, by: registry }]".to_owned(), "unknown"),
        (files, "scans: [{ scanner: sarif, unproven: true }]".to_owned(), "unknown"),
        (files, format!("scans: [{{ scanner: sarif, unproven: true, {finding} }}]"), "fail"),
        (signed, "scans: [{ scanner: grype, by: ci }]".to_owned(), "pass"),
        (signed, "scans: [{ scanner: grype, by: key }]".to_owned(), "unknown"),
        (signed, "scans: [{ scanner: grype }]".to_owned(), "unknown"),
    ] {
        finds(rule, &given, expected);
    }
}

#[test]
fn b10_a_finding_is_what_is_said_of_it() {
    let of = |finding: &str| {
        format!("scans: [{{ scanner: ecr, findings: [{{ id: CVE-2026-1, severity: low, {finding} }}] }}]")
    };
    for (rule, finding, expected) in [
        ("denyCvssFrom: 7", "cvss: 9.8", "fail"),
        ("denyCvssFrom: 7", "cvss: 6.9", "pass"),
        ("denyEpssFrom: 0.5", "epss: 0.5", "fail"),
        ("denyEpssFrom: 0.5", "epss: 0.49", "pass"),
        ("max: { low: 0 }, ignoreUnfixed: true", "package: a, noFix: true", "pass"),
        ("max: { low: 0 }, ignoreUnfixed: true", "package: a", "fail"),
        ("max: { low: 0 }, allow: [GHSA-x]", "aliases: [GHSA-x]", "pass"),
        ("max: { low: 0 }, deny: [CVE-2026-1]", "package: a", "fail"),
    ] {
        finds(&format!("vulnerabilities: {{ {rule} }}"), &of(finding), expected);
    }
}

#[test]
fn b10_first_seen_starts_the_grace() {
    let rule = "vulnerabilities: { max: { high: 0 }, gracePeriod: { high: 7d } }";
    let given = |age: &str| {
        format!(
            "scans: [{{ scanner: ecr, findings: [{{ id: CVE-2026-1, severity: high, package: openssl }}] }}], \
             firstSeen: [{{ vulnerability: CVE-2026-1, package: openssl, age: {age} }}]"
        )
    };
    finds(rule, &given("3d"), "pass");
    finds(rule, &given("8d"), "fail");
}

#[test]
fn b10_the_configuration_is_what_is_said_of_it_and_nothing_else() {
    for (rule, config, expected) in [
        ("nonRoot: true", "user: \"0\"", "fail"),
        ("nonRoot: true", "command: [sh]", "fail"),
        ("ports: { allow: [8080/tcp] }", "ports: [22/tcp, 8080/tcp]", "fail"),
        ("ports: { allow: [8080/tcp] }", "ports: [8080/tcp]", "pass"),
        ("labels: { required: [team] }", "labels: { team: pay }", "pass"),
        ("labels: { required: [team] }", "annotations: { team: pay }", "pass"),
        ("labels: { required: [team] }", "variables: [TEAM]", "fail"),
        ("noSecrets: true", "secrets: [private key]", "fail"),
        ("noSecrets: true", "secrets: []", "pass"),
        ("architectures: [arm64]", "platform: linux/arm64", "pass"),
        ("architectures: [arm64]", "layers: 1", "fail"),
        ("maxSize: 200MiB", "size: 200MiB, layers: 7", "pass"),
        ("maxSize: 200MiB", "size: 201MiB", "fail"),
        ("maxLayers: 4", "layers: 4", "pass"),
        ("maxLayers: 4", "layers: 5", "fail"),
    ] {
        finds(&format!("config: {{ {rule} }}"), &format!("config: {{ {config} }}"), expected);
    }
    finds("age: { max: 90d }", "config: { built: 91d }", "fail");
    finds("age: { max: 90d }", "config: { user: x }", "fail");
    finds("age: { max: 90d, of: pushed }", "pushed: 3d", "pass");
    finds("age: { max: 90d, of: pushed }", "pushed: 91d", "fail");
}

#[test]
fn b10_the_layers_hold_what_is_given() {
    let deny = "packages: { deny: [\"pkg:deb/openssl\"] }";
    finds(deny, "contents: { packages: [\"pkg:deb/debian/openssl@3.0.8\"] }", "fail");
    finds(deny, "contents: { packages: [\"pkg:deb/debian/curl@8\"] }", "pass");
    finds(deny, "contents: { packages: [\"pkg:deb/debian/curl@8\"], unreadable: [rpm bdb] }", "unknown");
    finds(deny, "contents: { os: debian 12 }", "unknown");
    let without = "packages: { deny: [\"pkg:deb/openssl\"], withoutDatabase: pass }";
    finds(without, "contents: {}", "pass");
    finds(without, "contents: { os: debian 12 }", "unknown");
    finds(without, "contents: { databases: [dpkg] }", "unknown");
    let entrypoint = "config: { entrypoint: resolvable }";
    for (word, expected) in [
        ("resolved", "pass"),
        ("notSet", "fail"),
        ("missing", "fail"),
        ("notExecutable", "fail"),
        ("wrongArchitecture", "fail"),
        ("interpreterMissing", "fail"),
    ] {
        finds(entrypoint, &format!("config: {{}}, contents: {{ entrypoint: {word} }}"), expected);
    }
    finds(entrypoint, "config: {}, contents: {}", "unknown");
}

#[test]
fn b10_a_bill_of_materials_is_about_the_image_and_lists_what_is_given() {
    let of = |sbom: &str| format!("sboms: [{{ format: cyclonedx, {sbom} }}], config: {{}}");
    let components = "components: [\"pkg:npm/left-pad@1.0.0\"]";
    for (rule, sbom, expected) in [
        ("mustMatch: digest", "about: image".to_owned(), "pass"),
        ("mustMatch: digest", "about: other".to_owned(), "fail"),
        ("mustMatch: digest", "about: nothing".to_owned(), "fail"),
        ("denyPackages: [\"pkg:npm/left-pad\"]", components.to_owned(), "fail"),
        ("denyPackages: [\"pkg:npm/right-pad\"]", components.to_owned(), "pass"),
        ("denyLicenses: [MIT]", format!("{components}, licenses: {{ \"pkg:npm/left-pad@1.0.0\": [MIT] }}"), "fail"),
        ("denyLicenses: [MIT]", format!("{components}, licenses: {{ \"pkg:npm/left-pad@1.0.0\": [ISC] }}"), "pass"),
        ("formats: [spdx]", components.to_owned(), "fail"),
    ] {
        finds(&format!("sbom: {{ from: [file], {rule} }}"), &of(&sbom), expected);
    }
    finds("sbom: { from: [file] }", "sboms: []", "fail");
    finds("sbom: { from: [file] }", "sboms: [{ format: spdx, by: registry }]", "fail");
    finds("sbom: { from: [ci] }", "sboms: [{ format: spdx, by: ci }]", "pass");
    finds("sbom: { from: [ci] }", "sboms: [{ format: spdx, by: key }]", "fail");
    // Nobody looked at what is signed.
    finds("sbom: { from: [file, ci] }", "sboms: [{ format: spdx }]", "unknown");
    finds("sbom: { from: [file, ci] }", "sboms: [{ format: spdx }], signed: []", "pass");
    let same = "sbom: { from: [file], mustMatch: osPackages }";
    let openssl = "components: [\"pkg:deb/debian/openssl@3.0.8\"]";
    finds(same, &format!("{}, contents: {{ packages: [\"pkg:deb/debian/openssl@3.0.8\"] }}", of(openssl)), "pass");
    finds(same, &format!("{}, contents: {{ packages: [\"pkg:deb/debian/openssl@3.0.7\"] }}", of(openssl)), "fail");
    finds(same, &of(openssl), "unknown");
}

#[test]
fn b10_measurements_count_by_who_made_them_and_of_what() {
    let other = format!("sha256:{}", "a".repeat(64));
    let rule = "measurements: { from: [ci], metric: m, max: 400MiB }";
    finds(rule, "measurements: [{ metric: m, samples: [400MiB, 399MiB], by: ci }]", "pass");
    finds(rule, "measurements: [{ metric: m, samples: [400MiB, 401MiB], by: ci }]", "fail");
    finds(rule, "measurements: [{ metric: m, samples: [1MiB], by: ci, age: 2d, stage: canary }]", "pass");
    finds(rule, "measurements: [{ metric: m, samples: [1MiB] }], signed: []", "fail");
    finds(rule, &format!("measurements: [{{ metric: m, samples: [1MiB], by: ci, of: \"{other}\" }}]"), "fail");
    finds(rule, "measurements: [], signed: []", "fail");
    let grown = format!(
        "measurements: {{ from: [file], metric: m, max: 1GiB, baseline: {{ digest: \"{other}\" }}, maxIncrease: 10% }}"
    );
    let given = |now: &str| {
        format!(
            "measurements: [{{ metric: m, samples: [{now}] }}, {{ metric: m, samples: [100MiB], of: \"{other}\" }}]"
        )
    };
    finds(&grown, &given("110MiB"), "pass");
    finds(&grown, &given("111MiB"), "fail");
}

#[test]
fn b10_base_images_share_the_lowest_layers() {
    let rule = "baseImage: { approved: [\"debian:12\"], maxAge: 30d }";
    let given = |base: &str| format!("config: {{ layers: 3 }}, bases: {{ \"debian:12\": {{ {base} }} }}");
    finds(rule, &given("layers: 2, built: 10d"), "pass");
    finds(rule, &given("layers: 2, built: 31d"), "fail");
    finds(rule, &given("layers: 2"), "unknown");
    finds(rule, &given("built: 10d"), "fail");
    finds(rule, &given("unknown: registry.unavailable"), "unknown");
    finds(rule, "bases: { \"debian:12\": {} }", "unknown");
    let index = "platforms: { linux/amd64: { config: {} }, linux/arm64: { config: {} } }, bases: { \"debian:12\": { layers: 1, built: 1d } }";
    finds(rule, index, "pass");
}

#[test]
fn b10_vex_is_believed_as_policies_say() {
    let rule = "vulnerabilities: { max: { high: 0 }, vex: { from: [ci] } }";
    let scan = "scans: [{ scanner: ecr, findings: [{ id: CVE-2026-1, severity: high, purl: \"pkg:npm/a@1\" }] }]";
    let given = |by: &str, rest: &str| {
        format!(
            "{scan}, signed: [], vex: [{{ by: {by}, author: acme, statements: [{{ vulnerability: CVE-2026-1, {rest} }}] }}]"
        )
    };
    let not = "status: not_affected, justification: component_not_present";
    for (by, rest, expected) in [
        ("ci", not.to_owned(), "pass"),
        ("ci", format!("{not}, product: \"pkg:npm/a@1\""), "pass"),
        ("ci", format!("{not}, product: \"pkg:npm/b@1\""), "fail"),
        ("ci", "status: not_affected".to_owned(), "fail"),
        ("ci", "status: affected".to_owned(), "fail"),
        ("ci", "status: fixed, age: 1h".to_owned(), "pass"),
        ("file", not.to_owned(), "fail"),
        ("key", not.to_owned(), "fail"),
    ] {
        finds(rule, &given(by, &rest), expected);
    }
    let index = "platforms: { linux/amd64: { config: {}, signed: [], scans: [{ scanner: ecr, findings: [{ id: CVE-2026-1, severity: high, purl: \"pkg:npm/a@1\" }] }] } }";
    let vex = format!("vex: [{{ by: ci, author: a, statements: [{{ vulnerability: CVE-2026-1, {not} }}] }}]");
    finds(rule, &format!("{index}, {vex}"), "pass");
}

#[test]
fn b10_platforms_are_judged_each_by_its_own() {
    let rule = "config: { nonRoot: true }";
    let root = "platforms: { linux/amd64: { config: { user: \"1\" } }, linux/arm64: { config: { user: \"0\" } } }";
    finds(rule, root, "fail");
    finds(rule, "platforms: { linux/amd64: { config: { user: \"1\" } }, linux/arm64: {} }", "unknown");
    finds(
        rule,
        "platforms: { linux/amd64: { config: { user: \"1\" } }, linux/arm64: { config: { user: \"1\" } } }",
        "pass",
    );
    finds("config: { architectures: [arm64] }", "platforms: { linux/arm64: { config: {} } }", "pass");
    finds("age: { max: 90d, of: pushed }", "pushed: 2d, platforms: { linux/amd64: {} }", "pass");
    finds("age: { max: 90d, of: pushed }", "pushed: 2d, platforms: { linux/amd64: { pushed: 91d } }", "fail");
    let signed = "signatures: { of: [key], threshold: 1 }";
    finds(signed, "signed: [{ by: key }], platforms: { linux/amd64: {} }", "pass");
    finds(signed, "platforms: { linux/amd64: { signed: [{ by: key }] } }", "unknown");
    finds(
        "signatures: { of: [key], threshold: 1, on: platforms }",
        "platforms: { linux/amd64: { signed: [{ by: key }] } }",
        "pass",
    );
}

#[test]
fn b10_what_could_not_be_known_has_its_reason() {
    for (rule, key) in [
        ("config: { nonRoot: true }", "config"),
        ("packages: { max: 1 }", "contents"),
        ("sbom: { from: [file] }", "sboms"),
        ("measurements: { from: [file], metric: m, max: 1 }", "measurements"),
        ("signatures: { of: [key], threshold: 1 }", "signed"),
    ] {
        assert_eq!(
            reasons(rule, &format!("unknown: {{ {key}: registry.accessDenied }}")),
            ["registry.accessDenied"],
            "{key}"
        );
        let given = format!("unknown: {{ {key}: registry.accessDenied }}, platforms: {{ linux/amd64: {{}} }}");
        let wrong = judged(&format!("{SIGNERS}, rules: [{{ id: r, {rule} }}]"), &given);
        assert_eq!(wrong.is_err(), key != "signed", "{key}: it is about a platform");
    }
    for code in model::ReasonCode::ALL.iter().filter(|code| code.class().is_some()) {
        let found = reasons("config: { nonRoot: true }", &format!("unknown: {{ config: {code} }}"));
        assert_eq!(found, [code.as_str()]);
        let found = reasons("vulnerabilities: {}", &format!("scans: [{{ scanner: ecr, unknown: {code} }}]"));
        assert_eq!(found, [code.as_str()]);
    }
}

#[test]
fn b10_what_is_given_wrongly_is_told_with_its_place() {
    let base = "bases: { \"debian:12\": { layers: 9 } }, config: { layers: 2 }";
    for (given, says) in [
        ("scans: [{ scanner: trvy }]", "no scanner"),
        ("scans: [{ scanner: unknown }]", "names no scanner"),
        ("scans: [{ scanner: trivy, continuous: true }]", "is for the scanner ecr"),
        ("scans: [{ scanner: trivy, by: ecr }]", "is for the scanner ecr"),
        ("scans: [{ scanner: ecr, unknown: scan.failed, findings: [] }]", "there is no scan"),
        ("scans: [{ scanner: ecr, unknown: vuln.denied }]", "no reason why something is not known"),
        ("scans: [{ scanner: ecr, findings: [{ id: a, severity: hgh }] }]", "did you mean `high`?"),
        ("scans: [{ scanner: ecr, findings: [{ id: a, severity: high, fixedIn: 2 }] }]", "without a `package`"),
        (
            "scans: [{ scanner: ecr, findings: [{ id: a, severity: high, package: b, fixedIn: 2, noFix: true }] }]",
            "contradict",
        ),
        ("unknown: { config: config.broken }", "no reason why"),
        ("config: {}, unknown: { config: registry.accessDenied }", "given and unknown"),
        ("config: {}, platforms: { linux/amd64: {} }", "stands beside `platforms`"),
        ("platforms: {}", "is empty"),
        ("platforms: { linux: {} }", "is not a platform"),
        ("config: { size: 3s }", "no size"),
        ("contents: { packages: [\"pkg:npm/a@1\"] }", "no package of an operating system"),
        ("contents: { packages: [openssl] }", "no package URL"),
        ("sboms: [{ format: spdx, licenses: { \"pkg:npm/a@1\": [MIT] } }]", "none of the components"),
        ("measurements: [{ metric: m, samples: [] }]", "is empty"),
        ("measurements: [{ metric: m, samples: [1], of: other }]", "neither `image` nor a digest"),
        (
            "vex: [{ author: a, statements: [{ vulnerability: CVE-1, status: fixed, product: app }] }]",
            "neither `image` nor",
        ),
        (base, "gives 2 layers"),
        ("bases: { \"debian:12\": { layers: 0 } }", "has layers"),
        ("bases: { \"a b\": {} }", "no name of an image"),
        ("bases: { \"debian:12\": { layers: 1, unknown: registry.unavailable } }", "beside what is known"),
        ("signed: [{ by: kye }]", "did you mean `key`?"),
        ("signed: [{ by: file }]", "is no signer"),
        ("signed: [{ by: regex }]", "is a regular expression"),
        ("signed: [{ age: 1h }]", "neither `by` nor `refused`"),
        ("signed: [{ by: key, refused: signature.invalid }]", "at once"),
        ("signed: [{ refused: signature.invalid, type: \"https://t\" }]", "says nothing"),
        ("signed: [{ by: key, predicate: {} }]", "without `type`"),
        ("signed: [{ by: key, type: \"https://slsa.dev/provenance/v1\" }]", "is provenance"),
        ("signed: [{ by: key, type: \"https://t\", provenance: {} }]", "at once"),
        ("missingKeys: { ci: trust.keyDenied }", "has no key"),
        ("missingKeys: { key: signature.invalid }", "could not be had"),
    ] {
        let error =
            judged(&format!("{SIGNERS}, rules: [{{ id: r, config: {{ nonRoot: true }} }}]"), given).unwrap_err();
        let told = format!("{error} {}", error.hint.clone().unwrap_or_else(String::new));
        assert!(told.contains(says), "{given}: {told}");
        assert!(told.starts_with("t.test.yaml:5:"), "{given}: {told}");
    }
}
