//! Who may what, from the words of the configuration to what the engine asks. What is wrong with it is found before anything listens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::{Actor, ClaimPattern, Grant, IdentityRule, IdentitySettings, IssuerSettings, PersonClaim, Repositories};
use server::Token;

use crate::config::{GrantEntry, Identities, IssuerKind, Role, RuleEntry, Time, TokenEntry};
use crate::failure::Failure;
use crate::files;

/// Names that the gate gives itself to those it authenticated otherwise: no configured token takes one.
const TAKEN: [&str; 3] = ["token:", "oidc:", "mtls:"];
/// The most grants of one identity.
const MOST: usize = 100;
/// The largest file of certificates.
const CERTIFICATES: usize = 4 << 20;
/// How long a token of an identity provider may be good.
const LIFETIME: Duration = Duration::from_hours(24);
/// Between two looks for new keys.
const PAUSE: Duration = Duration::from_mins(1);

/// A token of the configuration.
pub(super) fn token(entry: &TokenEntry) -> Result<Token, Failure> {
    let wrong = |why: &str| Failure::configuration(format!("auth.tokens: the token {:?}: {why}", entry.name));
    let plain = !entry.name.is_empty() && entry.name.len() <= 256 && !entry.name.chars().any(char::is_control);
    if !plain {
        return Err(wrong("its name is empty, too long, or holds a control character"));
    }
    if TAKEN.iter().any(|taken| entry.name.starts_with(taken)) || entry.name == "anonymous" {
        return Err(wrong("its name begins as those of identities that the gate knows otherwise"));
    }
    let sha256 = hex::decode(&entry.sha256).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let sha256 = sha256
        .ok_or_else(|| wrong("its sha256 is not 64 hexadecimal digits").hint("printf %s \"$TOKEN\" | sha256sum"))?;
    let person = entry.person.as_deref().map(engine::person).transpose().map_err(|why| wrong(&why))?;
    let grants = match (entry.role, entry.grants.as_slice()) {
        (Some(Role::Admin), []) => {
            let roles = engine::Role::ALL.into_iter();
            // An approver is a person (S29).
            roles.filter(|role| person.is_some() || *role != engine::Role::Approver).map(Grant::everywhere).collect()
        }
        (Some(role), []) => role.roles().into_iter().map(Grant::everywhere).collect(),
        (None, grants @ [_, ..]) => self::grants(grants).map_err(|why| wrong(&why))?,
        _ => return Err(wrong("it has either a `role` or `grants`").hint("`role: read` for everything")),
    };
    let grants: Vec<Grant> = grants;
    if person.is_none() && grants.iter().any(|grant| grant.role == engine::Role::Approver) {
        return Err(wrong("an approver is a person (S29), and it names none")
            .hint("add `person`, as their identity provider names them: usually the address of their mail"));
    }
    Ok(Token { sha256, actor: Arc::new(Actor { identity: entry.name.as_str().into(), person, grants }) })
}

/// Grants as the engine knows them.
pub(super) fn grants(entries: &[GrantEntry]) -> Result<Vec<Grant>, String> {
    if entries.len() > MOST {
        return Err(format!("it has {} grants; at most {MOST} are read", entries.len()));
    }
    let mut grants = Vec::new();
    for GrantEntry { role, repositories, environments } in entries {
        if repositories.is_empty() || environments.is_empty() {
            return Err("a grant without repositories or environments is for nothing: `**` and `*` are all".to_owned());
        }
        let parsed: Result<Vec<_>, _> = repositories.iter().map(|one| Repositories::parse(one)).collect();
        let parsed = parsed?;
        let grant = |role| Grant { role, repositories: parsed.clone(), environments: environments.clone() };
        grants.extend(role.roles().into_iter().map(grant));
    }
    Ok(grants)
}

/// Whom the gate knows besides tokens.
pub(super) fn identities(config: &Identities) -> Result<IdentitySettings, Failure> {
    let mut issuers = Vec::new();
    for entry in &config.issuers {
        let name = entry.name.clone().unwrap_or_else(|| entry.issuer.clone());
        let wrong = |why: String| {
            let what = format!("identities.issuers: {name}: {why}");
            Failure::configuration(what).hint("docs/guides/identities.md has an example for each kind of issuer")
        };
        let person = entry.person.as_ref().map(|person| PersonClaim {
            claim: person.claim.clone(),
            requires: person.requires.clone(),
            prefix: person.prefix.clone(),
        });
        let settings = IssuerSettings {
            issuer: entry.issuer.clone(),
            audience: entry.audience.clone(),
            kind: match entry.kind {
                IssuerKind::Oidc => engine::IssuerKind::Oidc,
                IssuerKind::Gitlab => engine::IssuerKind::Gitlab,
                IssuerKind::Github => engine::IssuerKind::Github,
                IssuerKind::Kubernetes => engine::IssuerKind::Kubernetes,
            },
            keys: entry.jwks.clone(),
            authorities: authorities(&entry.authorities)?,
            person,
            longest: entry.max_lifetime.map_or(LIFETIME, |Time(time)| time),
            pause: PAUSE,
            rules: entry.rules.iter().map(rule).collect::<Result<_, _>>().map_err(wrong)?,
            name: name.clone(),
        };
        settings.check().map_err(wrong)?;
        issuers.push(settings);
    }
    let wrong = |why: String| Failure::configuration(format!("identities.certificates: {why}"));
    let certificates: Vec<IdentityRule> =
        config.certificates.iter().map(rule).collect::<Result<_, _>>().map_err(wrong)?;
    if certificates.is_empty() != config.client_ca.is_empty() {
        return Err(wrong("`clientCa` and `certificates` belong together: who vouches, and who may what".to_owned()));
    }
    let known = ["uri", "dns", "cn"];
    if let Some(name) =
        certificates.iter().flat_map(|rule| rule.when.keys()).find(|name| !known.contains(&name.as_str()))
    {
        return Err(wrong(format!("{name:?} is nothing of a certificate: uri, dns or cn")));
    }
    Ok(IdentitySettings { issuers, certificates })
}

/// The authorities of clients, in PEM form.
pub(super) fn authorities(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    paths.iter().map(|path| files::read("the certificate file", path, CERTIFICATES)).collect()
}

fn rule(entry: &RuleEntry) -> Result<IdentityRule, String> {
    if entry.when.is_empty() {
        return Err("a rule without `when` would be about anybody".to_owned());
    }
    let when = entry.when.iter().map(|(name, text)| Ok((name.clone(), ClaimPattern::parse(text)?)));
    Ok(IdentityRule { when: when.collect::<Result<_, String>>()?, grants: grants(&entry.grants)? })
}
