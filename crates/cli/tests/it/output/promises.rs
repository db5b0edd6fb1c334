//! What holds of every decision in every form.

use std::collections::BTreeSet;

use serde_json::Value;

use super::forms::Forms;

#[track_caller]
pub(super) fn kept(forms: &Forms) {
    nothing_steers(forms);
    sarif(forms);
    gitlab(forms);
    junit(forms.text("junit"), forms);
    markdown(forms);
    dotenv(forms);
    one_story(forms);
}

/// No text of a scanner is a command for a CI system or for a terminal.
fn nothing_steers(forms: &Forms) {
    let written = ["sarif", "junit", "markdown", "gitlab"].map(|form| forms.text(form));
    for text in written.into_iter().chain([forms.table.as_str(), &forms.record, &forms.ran.stderr, &forms.summary]) {
        assert!(!text.contains("##["), "{}: {text}", forms.name);
        assert!(
            !text.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c)),
            "{text:?}"
        );
    }
    for text in written.into_iter().chain([forms.table.as_str(), &forms.record]) {
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{}: {text}", forms.name);
    }
    let annotations = forms.annotations();
    assert!(annotations.len() <= 10, "{annotations:?}");
    for line in annotations {
        let told = ["::error title=", "::warning title="].iter().find_map(|start| line.strip_prefix(start));
        let (title, message) = told.and_then(|rest| rest.split_once("::")).expect(line);
        assert!(!title.contains([':', ',']) && !message.is_empty(), "{line}");
    }
    assert_eq!(forms.summary.trim_end(), forms.markdown.trim_end(), "the step summary is the Markdown");
}

/// True if the record says that every scan is complete.
fn complete(forms: &Forms) -> bool {
    let record = forms.ran.record();
    let unknown = record["reasons"].as_array().unwrap().iter().any(|reason| !reason["class"].is_null());
    !record["findings"]["counts"].is_null() && !unknown
}

/// SARIF 2.1.0, as far as the standard and its readers ask.
fn sarif(forms: &Forms) {
    assert_eq!(forms.sarif["version"], "2.1.0");
    let run = forms.run();
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "ecr-gate");
    let rules = driver["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| text(rule, "id")).collect();
    assert_eq!(ids.len(), rules.len(), "a rule twice: {ids:?}");
    for rule in rules {
        assert!(!text(&rule["shortDescription"], "text").is_empty() && !text(&rule["help"], "text").is_empty());
        assert!(rule["properties"]["tags"].is_array());
        if let Some(score) = rule["properties"].get("security-severity") {
            let score: f64 = score.as_str().unwrap().parse().unwrap();
            assert!(score > 0.0 && score <= 10.0, "{rule}");
        }
    }
    for result in forms.results() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(result["ruleId"], rule["id"]);
        assert!(["error", "warning", "note"].contains(&text(result, "level")));
        assert!(!text(&result["message"], "text").is_empty() && text(&result["message"], "text").len() < 1500);
        assert!(result["suppressions"].is_array(), "all or none has suppressions: {result}");
        assert!(!result["partialFingerprints"].as_object().unwrap().is_empty());
        let [location] = result["locations"].as_array().unwrap().as_slice() else { panic!("one location: {result}") };
        let uri = text(&location["physicalLocation"]["artifactLocation"], "uri");
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/@:%".contains(c);
        assert!(uri.contains("team/app") && uri.chars().all(plain), "{uri}");
        assert!(!uri.split('/').next().unwrap().contains(':'), "the first part would be a scheme: {uri}");
    }
    let [invocation] = run["invocations"].as_array().unwrap().as_slice() else { panic!("one invocation") };
    assert_eq!(invocation["executionSuccessful"], complete(forms), "{}: {invocation}", forms.name);
    assert_eq!(invocation["exitCode"], forms.ran.code);
    if !complete(forms) {
        assert!(!forms.results().is_empty(), "{}: an empty list would look clean", forms.name);
        let told = invocation["toolExecutionNotifications"].as_array().unwrap();
        assert!(
            !told.is_empty()
                && told.iter().all(|one| one["level"] == "error" && !text(&one["message"], "text").is_empty())
        );
    }
}

/// What GitLab's schema 15.2.1 requires (container-scanning-report-format.json): anything less is not taken in.
fn gitlab(forms: &Forms) {
    let (report, scan) = (&forms.gitlab, &forms.gitlab["scan"]);
    assert_eq!(report["version"], "15.2.1");
    for tool in [&scan["analyzer"], &scan["scanner"]] {
        for value in [&tool["id"], &tool["name"], &tool["version"], &tool["vendor"]["name"]] {
            assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{tool}");
        }
    }
    assert_eq!(scan["type"], "container_scanning");
    for name in ["start_time", "end_time"] {
        let shape: String = text(scan, name).chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00");
    }
    assert!(text(scan, "start_time") <= text(scan, "end_time"));
    assert_eq!(scan["status"], if complete(forms) { "success" } else { "failure" }, "{}", forms.name);
    let messages = scan["messages"].as_array().unwrap();
    assert!(
        messages
            .iter()
            .all(|one| ["info", "warn", "fatal"].contains(&text(one, "level")) && !text(one, "value").is_empty())
    );
    assert_eq!(messages.iter().any(|one| one["level"] == "fatal"), !complete(forms), "{}", forms.name);
    let mut ids = BTreeSet::new();
    for entry in forms.vulnerabilities() {
        assert!(ids.insert(text(entry, "id")), "an id twice: {entry}");
        let shape: Vec<usize> = text(entry, "id").split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12], "a UUID: {entry}");
        assert!(text(entry, "name").len() <= 255);
        assert!(["Info", "Unknown", "Low", "Medium", "High", "Critical"].contains(&text(entry, "severity")));
        let location = &entry["location"];
        assert!(location["dependency"]["package"]["name"].is_string() && location["dependency"]["version"].is_string());
        assert!(!text(location, "operating_system").is_empty() && text(location, "image").contains("@sha256:"));
        let identifiers = entry["identifiers"].as_array().unwrap();
        assert!(!identifiers.is_empty());
        for one in identifiers {
            assert!(["type", "name", "value"].iter().all(|name| !text(one, name).is_empty()), "{one}");
            assert!(one.get("url").is_none_or(is_web), "{one}");
        }
        assert!(entry["links"].as_array().unwrap().iter().all(|link| is_web(&link["url"])), "{entry}");
    }
}

fn is_web(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// Well-formed, counted right, never empty, and an error if there is no complete scan.
fn junit(xml: &str, forms: &Forms) {
    let mut open: Vec<&str> = Vec::new();
    let mut tags: Vec<&str> = Vec::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect(xml);
    for piece in body.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').expect(xml);
        assert!(!after.contains('>'), "{after:?}");
        for entity in piece.split('&').skip(1) {
            let name = entity.split_once(';').expect(xml).0;
            assert!(["lt", "gt", "amp", "quot", "apos"].contains(&name) || name.starts_with('#'), "{name}");
        }
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        tags.push(name);
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} left open: {xml}");
    let count = |name| tags.iter().filter(|tag| **tag == name).count();
    let suite = xml.split("<testsuite ").nth(1).unwrap().split('>').next().unwrap();
    for (attribute, tag) in
        [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
    {
        assert!(suite.contains(&format!("{attribute}=\"{}\"", count(tag))), "{attribute}: {xml}");
    }
    assert!(count("testcase") > 0 && suite.contains("name=\"ecr-gate\""), "{xml}");
    assert_eq!(count("error") > 0, !complete(forms), "{}: {xml}", forms.name);
    assert_eq!(
        count("error") + count("failure") > 0,
        forms.ran.record()["verdict"] != "allow",
        "{}: {xml}",
        forms.name
    );
}

/// Tables whose rows have as many cells as their heads, and no HTML.
fn markdown(forms: &Forms) {
    let verdict = text(forms.ran.record(), "verdict").to_uppercase();
    assert!(forms.markdown.starts_with(&format!("## ecr-gate: {verdict}")), "{}", forms.markdown);
    let mut cells = None;
    for line in forms.markdown.lines() {
        if !line.starts_with('|') {
            cells = None;
            continue;
        }
        let bars = line.replace("\\|", "").matches('|').count();
        assert_eq!(*cells.get_or_insert(bars), bars, "{line}");
    }
    // What is left outside of code spans.
    let outside: String = forms.markdown.split('`').step_by(2).collect();
    assert!(!outside.contains('<'), "{outside}");
    assert!(complete(forms) || !forms.markdown.contains("No findings."), "{}", forms.markdown);
}

fn dotenv(forms: &Forms) {
    let dotenv = forms.ran.dotenv.as_ref().unwrap();
    for line in dotenv.lines() {
        let (name, value) = line.split_once('=').expect(line);
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{line}");
        assert!(
            !value.contains([' ', '"', '\'', '$', '`', ';', '&', '|', '<', '>', '(', '\\']),
            "a shell would act: {line}"
        );
    }
}

/// Every form speaks of the same findings.
fn one_story(forms: &Forms) {
    let record = forms.ran.record();
    let blocking = record["findings"]["blocking"].as_array().unwrap();
    let told: BTreeSet<&str> = forms.results().iter().map(|result| text(result, "ruleId")).collect();
    let listed: BTreeSet<&str> = forms.vulnerabilities().iter().map(|entry| text(entry, "name")).collect();
    for finding in blocking {
        let id = text(finding, "id");
        if !id.chars().any(|c| c.is_control() || c == '\u{202e}') {
            assert!(told.contains(id) && listed.contains(id), "{}: {id}", forms.name);
        }
    }
    let errors = forms.levels().iter().filter(|level| **level == "error").count();
    let denied = ["deny", "pending"].contains(&text(record, "verdict"));
    assert_eq!(errors > 0, denied, "{}: {:?}", forms.name, forms.levels());
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name:?}: {value}"))
}
