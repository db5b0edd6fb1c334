//! The lists at the destination: the fallback tag where the registry keeps no list itself, and cosign's tags. Each is read, merged with what is there
//! already, written, and read again (S25).

use std::collections::BTreeSet;

use bytes::Bytes;
use model::{Digest, Tag};
use serde_json::{Map, Value, json};

use super::plan::Plan;
use crate::client::exchange::Follow;
use crate::client::lists::malformed;
use crate::client::sources::Source;
use crate::error::Error;
use crate::media_type::{OCI_CONFIG, OCI_MANIFEST};
use crate::referrers::absent;
use crate::{Client, Descriptor, Location, Manifest, Reference, ReferrersBy};

/// How often cosign's tag is written when others write it too.
const ATTEMPTS: u32 = 4;

impl Client {
    /// Puts into the lists what a registry does not list by itself.
    pub(super) async fn copy_lists(&self, to: &Location, plan: &Plan) -> Result<(), Error> {
        for (subject, entries) in &plan.referrers {
            let listed = self.referrers(to, subject, None).await?;
            let there: BTreeSet<&Digest> = listed.descriptors.iter().map(|entry| &entry.digest).collect();
            let missing: Vec<Descriptor> =
                entries.iter().filter(|entry| !there.contains(&entry.digest)).cloned().collect();
            if let (ReferrersBy::FallbackTag, false, Some(manifest)) =
                (listed.by, missing.is_empty(), plan.manifests.get(subject))
            {
                self.inner.list(&Source::origin(to), &manifest.descriptor(), &missing).await?;
            }
        }
        Ok(())
    }

    /// An entry that the destination lacks, and what it refers to.
    pub(super) async fn not_listed(&self, to: &Location, plan: &Plan) -> Result<Option<(Digest, Digest)>, Error> {
        for (subject, entries) in &plan.referrers {
            let listed = self.referrers(to, subject, None).await?;
            let there: BTreeSet<&Digest> = listed.descriptors.iter().map(|entry| &entry.digest).collect();
            if let Some(entry) = entries.iter().find(|entry| !there.contains(&entry.digest)) {
                return Ok(Some((subject.clone(), entry.digest.clone())));
            }
        }
        Ok(None)
    }

    /// Writes cosign's tags: as they are at the source, or with what is there besides.
    pub(super) async fn copy_cosign_tags(&self, to: &Location, plan: &Plan) -> Result<(), Error> {
        for (tag, digest) in &plan.tags {
            let Some(ours) = plan.manifests.get(digest) else { continue };
            let _one = self.inner.writing.lock().await;
            let mut attempts = 0;
            loop {
                let theirs = self.cosign_tag(to, tag).await?;
                if theirs.as_ref().is_some_and(|theirs| holds(theirs, ours)) {
                    break;
                }
                attempts += 1;
                if attempts > ATTEMPTS {
                    let asked = Source::origin(to).asked(format!("tag {tag}"));
                    return Err(Error::LostRace { asked, attempts: ATTEMPTS });
                }
                let manifest = match &theirs {
                    Some(theirs) if !holds(ours, theirs) => self.merged(to, tag, theirs, ours).await?,
                    _ => ours.clone(),
                };
                let reference = Reference::Tag(tag.clone());
                self.push_manifest(to, &reference, &manifest.media_type, manifest.bytes).await?;
            }
        }
        Ok(())
    }

    /// A tag of cosign's that does not hold what the source's does.
    pub(super) async fn not_tagged(&self, to: &Location, plan: &Plan) -> Result<Option<Tag>, Error> {
        for (tag, digest) in &plan.tags {
            let theirs = self.cosign_tag(to, tag).await?;
            let Some(ours) = plan.manifests.get(digest) else { continue };
            if !theirs.is_some_and(|theirs| holds(&theirs, ours)) {
                return Ok(Some(tag.clone()));
            }
        }
        Ok(None)
    }

    async fn cosign_tag(&self, to: &Location, tag: &Tag) -> Result<Option<Manifest>, Error> {
        absent(self.inner.manifest(&Source::origin(to), &Reference::Tag(tag.clone()), Follow::No).await)
    }

    /// A manifest with the signatures of both. Its configuration, in which nobody looks for anything, says as much as cosign's own.
    async fn merged(&self, to: &Location, tag: &Tag, theirs: &Manifest, ours: &Manifest) -> Result<Manifest, Error> {
        let asked = Source::origin(to).asked(format!("tag {tag}"));
        let wrong = |why: String| malformed(&asked, why);
        let mut whole: Map<String, Value> =
            serde_json::from_slice(&theirs.bytes).map_err(|error| wrong(error.to_string()))?;
        let added: Map<String, Value> =
            serde_json::from_slice(&ours.bytes).map_err(|error| wrong(error.to_string()))?;
        let layers = |manifest: &Map<String, Value>| match manifest.get("layers") {
            Some(Value::Array(layers)) => Ok(layers.clone()),
            _ => Err(wrong("what is under the tag here or at the source has no layers".to_owned())),
        };
        let mut all = layers(&whole)?;
        for layer in layers(&added)? {
            if !all.contains(&layer) {
                all.push(layer);
            }
        }
        let ids: Vec<&Value> = all.iter().filter_map(|layer| layer.get("digest")).collect();
        let history: Vec<Value> = ids.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect();
        let config = json!({ "architecture": "", "created": "0001-01-01T00:00:00Z", "history": history, "os": "",
            "rootfs": { "type": "layers", "diff_ids": ids }, "config": {} });
        let config = self.push_blob(to, OCI_CONFIG, Bytes::from(config.to_string())).await?;
        let config = serde_json::to_value(&config).map_err(|error| wrong(error.to_string()))?;
        whole.insert("config".to_owned(), config);
        whole.insert("layers".to_owned(), Value::Array(all));
        whole.insert("mediaType".to_owned(), OCI_MANIFEST.into());
        let bytes = Bytes::from(Value::Object(whole).to_string());
        Ok(Manifest { digest: Digest::of(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes })
    }
}

/// True if the one is the other, or has every layer of it: cosign keeps each signature in a layer, with what belongs to it in the layer's annotations.
fn holds(one: &Manifest, other: &Manifest) -> bool {
    let layers = |manifest: &Manifest| match serde_json::from_slice::<Value>(&manifest.bytes) {
        Ok(Value::Object(mut manifest)) => match manifest.remove("layers") {
            Some(Value::Array(layers)) => Some(layers),
            _ => None,
        },
        _ => None,
    };
    if one.digest == other.digest {
        return true;
    }
    match (layers(one), layers(other)) {
        (Some(one), Some(other)) => !other.is_empty() && other.iter().all(|layer| one.contains(layer)),
        _ => false,
    }
}
