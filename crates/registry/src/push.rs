//! Pushing blobs and manifests. Source: distribution-spec 1.1, "Push". A blob goes in one piece; what the registry says it
//! stored is compared with what was sent.

mod referrer;
mod remove;

use bytes::Bytes;
use model::Digest;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Url};

use crate::client::exchange::{Failure, Follow, Question};
use crate::client::sources::Source;
use crate::client::{Access, CONTENT_DIGEST, Inner, mismatch, scope};
use crate::digest;
use crate::error::Error;
use crate::transport::patience::Patience;
use crate::{Client, Descriptor, Location, Reference};

/// More than this is no answer to a push.
pub(crate) const ANSWER: u64 = 64 << 10;

/// A pushed manifest.
#[derive(Debug)]
struct Pushed {
    descriptor: Descriptor,
    /// What `OCI-Subject` says: the registry keeps the list of referrers itself.
    subject: Option<String>,
}

impl Client {
    /// Puts a blob there unless it is there already.
    pub async fn push_blob(&self, location: &Location, media_type: &str, bytes: Bytes) -> Result<Descriptor, Error> {
        let inner = &self.inner;
        let source = Source::origin(location);
        let descriptor = Descriptor::of(media_type, &bytes);
        let mut patience = Patience::new(&inner.options);
        loop {
            match inner.push_blob(&source, &descriptor, &bytes).await {
                Ok(()) => return Ok(descriptor),
                Err(failure) => failure.or_wait(&mut patience).await?,
            }
        }
    }

    /// Puts a manifest there; what it names must be there before.
    pub async fn push_manifest(
        &self,
        location: &Location,
        reference: &Reference,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Descriptor, Error> {
        let source = Source::origin(location);
        Ok(self.inner.push_manifest(&source, reference, media_type, bytes).await?.descriptor)
    }
}

impl Inner {
    /// One try to push a blob: an upload that broke off is begun anew, because nobody knows how far it came.
    async fn push_blob(&self, source: &Source, blob: &Descriptor, bytes: &Bytes) -> Result<(), Failure> {
        let what = format!("push of blob {}", blob.digest);
        let mut question = self.writing(source, &format!("blobs/{}", blob.digest), what.clone())?;
        question.method = Method::HEAD;
        question.follow = Follow::Storage;
        match self.ask_once(&question, 0).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.error.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
        let mut question = self.writing(source, "blobs/uploads/", what)?;
        question.method = Method::POST;
        question.body = Some(("application/octet-stream".to_owned(), Bytes::new()));
        let answer = self.ask_once(&question, ANSWER).await?;
        question.url = upload(&question, &answer.headers)?;
        question.url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        question.method = Method::PUT;
        question.body = Some(("application/octet-stream".to_owned(), bytes.clone()));
        let answer = self.ask_once(&question, ANSWER).await?;
        said_same(&question, answer.header(CONTENT_DIGEST), bytes)
    }

    async fn push_manifest(
        &self,
        source: &Source,
        reference: &Reference,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Pushed, Error> {
        let mut question =
            self.writing(source, &format!("manifests/{reference}"), format!("push of manifest {reference}"))?;
        let mut descriptor = Descriptor::of(media_type, &bytes);
        if let Reference::Digest(expected) = reference {
            descriptor.digest = digest::check(expected, &bytes).map_err(|found| mismatch(&question.asked, *found))?;
        }
        question.method = Method::PUT;
        question.body = Some((media_type.to_owned(), bytes.clone()));
        let answer = self.ask(&question, ANSWER).await?;
        said_same(&question, answer.header(CONTENT_DIGEST), &bytes).map_err(|failure| *failure.error)?;
        let subject = answer.header("oci-subject").map(str::to_owned);
        Ok(Pushed { descriptor, subject })
    }

    /// A question that needs the right to push.
    pub(crate) fn writing<'a>(&self, source: &'a Source, path: &str, what: String) -> Result<Question<'a>, Error> {
        let scope = scope(&source.location, Access::Write);
        Ok(Question { scope, ..self.question(source, path, what)? })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::lasting(error)
    }
}

/// Where to send the content. It has to be the registry itself: the credentials go with it.
pub(crate) fn upload(question: &Question<'_>, headers: &HeaderMap) -> Result<Url, Failure> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| question.url.join(location).ok());
    let malformed =
        |why: &str| Failure::lasting(Error::Malformed { asked: question.asked.clone(), why: why.to_owned() });
    let target = target.ok_or_else(|| malformed("the registry does not say where to send the content"))?;
    if target.host_str() != question.url.host_str() || target.port() != question.url.port() {
        return Err(malformed("the registry wants the content sent to another host"));
    }
    // Behind a proxy that ends TLS, registries write http: the content goes the way the question went.
    let mut url = question.url.clone();
    url.set_path(target.path());
    url.set_query(target.query());
    Ok(url)
}

fn said_same(question: &Question<'_>, said: Option<&str>, bytes: &[u8]) -> Result<(), Failure> {
    let Some(Ok(said)) = said.map(str::parse::<Digest>) else { return Ok(()) };
    match digest::check(&said, bytes) {
        Ok(_) => Ok(()),
        // What the registry says it stored is the "found" of the message.
        Err(found) => {
            let stored = digest::Mismatch { expected: found.found, found: found.expected };
            Err(Failure::lasting(mismatch(&question.asked, stored)))
        }
    }
}
