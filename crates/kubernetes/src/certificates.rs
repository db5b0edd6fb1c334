//! The certificates of admission, made and renewed by the gate itself: an authority in one Secret, a certificate of it in another, and the authority in the
//! webhooks. Whoever runs it again after any interruption ends with the same; several at once do no harm, because each write names what it was read from.
//!
//! An authority is renewed with overlap: the next one is in the webhooks for a while before anything is signed by it, and the one before stays there until
//! nobody shows a certificate of it any more.

mod make;
mod plan;
mod secrets;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use serde_json::Value;

pub use self::plan::{Lifetimes, Step};

use self::make::Authority;
use self::plan::{Known, plan};
use self::secrets::{Authorities, Stored};
use crate::client::{Cluster, ClusterError};
use crate::x509::{believed, certificates, validity};

/// How often it is begun anew because somebody else was faster.
const ROUNDS: u32 = 10;

/// What is to be kept in order.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The namespace of the gate.
    pub namespace: String,
    /// The Service that API servers ask.
    pub service: String,
    /// Further names in the certificate.
    pub names: Vec<String>,
    /// The Secret with the authorities and their keys.
    pub authorities: String,
    /// The Secret with the certificate that the gate shows.
    pub certificate: String,
    /// The webhook configurations: those of both kinds with this name.
    pub webhooks: String,
    /// How long what lasts.
    pub lifetimes: Lifetimes,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Each step, in its order. Nothing: all was in order.
    pub steps: Vec<Step>,
    /// Webhook configurations whose authorities were changed.
    pub changed: Vec<String>,
    /// Those that are not there.
    pub missing: Vec<String>,
    /// When the authority ends.
    pub authority_ends: Timestamp,
    /// When the certificate ends.
    pub certificate_ends: Timestamp,
}

/// Why it could not be kept in order.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The API server gives no answer, or does not allow it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The chart did not make these Secrets: the gate shows a certificate of somebody else.
    #[error(
        "the gate in the namespace {namespace} does not show a certificate of its own: there is no Secret {secret} that the chart made"
    )]
    NotOurs {
        /// Where it was looked for.
        namespace: String,
        /// What is not there.
        secret: String,
    },
    /// A certificate cannot be made or read.
    #[error("a certificate cannot be made: {0}")]
    Making(String),
    /// Others change the same all the time.
    #[error("somebody else changes the certificates all the time")]
    Busy,
}

/// What was done until now, also where it was begun anew.
#[derive(Default)]
struct Taken {
    steps: Vec<Step>,
    changed: Vec<String>,
}

impl Certificates {
    /// What the certificate is for.
    fn all_names(&self) -> Vec<String> {
        let (service, namespace) = (&self.service, &self.namespace);
        let mut names = vec![
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
            format!("{service}.{namespace}"),
            service.clone(),
        ];
        names.extend(self.names.iter().filter(|name| !name.is_empty()).cloned());
        names.dedup();
        names
    }

    /// Puts everything in order; with `dry` it is only said what would be done.
    ///
    /// # Errors
    /// It is not in order: why. What was done until then holds, and running it again goes on from there.
    pub async fn keep(
        &self,
        cluster: &Cluster,
        clock: &(dyn Fn() -> Timestamp + Sync),
        dry: bool,
    ) -> Result<Done, CertificateError> {
        let mut taken = Taken::default();
        for round in 0..ROUNDS {
            match self.once(cluster, clock(), dry, &mut taken).await {
                Err(CertificateError::Cluster(ClusterError::Conflict(_))) => {
                    tokio::time::sleep(Duration::from_millis(100 << round.min(4))).await;
                }
                ended => return ended.map(|done| Done { steps: taken.steps, changed: taken.changed, ..done }),
            }
        }
        Err(CertificateError::Busy)
    }

    async fn once(
        &self,
        cluster: &Cluster,
        now: Timestamp,
        dry: bool,
        taken: &mut Taken,
    ) -> Result<Done, CertificateError> {
        let mut store = Stored::read(cluster, &self.namespace, &self.authorities).await?;
        let mut served = Stored::read(cluster, &self.namespace, &self.certificate).await?;
        // Where the chart did not make them, the gate shows another certificate, and webhooks that are told of this one would believe it no longer.
        for (stored, secret) in [(&served, &self.certificate), (&store, &self.authorities)] {
            if !stored.is_of_the_chart() {
                return Err(CertificateError::NotOurs { namespace: self.namespace.clone(), secret: secret.clone() });
            }
        }
        let authorities = Authorities::of(&store);
        let known = self.known(authorities.as_ref(), &served, now);
        let steps = plan(&known, &self.lifetimes, now.as_second());
        let authorities = self.after(authorities, &steps, now)?;
        let of_authorities: Vec<Step> = steps.iter().copied().filter(|step| *step != Step::MakeCertificate).collect();
        if !dry && !of_authorities.is_empty() {
            authorities.write(&mut store);
            store.save(cluster).await?;
        }
        taken.steps.extend(of_authorities);
        let bundle = authorities.bundle();
        // Whoever is to be believed is known before anybody shows a certificate of theirs.
        let missing = self.announce(cluster, &bundle, dry, taken).await?;
        if steps.contains(&Step::MakeCertificate) {
            let made = make::certificate(&authorities.current, &self.all_names(), self.lifetimes.certificate, now)?;
            served.set("tls.crt", &made.certificate);
            served.set("tls.key", &made.key);
            served.set("ca.crt", &bundle);
            if !dry {
                served.save(cluster).await?;
            }
            taken.steps.push(Step::MakeCertificate);
        }
        // Somebody else who read it later may have been faster with the webhooks.
        if !dry && !store.is_latest(cluster).await? {
            return Err(ClusterError::Conflict("the authorities changed in the meantime".to_owned()).into());
        }
        let ends = |pem: &str| {
            let (_, ends) = certificates(pem.as_bytes()).ok()?.first().and_then(validity)?;
            Timestamp::from_second(ends).ok()
        };
        let unread = || CertificateError::Making("it cannot be read back".to_owned());
        let certificate = served.get("tls.crt").ok_or_else(unread)?;
        Ok(Done {
            steps: Vec::new(),
            changed: Vec::new(),
            missing,
            authority_ends: ends(&authorities.current.certificate).ok_or_else(unread)?,
            certificate_ends: ends(&certificate).ok_or_else(unread)?,
        })
    }

    /// What is there, for the plan.
    fn known(&self, authorities: Option<&Authorities>, served: &Stored, now: Timestamp) -> Known {
        let read = |pem: &str| certificates(pem.as_bytes()).ok();
        let times = |pem: &str| read(pem)?.first().and_then(validity);
        let chain = served.get("tls.crt").and_then(|pem| read(&pem));
        let is_sound = |authority: &str| {
            let (Some(chain), Some(authority)) = (&chain, read(authority)) else { return false };
            let has_key = served.get("tls.key").is_some_and(|key| make::fits(&key, chain.first()));
            has_key && self.all_names().iter().all(|name| believed(chain, &authority, name, now).is_ok())
        };
        Known {
            current: authorities.and_then(|all| times(&all.current.certificate)),
            next: authorities.and_then(|all| times(&all.next.as_ref()?.certificate)),
            changed_over: authorities.and_then(|all| all.previous.as_ref().map(|_| all.changed_over.unwrap_or(0))),
            certificate: chain.as_ref().and_then(|chain| chain.first()).and_then(validity).map(|(_, ends)| ends),
            is_of_current: authorities.is_some_and(|all| is_sound(&all.current.certificate)),
        }
    }

    /// The authorities after these steps.
    fn after(
        &self,
        before: Option<Authorities>,
        steps: &[Step],
        now: Timestamp,
    ) -> Result<Authorities, CertificateError> {
        let mut all = before;
        for step in steps {
            let name = format!("{}.{} {}", self.service, self.namespace, now.strftime("%Y-%m-%dT%H:%M:%SZ"));
            let new = || Authority::make(&name, self.lifetimes.authority, now);
            match (step, all.as_mut()) {
                (Step::MakeAuthority, _) => all = Some(Authorities::first(new()?)),
                (Step::MakeNext, Some(all)) => all.next = Some(new()?),
                (Step::ChangeOver, Some(all)) => all.change_over(now.as_second()),
                (Step::DropPrevious, Some(all)) => all.previous = None,
                (Step::MakeCertificate, _) | (_, None) => {}
            }
        }
        all.ok_or_else(|| CertificateError::Making("there is no authority".to_owned()))
    }

    /// Puts the authorities into the webhooks of the gate; says which configurations are not there.
    async fn announce(
        &self,
        cluster: &Cluster,
        bundle: &str,
        dry: bool,
        taken: &mut Taken,
    ) -> Result<Vec<String>, CertificateError> {
        let mut missing = Vec::new();
        let bundle = Value::String(STANDARD.encode(bundle));
        for kind in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"] {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/{}", self.webhooks);
            let named = format!("{kind}/{}", self.webhooks);
            let Some(mut found) = cluster.get(&path).await? else {
                missing.push(named);
                continue;
            };
            let mut is_changed = false;
            for hook in found.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(Value::Object(config)) = hook.get_mut("clientConfig") else { continue };
                let text = |key: &str| config.get("service").and_then(|service| service.get(key)?.as_str());
                let is_ours = text("name") == Some(&self.service) && text("namespace") == Some(&self.namespace);
                if is_ours && config.get("caBundle") != Some(&bundle) {
                    config.insert("caBundle".to_owned(), bundle.clone());
                    is_changed = true;
                }
            }
            if is_changed {
                if !dry {
                    cluster.replace(&path, &found).await?;
                }
                if !taken.changed.contains(&named) {
                    taken.changed.push(named);
                }
            }
        }
        Ok(missing)
    }
}
