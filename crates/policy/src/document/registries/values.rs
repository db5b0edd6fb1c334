//! Patterns for names of images that cannot be misread: they say in which registry a repository is, in the spelling that
//! references are compared in, and only stars are special. What could never match is refused when the document is read.

use std::borrow::Cow;
use std::str::FromStr;

use model::{EcrHost, ImageReference};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::document::config::Pattern;
use crate::document::image_name::{DOCKER_HUB, compared_host, in_registry};

/// Domains under which everybody has hosts who has an account of AWS.
const AWS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".on.aws"];

/// A pattern for `host/repository`.
#[derive(Debug, Clone)]
pub(crate) struct NamePattern {
    pattern: Pattern,
    text: String,
    names_its_registry: bool,
    /// The host has a star and is one of Amazon ECR: `*.amazonaws.com` alone would be a bucket of anybody too.
    of_ecr: bool,
}

/// A pattern for a tag.
#[derive(Debug, Clone)]
pub(crate) struct TagPattern(Pattern);

/// A repository, or one tag of it.
#[derive(Debug, Clone)]
pub(crate) struct ImagePattern {
    pub(crate) text: String,
    pub(crate) name: NamePattern,
    tag: Option<TagPattern>,
}

impl NamePattern {
    /// In the spelling that names are compared in.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// False if a registry that nobody thought of could have a repository of such a name.
    pub(crate) fn names_its_registry(&self) -> bool {
        self.names_its_registry
    }

    /// True if this is about the repository of this compared name.
    pub(crate) fn is_match(&self, name: &str) -> bool {
        let in_ecr = || name.split('/').next().is_some_and(|host| host.parse::<EcrHost>().is_ok());
        self.pattern.is_match(name) && (!self.of_ecr || in_ecr())
    }
}

impl TagPattern {
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn is_match(&self, tag: &str) -> bool {
        self.0.is_match(tag)
    }
}

impl ImagePattern {
    /// True if it is about some tags alone.
    pub(crate) fn names_tags(&self) -> bool {
        self.tag.is_some()
    }

    /// True if this is about the repository of this compared name, and the tag.
    pub(crate) fn is_match(&self, name: &str, tag: Option<&str>) -> bool {
        self.name.is_match(name) && self.tag.as_ref().is_none_or(|pattern| tag.is_some_and(|tag| pattern.is_match(tag)))
    }
}

impl FromStr for NamePattern {
    type Err = String;
    fn from_str(written: &str) -> Result<Self, String> {
        if written == "**" {
            let text = written.to_owned();
            return Ok(Self { pattern: written.parse()?, text, names_its_registry: false, of_ecr: false });
        }
        let Some((host, path)) = written.split_once('/') else {
            return Err(format!(
                "{written:?} does not say registry and repository; write docker.io/library/debian, or ghcr.io/** for all \
                 of a registry"
            ));
        };
        let (host, names_its_registry) = host_pattern(written, host)?;
        path_pattern(written, path)?;
        let text = match path {
            _ if host != DOCKER_HUB || path == "**" || path.contains('/') => format!("{host}/{path}"),
            _ if path.contains('*') => {
                return Err(format!(
                    "{written:?} could mean all of Docker Hub; write docker.io/** for that, and docker.io/library/{path} for \
                     images without a namespace"
                ));
            }
            _ => in_registry(&host, path),
        };
        // The brackets of an IPv6 address are themselves.
        let literal = text.replace(']', "\0").replace('[', "[[]").replace('\0', "[]]");
        let of_ecr = host.contains('*') && host.contains(".dkr.ecr.");
        Ok(Self { pattern: literal.parse()?, text, names_its_registry, of_ecr })
    }
}

/// The host of a pattern as hosts are compared, and whether it says which registry is meant.
fn host_pattern(written: &str, host: &str) -> Result<(String, bool), String> {
    if !host.contains('*') {
        return match format!("{host}/x").parse::<ImageReference>() {
            Ok(ImageReference { host: Some(host), .. }) => Ok((compared_host(&host), true)),
            _ => Err(format!(
                "{written:?} does not begin with the host of a registry; on Docker Hub it is docker.io/{written}"
            )),
        };
    }
    if let Some(odd) = host.chars().find(|c| !(c.is_ascii_alphanumeric() || "-.:*".contains(*c))) {
        return Err(format!("{written:?} has {odd:?} in the host; only `*` is special"));
    }
    let host = host.to_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    if host.ends_with(".docker.io") {
        return Err(format!(
            "{written:?}: Docker Hub is compared as docker.io, whatever host was used; write docker.io/**"
        ));
    }
    if host.contains(".dkr-ecr") || host.contains(".dkr.ecr-fips") {
        return Err(format!(
            "{written:?}: Amazon ECR is compared by its classic host, whatever host was used; write \
             ACCOUNT.dkr.ecr.*.amazonaws.com"
        ));
    }
    // `*.example.com` ends in a domain of its own; `*example.com` would be evil-example.com too.
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let end = name.rsplit_once('*').map_or(".", |(_, end)| end);
    let ends_in_a_domain = !name.contains('*') || (end.len() > 1 && end.starts_with('.') && !end.ends_with('.'));
    // Anybody can have an account of AWS.
    let any_account = name.split('.').next().is_some_and(|account| account.contains('*'))
        && (name.contains(".dkr.ecr.") || AWS.iter().any(|domain| name.ends_with(domain)));
    let names_its_registry = ends_in_a_domain && !any_account;
    Ok((host.to_owned(), names_its_registry))
}

/// Refuses what no repository is called.
fn path_pattern(written: &str, path: &str) -> Result<(), String> {
    if path.contains('@') {
        return Err(format!("{written:?}: patterns are for names; a digest cannot be part of one"));
    }
    if path.contains(':') {
        return Err(format!(
            "{written:?} names a tag; tags have lists of their own: `tags: {{ allow: […], deny: […] }}`"
        ));
    }
    if path.split('/').any(str::is_empty) {
        let whole = written.trim_end_matches('/');
        return Err(format!("{written:?} is no prefix but a pattern; write {whole}/** for everything below"));
    }
    let byte = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
    match path.chars().find(|c| !byte(*c)) {
        Some(odd) => Err(format!("{written:?} has {odd:?}, which no repository has in its name; only `*` is special")),
        None => Ok(()),
    }
}

impl FromStr for TagPattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a tag is empty; `*` is any tag".to_owned());
        }
        match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-*".contains(*c))) {
            Some(odd) => Err(format!("{text:?} has {odd:?}, which no tag has; only `*` is special")),
            None => text.parse().map(Self),
        }
    }
}

impl FromStr for ImagePattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match text[path..].find(':') {
            Some(colon) => (&text[..path + colon], Some(&text[path + colon + 1..])),
            None => (text, None),
        };
        Ok(Self { text: text.to_owned(), name: name.parse()?, tag: tag.map(str::parse).transpose()? })
    }
}

macro_rules! written_as_text {
    ($($name:ident $schema_name:literal $schema:tt)+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

written_as_text! {
    NamePattern "NamePattern" { "type": "string", "pattern": "^(\\*\\*|[^/@]+/[a-z0-9._*/-]*[a-z0-9*])$", "examples": ["ghcr.io/acme/**"] }
    TagPattern "TagPattern" { "type": "string", "pattern": "^[A-Za-z0-9._*-]+$", "examples": ["v*"] }
    ImagePattern "ImagePattern" { "type": "string", "pattern": "^[^/@]+/[a-z0-9._*/-]*[a-z0-9*](:[A-Za-z0-9._*-]+)?$", "examples": ["docker.io/acme/tool:latest"] }
}
