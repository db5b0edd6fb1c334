//! The values of a `config` rule that are written as text: patterns, ports, user numbers, sizes.
//! Each is read when the document is, so that judging cannot fail on them.

use std::borrow::Cow;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use model::{Dimension, Quantity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A pattern: `*` within a part, `**` over parts.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    matcher: GlobMatcher,
}

/// A port or a range of ports, of one protocol or of every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) protocol: Option<String>,
}

/// A user number or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRange {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// An amount of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) Quantity);

impl Pattern {
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }
}

impl FromStr for Pattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern is empty; `**` is for any text".to_owned());
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }
}

impl FromStr for PortRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no port; write 8080/tcp, 8000-9000/tcp or 53/udp");
        let (range, protocol) = text.split_once('/').map_or((text, None), |(range, protocol)| (range, Some(protocol)));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let port = |digits: &str| {
            if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (first, last) = (port(first)?, port(last)?);
        let protocol = protocol.map(str::to_lowercase);
        let known = protocol.as_deref().is_none_or(|word| ["tcp", "udp", "sctp"].contains(&word));
        if first == 0 || first > last || !known {
            return Err(wrong());
        }
        Ok(Self { first, last, protocol })
    }
}

impl PortRange {
    /// True if every port of the other is in this one.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.same_protocol(other) && self.first <= other.first && other.last <= self.last
    }

    /// True if a port is in both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.same_protocol(other) && self.first <= other.last && other.first <= self.last
    }

    fn same_protocol(&self, other: &Self) -> bool {
        self.protocol.as_ref().is_none_or(|protocol| Some(protocol) == other.protocol.as_ref())
    }
}

impl FromStr for IdRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no user number or range; write 10001 or 1000-65534");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |digits: &str| {
            if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last { Err(wrong()) } else { Ok(Self { first, last }) }
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let quantity: Quantity = text.parse().map_err(|error: model::QuantityError| error.to_string())?;
        if quantity.dimension == Dimension::Size {
            Ok(Self(quantity))
        } else {
            Err(format!("{text:?} is no size; write 500MiB"))
        }
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
    Pattern "Pattern" { "type": "string", "minLength": 1 }
    PortRange "PortRange" { "type": "string", "pattern": "^[0-9]+(-[0-9]+)?(/([tT][cC][pP]|[uU][dD][pP]|[sS][cC][tT][pP]))?$", "examples": ["8080/tcp"] }
    IdRange "IdRange" { "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$", "examples": ["1000-65534"] }
    Size "Size" { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *(B|kB|KiB|MB|MiB|GB|GiB|bytes)$", "examples": ["500MiB"] }
}
