//! An image that rules about the image itself are judged on, and what was found in it.

use std::collections::BTreeMap;

use model::{
    Contents, Digest, Entrypoint, ImageConfig, Layer, ManifestFacts, Observed, Origin, OsPackage, OsRelease,
    ReasonCode, Signal,
};

use crate::evaluate::Found;
use crate::scene::{days, now};

pub(in crate::evaluate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub(in crate::evaluate) fn seen<T>(value: T) -> Observed<T> {
    Observed { value, origin: Origin::Registry("image".to_owned()), at: now(), evidence: digest("bytes") }
}

/// An image that every rule of these tests allows, if it does not say otherwise.
pub(in crate::evaluate) fn image() -> ImageConfig {
    let layer = |n: u8| Layer {
        digest: Digest::of(&[n]),
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        size_bytes: 50 << 20,
    };
    ImageConfig {
        id: digest("id"),
        platform: "linux/amd64".parse().unwrap(),
        created: Some(now() - days(1)),
        user: "10001".to_owned(),
        entrypoint: vec!["/app".to_owned()],
        command: Vec::new(),
        working_dir: String::new(),
        path: Vec::new(),
        variables: Vec::new(),
        ports: vec!["8080/tcp".to_owned()],
        labels: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        annotations: BTreeMap::new(),
        layers: (0..4).map(layer).collect(),
        diff_ids: ["base 1", "base 2", "own 1", "own 2"].map(digest).to_vec(),
        secrets: Vec::new(),
        base: None,
    }
}

pub(in crate::evaluate) fn facts(config: ImageConfig) -> ManifestFacts {
    let mut facts = ManifestFacts::bare(digest("image"), None);
    facts.config = Signal::Present(seen(config));
    facts
}

/// What the layers of a Debian image hold; packages are written `deb openssl 3.0.8`.
pub(in crate::evaluate) fn contents(packages: &[&str]) -> Contents {
    let package = |text: &&str| {
        let mut words = text.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        OsPackage { kind: word(), name: word(), version: word(), architecture: "amd64".to_owned() }
    };
    Contents {
        os: Some(OsRelease { id: "debian".to_owned(), version: "12".to_owned() }),
        databases: vec!["dpkg".to_owned()],
        packages: packages.iter().map(package).collect(),
        removed: Vec::new(),
        unreadable: Vec::new(),
        entrypoint: Entrypoint::NotSet,
    }
}

/// An image whose layers hold this.
pub(in crate::evaluate) fn holding(contents: Contents) -> ManifestFacts {
    ManifestFacts { contents: Signal::Present(seen(contents)), ..facts(image()) }
}

/// The codes of failures, then of gaps.
pub(in crate::evaluate) fn codes(found: &Found) -> Vec<ReasonCode> {
    let gaps = found.gaps.iter().map(|gap| gap.reason.code);
    found.failures.iter().map(|reason| reason.code).chain(gaps).collect()
}

pub(in crate::evaluate) fn messages(found: &Found) -> String {
    let gaps = found.gaps.iter().map(|gap| &gap.reason);
    let all = found.failures.iter().chain(gaps);
    all.flat_map(|reason| [reason.message.as_str(), "\n", reason.remedy.as_str(), "\n"]).collect()
}
