//! SARIF 2.1.0 (A5, B2): a result for every finding and for every reason that no finding shows. `executionSuccessful` is
//! true only if every scan is complete (S19); an image that could not be judged is a failed run with results, never an
//! empty list.

mod log;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Digest, Finding, Platform, Reason, ReasonCode, Severity, Verdict};

use self::log::{
    ArtifactLocation, AutomationDetails, Descriptor, Driver, Invocation, Level, Location, Log, LogicalLocation,
    Message, Notification, PhysicalLocation, Region, Rule, RuleProperties, Run, SarifResult, Suppression, Tool,
};
use super::view::is_about_findings;
use super::words::{cvss, ended, justification, line, link, sentence};
use super::{Listed, State, View, json};
use crate::failure::Failure;

const NAME: usize = 200;
const SENTENCE: usize = 900;

pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    let record = view.record;
    let findings = view.findings();
    let mut rules = Rules { list: Vec::new(), places: BTreeMap::new() };
    let mut results: Vec<SarifResult> = reasons(view).map(|reason| by_reason(view, &mut rules, reason)).collect();
    results.extend(findings.iter().map(|listed| by_finding(view, &mut rules, listed)));
    let mut properties = BTreeMap::from([
        ("image", record.image.reference.clone()),
        ("verdict", record.verdict.as_str().to_owned()),
        ("environment", record.environment.name.clone()),
    ]);
    let known = [("digest", &record.image.digest), ("decision", &record.id)];
    properties.extend(known.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let run = Run {
        tool: Tool { driver: Driver { name: "ecr-gate", version: env!("CARGO_PKG_VERSION"), rules: rules.list } },
        automation_details: AutomationDetails { id: format!("ecr-gate/{}/", record.image.name) },
        invocations: [Invocation {
            execution_successful: view.is_complete() && view.unlisted() == 0,
            exit_code: record.exit_code,
            end_time_utc: record.recorded_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            tool_execution_notifications: notifications(view),
        }],
        results,
        properties,
    };
    let log = Log { schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
    json::document("the SARIF log", &log)
}

/// The reasons that no result of a finding shows, each once.
fn reasons<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Reason> {
    let mut seen = Vec::new();
    view.record.reasons.iter().map(|reason| &reason.reason).filter(move |reason| {
        let new = !is_about_findings(reason.code) && !seen.contains(reason);
        seen.push(reason);
        new
    })
}

/// The rules so far: one per vulnerability, one per reason.
struct Rules {
    list: Vec<Rule>,
    places: BTreeMap<String, usize>,
}

impl Rules {
    fn reason(&mut self, code: ReasonCode) -> usize {
        self.place(format!("reason {code}"), || Rule {
            id: code.as_str().to_owned(),
            short_description: Message { text: code.meaning().to_owned() },
            help: Message { text: code.remedy().to_owned() },
            help_uri: None,
            properties: RuleProperties { tags: vec!["ecr-gate".to_owned()], security_severity: None },
        })
    }

    fn finding(&mut self, finding: &Finding) -> usize {
        let id = line(finding.id.as_str(), NAME);
        let score = cvss(finding);
        let place = self.place(format!("finding {id}"), || Rule {
            short_description: Message { text: text(&format!("{id}: a vulnerability in a package of the image")) },
            help: Message {
                text: text(&format!("Upgrade the packages that {id} is in to a fixed version, rebuild and push.")),
            },
            id,
            help_uri: link(finding).map(str::to_owned),
            properties: RuleProperties {
                tags: vec!["security".to_owned(), "vulnerability".to_owned(), line(finding.severity.as_str(), NAME)],
                security_severity: None,
            },
        });
        // The highest score of all findings of this id: `10.0` is longer than the others, which compare as text.
        let rule = &mut self.list[place].properties;
        let rank = |score: &Option<String>| score.as_ref().map(|score| (score.len(), score.clone()));
        if rank(&score) > rank(&rule.security_severity) {
            rule.security_severity = score;
        }
        place
    }

    fn place(&mut self, key: String, rule: impl FnOnce() -> Rule) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.list.push(rule());
            self.list.len() - 1
        })
    }
}

fn by_reason(view: &View<'_>, rules: &mut Rules, reason: &Reason) -> SarifResult {
    SarifResult {
        rule_id: reason.code.as_str().to_owned(),
        rule_index: rules.reason(reason.code),
        level: level(view.weight(reason.code)),
        message: Message { text: text(&format!("{} Next step: {}", ended(&reason.message), reason.remedy)) },
        locations: [location(view, None, Vec::new())],
        partial_fingerprints: fingerprints(&[&view.record.image.name, reason.code.as_str()]),
        suppressions: Vec::new(),
    }
}

fn by_finding(view: &View<'_>, rules: &mut Rules, listed: &Listed<'_>) -> SarifResult {
    let Listed { finding, platform, state } = *listed;
    let (level, became, suppressions) = match state {
        State::Blocks(code) => (level(view.weight(code)), format!("It {}: {code}.", view.does(code)), Vec::new()),
        State::Waived(disposition) => {
            let justification = justification(view.record, disposition);
            let became = format!("It does not count: {justification}.");
            let suppression = Suppression { kind: "external", status: "accepted", justification };
            (shown(finding), became, vec![suppression])
        }
        State::Counted => (shown(finding), "It does not block.".to_owned(), Vec::new()),
    };
    let packages = finding.packages.iter().map(|package| LogicalLocation {
        name: line(&package.name, NAME),
        fully_qualified_name: line(&format!("{}@{}", package.name, package.version), NAME),
        kind: "package",
    });
    let place = platform.map_or_else(String::new, ToString::to_string);
    SarifResult {
        rule_id: line(finding.id.as_str(), NAME),
        rule_index: rules.finding(finding),
        level,
        message: Message { text: text(&format!("{}. {became}", sentence(finding, platform))) },
        locations: [location(view, platform, packages.collect())],
        partial_fingerprints: fingerprints(&[
            &view.record.image.name,
            &place,
            finding.id.as_str(),
            &finding.package_names(),
        ]),
        suppressions,
    }
}

/// Why there is no complete scan, or no whole list of its findings; empty if there is one.
fn notifications(view: &View<'_>) -> Vec<Notification> {
    let unlisted = view.unlisted();
    if view.is_complete() && unlisted == 0 {
        return Vec::new();
    }
    let told = |id, message: &str| Notification {
        descriptor: Descriptor { id },
        level: Level::Error,
        message: Message { text: text(message) },
    };
    if view.is_complete() {
        let text = format!(
            "{unlisted} more findings, which no rule touched, are not listed: the decision service keeps their number"
        );
        return vec![told("list", &text)];
    }
    let unknown = view.record.reasons.iter().filter(|reason| reason.class.is_some());
    let list: Vec<Notification> =
        unknown.map(|reason| told(reason.reason.code.as_str(), &reason.reason.message)).collect();
    if list.is_empty() { vec![told("scan", "there is no complete scan of the image")] } else { list }
}

fn level(weight: Verdict) -> Level {
    match weight {
        Verdict::Deny | Verdict::Pending => Level::Error,
        Verdict::Warn => Level::Warning,
        Verdict::Allow => Level::Note,
    }
}

/// The level of a finding that does not block.
fn shown(finding: &Finding) -> Level {
    match finding.severity {
        Severity::Unknown(_) | Severity::Critical | Severity::High => Level::Warning,
        _ => Level::Note,
    }
}

fn location(view: &View<'_>, platform: Option<&Platform>, logical_locations: Vec<LogicalLocation>) -> Location {
    let artifact_location = ArtifactLocation { uri: uri(&view.image(platform)) };
    let physical_location = PhysicalLocation { artifact_location, region: Region { start_line: 1 } };
    Location { physical_location, logical_locations }
}

/// The image as a relative reference (RFC 3986): before its first `/` a `:` would end a scheme.
fn uri(image: &str) -> String {
    let mut uri = String::with_capacity(image.len());
    let first = image.find('/').unwrap_or(image.len());
    for (at, byte) in image.bytes().enumerate() {
        match byte {
            b':' if at < first => uri.push_str("%3A"),
            b if b.is_ascii_alphanumeric() || b"-._~/@:".contains(&b) => uri.push(char::from(b)),
            b => {
                let _ = write!(uri, "%{b:02X}");
            }
        }
    }
    uri
}

/// The same for the same finding of the same repository, whatever the build: never from the digest or the time.
fn fingerprints(parts: &[&str]) -> BTreeMap<&'static str, String> {
    let print = Digest::of(parts.join("\0").as_bytes()).as_str().trim_start_matches("sha256:").to_owned();
    // The second is the one that GitHub compares.
    BTreeMap::from([("ecrGate/v1", print.clone()), ("primaryLocationLineHash", print)])
}

/// A message: a brace is doubled and a bracket escaped, for they would be a placeholder and a link.
fn text(foreign: &str) -> String {
    line(foreign, SENTENCE)
        .replace('\\', "\\\\")
        .replace('{', "{{")
        .replace('}', "}}")
        .replace('[', "\\[")
        .replace(']', "\\]")
}

#[cfg(test)]
mod tests {
    use super::{text, uri};

    #[test]
    fn an_image_is_a_relative_reference() {
        assert_eq!(uri("a.b/team/app@sha256:0f"), "a.b/team/app@sha256:0f");
        assert_eq!(uri("localhost:5000/app@sha256:0f"), "localhost%3A5000/app@sha256:0f");
        assert_eq!(uri("app@sha256:0f"), "app@sha256%3A0f");
        assert_eq!(uri("[::1]:5000/app"), "%5B%3A%3A1%5D%3A5000/app");
    }

    #[test]
    fn messages_hold_no_placeholders_and_no_links() {
        assert_eq!(text("{0} [x](y)\n"), "{{0}} \\[x\\](y) ");
    }
}
