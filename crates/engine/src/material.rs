//! Trust material that policies name: keys, trusted roots, certificates and revocation lists. A file that is missing or holds
//! something else is an error: what would have been verified with it is neither signed nor unsigned. Keys of key management services are
//! fetched later, when they are needed.

mod blocks;

use std::collections::BTreeMap;

use model::Digest;
use policy::{KeySource, PolicySet, RootSource, SourceOf, X509Kind};
use trust::{PublicKey, SigstoreRoot, StoreKind, TrustStore};

use crate::authenticate::TrustInputs;
use crate::kms::kms_key_name;

/// The largest key file that is read.
const KEY: usize = 64 << 10;
/// The largest trusted root, or file with certificates, that is read.
const ROOT: usize = 4 << 20;
/// The largest revocation list that is read.
const LIST: usize = 32 << 20;

/// Material that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialProblem {
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// A file that a policy names: the policy's position, the path as it is written there, what it is for, and how large it may be.
#[derive(Debug, Clone, Copy)]
pub struct MaterialFile<'a> {
    /// The document's position.
    pub document: usize,
    /// The path as the document writes it.
    pub path: &'a str,
    /// `the key`, `the trusted root`, …
    pub what: &'a str,
    /// In bytes.
    pub limit: usize,
}

/// Reads a file that a policy names: what it is called in errors, and its bytes.
pub type MaterialReader<'r, E> = &'r dyn Fn(MaterialFile<'_>) -> Result<(String, Vec<u8>), E>;

/// The material that these policies name, read by `read`, which also says how a file is called in errors.
///
/// # Errors
/// A file cannot be read, or holds something else.
pub fn trust_inputs<E: From<MaterialProblem>>(
    policies: &PolicySet,
    read: MaterialReader<'_, E>,
) -> Result<TrustInputs, E> {
    let mut inputs = TrustInputs::none();
    for source in policies.trust_sources() {
        let document = source.member;
        match source.from {
            SourceOf::Key(KeySource::Kms(uri)) => {
                kms_key_name(&uri).map_err(|reason| MaterialProblem { what: reason.message, hint: reason.remedy })?;
                inputs.kms.push((source.name, uri));
            }
            SourceOf::Key(KeySource::Inline(pem)) => {
                let name = format!("the key of signer {}", source.name);
                let key = PublicKey::from_pem(&name, pem.as_bytes()).map_err(|error| unusable(&error))?;
                inputs.material.keys.push((source.name, key));
            }
            SourceOf::Key(KeySource::File(path)) => {
                let (name, pem) = read(MaterialFile { document, path: &path, what: "the key", limit: KEY })?;
                let key = PublicKey::from_pem(&name, &pem).map_err(|error| unusable(&error))?;
                inputs.material.keys.push((source.name, key));
            }
            SourceOf::X509 { kind, certificates, timestamp_authorities, revocation_lists } => {
                let all = |what: &str, label: &str, limit: usize, listed: &[String]| -> Result<Vec<_>, E> {
                    let mut list = Vec::new();
                    for path in listed {
                        let (name, bytes) = read(MaterialFile { document, path, what, limit })?;
                        list.extend(blocks::read(&bytes, label).map_err(|why| MaterialProblem {
                            what: format!("{what} {name}: {why}"),
                            hint: "name a file with what the key asks for, in PEM or DER".to_owned(),
                        })?);
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
    for (document, policy, sources) in policies.trust_roots() {
        let mut digests = Vec::new();
        for source in sources {
            let root = match source {
                RootSource::PublicGood => SigstoreRoot::public_good(),
                RootSource::File(path) => {
                    let file = MaterialFile { document, path: &path, what: "the trusted root", limit: ROOT };
                    let (name, bytes) = read(file)?;
                    SigstoreRoot::parse(&name, &bytes)
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

/// Every file that [`trust_inputs`] would read: the document's position and the path as it is written there.
pub fn trust_files(policies: &PolicySet) -> Vec<(usize, String)> {
    let mut listed = Vec::new();
    for source in policies.trust_sources() {
        let document = source.member;
        match source.from {
            SourceOf::Key(KeySource::File(file)) => listed.push((document, file)),
            SourceOf::Key(KeySource::Inline(_) | KeySource::Kms(_)) => {}
            SourceOf::X509 { certificates, timestamp_authorities, revocation_lists, .. } => {
                let all = certificates.into_iter().chain(timestamp_authorities).chain(revocation_lists);
                listed.extend(all.map(|file| (document, file)));
            }
        }
    }
    for (document, _, sources) in policies.trust_roots() {
        listed.extend(sources.into_iter().filter_map(|source| match source {
            RootSource::File(file) => Some((document, file)),
            RootSource::PublicGood => None,
        }));
    }
    listed
}

fn unusable(error: &trust::MaterialError) -> MaterialProblem {
    let reason = error.reason();
    let hint = if error.why.contains("private key") {
        "name the public half, such as release.pub; whoever signs needs the private one, and nobody else".to_owned()
    } else {
        reason.remedy
    };
    MaterialProblem { what: reason.message, hint }
}
