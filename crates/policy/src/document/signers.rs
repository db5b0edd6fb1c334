//! `spec.trust` and `spec.signers`: who may vouch for an image, defined once and named by rules (S27). What is here says
//! who counts and when; that somebody signed at all is proven elsewhere. No file is read here: paths are names.

use std::collections::BTreeMap;

use model::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::dates::{Since, Until};
use super::pattern::TextPattern;
use super::sbom::RESERVED;
use super::subject::Subject;

/// Where trust comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Trust {
    /// Sigstore trusted roots: files beside this one, or `sigstore-public-good` for the root of Sigstore's public
    /// instance that this program was built with (the default).
    pub(crate) roots: Option<Vec<String>>,
    /// Repositories, `host/repository`, in which signatures are looked for too.
    pub(crate) repositories: Option<Vec<String>>,
}

/// The word for the root of Sigstore's public instance.
pub(crate) const PUBLIC_GOOD: &str = "sigstore-public-good";

/// One signer: exactly one of `key`, `keyless` and `x509`, and when it counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = Self::KINDS.map(|kind| serde_json::json!({ "required": [kind] }))))]
pub(crate) struct Signer {
    /// A public key: a PEM file beside this one, the PEM text itself, or `awskms:///alias/NAME`.
    pub(crate) key: Option<Key>,
    /// An identity that a Sigstore certificate authority vouches for.
    pub(crate) keyless: Option<Keyless>,
    /// A certificate that chains to a trust store (Notary Project).
    pub(crate) x509: Option<X509>,
    /// Signatures count from this day (`2026-01-01`, in UTC) or moment on. Every proven time of a signature has to lie
    /// within; one without a proven time counts only while it is so now.
    #[schemars(with = "Option<String>")]
    pub(crate) not_before: Option<Since>,
    /// The last day (`2026-12-31`, in UTC) on which signatures count, or the moment (`2027-01-01T00:00:00Z`) it ends.
    #[schemars(with = "Option<String>")]
    pub(crate) not_after: Option<Until>,
    /// `true`: nothing it signed counts. `{at: TIME}`: what is proven to be signed before still does.
    pub(crate) revoked: Option<Revoked>,
    /// `required`: a signature by this key counts only with an entry in a transparency log of `trust.roots`. Keyless
    /// signatures always need one.
    pub(crate) transparency_log: Option<TransparencyLog>,
}

/// Where a public key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    File(String),
    Inline(String),
    Kms(String),
}

/// Who the certificate names, and who vouched for that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Keyless {
    /// The OIDC issuer.
    pub(crate) issuer: TextPattern,
    /// The identity: an e-mail address, or the URI of a workflow.
    pub(crate) identity: TextPattern,
    /// What else the certificate has to say, by the names of Fulcio's extensions in camel case, such as
    /// `sourceRepositoryUri`, `sourceRepositoryRef`, `buildSignerUri`.
    pub(crate) claims: Option<BTreeMap<String, TextPattern>>,
}

/// A trust store and who of it counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct X509 {
    /// `ca`: the signer's own certificate authority. `signingAuthority`: a service that signs for others and vouches
    /// for the time.
    #[serde(rename = "type")]
    pub(crate) kind: X509Kind,
    /// Files with the certificates that chains have to end at.
    pub(crate) certificates: Vec<String>,
    /// Files with certificates of timestamp authorities.
    pub(crate) timestamp_authorities: Option<Vec<String>>,
    /// Files with revocation lists.
    pub(crate) revocation_lists: Option<Vec<String>>,
    /// Subjects that count, each by the attributes it has to have: `C=US, O=acme`. Every subject, if left out.
    pub(crate) subjects: Option<Vec<Subject>>,
    /// `required`: a list of every issuer in the chain has to say that nothing is revoked; the default where
    /// `revocationLists` are given. `ifGiven`: chains for which no list was given count too.
    pub(crate) revocation: Option<RevocationRule>,
    /// `required`: a signature counts only with a time that a trusted authority proves.
    pub(crate) timestamp: Option<TimestampRule>,
}

/// What a trust store's certificates may do (Notary Project trust store types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum X509Kind {
    /// The signer's own certificate authority.
    Ca,
    /// A service that signs for others and vouches for the time.
    SigningAuthority,
}

/// How much has to be known about revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RevocationRule {
    /// It must be known.
    Required,
    /// It must be known of every certificate that names a service for it, as Notation's level `strict` asks. No service is
    /// asked here: revocation lists have to be given.
    IfNamed,
    /// It must not be revoked as far as it is known.
    IfGiven,
}

/// Whether a proven time is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TimestampRule {
    /// It is.
    Required,
}

/// Whether a log entry is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransparencyLog {
    /// It is.
    Required,
}

/// Since when a signer is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// Ever since.
    Always,
    /// What is proven to be older still counts.
    At(Timestamp),
}

/// What a signer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignerKind<'a> {
    Key(&'a Key),
    Keyless(&'a Keyless),
    X509(&'a X509),
}

type Wrong = (String, &'static str);

impl Signer {
    const KINDS: [&'static str; 3] = ["key", "keyless", "x509"];

    /// What it is; `None` unless it is exactly one of the kinds.
    pub(crate) fn kind(&self) -> Option<SignerKind<'_>> {
        match (&self.key, &self.keyless, &self.x509) {
            (Some(key), None, None) => Some(SignerKind::Key(key)),
            (None, Some(keyless), None) => Some(SignerKind::Keyless(keyless)),
            (None, None, Some(x509)) => Some(SignerKind::X509(x509)),
            _ => None,
        }
    }

    /// True if its signatures count only with an entry in a transparency log.
    pub(crate) fn needs_log(&self) -> bool {
        self.keyless.is_some() || self.transparency_log == Some(TransparencyLog::Required)
    }

    /// True if it matters when something was signed: only a trusted root's log or timestamp authority proves that.
    pub(crate) fn asks_when(&self) -> bool {
        self.not_before.is_some() || self.not_after.is_some() || matches!(self.revoked, Some(Revoked::At(_)))
    }

    /// What a schema cannot say.
    pub(super) fn check(&self, name: &str) -> Result<(), Wrong> {
        let of = |what: &str, hint| Err((format!("signer {name:?}: {what}"), hint));
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || !name.bytes().all(word) {
            return of("it is no name", "a name has letters, digits, `.`, `_` and `-`");
        }
        if RESERVED.contains(&name) {
            return of("the name means something else in rules", "give the signer another name, such as `release-key`");
        }
        match self.kind() {
            Some(SignerKind::X509(x509)) => x509.check(name, self.transparency_log.is_some())?,
            Some(SignerKind::Keyless(keyless)) if keyless.claims.as_ref().is_some_and(BTreeMap::is_empty) => {
                return of("`keyless.claims` is empty", "name a claim, or leave the key out");
            }
            Some(_) => {}
            None => {
                let count = [self.key.is_some(), self.keyless.is_some(), self.x509.is_some()];
                let what = if count.contains(&true) { "it is of several kinds" } else { "it is of no kind" };
                return of(what, "a signer is exactly one of `key`, `keyless` and `x509`");
            }
        }
        if let (Some(Since(from)), Some(Until(until))) = (self.not_before, self.not_after)
            && from >= until
        {
            return of("`notBefore` is not before `notAfter`", "swap them, or correct one of them");
        }
        Ok(())
    }
}

impl X509 {
    fn check(&self, name: &str, log: bool) -> Result<(), Wrong> {
        let of = |what: &str, hint| Err((format!("signer {name:?}: {what}"), hint));
        if log {
            return of("`transparencyLog` is not for `x509`", "signatures of the Notary Project are in no log");
        }
        let lists = [
            ("certificates", Some(&self.certificates)),
            ("timestampAuthorities", self.timestamp_authorities.as_ref()),
            ("revocationLists", self.revocation_lists.as_ref()),
        ];
        for (key, list) in lists {
            if list.is_some_and(|list| list.is_empty() || list.iter().any(|path| path.trim().is_empty())) {
                return of(&format!("`x509.{key}` is empty, or has an empty name in it"), "name the files");
            }
        }
        if self.subjects.as_ref().is_some_and(Vec::is_empty) {
            return of("`x509.subjects` is empty", "name a subject such as `C=US, O=acme`, or leave the key out");
        }
        if self.revocation == Some(RevocationRule::Required) && self.revocation_lists.is_none() {
            return of("`x509.revocation: required` without `revocationLists`", "name the revocation lists");
        }
        Ok(())
    }

    /// How much has to be known about revocation: lists that are given are meant.
    pub(crate) fn revocation(&self) -> RevocationRule {
        let given = if self.revocation_lists.is_some() { RevocationRule::Required } else { RevocationRule::IfGiven };
        self.revocation.unwrap_or(given)
    }
}

impl Trust {
    /// What a schema cannot say.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        for (key, list) in [("roots", &self.roots), ("repositories", &self.repositories)] {
            if list.as_ref().is_some_and(|list| list.is_empty() || list.iter().any(|text| text.trim().is_empty())) {
                return Err((
                    format!("`trust.{key}` is empty, or has an empty text in it"),
                    "name one, or leave it out",
                ));
            }
        }
        for repository in self.repositories.iter().flatten() {
            let read = repository.parse::<model::ImageReference>();
            if !read.is_ok_and(|name| name.host.is_some() && name.tag.is_none() && name.digest.is_none()) {
                return Err((
                    format!("`trust.repositories`: {repository:?} is no repository"),
                    "write host/repository without a tag, such as registry.example.com/signatures",
                ));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains("PRIVATE KEY") {
            return Err(de::Error::custom("this is a private key; keep it secret and give the public one"));
        }
        if text.contains("-----BEGIN ") {
            return Ok(Self::Inline(text));
        }
        if text.starts_with("awskms://") {
            return Ok(Self::Kms(text));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(de::Error::custom(format!(
                "keys at {scheme}:// are not read; give a file, the PEM text, or awskms:///alias/NAME"
            )));
        }
        if text.trim().is_empty() {
            return Err(de::Error::custom("`key` is empty; give a file, the PEM text, or awskms:///alias/NAME"));
        }
        Ok(Self::File(text))
    }
}

impl<'de> Deserialize<'de> for Revoked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Revoked;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true` or `{at: TIME}`")
            }
            fn visit_bool<E: de::Error>(self, revoked: bool) -> Result<Revoked, E> {
                if revoked {
                    Ok(Revoked::Always)
                } else {
                    Err(E::custom("leave `revoked` out for a signer that is not"))
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Revoked, A::Error> {
                let mut at = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "at" {
                        return Err(de::Error::unknown_field(&key, &["at"]));
                    }
                    at = Some(map.next_value::<Since>()?.0);
                }
                at.map(Revoked::At).ok_or_else(|| de::Error::missing_field("at"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Key {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Key".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["release.pub", "awskms:///alias/release"] })
    }
}

impl JsonSchema for Revoked {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Revoked".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "const": true },
            {
                "type": "object", "additionalProperties": false, "required": ["at"],
                "properties": { "at": { "type": "string" } }
            }
        ] })
    }
}
