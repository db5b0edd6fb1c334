//! Keys that a person names on the command line: a file, or `awskms://…`. A password comes from the environment alone and
//! is never shown.

use std::path::Path;

use engine::{StatementKey, kms_key_name, kms_public_key};
use model::Reason;
use trust::{PublicKey, SigningKey};

use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// The largest key file that is read.
const LIMIT: usize = 64 << 10;
/// What the name of a key in AWS KMS begins with.
const KMS: &str = "awskms://";

/// A key to sign with. A file is read; nothing is asked of a key management service yet.
///
/// # Errors
/// It is no private key, or its password is missing or another one.
pub(crate) fn signing_key(text: &str) -> Result<StatementKey, Failure> {
    if is_kms(text)? {
        return Ok(StatementKey::Kms(text.to_owned()));
    }
    private_key(text, &files::read("the key", Path::new(text), LIMIT)?).map(StatementKey::File)
}

/// A key to verify with: the public key, or the public half of a private one.
///
/// # Errors
/// It is no key, or cannot be fetched.
pub(crate) async fn public_key(text: &str) -> Result<PublicKey, Failure> {
    if is_kms(text)? {
        let der = kms_public_key(text).await.map_err(refused)?;
        return PublicKey::from_der(text, &der).map_err(|error| refused(error.reason()));
    }
    let pem = files::read("the key", Path::new(text), LIMIT)?;
    if !is_private(&pem) {
        return PublicKey::from_pem(text, &pem).map_err(|error| unusable(&error.to_string()));
    }
    private_key(text, &pem)?.public().map_err(|error| unusable(&format!("the key {text}: {error}")))
}

fn private_key(text: &str, pem: &[u8]) -> Result<SigningKey, Failure> {
    if !is_private(pem) {
        let failure = Failure::configuration(format!("{text} is not a private key"));
        return Err(
            failure.hint("sign with the private key, such as ecr-gate.key; `ecr-gate keys generate` makes a pair")
        );
    }
    let password = env::key_password()?;
    SigningKey::from_pem(pem, password.as_deref().map(str::as_bytes))
        .map_err(|error| Failure::configuration(format!("the key {text}: {error}")))
}

/// True for the name of a key in a key management service.
///
/// # Errors
/// It is one of a service that is not supported, or is not written as the name of a key.
pub(crate) fn is_kms(text: &str) -> Result<bool, Failure> {
    match text.split_once("://") {
        Some(_) if text.starts_with(KMS) => {
            kms_key_name(text).map(|()| true).map_err(|reason| Failure::usage(reason.message).hint(reason.remedy))
        }
        Some((scheme, _)) => Err(Failure::usage(format!("keys at {scheme}:// are not supported"))
            .hint("give a file or awskms:///alias/NAME; of other services export the public key to a file")),
        None => Ok(false),
    }
}

/// True for what is written as a URI: a verifier's id.
pub(crate) fn is_uri(text: &str) -> bool {
    text.contains(':') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn is_private(pem: &[u8]) -> bool {
    pem.windows(b"PRIVATE KEY-----".len()).any(|window| window == b"PRIVATE KEY-----")
}

fn unusable(why: &str) -> Failure {
    Failure::configuration(why).hint("give a key in PEM form: `-----BEGIN PUBLIC KEY-----`")
}

/// A reason that left the command without its answer.
pub(crate) fn refused(reason: Reason) -> Failure {
    Failure::new(Exit::of_reason(reason.code), reason.message).hint(reason.remedy)
}
