//! Policy versions: bundles of documents and every file they name.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Digest, PolicyId, Timestamp, Verdict};
use policy::{DocumentError, Exceptions, PolicySet};
use serde::{Deserialize, Serialize};
use store::PolicyRow;

use super::GateError;
use super::proposals::Proposal;
use crate::authenticate::TrustInputs;
use crate::material::{MaterialFile, MaterialProblem, trust_files, trust_inputs};

/// The largest bundle, in bytes of its JSON.
pub(super) const BUNDLE: usize = 64 << 20;
/// The largest file in it.
const FILE: usize = 32 << 20;
/// The most documents.
const DOCUMENTS: usize = 200;

/// Policy documents and every file they name. The same content is the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// The documents, each with its name and text.
    pub documents: Vec<(String, String)>,
    /// Files that documents name, by document (its position) and the path as it is written there: their bytes in base64.
    pub files: Vec<BTreeMap<String, String>>,
}

/// A version.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// The digest of its bundle.
    pub digest: Digest,
    /// Its policies; empty in lists.
    pub policies: Vec<PolicyId>,
    /// The names of its policies.
    pub names: Vec<String>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom.
    pub uploaded_by: String,
    /// When it came into force last, and by whom; `None`: never.
    pub activated: Option<(Timestamp, String)>,
    /// It is in force.
    pub in_force: bool,
    /// What is odd about it, as `policy check` says it.
    pub remarks: Vec<String>,
    /// S34: how it was last put forward, if it was, and what became of that.
    pub proposal: Option<Proposal>,
}

/// A page of a replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What would change.
    pub flips: Vec<Flip>,
    /// How many were judged.
    pub judged: u64,
    /// How many could not be: their facts were not kept, or cannot be read.
    pub not_judged: u64,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<String>,
}

/// A verdict that would be another one.
#[derive(Debug, Clone)]
pub struct Flip {
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// The verdict that is recorded.
    pub recorded: Verdict,
    /// The verdict that it would be.
    pub replayed: Verdict,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// A bundle, ready to judge.
pub(super) struct Loaded {
    pub(super) policies: PolicySet,
    pub(super) exceptions: Exceptions,
    pub(super) trust: TrustInputs,
    /// Digest over every file that is trust material.
    pub(super) material: Digest,
}

impl Bundle {
    /// The built-in policy, for a gate that was given none.
    pub fn built_in() -> Self {
        let document = ("built-in".to_owned(), PolicySet::BUILT_IN.to_owned());
        Self { documents: vec![document], files: vec![BTreeMap::new()] }
    }

    /// The bytes of which its digest is: the same content gives the same bytes.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, GateError> {
        serde_json::to_vec(self).map_err(|error| GateError::invalid(format!("the bundle cannot be written: {error}")))
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, GateError> {
        serde_json::from_slice(bytes).map_err(|error| GateError::invalid(format!("the bundle cannot be read: {error}")))
    }

    /// The names of its policies and what they say, checked: everything that makes a policy unusable is found here.
    pub(super) fn load(&self) -> Result<Loaded, GateError> {
        if self.documents.is_empty() || self.documents.len() > DOCUMENTS || self.files.len() > self.documents.len() {
            let what = format!(
                "a bundle holds 1 to {DOCUMENTS} documents, and files for no others; this one has {} and files for {}",
                self.documents.len(),
                self.files.len()
            );
            return Err(GateError::invalid(what));
        }
        let reader = |document: usize, path: &str, _| self.file(document, path, FILE);
        let policies = PolicySet::load(&self.documents, &reader).map_err(refused)?;
        let exceptions = self.exceptions(&policies).map_err(refused)?;
        let trust = trust_inputs::<GateError>(&policies, &|file: MaterialFile<'_>| {
            let bytes = self.file(file.document, file.path, file.limit).map_err(refused)?;
            Ok((file.path.to_owned(), bytes))
        })?;
        let mut material = Vec::new();
        for (document, path) in trust_files(&policies) {
            let bytes = self.file(document, &path, FILE).map_err(refused)?;
            material.extend_from_slice(format!("{document} {path} {}\n", Digest::of(&bytes)).as_bytes());
        }
        // Keys that documents hold inline, and names of keys elsewhere, are in the documents.
        for (name, text) in self.documents.iter().filter(|(_, text)| text.contains("signers")) {
            material.extend_from_slice(format!("{name} {}\n", Digest::of(text.as_bytes())).as_bytes());
        }
        Ok(Loaded { policies, exceptions, trust, material: Digest::of(&material) })
    }

    fn exceptions(&self, policies: &PolicySet) -> Result<Exceptions, DocumentError> {
        let mut exceptions = Exceptions::none();
        let mut seen = Vec::new();
        for (document, policy, path) in policies.exception_files() {
            if seen.contains(&(document, path)) {
                continue;
            }
            let text = String::from_utf8(self.file(document, path, FILE)?)
                .map_err(|_| DocumentError::new(path, "it is no UTF-8 text"))?;
            exceptions.add(policy, path, &text)?;
            seen.push((document, path));
        }
        Ok(exceptions)
    }

    /// A file that a document names. Nothing but the bundle is read: no path leads out of it.
    fn file(&self, document: usize, path: &str, limit: usize) -> Result<Vec<u8>, DocumentError> {
        let name = self.documents.get(document).map_or("the bundle", |(name, _)| name.as_str());
        let text = self.files.get(document).and_then(|files| files.get(path)).ok_or_else(|| {
            DocumentError::new(name, format!("the bundle does not hold {path:?}, which the policy names"))
                .with_hint("`ecr-gate policy push` packs every file that a policy names")
        })?;
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| DocumentError::new(name, format!("{path:?} in the bundle is no base64")))?;
        if bytes.len() > limit {
            return Err(DocumentError::new(name, format!("{path:?} has more than {limit} bytes")));
        }
        Ok(bytes)
    }
}

impl PolicyVersion {
    pub(super) fn of(row: PolicyRow, activated: Option<(Timestamp, String)>, in_force: bool) -> Self {
        let PolicyRow { digest, names, uploaded_at, uploaded_by, bundle: _ } = row;
        Self {
            digest,
            policies: Vec::new(),
            names,
            uploaded_at,
            uploaded_by,
            activated,
            in_force,
            remarks: Vec::new(),
            proposal: None,
        }
    }
}

impl From<MaterialProblem> for GateError {
    fn from(problem: MaterialProblem) -> Self {
        Self::Invalid { what: problem.what, hint: Some(problem.hint) }
    }
}

fn refused(error: DocumentError) -> GateError {
    GateError::Invalid { what: error.to_string(), hint: error.hint }
}
