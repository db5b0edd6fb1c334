//! One rule of a policy: what it looks at, what a break of it means, and from when to when.

use schemars::JsonSchema;
use serde::Deserialize;

use super::age::Age;
use super::attestations::Attestations;
use super::base_image::BaseImage;
use super::dates::{Since, Until};
use super::packages::Packages;
use super::provenance::Provenance;
use super::registries::Registries;
use super::rego::Rego;
use super::signatures::{On, Signatures};
use super::types::Action;
use super::vsa::Vsa;
use super::{Config, EvidenceSource, EvidenceSources, Measurements, RESERVED, Sbom, Source, Vulnerabilities};

/// One rule: exactly one of `vulnerabilities`, `sbom`, `packages`, `config`, `baseImage`, `age`, `registries`,
/// `measurements`, `signatures`, `attestations`, `provenance`, `vsa` and `rego`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = Self::KINDS.map(|kind| serde_json::json!({ "required": [kind] }))))]
pub struct Rule {
    /// Its id, unique in the policy, repeated in every decision.
    pub(crate) id: String,
    /// Limits on the findings of a complete scan.
    pub(crate) vulnerabilities: Option<Vulnerabilities>,
    /// What must hold of the bill of materials.
    pub(crate) sbom: Option<Sbom>,
    /// Which packages of the operating system the image may hold.
    pub(crate) packages: Option<Packages>,
    /// What must hold of the image's configuration.
    pub(crate) config: Option<Config>,
    /// The image it must be built on.
    pub(crate) base_image: Option<BaseImage>,
    /// How old it may be.
    pub(crate) age: Option<Age>,
    /// Where it may come from, and how it has to be named.
    pub(crate) registries: Option<Registries>,
    /// Limits on what was measured.
    pub(crate) measurements: Option<Measurements>,
    /// Who has to have signed the image.
    pub(crate) signatures: Option<Signatures>,
    /// What has to be stated about the image, and by whom.
    pub(crate) attestations: Option<Attestations>,
    /// How the image has to have been built.
    pub(crate) provenance: Option<Provenance>,
    /// Whose verification summary has to say that the image passed.
    pub(crate) vsa: Option<Vsa>,
    /// A policy for the Open Policy Agent.
    pub(crate) rego: Option<Rego>,
    /// What a break of this rule means: `deny`, `warn`, `audit`.
    pub(crate) action: Option<Action>,
    /// From this day on, in UTC, the rule's action holds: `2026-12-31`, or a moment such as `2026-12-31T12:00:00Z`. Until then
    /// a break is only announced.
    pub(crate) effective_from: Option<Since>,
    /// What a break means before `effectiveFrom`: `warn` (default) or `audit`.
    pub(crate) before: Option<Announcement>,
    /// The last day the rule is in force.
    pub(crate) until: Option<Until>,
    /// Whether exceptions may waive it. Rules about signatures, statements and provenance say `true` themselves, or cannot be
    /// waived; all other rules can, unless they say `false`.
    pub(crate) waivable: Option<bool>,
}

/// What a break of a rule means that is not in force yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Announcement {
    /// A soft-fail.
    Warn,
    /// Recorded.
    Audit,
}

impl Announcement {
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Warn => Action::Warn,
            Self::Audit => Action::Audit,
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check<'a> {
    Vulnerabilities(&'a Vulnerabilities),
    Sbom(&'a Sbom),
    Packages(&'a Packages),
    Config(&'a Config),
    BaseImage(&'a BaseImage),
    Age(&'a Age),
    Registries(&'a Registries),
    Measurements(&'a Measurements),
    Signatures(&'a Signatures),
    Attestations(&'a Attestations),
    Provenance(&'a Provenance),
    Vsa(&'a Vsa),
    Rego(&'a Rego),
}

impl<'a> Check<'a> {
    /// The key that a rule of this kind has.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Vulnerabilities(_) => "vulnerabilities",
            Self::Sbom(_) => "sbom",
            Self::Packages(_) => "packages",
            Self::Config(_) => "config",
            Self::BaseImage(_) => "baseImage",
            Self::Age(_) => "age",
            Self::Registries(_) => "registries",
            Self::Measurements(_) => "measurements",
            Self::Signatures(_) => "signatures",
            Self::Attestations(_) => "attestations",
            Self::Provenance(_) => "provenance",
            Self::Vsa(_) => "vsa",
            Self::Rego(_) => "rego",
        }
    }

    /// True if exceptions may waive a rule of this kind that does not say itself whether they may (S29).
    pub(crate) fn is_waivable(self) -> bool {
        !matches!(self, Self::Signatures(_) | Self::Attestations(_) | Self::Provenance(_) | Self::Vsa(_))
    }

    /// Which manifests it is for, if it is about what signers said.
    pub(crate) fn on(self) -> Option<On> {
        match self {
            Self::Signatures(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Attestations(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Provenance(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Vsa(_) => Some(On::Index),
            _ => None,
        }
    }

    /// Which manifests it is judged on; the platforms, if not said. A reference is the same for all of them.
    pub(crate) fn scope(self) -> Option<On> {
        if matches!(self, Self::Registries(_) | Self::Rego(_)) { Some(On::Index) } else { self.on() }
    }

    /// The words that may stand in a list of signers beside them.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Vulnerabilities(_) | Self::Rego(_) => &RESERVED,
            Self::Sbom(_) | Self::Measurements(_) => &RESERVED[..2],
            _ => &[],
        }
    }

    /// True if the rule hears evidence in the image's repository whoever pushed it.
    pub(crate) fn opens_to_registry(self) -> bool {
        let open = |from: &EvidenceSources| from.opens(EvidenceSource::Registry);
        match self {
            Self::Vulnerabilities(rule) => {
                rule.opens(Source::Registry) || rule.vex.as_ref().is_some_and(|vex| open(&vex.from))
            }
            Self::Sbom(rule) => rule.from.as_ref().is_some_and(open),
            Self::Measurements(rule) => rule.from.as_ref().is_some_and(open),
            Self::Rego(rule) => rule.scans().opens(Source::Registry),
            _ => false,
        }
    }

    /// The lists of signers it names, each with its key.
    pub(crate) fn signers(self) -> Vec<(&'static str, &'a [String])> {
        let lists = match self {
            Self::Signatures(rule) => {
                vec![("signatures.of", rule.of.as_deref()), ("signatures.required", rule.required.as_deref())]
            }
            Self::Attestations(rule) => vec![("attestations.signers", rule.signers.as_deref())],
            Self::Provenance(rule) => vec![("provenance.signers", rule.signers.as_deref())],
            Self::Vsa(rule) => vec![("vsa.signers", rule.signers.as_deref())],
            Self::Sbom(rule) => vec![("sbom.from", Some(rule.signers()))],
            Self::Measurements(rule) => vec![("measurements.from", Some(rule.signers()))],
            Self::Vulnerabilities(rule) => {
                vec![("sources.accept", Some(rule.report_signers())), ("vex.from", Some(rule.vex_signers()))]
            }
            Self::Rego(rule) => {
                vec![("rego.sources.accept", rule.sources.as_ref().map(|sources| sources.accept.signers.as_slice()))]
            }
            Self::Packages(_) | Self::Config(_) | Self::BaseImage(_) | Self::Age(_) | Self::Registries(_) => Vec::new(),
        };
        lists.into_iter().filter_map(|(key, list)| list.map(|list| (key, list))).collect()
    }
}

impl Rule {
    /// The kinds of rule there are.
    pub(crate) const KINDS: [&'static str; 13] = [
        "vulnerabilities",
        "sbom",
        "packages",
        "config",
        "baseImage",
        "age",
        "registries",
        "measurements",
        "signatures",
        "attestations",
        "provenance",
        "vsa",
        "rego",
    ];

    /// What a rule that is not of one kind is told.
    pub(super) const ONE_OF: &'static str = "a rule is exactly one of `vulnerabilities`, `sbom`, `packages`, `config`, \
                                             `baseImage`, `age`, `registries`, `measurements`, `signatures`, \
                                             `attestations`, `provenance`, `vsa` and `rego`";

    /// What the rule looks at; the names of the kinds it has, if that is not exactly one.
    pub(crate) fn check(&self) -> Result<Check<'_>, Vec<&'static str>> {
        let kinds = [
            self.vulnerabilities.as_ref().map(Check::Vulnerabilities),
            self.sbom.as_ref().map(Check::Sbom),
            self.packages.as_ref().map(Check::Packages),
            self.config.as_ref().map(Check::Config),
            self.base_image.as_ref().map(Check::BaseImage),
            self.age.as_ref().map(Check::Age),
            self.registries.as_ref().map(Check::Registries),
            self.measurements.as_ref().map(Check::Measurements),
            self.signatures.as_ref().map(Check::Signatures),
            self.attestations.as_ref().map(Check::Attestations),
            self.provenance.as_ref().map(Check::Provenance),
            self.vsa.as_ref().map(Check::Vsa),
            self.rego.as_ref().map(Check::Rego),
        ];
        let mut there = kinds.into_iter().zip(Self::KINDS).filter_map(|(kind, name)| kind.map(|kind| (kind, name)));
        match (there.next(), there.next()) {
            (Some((only, _)), None) => Ok(only),
            (one, two) => Err(one.into_iter().chain(two).chain(there).map(|(_, name)| name).collect()),
        }
    }
}
