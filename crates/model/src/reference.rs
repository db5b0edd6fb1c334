//! Image references by the grammar of distribution/reference: `[host[:port]/]path[:tag][@digest]`.
//! Unlike the Docker client nothing is filled in: no default host, no `library/`, no `:latest`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Digest, DigestError};

/// The longest name (host and path) that registries accept.
const MAX_NAME: usize = 255;

/// A repository path: lower-case components joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Repository(String);

/// A tag: 1 to 128 characters of letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tag(String);

/// A parsed image reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// Registry host with its port, if one was written. `None` is not Docker Hub: it is "not said".
    pub host: Option<String>,
    /// The repository path.
    pub repository: Repository,
    /// The tag, if one was written.
    pub tag: Option<Tag>,
    /// The digest, if one was written. Tag and digest may both be there.
    pub digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceError {
    /// Nothing there.
    Empty,
    /// A URL scheme in front.
    Scheme(String),
    /// White space or a control character inside.
    Blank,
    /// Upper-case letters in the repository path.
    UpperCase(String),
    /// The repository path breaks the grammar.
    Path(String),
    /// The host breaks the grammar.
    Host(String),
    /// The tag breaks the grammar.
    Tag(String),
    /// What follows `@` is not a digest.
    Digest(DigestError),
    /// Host and path together are longer than 255 characters.
    TooLong(usize),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the image reference is empty"),
            Self::Scheme(scheme) => write!(f, "an image reference has no URL scheme: leave out {scheme:?}"),
            Self::Blank => f.write_str("an image reference contains no blanks or control characters"),
            Self::UpperCase(path) => write!(f, "a repository name is lower-case: {path:?}"),
            Self::Path(path) => write!(f, "{path:?} is not a repository name"),
            Self::Host(host) => write!(f, "{host:?} is not a registry host"),
            Self::Tag(tag) => {
                write!(
                    f,
                    "{tag:?} is not a tag (1 to 128 of letters, digits, `_`, `.`, `-`; not starting with `.` or `-`)"
                )
            }
            Self::Digest(error) => error.fmt(f),
            Self::TooLong(length) => {
                write!(f, "host and repository have {length} characters; at most {MAX_NAME} are allowed")
            }
        }
    }
}

impl std::error::Error for ReferenceError {}

impl Repository {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;
    fn from_str(path: &str) -> Result<Self, ReferenceError> {
        if path.len() > MAX_NAME {
            return Err(ReferenceError::TooLong(path.len()));
        }
        if path.split('/').all(is_component) {
            return Ok(Self(path.to_owned()));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) && path.to_lowercase().split('/').all(is_component) {
            return Err(ReferenceError::UpperCase(path.to_owned()));
        }
        Err(ReferenceError::Path(path.to_owned()))
    }
}

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;
    fn from_str(tag: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = (1..=128).contains(&tag.len())
            && tag.bytes().enumerate().all(|(at, b)| word(b) || (at > 0 && (b == b'.' || b == b'-')));
        if good { Ok(Self(tag.to_owned())) } else { Err(ReferenceError::Tag(tag.chars().take(140).collect())) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ReferenceError::Blank);
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(ReferenceError::Scheme(format!("{scheme}://")));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (text, None),
        };
        // A `:` after the last `/` starts the tag; before it, it belongs to a port.
        let path_start = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[path_start..].find(':') {
            Some(colon) => (&name[..path_start + colon], Some(name[path_start + colon + 1..].parse()?)),
            None => (name, None),
        };
        if name.len() > MAX_NAME {
            return Err(ReferenceError::TooLong(name.len()));
        }
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (Some(first), rest),
            _ => (None, name),
        };
        if let Some(host) = host
            && !is_host(host)
        {
            return Err(ReferenceError::Host(host.to_owned()));
        }
        Ok(Self { host: host.map(str::to_owned), repository: path.parse()?, tag, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// The rule by which a first component is a host and not a path: a dot, a port, an upper-case letter, or `localhost`.
fn looks_like_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '[']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let good = !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        (if good { "v6" } else { "" }, port.strip_prefix(':'))
    } else {
        match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        }
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.split('.').all(label)
        && port.is_none_or(|p| !p.is_empty() && p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()))
}

/// `alpha-numeric [separator alpha-numeric]*`, separator one of `.`, `_`, `__`, or any number of `-`.
fn is_component(component: &str) -> bool {
    let mut rest = component;
    loop {
        let word = rest.bytes().take_while(|b| b.is_ascii_digit() || b.is_ascii_lowercase()).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        if rest.is_empty() {
            return true;
        }
        let dashes = rest.bytes().take_while(|b| *b == b'-').count();
        let separator = if dashes > 0 {
            dashes
        } else if rest.starts_with("__") {
            2
        } else if rest.starts_with(['.', '_']) {
            1
        } else {
            return false;
        };
        rest = &rest[separator..];
    }
}

#[cfg(test)]
#[path = "reference/tests.rs"]
mod tests;
