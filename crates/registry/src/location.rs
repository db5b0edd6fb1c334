//! Where something lies: a registry host with a repository, and a tag or digest in it; and the one place that says under
//! which address a host answers. Nothing is guessed: http only for hosts that the caller lists, Docker Hub by its names.

use std::fmt;

use model::{Digest, ImageReference, Repository, Tag};

/// The name under which Docker Hub is written in image references.
pub const DOCKER_HUB: &str = "docker.io";

/// A repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Host and port as in image references, such as `docker.io`, `ghcr.io`, `127.0.0.1:5000`.
    pub host: String,
    /// The repository.
    pub repository: Repository,
}

/// What is asked for in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By tag: what it names may change.
    Tag(Tag),
    /// By digest: the answer is checked against it.
    Digest(Digest),
}

impl Location {
    /// A repository in a registry; the other names of Docker Hub become `docker.io`.
    pub fn new(host: impl Into<String>, repository: Repository) -> Self {
        Self { host: canonical(&host.into()), repository }
    }

    /// Where an image reference points; `None` if it names no host.
    pub fn of(image: &ImageReference) -> Option<Self> {
        image.host.as_ref().map(|host| Self::new(host.as_str(), image.repository.clone()))
    }

    /// The path as the registry's API takes it: Docker Hub keeps its official images under `library/`.
    pub(crate) fn api_path(&self) -> String {
        let path = self.repository.as_str();
        if canonical(&self.host) == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        }
    }
}

/// The host's name in image references: Docker Hub has several.
pub(crate) fn canonical(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB.to_owned(),
        _ => host,
    }
}

/// The host that answers for a name in image references.
pub(crate) fn api_host(host: &str) -> String {
    let host = canonical(host);
    if host == DOCKER_HUB { "registry-1.docker.io".to_owned() } else { host }
}

impl Reference {
    /// What an image reference asks for: the digest if there is one, else the tag; `None` if it has neither.
    pub fn of(image: &ImageReference) -> Option<Self> {
        let digest = image.digest.clone().map(Self::Digest);
        digest.or_else(|| image.tag.clone().map(Self::Tag))
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_has_one_name_one_host_and_a_library() {
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.IO"] {
            let location = Location::new(name, "debian".parse().unwrap());
            assert_eq!(location.to_string(), "docker.io/debian");
            assert_eq!(api_host(&location.host), "registry-1.docker.io");
            assert_eq!(location.api_path(), "library/debian");
        }
        let other = Location::new("ghcr.io", "debian".parse().unwrap());
        assert_eq!((other.api_path().as_str(), api_host("ghcr.io").as_str()), ("debian", "ghcr.io"));
        assert_eq!(Location::new("docker.io", "a/b".parse().unwrap()).api_path(), "a/b");
    }

    #[test]
    fn a_digest_is_asked_for_before_a_tag() {
        let digest = Digest::of(b"x");
        let image: ImageReference = format!("ghcr.io/a/b:1@{digest}").parse().unwrap();
        assert_eq!(Reference::of(&image), Some(Reference::Digest(digest)));
        assert_eq!(Location::of(&image).unwrap().to_string(), "ghcr.io/a/b");
        assert_eq!(Location::of(&"a/b:1".parse().unwrap()), None, "no host is no Docker Hub");
    }
}
