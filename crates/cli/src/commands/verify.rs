//! `ecr-gate verify`: who signed an image, when that is proven, and whether those who were asked for did. The flags become a
//! policy that is judged like any other, beside the policy files that are given.

mod signers;

use std::path::PathBuf;
use std::time::Duration;

use engine::{HandedOver, Pace, Place, Question, Record, Trust, Verification};
use model::parse_duration;
use policy::{COMMAND_LINE_POLICY, signed_by};

use self::signers::SignerArgs;
use crate::clock::now;
use crate::commands::check::asker;
use crate::commands::input::to_json;
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, verification};
use crate::policies;
use crate::progress::Teller;
use crate::registry::RegistryArgs;
use crate::signing::refused;
use crate::target::ImageArgs;
use crate::trust;
use crate::ui::Ui;

/// Verifies who signed an image: exit 0 only if everybody who was asked for signed exactly this digest
///
/// Shows every signature and signed statement that is attached: Sigstore bundles, cosign's tags and Notation's signatures,
/// each with its signer and the proven time, or with every reason why it does not verify. A statement is no signature on
/// the image. Nothing is asked of Sigstore: trusted roots are files, or the one that this program was built with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 those who were asked for signed it, 1 not, 3 access or configuration, 4 not in time,
            5 registry or key management service unreachable, 64 wrong usage.

Examples:
  ecr-gate verify IMAGE --key ecr-gate.pub
  ecr-gate verify IMAGE --key release.pub --key awskms:///alias/ci          (both have to have signed)
  ecr-gate verify IMAGE --key old.pub --key new.pub --any-signer            (one of them is enough)
  ecr-gate verify IMAGE --certificate-oidc-issuer https://token.actions.githubusercontent.com \\
      --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main
  ecr-gate verify IMAGE --key ci.pub --type cyclonedx                       (a signed statement instead of a signature)
  ecr-gate verify IMAGE --certificate-oidc-issuer https://token.actions.githubusercontent.com \\
      --certificate-identity-regexp 'https://github.com/slsa-framework/slsa-github-generator/.*@refs/tags/v.*' \\
      --source github.com/acme/app --source-ref refs/heads/main
  ecr-gate verify IMAGE --notation-trust-policy trustpolicy.json --notation-trust-store ~/.config/notation/truststore
  ecr-gate verify IMAGE --policy gate.yaml --environment staging --output json")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    image: ImageArgs,
    #[command(flatten)]
    signers: SignerArgs,
    /// A policy file, whose rules about signers are judged; may be given several times [env: ECR_GATE_POLICY]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// The environment the image is for, declared by the policy [default: production] [env: ECR_GATE_ENVIRONMENT]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    timeout: String,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: VerifyFormat,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VerifyFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl VerifyArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<u8, Failure> {
        env::check()?;
        let image = self.image.resolve()?;
        let place = image.place(false)?;
        let named = image.reference.tag.is_some() || image.reference.digest.is_some();
        if !named && !matches!(place, Place::Local(_)) {
            return Err(Failure::usage(format!("{} has neither tag nor digest", image.reference))
                .hint("name the image exactly: `…:TAG` or, better, `…@sha256:…`"));
        }
        let paths = policies::paths(&self.policy)?;
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let environment = self.environment.as_ref().and_then(given).or_else(|| env::ENVIRONMENT.get());
        let environment = environment.unwrap_or_else(|| "production".to_owned());
        let scope = image.shown_name();
        let words = self.signers.words(&scope, if paths.is_empty() { Some(environment.clone()) } else { None })?;
        if words.is_none() && paths.is_empty() {
            return Err(Failure::usage("verified by whom? No signer and no policy is given").hint(
                "give --key, --certificate-identity with --certificate-oidc-issuer, or --policy; `ecr-gate inspect` shows \
                 what is there without judging it",
            ));
        }
        let words = words.as_ref().map(|words| (COMMAND_LINE_POLICY, signed_by(words)));
        let (policies, exceptions) = policies::load_with(&paths, words)?;
        let policies = policies.about_signers();
        if policies.ids().is_empty() {
            return Err(Failure::configuration("no policy has a rule about signers, so there is nothing to verify")
                .hint("add a rule with `signatures`, `attestations`, `provenance` or `vsa`; `ecr-gate check` judges all rules"));
        }
        policies.environment(&environment).map_err(|error| {
            Failure::usage(error.to_string()).hint("environments are declared in `spec.environments` of the policy")
        })?;
        let trust = Trust::new(trust::inputs(&policies, &paths)?);
        let access = self.registry.access()?;
        let timeout = parse_duration(&self.timeout)
            .map_err(|error| Failure::usage(format!("--timeout: {error}")))
            .and_then(|time| Duration::try_from(time).map_err(|error| Failure::usage(format!("--timeout: {error}"))))?;
        let handed = HandedOver::default();
        let question = Question {
            image: image.canonical(),
            place,
            account: image.account.clone(),
            environment,
            as_if: None,
            name: None,
            handed: &handed,
            access: &access,
            trust: &trust,
            start_scan: false,
            pace: Pace {
                timeout,
                call_timeout: timeout.min(Duration::from_secs(30)),
                poll_interval: Duration::from_secs(15),
                floor: Duration::ZERO,
                seed: uuid::Uuid::now_v7().as_u64_pair().1,
            },
            now,
        };
        let teller = Teller::new(ui, false, timeout);
        let checked = Box::pin(engine::check(&question, &policies, &exceptions, &teller)).await;
        teller.finish();
        let checked = checked.map_err(|error| refused(error.reason))?;
        let exit = exit(&Record::of(&checked, image.written(), asker()));
        let record = Verification::of(&checked, image.written(), exit);
        match self.output {
            VerifyFormat::Json => ui.data(&inert_json(to_json(&record)? + "\n"))?,
            VerifyFormat::Table => ui.data(&verification(&record, ui.color))?,
        }
        Ok(exit)
    }
}

/// What `check` may let pass with a warning is not verified all the same: 0 says that every rule was met, and that there
/// was one.
fn exit(record: &Record) -> u8 {
    let softened = |exit: u8| {
        let missed = record.rules.iter().filter(|rule| rule.outcome != "pass");
        let codes: Vec<_> = missed.clone().flat_map(|rule| rule.reasons.iter().map(|reason| reason.code)).collect();
        match (missed.clone().any(|rule| rule.outcome == "fail"), codes.first()) {
            (true, _) => Exit::Blocked as u8,
            (false, Some(code)) => Exit::of_reason(*code) as u8,
            (false, None) if missed.count() > 0 || record.rules.is_empty() => Exit::Blocked as u8,
            (false, None) => exit,
        }
    };
    match Exit::of_record(record, 0) {
        0 => softened(0),
        exit => exit,
    }
}
