//! A variable for each key of the configuration. Lists are written with commas; files of `ECR_GATE_POLICY` with colons, as everywhere.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum as _;

use super::{Attach, Config, LogFormat, Role, Tls, TokenEntry};
use crate::env::{self, Variable};
use crate::failure::Failure;

/// Puts what the variables say over the configuration.
pub(super) fn over(config: &mut Config) -> Result<(), Failure> {
    text(env::LISTEN, &mut config.listen);
    path(env::DATA_DIR, &mut config.data_dir);
    text(env::DATABASE_URL, &mut config.database.url);
    if let Some(files) = env::POLICY.get() {
        config.policy = files.split(':').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    }
    tls(config)?;
    tokens(config)?;
    value(env::ANONYMOUS_READS, &mut config.auth.anonymous_reads)?;
    list(env::ALLOWED_REGISTRIES, &mut config.registries.allowed);
    list(env::REGISTRY_NETWORKS, &mut config.registries.networks);
    list(env::INSECURE_REGISTRIES, &mut config.registries.insecure);
    list(env::REGISTRY_AUTHORITIES, &mut config.registries.authorities);
    list(env::REGISTRY_MIRRORS, &mut config.registries.mirrors);
    list(env::TOKEN_REALMS, &mut config.registries.token_realms);
    value(env::START_SCAN, &mut config.scans.start)?;
    value(env::POLL_INTERVAL, &mut config.scans.poll_interval)?;
    value(env::CALL_TIMEOUT, &mut config.scans.call_timeout)?;
    value(env::FRESH, &mut config.scans.fresh)?;
    attach(config)?;
    path(env::AUDIT_KEY, &mut config.audit.key);
    text(env::AUDIT_ORIGIN, &mut config.audit.origin);
    let limits = &mut config.limits;
    value(env::LONGEST_WAIT, &mut limits.longest_wait)?;
    value(env::REQUEST_TIMEOUT, &mut limits.request_timeout)?;
    value(env::CONCURRENCY, &mut limits.concurrency)?;
    value(env::COLLECTING, &mut limits.collecting)?;
    value(env::LEASE, &mut limits.lease)?;
    value(env::CLIENT_RATE, &mut limits.client_rate)?;
    value(env::CLIENT_BURST, &mut limits.client_burst)?;
    value(env::SHUTDOWN_DELAY, &mut config.shutdown.delay)?;
    value(env::FINISH_WITHIN, &mut config.shutdown.finish_within)?;
    text(env::LOG, &mut config.log.level);
    if let Some(format) = env::LOG_FORMAT.get() {
        config.log.format =
            Some(LogFormat::from_str(&format, true).map_err(|_| wrong(env::LOG_FORMAT, "`text` or `json`"))?);
    }
    Ok(())
}

/// A key and a name go together.
fn attach(config: &mut Config) -> Result<(), Failure> {
    let (key, verifier_id) = (env::ATTACH_KEY.get(), env::ATTACH_VERIFIER_ID.get());
    if key.is_none() && verifier_id.is_none() {
        return Ok(());
    }
    let before = config.attach.take();
    let key = key.or_else(|| before.as_ref().map(|attach| attach.key.clone()));
    let verifier_id = verifier_id.or_else(|| before.map(|attach| attach.verifier_id));
    let (Some(key), Some(verifier_id)) = (key, verifier_id) else {
        return Err(wrong(
            env::ATTACH_KEY,
            format!("it goes with {}, and there is only one of them", env::ATTACH_VERIFIER_ID.name),
        ));
    };
    config.attach = Some(Attach { key, verifier_id });
    Ok(())
}

fn wrong(variable: Variable, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", variable.name))
}

fn text(variable: Variable, place: &mut Option<String>) {
    if let Some(text) = variable.get() {
        *place = Some(text);
    }
}

fn path(variable: Variable, place: &mut Option<PathBuf>) {
    if let Some(text) = variable.get() {
        *place = Some(text.into());
    }
}

fn value<T: FromStr>(variable: Variable, place: &mut Option<T>) -> Result<(), Failure>
where
    T::Err: std::fmt::Display,
{
    if let Some(text) = variable.get() {
        *place = Some(text.parse().map_err(|error| wrong(variable, error))?);
    }
    Ok(())
}

fn list<T: From<String>>(variable: Variable, place: &mut Vec<T>) {
    if let Some(text) = variable.get() {
        *place = text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).map(T::from).collect();
    }
}

fn tls(config: &mut Config) -> Result<(), Failure> {
    let (certificate, key) = (env::TLS_CERTIFICATE.get(), env::TLS_KEY.get());
    let of_file = config.tls.take().map(|tls| (tls.certificate, tls.key)).unzip();
    config.tls = match (certificate.map(PathBuf::from).or(of_file.0), key.map(PathBuf::from).or(of_file.1)) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
        _ => {
            let both = format!("{} and {} belong together", env::TLS_CERTIFICATE.name, env::TLS_KEY.name);
            return Err(Failure::usage(both));
        }
    };
    Ok(())
}

/// `NAME:ROLE:SHA256`, several with commas.
fn tokens(config: &mut Config) -> Result<(), Failure> {
    let Some(text) = env::TOKENS.get() else { return Ok(()) };
    let token = |entry: &str| {
        let mut parts = entry.trim().rsplitn(3, ':');
        let (sha256, role, name) = (parts.next()?, parts.next()?, parts.next()?);
        let role = match role {
            "read" => Role::Read,
            "write" => Role::Write,
            "admin" => Role::Admin,
            _ => return None,
        };
        Some(TokenEntry {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            role: Some(role),
            grants: Vec::new(),
            person: None,
        })
    };
    let tokens: Option<Vec<TokenEntry>> = text.split(',').filter(|entry| !entry.trim().is_empty()).map(token).collect();
    config.auth.tokens =
        tokens.ok_or_else(|| wrong(env::TOKENS, "each is NAME:ROLE:SHA256, with the role read, write or admin"))?;
    Ok(())
}
