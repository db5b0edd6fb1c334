//! The keys of a `rego` rule: a policy for the Open Policy Agent, its modules, data documents and query, and the evidence that has
//! to be known before its answer counts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::load::read_data;
use super::types::Duration;
use super::vulnerabilities::{Sources, Vulnerabilities};
use crate::error::{DocumentError, suggest};
use crate::rego::{Module, Program};

/// A Rego policy: each message of `deny` and `violation` breaks the rule, each of `warn` gives a warning.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Rego {
    /// The policy's file, relative to this one.
    pub(crate) file: String,
    /// Further modules that it imports.
    pub(crate) modules: Option<Vec<String>>,
    /// Data documents, JSON or YAML, each an object whose keys stand under `data`.
    pub(crate) data: Option<Vec<String>>,
    /// What is asked: a rule such as `data.house.deny`, or a package such as `data.house`, which is its `deny`, `violation` and
    /// `warn` with all that begin with `deny_`, `violation_` and `warn_`. The package of `file`, if left out.
    pub(crate) query: Option<String>,
    /// Evidence that has to be known, beside what the policy reads by name: without it the rule is unknown, whatever the policy
    /// says. If left out, a policy that reads nothing by name, or looks through the whole input, needs all of it.
    pub(crate) needs: Option<Vec<Need>>,
    /// Whose scans count, as in a `vulnerabilities` rule: the ECR API alone, if left out. The others are in the input too.
    pub(crate) sources: Option<Sources>,
    /// How old the scanner's vulnerability data may be, as in a `vulnerabilities` rule.
    pub(crate) max_scan_age: Option<Duration>,
}

/// A part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Need {
    /// A complete scan by a source that counts: `reports`.
    Scans,
    /// The configuration: `config`.
    Config,
    /// What the layers hold: `contents`.
    Layers,
    /// The bills of materials: `sboms`.
    Sboms,
    /// The measurements: `measurements`.
    Measurements,
    /// Signatures and statements: `signed`.
    Signatures,
    /// VEX documents: `vex`.
    Vex,
}

impl Need {
    /// Each with the key of the input that holds it.
    const KEYS: [(Self, &'static str); 7] = [
        (Self::Scans, "reports"),
        (Self::Config, "config"),
        (Self::Layers, "contents"),
        (Self::Sboms, "sboms"),
        (Self::Measurements, "measurements"),
        (Self::Signatures, "signed"),
        (Self::Vex, "vex"),
    ];
}

/// A `rego` rule that was compiled, and what it needs to be known.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) needs: BTreeSet<Need>,
    /// It looks at the time, so that its answer holds for the moment alone.
    pub(crate) reads_clock: bool,
    /// What it reads of the input that is no part of it: such a rule finds nothing.
    pub(crate) unknown: Vec<UnknownInput>,
    /// Every word in its modules.
    pub(crate) words: BTreeSet<String>,
}

/// One place where a policy reads the input by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownInput {
    file: String,
    pub(crate) line: u64,
    path: String,
    is_known: bool,
}

impl UnknownInput {
    /// What is wrong with it, where it is no part of the input.
    pub(crate) fn error(&self) -> DocumentError {
        let possible = if self.path.starts_with("input.manifests") { &MANIFEST[..] } else { &INPUT[..] };
        let last = self.path.rsplit('.').next().unwrap_or(&self.path);
        let error = DocumentError::new(&self.file, format!("`{}` is no part of the input", self.path));
        let hint = suggest(last, possible);
        error.with_hint(hint.unwrap_or_else(|| "`ecr-gate policy schema --facts` describes the input".to_owned()))
    }
}

/// The keys of the input.
pub(crate) const INPUT: [&str; 12] = [
    "schema",
    "at",
    "image",
    "environment",
    "parameters",
    "index",
    "manifests",
    "firstSeen",
    "vex",
    "bases",
    "trust",
    "decision",
];

/// The keys of each manifest in it.
pub(crate) const MANIFEST: [&str; 10] = [
    "platform",
    "digest",
    "pushedAt",
    "reports",
    "config",
    "contents",
    "sboms",
    "measurements",
    "signed",
    "unreadable",
];

/// Every `input.NAME` and `input.manifests[…].NAME` outside comments.
fn inputs(texts: &[(String, String)]) -> Vec<UnknownInput> {
    let mut found = Vec::new();
    for (file, text) in texts {
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or(line);
            for (at, _) in line.match_indices("input.") {
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '"') {
                    continue;
                }
                let Some(name) = words(&line[at + 6..]).next().filter(|name| line[at + 6..].starts_with(name)) else {
                    continue;
                };
                let mut read = |path: String, is_known: bool| {
                    found.push(UnknownInput { file: file.clone(), line: number as u64 + 1, path, is_known });
                };
                read(format!("input.{name}"), INPUT.contains(&name));
                let rest = &line[at + 6 + name.len()..];
                let Some(key) = rest.strip_prefix('[').and_then(|rest| rest.split_once("].")).map(|(_, key)| key)
                else {
                    continue;
                };
                if name == "manifests"
                    && let Some(key) = words(key).next().filter(|word| key.starts_with(word))
                {
                    read(format!("input.manifests[_].{key}"), MANIFEST.contains(&key));
                }
            }
        }
    }
    found
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

impl Rego {
    /// Every file it names.
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.file).chain(self.modules.iter().flatten()).chain(self.data.iter().flatten())
    }

    /// Whose scans count, in the words of the rule that is about nothing else.
    pub(crate) fn scans(&self) -> Vulnerabilities {
        Vulnerabilities::only_scans(self.sources.clone(), self.max_scan_age)
    }

    /// The checks that a schema cannot express.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        if self.files().any(|file| file.trim().is_empty()) {
            return Err((
                "`rego` names a file without a name".to_owned(),
                "give the path, relative to the policy's file",
            ));
        }
        if self.needs.as_ref().is_some_and(Vec::is_empty) {
            let hint =
                "name what has to be known, or leave the key out: what the policy reads by name is found by itself";
            return Err(("`rego.needs` is empty".to_owned(), hint));
        }
        self.scans().check()
    }

    /// Compiles the rule. `read` gives the text of a file that the document names.
    pub(crate) fn compile(
        &self,
        read: &dyn Fn(&str) -> Result<String, DocumentError>,
    ) -> Result<Compiled, DocumentError> {
        let mut texts = Vec::new();
        for file in std::iter::once(&self.file).chain(self.modules.iter().flatten()) {
            texts.push((file.clone(), read(file)?));
        }
        let mut data = serde_json::Map::new();
        for file in self.data.iter().flatten() {
            let document: BTreeMap<String, Value> = read_data(file, &read(file)?)?;
            for (key, value) in document {
                if data.contains_key(&key) {
                    let what = format!("`data.{key}` is in two data documents");
                    return Err(DocumentError::new(file, what).with_hint("put it into one of them"));
                }
                data.insert(key, value);
            }
        }
        let modules: Vec<Module<'_>> = texts.iter().map(|(file, text)| Module { file, text }).collect();
        let program = Program::load(&modules, &Value::Object(data), self.query.as_deref())?;
        let named = |key: &str| texts.iter().any(|(_, text)| has_word(text, key));
        let mut needs: BTreeSet<Need> =
            Need::KEYS.into_iter().filter(|(_, key)| named(key)).map(|(need, _)| need).collect();
        let looks = program.looks();
        match &self.needs {
            Some(further) => needs.extend(further),
            // Nothing tells what it looks for, so nothing may be missing.
            None if looks.at_everything || (needs.is_empty() && (named("manifests") || named("index"))) => {
                needs.extend(Need::KEYS.map(|(need, _)| need));
            }
            None => {}
        }
        let reads = inputs(&texts);
        let unknown: Vec<UnknownInput> = reads.iter().filter(|read| !read.is_known).cloned().collect();
        if let Some(first) = unknown.first().filter(|_| unknown.len() == reads.len()) {
            // Whatever it says, it says about something else: it would never break.
            return Err(first.error().at(first.line, None));
        }
        let words = texts.iter().flat_map(|(_, text)| words(text)).map(str::to_owned).collect();
        Ok(Compiled { program, needs, reads_clock: looks.at_the_clock, unknown, words })
    }
}

/// True if the word stands anywhere in the text, alone. That it is only in a comment does no harm: more has to be known then.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = text.as_bytes();
        !part(at.checked_sub(1).and_then(|before| bytes.get(before))) && !part(bytes.get(at + word.len()))
    })
}
