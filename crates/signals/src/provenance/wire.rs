//! What is read of a provenance predicate, as it stands in JSON. Fields that are not read are passed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::Raw;

/// Version 0.2.
#[derive(Debug, Deserialize)]
pub(super) struct V02<'a> {
    pub(super) builder: Builder,
    #[serde(rename = "buildType")]
    pub(super) build_type: String,
    #[serde(borrow)]
    pub(super) invocation: Option<Invocation<'a>>,
    pub(super) metadata: Option<MetadataV02>,
    pub(super) materials: Option<Vec<Resource>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Builder {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Invocation<'a> {
    #[serde(rename = "configSource")]
    pub(super) config_source: Option<ConfigSource>,
    #[serde(borrow)]
    pub(super) parameters: Option<Raw<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfigSource {
    pub(super) uri: Option<String>,
    pub(super) digest: Option<Digests>,
    #[serde(rename = "entryPoint")]
    pub(super) entry_point: Option<String>,
}

/// The specification writes `…Id`, the libraries of in-toto and SLSA for Go wrote `…ID`.
#[derive(Debug, Deserialize)]
pub(super) struct MetadataV02 {
    #[serde(rename = "buildInvocationId")]
    pub(super) invocation_id: Option<String>,
    #[serde(rename = "buildInvocationID")]
    pub(super) invocation_id_of_go: Option<String>,
    #[serde(rename = "buildFinishedOn")]
    pub(super) finished: Option<String>,
}

/// Version 1.
#[derive(Debug, Deserialize)]
pub(super) struct V1<'a> {
    #[serde(rename = "buildDefinition", borrow)]
    pub(super) definition: Definition<'a>,
    #[serde(rename = "runDetails")]
    pub(super) run: Run,
}

#[derive(Debug, Deserialize)]
pub(super) struct Definition<'a> {
    #[serde(rename = "buildType")]
    pub(super) build_type: String,
    #[serde(rename = "externalParameters", borrow)]
    pub(super) external_parameters: Raw<'a>,
    #[serde(rename = "resolvedDependencies")]
    pub(super) resolved_dependencies: Option<Vec<Resource>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) builder: Builder,
    pub(super) metadata: Option<MetadataV1>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MetadataV1 {
    #[serde(rename = "invocationId")]
    pub(super) invocation_id: Option<String>,
    #[serde(rename = "invocationID")]
    pub(super) invocation_id_of_go: Option<String>,
    #[serde(rename = "finishedOn")]
    pub(super) finished: Option<String>,
}

/// A material of version 0.2, a resource descriptor of version 1.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub(super) uri: Option<String>,
    pub(super) name: Option<String>,
    pub(super) digest: Option<Digests>,
}

/// Digests by algorithm. One that stands twice is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests(pub(super) BTreeMap<String, String>);

impl Digests {
    pub(super) fn none() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Digests;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digests by algorithm")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Digests, A::Error> {
                let mut digests = BTreeMap::new();
                while let Some((algorithm, value)) = map.next_entry::<String, String>()? {
                    if digests.insert(algorithm.clone(), value).is_some() {
                        return Err(de::Error::custom(format_args!("the digest {algorithm:?} stands twice")));
                    }
                }
                Ok(Digests(digests))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
