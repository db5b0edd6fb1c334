//! Who brought a package into an image: its layer is one of the base image's, or one above. The base is the one whose
//! layers the image begins with, as its registry has it (B16); a label alone is no proof.

use std::collections::BTreeSet;

use model::{Digest, Facts, ImageConfig, KnownBase, ManifestFacts, PackageLayer, Signal};

/// Who brought a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin<'a> {
    /// The base image of this name.
    Base(&'a str),
    /// The image's own layers.
    Own,
    /// It cannot be told.
    Unknown(Why),
}

/// Why it cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    NoPackage,
    NoLayer,
    NoBase,
    OtherLayer,
    Database,
    Several,
}

impl Why {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoPackage => "the source names no package",
            Self::NoLayer => "no source names the layer, or two name different ones",
            Self::NoBase => "no base image is known that the image begins with; name it in `baseImage.approved`",
            Self::OtherLayer => "the layer that the source names is none of the image's",
            Self::Database => "the source names only the layer that last changed the package database",
            Self::Several => "it is in several places, and not all are from the same source",
        }
    }
}

/// One manifest and its base image, as far as they are known.
pub(super) struct Image<'a> {
    known: Option<(&'a ImageConfig, &'a str, &'a KnownBase)>,
}

impl<'a> Image<'a> {
    pub(super) fn of(manifest: &'a ManifestFacts, facts: &'a Facts) -> Self {
        let Signal::Present(config) = &manifest.config else { return Self { known: None } };
        let config = &config.value;
        let begun_by =
            present(facts).filter(|(_, base)| !base.diff_ids.is_empty() && config.diff_ids.starts_with(&base.diff_ids));
        // The nearest base: the one with the most layers; of several names the first that is no single build.
        let best = begun_by.min_by_key(|(name, base)| (usize::MAX - base.diff_ids.len(), name.contains('@'), *name));
        Self { known: best.map(|(name, base)| (config, without_digest(name), base)) }
    }

    /// The name of the base image, if it is known.
    pub(super) fn base(&self) -> Option<&'a str> {
        self.known.map(|(_, name, _)| name)
    }

    /// Who brought what was found in this layer.
    pub(super) fn origin(&self, layer: Option<&PackageLayer>) -> Origin<'a> {
        let Some(layer) = layer else { return Origin::Unknown(Why::NoLayer) };
        let Some((config, name, base)) = self.known else { return Origin::Unknown(Why::NoBase) };
        let places = places(layer, config);
        let below = base.diff_ids.len();
        if places.is_empty() {
            Origin::Unknown(Why::OtherLayer)
        } else if places.iter().all(|place| *place < below) {
            Origin::Base(name)
        } else if layer.or_below {
            Origin::Unknown(Why::Database)
        } else if places.iter().all(|place| *place >= below) {
            Origin::Own
        } else {
            Origin::Unknown(Why::Several)
        }
    }

    /// Whether the name of the base stands for another build today; `None` if that was not looked up.
    pub(super) fn newer_build(&self, facts: &Facts) -> Option<bool> {
        let (config, name, _) = self.known?;
        let mut today = facts.bases.iter().filter(|(asked, _)| asked == name).map(|(_, signal)| signal).peekable();
        today.peek()?;
        let mut all_known = true;
        for signal in today {
            match signal {
                Signal::Present(base) if config.diff_ids.starts_with(&base.value.diff_ids) => return Some(false),
                Signal::Present(_) => {}
                _ => all_known = false,
            }
        }
        all_known.then_some(true)
    }
}

fn present(facts: &Facts) -> impl Iterator<Item = (&str, &KnownBase)> {
    facts.bases.iter().filter_map(|(name, signal)| match signal {
        Signal::Present(base) => Some((name.as_str(), &base.value)),
        _ => None,
    })
}

fn without_digest(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Where in the image a layer is, lowest 0. The manifest's layers and `diff_ids` go together only where they are as many.
fn places(layer: &PackageLayer, config: &ImageConfig) -> BTreeSet<usize> {
    let named = |diff_id: &Digest| -> BTreeSet<usize> {
        config.diff_ids.iter().enumerate().filter(|(_, other)| *other == diff_id).map(|(place, _)| place).collect()
    };
    let packed = |digest: &Digest| -> BTreeSet<usize> {
        let together = config.layers.len() == config.diff_ids.len();
        let layers = config.layers.iter().enumerate();
        layers.filter(|(_, other)| together && other.digest == *digest).map(|(place, _)| place).collect()
    };
    match (layer.diff_id.as_ref().map(named), layer.digest.as_ref().map(packed)) {
        // The same layer may be packed in another way elsewhere.
        (Some(places), Some(packed)) if !packed.is_empty() => places.intersection(&packed).copied().collect(),
        (Some(places), _) | (None, Some(places)) => places,
        (None, None) => BTreeSet::new(),
    }
}
