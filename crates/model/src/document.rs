//! Facts as a document: what `ecr-gate inspect --output json` prints, what a Rego policy gets as its input, and what is read
//! back to test and replay policies. One shape for all three; its JSON Schema is made from these types.
//!
//! Reading is strict: a key that is not known, a part that is missing or a name that contradicts another one is an error and
//! never an empty list.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Ask, Contents, Digest, EnvironmentClass, Facts, FirstSeen, ImageConfig, ImageReference, Judgement, KnownBase,
    ManifestFacts, Measurement, NonEmpty, Observed, Platform, PolicyId, Sbom, ScanReport, Signal, SignedArtifacts,
    TrustMaterial, UnreadableDocument, Verdict, VexDocument, VulnerabilityId,
};

/// Everything that is known about an image, for one environment, at one moment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "ecr-gate facts")]
pub struct FactsDocument<'a> {
    /// The version of this format.
    pub schema: SchemaName,
    /// When it was looked at.
    pub at: Timestamp,
    /// Which image.
    pub image: ImageName,
    /// For which environment.
    pub environment: EnvironmentName,
    /// The parameters that the policy gives this environment.
    pub parameters: BTreeMap<String, Value>,
    /// For an image index: what is known about the index itself, which is signatures and statements on it.
    pub index: Option<ManifestDocument<'a>>,
    /// The image itself; for an index, the manifest of each platform that is judged.
    pub manifests: Vec<ManifestDocument<'a>>,
    /// When a vulnerability was first seen in a package of the repository.
    pub first_seen: Vec<FirstSeenEntry>,
    /// VEX documents.
    pub vex: Cow<'a, [Observed<VexDocument>]>,
    /// Base images that were looked up.
    pub bases: Vec<BaseEntry<'a>>,
    /// What signatures were verified with.
    pub trust: Option<Cow<'a, TrustMaterial>>,
    /// What was decided on these facts, if something was.
    pub decision: Option<RecordedDecision>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RecordedDecision {
    /// The answer.
    pub verdict: Verdict,
    /// By which policies.
    pub policies: Vec<PolicyId>,
}

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaName {
    /// The first version.
    #[serde(rename = "ecr-gate.dev/facts/v1")]
    V1,
}

/// Which image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImageName {
    /// As it was asked for: `host/repository:tag@digest`, as far as they were named.
    pub reference: String,
    /// `host/repository`
    pub name: String,
    /// The registry's host, if it was named.
    pub host: Option<String>,
    /// The repository.
    pub repository: String,
    /// The tag, if one was named.
    pub tag: Option<String>,
    /// The reference names a digest.
    pub pinned: bool,
    /// The digest that is judged.
    pub digest: Digest,
}

/// For which environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EnvironmentName {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: EnvironmentClass,
}

/// What is known about one manifest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ManifestDocument<'a> {
    /// The platform, for a manifest of an index.
    pub platform: Option<Cow<'a, Platform>>,
    /// The manifest's digest.
    pub digest: Cow<'a, Digest>,
    /// When it was pushed, if the registry says.
    pub pushed_at: Option<Timestamp>,
    /// What each scanner says.
    pub reports: Cow<'a, [ScanReport]>,
    /// Its configuration.
    pub config: Cow<'a, Signal<ImageConfig>>,
    /// What its layers hold.
    pub contents: Cow<'a, Signal<Contents>>,
    /// Its bills of materials.
    pub sboms: Cow<'a, Signal<Vec<Observed<Sbom>>>>,
    /// Measurements of it.
    pub measurements: Cow<'a, Signal<Vec<Observed<Measurement>>>>,
    /// Signatures and signed statements about it.
    pub signed: Cow<'a, SignedArtifacts>,
    /// Signed documents about it that are authentic and cannot be read.
    pub unreadable: Cow<'a, [UnreadableDocument]>,
}

/// The first sighting of one vulnerability in one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FirstSeenEntry {
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// The package.
    pub package: String,
    /// When.
    pub at: Timestamp,
}

/// One base image.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BaseEntry<'a> {
    /// The name it was looked up by.
    pub name: Cow<'a, str>,
    /// What its registry has.
    pub base: Cow<'a, Signal<KnownBase>>,
}

/// A document that is no facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactsError {
    /// What is wrong with it.
    pub what: String,
    /// Line and column from 1, where the text itself cannot be read.
    pub place: Option<(usize, usize)>,
}

impl std::fmt::Display for FactsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "line {line} column {column}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for FactsError {}

/// Facts that were recorded: the question, what was known, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFacts {
    /// The question.
    pub ask: Ask,
    /// What was known.
    pub facts: Facts,
    /// When.
    pub at: Timestamp,
    /// What was decided then, if something was.
    pub decision: Option<RecordedDecision>,
}

impl<'a> ManifestDocument<'a> {
    fn of(platform: Option<&'a Platform>, facts: &'a ManifestFacts) -> Self {
        let ManifestFacts { digest, pushed_at, reports, config, contents, sboms, measurements, signed, unreadable } =
            facts;
        Self {
            platform: platform.map(Cow::Borrowed),
            digest: Cow::Borrowed(digest),
            pushed_at: *pushed_at,
            reports: Cow::Borrowed(reports),
            config: Cow::Borrowed(config),
            contents: Cow::Borrowed(contents),
            sboms: Cow::Borrowed(sboms),
            measurements: Cow::Borrowed(measurements),
            signed: Cow::Borrowed(signed),
            unreadable: Cow::Borrowed(unreadable),
        }
    }

    fn into_facts(self) -> (Option<Platform>, ManifestFacts) {
        let facts = ManifestFacts {
            digest: self.digest.into_owned(),
            pushed_at: self.pushed_at,
            reports: self.reports.into_owned(),
            config: self.config.into_owned(),
            contents: self.contents.into_owned(),
            sboms: self.sboms.into_owned(),
            measurements: self.measurements.into_owned(),
            signed: self.signed.into_owned(),
            unreadable: self.unreadable.into_owned(),
        };
        (self.platform.map(Cow::into_owned), facts)
    }
}

impl ImageName {
    fn of(ask: &Ask) -> Self {
        let ImageReference { host, repository, tag, digest } = &ask.image;
        Self {
            reference: ask.image.to_string(),
            name: ask.name(),
            host: host.clone(),
            repository: repository.to_string(),
            tag: tag.as_ref().map(ToString::to_string),
            pinned: digest.is_some(),
            digest: ask.digest.clone(),
        }
    }
}

impl<'a> FactsDocument<'a> {
    /// The document of these facts. `judged` says which platforms of an index are in it; all, if it is `None`.
    pub fn new(
        ask: &Ask,
        class: EnvironmentClass,
        facts: &'a Facts,
        at: Timestamp,
        judged: Option<&dyn Fn(&Platform) -> bool>,
    ) -> Self {
        let root = ManifestDocument::of(None, &facts.root);
        let (index, manifests) = match &facts.platforms {
            None => (None, vec![root]),
            Some(children) => {
                let children = children.iter().filter(|(platform, _)| judged.is_none_or(|judged| judged(platform)));
                (Some(root), children.map(|(platform, child)| ManifestDocument::of(Some(platform), child)).collect())
            }
        };
        let first_seen = facts.first_seen.iter().filter_map(|((id, package), at)| {
            VulnerabilityId::new(id.clone()).map(|vulnerability| FirstSeenEntry {
                vulnerability,
                package: package.clone(),
                at: *at,
            })
        });
        Self {
            schema: SchemaName::V1,
            at,
            image: ImageName::of(ask),
            environment: EnvironmentName { name: ask.environment.clone(), class },
            parameters: BTreeMap::new(),
            index,
            manifests,
            first_seen: first_seen.collect(),
            vex: Cow::Borrowed(&facts.vex),
            bases: facts
                .bases
                .iter()
                .map(|(name, base)| BaseEntry { name: Cow::Borrowed(name), base: Cow::Borrowed(base) })
                .collect(),
            trust: facts.trust.as_ref().map(Cow::Borrowed),
            decision: None,
        }
    }

    /// The same with what was decided on it.
    #[must_use]
    pub fn decided(self, judgement: &Judgement) -> Self {
        let decision = RecordedDecision { verdict: judgement.verdict, policies: judgement.inputs.policies.clone() };
        Self { decision: Some(decision), ..self }
    }
}

impl RecordedFacts {
    /// Reads a document of [`FactsDocument`] back.
    ///
    /// # Errors
    /// It is no such document, or contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, FactsError> {
        let document: FactsDocument<'_> = serde_json::from_slice(bytes).map_err(|error| {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
            FactsError { what, place: (error.line() > 0).then(|| (error.line(), error.column())) }
        })?;
        document.try_into()
    }
}

impl TryFrom<FactsDocument<'_>> for RecordedFacts {
    type Error = FactsError;

    fn try_from(document: FactsDocument<'_>) -> Result<Self, FactsError> {
        let wrong = |what: String| FactsError { what, place: None };
        let image: ImageReference =
            document.image.reference.parse().map_err(|error| wrong(format!("image.reference: {error}")))?;
        let ask = Ask { image, digest: document.image.digest.clone(), environment: document.environment.name };
        if ImageName::of(&ask) != document.image {
            return Err(wrong("the parts of `image` are not those of `image.reference`".to_owned()));
        }
        let mut manifests = document.manifests.into_iter().map(ManifestDocument::into_facts);
        let (root, platforms) = match document.index {
            None => match (manifests.next(), manifests.next()) {
                (Some((None, only)), None) => (only, None),
                _ => return Err(wrong("without `index`, `manifests` is one manifest without a platform".to_owned())),
            },
            Some(index) => {
                let children: Option<Vec<_>> =
                    manifests.map(|(platform, child)| platform.map(|platform| (platform, child))).collect();
                let children = children.and_then(NonEmpty::new).ok_or_else(|| {
                    wrong("with `index`, `manifests` holds at least one manifest, each with its platform".to_owned())
                })?;
                (index.into_facts().1, Some(children))
            }
        };
        if root.digest != ask.digest {
            return Err(wrong(format!("the facts are about {}, and the image is {}", root.digest, ask.digest)));
        }
        let mut first_seen = FirstSeen::new();
        for entry in document.first_seen {
            first_seen.insert((entry.vulnerability.as_str().to_owned(), entry.package), entry.at);
        }
        let bases = document.bases.into_iter().map(|entry| (entry.name.into_owned(), entry.base.into_owned()));
        let facts = Facts {
            root,
            platforms,
            first_seen,
            vex: document.vex.into_owned(),
            bases: bases.collect(),
            trust: document.trust.map(Cow::into_owned),
        };
        Ok(Self { ask, facts, at: document.at, decision: document.decision })
    }
}

/// The JSON Schema of [`FactsDocument`].
pub fn facts_schema() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<FactsDocument<'_>>().to_value()
}
