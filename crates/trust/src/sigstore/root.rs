//! A trusted root, prepared: what it can verify, which logs it names, and which timestamp authorities.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use model::{Reason, ReasonCode};
use sigstore_verify::types::{SignatureBytes, TimestampToken, TsaAuthority};
use sigstore_verify::{Verifier, tsa};

use super::read::UnverifiedBundle;
use crate::material::SigstoreRoot;

/// A trusted root that can verify.
pub(crate) struct Root {
    pub(super) name: String,
    pub(super) digest: model::Digest,
    verifier: Arc<Verifier>,
    logs: BTreeSet<Vec<u8>>,
    authorities: Vec<TsaAuthority>,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Root {
    pub(crate) fn new(root: &SigstoreRoot) -> Self {
        let logs = root.root().tlogs.iter().map(|log| log.log_id.key_id.as_bytes().to_vec()).collect();
        Self {
            name: root.name().to_owned(),
            digest: root.digest().clone(),
            verifier: Arc::clone(root.verifier()),
            logs,
            authorities: root.root().tsa_authorities(),
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Whether it names every log that the bundle has an entry of.
    pub(super) fn knows_logs_of(&self, bundle: &UnverifiedBundle) -> bool {
        bundle.entries.iter().all(|entry| self.logs.contains(&entry.log))
    }
}

/// The names of the roots, for messages.
pub(super) fn names(roots: &[&Root]) -> String {
    roots.iter().map(|root| root.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// What RFC 3161 timestamps prove.
pub(super) enum Stamped {
    /// The moments, one for each timestamp.
    At(Vec<Timestamp>),
    /// There are timestamps, and no trusted root names any timestamp authority.
    NoAuthority,
}

/// Verifies every timestamp of a bundle against the authorities of the roots. One that none of them made is refused.
pub(super) fn timestamps(roots: &[&Root], bundle: &UnverifiedBundle) -> Result<Stamped, Reason> {
    let message = match &bundle.stamped {
        Some(bytes) => SignatureBytes::from_bytes(bytes),
        None => bundle.content.signature().clone(),
    };
    let authorities: Vec<_> = roots.iter().flat_map(|root| &root.authorities).collect();
    if authorities.is_empty() && !bundle.timestamps.is_empty() {
        return Ok(Stamped::NoAuthority);
    }
    let times = bundle.timestamps.iter().map(|token| timestamp(token, &message, &authorities));
    Ok(Stamped::At(times.collect::<Result<_, _>>()?))
}

fn timestamp(
    token: &TimestampToken,
    message: &SignatureBytes,
    authorities: &[&TsaAuthority],
) -> Result<Timestamp, Reason> {
    let mut why = None;
    for authority in authorities {
        match tsa::verify_timestamp_for_authority(token, message, authority) {
            Ok(time) => return Ok(time),
            // It is by this authority, at a time when it was not trusted: the most telling of all.
            Err(outside @ tsa::Error::TimestampOutsideValidity { .. }) => why = Some(outside.to_string()),
            Err(other) => why = why.or(Some(other.to_string())),
        }
    }
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let message = format!("a timestamp does not verify with any timestamp authority of the trusted roots{why}");
    Err(Reason::new(ReasonCode::SignatureTimestamp, message))
}
