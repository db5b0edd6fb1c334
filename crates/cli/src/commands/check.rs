//! `ecr-gate check`: may this image be used? The command a pipeline runs after `docker push`. It judges by itself, or asks the
//! decision service (`served`).

mod believed;
pub(crate) mod remote;
mod served;
mod tighten;

use std::path::{Path, PathBuf};

use engine::{Answer, AttachedDecision, Checked, Decided, Place, Record, Refused, StatementKey};
use model::Verdict;

use super::asking::{AskArgs, Asking, interrupted};
use crate::clock::now;
use crate::delivery::Delivery;
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Destination, Format, View};
use crate::policies;
use crate::server::ServerArgs;
use crate::signing::{is_uri, signing_key};
use crate::ui::Ui;

/// Judges an image: green only if a scan of exactly that digest finished and nothing blocking was found
///
/// Resolves the tag to a digest once, finds the scan or starts one, waits for its end, reads every page of findings,
/// and judges them by the policy. An index is judged over all its platforms. No scan, half a scan, an error or an
/// answer that is not understood is never "no findings".
///
/// With `--server` the decision service is asked instead, and its decision is what every other enforcement point acts on too. If it
/// cannot be reached there is no verdict (exit code 5), unless `--fallback local` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 allowed, 1 blocked, 2 scanner without a result, 3 access or configuration, 4 not decided in time,
            5 service unreachable, 64 wrong usage. A soft-fail (warn) exits 0 unless --warn-exit-code says otherwise.

Examples:
  ecr-gate check 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2 --dotenv scan.env
  ecr-gate check IMAGE --policy gate.yaml --environment staging --output table --output sarif=gate.sarif
  ecr-gate check docker-archive:app.tar --report trivy.json
  ecr-gate check ghcr.io/team/app:1.2 --report grype.json --vex app.openvex.json --policy gate.yaml
  ecr-gate check IMAGE --server https://gate.example.com --token-file token --environment production")]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own
pub(crate) struct CheckArgs {
    #[command(flatten)]
    ask: AskArgs,
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
    #[command(flatten)]
    service: ServerArgs,
    /// If the decision service cannot be reached: `local` judges here, by the policies and files given here
    ///
    /// Such a verdict is advisory: no other enforcement point knows it. Without this flag there is none (exit code 5).
    #[arg(long, value_name = "WHAT", help_heading = "Decision service")]
    fallback: Option<Fallback>,
}

/// What to do if the service cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Fallback {
    /// Judge here
    Local,
}

/// The arguments, read and checked.
struct Plan {
    asking: Asking,
    warn_exit_code: u8,
    outputs: Vec<Destination>,
    attest_key: Option<StatementKey>,
}

impl CheckArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<u8, Failure> {
        let handed = self.ask.handed.paths();
        let policies = policies::inputs(&policies::paths(&self.ask.policy).unwrap_or_else(|_| Vec::new()));
        let service = self.service.paths();
        let inputs: Vec<&Path> = handed.iter().chain(&policies).chain(&service).map(PathBuf::as_path).collect();
        self.delivery().check(&inputs)?;
        self.delivery().clear()?;
        let answered = match self.service.address() {
            Some(_) => Box::pin(self.ask_service(ui)).await,
            None if self.fallback.is_some() => {
                Err(Failure::usage("--fallback is for when a decision service cannot be reached, and none is asked")
                    .hint("give --server or ECR_GATE_SERVER"))
            }
            None => Box::pin(async { self.decide(self.plan(ui)?, ui).await }).await,
        };
        if let Err(failure) = &answered {
            self.delivery().take_back(failure.exit, ui);
        }
        answered
    }

    fn delivery(&self) -> Delivery<'_> {
        Delivery { outputs: &self.output, dotenv: self.dotenv.as_deref() }
    }

    /// Judges here.
    async fn decide(&self, plan: Plan, ui: Ui) -> Result<u8, Failure> {
        let result = Box::pin(plan.asking.ask(self.dry_run, self.ask.verbose, ui)).await?;
        let id = uuid::Uuid::now_v7().to_string();
        let attached = self.attach(&plan, &result, &id, ui).await?;
        let answered = self.answer(&plan, &result, id, attached, ui);
        // The process ends with this: giving back ten thousand findings one by one would only take time.
        std::mem::forget(result);
        answered
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
        let image = plan.asking.image.canonical();
        match engine::attach_decision(checked, &decided, &image, &plan.asking.access, key).await {
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
        let reference = plan.asking.image.written();
        let (mut record, checked) = match result {
            Ok(checked) => (Record::of(checked, reference, asker()), Some(checked)),
            Err(refused) => {
                let name = plan.asking.image.shown_name();
                (
                    Record::refused(
                        refused,
                        &plan.asking.image.reference,
                        name,
                        plan.asking.environment.clone(),
                        now(),
                        asker(),
                    ),
                    None,
                )
            }
        };
        record.dry_run = self.dry_run;
        record.attached = attached;
        if checked.is_some() && !self.dry_run {
            record.id = Some(id);
        }
        self.deliver(record, checked, plan.warn_exit_code, &plan.outputs, ui)
    }

    fn deliver(
        &self,
        mut record: Record,
        checked: Option<&Checked>,
        warn_exit_code: u8,
        outputs: &[Destination],
        ui: Ui,
    ) -> Result<u8, Failure> {
        record.exit_code = Exit::of_record(&record, warn_exit_code);
        let view = View { record: &record, checked };
        exit_on_signal();
        let delivered = Delivery { outputs, dotenv: self.dotenv.as_deref() }.write(&view, ui);
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
        let outputs = self.outputs()?;
        let asking = self.ask.read(ui)?;
        let attest_key = self.attest_key.as_deref().map(signing_key).transpose()?;
        if !is_uri(&self.verifier_id) {
            return Err(Failure::usage("--verifier-id is no URI")
                .hint("such as https://ci.example.com/gate: whoever reads the summary tells verifiers apart by it"));
        }
        if attest_key.is_some() && !matches!(asking.place, Place::Ecr(_) | Place::Registry) {
            return Err(Failure::usage("a decision is attached to an image in a registry")
                .hint("push the image first, and name it as docker push does"));
        }
        let warn_exit_code = self.warn_exit_code()?;
        Ok(Plan { asking, warn_exit_code, outputs, attest_key })
    }

    fn warn_exit_code(&self) -> Result<u8, Failure> {
        match (self.warn_exit_code, env::WARN_EXIT_CODE.get()) {
            (Some(code), _) => Ok(code),
            (None, Some(text)) => text.parse().map_err(|_| {
                Failure::usage(format!("ECR_GATE_WARN_EXIT_CODE is {text:?}, not a number from 0 to 255"))
            }),
            (None, None) => Ok(0),
        }
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
    Answer { point: "cli".into(), advisory: true, permit: None, asked_by, pipeline, commit, trace_id }
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
