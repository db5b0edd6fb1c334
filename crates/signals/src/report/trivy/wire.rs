//! The JSON of a Trivy report, as far as it is read. Descriptions, references and the like are passed over.

use std::fmt;

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::report::cvss::VendorScores;
use crate::report::json::{Text, Time, not_null};

#[derive(Deserialize)]
pub(super) struct Version {
    #[serde(rename = "SchemaVersion")]
    pub(super) schema_version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Report<'a> {
    pub(super) schema_version: Option<u64>,
    #[serde(borrow)]
    pub(super) trivy: Option<Tool<'a>>,
    pub(super) created_at: Option<Time>,
    #[serde(borrow)]
    pub(super) artifact_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) artifact_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) results: Option<Vec<ScanResult<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metadata<'a> {
    #[serde(rename = "OS", borrow)]
    pub(super) os: Option<OperatingSystem<'a>>,
    #[serde(rename = "ImageID", borrow)]
    pub(super) image_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) repo_tags: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) repo_digests: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OperatingSystem<'a> {
    #[serde(borrow)]
    pub(super) family: Option<Text<'a>>,
    #[serde(rename = "EOSL")]
    pub(super) end_of_life: Option<bool>,
}

/// A result: what was found in one target.
pub(super) struct ScanResult<'a> {
    pub(super) target: Option<Text<'a>>,
    pub(super) class: Option<Text<'a>>,
    packages: Option<Filled>,
    pub(super) vulnerabilities: Option<Vec<Vulnerability<'a>>>,
    pub(super) modified: Option<Vec<ModifiedFinding<'a>>>,
}

impl ScanResult<'_> {
    pub(super) fn lists_packages(&self) -> bool {
        self.packages.as_ref().is_some_and(|packages| packages.0)
    }
}

/// The keys of a result that are read, then those that Trivy writes beside them.
const RESULT_KEYS: &[&str] = &["Target", "Class", "Packages", "Vulnerabilities", "ExperimentalModifiedFindings"];
const OTHER_RESULT_KEYS: &[&str] =
    &["Type", "MisconfSummary", "Misconfigurations", "Secrets", "Licenses", "CustomResources", "CryptoAssets"];

/// By hand, because a key that is not known matters in one case: where there is no `Vulnerabilities`, it may be what has
/// become of it, and "left out" must not be mistaken for "none".
impl<'de: 'a, 'a> Deserialize<'de> for ScanResult<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ScanResult<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a result: an object with Target and Class")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<ScanResult<'de>, A::Error> {
                fn once<T, E: de::Error>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), E> {
                    slot.replace(value).map_or(Ok(()), |_| Err(E::duplicate_field(key)))
                }
                let (mut target, mut class, mut packages, mut vulnerabilities, mut modified, mut unknown) =
                    (None, None, None, None, None, None);
                while let Some(Text(key)) = map.next_key()? {
                    match key.as_ref() {
                        "Target" => once(&mut target, "Target", map.next_value()?)?,
                        "Class" => once(&mut class, "Class", map.next_value()?)?,
                        "Packages" => once(&mut packages, "Packages", map.next_value()?)?,
                        "Vulnerabilities" => once(&mut vulnerabilities, "Vulnerabilities", map.next_value()?)?,
                        "ExperimentalModifiedFindings" => {
                            once(&mut modified, "ExperimentalModifiedFindings", map.next_value()?)?;
                        }
                        other => {
                            map.next_value::<IgnoredAny>()?;
                            if !OTHER_RESULT_KEYS.contains(&other) {
                                unknown.get_or_insert_with(|| key.chars().take(64).collect::<String>());
                            }
                        }
                    }
                }
                if let (None, Some(unknown)) = (&vulnerabilities, unknown) {
                    return Err(de::Error::custom(format_args!(
                        "a result has no Vulnerabilities and the key {unknown:?}, which is not known"
                    )));
                }
                Ok(ScanResult { target, class, packages, vulnerabilities, modified })
            }
        }
        deserializer.deserialize_struct("Result", RESULT_KEYS, Visitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifiedFinding<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) statement: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) finding: Option<Vulnerability<'a>>,
}

impl ModifiedFinding<'_> {
    pub(super) fn is_vulnerability(&self) -> bool {
        self.r#type.as_ref().is_some_and(|word| word.0 == "vulnerability")
    }
}

#[derive(Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(rename = "VulnerabilityID", borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(rename = "VendorIDs", borrow)]
    pub(super) vendor_ids: Option<Vec<Text<'a>>>,
    #[serde(rename = "PkgName", borrow)]
    pub(super) package: Option<Text<'a>>,
    #[serde(rename = "PkgPath", borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(rename = "PkgIdentifier", borrow)]
    pub(super) identifier: Option<Identifier<'a>>,
    #[serde(rename = "InstalledVersion", borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(rename = "FixedVersion", borrow)]
    pub(super) fixed_version: Option<Text<'a>>,
    #[serde(rename = "Status", borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(rename = "Severity", borrow)]
    pub(super) severity: Option<Text<'a>>,
    #[serde(rename = "PrimaryURL", borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(rename = "CVSS")]
    pub(super) cvss: Option<VendorScores>,
    #[serde(rename = "Layer", borrow)]
    pub(super) layer: Option<Layer<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Layer<'a> {
    #[serde(rename = "Digest", borrow)]
    pub(super) digest: Option<Text<'a>>,
    #[serde(rename = "DiffID", borrow)]
    pub(super) diff_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Identifier<'a> {
    #[serde(rename = "PURL", borrow)]
    pub(super) purl: Option<Text<'a>>,
}

/// Whether a list has any element.
struct Filled(bool);

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Filled;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Filled, A::Error> {
                let mut filled = false;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    filled = true;
                }
                Ok(Filled(filled))
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}
