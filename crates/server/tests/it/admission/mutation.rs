//! What is changed before it starts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Applies a patch, as far as the gate makes any.
pub(super) fn patched(mut review: Value, response: &Value) -> Value {
    let Some(patch) = response["patch"].as_str() else { return review };
    assert_eq!(response["patchType"], "JSONPatch");
    let patch: Vec<Value> = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
    for step in patch {
        let object = &mut review["request"]["object"];
        let place = step["path"].as_str().unwrap();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = object.pointer_mut(parent).unwrap();
        match step["op"].as_str().unwrap() {
            "add" => parent[&key] = step["value"].clone(),
            "replace" => {
                assert!(parent.get(&key).is_some(), "{step}");
                parent[&key] = step["value"].clone();
            }
            "remove" => assert!(parent.as_object_mut().unwrap().remove(&key).is_some(), "{step}"),
            other => panic!("{other}"),
        }
    }
    review
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_a_tag_gets_its_digest_and_the_second_time_nothing_changes() {
    let stage = Stage::new().await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    let (good_digest, bad_digest) = (good.split_once('@').unwrap().1, bad.split_once('@').unwrap().1);
    let (good_tag, bad_tag) = (stage.registry.reference("team/good:1"), stage.registry.reference("team/bad:1"));
    // The pipeline asked before, and is joined with the pod.
    let ask = json!({ "image": good, "point": "ci", "pipeline": "p-1", "commit": "c0ffee" }).to_string();
    assert_eq!(stage.served.post("/api/v1/decide", Some(PIPELINE), &ask).await.json()["permit"], "allowed");
    let single = pod("shop", &[&good_tag]);
    let first = stage.asked("/admission/mutate?timeout=10s", &single).await;
    assert_eq!(first["allowed"], true, "{first}");
    let after = patched(single, &first);
    let object = &after["request"]["object"];
    assert_eq!(object["spec"]["containers"][0]["image"], format!("{good_tag}@{good_digest}"));
    let annotations = &object["metadata"]["annotations"];
    assert_eq!(annotations["ecr-gate.dev/digest"], good_digest, "{annotations}");
    assert!(annotations["ecr-gate.dev/decision"].is_string(), "{annotations}");
    assert_eq!(
        (&annotations["ecr-gate.dev/pipeline"], &annotations["ecr-gate.dev/commit"]),
        (&json!("p-1"), &json!("c0ffee")),
        "{annotations}"
    );
    let again = stage.asked("/admission/mutate?timeout=10s", &after).await;
    assert!(again["allowed"] == true && again.get("patch").is_none(), "{again}");
    assert_eq!(stage.validated(&after).await["allowed"], true);
    assert!(stage.metrics().await.contains("ecr_gate_tags_resolved_total 1"));
    // Mutation never denies: validation does.
    let both = pod("shop", &[&good_tag, &bad_tag]);
    let changed = stage.asked("/admission/mutate", &both).await;
    let after = patched(both, &changed);
    assert_eq!(after["request"]["object"]["spec"]["containers"][1]["image"], format!("{bad_tag}@{bad_digest}"));
    assert_eq!(
        after["request"]["object"]["metadata"]["annotations"]["ecr-gate.dev/digest"],
        format!("c0={good_digest},c1={bad_digest}")
    );
    assert_eq!(causes(&stage.validated(&after).await), ["config.broken"]);
    assert!(stage.asked("/admission/mutate", &after).await.get("patch").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_which_kinds_get_digests_is_configured() {
    for (tags, of_pod, of_deployment) in [(Tags::Off, false, false), (Tags::Pods, true, false), (Tags::All, true, true)]
    {
        let stage = Stage::with(AdmissionSettings { tags, ..settings() }).await;
        stage.good("team/good");
        let tagged = stage.registry.reference("team/good:1");
        let image = |review: &Value, at: &str| {
            review["request"]["object"].pointer(at).unwrap().as_str().unwrap().contains("@sha256:")
        };
        let one = pod("shop", &[&tagged]);
        let said = stage.asked("/admission/mutate", &one).await;
        assert_eq!(image(&patched(one, &said), "/spec/containers/0/image"), of_pod, "{tags:?}");
        let one = deployment("shop", &[&tagged]);
        let said = stage.asked("/admission/mutate", &one).await;
        let after = patched(one, &said);
        assert_eq!(image(&after, "/spec/template/spec/containers/0/image"), of_deployment, "{tags:?}");
        assert!(after["request"]["object"]["metadata"].get("annotations").is_none(), "pods alone are annotated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_what_cannot_be_resolved_stays_and_is_told() {
    let stage = Stage::new().await;
    let none = stage.registry.reference("team/none:1");
    let one = pod("shop", &[&none]);
    let said = stage.asked("/admission/mutate", &one).await;
    assert!(said["allowed"] == true && said.get("patch").is_none(), "{said}");
    let warning = said["warnings"][0].as_str().unwrap();
    assert!(warning.contains("c0: no digest for") && warning.contains(&none) && warning.len() <= 256, "{warning}");
    // Controllers show no warnings: the denial says it too.
    let denied = stage.validated(&one).await;
    assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(422), vec!["registry.notFound"]), "{denied}");
    let unknown = stage.asked("/admission/mutate", &review("house.example", "Rollout", "shop", &json!({}))).await;
    assert!(
        unknown["allowed"] == true && unknown["warnings"][0].as_str().unwrap().contains("is not known"),
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_of_ephemeral_containers_only_the_new_ones_change() {
    let stage = Stage::new().await;
    stage.good("team/good");
    stage.good("team/debug");
    let (running, debug) = (stage.registry.reference("team/good:1"), stage.registry.reference("team/debug:1"));
    let mut one = pod("shop", &[&running]);
    one["request"]["operation"] = json!("UPDATE");
    one["request"]["subResource"] = json!("ephemeralcontainers");
    one["request"]["oldObject"] = one["request"]["object"].clone();
    one["request"]["object"]["spec"]["ephemeralContainers"] = json!([{ "name": "debug", "image": debug }]);
    let said = stage.asked("/admission/mutate", &one).await;
    let after = patched(one.clone(), &said);
    assert_eq!(after["request"]["object"]["spec"]["containers"], one["request"]["object"]["spec"]["containers"]);
    assert_eq!(after["request"]["object"]["metadata"], one["request"]["object"]["metadata"]);
    assert!(
        after["request"]["object"]["spec"]["ephemeralContainers"][0]["image"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{debug}@sha256:"))
    );
    assert_eq!(stage.validated(&after).await["allowed"], true);
}
