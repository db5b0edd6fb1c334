//! What every command that judges an image is asked: which image, by which policies, for which environment, with what handed over,
//! and how long it may take. Everything that can be wrong usage is found here, before anything is asked.

use std::path::PathBuf;
use std::time::Duration;

use engine::{Checked, HandedOver, Pace, Place, Question, Refused, RegistryAccess, Trust};
use model::{EnvironmentClass, ImageReference, Tag};
use policy::{Exceptions, FailOn, PolicySet};

use super::time_limit::time_limit;
use crate::clock::now;
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::handed::HandedArgs;
use crate::policies;
use crate::progress::Teller;
use crate::registry::RegistryArgs;
use crate::target::{Image, ImageArgs};
use crate::trust;
use crate::ui::Ui;

/// ECR throttles lookups that are closer (A2).
const FLOOR: Duration = Duration::from_secs(10);

/// The question on the command line.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own
pub(crate) struct AskArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Give up after this long [default: 10m] [env: ECR_GATE_TIMEOUT]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Give up one call to AWS after this long, and ask again [default: 30s] [env: ECR_GATE_CALL_TIMEOUT]
    #[arg(long, value_name = "DURATION")]
    call_timeout: Option<String>,
    /// Look at a scan that is not done this often, at least 10s against ECR itself [default: 15s] [env: ECR_GATE_POLL_INTERVAL]
    #[arg(long, value_name = "DURATION")]
    poll_interval: Option<String>,
    /// The environment the image is for, declared by the policy [default: production] [env: ECR_GATE_ENVIRONMENT]
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// A policy file; may be given several times. Without one, CRITICAL and HIGH block [env: ECR_GATE_POLICY]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Severities of which no finding is allowed, such as `CRITICAL,HIGH` [env: FAIL_ON_SEVERITY]
    ///
    /// Shapes the built-in policy; together with a policy file it may only tighten.
    #[arg(long, value_name = "LIST")]
    fail_on: Option<String>,
    #[command(flatten)]
    pub(crate) handed: HandedArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Start a scan when there is none, or when it is too old (default)
    #[arg(long, overrides_with = "no_start_scan")]
    start_scan: bool,
    /// Never start a scan [env: ECR_GATE_START_SCAN=false]
    #[arg(long)]
    no_start_scan: bool,
    /// Tell each step on stderr, also where it is not a terminal
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// The question, read and checked.
pub(crate) struct Asking {
    pub(crate) image: Image,
    /// The tag beside its digest, if that is a name alone.
    name: Option<Tag>,
    pub(crate) place: Place,
    pub(crate) pace: Pace,
    pub(crate) environment: String,
    pub(crate) policies: PolicySet,
    pub(crate) exceptions: Exceptions,
    pub(crate) handed: HandedOver,
    pub(crate) access: RegistryAccess,
    pub(crate) trust: Trust,
    start_scan: bool,
}

impl AskArgs {
    /// The question about an image that a command found elsewhere: in a manifest.
    pub(crate) fn about(image: &str, environment: &str, policy: &[PathBuf], registry: &RegistryArgs) -> Self {
        Self {
            image: ImageArgs { image: Some(image.to_owned()), ..ImageArgs::none() },
            timeout: None,
            call_timeout: None,
            poll_interval: None,
            environment: Some(environment.to_owned()),
            policy: policy.to_vec(),
            fail_on: None,
            handed: HandedArgs::none(),
            registry: registry.clone(),
            start_scan: false,
            no_start_scan: true,
            verbose: false,
        }
    }

    /// The same, with a bound of its own.
    pub(crate) fn within(mut self, timeout: &str) -> Self {
        self.timeout = Some(timeout.to_owned());
        self
    }

    pub(crate) fn read(&self, ui: Ui) -> Result<Asking, Failure> {
        env::check()?;
        let image = self.image.resolve()?;
        let whereabouts = image.place(self.handed.is_given())?;
        let named = image.reference.tag.is_some() || image.reference.digest.is_some();
        if !named && !self.handed.has_reports() && !matches!(whereabouts, Place::Local(_)) {
            return Err(Failure::usage(format!("{} has neither tag nor digest", image.reference))
                .hint("name exactly what was pushed: `…:TAG` or, better, `…@sha256:…`"));
        }
        let handed = self.handed.read()?;
        let access = self.registry.access()?;
        let pace = self.pace(matches!(whereabouts, Place::Ecr(_)))?;
        let start_scan = self.may_start()?;
        let paths = policies::paths(&self.policy)?;
        let (mut policies, exceptions) = policies::load(&paths)?;
        self.fail_on(&mut policies, paths.is_empty(), ui)?;
        let trust = Trust::new(trust::inputs(&policies, &paths)?);
        let environment = self.environment();
        let class = policies.environment(&environment).map_err(|error| {
            Failure::usage(error.to_string()).hint("environments are declared in `spec.environments` of the policy")
        })?;
        if class == EnvironmentClass::NonProduction && self.verbose {
            ui.say(&format!("ecr-gate: {environment} is a non-production environment"));
        }
        Ok(Asking {
            image,
            name: None,
            place: whereabouts,
            pace,
            environment,
            policies,
            exceptions,
            handed,
            access,
            trust,
            start_scan,
        })
    }

    /// The environment that is asked about (S7).
    pub(crate) fn environment(&self) -> String {
        given(self.environment.as_ref()).or_else(|| env::ENVIRONMENT.get()).unwrap_or_else(|| "production".to_owned())
    }

    /// What is given here and means nothing where somebody else judges, as it was given.
    pub(crate) fn local_only(&self) -> Option<&'static str> {
        let HandedArgs { report, sbom, vex, measurement } = &self.handed;
        let RegistryArgs { insecure_registry, registry_ca, registry_mirror, token_realm } = &self.registry;
        [
            (!self.policy.is_empty(), "--policy"),
            (env::POLICY.get().is_some(), env::POLICY.name),
            (!report.is_empty(), "--report"),
            (!sbom.is_empty(), "--sbom"),
            (!vex.is_empty(), "--vex"),
            (!measurement.is_empty(), "--measurement"),
            (!insecure_registry.is_empty(), "--insecure-registry"),
            (!registry_ca.is_empty(), "--registry-ca"),
            (!registry_mirror.is_empty(), "--registry-mirror"),
            (!token_realm.is_empty(), "--token-realm"),
            (self.start_scan, "--start-scan"),
            (self.no_start_scan, "--no-start-scan"),
        ]
        .into_iter()
        .find_map(|(is_given, name)| is_given.then_some(name))
    }

    /// A2: every bound a flag and a variable.
    pub(crate) fn pace(&self, ecr: bool) -> Result<Pace, Failure> {
        let duration = |flag: &str, value: Option<&String>, variable: env::Variable, default: u64| {
            let (name, text) = match (given(value), variable.get()) {
                (Some(text), _) => (flag, text),
                (None, Some(text)) => (variable.name, text),
                (None, None) => return Ok(Duration::from_secs(default)),
            };
            time_limit(name, &text)
        };
        let timeout = duration("--timeout", self.timeout.as_ref(), env::TIMEOUT, 600)?;
        let call_timeout = duration("--call-timeout", self.call_timeout.as_ref(), env::CALL_TIMEOUT, 30)?;
        let poll_interval = duration("--poll-interval", self.poll_interval.as_ref(), env::POLL_INTERVAL, 15)?;
        let stand_in = match engine::endpoint_override() {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                return Err(Failure::usage(
                    "AWS_ENDPOINT_URL_ECR or AWS_ENDPOINT_URL is no http:// or https:// address",
                ));
            }
            stand_in => stand_in.is_some(),
        };
        if poll_interval < FLOOR && !stand_in && ecr && !self.handed.has_reports() {
            return Err(Failure::usage("--poll-interval is under 10s, which ECR throttles").hint(
                "shorter intervals are accepted only together with an endpoint override such as AWS_ENDPOINT_URL_ECR",
            ));
        }
        // Where the jitter starts is all that depends on it.
        let seed = uuid::Uuid::now_v7().as_u64_pair().1;
        Ok(Pace { timeout, call_timeout, poll_interval, floor: if stand_in { Duration::ZERO } else { FLOOR }, seed })
    }

    fn may_start(&self) -> Result<bool, Failure> {
        if self.no_start_scan || self.start_scan {
            return Ok(!self.no_start_scan);
        }
        match env::START_SCAN.get().map(|text| text.to_lowercase()).as_deref() {
            None | Some("true" | "1" | "yes") => Ok(true),
            Some("false" | "0" | "no") => Ok(false),
            Some(other) => Err(Failure::usage(format!("ECR_GATE_START_SCAN is {other:?}, not true or false"))),
        }
    }

    /// S12: flag over environment over file; a file may only be tightened.
    fn fail_on(&self, policies: &mut PolicySet, built_in: bool, ui: Ui) -> Result<(), Failure> {
        let Some((name, list)) = self.severities(ui)? else { return Ok(()) };
        if built_in {
            list.shape(policies);
            return Ok(());
        }
        list.tighten(policies).map_err(|error| {
            Failure::configuration(format!("{name}: {error}"))
                .hint("name every severity that the policy limits, or take the list away")
        })
    }

    /// The severities of which no finding is allowed, and where that is said.
    pub(crate) fn severities(&self, ui: Ui) -> Result<Option<(&'static str, FailOn)>, Failure> {
        let (name, text) = match (given(self.fail_on.as_ref()), env::FAIL_ON_SEVERITY.get()) {
            (Some(text), _) => ("--fail-on", text),
            (None, _) if self.fail_on.is_some() => return Err(Failure::usage("--fail-on: the list is empty")),
            (None, Some(text)) => (env::FAIL_ON_SEVERITY.name, text),
            (None, None) => return Ok(None),
        };
        let list: FailOn = text.parse().map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        if self.verbose {
            ui.say(&format!("ecr-gate: {name}: no finding allowed of {}", list.words()));
        }
        if let Some(worse) = list.passed_over() {
            ui.insist(&format!("warning: {name} lists severities, it is no threshold: {worse} findings do not block"));
        }
        Ok(Some((name, list)))
    }
}

impl Asking {
    /// The same as admission asks: a tag beside a digest is a name, and nothing but the digest counts for what runs.
    pub(crate) fn by_digest(mut self) -> Self {
        self.name = self.image.name_beside_digest();
        self
    }

    /// Asks; with `dry` no scan is started.
    pub(crate) async fn ask(&self, dry: bool, verbose: bool, ui: Ui) -> Result<Result<Checked, Refused>, Failure> {
        let image = self.image.canonical();
        let tag = image.tag.clone().filter(|_| self.name.is_none());
        let question = Question {
            image: ImageReference { tag, ..image },
            place: self.place.clone(),
            account: self.image.account.clone(),
            environment: self.environment.clone(),
            as_if: None,
            name: self.name.clone(),
            handed: &self.handed,
            access: &self.access,
            trust: &self.trust,
            start_scan: self.start_scan && !dry,
            pace: self.pace,
            now,
        };
        let teller = Teller::new(ui, verbose, self.pace.timeout);
        let checked = tokio::select! {
            checked = engine::check(&question, &self.policies, &self.exceptions, &teller) => checked,
            () = interrupted() => {
                teller.finish();
                return Err(Failure::new(Exit::Interrupted, "interrupted before an answer; nothing was allowed"));
            }
        };
        teller.finish();
        Ok(checked)
    }
}

/// A blank value counts as not given.
fn given(value: Option<&String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
