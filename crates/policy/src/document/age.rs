//! The keys of an `age` rule: how old an image may be, or has to be, and by whose date (B16).

use schemars::JsonSchema;
use serde::Deserialize;

use super::types::Duration;

/// How old the image is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Age {
    /// How long ago it may have been built or pushed.
    pub(crate) max: Option<Duration>,
    /// How long ago it has to have been built or pushed at least.
    pub(crate) min: Option<Duration>,
    /// Which date counts: `built` (default), by the image's configuration, which its builder writes; `pushed`, by the
    /// registry, which only Amazon ECR says.
    pub(crate) of: Option<AgeOf>,
}

/// AgeOf when an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AgeOf {
    /// It was built.
    Built,
    /// It was pushed.
    Pushed,
}

impl AgeOf {
    /// As people say it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Pushed => "pushed",
        }
    }
}

impl Age {
    /// Which date counts.
    pub(crate) fn since(&self) -> AgeOf {
        self.of.unwrap_or(AgeOf::Built)
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        let wrong = |what: &str, hint| Err((format!("rule {rule:?}: {what}"), hint));
        if self.max.is_none() && self.min.is_none() {
            return wrong("`age` asks nothing", "give it `max` or `min`");
        }
        if self.max.is_some_and(|max| max.0.is_zero()) {
            return wrong("`age.max` of no time allows no image", "say how old an image may be, such as 90d");
        }
        if self.min.is_some_and(|min| min.0.is_zero()) {
            return wrong("`age.min` of no time asks nothing", "leave the key out where it asks nothing");
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min.0 >= max.0
        {
            return wrong("`age.min` is not less than `age.max`", "no image is both");
        }
        Ok(())
    }
}
