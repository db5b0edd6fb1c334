//! Each key of the `config` rule: what holds, what breaks, what cannot be told, and the values at the edge.

use std::collections::BTreeMap;

use model::{Clock, Contents, Entrypoint, ImageConfig, ManifestFacts, Reason, ReasonCode, Secret, Signal};

use super::*;
use crate::evaluate::tests::image::{codes, digest, facts, image, messages, seen};
use crate::scene::now;

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn about(text: &str, config: ImageConfig) -> Found {
    judge(&rule(text), &facts(config), &Clock::at(now()))
}

#[test]
fn b16_an_image_whose_configuration_could_not_be_had_is_unknown() {
    for text in ["{ nonRoot: true }", "{ maxSize: 1GiB }", "{ noSecrets: true }"] {
        let found = judge(&rule(text), &ManifestFacts::bare(digest("image"), None), &Clock::at(now()));
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotCollected]), "{text}");
    }
}

#[test]
fn b16_non_root_is_what_runtimes_make_of_the_user() {
    for (user, passes) in [
        ("", false),
        ("0", false),
        ("root", false),
        ("0:0", false),
        ("0:1000", false),
        ("root:root", false),
        ("root:1000", false),
        (":1000", false),
        ("00", false),
        ("+0", false),
        ("-0", false),
        (" 0", false),
        ("-1", false),
        ("2147483648", false),
        ("4294967296", false),
        ("99999999999999999999", false),
        ("2147483647", true),
        ("1", true),
        ("1000", true),
        ("1000:0", true),
        ("app", true),
        ("app:app", true),
        ("rootless", true),
    ] {
        let found = about("{ nonRoot: true }", ImageConfig { user: user.to_owned(), ..image() });
        let wanted = if passes { vec![] } else { vec![ReasonCode::ConfigBroken] };
        assert_eq!(codes(&found), wanted, "{user:?}");
        assert_eq!(found.notes.len(), usize::from(user.starts_with("app") || user == "rootless"), "{user:?}");
    }
    assert!(about("{ noSecrets: true }", ImageConfig { user: String::new(), ..image() }).failures.is_empty());
}

#[test]
fn b16_windows_has_its_own_administrators() {
    for (user, passes) in [
        ("", false),
        ("ContainerAdministrator", false),
        ("containeradministrator", false),
        ("User Manager\\ContainerAdministrator", false),
        ("NT AUTHORITY\\SYSTEM", false),
        ("ContainerUser", true),
    ] {
        let config = ImageConfig { user: user.to_owned(), platform: "windows/amd64".parse().unwrap(), ..image() };
        assert_eq!(about("{ nonRoot: true }", config).failures.is_empty(), passes, "{user:?}");
    }
}

#[test]
fn b16_user_ids_are_ranges_of_numbers() {
    for (user, passes) in
        [("999", false), ("1000", true), ("2000", true), ("2001", false), ("5000:0", true), ("app", false), ("", false)]
    {
        let found = about("{ userIds: [1000-2000, \"5000\"] }", ImageConfig { user: user.to_owned(), ..image() });
        assert_eq!(found.failures.is_empty(), passes, "{user:?}");
    }
    let root = || ImageConfig { user: "root".to_owned(), ..image() };
    assert_eq!(codes(&about("{ userIds: [0-10] }", root())), []);
    assert_eq!(codes(&about("{ userIds: [0-10], nonRoot: true }", root())), [ReasonCode::ConfigBroken]);
}

#[test]
fn b16_ports_are_allowed_and_denied_by_range_and_protocol() {
    let only = "{ ports: { allow: [8080/tcp, 9000-9010/tcp, 53/udp] } }";
    let never = "{ ports: { deny: [22/tcp, 6000-6063, 1-10/udp] } }";
    for (text, port, passes) in [
        (only, "8080/tcp", true),
        (only, "8080", true),
        (only, "8080/TCP", true),
        (only, "8080/udp", false),
        (only, "8081/tcp", false),
        (only, "8079/tcp", false),
        (only, "9000/tcp", true),
        (only, "9010/tcp", true),
        (only, "9011/tcp", false),
        (only, "9000-9010/tcp", true),
        (only, "9000-9011/tcp", false),
        (only, "53/udp", true),
        (never, "8080/tcp", true),
        (never, "22/tcp", false),
        (never, "22", false),
        (never, "22/udp", true),
        (never, "20-25/tcp", false),
        (never, "23-25/tcp", true),
        (never, "6063/sctp", false),
        (never, "6064/sctp", true),
        (never, "10/udp", false),
        (never, "10/tcp", true),
        ("{ ports: { allow: [] } }", "1/tcp", false),
        ("{ ports: { allow: [1-65535/tcp], deny: [22/tcp] } }", "22/tcp", false),
        ("{ ports: { allow: [1-65535/tcp], deny: [22/tcp] } }", "65535/tcp", true),
    ] {
        let found = about(text, ImageConfig { ports: vec![port.to_owned()], ..image() });
        let wanted = if passes { vec![] } else { vec![ReasonCode::ConfigBroken] };
        assert_eq!(codes(&found), wanted, "{text} {port}");
        assert!(passes || messages(&found).contains(port));
    }
    assert_eq!(codes(&about("{ ports: { allow: [] } }", ImageConfig { ports: vec![], ..image() })), []);
    for port in ["", "http", "0/tcp", "65536/tcp", "8080/quic", "9-8/tcp", "+80/tcp", "80 /tcp", "8080/"] {
        let found = about(never, ImageConfig { ports: vec![port.to_owned()], ..image() });
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::ConfigInvalid]), "{port:?}");
    }
}

#[test]
fn b16_labels_are_there_and_say_what_they_must() {
    let with = |name: &str, value: &str| ImageConfig {
        labels: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..image()
    };
    let required = "{ labels: { required: [team, source] } }";
    assert_eq!(codes(&about("{ labels: { required: [team] } }", image())), []);
    assert!(messages(&about(required, image())).contains("labels or their values: source\n"));
    assert!(messages(&about(required, ImageConfig { labels: BTreeMap::new(), ..image() })).contains("source, team"));
    let annotated = ImageConfig { annotations: BTreeMap::from([("source".to_owned(), "x".to_owned())]), ..image() };
    assert_eq!(codes(&about(required, annotated)), [], "an annotation of the manifest will do");
    for empty in ["", " "] {
        let found = about("{ labels: { required: [team] } }", with("team", empty));
        assert_eq!(codes(&found), [ReasonCode::ConfigBroken], "a label without a value says nothing");
    }
    let pattern = "{ labels: { match: { source: \"https://gitlab.com/acme/*\" } } }";
    for (value, passes) in [
        ("https://gitlab.com/acme/shop", true),
        ("https://gitlab.com/acme/", true),
        ("https://gitlab.com/acme/team/shop", false),
        ("https://gitlab.com/acme", false),
        ("https://evil.com/https://gitlab.com/acme/shop", false),
        ("https://gitlab.com/acme/shop\nx", true),
    ] {
        assert_eq!(about(pattern, with("source", value)).failures.is_empty(), passes, "{value}");
    }
    assert_eq!(codes(&about(pattern, image())), [ReasonCode::ConfigBroken], "missing");
    let deep = "{ labels: { match: { source: \"https://gitlab.com/acme/**\" } } }";
    assert_eq!(codes(&about(deep, with("source", "https://gitlab.com/acme/team/shop"))), []);
}

#[test]
fn b16_secrets_are_named_by_place_and_kind() {
    let secret = |place: &str| Secret { place: place.to_owned(), kind: "private key".to_owned() };
    let found = about("{ noSecrets: true }", ImageConfig { secrets: vec![secret("label x")], ..image() });
    assert_eq!(codes(&found), [ReasonCode::ConfigSecret]);
    assert!(messages(&found).contains("label x (private key)"));
    assert_eq!(codes(&about("{ noSecrets: true }", image())), []);
    let many = (0..7).map(|n| secret(&format!("label {n}"))).collect();
    assert!(messages(&about("{ noSecrets: true }", ImageConfig { secrets: many, ..image() })).contains("and 2 more"));
}

#[test]
fn b16_architectures_are_compared_as_runtimes_do() {
    for (allowed, platform, passes) in [
        ("[amd64]", "linux/amd64", true),
        ("[amd64]", "linux/arm64", false),
        ("[amd64, arm64]", "linux/arm64/v8", true),
        ("[x86_64]", "linux/amd64", true),
        ("[arm/v7]", "linux/arm/v7", true),
        ("[arm/v7]", "linux/arm/v6", false),
        ("[amd64]", "windows/amd64", true),
        ("[amd64]", "unspecified/unspecified", false),
        ("[amd64]", "linux/unspecified", false),
    ] {
        let found = about(
            &format!("{{ architectures: {allowed} }}"),
            ImageConfig { platform: platform.parse().unwrap(), ..image() },
        );
        assert_eq!(found.failures.is_empty(), passes, "{allowed} {platform}");
    }
    let mut nameless = image();
    nameless.platform.architecture = String::new();
    assert_eq!(codes(&about("{ architectures: [amd64] }", nameless)), [ReasonCode::ConfigBroken]);
}

#[test]
fn b16_size_and_layers_have_limits() {
    // 4 layers of 50 MiB
    for (text, passes) in [
        ("{ maxSize: 200MiB }", true),
        ("{ maxSize: 209715199B }", false),
        ("{ maxSize: 1.5GiB }", true),
        ("{ maxLayers: 4 }", true),
        ("{ maxLayers: 3 }", false),
    ] {
        let found = about(text, image());
        let wanted = if passes { vec![] } else { vec![ReasonCode::ConfigBroken] };
        assert_eq!(codes(&found), wanted, "{text}");
    }
    let text = messages(&about("{ maxSize: 100MiB }", image()));
    assert!(text.contains("200MiB compressed (209715200 bytes); the policy allows 100MiB"), "{text}");
    let mut huge = image();
    huge.layers.iter_mut().for_each(|layer| layer.size_bytes = u64::MAX);
    assert_eq!(codes(&about("{ maxSize: 100GiB }", huge)), [ReasonCode::ConfigBroken]);
}

#[test]
fn b16_the_entrypoint_can_be_run() {
    let text = || "there".to_owned();
    for (entrypoint, wanted) in [
        (Entrypoint::Resolved(text()), vec![]),
        (Entrypoint::NotSet, vec![ReasonCode::EntrypointBroken]),
        (Entrypoint::Missing(text()), vec![ReasonCode::EntrypointBroken]),
        (Entrypoint::NotExecutable(text()), vec![ReasonCode::EntrypointBroken]),
        (Entrypoint::WrongArchitecture(text()), vec![ReasonCode::EntrypointBroken]),
        (Entrypoint::InterpreterMissing(text()), vec![ReasonCode::EntrypointBroken]),
        (Entrypoint::NotDecidable(text()), vec![ReasonCode::ContentUnsupported]),
    ] {
        let mut facts = facts(image());
        let contents = Contents {
            os: None,
            databases: vec![],
            packages: vec![],
            removed: vec![],
            unreadable: vec!["x".to_owned()],
            entrypoint,
        };
        facts.contents = Signal::Present(seen(contents.clone()));
        let found = judge(&rule("{ entrypoint: resolvable }"), &facts, &Clock::at(now()));
        assert_eq!(codes(&found), wanted, "{contents:?}");
        assert_eq!(codes(&judge(&rule("{ noSecrets: true }"), &facts, &Clock::at(now()))), []);
    }
    let mut facts = facts(image());
    facts.contents = Signal::Absent(Reason::new(ReasonCode::ConfigInvalid, "no layers"));
    let found = judge(&rule("{ entrypoint: resolvable }"), &facts, &Clock::at(now()));
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::ConfigInvalid]));
    assert!(rule("{ entrypoint: resolvable }").needs_contents() && !rule("{ nonRoot: true }").needs_contents());
}

#[test]
fn b16_every_broken_key_is_a_reason_of_its_own() {
    let broken = ImageConfig { user: "root".to_owned(), ports: vec!["22/tcp".to_owned()], ..image() };
    let found = about(
        "{ nonRoot: true, ports: { deny: [22/tcp] }, labels: { required: [x] }, architectures: [arm64], \
         maxSize: 1MiB, maxLayers: 1 }",
        broken,
    );
    assert_eq!(found.failures.len(), 6, "{found:?}");
    let mut texts: Vec<_> = found.failures.iter().map(|reason| (&reason.message, &reason.remedy)).collect();
    texts.dedup();
    assert_eq!(texts.len(), 6);
}

#[test]
fn b16_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ nonroot: true }", "nonroot"),
        ("{ nonRoot: yes-please }", ""),
        ("{ entrypoint: present }", "present"),
        ("{ ports: { allow: [http] } }", "http"),
        ("{ ports: { allow: [8080/http] } }", "8080/http"),
        ("{ ports: { deny: [9-8/tcp] } }", "9-8"),
        ("{ ports: { deny: [70000/tcp] } }", "70000"),
        ("{ ports: { only: [1/tcp] } }", "only"),
        ("{ labels: { match: { x: \"[\" } } }", ""),
        ("{ labels: { match: { x: \"\" } } }", "empty"),
        ("{ maxAge: 90d }", "maxAge"),
        ("{ base: { approved: [debian] } }", "base"),
        ("{ maxSize: 500 }", ""),
        ("{ maxSize: 500ms }", "size"),
        ("{ maxSize: many }", "amount"),
        ("{ maxLayers: -1 }", ""),
        ("{ userIds: [5-4] }", "5-4"),
        ("{ userIds: [app] }", "app"),
        ("{ userIds: [4294967296] }", "4294967296"),
    ] {
        let error = serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for text in [
        "{}",
        "{ nonRoot: false }",
        "{ noSecrets: false, nonRoot: true }",
        "{ userIds: [] }",
        "{ architectures: [] }",
        "{ maxLayers: 0 }",
        "{ ports: {} }",
        "{ ports: { deny: [] } }",
        "{ labels: {} }",
        "{ labels: { required: [] } }",
        "{ labels: { required: [\" \"] } }",
        "{ labels: { match: { \"\": x } } }",
    ] {
        let (what, hint) = rule(text).check("r").expect_err(text);
        assert!(what.contains("\"r\"") && !hint.is_empty(), "{text}: {what}");
    }
    let full = "{ nonRoot: true, userIds: [1000-2000], entrypoint: resolvable, ports: { allow: [], deny: [22/tcp] }, labels: \
                { required: [team], match: { source: \"https://**\" } }, noSecrets: true, architectures: [amd64], \
                maxSize: 500MiB, maxLayers: 40 }";
    assert_eq!(rule(full).check("r"), Ok(()));
}
