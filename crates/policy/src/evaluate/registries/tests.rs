//! Which references are allowed: spelling by spelling, by the samples that Gatekeeper's library is known for, and for those
//! that would slip through a pattern that is read too quickly.

use model::Verdict;
use proptest::prelude::*;

use super::*;
use crate::evaluate::tests::image::{codes, messages};
use crate::scene::{ask_about, heard, set};
use crate::{Exceptions, evaluate};

const DIGEST: &str = "sha256:04ff8fce2afd1a3bc26260348e5b290e8d945b1fad4b4c16d22834c2f3a1814a";

fn rule(text: &str) -> Rule {
    let rule: Rule = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    rule.check("r").unwrap_or_else(|(what, hint)| panic!("{text}: {what} ({hint})"));
    rule
}

fn about(text: &str, image: &str) -> Found {
    judge(&rule(text), &ask_about(image))
}

fn allows(text: &str, image: &str) -> bool {
    let found = about(text, image);
    found.failures.is_empty() && found.gaps.is_empty()
}

/// Why a rule is refused when it is read, or when it is checked.
fn refused(text: &str) -> String {
    match serde_saphyr::from_str::<Rule>(text) {
        Err(error) => error.to_string(),
        Ok(rule) => rule.check("r").expect_err(text).0,
    }
}

#[test]
fn b13_only_allowed_repositories_by_gatekeepers_samples() {
    // K8sAllowedRepos: everything of one organisation on Docker Hub, and nothing else.
    let only = "{ allow: [docker.io/openpolicyagent/**] }";
    for (image, allowed) in [
        ("docker.io/openpolicyagent/opa:0.9.2", true),
        ("index.docker.io/openpolicyagent/init:latest", true),
        ("docker.io/nginx", false),
        ("docker.io/library/nginx", false),
        ("docker.io/openpolicyagentx/opa", false),
        ("docker.io/mine/openpolicyagent/opa", false),
        ("evil.example/openpolicyagent/opa:0.9.2", false),
        ("docker.io.evil.example/openpolicyagent/opa", false),
    ] {
        assert_eq!(allows(only, image), allowed, "{image}");
    }
    assert_eq!(codes(&about(only, "docker.io/nginx")), [ReasonCode::ReferenceRegistry]);
    assert!(
        messages(&about(only, "docker.io/nginx")).contains("comes from docker.io/library/nginx; the policy allows")
    );
}

#[test]
fn b13_disallowed_repositories_by_gatekeepers_samples() {
    // K8sDisallowedRepos: the registry that Kubernetes has left.
    let old = "{ deny: [k8s.gcr.io/**] }";
    assert!(allows(old, "registry.k8s.io/kustomize/kustomize:v3.8.9"));
    for image in ["k8s.gcr.io/kustomize/kustomize:v3.8.9", "K8S.gcr.io:443/pause", "k8s.gcr.io/a/b/c@sha256:"] {
        let image = if image.ends_with(':') { image.replace("sha256:", DIGEST) } else { image.to_owned() };
        assert_eq!(codes(&about(old, &image)), [ReasonCode::ReferenceRegistry], "{image}");
    }
}

#[test]
fn b13_disallowed_tags_by_gatekeepers_samples() {
    // K8sDisallowedTags: neither `latest` nor no tag at all, but for two images that are excepted.
    let latest = "{ tags: { deny: [latest] }, except: [\"docker.io/openpolicyagent/opa-exp:latest\", \
                  \"docker.io/openpolicyagent/opa-exp2:latest\"] }";
    for (image, allowed) in [
        ("docker.io/openpolicyagent/opa:0.9.2", true),
        ("docker.io/openpolicyagent/opa-exp:latest", true),
        ("docker.io/openpolicyagent/opa-exp", true),
        ("docker.io/openpolicyagent/opa-exp2:latest", true),
        ("docker.io/openpolicyagent/opa", false),
        ("docker.io/openpolicyagent/opa:latest", false),
        ("docker.io/openpolicyagent/init:latest", false),
        ("docker.io/openpolicyagent/monitor:latest", false),
        ("docker.io/openpolicyagent/opa-exp3:latest", false),
        ("evil.example/openpolicyagent/opa-exp:latest", false),
        // A port is no tag.
        ("openpolicyagent:443/opa", false),
        ("openpolicyagent:443/opa:0.9.2", true),
    ] {
        assert_eq!(allows(latest, image), allowed, "{image}");
    }
    let silent = messages(&about(latest, "docker.io/openpolicyagent/opa"));
    assert!(silent.contains("neither tag nor digest, which means the tag latest"), "{silent}");
    assert_eq!(about(latest, "docker.io/openpolicyagent/opa-exp:latest").notes.len(), 1, "an exception is said");
}

#[test]
fn b13_digests_by_gatekeepers_samples() {
    // K8sImageDigests: by digest, with or without a tag beside it.
    let digest = "{ digestOnly: true }";
    for (image, allowed) in [
        ("docker.io/openpolicyagent/opa:0.9.2".to_owned(), false),
        ("docker.io/openpolicyagent/opa".to_owned(), false),
        (format!("docker.io/openpolicyagent/opa@{DIGEST}"), true),
        (format!("docker.io/openpolicyagent/opa:0.9.2@{DIGEST}"), true),
    ] {
        assert_eq!(allows(digest, &image), allowed, "{image}");
    }
    assert_eq!(codes(&about(digest, "docker.io/openpolicyagent/opa:0.9.2")), [ReasonCode::ReferenceDigest]);
}

#[test]
fn b13_a_registry_has_one_spelling() {
    for (pattern, image, fits) in [
        ("docker.io/library/nginx", "docker.io/nginx", true),
        ("docker.io/nginx", "docker.io/library/nginx", true),
        ("index.docker.io/nginx", "registry-1.docker.io/nginx", true),
        ("docker.io/library/*", "Docker.IO/nginx", true),
        ("docker.io/library/*", "docker.io/acme/nginx", false),
        ("docker.io/**", "registry.hub.docker.com/a/b", true),
        ("GHCR.io/acme/*", "ghcr.io/acme/app", true),
        ("ghcr.io/acme/*", "ghcr.io/acme/team/app", false),
        ("ghcr.io/acme/**", "ghcr.io/acme/team/app", true),
        ("ghcr.io/acme/**", "ghcr.io/acme", false),
        ("ghcr.io/acme/**/app", "ghcr.io/acme/app", true),
        ("ghcr.io/acme", "ghcr.io/acme", true),
        ("ghcr.io/acme", "ghcr.io/acme-evil", false),
        ("ghcr.io/acme-*", "ghcr.io/acme-app", true),
        ("registry.example.com:443/a", "registry.example.com/a", true),
        ("registry.example.com/a", "registry.example.com:443/a", true),
        ("registry.example.com/a", "registry.example.com:5000/a", false),
        ("registry.example.com/a", "registry.example.com:80/a", false),
        ("localhost:5000/a", "localhost:5000/a", true),
        ("registry:443/a", "registry:443/a", true),
        ("[::1]:5000/a", "[::1]:5000/a", true),
        ("[::1]:5000/a", "[::2]:5000/a", false),
        ("*.example.com/**", "a.b.example.com/c/d", true),
        ("*.example.com:443/**", "a.example.com/c", true),
        ("*.example.com:443/**", "a.example.com:443/c", true),
        ("*.example.com/**", "a.example.com:8443/c", false),
        ("*.example.com:*/**", "a.example.com:8443/c", true),
        ("*.example.com/**", "example.com/c", false),
        ("*.example.com/**", "evil-example.com/c", false),
        ("*.example.com/**", "a.example.com.evil.org/c", false),
        ("111122223333.dkr.ecr.*.amazonaws.com/pay/**", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/pay/app", true),
        ("111122223333.dkr.ecr.*.amazonaws.com/pay/**", "111122223333.dkr-ecr.eu-west-1.on.aws/pay/app", true),
        ("111122223333.dkr.ecr.*.amazonaws.com/pay/**", "444455556666.dkr.ecr.eu-west-1.amazonaws.com/pay/app", false),
        // A bucket of that name.
        ("111122223333.dkr.ecr.*.amazonaws.com/pay/**", "111122223333.dkr.ecr.x.s3.amazonaws.com/pay/app", false),
        (
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/pay/*",
            "111122223333.dkr-ecr-fips.eu-west-1.on.aws/pay/app",
            true,
        ),
        (
            "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/pay/*",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/pay/app",
            true,
        ),
        (
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/pay/*",
            "111122223333.dkr.ecr.eu-west-2.amazonaws.com/pay/a",
            false,
        ),
    ] {
        assert_eq!(allows(&format!("{{ allow: [\"{pattern}\"] }}"), image), fits, "{pattern} {image}");
        assert_eq!(!allows(&format!("{{ deny: [\"{pattern}\"] }}"), image), fits, "{pattern} {image}");
    }
}

#[test]
fn b13_deny_wins_over_allow() {
    let both = "{ allow: [ghcr.io/acme/**], deny: [\"*/*/legacy\", \"**/tmp-*\"] }";
    assert!(allows(both, "ghcr.io/acme/app"));
    for image in ["ghcr.io/acme/legacy", "ghcr.io/acme/a/b/tmp-1"] {
        let text = messages(&about(both, image));
        assert!(text.contains("the policy denies by"), "{text}");
    }
    assert!(!allows("{ deny: [\"**\"] }", "ghcr.io/acme/app"));
    assert!(!allows("{ deny: [\"*.dkr.ecr.*.amazonaws.com/**\"] }", "111122223333.dkr-ecr.eu-west-1.on.aws/a"));
    assert!(!allows("{ tags: { allow: [\"v*\"], deny: [\"*-rc*\"] } }", "ghcr.io/acme/app:v1.0-rc1"));
    assert!(allows("{ tags: { allow: [\"v*\"], deny: [\"*-rc*\"] } }", "ghcr.io/acme/app:v1.0"));
}

#[test]
fn b13_tags_are_those_that_the_reference_names() {
    let digest = format!("ghcr.io/acme/app@{DIGEST}");
    let both = format!("ghcr.io/acme/app:latest@{DIGEST}");
    for (rule, image, allowed) in [
        ("deny: [latest]", digest.as_str(), true),
        ("deny: [latest]", both.as_str(), false),
        ("deny: [\"*\"]", digest.as_str(), true),
        ("deny: [\"*\"]", "ghcr.io/acme/app", false),
        ("deny: [Latest]", "ghcr.io/acme/app:latest", true),
        ("deny: [\"*-dev\"]", "ghcr.io/acme/app:1.0-dev", false),
        ("deny: [\"*-dev\"]", "ghcr.io/acme/app:1.0-dev.1", true),
        ("allow: [latest]", "ghcr.io/acme/app", true),
        ("allow: [\"v*\"]", "ghcr.io/acme/app", false),
        ("allow: [\"v*\"]", "ghcr.io/acme/app:v1", true),
        ("allow: [\"v*\"]", "ghcr.io/acme/app:xv1", false),
        ("allow: [\"v1.*\"]", "ghcr.io/acme/app:v1x2", false),
        // What names no tag names none that is allowed.
        ("allow: [\"v*\"]", digest.as_str(), false),
        ("allow: [\"*\"]", digest.as_str(), false),
    ] {
        assert_eq!(allows(&format!("{{ tags: {{ {rule} }} }}"), image), allowed, "{rule} {image}");
    }
    assert_eq!(codes(&about("{ tags: { deny: [latest] } }", &both)), [ReasonCode::ReferenceTag]);
}

#[test]
fn s4_an_image_in_no_registry_comes_from_no_allowed_one() {
    for text in ["{ allow: [docker.io/**] }", "{ deny: [docker.io/**] }", "{ allow: [docker.io/library/nginx] }"] {
        let found = about(text, "nginx");
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::ReferenceUnknown]), "{text}");
    }
    // What the reference does say is judged all the same, and nothing is excepted by a name that it lacks.
    let all =
        "{ allow: [docker.io/**], tags: { deny: [latest] }, digestOnly: true, except: [docker.io/library/nginx] }";
    assert_eq!(
        codes(&about(all, "nginx")),
        [ReasonCode::ReferenceTag, ReasonCode::ReferenceDigest, ReasonCode::ReferenceUnknown]
    );
}

#[test]
fn a18_an_index_has_one_reference() {
    let clean = || model::Signal::Present(crate::scene::scan(vec![]).observed());
    let index = crate::scene::index(vec![("linux/amd64", clean()), ("linux/arm64", clean())]);
    let policies = set("match: { platforms: [linux/s390x] }, rules: [{ id: r, registries: { digestOnly: true } }]");
    let judgement =
        evaluate(&policies, &ask_about("ghcr.io/acme/app:1"), &index, &Exceptions::none(), crate::scene::now());
    assert_eq!((judgement.verdict, judgement.reasons().len()), (Verdict::Deny, 1), "once, and of no platform");
    let pinned = ask_about(&format!("ghcr.io/acme/app:1@{DIGEST}"));
    for facts in [index, heard(vec![])] {
        let judgement = evaluate(&policies, &pinned, &facts, &Exceptions::none(), crate::scene::now());
        assert_eq!(judgement.verdict, Verdict::Allow, "{:?}", judgement.reasons());
    }
}

#[test]
fn b13_a_pattern_that_could_be_misread_is_refused() {
    for (text, says) in [
        ("{ allow: [nginx] }", "docker.io/library"),
        ("{ allow: [\"nginx*\"] }", "registry and repository"),
        ("{ allow: [\"team/*\"] }", "on Docker Hub it is docker.io/team/*"),
        ("{ deny: [\"team/*\"] }", "on Docker Hub it is docker.io/team/*"),
        ("{ allow: [docker.io] }", "registry and repository"),
        ("{ allow: [docker.io/] }", "write docker.io/**"),
        ("{ allow: [docker.io/openpolicyagent/] }", "write docker.io/openpolicyagent/**"),
        ("{ allow: [docker.io//a] }", "no prefix"),
        ("{ allow: [\"docker.io/*\"] }", "docker.io/library/*"),
        ("{ deny: [\"docker.io/ng*\"] }", "docker.io/library/ng*"),
        ("{ allow: [\"ghcr.io/acme/app:1\"] }", "lists of their own"),
        ("{ allow: [\"ghcr.io/acme/app@sha256:0\"] }", "digest"),
        ("{ allow: [ghcr.io/Acme/app] }", "'A'"),
        ("{ allow: [\"ghcr.io/acme/{a,b}\"] }", "'{'"),
        ("{ allow: [\"ghcr.io/acme/?\"] }", "'?'"),
        ("{ allow: [\"{ghcr.io/a,evil.example/b}/c\"] }", "host"),
        ("{ allow: [\"ghcr.io?/acme/*\"] }", "host"),
        ("{ allow: [\"[*]/acme\"] }", "'['"),
        ("{ allow: [\"https://ghcr.io/acme\"] }", "host"),
        ("{ allow: [\"\"] }", "registry and repository"),
        // Anybody may have a registry of such a name.
        ("{ allow: [\"**\"] }", "any registry"),
        ("{ allow: [\"*/acme/**\"] }", "any registry"),
        ("{ allow: [\"**/acme\"] }", "any registry"),
        ("{ allow: [\"ghcr.io*/**\"] }", "any registry"),
        ("{ allow: [\"ghcr.*/**\"] }", "any registry"),
        ("{ allow: [\"*example.com/**\"] }", "any registry"),
        ("{ allow: [\"*.dkr.ecr.eu-west-1.amazonaws.com/**\"] }", "any registry"),
        ("{ allow: [\"*.amazonaws.com/**\"] }", "any registry"),
        ("{ deny: [\"*.docker.io/**\"] }", "write docker.io/**"),
        ("{ deny: [\"*.dkr-ecr.eu-west-1.on.aws/**\"] }", "classic host"),
        ("{ deny: [\"*.dkr.ecr-fips.*.amazonaws.com/**\"] }", "classic host"),
        ("{ allow: [\"*:5000/**\"] }", "any registry"),
        ("{ allow: [\"registry.*:5000/**\"] }", "any registry"),
        ("{ digestOnly: true, except: [\"*/acme/app\"] }", "any registry"),
        ("{ digestOnly: true, except: [app] }", "registry and repository"),
        ("{ tags: { deny: [\"\"] } }", "empty"),
        ("{ tags: { deny: [\"a/b\"] } }", "'/'"),
        ("{ tags: { deny: [\":latest\"] } }", "':'"),
        ("{ tags: { deny: [\"[0-9]*\"] } }", "'['"),
        ("{ tags: { forbid: [latest] } }", "forbid"),
    ] {
        let error = refused(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn b13_documents_that_ask_nothing_or_both_are_refused() {
    for (text, says) in [
        ("{}", "asks nothing"),
        ("{ except: [ghcr.io/acme/app] }", "asks nothing"),
        ("{ digestOnly: false }", "asks nothing"),
        ("{ tags: {} }", "asks nothing"),
        ("{ allow: [] }", "is empty"),
        ("{ deny: [] }", "is empty"),
        ("{ digestOnly: true, except: [] }", "is empty"),
        ("{ tags: { allow: [] } }", "is empty"),
        ("{ tags: { deny: [] } }", "is empty"),
        ("{ allow: [docker.io/nginx], deny: [index.docker.io/library/nginx] }", "both"),
        ("{ tags: { allow: [\"v*\", latest], deny: [latest] } }", "both"),
    ] {
        let error = refused(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

const IMAGES: [&str; 6] = [
    "docker.io/nginx",
    "docker.io/acme/app:latest",
    "ghcr.io/acme/app:v1",
    "ghcr.io/acme/team/app",
    "registry.example.com:5000/app:v1-dev",
    "app",
];
const PATTERNS: [&str; 6] = [
    "docker.io/**",
    "docker.io/library/nginx",
    "ghcr.io/acme/*",
    "ghcr.io/**/app",
    "*.example.com:5000/*",
    "ghcr.io/acme/team/app",
];
const TAGS: [&str; 4] = ["latest", "v*", "*-dev", "v1"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b13_denying_more_and_allowing_less_never_lets_more_through(
        image in proptest::sample::select(IMAGES.to_vec()),
        names in proptest::sample::subsequence(PATTERNS.to_vec(), 1..=6), name in proptest::sample::select(PATTERNS.to_vec()),
        tags in proptest::sample::subsequence(TAGS.to_vec(), 1..=4), tag in proptest::sample::select(TAGS.to_vec()),
    ) {
        let list = |some: &[&str], more: Option<&str>| {
            some.iter().copied().chain(more).map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")
        };
        let of = |key: &str, more: Option<&str>| allows(&format!("{{ {key}: [{}] }}", list(&names, more)), image);
        prop_assert!(!of("deny", Some(name)) || of("deny", None));
        prop_assert!(!of("allow", None) || of("allow", Some(name)));
        let of = |key: &str, more: Option<&str>| allows(&format!("{{ tags: {{ {key}: [{}] }} }}", list(&tags, more)), image);
        prop_assert!(!of("deny", Some(tag)) || of("deny", None));
        prop_assert!(!of("allow", None) || of("allow", Some(tag)));
    }

    #[test]
    fn b13_no_text_makes_a_pattern_panic(text in "\\PC{0,40}|[a-z0-9.:/*@{}\\[\\]-]{0,30}", image in "\\PC{0,40}") {
        use crate::document::Registries;
        let document = serde_json::json!({ "allow": [&text], "deny": [&text], "except": [&text], "tags": { "deny": [&text] } });
        if let Ok(rule) = serde_json::from_value::<Registries>(document) {
            let _ = rule.check("r");
            if let Ok(image) = image.parse::<ImageReference>() {
                let _ = judge(&rule, &Ask { image, ..crate::scene::ask() });
            }
        }
    }
}
