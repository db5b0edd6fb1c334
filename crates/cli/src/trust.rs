//! Trust material that policies name: keys, trusted roots, certificates and revocation lists, read from the files that lie
//! beside the policy. A file that is missing or cannot be read ends the command: what would have been verified with it is
//! neither signed nor unsigned. Keys of key management services are fetched by the engine, when they are needed.

mod blocks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::TrustInputs;
use model::Digest;
use policy::{KeySource, PolicySet, RootSource, SourceOf, X509Kind};
use trust::{Material, PublicKey, SigstoreRoot, StoreKind, TrustStore};

use crate::failure::Failure;
use crate::files;
use crate::signing::is_kms;

/// The largest key file that is read.
const KEY: usize = 64 << 10;
/// The largest trusted root, or file with certificates, that is read.
const ROOT: usize = 4 << 20;
/// The largest revocation list that is read.
const LIST: usize = 32 << 20;

/// The material that these policies name. `paths` are the policies' files, in the order of the documents; a policy beyond
/// them was made from a command line, whose paths are relative to the current folder.
///
/// # Errors
/// A file is missing, cannot be read, or holds something else.
pub(crate) fn inputs(policies: &PolicySet, paths: &[PathBuf]) -> Result<TrustInputs, Failure> {
    let mut inputs = TrustInputs::none();
    let place = |member: usize, listed: &str| beside(paths.get(member), listed);
    for source in policies.trust_sources() {
        match source.from {
            SourceOf::Key(KeySource::Kms(uri)) => {
                is_kms(&uri)?;
                inputs.kms.push((source.name, uri));
            }
            SourceOf::Key(KeySource::Inline(pem)) => {
                let name = format!("the key of signer {}", source.name);
                let key = PublicKey::from_pem(&name, pem.as_bytes()).map_err(|error| unusable(&error))?;
                inputs.material.keys.push((source.name, key));
            }
            SourceOf::Key(KeySource::File(listed)) => {
                let path = place(source.member, &listed);
                let pem = read("the key", &path, KEY)?;
                let key = PublicKey::from_pem(&path.display().to_string(), &pem).map_err(|error| unusable(&error))?;
                inputs.material.keys.push((source.name, key));
            }
            SourceOf::X509 { kind, certificates, timestamp_authorities, revocation_lists } => {
                let all = |what: &str, label: &str, limit: usize, listed: &[String]| -> Result<Vec<_>, Failure> {
                    let mut list = Vec::new();
                    for name in listed {
                        let path = place(source.member, name);
                        list.extend(
                            blocks::read(&read(what, &path, limit)?, label)
                                .map_err(|why| Failure::configuration(format!("{what} {}: {why}", path.display())))?,
                        );
                    }
                    Ok(list)
                };
                inputs.material.stores.push(TrustStore {
                    anchors: all("the certificate file", blocks::CERTIFICATE, ROOT, &certificates)?,
                    timestamp_anchors: all("the certificate file", blocks::CERTIFICATE, ROOT, &timestamp_authorities)?,
                    revocation_lists: all("the revocation list", blocks::REVOCATION_LIST, LIST, &revocation_lists)?,
                    name: source.name.clone(),
                    kind: match kind {
                        X509Kind::Ca => StoreKind::Ca,
                        X509Kind::SigningAuthority => StoreKind::SigningAuthority,
                    },
                });
            }
        }
    }
    let mut known: BTreeMap<Digest, SigstoreRoot> = BTreeMap::new();
    for (member, policy, sources) in policies.trust_roots() {
        let mut digests = Vec::new();
        for source in sources {
            let root = match source {
                RootSource::PublicGood => SigstoreRoot::public_good(),
                RootSource::File(listed) => {
                    let path = place(member, &listed);
                    SigstoreRoot::parse(&path.display().to_string(), &read("the trusted root", &path, ROOT)?)
                }
            }
            .map_err(|error| unusable(&error))?;
            digests.push(root.digest().clone());
            known.entry(root.digest().clone()).or_insert(root);
        }
        digests.sort_unstable();
        digests.dedup();
        inputs.roots.insert(policy.to_owned(), Ok(digests));
    }
    inputs.material.roots = known.into_values().collect();
    Ok(inputs)
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
    listed(policies).iter().map(|(_, listed)| beside(Some(&path.to_owned()), listed)).collect()
}

/// Every file that [`inputs`] would read: the position of the document, and the path as it is written there.
pub(crate) fn listed(policies: &PolicySet) -> Vec<(usize, String)> {
    let mut listed = Vec::new();
    for source in policies.trust_sources() {
        let member = source.member;
        match source.from {
            SourceOf::Key(KeySource::File(file)) => listed.push((member, file)),
            SourceOf::Key(KeySource::Inline(_) | KeySource::Kms(_)) => {}
            SourceOf::X509 { certificates, timestamp_authorities, revocation_lists, .. } => {
                let files = certificates.into_iter().chain(timestamp_authorities).chain(revocation_lists);
                listed.extend(files.map(|file| (member, file)));
            }
        }
    }
    for (member, _, sources) in policies.trust_roots() {
        listed.extend(sources.into_iter().filter_map(|source| match source {
            RootSource::File(file) => Some((member, file)),
            RootSource::PublicGood => None,
        }));
    }
    listed
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

fn unusable(error: &trust::MaterialError) -> Failure {
    let reason = error.reason();
    let remedy = if error.why.contains("private key") {
        "name the public half, such as release.pub; whoever signs needs the private one, and nobody else".to_owned()
    } else {
        reason.remedy
    };
    Failure::configuration(reason.message).hint(remedy)
}

#[cfg(test)]
mod tests;
