//! OSV records and the report of osv-scanner as they stand in a file, as far as they are read.
//! What they mean is said where they are used.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::report::json::{Text, not_null};
use crate::report::list::List;

#[derive(Debug, Deserialize)]
pub(super) struct Report<'a> {
    #[serde(borrow)]
    pub(super) results: List<SourceResult<'a>>,
    #[serde(borrow)]
    pub(super) image_metadata: Option<ImageMetadata<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageMetadata<'a> {
    #[serde(borrow)]
    pub(super) layer_metadata: Option<List<LayerMetadata<'a>>>,
}

/// A step of the image's history; an empty one has no layer.
#[derive(Debug, Deserialize)]
pub(super) struct LayerMetadata<'a> {
    #[serde(borrow)]
    pub(super) diff_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SourceResult<'a> {
    #[serde(borrow)]
    pub(super) source: Option<Source<'a>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) packages: Option<List<PackageResult<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PackageResult<'a> {
    #[serde(borrow)]
    pub(super) package: PackageInfo<'a>,
    /// Left out for a package that is listed with its licence alone.
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) vulnerabilities: Option<List<Record<'a>>>,
    #[serde(borrow)]
    pub(super) groups: Option<List<Group<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PackageInfo<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ecosystem: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) commit: Option<Text<'a>>,
    pub(super) image_origin_details: Option<ImageOrigin>,
}

/// The step of the history that brought a package.
#[derive(Debug, Deserialize)]
pub(super) struct ImageOrigin {
    pub(super) index: Option<u64>,
}

/// Records that osv-scanner takes for one vulnerability.
#[derive(Debug, Deserialize)]
pub(super) struct Group<'a> {
    #[serde(borrow)]
    pub(super) ids: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub(super) max_severity: Option<Text<'a>>,
}

/// An OSV record.
#[derive(Debug, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) withdrawn: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) aliases: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub(super) upstream: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub(super) severity: Option<List<Severity<'a>>>,
    #[serde(borrow)]
    pub(super) affected: Option<List<Affected<'a>>>,
    #[serde(borrow)]
    pub(super) references: Option<List<Reference<'a>>>,
    #[serde(borrow)]
    pub(super) database_specific: Option<Specific<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Severity<'a> {
    #[serde(borrow)]
    pub(super) score: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Affected<'a> {
    #[serde(borrow)]
    pub(super) package: Option<AffectedPackage<'a>>,
    #[serde(borrow)]
    pub(super) ranges: Option<List<Range<'a>>>,
    #[serde(borrow)]
    pub(super) severity: Option<List<Severity<'a>>>,
    #[serde(borrow)]
    pub(super) ecosystem_specific: Option<Specific<'a>>,
    #[serde(borrow)]
    pub(super) database_specific: Option<Specific<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AffectedPackage<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ecosystem: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) purl: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Range<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) events: Option<List<RangeEvent<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RangeEvent<'a> {
    #[serde(borrow)]
    pub(super) fixed: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

/// What a database adds of its own. Only a word at `severity` is understood.
#[derive(Debug, Deserialize)]
pub(super) struct Specific<'a> {
    #[serde(borrow)]
    pub(super) severity: Option<Word<'a>>,
}

/// A word, or something else that a database keeps at the same name.
#[derive(Debug)]
pub(super) enum Word<'a> {
    Text(Text<'a>),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Text(text.into())))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Text(text.to_owned().into())))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Word<'de>, E> {
                Ok(Word::Other)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Word<'de>, E> {
                Ok(Word::Other)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Word<'de>, E> {
                Ok(Word::Other)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Word<'de>, E> {
                Ok(Word::Other)
            }
            fn visit_unit<E: de::Error>(self) -> Result<Word<'de>, E> {
                Ok(Word::Other)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Word<'de>, A::Error> {
                while list.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Word::Other)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Word<'de>, A::Error> {
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(Word::Other)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
