//! Trivy's own JSON, `SchemaVersion` 2 (`trivy image --format json`). Source: Trivy `pkg/types/report.go`,
//! `pkg/scan/ospkg`, `pkg/report/json.go`.
//!
//! What proves a complete scan (S16), all of it:
//!
//! | field | says |
//! |---|---|
//! | `ArtifactType` = `container_image` | it is about an image, not a folder or a bill of materials |
//! | `Results[].Class` = `os-pkgs` | the packages of the operating system that `Metadata.OS` names were looked at; Trivy leaves the result out where it does not support the system |
//! | `Results[].Class` = `lang-pkgs` | the same for an image without an operating system |
//! | a vulnerability, `Metadata.OS.EOSL`, or results without `Packages` | the vulnerability scanner was on: `--scanners secret` with `--list-all-pkgs`, the default since 0.67, writes the same results with their packages and no vulnerabilities |
//! | `CreatedAt` | when; Trivy does not write the time of its database, so this stands for it (S18) |
//!
//! A result without `Vulnerabilities` has none: Trivy leaves empty lists out, and never writes `null`, which is refused.
//! What the scanner was told to leave out (`--severity`, `--ignore-unfixed`, `--pkg-types`) no report shows.

mod wire;

use std::borrow::Cow;

use model::{Digest, Finding, Package, Reason, ReasonCode, Scanner, Timestamp, VulnerabilityId};

use self::wire::{Metadata, ModifiedFinding, Report, ScanResult, Version, Vulnerability};
use super::collect::Collector;
use super::json::{self, Text};
use super::{Document, Proof, Subject, package, proves_nothing, severity};
use crate::layer::layer;
use crate::{Limits, ParseError};

const FORMAT: &str = "Trivy report";

/// Reads a report.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let report: Report<'_> = json::read(FORMAT, bytes, limits).map_err(|error| other_version(bytes, limits, error))?;
    match report.schema_version {
        Some(2) => {}
        Some(other) => return Err(unread_version(other)),
        None => return Err(ParseError::new(FORMAT, "SchemaVersion", "it is missing; version 2 is read")),
    }
    let subject = subject(&report)?;
    let tool = report.trivy.and_then(|trivy| trivy.version).map(|version| format!("Trivy {}", version.0));
    let evidence = Evidence::of(report.metadata.as_ref(), report.results.as_deref().unwrap_or(&[]));
    let kind = report.artifact_type;
    let created_at = report.created_at.and_then(|time| time.0);

    let mut collector = Collector::new(FORMAT, limits);
    for (number, result) in report.results.into_iter().flatten().enumerate() {
        for (entry, vulnerability) in result.vulnerabilities.into_iter().flatten().enumerate() {
            let place = || format!("Results[{number}].Vulnerabilities[{entry}]");
            let (finding, path) = finding(vulnerability).map_err(|cause| ParseError::new(FORMAT, place(), cause))?;
            collector.add(finding, number, path)?;
        }
        for (entry, modified) in result.modified.into_iter().flatten().enumerate() {
            let place = || format!("Results[{number}].ExperimentalModifiedFindings[{entry}]");
            let suppressed = suppressed(modified).map_err(|cause| ParseError::new(FORMAT, place(), cause))?;
            if let Some((finding, path)) = suppressed {
                collector.add(finding, number, path)?;
            }
        }
    }
    let proof = proof(kind.as_ref(), evidence, created_at);
    Ok(Document::concluded(Scanner::Trivy, tool, subject, collector.finish(), proof))
}

fn proof(kind: Option<&Text<'_>>, evidence: Evidence, created_at: Option<Timestamp>) -> Result<Proof, Reason> {
    match kind.map(|kind| kind.0.as_ref()) {
        Some("container_image") => {}
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            return Err(proves_nothing(FORMAT, &format!("its ArtifactType is {other:?}, not container_image")));
        }
        None => return Err(proves_nothing(FORMAT, "it has no ArtifactType")),
    }
    let by = evidence.proves()?;
    let completed_at =
        created_at.ok_or_else(|| Reason::new(ReasonCode::ScanUndated, format!("{FORMAT}: it has no CreatedAt")))?;
    Ok(Proof { by, targets: evidence.targets, completed_at, database_at: None })
}

/// A report of another version may break anywhere; its version is the better cause.
fn other_version(bytes: &[u8], limits: &Limits, error: ParseError) -> ParseError {
    match json::read::<Version>(FORMAT, bytes, limits) {
        Ok(Version { schema_version: Some(other) }) if other != 2 => unread_version(other),
        _ => error,
    }
}

fn unread_version(version: u64) -> ParseError {
    ParseError::new(FORMAT, "SchemaVersion", format!("version {version} is not read; version 2 is"))
}

fn subject(report: &Report<'_>) -> Result<Subject, ParseError> {
    let metadata = report.metadata.as_ref();
    let digest = |place: &str, text: &str| -> Result<Digest, ParseError> {
        text.parse().map_err(|error| ParseError::new(FORMAT, place, format!("{error}")))
    };
    let mut manifests = Vec::new();
    for (number, named) in
        metadata.and_then(|metadata| metadata.repo_digests.as_ref()).into_iter().flatten().enumerate()
    {
        let text = named.0.rsplit_once('@').map_or(named.0.as_ref(), |(_, digest)| digest);
        let digest = digest(&format!("Metadata.RepoDigests[{number}]"), text)?;
        if !manifests.contains(&digest) {
            manifests.push(digest);
        }
    }
    let config = metadata.and_then(|metadata| metadata.image_id.as_ref()).and_then(Text::filled);
    let tags = metadata.and_then(|metadata| metadata.repo_tags.as_ref());
    let name = report.artifact_name.as_ref().and_then(Text::filled);
    let name = name.or_else(|| tags.and_then(|tags| tags.first()).and_then(Text::filled));
    Ok(Subject {
        manifests,
        config: config.map(|text| digest("Metadata.ImageID", text)).transpose()?,
        name: name.map(str::to_owned),
        ..Subject::default()
    })
}

/// What the results say about the run of the scanner.
struct Evidence {
    /// The operating system, if the image has one.
    os: Option<String>,
    /// The results about packages of the operating system and of languages.
    os_results: usize,
    language_results: usize,
    targets: Vec<String>,
    /// Only a run with the vulnerability scanner writes such a report.
    looked_for_vulnerabilities: bool,
}

impl Evidence {
    fn of(metadata: Option<&Metadata<'_>>, results: &[ScanResult<'_>]) -> Self {
        let os = metadata.and_then(|metadata| metadata.os.as_ref());
        let family = os.and_then(|os| os.family.as_ref()).and_then(Text::filled).filter(|family| *family != "none");
        let mut evidence = Self {
            os: family.map(|family| family.chars().take(64).collect()),
            os_results: 0,
            language_results: 0,
            targets: Vec::new(),
            looked_for_vulnerabilities: os.and_then(|os| os.end_of_life) == Some(true),
        };
        let mut lists_packages = false;
        for result in results {
            match Text::of(result.class.as_ref()) {
                Some("os-pkgs") => evidence.os_results += 1,
                Some("lang-pkgs") => evidence.language_results += 1,
                _ => continue,
            }
            let target = result.target.as_ref().and_then(Text::filled).unwrap_or("(unnamed)");
            evidence.targets.push(target.chars().take(512).collect());
            lists_packages |= result.lists_packages();
            evidence.looked_for_vulnerabilities |= result.vulnerabilities.iter().flatten().next().is_some()
                || result.modified.iter().flatten().any(ModifiedFinding::is_vulnerability);
        }
        // Without `--list-all-pkgs` there are results only where vulnerabilities were looked for.
        evidence.looked_for_vulnerabilities |= !lists_packages;
        evidence
    }

    /// The fields that prove a scan, or why there is no proof.
    fn proves(&self) -> Result<&'static str, Reason> {
        if self.os_results + self.language_results == 0 && self.os.is_none() {
            return Err(Reason::new(
                ReasonCode::ScanUnsupported,
                format!("{FORMAT}: Trivy found no packages that it could look at"),
            )
            .remedy(
                "Check that the vulnerability scanner was on (`--scanners vuln`); an image without packages, such as one \
                 from scratch, needs another source.",
            ));
        }
        if let Some(os) = &self.os
            && self.os_results == 0
        {
            return Err(Reason::new(
                ReasonCode::ScanUnsupported,
                format!("{FORMAT}: it names the operating system {os} and has no result for its packages"),
            )
            .remedy(
                "Scan with `--scanners vuln` and both `--pkg-types os,library`; if the result stays away, Trivy does not \
                 support this operating system.",
            ));
        }
        if !self.looked_for_vulnerabilities {
            return Err(proves_nothing(
                FORMAT,
                "it lists packages and not one vulnerability, as a run without the vulnerability scanner does",
            )
            .remedy("Scan with `--scanners vuln --list-all-pkgs=false`: then results prove that the scanner was on."));
        }
        Ok(if self.os_results > 0 {
            "ArtifactType = container_image, Results[].Class = os-pkgs, CreatedAt"
        } else {
            "ArtifactType = container_image, Results[].Class = lang-pkgs without an operating system, CreatedAt"
        })
    }
}

/// The finding, and the path that tells packages of one name apart.
fn finding(wire: Vulnerability<'_>) -> Result<(Finding, Cow<'_, str>), String> {
    let id = wire.id.and_then(|id| VulnerabilityId::new(id.0)).ok_or("it has no VulnerabilityID")?;
    let word = wire.severity.ok_or_else(|| format!("{id} has no Severity"))?;
    let (severity, rating) = severity::read(&word.0, severity::TRIVY);
    let name = wire.package.ok_or_else(|| format!("{id} has no PkgName"))?;
    let fix = package::fix(Text::of(wire.fixed_version.as_ref()), Text::of(wire.status.as_ref()));
    let mut aliases = Vec::new();
    for alias in wire.vendor_ids.iter().flatten() {
        package::add_alias(&mut aliases, &id, &alias.0);
    }
    let purl = wire.identifier.and_then(|identifier| identifier.purl).and_then(|text| package::purl(&text.0));
    let finding = Finding {
        aliases,
        rating,
        packages: vec![Package {
            name: name.0.into_owned(),
            version: wire.version.map_or_else(String::new, |version| version.0.into_owned()),
            fix,
            purl,
            layer: wire
                .layer
                .and_then(|named| layer(Text::of(named.diff_id.as_ref()), Text::of(named.digest.as_ref()))),
        }],
        cvss_tenths: wire.cvss.and_then(|cvss| cvss.highest),
        url: wire.url.map(|url| url.0.into_owned()),
        ..Finding::new(id, severity)
    };
    Ok((finding, wire.path.map_or(Cow::Borrowed(""), |path| path.0)))
}

/// A vulnerability that Trivy was told not to count, written with `--show-suppressed`. `None`: it is another finding.
fn suppressed(modified: ModifiedFinding<'_>) -> Result<Option<(Finding, Cow<'_, str>)>, String> {
    if !modified.is_vulnerability() {
        return Ok(None);
    }
    let said = |text: Option<Text<'_>>| text.as_ref().and_then(Text::filled).map(str::to_owned);
    let mut why = said(modified.status).unwrap_or_else(|| "suppressed".to_owned());
    for (joint, text) in [(" by ", said(modified.source)), (": ", said(modified.statement))] {
        if let Some(text) = text {
            why.push_str(joint);
            why.extend(text.chars().take(500));
        }
    }
    let (finding, path) = finding(modified.finding.ok_or("it has no Finding")?)?;
    Ok(Some((Finding { suppressed: Some(why), ..finding }, path)))
}

#[cfg(test)]
mod tests;
