//! `ecr-gate keys`: makes a key pair that signs statements, and says which key a file or a key management service holds.

use std::path::{Path, PathBuf};

use serde::Serialize;
use trust::{PublicKey, SigningKey};

use crate::commands::input::to_json;
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::signing::public_key;
use crate::ui::{OutputFormat, Ui};

/// Makes keys that sign statements about images, and shows their ids
#[derive(Debug, clap::Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    Generate(GenerateArgs),
    Show(ShowArgs),
}

/// Makes a new key pair (ECDSA P-256): PREFIX.key, which only you may read, and PREFIX.pub
///
/// With a password in ECR_GATE_KEY_PASSWORD or COSIGN_PASSWORD the private key is encrypted in the form that cosign writes
/// and reads; without one it is PKCS#8 PEM.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 made, 3 a file is there already or cannot be written, 64 wrong usage.

Examples:
  ecr-gate keys generate
  ECR_GATE_KEY_PASSWORD=\"$(cat password)\" ecr-gate keys generate --output-prefix release")]
struct GenerateArgs {
    /// The name of both files, without their endings
    #[arg(long, value_name = "PREFIX", default_value = "ecr-gate")]
    output_prefix: String,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// Shows the id and the kind of a key: a public or private key file, or `awskms://…`
///
/// The id is the SHA-256 of the public key (SubjectPublicKeyInfo in DER); `ecr-gate verify` names signers by it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 shown, 3 no key or not readable, 5 key management service unreachable, 64 wrong usage.

Examples:
  ecr-gate keys show ecr-gate.pub
  ecr-gate keys show awskms:///alias/release --output json")]
struct ShowArgs {
    /// The key
    #[arg(value_name = "KEY")]
    key: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// A key, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    key_id: String,
    algorithm: String,
}

impl Shown {
    fn of(key: &PublicKey) -> Self {
        Self {
            schema: "ecr-gate.dev/key/v1",
            private_key: None,
            public_key: None,
            encrypted: None,
            key_id: key.id().to_string(),
            algorithm: key.algorithm().to_owned(),
        }
    }
}

impl KeysArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            KeysCommand::Generate(args) => args.run(ui),
            KeysCommand::Show(args) => args.run(ui).await,
        }
    }
}

impl GenerateArgs {
    fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let password = env::key_password()?;
        if password.as_deref().is_some_and(str::is_empty) {
            return Err(Failure::usage("the password in ECR_GATE_KEY_PASSWORD or COSIGN_PASSWORD is empty")
                .hint("set a password, or unset the variable for a key without one"));
        }
        if self.output_prefix.is_empty() || self.output_prefix.ends_with('/') {
            return Err(Failure::usage("--output-prefix: there is no file name"));
        }
        let path = |ending: &str| PathBuf::from(format!("{}.{ending}", self.output_prefix));
        let (private, public) = (path("key"), path("pub"));
        if !self.force {
            // Half a pair is worth nothing: both are looked at before either is written.
            for path in [&private, &public] {
                vacant(path)?;
            }
        }
        let pair = SigningKey::generate(password.as_deref().map(str::as_bytes))
            .map_err(|error| Failure::internal(format!("no key can be made: {error}")))?;
        let key = PublicKey::from_pem("the new key", pair.public.as_bytes())
            .map_err(|error| Failure::internal(error.to_string()))?;
        files::write_private("the private key", &private, &pair.private, self.force)?;
        if let Err(failure) = files::write_public("the public key", &public, &pair.public, self.force) {
            if !self.force {
                let _ = std::fs::remove_file(&private);
            }
            return Err(failure);
        }
        let shown = Shown {
            private_key: Some(private.display().to_string()),
            public_key: Some(public.display().to_string()),
            encrypted: Some(password.is_some()),
            ..Shown::of(&key)
        };
        if self.output == OutputFormat::Json {
            ui.data(&to_json(&shown)?)?;
            return Ok(Exit::Allowed);
        }
        let secrecy = if password.is_some() { "encrypted with the password" } else { "not encrypted" };
        ui.data(&format!(
            "private key  {} ({secrecy}; only you may read it)\npublic key   {}\nkey id       {}\nalgorithm    {}\n",
            private.display(),
            public.display(),
            shown.key_id,
            shown.algorithm
        ))?;
        ui.say(&format!(
            "hint: name the public key in a policy: `spec.signers: {{ release: {{ key: {} }} }}`",
            public.display()
        ));
        ui.say(&format!(
            "hint: sign with `ecr-gate attest IMAGE --predicate FILE --type TYPE --key {}`; never commit the private key",
            private.display()
        ));
        Ok(Exit::Allowed)
    }
}

/// Refuses a name that is taken, by whatever.
fn vacant(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::configuration(format!("{} is there already", path.display())).hint(
            "give another --output-prefix; `--force` replaces both files, and a private key that is replaced is gone",
        )),
    }
}

impl ShowArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let shown = Shown::of(&public_key(&self.key).await?);
        match self.output {
            OutputFormat::Json => ui.data(&to_json(&shown)?)?,
            OutputFormat::Text => ui.data(&format!("key id     {}\nalgorithm  {}\n", shown.key_id, shown.algorithm))?,
        }
        Ok(Exit::Allowed)
    }
}
