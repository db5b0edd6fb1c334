//! What a VEX statement is about (S24).

use jiff::Timestamp;

use super::*;
use crate::{Fix, Severity, VulnerabilityId};

const OPENSSL: &str = "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12";
const LIBSSL: &str = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12";

fn id(name: &str) -> VulnerabilityId {
    VulnerabilityId::new(name).unwrap()
}

fn finding(purls: &[&str]) -> Finding {
    let package = |purl: &&str| Package {
        name: "openssl".to_owned(),
        version: "3.0.11-1".to_owned(),
        fix: Fix::NotSaid,
        purl: Some((*purl).to_owned()).filter(|purl| !purl.is_empty()),
        layer: None,
    };
    Finding {
        aliases: vec![id("GHSA-aaaa-bbbb-cccc")],
        packages: purls.iter().map(package).collect(),
        ..Finding::new(id("CVE-2024-0001"), Severity::Critical)
    }
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn product(digests: &[Digest], purl: Option<&str>, subcomponents: &[&str]) -> VexProduct {
    VexProduct {
        digests: digests.to_vec(),
        purl: purl.map(str::to_owned),
        subcomponents: subcomponents.iter().map(|part| (*part).to_owned()).collect(),
    }
}

fn statement(status: VexStatus, second: Option<i64>, products: Vec<VexProduct>) -> VexStatement {
    VexStatement {
        vulnerabilities: vec![id("cve-2024-0001")],
        products,
        status,
        justification: Some("component_not_present".to_owned()),
        note: None,
        at: second.map(|second| Timestamp::from_second(second).unwrap()),
    }
}

fn document(statements: Vec<VexStatement>) -> VexDocument {
    VexDocument { format: "openvex".to_owned(), id: None, author: "somebody".to_owned(), statements }
}

fn word(documents: &[VexDocument], finding: &Finding) -> Option<VexStatus> {
    last_word(documents, finding, &[digest("image"), digest("index")]).map(|word| word.statement.status)
}

#[test]
fn s24_a_digest_names_the_image() {
    let image = [digest("image"), digest("index")];
    let whole = product(&[digest("index")], None, &[]);
    assert!(applies(&whole, &finding(&[OPENSSL, LIBSSL]), &image));
    assert!(applies(&whole, &finding(&[""]), &image), "a scanner that names no package URL");
    assert!(applies(&whole, &finding(&[]), &image));
    assert!(!applies(&whole, &finding(&[OPENSSL]), &[digest("other")]));
    assert!(!applies(&whole, &finding(&[OPENSSL]), &[]));
    let by_purl = format!("pkg:oci/app@{}", digest("image").as_str().replace(':', "%3A"));
    assert!(applies(&product(&[], Some(&by_purl), &[]), &finding(&[OPENSSL]), &image));
    let by_tag = product(&[], Some("pkg:oci/app@1.0?repository_url=example.com/app"), &[]);
    assert!(!applies(&by_tag, &finding(&[OPENSSL]), &image));
}

#[test]
fn s24_parts_of_an_image_are_named_with_their_version() {
    let image = [digest("image")];
    let part = |parts: &[&str]| product(&[digest("image")], None, parts);
    assert!(applies(&part(&["pkg:deb/debian/openssl@3.0.11-1"]), &finding(&[OPENSSL]), &image));
    assert!(applies(&part(&[OPENSSL, LIBSSL]), &finding(&[OPENSSL, LIBSSL]), &image));
    for parts in [&["pkg:deb/debian/openssl"][..], &["pkg:deb/debian/openssl@3.0.12-1"], &["openssl"], &[""], &[LIBSSL]]
    {
        assert!(!applies(&part(parts), &finding(&[OPENSSL]), &image), "{parts:?}");
    }
    assert!(!applies(&part(&[OPENSSL]), &finding(&[OPENSSL, LIBSSL]), &image), "the other package is not covered");
    assert!(!applies(&part(&[OPENSSL]), &finding(&[""]), &image), "the scanner does not say which package");
    assert!(!applies(&part(&[OPENSSL]), &finding(&[]), &image), "the scanner names no package");
    let elsewhere = product(&[digest("other")], None, &[OPENSSL]);
    assert!(!applies(&elsewhere, &finding(&[OPENSSL]), &image), "the part of another image");
    let in_package = product(&[], Some(OPENSSL), &["pkg:generic/part@1"]);
    assert!(!applies(&in_package, &finding(&[OPENSSL]), &image), "about a part, not about the package");
}

#[test]
fn s24_a_package_is_named_by_its_versioned_purl() {
    let by = |purl: &str| product(&[], Some(purl), &[]);
    assert!(applies(&by("pkg:deb/debian/openssl@3.0.11-1?arch=amd64"), &finding(&[OPENSSL]), &[]));
    assert!(applies(&by("pkg:deb/debian/openssl@3.0.11-1"), &finding(&[OPENSSL]), &[]));
    for purl in [
        "pkg:deb/debian/openssl",
        "pkg:deb/debian/openssl@3.0.11-1?arch=arm64",
        "pkg:deb/debian/openssl@3.0.11-1?vcs_url=x",
        "pkg:deb/ubuntu/openssl@3.0.11-1",
        "pkg:deb/debian/openssl@3.0.11",
        "openssl",
    ] {
        assert!(!applies(&by(purl), &finding(&[OPENSSL]), &[]), "{purl}");
    }
    assert!(!applies(&product(&[], None, &[]), &finding(&[OPENSSL]), &[digest("image")]), "named by nothing");
    assert!(!applies(&by(OPENSSL), &finding(&[]), &[]));
}

#[test]
fn s24_the_last_statement_wins_across_documents() {
    let whole = || vec![product(&[digest("image")], None, &[])];
    let not_affected = |at| statement(VexStatus::NotAffected, at, whole());
    let affected = |at| statement(VexStatus::Affected, at, whole());
    let found = finding(&[OPENSSL]);
    assert_eq!(word(&[], &found), None);
    assert_eq!(word(&[document(vec![not_affected(Some(1))])], &found), Some(VexStatus::NotAffected));
    let old = document(vec![not_affected(Some(1)), affected(Some(2))]);
    let new = document(vec![not_affected(Some(3))]);
    assert_eq!(word(&[old.clone(), new.clone()], &found), Some(VexStatus::NotAffected));
    assert_eq!(word(&[new, old.clone()], &found), Some(VexStatus::NotAffected));
    assert_eq!(word(&[document(vec![not_affected(None)]), old], &found), Some(VexStatus::Affected));
    for statements in [vec![not_affected(Some(1)), affected(Some(1))], vec![affected(None), not_affected(None)]] {
        assert_eq!(word(&[document(statements)], &found), Some(VexStatus::Affected), "said at once: the harder counts");
    }
    let other = VexStatement { vulnerabilities: vec![id("CVE-2024-0002")], ..not_affected(Some(9)) };
    assert_eq!(word(&[document(vec![other])], &found), None);
}

#[test]
fn s24_a_finding_in_two_packages_needs_a_word_about_both() {
    let about = |status, at, purl: &str| statement(status, Some(at), vec![product(&[], Some(purl), &[])]);
    let both = finding(&[OPENSSL, LIBSSL]);
    let one = document(vec![about(VexStatus::NotAffected, 1, OPENSSL)]);
    assert_eq!(word(std::slice::from_ref(&one), &both), None);
    assert_eq!(word(&[one.clone(), document(vec![about(VexStatus::Fixed, 2, LIBSSL)])], &both), Some(VexStatus::Fixed));
    let investigated = document(vec![about(VexStatus::UnderInvestigation, 0, LIBSSL)]);
    assert_eq!(word(&[one.clone(), investigated], &both), Some(VexStatus::UnderInvestigation));
    let unjustified = VexStatement { justification: None, ..about(VexStatus::NotAffected, 0, LIBSSL) };
    let documents = [one, document(vec![unjustified])];
    let said = last_word(&documents, &both, &[]).unwrap().statement;
    assert_eq!((said.status, said.softens()), (VexStatus::NotAffected, false), "one of the two is not justified");
    let products = vec![product(&[], Some(OPENSSL), &[]), product(&[], Some(LIBSSL), &[])];
    let together = document(vec![statement(VexStatus::NotAffected, None, products)]);
    assert_eq!(word(&[together], &both), Some(VexStatus::NotAffected));
}

#[test]
fn s24_a_warning_need_not_be_exact() {
    let found = finding(&[OPENSSL]);
    let cleared = document(vec![statement(VexStatus::NotAffected, Some(1), vec![product(&[], Some(OPENSSL), &[])])]);
    for (purl, parts) in [
        (Some("pkg:deb/debian/openssl"), &[][..]),
        (Some("pkg:deb/debian/openssl@3.0.11-1?distro=debian-11"), &[]),
        (Some("pkg:generic/some-product"), &["pkg:deb/debian/openssl"]),
    ] {
        let warned = document(vec![statement(VexStatus::Affected, Some(2), vec![product(&[], purl, parts)])]);
        assert_eq!(word(&[cleared.clone(), warned], &found), Some(VexStatus::Affected), "{purl:?}");
        let softer = document(vec![statement(VexStatus::NotAffected, Some(2), vec![product(&[], purl, parts)])]);
        assert_eq!(word(&[softer], &found), None, "{purl:?}");
    }
    let other = product(&[], Some("pkg:deb/debian/openssl@1.1"), &[]);
    let documents = [cleared, document(vec![statement(VexStatus::Affected, Some(2), vec![other])])];
    assert_eq!(word(&documents, &found), Some(VexStatus::NotAffected), "another version");
}

#[test]
fn s24_an_advisory_of_several_cves_is_softened_by_none_of_them_and_warned_of_by_each() {
    let mut found = finding(&[OPENSSL]);
    found.aliases.push(id("CVE-2024-0009"));
    found.id = id("DSA-1");
    found.aliases.push(id("CVE-2024-0001"));
    let whole = || vec![product(&[digest("image")], None, &[])];
    assert_eq!(word(&[document(vec![statement(VexStatus::Fixed, None, whole())])], &found), None);
    let warned = document(vec![statement(VexStatus::Affected, None, whole())]);
    assert_eq!(word(&[warned], &found), Some(VexStatus::Affected));
    let by_alias =
        VexStatement { vulnerabilities: vec![id("GHSA-AAAA-bbbb-cccc")], ..statement(VexStatus::Fixed, None, whole()) };
    assert_eq!(word(&[document(vec![by_alias])], &finding(&[OPENSSL])), Some(VexStatus::Fixed));
}

#[test]
fn s24_only_justified_or_fixed_softens() {
    let with = |status, why: Option<&str>| {
        VexStatement { justification: why.map(str::to_owned), ..statement(status, None, vec![]) }.softens()
    };
    assert!(with(VexStatus::NotAffected, Some("component_not_present")) && with(VexStatus::Fixed, None));
    assert!(!with(VexStatus::NotAffected, None) && !with(VexStatus::NotAffected, Some(" ")));
    assert!(!with(VexStatus::Affected, Some("x")) && !with(VexStatus::UnderInvestigation, Some("x")));
}
