//! Who wrote what an exception lets through, as far as the images say: they do not approve it (S29).

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Digest, ImageConfig, ImageReference, Reason, Signal};
use policy::RepositoryPattern;
use signals::Limits;
use signals::manifest::{Manifest, manifest};
use store::{DecisionQuery, DecisionRow};

use super::Held;
use crate::gate::{GateError, Inner, recording};
use crate::place::registry;

/// Where an image says who wrote it.
const AUTHORS: &str = "org.opencontainers.image.authors";
/// The newest decisions about one image, and about several, that are looked through.
const OF_ONE: u32 = 50;
const OF_SEVERAL: u32 = 500;
/// How many facts are read.
const FACTS: usize = 100;
/// How many platforms of an index are looked at.
const PLATFORMS: usize = 50;
/// How long a registry may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who wrote something.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Every name that is known.
    pub(super) names: Vec<String>,
    /// Why nothing is known, where there is one image that could say.
    pub(super) unknown: Option<String>,
}

impl Inner {
    /// Who wrote what an exception is about: what decisions on record know of it, and for one image of which they know nothing, what it says itself.
    pub(super) async fn authors(&self, held: &Held) -> Result<Written, GateError> {
        let scope = &held.scope;
        let query = DecisionQuery {
            digest: scope.digest.clone(),
            repository: Some(scope.repository.clone()).filter(|_| !scope.is_pattern),
            // An image is the same in every environment.
            environment: scope.environment.clone().filter(|_| scope.digest.is_none()),
            limit: if scope.digest.is_some() { OF_ONE } else { OF_SEVERAL },
            ..DecisionQuery::default()
        };
        let pattern = RepositoryPattern::parse(&scope.repository).ok();
        let is_meant = |row: &DecisionRow| {
            !scope.is_pattern || pattern.as_ref().is_none_or(|pattern| pattern.covers(&row.repository))
        };
        let decisions = self.store.decisions(&query).await?;
        let facts: BTreeSet<Digest> = decisions.into_iter().filter(is_meant).filter_map(|row| row.facts).collect();
        let (mut written, mut is_known) = (Written::default(), false);
        for digest in facts.into_iter().take(FACTS) {
            let Some(row) = self.store.evidence(&digest).await? else { continue };
            let Ok(recorded) = recording::read_facts(&row) else { continue };
            let platforms = recorded.facts.platforms.iter().flatten().map(|(_, child)| child);
            for manifest in std::iter::once(&recorded.facts.root).chain(platforms) {
                if let Signal::Present(config) = &manifest.config {
                    is_known = true;
                    written.names.extend(said(&config.value));
                }
            }
            if is_known && scope.digest.is_some() {
                return Ok(written);
            }
        }
        if let Some(digest) = &scope.digest {
            let read = tokio::time::timeout(TIMEOUT, self.says(&scope.repository, digest)).await;
            match read.unwrap_or_else(|_| Err(crate::pace::out_of_time("the registry"))) {
                Ok(names) => written.names.extend(names),
                Err(reason) => written.unknown = Some(reason.message),
            }
        }
        Ok(written)
    }

    /// Who wrote an image, as it says itself.
    async fn says(&self, repository: &str, digest: &Digest) -> Result<Vec<String>, Reason> {
        let wrong = |error: String| Reason::new(model::ReasonCode::RegistryNotFound, error);
        let image: ImageReference =
            format!("{repository}@{digest}").parse().map_err(|error| wrong(format!("{repository}: {error}")))?;
        let (source, ..) = registry(&image, &self.access)?;
        let found = source.manifest(digest).await?;
        let Manifest::Index(children) = manifest(&found.bytes, &Limits::STANDARD)? else {
            return Ok(said(&source.config(&found.bytes).await?));
        };
        let mut names = Vec::new();
        for (_, child) in children.iter().take(PLATFORMS) {
            let child = source.manifest(child).await?;
            names.extend(said(&source.config(&child.bytes).await?));
        }
        Ok(names)
    }
}

fn said(config: &ImageConfig) -> Vec<String> {
    config.label(AUTHORS).map_or_else(Vec::new, names)
}

/// `Ada <ada@example.com>, bob` names four: the whole, `Ada`, `ada@example.com`, and `bob`.
pub(super) fn names(label: &str) -> Vec<String> {
    let parts = label.split([',', ';', '<', '>']).map(str::trim).filter(|part| !part.is_empty());
    std::iter::once(label.trim()).chain(parts).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn s29_authors_are_named_whole_and_in_parts() {
        assert_eq!(names("Ada <ada@example.com>, bob")[1..], ["Ada", "ada@example.com", "bob"]);
        assert_eq!(names(" ada "), ["ada", "ada"]);
    }
}
