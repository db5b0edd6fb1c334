//! Policy files and the exception files they list.

use std::path::{Path, PathBuf};

use policy::{DocumentError, Exceptions, PolicySet};

use crate::env;
use crate::failure::Failure;
use crate::files;
use crate::trust;

/// The largest document that is read.
const LIMIT: usize = 1 << 20;
/// The largest file that a policy names: revocation lists are large.
const NAMED: usize = 32 << 20;

/// The policy files of the command line, else those of the environment.
pub(crate) fn paths(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let Some(listed) = env::POLICY.get().filter(|_| given.is_empty()) else { return Ok(given.to_vec()) };
    let paths: Vec<PathBuf> = listed.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err(Failure::configuration("ECR_GATE_POLICY names no file"));
    }
    Ok(paths)
}

/// Reads the files; without any, the built-in policy.
pub(crate) fn load(paths: &[PathBuf]) -> Result<(PolicySet, Exceptions), Failure> {
    if paths.is_empty() {
        return Ok((PolicySet::built_in().map_err(|error| refused(&error))?, Exceptions::none()));
    }
    load_with(paths, None)
}

/// Reads the files, and a policy of the command line behind them: its name and text.
pub(crate) fn load_with(
    paths: &[PathBuf],
    command_line: Option<(&str, String)>,
) -> Result<(PolicySet, Exceptions), Failure> {
    let mut documents = read(paths)?;
    documents.extend(command_line.map(|(name, text)| (name.to_owned(), text)));
    assemble(paths, &documents).map_err(|error| refused(&error))
}

/// The documents, each with its name.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let text = |path: &PathBuf| Ok((path.display().to_string(), files::read_text("the policy", path, LIMIT)?));
    paths.iter().map(text).collect()
}

/// Makes policies of documents, with every file that they name.
pub(crate) fn assemble(
    paths: &[PathBuf],
    documents: &[(String, String)],
) -> Result<(PolicySet, Exceptions), DocumentError> {
    let set = PolicySet::load(documents, &|document, listed| {
        named(paths, documents, document, listed, NAMED).map(|(_, bytes)| bytes)
    })?;
    let exceptions = exceptions(&set, paths, documents)?;
    Ok((set, exceptions))
}

/// The same for tests: who signs in them is for the tests to say, so keys, certificates and trusted roots need not be there.
pub(crate) fn load_for_tests(paths: &[PathBuf], with_exceptions: bool) -> Result<(PolicySet, Exceptions), Failure> {
    let documents = read(paths).map_err(|failure| Failure { hints: Vec::new(), ..failure })?;
    let load = || {
        let set = PolicySet::load_without_trust(&documents, &|document, listed| {
            named(paths, &documents, document, listed, NAMED).map(|(_, bytes)| bytes)
        })?;
        let exceptions = if with_exceptions { exceptions(&set, paths, &documents)? } else { Exceptions::none() };
        Ok((set, exceptions))
    };
    load().map_err(|error| refused(&error))
}

/// A file that a document names: its name for messages, and its bytes.
fn named(
    paths: &[PathBuf],
    documents: &[(String, String)],
    document: usize,
    listed: &str,
    limit: usize,
) -> Result<(String, Vec<u8>), DocumentError> {
    // A policy of the command line lies in the current folder.
    let path = paths.get(document).map_or_else(|| PathBuf::from(listed), |policy| beside(policy, listed));
    let bytes = files::read("the file", &path, limit).map_err(|failure| {
        DocumentError::new(&documents[document].0, failure.what)
            .with_hint("a path that a policy names is relative to the policy's file")
    })?;
    Ok((path.display().to_string(), bytes))
}

/// The exceptions that the policies list.
fn exceptions(set: &PolicySet, paths: &[PathBuf], documents: &[(String, String)]) -> Result<Exceptions, DocumentError> {
    let mut exceptions = Exceptions::none();
    let mut seen = Vec::new();
    for (document, policy, listed) in set.exception_files() {
        let (path, bytes) = named(paths, documents, document, listed, LIMIT)?;
        if seen.contains(&(document, path.clone())) {
            continue;
        }
        let text = String::from_utf8(bytes).map_err(|_| DocumentError::new(&path, "it is no UTF-8 text"))?;
        exceptions.add(policy, &path, &text)?;
        seen.push((document, path));
    }
    Ok(exceptions)
}

/// Every file that is read for these policies: they themselves and, as far as they can be read, the exception files and the
/// trust material they name.
pub(crate) fn inputs(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut inputs = paths.to_vec();
    for path in paths {
        let Ok(text) = files::read_text("the policy", path, LIMIT) else { continue };
        let Ok(set) = PolicySet::from_documents(&[(path.display().to_string(), text)]) else { continue };
        inputs.extend(set.exception_files().into_iter().map(|(_, _, listed)| beside(path, listed)));
        inputs.extend(trust::files(&set, path));
    }
    inputs
}

/// A path that a policy file names, seen from where that file lies.
pub(crate) fn beside(policy: &Path, listed: &str) -> PathBuf {
    policy.parent().map_or_else(|| PathBuf::from(listed), |folder| folder.join(listed))
}

fn refused(error: &DocumentError) -> Failure {
    let failure = Failure::configuration(error.to_string());
    match &error.hint {
        Some(hint) => failure.hint(hint.clone()),
        None => failure.hint("`ecr-gate policy schema` prints what a policy may say"),
    }
}
