//! The registry as a test holds it: what it is set to, what is put into it, what goes wrong, what it was asked.

use serde_json::{Value, json};

use super::auth::Auth;
use super::fault::Fault;
use super::image::{Blob, Stored};
use super::server::Server;
use super::state::{Logged, State, descriptor};
use super::{INDEX, digest_of};

/// How a registry behaves, before it is started with [`Settings::start`].
#[derive(Debug, Clone)]
#[must_use]
#[allow(clippy::struct_excessive_bools, reason = "each is what one kind of registry does or does not")]
pub struct Settings {
    pub(super) auth: Auth,
    pub(super) referrers: bool,
    pub(super) filters_referrers: bool,
    pub(super) page_size: Option<usize>,
    pub(super) blob_storage: Option<String>,
    pub(super) absolute_locations: bool,
    pub(super) mounts_blobs: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            referrers: true,
            filters_referrers: true,
            page_size: None,
            blob_storage: None,
            absolute_locations: true,
            mounts_blobs: true,
        }
    }
}

impl Settings {
    /// Open to everybody, with the referrers API, everything on one page.
    pub fn new() -> Self {
        Self::default()
    }

    /// How callers are known.
    pub fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// Without the referrers API: 404, and referrers are found by the fallback tag.
    pub fn without_referrers_api(self) -> Self {
        Self { referrers: false, ..self }
    }

    /// The referrers API ignores `artifactType`, as the specification allows.
    pub fn without_referrers_filter(self) -> Self {
        Self { filters_referrers: false, ..self }
    }

    /// At most so many tags and referrers on a page; the next page is in `Link`.
    pub fn page_size(self, entries: usize) -> Self {
        Self { page_size: Some(entries), ..self }
    }

    /// `GET` of a blob answers 307 to `BASE/storage/DIGEST`: the [`Registry::url`] of another registry that holds the
    /// blob. The storage refuses a request with credentials.
    pub fn blobs_from(self, base: &str) -> Self {
        Self { blob_storage: Some(base.to_owned()), ..self }
    }

    /// `Location` headers of uploads without scheme and host.
    pub fn relative_locations(self) -> Self {
        Self { absolute_locations: false, ..self }
    }

    /// A cross-repository mount is answered with an upload to begin.
    pub fn without_mount(self) -> Self {
        Self { mounts_blobs: false, ..self }
    }

    /// Starts the registry.
    pub fn start(self) -> Registry {
        Registry { server: Server::start(|address| State::new(address, self)) }
    }
}

/// A running registry on loopback, in memory. Dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    server: Server,
}

impl Registry {
    /// An open registry with the referrers API.
    pub fn start() -> Self {
        Settings::new().start()
    }

    /// `127.0.0.1:PORT`, as it stands in an image reference.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// `127.0.0.1:PORT/NAME`
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.server.address())
    }

    /// Puts a blob into a repository: its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        self.server.shared.state().repository(repository).blobs.insert(digest.clone(), bytes.to_owned());
        digest
    }

    /// Puts a blob under a digest that is not its own.
    pub fn put_blob_as(&self, repository: &str, digest: &str, bytes: &[u8]) {
        self.server.shared.state().repository(repository).blobs.insert(digest.to_owned(), bytes.to_owned());
    }

    /// Puts a manifest into a repository, unchecked: its digest.
    pub fn put_manifest(&self, repository: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> String {
        self.server.shared.state().put_manifest(repository, tag, media_type, bytes)
    }

    /// Puts a manifest under a digest that is not its own.
    pub fn put_manifest_as(&self, repository: &str, digest: &str, media_type: &str, bytes: &[u8]) {
        let manifest = (media_type.to_owned(), bytes.to_owned());
        self.server.shared.state().repository(repository).manifests.insert(digest.to_owned(), manifest);
    }

    /// Lets a tag stand for a digest.
    pub fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.server.shared.state().repository(repository).tags.insert(tag.to_owned(), digest.to_owned());
    }

    /// Puts an image, an index or a referrer there with everything in it: the digest of its manifest. Without the
    /// referrers API a referrer is listed under the fallback tag, as a client would have done.
    pub fn push(&self, repository: &str, tag: Option<&str>, content: &impl Stored) -> String {
        for blob in content.blobs() {
            self.put_blob(repository, &blob.bytes);
        }
        for manifest in content.manifests() {
            self.put_manifest(repository, None, &manifest.media_type, &manifest.bytes);
        }
        let root = content.root();
        if let Some(tag) = tag {
            self.tag(repository, tag, &root.digest);
        }
        let referrers = self.server.shared.state().settings.referrers;
        if let Some(subject) = content.subject().filter(|_| !referrers) {
            self.list_in_fallback_tag(repository, subject, root);
        }
        root.digest.clone()
    }

    /// Adds a manifest to the index under the subject's fallback tag (`sha256-HEX`).
    pub fn list_in_fallback_tag(&self, repository: &str, subject: &str, manifest: &Blob) {
        let tag = subject.replace(':', "-");
        let mut state = self.server.shared.state();
        let listed = state.resolve(repository, &tag);
        let listed = listed.and_then(|digest| state.repository(repository).manifests.get(&digest).cloned());
        let mut index: Value = listed
            .and_then(|(_, bytes)| serde_json::from_slice(&bytes).ok())
            .unwrap_or_else(|| json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }));
        let content: Value = serde_json::from_slice(&manifest.bytes).unwrap_or(Value::Null);
        let described = descriptor(&manifest.digest, &manifest.media_type, &manifest.bytes, &content);
        index["manifests"].as_array_mut().expect("an index lists manifests").push(described);
        state.put_manifest(repository, Some(&tag), INDEX, index.to_string().as_bytes());
    }

    /// A manifest that is there, by tag or digest: media type and bytes.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let mut state = self.server.shared.state();
        let digest = state.resolve(repository, reference)?;
        state.repository(repository).manifests.get(&digest).cloned()
    }

    /// A blob that is there.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        self.server.shared.state().repository(repository).blobs.get(digest).cloned()
    }

    /// What is listed as referring to a manifest: by the registry itself, or under the fallback tag.
    pub fn referrers(&self, repository: &str, subject: &str) -> Vec<String> {
        let state = self.server.shared.state();
        let listed = if state.settings.referrers {
            state.referrers(repository, subject)
        } else {
            drop(state);
            let tag = subject.replace(':', "-");
            let index = self.manifest(repository, &tag);
            let index = index.and_then(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).ok());
            index.and_then(|index| index["manifests"].as_array().cloned()).unwrap_or_default()
        };
        listed.iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
    }

    /// The tags of a repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        self.server.shared.state().repository(repository).tags.keys().cloned().collect()
    }

    /// Takes a blob away: the manifest that names it stays.
    pub fn remove_blob(&self, repository: &str, digest: &str) {
        self.server.shared.state().repository(repository).blobs.remove(digest);
    }

    /// Takes a manifest and its tags away.
    pub fn remove_manifest(&self, repository: &str, digest: &str) {
        let mut state = self.server.shared.state();
        let repository = state.repository(repository);
        repository.manifests.remove(digest);
        repository.tags.retain(|_, tagged| tagged != digest);
    }

    /// Something goes wrong from now on. Of the faults that fit a request, the one added first is taken.
    pub fn fault(&self, fault: Fault) {
        self.server.shared.state().faults.push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.server.shared.state().faults.clear();
    }

    /// Every token given out so far is unknown from now on.
    pub fn forget_tokens(&self) {
        self.server.shared.state().tokens.clear();
    }

    /// Everything asked so far, in order.
    pub fn requests(&self) -> Vec<Logged> {
        self.server.shared.state().log.clone()
    }

    /// The same as lines: `GET /v2/app/manifests/latest`.
    pub fn lines(&self) -> Vec<String> {
        self.server.shared.state().log.iter().map(Logged::line).collect()
    }

    /// How many requests of this method (`*` for any) had a path that contains this.
    pub fn count(&self, method: &str, path_contains: &str) -> usize {
        let fits = |logged: &&Logged| (method == "*" || logged.method == method) && logged.path.contains(path_contains);
        self.server.shared.state().log.iter().filter(fits).count()
    }

    /// Forgets what was asked.
    pub fn clear_log(&self) {
        self.server.shared.state().log.clear();
    }
}
