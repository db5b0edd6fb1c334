//! How the files name a registry: `ghcr.io`, `https://ghcr.io`, `https://ghcr.io/v2/`, and for Docker Hub
//! `https://index.docker.io/v1/`.

use std::collections::BTreeMap;

use crate::location::{DOCKER_HUB, canonical};

/// Docker Hub's key, in the files and for helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a helper is asked for.
pub(super) fn server(host: &str) -> String {
    if canonical(host) == DOCKER_HUB { HUB_KEY.to_owned() } else { host.to_owned() }
}

/// The host that a key names; `None` for a key of a namespace.
fn host_of(key: &str) -> Option<String> {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let (host, path) = rest.unwrap_or(key).split_once('/').unwrap_or((rest.unwrap_or(key), ""));
    let is_api = matches!(path.trim_end_matches('/'), "" | "v1" | "v2");
    is_api.then(|| canonical(host.strip_suffix(":443").unwrap_or(host)))
}

/// The entry for a host: the one of exactly this key before one that means the same.
pub(super) fn entry<'a, T>(entries: &'a BTreeMap<String, T>, host: &str) -> Option<&'a T> {
    let exact = server(host);
    let wanted = host_of(host);
    let same = || entries.iter().find(|(key, _)| wanted.is_some() && host_of(key) == wanted).map(|(_, entry)| entry);
    entries.get(&exact).or_else(|| entries.get(host)).or_else(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s37_a_key_means_one_host_and_no_other() {
        for (key, host) in [
            ("ghcr.io", Some("ghcr.io")),
            ("https://ghcr.io", Some("ghcr.io")),
            ("https://GHCR.io/v2/", Some("ghcr.io")),
            ("http://127.0.0.1:5000/v1/", Some("127.0.0.1:5000")),
            ("https://ghcr.io:443", Some("ghcr.io")),
            ("https://index.docker.io/v1/", Some("docker.io")),
            ("docker.io", Some("docker.io")),
            ("quay.io/team", None),
            ("https://quay.io/team/app", None),
        ] {
            assert_eq!(host_of(key).as_deref(), host, "{key}");
        }
        let entries: BTreeMap<String, u8> =
            [("https://ghcr.io/v2/", 1), ("ghcr.io", 2), ("https://index.docker.io/v1/", 3), ("a.ghcr.io", 4)]
                .map(|(key, value)| (key.to_owned(), value))
                .into();
        for (host, found) in [
            ("ghcr.io", Some(2)),
            ("docker.io", Some(3)),
            ("GHCR.IO", Some(2)),
            ("ghcr.io:5000", None),
            ("hcr.io", None),
            ("ghcr.io.evil.example", None),
        ] {
            assert_eq!(entry(&entries, host), found.as_ref(), "{host}");
        }
        assert_eq!((server("docker.io").as_str(), server("ghcr.io").as_str()), (HUB_KEY, "ghcr.io"));
    }
}
