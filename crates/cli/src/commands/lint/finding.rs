//! What lint can say: the rules with their reason and their fix, a finding of one at a place, and the report they are
//! collected in. A rule without a failing test is a defect (`tests.rs` checks the list).

use std::collections::HashMap;

use serde::Serialize;

use super::redact::redact;
use super::yaml::Place;
use crate::commands::input::shown;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// The gate can be green without a finished, clean scan of what is deployed.
    Error,
    /// It may bite; does not fail the run without `--strict`.
    Warning,
}

impl Severity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One rule: its name, why it matters and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub id: &'static str,
    pub why: &'static str,
    pub fix: &'static str,
}

macro_rules! rules {
    ($($name:ident = $id:literal, $why:literal, $fix:literal;)*) => {
        $(pub(super) const $name: Rule = Rule { id: $id, why: $why, fix: $fix };)*
        /// Every rule there is.
        #[cfg(test)]
        pub(super) const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    ALLOW_FAILURE = "lint.allowFailure",
        "a gate that may fail stops nothing: the pipeline goes on to deploy",
        "write `allow_failure: false`";
    CONTINUE_ON_ERROR = "lint.continueOnError",
        "the gate's failure is turned into success and the deploy goes on",
        "remove continue-on-error from the gate";
    DEPLOY_BEFORE_GATE = "lint.deployBeforeGate",
        "the deploy runs before anything was checked",
        "move the deploy after the gate";
    DEPLOY_BY_TAG = "lint.deployByTag",
        "a tag can move between the scan and the deploy: what runs is then not what was scanned",
        "hand on the digest from the push job and deploy REPOSITORY@sha256:…";
    EMPTY_DEFAULT = "lint.emptyDefault",
        "a missing value becomes harmless: no scan result at all then looks like zero findings",
        "let a missing value fail (`jq -e`), or let `ecr-gate check` read the result";
    GATE_BEFORE_PUSH = "lint.gateBeforePush",
        "the gate does not wait for the push, so it judges an older image, or none",
        "make the gate need the push job, and check the digest that job hands on";
    IF_ALWAYS = "lint.ifAlways",
        "the deploy runs also when the gate failed",
        "remove the condition, or write `if: success() && …`";
    LATEST_TAG = "lint.latestTag",
        "`latest` is whatever was pushed last, by anybody",
        "name the image by digest: REPOSITORY@sha256:…";
    MANUAL_DEPLOY = "lint.manualDeploy",
        "nothing ties this manual deploy to the gate: a click deploys what was not let through",
        "let the deploy need the gate; `when: manual` is then fine";
    MANUAL_GATE = "lint.manualGate",
        "a manual job may fail or be left out by default, so the pipeline goes on without the gate",
        "let the gate run by itself, with `allow_failure: false`";
    MISSING_NEEDS = "lint.missingNeeds",
        "the deploy does not wait for the gate's verdict",
        "add the gate to the deploy's `needs`";
    MISSING_TIMEOUT = "lint.missingTimeout",
        "a scan that never ends holds the runner for the platform's default, an hour or more",
        "limit the gate job to the gate's own timeout and 3 minutes, e.g. 13 minutes";
    NO_ERREXIT = "lint.noErrexit",
        "without `set -e` the script goes on after a failed gate, and deploys",
        "begin the script with `set -euo pipefail`";
    NO_GATE = "lint.noGate",
        "what is pushed is deployed without anybody having looked at its scan",
        "put a job with `ecr-gate check REPOSITORY@DIGEST` between push and deploy; `ecr-gate init` prints one";
    OPTIONAL_NEEDS = "lint.optionalNeeds",
        "when the gate's rules leave it out of a pipeline, an optional need is dropped and the deploy runs without it",
        "remove `optional: true`";
    PIPED_GATE = "lint.pipedGate",
        "a pipe ends with the exit code of its last command: the gate's is lost",
        "do not pipe the gate, or begin with `set -o pipefail` in bash";
    QUERY = "lint.query",
        "ECR leaves out severities with a count of zero, and everything when there is no scan; --query gives None or null for both",
        "use `ecr-gate check`, which tells a missing scan from a clean one";
    SCAN_NOT_FOUND = "lint.scanNotFound",
        "ScanNotFoundException means that no scan was made, not that it found nothing",
        "fail on it, or start a scan and wait; `ecr-gate check` does";
    SCAN_WAITER = "lint.scanWaiter",
        "this waiter knows only COMPLETE and FAILED: enhanced scans stay ACTIVE and it times out, and it never looks at findings",
        "use `ecr-gate check`, which knows every scan state";
    SET_PLUS_E = "lint.setPlusE",
        "from here on a failed command does not end the script",
        "remove `set +e`; write `if ! command; then …; exit 1; fi` where a failure is expected";
    STATIC_KEYS = "lint.staticKeys",
        "long-lived AWS keys leak and stay valid; whoever has them passes for the pipeline",
        "remove them and use an OIDC token: `ecr-gate trust-policy` prints the role's trust policy. Rotate keys that were in a file";
    SWALLOWED = "lint.swallowedError",
        "the error is swallowed: access denied, throttling and `no scan` then all look like success",
        "remove it and let the job fail";
    TIMEOUT_TOO_SHORT = "lint.timeoutTooShort",
        "the job is killed before the gate can say why it waited",
        "give the job the gate's timeout and 3 minutes";
    UNPINNED_GATE = "lint.unpinnedGateImage",
        "whoever can move the tag of the gate can open it",
        "pin it: IMAGE@sha256:… (an action: to a full commit)";
    WHEN_ALWAYS = "lint.whenAlways",
        "the deploy runs also when the gate failed",
        "remove it: the default, on_success, waits for the gate";
}

/// A rule broken at a place.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub line: usize,
    pub column: usize,
    /// What is wrong here, one sentence.
    pub message: String,
    /// The offending line, without secrets.
    pub text: String,
    pub why: &'static str,
    pub fix: &'static str,
}

/// Something that was not looked at.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Note {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Everything found in one file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    lines: Vec<&'a str>,
    findings: Vec<Finding>,
    /// Which finding says that about this place already.
    known: HashMap<(&'static str, Place), usize>,
    notes: Vec<Note>,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { lines: text.lines().collect(), findings: Vec::new(), known: HashMap::new(), notes: Vec::new() }
    }

    /// The source line `number`, from 1.
    pub(super) fn line(&self, number: usize) -> &'a str {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default()
    }

    pub(super) fn error(&mut self, rule: &Rule, at: Place, message: impl Into<String>) {
        self.add(rule, Severity::Error, at, &message.into());
    }

    pub(super) fn warning(&mut self, rule: &Rule, at: Place, message: impl Into<String>) {
        self.add(rule, Severity::Warning, at, &message.into());
    }

    /// Adds a finding; the same rule at the same place (a template used twice) counts once, at its worst.
    pub(super) fn add(&mut self, rule: &Rule, severity: Severity, at: Place, message: &str) {
        if let Some(known) = self.known.get(&(rule.id, at)).and_then(|index| self.findings.get_mut(*index)) {
            known.severity = known.severity.min(severity);
            return;
        }
        self.known.insert((rule.id, at), self.findings.len());
        self.findings.push(Finding {
            rule: rule.id,
            severity,
            line: at.line,
            column: at.column,
            message: shown(&redact(message), 300),
            text: shown(&redact(self.line(at.line).trim()), 200),
            why: rule.why,
            fix: rule.fix,
        });
    }

    pub(super) fn note(&mut self, at: Place, message: impl Into<String>) {
        let note = Note { line: at.line, column: at.column, message: shown(&redact(&message.into()), 300) };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Findings and notes in the order of the file.
    pub(super) fn finish(mut self) -> (Vec<Finding>, Vec<Note>) {
        self.findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
        self.notes.sort_by_key(|note| (note.line, note.column));
        (self.findings, self.notes)
    }
}
