//! How a local image is written: `oci:DIR[:TAG|@DIGEST]`, `oci-archive:FILE[:TAG|@DIGEST]`,
//! `docker-archive:FILE[:NAME:TAG|@IMAGE-ID]`. The path ends at the first `:`, as with skopeo, so a path with a colon
//! cannot be written.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use model::Digest;

/// The longest name that is looked for.
const MAX_NAME: usize = 512;

/// Where an image lies on this machine, and which one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReference {
    /// In which form.
    pub kind: LocalKind,
    /// The folder or file.
    pub path: PathBuf,
    /// Which of the images there.
    pub pick: Pick,
}

/// The forms of local images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalKind {
    /// An OCI image layout: a folder.
    Layout,
    /// The same as a tar archive.
    LayoutArchive,
    /// What `docker save` writes.
    DockerArchive,
}

/// Which image of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// The only one there is.
    Only,
    /// By its name: a tag, or for an archive of `docker save` a name with tag.
    Name(String),
    /// By digest: of its manifest, or for an archive of `docker save` of its configuration (the image id).
    Digest(Digest),
}

/// Why a text with the prefix of a local image names none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalReferenceError {
    /// Nothing between the prefix and the name.
    #[error("{0} needs a path, such as {0}build/image")]
    NoPath(&'static str),
    /// A `:` with nothing behind it.
    #[error("there is nothing after the last `:` of {0:?}; leave it out if there is only one image")]
    NoName(String),
    /// Control characters, or too long.
    #[error("{0:?} is no name of an image")]
    BadName(String),
    /// What follows `@` is not a digest.
    #[error("{0}")]
    Digest(String),
}

impl LocalKind {
    const ALL: [Self; 3] = [Self::LayoutArchive, Self::DockerArchive, Self::Layout];

    /// What it is written with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Layout => "oci:",
            Self::LayoutArchive => "oci-archive:",
            Self::DockerArchive => "docker-archive:",
        }
    }
}

impl LocalReference {
    /// Reads a reference; `None` if the text has no prefix of a local image, so it names one in a registry.
    pub fn parse(text: &str) -> Option<Result<Self, LocalReferenceError>> {
        let kind = LocalKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        Some(Self::of(kind, &text[kind.prefix().len()..]))
    }

    fn of(kind: LocalKind, rest: &str) -> Result<Self, LocalReferenceError> {
        let (path, pick) = match rest.rsplit_once('@') {
            // An `@` may be part of a path; one before a digest is not.
            Some((path, digest)) if digest.starts_with("sha256:") || digest.starts_with("sha512:") => {
                let digest =
                    Digest::from_str(digest).map_err(|error| LocalReferenceError::Digest(error.to_string()))?;
                (path, Pick::Digest(digest))
            }
            _ => match rest.split_once(':') {
                None => (rest, Pick::Only),
                Some((_, "")) => return Err(LocalReferenceError::NoName(rest.to_owned())),
                Some((_, name)) if name.len() > MAX_NAME || name.chars().any(|c| c.is_control() || c == ' ') => {
                    return Err(LocalReferenceError::BadName(name.chars().take(80).collect()));
                }
                Some((path, name)) => (path, Pick::Name(name.to_owned())),
            },
        };
        if path.is_empty() {
            return Err(LocalReferenceError::NoPath(kind.prefix()));
        }
        Ok(Self { kind, path: PathBuf::from(path), pick })
    }
}

impl fmt::Display for LocalReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.prefix(), self.path.display())?;
        match &self.pick {
            Pick::Only => Ok(()),
            Pick::Name(name) => write!(f, ":{name}"),
            Pick::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f7_each_form_is_read_and_written_back() {
        let digest = Digest::of(b"x");
        let by_digest = format!("oci:/a@b/c@{digest}");
        for (text, kind, path, pick) in [
            ("oci:build/image", LocalKind::Layout, "build/image", Pick::Only),
            ("oci:build/image:v1", LocalKind::Layout, "build/image", Pick::Name("v1".into())),
            (by_digest.as_str(), LocalKind::Layout, "/a@b/c", Pick::Digest(digest.clone())),
            ("oci:/a@b", LocalKind::Layout, "/a@b", Pick::Only),
            ("oci-archive:x.tar:v1", LocalKind::LayoutArchive, "x.tar", Pick::Name("v1".into())),
            ("docker-archive:x.tar", LocalKind::DockerArchive, "x.tar", Pick::Only),
            (
                "docker-archive:./x.tar:ghcr.io:443/a/b:1",
                LocalKind::DockerArchive,
                "./x.tar",
                Pick::Name("ghcr.io:443/a/b:1".into()),
            ),
        ] {
            let read = LocalReference::parse(text).unwrap().unwrap();
            assert_eq!((read.kind, read.path.to_str(), &read.pick), (kind, Some(path), &pick), "{text}");
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn f7_other_texts_are_no_local_images_and_broken_ones_say_why() {
        for text in ["ghcr.io/a/b:1", "docker.io/oci:1", "oci", "/oci:x", "docker:x", "OCI:x"] {
            assert_eq!(LocalReference::parse(text), None, "{text}");
        }
        for (text, words) in [
            ("oci:", "needs a path"),
            ("oci::v1", "needs a path"),
            ("oci:a:", "nothing after"),
            ("oci:a:b c", "no name"),
            ("docker-archive:a:b\nc", "no name"),
            ("oci:a@sha256:12", "64 lower-case"),
        ] {
            let error = LocalReference::parse(text).unwrap().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
