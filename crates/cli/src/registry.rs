//! How registries are spoken to: the flags that every command shares which asks one.

use std::path::PathBuf;

use engine::{RegistryAccess, RegistrySettings};

use crate::clock::now;
use crate::failure::Failure;
use crate::files;

/// The largest certificate file that is read.
const LIMIT: usize = 4 << 20;

/// Settings for registries. Credentials come from the AWS chain for ECR, from the Docker configuration for others.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArgs {
    /// Speak plain http to this registry host (with port); never guessed, not even for loopback
    #[arg(long, value_name = "HOST")]
    pub insecure_registry: Vec<String>,
    /// Certificate authorities in PEM form, besides those of the machine
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Vec<PathBuf>,
    /// Ask this mirror first for manifests and blobs of a host; digests are checked
    #[arg(long, value_name = "HOST=MIRROR")]
    pub registry_mirror: Vec<String>,
    /// A host that may hand out tokens for registries that are not its own
    #[arg(long, value_name = "HOST")]
    pub token_realm: Vec<String>,
}

impl RegistryArgs {
    /// Reads the files and puts the settings together. Nothing is asked of a registry yet.
    pub(crate) fn access(&self) -> Result<RegistryAccess, Failure> {
        Ok(RegistryAccess::new(self.settings()?, now()))
    }

    /// The settings alone.
    pub(crate) fn settings(&self) -> Result<RegistrySettings, Failure> {
        let mut settings = RegistrySettings {
            insecure: self.insecure_registry.clone(),
            token_realms: self.token_realm.clone(),
            ..RegistrySettings::default()
        };
        for path in &self.registry_ca {
            settings.authorities.push(files::read("the certificate file", path, LIMIT)?);
        }
        for text in &self.registry_mirror {
            match text.split_once('=') {
                Some((host, mirror)) if !host.is_empty() && !mirror.is_empty() => {
                    settings.mirrors.push((host.to_owned(), mirror.to_owned()));
                }
                _ => {
                    return Err(Failure::usage(format!("--registry-mirror: {text:?} is not HOST=MIRROR"))
                        .hint("such as docker.io=mirror.example.com"));
                }
            }
        }
        Ok(settings)
    }
}
