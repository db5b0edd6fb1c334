//! B14: findings of several scanners as one list. What is the same, what never is, and what the merged finding says.

use model::{Digest, Finding, Fix, Package, PackageLayer, Scanner, Severity};

use crate::scene::{aliased, codes, file, finding, heard, judge, package, rule, shown, unproven, vulnerability};

/// The findings as the rule shows them, every severity limited far above.
fn merged(sources: Vec<Vec<Finding>>) -> Vec<Finding> {
    let scanners = [Scanner::Trivy, Scanner::Grype, Scanner::Snyk];
    let reports = sources.into_iter().zip(scanners).map(|(findings, scanner)| file(scanner, findings).report());
    let set = rule(
        "{ max: { critical: 99, high: 99, medium: 99, low: 99, informational: 99, undefined: 99, untriaged: 99 },
           sources: { accept: [file] } }",
    );
    let judgement = judge(&set, &heard(reports.collect()));
    judgement.rules.first().findings.iter().map(|judged| judged.finding.clone()).collect()
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

fn high(id: &str) -> Finding {
    finding(id, Severity::High)
}

fn in_package(id: &str, name: &str) -> Finding {
    Finding { packages: vec![package(name, Fix::Available)], ..high(id) }
}

#[test]
fn b14_one_vulnerability_of_several_sources_is_one_finding_and_shows_who_says_what() {
    let all = merged(vec![vec![high("CVE-1")], vec![finding("CVE-1", Severity::Low)], vec![high("CVE-2")]]);
    assert_eq!(ids(&all), ["CVE-1", "CVE-2"]);
    let said: Vec<_> = all[0].said_by.iter().map(|saying| (saying.scanner, saying.severity.clone())).collect();
    assert_eq!(said, [(Scanner::Trivy, Severity::High), (Scanner::Grype, Severity::Low)]);
    assert_eq!(all[0].severity, Severity::High, "the highest that is said");
    assert_eq!(all[1].said_by.len(), 1, "that only one says it is visible");
}

#[test]
fn b14_aliases_lead_to_the_cve_they_share() {
    for (one, other) in [
        (high("CVE-1"), aliased("GHSA-1", &["CVE-1"], Severity::High)),
        (aliased("GHSA-1", &["CVE-1"], Severity::High), high("GHSA-1")),
        (aliased("CVE-1", &["GHSA-1"], Severity::High), aliased("PYSEC-1", &["GHSA-1"], Severity::High)),
        (high("cve-1"), high("CVE-1")),
        (aliased("DSA-1", &["CVE-1"], Severity::High), aliased("USN-1", &["CVE-1"], Severity::High)),
    ] {
        for order in [vec![vec![one.clone()], vec![other.clone()]], vec![vec![other.clone()], vec![one.clone()]]] {
            let all = merged(order);
            assert_eq!(all.len(), 1, "{all:?}");
            assert!(all[0].id.is("CVE-1"), "{all:?}");
            for name in one.names().chain(other.names()) {
                assert!(all[0].mentions(name.as_str()), "{name} in {all:?}");
            }
        }
    }
    // Without a CVE, ids that share a name are one.
    let all = merged(vec![vec![aliased("GHSA-1", &["PYSEC-1"], Severity::Low)], vec![high("PYSEC-1")]]);
    assert_eq!((ids(&all), all[0].aliases.as_slice()), (vec!["GHSA-1"], [vulnerability("PYSEC-1")].as_slice()));
    // Names are followed from finding to finding.
    let all = merged(vec![
        vec![aliased("GHSA-1", &["PYSEC-1"], Severity::Low)],
        vec![aliased("PYSEC-1", &["CVE-1"], Severity::Low)],
        vec![high("GHSA-1")],
    ]);
    assert_eq!(ids(&all), ["CVE-1"]);
}

#[test]
fn b14_two_cves_are_never_one_finding() {
    for (one, other) in [
        (aliased("CVE-1", &["GHSA-1"], Severity::High), aliased("CVE-2", &["GHSA-1"], Severity::High)),
        (high("CVE-1"), high("CVE-2")),
        (aliased("GHSA-1", &["CVE-1"], Severity::High), aliased("GHSA-1", &["CVE-2"], Severity::High)),
    ] {
        assert_eq!(merged(vec![vec![one], vec![other]]).len(), 2);
    }
}

#[test]
fn b14_an_advisory_speaks_in_the_group_of_every_cve_it_names() {
    let advisory = || aliased("RHSA-1", &["CVE-1", "CVE-2"], Severity::Critical);
    let cves = || vec![high("CVE-1"), finding("CVE-2", Severity::Low), high("CVE-3")];
    for order in [vec![vec![advisory()], cves()], vec![cves(), vec![advisory()]]] {
        let all = merged(order);
        assert_eq!(ids(&all), ["CVE-1", "CVE-2", "CVE-3"]);
        let severities: Vec<_> = all.iter().map(|finding| finding.severity.as_str()).collect();
        assert_eq!(severities, ["CRITICAL", "CRITICAL", "HIGH"]);
        assert!(all[..2].iter().all(|finding| finding.said_by.len() == 2), "{all:?}");
        // Its names are not those of any one of its CVEs.
        assert!(all.iter().all(|finding| finding.aliases.is_empty()));
    }
    // Nobody else reports any of them, or only in another package: it stands alone.
    assert_eq!(ids(&merged(vec![vec![advisory()], vec![high("CVE-3")]])), ["RHSA-1", "CVE-3"]);
    let elsewhere = vec![in_package("CVE-1", "zlib"), in_package("CVE-2", "zlib")];
    assert_eq!(merged(vec![vec![advisory()], elsewhere]).len(), 3);
    // The same source's own CVEs are none of its business.
    assert_eq!(merged(vec![vec![high("CVE-1"), high("CVE-2"), advisory()], vec![]]).len(), 3);
}

#[test]
fn b14_what_an_advisory_alone_says_of_a_cve_is_not_lost() {
    // Only one of its two CVEs is known to another source; waiving that one leaves the other.
    let sources = || {
        vec![
            file(Scanner::Grype, vec![aliased("ALAS-1", &["CVE-1", "CVE-2"], Severity::High)]).report(),
            file(Scanner::Trivy, vec![finding("CVE-1", Severity::Low)]).report(),
        ]
    };
    let set = rule("{ max: { high: 0 }, allow: [CVE-1], sources: { accept: [file] } }");
    let judgement = judge(&set, &heard(sources()));
    assert_eq!(codes(&judgement), ["vuln.maxExceeded"]);
    let blocking: Vec<_> = judgement.blocking().iter().map(|judged| judged.finding.id.to_string()).collect();
    assert_eq!(blocking, ["ALAS-1"]);
    // The deny list finds what an advisory names, in its groups too.
    let full = || {
        vec![
            file(Scanner::Grype, vec![aliased("ALAS-1", &["CVE-1", "CVE-2"], Severity::Low)]).report(),
            file(Scanner::Trivy, vec![finding("CVE-1", Severity::Low), finding("CVE-2", Severity::Low)]).report(),
        ]
    };
    for id in ["alas-1", "CVE-2"] {
        let set = rule(&format!("{{ deny: [{id}], sources: {{ accept: [file] }} }}"));
        assert_eq!(codes(&judge(&set, &heard(full()))), ["vuln.denied"], "{id}");
    }
}

#[test]
fn b14_packages_are_the_same_by_name_or_purl_whatever_their_version() {
    let with = |name: &str, purl: Option<&str>| Finding {
        packages: vec![Package {
            name: name.to_owned(),
            version: name.len().to_string(),
            fix: Fix::NotSaid,
            purl: purl.map(str::to_owned),
            layer: None,
        }],
        ..high("CVE-1")
    };
    let nothing = Finding { packages: vec![], ..high("CVE-1") };
    let maven = "pkg:maven/org.apache.logging.log4j/log4j-core@2.14";
    for (one, other, same) in [
        (with("openssl", None), with("OpenSSL ", None), true),
        (with("openssl", None), with("libssl3", None), false),
        (with("org.apache.logging.log4j:log4j-core", Some(maven)), with("log4j-core", None), true),
        (with("org.apache.logging.log4j:log4j-core", Some(maven)), with("log4j-core", Some(maven)), true),
        (with("a", Some("pkg:deb/debian/openssl@3?arch=amd64")), with("openssl", None), true),
        (with("openssl", None), nothing.clone(), true),
        (nothing.clone(), with("openssl", None), true),
        (nothing.clone(), nothing.clone(), true),
    ] {
        let all = merged(vec![vec![one.clone()], vec![other.clone()]]);
        assert_eq!(all.len() == 1, same, "{one:?} {other:?}");
    }
}

#[test]
fn b14_findings_of_one_source_are_never_merged_with_each_other() {
    let twice = || vec![high("CVE-1"), high("CVE-1")];
    assert_eq!(merged(vec![twice(), vec![]]).len(), 2);
    assert_eq!(merged(vec![twice(), vec![high("CVE-1")]]).len(), 2);
    assert_eq!(merged(vec![twice(), twice(), vec![high("CVE-1"); 3]]).len(), 3);
    let set = rule("{ max: { high: 1 }, sources: { accept: [file] } }");
    let reports = vec![file(Scanner::Trivy, twice()).report(), file(Scanner::Grype, vec![]).report()];
    assert_eq!(codes(&judge(&set, &heard(reports))), ["vuln.maxExceeded"]);
}

#[test]
fn b14_the_merged_finding_says_the_most_that_anybody_says() {
    let one = Finding {
        cvss_tenths: Some(75),
        epss_millionths: None,
        exploit_available: None,
        rating: Some("IMPORTANT".to_owned()),
        packages: vec![Package { version: String::new(), ..package("openssl", Fix::NotSaid) }],
        url: None,
        ..high("CVE-1")
    };
    let other = Finding {
        cvss_tenths: Some(98),
        epss_millionths: Some(7),
        exploit_available: Some(false),
        packages: vec![package("OpenSSL", Fix::In("3.1".to_owned())), package("libssl3", Fix::None)],
        url: Some("https://example.com/1".to_owned()),
        ..high("CVE-1")
    };
    let all = merged(vec![vec![one.clone()], vec![other.clone()]]);
    let [all] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((all.cvss_tenths, all.epss_millionths, all.exploit_available), (Some(98), Some(7), Some(false)));
    assert_eq!((all.rating.as_deref(), all.url.as_deref()), (None, Some("https://example.com/1")));
    let packages: Vec<_> = all
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.version.as_str(), package.fix.clone()))
        .collect();
    assert_eq!(packages, [("openssl", "3.0.8", Fix::In("3.1".to_owned())), ("libssl3", "3.0.8", Fix::None)]);
    let exploited = Finding { exploit_available: Some(true), ..other };
    assert_eq!(merged(vec![vec![one.clone()], vec![exploited]])[0].exploit_available, Some(true));
    assert_eq!(merged(vec![vec![one], vec![]])[0].rating.as_deref(), Some("IMPORTANT"), "one source's own word");
}

#[test]
fn s6_unfixed_only_if_every_source_says_so() {
    let fixed = |fix: Fix| Finding { packages: vec![package("openssl", fix)], ..high("CVE-1") };
    let set = rule("{ max: { high: 0 }, ignoreUnfixed: true, sources: { accept: [file] } }");
    for (one, other, ignored) in [
        (Fix::None, Fix::None, true),
        (Fix::None, Fix::NotSaid, false),
        (Fix::None, Fix::Available, false),
        (Fix::NotSaid, Fix::None, false),
        (Fix::In("2".to_owned()), Fix::None, false),
    ] {
        let reports = vec![
            file(Scanner::Trivy, vec![fixed(one.clone())]).report(),
            file(Scanner::Grype, vec![fixed(other.clone())]).report(),
        ];
        assert_eq!(codes(&judge(&set, &heard(reports))).is_empty(), ignored, "{one:?} {other:?}");
    }
    // A source that names no package says nothing of a fix.
    let bare = Finding { packages: vec![], ..high("CVE-1") };
    let reports =
        vec![file(Scanner::Trivy, vec![fixed(Fix::None)]).report(), file(Scanner::Grype, vec![bare]).report()];
    assert_eq!(codes(&judge(&set, &heard(reports))), ["vuln.maxExceeded"]);
}

#[test]
fn s22_the_names_that_a_stranger_gives_waive_nothing() {
    // Without a CVE of its own, a finding must not become an allowed one because somebody whose word does not count says so.
    let set = rule("{ max: { high: 0 }, allow: [CVE-1], sources: { accept: [file, trivy] } }");
    let stranger = aliased("GHSA-1", &["CVE-1"], Severity::Low);
    let reports = |by: Scanner| {
        vec![file(Scanner::Trivy, vec![high("GHSA-1")]).report(), file(by, vec![stranger.clone()]).report()]
    };
    assert_eq!(codes(&judge(&set, &heard(reports(Scanner::Grype)))), ["vuln.maxExceeded"]);
    let alias = aliased("GHSA-1", &["PYSEC-1"], Severity::Low);
    let known = vec![file(Scanner::Trivy, vec![high("GHSA-1")]).report(), file(Scanner::Grype, vec![alias]).report()];
    let listed = |accept: &str| {
        let set = rule(&format!("{{ max: {{ high: 0 }}, allow: [PYSEC-1], sources: {{ accept: [{accept}] }} }}"));
        codes(&judge(&set, &heard(known.clone()))).len()
    };
    assert_eq!((listed("file, trivy"), listed("file")), (1, 0));
    // Said by a source that the policy accepts, it is the same vulnerability.
    let set = rule("{ max: { high: 0 }, allow: [CVE-1], sources: { accept: [file] } }");
    assert_eq!(codes(&judge(&set, &heard(reports(Scanner::Grype)))), Vec::<&str>::new());
    let proves_nothing =
        vec![file(Scanner::Trivy, vec![high("GHSA-1")]).report(), unproven(Scanner::Osv, vec![stranger])];
    let judgement = judge(&set, &heard(proves_nothing));
    assert_eq!(codes(&judgement), Vec::<&str>::new());
    assert!(shown(&judgement, "CVE-1").is_some());
}

#[test]
fn s22_a_stranger_does_not_join_what_two_sources_keep_apart() {
    let stranger = aliased("GHSA-1", &["CVE-1"], Severity::Low);
    let reports = || {
        vec![
            file(Scanner::Trivy, vec![high("GHSA-1")]).report(),
            file(Scanner::Snyk, vec![high("CVE-1")]).report(),
            file(Scanner::Grype, vec![stranger.clone()]).report(),
        ]
    };
    let judged = |accept: &str| {
        let set = rule(&format!("{{ max: {{ high: 0 }}, allow: [CVE-1], sources: {{ accept: [{accept}] }} }}"));
        codes(&judge(&set, &heard(reports()))).len()
    };
    assert_eq!((judged("file, trivy, snyk"), judged("file")), (1, 0));
}

#[test]
fn b23_the_layer_is_kept_where_the_sources_agree_on_it() {
    let digest = |name: &str| Some(Digest::of(name.as_bytes()));
    let named = |diff_id: Option<&str>, packed: Option<&str>| {
        PackageLayer::named(diff_id.and_then(digest), packed.and_then(digest))
    };
    let below = |name: &str| named(Some(name), None).map(|layer| PackageLayer { or_below: true, ..layer });
    let (a, b) = (named(Some("a"), None), named(Some("b"), None));
    let together = |layers: &[&Option<PackageLayer>]| {
        let with = |layer: &Option<PackageLayer>| {
            let packages = vec![Package { layer: layer.clone(), ..package("openssl", Fix::None) }];
            vec![Finding { packages, ..high("CVE-1") }]
        };
        let all = merged(layers.iter().map(|layer| with(layer)).collect());
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].packages[0].layer.clone()
    };
    assert_eq!(together(&[&a, &a]), a);
    assert_eq!(together(&[&None, &a]), a);
    assert_eq!(together(&[&a, &None]), a);
    assert_eq!(together(&[&a, &b]), None);
    assert_eq!(together(&[&a, &b, &b]), None, "two of three do not outvote one");
    assert_eq!(
        together(&[&a, &named(None, Some("packed"))]),
        named(Some("a"), Some("packed")),
        "two names of one layer"
    );
    assert_eq!(together(&[&below("b"), &a]), a, "the very layer before one that is above it");
    assert_eq!(together(&[&a, &below("b")]), a);
    assert_eq!(together(&[&below("a"), &below("b")]), None);
}
