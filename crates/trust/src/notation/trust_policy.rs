//! Notation's own policy file, so that who has one need not write it again: which entry is about a repository, and what it
//! asks for in the words of our policies. Source: Notary Project, "Trust Store and Trust Policy Specification", OCI trust
//! policy 1.0. What would verify nothing, or less than that somebody trusted signed, is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{json, shown};
use crate::material::StoreKind;

mod identity;

use identity::Identity;

/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1 << 20;
/// Trust stores by kind and name.
type Stores = Vec<(StoreKind, String)>;

/// The scope of every image that no other entry names.
const GLOBAL: &str = "*";

/// One entry of a trust policy document that is about an image, in the words of our own policies.
///
/// The time of signing and the expiry a signer set are always enforced, at the level `permissive` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotationSigner {
    /// The entry's name.
    pub name: String,
    /// Trust stores as (kind, name); each stands for `x509/<kind>/<name>` in the trust store folder.
    pub stores: Vec<(StoreKind, String)>,
    /// Names of `tsa` stores.
    pub timestamp_stores: Vec<String>,
    /// `trustedIdentities`: `*`, or `x509.subject: …` entries.
    pub identities: Vec<String>,
    /// Revocation must be known (`strict`) or only logged (`permissive`).
    pub strict: bool,
    /// Signatures of the scheme `notary.x509` need a timestamp: a `tsa` store is named, and `verifyTimestamp` is not
    /// `afterCertExpiry`.
    pub timestamp_required: bool,
}

/// Why a trust policy document cannot be used for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TrustPolicyError(pub String);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: String,
    trust_policies: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    registry_scopes: Vec<String>,
    signature_verification: SignatureVerification,
    trust_stores: Option<Vec<String>>,
    trusted_identities: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignatureVerification {
    level: Level,
    #[serde(rename = "override")]
    overrides: Option<BTreeMap<Validation, Action>>,
    verify_timestamp: Option<VerifyTimestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Strict,
    Permissive,
    Audit,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Validation {
    Integrity,
    Authenticity,
    AuthenticTimestamp,
    Expiry,
    Revocation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Enforce,
    Log,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum VerifyTimestamp {
    Always,
    AfterCertExpiry,
}

/// The entry of a trust policy document (`trustpolicy.json`, version 1.0) that is about an image. `registry_scope` is its
/// repository with the registry: `registry.example.com/team/app`.
///
/// # Errors
/// The document cannot be read, names no entry for the image, or one that would verify nothing (`audit`, `skip`).
pub fn trust_policy(document: &[u8], registry_scope: &str) -> Result<NotationSigner, TrustPolicyError> {
    let document = read(document).map_err(TrustPolicyError)?;
    check(&document).map_err(TrustPolicyError)?;
    let entry =
        |scope: &str| document.trust_policies.iter().find(|entry| entry.registry_scopes.iter().any(|s| s == scope));
    let entry = entry(registry_scope).or_else(|| entry(GLOBAL)).ok_or_else(|| {
        TrustPolicyError(format!("the trust policy has no entry for {}, nor one for `*`", shown(registry_scope)))
    })?;
    entry.signer().map_err(|why| entry.error(&why))
}

fn read(document: &[u8]) -> Result<Document, String> {
    if document.len() > MAX_DOCUMENT {
        return Err(format!("the trust policy has {} bytes; at most {MAX_DOCUMENT} are read", document.len()));
    }
    let members = json::object("trust policy", document)?;
    serde_json::from_value(serde_json::Value::Object(members))
        .map_err(|error| format!("the trust policy cannot be read: {error}"))
}

fn check(document: &Document) -> Result<(), String> {
    if document.version != "1.0" {
        return Err(format!("the trust policy's version is {}; 1.0 is read", shown(&document.version)));
    }
    let mut names = BTreeSet::new();
    let mut scopes = BTreeSet::new();
    for entry in &document.trust_policies {
        if entry.name.is_empty() {
            return Err("an entry of the trust policy has no name".to_owned());
        }
        if !names.insert(&entry.name) {
            return Err(format!("the trust policy has two entries named {}", shown(&entry.name)));
        }
        entry.check().map_err(|why| entry.error(&why).0)?;
        for scope in &entry.registry_scopes {
            if !scopes.insert(scope) {
                return Err(format!("the trust policy names the scope {} twice", shown(scope)));
            }
        }
    }
    Ok(())
}

impl Entry {
    fn error(&self, why: &str) -> TrustPolicyError {
        TrustPolicyError(format!("entry {} of the trust policy: {why}", shown(&self.name)))
    }

    /// What the specification asks of every entry, whether or not it is about the image.
    fn check(&self) -> Result<(), String> {
        let is_global = self.registry_scopes.iter().any(|scope| scope == GLOBAL);
        if self.registry_scopes.is_empty() {
            return Err("it has no scope".to_owned());
        }
        if is_global && self.registry_scopes.len() > 1 {
            return Err("the scope `*` stands alone".to_owned());
        }
        if let Some(scope) = self.registry_scopes.iter().find(|scope| *scope != GLOBAL && !is_repository(scope)) {
            return Err(format!("the scope {} is no repository with its registry", shown(scope)));
        }
        let verification = &self.signature_verification;
        let overrides = verification.overrides.as_ref();
        for (validation, action) in overrides.into_iter().flatten() {
            match (validation, action) {
                (Validation::Integrity, _) => return Err("`integrity` cannot be overridden".to_owned()),
                (Validation::Revocation, _) | (_, Action::Enforce | Action::Log) => {}
                (_, Action::Skip) => return Err(format!("only `revocation` can be skipped, not {validation:?}")),
            }
        }
        if verification.level == Level::Skip {
            if is_global {
                return Err("the level `skip` does not go with the scope `*`".to_owned());
            }
            if overrides.is_some_and(|overrides| !overrides.is_empty()) {
                return Err("the level `skip` cannot be overridden".to_owned());
            }
            return Ok(());
        }
        self.stores()?;
        self.identities().map(|_| ())
    }

    /// Stores with their kind, and `tsa` stores.
    fn stores(&self) -> Result<(Stores, Vec<String>), String> {
        let (mut stores, mut timestamp_stores) = (Vec::new(), Vec::new());
        for store in self.trust_stores.iter().flatten() {
            let (kind, name) = store.split_once(':').unwrap_or((store, ""));
            if !is_store_name(name) {
                return Err(format!("{} is no trust store, which is written TYPE:NAME", shown(store)));
            }
            match kind {
                "ca" => stores.push((StoreKind::Ca, name.to_owned())),
                "signingAuthority" => stores.push((StoreKind::SigningAuthority, name.to_owned())),
                "tsa" => timestamp_stores.push(name.to_owned()),
                other => return Err(format!("{} is no type of trust store", shown(other))),
            }
        }
        if stores.is_empty() {
            return Err("it names no trust store of the types `ca` and `signingAuthority`".to_owned());
        }
        Ok((stores, timestamp_stores))
    }

    fn identities(&self) -> Result<Vec<String>, String> {
        let identities: Vec<_> = self.trusted_identities.iter().flatten().cloned().collect();
        if identities.is_empty() {
            return Err("it names no trusted identity".to_owned());
        }
        if identities.iter().any(|identity| identity == GLOBAL) {
            return if identities.len() == 1 {
                Ok(identities)
            } else {
                Err("the identity `*` stands alone".to_owned())
            };
        }
        let read: Vec<_> = identities.iter().map(|identity| Identity::read(identity)).collect::<Result<_, _>>()?;
        for (position, identity) in read.iter().enumerate() {
            let others = read.iter().enumerate().filter(|(other, _)| *other != position);
            if let Some((_, other)) = others.into_iter().find(|(_, other)| identity.includes(other)) {
                return Err(format!("the identities {} and {} overlap", shown(&identity.text), shown(&other.text)));
            }
        }
        Ok(identities)
    }

    fn signer(&self) -> Result<NotationSigner, String> {
        let verification = &self.signature_verification;
        let action =
            |validation| verification.overrides.as_ref().and_then(|overrides| overrides.get(&validation)).copied();
        match verification.level {
            Level::Strict | Level::Permissive => {}
            Level::Audit if action(Validation::Authenticity) == Some(Action::Enforce) => {}
            Level::Audit => return Err("its level is `audit`, which lets every signer through".to_owned()),
            Level::Skip => return Err("its level is `skip`, which verifies nothing".to_owned()),
        }
        if action(Validation::Authenticity).is_some_and(|action| action != Action::Enforce) {
            return Err("it overrides `authenticity`, so that every signer gets through".to_owned());
        }
        let (stores, timestamp_stores) = self.stores()?;
        Ok(NotationSigner {
            name: self.name.clone(),
            strict: match action(Validation::Revocation) {
                Some(action) => action == Action::Enforce,
                None => verification.level == Level::Strict,
            },
            timestamp_required: !timestamp_stores.is_empty()
                && verification.verify_timestamp != Some(VerifyTimestamp::AfterCertExpiry),
            stores,
            timestamp_stores,
            identities: self.identities()?,
        })
    }
}

/// `registry/path`: no pattern, no scheme, no tag, no digest.
fn is_repository(scope: &str) -> bool {
    let Some((registry, path)) = scope.split_once('/') else { return false };
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    plain(registry, b".-:[]") && path.split('/').all(|part| plain(part, b"._-"))
}

/// A folder's name, and never a way to another folder.
fn is_store_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.bytes().all(plain) && !name.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests;
