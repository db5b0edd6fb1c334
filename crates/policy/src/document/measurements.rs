//! The keys of a `measurements` rule: limits for one metric that CI measured on the image (B17, S23).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use model::{Digest, Dimension, Quantity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::sbom::EvidenceSources;

/// Limits for one metric, measured on this image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Measurements {
    /// Whose measurements count. `file`: given by whoever runs the gate. `registry`: attached to the image by whoever may
    /// push to its repository. Names of `spec.signers`: signed by one of them. Without this key none counts.
    pub(crate) from: Option<EvidenceSources>,
    /// The metric, such as `memory_peak_bytes`.
    pub(crate) metric: String,
    /// Only measurements of this stage count: `smoke`, `canary`, `production`.
    pub(crate) stage: Option<String>,
    /// Only measurements of this tool count.
    pub(crate) tool: Option<String>,
    /// The largest value that is allowed: `512MiB`, `250ms`, `0.5cores`, `2%`, `7`.
    pub(crate) max: Option<Amount>,
    /// The smallest value that is allowed.
    pub(crate) min: Option<Amount>,
    /// The image to compare with.
    pub(crate) baseline: Option<Baseline>,
    /// How much larger than the baseline's the value may be: `20%`.
    pub(crate) max_increase: Option<Percent>,
    /// Flake rule: of the first so many samples of the run, the best one counts. Without it every sample must hold.
    pub(crate) best_of: Option<u32>,
}

/// An amount with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Quantity);

/// A percentage, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) Quantity);

/// The image to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// The image that was promoted last. Only a server knows it.
    LastPromoted,
    /// The image of this digest.
    Digest(Digest),
}

impl Measurements {
    /// The signers whose measurements count.
    pub(crate) fn signers(&self) -> &[String] {
        self.from.as_ref().map_or(&[], EvidenceSources::signers)
    }

    /// The image whose measurements have to be read as well.
    pub(crate) fn baseline_digest(&self) -> Option<&Digest> {
        match &self.baseline {
            Some(Baseline::Digest(digest)) => Some(digest),
            Some(Baseline::LastPromoted) | None => None,
        }
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        let wrong = |what: &str, hint| Err((format!("rule {rule:?}: {what}"), hint));
        EvidenceSources::check(self.from.as_ref(), rule, "measurements.from")?;
        let words = [Some(&self.metric), self.stage.as_ref(), self.tool.as_ref()];
        if words.into_iter().flatten().any(|word| word.trim().is_empty()) {
            return wrong(
                "`measurements` has an empty name",
                "name the metric, the stage and the tool or leave them out",
            );
        }
        if self.baseline.is_some() != self.max_increase.is_some() {
            return wrong(
                "`measurements.baseline` and `measurements.maxIncrease` need each other",
                "say what to compare with and how much more is allowed",
            );
        }
        // S23: by comparing alone, every release could be a little worse than the one before.
        if self.baseline.is_some() && self.max.is_none() {
            return wrong("`measurements.baseline` needs `max` too", "set an absolute limit beside the comparison");
        }
        if self.max.is_none() && self.min.is_none() {
            return wrong("`measurements` sets no limit", "set `max` or `min`");
        }
        if let (Some(min), Some(max)) = (self.min, self.max) {
            if min.0.dimension != max.0.dimension {
                return wrong(
                    "`measurements.min` and `measurements.max` have units of different kinds",
                    "use one kind",
                );
            }
            if min.0.amount > max.0.amount {
                return wrong("`measurements.min` is larger than `measurements.max`", "no value could hold both");
            }
        }
        if self.best_of == Some(0) {
            return wrong("`measurements.bestOf: 0` leaves no sample", "write 1 or more, or leave it out");
        }
        Ok(())
    }
}

impl FromStr for Amount {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: model::QuantityError| error.to_string())
    }
}

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let quantity: Quantity = text.parse().map_err(|error: model::QuantityError| error.to_string())?;
        if quantity.dimension == Dimension::Ratio {
            Ok(Self(quantity))
        } else {
            Err(format!("{text:?} is no percentage; write 20%"))
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount with its unit, such as 512MiB, 250ms, 0.5cores, 2% or 7")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Baseline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Baseline;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`last-promoted` or `{digest: sha256:…}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Baseline, E> {
                match text {
                    "last-promoted" => Ok(Baseline::LastPromoted),
                    other => Err(E::unknown_variant(other, &["last-promoted"])),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Baseline, A::Error> {
                let mut digest = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "digest" {
                        return Err(de::Error::unknown_field(&key, &["digest"]));
                    }
                    digest = Some(map.next_value()?);
                }
                digest.map(Baseline::Digest).ok_or_else(|| de::Error::missing_field("digest"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *[A-Za-z%]*$", "examples": ["512MiB", "250ms"] }
        ] })
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *(%|ratio)$", "examples": ["20%"] })
    }
}

impl JsonSchema for Baseline {
    fn schema_name() -> Cow<'static, str> {
        "Baseline".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "const": "last-promoted" },
            {
                "type": "object", "additionalProperties": false, "required": ["digest"],
                "properties": { "digest": { "type": "string", "pattern": "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$" } }
            }
        ] })
    }
}
