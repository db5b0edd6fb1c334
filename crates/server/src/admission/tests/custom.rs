//! Kinds that are configured.

use super::*;

#[test]
fn d1_kinds_of_others_are_configured_by_json_path() {
    let kind = |kind: &str| GroupKind { group: "house.example".to_owned(), kind: kind.to_owned() };
    let kinds = Kinds::with(vec![
        CustomKind {
            kind: kind("Rollout"),
            paths: Paths::PodSpec(vec!["/spec/template/spec".to_owned()]),
            optional: false,
        },
        CustomKind {
            kind: kind("Function"),
            paths: Paths::Images(vec!["/spec/image".to_owned(), "/spec/steps/*/image".to_owned()]),
            optional: false,
        },
    ])
    .unwrap();
    let of = |name: &str, object: Value| found(&review("house.example", name, "CREATE", &object, &Value::Null), &kinds);
    let rollout = of("Rollout", json!({ "spec": { "template": { "spec": pod(&["a:1"]) } } })).unwrap();
    assert_eq!(rollout[0].0, "spec.template.spec.containers[0].image");
    let function =
        of("Function", json!({ "spec": { "image": "a:1", "steps": [{ "image": "b:1" }, { "image": "c:1" }] } }))
            .unwrap();
    let fields: Vec<&str> = function.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["spec.image", "spec.steps[0].image", "spec.steps[1].image"]);
    for (name, object) in [
        ("Function", json!({ "spec": {} })),
        ("Function", json!({ "spec": { "image": 7 } })),
        ("Rollout", json!({ "spec": { "template": {} } })),
        ("Other", json!({ "spec": { "image": "a" } })),
    ] {
        assert!(of(name, object.clone()).is_err(), "{name} {object}");
    }
    let twice = review("house.example", "Function", "CREATE", &json!(0), &Value::Null).to_string();
    let twice = twice.replace("\"object\":0", r#""object":{"spec":{"image":"good:1","image":"bad:1"}}"#);
    let read = parse(twice.as_bytes()).unwrap();
    assert!(images(&read, &kinds).unwrap_err().to_string().contains("said twice"));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = review("house.example", "Function", "CREATE", &json!(0), &Value::Null).to_string();
    let nested = nested.replace("\"object\":0", &format!(r#""object":{{"spec":{{"image":"a:1"}},"x":{deep}}}"#));
    let read = images(&parse(nested.as_bytes()).unwrap(), &kinds);
    assert!(matches!(read, Ok(Images::Some(uses)) if uses.len() == 1), "it is passed over");
    for (name, object, why) in [
        (
            "Function",
            json!({ "spec": { "image": "a:1", "steps": [{ "image": "b" }, { "image": 7 }] } }),
            "/spec/steps/1/image",
        ),
        ("Function", json!({ "spec": { "image": null } }), "/spec/image"),
        (
            "Rollout",
            json!({ "spec": { "template": { "spec": { "containers": [{}] } } } }),
            "/spec/template/spec/containers/0/image",
        ),
        ("Function", json!({ "spec": { "steps": vec![json!({ "image": "a" }); 1001] } }), "more than 1000 images"),
    ] {
        let wrong = of(name, object).unwrap_err();
        assert!(wrong.contains(why), "{why}: {wrong}");
    }
    let built_in = CustomKind {
        kind: GroupKind { group: "apps".to_owned(), kind: "Deployment".to_owned() },
        paths: Paths::Images(vec!["/x".to_owned()]),
        optional: false,
    };
    assert!(Kinds::with(vec![built_in]).is_err());
}

#[test]
fn a5_an_object_without_images_is_denied_unless_its_kind_may_hold_none() {
    let kinds = |optional: bool| {
        let one = |kind: &str, paths| {
            let kind = GroupKind { group: "house.example".to_owned(), kind: kind.to_owned() };
            CustomKind { kind, paths, optional }
        };
        let images = ["/spec/image", "/spec/steps/*/image", "/spec/first/0/image"].map(str::to_owned).to_vec();
        let spec = vec!["/spec/template/spec".to_owned()];
        Kinds::with(vec![one("Rollout", Paths::PodSpec(spec)), one("Function", Paths::Images(images))]).unwrap()
    };
    let of = |name: &str, operation: &str, object: &Value, old: &Value, optional: bool| {
        found(&review("house.example", name, operation, object, old), &kinds(optional))
    };
    let nothing = [("none".to_owned(), "nothing stands where objects of this kind may hold images".to_owned())];
    for (name, object) in [
        ("Rollout", json!({ "spec": { "workloadRef": { "kind": "Deployment", "name": "web" } } })),
        ("Rollout", json!({ "spec": { "template": null } })),
        ("Rollout", json!({ "spec": { "template": {} } })),
        ("Rollout", json!({})),
        ("Function", json!({ "spec": { "image": null, "steps": [], "first": [] } })),
        ("Function", json!({ "spec": { "steps": [{ "name": "a" }, {}] } })),
    ] {
        for operation in ["CREATE", "UPDATE"] {
            assert_eq!(of(name, operation, &object, &json!({}), true).as_deref(), Ok(nothing.as_slice()), "{object}");
        }
        let why = of(name, "CREATE", &object, &Value::Null, false).unwrap_err();
        assert!(why.contains(" is missing") && why.contains("`optional: true`"), "{why}");
    }
    for (name, object) in [
        ("Rollout", json!({ "spec": { "template": "web" } })),
        ("Rollout", json!({ "spec": { "template": [] } })),
        ("Rollout", json!({ "spec": { "template": { "spec": {} } } })),
        ("Rollout", json!({ "spec": { "template": { "spec": { "containers": [] } } } })),
        ("Rollout", json!({ "spec": 1 })),
        ("Rollout", json!([])),
        ("Function", json!({ "spec": { "image": 7 } })),
        ("Function", json!({ "spec": { "image": "" } })),
        ("Function", json!({ "spec": { "steps": { "image": "a:1" } } })),
        ("Function", json!({ "spec": { "steps": ["a:1"] } })),
        ("Function", json!({ "spec": { "first": "a:1" } })),
        // What is there besides is no excuse.
        ("Function", json!({ "spec": { "image": "a:1", "steps": true } })),
    ] {
        for optional in [true, false] {
            let said = of(name, "CREATE", &object, &Value::Null, optional);
            assert!(said.is_err(), "{optional} {object}: {said:?}");
        }
    }
    // What had no images gets some: all of them are new.
    let after = json!({ "spec": { "template": { "spec": pod(&["a:1"]) } } });
    let new = of("Rollout", "UPDATE", &after, &json!({ "spec": { "workloadRef": {} } }), true).unwrap();
    assert_eq!(new, [("spec.template.spec.containers[0].image".to_owned(), "a:1".to_owned())]);
}
