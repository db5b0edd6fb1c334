//! `ecr-gate kubernetes certificates`: keeps the certificates of admission in order, without cert-manager. The chart runs it every day
//! (`certificates.from: gate`).

use std::fmt::Write as _;
use std::time::Duration;

use kubernetes::ClusterError;
use kubernetes::certificates::{CertificateError, Certificates, Done, Lifetimes, Step};
use model::{SignedDuration, Timestamp, parse_duration};
use serde::Serialize;

use super::{ClusterArgs, failure};
use crate::clock::now;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::ui::{OutputFormat, Ui};

const SCHEMA: &str = "ecr-gate.dev/kubernetes-certificates/v1";

/// Makes and renews the certificate that API servers ask the gate by, and tells the webhooks whom to believe
///
/// Keeps an authority in one Secret and a certificate of it in another, and writes the authority into `caBundle` of the webhooks that ask the gate's Service. What
/// is in order is left alone; what broke off is made up for by running it again, and several at once do no harm. A new authority is announced for the time of
/// `--overlap` before anything is signed by it, and the one before for as long afterwards, so that no request fails while replicas change over. The gate reads its
/// certificate again by itself. With `certificates.from: gate` the chart makes both Secrets and runs this every day; where they are not there, the gate shows
/// the certificate of somebody else, and nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 in order, 3 not allowed, the gate shows the certificate of somebody else, or the account or context is wrong, 5 API server unreachable, or a webhook configuration is not there, 64 wrong usage.

Examples:
  ecr-gate kubernetes certificates --namespace ecr-gate --name ecr-gate
  ecr-gate kubernetes certificates --dry-run --output json")]
pub(crate) struct CertificatesArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The namespace that the gate is installed in
    #[arg(long, short, value_name = "NAME", default_value = "ecr-gate")]
    namespace: String,
    /// The name of the gate's Service and of its webhook configurations; the Secrets are `NAME-authorities` and `NAME-certificate`
    #[arg(long, value_name = "NAME", default_value = "ecr-gate")]
    name: String,
    /// A further name in the certificate; several times
    #[arg(long, value_name = "NAME")]
    dns_name: Vec<String>,
    /// How long a certificate lasts
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    lifetime: String,
    /// So long before its end it is renewed
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    renew_before: String,
    /// How long an authority lasts
    #[arg(long, value_name = "DURATION", default_value = "1825d")]
    authority_lifetime: String,
    /// So long before its end the next authority is made
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    authority_renew_before: String,
    /// How long two authorities are believed before and after a change
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    overlap: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    schema: &'static str,
    exit_code: u8,
    dry_run: bool,
    steps: &'a [Step],
    changed: &'a [String],
    missing: &'a [String],
    authority_ends: Timestamp,
    certificate_ends: Timestamp,
}

impl CertificatesArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        // Parts of paths of the API server, and of names in certificates.
        for (flag, name) in [("--namespace", &self.namespace), ("--name", &self.name)] {
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || name.len() > 63 || !name.chars().all(is_name) {
                return Err(Failure::usage(format!("{flag}: {name:?} is no name of Kubernetes")));
            }
        }
        let lifetimes = Lifetimes {
            authority: duration("--authority-lifetime", &self.authority_lifetime)?,
            authority_before: duration("--authority-renew-before", &self.authority_renew_before)?,
            certificate: duration("--lifetime", &self.lifetime)?,
            certificate_before: duration("--renew-before", &self.renew_before)?,
            overlap: duration("--overlap", &self.overlap)?,
        };
        lifetimes.check().map_err(Failure::usage)?;
        let certificates = Certificates {
            namespace: self.namespace.clone(),
            service: self.name.clone(),
            names: self.dns_name.clone(),
            authorities: format!("{}-authorities", self.name),
            certificate: format!("{}-certificate", self.name),
            webhooks: self.name.clone(),
            lifetimes,
        };
        let cluster = self.cluster.connect().await?;
        let done = certificates.keep(&cluster, &now, self.dry_run).await.map_err(|error| match error {
            CertificateError::Cluster(error @ ClusterError::Forbidden(_)) => failure(&error).hint(self.rights()),
            CertificateError::Cluster(error) => failure(&error),
            error @ CertificateError::NotOurs { .. } => Failure::configuration(error.to_string()).hint(
                "nothing was changed. With `certificates.from: chart` or cert-manager there is nothing to do here; to have the gate make its certificate: \
                 `helm upgrade --set certificates.from=gate`, which makes the Secrets; else name the gate with --namespace and --name",
            ),
            other => Failure::internal(other.to_string()).hint("run it again; what was done until then holds"),
        })?;
        // A webhook that is not there yet (the chart makes it last) has to be told too.
        let exit = if done.missing.is_empty() { Exit::Allowed } else { Exit::Unavailable };
        ui.data(&match self.output {
            OutputFormat::Text => self.text(&done),
            OutputFormat::Json => self.json(&done, exit)?,
        })?;
        if let Some(missing) = done.missing.first() {
            return Err(Failure::new(exit, format!("there is no {}", logged(missing, 300)))
                .hint("the certificate is made; run it again once the webhooks are there"));
        }
        Ok(exit)
    }

    /// What it needs to be allowed.
    fn rights(&self) -> String {
        let Self { name, namespace, .. } = self;
        format!(
            "it reads and changes (get, update) the Secrets {name}-authorities and {name}-certificate in {namespace}, and the validating and mutating webhook \
             configurations {name}, and nothing else; the chart allows that to the service account {name}-certificates"
        )
    }

    fn json(&self, done: &Done, exit: Exit) -> Result<String, Failure> {
        let Done { steps, changed, missing, authority_ends, certificate_ends } = done;
        let answer = Answer {
            schema: SCHEMA,
            exit_code: exit as u8,
            dry_run: self.dry_run,
            steps,
            changed,
            missing,
            authority_ends: *authority_ends,
            certificate_ends: *certificate_ends,
        };
        serde_json::to_string_pretty(&answer)
            .map(inert_json)
            .map_err(|error| Failure::internal(format!("the answer cannot be written as JSON: {error}")))
    }

    fn text(&self, done: &Done) -> String {
        let mut text = String::new();
        let would = if self.dry_run { "would be: " } else { "" };
        for step in &done.steps {
            let words = match step {
                Step::MakeAuthority => "a new authority",
                Step::MakeNext => "the next authority is announced",
                Step::ChangeOver => "the next authority signs from now on",
                Step::DropPrevious => "the authority before is believed no longer",
                Step::MakeCertificate => "a new certificate",
            };
            let _ = writeln!(text, "{would}{words}");
        }
        for changed in &done.changed {
            let _ = writeln!(text, "{would}whom to believe is told to {changed}");
        }
        if done.steps.is_empty() && done.changed.is_empty() {
            text.push_str("everything is in order\n");
        }
        let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
        let (certificate, authority) = (day(done.certificate_ends), day(done.authority_ends));
        let _ = writeln!(text, "the certificate ends on {certificate}, the authority on {authority}");
        text
    }
}

fn duration(flag: &str, text: &str) -> Result<Duration, Failure> {
    // Days are no unit of exact time, and exact enough here.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let parsed = match days {
        Some(days) if (1..=36_500).contains(&days) => SignedDuration::from_hours(days * 24),
        Some(_) => return Err(Failure::usage(format!("{flag}: {text} is not between 1d and 36500d"))),
        None => parse_duration(text).map_err(|error| Failure::usage(format!("{flag}: {error}")))?,
    };
    match Duration::try_from(parsed) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        _ => Err(Failure::usage(format!("{flag}: {text} is under 1s"))),
    }
}
