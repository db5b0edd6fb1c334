//! Identities that others vouch for: tokens of identity providers (OIDC), and client certificates. Who that is comes from what does not change about
//! them (ids, not names); what they may comes from rules about their claims. No rule, no rights.

mod issuer;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{SignedDuration, Timestamp};
use trust::jwt::{self, Claims};

use super::GateError;
use super::actor::{Actor, Grant, person};
use super::authenticating::AuthenticationError;
use issuer::Keys;
pub use rules::{ClaimPattern, IdentityRule};

/// The longest subject.
const SUBJECT: usize = 512;
/// The most values of one claim that somebody without rights is told.
const SHOWN: usize = 5;

/// Whom the gate knows besides its own tokens.
#[derive(Debug, Clone, Default)]
pub struct IdentitySettings {
    /// Identity providers.
    pub issuers: Vec<IssuerSettings>,
    /// What whoever shows a certificate may, by `uri`, `dns` and `cn` of it.
    pub certificates: Vec<IdentityRule>,
}

/// What kind of issuer it is: what its tokens are about, and what has to be in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerKind {
    /// People or machines, known by `sub`.
    Oidc,
    /// Jobs of GitLab, known by their project.
    Gitlab,
    /// Jobs of GitHub, known by their repository.
    Github,
    /// Service accounts of a cluster, known by `sub`.
    Kubernetes,
}

/// An identity provider.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// What it is called in messages.
    pub name: String,
    /// What `iss` says, exactly.
    pub issuer: String,
    /// What `aud` has to hold: this gate.
    pub audience: String,
    /// What kind it is.
    pub kind: IssuerKind,
    /// Where its keys are; `None`: where its configuration says (`/.well-known/openid-configuration`).
    pub keys: Option<String>,
    /// Certificate authorities to ask it with, besides those of the machine: each a PEM file's bytes.
    pub authorities: Vec<Vec<u8>>,
    /// Which claim names the person.
    pub person: Option<PersonClaim>,
    /// For how long a token may be good.
    pub longest: Duration,
    /// How long to wait at least before its keys are asked for again because one is not known.
    pub pause: Duration,
    /// What its tokens may.
    pub rules: Vec<IdentityRule>,
}

/// Which claim names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonClaim {
    /// The claim.
    pub claim: String,
    /// The claim that has to be true for it to count, as `email_verified`.
    pub requires: Option<String>,
    /// What stands before it, where it is a name of this issuer alone.
    pub prefix: Option<String>,
}

impl IssuerSettings {
    /// Refuses what would give rights to more than was meant.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.audience.is_empty() || self.issuer.is_empty() {
            return Err("it needs an issuer and an audience".to_owned());
        }
        let place = self.keys.as_ref().unwrap_or(&self.issuer);
        registry::Fetch::permitted(place).map_err(|why| format!("{place}: {why}"))?;
        self.rules.iter().enumerate().try_for_each(|(index, rule)| {
            rule.check(self.kind).map_err(|why| format!("rule {}: {why}", index.saturating_add(1)))
        })
    }

    /// Under which name they stand in records.
    fn identity(&self, claims: &Claims) -> Option<Arc<str>> {
        let (prefix, claim) = match self.kind {
            IssuerKind::Oidc | IssuerKind::Kubernetes => ("", "sub"),
            IssuerKind::Gitlab => ("project:", "project_id"),
            IssuerKind::Github => ("repository:", "repository_id"),
        };
        let subject = claims.text(claim).filter(|text| is_plain(text))?;
        Some(format!("oidc:{}#{prefix}{subject}", self.issuer).into())
    }

    /// The person behind it, as far as the token says.
    fn person(&self, claims: &Claims) -> Option<Arc<str>> {
        let plain = |name: &str| claims.text(name).filter(|text| is_plain(text));
        let Some(PersonClaim { claim, requires, prefix }) = &self.person else {
            let known_here = |what: &str, id: String| format!("{}#{what}:{id}", self.issuer);
            return match self.kind {
                IssuerKind::Gitlab => plain("user_email").or_else(|| Some(known_here("user", plain("user_id")?))),
                IssuerKind::Github => Some(known_here("actor", plain("actor_id")?)),
                IssuerKind::Oidc | IssuerKind::Kubernetes => None,
            }
            .and_then(|name| person(&name).ok());
        };
        let counts = requires.as_ref().is_none_or(|requires| claims.text(requires).as_deref() == Some("true"));
        let name = plain(claim).filter(|_| counts)?;
        person(&format!("{}{name}", prefix.as_deref().unwrap_or(""))).ok()
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= SUBJECT && !text.chars().any(char::is_control)
}

/// Everybody whom others vouch for.
#[derive(Debug)]
pub(super) struct Identities {
    issuers: Vec<(IssuerSettings, Keys)>,
    certificates: Vec<IdentityRule>,
}

impl Identities {
    pub(super) fn new(settings: &IdentitySettings) -> Result<Self, GateError> {
        let mut issuers: Vec<(IssuerSettings, Keys)> = Vec::new();
        for one in &settings.issuers {
            let setup = |what: String| GateError::Setup {
                what: format!("identities.issuers: {}: {what}", one.name),
                hint: "docs/guides/identities.md has an example for each kind of issuer".to_owned(),
            };
            one.check().map_err(setup)?;
            if issuers.iter().any(|(other, _)| other.issuer == one.issuer) {
                return Err(setup("another one has the same `issuer`; put their rules together".to_owned()));
            }
            issuers.push((one.clone(), Keys::new(one).map_err(setup)?));
        }
        Ok(Self { issuers, certificates: settings.certificates.clone() })
    }

    /// Who bears a token that one of the issuers gave out.
    pub(super) async fn bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Actor>, AuthenticationError> {
        let issuer = jwt::unverified_issuer(token).map_err(|_| AuthenticationError::Unknown)?;
        let found = self.issuers.iter().find(|(settings, _)| settings.issuer == issuer);
        let (settings, keys) = found.ok_or(AuthenticationError::Unknown)?;
        let longest = SignedDuration::try_from(settings.longest).unwrap_or(SignedDuration::MAX);
        let wanted = jwt::Wanted { issuer: &settings.issuer, audience: &settings.audience, longest, now };
        let claims = keys.verified(settings, token, &wanted).await?;
        let none = || AuthenticationError::Refused("it does not say who bears it".to_owned());
        let identity = settings.identity(&claims).ok_or_else(none)?;
        let grants = rules::granted(&settings.rules, &|name| claims.texts(name));
        if grants.is_empty() {
            return Err(without_rights(&identity, &settings.name, &settings.rules, &|name| claims.texts(name)));
        }
        Ok(Arc::new(Actor { identity, person: settings.person(&claims), grants }))
    }

    /// Who shows a certificate that the authority of clients issued; the server saw to that.
    pub(super) fn certified(&self, certificate: &[u8]) -> Result<Arc<Actor>, AuthenticationError> {
        let names = trust::certificate_names(certificate).map_err(AuthenticationError::Refused)?;
        let texts = |name: &str| match name {
            "uri" => names.uris.clone(),
            "dns" => names.dns.clone(),
            "cn" => names.common_name.iter().cloned().collect(),
            _ => Vec::new(),
        };
        // Of several URIs nobody knows which one it is.
        let uri = if let [uri] = names.uris.as_slice() { Some(uri) } else { None };
        let name = uri.or(names.common_name.as_ref()).filter(|name| is_plain(name));
        let name = name.ok_or_else(|| AuthenticationError::Refused("the certificate names nobody".to_owned()))?;
        let identity: Arc<str> = format!("mtls:{name}").into();
        let grants = rules::granted(&self.certificates, &texts);
        if grants.is_empty() {
            return Err(without_rights(&identity, "identities.certificates", &self.certificates, &texts));
        }
        Ok(Arc::new(Actor { identity, person: None, grants }))
    }
}

/// That no rule is about them: with what the rules look at and what was found there, and nothing else of the token.
fn without_rights(
    identity: &str,
    by: &str,
    rules: &[IdentityRule],
    texts: &dyn Fn(&str) -> Vec<String>,
) -> AuthenticationError {
    let looked_at: BTreeMap<&str, Vec<String>> = rules
        .iter()
        .flat_map(|rule| rule.when.keys())
        .map(|name| (name.as_str(), texts(name).into_iter().take(SHOWN).collect()))
        .collect();
    let seen: Vec<String> = looked_at.iter().map(|(name, found)| format!("{name}: {found:?}")).collect();
    let seen = if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") };
    AuthenticationError::NoRights {
        identity: identity.to_owned(),
        why: format!("no rule of {by} is about it; they look at {seen}"),
    }
}

/// Grants of several rules, together.
fn together(rules: impl Iterator<Item = Vec<Grant>>) -> Vec<Grant> {
    let mut all: Vec<Grant> = Vec::new();
    for grant in rules.flatten() {
        if !all.contains(&grant) {
            all.push(grant);
        }
    }
    all
}
