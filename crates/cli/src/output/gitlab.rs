//! GitLab's container scanning report (B2), security report schema 15.2.1: every finding, one entry a package and
//! platform. Its status is `success` only if every scan is complete; otherwise the reasons stand in its messages.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::{Completeness, Digest, Finding, Fix, Package, SignedDuration, Timestamp};
use serde::Serialize;

use super::markdown::escape;
use super::words::{ended, justification, line, link, sentence};
use super::{Listed, State, View, json};
use crate::failure::Failure;

/// The schema this is written by.
const VERSION: &str = "15.2.1";

#[derive(Serialize)]
struct Report {
    version: &'static str,
    scan: Scan,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Serialize)]
struct Scan {
    analyzer: Tool,
    scanner: Tool,
    #[serde(rename = "type")]
    kind: &'static str,
    start_time: String,
    end_time: String,
    status: &'static str,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Tool {
    id: &'static str,
    name: Cow<'static, str>,
    version: Cow<'static, str>,
    vendor: Vendor,
}

#[derive(Serialize)]
struct Vendor {
    name: &'static str,
}

#[derive(Serialize)]
struct Message {
    level: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Vulnerability {
    id: String,
    name: String,
    description: String,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    solution: Option<String>,
    location: Location,
    identifiers: [Identifier; 1],
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Location {
    dependency: Dependency,
    operating_system: &'static str,
    image: String,
}

#[derive(Serialize)]
struct Dependency {
    package: PackageName,
    version: String,
}

#[derive(Serialize)]
struct PackageName {
    name: String,
}

#[derive(Serialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Link {
    url: String,
}

pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    let record = view.record;
    let took = record.timing_ms.request.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
    let started = record.recorded_at.checked_sub(SignedDuration::from_millis(took)).unwrap_or(record.recorded_at);
    let report = Report {
        version: VERSION,
        scan: Scan {
            analyzer: gate(),
            scanner: scanner(view),
            kind: "container_scanning",
            start_time: time(started),
            end_time: time(record.recorded_at),
            // Where no rule is about findings nobody looked for a scan: an empty list says nothing then.
            status: if view.is_complete() && record.findings.judged { "success" } else { "failure" },
            messages: messages(view),
        },
        vulnerabilities: vulnerabilities(view),
    };
    json::document("the GitLab report", &report)
}

/// The gate itself.
fn gate() -> Tool {
    let vendor = Vendor { name: "ecr-gate" };
    Tool { id: "ecr-gate", name: "ecr-gate".into(), version: env!("CARGO_PKG_VERSION").into(), vendor }
}

/// Who scanned. Without a scan, or without all its findings, it is the gate itself: GitLab takes what a scanner no longer lists
/// for resolved, and such a report resolves nothing.
fn scanner(view: &View<'_>) -> Tool {
    let Some(used) = view.record.signals.first().map(|used| &used.signal).filter(|_| view.unlisted() == 0) else {
        return gate();
    };
    let (id, name) = match &used.proof {
        Completeness::EcrBasic { .. } => ("amazon-ecr", "Amazon ECR basic scanning"),
        Completeness::EcrEnhanced { .. } => ("amazon-inspector", "Amazon Inspector"),
        Completeness::Report { .. } => {
            let tool = used.tool.as_deref().unwrap_or(used.scanner.as_str());
            let (name, version) = tool.rsplit_once(' ').unwrap_or((tool, "unknown"));
            let (name, version) = (line(name, 80).into(), line(version, 80).into());
            return Tool { id: used.scanner.as_str(), name, version, vendor: Vendor { name: used.scanner.as_str() } };
        }
    };
    // AWS does not say the version of its scanners.
    Tool { id, name: name.into(), version: "managed".into(), vendor: Vendor { name: "Amazon Web Services" } }
}

fn messages(view: &View<'_>) -> Vec<Message> {
    let record = view.record;
    let unknown = record.reasons.iter().filter(|reason| reason.class.is_some()).map(|reason| {
        let reason = &reason.reason;
        let value = format!("{}: {} {}", reason.code, ended(&line(&reason.message, 1000)), line(&reason.remedy, 1000));
        Message { level: "fatal", value }
    });
    let mut list: Vec<Message> = unknown.collect();
    if !record.findings.judged {
        let value = "no rule is about vulnerabilities: nobody looked for a scan".to_owned();
        list.push(Message { level: "warn", value });
    }
    if list.is_empty() && !view.is_complete() {
        list.push(Message { level: "fatal", value: "there is no complete scan of the image".to_owned() });
    }
    let unlisted = view.unlisted();
    if unlisted > 0 {
        let value = format!(
            "{unlisted} more findings, which no rule touched, are not listed: the decision service keeps their number"
        );
        list.push(Message { level: "warn", value });
    }
    // A blank message is against the schema.
    let warnings = record.warnings.iter().map(|warning| line(warning, 1000)).filter(|text| !text.is_empty());
    list.extend(warnings.map(|value| Message { level: "warn", value }));
    list
}

fn vulnerabilities(view: &View<'_>) -> Vec<Vulnerability> {
    let unnamed =
        Package { name: "unknown".to_owned(), version: String::new(), fix: Fix::NotSaid, purl: None, layer: None };
    let mut seen = BTreeSet::new();
    let mut list = Vec::new();
    for listed in view.findings() {
        let packages =
            if listed.finding.packages.is_empty() { std::slice::from_ref(&unnamed) } else { &listed.finding.packages };
        for package in packages {
            let id = id(view, &listed, package);
            if seen.insert(id.clone()) {
                list.push(vulnerability(view, &listed, package, id));
            }
        }
    }
    list
}

fn vulnerability(view: &View<'_>, listed: &Listed<'_>, package: &Package, id: String) -> Vulnerability {
    let Listed { finding, platform, state } = *listed;
    let name = line(finding.id.as_str(), 200);
    let package_name = line(&package.name, 200);
    let became = match state {
        State::Blocks(code) => format!("It {}: {code}.", view.does(code)),
        State::Waived(disposition) => format!("It does not count: {}.", justification(view.record, disposition)),
        State::Counted => "It does not block.".to_owned(),
    };
    let solution = match &package.fix {
        Fix::In(version) => Some(format!("Upgrade {package_name} to {}.", line(version, 200))),
        Fix::Available => Some(format!("Upgrade {package_name}; the scanner does not say the fixed version.")),
        Fix::None | Fix::NotSaid => None,
    };
    let url = link(finding).map(str::to_owned);
    Vulnerability {
        id,
        // GitLab reads it as Markdown.
        description: escape(&format!("{}. {became}", sentence(finding, platform))),
        severity: severity(finding),
        solution,
        location: Location {
            dependency: Dependency {
                package: PackageName { name: package_name },
                version: line(&package.version, 200),
            },
            operating_system: "unknown",
            image: view.image(platform),
        },
        identifiers: [Identifier { kind: kind(&name), name: name.clone(), value: name.clone(), url: url.clone() }],
        links: url.into_iter().map(|url| Link { url }).collect(),
        name,
    }
}

/// The same for the same finding of the same repository, whatever the build: never from the digest or the time.
fn id(view: &View<'_>, listed: &Listed<'_>, package: &Package) -> String {
    let platform = listed.platform.map_or_else(String::new, ToString::to_string);
    let parts = [&view.record.image.name, &platform, listed.finding.id.as_str(), &package.name, &package.version];
    let digest = Digest::of(parts.join("\0").as_bytes());
    let hex = digest.as_str().trim_start_matches("sha256:").get(..32).unwrap_or("0");
    let bytes = u128::from_str_radix(hex, 16).unwrap_or(0).to_be_bytes();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn severity(finding: &Finding) -> &'static str {
    use model::Severity::{Critical, High, Informational, Low, Medium, Undefined, Unknown, Untriaged};
    match finding.severity {
        Critical => "Critical",
        High => "High",
        Medium => "Medium",
        Low => "Low",
        Informational => "Info",
        Undefined | Untriaged | Unknown(_) => "Unknown",
    }
}

/// GitLab's word for who gave the id.
fn kind(id: &str) -> &'static str {
    let prefixes =
        [("CVE-", "cve"), ("GHSA-", "ghsa"), ("USN-", "usn"), ("RHSA-", "rhsa"), ("ELSA-", "elsa"), ("ALAS", "alas")];
    let upper = id.to_ascii_uppercase();
    prefixes.iter().find(|(prefix, _)| upper.starts_with(prefix)).map_or("ecr", |(_, kind)| kind)
}

/// In UTC without a zone, as the schema has it.
fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
