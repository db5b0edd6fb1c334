//! `ecr-gate kubernetes simulate`: what admission would say of every object of a manifest, without a cluster. The review, the images in it and the words of
//! the answer are those of the webhook; the decisions are those of `check`, made here or asked for.

mod judge;
mod manifest;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use engine::Reach;
use model::{Digest, ImageReference};
use serde_json::Value;
use serde_json::value::to_raw_value;
use server::admission::{
    AdmissionSettings, Environments, GroupKind, ImageUse, Images, Kinds, Outcome, Review, Tags, images, not_understood,
    parse, respond, review_of, seems_to_hold_containers,
};

use self::judge::{Answer, Judge};
use self::manifest::Found;
use self::report::{Entry, Report, State};
use crate::commands::serve::admission::AdmissionSetup;
use crate::commands::time_limit::time_limit;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::registry::RegistryArgs;
use crate::server::{Patience, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// How deep containers are looked for in kinds that nobody asks about.
const DEPTH: usize = 30;

/// Says what admission would say of the objects of a manifest, without a cluster
///
/// Each object is looked at as the validating webhook does where it is made: the same images are found in it, each is decided about (by the policies given
/// here, as `check` does, or with `--server` by the decision service, as a trial that leaves no record), and a denial has the same words. What no webhook is
/// registered for is listed as not asked about. An object that cannot be understood is denied, never passed over.
///
/// Not known here, because it depends on the cluster: what may go on running because it ran before, and overrides for one workload.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 all would be admitted, else the worst of the objects: 1 denied, 2 scanner without a result, 3 access or configuration,
            4 not decided yet, 5 service or registry unreachable; 64 wrong usage.

Examples:
  ecr-gate kubernetes simulate -f manifest.yaml
  helm template . | ecr-gate kubernetes simulate -f - --namespace shop --config serve.yaml --policy gate.yaml
  kubectl kustomize . | ecr-gate kubernetes simulate -f - --server https://gate.example.com --output json")]
pub(crate) struct SimulateArgs {
    /// A manifest: YAML (several documents too), JSON, or a list; `-` is stdin; several times
    #[arg(long, short, value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,
    /// The namespace of objects that name none
    #[arg(long, short, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// The configuration of `ecr-gate serve`: its `admission` says which namespace is which environment and which kinds are known, its
    /// `registries.allowed` which registries are asked. Without it: `production`, the kinds of Kubernetes, and any registry
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The environment of every object, whatever its namespace: as a webhook that goes by a label of namespaces says it
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A policy file; may be given several times. Without one, CRITICAL and HIGH block [env: ECR_GATE_POLICY]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    timeout: String,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    service: ServerArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
}

/// What stands for the cluster.
struct Cluster {
    settings: AdmissionSettings,
    reach: Reach,
    environment: Option<String>,
    namespace: String,
}

/// An object that a webhook would be asked about.
struct Asked<'a> {
    review: &'a Review<'a>,
    environment: String,
    uses: Vec<ImageUse>,
}

impl SimulateArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        crate::env::check()?;
        let cluster = self.cluster()?;
        let timeout = time_limit("--timeout", &self.timeout)?;
        let judge = match self.service.address() {
            Some(_) if !self.policy.is_empty() => {
                return Err(Failure::usage("--policy means nothing to the decision service, which judges by what it has itself")
                    .hint("policies go to the service with `ecr-gate policy push`; leave --server and ECR_GATE_SERVER away to judge here"));
            }
            Some(_) => {
                let patience = Patience { call: Duration::from_secs(30).min(timeout), whole: timeout, away: timeout };
                Judge::service(self.service.connect(patience)?)
            }
            None => Judge::here(&self.policy, &self.registry, &self.timeout),
        };
        let objects = manifest::read(&self.filename)?;
        if objects.is_empty() {
            return Err(Failure::configuration("the manifest holds no object")
                .hint("what wrote it may have failed: an empty manifest is no admission"));
        }
        let mut entries = Vec::new();
        let judging = async {
            for found in objects {
                entries.push(cluster.entry(found, &judge, ui).await?);
            }
            Ok::<(), Failure>(())
        };
        match tokio::time::timeout(timeout, judging).await {
            Ok(judged) => judged?,
            Err(_) => {
                return Err(Failure::new(Exit::Undecided, format!("there is no answer after {}", self.timeout))
                    .hint("nothing was admitted; give more time with --timeout"));
            }
        }
        let report = Report::new(entries);
        ui.data(&match self.output {
            ListFormat::Table => report.text(),
            ListFormat::Json => report.json()?,
        })?;
        Ok(report.exit())
    }

    fn cluster(&self) -> Result<Cluster, Failure> {
        let common = (self.environment.clone(), self.namespace.clone());
        let Some(path) = &self.config else {
            let settings = AdmissionSettings {
                cluster: "-".to_owned(),
                environments: Environments::default(),
                tags: Tags::Pods,
                own: None,
                kinds: Kinds::default(),
                break_glass: None,
                controllers: Vec::new(),
                certificates_only: false,
                concurrency: 1,
            };
            return Ok(Cluster { settings, reach: Reach::Anywhere, environment: common.0, namespace: common.1 });
        };
        let config = config::read(Some(path))?;
        let Some(admission) = config.admission else {
            return Err(Failure::configuration(format!("{} has no `admission`", path.display()))
                .hint("give the configuration that the gate of the cluster is started with: with the chart, `serve.yaml` of its ConfigMap"));
        };
        let settings = AdmissionSetup::of(admission, config.tls.as_ref())?.settings;
        let reach = config.registries.reach()?;
        Ok(Cluster { settings, reach, environment: common.0, namespace: common.1 })
    }
}

impl Cluster {
    /// What would be said of one object.
    async fn entry(&self, found: Found, judge: &Judge<'_>, ui: Ui) -> Result<Entry, Failure> {
        let Found { place, object } = found;
        let object = match object {
            Ok(object) => object,
            Err(why) => return Ok(Entry::refused(place, "?", "", None, &not_understood(&why))),
        };
        let name = named(&object);
        let (Some(kind), true) = (group_kind(&object), object.is_object()) else {
            return Ok(Entry::refused(place, &name, "", None, &not_understood("the object has no apiVersion or kind")));
        };
        let namespace = match object.pointer("/metadata/namespace") {
            None | Some(Value::Null) => self.namespace.clone(),
            Some(Value::String(text)) if text.is_empty() => self.namespace.clone(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => {
                let why = "metadata.namespace is no text";
                return Ok(Entry::refused(place, &name, "", None, &not_understood(why)));
            }
        };
        if let Some(why) = self.not_asked(&kind, &namespace, &object) {
            return Ok(Entry::not_asked(place, &name, &why));
        }
        let environment = self.settings.environments.of(self.environment.as_deref(), &namespace).to_owned();
        let raw = to_raw_value(&object)
            .map_err(|error| Failure::internal(format!("an object cannot be written as JSON: {error}")))?;
        let bytes = review_of("simulated", &kind, &namespace, &raw);
        let review = match parse(&bytes) {
            Ok(review) => review,
            Err(error) => {
                let refusal = not_understood(&error.what);
                return Ok(Entry::refused(place, &name, &namespace, Some(environment), &refusal));
            }
        };
        let uses = match images(&review, &self.settings.kinds) {
            Ok(Images::Some(uses)) => uses,
            Ok(Images::None(why)) => return Ok(Entry::not_asked(place, &name, why)),
            Err(unread) => {
                let refusal = not_understood(&unread.to_string());
                return Ok(Entry::refused(place, &name, &namespace, Some(environment), &refusal));
            }
        };
        let asked = Asked { review: &review, environment, uses };
        let (outcome, exit) = self.outcome(&asked, judge, ui).await?;
        let state = if outcome.refusals.is_empty() { State::Allowed } else { State::Denied };
        let response = respond(&review, &outcome);
        Entry::answered(place, &name, &namespace, asked.environment, state, exit, &response)
    }

    /// Why no webhook is asked about an object: as the rules of the chart say it.
    fn not_asked(&self, kind: &GroupKind, namespace: &str, object: &Value) -> Option<String> {
        if !self.settings.kinds.know(kind) {
            return Some(if seems_to_hold_containers(object, DEPTH) {
                "no webhook is registered for its kind; if it makes pods, those are asked about when they start (`admission.kinds` asks earlier)".to_owned()
            } else {
                "no webhook is registered for its kind".to_owned()
            });
        }
        let own = self.settings.own.as_ref().is_some_and(|own| own.namespace == namespace);
        own.then(|| "it is in the gate's own namespace, which no webhook is registered for".to_owned())
    }

    async fn outcome(&self, asked: &Asked<'_>, judge: &Judge<'_>, ui: Ui) -> Result<(Outcome, Exit), Failure> {
        let Asked { review, environment, uses } = asked;
        let mut outcome = Outcome { images: uses.len(), ..Outcome::default() };
        let mut worst = Exit::Allowed;
        let wanted = |image: &&ImageUse| self.settings.settled_as_written(review, image, environment).is_none();
        let mut images: Vec<String> = uses.iter().filter(wanted).map(|image| image.reference.to_string()).collect();
        judge.learn(&images, environment, &self.reach, ui).await?;
        // Mutation writes the digest beside the tag, and that is what validation sees.
        let fixes = self.settings.fixes(review);
        let validated = |image: &ImageUse| {
            let digest = (fixes && image.reference.digest.is_none())
                .then(|| judge.answer(&image.reference.to_string(), environment)?.digest())
                .flatten();
            let ImageReference { digest: written, .. } = &image.reference;
            ImageReference { digest: digest.or_else(|| written.clone()), ..image.reference.clone() }.to_string()
        };
        images = uses.iter().filter(wanted).map(validated).collect();
        judge.learn(&images, environment, &self.reach, ui).await?;
        for image in uses {
            let exit = match self.settings.settled_as_written(review, image, environment) {
                Some(Ok(())) => Exit::Allowed,
                Some(Err(refusal)) => {
                    outcome.refusals.push(refusal);
                    Exit::Blocked
                }
                None => match judge.answer(&validated(image), environment) {
                    Some(answer) => answer.add(image, environment, &mut outcome),
                    None => return Err(Failure::internal("an image was not asked about")),
                },
            };
            worst = judge::worse(worst, exit);
        }
        Ok((outcome, worst))
    }
}

impl Answer {
    /// The digest that was judged.
    fn digest(&self) -> Option<Digest> {
        match self {
            Self::Decided { record, .. } => record.image.digest.as_deref()?.parse().ok(),
            Self::Undecided(_) => None,
        }
    }

    /// Adds what it says about an image, and says the exit code that follows.
    fn add(&self, image: &ImageUse, environment: &str, outcome: &mut Outcome) -> Exit {
        match self {
            Self::Decided { record, overridden } => {
                outcome.decided(image, (**record).clone(), *overridden);
                if *overridden { Exit::Allowed } else { Exit::of_number(Exit::of_record(record, 0)) }
            }
            Self::Undecided(error) => {
                outcome.undecided(image, environment, error);
                judge::exit_of(error)
            }
        }
    }
}

fn group_kind(object: &Value) -> Option<GroupKind> {
    let version = object.get("apiVersion")?.as_str().filter(|text| !text.is_empty())?;
    let kind = object.get("kind")?.as_str().filter(|text| !text.is_empty())?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(GroupKind { group: group.to_owned(), kind: kind.to_owned() })
}

/// `Deployment/web`, as far as it says so.
fn named(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or("?");
    format!("{}/{name}", text("/kind").unwrap_or("?"))
}
