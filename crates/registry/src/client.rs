//! The client: one method per question to a registry. Source: OCI distribution-spec 1.1. Manifests and blobs are asked
//! for at the mirrors of a host first; every other question goes to the host itself.

mod answer;
pub(crate) mod exchange;
pub(crate) mod lists;
pub(crate) mod sources;

use std::sync::Arc;

use bytes::Bytes;
use model::Digest;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Method, Url};

use crate::auth::Auth;
use crate::blob::BlobReader;
use crate::client::exchange::{Follow, Question};
use crate::client::sources::Source;
use crate::digest::{self, Mismatch};
use crate::error::{Asked, Error};
use crate::location::api_host;
use crate::manifest::{self, ACCEPT};
use crate::transport::Transport;
use crate::{Credentials, Descriptor, Location, Manifest, Options, Reference};

/// The digest that a registry gives what it answers with.
pub(crate) const CONTENT_DIGEST: &str = "docker-content-digest";

/// A client for any number of registries. Cheap to clone; clones share logins, connections and the request counter.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) transport: Transport,
    pub(crate) auth: Auth,
    /// One writer of fallback tags at a time: two of ours need not race each other.
    pub(crate) writing: tokio::sync::Mutex<()>,
}

/// What a question needs to be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Client {
    /// A client with these options, who it is at each registry from `credentials`.
    pub fn new(options: Options, credentials: Arc<dyn Credentials>) -> Result<Self, Error> {
        let transport = Transport::new(&options)?;
        let auth = Auth::new(&options, credentials);
        Ok(Self { inner: Arc::new(Inner { options, transport, auth, writing: tokio::sync::Mutex::default() }) })
    }

    /// How many HTTP requests were sent, logins, redirects and repetitions included.
    pub fn requests(&self) -> u64 {
        self.inner.transport.sent()
    }

    /// A manifest or index, its digest computed and compared with the asked one and with what the registry says.
    pub async fn manifest(&self, location: &Location, reference: &Reference) -> Result<Manifest, Error> {
        let mut last = None;
        for source in self.inner.sources_of(location, reference) {
            match self.inner.manifest(&source, reference, Follow::Registry).await {
                Ok(manifest) => return Ok(manifest),
                Err(error) => last = Some(error),
            }
        }
        Err(nowhere(last))
    }

    /// What a reference names, without its content. For a tag, the digest is what the registry says; only a manifest that
    /// was fetched proves it.
    pub async fn head(&self, location: &Location, reference: &Reference) -> Result<Descriptor, Error> {
        let mut last = None;
        for source in self.inner.sources_of(location, reference) {
            match self.inner.head(&source, reference).await {
                Ok(descriptor) => return Ok(descriptor),
                Err(error) => last = Some(error),
            }
        }
        Err(nowhere(last))
    }

    /// A blob of at most `limit` bytes, checked against its digest.
    pub async fn blob(&self, location: &Location, digest: &Digest, limit: u64) -> Result<Bytes, Error> {
        let mut last = None;
        for source in self.inner.sources(location) {
            match self.inner.blob(&source, digest, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => last = Some(error),
            }
        }
        Err(nowhere(last))
    }

    /// A blob as a stream; see [`BlobReader`] for what is checked when.
    pub async fn blob_stream(&self, location: &Location, blob: &Descriptor) -> Result<BlobReader, Error> {
        let mut last = None;
        for source in self.inner.sources(location) {
            let question = self.inner.blob_question(&source, &blob.digest)?;
            let opened = self.inner.open(&question).await;
            match opened.and_then(|response| BlobReader::new(response, blob, question.asked)) {
                Ok(reader) => return Ok(reader),
                Err(error) => last = Some(error),
            }
        }
        Err(nowhere(last))
    }
}

/// The last error of several sources; there is always at least the host itself.
fn nowhere(last: Option<Error>) -> Error {
    last.unwrap_or_else(|| Error::Setup("there is nobody to ask".to_owned()))
}

impl Inner {
    pub(crate) async fn manifest(
        &self,
        source: &Source,
        reference: &Reference,
        follow: Follow,
    ) -> Result<Manifest, Error> {
        let mut question = self.question(source, &format!("manifests/{reference}"), format!("manifest {reference}"))?;
        question.accept = Some(ACCEPT);
        question.follow = follow;
        let answer = self.ask(&question, self.options.limits.manifest_bytes).await?;
        let asked = question.asked;
        let said = said_digest(&asked, answer.header(CONTENT_DIGEST))?;
        let expected = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(_) => said.clone().unwrap_or_else(|| Digest::of(&answer.body)),
        };
        let digest = digest::check(&expected, &answer.body).map_err(|found| mismatch(&asked, *found))?;
        if let Some(said) = said
            && said != digest
        {
            digest::check(&said, &answer.body).map_err(|found| mismatch(&asked, *found))?;
        }
        let media_type = manifest::media_type(answer.header(CONTENT_TYPE), &answer.body)
            .map_err(|why| Error::Malformed { asked, why })?;
        Ok(Manifest { digest, media_type, bytes: answer.body })
    }

    async fn head(&self, source: &Source, reference: &Reference) -> Result<Descriptor, Error> {
        let mut question = self.question(source, &format!("manifests/{reference}"), format!("manifest {reference}"))?;
        question.method = Method::HEAD;
        question.accept = Some(ACCEPT);
        question.follow = Follow::Registry;
        let answer = match self.ask(&question, 0).await {
            Ok(answer) => answer,
            Err(Error::Refused { status: 405, .. }) => {
                return Ok(self.manifest(source, reference, Follow::Registry).await?.descriptor());
            }
            Err(error) => return Err(error),
        };
        let said = said_digest(&question.asked, answer.header(CONTENT_DIGEST))?;
        let size = answer.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let media_type = answer.header(CONTENT_TYPE).map(manifest::essence).filter(|name| !manifest::is_generic(name));
        let (Some(said), Some(size), Some(media_type)) = (said, size, media_type) else {
            return Ok(self.manifest(source, reference, Follow::Registry).await?.descriptor());
        };
        if let Reference::Digest(expected) = reference
            && *expected != said
        {
            return Err(mismatch(&question.asked, Mismatch { expected: expected.clone(), found: said }));
        }
        Ok(Descriptor::new(media_type, said, size))
    }

    async fn blob(&self, source: &Source, digest: &Digest, limit: u64) -> Result<Bytes, Error> {
        let question = self.blob_question(source, digest)?;
        let answer = self.ask(&question, limit).await?;
        digest::check(digest, &answer.body).map_err(|found| mismatch(&question.asked, *found))?;
        Ok(answer.body)
    }

    fn blob_question<'a>(&self, source: &'a Source, digest: &Digest) -> Result<Question<'a>, Error> {
        let mut question = self.question(source, &format!("blobs/{digest}"), format!("blob {digest}"))?;
        question.follow = Follow::Storage;
        Ok(question)
    }

    /// A question about a repository: GET, no redirect followed.
    pub(crate) fn question<'a>(&self, source: &'a Source, path: &str, what: String) -> Result<Question<'a>, Error> {
        let asked = source.asked(what);
        // S37: a mirror is asked where what it mirrors is.
        self.within_reach(&source.mirror_of.as_ref().unwrap_or(&source.location).host, &asked)?;
        Ok(Question {
            method: Method::GET,
            host: &source.location.host,
            url: self.url(&source.location.host, &format!("{}/{path}", source.location.api_path()))?,
            scope: scope(&source.location, Access::Read),
            asked,
            accept: None,
            body: None,
            follow: Follow::No,
        })
    }

    /// S37: what is not listed is not asked, whoever names it: a policy, an image, or who asks.
    pub(crate) fn within_reach(&self, host: &str, asked: &Asked) -> Result<(), Error> {
        if self.options.reach.allows(host) {
            return Ok(());
        }
        let why = format!("{host} is none of the registries that are listed");
        Err(Error::OutOfReach { asked: asked.clone(), why })
    }

    /// The address of a path under `/v2/`.
    pub(crate) fn url(&self, host: &str, path: &str) -> Result<Url, Error> {
        let listed = &self.options.insecure_hosts;
        let answers = api_host(host);
        let scheme = if listed.contains(host) || listed.contains(&answers) { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{answers}/v2/{path}"));
        let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
        match url {
            Ok(url) if url.host_str().is_some() && plain(&url) => Ok(url),
            _ => Err(Error::Setup(format!("{host:?} is not a registry host"))),
        }
    }
}

/// What a login must allow.
pub(crate) fn scope(location: &Location, access: Access) -> String {
    let actions = match access {
        Access::Read => "pull",
        Access::Write => "pull,push",
    };
    format!("repository:{}:{actions}", location.api_path())
}

fn said_digest(asked: &Asked, header: Option<&str>) -> Result<Option<Digest>, Error> {
    let parsed = header.filter(|text| !text.is_empty()).map(str::parse).transpose();
    parsed.map_err(|error: model::DigestError| Error::Malformed {
        asked: asked.clone(),
        why: format!("the answer's Docker-Content-Digest is no digest: {error}"),
    })
}

pub(crate) fn mismatch(asked: &Asked, found: Mismatch) -> Error {
    Error::DigestMismatch { asked: asked.clone(), expected: found.expected, found: found.found }
}
