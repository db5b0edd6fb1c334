//! What the webhooks would say of an object, for whoever asks without a cluster (`ecr-gate kubernetes simulate`): the same functions, with a review made of the
//! object, and decisions that somebody else brings.

use engine::{AskError, Record};
use model::Verdict;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::images::ImageUse;
use super::kinds::{GroupKind, Kinds};
use super::refusal::{Class, Refusal};
use super::respond::Outcome;
use super::review::{Review, VERSION};
use super::settings::AdmissionSettings;

impl Kinds {
    /// Whether webhooks are registered for objects of this kind: those that hold pods, and those that are configured.
    pub fn know(&self, kind: &GroupKind) -> bool {
        self.place(kind).is_some()
    }
}

impl AdmissionSettings {
    /// What is settled about an image before the gate is asked: the gate's own image may start, and a tag that stays one may not (S38). `None`: ask.
    pub fn settled(&self, review: &Review<'_>, image: &ImageUse, environment: &str) -> Option<Result<(), Refusal>> {
        if self.own.as_ref().is_some_and(|own| own.hold(&review.namespace, image)) {
            return Some(Ok(()));
        }
        let stays = image.reference.digest.is_none() && !self.tags.may_name_tags(review);
        stays.then(|| Err(Refusal::by_tag(image, environment, self.tags.fixes(review))))
    }

    /// The same of an object as it is written, which the mutating webhook has not seen yet: a tag that becomes a digest there is asked about.
    pub fn settled_as_written(
        &self,
        review: &Review<'_>,
        image: &ImageUse,
        environment: &str,
    ) -> Option<Result<(), Refusal>> {
        let settled = self.settled(review, image, environment);
        settled.filter(|settled| settled.is_ok() || !self.fixes(review))
    }

    /// Whether mutation puts digests in the place of tags in this object, before it is validated.
    pub fn fixes(&self, review: &Review<'_>) -> bool {
        self.tags.fixes(review)
    }
}

/// The review that an API server would send where this object is made, as a trial (S15).
pub fn review_of(uid: &str, kind: &GroupKind, namespace: &str, object: &RawValue) -> Vec<u8> {
    let request = json!({
        "uid": uid,
        "kind": { "group": kind.group, "kind": kind.kind },
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {},
        "object": object,
        "dryRun": true,
    });
    json!({ "apiVersion": VERSION, "kind": "AdmissionReview", "request": request }).to_string().into_bytes()
}

/// An object that cannot be understood is refused as a whole.
pub fn not_understood(what: &str) -> Refusal {
    let remedy = "Correct the object; kinds that the gate does not know are configured in `admission.kinds`.";
    Refusal::of_object(Class::Request, "request.invalid", what, remedy)
}

impl Outcome {
    /// Adds what a decision says about an image. An override lets it in although it is denied (S31).
    pub fn decided(&mut self, image: &ImageUse, record: Record, is_overridden: bool) {
        let id = record.id.clone();
        let said = id.as_deref().map_or_else(String::new, |id| format!("; decision {id}"));
        let container = &image.container;
        match record.verdict {
            Verdict::Allow => {}
            Verdict::Warn => self.warnings.push(warned(container, Some(&record), id.as_deref().unwrap_or("-"))),
            _ if is_overridden => self
                .warnings
                .push(format!("ecr-gate: {container} is not allowed and runs all the same (overridden){said}")),
            Verdict::Pending => self.refusals.push(Refusal::judged(image, record, Class::Pending, id)),
            Verdict::Deny => self.refusals.push(Refusal::judged(image, record, Class::Policy, id)),
        }
    }

    /// Adds that there is no decision about an image.
    pub fn undecided(&mut self, image: &ImageUse, environment: &str, error: &AskError) {
        self.refusals.push(Refusal::of_error(image, environment, error));
    }
}

/// What a soft-fail says.
pub(super) fn warned(container: &str, record: Option<&Record>, id: &str) -> String {
    let reason = record.and_then(|record| record.reasons.first());
    let said =
        reason.map_or_else(|| format!("decision {id}"), |one| format!("{}: {}", one.reason.code, one.reason.message));
    format!("ecr-gate: {container}: {said}")
}

/// Whether a value seems to hold a pod's containers: what is not asked about and makes pods is asked about when those start.
pub fn seems_to_hold_containers(value: &Value, depth: usize) -> bool {
    let is_container = |one: &Value| one.get("image").is_some_and(Value::is_string);
    match value {
        _ if depth == 0 => false,
        Value::Object(object) => object.iter().any(|(key, value)| {
            (key == "containers" && value.as_array().is_some_and(|list| list.iter().any(is_container)))
                || seems_to_hold_containers(value, depth - 1)
        }),
        Value::Array(list) => list.iter().any(|value| seems_to_hold_containers(value, depth - 1)),
        _ => false,
    }
}
