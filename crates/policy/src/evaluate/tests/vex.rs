//! S24: whose VEX statements are applied, and to what. S6: where they stand among the other softenings.

use model::{
    Digest, Disposition, Facts, Finding, Fix, ImageConfig, Observed, Origin, Package, Scanner, Severity, Signal,
    Timestamp, Verdict, VexDocument, VexProduct, VexStatement, VexStatus,
};

use crate::scene::{
    ask, became, codes, days, exceptions, file, finding, heard, hours, judge, judge_with, now, rule, scan,
    vulnerability,
};

const AUTHOR: &str = "security@acme.example";

fn policy(vex: &str) -> crate::PolicySet {
    rule(&format!("{{ max: {{ high: 0 }}, sources: {{ accept: [ecr, file] }}{vex} }}"))
}

fn trusting() -> crate::PolicySet {
    policy(", vex: { from: [file], authors: [\"*@acme.example\"] }")
}

fn image() -> VexProduct {
    VexProduct { digests: vec![ask().digest], purl: None, subcomponents: vec![] }
}

fn not_affected(id: &str, product: VexProduct) -> VexStatement {
    VexStatement {
        vulnerabilities: vec![vulnerability(id)],
        products: vec![product],
        status: VexStatus::NotAffected,
        justification: Some("component_not_present".to_owned()),
        note: None,
        at: Some(now() - hours(1)),
    }
}

fn document(author: &str, statements: Vec<VexStatement>) -> Observed<VexDocument> {
    let value = VexDocument { format: "openvex".to_owned(), id: None, author: author.to_owned(), statements };
    Observed { value, origin: Origin::File("vex.json".to_owned()), at: now(), evidence: Digest::of(b"vex") }
}

fn with(vex: Vec<Observed<VexDocument>>) -> Facts {
    Facts { vex, ..scan(vec![finding("CVE-1", Severity::High)]).facts() }
}

fn said(statement: VexStatement) -> Facts {
    with(vec![document(AUTHOR, vec![statement])])
}

#[test]
fn s24_a_statement_of_a_listed_author_is_applied_and_names_itself() {
    let judgement = judge(&trusting(), &said(not_affected("CVE-1", image())));
    assert_eq!(judgement.verdict, Verdict::Allow);
    let by = "not_affected: component_not_present, by security@acme.example (openvex)";
    assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::Vex(by.to_owned())));
    assert!(judgement.rules.first().notes.is_empty());
    let fixed = VexStatement { status: VexStatus::Fixed, justification: None, ..not_affected("CVE-1", image()) };
    let judgement = judge(&trusting(), &said(fixed));
    assert_eq!(
        became(&judgement, "CVE-1"),
        Some(Disposition::Vex("fixed, by security@acme.example (openvex)".to_owned()))
    );
}

#[test]
fn s24_author_and_way_have_to_be_listed_both() {
    let by = |author: &str, origin: Origin| {
        with(vec![Observed { origin, ..document(author, vec![not_affected("CVE-1", image())]) }])
    };
    let file = || Origin::File("vex.json".to_owned());
    let registry = || Origin::Registry("sha256:abc".to_owned());
    for (vex, facts, applied) in [
        (", vex: { from: [file], authors: [\"security@acme.example\"] }", by(AUTHOR, file()), true),
        (", vex: { from: [file], authors: [\"*@acme.example\"] }", by("other@acme.example", file()), true),
        (", vex: { from: [file, registry], authors: [\"*@acme.example\"] }", by(AUTHOR, registry()), true),
        (", vex: { from: [file], authors: [\"*@acme.example\"] }", by(AUTHOR, registry()), false),
        (", vex: { from: [registry], authors: [\"*@acme.example\"] }", by(AUTHOR, file()), false),
        (", vex: { from: [file], authors: [\"*@acme.example\"] }", by("x@acme.example.evil", file()), false),
        (", vex: { from: [file], authors: [acme] }", by("Acme", file()), false),
        (", vex: { from: [file, registry], authors: [\"*\"] }", by(AUTHOR, Origin::Ecr("r".to_owned())), false),
        ("", by(AUTHOR, file()), false),
    ] {
        let judgement = judge(&policy(vex), &facts);
        assert_eq!(judgement.verdict == Verdict::Allow, applied, "{vex} {:?}", facts.vex[0].origin);
        // What is not applied is shown, with who says it and why not.
        let notes = &judgement.rules.first().notes;
        assert_eq!(notes.len(), usize::from(!applied));
        if !applied {
            let why = if vex.is_empty() { "has no `vex`" } else { "does not list this author by this way" };
            let author = &facts.vex[0].value.author;
            assert!(
                notes[0].contains("CVE-1 is not_affected") && notes[0].contains(author) && notes[0].contains(why),
                "{notes:?}"
            );
        }
    }
}

#[test]
fn s24_not_affected_needs_a_justification() {
    for justification in [None, Some(" ".to_owned())] {
        let judgement = judge(&trusting(), &said(VexStatement { justification, ..not_affected("CVE-1", image()) }));
        assert_eq!(judgement.verdict, Verdict::Deny);
        assert!(judgement.rules.first().notes[0].contains("gives no justification"));
    }
}

#[test]
fn s24_other_words_soften_nothing() {
    for status in [VexStatus::Affected, VexStatus::UnderInvestigation] {
        let judgement = judge(&trusting(), &said(VexStatement { status, ..not_affected("CVE-1", image()) }));
        assert_eq!((judgement.verdict, judgement.rules.first().notes.len()), (Verdict::Deny, 0));
    }
    let judgement = judge(&trusting(), &said(not_affected("CVE-11", image())));
    assert_eq!(judgement.verdict, Verdict::Deny, "another vulnerability");
}

#[test]
fn s24_the_product_is_the_image_by_a_digest_or_the_package_by_its_versioned_purl() {
    let digest = |digest: Digest| VexProduct { digests: vec![digest], ..image() };
    let purl = |purl: &str| VexProduct { digests: vec![], purl: Some(purl.to_owned()), subcomponents: vec![] };
    let mut facts = with(vec![]);
    let installed = "pkg:deb/debian/openssl@3.0.8?arch=amd64";
    let package = Package {
        name: "openssl".to_owned(),
        version: "3.0.8".to_owned(),
        fix: Fix::Available,
        purl: Some(installed.to_owned()),
        layer: None,
    };
    let found = Finding { packages: vec![package], ..finding("CVE-1", Severity::High) };
    facts.root = scan(vec![found]).facts().root;
    let config = ImageConfig {
        id: Digest::of(b"configuration"),
        platform: "linux/amd64".parse().unwrap(),
        created: None,
        user: String::new(),
        entrypoint: vec![],
        command: vec![],
        working_dir: String::new(),
        path: vec![],
        variables: vec![],
        ports: vec![],
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
        layers: vec![],
        diff_ids: vec![],
        secrets: vec![],
        base: None,
    };
    let observed =
        Observed { value: config, origin: Origin::Registry("r".to_owned()), at: now(), evidence: Digest::of(b"c") };
    facts.root.config = Signal::Present(observed);
    let part =
        |digests: Vec<Digest>, part: &str| VexProduct { digests, purl: None, subcomponents: vec![part.to_owned()] };
    for (product, applies) in [
        (digest(ask().digest), true),
        (digest(Digest::of(b"configuration")), true),
        (digest(Digest::of(b"another image")), false),
        (purl("pkg:deb/debian/openssl@3.0.8"), true),
        (purl("pkg:deb/debian/openssl"), false),
        (purl("pkg:deb/debian/openssl@3.0.9"), false),
        (part(vec![ask().digest], "pkg:deb/debian/openssl@3.0.8"), true),
        (part(vec![ask().digest], "pkg:deb/debian/zlib@1"), false),
        (part(vec![Digest::of(b"another image")], "pkg:deb/debian/openssl@3.0.8"), false),
    ] {
        facts.vex = vec![document(AUTHOR, vec![not_affected("CVE-1", product.clone())])];
        assert_eq!(judge(&trusting(), &facts).verdict == Verdict::Allow, applies, "{product:?}");
    }
}

#[test]
fn s24_an_index_is_named_by_its_own_digest_or_a_platforms() {
    let bad = || Signal::Present(scan(vec![finding("CVE-1", Severity::High)]).observed());
    let mut facts = crate::scene::index(vec![("linux/amd64", bad()), ("linux/arm64", bad())]);
    facts.vex = vec![document(AUTHOR, vec![not_affected("CVE-1", image())])];
    assert_eq!(judge(&trusting(), &facts).verdict, Verdict::Allow);
    let one = VexProduct { digests: vec![Digest::of(b"linux/amd64")], ..image() };
    facts.vex = vec![document(AUTHOR, vec![not_affected("CVE-1", one)])];
    let judgement = judge(&trusting(), &facts);
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(judgement.blocking()[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
}

#[test]
fn s24_the_last_word_counts_and_only_of_those_who_are_believed() {
    let at = |ago: i64, status| VexStatement { at: Some(now() - days(ago)), status, ..not_affected("CVE-1", image()) };
    let verdict = |documents| judge(&trusting(), &with(documents)).verdict;
    let (clean, affected) = (VexStatus::NotAffected, VexStatus::Affected);
    assert_eq!(verdict(vec![document(AUTHOR, vec![at(9, clean), at(1, affected)])]), Verdict::Deny);
    assert_eq!(verdict(vec![document(AUTHOR, vec![at(9, affected), at(1, clean)])]), Verdict::Allow);
    let other = |statement| document("eve@evil.example", vec![statement]);
    assert_eq!(verdict(vec![document(AUTHOR, vec![at(9, affected)]), other(at(1, clean))]), Verdict::Deny);
    assert_eq!(verdict(vec![document(AUTHOR, vec![at(9, clean)]), other(at(1, affected))]), Verdict::Allow);
    let undated = VexStatement { at: None::<Timestamp>, ..not_affected("CVE-1", image()) };
    assert_eq!(verdict(vec![document(AUTHOR, vec![undated, at(400, affected)])]), Verdict::Deny);
}

#[test]
fn s6_vex_stands_after_deny_list_and_exception_and_before_the_rest() {
    let facts = said(not_affected("CVE-1", image()));
    let with =
        |keys: &str| rule(&format!("{{ vex: {{ from: [file], authors: [\"*\"] }}, max: {{ high: 0 }}, {keys} }}"));
    assert_eq!(codes(&judge(&with("deny: [CVE-1]"), &facts)), ["vuln.denied"]);
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-03-20"]);
    let judgement = judge_with(&with("allow: []"), &facts, &entries);
    assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::Excepted("e".to_owned())));
    let is_vex = |judgement: &model::Judgement| matches!(became(judgement, "CVE-1"), Some(Disposition::Vex(_)));
    assert!(is_vex(&judge(&with("allow: [CVE-1]"), &facts)));
    let exploited = Finding { exploit_available: Some(true), packages: vec![], ..finding("CVE-1", Severity::High) };
    let facts = Facts { vex: facts.vex, ..scan(vec![exploited]).facts() };
    assert!(is_vex(&judge(&with("knownExploited: deny, denyCvssFrom: 1"), &facts)));
}

#[test]
fn s24_what_several_sources_report_is_covered_only_as_a_whole() {
    let installed = Package {
        name: "openssl".to_owned(),
        version: "3".to_owned(),
        fix: Fix::Available,
        purl: Some("pkg:deb/debian/openssl@3".to_owned()),
        layer: None,
    };
    let named = Finding { packages: vec![installed], ..finding("CVE-1", Severity::High) };
    let nowhere = Finding { packages: vec![], ..finding("CVE-1", Severity::High) };
    let reports =
        vec![file(Scanner::Trivy, vec![named.clone()]).report(), file(Scanner::Grype, vec![nowhere]).report()];
    let verdict = |product| {
        let vex = vec![document(AUTHOR, vec![not_affected("CVE-1", product)])];
        judge(&trusting(), &Facts { vex, ..heard(reports.clone()) }).verdict
    };
    let package =
        VexProduct { digests: vec![], purl: Some("pkg:deb/debian/openssl@3".to_owned()), subcomponents: vec![] };
    assert_eq!(verdict(image()), Verdict::Allow);
    assert_eq!(verdict(package), Verdict::Deny, "one source does not say that it lies in this package");
}

#[test]
fn s24_many_statements_that_are_not_applied_are_counted() {
    let findings: Vec<_> = (0..30).map(|n| finding(&format!("CVE-{n}"), Severity::Low)).collect();
    let statements = (0..30).map(|n| not_affected(&format!("CVE-{n}"), image())).collect();
    let facts = Facts { vex: vec![document("eve", statements)], ..scan(findings).facts() };
    let judgement = judge(&policy(""), &facts);
    let notes = &judgement.rules.first().notes;
    assert_eq!((notes.len(), notes[10].as_str()), (11, "20 more VEX statements are not applied"));
}

#[test]
fn s22_a_package_url_that_a_stranger_gives_makes_no_statement_fit() {
    let named = |purl: Option<&str>| Package {
        name: "openssl".to_owned(),
        version: "3".to_owned(),
        fix: Fix::Available,
        purl: purl.map(str::to_owned),
        layer: None,
    };
    let with = |purl| Finding { packages: vec![named(purl)], ..finding("CVE-1", Severity::High) };
    let product =
        VexProduct { digests: vec![], purl: Some("pkg:deb/debian/openssl@3".to_owned()), subcomponents: vec![] };
    let vex = vec![document(AUTHOR, vec![not_affected("CVE-1", product)])];
    let reports = vec![
        scan(vec![with(None)]).report(),
        file(Scanner::Trivy, vec![with(Some("pkg:deb/debian/openssl@3"))]).report(),
    ];
    for (accept, verdict) in [("[ecr, file]", Verdict::Allow), ("[ecr, file, grype]", Verdict::Deny)] {
        let set = rule(&format!(
            "{{ max: {{ high: 0 }}, sources: {{ accept: {accept} }}, vex: {{ from: [file], authors: [\"*\"] }} }}"
        ));
        let judgement = judge(&set, &Facts { vex: vex.clone(), ..heard(reports.clone()) });
        assert_eq!(judgement.verdict, verdict, "{accept}");
    }
}
