//! Reviews read, their images found, and responses: without a gate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

mod bounds;
mod custom;
mod places;

const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn review(group: &str, kind: &str, operation: &str, object: &Value, old: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0c3331b6-1812-11ea-b3fc-02897404852e",
            "kind": { "group": group, "version": "v9", "kind": kind },
            "resource": { "group": group, "version": "v9", "resource": "things" },
            "namespace": "team-a-web",
            "name": "web",
            "operation": operation,
            "userInfo": { "username": "ada", "groups": ["oncall", "system:authenticated"] },
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": { "kind": "CreateOptions" },
            "unheardOf": [[[1]]],
        },
    })
}

fn pod(images: &[&str]) -> Value {
    let containers = images.iter().enumerate().map(|(at, image)| json!({ "name": format!("c{at}"), "image": image }));
    json!({ "containers": containers.collect::<Vec<_>>() })
}

fn found(review: &Value, kinds: &Kinds) -> Result<Vec<(String, String)>, String> {
    let bytes = review.to_string().into_bytes();
    let review = parse(&bytes).map_err(|error| error.what)?;
    match images(&review, kinds).map_err(|unread| unread.to_string())? {
        Images::None(why) => Ok(vec![("none".to_owned(), why.to_owned())]),
        Images::Some(uses) => Ok(uses.into_iter().map(|one| (one.field(), one.image)).collect()),
    }
}

fn one(review: &Value) -> Result<Vec<(String, String)>, String> {
    found(review, &Kinds::default())
}

#[test]
fn d1_every_kind_has_its_images_found_wherever_its_pods_are_described() {
    for (group, kind, object, at) in [
        ("", "Pod", json!({ "spec": pod(&["a/b:1"]) }), "spec"),
        ("apps", "Deployment", json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }), "spec.template.spec"),
        ("apps", "ReplicaSet", json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }), "spec.template.spec"),
        ("apps", "StatefulSet", json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }), "spec.template.spec"),
        ("apps", "DaemonSet", json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }), "spec.template.spec"),
        ("batch", "Job", json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }), "spec.template.spec"),
        (
            "",
            "ReplicationController",
            json!({ "spec": { "template": { "spec": pod(&["a/b:1"]) } } }),
            "spec.template.spec",
        ),
        (
            "batch",
            "CronJob",
            json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": pod(&["a/b:1"]) } } } } }),
            "spec.jobTemplate.spec.template.spec",
        ),
    ] {
        let expected = vec![(format!("{at}.containers[0].image"), "a/b:1".to_owned())];
        assert_eq!(one(&review(group, kind, "CREATE", &object, &Value::Null)), Ok(expected), "{kind}");
        // One level less, or another group: not understood, and never no images.
        for (group, object) in
            [(group, json!({ "spec": {} })), (group, json!({})), (group, Value::Null), ("other", object)]
        {
            let wrong = one(&review(group, kind, "CREATE", &object, &Value::Null));
            assert!(wrong.is_err(), "{group} {kind} {object}: {wrong:?}");
        }
    }
}

#[test]
fn d1_containers_of_every_sort_and_image_volumes_are_images() {
    let spec = json!({
        "containers": [{ "name": "web", "image": "r.example/a:1" }, { "name": "side", "image": "r.example/b:1" }],
        "initContainers": [{ "name": "first", "image": "r.example/c:1" }],
        "ephemeralContainers": [{ "name": "debug", "image": "r.example/d:1" }],
        "volumes": [
            { "name": "data", "emptyDir": {} },
            { "name": "model", "image": { "reference": "r.example/e:1", "pullPolicy": "IfNotPresent" } },
        ],
    });
    let fields: Vec<String> = one(&review("", "Pod", "CREATE", &json!({ "spec": spec }), &Value::Null))
        .unwrap()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(
        fields,
        [
            "spec.containers[0].image",
            "spec.containers[1].image",
            "spec.initContainers[0].image",
            "spec.ephemeralContainers[0].image",
            "spec.volumes[1].image.reference",
        ]
    );
    // Lists that are there and empty hold none.
    let spec = json!({ "containers": [{ "name": "web", "image": "a" }], "initContainers": null, "volumes": [] });
    assert_eq!(one(&review("", "Pod", "CREATE", &json!({ "spec": spec }), &Value::Null)).unwrap().len(), 1);
}

#[test]
fn what_is_not_understood_is_an_error_and_never_no_images() {
    let of = |spec: Value| one(&review("", "Pod", "CREATE", &json!({ "spec": spec }), &Value::Null));
    for spec in [
        json!({ "containers": [] }),
        json!({ "containers": null }),
        json!({ "initContainers": [{ "name": "a", "image": "a" }] }),
        json!({ "containers": [{ "name": "a" }] }),
        json!({ "containers": [{ "name": "a", "image": "" }] }),
        json!({ "containers": [{ "name": "a", "image": null }] }),
        json!({ "containers": [{ "name": "a", "image": 7 }] }),
        json!({ "containers": [{ "name": "a", "image": ["a"] }] }),
        json!({ "containers": [{ "name": "a", "image": "A B" }] }),
        json!({ "containers": [{ "name": "a", "image": "x@sha256:12" }] }),
        json!({ "containers": [{ "name": "a", "image": "x".repeat(2000) }] }),
        json!({ "containers": { "image": "a" } }),
        json!({ "containers": [{ "image": "a" }], "ephemeralContainers": "none" }),
        json!({ "containers": [{ "image": "a" }], "volumes": [{ "name": "m", "image": {} }] }),
        json!({ "containers": [{ "image": "a" }], "volumes": [{ "name": "m", "image": { "reference": "" } }] }),
        json!([]),
        json!("spec"),
        pod(&vec!["a/b:1"; 1001]),
    ] {
        let wrong = of(spec.clone());
        assert!(wrong.is_err(), "{spec}: {wrong:?}");
    }
    assert_eq!(of(pod(&vec!["a/b:1"; 1000])).unwrap().len(), 1000);
}

#[test]
fn d2_what_starts_nothing_new_is_not_asked_about() {
    let object = |images: &[&str]| json!({ "spec": { "template": { "spec": pod(images) } } });
    let update = |new: &[&str], old: &[&str]| review("apps", "Deployment", "UPDATE", &object(new), &object(old));
    let none = |review: &Value| one(review).unwrap()[0].0 == "none";
    assert!(none(&update(&["a:1", "b:1"], &["a:1", "b:1"])));
    assert!(none(&update(&["a:1"], &["a:1", "b:1"])));
    assert_eq!(
        one(&update(&["a:1", "b:2"], &["a:1", "b:1"])).unwrap(),
        [("spec.template.spec.containers[1].image".to_owned(), "b:2".to_owned())]
    );
    // What was before and cannot be read had no images that are known.
    for old in [Value::Null, json!({}), json!({ "spec": 1 })] {
        assert_eq!(one(&review("apps", "Deployment", "UPDATE", &object(&["a:1"]), &old)).unwrap().len(), 1);
    }
    for operation in ["DELETE", "CONNECT"] {
        assert!(none(&review("unheard", "Of", operation, &Value::Null, &object(&["a:1"]))), "{operation}");
    }
    for sub in ["scale", "status"] {
        let mut scaled = review("autoscaling", "Scale", "UPDATE", &json!({ "spec": { "replicas": 3 } }), &Value::Null);
        scaled["request"]["subResource"] = json!(sub);
        assert!(none(&scaled), "{sub}");
    }
    let mut debugged =
        review("", "Pod", "UPDATE", &json!({ "spec": pod(&["a:1"]) }), &json!({ "spec": pod(&["a:1"]) }));
    debugged["request"]["subResource"] = json!("ephemeralcontainers");
    debugged["request"]["object"]["spec"]["ephemeralContainers"] = json!([{ "name": "debug", "image": "tools:1" }]);
    assert_eq!(one(&debugged).unwrap(), [("spec.ephemeralContainers[0].image".to_owned(), "tools:1".to_owned())]);
}

#[test]
fn a_review_that_says_things_twice_or_is_nested_deeply_is_no_leave() {
    let text = review("", "Pod", "CREATE", &json!(0), &Value::Null).to_string();
    for spec in [
        r#"{"containers":[{"image":"good:1","image":"bad:1"}]}"#,
        r#"{"containers":[{"image":"good:1"}],"containers":[{"image":"bad:1"}]}"#,
    ] {
        let twice = text.replace("\"object\":0", &format!(r#""object":{{"spec":{spec}}}"#));
        assert!(images(&parse(twice.as_bytes()).unwrap(), &Kinds::default()).is_err(), "{spec}");
    }
    let twice = text.replace(
        "\"object\":0",
        r#""object":{"spec":{"containers":[{"image":"a"}]},"spec":{"containers":[{"image":"b"}]}}"#,
    );
    assert!(images(&parse(twice.as_bytes()).unwrap(), &Kinds::default()).is_err());
    assert!(parse(text.replace("\"operation\":", "\"operation\":\"DELETE\",\"operation\":").as_bytes()).is_err());
    assert!(parse(text.replace("\"uid\":", "\"uid\":\"other\",\"uid\":").as_bytes()).unwrap_err().uid.is_none());
    // What is beside the images may be as deep as it likes: it is passed over.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = text.replace(
        "\"object\":0",
        &format!(r#""object":{{"x":{deep},"spec":{{"y":{deep},"containers":[{{"image":"a:1"}}]}}}}"#),
    );
    assert!(
        matches!(images(&parse(nested.as_bytes()).unwrap(), &Kinds::default()), Ok(Images::Some(uses)) if uses.len() == 1)
    );
}

#[test]
fn what_is_no_review_is_answered_for_its_uid_or_for_nobody() {
    let good = review("", "Pod", "CREATE", &json!({ "spec": pod(&["a"]) }), &Value::Null);
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        parse(changed.to_string().as_bytes()).map(|review| review.uid).map_err(|error| error.uid.is_some())
    };
    assert!(parse(good.to_string().as_bytes()).is_ok());
    for (path, value, has_uid) in [
        ("/apiVersion", json!("admission.k8s.io/v1beta1"), true),
        ("/kind", json!("Pod"), true),
        ("/request/operation", json!("PATCH"), true),
        ("/request/operation", json!(null), true),
        ("/request/kind", json!("Pod"), true),
        ("/request/kind/kind", json!(""), true),
        ("/request/userInfo", json!({ "username": "u".repeat(2000) }), true),
        ("/request/namespace", json!("n".repeat(2000)), true),
        ("/request/dryRun", json!("yes"), true),
        ("/request/object", json!({ "metadata": 7 }), true),
        ("/request/object", json!("text"), true),
        ("/request/uid", json!(""), false),
        ("/request/uid", json!(7), false),
        ("/request/uid", json!("a\nb"), false),
        ("/request/uid", json!("u".repeat(200)), false),
        ("/request", json!(null), false),
        ("/request", json!([]), false),
    ] {
        assert_eq!(with(path, value.clone()), Err(has_uid), "{path} {value}");
    }
    for bytes in ["", "{", "[]", "null", "7", "{\"kind\":\"AdmissionReview\"}", "\u{feff}{}"] {
        assert!(parse(bytes.as_bytes()).unwrap_err().uid.is_none(), "{bytes}");
    }
    assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    assert!(parse(&vec![b' '; LARGEST + 1]).unwrap_err().what.contains("larger"));
}

#[test]
fn an_image_is_read_as_nodes_read_it() {
    let of = |image: &str| {
        let bytes = review("", "Pod", "CREATE", &json!({ "spec": pod(&[image]) }), &Value::Null).to_string();
        let Images::Some(mut uses) = images(&parse(bytes.as_bytes()).unwrap(), &Kinds::default()).unwrap() else {
            panic!()
        };
        uses.remove(0).reference.to_string()
    };
    assert_eq!(of("nginx"), "docker.io/library/nginx:latest");
    assert_eq!(of("docker.io/nginx:1"), "docker.io/library/nginx:1");
    assert_eq!(of("team/app"), "docker.io/team/app:latest");
    assert_eq!(of("r.example/app:1"), "r.example/app:1");
    assert_eq!(of("localhost:5000/app"), "localhost:5000/app:latest");
    assert_eq!(of(&format!("r.example/app:1@{DIGEST}")), format!("r.example/app:1@{DIGEST}"));
    assert_eq!(of(&format!("nginx@{DIGEST}")), format!("docker.io/library/nginx@{DIGEST}"));
}

fn refusal(class: Class, text: &str) -> Refusal {
    let causes = vec![Cause { reason: "vuln.maxExceeded".to_owned(), message: "m".repeat(1000) }];
    Refusal {
        class,
        field: "spec.containers[0].image".to_owned(),
        causes,
        text: text.to_owned(),
        decision: None,
        left_open: false,
    }
}

fn answer(outcome: &Outcome) -> Value {
    let bytes = review("", "Pod", "CREATE", &json!({ "spec": pod(&["a"]) }), &Value::Null).to_string();
    serde_json::from_slice(&respond(&parse(bytes.as_bytes()).unwrap(), outcome)).unwrap()
}

#[test]
fn a_response_is_for_its_request_and_says_no_where_anything_is_refused() {
    let said = answer(&Outcome::default());
    assert_eq!((&said["apiVersion"], &said["kind"]), (&json!("admission.k8s.io/v1"), &json!("AdmissionReview")));
    assert_eq!(said["response"], json!({ "uid": "0c3331b6-1812-11ea-b3fc-02897404852e", "allowed": true }));
    for class in [
        Class::Policy,
        Class::Request,
        Class::Registry,
        Class::Pending,
        Class::Unavailable,
        Class::Deadline,
        Class::Store,
        Class::Internal,
    ] {
        let outcome = Outcome { patch: vec![json!({})], ..Outcome::refused(refusal(class, "no")) };
        let said = answer(&outcome)["response"].clone();
        assert_eq!(said["allowed"], false, "{class:?}");
        assert!(said["status"]["code"].as_u64().unwrap() >= 400 && said.get("patch").is_none());
        assert!(said["status"]["message"].as_str().unwrap().starts_with(&format!("ecr-gate: {}", class.as_str())));
    }
    let error: Value = serde_json::from_slice(&respond_to_error("u-1", "no review")).unwrap();
    assert_eq!(
        (&error["response"]["uid"], &error["response"]["allowed"], &error["response"]["status"]["code"]),
        (&json!("u-1"), &json!(false), &json!(400))
    );
}

#[test]
fn d1_a_message_is_bounded_and_tells_the_most_important_first() {
    let mut refusals: Vec<Refusal> =
        (0..200).map(|at| refusal(Class::Deadline, &format!("[deadline] {at} {}", "ü".repeat(100)))).collect();
    refusals.push(refusal(Class::Policy, "[policy] the one that matters"));
    let outcome = Outcome { images: 300, refusals, warnings: vec!["w".repeat(1000); 20], ..Outcome::default() };
    let said = answer(&outcome)["response"].clone();
    let message = said["status"]["message"].as_str().unwrap();
    assert!(message.len() <= 4096, "{}", message.len());
    assert!(
        message.starts_with("ecr-gate: policy: 201 of 300 images may not run\n[policy] the one that matters\n"),
        "{message}"
    );
    let told = message.matches("[deadline]").count();
    assert!(
        message.ends_with(&format!("and {} more: `ecr-gate check` says why, image by image", 200 - told)),
        "{message}"
    );
    let causes = said["status"]["details"]["causes"].as_array().unwrap();
    assert_eq!(
        (causes.len(), &causes[0]["reason"], &causes[0]["field"]),
        (50, &json!("vuln.maxExceeded"), &json!("spec.containers[0].image"))
    );
    assert!(causes.iter().all(|cause| cause["message"].as_str().unwrap().len() <= 256));
    let warnings = said["warnings"].as_array().unwrap();
    assert!(warnings.len() == 8 && warnings.iter().all(|one| one.as_str().unwrap().len() <= 256));
    assert_eq!(warnings[7], "ecr-gate: 13 more warnings");
    // One that is too long by itself is cut, and said.
    let long = answer(&Outcome::refused(refusal(Class::Policy, &"x".repeat(10_000))));
    assert!((3000..=4096).contains(&long["response"]["status"]["message"].as_str().unwrap().len()));
}

#[test]
fn d7_a_patch_is_base64_and_annotations_are_the_gates_alone() {
    let known = |name: &str, decision: Option<&str>| annotate::Known {
        container: name.to_owned(),
        digest: Some(DIGEST.to_owned()),
        decision: decision.map(str::to_owned),
        pipeline: Some("a,b=c".to_owned()),
        ..annotate::Known::default()
    };
    let patched = |metadata: Option<Value>, known: &[annotate::Known]| {
        let mut object = json!({ "spec": pod(&["a"]) });
        if let Some(metadata) = metadata {
            object["metadata"] = metadata;
        }
        let bytes = review("", "Pod", "CREATE", &object, &Value::Null).to_string();
        Value::Array(annotate::patch(&parse(bytes.as_bytes()).unwrap(), known))
    };
    let all =
        json!({ "ecr-gate.dev/digest": DIGEST, "ecr-gate.dev/decision": "d-1", "ecr-gate.dev/pipeline": "a,b=c" });
    let single = [known("web", Some("d-1"))];
    assert_eq!(patched(None, &single), json!([{ "op": "add", "path": "/metadata", "value": { "annotations": all } }]));
    for metadata in [json!({}), json!({ "annotations": null })] {
        assert_eq!(
            patched(Some(metadata), &single),
            json!([{ "op": "add", "path": "/metadata/annotations", "value": all }])
        );
    }
    assert_eq!(patched(Some(json!({ "annotations": all })), &single), json!([]), "nothing to do");
    // What somebody else wrote there goes.
    let forged =
        json!({ "annotations": { "other": "x", "ecr-gate.dev/decision": "forged", "ecr-gate.dev/commit": "forged" } });
    assert_eq!(
        patched(Some(forged), &[known("web", None)]),
        json!([
            { "op": "add", "path": "/metadata/annotations/ecr-gate.dev~1digest", "value": DIGEST },
            { "op": "remove", "path": "/metadata/annotations/ecr-gate.dev~1decision" },
            { "op": "remove", "path": "/metadata/annotations/ecr-gate.dev~1commit" },
            { "op": "add", "path": "/metadata/annotations/ecr-gate.dev~1pipeline", "value": "a,b=c" },
        ])
    );
    let several = patched(Some(json!({})), &[known("web", Some("d-1")), known("side", None)]);
    assert_eq!(several[0]["value"]["ecr-gate.dev/digest"], format!("web={DIGEST},side={DIGEST}"));
    assert_eq!(several[0]["value"]["ecr-gate.dev/decision"], "web=d-1");
    assert_eq!(several[0]["value"]["ecr-gate.dev/pipeline"], "web=a_b_c,side=a_b_c");
    let said = answer(&Outcome { patch: vec![json!({ "op": "remove", "path": "/x" })], ..Outcome::default() });
    assert_eq!(said["response"]["patchType"], "JSONPatch");
    let patch = STANDARD.decode(said["response"]["patch"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&patch).unwrap(), json!([{ "op": "remove", "path": "/x" }]));
}

#[test]
fn s31_break_glass_is_asked_for_by_a_new_annotation_on_a_write_alone() {
    let object = |reason: Option<&str>| {
        let annotations: Value = reason.map_or(json!({}), |reason| json!({ "ecr-gate.dev/break-glass": reason }));
        json!({ "metadata": { "name": "web", "uid": "u-9", "annotations": annotations }, "spec": { "template": { "spec": pod(&["a"]) } } })
    };
    let asked = |operation: &str, sub: Option<&str>, new: &Value, old: &Value| {
        let mut one = review("apps", "Deployment", operation, new, old);
        one["request"]["subResource"] = json!(sub);
        parse(one.to_string().as_bytes()).unwrap().break_glass()
    };
    let made = asked("CREATE", None, &object(Some("INC-7\u{1b}[31m")), &Value::Null).unwrap();
    assert_eq!(
        (made.reason.as_str(), made.workload.as_str(), made.owner.as_deref()),
        ("INC-7\u{fffd}[31m", "Deployment/web", Some("u-9"))
    );
    assert_eq!((made.user.name.as_str(), made.namespace.as_str()), ("ada", "team-a-web"));
    assert!(asked("UPDATE", None, &object(Some("b")), &object(Some("a"))).is_some());
    assert!(asked("UPDATE", None, &object(Some("a")), &object(None)).is_some());
    assert!(asked("UPDATE", None, &object(Some("a")), &object(Some("a"))).is_none(), "it was there before");
    assert!(asked("UPDATE", Some("status"), &object(Some("a")), &object(None)).is_none());
    assert!(asked("DELETE", None, &object(Some("a")), &Value::Null).is_none());
    assert!(asked("CREATE", None, &object(None), &Value::Null).is_none());
    let pattern = |text: &str| vec![engine::ClaimPattern::parse(text).unwrap()];
    let rights = |users: &str, groups: &str| BreakGlassRights {
        users: pattern(users),
        groups: pattern(groups),
        longest: std::time::Duration::from_secs(1),
    };
    assert!(rights("ada", "none").are_of(&made.user) && rights("none", "on*").are_of(&made.user));
    assert!(!rights("ad", "system").are_of(&made.user));
}

#[test]
fn s7_a_namespace_is_an_environment_by_the_first_rule_that_fits() {
    let rule = |name: &str, environment: &str| NamespaceRule {
        names: vec![engine::ClaimPattern::parse(name).unwrap()],
        environment: environment.to_owned(),
    };
    let environments = Environments { rules: vec![rule("team-a-*", "staging"), rule("team-*", "dev")] };
    assert_eq!(environments.of(None, "team-a-web"), "staging");
    assert_eq!(environments.of(None, "team-b"), "dev");
    for other in ["team", "x-team-a-web", "", "kube-system"] {
        assert_eq!(environments.of(None, other), "production", "{other}");
    }
    assert_eq!(environments.of(Some("qa"), "team-a-web"), "qa");
}

#[test]
fn s32_what_controls_an_object_is_one_thing_by_uid() {
    let owner = |uid: &str, controller: Value| json!({ "kind": "ReplicaSet", "name": "web-1", "uid": uid, "controller": controller });
    let of = |owners: Value| {
        let object =
            json!({ "metadata": { "generateName": "web-1-", "ownerReferences": owners }, "spec": pod(&["a"]) });
        parse(review("", "Pod", "CREATE", &object, &Value::Null).to_string().as_bytes()).unwrap().controller()
    };
    assert_eq!(
        of(json!([owner("u-1", json!(true)), owner("u-2", json!(null))])),
        Some(("ReplicaSet/web-1".to_owned(), "u-1".to_owned()))
    );
    for owners in [
        json!(null),
        json!([]),
        json!([owner("u-1", json!(false))]),
        json!([owner("", json!(true))]),
        json!([owner("u-1", json!(true)), owner("u-2", json!(true))]),
    ] {
        assert_eq!(of(owners.clone()), None, "{owners}");
    }
}
