//! Reading a document: bounded, with places and suggestions, every key with a value, and the checks a schema cannot
//! express.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::{SignedDuration, UnknownClass};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};

use super::parameters::{Parameters, properties, quoted, with_operator, written_out};
use super::places::{self, Step};
use super::signers::Trust;
use super::types::Action;
use super::{Check, Class, OnUnknown, Policy, Rule};
use crate::error::{DocumentError, suggest};

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The largest data document for Rego.
const MAX_DATA_BYTES: usize = 10 << 20;

/// S32: the longest time for which what runs may run on.
const LONGEST_GRANDFATHERING: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reads one YAML document into its type.
pub(crate) fn read_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, DocumentError> {
    read_with::<T, Filled<false>>(file, text, None)
}

/// The same where `null` may stand in what is anybody's JSON: behind the keys [`OPEN`].
pub(crate) fn read_open_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, DocumentError> {
    read_with::<T, Filled<true>>(file, text, None)
}

/// Keys of a test file whose values are JSON of any kind.
const OPEN: [&str; 2] = ["change", "predicate"];

/// Reads a data document for Rego as OPA does: JSON by its name, else YAML, in which `no` and `on` are text. It is the author's own,
/// so `null` may stand in it.
pub(super) fn read_data<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, DocumentError> {
    if text.len() > MAX_DATA_BYTES {
        let what = format!("the file has {} bytes; at most {MAX_DATA_BYTES} are read", text.len());
        return Err(DocumentError::new(file, what));
    }
    if std::path::Path::new(file).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        return serde_json::from_str(text).map_err(|error| {
            let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
            DocumentError::new(file, error.to_string()).at(line, None)
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 2_000_000, max_aliases: 100, max_anchors: 100, max_depth: 32 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        legacy_octal_numbers: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| DocumentError::from_yaml(file, &error))
}

/// The same with the values of parameters in place of `$name`; `F` is what the text has to be beside.
fn read_with<T: DeserializeOwned, F: DeserializeOwned>(
    file: &str,
    text: &str,
    parameters: Option<&Parameters>,
) -> Result<T, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::new(
            file,
            format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len()),
        ));
    }
    let options = || {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_events: 100_000, max_aliases: 100, max_anchors: 100, max_depth: 32 },
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
            // `{ high: ${high} }` is no YAML: within braces only `$high` can stand.
            property_syntax: serde_saphyr::PropertySyntax::BracedOrBare,
        };
        match parameters {
            Some(parameters) => options.with_properties(properties(parameters)),
            None => options,
        }
    };
    let wrong = |error| DocumentError::from_yaml(file, &error);
    let document = serde_saphyr::from_str_with_options(text, options()).map_err(wrong)?;
    serde_saphyr::from_str_with_options::<F>(text, options()).map_err(wrong)?;
    Ok(document)
}

/// Anything without a `null` in it. `max:` with nothing behind it would read as "no limit", `digest: ${UNSET}` as
/// "every image". `O`: what is behind the keys [`OPEN`] may be anything.
struct Filled<const O: bool>;

/// A key, and whether anything may be behind it.
struct Key<const O: bool>(bool);

impl<'de, const O: bool> Deserialize<'de> for Key<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const O: bool>;
        impl<const O: bool> de::Visitor<'_> for Visitor<O> {
            type Value = Key<O>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key<O>, E> {
                Ok(Key(O && OPEN.contains(&key)))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Key<O>, E> {
                Ok(Key(false))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Key<O>, E> {
                Ok(Key(false))
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Key<O>, E> {
                Ok(Key(false))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Key<O>, E> {
                Ok(Key(false))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de, const O: bool> Deserialize<'de> for Filled<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const O: bool>;
        impl<'de, const O: bool> de::Visitor<'de> for Visitor<O> {
            type Value = Filled<O>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Filled<O>, E> {
                Err(E::custom("a key or list item without a value: give it one or leave it out"))
            }
            fn visit_none<E: de::Error>(self) -> Result<Filled<O>, E> {
                self.visit_unit()
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Filled<O>, E> {
                Ok(Filled)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Filled<O>, D::Error> {
                Filled::deserialize(inner)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Filled<O>, A::Error> {
                while list.next_element::<Filled<O>>()?.is_some() {}
                Ok(Filled)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Filled<O>, A::Error> {
                while let Some(Key(open)) = map.next_key::<Key<O>>()? {
                    if open {
                        map.next_value::<de::IgnoredAny>()?;
                    } else {
                        map.next_value::<Filled<O>>()?;
                    }
                }
                Ok(Filled)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What is wrong with a document that its types alone do not show, and where.
#[derive(Debug)]
pub(crate) struct Problem {
    what: String,
    hint: Cow<'static, str>,
    path: Vec<Step>,
}

impl Problem {
    pub(crate) fn new(path: Vec<Step>, what: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), hint: hint.into(), path }
    }

    /// The same with its line and column.
    pub(crate) fn in_file(self, file: &str, text: &str) -> DocumentError {
        let error = DocumentError::new(file, &*self.what);
        let error = match places::find(text, &self.path, &self.what) {
            Some((line, column)) => error.at(line, Some(column)),
            None => error,
        };
        if self.hint.is_empty() { error } else { error.with_hint(self.hint) }
    }

    /// What is wrong with the rule at this position.
    fn rule(index: usize) -> impl Fn((String, &'static str)) -> Self {
        move |(what, hint)| Self::new(places::rule(index), what, hint)
    }
}

impl Policy {
    /// Reads and checks a policy, with these values for `$name`. `file` is its name for messages.
    ///
    /// # Errors
    /// The place and what is wrong with it.
    pub(crate) fn parse(file: &str, text: &str, parameters: &Parameters) -> Result<Self, DocumentError> {
        if let Some((line, name)) = with_operator(text) {
            let error = DocumentError::new(file, format!("`${{{name}…}}` says more than the name of a parameter"));
            return Err(error.at(line as u64, None).with_hint(format!(
                "write `${{{name}}}`, and its value in `spec.parameters` or `spec.environments.NAME.parameters`"
            )));
        }
        if let Some((line, name)) = quoted(text, parameters) {
            let error =
                DocumentError::new(file, format!("the parameter `${name}` is in quotes, where it is only text"));
            return Err(error
                .at(line as u64, None)
                .with_hint(format!("write `${name}` without quotes, or `$${name}` for the text itself")));
        }
        let policy: Self = read_with::<Self, Filled<false>>(file, text, Some(parameters)).map_err(|error| {
            // The reader takes parameters for secrets and leaves out words that hold one. The same text with the values
            // written out is refused for the same reason, in plain words.
            let written_out =
                read_with::<Self, Filled<false>>(file, &written_out(text, parameters), Some(&Parameters::new()));
            match written_out {
                Err(plain) if plain.line == error.line => plain,
                _ => error,
            }
        })?;
        policy.check().map_err(|problem| problem.in_file(file, text))?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), Problem> {
        let spec = &self.spec;
        if self.metadata.name.trim().is_empty() {
            let path = vec![Step::Key("metadata".to_owned()), Step::Key("name".to_owned())];
            return Err(Problem::new(path, "`metadata.name` is empty", "the name is repeated in every decision"));
        }
        if spec.rules.is_empty() {
            let hint = "a policy without rules would allow everything";
            return Err(Problem::new(places::spec("rules"), "`spec.rules` is empty", hint));
        }
        self.check_environments()?;
        self.check_match()?;
        self.check_rules()?;
        spec.trust
            .as_ref()
            .map_or(Ok(()), Trust::check)
            .map_err(|(what, hint)| Problem::new(places::spec("trust"), what, hint))?;
        let signers = |(what, hint): (String, &'static str)| Problem::new(places::spec("signers"), what, hint);
        if spec.signers.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(signers(("`spec.signers` is empty".to_owned(), "declare a signer, or leave the key out")));
        }
        for (name, signer) in spec.signers.iter().flatten() {
            signer.check(name).map_err(signers)?;
        }
        self.check_on_unknown()?;
        self.check_grandfathering()?;
        spec.rules.iter().enumerate().try_for_each(|(index, rule)| self.check_signers(index, rule))
    }

    fn check_environments(&self) -> Result<(), Problem> {
        for (name, environment) in self.spec.environments.iter().flatten() {
            if environment.class == Class::Production
                && environment.none_matched.is_some_and(|action| action != Action::Deny)
            {
                let mut path = places::spec("environments");
                path.extend([Step::Key(name.clone()), Step::Key("noneMatched".to_owned())]);
                let what =
                    format!("environment {name:?} is production: an image that no policy is about is denied there");
                return Err(Problem::new(path, what, "leave `noneMatched` out, or let a policy match the image"));
            }
        }
        Ok(())
    }

    fn check_match(&self) -> Result<(), Problem> {
        let Some(matches) = &self.spec.matches else { return Ok(()) };
        let wrong = |what: String, hint: &'static str| Problem::new(places::spec("match"), what, hint);
        let nothing = "the policy would be about nothing; leave the key out to mean everything";
        if matches.environments.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("`match.environments` is empty".to_owned(), nothing));
        }
        if matches.images.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("`match.images` is empty".to_owned(), nothing));
        }
        if matches.labels.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(wrong("`match.labels` is empty".to_owned(), nothing));
        }
        for pattern in matches.images.iter().flatten() {
            if pattern.trim().is_empty() {
                return Err(wrong("`match.images` has an empty pattern".to_owned(), "write `**` for every image"));
            }
            if pattern.contains(':') && pattern.rsplit_once('/').is_some_and(|(_, last)| last.contains([':', '@'])) {
                let what = format!(
                    "`match.images`: {pattern:?} names a tag or digest, and is compared with `host/repository`"
                );
                return Err(wrong(what, "leave the tag out; a `registries` rule judges tags"));
            }
            globset::GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .map_err(|error| wrong(format!("`match.images`: {error}"), "* within a part, ** over parts"))?;
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), Problem> {
        let spec = &self.spec;
        let mut ids = BTreeSet::new();
        for (index, rule) in spec.rules.iter().enumerate() {
            if rule.id.trim().is_empty() || !ids.insert(&rule.id) {
                let what = format!("the rule id {:?} is empty or there twice", rule.id);
                let mut path = places::rule(index);
                path.push(Step::Key("id".to_owned()));
                return Err(Problem::new(path, what, "ids are unique in a policy"));
            }
            let of_rule = |(what, hint): (String, &'static str)| {
                Problem::new(places::rule(index), format!("rule {:?}: {what}", rule.id), hint)
            };
            let check = rule.check().map_err(|kinds| {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                let what = match kinds.as_slice() {
                    [] => "it says nothing to check".to_owned(),
                    kinds => format!("it has {} at once", kinds.join(" and ")),
                };
                of_rule((what, Rule::ONE_OF))
            })?;
            rule.check_dates().map_err(of_rule)?;
            match check {
                Check::Vulnerabilities(of) => of.check().map_err(of_rule),
                Check::Sbom(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::Packages(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::Config(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::BaseImage(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::Age(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::Registries(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                Check::Measurements(of) => of.check(&rule.id).map_err(Problem::rule(index)),
                // Without signers it is this that is said, and not that there are too few.
                Check::Signatures(of) => match spec.signers.as_ref().map_or(0, BTreeMap::len) {
                    0 if of.of.is_none() => Ok(()),
                    declared => of.check(declared).map_err(of_rule),
                },
                Check::Attestations(of) => of.check().map_err(of_rule),
                Check::Provenance(of) => of.check().map_err(of_rule),
                Check::Vsa(of) => of.check().map_err(of_rule),
                Check::Rego(of) => of.check().map_err(of_rule),
            }?;
        }
        Ok(())
    }

    /// Rules name signers that there are.
    fn check_signers(&self, index: usize, rule: &Rule) -> Result<(), Problem> {
        let Ok(check) = rule.check() else { return Ok(()) };
        let declared: Vec<&str> = self.spec.signers.iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        for (key, names) in check.signers() {
            if let Some(name) = names.iter().find(|name| !declared.contains(&name.as_str())) {
                let possible = [check.words(), &declared].concat();
                let hint = suggest(name, &possible).unwrap_or_else(|| "declare signers in `spec.signers`".to_owned());
                let what = format!("rule {:?}: `{key}` names {name:?}, which `spec.signers` does not declare", rule.id);
                return Err(Problem::new(places::rule(index), what, hint));
            }
        }
        if check.on().is_some() && declared.is_empty() {
            let what = format!("rule {:?}: the policy has no signers, so that nobody's word would count", rule.id);
            return Err(Problem::new(places::rule(index), what, "declare signers in `spec.signers`"));
        }
        Ok(())
    }

    fn check_grandfathering(&self) -> Result<(), Problem> {
        let Some(lasts) = self.spec.grandfathering else { return Ok(()) };
        if lasts.0.is_zero() || lasts.0 > LONGEST_GRANDFATHERING {
            let what = "`grandfathering` is longer than nothing and at most 90d";
            let hint = "what has to run on for longer needs an exception; leave the key out where nothing may";
            return Err(Problem::new(places::spec("grandfathering"), what, hint));
        }
        Ok(())
    }

    fn check_on_unknown(&self) -> Result<(), Problem> {
        let Some(map) = &self.spec.on_unknown else { return Ok(()) };
        // S5: the last known good fact may stand in only for a source that cannot be reached.
        let available = [
            UnknownClass::Throttled,
            UnknownClass::RegistryUnavailable,
            UnknownClass::TrustUnavailable,
            UnknownClass::StoreUnavailable,
            UnknownClass::Deadline,
        ];
        let last = |rule: &OnUnknown| matches!(rule, OnUnknown::LastKnownGood(_));
        if let Some((class, _)) = map.classes.iter().find(|(class, rule)| last(rule) && !available.contains(class)) {
            return Err(Problem::new(
                places::spec("onUnknown"),
                format!("`onUnknown.{class}` cannot be `lastKnownGood`"),
                "lastKnownGood is for throttled, registryUnavailable, trustUnavailable, storeUnavailable and deadline",
            ));
        }
        if last(&map.default) {
            let what = "`onUnknown.default` cannot be `lastKnownGood`";
            return Err(Problem::new(places::spec("onUnknown"), what, "name the classes it is for"));
        }
        Ok(())
    }
}

impl Rule {
    fn check_dates(&self) -> Result<(), (String, &'static str)> {
        if self.before.is_some() && self.effective_from.is_none() {
            let hint = "say from when on the rule's action holds, or leave `before` out";
            return Err(("`before` stands without `effectiveFrom`".to_owned(), hint));
        }
        if let (Some(from), Some(until)) = (self.effective_from, self.until)
            && until.0 <= from.0
        {
            return Err(("`until` is before `effectiveFrom`".to_owned(), "the rule would never be in force"));
        }
        Ok(())
    }
}
