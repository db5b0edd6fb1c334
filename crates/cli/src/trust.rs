//! Trust material that policies name: keys, trusted roots, certificates and revocation lists, read from the files that lie
//! beside the policy. A file that is missing or cannot be read ends the command: what would have been verified with it is
//! neither signed nor unsigned. Keys of key management services are fetched by the engine, when they are needed.

use std::path::{Path, PathBuf};

use engine::{MaterialProblem, TrustInputs, trust_files, trust_inputs};
use policy::PolicySet;
use trust::{Material, SigstoreRoot};

use crate::failure::Failure;
use crate::files;

/// The material that these policies name. `paths` are the policies' files, in the order of the documents; a policy beyond
/// them was made from a command line, whose paths are relative to the current folder.
///
/// # Errors
/// A file is missing, cannot be read, or holds something else.
pub(crate) fn inputs(policies: &PolicySet, paths: &[PathBuf]) -> Result<TrustInputs, Failure> {
    trust_inputs(policies, &|file| {
        let path = beside(paths.get(file.document), file.path);
        Ok((path.display().to_string(), read(file.what, &path, file.limit)?))
    })
}

impl From<MaterialProblem> for Failure {
    fn from(problem: MaterialProblem) -> Self {
        Self::configuration(problem.what).hint(problem.hint)
    }
}

/// What can be verified without a policy: signatures whose certificates Sigstore's public instance vouches for. Nobody is
/// named by it, so nothing counts.
///
/// # Errors
/// None in practice: the root is part of the program.
pub(crate) fn public_good() -> Result<TrustInputs, Failure> {
    let root = SigstoreRoot::public_good().map_err(|error| Failure::internal(error.to_string()))?;
    Ok(TrustInputs { material: Material { roots: vec![root], ..Material::none() }, ..TrustInputs::none() })
}

/// Every file that [`inputs`] would read for the policy at this path.
pub(crate) fn files(policies: &PolicySet, path: &Path) -> Vec<PathBuf> {
    trust_files(policies).iter().map(|(_, listed)| beside(Some(&path.to_owned()), listed)).collect()
}

/// A path that a policy file names, seen from where that file lies.
fn beside(policy: Option<&PathBuf>, listed: &str) -> PathBuf {
    policy.and_then(|policy| policy.parent()).map_or_else(|| PathBuf::from(listed), |folder| folder.join(listed))
}

fn read(what: &str, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    files::read(what, path, limit).map_err(|failure| Failure {
        hints: vec!["check the path; one that a policy names is relative to the policy's file".to_owned()],
        ..failure
    })
}

#[cfg(test)]
mod tests;
