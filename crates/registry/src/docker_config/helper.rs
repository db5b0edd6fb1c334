//! A credential helper: `docker-credential-NAME get`, the registry on its standard input, JSON on its standard output.
//! Bounded in time and output. What it says besides is not shown: it may hold what it should not.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::credentials::{Credential, CredentialError, Secret};

/// The largest answer that is read.
const MAX_BYTES: u64 = 64 << 10;
/// The user name by which a helper says that its secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// What every helper says when it has nothing for a registry.
const NOT_FOUND: &str = "credentials not found";

/// A helper by its program.
pub(super) struct Helper {
    program: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    /// A helper of this name, as the file at `path` gives it.
    pub(super) fn new(name: &str, path: &Path) -> Result<Self, CredentialError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.len() > 64 || !name.bytes().all(is_word) || name.starts_with('.') {
            return Err(CredentialError::new(format!(
                "{} names a credential helper that is no word of letters, digits, `-`, `_` and `.`",
                path.display()
            )));
        }
        Ok(Self { program: format!("docker-credential-{name}") })
    }

    #[cfg(test)]
    pub(super) fn at(program: &str) -> Self {
        Self { program: program.to_owned() }
    }

    /// What the helper has for a registry; `None` if it has nothing.
    pub(super) async fn get(&self, server: &str, timeout: Duration) -> Result<Option<Credential>, CredentialError> {
        let within = tokio::time::timeout(timeout, self.run(server)).await;
        let Ok(ran) = within else {
            return Err(self.failed(&format!("it has not answered within {} s", timeout.as_secs_f32())));
        };
        let (succeeded, output) = ran?;
        if !succeeded {
            let output = String::from_utf8_lossy(&output).to_ascii_lowercase();
            return if output.contains(NOT_FOUND) {
                Ok(None)
            } else {
                Err(self.failed(&format!("it has failed for {server}")))
            };
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(&output) else {
            return Err(self.failed("its answer is not the JSON of a credential helper"));
        };
        let secret = Secret::new(answer.secret);
        Ok(match answer.username.as_str() {
            _ if secret.expose().is_empty() => None,
            TOKEN_USER => Some(Credential::IdentityToken(secret)),
            _ => Some(Credential::Basic { username: answer.username, password: secret }),
        })
    }

    /// Whether it ended well, and its standard output.
    async fn run(&self, server: &str) -> Result<(bool, Vec<u8>), CredentialError> {
        let child = Command::new(&self.program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => self.failed("it is not on the PATH"),
            _ => self.failed(&format!("it cannot be started: {error}")),
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper may end without reading; what counts is its answer.
            let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(MAX_BYTES + 1).read_to_end(&mut output).await;
            read.map_err(|error| self.failed(&format!("its answer cannot be read: {error}")))?;
        }
        if output.len() as u64 > MAX_BYTES {
            return Err(self.failed(&format!("its answer has more than {MAX_BYTES} bytes")));
        }
        let status = child.wait().await.map_err(|error| self.failed(&error.to_string()))?;
        Ok((status.success(), output))
    }

    fn failed(&self, why: &str) -> CredentialError {
        let program = &self.program;
        CredentialError::new(format!("the credential helper {program} gave nothing: {why}")).hint(format!(
            "Try `echo HOST | {program} get`; install it, or take it out of the Docker configuration and log in again."
        ))
    }
}
