//! The keys of a `provenance` rule: who built the image, in which way, and from what (SLSA). Every key that is left out
//! asks nothing; every key that is there has to be met, and what the provenance does not say meets nothing.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use super::pattern::{Form, TextPattern, Written};
use super::signatures::{On, names_once};

/// How the image has to have been built.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Provenance {
    /// Names of signers whose provenance counts; all of `spec.signers`, if left out.
    pub(crate) signers: Option<Vec<String>>,
    /// Ids of builders that are allowed.
    pub(crate) builders: Option<Vec<TextPattern>>,
    /// Ways to build (`buildType`) that are allowed.
    pub(crate) build_types: Option<Vec<TextPattern>>,
    /// Source repositories that are allowed: `github.com/acme/app`; `git+`, `https://`, a user and `.git` may be written,
    /// and are left away on both sides.
    pub(crate) sources: Option<Vec<SourcePattern>>,
    /// Branches and tags that are allowed, in full: `refs/heads/main`, `refs/tags/v*`.
    pub(crate) refs: Option<Vec<TextPattern>>,
    /// Commits that are allowed, in full.
    pub(crate) commits: Option<Vec<TextPattern>>,
    /// Workflows or pipeline files that are allowed.
    pub(crate) workflows: Option<Vec<TextPattern>>,
    /// Parameters that the build has to have been started with, by their path.
    pub(crate) parameters: Option<BTreeMap<String, TextPattern>>,
    /// What the provenance has to be about: `index` (default), `platforms`, `all`.
    pub(crate) on: Option<On>,
}

/// A pattern for source repositories.
#[derive(Debug, Clone)]
pub(crate) struct SourcePattern(pub(crate) TextPattern);

impl Provenance {
    /// The checks that a schema cannot express.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        names_once("provenance.signers", self.signers.as_deref())?;
        let lists = [
            ("builders", self.builders.as_ref().map(Vec::len)),
            ("buildTypes", self.build_types.as_ref().map(Vec::len)),
            ("sources", self.sources.as_ref().map(Vec::len)),
            ("refs", self.refs.as_ref().map(Vec::len)),
            ("commits", self.commits.as_ref().map(Vec::len)),
            ("workflows", self.workflows.as_ref().map(Vec::len)),
            ("parameters", self.parameters.as_ref().map(BTreeMap::len)),
        ];
        match lists.iter().find(|(_, length)| *length == Some(0)) {
            Some((key, _)) => {
                Err((format!("`provenance.{key}` is empty"), "name what is allowed, or leave the key out"))
            }
            None => Ok(()),
        }
    }
}

/// A repository's address without what differs from tool to tool: `git+`, the scheme, the user, `.git`, a slash at the
/// end; the host in lower case.
pub(crate) fn repository(text: &str) -> String {
    let text = text.strip_prefix("git+").unwrap_or(text);
    let (had_scheme, rest) = match text.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, text),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // `git@github.com:acme/app` is how ssh writes it; with a scheme, a colon leads a port.
    let (host, first) = match host.split_once(':') {
        Some((host, first)) if !had_scheme => (host, Some(first)),
        _ => (host, None),
    };
    let parts = [Some(host.to_ascii_lowercase()), first.map(str::to_owned), Some(path.to_owned())];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let joined = parts.join("/");
    let joined = joined.trim_end_matches('/');
    joined.strip_suffix(".git").unwrap_or(joined).to_owned()
}

impl<'de> Deserialize<'de> for SourcePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written((form, text)) = Written::deserialize(deserializer)?;
        if form != Form::Regex && text.contains("@refs/") {
            return Err(de::Error::custom(format!("{text:?} has a branch or tag in it; name those in `refs`")));
        }
        let text = if form == Form::Regex { text } else { repository(&text) };
        TextPattern::new(form, &text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for SourcePattern {
    fn inline_schema() -> bool {
        TextPattern::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        TextPattern::schema_name()
    }
    fn schema_id() -> std::borrow::Cow<'static, str> {
        TextPattern::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        TextPattern::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s27_addresses_of_one_repository_are_one() {
        for text in [
            "github.com/acme/app",
            "https://github.com/acme/app",
            "https://github.com/acme/app.git",
            "https://GitHub.com/acme/app/",
            "git+https://github.com/acme/app",
            "git+ssh://git@github.com/acme/app.git",
            "git@github.com:acme/app.git",
            "https://user:secret@github.com/acme/app",
        ] {
            assert_eq!(repository(text), "github.com/acme/app", "{text}");
        }
        assert_eq!(repository("https://git.example:8443/a/b"), "git.example:8443/a/b");
        assert_eq!(repository("**"), "**");
        assert_ne!(repository("https://github.com/acme/App"), "github.com/acme/app", "paths keep their case");
    }

    #[test]
    fn s27_near_misses_are_other_repositories() {
        let pattern = |text: &str| serde_json::from_value::<SourcePattern>(serde_json::Value::from(text)).unwrap().0;
        for (wanted, there) in [
            ("https://github.com/acme/example-package", "github.com/acme/example-package-x"),
            ("github.com/acme/example-package", "github.com/acme/example-packag"),
            ("github.com/acme/*", "github.com/acme-evil/app"),
            ("github.com/acme/*", "github.com/acme/app/x"),
            ("github.com/acme/*", "github.com.evil.example/acme/app"),
            ("github.com/acme/app", "github-com/acme/app"),
            ("github.com/acme/app", "evil.example/github.com/acme/app"),
        ] {
            assert!(!pattern(wanted).is_match(there), "{wanted} {there}");
        }
        assert!(pattern("git+https://github.com/acme/*").is_match("github.com/acme/app"));
    }
}
