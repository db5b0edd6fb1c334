//! When green is permitted, written down a second time: over plain JSON, from the requirements alone, sharing no code
//! with the gate. It says nothing about when an image must be let through.

use serde_json::Value;
use testkit::fixtures::{ACCOUNT, REPOSITORY, digest};

use super::scene::{NOW, PUSHED};

const FINISHED: [&str; 2] = ["COMPLETE", "ACTIVE"];
const HARMLESS: [&str; 5] = ["MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"];
const DAY: f64 = 86_400.0;
/// How far ahead a scanner's clock may be, and how long a judge may have waited.
const SKEW: f64 = 600.0;

/// Where the answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Looks at ECR, after the push.
    Ecr,
    /// A file, which does not know of the push and cannot be looked at twice.
    File,
}

/// Why green is not permitted after these looks, each a list of pages.
pub(crate) fn permits(source: Source, looks: &[Vec<&str>]) -> Result<(), String> {
    let Some((last, earlier)) = looks.split_last() else { return Err("nothing was read".to_owned()) };
    let (last, data) = whole(source, last)?;
    fresh(source, &last, data)?;
    if last.list.is_empty() && last.enhanced {
        // S16: an empty list of continuous scanning counts when the look before said the same.
        let before = earlier.last().ok_or("an empty list of enhanced scanning was looked at once")?;
        let (before, _) = whole(source, before).map_err(|why| format!("the look before proves nothing: {why}"))?;
        if before != last {
            return Err("the look before said something else".to_owned());
        }
    }
    Ok(())
}

/// One look, finished and clean.
#[derive(Debug, PartialEq)]
struct Whole {
    status: String,
    completed: f64,
    enhanced: bool,
    /// Severities of the findings.
    list: Vec<String>,
    /// Counts above zero, of every page.
    counts: Vec<Vec<(String, u64)>>,
}

/// What a look says, and the time of its vulnerability data.
fn whole(source: Source, pages: &[&str]) -> Result<(Whole, f64), String> {
    let mut look =
        Whole { status: String::new(), completed: 0.0, enhanced: false, list: Vec::new(), counts: Vec::new() };
    let mut data_at = 0.0_f64;
    for (number, text) in pages.iter().enumerate() {
        let (first, last) = (number == 0, number + 1 == pages.len());
        let page = parse(text)?;
        about_the_image(source, &page)?;

        let status = page["imageScanStatus"]["status"].as_str().ok_or("no status")?;
        if !FINISHED.contains(&status) {
            return Err(format!("the status is {status}"));
        }
        if !first && status != look.status {
            return Err("the status changed between the pages".to_owned());
        }
        status.clone_into(&mut look.status);

        let findings = page["imageScanFindings"].as_object().ok_or("no findings object")?;
        let completed = time(findings.get("imageScanCompletedAt"))?;
        let data = time(findings.get("vulnerabilitySourceUpdatedAt"))?;
        if first {
            look.completed = completed.ok_or("no time of completion")?;
            data_at = data.unwrap_or(look.completed);
        } else if completed.is_some_and(|at| (at - look.completed).abs() > 0.0) {
            return Err("the pages are of two scans".to_owned());
        }
        // The oldest data decides.
        data_at = data_at.min(data.unwrap_or(data_at));

        look.counts.push(counts(findings.get("findingSeverityCounts"))?);
        let listed_before = look.list.len();
        let basic = list(findings.get("findings"), &["/name"], &mut look.list)?;
        let title_too = ["/packageVulnerabilityDetails/vulnerabilityId", "/title"];
        let enhanced = list(findings.get("enhancedFindings"), &title_too, &mut look.list)?;
        let whole = basic || enhanced || (last && all_counted(&look.list[..listed_before], &look.counts));
        if !whole {
            return Err("no list of findings".to_owned());
        }
        look.enhanced |= status == "ACTIVE" || (enhanced && !basic);

        let token = match &page["nextToken"] {
            Value::Null => "",
            Value::String(token) => token.as_str(),
            _ => return Err("the token is no text".to_owned()),
        };
        if last && !token.is_empty() {
            return Err("there are more pages".to_owned());
        }
    }
    Ok((look, data_at))
}

/// Strict JSON, and an object. The one number that a `Value` cannot hold becomes the next larger it can.
fn parse(text: &str) -> Result<Value, String> {
    let page: Value = serde_json::from_str(&text.replace("1e400", "1e308")).map_err(|_| "no JSON")?;
    if page.is_object() { Ok(page) } else { Err("no object".to_owned()) }
}

fn about_the_image(source: Source, page: &Value) -> Result<(), String> {
    let (digest, named) = (digest(1), &page["imageId"]["imageDigest"]);
    if source == Source::File && named.is_null() {
        return Err("the file does not say which image it is about".to_owned());
    }
    for (said, ours) in
        [(named, digest.as_str()), (&page["repositoryName"], REPOSITORY), (&page["registryId"], ACCOUNT)]
    {
        if !said.is_null() && said.as_str() != Some(ours) {
            return Err(format!("{said} is not {ours}"));
        }
    }
    if page["imageId"].is_null() || page["imageId"].is_object() {
        Ok(())
    } else {
        Err("imageId is no object".to_owned())
    }
}

fn time(said: Option<&Value>) -> Result<Option<f64>, String> {
    match said {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(Value::String(text)) => {
            let moment: model::Timestamp = text.parse().map_err(|_| format!("{text:?} is no time"))?;
            Ok(Some(moment.as_duration().as_secs_f64()))
        }
        Some(other) => Err(format!("{other} is no time")),
    }
}

/// The counts above zero. None may be of a severity that blocks, or of an unknown one.
fn counts(said: Option<&Value>) -> Result<Vec<(String, u64)>, String> {
    let said = match said {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(said) => said.as_object().ok_or("the counts are no object")?,
    };
    let mut counts = Vec::new();
    for (word, count) in said {
        let count = count.as_u64().ok_or_else(|| format!("{count} is no count"))?;
        if count > 0 {
            harmless(word)?;
            counts.push((word.to_uppercase(), count));
        }
    }
    Ok(counts)
}

fn harmless(word: &str) -> Result<(), String> {
    let word = word.to_uppercase();
    if HARMLESS.contains(&word.as_str()) { Ok(()) } else { Err(format!("a finding is {word:?}")) }
}

/// Whether there is a list. Each of its findings has a name (at one of these places) and a severity that blocks nothing.
fn list(said: Option<&Value>, names: &[&str], severities: &mut Vec<String>) -> Result<bool, String> {
    let findings = match said {
        None | Some(Value::Null) => return Ok(false),
        Some(said) => said.as_array().ok_or("the list is no list")?,
    };
    for finding in findings {
        if !finding.is_object() {
            return Err("a finding is no object".to_owned());
        }
        let name = names.iter().find_map(|name| finding.pointer(name).filter(|name| !name.is_null()));
        if name.and_then(Value::as_str).is_none_or(|name| name.trim().is_empty()) {
            return Err("a finding has no name".to_owned());
        }
        let severity = finding["severity"].as_str().ok_or("a finding has no severity")?;
        harmless(severity)?;
        severities.push(severity.to_uppercase());
    }
    Ok(true)
}

/// A last page without a list ends the reading only if the findings before are all that every page counts.
fn all_counted(listed: &[String], counts: &[Vec<(String, u64)>]) -> bool {
    !listed.is_empty()
        && counts.iter().all(|counts| {
            let total: u64 = counts.iter().map(|(_, count)| count).sum();
            let number = |word: &String| listed.iter().filter(|severity| *severity == word).count() as u64;
            total == listed.len() as u64 && counts.iter().all(|(word, count)| number(word) == *count)
        })
}

#[expect(clippy::cast_precision_loss, reason = "exact for every time in a test")]
fn fresh(source: Source, look: &Whole, data: f64) -> Result<(), String> {
    let now = NOW as f64;
    let limit = if look.status == "ACTIVE" { DAY } else { 8.0 * DAY };
    if look.completed < PUSHED as f64 && source == Source::Ecr {
        return Err("the scan is older than the push".to_owned());
    }
    if look.completed > now + SKEW + 60.0 || data > now + SKEW + 60.0 {
        return Err("the scan is of the future".to_owned());
    }
    if now - data >= limit {
        return Err("the data is too old".to_owned());
    }
    Ok(())
}
