//! `ecr-gate drift`: what runs in a cluster although it should not, or no longer (D7). What is not known is told as that, and is never "no drift".

mod ask;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use api::WhoAmI;
use engine::Reach;
use kubernetes::doctor::{Gate, GateUrl};
use kubernetes::{Cluster, ClusterError, Places, Pull, Running, running};
use model::{EcrHost, ImageReference};
use server::admission::{Environments, as_nodes_read};

use self::ask::{Answers, Verdict};
use self::report::{Finding, Kind, Report};
use super::kubernetes::{ClusterArgs, failure};
use super::serve::admission::AdmissionSetup;
use crate::commands::time_limit::time_limit;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::server::{Ask, Patience, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// Lists what runs in a cluster and is denied, was never decided about, comes from another registry, or by a tag that moved
///
/// Reads the pods of all namespaces and asks the decision service about each digest that runs: for a deny on record, and else what it would say now (as a trial,
/// which is recorded nowhere). A tag that is written without a digest is asked about too: it may stand for something else by now,
/// and with `imagePullPolicy: IfNotPresent` or `Never` a node runs whatever it has under that name. Volumes that are images are looked at too: no node says
/// which digest it took for one that is written by a tag, so that one is never known.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 no drift, 1 drift, 3 the account, the context or the token is wrong, 4 no drift as far as it is known, and something is not,
            5 cluster or service unreachable, 64 wrong usage. What waits for its first start is counted apart: nothing of it runs.

Examples:
  ecr-gate drift --server https://gate.example.com
  ecr-gate drift --context production-eu --namespace shop --namespace billing --output json")]
pub(crate) struct DriftArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Only this namespace; several times. Without it all
    #[arg(long, short, value_name = "NAME")]
    namespace: Vec<String>,
    /// The namespace that the gate is installed in: what runs there is its own
    #[arg(long, value_name = "NAME", default_value = "ecr-gate")]
    gate_namespace: String,
    /// The address of the gate, where webhooks ask it by URL and not by its Service; several times
    #[arg(long, value_name = "URL")]
    gate_url: Vec<GateUrl>,
    /// The configuration of `ecr-gate serve`: which namespace is which environment, and which registries are allowed. Without it what the webhooks
    /// of the cluster say, and `production`; and any registry
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The environment of every namespace
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: String,
    #[command(flatten)]
    service: ServerArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
}

/// What the configuration says.
struct Rules {
    environments: Environments,
    reach: Reach,
}

/// One image that runs for one environment under one name, once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    /// `host/repository`
    repository: String,
    digest: String,
    /// The tag it is written with: rules on names see it, as at admission.
    name: Option<String>,
    environment: String,
}

impl Subject {
    fn of(image: &ImageReference, digest: &str, environment: &str) -> Self {
        Self {
            repository: repository(image),
            digest: digest.to_owned(),
            name: image.tag.as_ref().map(ToString::to_string),
            environment: environment.to_owned(),
        }
    }

    /// As admission asks about it.
    fn image(&self) -> String {
        let Self { repository, digest, name, .. } = self;
        let name = name.as_ref().map_or_else(String::new, |name| format!(":{name}"));
        format!("{repository}{name}@{digest}")
    }
}

impl DriftArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        crate::env::check()?;
        let timeout = time_limit("--timeout", &self.timeout)?;
        if self.service.address().is_none() {
            return Err(Failure::usage("which decision service? Neither --server nor ECR_GATE_SERVER is given")
                .hint("verdicts come from the service that admission asks too"));
        }
        let rules = self.rules()?;
        let patience = Patience {
            call: Duration::from_secs(30).min(timeout),
            whole: timeout,
            away: Duration::from_secs(30).min(timeout),
        };
        let server = self.service.connect(patience)?;
        // A cluster in which nothing is to be asked about does not make up for a service that is not there, or does not know us.
        let known = server.send(&Ask::get("whoami")).await.and_then(|reply| reply.read::<WhoAmI>());
        known.map_err(|trouble| trouble.failure(&server))?;
        let cluster = self.cluster.connect().await?;
        let gate = Gate { namespace: self.gate_namespace.clone(), urls: self.gate_url.clone() };
        let places = match Places::fetch(&cluster, gate).await {
            Ok(places) => Ok(places),
            // Whoever may look into some namespaces alone says which.
            Err(error @ ClusterError::Forbidden(_)) if self.namespace.is_empty() => {
                return Err(failure(&error).hint(
                    "it lists namespaces and pods, and reads the validating webhook configurations; name the namespaces that may be looked into: --namespace NAME",
                ));
            }
            Err(error @ ClusterError::Forbidden(_)) => Err(error.to_string()),
            Err(error) => return Err(failure(&error)),
        };
        let mut report = Report::default();
        let found = self.running(&cluster, places.as_ref().ok(), &mut report).await?;
        report.volumes = found.iter().filter(|one| one.is_volume).count();
        report.containers = found.len() - report.volumes;
        let answers = Answers::new(server, ui);
        let mut environments: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut subjects: BTreeSet<Subject> = BTreeSet::new();
        let mut tags: BTreeSet<(String, String)> = BTreeSet::new();
        let mut volumes = Vec::new();
        for one in found.iter().filter(|one| one.namespace != self.gate_namespace) {
            if !environments.contains_key(&one.namespace) {
                let of = self.environments(&one.namespace, places.as_ref(), &rules, &mut report);
                environments.insert(one.namespace.clone(), of);
            }
            let (Ok(image), Some(of)) = (as_nodes_read(&one.image), environments.get(&one.namespace)) else { continue };
            for environment in of {
                if let Ok(digest) = &one.digest {
                    subjects.insert(Subject::of(&image, digest, environment));
                }
                if image.digest.is_none() && !one.is_waiting {
                    tags.insert((image.to_string(), environment.clone()));
                    volumes.extend(one.is_volume.then(|| (image.clone(), environment.clone())));
                }
            }
        }
        let asking = async {
            answers.learn_tags(tags).await?;
            for (image, environment) in volumes {
                if let Ok(now) = answers.stands_for(&image.to_string(), &environment) {
                    subjects.insert(Subject::of(&image, &now, &environment));
                }
            }
            answers.learn(subjects).await
        };
        let asked = tokio::time::timeout(timeout, asking).await;
        ui.clear();
        match asked {
            Ok(asked) => asked?,
            Err(_) => {
                return Err(Failure::new(Exit::Undecided, format!("there is no answer after {}", self.timeout))
                    .hint("give more time with --timeout, or look into some namespaces alone with --namespace"));
            }
        }
        for one in &found {
            let none = BTreeSet::new();
            let environments = environments.get(&one.namespace).unwrap_or(&none);
            self.judge(one, environments, &answers, &rules, &mut report);
        }
        report.images = answers.asked();
        report.settle(&self.gate_namespace);
        ui.data(&match self.output {
            ListFormat::Table => report.text(),
            ListFormat::Json => report.json(cluster.address())?,
        })?;
        Ok(report.exit())
    }

    fn rules(&self) -> Result<Rules, Failure> {
        let Some(path) = &self.config else {
            return Ok(Rules { environments: Environments::default(), reach: Reach::Anywhere });
        };
        let config = config::read(Some(path))?;
        let reach = config.registries.reach()?;
        let admission = config.admission.map(|one| AdmissionSetup::of(one, config.tls.as_ref())).transpose()?;
        let environments = admission.map_or_else(Environments::default, |one| one.settings.environments);
        Ok(Rules { environments, reach })
    }

    /// What runs in all namespaces, or in those that are wanted. One that cannot be listed is not known.
    async fn running(
        &self,
        cluster: &Cluster,
        places: Option<&Places>,
        report: &mut Report,
    ) -> Result<Vec<Running>, Failure> {
        let mut wanted: Vec<String> = self.namespace.clone();
        if wanted.is_empty() {
            match running(cluster, None).await {
                Ok(found) => return Ok(found),
                Err(ClusterError::Forbidden(_)) => {
                    wanted = places.map(|places| places.names().map(str::to_owned).collect()).unwrap_or_default();
                }
                Err(error) => return Err(failure(&error)),
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::new();
        for name in wanted {
            // Part of a path of the API server.
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                return Err(Failure::usage(format!("--namespace: {name:?} is no name of a namespace")));
            }
            // A list of the pods of a namespace that is not there is empty.
            let is_there = places.is_none_or(|places| places.names().any(|one| one == name));
            if !is_there {
                return Err(Failure::configuration(format!("there is no namespace {name}")));
            }
            match running(cluster, Some(&name)).await {
                Ok(containers) => found.extend(containers),
                Err(error @ ClusterError::Unreachable(_)) => return Err(failure(&error)),
                Err(error) => report.add(Finding::of_namespace(&name, logged(&error.to_string(), 500))),
            }
        }
        Ok(found)
    }

    /// For which environments a namespace is judged. Where that cannot be read it is judged by what the configuration says, and is not known.
    fn environments(
        &self,
        namespace: &str,
        places: Result<&Places, &String>,
        rules: &Rules,
        report: &mut Report,
    ) -> BTreeSet<String> {
        let by_name = || rules.environments.of(None, namespace).to_owned();
        if let Some(environment) = &self.environment {
            return BTreeSet::from([environment.clone()]);
        }
        let why = match places.map(|places| places.environments(namespace)) {
            Ok(Ok(found)) if !found.is_empty() => {
                return found.into_iter().map(|environment| environment.unwrap_or_else(by_name)).collect();
            }
            // What runs there is judged all the same.
            Ok(Ok(_)) => {
                report.not_asked.insert(namespace.to_owned());
                return BTreeSet::from([by_name()]);
            }
            Ok(Err(why)) => why,
            Err(why) => why.clone(),
        };
        let judged = by_name();
        let what = format!(
            "which environment it is cannot be read, and it is judged as {judged}; `--environment` says it: {}",
            logged(&why, 300)
        );
        report.add(Finding::of_namespace(namespace, what));
        BTreeSet::from([judged])
    }

    fn judge(
        &self,
        one: &Running,
        environments: &BTreeSet<String>,
        answers: &Answers,
        rules: &Rules,
        report: &mut Report,
    ) {
        let add = |report: &mut Report, kind: Kind, environment: Option<&str>, what: String| {
            report.add(Finding::new(kind, one, environment, logged(&what, 500)));
        };
        if one.namespace == self.gate_namespace {
            // What starts the gate cannot wait for the gate; who may write there is trusted with everything.
            report.not_judged.insert(one.image.clone());
            return;
        }
        let image = match as_nodes_read(&one.image) {
            Ok(image) => image,
            Err(why) => return add(report, Kind::Unknown, None, format!("the image cannot be read: {why}")),
        };
        let host = image.host.as_deref().unwrap_or("");
        if !rules.reach.allows(host) {
            add(report, Kind::Registry, None, format!("{host} is not in `registries.allowed`"));
        }
        match (one.pull, image.digest.is_none()) {
            (Pull::Cached, true) => {
                let what = "a node runs whatever it has under this tag (`imagePullPolicy`); write the digest behind it";
                add(report, Kind::PullPolicy, None, what.to_owned());
            }
            // The digest is right, whoever pulled it; but nobody asks the registry whether this pod may have it.
            (Pull::Cached, false) if host.parse::<EcrHost>().is_ok() => report.cached_private += 1,
            _ => {}
        }
        // Nothing of it runs, so there is nothing to judge or to compare a tag with.
        if one.is_waiting {
            report.not_started += 1;
            return;
        }
        for environment in environments {
            if one.is_volume && image.digest.is_none() {
                // What the tag stands for now says something about the volume, and is not what is in it.
                let now = answers.stands_for(&image.to_string(), environment);
                if let Ok(now) = &now
                    && let Verdict::Denied(why) = answers.verdict(&Subject::of(&image, now, environment))
                {
                    add(report, Kind::Denied, Some(environment), format!("what its tag stands for now: {why}"));
                }
                let now = now.map_or_else(
                    |why| format!("what its tag stands for now: {why}"),
                    |now| format!("its tag stands for {now} now"),
                );
                add(report, Kind::Unknown, Some(environment), format!("no node says which digest a volume has; {now}"));
                continue;
            }
            match &one.digest {
                Err(why) => add(report, Kind::Unknown, Some(environment), (*why).to_owned()),
                Ok(digest) => match answers.verdict(&Subject::of(&image, digest, environment)) {
                    Verdict::Allowed => {}
                    Verdict::Denied(why) => add(report, Kind::Denied, Some(environment), why),
                    Verdict::None(why) => add(report, Kind::Undecided, Some(environment), why),
                    Verdict::Unknown(why) => add(report, Kind::Unknown, Some(environment), why),
                },
            }
            if image.digest.is_some() {
                continue;
            }
            match (answers.stands_for(&image.to_string(), environment), &one.digest) {
                (Ok(now), Ok(runs)) if now != *runs => {
                    add(report, Kind::Tag, Some(environment), format!("the tag stands for {now} now, and {runs} runs"));
                }
                (Ok(_), _) => {}
                (Err(why), _) => {
                    add(report, Kind::Unknown, Some(environment), format!("what the tag stands for now: {why}"));
                }
            }
        }
    }
}

fn repository(image: &ImageReference) -> String {
    let ImageReference { host, repository, .. } = image;
    host.as_ref().map_or_else(|| repository.to_string(), |host| format!("{host}/{repository}"))
}
