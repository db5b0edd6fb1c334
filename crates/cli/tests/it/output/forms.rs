//! One decision in every form: a scene is given a report, the built binary answers it, and [`Forms`] holds what it wrote.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use testkit::fixtures::{self, OCI_INDEX, OCI_MANIFEST, Scan, digest, now};
use testkit::{Answer, Script};

use super::promises;
use crate::gate::{Gate, Ran, policy, pushed};

/// The forms that go to files of their own; the table goes to stdout.
const FORMS: &[&str] = &["sarif", "junit", "markdown", "gitlab"];

/// A report to be judged.
pub(super) struct Scene {
    gate: Gate,
    name: String,
    image: String,
    arguments: Vec<String>,
}

/// A scene of the image with the digest 1, judged by the built-in policy.
pub(super) fn scene(name: &str) -> Scene {
    let gate = Gate::new(Script::new());
    Scene { gate, name: name.to_owned(), image: fixtures::image("", &digest(1)), arguments: Vec::new() }
}

impl Scene {
    /// Another image: what follows the repository.
    pub(super) fn image(mut self, rest: &str) -> Self {
        self.image = format!("{}{rest}", fixtures::image("", ""));
        self
    }

    pub(super) fn policy(mut self, spec: &str) -> Self {
        let file = self.gate.write("policy.yaml", policy(spec));
        self.arguments.extend(["--policy".to_owned(), file]);
        self
    }

    pub(super) fn exceptions(self, text: &str) -> Self {
        self.gate.write("exceptions.yaml", text);
        self
    }

    pub(super) fn report(self, document: &Value) -> Forms {
        self.bytes(document.to_string().as_bytes())
    }

    pub(super) fn bytes(mut self, report: &[u8]) -> Forms {
        self.gate.write("report.json", report);
        self.arguments.extend(["--report", "ecr=report.json"].map(str::to_owned));
        self.run()
    }

    fn run(self) -> Forms {
        let outputs: Vec<String> = FORMS.iter().map(|form| format!("{form}={form}.out")).collect();
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(outputs.iter().flat_map(|output| ["--output", output]));
        let summary = self.gate.path("summary.md");
        let check = self.gate.check().image(self.image).args(&arguments);
        let ran = check.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()).run();
        let read = |name: &str| fs::read_to_string(self.gate.path(name)).unwrap();
        let texts: BTreeMap<&str, String> = FORMS.iter().map(|form| (*form, read(&format!("{form}.out")))).collect();
        let parsed = |form: &str| serde_json::from_str(&texts[form]).expect("JSON");
        let forms = Forms {
            name: self.name.clone(),
            table: ran.stdout.clone(),
            record: read("decision.json"),
            sarif: parsed("sarif"),
            gitlab: parsed("gitlab"),
            markdown: texts["markdown"].clone(),
            summary: read("summary.md"),
            ran,
            texts,
        };
        promises::kept(&forms);
        forms
    }
}

/// What was written.
#[derive(Debug)]
pub(super) struct Forms {
    pub(super) name: String,
    pub(super) ran: Ran,
    pub(super) table: String,
    pub(super) record: String,
    pub(super) sarif: Value,
    pub(super) gitlab: Value,
    pub(super) markdown: String,
    pub(super) summary: String,
    texts: BTreeMap<&'static str, String>,
}

impl Forms {
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.ran.code, code, "{}: {:#?}", self.name, self.ran);
        self
    }

    /// A form as it was written.
    pub(super) fn text(&self, form: &str) -> &str {
        &self.texts[form]
    }

    pub(super) fn run(&self) -> &Value {
        &self.sarif["runs"][0]
    }

    pub(super) fn results(&self) -> &[Value] {
        self.run()["results"].as_array().unwrap()
    }

    pub(super) fn levels(&self) -> Vec<&str> {
        self.results().iter().map(|result| result["level"].as_str().unwrap()).collect()
    }

    pub(super) fn vulnerabilities(&self) -> &[Value] {
        self.gitlab["vulnerabilities"].as_array().unwrap()
    }

    pub(super) fn severities(&self) -> Vec<&str> {
        self.vulnerabilities().iter().map(|entry| entry["severity"].as_str().unwrap()).collect()
    }

    /// The workflow commands for GitHub.
    pub(super) fn annotations(&self) -> Vec<&str> {
        self.ran.stderr.lines().filter(|line| line.trim_start().starts_with("::")).collect()
    }
}

/// An index of two platforms; each has one finding of a severity, or its scan is `PENDING`.
pub(super) fn index(scans: [&str; 2]) -> Forms {
    let children = [digest(11), digest(12)];
    let (text, of_index) =
        fixtures::index(&[("linux", "amd64", &children[0]), ("linux", "arm64/v8", &children[1])], &[]);
    let describe =
        |digest: &str, kind: &str| Answer::json(fixtures::describe_images_as(digest, &["v1"], pushed(), kind));
    let mut script = Script::new()
        .on("DescribeImages", describe(&of_index, OCI_INDEX))
        .on("BatchGetImage", Answer::json(fixtures::batch_get_image(&of_index, &text, OCI_INDEX)));
    for (child, severity) in children.iter().zip(scans) {
        let scan = match severity {
            "PENDING" => Scan::only_status(child, "PENDING"),
            _ => Scan::basic(child, now() - 60).finding("CVE-2024-0001", severity),
        };
        script = script.on_image("DescribeImages", child, describe(child, OCI_MANIFEST)).on_image(
            "DescribeImageScanFindings",
            child,
            Answer::json(scan.value()),
        );
    }
    let image = fixtures::image("v1", "");
    Scene { gate: Gate::new(script), name: format!("index {scans:?}"), image, arguments: Vec::new() }.run()
}

/// What differs from run to run.
pub(super) fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[decision]"),
        (r"2\d{3}-\d\d-\d\d \d\d:\d\d UTC", "[minute]"),
        (r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]"),
        (r"\d+ (minutes|hours|days) old", "[age]"),
        (r"(?m)^(  decided      )in .*$", "${1}[latencies]"),
        (r"\S*/exceptions\.yaml", "exceptions.yaml"),
        (r"built-in \([0-9a-f]{12}\)", "built-in ([digest])"),
        (r#""version": "0\.\d+\.\d+""#, r#""version": "[version]""#),
    ]
}
