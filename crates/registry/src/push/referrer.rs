//! Attaching an artifact to an image: an image manifest with an empty configuration, an artifact type and a subject. Where
//! the registry keeps no list of referrers itself, its entry in the fallback tag is read, merged, pushed, and read again
//! (S25). Two writers can still lose an entry to each other after that: registries have no conditional push.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::Tag;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::client::Inner;
use crate::client::lists::malformed;
use crate::client::sources::Source;
use crate::error::{Asked, Error};
use crate::media_type::{EMPTY, OCI_INDEX, OCI_MANIFEST};
use crate::referrers::{Found, Index, fallback_tag};
use crate::transport::patience::Patience;
use crate::{Client, Descriptor, Location, Reference};

/// How often the fallback tag is written when others write it too.
const ATTEMPTS: u32 = 6;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
struct Artifact<'a> {
    schema_version: u8,
    media_type: &'a str,
    artifact_type: &'a str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
    subject: &'a Descriptor,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl Client {
    /// Attaches an artifact to an image, each layer as (media type, content). The same call makes the same manifest: what
    /// is there already is not pushed twice.
    pub async fn push_referrer(
        &self,
        location: &Location,
        subject: &Descriptor,
        artifact_type: &str,
        layers: Vec<(String, Bytes)>,
        annotations: BTreeMap<String, String>,
    ) -> Result<Descriptor, Error> {
        let empty = Bytes::from_static(b"{}");
        let config = self.push_blob(location, EMPTY, empty).await?;
        let mut pushed = Vec::new();
        for (media_type, bytes) in layers {
            pushed.push(self.push_blob(location, &media_type, bytes).await?);
        }
        if pushed.is_empty() {
            pushed.push(config.clone());
        }
        let manifest = Artifact {
            schema_version: 2,
            media_type: OCI_MANIFEST,
            artifact_type,
            config: &config,
            layers: &pushed,
            subject: &Descriptor::new(subject.media_type.as_str(), subject.digest.clone(), subject.size),
            annotations: &annotations,
        };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| Error::Setup(error.to_string()))?;
        let digest = model::Digest::of(&bytes);
        let source = Source::origin(location);
        let stored = self.inner.push_manifest(&source, &digest.into(), OCI_MANIFEST, bytes.into()).await?;
        let descriptor = Descriptor { artifact_type: Some(artifact_type.to_owned()), annotations, ..stored.descriptor };
        match stored.subject.as_deref() {
            None => self.inner.list(&source, subject, std::slice::from_ref(&descriptor)).await?,
            Some(kept) if kept == subject.digest.as_str() => {}
            Some(kept) => {
                let asked = source.asked(format!("push of manifest {}", descriptor.digest));
                return Err(malformed(&asked, format!("the registry files it under {kept:?}, not {}", subject.digest)));
            }
        }
        Ok(descriptor)
    }
}

impl Inner {
    /// Puts entries into the list under the fallback tag.
    pub(crate) async fn list(
        &self,
        source: &Source,
        subject: &Descriptor,
        entries: &[Descriptor],
    ) -> Result<(), Error> {
        let tag: Tag = fallback_tag(&subject.digest).parse().map_err(|error| Error::Setup(format!("{error}")))?;
        let reference = Reference::Tag(tag);
        let asked = source.asked(format!("list of referrers under the tag {reference}"));
        let _ours = self.writing.lock().await;
        let mut patience = Patience::new(&self.options).tries(ATTEMPTS);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let before = match self.fallback(source, &subject.digest).await? {
                Found::Index(index) => Some(index.bytes),
                Found::Nothing => None,
            };
            match merged(before.as_deref(), entries).map_err(|why| malformed(&asked, why))? {
                None => return Ok(()),
                Some(index) => self.push_manifest(source, &reference, OCI_INDEX, index.into()).await?,
            };
            if let Found::Index(after) = self.fallback(source, &subject.digest).await?
                && lists(&after.bytes, entries).map_err(|why| malformed(&asked, why))?
            {
                return Ok(());
            }
            if !patience.another(None).await {
                return Err(Error::LostRace { asked: lost(&asked, entries), attempts });
            }
        }
    }
}

fn lost(asked: &Asked, entries: &[Descriptor]) -> Asked {
    let entries: Vec<&str> = entries.iter().take(3).map(|entry| entry.digest.as_str()).collect();
    Asked { what: format!("{}, entry {}", asked.what, entries.join(", ")), ..asked.clone() }
}

fn lists(index: &[u8], entries: &[Descriptor]) -> Result<bool, String> {
    Ok(missing(Some(index), entries)?.is_empty())
}

/// The entries that are not in the list.
fn missing<'a>(index: Option<&[u8]>, entries: &'a [Descriptor]) -> Result<Vec<&'a Descriptor>, String> {
    let listed = index.map(Index::read).transpose()?.map_or_else(Vec::new, |index| index.manifests);
    Ok(entries.iter().filter(|entry| !listed.iter().any(|listed| listed.digest == entry.digest)).collect())
}

/// The list with the entries, everything else in it untouched; nothing if they are there.
fn merged(index: Option<&[u8]>, entries: &[Descriptor]) -> Result<Option<Vec<u8>>, String> {
    let fresh = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
    let missing = missing(index, entries)?;
    let mut whole: Map<String, Value> = match index {
        Some(_) if missing.is_empty() => return Ok(None),
        Some(bytes) => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        None => serde_json::from_value(fresh).map_err(|error| error.to_string())?,
    };
    let missing: Result<Vec<Value>, _> = missing.into_iter().map(serde_json::to_value).collect();
    match whole.get_mut("manifests") {
        Some(Value::Array(manifests)) => manifests.extend(missing.map_err(|error| error.to_string())?),
        _ => return Err("the list is not in the form of an image index".to_owned()),
    }
    whole.insert("mediaType".to_owned(), OCI_INDEX.into());
    serde_json::to_vec(&whole).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s25_merging_keeps_what_is_there_and_adds_once() {
        let entry = |bytes: &[u8]| [Descriptor::of(OCI_MANIFEST, bytes)];
        let first = merged(None, &entry(b"a")).unwrap().unwrap();
        let foreign = String::from_utf8(first).unwrap().replacen("\"size\":1", "\"size\":1,\"urls\":[\"x\"]", 1);
        let second = merged(Some(foreign.as_bytes()), &entry(b"b")).unwrap().unwrap();
        let text = String::from_utf8(second.clone()).unwrap();
        assert!(text.contains("\"urls\":[\"x\"]") && lists(&second, &entry(b"a")).unwrap());
        assert_eq!(merged(Some(&second), &entry(b"b")).unwrap(), None);
        assert!(merged(Some(b"{}"), &entry(b"b")).is_err(), "what cannot be read is not written over");
    }
}
