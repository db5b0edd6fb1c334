//! Over 500 lines: the keys of one rule, their schema and their checks.
//! The keys of a `vulnerabilities` rule (S16–S22, S24): whose reports count, what is allowed, and what softens it.

use std::borrow::Cow;

use model::{Origin, Scanner, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::sbom::{EvidenceSource, EvidenceSources, SIGNER_PATTERN, is_signer_name};
use super::types::Duration;

/// Limits on the findings of a complete scan. The scan itself is always required.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Vulnerabilities {
    /// Which sources count; the ECR API alone, if left out.
    pub(crate) sources: Option<Sources>,
    /// How many findings of each severity are allowed. A severity that is left out is shown and not limited.
    pub(crate) max: Option<Limits>,
    /// Findings count only if the source does not say "there is no fix".
    pub(crate) ignore_unfixed: Option<bool>,
    /// Vulnerability ids that never count.
    pub(crate) allow: Option<Vec<String>>,
    /// Vulnerability ids that always block; neither `allow` nor an exception lifts them.
    pub(crate) deny: Option<Vec<String>>,
    /// `deny`: a finding that the source knows an exploit for always blocks.
    pub(crate) known_exploited: Option<KnownExploited>,
    /// Findings with this CVSS base score or a higher one block, where the source gives a score (0.1 to 10).
    #[schemars(with = "Option<f64>")]
    pub(crate) deny_cvss_from: Option<Tenths>,
    /// Findings with this EPSS probability or a higher one block, where the source gives one (0 to 1).
    #[schemars(with = "Option<f64>")]
    pub(crate) deny_epss_from: Option<Millionths>,
    /// Grace per severity, counted from the recorded first sighting in the repository; without a record, no grace.
    pub(crate) grace_period: Option<GracePeriods>,
    /// How old the scanner's vulnerability data may be: 24h for continuous scanning and 8d for any other, unless said here.
    pub(crate) max_scan_age: Option<Duration>,
    /// Whose VEX statements are applied; nobody's, if left out.
    pub(crate) vex: Option<Vex>,
}

/// Which sources count (S19, S22).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Sources {
    /// `ecr`: the ECR API. `file`: local files handed over by whoever runs the gate. `registry`: reports in the image's
    /// repository, by whoever may push there. Names of `spec.signers`: reports that one of them signed. Names of scanners
    /// beside `file`, `registry` or signers say whose reports these may be; without such a name, any scanner's.
    pub(crate) accept: Accept,
    /// Scanners that must each have answered with a complete scan.
    pub(crate) required: Option<Vec<RequiredScanner>>,
    /// How many of the sources that answered must report a finding for it to count: `any` (default), `majority`, `all`.
    pub(crate) block_when: Option<BlockWhen>,
    /// What it means that a scanner was told not to count a finding: `honour` (default), `count`.
    pub(crate) suppressed: Option<WhenSuppressed>,
}

/// What counts as a report: by which way it comes in, by which scanner it is, who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accept {
    sources: Vec<Source>,
    pub(crate) signers: Vec<String>,
}

/// A way for reports to come in, or a scanner whose reports may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The ECR API.
    Ecr,
    /// Local files.
    File,
    /// The image's repository.
    Registry,
    /// Reports of this scanner, by one of the ways above.
    Of(Scanner),
}

/// A scanner that must have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequiredScanner(pub(crate) Scanner);

/// How many sources must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BlockWhen {
    /// One of them.
    Any,
    /// More than half of them.
    Majority,
    /// All of them.
    All,
}

/// What to do about findings that a scanner was told not to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum WhenSuppressed {
    /// They are shown and do not count, unless another source reports them plainly.
    Honour,
    /// They count like any other.
    Count,
}

/// Whose VEX statements are believed (S24): the document has to be signed by a listed signer, or to come by a listed way; and
/// it has to name a listed author.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Vex {
    /// `file`: local files handed over by whoever runs the gate. `registry`: documents in the image's repository, by whoever
    /// may push there. Names of `spec.signers`: documents that one of them signed.
    pub(crate) from: EvidenceSources,
    /// Authors as the documents name them, exactly or as patterns with `*`. May be left out where only signers are named in
    /// `from`: then whatever they sign is believed.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) authors: Option<Authors>,
}

/// Names of authors, exactly or as patterns.
#[derive(Debug, Clone)]
pub(crate) struct Authors {
    pub(crate) names: Vec<String>,
    patterns: globset::GlobSet,
}

impl Authors {
    /// True if this author is listed.
    pub(crate) fn list(&self, author: &str) -> bool {
        self.names.iter().any(|name| name == author) || self.patterns.is_match(author)
    }
}

impl Source {
    /// The way in that a report came by.
    pub(crate) fn way(origin: &Origin) -> Self {
        match origin {
            Origin::Ecr(_) => Self::Ecr,
            Origin::File(_) => Self::File,
            Origin::Registry(_) | Origin::Attestation(_) => Self::Registry,
        }
    }
}

impl Sources {
    fn lists(&self, source: Source) -> bool {
        self.accept.sources.contains(&source)
    }

    /// What is wrong with the keys taken together.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        if self.accept.sources.is_empty() && self.accept.signers.is_empty() {
            return Err(("`sources.accept` is empty".to_owned(), "name `ecr`, `file` or both"));
        }
        let scanner = self.accept.sources.iter().find_map(|source| match source {
            Source::Of(scanner) => Some(scanner),
            _ => None,
        });
        if let Some(scanner) = scanner
            && !self.lists(Source::File)
            && !self.lists(Source::Registry)
            && self.accept.signers.is_empty()
        {
            return Err((
                format!("`sources.accept` lists `{scanner}` and no way for its reports to come in"),
                "add `file` for local files, `registry` for reports in the image's repository, or the name of a signer",
            ));
        }
        for RequiredScanner(scanner) in self.required.iter().flatten() {
            let ways = [Source::Ecr, Source::File, Source::Registry];
            let by = |way| (way != Source::Ecr || *scanner == Scanner::Ecr) && self.lets_in(way, *scanner);
            let signed = !self.accept.signers.is_empty() && self.may_be_of(*scanner);
            if !signed && !ways.into_iter().any(by) {
                return Err((
                    format!("`sources.required` names `{scanner}`, whose reports `sources.accept` does not let in"),
                    "list the scanner and the way its reports come in (`ecr`, `file`, `registry`, a signer) in `accept`",
                ));
            }
        }
        Ok(())
    }

    /// True if a report of this scanner counts that came in by this way.
    fn lets_in(&self, way: Source, scanner: Scanner) -> bool {
        self.lists(way) && (way == Source::Ecr || self.may_be_of(scanner))
    }

    /// True if reports that do not come from the ECR API may be of this scanner.
    fn may_be_of(&self, scanner: Scanner) -> bool {
        let own = if scanner == Scanner::Ecr { Source::Ecr } else { Source::Of(scanner) };
        let names_scanners = self.accept.sources.iter().any(|source| matches!(source, Source::Of(_)));
        // A saved answer of ECR is a file like any other: where scanners are named, it has to be one of them.
        !names_scanners || self.lists(own)
    }
}

impl Vulnerabilities {
    /// A rule that asks for scans by these sources, and nothing of their findings.
    pub(crate) fn only_scans(sources: Option<Sources>, max_scan_age: Option<Duration>) -> Self {
        Self {
            sources,
            max: None,
            ignore_unfixed: None,
            allow: None,
            deny: None,
            known_exploited: None,
            deny_cvss_from: None,
            deny_epss_from: None,
            grace_period: None,
            max_scan_age,
            vex: None,
        }
    }

    /// What a schema cannot say.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        for (key, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            let plain = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-*".contains(&byte));
            if let Some(id) = list.iter().flatten().find(|id| !plain(id.trim())) {
                return Err((
                    format!("`vulnerabilities.{key}` names {id:?}, which is no id"),
                    "one id each, such as CVE-2021-44228",
                ));
            }
        }
        self.sources.as_ref().map_or(Ok(()), Sources::check)?;
        let ids = self.deny.iter().chain(&self.allow).flatten();
        if let Some(id) = ids.into_iter().find(|id| id.trim().is_empty() || id.contains('*')) {
            return Err((
                format!("{id:?} in `deny` or `allow` is no vulnerability id"),
                "an entry names one vulnerability; patterns are not possible",
            ));
        }
        let Some(vex) = &self.vex else { return Ok(()) };
        if vex.from.is_empty() || vex.authors.as_ref().is_some_and(|authors| authors.names.is_empty()) {
            return Err((
                "`vex.from` or `vex.authors` is empty".to_owned(),
                "name the ways and the authors that are believed, or leave `vex` out",
            ));
        }
        // An author is a name inside a document; who may write one is another question, and one of them has to be answered.
        if vex.authors.is_none()
            && [EvidenceSource::File, EvidenceSource::Registry].iter().any(|way| vex.from.opens(*way))
        {
            return Err((
                "`vex.from` names a way for unsigned documents, and there is no `vex.authors`".to_owned(),
                "name the authors that are believed; they may be left out where `from` names signers only",
            ));
        }
        Ok(())
    }

    /// True if a report of this scanner and origin counts (S22). Without `sources` that is the ECR API alone.
    pub(crate) fn accepts(&self, origin: &Origin, scanner: Scanner) -> bool {
        let way = Source::way(origin);
        self.sources.as_ref().map_or(way == Source::Ecr, |sources| sources.lets_in(way, scanner))
    }

    /// True if a signed report of this scanner counts, given that its signer does.
    pub(crate) fn accepts_signed(&self, scanner: Scanner) -> bool {
        self.sources.as_ref().is_some_and(|sources| !sources.accept.signers.is_empty() && sources.may_be_of(scanner))
    }

    /// The signers whose reports count.
    pub(crate) fn report_signers(&self) -> &[String] {
        self.sources.as_ref().map_or(&[], |sources| &sources.accept.signers)
    }

    /// The signers whose VEX documents are believed.
    pub(crate) fn vex_signers(&self) -> &[String] {
        self.vex.as_ref().map_or(&[], |vex| vex.from.signers())
    }

    /// What `sources.accept` lacks for a report of this scanner and origin to count, as it is written there.
    pub(crate) fn missing_for(&self, origin: &Origin, scanner: Scanner) -> Vec<String> {
        let way = Source::way(origin);
        let named = self
            .sources
            .iter()
            .flat_map(|sources| &sources.accept.sources)
            .any(|source| matches!(source, Source::Of(_)));
        let name = |source: Source| match source {
            Source::Ecr => "`ecr`".to_owned(),
            Source::File => "`file`".to_owned(),
            Source::Registry => "`registry`".to_owned(),
            Source::Of(scanner) => format!("`{scanner}`"),
        };
        let own = if scanner == Scanner::Ecr { Source::Ecr } else { Source::Of(scanner) };
        let wanted = [Some(way), Some(own).filter(|own| named && way != Source::Ecr && *own != way)];
        wanted.into_iter().flatten().filter(|source| !self.opens(*source)).map(name).collect()
    }

    /// True if reports may come in by this way.
    pub(crate) fn opens(&self, way: Source) -> bool {
        self.sources.as_ref().map_or(way == Source::Ecr, |sources| sources.lists(way))
    }

    /// The scanners that must have answered.
    pub(crate) fn required(&self) -> impl Iterator<Item = Scanner> {
        self.sources.iter().flat_map(|sources| sources.required.iter().flatten()).map(|required| required.0)
    }

    /// How many sources must agree.
    pub(crate) fn block_when(&self) -> BlockWhen {
        self.sources.as_ref().and_then(|sources| sources.block_when).unwrap_or(BlockWhen::Any)
    }

    /// True if a finding does not count that its scanner was told not to count.
    pub(crate) fn honours_suppression(&self) -> bool {
        self.sources.as_ref().and_then(|sources| sources.suppressed) != Some(WhenSuppressed::Count)
    }
}

/// The words of `sources.accept` that are no names of signers.
pub(crate) const SOURCES: [&str; 11] =
    ["ecr", "file", "registry", "inspector", "trivy", "grype", "snyk", "harbor", "sarif", "cyclonedx", "osv"];
const SCANNERS: [&str; 9] = ["ecr", "inspector", "trivy", "grype", "snyk", "harbor", "sarif", "cyclonedx", "osv"];

impl Source {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "ecr" => Some(Self::Ecr),
            "file" => Some(Self::File),
            "registry" => Some(Self::Registry),
            name => Scanner::parse(name).map(Self::Of),
        }
    }
}

impl<'de> Deserialize<'de> for Accept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut accept = Self { sources: Vec::new(), signers: Vec::new() };
        for word in Vec::<String>::deserialize(deserializer)? {
            match Source::parse(&word) {
                Some(source) => accept.sources.push(source),
                None if is_signer_name(&word) => accept.signers.push(word),
                None => return Err(de::Error::unknown_variant(&word, &SOURCES)),
            }
        }
        Ok(accept)
    }
}

impl<'de> Deserialize<'de> for RequiredScanner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Scanner::parse(&name).map(Self).ok_or_else(|| de::Error::unknown_variant(&name, &SCANNERS))
    }
}

impl<'de> Deserialize<'de> for Authors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let mut patterns = globset::GlobSetBuilder::new();
        for name in &names {
            if name.trim().is_empty() {
                return Err(de::Error::custom("an author without a name"));
            }
            patterns.add(globset::Glob::new(name).map_err(de::Error::custom)?);
        }
        let patterns = patterns.build().map_err(de::Error::custom)?;
        Ok(Self { names, patterns })
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": SOURCES })
    }
}

impl JsonSchema for Accept {
    fn schema_name() -> Cow<'static, str> {
        "Accept".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<Source>();
        let signer = json_schema!({ "type": "string", "pattern": SIGNER_PATTERN });
        json_schema!({ "type": "array", "minItems": 1, "items": { "anyOf": [word, signer] } })
    }
}

impl JsonSchema for RequiredScanner {
    fn schema_name() -> Cow<'static, str> {
        "RequiredScanner".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": SCANNERS })
    }
}

/// What to do about known exploits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KnownExploited {
    /// They always block.
    Deny,
}

macro_rules! per_severity {
    ($(#[$doc:meta])* $name:ident of $value:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        #[allow(missing_docs)]
        pub(crate) struct $name {
            pub(crate) critical: Option<$value>,
            pub(crate) high: Option<$value>,
            pub(crate) medium: Option<$value>,
            pub(crate) low: Option<$value>,
            pub(crate) informational: Option<$value>,
            pub(crate) undefined: Option<$value>,
            pub(crate) untriaged: Option<$value>,
        }

        impl $name {
            pub(crate) fn get(&self, severity: &Severity) -> Option<$value> {
                match severity {
                    Severity::Critical => self.critical,
                    Severity::High => self.high,
                    Severity::Medium => self.medium,
                    Severity::Low => self.low,
                    Severity::Informational => self.informational,
                    Severity::Undefined => self.undefined,
                    Severity::Untriaged => self.untriaged,
                    Severity::Unknown(_) => None,
                }
            }
        }
    };
}

per_severity! {
    /// A number per severity.
    Limits of u32
}

per_severity! {
    /// A duration per severity.
    GracePeriods of Duration
}

impl Limits {
    pub(crate) const NONE: Self = Self {
        critical: None,
        high: None,
        medium: None,
        low: None,
        informational: None,
        undefined: None,
        untriaged: None,
    };

    pub(crate) fn set(&mut self, severity: &Severity, limit: u32) {
        let place = match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Informational => &mut self.informational,
            Severity::Undefined => &mut self.undefined,
            Severity::Untriaged => &mut self.untriaged,
            Severity::Unknown(_) => return,
        };
        *place = Some(limit);
    }
}

/// A CVSS score in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tenths(pub(crate) u16);

/// A probability in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millionths(pub(crate) u32);

impl<'de> Deserialize<'de> for Tenths {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let score = f64::deserialize(deserializer)?;
        if !(0.1..=10.0).contains(&score) {
            return Err(de::Error::custom("a CVSS score lies between 0.1 and 10"));
        }
        Ok(Self((score * 10.0).round() as u16))
    }
}

impl<'de> Deserialize<'de> for Millionths {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let probability = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(de::Error::custom("an EPSS probability lies between 0 and 1"));
        }
        Ok(Self((probability * 1e6).round() as u32))
    }
}

/// The word for a severity in a policy: `critical`.
pub(crate) fn word(severity: &Severity) -> String {
    severity.as_str().to_lowercase()
}
