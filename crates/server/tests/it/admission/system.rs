//! S40: the cluster's own parts while something is away. There is no answer about them then, so that the webhook's `failurePolicy` says what follows.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn s40_while_the_registry_is_away_the_system_gets_no_answer_unless_something_is_known_against_it() {
    let stage = Stage::new().await;
    let (slow, bad) = (stage.good("team/slow"), stage.bad("team/bad"));
    assert_eq!(stage.validated(&pod("kube-system", &[&bad])).await["allowed"], false);
    stage.registry.fault(Fault::on("*", "team/slow").hang(Duration::from_secs(20)));
    let tag = format!("{}:1", stage.registry.reference("team/slow"));
    for image in [&slow, &tag] {
        let review = pod("kube-system", &[image]);
        let none = stage.send("/admission/validate?timeout=1s", review.to_string(), &[]).await;
        assert_eq!((none.status, none.problem().as_str()), (503, "admission.leftOpen"), "{image}: {}", none.body);
        assert!(!none.body.contains("allowed"), "{}", none.body);
        // Every other namespace is told no, and so is one whose other image is denied.
        let denied = stage.asked("/admission/validate?timeout=1s", &pod("shop", &[image])).await;
        assert_eq!(denied["allowed"], false, "{image}");
        let denied = stage.asked("/admission/validate?timeout=1s", &pod("kube-system", &[image, &bad])).await;
        assert!(message(&denied).contains("2 of 2 images may not run"), "{denied}");
    }
    // A tag that is written although tags are not for here is a tag.
    let digest = stage.push("team/there", "1", "10001");
    let tag = format!("{}:1", digest.split('@').next().unwrap());
    let denied = stage.validated(&pod("kube-system", &[&tag])).await;
    assert_eq!(causes(&denied), ["reference.digest"], "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s40_what_is_denied_for_its_name_is_known_without_a_look_at_it() {
    let stage = Stage::new().await;
    stage.rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["latest"] } } }])).await;
    let image = stage.good("team/slow");
    let (name, digest) = image.split_once('@').unwrap();
    assert_eq!(stage.validated(&pod("kube-system", &[&image])).await["allowed"], true);
    stage.registry.fault(Fault::on("*", "team/slow").hang(Duration::from_secs(20)));
    let unknown = stage.push("team/slow", "2", "10002");
    for (image, is_open) in [
        (format!("{name}:1@{}", unknown.split_once('@').unwrap().1), true),
        (format!("{name}:latest@{digest}"), false),
        (format!("{name}:latest@{}", unknown.split_once('@').unwrap().1), false),
    ] {
        let said = stage.send("/admission/validate?timeout=1s", pod("kube-system", &[&image]).to_string(), &[]).await;
        assert_eq!(said.status == 503, is_open, "{image}: {}", said.body);
        assert!(is_open || said.json()["response"]["allowed"] == false, "{image}: {}", said.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_to_do_is_told_whole_however_long_the_name_of_the_image_is() {
    let stage = Stage::new().await;
    let name = format!("team/{}", ["long-name-of-a-part"; 8].join("/"));
    let bad = stage.bad(&name);
    let denied = stage.validated(&pod("shop", &[&bad])).await;
    let line = message(&denied).lines().find(|line| line.contains("ecr-gate exception request")).unwrap_or_default();
    assert!(line.contains(&bad) && !line.ends_with('…') && line.contains("--expires 14d"), "{denied}");
}
