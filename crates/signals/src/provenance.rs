//! SLSA provenance, v0.2 and v1: the predicate of a statement whose signature was verified elsewhere, read into
//! [`model::Provenance`]. Sources: slsa.dev/spec/v0.2/provenance, slsa.dev/spec/v1.0/provenance, and the documentation of the
//! build types that `build_type` names.
//!
//! Nothing is guessed: a source repository is named only where the build type says which field holds it and the field
//! holds it in one exact form (`source`). Two answers to one question refuse the statement.

mod build_type;
mod source;
mod tree;
mod wire;

use model::{Material, Provenance, SourceRevision, Timestamp};
use serde_json::value::RawValue;

use crate::report::json as strict;
use crate::sbom::json;
use crate::{Limits, ParseError};
use source::Location;
use tree::Tree;
use wire::{Definition, Run, V02};

const FORMAT: &str = "SLSA provenance";

/// The type of predicates in version 0.2.
pub const V0_2: &str = "https://slsa.dev/provenance/v0.2";
/// The type of predicates in version 1 and all its minor versions.
pub const V1: &str = "https://slsa.dev/provenance/v1";

/// Reads the predicate of a provenance statement of this type.
///
/// # Errors
/// Another type or version, not JSON, over the limits, without builder or build type, or saying two things about one.
pub fn parse(predicate_type: &str, predicate: &[u8], limits: &Limits) -> Result<Provenance, ParseError> {
    match predicate_type {
        V0_2 => read_v0_2(predicate, limits),
        V1 => read_v1(predicate, limits),
        other => {
            let cause = format!("{} is not known; versions 0.2 and 1 are read", json::shown(other));
            Err(wrong("predicateType", cause))
        }
    }
}

fn read_v0_2(predicate: &[u8], limits: &Limits) -> Result<Provenance, ParseError> {
    let document: V02<'_> = strict::read(FORMAT, predicate, limits)?;
    let invocation = document.invocation.as_ref();
    let config = invocation.and_then(|invocation| invocation.config_source.as_ref());
    let materials = materials("materials", document.materials, limits)?;
    let metadata = document.metadata.as_ref();
    let either = metadata.map(|metadata| [&metadata.invocation_id, &metadata.invocation_id_of_go]);
    Ok(Provenance {
        predicate_type: V0_2.to_owned(),
        builder: filled("builder.id", document.builder.id)?,
        source: build_type::source_v0_2(&document.build_type, config, &materials)?,
        build_type: filled("buildType", document.build_type)?,
        workflow: config.and_then(|config| said(config.entry_point.as_ref())),
        parameters: Tree::read("invocation.parameters", invocation.and_then(|one| one.parameters), limits)?
            .flattened(limits)?,
        materials: materials.into_iter().map(|named| named.material).collect(),
        invocation: one_of("metadata.buildInvocationId", either)?,
        finished: time("metadata.buildFinishedOn", metadata.and_then(|metadata| metadata.finished.as_ref()))?,
    })
}

fn read_v1(predicate: &[u8], limits: &Limits) -> Result<Provenance, ParseError> {
    let document: wire::V1<'_> = strict::read(FORMAT, predicate, limits)?;
    let wire::V1 { definition, run } = document;
    let Definition { build_type, external_parameters, resolved_dependencies } = definition;
    let Run { builder, metadata } = run;
    let materials = materials("buildDefinition.resolvedDependencies", resolved_dependencies, limits)?;
    let parameters = Tree::read("buildDefinition.externalParameters", Some(external_parameters), limits)?;
    if !parameters.is_object() {
        return Err(wrong("buildDefinition.externalParameters", "it is no object"));
    }
    let build = build_type::read_v1(&build_type, &parameters, &materials)?;
    let metadata = metadata.as_ref();
    let either = metadata.map(|metadata| [&metadata.invocation_id, &metadata.invocation_id_of_go]);
    Ok(Provenance {
        predicate_type: V1.to_owned(),
        builder: filled("runDetails.builder.id", builder.id)?,
        build_type: filled("buildDefinition.buildType", build_type)?,
        source: build.source,
        workflow: build.workflow,
        parameters: parameters.flattened(limits)?,
        materials: materials.into_iter().map(|named| named.material).collect(),
        invocation: one_of("runDetails.metadata.invocationId", either)?,
        finished: time("runDetails.metadata.finishedOn", metadata.and_then(|metadata| metadata.finished.as_ref()))?,
    })
}

/// A material with the name that a build type may give it.
struct Named {
    name: Option<String>,
    material: Material,
    /// What its URI says, if it is that of a git repository.
    location: Option<Location>,
    /// The commit that stands beside the URI.
    commit: Option<String>,
}

fn materials(place: &str, list: Option<Vec<wire::Resource>>, limits: &Limits) -> Result<Vec<Named>, ParseError> {
    let list = list.unwrap_or_else(Vec::new);
    json::count(FORMAT, place, list.len(), limits)?;
    let read = |(number, resource): (usize, wire::Resource)| {
        let place = format!("{place}[{number}].digest");
        let digests = resource.digest.unwrap_or_else(wire::Digests::none).0;
        let uri = resource.uri.unwrap_or_else(String::new);
        let (location, commit) = match source::location(&uri) {
            Some(location) => (Some(location), source::commit(&place, &digests)?),
            None => (None, None),
        };
        Ok(Named { name: resource.name, material: Material { uri, digests }, location, commit })
    };
    list.into_iter().enumerate().map(read).collect()
}

/// A field that has to say something.
fn filled(place: &str, text: String) -> Result<String, ParseError> {
    if text.trim().is_empty() {
        Err(wrong(place, "it is empty, so nobody knows who or what built it"))
    } else {
        Ok(text)
    }
}

/// The text of a field that may be left out; empty is as good as left out.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

/// A field that tools spell in two ways.
fn one_of(place: &str, spellings: Option<[&Option<String>; 2]>) -> Result<Option<String>, ParseError> {
    let [one, other] = spellings.unwrap_or([&None, &None]).map(|text| said(text.as_ref()));
    match (&one, &other) {
        (Some(first), Some(second)) if first != second => Err(wrong(place, "it stands twice and says two things")),
        _ => Ok(one.or(other)),
    }
}

/// A time that may be missing; Go's zero time says "no time".
fn time(place: &str, text: Option<&String>) -> Result<Option<Timestamp>, ParseError> {
    let text = text.filter(|text| !text.trim().is_empty() && !text.starts_with("0001-01-01"));
    json::maybe_time(FORMAT, place, text)
}

/// JSON that is looked at apart.
type Raw<'a> = &'a RawValue;

fn wrong(place: &str, cause: impl Into<String>) -> ParseError {
    ParseError::new(FORMAT, place, cause)
}

/// A source of which more is known than where it is.
fn revision(location: Location, commit: Option<String>) -> Result<SourceRevision, ParseError> {
    match (&location.commit, &commit) {
        (Some(named), Some(beside)) if named != beside => Err(two_commits(&location.repository, named, beside)),
        _ => Ok(SourceRevision {
            repository: location.repository,
            git_ref: location.git_ref,
            commit: commit.or(location.commit),
        }),
    }
}

fn two_commits(repository: &str, one: &str, other: &str) -> ParseError {
    wrong("", format!("the source {repository} is said to be at commit {one} and at commit {other}"))
}

#[cfg(test)]
mod tests;
