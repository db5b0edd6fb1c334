//! Rules on names: a tag beside a digest is one, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use testkit::oci::IndexBuilder;

use super::*;

impl Stage {
    /// Whether a pod with this image may start; if not, by which reasons.
    async fn says(&self, image: &str) -> Result<(), Vec<String>> {
        let said = self.validated(&pod("shop", &[image])).await;
        if said["allowed"] == true { Ok(()) } else { Err(causes(&said).into_iter().map(str::to_owned).collect()) }
    }

    async fn is_denied_by_its_tag(&self, image: &str) -> bool {
        self.says(image).await.is_err_and(|reasons| reasons == ["reference.tag"])
    }
}

/// `host/team/app:TAG@sha256:…`
fn tagged(image: &str, tag: &str) -> String {
    let (name, digest) = image.split_once('@').unwrap();
    format!("{name}:{tag}@{digest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn b6_rules_on_tags_see_the_tag_beside_a_digest_and_nobody_asks_what_it_stands_for() {
    let stage = Stage::new().await;
    let image = stage.good("team/app");
    // None of these tags is there but `1`.
    for name in [image.clone(), tagged(&image, "latest"), tagged(&image, "v9")] {
        assert_eq!(stage.says(&name).await, Ok(()), "no rule looks at names: {name}");
    }
    let looked = stage.registry.requests().len();
    assert_eq!(stage.says(&tagged(&image, "another")).await, Ok(()));
    assert_eq!(stage.registry.requests().len(), looked, "all names of a digest are one then");

    // What is in force counts at once, also for what was remembered without its name.
    stage
        .rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["latest", "*-dev"] } } }]))
        .await;
    for denied in ["latest", "v9-dev"] {
        assert!(stage.is_denied_by_its_tag(&tagged(&image, denied)).await, "{denied}");
    }
    for allowed in [image.clone(), tagged(&image, "v9"), tagged(&image, "1")] {
        assert_eq!(stage.says(&allowed).await, Ok(()), "{allowed}");
    }
    assert!(stage.is_denied_by_its_tag(&tagged(&image, "latest")).await, "again, from memory");
    let looked = stage.registry.requests().len();
    assert_eq!(stage.says(&tagged(&image, "v9")).await, Ok(()));
    assert_eq!(stage.registry.requests().len(), looked, "a name that is known is answered from memory");

    stage.rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "allow": ["v*"] } } }])).await;
    assert_eq!(stage.says(&tagged(&image, "v9")).await, Ok(()));
    for denied in [image.clone(), tagged(&image, "latest")] {
        assert!(stage.is_denied_by_its_tag(&denied).await, "{denied}");
    }
    // An exception for one tag is one for that name.
    let name = image.split_once('@').unwrap().0;
    let except = json!({ "tags": { "deny": ["*"] }, "except": [format!("{name}:v1")] });
    stage.rules(&json!([non_root(), { "id": "tags", "registries": except }])).await;
    assert_eq!(stage.says(&tagged(&image, "v1")).await, Ok(()));
    assert!(stage.is_denied_by_its_tag(&tagged(&image, "v2")).await);
    // A name softens nothing else.
    let bad = stage.bad("team/bad");
    assert_eq!(
        stage.says(&tagged(&bad, "v1")).await,
        Err(vec!["config.broken".to_owned(), "reference.tag".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s38_no_tag_means_latest_and_stays_so_with_a_digest() {
    let stage = Stage::new().await;
    let image = stage.push("team/app", "latest", "10001");
    let name = image.split_once('@').unwrap().0.to_owned();
    stage.rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["latest"] } } }])).await;
    for written in [name.clone(), format!("{name}:latest")] {
        let one = pod("shop", &[&written]);
        let said = stage.asked("/admission/mutate?timeout=10s", &one).await;
        let after = mutation::patched(one, &said);
        let now = after["request"]["object"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
        assert_eq!(now, tagged(&image, "latest"), "{written}");
        assert!(stage.is_denied_by_its_tag(&now).await, "{written}");
        assert!(stage.asked("/admission/mutate", &after).await.get("patch").is_none(), "once is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_platform_is_let_in_by_its_index_under_the_name_that_is_written() {
    let stage = Stage::new().await;
    let child = ImageBuilder::new().user("10001").layer(Layer::new().file("a", "b")).build();
    let index = stage.registry.push("team/app", Some("1"), &IndexBuilder::new().image(&child).build());
    let name = stage.registry.reference("team/app");
    stage.rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["latest"] } } }])).await;
    assert_eq!(stage.says(&format!("{name}:1@{index}")).await, Ok(()));
    let child = format!("{name}@{}", child.digest());
    assert_eq!(stage.says(&child).await, Ok(()), "without a name too");
    assert_eq!(stage.says(&tagged(&child, "1")).await, Ok(()));
    assert!(stage.is_denied_by_its_tag(&tagged(&child, "latest")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_a_tag_that_somebody_verifies_and_one_that_is_a_name_are_two_questions() {
    let stage = Stage::new().await;
    let rules = json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["*-dev"] } } }]);
    stage.rules(&rules).await;
    let (good, bad) = (stage.good("team/good"), stage.bad("team/bad"));
    // Neither tag is there: whoever asks whether it stands for the digest is refused, and nothing is known of the image by that.
    for image in [&good, &bad] {
        let ask = json!({ "image": tagged(image, "moved"), "point": "ci" }).to_string();
        let said = stage.served.post("/api/v1/decide", Some(PIPELINE), &ask).await;
        assert_ne!(said.json()["permit"], "allowed", "{}", said.body);
    }
    assert_eq!(stage.says(&tagged(&good, "moved")).await, Ok(()));
    assert_eq!(stage.says(&tagged(&bad, "moved")).await, Err(vec!["config.broken".to_owned()]));
    let system = |image: &str| pod("kube-system", &[image]);
    let said = stage.validated(&system(&tagged(&bad, "moved"))).await;
    assert_eq!(causes(&said), ["config.broken"], "{said}");
    // The other way round.
    let ask = json!({ "image": tagged(&good, "moved"), "point": "ci" }).to_string();
    let said = stage.served.post("/api/v1/decide", Some(PIPELINE), &ask).await;
    assert_ne!(said.json()["permit"], "allowed", "{}", said.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn b6_many_names_of_one_digest_are_one_look() {
    let stage = Stage::new().await;
    stage.rules(&json!([non_root(), { "id": "tags", "registries": { "tags": { "deny": ["latest"] } } }])).await;
    let image = stage.good("team/app");
    assert_eq!(stage.says(&image).await, Ok(()));
    let looked = stage.registry.requests().len();
    for name in 0..10 {
        assert_eq!(stage.says(&tagged(&image, &format!("v{name}"))).await, Ok(()));
    }
    assert!(stage.is_denied_by_its_tag(&tagged(&image, "latest")).await);
    assert_eq!(stage.registry.requests().len(), looked);
    let page = stage.served.by(ADMIN, "/api/v1/decisions?limit=50").await.json();
    assert_eq!(page["decisions"].as_array().unwrap().len(), 2, "one for all names that are let in: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn b6_rego_sees_the_name_too() {
    let stage = Stage::new().await;
    let image = stage.good("team/app");
    let rego = "package house\nimport rego.v1\ndeny contains \"never latest\" if input.image.tag == \"latest\"\n";
    let files = json!({ "house.rego": STANDARD.encode(rego) });
    stage.rules_with(&json!([non_root(), { "id": "own", "rego": { "file": "house.rego" } }]), &files).await;
    assert_eq!(stage.says(&tagged(&image, "v1")).await, Ok(()));
    assert!(stage.says(&tagged(&image, "latest")).await.is_err());
}
