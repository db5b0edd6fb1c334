//! What the registry holds and remembers: repositories, tokens given out, uploads under way, faults, the log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use super::auth::Token;
use super::digest_of;
use super::fault::Fault;
use super::registry::Settings;
use super::wire::Call;

/// A request as the registry saw it.
#[derive(Debug, Clone)]
pub struct Logged {
    pub method: String,
    /// Without the query, escapes undone.
    pub path: String,
    /// The query as it was sent; empty if there was none.
    pub query: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Accept` headers, joined.
    pub accept: String,
    /// Every header, names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// When it had arrived in full.
    pub at: Instant,
}

impl Logged {
    /// `GET /v2/app/tags/list?n=2`
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// Whether credentials or a token were sent along.
    pub fn had_authorization(&self) -> bool {
        self.authorization.is_some()
    }
}

/// A repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    /// Media type and bytes by digest.
    pub(super) manifests: BTreeMap<String, (String, Vec<u8>)>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct State {
    pub(super) address: SocketAddr,
    pub(super) settings: Settings,
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) uploads: BTreeMap<String, Vec<u8>>,
    pub(super) faults: Vec<Fault>,
    pub(super) log: Vec<Logged>,
    numbers: usize,
}

impl State {
    pub(super) fn new(address: SocketAddr, settings: Settings) -> Self {
        Self {
            address,
            settings,
            repositories: BTreeMap::new(),
            tokens: BTreeMap::new(),
            uploads: BTreeMap::new(),
            faults: Vec::new(),
            log: Vec::new(),
            numbers: 0,
        }
    }

    /// A number that was not given out before.
    pub(super) fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn note(&mut self, call: &Call) {
        let accept = call.headers.iter().filter(|(name, _)| name == "accept").map(|(_, value)| value.as_str());
        self.log.push(Logged {
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.target.split_once('?').map_or("", |(_, query)| query).to_owned(),
            authorization: call.header("authorization").map(str::to_owned),
            accept: accept.collect::<Vec<_>>().join(", "),
            headers: call.headers.clone(),
            at: Instant::now(),
        });
    }

    /// The first fault that takes this request.
    pub(super) fn fault(&mut self, call: &Call) -> Option<Fault> {
        self.faults.iter_mut().find_map(|fault| fault.takes(&call.method, &call.path).then(|| fault.clone()))
    }

    pub(super) fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// The digest a tag stands for, or the digest itself if there is such a manifest.
    pub(super) fn resolve(&self, name: &str, reference: &str) -> Option<String> {
        let repository = self.repositories.get(name)?;
        match repository.tags.get(reference) {
            Some(digest) => Some(digest.clone()),
            None => repository.manifests.contains_key(reference).then(|| reference.to_owned()),
        }
    }

    pub(super) fn put_manifest(&mut self, name: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let repository = self.repository(name);
        repository.manifests.insert(digest.clone(), (media_type.to_owned(), bytes.to_owned()));
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    /// Descriptors of the manifests in a repository that name this digest as their subject, in the order of digests.
    pub(super) fn referrers(&self, name: &str, subject: &str) -> Vec<Value> {
        let manifests = self.repositories.get(name).map(|repository| &repository.manifests);
        let described = |(digest, (media_type, bytes)): (&String, &(String, Vec<u8>))| {
            let manifest: Value = serde_json::from_slice(bytes).ok()?;
            (manifest["subject"]["digest"] == subject).then(|| descriptor(digest, media_type, bytes, &manifest))
        };
        manifests.into_iter().flatten().filter_map(described).collect()
    }
}

/// A referrer as the referrers API and the fallback tag list it.
pub(super) fn descriptor(digest: &str, media_type: &str, bytes: &[u8], manifest: &Value) -> Value {
    let artifact = manifest["artifactType"].as_str().or_else(|| manifest["config"]["mediaType"].as_str());
    let mut described = json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
    if let Some(artifact) = artifact {
        described["artifactType"] = artifact.into();
    }
    if manifest["annotations"].is_object() {
        described["annotations"] = manifest["annotations"].clone();
    }
    described
}
