//! What may start.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn d1_what_is_allowed_starts_and_what_is_denied_does_not_with_words() {
    let stage = Stage::new().await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    let allowed = stage.validated(&pod("shop", &[&good])).await;
    assert_eq!(allowed["allowed"], true, "{allowed}");
    let annotations = &allowed["auditAnnotations"];
    assert_eq!(
        (&annotations["verdict"], &annotations["basis"]),
        (&json!("allow"), &json!("c0=allowed")),
        "{annotations}"
    );
    assert!(
        annotations["decisions"].as_str().unwrap().len() == 36 && annotations["policies"].is_string(),
        "{annotations}"
    );
    for denied in [pod("shop", &[&good, &bad]), deployment("shop", &[&good, &bad])] {
        let denied = stage.validated(&denied).await;
        let said = message(&denied);
        assert_eq!((&denied["status"]["code"], &denied["status"]["reason"]), (&json!(403), &json!("Forbidden")));
        for words in [
            "ecr-gate: policy: 1 of 2 images may not run",
            "[policy] c1:",
            &bad,
            "in production",
            "config.broken",
            "(house/user)",
            "ecr-gate exception request ",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains(&good), "{said}");
        assert_eq!(causes(&denied), ["config.broken"]);
        assert_eq!(denied["auditAnnotations"]["verdict"], "deny");
    }
    let metrics = stage.metrics().await;
    assert!(metrics.contains("ecr_gate_refusals_total{point=\"admission\",class=\"policy\"} 2"), "{metrics}");
    // It is on record, with the user and the point.
    let page = stage.served.by(ADMIN, "/api/v1/decisions?verdict=deny").await.json();
    let id = page["decisions"][0]["id"].as_str().unwrap().to_owned();
    let record = stage.served.by(ADMIN, &format!("/api/v1/decisions/{id}")).await.json();
    assert_eq!(
        (&record["answer"]["point"], &record["answer"]["askedBy"]),
        (&json!("admission"), &json!("kubernetes:ada")),
        "{record}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_init_and_ephemeral_containers_and_image_volumes_are_judged() {
    let stage = Stage::new().await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    for (key, value) in [
        ("initContainers", json!([{ "name": "x", "image": bad }])),
        ("ephemeralContainers", json!([{ "name": "x", "image": bad }])),
        ("volumes", json!([{ "name": "x", "image": { "reference": bad } }])),
    ] {
        let mut pod = pod("shop", &[&good]);
        pod["request"]["object"]["spec"][key] = value;
        let denied = stage.validated(&pod).await;
        assert!(message(&denied).contains("[policy] x:"), "{denied}");
        assert!(denied["status"]["details"]["causes"][0]["field"].as_str().unwrap().contains(key), "{denied}");
    }
    let mut debugged = pod("shop", &[&bad]);
    debugged["request"]["operation"] = json!("UPDATE");
    debugged["request"]["subResource"] = json!("ephemeralcontainers");
    debugged["request"]["oldObject"] = debugged["request"]["object"].clone();
    debugged["request"]["object"]["spec"]["ephemeralContainers"] = json!([{ "name": "debug", "image": good }]);
    assert_eq!(stage.validated(&debugged).await["allowed"], true, "only what is new is judged");
    debugged["request"]["object"]["spec"]["ephemeralContainers"][0]["image"] = json!(stage.bad("team/debug"));
    assert!(message(&stage.validated(&debugged).await).contains("[policy] debug:"));
    let cron = json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": spec(&[&bad]) } } } } });
    let denied = stage.validated(&review("batch", "CronJob", "shop", &cron)).await;
    assert_eq!(
        denied["status"]["details"]["causes"][0]["field"],
        "spec.jobTemplate.spec.template.spec.containers[0].image"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_deletes_scales_and_unchanged_images_ask_nobody() {
    let stage = Stage::new().await;
    let bad = stage.bad("team/bad");
    let mut reviews = Vec::new();
    for operation in ["DELETE", "CONNECT"] {
        let mut one = pod("shop", &[&bad]);
        one["request"]["operation"] = json!(operation);
        reviews.push(one);
    }
    let mut unchanged = deployment("shop", &[&bad]);
    unchanged["request"]["operation"] = json!("UPDATE");
    unchanged["request"]["oldObject"] = unchanged["request"]["object"].clone();
    reviews.push(unchanged);
    let mut scale = review("autoscaling", "Scale", "shop", &json!({ "spec": { "replicas": 1 } }));
    scale["request"]["subResource"] = json!("scale");
    reviews.push(scale);
    for one in reviews {
        for path in ["/admission/validate", "/admission/mutate"] {
            let said = stage.asked(path, &one).await;
            assert!(
                said["allowed"] == true && said["auditAnnotations"]["why"].is_string() && said.get("patch").is_none(),
                "{said}"
            );
        }
    }
    assert_eq!(stage.registry.requests().len(), 0, "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_an_image_that_moves_to_another_container_is_judged() {
    let stage = Stage::new().await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    let mut moved = deployment("shop", &[&good, &bad]);
    moved["request"]["operation"] = json!("UPDATE");
    moved["request"]["oldObject"] = moved["request"]["object"].clone();
    let containers = moved["request"]["object"]["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers.reverse();
    assert_eq!(stage.validated(&moved).await["allowed"], true, "another order is nothing new");
    moved["request"]["object"]["spec"]["template"]["spec"] = spec(&[&bad, &bad]);
    let denied = stage.validated(&moved).await;
    assert_eq!(causes(&denied), ["config.broken"], "{denied}");
    let field = &denied["status"]["details"]["causes"][0]["field"];
    assert_eq!(field, "spec.template.spec.containers[0].image");
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_what_holds_no_images_is_let_in_only_where_its_kind_may_hold_none() {
    let rollout = |spec: &Value| review("argoproj.io", "Rollout", "shop", &json!({ "spec": spec }));
    let by_reference = rollout(&json!({ "workloadRef": { "kind": "Deployment", "name": "web" } }));
    for optional in [false, true] {
        let kind = CustomKind {
            kind: GroupKind { group: "argoproj.io".to_owned(), kind: "Rollout".to_owned() },
            paths: Paths::PodSpec(vec!["/spec/template/spec".to_owned()]),
            optional,
        };
        let kinds = Kinds::with(vec![kind]).unwrap();
        let stage = Stage::with(AdmissionSettings { kinds, ..settings() }).await;
        let said = stage.validated(&by_reference).await;
        if optional {
            assert!(said["allowed"] == true && said["auditAnnotations"]["why"].is_string(), "{said}");
        } else {
            assert!(causes(&said) == ["request.invalid"] && message(&said).contains("`optional: true`"), "{said}");
        }
        let bad = stage.bad("team/bad");
        let denied = stage.validated(&rollout(&json!({ "template": { "spec": spec(&[&bad]) } }))).await;
        assert_eq!(causes(&denied), ["config.broken"], "{denied}");
        for unread in [json!({ "template": "web" }), json!({ "template": { "spec": { "containers": [] } } })] {
            assert_eq!(causes(&stage.validated(&rollout(&unread)).await), ["request.invalid"], "{unread}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_does_not_start() {
    let stage = Stage::new().await;
    for object in [json!({}), json!({ "spec": {} }), json!({ "spec": { "containers": [{ "name": "a" }] } })] {
        let denied = stage.validated(&review("", "Pod", "shop", &object)).await;
        assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(400), vec!["request.invalid"]), "{object}");
    }
    let denied = stage.validated(&review("house.example", "Rollout", "shop", &json!({ "spec": {} }))).await;
    assert!(message(&denied).contains("house.example/Rollout is not known"), "{denied}");
    // An environment that nobody declared is none (S7).
    let good = stage.good("team/good");
    let denied = stage.asked("/admission/validate/nowhere", &pod("shop", &[&good])).await;
    assert!(message(&denied).contains("nowhere") && causes(&denied) == ["request.invalid"], "{denied}");
    assert_eq!(stage.asked("/admission/validate/staging", &pod("shop", &[&good])).await["allowed"], true);
    // A registry that the gate cannot name, and an image that is not there.
    let none = format!("{}@sha256:{}", stage.registry.reference("team/none"), "0".repeat(64));
    let denied = stage.validated(&pod("shop", &[&none])).await;
    assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(422), vec!["registry.notFound"]), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_what_cannot_be_read_and_was_there_before_may_change_its_words_and_nothing_else() {
    let stage = Stage::new().await;
    let mut one = pod("shop", &["registry.example/Team/App:1"]);
    assert_eq!(stage.validated(&one).await["allowed"], false);
    one["request"]["operation"] = json!("UPDATE");
    one["request"]["oldObject"] = one["request"]["object"].clone();
    one["request"]["object"]["metadata"]["finalizers"] = json!([]);
    one["request"]["object"]["status"] = json!({ "phase": "Failed" });
    let said = stage.validated(&one).await;
    assert!(
        said["allowed"] == true && said["auditAnnotations"]["why"].is_string(),
        "it could never be deleted: {said}"
    );
    one["request"]["object"]["spec"]["containers"][0]["image"] = json!("registry.example/Team/Other:1");
    assert_eq!(stage.validated(&one).await["allowed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn s38_what_runs_is_a_digest() {
    let stage = Stage::new().await;
    stage.good("team/good");
    let tagged = stage.registry.reference("team/good:1");
    let denied = stage.validated(&pod("shop", &[&tagged])).await;
    assert!(causes(&denied) == ["reference.digest"] && message(&denied).contains("digests alone run here"), "{denied}");
    // The pods of a workload get digests; the workload may name a tag, and is judged by it.
    assert_eq!(stage.validated(&deployment("shop", &[&tagged])).await["allowed"], true);
    stage.bad("team/bad");
    let bad = stage.registry.reference("team/bad:1");
    assert_eq!(causes(&stage.validated(&deployment("shop", &[&bad])).await), ["config.broken"]);
    for tags in [Tags::Off, Tags::All] {
        let stage = Stage::with(AdmissionSettings { tags, ..settings() }).await;
        stage.good("team/good");
        let tagged = stage.registry.reference("team/good:1");
        assert_eq!(causes(&stage.validated(&deployment("shop", &[&tagged])).await), ["reference.digest"], "{tags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s38_a_tag_that_moved_does_not_stop_the_digest_beside_it() {
    let stage = Stage::new().await;
    let good = stage.good("team/good");
    let digest = good.split_once('@').unwrap().1;
    stage.push("team/good", "1", "root");
    let both = format!("{}@{digest}", stage.registry.reference("team/good:1"));
    assert_eq!(stage.validated(&pod("shop", &[&both])).await["allowed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_no_answer_in_time_is_a_no_of_its_own() {
    let stage = Stage::new().await;
    let good = stage.good("team/slow");
    stage.registry.fault(Fault::on("GET", "team/slow").hang(Duration::from_secs(20)));
    let began = Instant::now();
    let denied = stage.asked("/admission/validate?timeout=1s", &pod("shop", &[&good])).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(504), vec!["deadline"]), "{denied}");
    let metrics = stage.metrics().await;
    assert!(metrics.contains("ecr_gate_deadline_hits_total{point=\"admission\"} 1"), "{metrics}");
    let wrong = stage.send("/admission/validate?timeout=soon", pod("shop", &[&good]).to_string(), &[]).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (400, "request.invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_registry_that_fails_is_another_no_than_policy() {
    let stage = Stage::new().await;
    let good = stage.good("team/broken");
    stage.registry.fault(Fault::on("GET", "team/broken").status(403));
    let denied = stage.validated(&pod("shop", &[&good])).await;
    assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(422), vec!["registry.accessDenied"]), "{denied}");
    assert!(message(&denied).starts_with("ecr-gate: registry"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_dry_run_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let bad = stage.bad("team/bad");
    let mut dry = pod("shop", &[&bad]);
    dry["request"]["dryRun"] = json!(true);
    let denied = stage.validated(&dry).await;
    assert_eq!(causes(&denied), ["config.broken"]);
    assert!(denied["auditAnnotations"].get("decisions").is_none(), "{denied}");
    assert_eq!(stage.served.by(ADMIN, "/api/v1/decisions").await.json()["decisions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_the_gates_own_images_start_without_it_by_digest_and_in_its_namespace_alone() {
    let namespace = "ecr-gate".to_owned();
    let own: model::ImageReference = format!("r.example/ecr-gate@sha256:{}", "1".repeat(64)).parse().unwrap();
    let stage =
        Stage::with(AdmissionSettings { own: Some(OwnImages { namespace, images: vec![own.clone()] }), ..settings() })
            .await;
    let own = own.to_string();
    assert_eq!(stage.validated(&pod("ecr-gate", &[&own])).await["allowed"], true);
    for other in [
        pod("shop", &[&own]),
        pod("ecr-gate", &[&own.replace("111", "112")]),
        pod("ecr-gate", &["r.example/ecr-gate:1"]),
    ] {
        assert_eq!(stage.validated(&other).await["allowed"], false, "{other}");
    }
    let both = stage.validated(&pod("ecr-gate", &[&own, "r.example/other:1"])).await;
    assert_eq!(both["allowed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_review_is_never_a_leave() {
    let stage = Stage::new().await;
    let good = stage.good("team/good");
    let whole = pod("shop", &[&good]);
    for path in ["/admission/validate", "/admission/mutate"] {
        let mut old = whole.clone();
        old["apiVersion"] = json!("admission.k8s.io/v1beta1");
        let denied = stage.asked(path, &old).await;
        assert_eq!((&denied["allowed"], &denied["status"]["code"]), (&json!(false), &json!(400)), "{denied}");
        let mut nobodys = whole.clone();
        nobodys["request"].as_object_mut().unwrap().remove("uid");
        let text = whole.to_string();
        for (body, status, code) in [
            (nobodys.to_string(), 400, "request.malformed"),
            (String::new(), 400, "request.malformed"),
            ("{}".to_owned(), 400, "request.malformed"),
            (text[..text.len() - 2].to_owned(), 400, "request.malformed"),
            (text.replace("\"uid\":", "\"uid\":\"a\",\"uid\":"), 400, "request.malformed"),
            ("[".repeat(1 << 20), 400, "request.malformed"),
        ] {
            let answer = stage.send(path, body, &[]).await;
            assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{}", answer.body);
        }
        // Whoever goes on sending may find the connection closed before they read why.
        let url = format!("http://{}{path}", stage.served.admission.unwrap());
        let large = reqwest::Client::new().post(url).header("content-type", "application/json");
        if let Ok(answer) = large.body(" ".repeat((8 << 20) + 1)).send().await {
            assert_eq!(answer.status(), 413);
        }
        let form = stage.send(path, text.clone(), &[("content-encoding", "br")]).await;
        assert_eq!(form.status, 400, "{}", form.body);
    }
    let address = stage.served.admission.unwrap();
    let other = reqwest::Client::new().get(format!("http://{address}/api/v1/decisions")).send().await.unwrap();
    assert_eq!(other.status(), 404, "the API is not on this port");
    let alive = reqwest::Client::new().get(format!("http://{address}/readyz")).send().await.unwrap();
    assert_eq!(alive.status(), 200);
    assert_eq!(
        stage.served.post("/admission/validate", Some(PIPELINE), "{}").await.status,
        404,
        "nor reviews on the other"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_review_is_read_and_bounded_when_it_is_unpacked() {
    let stage = Stage::new().await;
    let good = stage.good("team/good");
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = [("content-encoding", "gzip")];
    let answer = stage.send("/admission/validate", packed(pod("shop", &[&good]).to_string().as_bytes()), &gzip).await;
    assert_eq!(answer.json()["response"]["allowed"], true, "{}", answer.body);
    let bomb = stage.send("/admission/validate", packed(&vec![b' '; 64 << 20]), &gzip).await;
    assert_eq!(bomb.status, 413, "{}", bomb.body);
    let cut = packed(pod("shop", &[&good]).to_string().as_bytes());
    assert_eq!(stage.send("/admission/validate", cut[..cut.len() / 2].to_vec(), &gzip).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reviews_at_once_each_get_their_own_answer() {
    let stage = Stage::with(AdmissionSettings { concurrency: 4, ..settings() }).await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    let reviews: Vec<(Value, bool)> = (0..60)
        .map(|at| {
            let is_good = at % 2 == 0;
            let mut one = pod("shop", &[if is_good { good.as_str() } else { bad.as_str() }; 10]);
            one["request"]["uid"] = json!(format!("uid-{at}"));
            (one, is_good)
        })
        .collect();
    let asked = reviews
        .iter()
        .map(|(review, is_good)| async { (stage.validated(review).await["allowed"] == *is_good, *is_good) });
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|(as_expected, _)| *as_expected), "{answers:?}");
    let manifests = stage.registry.count("GET", "team/good/manifests");
    assert!(manifests <= 4, "one look for all: {manifests}");
}

/// Needs `admission/requests` in the folder `ECR_GATE_TESTDATA` names.
#[tokio::test(flavor = "multi_thread")]
async fn d1_recorded_requests_of_others_get_the_right_answer() {
    let Some(folder) = std::env::var_os("ECR_GATE_TESTDATA") else {
        eprintln!("skipped 10 requests: ECR_GATE_TESTDATA is not set");
        return;
    };
    let stage = Stage::new().await;
    for (file, code, cause) in [
        // Of an older version of the API: not spoken.
        ("01_deployment", 400, "request.invalid"),
        ("04_cronjob", 400, "request.invalid"),
        ("09_dply_multi_image", 400, "request.invalid"),
        ("27_deleted_deployment", 400, "request.invalid"),
        // Registries that the gate of this test does not reach: never a leave.
        ("02_pod", 0, ""),
        ("07_statefulset", 0, ""),
        ("19_pod_initcontainer", 0, ""),
        ("20_pod_ephemeralcontainer", 0, ""),
    ] {
        let path = std::path::Path::new(&folder).join(format!("admission/requests/{file}.json"));
        let review: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let denied = stage.asked("/admission/validate?timeout=1s", &review).await;
        assert_eq!(denied["allowed"], false, "{file} {denied}");
        if code > 0 {
            assert_eq!((&denied["status"]["code"], causes(&denied)), (&json!(code), vec![cause]), "{file}");
        }
    }
    let read = |file: &str| {
        std::fs::read_to_string(std::path::Path::new(&folder).join("admission/requests").join(file)).unwrap()
    };
    let unchanged = stage.asked("/admission/validate", &serde_json::from_str(&read("10_update.json")).unwrap()).await;
    assert_eq!(
        (&unchanged["allowed"], &unchanged["auditAnnotations"]["why"]),
        (&json!(true), &json!("the images were there before")),
        "{unchanged}"
    );
    let broken = stage.send("/admission/validate", read("21_broken_admission_request.json"), &[]).await;
    assert_eq!((broken.status, broken.problem().as_str()), (400, "request.malformed"));
}
