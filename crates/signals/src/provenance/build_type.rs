//! Where each build type says what was built. Only types with a published description are listed; of any other the
//! parameters are read, and no source is named.
//!
//! | build type | source | workflow |
//! |---|---|---|
//! | any of version 0.2 | `invocation.configSource`, unless the materials name other repositories only | its `entryPoint` |
//! | Tekton Chains, Google's builder on Tekton | the one git repository among the inputs: the configuration is the pipeline's | `buildConfigSource.path` |
//! | GitHub Actions | `workflow.repository`, `workflow.ref` | `workflow.path` |
//! | slsa-github-generator | the same, or `source` | `workflow.path`, `configPath` |
//! | BuildKit | `configSource` | its `path` |
//! | GitLab | `source`; the branch is not said | `entryPoint`, the job |
//! | Google Cloud Build | `buildConfigSource`, `sourceToBuild` | `path` of the configuration |
//!
//! A commit is that beside the source, or that of the one material which names the same repository and revision.

use std::collections::BTreeSet;

use model::SourceRevision;

use super::source::{self, Location};
use super::tree::Tree;
use super::wire::{ConfigSource, Digests};
use super::{Named, revision, two_commits, wrong};
use crate::ParseError;

/// What a build type says beside its parameters.
pub(super) struct Build {
    pub(super) source: Option<SourceRevision>,
    pub(super) workflow: Option<String>,
}

/// How the parameters of a build type in version 1 are laid out.
#[derive(Clone, Copy)]
enum Layout {
    GitHub,
    Generator,
    BuildKit,
    GitLab,
    CloudBuild,
    CloudBuildTriggered,
    Tekton,
}

impl Layout {
    fn of(build_type: &str) -> Option<Self> {
        const WHOLE: [(&str, Layout); 10] = [
            ("https://actions.github.io/buildtypes/workflow/v1", Layout::GitHub),
            ("https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1", Layout::GitHub),
            ("https://slsa.dev/container-based-build/v0.1", Layout::Generator),
            ("https://slsa.dev/container-based-build/v0.1?draft", Layout::Generator),
            ("https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md", Layout::BuildKit),
            ("https://mobyproject.org/buildkit@v1", Layout::BuildKit),
            ("https://cloud.google.com/build/gcb-buildtypes/google-worker/v1", Layout::CloudBuild),
            ("https://slsa-framework.github.io/gcb-buildtypes/triggered-build/v1", Layout::CloudBuildTriggered),
            ("https://cloud.google.com/build/gcb-buildtypes/google-builder/v1", Layout::Tekton),
            ("https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1", Layout::GitLab),
        ];
        const STARTS: [(&str, Layout); 4] = [
            ("https://github.com/slsa-framework/slsa-github-generator/", Layout::Generator),
            ("https://gitlab.com/gitlab-org/gitlab-runner/-/blob/", Layout::GitLab),
            ("https://tekton.dev/", Layout::Tekton),
            ("tekton.dev/", Layout::Tekton),
        ];
        let build_type = build_type.strip_suffix('/').unwrap_or(build_type);
        let whole = WHOLE.into_iter().find(|(name, _)| *name == build_type);
        whole.or_else(|| STARTS.into_iter().find(|(start, _)| build_type.starts_with(start))).map(|(_, layout)| layout)
    }
}

/// The source of a build that is described in version 0.2.
pub(super) fn source_v0_2(
    build_type: &str,
    config: Option<&ConfigSource>,
    materials: &[Named],
) -> Result<Option<SourceRevision>, ParseError> {
    let none = Digests::none();
    let digests = config.and_then(|config| config.digest.as_ref()).unwrap_or(&none);
    let commit = source::commit("invocation.configSource.digest", &digests.0)?;
    let location = config.and_then(|config| config.uri.as_deref()).and_then(source::location);
    if matches!(Layout::of(build_type), Some(Layout::Tekton)) {
        // Two builds of one repository cannot be told from one whose pipeline lies in the repository that it builds.
        let config = location.map(|location| location.repository);
        return only_one(materials.iter().filter(|one| {
            one.location.as_ref().is_some_and(|location| Some(&location.repository) != config.as_ref())
        }));
    }
    let Some(location) = location.filter(|location| location.marked || commit.is_some()) else { return Ok(None) };
    let mut repositories = materials.iter().filter_map(is_git).map(|material| &material.repository).peekable();
    // The configuration of a build in one repository, and everything that was built in others.
    if repositories.peek().is_some() && !repositories.any(|repository| *repository == location.repository) {
        return Ok(None);
    }
    with_commit(location, commit, materials).map(Some)
}

/// What a build type of version 1 says.
pub(super) fn read_v1(build_type: &str, parameters: &Tree, materials: &[Named]) -> Result<Build, ParseError> {
    let text = |path: &[&str]| parameters.text(path);
    let owned = |path: &[&str]| Ok::<_, ParseError>(text(path)?.map(str::to_owned));
    let repository = |at: &[&str], git_ref: &[&str]| -> Result<Option<SourceRevision>, ParseError> {
        let git_ref = if git_ref.is_empty() { None } else { text(git_ref)? };
        let Some(at) = text(at)? else { return Ok(None) };
        named(at, git_ref).map(|location| with_commit(location, None, materials)).transpose()
    };
    let descriptor = |key: &str| -> Result<Option<SourceRevision>, ParseError> {
        let commit = source::commit(&parameters.path(&[key, "digest"]), &parameters.digests(&[key, "digest"])?)?;
        let Some(location) = text(&[key, "uri"])?.and_then(source::location) else { return Ok(None) };
        if !location.marked && commit.is_none() {
            return Ok(None);
        }
        with_commit(location, commit, materials).map(Some)
    };
    let Some(layout) = Layout::of(build_type) else { return Ok(Build { source: None, workflow: None }) };
    Ok(match layout {
        Layout::GitHub => Build {
            source: repository(&["workflow", "repository"], &["workflow", "ref"])?,
            workflow: owned(&["workflow", "path"])?,
        },
        Layout::Generator => Build {
            source: agreed(repository(&["workflow", "repository"], &["workflow", "ref"])?, descriptor("source")?)?,
            workflow: owned(&["workflow", "path"])?.or(owned(&["configPath"])?),
        },
        Layout::BuildKit => Build { source: descriptor("configSource")?, workflow: owned(&["configSource", "path"])? },
        Layout::GitLab => Build { source: repository(&["source"], &[])?, workflow: owned(&["entryPoint"])? },
        Layout::CloudBuild => Build {
            source: repository(&["buildConfigSource", "repository"], &["buildConfigSource", "ref"])?,
            workflow: owned(&["buildConfigSource", "path"])?,
        },
        Layout::CloudBuildTriggered => {
            // What is not said of the source is as said of the configuration.
            let of = if text(&["sourceToBuild", "repository"])?.is_some() { "sourceToBuild" } else { "configSource" };
            let by = if text(&["sourceToBuild", "ref"])?.is_some() { "sourceToBuild" } else { of };
            Build {
                source: repository(&[of, "repository"], &[by, "ref"])?,
                workflow: owned(&["configSource", "path"])?,
            }
        }
        Layout::Tekton => {
            let input = |one: &&Named| {
                one.name.as_deref().is_some_and(|name| matches!(name.split('/').next(), Some("input" | "inputs")))
            };
            Build {
                source: only_one(materials.iter().filter(input))?,
                workflow: owned(&["buildConfigSource", "path"])?,
            }
        }
    })
}

/// A repository and a revision that stand apart.
fn named(at: &str, git_ref: Option<&str>) -> Option<Location> {
    let location = source::location(at).filter(|location| location.git_ref.is_none() && location.commit.is_none())?;
    let Some(name) = git_ref else { return Some(location) };
    let hex = name.strip_prefix("sha1:").unwrap_or(name);
    if source::is_commit(hex) {
        return Some(Location { commit: Some(hex.to_ascii_lowercase()), ..location });
    }
    Some(Location { git_ref: Some(source::git_ref(name)?.to_owned()), ..location })
}

/// Two fields that both may name the source.
fn agreed(
    workflow: Option<SourceRevision>,
    source: Option<SourceRevision>,
) -> Result<Option<SourceRevision>, ParseError> {
    let (Some(one), Some(other)) = (&workflow, &source) else { return Ok(workflow.or(source)) };
    let commits = one.commit.is_none() || other.commit.is_none() || one.commit == other.commit;
    if one.repository != other.repository || one.git_ref != other.git_ref || !commits {
        let what = "`workflow` and `source` name two sources, or two revisions of one";
        return Err(wrong("buildDefinition.externalParameters", what));
    }
    Ok(if other.commit.is_some() { source } else { workflow })
}

/// A material that is a git repository.
fn is_git(material: &Named) -> Option<&Location> {
    material.location.as_ref().filter(|location| location.marked || material.commit.is_some())
}

/// The source with the commit beside it, or that of the materials.
fn with_commit(location: Location, commit: Option<String>, materials: &[Named]) -> Result<SourceRevision, ParseError> {
    let of = |git_ref: Option<&String>| -> BTreeSet<&str> {
        let same = materials.iter().filter(|one| {
            is_git(one)
                .is_some_and(|other| other.repository == location.repository && other.git_ref.as_ref() == git_ref)
        });
        same.filter_map(|one| one.commit.as_deref().or(one.location.as_ref()?.commit.as_deref())).collect()
    };
    let mut commits = of(location.git_ref.as_ref());
    let said = commit.as_ref().or(location.commit.as_ref());
    if let Some(said) = said
        && let Some(other) = commits.iter().find(|other| **other != said)
    {
        return Err(two_commits(&location.repository, said, other));
    }
    if commits.is_empty() {
        commits = of(None);
    }
    let from_materials = match (said, commits.len()) {
        (None, 1) => commits.first().map(|commit| (*commit).to_owned()),
        _ => None,
    };
    revision(location, commit.or(from_materials))
}

/// The one git repository among these, at one revision.
fn only_one<'a>(materials: impl Iterator<Item = &'a Named>) -> Result<Option<SourceRevision>, ParseError> {
    let mut found: Option<SourceRevision> = None;
    for material in materials {
        let Some(location) = is_git(material) else { continue };
        let this = revision(location.clone(), material.commit.clone())?;
        if found.as_ref().is_some_and(|other| *other != this) {
            return Ok(None);
        }
        found = Some(this);
    }
    Ok(found)
}
