//! Configurations as builders write them, and those that say different things to different readers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn digest(n: usize) -> String {
    Digest::of(n.to_string().as_bytes()).to_string()
}

/// A manifest that names this configuration and so many layers.
fn manifest(config: &str, layers: usize) -> Value {
    let layers: Vec<Value> = (0..layers)
        .map(|n| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(n), "size": 100 + n}))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config.as_bytes()).to_string(),
            "size": config.len(),
        },
        "layers": layers,
    })
}

fn read_both(manifest: &str, config: &str) -> Result<ImageConfig, ParseError> {
    super::config(manifest.as_bytes(), config.as_bytes(), &Digest::of(config.as_bytes()), &Limits::STANDARD)
}

fn read(config: &str, layers: usize) -> Result<ImageConfig, ParseError> {
    read_both(&manifest(config, layers).to_string(), config)
}

/// A configuration of two layers, as BuildKit writes one.
fn full() -> Value {
    json!({
        "architecture": "arm64", "variant": "v8", "os": "linux", "created": "2026-11-20T10:00:00.5+01:00",
        "author": "someone",
        "config": {
            "User": "1000:1000",
            "ExposedPorts": {"8080/tcp": {}, "443/udp": {}},
            "Env": ["PATH=/usr/bin:/bin", "DB_PASSWORD=hunter2", "LANG=C.UTF-8"],
            "Entrypoint": ["/app"], "Cmd": ["serve"], "WorkingDir": "/srv",
            "Labels": {"org.opencontainers.image.revision": "abc", "token": "glpat-aaaaaaaaaaaaaaaaaaaa"},
            "Healthcheck": {"Test": ["NONE"]},
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(10), digest(11)]},
        "history": [
            {"created": "2026-11-20T10:00:00Z", "created_by": "ADD rootfs.tar.gz / # buildkit"},
            {"created_by": "ARG NPM_TOKEN=abc", "empty_layer": true},
            {"created_by": "ENV DB_PASSWORD=hunter2", "empty_layer": true},
            {"created_by": "COPY app /app # buildkit", "comment": "buildkit.dockerfile.v0"},
        ],
    })
}

#[test]
fn b16_everything_rules_ask_about_is_read() {
    let text = full().to_string();
    let image = read(&text, 2).unwrap();
    assert_eq!(image.id, Digest::of(text.as_bytes()));
    assert_eq!(image.platform.to_string(), "linux/arm64/v8");
    assert_eq!(image.created, Some("2026-11-20T09:00:00.5Z".parse().unwrap()));
    assert_eq!(image.user, "1000:1000");
    assert_eq!((image.entrypoint, image.command), (vec!["/app".to_owned()], vec!["serve".to_owned()]));
    assert_eq!(image.working_dir, "/srv");
    assert_eq!(image.path, ["/usr/bin", "/bin"]);
    assert_eq!(image.variables, ["PATH", "DB_PASSWORD", "LANG"]);
    assert_eq!(image.ports, ["443/udp", "8080/tcp"]);
    assert_eq!(image.labels["org.opencontainers.image.revision"], "abc");
    assert_eq!(image.layers.len(), 2);
    assert_eq!(image.layers[1].size_bytes, 101);
    assert_eq!(image.diff_ids[1].to_string(), digest(11));
    let secrets: Vec<(&str, &str)> = image.secrets.iter().map(|s| (s.place.as_str(), s.kind.as_str())).collect();
    assert_eq!(
        secrets,
        [
            ("environment variable DB_PASSWORD", "value of a name that says it is secret"),
            ("history entry 2", "value of a name that says it is secret"),
            ("label token", "GitLab token"),
        ]
    );
    assert!(!format!("{:?}", image.secrets).contains("hunter2"), "no value is kept");
    assert_eq!(image.base, None);
}

#[test]
fn b16_nulls_and_missing_parts_are_absent() {
    for config in [
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
        r#"{"architecture":"amd64","os":"linux","config":null,"history":null,"created":null,"container_config":null,
            "rootfs":{"type":"layers","diff_ids":null}}"#,
        r#"{"architecture":"amd64","os":"linux","created":"0001-01-01T00:00:00Z","config":{"User":null,
            "ExposedPorts":null,"Env":null,"Entrypoint":null,"Cmd":null,"WorkingDir":null,"Labels":null},
            "rootfs":{"type":"layers","diff_ids":[]}}"#,
    ] {
        let image = read(config, 0).unwrap();
        assert_eq!(image.created, None);
        assert_eq!((image.user.as_str(), image.working_dir.as_str()), ("", ""));
        assert!(image.entrypoint.is_empty() && image.command.is_empty() && image.path.is_empty());
        assert!(image.labels.is_empty() && image.ports.is_empty() && image.secrets.is_empty());
    }
    let unnamed = read(r#"{"architecture":"","rootfs":{"type":"layers","diff_ids":[]}}"#, 0).unwrap();
    assert_eq!(unnamed.platform.to_string(), "unspecified/unspecified");
}

#[test]
fn b16_the_last_path_counts() {
    let config = r#"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/a","X=y","PATH=/b:/c","LONELY"]},
        "rootfs":{"type":"layers","diff_ids":[]}}"#;
    let image = read(config, 0).unwrap();
    assert_eq!(image.path, ["/b", "/c"]);
    assert_eq!(image.variables, ["PATH", "X", "PATH", "LONELY"]);
}

#[test]
fn b16_dockers_build_container_is_looked_through() {
    let mut config = full();
    config["container_config"] = json!({
        "Hostname": "x", "Env": ["DB_PASSWORD=hunter2", "OLD_TOKEN=abc"],
        "Cmd": ["/bin/sh", "-c", "curl -H 'Authorization: ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"],
    });
    let image = read(&config.to_string(), 2).unwrap();
    let places: Vec<&str> = image.secrets.iter().map(|secret| secret.place.as_str()).collect();
    assert!(places.contains(&"environment variable OLD_TOKEN of the build container"), "{places:?}");
    assert!(places.contains(&"command of the build container"), "{places:?}");
    assert_eq!(places.iter().filter(|place| place.contains("DB_PASSWORD")).count(), 1, "{places:?}");
}

#[test]
fn b16_the_base_image_is_named_by_annotation_before_label() {
    let base = |annotations: Value, labels: Value| {
        let mut config = full();
        config["config"]["Labels"] = labels;
        let config = config.to_string();
        let mut manifest = manifest(&config, 2);
        manifest["annotations"] = annotations;
        read_both(&manifest.to_string(), &config).unwrap().base
    };
    let of = |name: &str, digest: &str| json!({BASE_NAME: name, BASE_DIGEST: digest});
    let known = |name: Option<&str>, digest: Option<String>, said_by: &str| {
        Some(BaseImage {
            name: name.map(str::to_owned),
            digest: digest.map(|digest| digest.parse().unwrap()),
            said_by: said_by.to_owned(),
        })
    };
    let debian = "docker.io/library/debian:12-slim";
    assert_eq!(base(of(debian, &digest(1)), of("other", "")), known(Some(debian), Some(digest(1)), "annotation"));
    assert_eq!(base(Value::Null, of(debian, &digest(1))), known(Some(debian), Some(digest(1)), "label"));
    assert_eq!(base(json!({}), of("", &digest(1))), known(None, Some(digest(1)), "label"));
    assert_eq!(base(json!({}), of(debian, "latest")), known(Some(debian), None, "label"));
    assert_eq!(base(json!({}), of("", "latest")), None);
}

#[test]
fn b16_documents_that_disagree_are_refused() {
    let refused = |config: &Value, layers: usize, words: &str| {
        let error = read(&config.to_string(), layers).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&full(), 1, "image configuration, at rootfs.diff_ids: it names 2 layers, and the manifest names 1");
    refused(&full(), 3, "it names 2 layers, and the manifest names 3");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut config = full();
        change(&mut config);
        config
    };
    refused(&with(&|c| c["rootfs"]["type"] = json!("overlay")), 2, "rootfs.type");
    refused(&with(&|c| c["created"] = json!("yesterday")), 2, "at created: \"yesterday\" is not a time");
    refused(&with(&|c| c["config"]["Cmd"] = json!("serve")), 2, "invalid type: string \"serve\"");
    refused(&with(&|c| c["config"]["Entrypoint"] = json!([null])), 2, "invalid type: null");
    refused(&with(&|c| c["config"]["Env"] = json!({"A": "b"})), 2, "invalid type: map");
    refused(&with(&|c| c["config"]["User"] = json!(0)), 2, "invalid type: integer");
    refused(&with(&|c| c["rootfs"] = Value::Null), 2, "invalid type: null");
    refused(&with(&|c| c["rootfs"]["diff_ids"][0] = json!("sha256:x")), 2, "digest has exactly 64");
    refused(
        &with(&|c| c["history"].as_array_mut().unwrap().push(json!({"created_by": "RUN x"}))),
        2,
        "at history: 3 steps made a layer, and the image has 2 layers",
    );
}

#[test]
fn b16_keys_that_runtimes_hear_and_we_do_not_are_refused() {
    for (pointer, key) in [
        ("", "Config"),
        ("", "Created"),
        ("/config", "user"),
        ("/config", "entryPoint"),
        ("/config", "EXPOSEDPORTS"),
        ("/config", "u\u{17f}er"),
        ("/rootfs", "Type"),
        ("/history/0", "Created_By"),
    ] {
        let mut config = full();
        config.pointer_mut(pointer).unwrap()[key] = Value::Null;
        let error = read(&config.to_string(), 2).expect_err(key).to_string();
        assert!(error.contains(&format!("the key {key:?} is read as")), "{error}");
    }
    let config = full().to_string();
    for (pointer, key) in [("", "Layers"), ("/config", "mediatype"), ("/layers/1", "Digest")] {
        let mut manifest = manifest(&config, 2);
        manifest.pointer_mut(pointer).unwrap()[key] = Value::Null;
        let error = read_both(&manifest.to_string(), &config).expect_err(key).to_string();
        assert!(error.contains(&format!("the key {key:?} is read as")), "{error}");
    }
    // Labels and ports are names of the author: their case is theirs.
    let mut config = full();
    config["config"]["Labels"]["ENV"] = json!("x");
    assert!(read(&config.to_string(), 2).is_ok());
}

#[test]
fn b16_keys_that_are_there_twice_are_refused() {
    let config = full().to_string();
    for (once, twice) in [
        (r#""User":"1000:1000""#, r#""User":"1000:1000","User":"0""#),
        (r#""token":"glpat-"#, r#""token":"","token":"glpat-"#),
        (r#""8080/tcp":{}"#, r#""8080/tcp":{},"8080/tcp":{}"#),
    ] {
        assert!(config.contains(once), "{config}");
        let error = read(&config.replace(once, twice), 2).expect_err(twice).to_string();
        assert!(error.contains("duplicate field") || error.contains("is there twice"), "{error}");
    }
}

#[test]
fn b16_the_configuration_is_the_one_the_manifest_names() {
    let config = full().to_string();
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let mut manifest = manifest(&config, 2);
        change(&mut manifest);
        let error = read_both(&manifest.to_string(), &config).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&|m| m["config"]["digest"] = json!(digest(9)), "image manifest, at config.digest: it names");
    refused(&|m| m["config"]["size"] = json!(3), "it says 3 bytes");
    refused(
        &|m| m["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json"),
        "this is no container image: its configuration is of type \"application/vnd.cncf.helm.config.v1+json\"",
    );
    refused(&|m| m["layers"] = Value::Null, "at layers: there is no list of layers");
    refused(&|m| m["layers"][0]["size"] = json!(-1), "invalid value: integer `-1`");
    refused(&|m| drop(m.as_object_mut().unwrap().remove("config")), "missing field `config`");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn b16_any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let good = full().to_string();
        prop_assert!(super::config(&bytes, good.as_bytes(), &Digest::of(b""), &Limits::STANDARD).is_err());
        let digest = Digest::of(&bytes);
        let manifest = manifest("", 0);
        prop_assert!(super::config(manifest.to_string().as_bytes(), &bytes, &digest, &Limits::STANDARD).is_err());
    }

    #[test]
    fn b16_a_cut_document_is_refused(at in 0usize..1000) {
        let good = full().to_string();
        let cut = &good[..at.min(good.len() - 1)];
        prop_assert!(read(cut, 2).is_err());
    }

    #[test]
    fn b16_a_changed_document_never_loses_its_secrets_silently(at in 0usize..1000, byte in b' '..b'~') {
        let good = full().to_string();
        let mut changed = good.clone().into_bytes();
        let at = at % changed.len();
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        // Either it is refused, or it is the image of what then stands there: one change removes at most one secret.
        if let Ok(image) = read(&changed, 2) {
            prop_assert!(image.secrets.len() >= 2, "{changed}");
        }
    }
}
