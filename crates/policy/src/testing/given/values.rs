//! Values of `given` that are read from one text or from one of several forms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use model::{Digest, ImageReference, Purl, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::error::suggest;

/// An image reference.
#[derive(Debug, Clone)]
pub(crate) struct Image(pub(crate) ImageReference);

/// A severity that scanners know; a word that is none is a slip in a test.
#[derive(Debug, Clone)]
pub(crate) struct Known(pub(crate) Severity);

/// A package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackageUrl(pub(crate) Purl);

/// Which image.
#[derive(Debug, Clone)]
pub(crate) enum OfImage {
    Own,
    Other(Digest),
}

/// How evidence came, or who signed it.
#[derive(Debug, Clone)]
pub(crate) enum By {
    /// `ecr`, `file`, `registry`, or a signer of a policy.
    Name(String),
    /// An identity that a trusted root vouches for.
    Keyless(Keyless),
    /// A key of nobody that a policy names.
    Key(String),
}

/// An identity that a trusted root vouches for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Keyless {
    /// The OIDC issuer.
    pub(crate) issuer: String,
    /// The identity: an e-mail address, or the URI of a workflow.
    pub(crate) identity: String,
    /// What else the certificate says.
    pub(crate) claims: Option<BTreeMap<String, String>>,
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        match Severity::parse(&word) {
            Severity::Unknown(_) => {
                let words: Vec<String> =
                    Severity::KNOWN.iter().map(|severity| severity.as_str().to_lowercase()).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let hint = suggest(&word, &words).map_or_else(String::new, |hint| format!("; {hint}"));
                Err(de::Error::custom(format!("{word:?} is no severity{hint}")))
            }
            known => Ok(Self(known)),
        }
    }
}

impl<'de> Deserialize<'de> for PackageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Purl::parse(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is no package URL, such as pkg:deb/debian/openssl@3.0.8"))
        })
    }
}

impl<'de> Deserialize<'de> for OfImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "image" {
            return Ok(Self::Own);
        }
        text.parse()
            .map(Self::Other)
            .map_err(|error| de::Error::custom(format!("neither `image` nor a digest: {error}")))
    }
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = By;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a signer, {keyless: {issuer, identity}} or {key: NAME}")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<By, E> {
                if name.trim().is_empty() { Err(E::custom("`by` is empty")) } else { Ok(By::Name(name.to_owned())) }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<By, A::Error> {
                let by = match map.next_key::<String>()?.as_deref() {
                    Some("keyless") => By::Keyless(map.next_value()?),
                    Some("key") => By::Key(map.next_value()?),
                    Some(other) => return Err(de::Error::unknown_field(other, &["keyless", "key"])),
                    None => return Err(de::Error::custom("`by` is empty; write {keyless: …} or {key: NAME}")),
                };
                match map.next_key::<String>()? {
                    None => Ok(by),
                    Some(_) => Err(de::Error::custom("`by` is several at once; write one")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The schema of a text.
macro_rules! text {
    ($type:ident, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text!(Image, "Image", { "type": "string", "minLength": 1, "examples": ["registry.example.com/team/app:1.2"] });
text!(PackageUrl, "PackageUrl", { "type": "string", "pattern": "^pkg:", "examples": ["pkg:npm/left-pad@1.3.0"] });
text!(OfImage, "OfImage", { "type": "string", "pattern": "^(image|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$" });
text!(Known, "KnownSeverity", {
    "type": "string",
    "enum": ["critical", "high", "medium", "low", "informational", "undefined", "untriaged"]
});

impl JsonSchema for By {
    fn schema_name() -> Cow<'static, str> {
        "By".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keyless = generator.subschema_for::<Keyless>();
        json_schema!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "object", "additionalProperties": false, "required": ["keyless"], "properties": { "keyless": keyless } },
            { "type": "object", "additionalProperties": false, "required": ["key"], "properties": { "key": { "type": "string" } } }
        ] })
    }
}
