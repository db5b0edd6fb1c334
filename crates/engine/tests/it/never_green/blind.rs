//! Gates that must fail the proof: the script people write by hand, and the real gate with one eye closed.

use std::borrow::Cow;

use model::Verdict;
use serde_json::{Value, json};
use testkit::fixtures::digest;

use super::gate::Gate;
use super::scene::{NOW, SCANNED, World};

/// A change that hides one thing from the gate.
pub(crate) type Blindfold = fn(&mut Value);

/// What a gate may fail to look at, and how it then sees every answer.
pub(crate) const BLINDFOLDS: &[(&str, Blindfold)] = &[
    ("ignores the status", |page| page["imageScanStatus"] = json!({ "status": "COMPLETE" })),
    ("ignores nextToken", |page| {
        fields(page).remove("nextToken");
    }),
    ("takes no list for an empty list", |page| {
        let findings = object(page, "imageScanFindings");
        if !findings["findings"].is_array() && !findings["enhancedFindings"].is_array() {
            findings["findings"] = json!([]);
        }
    }),
    ("takes no scan for a clean scan", |page| {
        if !page["imageScanFindings"].is_object() {
            page["imageScanFindings"] = json!({ "imageScanCompletedAt": SCANNED, "findings": [] });
        }
    }),
    ("ignores when the scan ended", |page| {
        if page["imageScanFindings"].is_object() {
            page["imageScanFindings"]["imageScanCompletedAt"] = json!(SCANNED);
        }
    }),
    ("ignores how old the data is", |page| {
        if page["imageScanFindings"].is_object() {
            page["imageScanFindings"]["vulnerabilitySourceUpdatedAt"] = json!(NOW - 3600);
        }
    }),
    ("ignores the counts", |page| {
        if let Some(findings) = page["imageScanFindings"].as_object_mut() {
            findings.remove("findingSeverityCounts");
        }
    }),
    ("looks at nothing but the counts", |page| {
        for list in ["findings", "enhancedFindings"] {
            if page["imageScanFindings"][list].is_array() {
                page["imageScanFindings"][list] = json!([]);
            }
        }
    }),
    ("takes an unknown severity for a low one", |page| {
        each_finding(page, |finding| {
            if !matches!(finding["severity"].as_str(), Some("CRITICAL" | "HIGH")) {
                finding["severity"] = json!("LOW");
            }
        });
    }),
    ("skips findings without a name", |page| {
        for list in ["findings", "enhancedFindings"] {
            if let Some(findings) = list_in(page, list) {
                findings.retain(|finding| {
                    finding["name"].is_string()
                        || finding["title"].is_string()
                        || finding["packageVulnerabilityDetails"]["vulnerabilityId"].is_string()
                });
            }
        }
    }),
    ("takes a count that is no number for zero", |page| {
        let counts = page.pointer_mut("/imageScanFindings/findingSeverityCounts");
        if let Some(counts) = counts.and_then(Value::as_object_mut) {
            counts.retain(|_, count| count.is_u64());
        }
    }),
    ("believes the first empty list of enhanced scanning", |page| {
        let Some(findings) = page["imageScanFindings"].as_object_mut() else { return };
        if findings.get("enhancedFindings").is_some_and(|list| *list == json!([])) {
            findings.remove("enhancedFindings");
            findings.insert("findings".to_owned(), json!([]));
            page["imageScanStatus"] = json!({ "status": "COMPLETE" });
        }
    }),
    ("ignores which image the answer is about", |page| {
        page["imageId"] = json!({ "imageDigest": digest(1) });
        fields(page).remove("repositoryName");
        fields(page).remove("registryId");
    }),
];

/// The real gate, seeing every answer like this.
pub(crate) fn blindfolded(gate: &Gate, blindfold: Blindfold, world: &mut World<'_>) -> Verdict {
    gate.judge_through(world, |body| seen(body, blindfold)).verdict
}

fn seen(body: &str, blindfold: Blindfold) -> Cow<'_, str> {
    match serde_json::from_str::<Value>(body) {
        Ok(mut page) if page.is_object() => {
            blindfold(&mut page);
            page.to_string().into()
        }
        _ => body.into(),
    }
}

/// The script people write by hand: `jq '.imageScanFindings.findingSeverityCounts.CRITICAL // 0'`, the same for HIGH,
/// errors to /dev/null, and an empty text compared with zero.
pub(crate) fn defaults_to_zero(world: &mut World<'_>) -> Verdict {
    while let Some(body) = world.look() {
        let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        if matches!(answer["imageScanStatus"]["status"].as_str(), Some("IN_PROGRESS" | "PENDING")) {
            continue;
        }
        let counts = &answer["imageScanFindings"]["findingSeverityCounts"];
        let count = |word: &str| counts[word].as_u64().unwrap_or(0);
        return if count("CRITICAL") + count("HIGH") == 0 { Verdict::Allow } else { Verdict::Deny };
    }
    Verdict::Pending
}

fn fields(page: &mut Value) -> &mut serde_json::Map<String, Value> {
    page.as_object_mut().unwrap()
}

/// The object in this field, made where there is none.
fn object<'a>(page: &'a mut Value, field: &str) -> &'a mut Value {
    if !page[field].is_object() {
        page[field] = json!({});
    }
    &mut page[field]
}

fn list_in<'a>(page: &'a mut Value, list: &str) -> Option<&'a mut Vec<Value>> {
    page.pointer_mut(&format!("/imageScanFindings/{list}"))?.as_array_mut()
}

fn each_finding(page: &mut Value, mut change: impl FnMut(&mut Value)) {
    for list in ["findings", "enhancedFindings"] {
        list_in(page, list).into_iter().flatten().filter(|finding| finding.is_object()).for_each(&mut change);
    }
}
