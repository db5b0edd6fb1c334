//! Reviews of Kubernetes admission: read, searched for images, and answered.
#![no_main]

use server::admission::{
    Cause, Class, Images, LARGEST, Operation, Outcome, Refusal, Review, images, parse, respond, respond_to_error,
};
use fuzz::review::{KINDS, answer, images_of, may_hold_none};
use fuzz::whole_or_nothing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| parse(bytes).map(|review| format!("{review:?}")));
    match parse(data) {
        Err(error) => {
            if let Some(uid) = &error.uid {
                let said = answer(&respond_to_error(uid, &error.what));
                assert!(said["uid"] == uid.as_str() && said["allowed"] == false, "{said}");
            }
        }
        Ok(review) => {
            assert!(data.len() <= LARGEST && (1..=128).contains(&review.uid.len()));
            answered(&review, data);
        }
    }
});

/// An object that has images is never let through as if it had none; and the answer is about this request.
fn answered(review: &Review<'_>, data: &[u8]) {
    let found = images(review, &KINDS);
    let names: Vec<&str> = match &found {
        Ok(Images::Some(uses)) => uses.iter().map(|one| one.image.as_str()).collect(),
        _ => Vec::new(),
    };
    let starts = matches!(review.operation, Operation::Create | Operation::Update)
        && !review.sub_resource.as_deref().is_some_and(|name| ["scale", "status", "binding", "eviction"].contains(&name));
    if starts && found.is_ok() {
        let there = images_of(data, "object");
        let before = if review.operation == Operation::Update { images_of(data, "oldObject") } else { Vec::new() };
        for image in there {
            let is_seen = names.contains(&image.as_str()) || before.contains(&image);
            assert!(is_seen, "{image:?} would start unseen: {found:?}");
        }
        let none = matches!(&found, Ok(Images::None(_)));
        let is_changed = review.operation == Operation::Update;
        assert!(!none || is_changed || may_hold_none(data), "something is made, and has no images");
        assert!(none || !names.is_empty(), "no images, and no word why");
    }
    for allowed in [true, false] {
        let mut outcome = match &found {
            Ok(Images::None(why)) => Outcome::not_asked(why),
            Ok(Images::Some(uses)) => Outcome { images: uses.len(), ..Outcome::default() },
            Err(unread) => {
                Outcome::refused(Refusal::of_object(Class::Request, "request.invalid", &unread.to_string(), "Correct it."))
            }
        };
        if let Ok(Images::Some(uses)) = &found {
            outcome.warnings = names.iter().map(|name| format!("ecr-gate: {name} {}", review.workload())).collect();
            outcome.patch = uses.iter().map(|one| serde_json::json!({ "path": one.pointer, "value": one.image })).collect();
            let refused = uses.iter().filter(|_| !allowed);
            outcome.refusals = refused
                .map(|one| Refusal {
                    class: Class::Policy,
                    field: one.field(),
                    causes: vec![Cause { reason: "denied".to_owned(), message: one.image.clone() }],
                    text: format!("[policy] {}: {}", one.container, one.image),
                    decision: None,
                })
                .collect();
        }
        let said = answer(&respond(review, &outcome));
        assert_eq!(said["uid"], review.uid.as_str(), "the answer to another request");
        assert_eq!(said["allowed"], outcome.refusals.is_empty());
        assert!(said["patch"].is_null() || said["allowed"] == true, "what is denied is not changed");
    }
    assert!(review.break_glass().is_none_or(|asked| asked.reason.len() <= 4096 && starts));
}
