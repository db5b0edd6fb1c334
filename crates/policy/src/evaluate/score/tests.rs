//! The trust score: each part, and that nobody gives points whom the policies do not declare.

use std::collections::BTreeMap;

use model::{
    Attested, Digest, Facts, NonEmpty, Observed, Origin, Proof, Provenance, Sbom, ScanReport, Signal, SignedArtifact,
};

use crate::scene::{
    about, ask, ask_in, attached, by_key, by_pipeline, holding, hours, material, now, proven, scan, set, signature,
    signature_on, signed_rule, statement,
};
use crate::{PolicySet, TrustScore, trust_score};

const SLSA: &str = "https://slsa.dev/provenance/v1";

fn rules() -> PolicySet {
    signed_rule("signatures: {}")
}

fn score(facts: &Facts) -> TrustScore {
    trust_score(&rules(), &ask(), facts, now())
}

fn given(facts: &Facts) -> Vec<String> {
    score(facts).parts.into_iter().filter(|part| part.points > 0).map(|part| part.name.into_owned()).collect()
}

fn built(proof: Proof) -> SignedArtifact {
    let provenance = Provenance {
        predicate_type: SLSA.to_owned(),
        builder: "https://gitlab.com/runner".to_owned(),
        build_type: String::new(),
        source: None,
        workflow: None,
        parameters: BTreeMap::new(),
        materials: Vec::new(),
        invocation: None,
        finished: None,
    };
    SignedArtifact { provenance: Some(Ok(provenance)), ..statement(SLSA, "{}", proof) }
}

fn sboms(origins: Vec<Origin>) -> Signal<Vec<Observed<Sbom>>> {
    let document = |origin| Observed {
        value: Sbom {
            format: "spdx".to_owned(),
            version: String::new(),
            describes: Vec::new(),
            created: None,
            tools: Vec::new(),
            name: None,
            components: Vec::new(),
        },
        origin,
        at: now(),
        evidence: Digest::of(b"sbom"),
    };
    let value = origins.into_iter().map(document).collect();
    Signal::Present(Observed { value, origin: Origin::File(String::new()), at: now(), evidence: Digest::of(b"list") })
}

fn signed_by(proof: Proof) -> Origin {
    Origin::Attestation(Box::new(Attested { manifest: Digest::of(b"referrer"), proof }))
}

fn report() -> ScanReport {
    scan(Vec::new()).report()
}

#[test]
fn s43_the_weights_make_a_hundred_and_everything_gives_all_of_it() {
    assert_eq!(TrustScore::WEIGHTS.iter().map(|(_, weight)| u32::from(*weight)).sum::<u32>(), 100);
    let mut facts = attached(vec![signature(proven(by_key("a"), &[now() - hours(1)])), built(by_pipeline())]);
    facts.root.sboms = sboms(vec![signed_by(by_pipeline())]);
    facts.root.reports.push(report());
    let score = score(&facts);
    assert_eq!(score.score, 100, "{score:?}");
    let text = serde_json::to_value(&score).unwrap();
    assert_eq!(text["score"], 100);
    assert_eq!(text["parts"][0]["name"], "signature");
    assert_eq!((&text["parts"][0]["weight"], &text["parts"][0]["points"]), (&25.into(), &25.into()));
    assert_eq!(text["parts"][2]["why"], "ci says that https://gitlab.com/runner built it");
}

#[test]
fn s43_nothing_known_gives_nothing_and_says_why() {
    let nothing = score(&about(model::ManifestFacts::bare(Digest::of(b"image"), None)));
    assert_eq!(nothing.score, 0);
    assert_eq!(nothing.parts[0].why, "a signature was not asked for");
    assert_eq!(given(&attached(vec![])), [""; 0]);
}

#[test]
fn s43_each_part_gives_its_own_points() {
    assert_eq!(given(&attached(vec![signature(by_key("a"))])), ["signature"]);
    assert_eq!(given(&attached(vec![signature(by_pipeline())])), ["signature", "signingTime"]);
    let both = vec![signature(by_key("a")), signature(proven(by_key("b"), &[now()]))];
    assert_eq!(given(&attached(both)), ["signature", "signingTime"], "any of them may prove the time");
    assert_eq!(given(&attached(vec![built(by_pipeline())])), ["provenance"]);
    let mut facts = attached(vec![]);
    facts.root.sboms = sboms(vec![Origin::Registry("x".to_owned())]);
    assert_eq!(given(&facts), ["sbom"]);
    facts.root.sboms = sboms(vec![]);
    facts.root.reports.push(report());
    assert_eq!(given(&facts), ["completeScan"]);
    assert_eq!(score(&facts).score, 20);
}

#[test]
fn s43_only_declared_signers_give_points() {
    let stranger = || by_key("stranger");
    let mut facts = attached(vec![signature(stranger()), built(stranger())]);
    facts.root.sboms = sboms(vec![signed_by(stranger())]);
    assert_eq!(given(&facts), ["sbom"]);
    // A policy that does not match declares nobody.
    let facts = attached(vec![signature(by_key("a"))]);
    assert_eq!(trust_score(&rules(), &ask_in("elsewhere"), &facts, now()).score, 0);
    let revoked = set("signers: { a: { key: a.pub, revoked: true } }, rules: [{ id: r, signatures: {} }]");
    assert_eq!(trust_score(&revoked, &ask(), &facts, now()).score, 0);
    // Neither does a signature for another image, a failed one, or an unread provenance.
    let nothing = vec![signature_on("other", by_key("a")), statement(SLSA, "{}", by_pipeline())];
    assert_eq!(given(&attached(nothing)), [""; 0]);
    let vsa = "https://slsa.dev/verification_summary/v1";
    assert_eq!(given(&attached(vec![statement(vsa, "{}", by_key("a"))])), [""; 0]);
    let summary = SignedArtifact { provenance: built(by_key("a")).provenance, ..statement(vsa, "{}", by_key("a")) };
    assert_eq!(given(&attached(vec![summary])), [""; 0], "a verification summary is no provenance");
}

#[test]
fn s43_an_index_is_known_by_itself_or_by_every_platform() {
    let index = |root: Vec<SignedArtifact>, children: [bool; 2]| {
        let child = |(name, signed): (&str, bool)| {
            let artifacts = if signed { vec![signature_on(name, by_key("a"))] } else { Vec::new() };
            let mut manifest = holding(name, artifacts);
            if signed {
                manifest.reports.push(report());
            }
            (format!("linux/{name}").parse().unwrap(), manifest)
        };
        let children = ["amd64", "arm64"].into_iter().zip(children).map(child).collect();
        Facts { platforms: NonEmpty::new(children), trust: Some(material()), ..about(holding("image", root)) }
    };
    assert_eq!(given(&index(vec![signature(by_key("a"))], [false, false])), ["signature"]);
    assert_eq!(given(&index(vec![], [true, true])), ["signature", "completeScan"]);
    assert_eq!(given(&index(vec![], [true, false])), [""; 0]);
}
