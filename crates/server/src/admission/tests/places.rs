//! At which place an image was before.

use super::*;

#[test]
fn d2_an_image_was_there_before_at_its_place_alone() {
    let object = |containers: Value, first: Value| {
        json!({ "spec": { "template": { "spec": {
        "containers": containers, "initContainers": first, "volumes": [{ "name": "m", "image": { "reference": "m:1" } }] } } } })
    };
    let one = |name: &str, image: &str| json!({ "name": name, "image": image });
    let before = object(json!([one("web", "a:1"), one("side", "b:1")]), json!([one("first", "c:1")]));
    let fields = |containers: Value, first: Value| {
        let update = review("apps", "Deployment", "UPDATE", &object(containers, first), &before);
        let at = |(field, _): (String, String)| field.trim_start_matches("spec.template.spec.").to_owned();
        super::one(&update).unwrap().into_iter().map(at).collect::<Vec<_>>()
    };
    let first = json!([one("first", "c:1")]);
    assert_eq!(fields(json!([one("side", "b:1"), one("web", "a:1")]), first.clone()), ["none"]);
    assert_eq!(fields(json!([one("side", "b:1")]), json!([])), ["none"]);
    // The image of one container, in another one, in a new one, and in another list.
    assert_eq!(fields(json!([one("web", "a:1"), one("side", "a:1")]), first.clone()), ["containers[1].image"]);
    let more = json!([one("web", "a:1"), one("side", "b:1"), one("new", "a:1")]);
    assert_eq!(fields(more, first), ["containers[2].image"]);
    let moved = json!([one("first", "c:1"), one("web", "a:1")]);
    assert_eq!(fields(json!([one("side", "b:1")]), moved), ["initContainers[1].image"]);
    assert_eq!(fields(json!([one("web", "m:1")]), json!([])), ["containers[0].image"]);
}

#[test]
fn d2_what_is_in_no_list_is_where_it_is() {
    let paths = ["/spec/driver/image", "/spec/executor/image"].map(str::to_owned).to_vec();
    let kind = GroupKind { group: "house.example".to_owned(), kind: "Application".to_owned() };
    let kinds = Kinds::with(vec![CustomKind { kind, paths: Paths::Images(paths), optional: false }]).unwrap();
    let object = |driver: &str, executor: &str| json!({ "spec": { "driver": { "image": driver }, "executor": { "image": executor } } });
    let update = review("house.example", "Application", "UPDATE", &object("a:1", "a:1"), &object("a:1", "b:1"));
    assert_eq!(found(&update, &kinds).unwrap(), [("spec.executor.image".to_owned(), "a:1".to_owned())]);
}
