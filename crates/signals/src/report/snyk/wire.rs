//! The JSON of a Snyk report, as far as it is read. Descriptions, paths, licences and advice are passed over.

use serde::Deserialize;

use crate::report::cvss::Score;
use crate::report::json::{Text, not_null};

/// Several projects in a list.
#[derive(Deserialize)]
pub(super) struct Projects<'a>(#[serde(borrow)] pub(super) Vec<Project<'a>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Project<'a> {
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) vulnerabilities: Option<Vec<Issue<'a>>>,
    #[serde(borrow)]
    pub(super) error: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) applications: Option<Vec<Project<'a>>>,
    #[serde(borrow)]
    pub(super) filtered: Option<FilteredLists<'a>>,
    #[serde(borrow)]
    pub(super) severity_threshold: Option<Text<'a>>,
    #[serde(rename = "projectName", borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

impl Project<'_> {
    /// The image as it was named: the path of the test, else the project, `docker-image|app`.
    pub(super) fn name(&self) -> Option<&str> {
        self.path.as_ref().and_then(Text::filled).or_else(|| self.title.as_ref().and_then(Text::filled))
    }
}

#[derive(Deserialize)]
pub(super) struct FilteredLists<'a> {
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) ignore: Option<Vec<Issue<'a>>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) patch: Option<Vec<Issue<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) severity_with_critical: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) identifiers: Option<Identifiers<'a>>,
    pub(super) cvss_score: Option<Score>,
    #[serde(rename = "CVSSv3", borrow)]
    pub(super) vector: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) package_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) nearest_fixed_in_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) fixed_in: Option<Vec<Text<'a>>>,
    pub(super) is_upgradable: Option<bool>,
    #[serde(borrow)]
    pub(super) exploit: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) filtered: Option<Filtered<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct Identifiers<'a> {
    #[serde(borrow)]
    pub(super) cve: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) ghsa: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Filtered<'a> {
    #[serde(borrow)]
    pub(super) ignored: Option<Vec<Ignored<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Ignored<'a> {
    #[serde(borrow)]
    pub(super) reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) expires: Option<Text<'a>>,
}
