//! What a test says about the image itself: configuration, layers, base images.

use std::collections::BTreeMap;

use model::{
    BaseImage, Contents, Digest, Entrypoint, Facts, ImageConfig, KnownBase, Layer, ManifestFacts, OsPackage, OsRelease,
    Platform, Secret, Signal,
};

use super::{At, Maker, Making, unknown};
use crate::document::{Problem, full_name};
use crate::testing::given::{self, Given};

/// How many layers an image has, and how many bytes they have, if nothing is said.
const LAYERS: u16 = 5;
const SIZE: u64 = 50 << 20;

impl Maker<'_> {
    pub(super) fn config(
        &self,
        given: &given::Config,
        of_index: Option<&Platform>,
        making: &Making<'_>,
    ) -> Result<ImageConfig, Problem> {
        let at = making.at.key("config");
        let platform = match given.platform.as_ref().or(of_index) {
            Some(platform) => platform.clone(),
            None => Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() },
        };
        let size = match given.size {
            None => SIZE,
            Some(size) if size.dimension == model::Dimension::Size => size.amount,
            Some(size) => return Err(at.wrong(format!("`size` is {size}, which is no size"), "such as 200MiB")),
        };
        let count = given.layers.unwrap_or(LAYERS);
        let diff_ids: Vec<Digest> = (0..count).map(|place| layer(making.digest, place)).collect();
        let each = size.checked_div(u64::from(count)).unwrap_or(0);
        let layers = (0..count).map(|place| Layer {
            digest: Digest::of(format!("{} compressed layer {place}", making.digest).as_bytes()),
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
            // The first has what is left over, so that all of them together have exactly the size.
            size_bytes: if place == 0 { size - each * u64::from(count - 1) } else { each },
        });
        let layers: Vec<Layer> = layers.collect();
        let base = given.base.as_ref();
        let mut ports: Vec<String> = given.ports.iter().flatten().cloned().collect();
        ports.sort_unstable();
        let kinds = given.secrets.iter().flatten().enumerate();
        Ok(ImageConfig {
            id: Digest::of(format!("{} configuration", making.digest).as_bytes()),
            platform,
            created: given.built.map(|age| self.ago(age.0)),
            user: given.user.clone().unwrap_or_else(String::new),
            entrypoint: given.entrypoint.iter().flatten().cloned().collect(),
            command: given.command.iter().flatten().cloned().collect(),
            working_dir: String::new(),
            path: Vec::new(),
            variables: given.variables.iter().flatten().cloned().collect(),
            ports,
            labels: copied(given.labels.as_ref()),
            annotations: copied(given.annotations.as_ref()),
            layers,
            diff_ids,
            secrets: kinds
                .map(|(place, kind)| Secret { place: format!("history entry {}", place + 1), kind: kind.clone() })
                .collect(),
            base: base.map(|base| BaseImage {
                name: base.name.clone(),
                digest: base.digest.clone(),
                said_by: "annotation".to_owned(),
            }),
        })
    }

    pub(super) fn contents(given: &given::Contents, making: &Making<'_>) -> Result<Contents, Problem> {
        let at = making.at.key("contents");
        let mut packages = Vec::new();
        for (place, purl) in given.packages.iter().flatten().enumerate() {
            let purl = &purl.0;
            if !["deb", "apk", "rpm"].contains(&purl.kind.as_str()) {
                let what = format!("{purl} is no package of an operating system");
                return Err(at
                    .key("packages")
                    .item(place)
                    .wrong(what, "such as pkg:deb/debian/openssl@3.0.8, pkg:apk or pkg:rpm"));
            }
            packages.push(OsPackage {
                kind: purl.kind.clone(),
                name: purl.name.clone(),
                version: purl.full_version().unwrap_or_else(String::new),
                architecture: purl.qualifiers.get("arch").cloned().unwrap_or_else(String::new),
            });
        }
        packages.sort_unstable();
        let of_packages = [("deb", "dpkg"), ("apk", "apk"), ("rpm", "rpm sqlite")]
            .into_iter()
            .filter(|(kind, _)| packages.iter().any(|package| package.kind == *kind));
        let databases = match &given.databases {
            Some(databases) => databases.clone(),
            None => of_packages.map(|(_, database)| database.to_owned()).collect(),
        };
        let named = "/app".to_owned();
        Ok(Contents {
            os: given.os.as_deref().map(|text| {
                let (id, version) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
                OsRelease { id: id.to_owned(), version: version.trim().to_owned() }
            }),
            databases,
            packages,
            removed: Vec::new(),
            unreadable: given.unreadable.iter().flatten().cloned().collect(),
            entrypoint: match given.entrypoint {
                None => Entrypoint::NotDecidable("the test does not say what became of it".to_owned()),
                Some(given::Entrypoint::Resolved) => Entrypoint::Resolved(named),
                Some(given::Entrypoint::NotSet) => Entrypoint::NotSet,
                Some(given::Entrypoint::Missing) => Entrypoint::Missing(named),
                Some(given::Entrypoint::NotExecutable) => Entrypoint::NotExecutable(named),
                Some(given::Entrypoint::WrongArchitecture) => Entrypoint::WrongArchitecture(named),
                Some(given::Entrypoint::InterpreterMissing) => Entrypoint::InterpreterMissing(named),
            },
        })
    }

    /// Base images: of an index, one for each platform, since that is what registries are asked for.
    pub(super) fn bases(
        &self,
        given: &Given,
        facts: &Facts,
        at: &At,
    ) -> Result<Vec<(String, Signal<KnownBase>)>, Problem> {
        let manifests: Vec<&ManifestFacts> = match &facts.platforms {
            None => vec![&facts.root],
            Some(children) => children.iter().map(|(_, child)| child).collect(),
        };
        let mut bases = Vec::new();
        for (name, base) in given.bases.iter().flatten() {
            let at = at.key("bases").key(name);
            let Some(full) = full_name(name) else {
                return Err(at.wrong(format!("{name:?} is no name of an image"), "such as docker.io/library/debian:12"));
            };
            if let Some(code) = base.unknown {
                if base.digest.is_some() || base.layers.is_some() || base.built.is_some() {
                    return Err(at.wrong("`unknown` beside what is known", "leave one of them out"));
                }
                bases.push((full, unknown(code, &at.key("unknown"))?));
                continue;
            }
            for manifest in &manifests {
                let known = self.base(&full, base, manifest, &at)?;
                bases.push((full.clone(), Signal::Present(self.observed(known))));
            }
        }
        Ok(bases)
    }

    fn base(&self, name: &str, given: &given::Base, manifest: &ManifestFacts, at: &At) -> Result<KnownBase, Problem> {
        let own = match &manifest.config {
            Signal::Present(config) => config.value.diff_ids.as_slice(),
            _ => &[],
        };
        let diff_ids = match given.layers {
            None => vec![Digest::of(format!("a layer of {name}").as_bytes())],
            Some(0) => {
                return Err(
                    at.wrong("`layers: 0`: a base image has layers", "leave it out where the image is not built on it")
                );
            }
            Some(count) => {
                let lowest = own.get(..usize::from(count)).ok_or_else(|| {
                    let what = format!("`layers: {count}`, and the image's `config` gives {} layers", own.len());
                    at.wrong(what, "give the image a `config` with more `layers`")
                })?;
                lowest.to_vec()
            }
        };
        let made_up = || Digest::of(format!("the base image {name}").as_bytes());
        Ok(KnownBase {
            digest: given.digest.clone().unwrap_or_else(made_up),
            index: None,
            diff_ids,
            created: given.built.map(|age| self.ago(age.0)),
        })
    }
}

/// A layer as it is unpacked.
fn layer(image: &Digest, place: u16) -> Digest {
    Digest::of(format!("{image} layer {place}").as_bytes())
}

fn copied(map: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    map.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}
