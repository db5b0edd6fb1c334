//! The shortest path to green (B23): what has to be done so that an image passes, which step clears how many of the
//! findings that block, and what stays. Made of a judgement and its facts alone; it decides nothing, and what is not known
//! is said to be unknown: who brought a package, whether a newer base has the fix, which of two versions is the higher one.

mod blocked;
mod origin;
mod steps;
mod upgrade;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use model::{Facts, Judgement, Platform, ReasonCode, Severity, Verdict};
use serde::{Deserialize, Serialize};

use blocked::Blocked;

/// What has to be done so that nothing blocks any more, or, where rules only warn, so that nothing is warned of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathToGreen {
    /// The verdict that it leads out of; `warn`: nothing blocks, and this would make the image clean.
    pub from: Verdict,
    /// How many listed findings block, each counted once.
    pub blocking: u64,
    /// Who brought them into the image.
    pub introduced: Vec<Introduced>,
    /// The same by package: each finding is in exactly one of them.
    pub packages: Vec<BlockedPackage>,
    /// The limits that are exceeded.
    pub limits: Vec<ToGo>,
    /// What to do: what clears most comes first.
    pub steps: Vec<Step>,
    /// What is left after all steps.
    pub stays: Stays,
}

/// Who brought a package into the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by", content = "base")]
pub enum Introducer {
    /// The base image of this name: the layer is one of its layers.
    Base(String),
    /// The image's own layers, above those of its base.
    Own,
    /// It is not known.
    Unknown,
}

/// How many of the findings somebody brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Introduced {
    /// Who.
    #[serde(flatten)]
    pub by: Introducer,
    /// How many findings.
    pub findings: u64,
    /// Why it is not known.
    pub why: Vec<Cow<'static, str>>,
    /// Of a base image: whether its name stands for another build today than the one that the image is built on; `None`
    /// if that is not known.
    pub newer_build: Option<bool>,
}

/// The findings that block in one package, or in several that are found together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockedPackage {
    /// Who brought it.
    #[serde(flatten)]
    pub by: Introducer,
    /// The names; empty if the source names none.
    pub names: Vec<String>,
    /// The installed versions that are said.
    pub installed: Vec<String>,
    /// The platforms, for an index.
    pub platforms: Vec<Platform>,
    /// How many findings.
    pub findings: u64,
    /// How many of them only a rule that warns is about, where others block.
    pub only_warned: u64,
    /// How many an upgrade clears.
    pub fixed: u64,
    /// Of how many of these the version is not said, or not of every package.
    pub version_not_said: u64,
    /// How many have no fix.
    pub no_fix: u64,
    /// Of how many no source says whether there is a fix.
    pub fix_not_said: u64,
    /// The versions that clear those that have a fix, as far as they are named: of each list one. A single version is
    /// chosen only where the order of versions is known.
    pub upgrade_to: Vec<Vec<String>>,
}

/// A limit that is exceeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToGo {
    /// The policy.
    pub policy: String,
    /// Its rule.
    pub rule: String,
    /// The platform, for an index.
    pub platform: Option<Platform>,
    /// The severity that is limited.
    pub severity: Severity,
    /// How many findings count.
    pub found: u64,
    /// How many are allowed.
    pub allowed: u64,
    /// How many have to go.
    pub to_go: u64,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it is about.
    #[serde(flatten)]
    pub of: StepOf,
    /// How many of the findings that block it clears.
    pub clears: u64,
    /// Whether it clears them for sure; a newer base only may.
    pub certain: bool,
    /// The step in words.
    pub text: String,
}

/// What a step is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum StepOf {
    /// Build again on a newer build of the base image.
    Rebuild {
        /// Its name.
        base: String,
        /// The packages it brought.
        packages: Vec<String>,
    },
    /// Upgrade what is found together.
    Upgrade {
        /// The packages.
        packages: Vec<String>,
        /// As [`BlockedPackage::upgrade_to`].
        to: Vec<Vec<String>>,
    },
    /// A rule that is broken, or has no answer, by something else than findings.
    Rule {
        /// The policy; empty if none matched.
        policy: String,
        /// Its rule.
        rule: String,
        /// The reason.
        code: ReasonCode,
        /// What the rule means for the image.
        verdict: Verdict,
    },
}

/// What is left after all steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stays {
    /// How many listed findings are left.
    pub findings: u64,
    /// How many of them still block: a limit may allow some.
    pub blocking: u64,
    /// How many have no fix.
    pub no_fix: u64,
    /// Of how many no source says whether there is a fix.
    pub fix_not_said: u64,
    /// How many the scanner counts and does not list: of those nothing can be said.
    pub unlisted: u64,
    /// The same in words, and what can be done about them.
    pub text: String,
}

/// The shortest path to green; `None` if nothing blocks and nothing is warned of.
pub fn path_to_green(judgement: &Judgement, facts: &Facts) -> Option<PathToGreen> {
    if judgement.verdict == Verdict::Allow {
        return None;
    }
    let blocked = Blocked::of(judgement, facts);
    let packages = steps::packages(&blocked, judgement.verdict);
    let introduced = steps::introduced(&blocked);
    let stays = steps::stays(judgement, &blocked, &introduced);
    Some(PathToGreen {
        from: judgement.verdict,
        blocking: blocked.findings.len() as u64,
        steps: steps::steps(judgement, &packages, &introduced),
        limits: steps::limits(judgement),
        introduced,
        packages,
        stays,
    })
}

impl PathToGreen {
    /// Who brought the findings: `2 from the base image debian:12, 1 from the image's own layers`.
    pub fn origins(&self) -> String {
        words::origins(&self.introduced)
    }
}

impl ToGo {
    /// `HIGH: 2 of 7 findings have to go; policy p, rule r allows 5`
    pub fn text(&self) -> String {
        words::to_go(self)
    }
}
