//! Blobs from one repository to another: those that are there are left alone, those of the same registry are mounted, the others go through as a
//! stream. The last bytes are let go only when the digest of all was right, so that a registry never holds the whole of something wrong.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};

use super::plan::{Blob, Plan};
use super::{CopyLimits, CopyProgress};
use crate::auth::Login;
use crate::blob::BlobReader;
use crate::client::exchange::{Failure, Follow, Question};
use crate::client::sources::Source;
use crate::client::{Access, CONTENT_DIGEST, Inner, scope};
use crate::error::Error;
use crate::push::{ANSWER, upload};
use crate::transport::patience::Patience;
use crate::{Client, Descriptor, Location};

const BYTES: &str = "application/octet-stream";

/// What a try came to.
enum Sent {
    /// It was there, or was mounted.
    There,
    /// It went through.
    Whole,
}

impl Client {
    pub(super) async fn copy_blobs(
        &self,
        from: &Location,
        to: &Location,
        plan: &Plan,
        limits: &CopyLimits,
        progress: &CopyProgress,
    ) -> Result<(), Error> {
        let copies: Vec<_> =
            plan.blobs.values().map(|blob| Box::pin(self.copy_blob(from, to, blob, progress))).collect();
        futures_util::stream::iter(copies).buffer_unordered(limits.concurrency.max(1)).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn copy_blob(
        &self,
        from: &Location,
        to: &Location,
        blob: &Blob,
        progress: &CopyProgress,
    ) -> Result<(), Error> {
        let descriptor = Descriptor::new(BYTES, blob.part.digest.clone(), blob.part.size);
        let mut patience = Patience::new(&self.inner.options).without_deadline();
        loop {
            match self.try_blob(from, to, &descriptor, progress).await {
                Ok(Sent::There | Sent::Whole) => break,
                // Whoever pulls gets it elsewhere; the registry may not have it.
                Err(failure) if failure.error.is_not_found() && !blob.is_needed => break,
                Err(failure) => failure.or_wait(&mut patience).await?,
            }
        }
        progress.blob(blob.part.size);
        Ok(())
    }

    /// One try: an upload that broke off is begun anew, because nobody knows how far it came.
    async fn try_blob(
        &self,
        from: &Location,
        to: &Location,
        blob: &Descriptor,
        progress: &CopyProgress,
    ) -> Result<Sent, Failure> {
        let inner = &self.inner;
        let (origin, target) = (Source::origin(from), Source::origin(to));
        let what = format!("copy of blob {}", blob.digest);
        let mut question = inner.writing(&target, &format!("blobs/{}", blob.digest), what.clone())?;
        question.method = Method::HEAD;
        question.follow = Follow::Storage;
        match inner.ask_once(&question, 0).await {
            Ok(_) => return Ok(Sent::There),
            Err(failure) if failure.error.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
        let mut question = inner.writing(&target, "blobs/uploads/", what)?;
        question.method = Method::POST;
        question.body = Some((BYTES.to_owned(), Bytes::new()));
        if origin.location.host == target.location.host {
            question.scope = format!("{} {}", question.scope, scope(&origin.location, Access::Read));
            question
                .url
                .query_pairs_mut()
                .append_pair("mount", blob.digest.as_str())
                .append_pair("from", &origin.location.api_path());
        }
        let begun = inner.ask_once(&question, ANSWER).await?;
        if begun.status == reqwest::StatusCode::CREATED {
            return Ok(Sent::There);
        }
        question.url = upload(&question, &begun.headers)?;
        question.url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        question.method = Method::PUT;
        let reader = self.blob_stream(from, blob).await.map_err(Failure::reading)?;
        inner.send_blob(&question, reader, blob, progress).await?;
        Ok(Sent::Whole)
    }
}

impl Inner {
    /// Sends a blob as it comes. What failed on the way in is told as that, not as a broken upload.
    async fn send_blob(
        &self,
        question: &Question<'_>,
        reader: BlobReader,
        blob: &Descriptor,
        progress: &CopyProgress,
    ) -> Result<(), Failure> {
        let login =
            Login { host: question.host, registry: &question.url, scope: &question.scope, asked: &question.asked };
        let grant = self.auth.ready(&self.transport, &login).await?;
        let mut request = reqwest::Request::new(Method::PUT, question.url.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(BYTES));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(blob.size));
        headers.extend(grant.map(|grant| (AUTHORIZATION, grant.header)));
        let broken: Arc<Mutex<Option<Error>>> = Arc::default();
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let body = checked(reader, Arc::clone(&broken), Arc::clone(&sent));
        *request.body_mut() = Some(reqwest::Body::wrap_stream(body));
        let answered = self.transport.upload(request, &sent).await;
        progress.sent(sent.load(std::sync::atomic::Ordering::Relaxed));
        if let Some(error) = broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(Failure::reading(error));
        }
        let response = answered.map_err(|error| Failure::sending(&question.asked, error))?;
        if !response.status().is_success() {
            return Err(Failure::of(&question.asked, response, &self.transport).await);
        }
        let said = response.headers().get(CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or("");
        match said.parse::<model::Digest>() {
            Ok(said) if said != blob.digest && algorithm(&said) == algorithm(&blob.digest) => {
                let why = format!("the registry stored it as {said}");
                Err(Failure::lasting(Error::Malformed { asked: question.asked.clone(), why }))
            }
            _ => Ok(()),
        }
    }
}

fn algorithm(digest: &model::Digest) -> &str {
    digest.as_str().split(':').next().unwrap_or("")
}

/// The bytes of a blob, each piece held back until the next one is there: the last one until all were right.
fn checked(
    reader: BlobReader,
    broken: Arc<Mutex<Option<Error>>>,
    sent: Arc<std::sync::atomic::AtomicU64>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    let state = (Some(reader), Bytes::new());
    futures_util::stream::unfold(state, move |(reader, mut held)| {
        let (broken, sent) = (Arc::clone(&broken), Arc::clone(&sent));
        async move {
            let mut reader = reader?;
            loop {
                let next = match reader.chunk().await {
                    Ok(next) => next,
                    Err(error) => {
                        *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                        return Some((Err(error.into_io()), (None, Bytes::new())));
                    }
                };
                let is_end = next.is_empty();
                let ready = std::mem::replace(&mut held, next);
                if is_end {
                    sent.fetch_add(ready.len() as u64, std::sync::atomic::Ordering::Relaxed);
                    return (!ready.is_empty()).then_some((Ok(ready), (None, Bytes::new())));
                }
                if !ready.is_empty() {
                    sent.fetch_add(ready.len() as u64, std::sync::atomic::Ordering::Relaxed);
                    return Some((Ok(ready), (Some(reader), held)));
                }
            }
        }
    })
    .boxed()
}
