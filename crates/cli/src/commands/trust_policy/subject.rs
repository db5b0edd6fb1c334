//! The `sub` claims that may assume the role: built from names that are checked, because a `*`, a `:` or a `${` in one
//! of them would let other projects in. Wildcards are possible only at the end of the claim, inside one project.

use crate::commands::input::shown;
use crate::failure::Failure;

/// The `sub` values of one role.
#[derive(Debug, PartialEq)]
pub(super) struct Subjects {
    pub values: Vec<String>,
    /// One of them has a `*`: the condition is StringLike.
    pub has_wildcard: bool,
    /// One of them is any branch or tag at all.
    pub any_ref: bool,
}

impl Subjects {
    fn new(values: Vec<String>, patterns: &[&[String]]) -> Self {
        let all = || patterns.iter().flat_map(|list| list.iter());
        Self {
            has_wildcard: all().any(|name| name.contains('*')),
            any_ref: all().any(|name| name.trim_matches('*').is_empty()),
            values,
        }
    }
}

/// `https://gitlab.example.com/path` → `gitlab.example.com/path`, the name IAM gives the provider.
pub(super) fn issuer(url: &str) -> Result<&str, Failure> {
    let wrong = |why: &str| Failure::usage(format!("`{}` cannot be an OIDC provider: {why}", shown(url, 120)));
    let rest =
        url.strip_prefix("https://").ok_or_else(|| wrong("it does not begin with https://"))?.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, "x"));
    if host.contains(':') {
        return Err(wrong("IAM takes no port in a provider").hint("GitLab must be reachable for AWS on port 443"));
    }
    if host.contains('@') {
        return Err(wrong("it has a user name in it"));
    }
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !host.contains('.') || !host.split('.').all(label) {
        return Err(wrong("the host is not a public name"));
    }
    if !path.split('/').all(is_plain) {
        return Err(wrong("the path has characters other than letters, digits, `.`, `_`, `-`"));
    }
    Ok(rest)
}

/// An audience that can stand in a policy and on a command line.
pub(super) fn audience(text: &str) -> Result<&str, Failure> {
    let fine =
        !text.is_empty() && text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/".contains(c));
    if fine {
        return Ok(text);
    }
    Err(Failure::usage(format!("`{}` cannot be an audience", shown(text, 80)))
        .hint("letters, digits and `._-:/`, the same text as `aud` in the pipeline; a wildcard would accept tokens made for others"))
}

/// GitLab: `project_path:GROUP/PROJECT:ref_type:branch:ref:main`.
pub(super) fn gitlab(project: &str, branches: &[String], tags: &[String]) -> Result<Subjects, Failure> {
    let parts: Vec<&str> = project.split('/').collect();
    check_owner(project, &parts, "project", "GROUP/PROJECT")?;
    let mut values = Vec::new();
    for (kind, names) in [("branch", branches), ("tag", tags)] {
        for name in names {
            values.push(format!("project_path:{project}:ref_type:{kind}:ref:{}", reference(name, kind)?));
        }
    }
    Ok(Subjects::new(values, &[branches, tags]))
}

/// GitHub: `repo:OWNER/REPO:ref:refs/heads/main`, or with ids `repo:OWNER@1/REPO@2:…`.
#[derive(Debug)]
pub(super) struct Github<'a> {
    pub repository: &'a str,
    pub ids: Option<(u64, u64)>,
}

impl Github<'_> {
    pub(super) fn all(
        &self,
        branches: &[String],
        tags: &[String],
        environments: &[String],
        pull_request: bool,
    ) -> Result<Subjects, Failure> {
        let parts: Vec<&str> = self.repository.split('/').collect();
        check_owner(self.repository, &parts, "repository", "OWNER/REPO")?;
        let [owner, name] = parts[..] else {
            return Err(Failure::usage(format!("`{}` is not OWNER/REPO", shown(self.repository, 80))));
        };
        let prefix = match self.ids {
            Some((owner_id, repository_id)) => format!("repo:{owner}@{owner_id}/{name}@{repository_id}"),
            None => format!("repo:{owner}/{name}"),
        };
        let mut values = Vec::new();
        for (kind, folder, names) in [("branch", "heads", branches), ("tag", "tags", tags)] {
            for name in names {
                values.push(format!("{prefix}:ref:refs/{folder}/{}", reference(name, kind)?));
            }
        }
        for name in environments {
            if name.contains('*') || !is_reference(name) {
                return Err(Failure::usage(format!("`{}` cannot be an environment here", shown(name, 80))).hint(
                    "name one environment; anybody who can edit a workflow can invent another that matches a wildcard",
                ));
            }
            values.push(format!("{prefix}:environment:{name}"));
        }
        if pull_request {
            values.push(format!("{prefix}:pull_request"));
        }
        Ok(Subjects::new(values, &[branches, tags]))
    }
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Groups and projects, owners and repositories: exact names only.
fn check_owner(text: &str, parts: &[&str], what: &str, form: &str) -> Result<(), Failure> {
    if text.contains(['*', '?']) {
        return Err(Failure::usage(format!(
            "a wildcard in the {what} `{}` would let other projects assume the role",
            shown(text, 80)
        ))
        .hint(format!("name one {what}; print one policy for each, or one role for each")));
    }
    if parts.len() < 2 || !parts.iter().all(|part| is_plain(part)) {
        return Err(Failure::usage(format!("`{}` is not a {what}", shown(text, 80)))
            .hint(format!("it looks like {form}: letters, digits, `.`, `_`, `-`")));
    }
    Ok(())
}

/// A branch or tag name, or a pattern with `*`.
fn reference<'a>(name: &'a str, kind: &str) -> Result<&'a str, Failure> {
    if is_reference(name) {
        return Ok(name);
    }
    let failure = Failure::usage(format!("`{}` cannot be a {kind} here", shown(name, 80)));
    Err(if name.starts_with("refs/") {
        failure.hint(format!("give the short name, without refs/…/: the {kind} itself"))
    } else {
        failure.hint("letters, digits and `._-/+@#=,`; `*` stands for any run of characters")
    })
}

/// No `:` (separates claims), no `?` or `${` (IAM would expand them), no space, quote or control character.
fn is_reference(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['/', '-'])
        && !name.starts_with("refs/")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/+@#=,*".contains(c))
}
