//! The keys of a `signatures` rule: how many of which signers have to have signed the image (S27).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

/// Who has to have signed the image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Signatures {
    /// How many different signers: one key under two names is one signer. Without it, as many as `required` names, and
    /// at least one.
    #[schemars(range(min = 1))]
    pub(crate) threshold: Option<u32>,
    /// Names of signers that count; all of `spec.signers`, if left out.
    pub(crate) of: Option<Vec<String>>,
    /// Names of signers, each of which has to have signed.
    pub(crate) required: Option<Vec<String>>,
    /// What has to be signed: `index` (default), `platforms`, `all`.
    pub(crate) on: Option<On>,
}

/// Which manifests a rule about signatures and statements is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum On {
    /// The digest that is asked about: the index, or the image if there is none.
    Index,
    /// Every platform of the index that is judged.
    Platforms,
    /// Both.
    All,
}

impl Signatures {
    /// How many different signers there have to be.
    pub(crate) fn threshold(&self) -> usize {
        let required = self.required.as_ref().map_or(0, Vec::len);
        let threshold = self.threshold.map_or(1, |threshold| usize::try_from(threshold).unwrap_or(usize::MAX));
        threshold.max(required)
    }

    /// The checks that a schema cannot express; `declared` is how many signers the policy has.
    pub(super) fn check(&self, declared: usize) -> Result<(), (String, &'static str)> {
        let of = self.of.as_ref().map_or(declared, Vec::len);
        if self.threshold == Some(0) {
            return Err(("`signatures.threshold: 0` asks for nothing".to_owned(), "ask for at least 1"));
        }
        names_once("signatures.of", self.of.as_deref())?;
        names_once("signatures.required", self.required.as_deref())?;
        if let (Some(of), Some(required)) = (&self.of, &self.required)
            && let Some(other) = required.iter().find(|name| !of.contains(name))
        {
            return Err((
                format!("`signatures.required` names {other:?}, which `signatures.of` does not"),
                "name it in `of` too",
            ));
        }
        if self.threshold() > of {
            return Err((
                format!("`signatures.threshold` is {}, and there are {of} signers to count", self.threshold()),
                "name more signers, or lower the threshold",
            ));
        }
        Ok(())
    }
}

/// A list of names that is not empty and has none twice.
pub(super) fn names_once(key: &str, names: Option<&[String]>) -> Result<(), (String, &'static str)> {
    let Some(names) = names else { return Ok(()) };
    if names.is_empty() {
        return Err((format!("`{key}` is empty"), "name a signer of `spec.signers`, or leave the key out"));
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err((format!("`{key}` names {twice:?} twice"), "a signer counts once")),
        None => Ok(()),
    }
}
