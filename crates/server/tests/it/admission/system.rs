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
async fn what_to_do_is_told_whole_however_long_the_name_of_the_image_is() {
    let stage = Stage::new().await;
    let name = format!("team/{}", ["long-name-of-a-part"; 8].join("/"));
    let bad = stage.bad(&name);
    let denied = stage.validated(&pod("shop", &[&bad])).await;
    let line = message(&denied).lines().find(|line| line.contains("ecr-gate exception request")).unwrap_or_default();
    assert!(line.contains(&bad) && !line.ends_with('…') && line.contains("--expires 14d"), "{denied}");
}
