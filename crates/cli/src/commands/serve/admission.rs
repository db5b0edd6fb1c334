//! Admission, from the words of the configuration to what the server asks. What is wrong with it is found before anything listens.

use std::net::SocketAddr;
use std::time::Duration;

use engine::ClaimPattern;
use model::ImageReference;
use server::TlsFiles;
use server::admission::{
    AdmissionSettings, BreakGlassRights, CustomKind, Environments, GroupKind, Kinds, NamespaceRule, OwnImages, Paths,
    Tags,
};

use super::setup::address;
use crate::config;
use crate::config::{Admission, BreakGlass, KindEntry, Time};
use crate::failure::Failure;

/// Reviews that are worked on at the same time.
const CONCURRENCY: usize = 512;
/// The longest that an override by annotation may last at all (S31).
const LONGEST: Duration = Duration::from_hours(24);
/// The controllers of Kubernetes: they run in `kube-system`, and an API server authenticates them.
const CONTROLLERS: [&str; 2] = ["system:serviceaccount:kube-system:*", "system:kube-controller-manager"];

/// Admission, set up.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionSetup {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) settings: AdmissionSettings,
}

impl AdmissionSetup {
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn of(config: Admission, usual: Option<&config::Tls>) -> Result<Self, Failure> {
        let listen = address(&config.listen)?;
        let tls = config.tls.as_ref().or(usual);
        if tls.is_none() && !listen.ip().is_loopback() {
            return Err(wrong(&format!("{listen} can be reached by others, and there is no certificate"))
                .hint("API servers speak HTTPS alone: give `admission.tls` or `tls`"));
        }
        if tls.is_none() && !config.client_ca.is_empty() {
            return Err(wrong("certificates of clients come over TLS alone").hint("give `admission.tls` or `tls`"));
        }
        // S31: whoever reaches the port could write a review that says it is by anybody.
        if config.break_glass.is_some() && config.client_ca.is_empty() && !listen.ip().is_loopback() {
            return Err(wrong("breakGlass believes who wrote an object, and without `clientCa` anybody could say it")
                .hint("give `admission.clientCa` and let the API server show a certificate; or leave it out, and use `ecr-gate override grant`"));
        }
        let (cluster, clients) = (name("cluster", &config.cluster)?, config.client_ca);
        let tls = tls.map(|config::Tls { certificate, key }| TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            clients: clients.clone(),
        });
        let environments = config.namespaces.into_iter().map(|entry| {
            Ok(NamespaceRule {
                names: patterns("namespaces", &entry.names)?,
                environment: name("namespaces.environment", &entry.environment)?,
            })
        });
        let usual = || CONTROLLERS.map(str::to_owned).to_vec();
        let concurrency = config.concurrency.unwrap_or(CONCURRENCY);
        if concurrency == 0 {
            return Err(wrong("a concurrency of 0 lets nothing through"));
        }
        let settings = AdmissionSettings {
            cluster,
            environments: Environments { rules: environments.collect::<Result<_, Failure>>()? },
            tags: match config.tags {
                config::Tags::Off => Tags::Off,
                config::Tags::Pods => Tags::Pods,
                config::Tags::All => Tags::All,
            },
            own: config.own.as_ref().map(own).transpose()?,
            kinds: kinds(config.kinds)?,
            break_glass: config.break_glass.map(break_glass).transpose()?,
            controllers: patterns("controllers", &config.controllers.unwrap_or_else(usual))?,
            certificates_only: !clients.is_empty(),
            concurrency,
        };
        Ok(Self { listen, tls, settings })
    }
}

fn wrong(why: &str) -> Failure {
    Failure::configuration(format!("admission: {why}"))
}

fn name(what: &str, text: &str) -> Result<String, Failure> {
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        return Err(wrong(&format!("{what} has 1 to 256 bytes without control characters")));
    }
    Ok(text.to_owned())
}

fn patterns(what: &str, texts: &[String]) -> Result<Vec<ClaimPattern>, Failure> {
    let parsed: Result<_, String> = texts.iter().map(|text| ClaimPattern::parse(text)).collect();
    parsed.map_err(|why| wrong(&format!("{what}: {why}")))
}

fn own(own: &config::Own) -> Result<OwnImages, Failure> {
    let images = own.images.iter().map(|text| {
        let image: ImageReference = text.parse().map_err(|error| wrong(&format!("self.images: {error}")))?;
        if image.host.is_none() || image.digest.is_none() {
            return Err(wrong(&format!("self.images: {image} names no registry or no digest"))
                .hint("what is let through unseen is named exactly: HOST/REPOSITORY@sha256:…"));
        }
        Ok(image)
    });
    Ok(OwnImages { namespace: name("self.namespace", &own.namespace)?, images: images.collect::<Result<_, _>>()? })
}

fn kinds(entries: Vec<KindEntry>) -> Result<Kinds, Failure> {
    let kinds = entries.into_iter().map(|entry| {
        let paths = match (entry.pod_spec, entry.images) {
            (Some(pointer), images) if images.is_empty() => Paths::PodSpec(vec![pointer]),
            (None, images) if !images.is_empty() => Paths::Images(images),
            _ => return Err(wrong(&format!("kinds: {} has either `podSpec` or `images`", entry.kind))),
        };
        let kind = GroupKind { group: entry.group, kind: entry.kind };
        Ok(CustomKind { kind, paths, optional: entry.optional })
    });
    Kinds::with(kinds.collect::<Result<_, _>>()?).map_err(|why| wrong(&format!("kinds: {why}")))
}

fn break_glass(config: BreakGlass) -> Result<BreakGlassRights, Failure> {
    let BreakGlass { users, groups, longest: Time(longest) } = config;
    if users.is_empty() && groups.is_empty() {
        return Err(wrong("breakGlass has neither `users` nor `groups`: nobody could ask"));
    }
    if longest.is_zero() || longest > LONGEST {
        return Err(wrong("breakGlass.longest is over 24h, or nothing"));
    }
    Ok(BreakGlassRights {
        users: patterns("breakGlass.users", &users)?,
        groups: patterns("breakGlass.groups", &groups)?,
        longest,
    })
}
