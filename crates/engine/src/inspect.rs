//! Everything that is known about an image on one page: each signal with its state, source and age, and what is missing.
//! Nothing is judged and nothing is started.

use model::{
    Ask, Contents, Digest, Entrypoint, EnvironmentClass, Facts, FactsDocument, ImageConfig, ManifestFacts, Observed,
    Origin, Platform, Reason, Scanner, Secret, SeverityCounts, Signal, SignedDuration, Timestamp,
};
use policy::{Exceptions, Needs, PolicySet};

use crate::attached::{Attached, AttachedKind};
use crate::check::{Found, Question, Refused, look};
use crate::collect::Progress;
use crate::verify::{self, FoundArtifact};

/// Everything that is known about an image, and the page about it for people.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Which image, for which environment.
    pub ask: Ask,
    /// What the environment is for.
    pub class: EnvironmentClass,
    /// What is known.
    pub facts: Facts,
    /// The image as the caller named it.
    pub reference: String,
    /// Its digest; `None` for an archive of `docker save`.
    pub digest: Option<Digest>,
    /// When it was looked at.
    pub at: Timestamp,
    /// The image, or each platform of an index.
    pub manifests: Vec<InspectedManifest>,
    /// Signatures and signed statements: who signed what as far as Sigstore's public root can tell; keys and other roots
    /// are named to `ecr-gate verify`.
    pub signed: Vec<FoundArtifact>,
    /// HTTP requests to the registry.
    pub registry_requests: u64,
    /// What a policy could ask for and nothing says.
    pub missing: Vec<String>,
}

/// One manifest.
#[derive(Debug, Clone)]
pub struct InspectedManifest {
    /// For an index: its platform.
    pub platform: Option<Platform>,
    /// Its digest.
    pub digest: Digest,
    /// Each signal.
    pub signals: Vec<InspectedSignal>,
    /// What its configuration says.
    pub config: Option<ConfigSummary>,
    /// What is attached to it.
    pub attached: Vec<InspectedAttachment>,
}

/// One signal: what it is, whether it is there, from where and how old.
#[derive(Debug, Clone)]
pub struct InspectedSignal {
    /// `scan by ecr`, `configuration`, `bill of materials`.
    pub name: String,
    /// `present`, `absent`, `pending`, `unsupported`, `failed`, `unavailable`, `unproven`, `not asked`.
    pub state: &'static str,
    /// Where it came from.
    pub source: Option<Origin>,
    /// Age of what it is based on: vulnerability data, document.
    pub age_seconds: Option<i64>,
    /// What it says in a few words, or why it is not there.
    pub detail: String,
    /// For a scan: findings per severity.
    pub counts: Option<SeverityCounts>,
}

/// What a configuration says, as far as people look for it.
#[derive(Debug, Clone)]
pub struct ConfigSummary {
    /// The image id.
    pub id: Digest,
    /// Platform.
    pub platform: Platform,
    /// When it was built.
    pub created: Option<Timestamp>,
    /// `User`; empty is root.
    pub user: String,
    /// Entrypoint and command together.
    pub runs: Vec<String>,
    /// Exposed ports.
    pub ports: Vec<String>,
    /// Layers.
    pub layers: usize,
    /// Compressed size.
    pub size_bytes: u64,
    /// The base image, if it is named.
    pub base: Option<model::BaseImage>,
    /// What looks like a secret.
    pub secrets: Vec<Secret>,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// One attached artifact.
#[derive(Debug, Clone)]
pub struct InspectedAttachment {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Its artifact type.
    pub artifact_type: String,
    /// What it is.
    pub kind: AttachedKind,
    /// Why it cannot be read.
    pub error: Option<String>,
}

impl Inspection {
    /// Everything that is known, as the document that policies are tested and replayed with.
    pub fn document(&self) -> FactsDocument<'_> {
        FactsDocument::new(&self.ask, self.class, &self.facts, self.at, None)
    }
}

/// Looks at an image. `layers` reads the layers too. What the policies name is looked for as well: base images, images to
/// compare measurements with, signatures in other repositories.
///
/// # Errors
/// There is no such image, or it cannot be looked for.
pub async fn inspect(
    question: &Question<'_>,
    policies: &PolicySet,
    reference: String,
    layers: bool,
    progress: &dyn Progress,
) -> Result<Inspection, Refused> {
    let asked = question.needs(policies);
    let layers = layers || asked.contents;
    let needs = Needs {
        platforms: None,
        max_scan_age: (SignedDuration::from_hours(24 * 365), SignedDuration::from_hours(24 * 365)),
        vulnerabilities: true,
        ecr: true,
        ecr_required: true,
        registry_reports: true,
        attached: true,
        config: true,
        contents: layers,
        pushed: true,
        reference: false,
        sboms: true,
        measurements: true,
        vex: true,
        bases: asked.bases,
        baselines: asked.baselines,
        signed_root: true,
        signed_platforms: true,
    };
    let class = policies.environment(&question.environment).unwrap_or(EnvironmentClass::Production);
    let found = Box::pin(look(question, policies, &Exceptions::none(), Some(needs), progress)).await?;
    Ok(page(found, class, reference, (question.now)(), layers))
}

fn page(found: Found, class: EnvironmentClass, reference: String, at: Timestamp, layers: bool) -> Inspection {
    let Found { ask, facts, by_image_id, attached, unlisted, requests, .. } = found;
    let signed = verify::found(&facts);
    let asked = &facts.root.digest;
    let manifests: Vec<(Option<&Platform>, &ManifestFacts)> = match &facts.platforms {
        None => vec![(None, &facts.root)],
        Some(children) => children.iter().map(|(platform, child)| (Some(platform), child)).collect(),
    };
    let mut pages = Vec::new();
    for (platform, manifest) in manifests {
        let mine: Vec<&Attached> =
            attached.iter().filter(|(about, _)| *about == manifest.digest).flat_map(|(_, list)| list).collect();
        let mut signals = scans(manifest, at);
        signals.push(signal("configuration", &manifest.config, at, |config| (config.created, configuration(config))));
        if layers {
            signals.push(signal("layers", &manifest.contents, at, |contents| (None, content(contents))));
        }
        signals.push(documents("bill of materials", &manifest.sboms, at, |sbom| {
            (sbom.created, format!("{} {} with {} components", sbom.format, sbom.version, sbom.components.len()))
        }));
        signals.push(documents("measurement", &manifest.measurements, at, |measurement| {
            (Some(measurement.at), format!("{} in {} samples", measurement.metric, measurement.samples.len()))
        }));
        signals.push(listed("VEX", facts.vex.iter().map(|document| (document, document.value.author.clone())), at));
        signals.push(signatures(&signed, &manifest.digest, asked, at, &manifest.signed));
        if let Some((_, reason)) = unlisted.iter().find(|(about, _)| *about == manifest.digest) {
            signals.push(missing_signal("attached artifacts", "unavailable", reason));
        }
        let config = match &manifest.config {
            Signal::Present(config) => Some(summary(&config.value)),
            _ => None,
        };
        let attached = mine.into_iter().map(attachment).collect();
        pages.push(InspectedManifest {
            platform: platform.cloned(),
            digest: manifest.digest.clone(),
            signals,
            config,
            attached,
        });
    }
    let missing = missing(&pages);
    let digest = (!by_image_id).then(|| ask.digest.clone());
    Inspection {
        reference,
        digest,
        at,
        manifests: pages,
        signed,
        registry_requests: requests,
        missing,
        ask,
        class,
        facts,
    }
}

/// One line for what is signed on a manifest, or on the index it belongs to.
fn signatures(
    found: &[FoundArtifact],
    digest: &Digest,
    root: &Digest,
    at: Timestamp,
    state: &model::SignedArtifacts,
) -> InspectedSignal {
    if !matches!(state, Signal::Present(_)) {
        return signal("signatures", state, at, |_| (None, String::new()));
    }
    let mine: Vec<&FoundArtifact> = found.iter().filter(|one| one.subject == *digest || one.subject == *root).collect();
    let verified = mine.iter().filter(|one| one.verified).count();
    let (state, detail) = match (mine.len(), verified) {
        (0, _) => ("absent", "nothing signed is attached".to_owned()),
        (all, 0) => ("unproven", format!("{all} attached; none verifies without the signers' keys: `ecr-gate verify`")),
        (all, some) => ("present", format!("{all} attached, {some} authentic")),
    };
    InspectedSignal { name: "signatures".to_owned(), state, source: None, age_seconds: None, detail, counts: None }
}

fn missing(pages: &[InspectedManifest]) -> Vec<String> {
    let mut missing = Vec::new();
    for page in pages {
        let about = page.platform.as_ref().map_or_else(String::new, |platform| format!("{platform}: "));
        if !page.signals.iter().any(|signal| signal.name.starts_with("scan by") && signal.state == "present") {
            missing.push(format!("{about}a complete scan: give a scanner's report with --report, or let ECR scan"));
        }
        let gone =
            page.signals.iter().filter(|signal| signal.state != "present" && !signal.name.starts_with("scan by"));
        missing.extend(gone.map(|signal| format!("{about}{}: {}", signal.name, signal.detail)));
    }
    missing
}

fn scans(facts: &ManifestFacts, at: Timestamp) -> Vec<InspectedSignal> {
    let mut list: Vec<InspectedSignal> = facts
        .reports
        .iter()
        .map(|report| {
            let who = report.tool.clone().unwrap_or_else(|| report.scanner.to_string());
            let name = format!("scan by {who}");
            let mut line = signal(&name, &report.scan, at, |scan| {
                let total: u64 = scan.counts().values().sum();
                let plural = if total == 1 { "" } else { "s" };
                (Some(scan.database_at()), format!("complete, {total} finding{plural}"))
            });
            if let Signal::Present(observed) = &report.scan {
                line.counts = Some(observed.value.counts());
            } else {
                line.source = Some(report.origin.clone());
                if !report.unproven.is_empty() {
                    line.state = "unproven";
                    line.detail = format!("{} findings, but {}", report.unproven.len(), line.detail);
                }
            }
            line
        })
        .collect();
    if !facts.reports.iter().any(|report| report.scanner != Scanner::Unknown) {
        list.push(InspectedSignal {
            name: "scan".to_owned(),
            state: "absent",
            source: None,
            age_seconds: None,
            detail: "no scanner's report is known".to_owned(),
            counts: None,
        });
    }
    list
}

fn signal<T>(
    name: &str,
    signal: &Signal<T>,
    at: Timestamp,
    says: impl Fn(&T) -> (Option<Timestamp>, String),
) -> InspectedSignal {
    let (state, why) = match signal {
        Signal::Present(observed) => {
            let (dated, detail) = says(&observed.value);
            return InspectedSignal {
                name: name.to_owned(),
                state: "present",
                source: Some(observed.origin.clone()),
                age_seconds: dated.map(|dated| at.duration_since(dated).as_secs()),
                detail,
                counts: None,
            };
        }
        Signal::Absent(why) => ("absent", why),
        Signal::Pending(why) => ("pending", why),
        Signal::Unsupported(why) => ("unsupported", why),
        Signal::Failed(why) => ("failed", why),
        Signal::Unavailable { why, .. } => ("unavailable", why),
        Signal::NotCollected(why) => ("not asked", why),
    };
    missing_signal(name, state, why)
}

fn missing_signal(name: &str, state: &'static str, why: &Reason) -> InspectedSignal {
    let detail = why.message.clone();
    InspectedSignal { name: name.to_owned(), state, source: None, age_seconds: None, detail, counts: None }
}

fn documents<T>(
    name: &str,
    list: &Signal<Vec<Observed<T>>>,
    at: Timestamp,
    says: impl Fn(&T) -> (Option<Timestamp>, String),
) -> InspectedSignal {
    let Signal::Present(observed) = list else { return signal(name, list, at, |_| (None, String::new())) };
    let dated = |document: &Observed<T>| says(&document.value).0;
    let mut line = listed(name, observed.value.iter().map(|document| (document, says(&document.value).1)), at);
    let newest = observed.value.iter().filter_map(dated).max();
    line.age_seconds = newest.map(|newest| at.duration_since(newest).as_secs());
    line
}

/// One line for all documents of a kind.
fn listed<'a, T: 'a>(
    name: &str,
    list: impl Iterator<Item = (&'a Observed<T>, String)>,
    _at: Timestamp,
) -> InspectedSignal {
    let list: Vec<_> = list.collect();
    InspectedSignal {
        name: name.to_owned(),
        state: if list.is_empty() { "absent" } else { "present" },
        source: list.first().map(|(document, _)| document.origin.clone()),
        age_seconds: None,
        detail: match list.as_slice() {
            [] => "none attached and none given".to_owned(),
            list => list.iter().map(|(_, detail)| detail.as_str()).collect::<Vec<_>>().join("; "),
        },
        counts: None,
    }
}

fn configuration(config: &ImageConfig) -> String {
    let user = if config.user.is_empty() { "root" } else { &config.user };
    format!("{}, runs as {user}, {} layers", config.platform, config.layers.len())
}

fn content(contents: &Contents) -> String {
    let os = contents.os.as_ref().map_or_else(|| "no os-release".to_owned(), |os| format!("{} {}", os.id, os.version));
    let entrypoint = match &contents.entrypoint {
        Entrypoint::Resolved(path) => format!("runs {path}"),
        Entrypoint::NotSet => "no entrypoint".to_owned(),
        Entrypoint::Missing(path) => format!("{path} is missing"),
        Entrypoint::NotExecutable(path) => format!("{path} is not executable"),
        Entrypoint::WrongArchitecture(what) => format!("wrong architecture: {what}"),
        Entrypoint::InterpreterMissing(path) => format!("interpreter missing: {path}"),
        Entrypoint::NotDecidable(why) => format!("entrypoint not decidable: {why}"),
    };
    let unreadable = if contents.unreadable.is_empty() {
        String::new()
    } else {
        format!(", not readable: {}", contents.unreadable.join(", "))
    };
    format!("{os}, {} packages, {entrypoint}{unreadable}", contents.packages.len())
}

fn summary(config: &ImageConfig) -> ConfigSummary {
    ConfigSummary {
        id: config.id.clone(),
        platform: config.platform.clone(),
        created: config.created,
        user: config.user.clone(),
        runs: config.entrypoint.iter().chain(&config.command).cloned().collect(),
        ports: config.ports.clone(),
        layers: config.layers.len(),
        size_bytes: config.size_bytes(),
        base: config.base.clone(),
        secrets: config.secrets.clone(),
        labels: config.labels.clone(),
    }
}

fn attachment(one: &Attached) -> InspectedAttachment {
    InspectedAttachment {
        digest: one.descriptor.digest.clone(),
        artifact_type: one.artifact_type.clone(),
        kind: one.kind,
        error: one.content.as_ref().err().map(|reason| reason.message.clone()),
    }
}
