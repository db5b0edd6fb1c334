//! From the JSON of a manifest and a configuration to [`ImageConfig`]: what an image says about itself. Sources: OCI
//! image-spec `config.md`, `manifest.md` and `annotations.md`. Whether the layers really hold that is said elsewhere.

use std::collections::BTreeMap;

use model::{BaseImage, Digest, ImageConfig, Layer, Platform, Secret, Timestamp};

use super::wire::{Configuration, Descriptor, Execution, History};
use super::{CONFIGURATION, MANIFEST, secret, wire};
use crate::{Limits, ParseError};

const CONFIGURATION_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

pub(super) fn config(
    manifest: &[u8],
    config: &[u8],
    config_digest: &Digest,
    limits: &Limits,
) -> Result<ImageConfig, ParseError> {
    let manifest = wire::manifest(manifest, limits)?;
    belongs(&manifest.config, config, config_digest)?;
    let document = wire::configuration(config, limits)?;
    let layers: Vec<Layer> = manifest
        .layers
        .ok_or_else(|| ParseError::new(MANIFEST, "layers", "there is no list of layers"))?
        .into_iter()
        .map(|layer| Layer { digest: layer.digest, media_type: layer.media_type, size_bytes: layer.size })
        .collect();
    let diff_ids = diff_ids(&document, layers.len())?;
    let annotations = manifest.annotations.map_or_else(BTreeMap::new, |annotations| annotations.0);
    let created = document.created.as_deref().map_or(Ok(None), created)?;
    let execution = document.config.unwrap_or(Execution::NONE);
    let environment = execution.env.unwrap_or(Vec::new());
    let labels = execution.labels.map_or_else(BTreeMap::new, |labels| labels.0);
    let entrypoint = execution.entrypoint.unwrap_or(Vec::new());
    let command = execution.cmd.unwrap_or(Vec::new());
    let history = document.history.unwrap_or(Vec::new());
    let said = Said {
        environment: &environment,
        arguments: [("entrypoint", &entrypoint), ("command", &command)],
        labels: &labels,
        annotations: &annotations,
        history: &history,
        author: document.author.as_deref(),
        built_in: document.container_config.as_ref(),
    };
    let secrets = said.secrets();
    let unspecified =
        |word: Option<String>| word.filter(|word| !word.is_empty()).unwrap_or_else(|| Platform::UNSPECIFIED.to_owned());
    Ok(ImageConfig {
        id: config_digest.clone(),
        platform: Platform {
            os: unspecified(document.os),
            architecture: unspecified(document.architecture),
            variant: document.variant.unwrap_or_else(String::new),
        },
        created,
        user: execution.user.unwrap_or_else(String::new),
        entrypoint,
        command,
        working_dir: execution.working_dir.unwrap_or_else(String::new),
        path: path(&environment),
        variables: environment.iter().map(|variable| named(variable).0.to_owned()).collect(),
        ports: execution.exposed_ports.map_or_else(Vec::new, |ports| ports.0.into_keys().collect()),
        base: base(&annotations, &labels),
        labels,
        annotations,
        layers,
        diff_ids,
        secrets,
    })
}

impl Execution {
    /// What an image has that says nothing about how to run it.
    const NONE: Self = Self {
        user: None,
        exposed_ports: None,
        env: None,
        entrypoint: None,
        cmd: None,
        working_dir: None,
        labels: None,
    };
}

/// Checks that the configuration is the one the manifest names, and that of a container image.
fn belongs(named: &Descriptor, config: &[u8], digest: &Digest) -> Result<(), ParseError> {
    let wrong = |field: &str, cause: String| Err(ParseError::new(MANIFEST, format!("config.{field}"), cause));
    if !CONFIGURATION_TYPES.contains(&named.media_type.as_str()) {
        return wrong(
            "mediaType",
            format!("this is no container image: its configuration is of type {:?}", named.media_type),
        );
    }
    if named.digest != *digest {
        return wrong("digest", format!("it names the configuration {}, and {digest} was read", named.digest));
    }
    if u64::try_from(config.len()) != Ok(named.size) {
        return wrong("size", format!("it says {} bytes, and the configuration has {}", named.size, config.len()));
    }
    Ok(())
}

/// `rootfs.diff_ids`: one for each layer, and no more steps in `history` that made a layer than there are layers.
fn diff_ids(document: &Configuration, layers: usize) -> Result<Vec<Digest>, ParseError> {
    let wrong = |place: &str, cause: String| Err(ParseError::new(CONFIGURATION, place, cause));
    if document.rootfs.r#type != "layers" {
        return wrong("rootfs.type", format!("{:?} is unknown; \"layers\" is known", document.rootfs.r#type));
    }
    let diff_ids = document.rootfs.diff_ids.clone().unwrap_or(Vec::new());
    if diff_ids.len() != layers {
        return wrong(
            "rootfs.diff_ids",
            format!("it names {} layers, and the manifest names {layers}", diff_ids.len()),
        );
    }
    let made = document.history.iter().flatten().filter(|step| step.empty_layer != Some(true)).count();
    if made > layers {
        return wrong("history", format!("{made} steps made a layer, and the image has {layers} layers"));
    }
    Ok(diff_ids)
}

/// The time of the build. Go writes a time that was never set as the first second of year 1.
fn created(text: &str) -> Result<Option<Timestamp>, ParseError> {
    if text == "0001-01-01T00:00:00Z" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error| ParseError::new(CONFIGURATION, "created", format!("{text:?} is not a time: {error}")))
}

/// `NAME=value` in its parts.
fn named(variable: &str) -> (&str, &str) {
    variable.split_once('=').unwrap_or((variable, ""))
}

/// The folders of the last `PATH`, which is the one that counts; empty if there is none.
fn path(environment: &[String]) -> Vec<String> {
    let last = environment.iter().rev().map(|variable| named(variable)).find(|(name, _)| *name == "PATH");
    last.map_or_else(Vec::new, |(_, folders)| folders.split(':').map(str::to_owned).collect())
}

/// The base image, from annotations before labels: a label may be inherited from the base image itself, and then names
/// the base of the base.
fn base(annotations: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> Option<BaseImage> {
    [("annotation", annotations), ("label", labels)].into_iter().find_map(|(said_by, said)| {
        let name = said.get(BASE_NAME).filter(|name| !name.is_empty()).cloned();
        #[expect(
            clippy::disallowed_methods,
            reason = "a digest that is none identifies nothing; the name may still stand"
        )]
        let digest = said.get(BASE_DIGEST).and_then(|text| text.parse().ok());
        (name.is_some() || digest.is_some()).then(|| BaseImage { name, digest, said_by: said_by.to_owned() })
    })
}

/// All texts of an image that people write and others can read.
struct Said<'a> {
    environment: &'a [String],
    arguments: [(&'a str, &'a [String]); 2],
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    history: &'a [History],
    author: Option<&'a str>,
    built_in: Option<&'a Execution>,
}

impl Said<'_> {
    /// What looks like a secret, each place and kind once, sorted. Variables that are set in `history` and still in the
    /// environment are named once.
    fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        let mut note = |place: String, kinds: Vec<&'static str>| {
            secrets.extend(kinds.into_iter().map(|kind| Secret { place: place.clone(), kind: kind.to_owned() }));
        };
        for (name, value) in self.environment.iter().map(|variable| named(variable)) {
            note(format!("environment variable {name}"), secret::in_variable(name, value));
        }
        let known = |name: &str, value: &str| self.environment.iter().any(|variable| named(variable) == (name, value));
        if let Some(container) = self.built_in {
            for (name, value) in container.env.iter().flatten().map(|variable| named(variable)) {
                if !known(name, value) {
                    note(
                        format!("environment variable {name} of the build container"),
                        secret::in_variable(name, value),
                    );
                }
            }
            for argument in container.cmd.iter().chain(&container.entrypoint).flatten() {
                note("command of the build container".to_owned(), secret::in_text(argument));
            }
        }
        for (what, arguments) in self.arguments {
            for argument in arguments {
                note(what.to_owned(), secret::in_text(argument));
            }
        }
        for (what, pairs) in [("label", self.labels), ("annotation", self.annotations)] {
            for (name, value) in pairs {
                note(format!("{what} {name}"), secret::in_text(value));
            }
        }
        for (at, step) in self.history.iter().enumerate() {
            let place = || format!("history entry {}", at + 1);
            for text in [&step.author, &step.comment].into_iter().flatten() {
                note(place(), secret::in_text(text));
            }
            if let Some(command) = &step.created_by {
                note(place(), secret::in_step(command, known));
            }
        }
        note("author".to_owned(), self.author.map_or_else(Vec::new, secret::in_text));
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

#[cfg(test)]
mod tests;
