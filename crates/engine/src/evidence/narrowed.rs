//! What was handed over about one manifest, and nothing beside it (S1, S22).

use model::{
    Digest, ManifestFacts, Measurement, Observed, Purl, Reason, ReasonCode, Sbom, Signal, Timestamp, VexDocument,
    VexProduct,
};

use super::{Evidence, Given, is_for};

impl Evidence {
    /// The bills of materials for one manifest. One that was handed over about an index says nothing of a platform that it does not name.
    pub(crate) fn sboms(&self, root: &Digest, facts: &ManifestFacts, now: Timestamp) -> Signal<Vec<Observed<Sbom>>> {
        let config = config(facts);
        let names = |sbom: &Sbom| sbom.describes.iter().any(|one| *one == facts.digest || Some(one) == config);
        let mine = self.sboms.iter().filter(|file| {
            is_for(file.about.as_ref(), root, &facts.digest)
                && (file.about.as_ref().is_none_or(|about| *about == facts.digest) || file.value.iter().any(names))
        });
        list(mine, now, "a bill of materials")
    }

    /// The measurements for one manifest; each names the image it is of.
    pub(crate) fn measurements(
        &self,
        root: &Digest,
        digest: &Digest,
        now: Timestamp,
    ) -> Signal<Vec<Observed<Measurement>>> {
        list(self.measurements.iter().filter(|file| is_for(file.about.as_ref(), root, digest)), now, "a measurement")
    }

    /// The VEX documents for these manifests: what was handed over about one of them speaks of that one alone.
    pub(crate) fn vex<'a>(
        &self,
        root: &Digest,
        manifests: impl Iterator<Item = &'a ManifestFacts>,
        now: Timestamp,
    ) -> Vec<Observed<VexDocument>> {
        let manifests: Vec<&ManifestFacts> = manifests.collect();
        let said = self.vex.iter().filter_map(|file| {
            let value = match &file.about {
                Some(about) if about != root => {
                    let facts = manifests.iter().find(|facts| facts.digest == *about)?;
                    narrowed(file.value.clone(), root, facts)
                }
                _ => file.value.clone(),
            };
            let (origin, evidence) = (file.origin.clone(), file.evidence.clone());
            Some(Observed { value, origin, at: now, evidence })
        });
        said.collect()
    }
}

/// The document as one about this manifest of the index: what it says of the manifest, the whole index or a package anywhere, it says of this
/// manifest, or of that package in it.
fn narrowed(mut document: VexDocument, root: &Digest, facts: &ManifestFacts) -> VexDocument {
    for product in document.statements.iter_mut().flat_map(|statement| &mut statement.products) {
        let purl = product.purl.as_deref().and_then(Purl::parse).and_then(|purl| purl.digest());
        let is_meant = |digest: &Digest| *digest == facts.digest || digest == root || Some(digest) == config(facts);
        let named: Vec<&Digest> = product.digests.iter().chain(&purl).collect();
        let this = || vec![facts.digest.clone()];
        if named.iter().any(|digest| is_meant(digest)) {
            (product.digests, product.purl) = (this(), None);
        } else if !named.is_empty() {
            // It takes nothing away from an image that it was not handed over about; a warning about parts of it stays one.
            (product.digests, product.purl) = (Vec::new(), None);
        } else if product.subcomponents.is_empty()
            && let Some(package) = product.purl.take()
        {
            *product = VexProduct { digests: this(), purl: None, subcomponents: vec![package] };
        }
    }
    document
}

pub(super) fn config(facts: &ManifestFacts) -> Option<&Digest> {
    match &facts.config {
        Signal::Present(config) => Some(&config.value.id),
        _ => None,
    }
}

/// What these files hold; without a file nobody was asked.
fn list<'a, T: Clone + 'a>(
    files: impl Iterator<Item = &'a Given<Vec<T>>>,
    now: Timestamp,
    what: &str,
) -> Signal<Vec<Observed<T>>> {
    let mut all = Vec::new();
    let mut last = None;
    for file in files {
        let observed = |value: &T| Observed {
            value: value.clone(),
            origin: file.origin.clone(),
            at: now,
            evidence: file.evidence.clone(),
        };
        all.extend(file.value.iter().map(observed));
        last = Some(file);
    }
    match last {
        None => Signal::NotCollected(Reason::new(ReasonCode::NotCollected, format!("{what} was not asked for"))),
        Some(Given { origin, evidence, .. }) => {
            Signal::Present(Observed { value: all, origin: origin.clone(), at: now, evidence: evidence.clone() })
        }
    }
}
