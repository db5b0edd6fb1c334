//! What the policies name as trust material, for whoever reads files and asks key management services; and a policy made
//! from words of a command line, which is read like any other. No file is opened here (S27).

use model::{Ask, TrustName};
use serde_json::{Map, Value, json};

use super::{Member, PolicySet};
use crate::document::{Key, PUBLIC_GOOD, RESERVED, SignerKind, X509Kind};

/// The trust material of one signer, as its policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSource {
    /// The position of the policy among the documents: paths are relative to its file.
    pub member: usize,
    /// The policy and the signer.
    pub name: TrustName,
    /// Where the material is.
    pub from: SourceOf,
}

/// Where the material of a signer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOf {
    /// A public key.
    Key(KeySource),
    /// A trust store: paths as they are written.
    X509 {
        /// What its certificates may do.
        kind: X509Kind,
        /// Files with the certificates that chains have to end at.
        certificates: Vec<String>,
        /// Files with certificates of timestamp authorities.
        timestamp_authorities: Vec<String>,
        /// Files with revocation lists.
        revocation_lists: Vec<String>,
    },
}

/// Where a public key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file: its path as it is written.
    File(String),
    /// The PEM text itself.
    Inline(String),
    /// An `awskms://` name.
    Kms(String),
}

/// Where a Sigstore trusted root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootSource {
    /// A file: its path as it is written.
    File(String),
    /// The root of Sigstore's public instance, which is part of the program.
    PublicGood,
}

impl PolicySet {
    /// The trust material of every signer that has some of its own. Keyless signers have none: [`Self::trust_roots`].
    pub fn trust_sources(&self) -> Vec<TrustSource> {
        let of = |member: &Member| -> Vec<TrustSource> {
            let signers = member.policy.spec.signers.iter().flatten();
            let sources = signers.filter_map(|(signer, declared)| {
                let from = match declared.kind()? {
                    SignerKind::Keyless(_) => return None,
                    SignerKind::Key(key) => SourceOf::Key(match key {
                        Key::File(path) => KeySource::File(path.clone()),
                        Key::Inline(pem) => KeySource::Inline(pem.clone()),
                        Key::Kms(name) => KeySource::Kms(name.clone()),
                    }),
                    SignerKind::X509(x509) => SourceOf::X509 {
                        kind: x509.kind,
                        certificates: x509.certificates.clone(),
                        timestamp_authorities: x509.timestamp_authorities.iter().flatten().cloned().collect(),
                        revocation_lists: x509.revocation_lists.iter().flatten().cloned().collect(),
                    },
                };
                let name = TrustName { policy: member.id.name.clone(), signer: signer.clone() };
                Some(TrustSource { member: member.document, name, from })
            });
            sources.collect()
        };
        self.documents().flat_map(of).collect()
    }

    /// The trusted roots that policies need: position and name of the policy, and its roots. A policy needs them if it
    /// declares a keyless signer, asks for entries in a transparency log or when something was signed, or names roots.
    pub fn trust_roots(&self) -> Vec<(usize, &str, Vec<RootSource>)> {
        let mut needed = Vec::new();
        for member in self.documents() {
            let named = member.policy.spec.trust.as_ref().and_then(|trust| trust.roots.as_ref());
            let mut signers = member.policy.spec.signers.iter().flat_map(|signers| signers.values());
            if named.is_none() && !signers.any(|signer| signer.needs_log() || signer.asks_when()) {
                continue;
            }
            let source = |text: &String| match text.as_str() {
                PUBLIC_GOOD => RootSource::PublicGood,
                path => RootSource::File(path.to_owned()),
            };
            let roots = named.map_or_else(|| vec![RootSource::PublicGood], |roots| roots.iter().map(source).collect());
            needed.push((member.document, member.id.name.as_str(), roots));
        }
        needed
    }

    /// The same policies with their rules about signers alone: what a verification asks. Policies without such a rule are
    /// left out.
    #[must_use]
    pub fn about_signers(mut self) -> Self {
        for member in &mut self.members {
            member.policy.spec.rules.retain(|rule| {
                rule.signatures.is_some()
                    || rule.attestations.is_some()
                    || rule.provenance.is_some()
                    || rule.vsa.is_some()
            });
        }
        self.members.retain(|member| !member.policy.spec.rules.is_empty());
        self
    }

    /// The repositories in which the matching policies look for signatures too; sorted, each once.
    pub fn signature_repositories(&self, ask: &Ask) -> Vec<String> {
        let trust = self.matching(ask).filter_map(|member| member.policy.spec.trust.as_ref());
        let mut repositories: Vec<String> =
            trust.flat_map(|trust| trust.repositories.iter().flatten()).cloned().collect();
        repositories.sort_unstable();
        repositories.dedup();
        repositories
    }
}

/// Who has to have signed an image, in the words of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Policy files are in force too and declare the environments; without them this policy declares this one, as
    /// production.
    pub environment: Option<String>,
    /// Public keys: files, or `awskms://` names.
    pub keys: Vec<String>,
    /// A keyless identity and its issuer.
    pub keyless: Option<(Wanted, Wanted)>,
    /// Trust stores.
    pub x509: Vec<StoreSigner>,
    /// Trusted roots: files, or `sigstore-public-good`; empty for the default.
    pub trusted_roots: Vec<String>,
    /// Other repositories to look for signatures in.
    pub repositories: Vec<String>,
    /// Signatures by keys count only with an entry in a transparency log.
    pub transparency_log: bool,
    /// One of the signers is enough; otherwise every one of them has to have signed.
    pub any: bool,
    /// What they have to have signed.
    pub what: WantedStatement,
}

/// What has to be signed: the image itself, unless statements about it are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedStatement {
    /// A statement with a predicate of this type.
    pub predicate_type: Option<String>,
    /// Provenance by one of these builders (patterns).
    pub builders: Vec<String>,
    /// Provenance from one of these source repositories (patterns).
    pub sources: Vec<String>,
    /// Provenance from one of these branches or tags (patterns).
    pub refs: Vec<String>,
}

impl WantedStatement {
    /// The image itself.
    pub fn image() -> Self {
        Self { predicate_type: None, builders: Vec::new(), sources: Vec::new(), refs: Vec::new() }
    }

    /// The rules that say this of some signers, each as its key and its value.
    fn rules(&self, signers: &[&str]) -> Vec<(&'static str, Value)> {
        let mut rules = Vec::new();
        if let Some(predicate_type) = &self.predicate_type {
            rules.push(("attestations", json!({ "type": predicate_type, "signers": signers })));
        }
        let lists = [("builders", &self.builders), ("sources", &self.sources), ("refs", &self.refs)];
        if lists.iter().any(|(_, list)| !list.is_empty()) {
            let mut provenance = json!({ "signers": signers });
            for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
                provenance[key] = json!(list);
            }
            rules.push(("provenance", provenance));
        }
        if rules.is_empty() {
            rules.push(("signatures", json!({ "threshold": 1, "of": signers })));
        }
        rules
    }
}

/// A text, or a regular expression for the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Only this text.
    Exact(String),
    /// This regular expression.
    Regex(String),
}

/// A trust store, and who of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSigner {
    /// What its certificates may do.
    pub kind: X509Kind,
    /// Files with the certificates that chains have to end at.
    pub certificates: Vec<String>,
    /// Files with certificates of timestamp authorities.
    pub timestamp_authorities: Vec<String>,
    /// Files with revocation lists.
    pub revocation_lists: Vec<String>,
    /// Subjects that count; every subject, if empty.
    pub subjects: Vec<String>,
    /// Revocation has to be known, as far as certificates name a service for it.
    pub strict: bool,
    /// The time of signing has to be proven.
    pub timestamp: bool,
}

/// The name of the policy that [`signed_by`] writes.
pub const COMMAND_LINE_POLICY: &str = "command-line";

/// The text of a policy that says this, to be read with [`PolicySet::from_documents`] like any other. Without a signer it
/// has no rule, and is refused there.
pub fn signed_by(words: &SignedBy) -> String {
    let mut signers: Map<String, Value> = Map::new();
    let mut keys = words.keys.clone();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let mut signer = json!({ "key": key });
        if words.transparency_log {
            signer["transparencyLog"] = json!("required");
        }
        let name = named_after(&key, |name| signers.contains_key(name));
        signers.insert(name, signer);
    }
    if let Some((identity, issuer)) = &words.keyless {
        let pattern = |wanted: &Wanted| match wanted {
            Wanted::Exact(text) => json!({ "exact": text }),
            Wanted::Regex(text) => json!({ "regex": text }),
        };
        let keyless = json!({ "issuer": pattern(issuer), "identity": pattern(identity) });
        signers.insert("keyless".to_owned(), json!({ "keyless": keyless }));
    }
    for (number, store) in words.x509.iter().enumerate() {
        signers.insert(format!("x509-{}", number + 1), json!({ "x509": store.document() }));
    }
    let rules = |id: &str, signers: &[&str]| -> Vec<Value> {
        let of = words.what.rules(signers);
        let several = of.len() > 1;
        let rule = |(key, value): (&str, Value)| {
            let id = if several { format!("{id}-{key}") } else { id.to_owned() };
            json!({ "id": id, key: value })
        };
        of.into_iter().map(rule).collect()
    };
    let names: Vec<&str> = signers.keys().map(String::as_str).collect();
    let rules: Vec<Value> = match names.as_slice() {
        [] => Vec::new(),
        names if words.any => rules("signed-by-any", names),
        // A rule of its own for each: two names for one key are no reason to refuse here.
        names => names.iter().flat_map(|name| rules(&format!("signed-by-{name}"), &[name])).collect(),
    };
    let mut trust = Map::new();
    for (key, list) in [("roots", &words.trusted_roots), ("repositories", &words.repositories)] {
        if !list.is_empty() {
            trust.insert(key.to_owned(), json!(list));
        }
    }
    let environments: Map<String, Value> =
        words.environment.iter().map(|name| (name.clone(), json!({ "class": "production" }))).collect();
    let mut spec = json!({ "environments": environments, "rules": rules });
    for (key, part) in [("trust", trust), ("signers", signers.clone())] {
        if !part.is_empty() {
            spec[key] = Value::Object(part);
        }
    }
    let document = json!({
        "apiVersion": "ecr-gate.dev/v1",
        "kind": "GatePolicy",
        "metadata": { "name": COMMAND_LINE_POLICY },
        "spec": spec,
    });
    document.to_string()
}

/// A name for the signer with this key: that of its file, or of the key in its service, as far as it can be one.
fn named_after(key: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let last = key.rsplit('/').next().unwrap_or(key);
    let mut name: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    if name.is_empty() || RESERVED.contains(&name.as_str()) {
        name = format!("key-{name}");
    }
    let mut number = 1_u32;
    let mut unique = name.clone();
    while is_taken(&unique) {
        number += 1;
        unique = format!("{name}-{number}");
    }
    unique
}

impl StoreSigner {
    fn document(&self) -> Value {
        let kind = match self.kind {
            X509Kind::Ca => "ca",
            X509Kind::SigningAuthority => "signingAuthority",
        };
        let revocation = if self.strict { "ifNamed" } else { "ifGiven" };
        let mut document = json!({ "type": kind, "certificates": self.certificates, "revocation": revocation });
        for (key, list) in [
            ("timestampAuthorities", &self.timestamp_authorities),
            ("revocationLists", &self.revocation_lists),
            ("subjects", &self.subjects),
        ] {
            if !list.is_empty() {
                document[key] = json!(list);
            }
        }
        if self.timestamp {
            document["timestamp"] = json!("required");
        }
        document
    }
}

#[cfg(test)]
mod tests;
