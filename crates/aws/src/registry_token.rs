//! Logging in to private registries of Amazon ECR: `GetAuthorizationToken`, as a source of [`Credentials`].
//!
//! A token is good for every registry of its region that the identity may read, for 12 hours; it is kept until half an
//! hour before its end, and fetched by one caller at a time. A token whose end is already past (stand-ins for ECR give
//! such) is good for one login. Nobody is anonymous at ECR: without an AWS identity there is an error, never a request
//! without one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{EcrHost, EcrHostError, Timestamp};
use registry::{BoxFuture, Credential, CredentialError, Credentials, Secret};

use crate::connect::{Ecr, Target};
use crate::failure::{Failure, FailureKind, call};

const OPERATION: &str = "GetAuthorizationToken";
/// The last part of a token's life, in which it is not handed out: what begins with it shall end with it.
const MARGIN: Duration = Duration::from_mins(30);
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The pauses after which AWS is asked again when it throttles or fails.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// The AWS identity as a login for private registries of Amazon ECR.
pub struct RegistryTokens {
    connect: Connect,
    /// What the wall clock said when the monotonic one stood at the second.
    began: (Timestamp, Instant),
    slots: Mutex<BTreeMap<Place, Slot>>,
}

/// Prepares a client for an endpoint of ECR.
type Connect = Box<dyn Fn(Target) -> BoxFuture<'static, Ecr> + Send + Sync>;
/// The token of one endpoint; who fetches it holds the lock.
type Slot = Arc<tokio::sync::Mutex<Kept>>;

/// One endpoint of ECR: a token is good for all registries behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    region: String,
    fips: bool,
    dual_stack: bool,
}

#[derive(Default)]
struct Kept {
    ecr: Option<Ecr>,
    token: Option<Token>,
}

#[derive(Clone)]
struct Token {
    credential: Credential,
    came: Instant,
    /// Until when it is handed out again.
    fresh_until: Instant,
}

impl fmt::Debug for RegistryTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryTokens").finish_non_exhaustive()
    }
}

impl RegistryTokens {
    /// Logins by the standard chain of AWS credentials. `now` is the time at which this is called.
    pub fn new(now: Timestamp) -> Self {
        Self::with(now, Box::new(|target| Box::pin(Ecr::connect(target))))
    }

    fn with(now: Timestamp, connect: Connect) -> Self {
        Self { connect, began: (now, Instant::now()), slots: Mutex::default() }
    }

    async fn find(&self, host: &str, refresh: bool) -> Result<Credential, CredentialError> {
        let asked = Instant::now();
        let host = match host.parse::<EcrHost>() {
            Ok(host) => host,
            Err(EcrHostError::NotEcr(_) | EcrHostError::Public(_)) => return Ok(Credential::Anonymous),
            Err(error) => return Err(CredentialError::new(error.to_string()).hint("Check the host of the image.")),
        };
        let place = Place { region: host.region.clone(), fips: host.fips, dual_stack: host.dual_stack };
        let slot = Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default());
        let mut kept = slot.lock().await;
        // A token that came while this caller waited is new enough also for one whose token was refused.
        let usable = |token: &&Token| token.came >= asked || (!refresh && Instant::now() < token.fresh_until);
        if let Some(token) = kept.token.as_ref().filter(usable) {
            return Ok(token.credential.clone());
        }
        kept.token = None;
        let ecr = if let Some(ecr) = &kept.ecr {
            ecr.clone()
        } else {
            let ecr = (self.connect)(target(&host)).await;
            kept.ecr.insert(ecr).clone()
        };
        let token = self.fetch(&ecr).await.map_err(|failure| told(&failure))?;
        Ok(kept.token.insert(token).credential.clone())
    }

    /// Asks AWS, a few times if it fails for a passing reason: nobody behind this asks again.
    async fn fetch(&self, ecr: &Ecr) -> Result<Token, Failure> {
        let mut pauses = PAUSES.iter();
        loop {
            match (self.ask(ecr).await, pauses.next()) {
                (Err(failure), Some(pause)) if failure.is_transient() => tokio::time::sleep(*pause).await,
                (answer, _) => return answer,
            }
        }
    }

    async fn ask(&self, ecr: &Ecr) -> Result<Token, Failure> {
        let called = async { call!(ecr, OPERATION, ecr.client.get_authorization_token()) };
        let Ok(answer) = tokio::time::timeout(TIMEOUT, called).await else {
            let message = format!("no answer within {} s", TIMEOUT.as_secs());
            return Err(Failure::new(OPERATION, &ecr.target, FailureKind::Network, message));
        };
        let malformed = |what| Failure::new(OPERATION, &ecr.target, FailureKind::Malformed, what);
        let data = answer?.authorization_data.unwrap_or_else(Vec::new).into_iter().next();
        let data = data.ok_or_else(|| malformed("the answer holds no token"))?;
        let token = data.authorization_token.ok_or_else(|| malformed("the answer holds no token"))?;
        let pair = STANDARD.decode(token.trim()).map_err(|_| malformed("the token is not base64"))?;
        let pair = String::from_utf8(pair).map_err(|_| malformed("the token is no text"))?;
        let (username, password) = pair.split_once(':').ok_or_else(|| malformed("the token is not USER:PASSWORD"))?;
        if username.is_empty() || password.is_empty() {
            return Err(malformed("the token has no user or no password"));
        }
        let came = Instant::now();
        let left = data.expires_at.map_or(Duration::ZERO, |end| self.until(end.secs()));
        Ok(Token {
            credential: Credential::Basic { username: username.to_owned(), password: Secret::new(password) },
            came,
            fresh_until: came + left.saturating_sub(MARGIN),
        })
    }

    /// How long it is until this second; nothing for one that is past, at most a day for any other.
    fn until(&self, second: i64) -> Duration {
        const DAY: Duration = Duration::from_hours(24);
        let (began, at) = self.began;
        let from_began =
            u64::try_from(second.saturating_sub(began.as_second())).map_or(Duration::ZERO, Duration::from_secs);
        from_began.saturating_sub(at.elapsed()).min(DAY)
    }
}

impl Credentials for RegistryTokens {
    fn for_host<'a>(&'a self, host: &'a str, refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(self.find(host, refresh))
    }
}

/// A token is no matter of one repository or account.
fn target(host: &EcrHost) -> Target {
    Target {
        account: None,
        region: host.region.clone(),
        repository: "*".to_owned(),
        fips: host.fips,
        dual_stack: host.dual_stack,
    }
}

/// The failure in the words of a login.
fn told(failure: &Failure) -> CredentialError {
    if failure.kind == FailureKind::AccessDenied {
        // This action knows no resource: a policy that names a repository for it does not work.
        return CredentialError::new(format!("ecr:{OPERATION} was refused: {}", failure.message))
            .hint(format!("Allow ecr:{OPERATION} on the resource \"*\" for the role of the job."));
    }
    let reason = failure.reason();
    CredentialError::new(reason.message).hint(reason.remedy)
}

#[cfg(test)]
mod tests;
