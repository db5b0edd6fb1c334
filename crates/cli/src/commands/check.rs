//! `ecr-gate check`: may this image be used? The command a pipeline runs after `docker push`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{
    Answer, AttachedDecision, Checked, Decided, HandedOver, Pace, Place, Question, Record, Refused, RegistryAccess,
    StatementKey, Trust,
};
use model::{EnvironmentClass, SignedDuration, Verdict, parse_duration};
use policy::{Exceptions, FailOn, PolicySet};

use crate::clock::now;
use crate::delivery::Delivery;
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::handed::HandedArgs;
use crate::output::{Destination, Format, View};
use crate::policies;
use crate::progress::Teller;
use crate::registry::RegistryArgs;
use crate::signing::signing_key;
use crate::target::{Image, ImageArgs};
use crate::trust;
use crate::ui::Ui;

/// ECR throttles lookups that are closer (A2).
const FLOOR: Duration = Duration::from_secs(10);

/// Judges an image: green only if a scan of exactly that digest finished and nothing blocking was found
///
/// Resolves the tag to a digest once, finds the scan or starts one, waits for its end, reads every page of findings,
/// and judges them by the policy. An index is judged over all its platforms. No scan, half a scan, an error or an
/// answer that is not understood is never "no findings".
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 allowed, 1 blocked, 2 scanner without a result, 3 access or configuration, 4 not decided in time,
            5 service unreachable, 64 wrong usage. A soft-fail (warn) exits 0 unless --warn-exit-code says otherwise.

Examples:
  ecr-gate check 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2 --dotenv scan.env
  ecr-gate check IMAGE --policy gate.yaml --environment staging --output table --output sarif=gate.sarif
  ecr-gate check docker-archive:app.tar --report trivy.json
  ecr-gate check ghcr.io/team/app:1.2 --report grype.json --vex app.openvex.json --policy gate.yaml")]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own
pub(crate) struct CheckArgs {
    #[command(flatten)]
    image: ImageArgs,
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
    environment: Option<String>,
    /// A policy file; may be given several times. Without one, CRITICAL and HIGH block [env: ECR_GATE_POLICY]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Severities of which no finding is allowed, such as `CRITICAL,HIGH` [env: FAIL_ON_SEVERITY]
    ///
    /// Shapes the built-in policy; together with a policy file it may only tighten.
    #[arg(long, value_name = "LIST")]
    fail_on: Option<String>,
    #[command(flatten)]
    handed: HandedArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Start a scan when there is none, or when it is too old (default)
    #[arg(long, overrides_with = "no_start_scan")]
    start_scan: bool,
    /// Never start a scan [env: ECR_GATE_START_SCAN=false]
    #[arg(long)]
    no_start_scan: bool,
    /// How to answer: table, json, sarif, junit, markdown, gitlab; to stdout, or to a file with `FORMAT=FILE`; several times
    #[arg(long, short, value_name = "FORMAT[=FILE]")]
    output: Vec<Destination>,
    /// Write the dotenv report for the jobs that follow, also when the image is blocked
    #[arg(long, value_name = "FILE")]
    dotenv: Option<PathBuf>,
    /// Exit with this code on a soft-fail (warn) [default: 0] [env: ECR_GATE_WARN_EXIT_CODE]
    #[arg(long, value_name = "N")]
    warn_exit_code: Option<u8>,
    /// Attach the decision to the image: a signed SLSA verification summary, which cosign verifies too
    #[arg(long, requires = "attest_key", conflicts_with = "dry_run")]
    attach: bool,
    /// The key that signs what `--attach` attaches: a private key file, or awskms://…
    #[arg(long, value_name = "FILE|awskms://…", requires = "attach")]
    attest_key: Option<String>,
    /// Who decided, as the attached summary says it: a URI
    #[arg(long, value_name = "URI", requires = "attach", default_value = "https://ecr-gate.dev/verifier/cli")]
    verifier_id: String,
    /// Only evaluate: start no scan, and give no decision id
    #[arg(long)]
    dry_run: bool,
    /// Tell each step on stderr, also where it is not a terminal
    #[arg(long, short)]
    verbose: bool,
}

/// The arguments, read and checked: everything that can be wrong usage is found here, before anything is asked.
struct Plan {
    image: Image,
    pace: Pace,
    environment: String,
    policies: PolicySet,
    exceptions: Exceptions,
    start_scan: bool,
    warn_exit_code: u8,
    outputs: Vec<Destination>,
    place: Place,
    handed: HandedOver,
    access: RegistryAccess,
    trust: Trust,
    attest_key: Option<StatementKey>,
}

impl CheckArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<u8, Failure> {
        let handed = self.handed.paths();
        let policies = policies::inputs(&policies::paths(&self.policy).unwrap_or_else(|_| Vec::new()));
        let inputs: Vec<&Path> = handed.iter().chain(&policies).map(PathBuf::as_path).collect();
        self.delivery().check(&inputs)?;
        self.delivery().clear()?;
        let answered = Box::pin(self.decide(ui)).await;
        if let Err(failure) = &answered {
            self.delivery().take_back(failure.exit, ui);
        }
        answered
    }

    fn delivery(&self) -> Delivery<'_> {
        Delivery { outputs: &self.output, dotenv: self.dotenv.as_deref() }
    }

    async fn decide(&self, ui: Ui) -> Result<u8, Failure> {
        let plan = self.plan(ui)?;
        let result = Box::pin(self.ask(&plan, ui)).await?;
        let id = uuid::Uuid::now_v7().to_string();
        let attached = self.attach(&plan, &result, &id, ui).await?;
        let answered = self.answer(&plan, &result, id, attached, ui);
        // The process ends with this: giving back ten thousand findings one by one would only take time.
        std::mem::forget(result);
        answered
    }

    async fn ask(&self, plan: &Plan, ui: Ui) -> Result<Result<Checked, Refused>, Failure> {
        let question = Question {
            image: plan.image.canonical(),
            place: plan.place.clone(),
            account: plan.image.account.clone(),
            environment: plan.environment.clone(),
            handed: &plan.handed,
            access: &plan.access,
            trust: &plan.trust,
            start_scan: plan.start_scan && !self.dry_run,
            pace: plan.pace,
            now,
        };
        let teller = Teller::new(ui, self.verbose, plan.pace.timeout);
        let checked = tokio::select! {
            checked = engine::check(&question, &plan.policies, &plan.exceptions, &teller) => checked,
            () = interrupted() => {
                teller.finish();
                return Err(Failure::new(Exit::Interrupted, "interrupted before an answer; nothing was allowed"));
            }
        };
        teller.finish();
        Ok(checked)
    }

    /// Attaches what was decided, if that was asked for. An allow that could not be attached is not an allow; a refusal stays
    /// what it is.
    async fn attach(
        &self,
        plan: &Plan,
        result: &Result<Checked, Refused>,
        id: &str,
        ui: Ui,
    ) -> Result<Option<String>, Failure> {
        let (Some(key), Ok(checked)) = (&plan.attest_key, result) else { return Ok(None) };
        let decided = Decided { verifier: &self.verifier_id, version: env!("CARGO_PKG_VERSION"), decision: id };
        let image = plan.image.canonical();
        match engine::attach_decision(checked, &decided, &image, &plan.access, key).await {
            Ok(AttachedDecision::New(attached)) => Ok(Some(attached.referrer.to_string())),
            Ok(AttachedDecision::Unchanged(referrer)) => {
                ui.say(&format!("ecr-gate: the image carries this decision already, {referrer}"));
                Ok(Some(referrer.to_string()))
            }
            Ok(AttachedDecision::Undecided) => Ok(None),
            Err(Refused { reason }) if checked.judgement.verdict <= Verdict::Warn => {
                let message = format!("the decision could not be attached: {}", reason.message);
                Err(Failure::new(Exit::of_reason(reason.code), message).hint(reason.remedy))
            }
            Err(Refused { reason }) => {
                ui.insist(&format!("{} the decision could not be attached: {}", ui.error_word(), reason.message));
                Ok(None)
            }
        }
    }

    /// Writes the answer everywhere it was asked for, and only then says it with the exit code.
    fn answer(
        &self,
        plan: &Plan,
        result: &Result<Checked, Refused>,
        id: String,
        attached: Option<String>,
        ui: Ui,
    ) -> Result<u8, Failure> {
        let reference = plan.image.written();
        let (mut record, checked) = match result {
            Ok(checked) => (Record::of(checked, reference, asker()), Some(checked)),
            Err(refused) => {
                let name = plan.image.shown_name();
                (Record::refused(refused, &plan.image.reference, name, plan.environment.clone(), now(), asker()), None)
            }
        };
        record.dry_run = self.dry_run;
        record.attached = attached;
        if checked.is_some() && !self.dry_run {
            record.id = Some(id);
        }
        record.exit_code = Exit::of_record(&record, plan.warn_exit_code);
        let view = View { record: &record, checked };
        exit_on_signal();
        let delivered = Delivery { outputs: &plan.outputs, dotenv: self.dotenv.as_deref() }.write(&view, ui);
        if record.verdict == Verdict::Warn {
            ui.insist("warning: soft-fail: the policy allows the image with a warning; see the reasons");
        }
        // An allow that could not be delivered is not an allow; a refusal stays what it is.
        match delivered {
            Err(failure) if record.verdict <= Verdict::Warn => Err(failure),
            Err(failure) => {
                ui.insist(&format!("{} {}", ui.error_word(), failure.what));
                Ok(record.exit_code)
            }
            Ok(()) => Ok(record.exit_code),
        }
    }

    fn plan(&self, ui: Ui) -> Result<Plan, Failure> {
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
        let outputs = self.outputs()?;
        let start_scan = self.may_start()?;
        let paths = policies::paths(&self.policy)?;
        let (mut policies, exceptions) = policies::load(&paths)?;
        self.fail_on(&mut policies, paths.is_empty(), ui)?;
        let trust = Trust::new(trust::inputs(&policies, &paths)?);
        let attest_key = self.attest_key.as_deref().map(signing_key).transpose()?;
        let is_uri = |text: &str| {
            text.contains(':') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        };
        if !is_uri(&self.verifier_id) {
            return Err(Failure::usage("--verifier-id is no URI")
                .hint("such as https://ci.example.com/gate: whoever reads the summary tells verifiers apart by it"));
        }
        if attest_key.is_some() && !matches!(whereabouts, Place::Ecr(_) | Place::Registry) {
            return Err(Failure::usage("a decision is attached to an image in a registry")
                .hint("push the image first, and name it as docker push does"));
        }
        let environment = given(self.environment.as_ref())
            .or_else(|| env::ENVIRONMENT.get())
            .unwrap_or_else(|| "production".to_owned());
        let class = policies.environment(&environment).map_err(|error| {
            Failure::usage(error.to_string()).hint("environments are declared in `spec.environments` of the policy")
        })?;
        if class == EnvironmentClass::NonProduction && self.verbose {
            ui.say(&format!("ecr-gate: {environment} is a non-production environment"));
        }
        let warn_exit_code = match (self.warn_exit_code, env::WARN_EXIT_CODE.get()) {
            (Some(code), _) => code,
            (None, Some(text)) => text.parse().map_err(|_| {
                Failure::usage(format!("ECR_GATE_WARN_EXIT_CODE is {text:?}, not a number from 0 to 255"))
            })?,
            (None, None) => 0,
        };
        Ok(Plan {
            image,
            pace,
            environment,
            policies,
            exceptions,
            start_scan,
            warn_exit_code,
            outputs,
            place: whereabouts,
            handed,
            access,
            trust,
            attest_key,
        })
    }

    /// A2: every bound a flag and a variable.
    fn pace(&self, ecr: bool) -> Result<Pace, Failure> {
        let duration = |flag: &str, value: Option<&String>, variable: env::Variable, default: u64| {
            let (name, text) = match (given(value), variable.get()) {
                (Some(text), _) => (flag, text),
                (None, Some(text)) => (variable.name, text),
                (None, None) => return Ok(Duration::from_secs(default)),
            };
            let parsed = parse_duration(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
            if parsed <= SignedDuration::ZERO || parsed > SignedDuration::from_hours(24) {
                return Err(Failure::usage(format!("{name}: {text} is not between 1ms and 24h")));
            }
            Duration::try_from(parsed).map_err(|error| Failure::usage(format!("{name}: {error}")))
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

    fn outputs(&self) -> Result<Vec<Destination>, Failure> {
        let mut outputs = self.output.clone();
        if outputs.is_empty() {
            outputs.push(Destination { format: Format::Table, file: None });
        }
        if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
            return Err(Failure::usage("two outputs go to stdout")
                .hint("send all but one to a file: --output json=decision.json"));
        }
        Ok(outputs)
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
        let (name, text) = match (given(self.fail_on.as_ref()), env::FAIL_ON_SEVERITY.get()) {
            (Some(text), _) => ("--fail-on", text),
            (None, _) if self.fail_on.is_some() => return Err(Failure::usage("--fail-on: the list is empty")),
            (None, Some(text)) => (env::FAIL_ON_SEVERITY.name, text),
            (None, None) => return Ok(()),
        };
        let list: FailOn = text.parse().map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        if self.verbose {
            ui.say(&format!("ecr-gate: {name}: no finding allowed of {}", list.words()));
        }
        if let Some(worse) = list.passed_over() {
            ui.insist(&format!("warning: {name} lists severities, it is no threshold: {worse} findings do not block"));
        }
        if built_in {
            list.shape(policies);
            return Ok(());
        }
        list.tighten(policies).map_err(|error| {
            Failure::configuration(format!("{name}: {error}"))
                .hint("name every severity that the policy limits, or take the list away")
        })
    }
}

/// A blank value counts as not given.
fn given(value: Option<&String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Who asks, as far as a pipeline says it.
pub(crate) fn asker() -> Answer {
    let trace_id = env::TRACEPARENT.get().and_then(|text| {
        let id = text.split('-').nth(1)?.to_owned();
        (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
    });
    let pipeline = env::first(&[env::CI_PIPELINE_ID, env::GITHUB_RUN_ID]);
    let commit = env::first(&[env::CI_COMMIT_SHA, env::GITHUB_SHA]);
    let asked_by = env::first(&[env::GITLAB_USER_LOGIN, env::GITHUB_ACTOR]);
    Answer { point: "cli", advisory: true, asked_by, pipeline, commit, trace_id }
}

/// While the answer is written nothing waits for signals: a blocked pipe or disk must not hold off Ctrl-C.
fn exit_on_signal() {
    std::thread::spawn(|| {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(interrupted());
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    });
}

/// Ctrl-C or SIGTERM.
async fn interrupted() {
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
