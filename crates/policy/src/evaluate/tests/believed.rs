//! S22, S24, S27: evidence by signers. Whose counts, whose does not and is named, and what cannot be told; wherever a rule takes
//! evidence: bills of materials, measurements, reports, VEX documents.

use std::collections::BTreeMap;

use model::{
    Attested, Digest, Disposition, Facts, Judgement, Measurement, Observed, Origin, Proof, ProvenTime, Reason,
    ReasonCode, Sbom, ScanReport, Scanner, Severity, Signal, Signer, TimeSource, TrustMaterial, TrustName,
    UnknownClass, Verdict, VexDocument, VexProduct, VexStatement, VexStatus,
};

use crate::PolicySet;
use crate::scene::{
    Scan, ask, became, class, codes, days, file, finding, heard, hours, judge, messages, now, scan, set, time,
    unverified, vulnerability,
};

/// A policy with these signers and one rule.
fn policy(rule: &str) -> PolicySet {
    set(&format!(
        "signers: {{
           ci: {{ key: ci.pub }},
           scans: {{ key: scans.pub }},
           old: {{ key: old.pub, revoked: true }},
           left: {{ key: left.pub, revoked: {{ at: 2026-02-01T00:00:00Z }} }},
           was: {{ key: was.pub, notAfter: 2026-02-01T00:00:00Z }},
           until: {{ key: until.pub, notAfter: 2026-03-11T00:00:00Z }},
           kms: {{ key: \"awskms:///alias/a\" }},
         }}, rules: [{{ id: r, {rule} }}]"
    ))
}

/// What was read of the signers' keys; that of `kms` could not be fetched.
fn trust() -> TrustMaterial {
    let of = |signer: &str| TrustName { policy: "p".to_owned(), signer: signer.to_owned() };
    let mut keys: BTreeMap<TrustName, Result<Digest, Reason>> =
        ["ci", "scans", "old", "left", "was", "until"].map(|name| (of(name), Ok(Digest::of(name.as_bytes())))).into();
    keys.insert(of("kms"), Err(Reason::new(ReasonCode::TrustKeyUnavailable, "the key cannot be fetched")));
    TrustMaterial { digest: Digest::of(b"trust"), keys, roots: BTreeMap::new() }
}

/// Signed with the key of this name; nothing proves when.
fn by(key: &str) -> Origin {
    let signer = Signer::Key { key: Digest::of(key.as_bytes()), algorithm: "ecdsa-p256".to_owned() };
    Origin::Attestation(Box::new(Attested { manifest: Digest::of(b"statement"), proof: Proof::of(signer) }))
}

/// The same, proven to be signed at this moment.
fn proven(key: &str, at: &str) -> Origin {
    let Origin::Attestation(mut attested) = by(key) else { panic!("{key}") };
    attested.proof.proven.push(ProvenTime { at: time(at), by: TimeSource::TimestampAuthority, root: None });
    Origin::Attestation(attested)
}

fn unsigned() -> Origin {
    Origin::Registry("sha256:abc".to_owned())
}

fn seen<T>(value: T, origin: Origin) -> Observed<T> {
    Observed { value, origin, at: now(), evidence: Digest::of(b"bytes") }
}

fn facts(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = heard(Vec::new());
    facts.trust = Some(trust());
    facts.root.signed = Signal::Present(seen(Vec::new(), unsigned()));
    facts.root.sboms = Signal::Present(seen(Vec::new(), unsigned()));
    facts.root.measurements = Signal::Present(seen(Vec::new(), unsigned()));
    change(&mut facts);
    facts
}

fn bill(describes: Digest) -> Sbom {
    Sbom {
        format: "cyclonedx".to_owned(),
        version: "1.6".to_owned(),
        created: None,
        tools: Vec::new(),
        describes: vec![describes],
        name: None,
        components: Vec::new(),
    }
}

fn run(subject: Digest) -> Measurement {
    Measurement {
        subject,
        metric: "m".to_owned(),
        samples: vec!["1".parse().unwrap()],
        tool: "k6".to_owned(),
        stage: "smoke".to_owned(),
        at: now() - hours(1),
    }
}

fn report(origin: Origin, hours_ago: i64, scan: Scan) -> ScanReport {
    Scan { origin, dated: now() - hours(hours_ago), ..scan }.report()
}

fn clean(origin: Origin) -> ScanReport {
    report(origin, 1, file(Scanner::Trivy, vec![]))
}

fn bad(origin: Origin, hours_ago: i64) -> ScanReport {
    report(origin, hours_ago, file(Scanner::Trivy, vec![finding("CVE-1", Severity::High)]))
}

fn notes(judgement: &Judgement) -> String {
    judgement.rules.first().notes.join("\n")
}

/// A kind of rule, given whom it lists, and facts with one piece of evidence of this origin.
type Kind = (&'static str, fn(&str) -> String, fn(Origin) -> Facts, &'static str);

/// The kinds of rules that take evidence, and the code of one that has none.
const KINDS: [Kind; 3] = [
    (
        "sbom",
        |from| format!("sbom: {{ from: {from} }}"),
        |origin| {
            facts(|facts| facts.root.sboms = Signal::Present(seen(vec![seen(bill(ask().digest), origin)], unsigned())))
        },
        "sbom.missing",
    ),
    (
        "measurements",
        |from| format!("measurements: {{ from: {from}, metric: m, max: 7 }}"),
        |origin| {
            let runs = vec![seen(run(ask().digest), origin)];
            facts(|facts| facts.root.measurements = Signal::Present(seen(runs, unsigned())))
        },
        "measurement.missing",
    ),
    (
        "vulnerabilities",
        |from| format!("vulnerabilities: {{ max: {{ high: 0 }}, sources: {{ accept: {from} }} }}"),
        |origin| facts(|facts| facts.root.reports = vec![clean(origin)]),
        "scan.notAccepted",
    ),
];

#[test]
fn s22_evidence_counts_by_a_signer_that_is_listed_and_counts() {
    for (kind, rule, facts, missing) in KINDS {
        for (from, origin) in [
            ("[ci]", by("ci")),
            ("[scans, ci]", by("ci")),
            ("[file, ci]", by("ci")),
            ("[kms, ci]", by("ci")),
            ("[registry]", by("stranger")),
            ("[ci, registry]", by("stranger")),
            ("[was]", proven("was", "2026-01-10T00:00:00Z")),
            ("[left]", proven("left", "2026-01-10T00:00:00Z")),
            ("[until]", by("until")),
        ] {
            let judgement = judge(&policy(&rule(from)), &facts(origin));
            assert_eq!(judgement.verdict, Verdict::Allow, "{kind} {from}: {:?}", judgement.reasons());
        }
        for (from, origin, said) in [
            ("[ci]", by("stranger"), "is not signer ci: that is another key"),
            ("[ci]", by("scans"), "is not signer ci"),
            ("[ci, scans]", by("old"), "is not signer scans"),
            ("[file]", by("ci"), "the rule lists no signer that this could be"),
            ("[old]", by("old"), "that signer is revoked"),
            ("[ci, old]", by("old"), "that signer is revoked"),
            ("[left]", by("left"), "nothing proves that this was signed before"),
            ("[left]", proven("left", "2026-02-01T00:00:00Z"), "revoked since"),
            ("[was]", by("was"), "it counted only until"),
            ("[was]", proven("was", "2026-02-01T00:00:00Z"), "it counted only until"),
            ("[ci]", unsigned(), ""),
            ("[ci]", Origin::File("a.json".to_owned()), ""),
        ] {
            let judgement = judge(&policy(&rule(from)), &facts(origin));
            assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec![missing]), "{kind} {from} {said}");
            let all = notes(&judgement) + &messages(&judgement);
            assert!(all.contains(said), "{kind} {from}: {said}: {all}");
        }
    }
}

#[test]
fn s4_who_cannot_be_told_is_unknown_and_never_missing() {
    for (kind, rule, facts, _) in KINDS {
        let unknown = |from: &str, facts: &Facts| {
            let judgement = judge(&policy(&rule(from)), facts);
            assert_eq!(judgement.verdict, Verdict::Deny, "{kind} {from}");
            assert_eq!(class(&judgement), UnknownClass::TrustUnavailable, "{kind} {from}: {:?}", judgement.reasons());
            messages(&judgement)
        };
        // It may be the key that could not be fetched.
        assert!(unknown("[kms]", &facts(by("stranger"))).contains("cannot be fetched"));
        unknown("[ci, kms]", &facts(by("stranger")));
        // What that key signed was not recognised, and is not here.
        unknown("[kms]", &facts(unsigned()));
        // Nobody read any key.
        let nobody = Facts { trust: None, ..facts(by("ci")) };
        assert!(unknown("[ci]", &nobody).contains("was not read"), "{kind}");
        // What is signed could not be listed.
        let mut unlisted = facts(unsigned());
        let why = Reason::new(ReasonCode::RegistryUnavailable, "the list is cut");
        unlisted.root.signed = Signal::Unavailable { why, last: None };
        let judgement = judge(&policy(&rule("[ci]")), &unlisted);
        assert_eq!(
            (judgement.verdict, class(&judgement)),
            (Verdict::Deny, UnknownClass::RegistryUnavailable),
            "{kind}"
        );
    }
    let soft = |from: &str| {
        set(&format!(
            "onUnknown: {{ trustUnavailable: pending }}, signers: {{ kms: {{ key: \"awskms:///alias/a\" }} }},
             rules: [{{ id: r, sbom: {{ from: {from} }} }}]"
        ))
    };
    assert_eq!(judge(&soft("[kms]"), &KINDS[0].2(by("stranger"))).verdict, Verdict::Pending);
}

#[test]
fn s8_evidence_that_time_takes_away_bounds_the_judgement() {
    for (kind, rule, facts, _) in KINDS {
        let judgement = judge(&policy(&rule("[until]")), &facts(by("until")));
        assert_eq!(judgement.valid_until, Some(time("2026-03-11T00:00:00Z")), "{kind}");
    }
}

#[test]
fn s22_an_unlisted_document_satisfies_nothing_and_is_shown() {
    let mut denied = bill(Digest::of(b"image"));
    denied.components = vec![model::Component {
        purl: Some("pkg:npm/bad@1".to_owned()),
        name: "bad".to_owned(),
        version: "1".to_owned(),
        licenses: Vec::new(),
        hashes: Vec::new(),
    }];
    let both = |one: Origin, other: Origin| {
        let documents = vec![seen(bill(ask().digest), one), seen(denied.clone(), other)];
        facts(|facts| facts.root.sboms = Signal::Present(seen(documents, unsigned())))
    };
    let rule = policy("sbom: { from: [ci], denyPackages: [pkg:npm/bad] }");
    let judgement = judge(&rule, &both(by("ci"), by("stranger")));
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert!(notes(&judgement).contains("lists denied packages: pkg:npm/bad@1"), "{}", notes(&judgement));
    assert_eq!(codes(&judge(&rule, &both(by("stranger"), by("ci")))), ["sbom.deniedPackage"]);
    // One that may be by a signer who counts may not be passed over.
    let rule = policy("sbom: { from: [ci, kms] }");
    assert_eq!(class(&judge(&rule, &both(by("ci"), by("stranger")))), UnknownClass::TrustUnavailable);
}

#[test]
fn b15_a_signed_bill_or_measurement_of_another_image_is_of_another_image() {
    let other = Digest::of(b"other");
    let documents = vec![seen(bill(other.clone()), by("ci"))];
    let of_other = facts(|facts| {
        facts.root.sboms = Signal::Present(seen(documents, unsigned()));
        facts.root.measurements = Signal::Present(seen(vec![seen(run(other), by("ci"))], unsigned()));
        facts.root.config = Signal::Failed(Reason::new(ReasonCode::ConfigInvalid, "broken"));
    });
    let judgement = judge(&policy("sbom: { from: [ci], mustMatch: digest }"), &of_other);
    assert_eq!(judgement.verdict, Verdict::Deny);
    let judgement = judge(&policy("measurements: { from: [ci], metric: m, max: 7 }"), &of_other);
    assert_eq!(codes(&judgement), ["measurement.missing"]);
    assert!(notes(&judgement).contains("it is of sha256:"), "{}", notes(&judgement));
}

/// The verdict about these reports where these sources are accepted.
fn reported(accept: &str, reports: Vec<ScanReport>) -> Judgement {
    let rule = format!("vulnerabilities: {{ max: {{ high: 0 }}, sources: {{ accept: {accept} }} }}");
    judge(&policy(&rule), &facts(|facts| facts.root.reports = reports))
}

#[test]
fn s18_only_the_same_signer_replaces_what_a_signer_said() {
    for (accept, reports, verdict) in [
        ("[ci]", vec![bad(by("ci"), 5), clean(by("ci"))], Verdict::Allow),
        ("[ci, scans]", vec![bad(by("ci"), 5), clean(by("scans"))], Verdict::Deny),
        ("[ci, registry]", vec![bad(by("ci"), 5), clean(by("stranger"))], Verdict::Deny),
        ("[ci, registry]", vec![bad(by("ci"), 5), clean(unsigned())], Verdict::Deny),
        ("[ci, file]", vec![bad(by("ci"), 5), clean(Origin::File("a.json".to_owned()))], Verdict::Deny),
        // A stranger may add findings and takes none away.
        ("[ci]", vec![clean(by("ci")), bad(by("stranger"), 1)], Verdict::Deny),
        ("[ci]", vec![bad(by("ci"), 5), clean(by("stranger"))], Verdict::Deny),
    ] {
        let judgement = reported(accept, reports);
        assert_eq!(judgement.verdict, verdict, "{accept}: {:?} {}", judgement.reasons(), notes(&judgement));
    }
    let judgement = reported("[ci]", vec![clean(by("ci")), clean(by("stranger"))]);
    assert_eq!(judgement.verdict, Verdict::Allow);
    let all = notes(&judgement);
    assert!(all.contains("may add findings and satisfies nothing") && all.contains("is not signer ci"), "{all}");
}

#[test]
fn s22_names_of_scanners_hold_for_signed_reports_too() {
    for (accept, verdict) in
        [("[ci, trivy]", Verdict::Allow), ("[ci, grype]", Verdict::Deny), ("[registry, grype]", Verdict::Deny)]
    {
        assert_eq!(reported(accept, vec![clean(by("ci"))]).verdict, verdict, "{accept}");
    }
    let required = "vulnerabilities: { sources: { accept: [ci], required: [trivy] } }";
    let with = |reports| facts(|facts: &mut Facts| facts.root.reports = reports);
    assert_eq!(judge(&policy(required), &with(vec![clean(by("ci"))])).verdict, Verdict::Allow);
    for origin in [by("stranger"), unsigned()] {
        let judgement = judge(&policy(required), &with(vec![clean(origin)]));
        assert!(codes(&judgement).contains(&"scan.requiredMissing"), "{:?}", codes(&judgement));
    }
    // What nobody can attribute leaves the answer open, though there is another one.
    let judgement = reported("[ci, kms]", vec![clean(by("ci")), clean(by("stranger"))]);
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::TrustUnavailable));
}

#[test]
fn s25_something_signed_that_cannot_be_read_is_no_clean_report() {
    let why = || Reason::new(ReasonCode::AttestationInvalid, "it cannot be read");
    let unread = |origin: Origin| ScanReport {
        scanner: Scanner::Unknown,
        tool: None,
        origin,
        scan: Signal::Failed(why()),
        unproven: Vec::new(),
    };
    for (accept, origin, codes_wanted) in [
        ("[ecr, ci]", by("ci"), vec!["attestation.invalid"]),
        ("[ecr, registry]", by("stranger"), vec!["attestation.invalid"]),
        // Whoever may push something signed by anybody could stop every image.
        ("[ecr, ci]", by("stranger"), vec![]),
        ("[ecr]", by("ci"), vec![]),
    ] {
        let judgement = reported(accept, vec![scan(vec![]).report(), unread(origin)]);
        assert_eq!(codes(&judgement), codes_wanted, "{accept}: {}", notes(&judgement));
    }
    // A signed list of findings by a tool that no policy can name was read; it proves no scan and stops none.
    let listed = |severity: Option<Severity>| {
        let why = Reason::new(ReasonCode::ScanUnproven, "it proves no whole scan");
        let unproven = severity.into_iter().map(|severity| finding("CVE-1", severity)).collect();
        ScanReport { unproven, scan: Signal::Absent(why), ..unread(by("ci")) }
    };
    assert_eq!(reported("[ecr, ci]", vec![scan(vec![]).report(), listed(None)]).verdict, Verdict::Allow);
    let judgement = reported("[ecr, ci]", vec![scan(vec![]).report(), listed(Some(Severity::High))]);
    assert_eq!(codes(&judgement), ["vuln.maxExceeded"]);
    assert_eq!(codes(&reported("[ci]", vec![listed(None)])), ["scan.unproven"]);
}

fn vex(origin: Origin) -> Observed<VexDocument> {
    let statement = VexStatement {
        vulnerabilities: vec![vulnerability("CVE-1")],
        products: vec![VexProduct { digests: vec![ask().digest], purl: None, subcomponents: vec![] }],
        status: VexStatus::NotAffected,
        justification: Some("component_not_present".to_owned()),
        note: None,
        at: Some(now() - days(1)),
    };
    let author = "security@acme.example".to_owned();
    seen(VexDocument { format: "openvex".to_owned(), id: None, author, statements: vec![statement] }, origin)
}

/// The judgement about a finding that these documents wave away.
fn waved(rule: &str, documents: Vec<Observed<VexDocument>>) -> Judgement {
    let rule = format!("vulnerabilities: {{ max: {{ high: 0 }}, sources: {{ accept: [ecr] }}, vex: {rule} }}");
    let facts = facts(|facts| {
        facts.root.reports = vec![scan(vec![finding("CVE-1", Severity::High)]).report()];
        facts.vex = documents;
    });
    judge(&policy(&rule), &facts)
}

#[test]
fn s24_a_signed_document_is_applied_by_its_signer() {
    for (rule, origin) in [
        ("{ from: [ci] }", by("ci")),
        ("{ from: [scans, ci] }", by("ci")),
        ("{ from: [ci], authors: [\"*@acme.example\"] }", by("ci")),
        ("{ from: [registry], authors: [\"*@acme.example\"] }", by("stranger")),
        ("{ from: [was] }", proven("was", "2026-01-10T00:00:00Z")),
    ] {
        let judgement = waved(rule, vec![vex(origin)]);
        assert_eq!(judgement.verdict, Verdict::Allow, "{rule}: {:?}", judgement.reasons());
        assert!(matches!(became(&judgement, "CVE-1"), Some(Disposition::Vex(_))), "{rule}");
    }
    for (rule, origin, said) in [
        ("{ from: [ci] }", by("stranger"), "does not believe its signer: "),
        ("{ from: [ci] }", by("scans"), "is not signer ci"),
        ("{ from: [old] }", by("old"), "that signer is revoked"),
        ("{ from: [was] }", by("was"), "it counted only until"),
        ("{ from: [ci] }", unsigned(), "does not list this author by this way"),
        ("{ from: [ci] }", Origin::File("vex.json".to_owned()), "does not list this author by this way"),
        ("{ from: [file], authors: [\"*@acme.example\"] }", by("ci"), "lists no signer"),
        ("{ from: [ci], authors: [\"*@other.example\"] }", by("ci"), "does not list this author by this way"),
        ("{ from: [registry], authors: [\"*@other.example\"] }", by("ci"), "does not list this author by this way"),
    ] {
        let judgement = waved(rule, vec![vex(origin)]);
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{rule} {said}");
        assert!(notes(&judgement).contains(said), "{rule}: {said}: {}", notes(&judgement));
    }
}

#[test]
fn s24_what_an_unknown_signer_may_have_said_is_unknown() {
    let judgement = waved("{ from: [kms] }", vec![vex(by("stranger"))]);
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(codes(&judgement), ["vuln.maxExceeded", "trust.keyUnavailable"]);
    assert!(notes(&judgement).contains("cannot tell whether its signer counts"), "{}", notes(&judgement));
    // A word that is believed could be taken back by one that could not be recognised.
    let judgement = waved("{ from: [ci, kms] }", vec![vex(by("ci"))]);
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::TrustUnavailable));
    // Where nothing is waved away, nothing is missed.
    assert_eq!(codes(&waved("{ from: [kms] }", vec![])), ["vuln.maxExceeded"]);
}

#[test]
fn s24_a_later_word_of_a_signer_takes_back_an_earlier_one() {
    let affected = |origin: Origin| {
        let mut document = vex(origin);
        let statement = &mut document.value.statements[0];
        (statement.status, statement.at) = (VexStatus::Affected, Some(now() - hours(1)));
        document
    };
    assert_eq!(waved("{ from: [ci] }", vec![vex(by("ci")), affected(by("ci"))]).verdict, Verdict::Deny);
    assert_eq!(waved("{ from: [ci, scans] }", vec![vex(by("ci")), affected(by("scans"))]).verdict, Verdict::Deny);
    // Not so a stranger's.
    assert_eq!(waved("{ from: [ci] }", vec![vex(by("ci")), affected(by("stranger"))]).verdict, Verdict::Allow);
}

#[test]
fn s22_what_is_signed_is_collected_where_a_rule_could_count_it() {
    for (rule, signed, attached) in [
        ("sbom: { from: [ci] }", true, false),
        ("sbom: { from: [file] }", false, false),
        ("sbom: { from: [registry] }", true, true),
        ("sbom: {}", false, false),
        ("measurements: { from: [file, ci], metric: m, max: 1 }", true, false),
        ("vulnerabilities: { sources: { accept: [ci] } }", true, false),
        ("vulnerabilities: { sources: { accept: [ecr] } }", false, false),
        ("vulnerabilities: { sources: { accept: [ecr] }, vex: { from: [ci] } }", true, false),
        ("vulnerabilities: { sources: { accept: [ecr] }, vex: { from: [file], authors: [a] } }", false, false),
        ("vulnerabilities: { sources: { accept: [registry] } }", true, true),
    ] {
        let needs = policy(rule).needs(&ask());
        assert_eq!((needs.signed_platforms, needs.attached), (signed, attached), "{rule}");
        assert!(!needs.signed_root, "{rule}");
    }
    // Where no signer is declared, nobody could be told from anybody.
    assert!(!set("rules: [{ id: r, sbom: { from: [registry] } }]").needs(&ask()).signed_platforms);
    // A report by a signer may answer in place of ECR.
    let required = |accept: &str| {
        policy(&format!("vulnerabilities: {{ sources: {{ accept: {accept} }} }}")).needs(&ask()).ecr_required
    };
    assert_eq!((required("[ecr]"), required("[ecr, ci]"), required("[ci]")), (true, false, false));
}

#[test]
fn s25_what_is_attached_and_was_not_seen_may_hold_the_finding_that_is_missing() {
    let rules = [
        "vulnerabilities: { max: { high: 0 }, sources: { accept: [ci] } }",
        "vulnerabilities: { max: { high: 0 }, sources: { accept: [file] }, vex: { from: [ci] } }",
        "sbom: { from: [ci] }",
        "measurements: { from: [ci], metric: m, max: 7 }",
    ];
    let with = |codes: &[ReasonCode]| {
        facts(|facts| {
            facts.root.reports = vec![clean(by("ci")), scan(vec![]).report(), file(Scanner::Trivy, vec![]).report()];
            facts.root.sboms = Signal::Present(seen(vec![seen(bill(facts.root.digest.clone()), by("ci"))], unsigned()));
            let ours = run(facts.root.digest.clone());
            facts.root.measurements = Signal::Present(seen(vec![seen(ours, by("ci"))], unsigned()));
            let attached = codes.iter().map(|code| unverified(*code)).collect();
            facts.root.signed = Signal::Present(seen(attached, unsigned()));
        })
    };
    for rule in rules {
        assert_eq!(judge(&policy(rule), &with(&[])).verdict, Verdict::Allow, "{rule}");
        for code in [ReasonCode::RegistryUnavailable, ReasonCode::RegistryNotFound, ReasonCode::RegistryTooLarge] {
            let judgement = judge(&policy(rule), &with(&[code]));
            assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, code.class().unwrap()), "{rule} {code}");
        }
        // What was read and is nobody's changes nothing, unless it may be by a signer whose key is away.
        assert_eq!(judge(&policy(rule), &with(&[ReasonCode::SignatureUnknownKey])).verdict, Verdict::Allow, "{rule}");
        let away = policy(&rule.replace("[ci]", "[ci, kms]"));
        let judgement = judge(&away, &with(&[ReasonCode::SignatureUnknownKey]));
        assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::TrustUnavailable), "{rule}");
    }
}

/// A referrer list that could not be had may hold the opposite of what another source says.
#[test]
fn s25_what_is_attached_and_could_not_be_listed_keeps_a_rule_with_signers_open() {
    let away = Reason::new(ReasonCode::RegistryUnavailable, "500");
    let mut facts =
        facts(|facts| facts.root.reports = vec![scan(vec![]).report(), file(Scanner::Trivy, vec![]).report()]);
    for listed in [true, false] {
        for (accept, signed) in [("[ecr, ci]", true), ("[file, ci]", true), ("[ecr]", false)] {
            let rule = format!("vulnerabilities: {{ max: {{ high: 0 }}, sources: {{ accept: {accept} }} }}");
            let judgement = judge(&policy(&rule), &facts);
            let expected = if listed || !signed { Verdict::Allow } else { Verdict::Deny };
            assert_eq!(judgement.verdict, expected, "{accept} {listed}");
        }
        facts.root.signed = Signal::Unavailable { why: away.clone(), last: None };
    }
}
