//! What the service is set up with, checked as a whole: what would be open to strangers does not start (S36).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::{
    AttachSettings, Bundle, GateSettings, IdentitySettings, Metrics, NoticeTarget, Pace, Reach, RegistrySettings, Teams,
};
use server::{AdminToken, Limits, PerClient, RunSettings, Settings, TlsFiles, Token, admin_token};

use super::admission::AdmissionSetup;
use super::{identities, notifications, teams};
use crate::clock::now;
use crate::config::{self, Config, LogFormat, Time};
use crate::database;
use crate::failure::Failure;
use crate::policies;
use crate::registry::RegistryArgs;
use crate::signing;

const LISTEN: &str = "127.0.0.1:8181";
const ORIGIN: &str = "ecr-gate.local";
/// Requests a second of one client, beyond loopback.
const RATE: u32 = 500;

/// The service, set up.
#[derive(Debug)]
pub(super) struct Setup {
    pub listen: SocketAddr,
    pub database: String,
    pub tls: Option<TlsFiles>,
    pub admin: Option<AdminToken>,
    pub anonymous_reads: bool,
    pub admission: Option<AdmissionSetup>,
    pub log_format: Option<LogFormat>,
    pub log_level: Option<String>,
    tokens: Vec<Token>,
    identities: IdentitySettings,
    two_people: bool,
    teams: Teams,
    notifications: Vec<NoticeTarget>,
    registries: RegistrySettings,
    reach: Reach,
    policy: Option<Bundle>,
    attach: Option<Arc<AttachSettings>>,
    audit_key: PathBuf,
    origin: String,
    limits: Limits,
    collecting: usize,
    lease: Duration,
    fresh: Duration,
    pace: Pace,
    start_scans: bool,
    delay: Duration,
    finish_within: Duration,
}

impl Setup {
    /// Checks everything, then makes the data folder and, if nobody gave tokens, the first one.
    pub(super) fn of(config: Config, flags: RegistrySettings) -> Result<Self, Failure> {
        let listen = address(config.listen.as_deref().unwrap_or(LISTEN))?;
        let tokens = config.auth.tokens.iter().map(identities::token).collect::<Result<Vec<_>, _>>()?;
        let identities = identities::identities(&config.identities)?;
        let teams = teams::teams(&config.teams)?;
        let notifications = notifications::targets(&config.notifications)?;
        let knows_others = !identities.issuers.is_empty() || !identities.certificates.is_empty();
        let anonymous_reads = safe(listen, &config, tokens.is_empty() && !knows_others)?;
        let clients = config.identities.client_ca.clone();
        if !clients.is_empty() && config.tls.is_none() {
            return Err(Failure::configuration("identities.clientCa: certificates of clients come over TLS alone")
                .hint("give `tls` with the gate's own certificate"));
        }
        let admission = config.admission.clone().map(|one| AdmissionSetup::of(one, config.tls.as_ref())).transpose()?;
        let registries = registries(&config.registries, flags)?;
        let reach = reach(listen, &config)?;
        let limits = limits(&config.limits, listen.ip().is_loopback())?;
        let policy = (!config.policy.is_empty()).then(|| policies::bundle(&config.policy)).transpose()?;
        let folder = database::folder(config.data_dir)?;
        database::make(&folder)?;
        // Where others vouch for people, the first of them is let in by `ecr-gate admin bootstrap` (S36).
        let admin = if tokens.is_empty() && !knows_others { Some(first_token(&folder)?) } else { None };
        let time = |time: Option<Time>, usual: u64| time.map_or(Duration::from_secs(usual), |Time(time)| time);
        let pace = pace(time(config.scans.poll_interval, 15), time(config.scans.call_timeout, 30))?;
        Ok(Self {
            listen,
            database: database::url(config.database.url, &folder),
            tls: config.tls.map(|config::Tls { certificate, key }| TlsFiles { certificate, key, clients }),
            tokens: admin.iter().map(|admin| admin.token.clone()).chain(tokens).collect(),
            admin,
            two_people: config.governance.two_people.unwrap_or(knows_others),
            identities,
            teams,
            notifications,
            anonymous_reads,
            admission,
            log_format: config.log.format,
            log_level: config.log.level,
            registries,
            reach,
            policy,
            attach: config.attach.map(attach).transpose()?.map(Arc::new),
            audit_key: config.audit.key.unwrap_or_else(|| folder.join("audit.key")),
            origin: config.audit.origin.unwrap_or_else(|| ORIGIN.to_owned()),
            collecting: config.limits.collecting.unwrap_or(64),
            lease: time(config.limits.lease, 1),
            fresh: time(config.scans.fresh, 60),
            pace,
            start_scans: config.scans.start.unwrap_or(true),
            limits,
            delay: time(config.shutdown.delay, 0),
            finish_within: time(config.shutdown.finish_within, 25),
        })
    }

    pub(super) fn gate(&self, metrics: Metrics) -> GateSettings {
        GateSettings {
            registries: self.registries.clone(),
            reach: self.reach.clone(),
            policy: self.policy.clone(),
            identities: self.identities.clone(),
            two_people: self.two_people,
            knows_people: self.knows_people(),
            attach: self.attach.clone(),
            teams: self.teams.clone(),
            notifications: self.notifications.clone(),
            longest_wait: self.limits.longest_wait,
            fresh: self.fresh,
            pace: self.pace,
            start_scans: self.start_scans,
            collecting: self.collecting,
            lease: self.lease,
            metrics,
            ..GateSettings::new(self.audit_key.clone(), self.origin.clone(), now)
        }
    }

    /// S29: whether there may be a second person, whom the gate can tell from the first.
    fn knows_people(&self) -> bool {
        let persons: BTreeSet<_> = self.tokens.iter().filter_map(|token| token.actor.person.as_deref()).collect();
        !self.identities.issuers.is_empty() || !self.identities.certificates.is_empty() || persons.len() > 1
    }

    pub(super) fn api(&self, metrics: Metrics) -> Settings {
        Settings {
            tokens: self.tokens.clone(),
            anonymous_reads: self.anonymous_reads,
            limits: self.limits.clone(),
            metrics,
            now,
        }
    }

    pub(super) fn run(&self) -> RunSettings {
        RunSettings { delay: self.delay, finish_within: self.finish_within, ..RunSettings::default() }
    }
}

/// A2: looks that are closer are throttled by ECR; a stand-in for it takes them.
fn pace(poll_interval: Duration, call_timeout: Duration) -> Result<Pace, Failure> {
    let stand_in = engine::endpoint_override().is_some();
    let floor = if stand_in { Duration::ZERO } else { Duration::from_secs(10) };
    if poll_interval < floor {
        return Err(Failure::usage("`scans.pollInterval` is under 10s, which ECR throttles").hint(
            "shorter intervals are accepted only together with an endpoint override such as AWS_ENDPOINT_URL_ECR",
        ));
    }
    // Long enough for a second look, which the scans of Amazon Inspector need.
    let timeout = (poll_interval * 3).max(Duration::from_secs(20));
    Ok(Pace { timeout, call_timeout, poll_interval, floor, seed: 0 })
}

/// The key that signs decisions; a file is read now.
fn attach(attach: config::Attach) -> Result<AttachSettings, Failure> {
    let config::Attach { key, verifier_id } = attach;
    if !signing::is_uri(&verifier_id) {
        return Err(Failure::configuration(format!("attach.verifierId: {verifier_id:?} is no URI"))
            .hint("such as https://gate.example.com: whoever reads summaries tells verifiers apart by it"));
    }
    let key = signing::signing_key(&key)?;
    Ok(AttachSettings { key, verifier: verifier_id, version: env!("CARGO_PKG_VERSION").to_owned() })
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Failure> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map_err(|_| {
        Failure::usage(format!("{text:?} is no address to listen on"))
            .hint("write address and port, such as 127.0.0.1:8181 or [::1]:8181; 0.0.0.0:8443 for every network")
    })
}

/// S36: beyond this machine only with a certificate and with tokens. Says whether reading needs no token.
fn safe(listen: SocketAddr, config: &Config, without_tokens: bool) -> Result<bool, Failure> {
    if listen.ip().is_loopback() {
        return Ok(config.auth.anonymous_reads.unwrap_or(without_tokens));
    }
    if config.tls.is_none() {
        return Err(Failure::configuration(format!("{listen} can be reached by others, and there is no certificate"))
            .hint("give --tls-certificate and --tls-key, or listen on 127.0.0.1 behind something that speaks TLS"));
    }
    if without_tokens {
        return Err(Failure::configuration(format!("{listen} can be reached by others, and nobody is known to it"))
            .hint("give `auth.tokens` in the configuration: a name, a role, and the SHA-256 of the token; or `identities`"));
    }
    if config.auth.anonymous_reads == Some(true) {
        return Err(Failure::configuration(format!(
            "{listen} can be reached by others: auth.anonymousReads is for loopback"
        ))
        .hint("give readers a token with the role read"));
    }
    Ok(false)
}

/// What the configuration says, and the flags besides.
fn registries(config: &config::Registries, flags: RegistrySettings) -> Result<RegistrySettings, Failure> {
    let of_file = RegistryArgs {
        insecure_registry: config.insecure.clone(),
        registry_ca: config.authorities.clone(),
        registry_mirror: config.mirrors.clone(),
        token_realm: config.token_realms.clone(),
    };
    let mut settings = of_file.settings()?;
    settings.insecure.extend(flags.insecure);
    settings.authorities.extend(flags.authorities);
    settings.mirrors.extend(flags.mirrors);
    settings.token_realms.extend(flags.token_realms);
    Ok(settings)
}

/// S37: whoever configures a service says which registries it asks. Without a file and on loopback alone it asks what it is asked for, like a check.
fn reach(listen: SocketAddr, config: &Config) -> Result<Reach, Failure> {
    let config::Registries { allowed, networks, .. } = &config.registries;
    if !allowed.is_empty() {
        return Reach::listed(allowed, networks).map_err(|why| {
            Failure::configuration(format!("registries: {why}"))
                .hint("`allowed` has hosts as in image references, such as ghcr.io, `networks` has CIDR blocks")
        });
    }
    let list = "list them: `registries: { allowed: [ghcr.io, \"*.dkr.ecr.eu-west-1.amazonaws.com\"] }`, or ECR_GATE_ALLOWED_REGISTRIES";
    if !listen.ip().is_loopback() {
        let what = format!(
            "{listen} can be reached by others, and `registries.allowed` does not say which registries are asked"
        );
        return Err(Failure::configuration(what).hint(list));
    }
    if let Some(file) = &config.file {
        let what = format!("{}: `registries.allowed` does not say which registries are asked", file.display());
        return Err(Failure::configuration(what).hint(list));
    }
    if !networks.is_empty() {
        return Err(
            Failure::configuration("`registries.networks` is about registries that are listed, and none is").hint(list)
        );
    }
    Ok(Reach::OffTheLink)
}

fn limits(config: &config::Limits, loopback: bool) -> Result<Limits, Failure> {
    let zero = [
        config.concurrency == Some(0),
        config.collecting == Some(0),
        config.client_rate == Some(0),
        config.client_burst == Some(0),
    ];
    if zero.contains(&true) {
        return Err(Failure::configuration("limits: a bound of 0 lets nothing through"));
    }
    let usual = Limits::default();
    let rate = config.client_rate.or((!loopback).then_some(RATE));
    let per_client = rate
        .map(|per_second| PerClient { per_second, burst: config.client_burst.unwrap_or(per_second.saturating_mul(2)) });
    Ok(Limits {
        longest_wait: config.longest_wait.map_or(usual.longest_wait, |Time(time)| time),
        request: config.request_timeout.map_or(usual.request, |Time(time)| time),
        concurrency: config.concurrency.unwrap_or(usual.concurrency),
        per_client,
        ..usual
    })
}

fn first_token(folder: &Path) -> Result<AdminToken, Failure> {
    admin_token(folder).map_err(|error| {
        Failure::configuration(format!("the token in {} cannot be used: {error}", folder.join("admin.token").display()))
    })
}

/// A database URL as it may be shown: without its password, and without parameters, which may hold one.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{name}@{host}/{path}")
        }
        None => url.to_owned(),
    }
}
