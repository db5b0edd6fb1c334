//! Reviews of admission as somebody else reads them: what an object would start, and what an answer may be.

use std::sync::LazyLock;

use server::admission::{CustomKind, GroupKind, Kinds, Paths};
use serde_json::Value;

/// The kinds of every cluster, and one that is configured, of which an object may hold no images.
pub static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let kind = GroupKind { group: "argoproj.io".to_owned(), kind: "Rollout".to_owned() };
    let paths = Paths::PodSpec(vec!["/spec/template/spec".to_owned()]);
    Kinds::with(vec![CustomKind { kind, paths, optional: true }]).unwrap_or_else(|error| panic!("{error}"))
});

/// The largest answer: no request, whatever is in it, has a larger one.
const LARGEST: usize = 256 << 10;
const POINTERS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];

/// The images that an object of the request names where its kind has them.
pub fn images_of(review: &[u8], object: &str) -> Vec<String> {
    let Ok(review) = serde_json::from_slice::<Value>(review) else { return Vec::new() };
    let request = &review["request"];
    let pointer = match request["kind"]["kind"].as_str() {
        Some("Pod") => POINTERS[0],
        Some("CronJob") => POINTERS[2],
        _ => POINTERS[1],
    };
    let Some(spec) = request[object].pointer(pointer) else { return Vec::new() };
    let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(|list| elements(&spec[list]));
    let named = containers.map(|one| &one["image"]);
    let mounted = elements(&spec["volumes"]).map(|one| &one["image"]["reference"]);
    named.chain(mounted).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the object of a request has nothing where its kind, which is configured, may hold images.
pub fn may_hold_none(review: &[u8]) -> bool {
    let Ok(review) = serde_json::from_slice::<Value>(review) else { return false };
    let request = &review["request"];
    request["kind"]["kind"] == "Rollout" && request["object"].pointer(POINTERS[1]).is_none_or(Value::is_null)
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What an API server reads of an answer.
///
/// # Panics
/// It is no answer, or longer than one may be.
pub fn answer(bytes: &[u8]) -> Value {
    assert!(bytes.len() <= LARGEST, "an answer of {} bytes", bytes.len());
    let review: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("the answer is no JSON: {error}"));
    assert!(review["apiVersion"] == "admission.k8s.io/v1" && review["kind"] == "AdmissionReview", "{review}");
    let response = &review["response"];
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    assert!(length(&response["status"]["message"]) <= 4 << 10, "a message that is cut off by nobody");
    assert!(elements(&response["status"]["details"]["causes"]).count() <= 50, "too many causes");
    assert!(elements(&response["warnings"]).count() <= 8, "too many warnings");
    assert!(elements(&response["warnings"]).all(|one| length(one) <= 256), "a warning that is cut off by API servers");
    response.clone()
}
