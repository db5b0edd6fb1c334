//! Whether the API server can believe the gate: the authorities in the webhooks, and the certificate that the gate shows.

use std::collections::BTreeSet;

use model::Timestamp;
use rustls_pki_types::CertificateDer;
use serde_json::Value;

use super::check::{About, Check, LOOK, names};
use super::hooks::Hook;
use super::{Certificate, Observed};
use crate::x509::{believed, encoded as read, validity};

const AUTHORITY: About = About {
    id: "kubernetes.caBundle",
    title: "Authority",
    why: "The API server believes the gate only by the authorities that the webhook names.",
};
const CERTIFICATE: About = About {
    id: "kubernetes.certificate",
    title: "Certificate",
    why: "With a certificate that the API server does not believe the gate cannot be asked, whatever it would say.",
};
/// The end is near.
const SOON: i64 = 14 * 86_400;
/// What is to be done about certificates.
const RENEW: &str = "Renew it: `helm upgrade` where the chart makes it, cert-manager where that does, `ecr-gate kubernetes certificates` where the gate does.";

pub(super) fn checks(observed: &Observed, hooks: &[Hook<'_>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut asked: BTreeSet<(String, String)> = BTreeSet::new();
    let mut told = BTreeSet::new();
    for hook in hooks {
        let bundle = hook.value.pointer("/clientConfig/caBundle").and_then(Value::as_str).unwrap_or("");
        if told.insert(bundle) {
            checks.push(authority(hook.name, bundle, observed.now));
        }
        let text = |key| hook.service().and_then(|service| service.get(key)).and_then(Value::as_str);
        if let (Some(name), Some(namespace)) = (text("name"), text("namespace")) {
            asked.insert((bundle.to_owned(), format!("{name}.{namespace}.svc")));
        }
    }
    if asked.is_empty() {
        return checks;
    }
    if observed.certificates.is_empty() {
        checks.push(CERTIFICATE.unknown(None, "no Deployment says which Secret its certificate is in", LOOK));
    }
    for (secret, certificate) in &observed.certificates {
        for (bundle, name) in &asked {
            checks.push(match certificate {
                Ok(Certificate::Found(pem)) => served(secret, pem, bundle, name, observed.now),
                Ok(Certificate::NoSecret) => {
                    let what = format!("there is no Secret {secret} in {}", observed.gate.namespace);
                    CERTIFICATE.problem(Some(secret), what, &again(&observed.gate.namespace))
                }
                Ok(Certificate::Empty) => {
                    CERTIFICATE.problem(Some(secret), "the Secret has no tls.crt", &again(&observed.gate.namespace))
                }
                Err(why) => CERTIFICATE.unknown(Some(secret), why.clone(), LOOK),
            });
        }
    }
    checks
}

/// What to do where the certificate is gone.
fn again(namespace: &str) -> String {
    format!(
        "Run `helm upgrade`: the chart makes it again, or the Secret that the gate fills (`kubectl -n {namespace} get jobs` shows how that went). With cert-manager: `kubectl -n {namespace} describe certificate` says why it makes none."
    )
}

/// When it ends, in seconds since 1970.
fn ends(certificate: &CertificateDer<'_>) -> Option<i64> {
    validity(certificate).map(|(_, ends)| ends)
}

fn day(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn authority(hook: &str, bundle: &str, now: Timestamp) -> Check {
    let subject = Some(hook);
    if bundle.is_empty() {
        return AUTHORITY.problem(
            subject,
            "none: the API server looks for the gate's certificate among the authorities of its machine",
            "With cert-manager its injector puts it there: look at its log. Else install the chart again.",
        );
    }
    let authorities = match read(bundle) {
        Ok(read) => read,
        Err(why) => return AUTHORITY.problem(subject, why, "Install the chart again."),
    };
    let Some(last) = authorities.iter().filter_map(ends).max() else {
        return AUTHORITY.unknown(subject, "it does not say when it ends", "Look at it with `openssl x509`.");
    };
    match last - now.as_second() {
        left if left <= 0 => AUTHORITY.problem(subject, format!("it ended on {}", day(last)), RENEW),
        left if left < SOON => AUTHORITY.warning(subject, format!("it ends on {}", day(last)), RENEW),
        _ => AUTHORITY.ok(subject, format!("{} of them, until {}", authorities.len(), day(last))),
    }
}

/// Whether the API server would believe this certificate under this name.
fn served(secret: &str, pem: &str, bundle: &str, name: &str, now: Timestamp) -> Check {
    let subject = Some(secret);
    let (Ok(chain), bundle) = (read(pem), read(bundle)) else {
        return CERTIFICATE.problem(subject, "the Secret holds no certificate in PEM form", RENEW);
    };
    let Ok(bundle) = bundle else {
        return CERTIFICATE.problem(subject, "the webhook names no authority that it could be believed by", RENEW);
    };
    let Some(last) = chain.first().and_then(ends) else {
        return CERTIFICATE.problem(subject, "it cannot be read", RENEW);
    };
    if last <= now.as_second() {
        return CERTIFICATE.problem(subject, format!("it ended on {}", day(last)), RENEW);
    }
    if let Err(why) = believed(&chain, &bundle, name, now) {
        let what = format!("the API server does not believe it for {name}: {why}");
        return CERTIFICATE.problem(
            subject,
            what,
            "Have `caBundle` of the webhooks and the Secret come from the same place: install the chart again, or look at the log of cert-manager.",
        );
    }
    if last - now.as_second() < SOON {
        return CERTIFICATE.warning(subject, format!("it ends on {}", day(last)), RENEW);
    }
    CERTIFICATE.ok(subject, format!("for {}, until {}", names(&[name.to_owned()]), day(last)))
}
