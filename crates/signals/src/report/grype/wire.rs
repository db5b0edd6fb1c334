//! The JSON of a Grype report, as far as it is read. Details of matches and the like are passed over.

use model::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::report::cvss::{Probability, Score};
use crate::report::json::{Text, Time, not_null};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'a> {
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) matches: Option<Vec<Match<'a>>>,
    #[serde(borrow, default, deserialize_with = "not_null")]
    pub(super) ignored_matches: Option<Vec<Match<'a>>>,
    #[serde(borrow)]
    pub(super) source: Option<Source<'a>>,
    #[serde(borrow)]
    pub(super) descriptor: Option<Descriptor<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) r#type: Option<Text<'a>>,
    /// An object for an image; text for a folder or a file.
    #[serde(borrow)]
    pub(super) target: Option<&'a RawValue>,
}

impl Source<'_> {
    pub(super) fn is_image(&self) -> bool {
        Text::of(self.r#type.as_ref()) == Some("image")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target<'a> {
    #[serde(borrow)]
    pub(super) user_input: Option<Text<'a>>,
    #[serde(rename = "imageID", borrow)]
    pub(super) image_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) manifest_digest: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) repo_digests: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Descriptor<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) configuration: Option<Configuration<'a>>,
    #[serde(borrow)]
    pub(super) db: Option<Database<'a>>,
    pub(super) timestamp: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Configuration<'a> {
    only_fixed: Option<bool>,
    #[serde(rename = "only-notfixed")]
    only_not_fixed: Option<bool>,
    #[serde(borrow)]
    ignore_states: Option<Text<'a>>,
    exclude: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    distro: Option<Text<'a>>,
}

impl Configuration<'_> {
    /// The setting that left something out of the list.
    pub(super) fn filter(&self) -> Option<&'static str> {
        let states = self.ignore_states.as_ref().and_then(Text::filled).is_some();
        let paths = self.exclude.as_ref().is_some_and(|paths| !paths.is_empty());
        // Another distribution than the image's own was asked about.
        let distro = self.distro.as_ref().and_then(Text::filled).is_some();
        let filters = [
            (distro, "distro"),
            (self.only_fixed == Some(true), "only-fixed"),
            (self.only_not_fixed == Some(true), "only-notfixed"),
            (states, "ignore-states"),
            (paths, "exclude"),
        ];
        filters.into_iter().find(|(set, _)| *set).map(|(_, name)| name)
    }
}

/// Up to schema 5 the fields stand here, from 6 on under `status`.
#[derive(Deserialize)]
pub(super) struct Database<'a> {
    built: Option<Time>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<DatabaseStatus<'a>>,
}

#[derive(Deserialize)]
struct DatabaseStatus<'a> {
    built: Option<Time>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    valid: Option<bool>,
}

impl Database<'_> {
    pub(super) fn built(&self) -> Option<Timestamp> {
        let status = self.status.as_ref().and_then(|status| status.built);
        // Where both are given, the older one counts.
        [self.built, status].into_iter().flatten().filter_map(|time| time.0).min()
    }

    pub(super) fn error(&self) -> Option<String> {
        let status = self.status.as_ref();
        let said = [self.error.as_ref(), status.and_then(|status| status.error.as_ref())];
        let said = said.into_iter().flatten().find_map(Text::filled).map(|text| text.chars().take(200).collect());
        said.or_else(|| (status?.valid == Some(false)).then(|| "it is not valid".to_owned()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Match<'a> {
    #[serde(borrow)]
    pub(super) vulnerability: Option<Vulnerability<'a>>,
    #[serde(borrow)]
    pub(super) related_vulnerabilities: Option<Vec<Related<'a>>>,
    #[serde(borrow)]
    pub(super) artifact: Option<Artifact<'a>>,
    #[serde(borrow)]
    pub(super) applied_ignore_rules: Option<Vec<IgnoreRule<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data_source: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) severity: Option<Text<'a>>,
    pub(super) cvss: Option<Scores>,
    pub(super) epss: Option<Probabilities>,
    pub(super) known_exploited: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    pub(super) fix: Option<FixState<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Related<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) cvss: Option<Scores>,
}

#[derive(Deserialize)]
pub(super) struct FixState<'a> {
    #[serde(borrow)]
    pub(super) versions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) state: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Artifact<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) purl: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) locations: Option<Vec<Location<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(rename = "layerID", borrow)]
    pub(super) layer: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct IgnoreRule<'a> {
    #[serde(borrow)]
    pub(super) vulnerability: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) fix_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) vex_status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) vex_justification: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) package: Option<IgnoredPackage<'a>>,
}

#[derive(Deserialize)]
pub(super) struct IgnoredPackage<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
}

/// The highest base score of a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scores(pub(super) Option<u16>);

/// The highest probability of a list.
pub(super) struct Probabilities(pub(super) Option<u32>);

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Rating {
            metrics: Option<Metrics>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metrics {
            base_score: Option<Score>,
        }
        let ratings = Vec::<Rating>::deserialize(deserializer)?;
        Ok(Self(ratings.into_iter().filter_map(|rating| rating.metrics?.base_score).map(|score| score.0).max()))
    }
}

impl<'de> Deserialize<'de> for Probabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Rating {
            epss: Option<Probability>,
        }
        let ratings = Vec::<Rating>::deserialize(deserializer)?;
        Ok(Self(ratings.into_iter().filter_map(|rating| rating.epss).map(|epss| epss.0).max()))
    }
}
