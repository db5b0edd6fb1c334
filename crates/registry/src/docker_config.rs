//! Logins that Docker, podman and skopeo keep on this machine: `config.json` and `auth.json`, and the credential helpers
//! these name. Source: the reference of `docker login`, `containers-auth.json(5)`, the protocol of docker-credential-helpers.
//!
//! Nothing is cached here and nothing is written. A file that is not there is no error, one that cannot be understood is:
//! silence would look like a missing permission at the registry. Entries of `auth.json` for a namespace
//! (`quay.io/team`) are not used: a login is looked up by host.

mod chain;
mod file;
mod helper;
mod key;

use std::path::PathBuf;
use std::time::Duration;

pub use chain::Chain;

use crate::credentials::{BoxFuture, Credential, CredentialError, Credentials};
use file::ConfigFile;
use helper::Helper;

/// How long a credential helper may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

/// The logins on this machine.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    /// Where they may be, in the order in which they are asked.
    files: Vec<PathBuf>,
    timeout: Duration,
}

/// What the environment says about where logins are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// `REGISTRY_AUTH_FILE`: a file in the form of `auth.json`.
    pub registry_auth_file: Option<PathBuf>,
    /// `DOCKER_CONFIG`: the folder of `config.json`.
    pub docker_config: Option<PathBuf>,
    /// `HOME`, below which `.docker` is taken if `DOCKER_CONFIG` is not set.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, below which podman keeps `containers/auth.json`.
    pub runtime_dir: Option<PathBuf>,
}

impl Places {
    /// As the process was started.
    pub fn from_environment() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            docker_config: path("DOCKER_CONFIG"),
            home: path("HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
        }
    }

    fn files(self) -> Vec<PathBuf> {
        let docker = self.docker_config.or_else(|| self.home.map(|home| home.join(".docker")));
        let files = [
            self.registry_auth_file,
            docker.map(|folder| folder.join("config.json")),
            self.runtime_dir.map(|folder| folder.join("containers/auth.json")),
        ];
        files.into_iter().flatten().collect()
    }
}

impl DockerConfig {
    /// The logins at these places: `REGISTRY_AUTH_FILE`, then Docker's file, then podman's.
    pub fn new(places: Places) -> Self {
        Self { files: places.files(), timeout: HELPER_TIMEOUT }
    }

    /// The logins where the environment says they are.
    pub fn from_environment() -> Self {
        Self::new(Places::from_environment())
    }

    async fn find(&self, host: &str) -> Result<Credential, CredentialError> {
        for path in &self.files {
            let Some(file) = ConfigFile::read(path).await? else { continue };
            // What a helper does not know may stand in the file itself, from before the helper was set up.
            if let Some(name) = file.helper(host) {
                let helper = Helper::new(name, path)?;
                if let Some(credential) = helper.get(&key::server(host), self.timeout).await? {
                    return Ok(credential);
                }
            }
            if let Some(credential) = file.login(host)? {
                return Ok(credential);
            }
        }
        Ok(Credential::Anonymous)
    }
}

impl Credentials for DockerConfig {
    fn for_host<'a>(&'a self, host: &'a str, _refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(self.find(host))
    }
}

#[cfg(test)]
mod tests;
