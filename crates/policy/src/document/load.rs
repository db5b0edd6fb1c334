//! Reading a document: bounded, with places and suggestions, every key with a value, and the checks a schema cannot
//! express.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::UnknownClass;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};

use super::signers::Trust;
use super::{Check, OnUnknown, Policy, Rule};
use crate::error::{DocumentError, suggest};

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Reads one YAML document into its type.
pub(crate) fn read_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::new(
            file,
            format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len()),
        ));
    }
    let options = || {
        serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_events: 100_000, max_aliases: 100, max_anchors: 100, max_depth: 32 },
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        }
    };
    let wrong = |error| DocumentError::from_yaml(file, &error);
    let document = serde_saphyr::from_str_with_options(text, options()).map_err(wrong)?;
    let Filled = serde_saphyr::from_str_with_options(text, options()).map_err(wrong)?;
    Ok(document)
}

/// Anything without a `null` in it. `max:` with nothing behind it would read as "no limit", `digest: ${UNSET}` as
/// "every image".
struct Filled;

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Filled;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Filled, E> {
                Err(E::custom("a key or list item without a value: give it one or leave it out"))
            }
            fn visit_none<E: de::Error>(self) -> Result<Filled, E> {
                self.visit_unit()
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Filled, E> {
                Ok(Filled)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Filled, D::Error> {
                Filled::deserialize(inner)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Filled, A::Error> {
                while list.next_element::<Filled>()?.is_some() {}
                Ok(Filled)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Filled, A::Error> {
                while map.next_entry::<Filled, Filled>()?.is_some() {}
                Ok(Filled)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Policy {
    /// Reads and checks a policy. `file` is its name for messages.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        let policy: Self = read_yaml(file, text)?;
        policy.check().map_err(|(what, hint)| {
            let error = DocumentError::new(file, what);
            if hint.is_empty() { error } else { error.hint(hint) }
        })?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), (String, Cow<'static, str>)> {
        self.check_keys().map_err(|(what, hint)| (what, Cow::Borrowed(hint)))?;
        self.spec.rules.iter().try_for_each(|rule| self.check_signers(rule))
    }

    /// Rules name signers that there are.
    fn check_signers(&self, rule: &Rule) -> Result<(), (String, Cow<'static, str>)> {
        let Ok(check) = rule.check() else { return Ok(()) };
        let declared: Vec<&str> = self.spec.signers.iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        for (key, names) in check.signers() {
            if let Some(name) = names.iter().find(|name| !declared.contains(&name.as_str())) {
                let possible = [check.words(), &declared].concat();
                let hint = suggest(name, &possible).unwrap_or_else(|| "declare signers in `spec.signers`".to_owned());
                let what = format!("rule {:?}: `{key}` names {name:?}, which `spec.signers` does not declare", rule.id);
                return Err((what, hint.into()));
            }
        }
        if check.on().is_some() && declared.is_empty() {
            return Err((
                format!("rule {:?}: the policy has no signers, so that nobody's word would count", rule.id),
                "declare signers in `spec.signers`".into(),
            ));
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), (String, &'static str)> {
        let spec = &self.spec;
        if self.metadata.name.trim().is_empty() {
            return Err(("`metadata.name` is empty".to_owned(), "the name is repeated in every decision"));
        }
        if spec.rules.is_empty() {
            return Err(("`spec.rules` is empty".to_owned(), "a policy without rules would allow everything"));
        }
        let mut ids = BTreeSet::new();
        for rule in &spec.rules {
            if rule.id.trim().is_empty() || !ids.insert(&rule.id) {
                return Err((
                    format!("the rule id {:?} is empty or there twice", rule.id),
                    "ids are unique in a policy",
                ));
            }
            let of_rule = |(what, hint): (String, &'static str)| (format!("rule {:?}: {what}", rule.id), hint);
            let check = rule.check().map_err(|kinds| {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                let what = match kinds.as_slice() {
                    [] => "it says nothing to check".to_owned(),
                    kinds => format!("it has {} at once", kinds.join(" and ")),
                };
                of_rule((what, Rule::ONE_OF))
            })?;
            match check {
                Check::Vulnerabilities(of) => of.check().map_err(of_rule),
                Check::Sbom(of) => of.check(&rule.id),
                Check::Packages(of) => of.check(&rule.id),
                Check::Config(of) => of.check(&rule.id),
                Check::BaseImage(of) => of.check(&rule.id),
                Check::Age(of) => of.check(&rule.id),
                Check::Registries(of) => of.check(&rule.id),
                Check::Measurements(of) => of.check(&rule.id),
                // Without signers it is this that is said, and not that there are too few.
                Check::Signatures(of) => match spec.signers.as_ref().map_or(0, BTreeMap::len) {
                    0 if of.of.is_none() => Ok(()),
                    declared => of.check(declared).map_err(of_rule),
                },
                Check::Attestations(of) => of.check().map_err(of_rule),
                Check::Provenance(of) => of.check().map_err(of_rule),
                Check::Vsa(of) => of.check().map_err(of_rule),
            }?;
        }
        spec.trust.as_ref().map_or(Ok(()), Trust::check)?;
        if spec.signers.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(("`spec.signers` is empty".to_owned(), "declare a signer, or leave the key out"));
        }
        for (name, signer) in spec.signers.iter().flatten() {
            signer.check(name)?;
        }
        if let Some(map) = &spec.on_unknown {
            // S5: the last known good fact may stand in only for a source that cannot be reached.
            let available = [
                UnknownClass::Throttled,
                UnknownClass::RegistryUnavailable,
                UnknownClass::TrustUnavailable,
                UnknownClass::StoreUnavailable,
                UnknownClass::Deadline,
            ];
            let last = |rule: &OnUnknown| matches!(rule, OnUnknown::LastKnownGood(_));
            if let Some((class, _)) = map.classes.iter().find(|(class, rule)| last(rule) && !available.contains(class))
            {
                return Err((
                    format!("`onUnknown.{class}` cannot be `lastKnownGood`"),
                    "lastKnownGood is for throttled, registryUnavailable, trustUnavailable, storeUnavailable and deadline",
                ));
            }
            if last(&map.default) {
                return Err(("`onUnknown.default` cannot be `lastKnownGood`".to_owned(), "name the classes it is for"));
            }
        }
        if let Some(images) = spec.matches.as_ref().and_then(|matches| matches.images.as_ref()) {
            for pattern in images {
                globset::GlobBuilder::new(pattern)
                    .literal_separator(true)
                    .build()
                    .map_err(|error| (format!("`match.images`: {error}"), "* within a part, ** over parts"))?;
            }
        }
        Ok(())
    }
}
