//! Annotations of pods: digest, decision, commit and pipeline of what runs in them, so that what telemetry says about a pod can be joined with what was
//! decided about its images (D7).

use std::collections::BTreeMap;

use engine::words::line;
use serde_json::Value;

use super::patch;
use super::respond::cut;
use super::review::Review;

const DIGEST: &str = "ecr-gate.dev/digest";
const DECISION: &str = "ecr-gate.dev/decision";
const COMMIT: &str = "ecr-gate.dev/commit";
const PIPELINE: &str = "ecr-gate.dev/pipeline";
/// The longest value.
const LONGEST: usize = 16 << 10;
/// The longest part of one image in it.
const PART: usize = 256;

/// What is known about the image of one container.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) container: String,
    pub(super) digest: Option<String>,
    pub(super) decision: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) pipeline: Option<String>,
}

/// What has to change so that a pod's annotations say what is known, and nothing that somebody else wrote there.
pub(super) fn patch(review: &Review<'_>, known: &[Known]) -> Vec<Value> {
    let values = [
        (DIGEST, joined(known, |one| one.digest.as_deref())),
        (DECISION, joined(known, |one| one.decision.as_deref())),
        (COMMIT, joined(known, |one| one.commit.as_deref())),
        (PIPELINE, joined(known, |one| one.pipeline.as_deref())),
    ];
    let Some(there) = &review.metadata.annotations else {
        let all: BTreeMap<&str, String> =
            values.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
        if all.is_empty() {
            return Vec::new();
        }
        let all: Value = all.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
        return if review.metadata.is_there {
            vec![patch::add("/metadata/annotations", all)]
        } else {
            let metadata = [("annotations".to_owned(), all)].into_iter().collect::<Value>();
            vec![patch::add("/metadata", metadata)]
        };
    };
    let change = |(key, value): (&str, Option<String>)| {
        let pointer = format!("/metadata/annotations/{}", patch::escaped(key));
        match (value, there.0.get(key)) {
            (Some(value), before) => (before != Some(&value)).then(|| patch::add(&pointer, value)),
            (None, Some(_)) => Some(patch::remove(&pointer)),
            (None, None) => None,
        }
    };
    values.into_iter().filter_map(change).collect()
}

/// The value of the only image; of several, each behind the name of its container: `web=sha256:…,sidecar=sha256:…`.
fn joined(known: &[Known], of: impl Fn(&Known) -> Option<&str>) -> Option<String> {
    let plain = |text: &str| cut(&line(text, PART), PART);
    if let [one] = known {
        return of(one).map(plain);
    }
    let mut text = String::new();
    for one in known {
        let Some(value) = of(one) else { continue };
        let part = format!("{}={}", one.container, plain(value).replace([',', '='], "_"));
        if text.len() + part.len() + 1 > LONGEST {
            break;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&part);
    }
    (!text.is_empty()).then_some(text)
}
