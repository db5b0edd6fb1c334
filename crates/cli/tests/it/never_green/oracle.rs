//! When green is permitted: over the JSON that went over the wire, from the requirements alone, sharing no code with the
//! gate. It says nothing about when an image must be let through.

use serde_json::{Map, Value};
use testkit::fixtures::{ACCOUNT, REPOSITORY, digest};

const DAY: f64 = 86_400.0;
const HARMLESS: [&str; 5] = ["MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"];

/// Moments in epoch seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: f64,
    pub(super) pushed: f64,
}

/// The text is a whole answer about this image, its scan is finished, and nothing in it blocks.
pub(super) fn scan_permits(text: &str, times: Times) -> bool {
    serde_json::from_str(text).ok().and_then(|answer| scan(&answer, times)).is_some()
}

/// The same of an answer in two pages.
pub(super) fn pages_permit(first: &str, second: &str, times: Times) -> bool {
    let Ok(mut first) = serde_json::from_str::<Value>(first) else { return false };
    let token = first.as_object_mut().and_then(|first| first.remove("nextToken"));
    token.is_some_and(|token| token.is_string()) && scan(&first, times).is_some() && scan_permits(second, times)
}

/// The text describes this image and nothing else; when it was pushed matters only where it is resolved.
pub(super) fn image_permits(text: &str, times: Times, resolving: bool) -> bool {
    serde_json::from_str(text).ok().and_then(|answer| image(&answer, times, resolving)).is_some()
}

fn scan(answer: &Value, times: Times) -> Option<()> {
    let answer = answer.as_object()?;
    ours(answer)?;
    match answer.get("imageId") {
        None | Some(Value::Null) => {}
        Some(id) => absent_or(id.as_object()?.get("imageDigest"), &digest(1))?,
    }
    let status = answer.get("imageScanStatus")?.as_object()?.get("status")?.as_str()?;
    let active = match status {
        "COMPLETE" => false,
        "ACTIVE" => true,
        _ => return None,
    };
    match answer.get("nextToken") {
        None | Some(Value::Null) => {}
        Some(token) => token.as_str()?.is_empty().then_some(())?,
    }
    let findings = answer.get("imageScanFindings")?.as_object()?;
    let mut lists = 0;
    let mut enhanced = active;
    for name in ["findings", "enhancedFindings"] {
        let list = match findings.get(name) {
            None | Some(Value::Null) => continue,
            Some(list) => list.as_array()?,
        };
        lists += 1;
        enhanced |= name == "enhancedFindings";
        list.iter().try_for_each(harmless_finding)?;
    }
    (lists > 0).then_some(())?;
    match findings.get("findingSeverityCounts") {
        None | Some(Value::Null) => {}
        Some(counts) => counts
            .as_object()?
            .iter()
            .try_for_each(|(severity, count)| (count.as_u64()? == 0 || harmless(severity)).then_some(()))?,
    }
    let completed = findings.get("imageScanCompletedAt")?.as_f64()?;
    let data = match findings.get("vulnerabilitySourceUpdatedAt") {
        None | Some(Value::Null) => completed,
        Some(at) => at.as_f64()?,
    };
    let oldest = times.now - if enhanced { DAY } else { 8.0 * DAY };
    let newest = times.now + 900.0;
    (completed >= times.pushed && completed < newest && data > oldest && data < newest).then_some(())
}

fn harmless_finding(finding: &Value) -> Option<()> {
    let names = ["/name", "/packageVulnerabilityDetails/vulnerabilityId", "/title"];
    let is_named =
        |place: &&str| finding.pointer(place).and_then(Value::as_str).is_some_and(|name| !name.trim().is_empty());
    (names.iter().any(is_named) && harmless(finding.as_object()?.get("severity")?.as_str()?)).then_some(())
}

fn harmless(severity: &str) -> bool {
    HARMLESS.contains(&severity.to_uppercase().as_str())
}

fn image(answer: &Value, times: Times, resolving: bool) -> Option<()> {
    let details = answer.as_object()?.get("imageDetails")?.as_array()?;
    let [detail] = details.as_slice() else { return None };
    let detail = detail.as_object()?;
    ours(detail)?;
    (detail.get("imageDigest")?.as_str()? == digest(1)).then_some(())?;
    if resolving {
        // Not after the scan of the test, which ended a minute ago.
        (detail.get("imagePushedAt")?.as_f64()? <= times.now - 30.0).then_some(())?;
    }
    Some(())
}

/// S1: a judgement never crosses accounts and repositories.
fn ours(answer: &Map<String, Value>) -> Option<()> {
    absent_or(answer.get("registryId"), ACCOUNT)?;
    absent_or(answer.get("repositoryName"), REPOSITORY)
}

fn absent_or(said: Option<&Value>, ours: &str) -> Option<()> {
    match said {
        None | Some(Value::Null) => Some(()),
        Some(Value::String(text)) if text == ours => Some(()),
        Some(_) => None,
    }
}
