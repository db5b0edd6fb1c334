//! What is denied everywhere, whatever any policy says (S30): the deny list and quarantine. Before everything else, and nothing waives it (S6).

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use model::{Digest, Purl};

use crate::document::compared_pattern;
use crate::exceptions::check_vulnerability;

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

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Denial> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Ids of entries for this index that do not name all of these platforms of it.
    pub fn without_platforms(&self, index: &Digest, platforms: &[Digest]) -> Vec<&str> {
        let lacks = |denial: &&Denial| {
            matches!(&denial.what, DeniedThing::Digest(digest) if digest == index)
                && platforms.iter().any(|platform| !denial.also.contains(platform))
        };
        self.entries.iter().filter(lacks).map(|denial| denial.id.as_str()).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that denies everything in this repository: `host/repository`.
    pub fn about_repository(&self, repository: &str) -> Option<&Denial> {
        let covers =
            |one: &&Denial| matches!(&one.what, DeniedThing::Repository(pattern) if pattern.covers(repository));
        self.entries.iter().find(covers)
    }
}

impl RepositoryPattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("{text:?} is no repository: {why}; write HOST/REPOSITORY, with * and ** if it is meant for several")
        };
        let (host, path) = text
            .split_once('/')
            .filter(|(host, path)| !host.is_empty() && !path.is_empty())
            .ok_or_else(|| wrong("it names no registry"))?;
        if text.len() > 512 || path.contains(['@', ':']) {
            return Err(wrong("it names a tag or digest, or is too long"));
        }
        // Without a registry it would be about none: `team/app` is no host with a path.
        if !host.contains(['.', ':', '*']) && host != "localhost" {
            return Err(wrong(&format!("{host:?} is no registry's host")));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/*".contains(&byte);
        if !path.bytes().all(plain)
            || path.contains("//")
            || path.contains("***")
            || path.starts_with('/')
            || path.ends_with('/')
        {
            return Err(wrong("a path is of small letters, digits, `.`, `_`, `-` and `/`"));
        }
        if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:*[]".contains(&byte)) {
            return Err(wrong("that is no host"));
        }
        let compared = compared_pattern(text);
        // What has one part on Docker Hub is `library/…`, also by a pattern.
        let written = match compared.strip_prefix("docker.io/") {
            Some(path) if !path.contains('/') && !path.contains("**") => format!("docker.io/library/{path}"),
            _ => compared.into_owned(),
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

    /// Reads who signed: the digest of a key or certificate in whichever spelling, or an identity or subject as certificates say it.
    ///
    /// # Errors
    /// It is neither.
    pub fn signer(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let hex = lower.strip_prefix("sha256:").unwrap_or(&lower);
        if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Signer(format!("sha256:{hex}")));
        }
        if lower.starts_with("sha256:") || !text.contains(['@', ':', '/', '=']) {
            return Err(format!(
                "{text:?} names no signer: write the SHA-256 of the key or certificate, or the identity (an address or URL) or subject \
                 (CN=…) of the certificate, as `ecr-gate inspect` shows them"
            ));
        }
        Ok(Self::Signer(text.to_owned()))
    }

    /// Reads the id of a vulnerability.
    ///
    /// # Errors
    /// It is none.
    pub fn vulnerability(text: &str) -> Result<Self, String> {
        check_vulnerability(text)?;
        // Every list of vulnerabilities has ids of several parts.
        if !text.contains('-') {
            return Err(format!("{text:?} is no id of a vulnerability, such as CVE-2021-44228"));
        }
        Ok(Self::Vulnerability(text.to_owned()))
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

impl Denials {
    /// Whether an image is denied by its repository (`host/repository`) or digest: what can be told without a look at it.
    pub fn name(&self, repository: &str, digest: Option<&Digest>) -> bool {
        self.entries.iter().any(|denial| {
            let is_it = |denied: &Digest| digest == Some(denied);
            match &denial.what {
                DeniedThing::Repository(pattern) => pattern.covers(repository),
                DeniedThing::Digest(denied) => is_it(denied) || denial.also.iter().any(is_it),
                DeniedThing::Signer(_) | DeniedThing::Package(_) | DeniedThing::Vulnerability(_) => false,
            }
        })
    }

    /// The first entry that denies one of these images by its digest, and which.
    pub fn about_any<'a>(&self, digests: &'a BTreeSet<Digest>) -> Option<(&Denial, &'a Digest)> {
        self.entries.iter().find_map(|denial| {
            let named = match &denial.what {
                DeniedThing::Digest(digest) => Some(digest),
                _ => None,
            };
            let found = named.into_iter().chain(&denial.also).find_map(|digest| digests.get(digest));
            found.map(|digest| (denial, digest))
        })
    }
}
