//! `ecr-gate sigstore-conformance verify-bundle` (hidden): the calling convention of the sigstore-conformance suite. One
//! bundle, one artifact, one expected signer; no policy, no registry, nothing asked of a network.

use std::path::{Path, PathBuf};

use model::Digest;
use trust::{Conformance, ConformanceError, Expected, PublicKey, SigstoreRoot};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// The largest bundle, key or trusted root that is read.
const LIMIT: usize = 16 << 20;
/// The largest artifact that is read.
const ARTIFACT: usize = 1 << 30;

/// Answers the sigstore-conformance suite
#[derive(Debug, clap::Args)]
pub(crate) struct ConformanceArgs {
    #[command(subcommand)]
    command: ConformanceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConformanceCommand {
    VerifyBundle(VerifyBundleArgs),
}

/// Verifies a bundle over an artifact
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 verified, 1 refused, 3 could not be decided, 64 wrong usage.")]
#[command(group = clap::ArgGroup::new("signer").required(true).args(["certificate_identity", "key"]))]
struct VerifyBundleArgs {
    /// The bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The identity that has to stand in the certificate
    #[arg(long, value_name = "ID", requires = "certificate_oidc_issuer")]
    certificate_identity: Option<String>,
    /// The OIDC issuer that has to stand in the certificate
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// The public key that has to have signed
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// The trusted root; the one of Sigstore's public instance, if it is left out
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The artifact, or its digest as `sha256:…`
    #[arg(value_name = "FILE_OR_DIGEST")]
    artifact: String,
}

impl ConformanceArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let ConformanceCommand::VerifyBundle(args) = &self.command;
        args.run(ui)
    }
}

impl VerifyBundleArgs {
    fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let unusable = |error: trust::MaterialError| Failure::configuration(error.to_string());
        let bundle = files::read("the bundle", &self.bundle, LIMIT)?;
        let root = match &self.trusted_root {
            None => SigstoreRoot::public_good(),
            Some(path) => {
                SigstoreRoot::parse(&path.display().to_string(), &files::read("the trusted root", path, LIMIT)?)
            }
        }
        .map_err(unusable)?;
        let key = match &self.key {
            None => None,
            Some(path) => {
                let pem = files::read("the key", path, LIMIT)?;
                // A key that cannot verify has not signed: that is an answer.
                let unsigned = |error: trust::MaterialError| Failure::new(Exit::Blocked, format!("refused: {error}"));
                Some(PublicKey::from_pem(&path.display().to_string(), &pem).map_err(unsigned)?)
            }
        };
        let expected = match (&key, &self.certificate_identity, &self.certificate_oidc_issuer) {
            (Some(key), None, None) => Expected::Key(key),
            (None, Some(identity), Some(issuer)) => Expected::Identity { identity, issuer },
            _ => {
                return Err(Failure::usage(
                    "give either --key, or --certificate-identity and --certificate-oidc-issuer",
                ));
            }
        };
        let digest: Result<Digest, _> = self.artifact.parse();
        let question = Conformance { bundle: &bundle, expected, root: &root };
        let answer = match digest {
            Ok(digest) => question.verify_digest(&digest),
            Err(_) => question.verify(&files::read("the artifact", Path::new(&self.artifact), ARTIFACT)?),
        };
        match answer {
            Ok(()) => {
                ui.say("verified");
                Ok(Exit::Allowed)
            }
            Err(ConformanceError::Refused(why)) => Err(Failure::new(Exit::Blocked, format!("refused: {why}"))),
            Err(ConformanceError::Undecided(why)) => Err(Failure::configuration(format!("cannot be decided: {why}"))),
        }
    }
}
