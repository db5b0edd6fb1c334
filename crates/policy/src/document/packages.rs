//! The keys of a `packages` rule: which packages of the operating system the layers may hold (B13, B16). It reads the
//! package databases themselves; what somebody says is in the image is for `sbom` rules.

use schemars::JsonSchema;
use serde::Deserialize;

use super::sbom::{PackagePattern, not_empty};

/// The types of package that package databases hold.
const TYPES: [&str; 3] = ["apk", "deb", "rpm"];

/// Which packages the image may hold, by the package databases in its layers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Packages {
    /// Packages that must not be there: `pkg:deb/telnet` is every version, `pkg:deb/telnet@0.17-44` is one.
    pub(crate) deny: Option<Vec<PackagePattern>>,
    /// The only packages that may be there.
    pub(crate) allow: Option<Vec<PackagePattern>>,
    /// Packages that must be there.
    pub(crate) required: Option<Vec<PackagePattern>>,
    /// How many packages there may be.
    pub(crate) max: Option<u32>,
    /// What it means that there is no package database: unknown (default), or `pass` for images that are built from
    /// nothing. An image that names a distribution and has no database does not pass.
    pub(crate) without_database: Option<WithoutDatabase>,
}

/// What it means that there is no package database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum WithoutDatabase {
    /// There are no packages.
    Pass,
}

impl Packages {
    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        let wrong = |what: String, hint| Err((format!("rule {rule:?}: {what}"), hint));
        let lists = [("deny", &self.deny), ("allow", &self.allow), ("required", &self.required)];
        for (key, list) in lists {
            let key = format!("packages.{key}");
            not_empty(rule, &key, list.as_deref(), "name a package, such as pkg:deb/telnet, or leave the key out")?;
            for PackagePattern(purl) in list.iter().flatten() {
                if !TYPES.contains(&purl.kind.as_str()) {
                    return wrong(
                        format!("`{key}` names {purl}, which no package database lists: they hold apk, deb and rpm"),
                        "packages of languages are in bills of materials: `sbom: { denyPackages: [...] }`",
                    );
                }
                if purl.namespace.is_some() {
                    return wrong(
                        format!("`{key}` names {purl}: package databases do not say whose a package is"),
                        "leave the distributor out: pkg:deb/openssl, not pkg:deb/debian/openssl",
                    );
                }
            }
        }
        if self.deny.is_none() && self.allow.is_none() && self.required.is_none() && self.max.is_none() {
            return wrong("`packages` asks nothing".to_owned(), "give it `deny`, `allow`, `required` or `max`");
        }
        let same = |one: &PackagePattern, other: &PackagePattern| {
            one.0.is_same_package(&other.0) && one.0.full_version() == other.0.full_version()
        };
        for denied in self.deny.iter().flatten() {
            for (key, list) in [("allow", &self.allow), ("required", &self.required)] {
                if list.iter().flatten().any(|listed| same(denied, listed)) {
                    return wrong(
                        format!("{} is both in `packages.deny` and in `packages.{key}`", denied.0),
                        "take it out of one of them",
                    );
                }
            }
        }
        if self.max == Some(0) && self.without_database.is_none() {
            return wrong(
                "`packages.max: 0` allows no image: one without packages has no package database".to_owned(),
                "say that this is meant: `withoutDatabase: pass`",
            );
        }
        if self.without_database.is_some() && self.required.is_some() {
            return wrong(
                "`packages.withoutDatabase: pass` would let an image through that lacks what `packages.required` names"
                    .to_owned(),
                "leave one of them out, or make two rules",
            );
        }
        Ok(())
    }
}
