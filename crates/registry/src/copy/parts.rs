//! What a manifest names: blobs, other manifests, and what it is about. Source: OCI image-spec `manifest.md`, `image-index.md`, the withdrawn artifact
//! manifest, and Docker's two forms, which name their parts alike.

use model::Digest;
use serde::Deserialize;

use crate::Manifest;

/// A blob or manifest as another manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    pub(super) media_type: Option<String>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    urls: Option<Vec<String>>,
}

impl Part {
    /// True for layers that registries need not hold, because whoever pulls fetches them elsewhere.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        let named = self.media_type.as_deref().unwrap_or("");
        let foreign = named.contains(".foreign.") || named.contains(".nondistributable.");
        foreign && self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

/// Everything that a manifest names.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) blobs: Vec<Part>,
    pub(super) manifests: Vec<Part>,
    pub(super) subject: Option<Digest>,
}

#[derive(Deserialize)]
struct Shape {
    config: Option<Part>,
    layers: Option<Vec<Part>>,
    blobs: Option<Vec<Part>>,
    manifests: Option<Vec<Part>>,
    subject: Option<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

impl Parts {
    /// Reads a manifest; one of a form that is not known is an error, because what it names would be left behind.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let shape: Shape = serde_json::from_slice(&manifest.bytes)
            .map_err(|error| format!("{} is not in the form of a manifest: {error}", manifest.digest))?;
        let is_known =
            shape.config.is_some() || shape.manifests.is_some() || shape.blobs.is_some() || shape.subject.is_some();
        if !is_known {
            return Err(format!("{} is a {}, of a form that is not known", manifest.digest, manifest.media_type));
        }
        let blobs = shape.config.into_iter().chain(shape.layers.into_iter().flatten());
        Ok(Self {
            blobs: blobs.chain(shape.blobs.into_iter().flatten()).collect(),
            manifests: shape.manifests.unwrap_or_else(Vec::new),
            subject: shape.subject.map(|subject| subject.digest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::OCI_MANIFEST;

    fn parts(text: &str) -> Result<Parts, String> {
        let bytes = bytes::Bytes::from(text.to_owned());
        Parts::of(&Manifest { digest: Digest::of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes })
    }

    #[test]
    fn everything_a_manifest_names_is_found() {
        let part = |name: &str| format!(r#"{{"mediaType":"m","digest":"{}","size":1}}"#, Digest::of(name.as_bytes()));
        let image = parts(&format!(
            r#"{{"config":{},"layers":[{},{}],"subject":{}}}"#,
            part("config"),
            part("a"),
            part("b"),
            part("subject")
        ))
        .unwrap();
        assert_eq!((image.blobs.len(), image.subject), (3, Some(Digest::of(b"subject"))));
        let index = parts(&format!(r#"{{"manifests":[{}]}}"#, part("a"))).unwrap();
        assert_eq!((index.manifests.len(), index.blobs.len()), (1, 0));
        assert_eq!(parts(&format!(r#"{{"blobs":[{}]}}"#, part("a"))).unwrap().blobs.len(), 1);
        for unknown in ["{}", "[]", r#"{"things":[]}"#, r#"{"config":{"digest":"sha256:0","size":1}}"#] {
            assert!(parts(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn only_layers_that_say_where_else_they_are_may_be_missing() {
        let layer = |media_type: &str, urls: &str| {
            let text =
                format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":1,"urls":{urls}}}"#, Digest::of(b"a"));
            serde_json::from_str::<Part>(&text).unwrap().may_be_elsewhere()
        };
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        assert!(layer(foreign, r#"["https://example.com/layer"]"#));
        assert!(
            !layer(foreign, "[]") && !layer("application/vnd.oci.image.layer.v1.tar", r#"["https://example.com/l"]"#)
        );
    }
}
