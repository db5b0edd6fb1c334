//! What is denied everywhere, whatever any policy says (S30): the deny list and quarantine. Before everything else, and nothing waives it (S6).

use globset::{GlobBuilder, GlobMatcher};
use model::{Digest, Purl};

use crate::canonical_host;

/// What an entry of the deny list is about.
#[derive(Debug, Clone)]
pub enum DeniedThing {
    /// An image by its digest, also where it is a platform of an index.
    Digest(Digest),
    /// Repositories: `host/team/app`, or with `*` (one part of a name) and `**` (any parts).
    Repository(RepositoryPattern),
    /// Whoever signed: the digest of a key or certificate, or the exact identity or subject of a certificate. An image that carries a valid signature or
    /// statement by them is denied.
    Signer(String),
    /// A package, of one version if the package URL names one.
    Package(Purl),
    /// A vulnerability, by any of its names.
    Vulnerability(String),
}

/// Repositories by a pattern, whose host is compared in whichever spelling.
#[derive(Debug, Clone)]
pub struct RepositoryPattern {
    written: String,
    matcher: GlobMatcher,
}

/// An entry of the deny list.
#[derive(Debug, Clone)]
pub struct Denial {
    /// Its id.
    pub id: String,
    /// What is denied.
    pub what: DeniedThing,
    /// Images that are denied with it: the platforms of an index.
    pub also: Vec<Digest>,
    /// Quarantined: for scanners and forensics to look at, for nobody to run.
    pub quarantine: bool,
    /// Why.
    pub reason: String,
}

/// The deny list.
#[derive(Debug, Clone, Default)]
pub struct Denials {
    pub(crate) entries: Vec<Denial>,
}

impl Denials {
    /// Nothing is denied.
    pub fn none() -> Self {
        Self { entries: Vec::new() }
    }

    /// These are.
    pub fn of(entries: Vec<Denial>) -> Self {
        Self { entries }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl RepositoryPattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, path) =
            text.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty()).ok_or_else(|| {
                format!("{text:?} is no repository: write HOST/REPOSITORY, with * and ** if it is meant for several")
            })?;
        if text.len() > 512 || path.contains(['@', ':']) {
            return Err(format!("{text:?} is no repository: it names a tag or digest, or is too long"));
        }
        let written = if host.contains(['*', '?', '[', '{']) {
            text.to_owned()
        } else {
            format!("{}/{path}", canonical_host(host))
        };
        let glob = GlobBuilder::new(&written).literal_separator(true).backslash_escape(false).build();
        let matcher = glob
            .map_err(|error| format!("{text:?} is no pattern of repositories: {}", error.kind()))?
            .compile_matcher();
        Ok(Self { written, matcher })
    }

    /// True if it means this repository: `host/repository`.
    pub fn covers(&self, repository: &str) -> bool {
        self.matcher.is_match(repository)
    }

    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl DeniedThing {
    /// Reads a package URL.
    ///
    /// # Errors
    /// It is none.
    pub fn package(text: &str) -> Result<Self, String> {
        let purl = Purl::parse(text)
            .ok_or_else(|| format!("{text:?} is no package URL, such as pkg:npm/event-stream@3.3.6"))?;
        Ok(Self::Package(purl))
    }

    /// Its kind, as it is written: `digest`, `repository`, `signer`, `package`, `vulnerability`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Digest(_) => "digest",
            Self::Repository(_) => "repository",
            Self::Signer(_) => "signer",
            Self::Package(_) => "package",
            Self::Vulnerability(_) => "vulnerability",
        }
    }

    /// What it is, as it is written.
    pub fn text(&self) -> String {
        match self {
            Self::Digest(digest) => digest.to_string(),
            Self::Repository(pattern) => pattern.written.clone(),
            Self::Signer(text) | Self::Vulnerability(text) => text.clone(),
            Self::Package(purl) => purl.to_string(),
        }
    }
}
