//! What can go wrong with a registry, one variant per cause, and how each becomes a [`Reason`]. No message holds a secret
//! or the query of an address: what is shown is host, repository and what was asked for.

use std::time::Duration;

use model::{Digest, Reason, ReasonCode};

use crate::credentials::CredentialError;

/// Which registry and repository, and what was being done, such as `manifest 1.2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Host as image references name it.
    pub host: String,
    /// Repository; `None` for what concerns the whole registry.
    pub repository: Option<String>,
    /// What was asked for: `manifest 1.2`, `blob sha256:…`, `referrers of sha256:…`.
    pub what: String,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)?;
        if let Some(repository) = &self.repository {
            write!(f, "/{repository}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client's own settings cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The credentials could not be had.
    #[error("{asked}: no credentials: {source}")]
    Credentials {
        /// What was asked.
        asked: Asked,
        /// What the source says.
        source: CredentialError,
    },
    /// The registry names a token service that is not its own; nothing was sent there.
    #[error(
        "{asked}: the registry names {realm} as its token service, which is not its own; no credentials were sent there"
    )]
    ForeignRealm {
        /// What was asked.
        asked: Asked,
        /// Scheme, host and port of the token service.
        realm: String,
    },
    /// A host or an address that this client does not go to (S37).
    #[error("{asked}: not asked: {why}")]
    OutOfReach {
        /// What was asked.
        asked: Asked,
        /// Which host or address, and why not.
        why: String,
    },
    /// 401 or 403, after logging in anew.
    #[error("{asked}: refused ({status}){message}")]
    Denied {
        /// What was asked.
        asked: Asked,
        /// HTTP status.
        status: u16,
        /// What the registry says, starting with `: `; empty if nothing.
        message: String,
    },
    /// 404.
    #[error("{asked}: not there{message}")]
    NotFound {
        /// What was asked.
        asked: Asked,
        /// The code of the OCI error body, such as `MANIFEST_UNKNOWN`; `None` if the body was something else.
        code: Option<String>,
        /// What the registry says, starting with `: `; empty if nothing.
        message: String,
    },
    /// 429 or `TOOMANYREQUESTS`, until the repetitions or the time ran out.
    #[error("{asked}: too many requests{message}{}", wait(*.retry_after))]
    Throttled {
        /// What was asked.
        asked: Asked,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
        /// What the registry says, starting with `: `; empty if nothing.
        message: String,
    },
    /// The network or the registry failed, until the repetitions or the time ran out.
    #[error("{asked}: {cause}")]
    Unavailable {
        /// What was asked.
        asked: Asked,
        /// What failed.
        cause: String,
    },
    /// A refusal that fits nothing above.
    #[error("{asked}: the registry answered {status}{message}")]
    Refused {
        /// What was asked.
        asked: Asked,
        /// HTTP status.
        status: u16,
        /// The code of the OCI error body.
        code: Option<String>,
        /// What the registry says, starting with `: `; empty if nothing.
        message: String,
    },
    /// A redirect that is not followed.
    #[error("{asked}: the registry redirects {why}")]
    Redirect {
        /// What was asked.
        asked: Asked,
        /// Where to, without path and query, and why it is not followed.
        why: String,
    },
    /// The answer is not in the form of the API.
    #[error("{asked}: {why}")]
    Malformed {
        /// What was asked.
        asked: Asked,
        /// What was expected and what was seen.
        why: String,
    },
    /// The content is not the one that was asked for.
    #[error("{asked}: the content has the digest {found}, not {expected}")]
    DigestMismatch {
        /// What was asked.
        asked: Asked,
        /// What was asked for or announced.
        expected: Digest,
        /// What the bytes have.
        found: Digest,
    },
    /// Larger than the limit.
    #[error("{asked}: larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        asked: Asked,
        /// The limit.
        limit: u64,
    },
    /// The list of referrers could not be read to its end, so there is no list (S25).
    #[error("{asked}: the list cannot be read to its end: {why}")]
    ReferrersCut {
        /// What was asked.
        asked: Asked,
        /// What stopped it.
        why: String,
    },
    /// Somebody else kept writing the fallback tag at the same time.
    #[error("{asked}: the entry was pushed {attempts} times and is not in the list: others write it at the same time")]
    LostRace {
        /// What was asked.
        asked: Asked,
        /// How often it was tried.
        attempts: u32,
    },
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!("; it asks to wait {} s", wait.as_secs()))
}

impl Error {
    /// The reason code that stands for this error in judgements and exit codes.
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::Credentials { .. } | Self::ForeignRealm { .. } | Self::OutOfReach { .. } | Self::Denied { .. } => {
                ReasonCode::RegistryAccessDenied
            }
            Self::NotFound { .. } => ReasonCode::RegistryNotFound,
            Self::Throttled { .. } => ReasonCode::RegistryThrottled,
            Self::Setup(_) | Self::Unavailable { .. } | Self::Refused { .. } | Self::LostRace { .. } => {
                ReasonCode::RegistryUnavailable
            }
            Self::Redirect { .. } | Self::Malformed { .. } | Self::DigestMismatch { .. } => {
                ReasonCode::RegistryMalformed
            }
            Self::TooLarge { .. } => ReasonCode::RegistryTooLarge,
            Self::ReferrersCut { .. } => ReasonCode::RegistryReferrersCut,
        }
    }

    /// The reason for people: what happened, to what, and the next step.
    pub fn reason(&self) -> Reason {
        let reason = Reason::new(self.code(), self.to_string());
        match self {
            Self::Credentials { source: CredentialError { hint: Some(hint), .. }, .. } => reason.remedy(hint.as_str()),
            Self::ForeignRealm { .. } => reason.remedy(
                "If this token service is right, list its host among the token realms; if not, somebody changes the registry's answers.",
            ),
            Self::OutOfReach { .. } => reason.remedy(
                "The service asks registries of its `registries.allowed` alone, at public addresses and in `registries.networks`; whoever runs it adds to them.",
            ),
            _ => reason,
        }
    }

    /// What was asked, where there was a question.
    pub(crate) fn asked_mut(&mut self) -> Option<&mut Asked> {
        match self {
            Self::Setup(_) => None,
            Self::Credentials { asked, .. }
            | Self::ForeignRealm { asked, .. }
            | Self::OutOfReach { asked, .. }
            | Self::Denied { asked, .. }
            | Self::NotFound { asked, .. }
            | Self::Throttled { asked, .. }
            | Self::Unavailable { asked, .. }
            | Self::Refused { asked, .. }
            | Self::Redirect { asked, .. }
            | Self::Malformed { asked, .. }
            | Self::DigestMismatch { asked, .. }
            | Self::TooLarge { asked, .. }
            | Self::ReferrersCut { asked, .. }
            | Self::LostRace { asked, .. } => Some(asked),
        }
    }

    /// True if the registry said that what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// The registry's error inside an error of reading a stream ([`crate::BlobReader`]).
    pub fn of_io(error: &std::io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    /// The same as an error of reading a stream.
    pub(crate) fn into_io(self) -> std::io::Error {
        let kind = match &self {
            Self::Unavailable { .. } => std::io::ErrorKind::ConnectionAborted,
            _ => std::io::ErrorKind::InvalidData,
        };
        std::io::Error::new(kind, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked { host: "ghcr.io".into(), repository: Some("a/b".into()), what: "manifest 1".into() }
    }

    #[test]
    fn errors_say_where_and_what_and_carry_their_remedy() {
        let error =
            Error::Throttled { asked: asked(), retry_after: Some(Duration::from_secs(7)), message: String::new() };
        assert_eq!(error.to_string(), "ghcr.io/a/b: manifest 1: too many requests; it asks to wait 7 s");
        assert_eq!(error.reason().code, ReasonCode::RegistryThrottled);
        let source = CredentialError::new("docker-credential-x is not there").hint("Install it.");
        let error = Error::Credentials { asked: asked(), source };
        assert_eq!(error.reason().remedy, "Install it.");
        assert_eq!(error.code(), ReasonCode::RegistryAccessDenied);
    }

    #[test]
    fn an_error_survives_the_way_through_a_stream() {
        let error = Error::TooLarge { asked: asked(), limit: 3 };
        assert_eq!(Error::of_io(&error.clone().into_io()), Some(&error));
    }
}
