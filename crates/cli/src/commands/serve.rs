//! `ecr-gate serve`: one process that makes decisions, keeps them, and serves them over HTTP. This file reads the command line; `serve/setup.rs`
//! puts it together with the configuration, and refuses what would be open to strangers.

pub(crate) mod admission;
mod identities;
mod notifications;
mod setup;
mod teams;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use engine::{Gate, GateError, Metrics, Store, StoreOptions};
use server::admission::{Admission, AdmissionPort};
use server::{App, Certificate, Ended, Listening, RunSettings, TlsFiles};

use self::admission::AdmissionSetup;

use self::setup::Setup;
use crate::config::{self, LogFormat};
use crate::database::{DatabaseArgs, unopened};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::registry::RegistryArgs;
use crate::ui::Ui;
use crate::{files, logging};

/// Runs the decision service: asks over HTTP, recorded decisions, one audit log
///
/// Without any configuration it listens on this machine alone, keeps everything in one folder, and makes a token for changes. Beyond this
/// machine it listens only with a certificate and with tokens. SIGTERM finishes what was accepted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ecr-gate serve
  ecr-gate serve --policy gate.yaml --data-dir /var/lib/ecr-gate
  ecr-gate serve --config serve.yaml
  curl -s http://127.0.0.1:8181/api/v1/decide --json '{\"image\": \"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2\"}'")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where to listen; port 0 is any that is free [default: 127.0.0.1:8181] [env: ECR_GATE_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Policy files that come into force at the start, if they are others than at the last one [env: ECR_GATE_POLICY]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    policy: Vec<PathBuf>,
    /// The certificate, in PEM form; read again when it changes [env: ECR_GATE_TLS_CERTIFICATE]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM form [env: ECR_GATE_TLS_KEY]
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How the log is written; json unless stderr is a terminal [env: ECR_GATE_LOG_FORMAT]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Process")]
    log_format: Option<LogFormat>,
    /// Write the URL here as soon as it can be asked
    #[arg(long, value_name = "FILE", help_heading = "Process")]
    ready_file: Option<PathBuf>,
    /// Print the JSON Schema of the configuration, and end
    #[arg(long, help_heading = "Process")]
    print_config_schema: bool,
}

impl ServeArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if self.print_config_schema {
            ui.data(&format!("{:#}", config::schema()))?;
            return Ok(Exit::Allowed);
        }
        let mut config = self.database.read()?;
        self.over(&mut config);
        let registries = self.registry.settings()?;
        let setup = Setup::of(config, registries)?;
        let format = setup.log_format.unwrap_or(if ui.stderr_is_terminal { LogFormat::Text } else { LogFormat::Json });
        logging::start(format, setup.log_level.as_deref(), ui.stderr_color)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::internal(format!("the runtime cannot be started: {error}")))?;
        let ended = runtime.block_on(self.serve(setup, format, ui));
        runtime.shutdown_background();
        ended
    }

    /// A flag wins over file and variable.
    fn over(&self, config: &mut config::Config) {
        fn over<T: Clone>(flag: Option<&T>, place: &mut Option<T>) {
            if let Some(value) = flag {
                *place = Some(value.clone());
            }
        }
        over(self.listen.as_ref(), &mut config.listen);
        over(self.log_format.as_ref(), &mut config.log.format);
        if !self.policy.is_empty() {
            config.policy.clone_from(&self.policy);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) {
            config.tls = Some(config::Tls { certificate: certificate.clone(), key: key.clone() });
        }
    }

    async fn serve(&self, setup: Setup, format: LogFormat, ui: Ui) -> Result<Exit, Failure> {
        let (listening, certificate) = opened(setup.listen, setup.tls.as_ref())?;
        let reviews = setup.admission.as_ref().map(|one| opened(one.listen, one.tls.as_ref()).map(|port| (one, port)));
        let reviews = reviews.transpose()?;
        let options = StoreOptions { url: setup.database.clone(), migrate: true, readers: 4 };
        let store = Store::open(options).await.map_err(|error| unopened(&error))?;
        let metrics = Metrics::new();
        let gate = Gate::start(setup.gate(metrics.clone()), store).await.map_err(failed)?;
        let app = App::new(gate.clone(), setup.api(metrics));
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listening.address);
        let admission = reviews.map(|(AdmissionSetup { settings, .. }, (listening, certificate))| AdmissionPort {
            listening,
            certificate,
            admission: Admission::new(&app, settings.clone()),
        });
        let policy = in_force(&gate).await?;
        tell(&setup, &url, admission.as_ref(), &policy, format, ui);
        if let Some(file) = &self.ready_file {
            files::write("the ready file", file, &format!("{url}\n"))?;
        }
        let settings = RunSettings { certificate, admission, ..setup.run() };
        match server::run(app, listening, settings).await {
            Ok(Ended::Gracefully) => Ok(Exit::Allowed),
            Ok(Ended::AtOnce) => Ok(Exit::Interrupted),
            Err(error) => Err(Failure::internal(format!("serving failed: {error}"))),
        }
    }
}

/// A port, and the certificate to speak HTTPS with there.
fn opened(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<(Listening, Option<Certificate>), Failure> {
    let listening = Listening::at(address)
        .map_err(|error| Failure::configuration(format!("{address} cannot be listened on: {error}")))?;
    let certificate = tls.cloned().map(Certificate::read).transpose();
    Ok((listening, certificate.map_err(|error| Failure::configuration(error.to_string()))?))
}

/// The names of the policies that are in force.
async fn in_force(gate: &Gate) -> Result<String, Failure> {
    let versions =
        gate.versions(100, &engine::Actor::everywhere("serve", &[engine::Role::Viewer])).await.map_err(failed)?;
    let found = versions.iter().find(|version| version.in_force);
    Ok(found.map_or_else(
        || "none".to_owned(),
        |version| format!("{} ({})", version.names.join(", "), version.digest.short()),
    ))
}

/// For people: where it is, what it judges by, and how to ask. With a log in JSON the same is one line of it.
fn tell(setup: &Setup, url: &str, admission: Option<&AdmissionPort>, policy: &str, format: LogFormat, ui: Ui) {
    let token = setup.admin.as_ref().map(|admin| admin.file.display().to_string());
    let database = setup::shown(&setup.database);
    let admission = admission.map(|port| {
        let scheme = if port.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/admission/validate", port.listening.address)
    });
    if format == LogFormat::Json {
        tracing::info!(
            url,
            database,
            policy,
            admission,
            admin_token_file = token,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
        return;
    }
    ui.say(&format!("ecr-gate {} listens on {url}", env!("CARGO_PKG_VERSION")));
    ui.say(&format!("  database       {database}"));
    ui.say(&format!("  policy         {policy}"));
    if let Some(admission) = &admission {
        ui.say(&format!("  admission      {admission}"));
    }
    if let Some(token) = &token {
        ui.say(&format!("  admin token    in {token}"));
    }
    let who = if setup.anonymous_reads { "" } else { " -H \"Authorization: Bearer $TOKEN\"" };
    ui.say(&format!(
        "  ask it         curl -s {url}/api/v1/decide{who} --json '{{\"image\": \"HOST/REPOSITORY:TAG\"}}'"
    ));
}

fn failed(error: GateError) -> Failure {
    match error {
        GateError::Setup { what, hint } => Failure::configuration(what).hint(hint),
        GateError::Invalid { what, hint } => hint.into_iter().fold(Failure::configuration(what), Failure::hint),
        GateError::Store(error) => unopened(&error),
        other => Failure::internal(other.to_string()),
    }
}
