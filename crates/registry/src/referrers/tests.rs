//! Reading lists of referrers without a registry.

use proptest::prelude::*;

use super::*;

#[test]
fn s25_what_lacks_its_list_is_no_empty_list() {
    let index = |text: &str| Index::read(text.as_bytes());
    assert!(index(r#"{"schemaVersion":2,"manifests":[]}"#).unwrap().manifests.is_empty());
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"schemaVersion":2}"#,
        r#"{"schemaVersion":2,"manifests":null}"#,
        r#"{"schemaVersion":2,"manifests":{}}"#,
        r#"{"schemaVersion":2,"manifests":[null]}"#,
        r#"{"schemaVersion":2,"manifests":[{}]}"#,
        r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#,
        r#"{"schemaVersion":1,"manifests":[]}"#,
        r#"{"manifests":[]}"#,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
        r#"{"errors":[{"code":"DENIED"}]}"#,
    ] {
        assert!(index(bad).is_err(), "{bad}");
    }
}

#[test]
fn s25_only_an_unknown_path_says_that_there_is_no_api() {
    let asked = || Asked { host: "h".into(), repository: None, what: "w".into() };
    let refused = |status, code: Option<&str>| Error::Refused {
        asked: asked(),
        status,
        code: code.map(str::to_owned),
        message: String::new(),
    };
    assert!(is_no_api(&Error::NotFound { asked: asked(), code: None, message: String::new() }));
    assert!(is_no_api(&refused(405, None)) && is_no_api(&refused(400, Some("UNSUPPORTED"))));
    for other in [
        refused(400, None),
        refused(400, Some("NAME_INVALID")),
        Error::Denied { asked: asked(), status: 401, message: String::new() },
        Error::Throttled { asked: asked(), retry_after: None, message: String::new() },
        Error::Unavailable { asked: asked(), cause: String::new() },
        Error::Malformed { asked: asked(), why: String::new() },
    ] {
        assert!(!is_no_api(&other), "{other}");
    }
}

#[test]
fn entries_that_contradict_each_other_are_opened() {
    let digest = Digest::of(b"x");
    let entry = |kind: &str| Descriptor {
        artifact_type: Some(kind.to_owned()),
        ..Descriptor::new(crate::media_type::OCI_MANIFEST, digest.clone(), 1)
    };
    let mut listed = Listed { by: ReferrersBy::Api, descriptors: BTreeMap::new(), requests: 0 };
    listed.add(entry("a"));
    listed.add(entry("a"));
    assert!(!says_nothing(&listed.descriptors[&digest], ReferrersBy::Api));
    listed.add(entry("b"));
    assert!(says_nothing(&listed.descriptors[&digest], ReferrersBy::Api));
}

proptest! {
    #[test]
    fn s25_a_cut_list_is_never_a_shorter_one(cut in 0_usize..400) {
        let entry = format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":7,"artifactType":"a"}}"#,
            Digest::of(b"x")
        );
        let whole = format!(r#"{{"schemaVersion":2,"manifests":[{entry},{entry}]}}"#);
        if cut < whole.len() {
            prop_assert!(Index::read(&whole.as_bytes()[..cut]).is_err());
        }
    }

    #[test]
    fn no_bytes_are_too_odd_to_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Index::read(&bytes);
    }
}
