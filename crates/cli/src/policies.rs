//! Policy files and the exception files they list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::{DocumentError, Exceptions, FileUse, PolicySet};

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
    let files = Named { paths, documents };
    let set = PolicySet::load(documents, &|document, listed, _| files.read(document, listed, NAMED))?;
    let exceptions = files.exceptions(&set)?;
    Ok((set, exceptions))
}

/// The files as a bundle that a gate takes: the documents, and every file they name under the path that stands there. What does not load is
/// refused here, before anybody else sees it.
pub(crate) fn bundle(paths: &[PathBuf]) -> Result<engine::Bundle, Failure> {
    let documents = read(paths)?;
    let files = Named { paths, documents: &documents };
    let named = std::cell::RefCell::new(vec![BTreeMap::new(); documents.len()]);
    let keep = |document: usize, listed: &str, bytes: &[u8]| {
        if let Some(named) = named.borrow_mut().get_mut(document) {
            named.insert(listed.to_owned(), STANDARD.encode(bytes));
        }
    };
    let set = PolicySet::load(&documents, &|document, listed, _| {
        let bytes = files.read(document, listed, NAMED)?;
        keep(document, listed, &bytes);
        Ok(bytes)
    })
    .map_err(|error| refused(&error))?;
    files.exceptions(&set).map_err(|error| refused(&error))?;
    trust::inputs(&set, paths)?;
    for (document, _, listed) in set.exception_files() {
        keep(document, listed, &files.read(document, listed, LIMIT).map_err(|error| refused(&error))?);
    }
    for (document, listed) in engine::trust_files(&set) {
        keep(document, &listed, &files.read(document, &listed, NAMED).map_err(|error| refused(&error))?);
    }
    Ok(engine::Bundle { documents: shortened(documents), files: named.into_inner() })
}

/// Where a file lies is not part of a policy: its name is, unless two have the same.
fn shortened(documents: Vec<(String, String)>) -> Vec<(String, String)> {
    let name = |path: &str| {
        Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = documents.iter().map(|(path, _)| name(path)).collect();
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    if distinct.len() < names.len() {
        return documents;
    }
    documents.into_iter().zip(names).map(|((_, text), name)| (name, text)).collect()
}

/// The same for tests: who signs in them is for the tests to say, so keys, certificates and trusted roots need not be there.
pub(crate) fn load_for_tests(paths: &[PathBuf], with_exceptions: bool) -> Result<(PolicySet, Exceptions), Failure> {
    let documents = read(paths).map_err(|failure| Failure { hints: Vec::new(), ..failure })?;
    let files = Named { paths, documents: &documents };
    let reader = |document: usize, listed: &str, usage: FileUse| match usage {
        FileUse::Judging => files.read(document, listed, NAMED),
        FileUse::Digest if files.path(document, listed).is_file() => files.read(document, listed, NAMED),
        FileUse::Digest => Ok(Vec::new()),
    };
    let set = PolicySet::load(&documents, &reader).map_err(|error| refused(&error))?;
    let exceptions = if with_exceptions { files.exceptions(&set) } else { Ok(Exceptions::none()) };
    Ok((set, exceptions.map_err(|error| refused(&error))?))
}

/// The files that documents name.
struct Named<'a> {
    paths: &'a [PathBuf],
    documents: &'a [(String, String)],
}

impl Named<'_> {
    /// A policy of the command line lies in the current folder.
    fn path(&self, document: usize, listed: &str) -> PathBuf {
        self.paths.get(document).map_or_else(|| PathBuf::from(listed), |policy| beside(policy, listed))
    }

    fn read(&self, document: usize, listed: &str, limit: usize) -> Result<Vec<u8>, DocumentError> {
        let path = self.path(document, listed);
        if path.exists() && !path.is_file() {
            let what = format!("{} is no regular file", path.display());
            return Err(DocumentError::new(&self.documents[document].0, what));
        }
        files::read("the file", &path, limit).map_err(|failure| {
            DocumentError::new(&self.documents[document].0, failure.what)
                .with_hint("a path that a policy names is relative to the policy's file")
        })
    }

    /// The exceptions of the files that the policies list.
    fn exceptions(&self, set: &PolicySet) -> Result<Exceptions, DocumentError> {
        let mut exceptions = Exceptions::none();
        let mut seen = Vec::new();
        for (document, policy, listed) in set.exception_files() {
            let path = self.path(document, listed).display().to_string();
            if seen.contains(&(document, path.clone())) {
                continue;
            }
            let bytes = self.read(document, listed, LIMIT)?;
            let text = String::from_utf8(bytes).map_err(|_| DocumentError::new(&path, "it is no UTF-8 text"))?;
            exceptions.add(policy, &path, &text)?;
            seen.push((document, path));
        }
        Ok(exceptions)
    }
}

/// Every file that is read for these policies: they themselves and, as far as they can be read, the exception files and the
/// trust material they name.
pub(crate) fn inputs(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut inputs = paths.to_vec();
    let inputs_of_rules = std::cell::RefCell::new(Vec::new());
    for path in paths {
        let Ok(documents) = read(std::slice::from_ref(path)) else { continue };
        let files = Named { paths: std::slice::from_ref(path), documents: &documents };
        let Ok(set) = PolicySet::load(&documents, &|_, listed, _| {
            inputs_of_rules.borrow_mut().push(beside(path, listed));
            files.read(0, listed, NAMED)
        }) else {
            continue;
        };
        inputs.extend(set.exception_files().into_iter().map(|(_, _, listed)| beside(path, listed)));
        inputs.extend(trust::files(&set, path));
    }
    inputs.extend(inputs_of_rules.into_inner());
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
        // What is wrong with a Rego policy stands in no schema of ours.
        None if Path::new(&error.file).extension().is_some_and(|ending| ending == "rego") => failure,
        None => failure.hint("`ecr-gate policy schema` prints what a policy may say"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn f6_a_bundle_holds_every_file_that_its_documents_name_and_not_where_they_lay() {
        let make = |folder: &Path| {
            fs::create_dir_all(folder.join("house")).unwrap();
            fs::write(
                folder.join("policy.yaml"),
                "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: { name: p }\nspec:\n  exceptions: [house/exceptions.yaml]\n  \
                 rules: [{ id: r, rego: { file: house/rule.rego, query: data.house.deny } }]\n",
            )
            .unwrap();
            fs::write(
                folder.join("house/rule.rego"),
                "package house\n\nimport rego.v1\n\ndeny contains \"no\" if false\n",
            )
            .unwrap();
            fs::write(
                folder.join("house/exceptions.yaml"),
                "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions: []\n",
            )
            .unwrap();
            bundle(&[folder.join("policy.yaml")])
        };
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let found = make(one.path()).unwrap();
        assert_eq!(found.documents[0].0, "policy.yaml");
        assert_eq!(found.files[0].keys().collect::<Vec<_>>(), ["house/exceptions.yaml", "house/rule.rego"]);
        let rule = STANDARD.decode(&found.files[0]["house/rule.rego"]).unwrap();
        assert!(rule.starts_with(b"package house"));
        assert_eq!(found, make(other.path()).unwrap(), "the same policy elsewhere is the same version");
        fs::remove_file(one.path().join("house/exceptions.yaml")).unwrap();
        let failure = bundle(&[one.path().join("policy.yaml")]).unwrap_err();
        assert!(failure.what.contains("exceptions.yaml"), "{}", failure.what);
    }

    #[test]
    fn documents_of_one_name_keep_their_paths() {
        let documents =
            |paths: &[&str]| paths.iter().map(|path| ((*path).to_owned(), String::new())).collect::<Vec<_>>();
        assert_eq!(shortened(documents(&["/a/x.yaml", "b/y.yaml"])), documents(&["x.yaml", "y.yaml"]));
        assert_eq!(shortened(documents(&["a/x.yaml", "b/x.yaml"])), documents(&["a/x.yaml", "b/x.yaml"]));
    }
}
