//! Kinds that are configured.

use super::*;

#[test]
fn d1_kinds_of_others_are_configured_by_json_path() {
    let kind = |kind: &str| GroupKind { group: "house.example".to_owned(), kind: kind.to_owned() };
    let kinds = Kinds::with(vec![
        CustomKind { kind: kind("Rollout"), paths: Paths::PodSpec(vec!["/spec/template/spec".to_owned()]) },
        CustomKind {
            kind: kind("Function"),
            paths: Paths::Images(vec!["/spec/image".to_owned(), "/spec/steps/*/image".to_owned()]),
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
    };
    assert!(Kinds::with(vec![built_in]).is_err());
}
