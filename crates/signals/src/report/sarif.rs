//! SARIF 2.1.0 of any tool. Recognised by `runs` at the top, with `version`. Source: OASIS SARIF 2.1.0.
//!
//! Read: of a run `tool` (driver, extensions, their rules), `results`, `invocations` and the image that Trivy names in
//! `properties`; of a result its rule, `level`, `kind`, `message`, `locations`, `suppressions`, `baselineState`. Results
//! of every tool are findings, for nobody can tell a linter's from a scanner's; how serious they are, see `rating`.
//! The proof of a scan (S16, S19): every run has a list of results, only invocations with `executionSuccessful: true`
//! and an `endTimeUtc` and without notifications of errors, a tool that looks for vulnerabilities, and the image's
//! digest in `properties`. Not read: results and rules in other files, which are refused.

mod package;
mod rating;
mod result;
mod rules;
mod wire;

#[cfg(test)]
mod tests;

use model::{Digest, Finding, Scanner, Timestamp};

use super::json::{self, Text};
use super::list::{Budget, List};
use super::{Document, Proof, Subject, proves_nothing};
use crate::{Limits, ParseError};
use rules::Rules;
use wire::{Invocation, Log, Run};

const FORMAT: &str = "SARIF log";

/// Reads the findings of every run.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let log: Log<'_> = json::read(FORMAT, bytes, limits)?;
    if log.version.0 != "2.1.0" {
        return Err(ParseError::new(FORMAT, "version", format!("{:?}; only \"2.1.0\" is read", log.version.0)));
    }
    let List(runs) = log.runs;
    let (mut findings, mut subject, mut tools) = (Vec::new(), Subject::default(), Vec::new());
    let mut budget = Budget::new(FORMAT, limits);
    for (at, run) in runs.iter().enumerate() {
        let place = format!("runs[{at}]");
        about(&mut subject, run, &place)?;
        let tool = tool(run);
        if !tools.contains(&tool) {
            tools.push(tool);
        }
        take_results(&mut findings, &mut budget, run, &place)?;
        if findings.len() > limits.findings {
            let cause = format!("more than {} results, which is all that is read", limits.findings);
            return Err(ParseError::new(FORMAT, format!("{place}.results"), cause));
        }
    }
    let tool = Some(tools.join(", ")).filter(|tools| !tools.is_empty());
    let proof = proof(&runs, &subject).map_err(|because| proves_nothing(FORMAT, &because));
    Ok(Document::concluded(Scanner::Sarif, tool, subject, findings, proof))
}

/// `Trivy 0.59.1`
fn tool(run: &Run<'_>) -> String {
    let driver = &run.tool.driver;
    let version = driver.version.as_ref().or(driver.semantic_version.as_ref()).and_then(Text::filled);
    version.map_or_else(|| driver.name.0.to_string(), |version| format!("{} {version}", driver.name.0))
}

fn take_results(
    findings: &mut Vec<Finding>,
    budget: &mut Budget,
    run: &Run<'_>,
    place: &str,
) -> Result<(), ParseError> {
    if let Some(files) = &run.external_property_file_references
        && let Some(what) = files.of_interest()
    {
        let place = format!("{place}.externalPropertyFileReferences.{what}");
        return Err(ParseError::new(FORMAT, place, "a part of the log is in another file; give it in one"));
    }
    let rules = Rules::of(&run.tool);
    for (at, result) in List::each(run.results.as_ref()).enumerate() {
        let Some(finding) = result::finding(result, &rules, &format!("{place}.results[{at}]"))? else { continue };
        budget.finding(&finding)?;
        finding.packages.iter().try_for_each(|package| budget.package(package))?;
        findings.push(finding);
    }
    Ok(())
}

/// Adds what a run says about its image: Trivy writes it in the properties of the run.
fn about(subject: &mut Subject, run: &Run<'_>, place: &str) -> Result<(), ParseError> {
    let Some(properties) = &run.properties else { return Ok(()) };
    let refused = |field: &str, cause: String| ParseError::new(FORMAT, format!("{place}.properties.{field}"), cause);
    let digest = |field: &str, text: &str| {
        text.parse::<Digest>().map_err(|error| refused(field, format!("{text:?} names no digest: {error}")))
    };
    let mut manifests = Vec::new();
    for reference in List::each(properties.repo_digests.as_ref()).filter_map(Text::filled) {
        let text = reference.rsplit_once('@').map_or(reference, |(_, digest)| digest);
        manifests.push(digest("repoDigests", text)?);
    }
    let config = properties.image_id.as_ref().and_then(Text::filled);
    let config = config.map(|text| digest("imageID", text)).transpose()?;
    let same_config = config.is_some() && config == subject.config;
    let other_config = config.is_some() && subject.config.is_some() && !same_config;
    let no_digest_shared = !manifests.is_empty()
        && !subject.manifests.is_empty()
        && !manifests.iter().any(|digest| subject.manifests.contains(digest));
    if other_config || (no_digest_shared && !same_config) {
        return Err(refused("imageID", "the runs are about different images; give the log of one image".to_owned()));
    }
    for digest in manifests {
        if !subject.manifests.contains(&digest) {
            subject.manifests.push(digest);
        }
    }
    subject.config = config.or_else(|| subject.config.take());
    let name = properties.image_name.as_ref().and_then(Text::filled).map(str::to_owned);
    subject.name = subject.name.take().or(name);
    Ok(())
}

/// The proof that the runs are whole scans of the image and when they ended, or what is missing.
fn proof(runs: &[Run<'_>], subject: &Subject) -> Result<Proof, String> {
    let mut completed_at: Option<Timestamp> = None;
    for (at, run) in runs.iter().enumerate() {
        let ended = run_ended(run).map_err(|missing| format!("runs[{at}] {missing}"))?;
        // The oldest of the runs: its vulnerability data is the oldest.
        completed_at = Some(completed_at.map_or(ended, |before| before.min(ended)));
    }
    let completed_at = completed_at.ok_or("it has no runs")?;
    let digest = subject.manifests.first().or(subject.config.as_ref());
    let digest = digest.ok_or("it does not say which image was scanned")?;
    let target = subject.name.clone().unwrap_or_else(|| digest.to_string());
    Ok(Proof {
        by: "runs[].invocations[].executionSuccessful = true, with endTimeUtc and results",
        targets: vec![target],
        completed_at,
        database_at: None,
    })
}

/// When a run ended that is proven to be whole, or what it lacks.
fn run_ended(run: &Run<'_>) -> Result<Timestamp, String> {
    if run.results.is_none() {
        return Err("has no list of results, which is how a tool says that it found out nothing".to_owned());
    }
    if let Some(because) = rules::not_about_vulnerabilities(run) {
        return Err(because);
    }
    let mut ended: Option<Timestamp> = None;
    for invocation in List::each(run.invocations.as_ref()) {
        let at = invocation_ended(invocation)?;
        ended = Some(ended.map_or(at, |before| before.max(at)));
    }
    ended.ok_or_else(|| "has no `invocations` with `executionSuccessful`".to_owned())
}

fn invocation_ended(invocation: &Invocation<'_>) -> Result<Timestamp, String> {
    if invocation.execution_successful != Some(true) {
        return Err("does not say `executionSuccessful: true`".to_owned());
    }
    if invocation.process_start_failure_message.is_some() || invocation.tells_of_an_error() {
        return Err("tells of an error of the tool".to_owned());
    }
    invocation
        .end_time_utc
        .and_then(|time| time.0)
        .ok_or_else(|| "does not say when it ended (`endTimeUtc`)".to_owned())
}
