//! The JSON of an image manifest and of an image configuration, as far as it is read. Sources: OCI image-spec
//! `manifest.md` and `config.md`; Docker's image specification v1.2, whose `container_config` is the container of the
//! last build step. Unknown fields are ignored; a known field of the wrong type refuses the document; null is absent.
//!
//! Runtimes are written in Go, whose JSON reader matches keys regardless of case. A key that only differs in case from
//! one that is read would be heard by them and not by us, so it refuses the document.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use model::Digest;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Limits, ParseError};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Option<Vec<Descriptor>>,
    pub(super) annotations: Option<Unique<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    pub(super) created: Option<String>,
    pub(super) author: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) os: Option<String>,
    pub(super) config: Option<Execution>,
    pub(super) container_config: Option<Execution>,
    pub(super) rootfs: RootFs,
    pub(super) history: Option<Vec<History>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Execution {
    pub(super) user: Option<String>,
    pub(super) exposed_ports: Option<Unique<IgnoredAny>>,
    pub(super) env: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) working_dir: Option<String>,
    pub(super) labels: Option<Unique<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RootFs {
    pub(super) r#type: String,
    pub(super) diff_ids: Option<Vec<Digest>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct History {
    pub(super) author: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) empty_layer: Option<bool>,
}

/// A JSON object whose keys are names of the image's author. A key that is there twice refuses the document.
#[derive(Debug)]
pub(super) struct Unique<V>(pub(super) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Keys<V> {
            type Value = Unique<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Unique<V>, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, V>()? {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("the key {key:?} is there twice")));
                    }
                }
                Ok(Unique(map))
            }
        }
        deserializer.deserialize_map(Keys(PhantomData))
    }
}

/// Which keys of an object are read, and those of the objects below them.
struct Shape(&'static [(&'static str, Option<&'static Shape>)]);

const DESCRIPTOR: Shape = Shape(&[("mediaType", None), ("digest", None), ("size", None)]);
const MANIFEST: Shape =
    Shape(&[("config", Some(&DESCRIPTOR)), ("layers", Some(&DESCRIPTOR)), ("annotations", None), ("manifests", None)]);
const EXECUTION: Shape = Shape(&[
    ("User", None),
    ("ExposedPorts", None),
    ("Env", None),
    ("Entrypoint", None),
    ("Cmd", None),
    ("WorkingDir", None),
    ("Labels", None),
]);
const ROOT_FS: Shape = Shape(&[("type", None), ("diff_ids", None)]);
const HISTORY: Shape = Shape(&[("author", None), ("created_by", None), ("comment", None), ("empty_layer", None)]);
const CONFIGURATION: Shape = Shape(&[
    ("created", None),
    ("author", None),
    ("architecture", None),
    ("variant", None),
    ("os", None),
    ("config", Some(&EXECUTION)),
    ("container_config", Some(&EXECUTION)),
    ("rootfs", Some(&ROOT_FS)),
    ("history", Some(&HISTORY)),
]);

/// Reads the JSON of a manifest.
pub(super) fn manifest(bytes: &[u8], limits: &Limits) -> Result<Manifest, ParseError> {
    document(super::MANIFEST, bytes, &MANIFEST, limits)
}

/// Reads the JSON of a configuration.
pub(super) fn configuration(bytes: &[u8], limits: &Limits) -> Result<Configuration, ParseError> {
    document(super::CONFIGURATION, bytes, &CONFIGURATION, limits)
}

fn document<T: DeserializeOwned>(
    format: &'static str,
    bytes: &[u8],
    shape: &Shape,
    limits: &Limits,
) -> Result<T, ParseError> {
    if bytes.len() > limits.bytes {
        let cause = format!("it has {} bytes; at most {} are read", bytes.len(), limits.bytes);
        return Err(ParseError::new(format, "", cause));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| ParseError::new(format, "", format!("it is not UTF-8: {error}")))?;
    let value: Value = serde_json::from_str(text).map_err(|error| ParseError::json(format, &error))?;
    ambiguous(&value, shape, "").map_err(|(place, cause)| ParseError::new(format, place, cause))?;
    serde_json::from_str(text).map_err(|error| ParseError::json(format, &error))
}

fn ambiguous(value: &Value, shape: &Shape, place: &str) -> Result<(), (String, String)> {
    match value {
        Value::Array(list) => {
            list.iter().enumerate().try_for_each(|(at, item)| ambiguous(item, shape, &format!("{place}[{at}]")))
        }
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            let Some((read, below)) = shape.0.iter().find(|(read, _)| fold(read) == fold(key)) else { return Ok(()) };
            if read != key {
                return Err((place.to_owned(), format!("the key {key:?} is read as {read:?} by container runtimes")));
            }
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            below.map_or(Ok(()), |below| ambiguous(value, below, &place))
        }),
        _ => Ok(()),
    }
}

/// Letters as Go folds them when it compares keys: the long s and the Kelvin sign are letters too.
fn fold(key: &str) -> String {
    key.chars()
        .map(|letter| match letter {
            'ſ' => 's',
            '\u{212A}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}
