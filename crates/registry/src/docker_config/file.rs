//! One file of logins. No error repeats what is in it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::key;
use crate::credentials::{Credential, CredentialError, Secret};

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;
/// How podman says "the logins are in this very file".
const THE_FILE_ITSELF: &str = "containers-auth.json";

/// A file of logins.
pub(super) struct ConfigFile {
    path: PathBuf,
    document: Document,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    auths: Option<BTreeMap<String, Option<Login>>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl ConfigFile {
    /// Reads a file; `None` if it is not there.
    pub(super) async fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        let failed = |why: String| {
            CredentialError::new(format!("the logins in {} cannot be read: {why}", path.display()))
                .hint("Correct the file, or remove it and log in again (`docker login HOST`).")
        };
        let found = match tokio::fs::metadata(path).await {
            Ok(found) => found,
            // A part of the path that is no folder, such as HOME=/dev/null, holds no file either.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        if !found.is_file() {
            return if found.is_dir() { Err(failed("it is a folder".to_owned())) } else { Ok(None) };
        }
        let file = tokio::fs::File::open(path).await.map_err(|error| failed(error.to_string()))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).await.map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(failed(format!("it has more than {MAX_BYTES} bytes")));
        }
        // The words of the parser may hold a value, so only the place is told.
        let place = |error: serde_json::Error| {
            failed(format!("line {} column {} is not as it should be", error.line(), error.column()))
        };
        // A file that was made empty, as some installers do, holds no logins.
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let document = serde_json::from_slice(&bytes).map_err(place)?;
        Ok(Some(Self { path: path.to_owned(), document }))
    }

    /// The helper that keeps the login of this host.
    pub(super) fn helper(&self, host: &str) -> Option<&str> {
        let own = self.document.cred_helpers.as_ref().and_then(|helpers| key::entry(helpers, host));
        let name = own.or(self.document.creds_store.as_ref())?;
        Some(name.as_str()).filter(|name| !name.is_empty() && *name != THE_FILE_ITSELF)
    }

    /// The login that stands in the file.
    pub(super) fn login(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        let entries = self.document.auths.as_ref().and_then(|logins| key::entry(logins, host));
        let Some(login) = entries.and_then(Option::as_ref) else { return Ok(None) };
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = said(&login.identitytoken) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(token) = said(&login.registrytoken) {
            return Ok(Some(Credential::Bearer(Secret::new(token))));
        }
        if let Some(auth) = said(&login.auth) {
            let broken = || {
                CredentialError::new(format!(
                    "the login for {host} in {} is not base64 of USER:PASSWORD",
                    self.path.display()
                ))
                .hint(format!("Log in again: `docker login {host}`."))
            };
            let pair = STANDARD.decode(auth.trim()).map_err(|_| broken())?;
            let pair = String::from_utf8(pair).map_err(|_| broken())?;
            let (username, password) = pair.split_once(':').ok_or_else(broken)?;
            let password = Secret::new(password.trim_matches('\0'));
            return Ok(Some(Credential::Basic { username: username.to_owned(), password }));
        }
        let pair = said(&login.username).zip(said(&login.password));
        Ok(pair.map(|(username, password)| Credential::Basic { username, password: Secret::new(password) }))
    }
}
