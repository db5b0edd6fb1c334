//! The keys of a `registries` rule: where an image may come from, and how it has to be named. It is judged by the reference
//! as the caller wrote it, so it says nothing about what the image holds.

mod values;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::sbom::not_empty;
pub(crate) use values::{ImagePattern, NamePattern, TagPattern};

/// Where the image may come from, and how it has to be named.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Registries {
    /// The only repositories images may come from: patterns for `host/repository`, `*` within a part, `**` over parts. They
    /// begin with the registry's host: `docker.io/library/*`, `ghcr.io/acme/**`.
    pub(crate) allow: Option<Vec<NamePattern>>,
    /// Repositories images may not come from, although `allow` may hold them.
    pub(crate) deny: Option<Vec<NamePattern>>,
    /// Which tags a reference may name. One with neither tag nor digest names `latest`; a tag beside a digest is named too.
    pub(crate) tags: Option<Tags>,
    /// `true`: the reference has to name a digest; a tag may stand beside it.
    pub(crate) digest_only: Option<bool>,
    /// Images this rule is not about: patterns such as `docker.io/acme/tool` or `docker.io/acme/tool:latest`.
    pub(crate) except: Option<Vec<ImagePattern>>,
}

/// Which tags may be named.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Tags {
    /// The only tags that may be named, such as `v*`. A reference that names none is not allowed then.
    pub(crate) allow: Option<Vec<TagPattern>>,
    /// Tags that may not be named, such as `latest` or `*-dev`, although `allow` may hold them.
    pub(crate) deny: Option<Vec<TagPattern>>,
}

impl Registries {
    /// Whether what it says may depend on the tag.
    pub(crate) fn looks_at_tags(&self) -> bool {
        self.tags.is_some() || self.except.iter().flatten().any(ImagePattern::names_tags)
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        let wrong = |what: String, hint| Err((format!("rule {rule:?}: {what}"), hint));
        if self.digest_only == Some(false) {
            return wrong(
                "`registries.digestOnly: false` asks nothing".to_owned(),
                "leave the key out where it asks nothing",
            );
        }
        let repository = "name a repository, such as ghcr.io/acme/**, or leave the key out";
        not_empty(rule, "registries.allow", self.allow.as_deref(), repository)?;
        not_empty(rule, "registries.deny", self.deny.as_deref(), repository)?;
        not_empty(rule, "registries.except", self.except.as_deref(), repository)?;
        if let Some(tags) = &self.tags {
            not_empty(rule, "registries.tags.allow", tags.allow.as_deref(), "name a tag or leave the key out")?;
            not_empty(rule, "registries.tags.deny", tags.deny.as_deref(), "name a tag or leave the key out")?;
            if tags.allow.is_none() && tags.deny.is_none() {
                return wrong("`registries.tags` asks nothing".to_owned(), "give it `allow` or `deny`");
            }
        }
        if self.allow.is_none() && self.deny.is_none() && self.tags.is_none() && self.digest_only.is_none() {
            return wrong(
                "`registries` asks nothing".to_owned(),
                "give it `allow`, `deny`, `tags` or `digestOnly: true`",
            );
        }
        let open = |pattern: &&NamePattern| !pattern.names_its_registry();
        if let Some(pattern) = self.allow.iter().flatten().find(open) {
            return wrong(
                format!("`registries.allow` has {:?}, which images of any registry fit", pattern.text()),
                "say in which registry: end the host with its own domain, as *.example.com/**; in Amazon ECR name the account",
            );
        }
        if let Some(image) = self.except.iter().flatten().find(|image| open(&&image.name)) {
            return wrong(
                format!("`registries.except` has {:?}, which images of any registry fit", image.text),
                "say in which registry: end the host with its own domain, as *.example.com/**; in Amazon ECR name the account",
            );
        }
        let names = both(self.allow.as_deref(), self.deny.as_deref(), NamePattern::text);
        let tags = self.tags.as_ref();
        let tags = tags.and_then(|tags| both(tags.allow.as_deref(), tags.deny.as_deref(), TagPattern::text));
        match (names, tags) {
            (Some(name), _) => wrong(
                format!("{name:?} is both in `registries.allow` and in `registries.deny`"),
                "take it out of one of them",
            ),
            (None, Some(tag)) => wrong(
                format!("{tag:?} is both in `registries.tags.allow` and in `registries.tags.deny`"),
                "take it out of one of them",
            ),
            (None, None) => Ok(()),
        }
    }
}

/// A pattern that is in both lists.
fn both<T>(allow: Option<&[T]>, deny: Option<&[T]>, text: impl Fn(&T) -> &str) -> Option<String> {
    let denied: BTreeSet<&str> = deny.into_iter().flatten().map(&text).collect();
    allow.into_iter().flatten().map(&text).find(|allowed| denied.contains(allowed)).map(str::to_owned)
}
