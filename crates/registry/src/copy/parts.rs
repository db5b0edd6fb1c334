//! What a manifest names: blobs, other manifests, and what it is about. Source: OCI image-spec `manifest.md`, `image-index.md`, the withdrawn artifact
//! manifest, and Docker's two forms, which name their parts alike.

use model::Digest;
use serde::Deserialize;

use crate::Manifest;
use crate::manifest::{essence, is_generic};
use crate::media_type::{DOCKER_CONFIG, OCI_CONFIG};

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
    /// What it is called; empty if it is called nothing.
    fn named(&self) -> &str {
        self.media_type.as_deref().unwrap_or("")
    }

    /// True for layers that registries need not hold, because whoever pulls fetches them elsewhere.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        let named = self.named();
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
    /// The media type of its configuration, if it has one; empty if that says none.
    config: Option<String>,
    /// Every layer is text or a document by its media type.
    only_documents: bool,
    is_index: bool,
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
        let config = shape.config.as_ref().map(|config| config.named().to_ascii_lowercase());
        let only_documents = shape.layers.iter().flatten().all(|layer| is_document(layer.named()));
        let blobs = shape.config.into_iter().chain(shape.layers.into_iter().flatten());
        Ok(Self {
            blobs: blobs.chain(shape.blobs.into_iter().flatten()).collect(),
            is_index: shape.manifests.is_some(),
            manifests: shape.manifests.unwrap_or_else(Vec::new),
            subject: shape.subject.map(|subject| subject.digest),
            config,
            only_documents,
        })
    }

    /// S39: it is an index, or somebody could run it as an image, whatever the list that names it calls it. Nobody judged that.
    pub(super) fn is_image(&self) -> bool {
        let Some(config) = self.config.as_deref() else { return self.is_index };
        self.is_index || is_of_an_image(config) || self.may_be_an_image(config)
    }

    /// The same of what is under a tag of cosign's, who gives signatures and bills of materials the configuration of an image: their layers tell.
    pub(super) fn is_image_under_a_tag(&self) -> bool {
        let Some(config) = self.config.as_deref() else { return self.is_index };
        self.is_index || self.may_be_an_image(config) || (is_of_an_image(config) && !self.only_documents)
    }

    /// Some clients run what has a configuration of these types, which say nothing.
    fn may_be_an_image(&self, config: &str) -> bool {
        (is_generic(config) || config == "text/html") && !self.only_documents
    }
}

/// True for configurations of what is run: images, plugins of Docker, modules of WebAssembly.
fn is_of_an_image(config: &str) -> bool {
    let config = essence(config);
    matches!(config, OCI_CONFIG | DOCKER_CONFIG | "application/vnd.docker.plugin.v1+json")
        || config.contains("wasm.config")
}

/// True for text, JSON and XML: signatures, statements, bills of materials.
fn is_document(media_type: &str) -> bool {
    let named = essence(media_type).to_ascii_lowercase();
    named.starts_with("text/")
        || ["+json", "/json", "+xml", "/xml"].iter().any(|end| named.ends_with(end))
        || matches!(&*named, "application/vnd.cyclonedx" | "application/vnd.syft")
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
    fn s39_what_could_be_run_is_told_by_its_configuration_and_layers() {
        let told = |config: &str, layer: &str| {
            let part = |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{}","size":1}}"#, Digest::of(b"a"));
            let parts = parts(&format!(r#"{{"config":{},"layers":[{}]}}"#, part(config), part(layer))).unwrap();
            (parts.is_image(), parts.is_image_under_a_tag())
        };
        let (layer, signature) =
            ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.dev.cosign.simplesigning.v1+json");
        for config in
            [OCI_CONFIG, DOCKER_CONFIG, &*OCI_CONFIG.to_ascii_uppercase(), "application/vnd.wasm.config.v0+json"]
        {
            assert_eq!(told(config, layer), (true, true), "{config}");
            assert_eq!(told(config, signature), (true, false), "{config}");
        }
        for config in ["", "application/json", "application/octet-stream", "text/html"] {
            assert_eq!(told(config, layer), (true, true), "{config:?}");
            assert_eq!(told(config, signature), (false, false), "{config:?}");
        }
        for config in [crate::media_type::EMPTY, "application/vnd.cncf.notary.signature"] {
            assert_eq!(told(config, layer), (false, false), "{config}");
        }
        for bill in ["text/spdx", "application/vnd.cyclonedx", "application/vnd.cyclonedx+xml", "application/spdx+json"]
        {
            assert!(!told(OCI_CONFIG, bill).1, "{bill}");
        }
        for odd in ["", "application/octet-stream", "application/vnd.oci.image.layer.v1.tar"] {
            assert!(told(OCI_CONFIG, odd).1, "{odd:?}");
        }
        let index = parts(r#"{"manifests":[]}"#).unwrap();
        assert!(index.is_image() && index.is_image_under_a_tag());
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
