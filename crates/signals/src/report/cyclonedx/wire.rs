//! A CycloneDX document as it stands in a file, as far as it is read. Property names as in the specification.
//! What the document means is said where it is used.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::report::json::{Text, not_null};
use crate::report::list::List;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bom<'a> {
    #[serde(borrow, rename = "bomFormat")]
    pub(super) format: Text<'a>,
    #[serde(borrow)]
    pub(super) spec_version: Text<'a>,
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub(super) components: Option<List<Component<'a>>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) vulnerabilities: Option<List<Vulnerability<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) tools: Option<Tools<'a>>,
    #[serde(borrow)]
    pub(super) component: Option<Component<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Component<'a> {
    #[serde(borrow)]
    pub(super) bom_ref: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) purl: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) hashes: Option<List<Hash<'a>>>,
    #[serde(borrow)]
    pub(super) properties: Option<List<Property<'a>>>,
    #[serde(borrow)]
    pub(super) components: Option<List<Component<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hash<'a> {
    #[serde(borrow)]
    pub(super) alg: Text<'a>,
    #[serde(borrow)]
    pub(super) content: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Property<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Source<'a>>,
    #[serde(borrow)]
    pub(super) references: Option<List<Reference<'a>>>,
    #[serde(borrow)]
    pub(super) ratings: Option<List<Rating<'a>>>,
    #[serde(borrow)]
    pub(super) recommendation: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) advisories: Option<List<Advisory<'a>>>,
    #[serde(borrow)]
    pub(super) affects: Option<List<Affected<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rating<'a> {
    pub(super) score: Option<f64>,
    #[serde(borrow)]
    pub(super) severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) method: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) vector: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Advisory<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Affected<'a> {
    #[serde(borrow, rename = "ref")]
    pub(super) to: Text<'a>,
}

/// `metadata.tools`: a list up to 1.4, an object with components since 1.5.
#[derive(Debug)]
pub(super) struct Tools<'a>(pub(super) Vec<Tool<'a>>);

#[derive(Debug, Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Tools<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Tools<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tools or an object with components")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Tools<'de>, A::Error> {
                let mut tools = Vec::new();
                while let Some(tool) = list.next_element()? {
                    // More than a handful is of no use to anybody.
                    if tools.len() < 16 {
                        tools.push(tool);
                    }
                }
                Ok(Tools(tools))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Tools<'de>, A::Error> {
                let mut tools = Vec::new();
                while let Some(key) = fields.next_key::<Text<'de>>()? {
                    if key.0 == "components" {
                        tools = fields.next_value::<List<Tool<'de>>>()?.0;
                    } else {
                        fields.next_value::<de::IgnoredAny>()?;
                    }
                }
                Ok(Tools(tools))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
