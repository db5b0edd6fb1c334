//! Pull, discovery and login.

use serde_json::Value;
use testkit::oci::{Auth, Bearer, ImageBuilder, IndexBuilder, Layer, Referrer, Registry, Settings, digest_of};

use super::{ask, get};

fn image(word: &str) -> testkit::oci::Image {
    ImageBuilder::new().layer(Layer::new().file("etc/word", word)).build()
}

#[test]
fn what_was_pushed_is_pulled_by_tag_and_digest() {
    let registry = Registry::start();
    let image = image("a");
    let index = IndexBuilder::new().image(&image).build();
    registry.push("team/app", Some("v1"), &index);
    let by_tag = get(&registry, "/v2/team/app/manifests/v1");
    assert_eq!((by_tag.status, by_tag.body.as_slice()), (200, index.manifest.bytes.as_slice()));
    assert_eq!(by_tag.header("docker-content-digest"), Some(index.digest()));
    assert_eq!(by_tag.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    let child = get(&registry, &format!("/v2/team/app/manifests/{}", image.digest()));
    assert_eq!(child.body, image.manifest.bytes);
    let head = ask(&registry, &format!("HEAD /v2/team/app/blobs/{}", image.config.digest), &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(image.config.bytes.len().to_string().as_str()));
    let layer = &image.layers[0];
    let part = ask(&registry, &format!("GET /v2/team/app/blobs/{}", layer.digest), &[("Range", "bytes=10-19")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &layer.bytes[10..20]));
    assert_eq!(get(&registry, "/v2/team/app/manifests/v2").code(), "MANIFEST_UNKNOWN");
    assert_eq!(get(&registry, "/v2/other/manifests/v1").code(), "NAME_UNKNOWN");
    assert_eq!(registry.count("GET", "/manifests/"), 4);
    assert!(registry.requests().iter().all(|request| !request.had_authorization()));
}

#[test]
fn tags_and_referrers_come_in_pages_and_the_filter_is_named() {
    let registry = Settings::new().page_size(2).start();
    let image = image("a");
    for tag in ["a", "b", "c"] {
        registry.push("app", Some(tag), &image);
    }
    let first = get(&registry, "/v2/app/tags/list");
    assert_eq!(first.json()["tags"], serde_json::json!(["a", "b"]));
    let link = first.header("link").unwrap();
    let next = &link[1..link.find('>').unwrap()];
    assert_eq!(get(&registry, next).json()["tags"], serde_json::json!(["c"]));

    for number in 0..3 {
        let report = Referrer::new(&image, "application/x+a").layer("text/plain", number.to_string()).build();
        registry.push("app", None, &report);
    }
    let other = Referrer::new(&image, "application/x-b").annotation("k", "v").build();
    registry.push("app", None, &other);
    let all = format!("/v2/app/referrers/{}", image.digest());
    let count = |value: &Value| value["manifests"].as_array().unwrap().len();
    let page = get(&registry, &all);
    assert_eq!((count(&page.json()), page.header("OCI-Filters-Applied")), (2, None));
    let filtered = get(&registry, &format!("{all}?artifactType=application%2Fx%2Ba"));
    assert_eq!(filtered.header("OCI-Filters-Applied"), Some("artifactType"));
    let link = filtered.header("link").unwrap();
    let rest = get(&registry, &link[1..link.find('>').unwrap()]);
    assert_eq!((count(&rest.json()), rest.header("link")), (1, None));
    let found = get(&registry, &format!("{all}?artifactType=application/x-b")).json();
    assert_eq!(found["manifests"][0]["annotations"]["k"], "v");
    assert_eq!(count(&get(&registry, &format!("/v2/app/referrers/{}", digest_of(b""))).json()), 0);
}

#[test]
fn without_the_referrers_api_the_fallback_tag_lists_them() {
    let registry = Settings::new().without_referrers_api().start();
    let image = image("a");
    registry.push("app", Some("v1"), &image);
    let reports: Vec<_> =
        ["x", "y"].map(|text| Referrer::new(&image, "a/b").layer("text/plain", text).build()).into_iter().collect();
    for report in &reports {
        registry.push("app", None, report);
    }
    assert_eq!(get(&registry, &format!("/v2/app/referrers/{}", image.digest())).status, 404);
    let index = get(&registry, &format!("/v2/app/manifests/{}", image.digest().replace(':', "-"))).json();
    let listed: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap()).collect();
    assert_eq!(listed, [reports[0].digest(), reports[1].digest()]);
    assert_eq!(index["manifests"][0]["artifactType"], "a/b");
}

#[test]
fn basic_login_is_asked_for_and_checked() {
    let registry = Settings::new().auth(Auth::basic("ci", "secret")).start();
    registry.push("app", Some("v1"), &image("a"));
    let refused = get(&registry, "/v2/app/manifests/v1");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic realm=\"testkit\"")));
    for (pair, status) in [("Y2k6c2VjcmV0", 200), ("Y2k6d3Jvbmc=", 401), ("?", 401)] {
        let authorization = format!("Basic {pair}");
        let answer = ask(&registry, "GET /v2/app/manifests/v1", &[("Authorization", &authorization)], b"");
        assert_eq!(answer.status, status, "{pair}");
    }
}

#[test]
fn a_token_is_good_for_its_scope_and_for_so_many_requests() {
    let bearer =
        Bearer { token_uses: Some(2), identity_token: Some("long lived".to_owned()), ..Bearer::anonymous(true) };
    let registry = Settings::new().auth(Auth::Bearer(bearer)).start();
    registry.push("app", Some("v1"), &image("a"));
    let challenge = get(&registry, "/v2/app/manifests/v1");
    assert_eq!(
        challenge.header("www-authenticate"),
        Some(
            format!("Bearer realm=\"{}/token\",service=\"testkit\",scope=\"repository:app:pull\"", registry.url())
                .as_str()
        )
    );
    let token = get(&registry, "/token?service=testkit&scope=repository%3Aapp%3Apull,push").json();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let with = |request: &str| ask(&registry, request, &[("Authorization", &bearer)], b"");
    assert_eq!(with("GET /v2/app/manifests/v1").status, 200);
    let other = with("POST /v2/app/blobs/uploads/");
    assert!(other.header("www-authenticate").unwrap().contains("insufficient_scope"), "nobody may push anonymously");
    assert_eq!(with("GET /v2/app/manifests/v1").status, 401, "two uses, then it is unknown");

    let form = b"grant_type=refresh_token&service=testkit&refresh_token=long+lived&scope=repository:app:pull,push";
    let token = ask(&registry, "POST /token", &[], form).json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let begun = ask(&registry, "POST /v2/app/blobs/uploads/", &[("Authorization", &bearer)], b"");
    assert_eq!(begun.status, 202);
    registry.forget_tokens();
    assert_eq!(ask(&registry, "GET /v2/app/tags/list", &[("Authorization", &bearer)], b"").status, 401);
    assert_eq!(get(&registry, "/token?service=other").status, 400);
}

#[test]
fn blobs_can_lie_elsewhere_and_that_place_refuses_credentials() {
    let storage = Registry::start();
    let registry = Settings::new().blobs_from(&storage.url()).start();
    let digest = registry.put_blob("app", b"content");
    storage.put_blob("any", b"content");
    let redirect = get(&registry, &format!("/v2/app/blobs/{digest}"));
    let location = redirect.header("location").unwrap();
    let path = location.strip_prefix(&storage.url()).unwrap();
    assert_eq!(redirect.status, 307);
    assert_eq!(get(&storage, path).body, b"content");
    assert_eq!(ask(&storage, &format!("GET {path}"), &[("Authorization", "Bearer x")], b"").status, 400);
}

#[test]
fn a_client_that_tries_tls_is_turned_away_at_once() {
    use std::io::{Read, Write};
    let registry = Registry::start();
    let mut stream = std::net::TcpStream::connect(registry.host()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream.write_all(&[0x16, 3, 1, 0, 0xff]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
