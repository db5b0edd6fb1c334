//! The keys of a `baseImage` rule: on which images an image may be built, and how old those may be (B16). Names are read
//! when the document is, so that judging cannot fail on them.

use std::borrow::Cow;
use std::str::FromStr;

use model::{Digest, ImageConfig, ImageReference};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::config::Pattern;
use super::image_name::full_name;
use super::sbom::not_empty;
use super::types::Duration;

/// The image it must be built on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BaseImage {
    /// Base images that are allowed: `docker.io/library/debian:12` (looked up in its registry, and the image's layers
    /// must begin with its layers), `NAME@sha256:…` (one build of it), or a pattern such as
    /// `docker.io/library/debian:12*`, which is compared with the name that the image gives for its base. `debian:12` is
    /// short for `docker.io/library/debian:12`; without a tag, `latest` is meant.
    pub(crate) approved: Vec<BaseName>,
    /// How long ago the base image may have been built.
    pub(crate) max_age: Option<Duration>,
    /// `true`: it must be what its tag names today, not an older build.
    pub(crate) current: Option<bool>,
}

/// A base image: a name with its tag, one build of it, or a pattern for names.
#[derive(Debug, Clone)]
pub(crate) enum BaseName {
    /// `docker.io/library/debian:12`
    Tag(String),
    /// `docker.io/library/debian:12@sha256:…`: the whole text, its digest, and what stands before the `@`.
    Build { text: String, name: String, digest: Digest },
    /// `docker.io/library/debian:12*`
    Pattern(Pattern),
}

impl BaseImage {
    /// The approved base images to look up in their registries. Patterns cannot be looked up.
    pub(crate) fn looked_up(&self) -> Vec<String> {
        self.approved.iter().filter_map(BaseName::exact).map(str::to_owned).collect()
    }

    /// The base image that an image names, if the policy approves the name: by its tag, and by its digest if it names
    /// one. Looking these up turns what the image says about itself into something that can be compared.
    pub(crate) fn claimed(&self, config: &ImageConfig) -> Vec<String> {
        let Some(claim) = config.base.as_ref() else { return Vec::new() };
        let Some(name) = claim.name.as_deref().and_then(full_name) else { return Vec::new() };
        if !self.approved.iter().any(|approved| approved.names(&name)) {
            return Vec::new();
        }
        let pinned = claim.digest.as_ref().map(|digest| format!("{name}@{digest}"));
        std::iter::once(name).chain(pinned).collect()
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        if self.current == Some(false) {
            let what = format!("rule {rule:?}: `baseImage.current: false` asks nothing");
            return Err((what, "leave the key out where it asks nothing"));
        }
        not_empty(rule, "baseImage.approved", Some(&self.approved), "name a base image")
    }
}

impl BaseName {
    /// What to look up in a registry.
    pub(crate) fn exact(&self) -> Option<&str> {
        match self {
            Self::Tag(text) | Self::Build { text, .. } => Some(text),
            Self::Pattern(_) => None,
        }
    }

    /// As people know it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Build { text, .. } => text,
            Self::Pattern(pattern) => &pattern.text,
        }
    }

    /// True if this is about images of this (full) name.
    pub(crate) fn names(&self, full_name: &str) -> bool {
        match self {
            Self::Tag(name) | Self::Build { name, .. } => name == full_name,
            Self::Pattern(pattern) => pattern.is_match(full_name),
        }
    }
}

/// A pattern with what Docker leaves out of names.
fn on_docker_hub(pattern: &str) -> String {
    match pattern.split_once('/') {
        None => format!("docker.io/library/{pattern}"),
        Some((first, _)) if first == "localhost" || first.contains(['.', ':', '*', '?', '[', '{']) => {
            pattern.to_owned()
        }
        Some(_) => format!("docker.io/{pattern}"),
    }
}

impl FromStr for BaseName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(['*', '?', '[', '{']) {
            if text.contains('@') {
                return Err(format!("{text:?}: a pattern is for names; a digest stands behind a whole name"));
            }
            return on_docker_hub(text).parse().map(Self::Pattern);
        }
        let reference: ImageReference = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        let name = full_name(text).ok_or_else(|| format!("{text:?} is no name of an image"))?;
        Ok(match reference.digest {
            None => Self::Tag(name),
            Some(digest) => Self::Build { text: format!("{name}@{digest}"), name, digest },
        })
    }
}

impl<'de> Deserialize<'de> for BaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for BaseName {
    fn schema_name() -> Cow<'static, str> {
        "BaseName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["docker.io/library/debian:12"] })
    }
}
