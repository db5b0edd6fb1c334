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
    let mut documents = Vec::new();
    for path in paths {
        documents.push((path.display().to_string(), files::read_text("the policy", path, LIMIT)?));
    }
    documents.extend(command_line.map(|(name, text)| (name.to_owned(), text)));
    let set = PolicySet::load(&documents, &|document, listed| {
        // A policy of the command line lies in the current folder.
        let path = paths.get(document).map_or_else(|| PathBuf::from(listed), |policy| beside(policy, listed));
        files::read("the file", &path, NAMED).map_err(|failure| {
            let error = DocumentError::new(&documents[document].0, failure.what);
            error.with_hint("a path that a policy names is relative to the policy's file")
        })
    })
    .map_err(|error| refused(&error))?;
    let exceptions = exceptions(&set, paths)?;
    Ok((set, exceptions))
}

/// The same for tests: who signs in them is for the tests to say, so keys, certificates and trusted roots need not be there.
pub(crate) fn load_for_tests(paths: &[PathBuf], with_exceptions: bool) -> Result<(PolicySet, Exceptions), Failure> {
    let mut documents = Vec::new();
    for path in paths {
        let text =
            files::read_text("the policy", path, LIMIT).map_err(|failure| Failure { hints: Vec::new(), ..failure })?;
        documents.push((path.display().to_string(), text));
    }
    let set = PolicySet::from_documents(&documents).map_err(|error| refused(&error))?;
    let exceptions = if with_exceptions { exceptions(&set, paths)? } else { Exceptions::none() };
    Ok((set, exceptions))
}

/// The exception files that the policies list.
fn exceptions(set: &PolicySet, paths: &[PathBuf]) -> Result<Exceptions, Failure> {
    let mut exceptions = Exceptions::none();
    let mut seen = Vec::new();
    for (index, policy, listed) in set.exception_files() {
        let path = beside(&paths[index], listed);
        if seen.contains(&(index, path.clone())) {
            continue;
        }
        let text = files::read_text("the exceptions file", &path, LIMIT)?;
        exceptions.add(policy, &path.display().to_string(), &text).map_err(|error| refused(&error))?;
        seen.push((index, path));
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
