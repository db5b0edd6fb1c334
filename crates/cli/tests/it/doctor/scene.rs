//! An ECR in which everything is as it should be, to be changed in one place, and one run of `doctor` against it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::fixtures::{self, ACCOUNT, REGION, REPOSITORY, Scan, digest, now};
use testkit::{Answer, Ecr, Request, Script};

use crate::gate::SECRETS;

pub(crate) const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/ci/job";
/// The digest of no bytes, which `doctor` tries its permissions on.
pub(crate) const NOBODY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What ECR answers, by operation and image.
#[derive(Clone)]
pub(crate) struct Scene(Vec<(String, Option<String>, Answer)>);

pub(crate) fn repository(scan_on_push: bool, mutability: &str) -> Answer {
    Answer::json(json!({ "repositories": [{
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageTagMutability": mutability,
        "imageScanningConfiguration": { "scanOnPush": scan_on_push },
    }] }))
}

pub(crate) fn registry(scan_type: &str, rules: usize) -> Answer {
    let rule = json!({ "scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{ "filter": "team/*", "filterType": "WILDCARD" }] });
    Answer::json(json!({
        "registryId": ACCOUNT,
        "scanningConfiguration": { "scanType": scan_type, "rules": vec![rule; rules] },
    }))
}

pub(crate) fn frequency(word: &str, filters: &[&str]) -> Answer {
    let filters: Vec<Value> =
        filters.iter().map(|filter| json!({ "filter": filter, "filterType": "WILDCARD" })).collect();
    Answer::json(json!({ "scanningConfigurations": [{
        "repositoryArn": arn(),
        "repositoryName": REPOSITORY,
        "scanOnPush": false,
        "scanFrequency": word,
        "appliedScanFilters": filters,
    }], "failures": [] }))
}

pub(crate) fn arn() -> String {
    format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}")
}

impl Scene {
    /// Basic scanning, scan on push, immutable tags, everything permitted, and `v1` is there and scanned.
    pub(crate) fn good() -> Self {
        let image = |operation| Answer::error("ImageNotFoundException", &format!("{operation}: no such image"));
        let pushed = now() - 7200;
        Self(Vec::new())
            .says("GetCallerIdentity", Answer::xml(fixtures::get_caller_identity(CALLER)))
            .says("DescribeRepositories", repository(true, "IMMUTABLE"))
            .says("GetRegistryScanningConfiguration", registry("BASIC", 0))
            .says("BatchGetRepositoryScanningConfiguration", frequency("SCAN_ON_PUSH", &[]))
            .says("DescribeImages", image("DescribeImages"))
            .says_of("DescribeImages", "v1", Answer::json(fixtures::describe_images(&digest(1), &["v1"], pushed)))
            .says("DescribeImageScanFindings", image("DescribeImageScanFindings"))
            .says_of(
                "DescribeImageScanFindings",
                &digest(1),
                Answer::json(Scan::basic(&digest(1), now() - 7000).value()),
            )
            .says(
                "BatchGetImage",
                Answer::json(fixtures::batch_get_image_failure(NOBODY, "ImageNotFound", "not found")),
            )
            .says("StartImageScan", image("StartImageScan"))
    }

    /// Scan on push is off and tags can be moved.
    pub(crate) fn poor() -> Self {
        Self::good()
            .says("DescribeRepositories", repository(false, "MUTABLE"))
            .says("BatchGetRepositoryScanningConfiguration", frequency("MANUAL", &[]))
    }

    /// Replaces what is said to this operation about no image in particular.
    pub(crate) fn says(self, operation: &str, answer: Answer) -> Self {
        self.put(operation, None, answer)
    }

    pub(crate) fn says_of(self, operation: &str, image: &str, answer: Answer) -> Self {
        self.put(operation, Some(image), answer)
    }

    fn put(mut self, operation: &str, image: Option<&str>, answer: Answer) -> Self {
        self.0.retain(|(known, of, _)| known != operation || of.as_deref() != image);
        self.0.push((operation.to_owned(), image.map(str::to_owned), answer));
        self
    }

    pub(crate) fn script(&self) -> Script {
        self.0.iter().fold(Script::new(), |script, (operation, image, answer)| match image {
            Some(image) => script.on_image(operation, image, answer.clone()),
            None => script.on(operation, answer.clone()),
        })
    }

    /// Looks at `v1` with `--output json`.
    #[track_caller]
    pub(crate) fn examined(&self) -> Ran {
        doctor(self.script(), &[&fixtures::image("v1", ""), "--output", "json"])
    }
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) requests: Vec<Request>,
}

#[track_caller]
pub(crate) fn doctor(script: Script, arguments: &[&str]) -> Ran {
    doctor_with(script, arguments, &[])
}

/// With these variables changed; an empty value takes one away.
#[track_caller]
pub(crate) fn doctor_with(script: Script, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let ecr = Ecr::start(script);
    let home = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
    command.arg("doctor").args(arguments).env_clear().envs(ecr.env()).env("HOME", home.path());
    for (name, value) in variables {
        if value.is_empty() {
            command.env_remove(name)
        } else {
            command.env(name, value)
        };
    }
    let output = command.stdin(Stdio::null()).current_dir(home.path()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        requests: ecr.requests(),
    };
    let everything = format!("{}{}", ran.stdout, ran.stderr);
    for secret in SECRETS {
        assert!(!everything.contains(secret), "{secret} is shown: {ran:#?}");
    }
    assert!(!everything.contains(['\u{1b}', '\u{202e}']) && !everything.contains("panicked"), "{ran:#?}");
    // Trying a permission starts nothing.
    for request in ran.asked("StartImageScan") {
        assert_eq!(request.digest(), Some(NOBODY), "{ran:#?}");
    }
    if ran.stdout.starts_with('{') {
        assert_eq!(ran.json()["exitCode"], ran.code, "{ran:#?}");
    }
    ran
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?}: {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The checks with this id; there is always one.
    #[track_caller]
    pub(crate) fn all(&self, id: &str) -> Vec<Value> {
        let json = self.json();
        let checks = json["checks"].as_array().unwrap();
        let found: Vec<Value> = checks.iter().filter(|check| check["id"] == id).cloned().collect();
        assert!(!found.is_empty(), "no {id}: {self:#?}");
        found
    }

    /// The only check with this id is in this state.
    #[track_caller]
    pub(crate) fn is(self, id: &str, state: &str) -> Self {
        assert_eq!(self.all(id).iter().map(|check| &check["state"]).collect::<Vec<_>>(), [state], "{id}: {self:#?}");
        self
    }

    /// This text stands in the check.
    #[track_caller]
    pub(crate) fn tells(self, id: &str, field: &str, text: &str) -> Self {
        assert!(
            self.all(id).iter().any(|check| check[field].as_str().is_some_and(|t| t.contains(text))),
            "{id}: {self:#?}"
        );
        self
    }

    pub(crate) fn asked(&self, operation: &str) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.operation == operation).collect()
    }

    #[track_caller]
    pub(crate) fn changed_nothing(self) -> Self {
        assert!(!self.requests.iter().any(|request| request.operation.starts_with("Put")), "{self:#?}");
        self
    }
}
