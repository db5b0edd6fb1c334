//! Push: blobs in each way the specification knows, manifests that name what is there.

use testkit::oci::{ImageBuilder, Layer, MANIFEST, Referrer, Registry, Settings, digest_of};

use super::{ask, get};

#[test]
fn a_blob_is_pushed_at_once_in_pieces_or_mounted() {
    let registry = Settings::new().relative_locations().start();
    let digest = digest_of(b"hello world");
    let at_once = ask(&registry, &format!("POST /v2/a/blobs/uploads/?digest={digest}"), &[], b"hello world");
    assert_eq!((at_once.status, at_once.header("docker-content-digest")), (201, Some(digest.as_str())));

    let begun = ask(&registry, "POST /v2/b/blobs/uploads/", &[], b"");
    let location = begun.header("location").unwrap().to_owned();
    let part = ask(&registry, &format!("PATCH {location}"), &[], b"hello ");
    assert_eq!((part.status, part.header("range")), (202, Some("0-5")));
    let location = part.header("location").unwrap();
    let wrong = ask(&registry, &format!("PUT {location}&digest={}", digest_of(b"")), &[], b"world");
    assert_eq!(wrong.code(), "DIGEST_INVALID");

    let begun = ask(&registry, "POST /v2/b/blobs/uploads/", &[], b"");
    let location = begun.header("location").unwrap();
    let chunked = [("Transfer-Encoding", "chunked")];
    ask(&registry, &format!("PATCH {location}"), &chunked, b"6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\n\r\n");
    let done = ask(&registry, &format!("PUT {location}&digest={}", digest.replace(':', "%3A")), &[], b"");
    assert_eq!(done.status, 201);
    assert_eq!(registry.blob("b", &digest).as_deref(), Some(b"hello world".as_slice()));

    let mount = ask(&registry, &format!("POST /v2/c/blobs/uploads/?mount={digest}&from=a"), &[], b"");
    assert_eq!((mount.status, get(&registry, &format!("/v2/c/blobs/{digest}")).status), (201, 200));
    let nothing = ask(&registry, &format!("POST /v2/c/blobs/uploads/?mount={}&from=a", digest_of(b"x")), &[], b"");
    assert_eq!(nothing.status, 202);
    let without = Settings::new().without_mount().start();
    without.put_blob("a", b"hello world");
    let refused = ask(&without, &format!("POST /v2/c/blobs/uploads/?mount={digest}&from=a"), &[], b"");
    assert_eq!(refused.status, 202);
}

#[test]
fn a_manifest_must_name_what_is_there() {
    let registry = Registry::start();
    let image = ImageBuilder::new().layer(Layer::new().file("a", "b")).build();
    let put = |reference: &str| {
        let request = format!("PUT /v2/app/manifests/{reference}");
        ask(&registry, &request, &[("Content-Type", MANIFEST)], &image.manifest.bytes)
    };
    assert_eq!(put("v1").code(), "MANIFEST_BLOB_UNKNOWN");
    registry.put_blob("app", &image.config.bytes);
    registry.put_blob("app", &image.layers[0].bytes);
    assert_eq!(put(&digest_of(b"")).code(), "DIGEST_INVALID");
    assert_eq!((put("v1").status, registry.tags("app")), (201, vec!["v1".to_owned()]));
    let report = Referrer::new(&image, "a/b").build();
    registry.put_blob("app", b"{}");
    let request = format!("PUT /v2/app/manifests/{}", report.digest());
    let pushed = ask(&registry, &request, &[("Content-Type", MANIFEST)], &report.manifest.bytes);
    assert_eq!((pushed.status, pushed.header("oci-subject")), (201, Some(image.digest())));
    let listed = get(&registry, &format!("/v2/app/referrers/{}", image.digest())).json();
    assert_eq!(listed["manifests"][0]["digest"], report.digest());
    let deleted = ask(&registry, &format!("DELETE /v2/app/manifests/{}", image.digest()), &[], b"");
    assert_eq!((deleted.status, registry.tags("app").len()), (202, 0));
}
