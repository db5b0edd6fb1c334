//! Which kind of pipeline a file is: said by `--kind`, or told from its name and content.

use std::rc::Rc;

use clap::ValueEnum;

use super::yaml::{self, Kind as Value, Node};
use crate::commands::input::shown;
use crate::failure::Failure;

/// The kinds of pipeline that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// GitLab CI
    Gitlab,
    /// A GitHub Actions workflow, or a composite action
    Github,
    /// A shell script
    Shell,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Github => "github",
            Self::Shell => "shell",
        }
    }
}

/// A file that is understood.
#[derive(Debug)]
pub(super) enum Source {
    Gitlab(Rc<Node>),
    Github(Rc<Node>),
    Shell,
}

/// Reads `text` as `kind`, or as what it looks like.
pub(super) fn understand(name: &str, text: &str, kind: Option<Kind>) -> Result<Source, Failure> {
    let shell_name = [".sh", ".bash", ".ksh"].iter().any(|end| name.ends_with(end));
    if kind == Some(Kind::Shell) || (kind.is_none() && (text.starts_with("#!") || shell_name)) {
        return Ok(Source::Shell);
    }
    let documents = yaml::parse(text).map_err(|error| {
        Failure::configuration(format!(
            "{name}:{}:{}: not readable as YAML: {}",
            error.at.line,
            error.at.column,
            shown(&error.what, 200)
        ))
        .hint("a shell script? say so with --kind shell, or begin it with #!")
    })?;
    // GitLab allows a `spec:` document before the pipeline.
    let root = documents.into_iter().rev().find(|document| matches!(document.kind, Value::Map(_)));
    let cannot_tell = || {
        Failure::configuration(format!("{name}: cannot tell what kind of pipeline this is"))
            .hint("say it with --kind gitlab, --kind github or --kind shell")
    };
    let root = root.ok_or_else(cannot_tell)?;
    match kind.or_else(|| guess(name, &root)).ok_or_else(cannot_tell)? {
        Kind::Gitlab => Ok(Source::Gitlab(root)),
        Kind::Github => Ok(Source::Github(root)),
        Kind::Shell => Ok(Source::Shell),
    }
}

fn guess(name: &str, root: &Node) -> Option<Kind> {
    let is_map = |key: &str| root.get(key).is_some_and(|value| matches!(value.kind, Value::Map(_)));
    if is_map("jobs") && (root.get("on").is_some() || root.get("true").is_some()) {
        return Some(Kind::Github);
    }
    if root.get("runs").is_some_and(|runs| runs.get("steps").is_some()) {
        return Some(Kind::Github);
    }
    let job_like = root
        .entries()
        .iter()
        .any(|(_, value)| ["script", "trigger", "extends", "before_script"].iter().any(|key| value.get(key).is_some()));
    if job_like || root.get("stages").is_some() || root.get("include").is_some() {
        return Some(Kind::Gitlab);
    }
    let in_path = |part: &str| name.contains(part);
    match () {
        () if in_path(".gitlab-ci") => Some(Kind::Gitlab),
        () if in_path(".github/workflows/") => Some(Kind::Github),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn kind(name: &str, text: &str) -> Option<&'static str> {
        understand(name, text, None).ok().map(|source| match source {
            Source::Gitlab(_) => "gitlab",
            Source::Github(_) => "github",
            Source::Shell => "shell",
        })
    }

    #[test]
    fn the_kind_is_told_from_content_then_name() {
        assert_eq!(kind("x", "#!/bin/sh\necho\n"), Some("shell"));
        assert_eq!(kind("x.sh", "echo: x\n"), Some("shell"));
        assert_eq!(kind("x", "on: push\njobs:\n  a:\n    steps: []\n"), Some("github"));
        assert_eq!(kind("x", "\"on\": push\njobs: {a: {}}\n"), Some("github"));
        assert_eq!(kind("action.yml", "runs:\n  using: composite\n  steps: []\n"), Some("github"));
        assert_eq!(kind("x", "a:\n  script: [x]\n"), Some("gitlab"));
        assert_eq!(kind("x", "spec:\n  inputs: {}\n---\na:\n  script: [x]\n"), Some("gitlab"));
        assert_eq!(kind(".gitlab-ci.yml", "variables: {}\n"), Some("gitlab"));
        for (name, text) in [("x", "a: b\n"), ("x", "just text\n"), ("x", ""), ("x", "a: [\n")] {
            assert_eq!(understand(name, text, None).unwrap_err().exit, Exit::Configuration, "{text}");
        }
        assert!(matches!(understand("x", "a: b\n", Some(Kind::Shell)), Ok(Source::Shell)));
    }
}
