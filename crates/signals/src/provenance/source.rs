//! One spelling for a git repository, so that a policy can name it: `github.com/acme/app`. Read are SPDX download locations
//! (`git+https://github.com/acme/app@refs/heads/main`), addresses as BuildKit writes them
//! (`https://github.com/acme/app.git#refs/tags/v1`), and `ssh://git@…`. Everything else is no repository that we know: what
//! two readers could read in two ways is not read at all.

use std::collections::BTreeMap;

use super::wrong;
use crate::ParseError;
use crate::sbom::json::shown;

/// What the URI of a git repository says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Host, port if one is said, and path.
    pub(super) repository: String,
    /// Branch, tag or other name of a revision.
    pub(super) git_ref: Option<String>,
    /// A commit that stands in place of a name.
    pub(super) commit: Option<String>,
    /// `git+` says that it is a git repository; without it, it may be any address.
    pub(super) marked: bool,
}

/// Reads a URI; `None` if it is not exactly one of the forms.
pub(super) fn location(uri: &str) -> Option<Location> {
    let (marked, address) = uri.strip_prefix("git+").map_or((false, uri), |rest| (true, rest));
    let (scheme, rest) = address.split_once("://")?;
    let (authority, rest) = rest.split_once('/')?;
    let authority = match scheme {
        "https" => authority,
        // Whoever logs in by SSH at a host of repositories is called `git`.
        "ssh" => authority.strip_prefix("git@").unwrap_or(authority),
        _ => return None,
    };
    let (path, revision) = if marked { by_at(rest)? } else { by_fragment(rest)? };
    let repository = format!("{}/{}", host(authority)?, self::path(path)?);
    let (git_ref, commit) = match revision {
        None => (None, None),
        Some(name) if is_commit(name) => (None, Some(name.to_ascii_lowercase())),
        Some(name) => (Some(git_ref(name)?.to_owned()), None),
    };
    Some(Location { repository, git_ref, commit, marked })
}

/// `path@revision`. A revision with another `@` in it has to be written in full, or it could be part of the path.
fn by_at(rest: &str) -> Option<(&str, Option<&str>)> {
    // What follows is a folder, or belongs to the name of a branch.
    if rest.contains('#') {
        return None;
    }
    match rest.split_once('@') {
        None => Some((rest, None)),
        Some((_, revision)) if revision.contains('@') && !revision.starts_with("refs/") => None,
        Some((path, revision)) => Some((path, Some(revision))),
    }
}

/// `path#revision:folder`
fn by_fragment(rest: &str) -> Option<(&str, Option<&str>)> {
    match rest.split_once('#') {
        None => Some((rest, None)),
        Some((_, fragment)) if fragment.contains('#') => None,
        Some((path, fragment)) => Some((path, Some(fragment.split_once(':').map_or(fragment, |(name, _)| name)))),
    }
}

/// A host name in lower case, with its port. Addresses in brackets and user names are not read.
fn host(authority: &str) -> Option<String> {
    let (name, port) = authority.split_once(':').map_or((authority, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.is_empty() || !name.split('.').all(label) {
        return None;
    }
    let digits = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_none_or(digits) {
        return None;
    }
    Some(authority.to_ascii_lowercase())
}

/// The path of a repository, without `.git` and one slash at its end. Hosts of repositories compare it in their own ways;
/// here every letter counts.
fn path(path: &str) -> Option<&str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix(".git").unwrap_or(path);
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+~".contains(&byte);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(byte);
    path.split('/').all(part).then_some(path)
}

/// A name that git allows for a branch or tag (`git check-ref-format`), in printable ASCII.
pub(super) fn git_ref(name: &str) -> Option<&str> {
    let byte = |byte: u8| byte.is_ascii_graphic() && !b"~^:?*[\\%\"'`$;|<>".contains(&byte);
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.strip_suffix(".lock").is_none()
            && part.bytes().all(byte)
    };
    let odd = name == "@" || name.contains("..") || name.contains("@{");
    (!odd && name.len() <= 1_024 && name.split('/').all(part)).then_some(name)
}

/// A commit in hexadecimal, SHA-1 or SHA-256.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The commit among the digests of a git repository: `gitCommit` in version 1, `sha1` in version 0.2. GitLab's runner
/// writes it under `sha256`, which its 40 digits give away.
pub(super) fn commit(place: &str, digests: &BTreeMap<String, String>) -> Result<Option<String>, ParseError> {
    let mut found: Option<String> = None;
    for (algorithm, value) in digests {
        match algorithm.as_str() {
            "gitCommit" | "sha1" if is_commit(value) => {}
            "gitCommit" | "sha1" if value.is_empty() => continue,
            "gitCommit" | "sha1" => return Err(wrong(place, format!("{} is no commit", shown(value)))),
            "sha256" if value.len() == 40 && is_commit(value) => {}
            _ => continue,
        }
        let value = value.to_ascii_lowercase();
        if let Some(other) = found.as_ref().filter(|other| **other != value) {
            return Err(wrong(place, format!("it names two commits, {other} and {value}")));
        }
        found = Some(value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
