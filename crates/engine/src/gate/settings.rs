//! How the gate is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use registry::Reach;
use telemetry::Metrics;

use super::attaching::AttachSettings;
use super::identities::IdentitySettings;
use super::notices::NoticeTarget;
use super::policies::Bundle;
use super::teams::Teams;
use crate::pace::Pace;
use crate::place::RegistrySettings;

/// How the gate is set up. Everything that changes later is in the store.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// How registries are spoken to.
    pub registries: RegistrySettings,
    /// The registries that are asked at all, and at which addresses (S37).
    pub reach: Reach,
    /// The policy that comes into force at the start, unless it is already; `None`: what the store has, and the built-in one if it has none.
    pub policy: Option<Bundle>,
    /// The private key that signs checkpoints of the audit log: Ed25519, PKCS #8 PEM. Made if it is not there.
    pub audit_key: PathBuf,
    /// The log's name in its checkpoints (C2SP origin): a host name or URL without scheme.
    pub origin: String,
    /// Longest wait for a decision of one ask.
    pub longest_wait: Duration,
    /// What an ask that does not want to wait gets all the same: the time of a few requests.
    pub shortest_look: Duration,
    /// How long facts that may change (scans, referrers) are taken for what is so.
    pub fresh: Duration,
    /// How scans are waited for.
    pub pace: Pace,
    /// Whether the gate may start scans.
    pub start_scans: bool,
    /// How many asks are collected for at the same time.
    pub collecting: usize,
    /// How many images are looked at or wait for it. More are refused.
    pub flights: usize,
    /// How long an image that nobody waits for any more stays in line to be looked at.
    pub lingers: Duration,
    /// How many asks that nobody waits for are answered at the same time. More are refused.
    pub later: usize,
    /// How long answers may rest on changes read this long ago (S42).
    pub lease: Duration,
    /// Who signs decisions that are attached to images (S26); `None`: none are.
    pub attach: Option<Arc<AttachSettings>>,
    /// Whom the gate knows besides its own tokens.
    pub identities: IdentitySettings,
    /// S34: whether a second person confirms what comes into force for production.
    pub two_people: bool,
    /// S29: whether it knows people apart, so that exceptions in files of policies take a second person too.
    pub knows_people: bool,
    /// Whose which repositories are (S35).
    pub teams: Teams,
    /// Who is told of what.
    pub notifications: Vec<NoticeTarget>,
    /// Where everything is counted; whoever serves the gate counts there too.
    pub metrics: Metrics,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl GateSettings {
    /// What suits most gates.
    pub fn new(audit_key: PathBuf, origin: String, now: fn() -> Timestamp) -> Self {
        Self {
            registries: RegistrySettings::default(),
            reach: Reach::OffTheLink,
            policy: None,
            audit_key,
            origin,
            longest_wait: Duration::from_mins(10),
            shortest_look: Duration::from_secs(8),
            fresh: Duration::from_mins(1),
            pace: Pace {
                timeout: Duration::from_mins(1),
                call_timeout: Duration::from_secs(30),
                poll_interval: Duration::from_secs(15),
                floor: Duration::from_secs(10),
                seed: 0,
            },
            start_scans: true,
            collecting: 64,
            flights: 1024,
            lingers: Duration::from_secs(15),
            later: 1024,
            lease: Duration::from_secs(1),
            attach: None,
            identities: IdentitySettings::default(),
            two_people: false,
            knows_people: false,
            teams: Teams::default(),
            notifications: Vec::new(),
            metrics: Metrics::new(),
            now,
        }
    }
}
