//! Everything signed that is attached to a manifest: referrers by the API or the fallback tag, and the tags that cosign
//! keeps signatures and attestations under (`.sig`, `.att`), in the image's repository and in those that policies name.
//! All forms that are there are looked at. A place that cannot be listed to its end makes the whole unavailable, never
//! partial (S25); one envelope that cannot be read is named and does not count.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use futures_util::{FutureExt, StreamExt, stream};
use model::{Authentic, Digest, NonEmpty, Reason, ReasonCode, SignatureFormat, Signed, SignedArtifact, Statement};
use registry::{Location, Manifest, Referrers};
use signals::Limits;
use signals::manifest::{ArtifactBlob, blobs};
use signals::predicate::{self, Content};
use trust::Artifact;

use crate::attached::is_signed;
use crate::authenticate::Authenticator;
use crate::source::Source;

/// How many envelopes are looked at for one manifest.
const MOST: usize = 200;
/// How many are fetched at a time.
const AT_ONCE: usize = 8;
/// The suffixes of the tags that cosign uses.
const SUFFIXES: [&str; 2] = [".sig", ".att"];

/// A manifest that holds envelopes.
struct Holder {
    source: Source,
    place: String,
    digest: Digest,
    bytes: Vec<u8>,
    /// A referrer says itself what it is about; what stands under a tag does not.
    is_referrer: bool,
}

/// One envelope that was found.
struct Envelope {
    source: Source,
    place: String,
    manifest: Digest,
    blob: ArtifactBlob,
}

/// What is signed, and what signed statements say, each with the manifest and envelope it was found in.
pub(crate) struct SignedContent {
    pub(crate) artifacts: Vec<SignedArtifact>,
    /// For each artifact, what its predicate says, or why that cannot be read; nothing if it does not verify.
    pub(crate) contents: Vec<Option<Result<Content, Reason>>>,
}

/// What stands under the tags that cosign uses, each manifest with its tag's suffix.
pub(crate) type Tagged = Vec<(&'static str, Manifest)>;

/// Looks under the tags that cosign uses, side by side.
pub(crate) async fn tagged(source: &Source, subject: &Digest) -> Result<Tagged, Reason> {
    let found = join_all(SUFFIXES.map(|suffix| {
        let looked = async move {
            source.under_tag(subject, suffix).await.map(|list| list.into_iter().map(move |manifest| (suffix, manifest)))
        };
        looked.boxed()
    }));
    let mut all = Vec::new();
    for list in found.await {
        all.extend(list?);
    }
    Ok(all)
}

/// Finds and authenticates everything signed that is attached to `subject`. `listed` are its referrers in its own
/// repository; `elsewhere` are other repositories to look in.
pub(crate) async fn signed(
    source: &Source,
    subject: &Digest,
    (listed, tagged): (&Referrers, Tagged),
    elsewhere: &[Location],
    authenticator: &Authenticator,
) -> Result<SignedContent, Reason> {
    let mut holders = holders(source, subject, (listed, tagged), "").await?;
    for location in elsewhere {
        let Source::Registry { client, parts, kept, .. } = source else { continue };
        let (client, location, parts) = (client.clone(), location.clone(), Arc::clone(parts));
        let other = Source::Registry { client, location: location.clone(), parts, kept: kept.clone() };
        let (listed, tagged) = join(other.referrers(subject), self::tagged(&other, subject)).await;
        holders.extend(self::holders(&other, subject, (&listed?, tagged?), &format!(" in {location}")).await?);
    }
    let mut envelopes = Vec::new();
    let mut refused = Vec::new();
    for holder in holders {
        match open(&holder, subject) {
            Ok(list) => {
                envelopes.extend(list.into_iter().map(|blob| Envelope {
                    source: holder.source.clone(),
                    place: holder.place.clone(),
                    manifest: holder.digest.clone(),
                    blob,
                }));
            }
            Err(reason) => refused.push(SignedArtifact {
                format: SignatureFormat::Unknown,
                manifest: holder.digest.clone(),
                envelope: holder.digest,
                place: holder.place,
                verified: Err(NonEmpty::one(reason)),
                provenance: None,
            }),
        }
    }
    if envelopes.len() + refused.len() > MOST {
        let message = format!("more than {MOST} signatures are attached to {subject}; they are not looked at in part");
        return Err(Reason::new(ReasonCode::RegistryReferrersCut, message));
    }
    let read = stream::iter(envelopes)
        .map(|envelope| authenticate(envelope, subject, authenticator).boxed())
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut found = SignedContent { artifacts: Vec::new(), contents: Vec::new() };
    for (artifact, content) in read.into_iter().chain(refused.into_iter().map(|artifact| (artifact, None))) {
        found.artifacts.push(artifact);
        found.contents.push(content);
    }
    Ok(found)
}

/// The manifests of one repository that hold envelopes about the subject.
async fn holders(
    source: &Source,
    subject: &Digest,
    (listed, tagged): (&Referrers, Tagged),
    suffix: &str,
) -> Result<Vec<Holder>, Reason> {
    let mut found: BTreeMap<Digest, Holder> = BTreeMap::new();
    let mut signed = listed.descriptors.clone();
    signed.retain(|descriptor| is_signed(descriptor.artifact_type.as_deref().unwrap_or(&descriptor.media_type)));
    let opened = stream::iter(signed)
        .map(|descriptor| async move {
            match listed.opened.get(&descriptor.digest) {
                Some(manifest) => Ok((descriptor, manifest.bytes.to_vec())),
                None => source.manifest(&descriptor.digest).await.map(|found| (descriptor, found.bytes.to_vec())),
            }
        })
        .buffered(AT_ONCE)
        .collect::<Vec<Result<_, Reason>>>()
        .await;
    for one in opened {
        let (descriptor, bytes) = one?;
        let place = format!("referrer{suffix}");
        let holder =
            Holder { source: source.clone(), place, digest: descriptor.digest.clone(), bytes, is_referrer: true };
        found.insert(descriptor.digest.clone(), holder);
        if found.len() > MOST {
            let message = format!("more than {MOST} signed artifacts refer to {subject}");
            return Err(Reason::new(ReasonCode::RegistryReferrersCut, message));
        }
    }
    for (tag, manifest) in tagged {
        let place = format!("tag {}{tag}{suffix}", subject.as_str().replacen(':', "-", 1));
        found.entry(manifest.digest.clone()).or_insert_with(|| Holder {
            source: source.clone(),
            place,
            digest: manifest.digest.clone(),
            bytes: manifest.bytes.to_vec(),
            is_referrer: false,
        });
    }
    Ok(found.into_values().collect())
}

/// The envelopes in a manifest.
fn open(holder: &Holder, subject: &Digest) -> Result<Vec<ArtifactBlob>, Reason> {
    let limits = &Limits::STANDARD;
    if holder.is_referrer {
        let about = signals::manifest::subject(&holder.bytes, limits)?;
        if about.as_ref() != Some(subject) {
            // A list under a fallback tag is written by whoever may push; only the manifest itself says what it is about.
            let message = format!("it is listed as a referrer of {subject}, and is not about it");
            return Err(Reason::new(ReasonCode::SignatureOtherImage, message));
        }
    }
    blobs(&holder.bytes, limits)
}

/// The form that a layer's media type says.
fn format_of(media_type: &str) -> SignatureFormat {
    let name = media_type.split(';').next().unwrap_or(media_type).trim().to_ascii_lowercase();
    match name.as_str() {
        "application/vnd.dev.cosign.simplesigning.v1+json" => SignatureFormat::CosignSignature,
        "application/vnd.dsse.envelope.v1+json" => SignatureFormat::DsseEnvelope,
        "application/jose+json" => SignatureFormat::NotationJws,
        "application/cose" => SignatureFormat::NotationCose,
        bundle if bundle.starts_with("application/vnd.dev.sigstore.bundle") => SignatureFormat::Bundle,
        _ => SignatureFormat::Unknown,
    }
}

async fn authenticate(
    envelope: Envelope,
    subject: &Digest,
    authenticator: &Authenticator,
) -> (SignedArtifact, Option<Result<Content, Reason>>) {
    let Envelope { source, place, manifest, blob } = envelope;
    let format = format_of(&blob.media_type);
    let none = BTreeMap::new();
    let verified = match source.document(&blob.digest, &blob.media_type).await {
        Err(reason) => Err(NonEmpty::one(reason)),
        Ok(bytes) => {
            let annotations = blob.annotations.as_ref().unwrap_or(&none);
            let artifact = Artifact { format, media_type: &blob.media_type, bytes: &bytes, annotations };
            authenticator.verify(subject, &artifact)
        }
    };
    let content = match verified.as_ref().map(Authentic::content) {
        Ok(Signed::Statement(statement)) => Some(read(statement, &manifest)),
        Ok(Signed::Image(_)) | Err(_) => None,
    };
    let is_provenance = |statement: &Statement| predicate::is_provenance(&statement.predicate_type);
    let provenance = match (&verified, &content) {
        (_, Some(Ok(Content::Provenance(provenance)))) => Some(Ok(provenance.as_ref().clone())),
        (Ok(authentic), Some(Err(reason))) => match authentic.content() {
            Signed::Statement(statement) if is_provenance(statement) => Some(Err(reason.clone())),
            _ => None,
        },
        _ => None,
    };
    (SignedArtifact { format, manifest, envelope: blob.digest, place, verified, provenance }, content)
}

/// What an authenticated statement says.
fn read(statement: &Statement, manifest: &Digest) -> Result<Content, Reason> {
    predicate::read(statement, &Limits::STANDARD).map_err(|error| {
        let message = format!("the signed statement {} ({}): {error}", manifest.short(), statement.predicate_type);
        Reason::new(ReasonCode::AttestationInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_forms_are_told_by_media_type_and_others_are_unknown_not_absent() {
        for (media_type, format) in [
            ("application/vnd.dev.sigstore.bundle.v0.3+json", SignatureFormat::Bundle),
            ("application/vnd.dev.sigstore.bundle+json;version=0.2", SignatureFormat::Bundle),
            ("application/vnd.dev.cosign.simplesigning.v1+json", SignatureFormat::CosignSignature),
            ("application/vnd.dsse.envelope.v1+json", SignatureFormat::DsseEnvelope),
            ("application/jose+json", SignatureFormat::NotationJws),
            ("application/cose", SignatureFormat::NotationCose),
            ("application/json", SignatureFormat::Unknown),
        ] {
            assert_eq!(format_of(media_type), format, "{media_type}");
        }
    }
}
