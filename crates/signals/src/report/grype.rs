//! Grype's own JSON (`grype IMAGE -o json`), of databases up to 5 and from 6 on. Source: Grype
//! `grype/presenter/models`.
//!
//! What proves a complete scan (S16), all of it:
//!
//! | field | says |
//! |---|---|
//! | `descriptor.name` = `grype` | who wrote it |
//! | `source.type` = `image` | it is about an image, not a folder or a bill of materials |
//! | `matches` | the list; Grype writes `[]` where nothing was found, and never `null`, which is refused |
//! | `descriptor.configuration` without `only-fixed`, `only-notfixed`, `ignore-states`, `exclude` | nothing was left out of the list. What a rule under `ignore` took out stands in `ignoredMatches` and is read as suppressed |
//! | `descriptor.db.built`, or `descriptor.db.status.built`, and no error beside it | the age of the vulnerability data (S18) |
//! | `descriptor.timestamp` | when. Without it the age of the data stands for it: too early, so never taken for newer than it is |

mod wire;

use std::borrow::Cow;

use model::{Digest, Finding, Fix, Package, Reason, ReasonCode, Scanner, Severity, VulnerabilityId};

use self::wire::{Descriptor, IgnoreRule, Match, Report, Source, Target};
use super::collect::Collector;
use super::json::{self, Text};
use super::{Document, Proof, Subject, package, proves_nothing, severity};
use crate::layer::of_places;
use crate::{Limits, ParseError};

const FORMAT: &str = "Grype report";

/// Reads a report.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let missing = |place: &str| ParseError::new(FORMAT, place, "it is missing");
    let report: Report<'_> = json::read(FORMAT, bytes, limits)?;
    let descriptor = report.descriptor.ok_or_else(|| missing("descriptor"))?;
    match Text::of(descriptor.name.as_ref()) {
        Some("grype") => {}
        Some(other) => {
            let cause = format!("{:?} is not read; grype is", other.chars().take(64).collect::<String>());
            return Err(ParseError::new(FORMAT, "descriptor.name", cause));
        }
        None => return Err(missing("descriptor.name")),
    }
    let tool = descriptor.version.as_ref().map(|version| format!("Grype {}", version.0));
    let target = target(report.source.as_ref(), limits)?;
    let subject = target.as_ref().map(subject).transpose()?.unwrap_or_else(Subject::default);

    let mut collector = Collector::new(FORMAT, limits);
    for (number, wire) in report.matches.ok_or_else(|| missing("matches"))?.into_iter().enumerate() {
        let place = || format!("matches[{number}]");
        let (finding, artifact) = finding(wire).map_err(|cause| ParseError::new(FORMAT, place(), cause))?;
        collector.add(finding, 0, artifact)?;
    }
    for (number, mut wire) in report.ignored_matches.into_iter().flatten().enumerate() {
        let place = || format!("ignoredMatches[{number}]");
        let suppressed = Some(rules(wire.applied_ignore_rules.take()));
        let (finding, artifact) = finding(wire).map_err(|cause| ParseError::new(FORMAT, place(), cause))?;
        collector.add(Finding { suppressed, ..finding }, 1, artifact)?;
    }
    let proof = proof(&descriptor, report.source.as_ref(), target.as_ref(), &subject);
    Ok(Document::concluded(Scanner::Grype, tool, subject, collector.finish(), proof))
}

fn target<'a>(source: Option<&Source<'a>>, limits: &Limits) -> Result<Option<Target<'a>>, ParseError> {
    let Some((source, target)) = source.and_then(|source| Some((source, source.target?))) else { return Ok(None) };
    if !source.is_image() {
        return Ok(None);
    }
    let target = json::read(FORMAT, target.get().as_bytes(), limits);
    target.map(Some).map_err(|error| ParseError::new(FORMAT, "source.target", error.cause))
}

fn subject(target: &Target<'_>) -> Result<Subject, ParseError> {
    let digest = |place: &str, text: &str| -> Result<Digest, ParseError> {
        text.parse().map_err(|error| ParseError::new(FORMAT, format!("source.target.{place}"), format!("{error}")))
    };
    let mut manifests = Vec::new();
    if let Some(text) = target.manifest_digest.as_ref().and_then(Text::filled) {
        manifests.push(digest("manifestDigest", text)?);
    }
    for (number, named) in target.repo_digests.iter().flatten().enumerate() {
        let text = named.0.rsplit_once('@').map_or(named.0.as_ref(), |(_, digest)| digest);
        let digest = digest(&format!("repoDigests[{number}]"), text)?;
        if !manifests.contains(&digest) {
            manifests.push(digest);
        }
    }
    let config = target.image_id.as_ref().and_then(Text::filled);
    Ok(Subject {
        manifests,
        config: config.map(|text| digest("imageID", text)).transpose()?,
        name: target.user_input.as_ref().and_then(Text::filled).map(str::to_owned),
        ..Subject::default()
    })
}

fn proof(
    descriptor: &Descriptor<'_>,
    source: Option<&Source<'_>>,
    target: Option<&Target<'_>>,
    subject: &Subject,
) -> Result<Proof, Reason> {
    let unproven = |because: &str| Err(proves_nothing(FORMAT, because));
    let Some(source) = source else { return unproven("it does not say what was scanned") };
    if !source.is_image() {
        let kind: String = Text::of(source.r#type.as_ref()).unwrap_or("missing").chars().take(64).collect();
        return unproven(&format!("its source.type is {kind}, not image"));
    }
    if target.is_none() {
        return unproven("it does not say which image was scanned");
    }
    if let Some(filter) = descriptor.configuration.as_ref().and_then(wire::Configuration::filter) {
        return unproven(&format!("its list was filtered by {filter}"));
    }
    let database = descriptor.db.as_ref();
    if let Some(error) = database.and_then(wire::Database::error) {
        return unproven(&format!("its vulnerability database was not in order: {error}"));
    }
    let built = database.and_then(wire::Database::built);
    let timestamp = descriptor.timestamp.and_then(|time| time.0);
    // Without a database there is nothing that was looked up, and nothing that says how old it is.
    let Some(built) = built else {
        let what = format!("{FORMAT}: it does not say when its vulnerability database was built (descriptor.db)");
        return Err(Reason::new(ReasonCode::ScanUndated, what));
    };
    let completed_at = timestamp.unwrap_or(built);
    let name = subject.name.clone().or_else(|| subject.manifests.first().map(ToString::to_string));
    Ok(Proof {
        by: "source.type = image, matches, descriptor.timestamp, descriptor.db",
        targets: name.or_else(|| subject.config.as_ref().map(ToString::to_string)).into_iter().collect(),
        completed_at,
        database_at: Some(built),
    })
}

/// The finding, and the id of the package that tells those of one name apart.
fn finding(wire: Match<'_>) -> Result<(Finding, Cow<'_, str>), String> {
    let vulnerability = wire.vulnerability.ok_or("it has no vulnerability")?;
    let id = vulnerability.id.and_then(|id| VulnerabilityId::new(id.0)).ok_or("its vulnerability has no id")?;
    let artifact = wire.artifact.ok_or_else(|| format!("{id} has no artifact"))?;
    let name = artifact.name.ok_or_else(|| format!("the artifact of {id} has no name"))?;
    // Grype leaves the word out where its database knows the vulnerability by name alone.
    let (severity, rating) = match Text::of(vulnerability.severity.as_ref()) {
        Some(word) => severity::read(word, severity::GRYPE),
        None => (Severity::Unknown(String::new()), None),
    };
    let fix = vulnerability.fix.map_or(Fix::NotSaid, |fix| {
        let versions = package::fixed_in(fix.versions.iter().flatten().map(|version| version.0.as_ref()));
        match (versions, Text::of(fix.state.as_ref())) {
            (Fix::In(versions), _) => Fix::In(versions),
            (_, Some("fixed")) => Fix::Available,
            (_, Some("not-fixed" | "wont-fix")) => Fix::None,
            _ => Fix::NotSaid,
        }
    });
    let mut aliases = Vec::new();
    let mut scores = vulnerability.cvss;
    for related in wire.related_vulnerabilities.into_iter().flatten() {
        if let Some(alias) = related.id {
            package::add_alias(&mut aliases, &id, &alias.0);
        }
        scores = scores.max(related.cvss);
    }
    let places = artifact.locations.iter().flatten();
    let layer =
        of_places(places.map(|place| (Text::of(place.path.as_ref()).unwrap_or(""), Text::of(place.layer.as_ref()))));
    let finding = Finding {
        aliases,
        rating,
        packages: vec![Package {
            name: name.0.into_owned(),
            version: artifact.version.map_or_else(String::new, |version| version.0.into_owned()),
            fix,
            purl: artifact.purl.and_then(|text| package::purl(&text.0)),
            layer,
        }],
        cvss_tenths: scores.and_then(|scores| scores.0),
        epss_millionths: vulnerability.epss.and_then(|epss| epss.0),
        exploit_available: vulnerability.known_exploited.filter(|list| !list.is_empty()).map(|_| true),
        url: vulnerability.data_source.as_ref().and_then(Text::filled).map(str::to_owned),
        ..Finding::new(id, severity)
    };
    Ok((finding, artifact.id.map_or(Cow::Borrowed(""), |id| id.0)))
}

/// The rules that took a match out, in words.
fn rules(rules: Option<Vec<IgnoreRule<'_>>>) -> String {
    let mut words = String::new();
    for rule in rules.into_iter().flatten().take(5) {
        words.push_str(if words.is_empty() { "ignore rule" } else { "; ignore rule" });
        let package = rule.package.and_then(|package| package.name);
        for (what, text) in [
            (" for ", rule.vulnerability),
            (" for package ", package),
            (" for fix state ", rule.fix_state),
            (" by VEX status ", rule.vex_status),
            (", justification ", rule.vex_justification),
            (": ", rule.reason),
        ] {
            if let Some(text) = text.as_ref().and_then(Text::filled) {
                words.push_str(what);
                words.extend(text.chars().take(200));
            }
        }
    }
    if words.is_empty() { "ignored by Grype, which names no rule".to_owned() } else { words }
}

#[cfg(test)]
mod tests;
