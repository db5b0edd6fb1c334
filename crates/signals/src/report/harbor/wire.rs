//! The JSON of a Harbor scanner report, as far as it is read.

use std::fmt;

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::report::cvss::{Score, VendorScores};
use crate::report::detect::HARBOR_KEYS;
use crate::report::json::{Text, Time, not_null};

/// The report under its media type; no key if the document is the report itself.
pub(super) struct ReportMap<'a> {
    pub(super) key: Option<String>,
    pub(super) report: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ReportMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ReportMap<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<ReportMap<'de>, A::Error> {
                let mut found = ReportMap { key: None, report: None };
                while let Some(Text(key)) = map.next_key()? {
                    if !HARBOR_KEYS.into_iter().any(|harbor| key.starts_with(harbor)) {
                        map.next_value::<IgnoredAny>()?;
                    } else if found.key.is_none() {
                        found = ReportMap { key: Some(key.into_owned()), report: map.next_value()? };
                    } else {
                        return Err(de::Error::custom("it holds several reports; give one"));
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
pub(super) struct Report<'a> {
    pub(super) generated_at: Option<Time>,
    #[serde(borrow)]
    pub(super) artifact: Option<Artifact<'a>>,
    #[serde(borrow)]
    pub(super) scanner: Option<Tool<'a>>,
    #[serde(borrow)]
    pub(super) severity: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) vulnerabilities: Option<Vec<Item<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Artifact<'a> {
    #[serde(borrow)]
    pub(super) repository: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) digest: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) package: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) fix_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) links: Option<Vec<Text<'a>>>,
    pub(super) preferred_cvss: Option<PreferredCvss>,
    pub(super) vendor_attributes: Option<VendorAttributes>,
}

#[derive(Deserialize)]
pub(super) struct PreferredCvss {
    score_v2: Option<Score>,
    score_v3: Option<Score>,
}

impl PreferredCvss {
    /// Harbor writes 0 where it has no score.
    pub(super) fn highest(&self) -> Option<u16> {
        [self.score_v2, self.score_v3].into_iter().flatten().map(|score| score.0).filter(|score| *score > 0).max()
    }
}

#[derive(Deserialize)]
pub(super) struct VendorAttributes {
    #[serde(rename = "CVSS")]
    pub(super) cvss: Option<VendorScores>,
}
