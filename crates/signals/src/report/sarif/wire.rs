//! A SARIF log as it stands in a file, as far as it is read. Property names as in the specification.
//! What the properties mean is said where they are used.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, de};

use crate::report::cvss;
use crate::report::json::{Text, Time};
use crate::report::list::List;

#[derive(Debug, Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow)]
    pub(super) version: Text<'a>,
    #[serde(borrow)]
    pub(super) runs: List<Run<'a>, 1_000>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a> {
    #[serde(borrow)]
    pub(super) tool: Tool<'a>,
    #[serde(borrow)]
    pub(super) invocations: Option<List<Invocation<'a>>>,
    /// Missing or `null`: the tool did not get that far.
    #[serde(borrow)]
    pub(super) results: Option<List<Outcome<'a>>>,
    #[serde(borrow)]
    pub(super) properties: Option<RunProperties<'a>>,
    pub(super) external_property_file_references: Option<Files>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub(super) driver: Component<'a>,
    #[serde(borrow)]
    pub(super) extensions: Option<List<Component<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) full_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) semantic_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) rules: Option<List<Rule<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) deprecated_ids: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub(super) short_description: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) full_description: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) help: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) help_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) default_configuration: Option<Configuration<'a>>,
    #[serde(borrow)]
    pub(super) properties: Option<RuleProperties<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Configuration<'a> {
    #[serde(borrow)]
    pub(super) level: Option<Text<'a>>,
}

/// What GitHub's documentation defines for security tools, and Grype's package URLs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RuleProperties<'a> {
    pub(super) security_severity: Option<Score>,
    #[serde(borrow)]
    pub(super) tags: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub(super) purls: Option<List<Text<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ResultProperties {
    pub(super) security_severity: Option<Score>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
}

/// A result.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome<'a> {
    #[serde(borrow)]
    pub(super) rule_id: Option<Text<'a>>,
    pub(super) rule_index: Option<i64>,
    #[serde(borrow)]
    pub(super) rule: Option<RuleReference<'a>>,
    #[serde(borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) level: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) locations: Option<List<Location<'a>>>,
    #[serde(borrow)]
    pub(super) suppressions: Option<List<Suppression<'a>>>,
    #[serde(borrow)]
    pub(super) baseline_state: Option<Text<'a>>,
    pub(super) properties: Option<ResultProperties>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleReference<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) index: Option<i64>,
    #[serde(borrow)]
    pub(super) tool_component: Option<ComponentReference<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ComponentReference<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) index: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) physical_location: Option<PhysicalLocation<'a>>,
    #[serde(borrow)]
    pub(super) logical_locations: Option<List<LogicalLocation<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation<'a> {
    #[serde(borrow)]
    pub(super) artifact_location: Option<ArtifactLocation<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ArtifactLocation<'a> {
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation<'a> {
    #[serde(borrow)]
    pub(super) fully_qualified_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Suppression<'a> {
    #[serde(borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    /// The name of `status` in drafts of the specification.
    #[serde(borrow)]
    pub(super) state: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) justification: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    pub(super) execution_successful: Option<bool>,
    pub(super) end_time_utc: Option<Time>,
    pub(super) process_start_failure_message: Option<IgnoredAny>,
    #[serde(borrow)]
    tool_execution_notifications: Option<List<Notification<'a>>>,
    #[serde(borrow)]
    tool_configuration_notifications: Option<List<Notification<'a>>>,
}

impl Invocation<'_> {
    /// A tool that says it was successful and names an error has not looked at everything.
    pub(super) fn tells_of_an_error(&self) -> bool {
        [&self.tool_execution_notifications, &self.tool_configuration_notifications]
            .into_iter()
            .flat_map(|list| List::each(list.as_ref()))
            .any(|notification| notification.level.as_ref().is_some_and(|level| level.0 == "error"))
    }
}

#[derive(Debug, Deserialize)]
struct Notification<'a> {
    #[serde(borrow)]
    level: Option<Text<'a>>,
}

/// Trivy's words about the image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunProperties<'a> {
    #[serde(borrow)]
    pub(super) image_name: Option<Text<'a>>,
    #[serde(borrow, rename = "imageID")]
    pub(super) image_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) repo_digests: Option<List<Text<'a>, 1_000>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Files {
    results: Option<List<IgnoredAny>>,
    driver: Option<IgnoredAny>,
    extensions: Option<List<IgnoredAny>>,
}

impl Files {
    /// What of the log that is read here is in another file.
    pub(super) fn of_interest(&self) -> Option<&'static str> {
        let some = |list: &Option<List<IgnoredAny>>| list.as_ref().is_some_and(|list| !list.0.is_empty());
        match () {
            () if some(&self.results) => Some("results"),
            () if self.driver.is_some() => Some("driver"),
            () if some(&self.extensions) => Some("extensions"),
            () => None,
        }
    }
}

/// `security-severity`: a CVSS score, by GitHub's definition as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Score {
    /// A score in tenths.
    Tenths(u16),
    /// No score: an empty text, or what a script writes for one that it has not.
    None,
    /// Something else.
    Unreadable(String),
}

impl Score {
    fn of(text: &str) -> Self {
        let unreadable = || Self::Unreadable(text.chars().take(64).collect());
        match text.trim() {
            "" | "undefined" | "null" => Self::None,
            number => match number.parse::<f64>() {
                Ok(score) => cvss::tenths(score).map_or_else(|_| unreadable(), Self::Tenths),
                Err(_) => unreadable(),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Score;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a score as text or number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Score, E> {
                Ok(Score::of(text))
            }
            fn visit_f64<E: de::Error>(self, score: f64) -> Result<Score, E> {
                Ok(Score::of(&score.to_string()))
            }
            fn visit_u64<E: de::Error>(self, score: u64) -> Result<Score, E> {
                Ok(Score::of(&score.to_string()))
            }
            fn visit_i64<E: de::Error>(self, score: i64) -> Result<Score, E> {
                Ok(Score::of(&score.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
