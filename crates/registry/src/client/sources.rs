//! Where a repository can be read: the mirrors of its host in their order, then the host itself.

use crate::client::Inner;
use crate::error::Asked;
use crate::{Location, Reference};

/// One place to read a repository from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) location: Location,
    /// For a mirror, what is mirrored: messages name both.
    pub(crate) mirror_of: Option<Location>,
}

impl Source {
    /// The host itself.
    pub(crate) fn origin(location: &Location) -> Self {
        let location = Location::new(location.host.as_str(), location.repository.clone());
        Self { location, mirror_of: None }
    }

    pub(crate) fn asked(&self, what: String) -> Asked {
        let what = match &self.mirror_of {
            Some(origin) => format!("{what} (mirror of {origin})"),
            None => what,
        };
        Asked { host: self.location.host.clone(), repository: Some(self.location.repository.to_string()), what }
    }
}

impl Inner {
    /// Every place to read from, the host itself last.
    pub(crate) fn sources(&self, location: &Location) -> Vec<Source> {
        let origin = Source::origin(location);
        let mirrors = self.options.mirrors.get(&origin.location.host).into_iter().flatten();
        let mut sources: Vec<Source> = mirrors.filter_map(|mirror| mirrored(mirror, &origin.location)).collect();
        sources.push(origin);
        sources
    }
}

impl Inner {
    /// Where a manifest is read: by digest anywhere, because the bytes prove themselves; what a tag stands for only the host
    /// itself knows.
    pub(crate) fn sources_of(&self, location: &Location, reference: &Reference) -> Vec<Source> {
        match reference {
            Reference::Digest(_) => self.sources(location),
            Reference::Tag(_) => vec![Source::origin(location)],
        }
    }
}

/// The place in a mirror `host[:port][/prefix]`; none if the prefix makes no repository name.
fn mirrored(mirror: &str, origin: &Location) -> Option<Source> {
    let (host, prefix) = mirror.trim_end_matches('/').split_once('/').unwrap_or((mirror.trim_end_matches('/'), ""));
    let path = origin.api_path();
    let path = if prefix.is_empty() { path } else { format!("{prefix}/{path}") };
    let location = Location::new(host, path.parse().ok()?);
    Some(Source { location, mirror_of: Some(origin.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_keeps_the_path_under_its_prefix() {
        let origin = Location::new("docker.io", "debian".parse().unwrap());
        let place = |mirror: &str| mirrored(mirror, &origin).map(|source| source.location.to_string());
        assert_eq!(place("mirror.corp:5000").as_deref(), Some("mirror.corp:5000/library/debian"));
        assert_eq!(place("mirror.corp/hub/").as_deref(), Some("mirror.corp/hub/library/debian"));
        assert_eq!(place("mirror.corp/Hub"), None);
        let asked = mirrored("mirror.corp", &origin).unwrap().asked("manifest 1".into());
        assert_eq!(asked.to_string(), "mirror.corp/library/debian: manifest 1 (mirror of docker.io/debian)");
    }
}
