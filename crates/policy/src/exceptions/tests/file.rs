//! S29: what an exceptions file has to hold.

use super::{refused, refused_entry};
use crate::exceptions::{Exceptions, exceptions_schema};
use crate::scene::{exceptions, exceptions_text};

#[test]
fn s29_what_is_no_date_is_refused() {
    for expires in [
        "never",
        "\"\"",
        "2026-02-30",
        "2026-13-01",
        "2026-3-1",
        "31.12.2026",
        "20261231",
        "2026-12",
        "2026",
        "-1",
        "tomorrow",
        // Without a zone nobody knows when it ends; read as a day it would end later than written.
        "2026-12-31T12:00:00",
        "\"2026-12-31 12:00\"",
        "2026-12-31T12",
    ] {
        let error = refused_entry(&format!("id: e, cve: CVE-1, repository: r, expires: {expires}"));
        assert!(error.what.contains("is not a date"), "{expires}: {error}");
        assert_eq!(error.line, Some(4));
    }
}

#[test]
fn s29_no_id_is_there_twice() {
    let entry = "id: e, cve: CVE-1, repository: r, expires: 2026-03-20";
    assert!(refused(&exceptions_text(&[entry, entry])).what.contains("the id is there twice"));
    let mut exceptions = exceptions(&[entry]);
    let error = exceptions.add("p", "second.yaml", &exceptions_text(&[entry])).unwrap_err();
    assert!(error.to_string().starts_with("second.yaml:4:5: exception \"e\""), "{error}");
}

#[test]
fn s29_one_vulnerability_is_named_and_every_word_is_there() {
    for cve in ["*", "CVE-*", "CVE-2021-4422*"] {
        let error = refused_entry(&format!("id: e, cve: \"{cve}\", repository: r, expires: 2026-03-20"));
        assert!(error.what.contains("patterns are not possible"), "{error}");
    }
    for (key, entry) in [
        ("id", "id: \" \", cve: CVE-1, repository: r, expires: 2026-03-20"),
        ("cve", "id: e, cve: \"\", repository: r, expires: 2026-03-20"),
        ("rule", "id: e, rule: \"\", repository: r, expires: 2026-03-20"),
        ("repository", "id: e, cve: CVE-1, repository: \"\", expires: 2026-03-20"),
    ] {
        assert!(refused_entry(entry).what.contains(&format!("`{key}` is empty")), "{key}");
    }
    for key in ["reason", "owner"] {
        let entry = exceptions_text(&["id: e, cve: CVE-1, repository: r, expires: 2026-03-20"]);
        let blank = entry.replace("reason: not reachable", "reason: \"\"").replace("owner: ann", "owner: \" \"");
        assert!(refused(&blank).what.contains("is empty"));
        let without = entry.replace(if key == "reason" { "reason: not reachable," } else { "owner: ann," }, "");
        assert_eq!(refused(&without).what, format!("the key `{key}` is missing"));
    }
    for key in ["id: e, ", "repository: r, ", "expires: 2026-03-20"] {
        let without = "id: e, cve: CVE-1, repository: r, expires: 2026-03-20".replace(key, "");
        assert!(refused_entry(&without).what.contains("is missing"), "{key}");
    }
}

#[test]
fn s29_an_exception_is_for_one_vulnerability_or_one_rule() {
    for (entry, says) in [
        ("id: e, repository: r, expires: 2026-03-20", "neither `cve` nor `rule`"),
        ("id: e, cve: CVE-1, rule: r, repository: r, expires: 2026-03-20", "`cve` and `rule` at once"),
        ("id: e, rule: r, package: p, repository: r, expires: 2026-03-20", "`package` belongs to `cve`"),
        (
            "id: e, cve: CVE-1, unknown: [scanMissing], repository: r, expires: 2026-03-20",
            "`unknown` belongs to `rule`",
        ),
        ("id: e, rule: r, unknown: [], repository: r, expires: 2026-03-20", "`unknown` is empty"),
        ("id: e, rule: r, unknown: [scanMising], repository: r, expires: 2026-03-20", "scanMising"),
    ] {
        let error = refused_entry(entry);
        assert!(error.what.contains(says), "{entry}: {error}");
    }
}

#[test]
fn s29_a_key_without_a_value_does_not_widen_it() {
    for key in ["digest", "package", "environment", "ticket"] {
        for nothing in ["", "~", "null"] {
            let error = refused_entry(&format!(
                "id: e, cve: CVE-1, repository: team/app, {key}: {nothing}, expires: 2026-03-20"
            ));
            assert!(error.what.contains("without a value"), "{key}: {error}");
            assert_eq!(error.line, Some(4));
        }
    }
}

#[test]
fn s29_the_document_is_checked_like_a_policy() {
    let error = refused_entry("id: e, cve: CVE-1, repository: r, expires: 2026-03-20, pacakge: openssl");
    assert_eq!(
        (error.what.as_str(), error.hint.as_deref()),
        ("unknown key `pacakge`", Some("did you mean `package`?"))
    );
    assert!(error.line == Some(4) && error.column.is_some());
    let good = exceptions_text(&[]);
    assert!(refused(&good.replace("GateExceptions", "GatePolicy")).what.contains("unknown value `GatePolicy`"));
    assert!(refused(&good.replace("dev/v1", "dev/v2")).what.contains("unknown value"));
    assert!(refused(&good.replace("exceptions: []\n", "exceptions: []\nexceptions: []\n")).what.contains("duplicate"));
    assert!(refused("").line.is_some());
    assert!(refused_entry("id: e, cve: CVE-1, repository: \"[\", expires: 2026-03-20").what.contains("`repository`"));
    assert!(Exceptions::none().add("p", "e.yaml", &good).is_ok());
}

#[test]
fn s29_the_schema_allows_no_other_key_and_no_null() {
    let schema = exceptions_schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Entry"]["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Entry"]["properties"]["digest"]["type"], "string");
    assert_eq!(
        schema["$defs"]["Entry"]["required"],
        serde_json::json!(["id", "repository", "reason", "owner", "expires"])
    );
}

#[test]
fn s29_a_file_counts_only_for_the_policy_that_lists_it() {
    let mut listed_by_other = crate::Exceptions::none();
    let entries = exceptions_text(&["id: e, cve: CVE-2021-44228, repository: team/app, expires: 2099-01-01"]);
    listed_by_other.add("other", "exceptions.yaml", &entries).unwrap();
    let (set, ask) = (crate::scene::rule("{ max: { critical: 0 } }"), crate::scene::ask());
    let clock = model::Clock::at(crate::scene::now());
    let member = set.documents().next().unwrap();
    assert!(listed_by_other.about(member, &ask, &clock).iter().next().is_none());
    // The same entry may stand in the file of another policy.
    assert!(listed_by_other.add("p", "exceptions.yaml", &entries).is_ok());
}
