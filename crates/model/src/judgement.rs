//! What policy says: verdicts, the outcome of each rule, and the judgement they fold into.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    Digest, Finding, NonEmpty, Origin, Platform, Reason, ReasonCode, Scanner, Severity, SeverityCounts, Tolerant,
    UnknownClass,
};

/// The answer. Ordered by weight: the judgement is the heaviest of its rules (S3). There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every rule passed.
    Allow,
    /// A rule failed whose action is `warn`.
    Warn,
    /// Not decided yet.
    Pending,
    /// No.
    Deny,
}

impl Verdict {
    /// `allow`, `warn`, `pending`, `deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Pending => "pending",
            Self::Deny => "deny",
        }
    }
}

/// What an environment is for. Only policy declares it (S7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentClass {
    /// Fails closed.
    Production,
    /// May be softened.
    NonProduction,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rule holds.
    Pass,
    /// The rule is broken.
    Fail(NonEmpty<Reason>),
    /// The rule could not be judged: the worst class and every reason.
    Unknown(UnknownClass, NonEmpty<Reason>),
}

/// What became of one finding under one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "by")]
pub enum Disposition {
    /// It blocks, for this reason.
    Blocks(ReasonCode),
    /// It counts towards a limit that is not reached.
    WithinLimit,
    /// A named exception covers it.
    Excepted(String),
    /// The rule's `allow` list names it.
    Allowed,
    /// Its grace period runs until then.
    Grace(Timestamp),
    /// `ignoreUnfixed`, and the source says that there is no fix.
    Unfixed,
    /// The scanner was told not to count it, by what it says.
    Suppressed(String),
    /// Too few of the sources report it for `blockWhen`.
    NotAgreed,
    /// A VEX statement that the policy trusts: status, justification and author.
    Vex(String),
}

/// A finding and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The platform whose manifest it was found in, for an index.
    pub platform: Option<Platform>,
    /// What became of it.
    pub disposition: Disposition,
}

impl<'de> Deserialize<'de> for Judged {
    /// The finding lies flat beside the rest, and is read tolerantly like the record it stands in.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Beside {
            platform: Option<Platform>,
            disposition: Disposition,
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        let finding = Finding::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        let Beside { platform, disposition } = Beside::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        Ok(Self { finding, platform, disposition })
    }
}

/// Which policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyId {
    /// `metadata.name`
    pub name: String,
    /// `metadata.version`, if the document has one.
    pub version: Option<String>,
    /// Digest of the document's bytes.
    pub digest: Digest,
    /// The severities that `--fail-on` put over the document's own, if it was given.
    pub fail_on: Option<String>,
}

/// One rule of one policy, applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleResult {
    /// `metadata.name` of the policy.
    pub policy: String,
    /// The rule's id.
    pub rule: String,
    /// What it found.
    pub outcome: Outcome,
    /// What that means for the image, after the rule's action and `onUnknown`.
    pub verdict: Verdict,
    /// For each way in which something was not known: what `onUnknown` of the policy says to it, or `excepted`. Empty: everything
    /// the rule asks about is known.
    pub on_unknown: BTreeMap<UnknownClass, String>,
    /// Findings that a limit, an exception or a list touched; blocking ones first.
    pub findings: Vec<Judged>,
    /// The limits per severity that are exceeded.
    pub over: Vec<OverLimit>,
    /// What a reader should know although it changed nothing.
    pub notes: Vec<String>,
}

/// A limit of a `vulnerabilities` rule that more findings reach than it allows, in one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverLimit {
    /// The platform whose manifest it is, for an index.
    pub platform: Option<Platform>,
    /// The severity that the limit is for.
    pub severity: Severity,
    /// How many findings count under it, with those that a scanner counts and does not list.
    pub found: u64,
    /// How many of them are listed.
    pub listed: u64,
    /// How many the policy allows.
    pub allowed: u64,
}

/// An exception entry that changed the judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionUse {
    /// Its id.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: Timestamp,
    /// How many findings it covered.
    pub findings: u64,
}

/// One piece of evidence used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalUsed {
    /// The manifest it is about.
    pub subject: Digest,
    /// The platform, for an index.
    pub platform: Option<Platform>,
    /// Whose scan it is.
    pub scanner: Scanner,
    /// The tool as it names itself.
    pub tool: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// When it was read.
    pub observed_at: Timestamp,
    /// When the scan ended.
    pub completed_at: Timestamp,
    /// The time of the scanner's vulnerability data.
    pub database_at: Timestamp,
    /// Digest of the raw evidence.
    pub evidence: Digest,
    /// Findings per severity, the larger of list and summary.
    pub counts: SeverityCounts,
    /// The proof that the scan is complete.
    pub proof: crate::Completeness,
}

/// What the judgement was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// The policies that matched.
    pub policies: Vec<PolicyId>,
    /// The evidence.
    pub signals: Vec<SignalUsed>,
    /// The exceptions that were used.
    pub exceptions: Vec<ExceptionUse>,
}

/// The judgement: pure, a function of policy, question, facts, exceptions and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The heaviest verdict of the rules.
    pub verdict: Verdict,
    /// True if there is a complete scan of everything that had to be judged, and no rule was left without an answer. Never
    /// true where no rule is about vulnerabilities: nobody looked at a scan.
    pub complete: bool,
    /// A rule is about vulnerabilities. If none is, findings are not judged, and not known either.
    pub scans_asked: bool,
    /// The class of the environment asked for.
    pub environment_class: EnvironmentClass,
    /// Every rule applied.
    pub rules: NonEmpty<RuleResult>,
    /// What it was made from.
    pub inputs: Inputs,
    /// Findings per severity over everything that was scanned, what several sources report counted once; `None` unless
    /// `complete`. Read it by [`Judgement::counts`].
    pub counts: Option<SeverityCounts>,
    /// The earliest moment at which time alone could change it (S8); `None` if no time was compared.
    pub valid_until: Option<Timestamp>,
    /// Entries of exception files that are expired, unused or over-broad, each named.
    pub warnings: Vec<String>,
}

impl Judgement {
    /// Every reason of every rule that did not pass, the heaviest verdict first.
    pub fn reasons(&self) -> Vec<&Reason> {
        let mut rules: Vec<&RuleResult> = self.rules.iter().collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.verdict));
        rules
            .into_iter()
            .flat_map(|rule| match &rule.outcome {
                Outcome::Pass => Vec::new(),
                Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => reasons.iter().collect(),
            })
            .collect()
    }

    /// Findings per severity over everything that was scanned; `None` unless there is a complete scan of all of it (S14).
    pub fn counts(&self) -> Option<SeverityCounts> {
        self.counts.clone().filter(|_| self.complete)
    }

    /// How many findings block (each counted once, whatever the number of rules it breaks).
    pub fn blocking(&self) -> Vec<&Judged> {
        let mut seen = std::collections::BTreeSet::new();
        self.rules
            .iter()
            .filter(|rule| rule.verdict > Verdict::Allow)
            .flat_map(|rule| &rule.findings)
            .filter(|judged| matches!(judged.disposition, Disposition::Blocks(_)))
            .filter(|judged| {
                seen.insert((judged.finding.id.as_str(), judged.finding.package_names(), judged.platform.clone()))
            })
            .collect()
    }
}
