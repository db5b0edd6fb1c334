//! Several policies as one: which of them match a question, what has to be collected to answer it, and which
//! environments there are.

mod load;
mod trust;

use std::collections::BTreeMap;
use std::fmt;

use model::{
    Ask, Digest, EnvironmentClass, ImageConfig, Platform, PolicyId, Scanner, SignedDuration, UnknownClass, Verdict,
};

use crate::document::{
    Action, AgeOf, Check, Compiled, EvidenceSource, EvidenceSources, Need, On, OnUnknown, Parameters, Platforms,
    Policy, Rego, Signer, Source, TextPattern, Vulnerabilities, compared_name,
};
use crate::error::DocumentError;
pub use load::{FileReader, FileUse};
pub use trust::{
    COMMAND_LINE_POLICY, KeySource, RootSource, SignedBy, SourceOf, StoreSigner, TrustSource, Wanted, WantedStatement,
    signed_by,
};

/// The policies in force.
#[derive(Debug, Clone)]
pub struct PolicySet {
    pub(crate) members: Vec<Member>,
    environments: BTreeMap<String, Declaration>,
}

/// A document as it is read for some environments: where parameters differ there are several of one document.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: PolicyId,
    /// Its position among the documents.
    pub(crate) document: usize,
    reading: Reading,
    pub(crate) policy: Policy,
    /// The values of parameters.
    pub(crate) parameters: Parameters,
    /// The Rego rules that were compiled, by their ids.
    pub(crate) programs: BTreeMap<String, Compiled>,
    images: Option<globset::GlobSet>,
}

/// Which environments a reading of a document is for.
#[derive(Debug, Clone)]
enum Reading {
    /// This one, which gives parameters values of its own.
    Only(String),
    /// All but these.
    AllBut(Vec<String>),
}

impl Reading {
    fn is_for(&self, environment: &str) -> bool {
        match self {
            Self::Only(name) => name == environment,
            Self::AllBut(names) => !names.iter().any(|name| name == environment),
        }
    }
}

/// An environment as the documents declare it.
#[derive(Debug, Clone, Copy)]
struct Declaration {
    class: EnvironmentClass,
    none_matched: Option<Action>,
}

/// An environment that no policy declares (S7): a usage error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentError {
    /// The name asked for.
    pub name: String,
    /// The names there are.
    pub declared: Vec<String>,
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment {:?} is not declared; declared: {}", self.name, self.declared.join(", "))
    }
}

impl std::error::Error for EnvironmentError {}

/// What a policy says where something that has to be asked for an answer cannot be reached, the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandIn {
    /// Nothing is let through.
    Refuse,
    /// What was decided on evidence of at most this age stands in (S5).
    LastKnownGood(SignedDuration),
    /// What was decided last stands in, as a warning.
    Warn,
}

/// What has to be collected for a question: no more than the matching rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent things to collect, each asked for by name
pub struct Needs {
    /// Platforms of an index that are judged; `None` is all of them.
    pub platforms: Option<Vec<Platform>>,
    /// The oldest vulnerability data that every rule accepts, for basic and for continuous scanning (S18).
    pub max_scan_age: (SignedDuration, SignedDuration),
    /// Some rule is about vulnerabilities.
    pub vulnerabilities: bool,
    /// Some rule accepts what the ECR API says.
    pub ecr: bool,
    /// Some rule cannot do without ECR: it names `ecr` in `sources.required`, or accepts nothing but the ECR API.
    pub ecr_required: bool,
    /// Some rule accepts scanners' reports that are attached to the image in its repository.
    pub registry_reports: bool,
    /// Some rule accepts anything at all that is attached to the image in its repository.
    pub attached: bool,
    /// Some rule is about the configuration, or about documents that may name the image by it.
    pub config: bool,
    /// Some rule looks into the layers.
    pub contents: bool,
    /// Some rule is about when the image was pushed.
    pub pushed: bool,
    /// Some rule is about the reference alone, for which nothing has to be collected.
    pub reference: bool,
    /// Some rule is about the bill of materials.
    pub sboms: bool,
    /// Some rule is about measurements.
    pub measurements: bool,
    /// Some rule believes VEX statements.
    pub vex: bool,
    /// The approved base images to look up, by the names that rules give them; sorted. More may follow from what the
    /// image says about itself: [`PolicySet::claimed_bases`].
    pub bases: Vec<String>,
    /// Some rule is about signatures or statements on the digest that is asked about.
    pub signed_root: bool,
    /// Some rule is about signatures or statements on the platforms of an index; for an image that is none, on itself.
    pub signed_platforms: bool,
    /// Images whose measurements this one's are compared with; sorted.
    pub baselines: Vec<Digest>,
}

/// S18: the defaults.
pub(crate) const BASIC_AGE: SignedDuration = SignedDuration::from_hours(8 * 24);
pub(crate) const CONTINUOUS_AGE: SignedDuration = SignedDuration::from_hours(24);

impl PolicySet {
    /// The text of the built-in policy: CRITICAL and HIGH block in every environment.
    pub const BUILT_IN: &str = include_str!("built_in.yaml");

    /// The policies, in the order given.
    pub fn ids(&self) -> Vec<&PolicyId> {
        self.documents().map(|member| &member.id).collect()
    }

    /// The built-in default policy.
    ///
    /// # Errors
    /// None in practice: the document is part of the program and tested.
    pub fn built_in() -> Result<Self, DocumentError> {
        Self::from_documents(&[("built-in".to_owned(), Self::BUILT_IN.to_owned())])
    }

    /// Each document once.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Member> {
        self.members.chunk_by(|one, other| one.document == other.document).filter_map(<[Member]>::first)
    }

    /// What it means in this environment that no policy is about an image (S3).
    pub(crate) fn none_matched(&self, environment: &str) -> Verdict {
        match self.environments.get(environment) {
            Some(Declaration { class: EnvironmentClass::NonProduction, none_matched }) => {
                none_matched.unwrap_or(Action::Warn).verdict()
            }
            Some(Declaration { class: EnvironmentClass::Production, .. }) | None => Verdict::Deny,
        }
    }

    /// The class of a declared environment.
    ///
    /// # Errors
    /// The environment is not declared.
    pub fn environment(&self, name: &str) -> Result<EnvironmentClass, EnvironmentError> {
        self.environments.get(name).map(|declared| declared.class).ok_or_else(|| EnvironmentError {
            name: name.to_owned(),
            declared: self.environments.keys().cloned().collect(),
        })
    }

    /// Whether an environment of production is declared: one where not knowing refuses.
    pub fn judges_production(&self) -> bool {
        self.environments.values().any(|declared| declared.class == EnvironmentClass::Production)
    }

    /// Every environment that a document declares, with its class.
    pub(crate) fn environment_names(&self) -> impl Iterator<Item = (&str, EnvironmentClass)> {
        self.environments.iter().map(|(name, declared)| (name.as_str(), declared.class))
    }

    /// The exception files that the policies list: position and name of the policy, path as written.
    pub fn exception_files(&self) -> Vec<(usize, &str, &str)> {
        let mut listed = Vec::new();
        for member in self.documents() {
            for path in member.policy.spec.exceptions.iter().flatten() {
                listed.push((member.document, member.id.name.as_str(), path.as_str()));
            }
        }
        listed
    }

    /// The policies that may be about this question, whatever the image's labels are; none, if the environment is not declared
    /// (S7).
    pub(crate) fn matching<'a>(&'a self, ask: &'a Ask) -> impl Iterator<Item = &'a Member> {
        let name = ask.name();
        let declared = self.environments.contains_key(&ask.environment);
        let reading = move |member: &&Member| declared && member.reading.is_for(&ask.environment);
        self.members
            .iter()
            .filter(reading)
            .filter(move |member| member.is_for_environment(&ask.environment) && member.is_for_image(ask, &name))
    }

    /// True if a policy may be about this question.
    pub fn is_about(&self, ask: &Ask) -> bool {
        self.matching(ask).next().is_some()
    }

    /// How this document is read in this environment.
    pub(crate) fn reading<'a>(&'a self, document: &'a Member, environment: &str) -> &'a Member {
        let mut readings = self.members.iter().filter(|member| member.document == document.document);
        readings.find(|member| member.reading.is_for(environment)).unwrap_or(document)
    }

    /// True if every policy that may be about this question judges this platform of an index: what only some of them looked at was not looked at by all
    /// that an answer speaks for.
    pub fn all_judge(&self, ask: &Ask, platform: &Platform) -> bool {
        let mut matching = self.matching(ask).peekable();
        let judges =
            |member: &Member| member.platforms().is_none_or(|named| named.iter().any(|name| name.covers(platform)));
        matching.peek().is_some() && matching.all(judges)
    }

    /// True if a policy that may be about this question lets a last known good fact stand in, whose age counts from when it was seen (S5).
    pub fn keeps_last_known_good(&self, ask: &Ask) -> bool {
        let maps = self.matching(ask).filter_map(|member| member.policy.spec.on_unknown.as_ref());
        maps.flat_map(|map| map.classes.values()).any(|rule| matches!(rule, OnUnknown::LastKnownGood(_)))
    }

    /// What the policies that may be about this question say where the gate cannot reach its store or a registry (`onUnknown`): the strictest of them
    /// counts.
    pub fn stand_in(&self, ask: &Ask, class: UnknownClass) -> StandIn {
        let says = |member: &Member| match &member.policy.spec.on_unknown {
            Some(map) => map.classes.get(&class).copied().unwrap_or(map.default),
            None => OnUnknown::Deny,
        };
        let each = self.matching(ask).map(|member| match says(member) {
            OnUnknown::Deny | OnUnknown::Pending => StandIn::Refuse,
            OnUnknown::LastKnownGood(age) => StandIn::LastKnownGood(age),
            OnUnknown::Warn => StandIn::Warn,
        });
        // Nobody spoke for it: no.
        each.min().unwrap_or(StandIn::Refuse)
    }

    /// S32: how long what runs may run on after its verdict turned, by the policies that may be about this question: the shortest counts, and where one of
    /// them says nothing, or there is none, it may not.
    pub fn grandfathering(&self, ask: &Ask) -> Option<SignedDuration> {
        let mut shortest = None;
        for member in self.matching(ask) {
            let lasts = member.policy.spec.grandfathering.map(|lasts| lasts.0)?;
            shortest = Some(shortest.map_or(lasts, |others: SignedDuration| others.min(lasts)));
        }
        shortest
    }

    /// Whether a rule looks at the tag in a reference: then one digest under two tags is two questions.
    pub fn looks_at_tags(&self) -> bool {
        let mut rules = self.members.iter().flat_map(|member| &member.policy.spec.rules);
        rules.any(|rule| match rule.check() {
            Ok(Check::Registries(rule)) => rule.looks_at_tags(),
            // What it looks at is not known.
            Ok(Check::Rego(_)) | Err(_) => true,
            Ok(_) => false,
        })
    }

    /// What has to be collected to answer this question.
    pub fn needs(&self, ask: &Ask) -> Needs {
        let mut needs = Needs {
            platforms: Some(Vec::new()),
            max_scan_age: (BASIC_AGE, CONTINUOUS_AGE),
            vulnerabilities: false,
            ecr: false,
            ecr_required: false,
            registry_reports: false,
            attached: false,
            config: false,
            contents: false,
            pushed: false,
            reference: false,
            sboms: false,
            measurements: false,
            vex: false,
            signed_root: false,
            signed_platforms: false,
            bases: Vec::new(),
            baselines: Vec::new(),
        };
        let mut ages = None;
        for member in self.matching(ask) {
            needs.config |= member.labels().is_some();
            match (member.platforms(), &mut needs.platforms) {
                (Some(named), Some(list)) => list.extend(named.iter().cloned()),
                _ => needs.platforms = None,
            }
            for rule in &member.policy.spec.rules {
                let (check, id) = (rule.check(), &rule.id);
                match check.as_ref().map_or(None, |check| check.on()) {
                    Some(On::Index) => needs.signed_root = true,
                    Some(On::Platforms) => needs.signed_platforms = true,
                    Some(On::All) => (needs.signed_root, needs.signed_platforms) = (true, true),
                    None => {}
                }
                match check {
                    Ok(Check::Vulnerabilities(rule)) => needs.for_vulnerabilities(member, rule, &mut ages),
                    Ok(Check::Sbom(rule)) => {
                        needs.sboms = true;
                        // It may name the image by its configuration.
                        needs.config = true;
                        needs.for_evidence(member, rule.from.as_ref());
                        needs.contents |= rule.needs_contents();
                    }
                    Ok(Check::Config(rule)) => {
                        needs.config = true;
                        needs.contents |= rule.needs_contents();
                    }
                    Ok(Check::Packages(_)) => needs.contents = true,
                    Ok(Check::BaseImage(rule)) => {
                        needs.config = true;
                        needs.bases.extend(rule.looked_up());
                    }
                    Ok(Check::Age(rule)) => match rule.since() {
                        AgeOf::Built => needs.config = true,
                        AgeOf::Pushed => needs.pushed = true,
                    },
                    Ok(Check::Registries(_)) => needs.reference = true,
                    Ok(Check::Measurements(rule)) => {
                        needs.measurements = true;
                        needs.for_evidence(member, rule.from.as_ref());
                        needs.baselines.extend(rule.baseline_digest().cloned());
                    }
                    Ok(Check::Rego(rule)) => needs.for_rego(member, id, rule, &mut ages),
                    // Signers speak about manifests, which is said above. What is no rule was refused when it was read.
                    Ok(Check::Signatures(_) | Check::Attestations(_) | Check::Provenance(_) | Check::Vsa(_))
                    | Err(_) => {}
                }
            }
        }
        needs.platforms = needs.platforms.filter(|list| !list.is_empty());
        needs.max_scan_age = ages.unwrap_or((BASIC_AGE, CONTINUOUS_AGE));
        needs.bases.sort_unstable();
        needs.bases.dedup();
        needs.baselines.sort_unstable();
        needs.baselines.dedup();
        needs
    }

    /// The base images that an image says it is built on, as far as a matching rule approves the name: looked up, they
    /// show whether that is true. Sorted.
    pub fn claimed_bases(&self, ask: &Ask, config: &ImageConfig) -> Vec<String> {
        let rules = self.matching(ask).flat_map(|member| &member.policy.spec.rules);
        let mut claimed: Vec<String> =
            rules.filter_map(|rule| rule.base_image.as_ref()).flat_map(|rule| rule.claimed(config)).collect();
        claimed.sort_unstable();
        claimed.dedup();
        claimed
    }
}

impl Needs {
    /// True if no rule asks for anything: then no policy is about the image.
    pub fn is_nothing(&self) -> bool {
        let signed = self.signed_root || self.signed_platforms;
        let said = self.attached || self.sboms || self.measurements || signed;
        !(self.vulnerabilities || self.config || self.contents || self.pushed || self.reference || said)
    }

    fn for_vulnerabilities(
        &mut self,
        member: &Member,
        rule: &Vulnerabilities,
        ages: &mut Option<(SignedDuration, SignedDuration)>,
    ) {
        let limit = rule.max_scan_age.map(|limit| limit.0);
        let (basic, continuous) = (limit.unwrap_or(BASIC_AGE), limit.unwrap_or(CONTINUOUS_AGE));
        *ages = Some(ages.map_or((basic, continuous), |ages| (ages.0.min(basic), ages.1.min(continuous))));
        let (ecr, file, registry) = (rule.opens(Source::Ecr), rule.opens(Source::File), rule.opens(Source::Registry));
        self.vulnerabilities = true;
        self.ecr |= ecr;
        let signed = !rule.report_signers().is_empty();
        self.ecr_required |=
            rule.required().any(|scanner| scanner == Scanner::Ecr) || (ecr && !file && !registry && !signed);
        self.registry_reports |= registry;
        self.vex |= rule.vex.is_some();
        self.config |= rule.vex.is_some();
        self.attached |= registry;
        self.signed_platforms |= signed || (registry && member.signer_names().next().is_some());
        self.for_evidence(member, rule.vex.as_ref().map(|vex| &vex.from));
    }

    fn for_rego(
        &mut self,
        member: &Member,
        id: &str,
        rule: &Rego,
        ages: &mut Option<(SignedDuration, SignedDuration)>,
    ) {
        let compiled = member.programs.get(id);
        self.pushed |= compiled.is_some_and(|compiled| compiled.words.contains("pushedAt"));
        for need in compiled.into_iter().flat_map(|compiled| &compiled.needs) {
            match need {
                Need::Scans => self.for_vulnerabilities(member, &rule.scans(), ages),
                Need::Config => self.config = true,
                Need::Layers => (self.config, self.contents) = (true, true),
                Need::Sboms => (self.sboms, self.attached, self.config) = (true, true, true),
                Need::Measurements => (self.measurements, self.attached) = (true, true),
                Need::Signatures => (self.signed_root, self.signed_platforms) = (true, true),
                Need::Vex => {
                    (self.vex, self.attached, self.config, self.signed_platforms) = (true, true, true, true);
                }
            }
        }
    }

    /// Evidence by signers is among what is signed. `registry` means what is attached, whoever signed it, as far as anybody
    /// could be told from anybody else.
    fn for_evidence(&mut self, member: &Member, from: Option<&EvidenceSources>) {
        let Some(from) = from else { return };
        let registry = from.opens(EvidenceSource::Registry);
        self.attached |= registry;
        self.signed_platforms |= !from.signers().is_empty() || (registry && member.signer_names().next().is_some());
    }
}

impl Member {
    /// True if `match.environments` leaves this one in.
    pub(crate) fn is_for_environment(&self, environment: &str) -> bool {
        let environments = self.policy.spec.matches.as_ref().and_then(|matches| matches.environments.as_ref());
        environments.is_none_or(|list| list.iter().any(|name| name == environment))
    }

    /// True if `match.images` leaves this one in; `name` is [`Ask::name`].
    pub(crate) fn is_for_image(&self, ask: &Ask, name: &str) -> bool {
        // Patterns name hosts; an image whose host is not known is judged by every policy that could mean it.
        let Some(compared) = compared_name(&ask.image) else { return true };
        self.images.as_ref().is_none_or(|images| images.is_match(name) || images.is_match(&compared))
    }

    /// The labels that the policy is for.
    pub(crate) fn labels(&self) -> Option<&BTreeMap<String, TextPattern>> {
        self.policy.spec.matches.as_ref().and_then(|matches| matches.labels.as_ref())
    }

    /// The signer that the policy gives this name.
    pub(crate) fn signer(&self, name: &str) -> Option<&Signer> {
        self.policy.spec.signers.as_ref().and_then(|signers| signers.get(name))
    }

    /// The names of all its signers.
    pub(crate) fn signer_names(&self) -> impl Iterator<Item = &str> {
        self.policy.spec.signers.iter().flat_map(|signers| signers.keys().map(String::as_str))
    }

    /// The platforms of an index it judges; `None` is all of them.
    pub(crate) fn platforms(&self) -> Option<&[Platform]> {
        match self.policy.spec.matches.as_ref().and_then(|matches| matches.platforms.as_ref()) {
            Some(Platforms::Named(named)) => Some(named),
            Some(Platforms::All) | None => None,
        }
    }
}

#[cfg(test)]
mod tests;
