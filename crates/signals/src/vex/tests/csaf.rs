//! CSAF 2.0.

use super::*;

pub(super) fn text() -> String {
    let hex = hex();
    format!(
        r#"{{"document":{{"category":"csaf_vex","csaf_version":"2.0","publisher":{{"category":"vendor","name":"Example Company","namespace":"https://example.com"}},
          "title":"t","tracking":{{"id":"2026-1","current_release_date":"2026-01-01T00:00:00.000Z","status":"final","version":"1"}}}},
        "product_tree":{{
          "branches":[{{"category":"vendor","name":"Example","branches":[
            {{"category":"product_version","name":"1","product":{{"product_id":"lib","name":"Lib 1","product_identification_helper":{{"purl":"pkg:npm/lib@1"}}}}}},
            {{"category":"product_version","name":"2","product":{{"product_id":"named","name":"Lib by name"}}}}]}}],
          "full_product_names":[{{"product_id":"image","name":"Image","product_identification_helper":{{
            "hashes":[{{"filename":"manifest","file_hashes":[{{"algorithm":"sha256","value":"{hex}"}}]}}]}}}}],
          "relationships":[
            {{"category":"default_component_of","product_reference":"lib","relates_to_product_reference":"image",
              "full_product_name":{{"product_id":"lib-in-image","name":"Lib in image"}}}},
            {{"category":"default_component_of","product_reference":"named","relates_to_product_reference":"image",
              "full_product_name":{{"product_id":"named-in-image","name":"Lib in image"}}}},
            {{"category":"installed_on","product_reference":"lib","relates_to_product_reference":"named",
              "full_product_name":{{"product_id":"lib-on-named","name":"Lib on something"}}}}],
          "product_groups":[{{"group_id":"all","product_ids":["lib","image"]}}]}},
        "vulnerabilities":[
          {{"cve":"CVE-2024-0001","ids":[{{"system_name":"GitHub","text":"GHSA-aaaa-bbbb-cccc"}}],
            "product_status":{{"known_not_affected":["lib","named"],"known_affected":["image"],"fixed":["lib-in-image"],
              "under_investigation":["named-in-image"],"first_fixed":["lib-on-named"],"recommended":["lib"]}},
            "flags":[{{"label":"component_not_present","group_ids":["all"]}},{{"label":"vulnerable_code_not_present"}}],
            "threats":[{{"category":"exploit_status","details":"none","product_ids":["named"]}},
              {{"category":"impact","details":"was removed","product_ids":["named"]}}]}}]}}"#
    )
}

fn said(status: VexStatus) -> Vec<model::VexStatement> {
    read(&text()).unwrap().statements.into_iter().filter(|statement| statement.status == status).collect()
}

#[test]
fn b19_csaf_is_read() {
    let document = read(&text()).unwrap();
    assert_eq!(
        (document.format.as_str(), document.author.as_str(), document.id.as_deref()),
        ("csaf", "Example Company", Some("2026-1"))
    );
    assert_eq!(document.statements.len(), 6, "recommended says nothing about the vulnerability");
    assert!(document.statements.iter().all(|statement| statement.at.unwrap().to_string() == "2026-01-01T00:00:00Z"));
    let names: Vec<&str> = document.statements[0].vulnerabilities.iter().map(model::VulnerabilityId::as_str).collect();
    assert_eq!(names, ["CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"]);
    let clear = said(VexStatus::NotAffected);
    assert_eq!(clear[0].products, [product(&[], Some("pkg:npm/lib@1"), &[])]);
    assert_eq!(clear[0].justification.as_deref(), Some("component_not_present"), "by its group");
    assert_eq!(clear[1].products, [product(&[], None, &[])], "a name alone is not exact");
    assert_eq!((clear[1].justification.as_deref(), clear[1].note.as_deref()), (None, Some("was removed")));
    assert_eq!(said(VexStatus::Affected)[0].products, [product(&[digest()], None, &[])]);
}

#[test]
fn s24_a_part_of_a_product_is_that_part_in_that_product() {
    let fixed = said(VexStatus::Fixed);
    let on_named = fixed[0].products[0].clone();
    assert_eq!(on_named, product(&[], None, &["pkg:npm/lib@1"]), "on something that is named by nothing exact");
    assert_eq!(fixed[1].products, [product(&[digest()], None, &["pkg:npm/lib@1"])]);
    let unknown = said(VexStatus::UnderInvestigation);
    assert_eq!(unknown[0].products, [product(&[digest()], None, &["Lib by name"])], "still a part");
}

#[test]
fn b19_csaf_that_is_not_understood_is_refused_and_named() {
    for (from, to, why) in [
        ("csaf_vex", "csaf_security_advisory", "csaf_security_advisory"),
        ("\"csaf_version\":\"2.0\"", "\"csaf_version\":\"2.1\"", "2.1"),
        ("\"csaf_version\":\"2.0\",", "", "csaf_version"),
        ("\"vulnerabilities\":[", "\"vulnerabilities\":null,\"x\":[", "null"),
        ("\"vulnerabilities\":[", "\"vulnerability\":[", "vulnerabilities"),
        ("\"known_affected\"", "\"knownAffected\"", "unknown field"),
        ("\"known_affected\":[\"image\"]", "\"known_affected\":null", "null"),
        ("\"known_affected\":[\"image\"]", "\"known_affected\":[\"images\"]", "not in the product tree"),
        (
            "\"relates_to_product_reference\":\"image\"",
            "\"relates_to_product_reference\":\"x\"",
            "not in the product tree",
        ),
        ("\"product_id\":\"named\"", "\"product_id\":\"image\"", "twice"),
        ("\"group_id\":\"all\"", "\"group_id\":7", "invalid type"),
        ("\"relationships\":[", "\"relationships\":null,\"x\":[", "null"),
        ("\"component_not_present\"", "\"because\"", "vulnerabilities[0].flags"),
        (
            "\"cve\":\"CVE-2024-0001\",\"ids\":[{\"system_name\":\"GitHub\",\"text\":\"GHSA-aaaa-bbbb-cccc\"}],",
            "",
            "neither cve nor ids",
        ),
        ("2026-01-01T00:00:00.000Z", "now", "current_release_date"),
        ("\"name\":\"Example Company\"", "\"name\":null", "null"),
    ] {
        assert!(text().contains(from), "{from}");
        refused(&text().replacen(from, to, 1), why);
    }
}
