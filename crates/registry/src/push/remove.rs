//! Taking a referrer away: out of the list under the fallback tag first, where there is one, so that nothing is listed that is not there.

use model::{Digest, Tag};
use reqwest::Method;
use serde_json::{Map, Value};

use super::ANSWER;
use crate::client::lists::malformed;
use crate::client::sources::Source;
use crate::client::{Access, Inner, scope};
use crate::error::Error;
use crate::media_type::OCI_INDEX;
use crate::referrers::{Found, Index, fallback_tag};
use crate::transport::patience::Patience;
use crate::{Client, Location, Reference, ReferrersBy};

/// How often the fallback tag is written when others write it too.
const ATTEMPTS: u32 = 6;

impl Client {
    /// Takes a referrer away, and says whether it is gone from the list. A registry need not let anything be deleted.
    pub async fn remove_referrer(
        &self,
        location: &Location,
        subject: &Digest,
        referrer: &Digest,
        by: ReferrersBy,
    ) -> Result<bool, Error> {
        let source = Source::origin(location);
        if by == ReferrersBy::FallbackTag {
            self.inner.unlist(&source, subject, referrer).await?;
        }
        let gone = self.inner.delete(&source, referrer).await?;
        Ok(gone || by == ReferrersBy::FallbackTag)
    }
}

impl Inner {
    async fn delete(&self, source: &Source, digest: &Digest) -> Result<bool, Error> {
        let mut question =
            self.question(source, &format!("manifests/{digest}"), format!("deletion of manifest {digest}"))?;
        question.method = Method::DELETE;
        question.scope = format!("{},delete", scope(&source.location, Access::Write));
        match self.ask(&question, ANSWER).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(Error::Denied { .. } | Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an entry out of the list under the fallback tag.
    async fn unlist(&self, source: &Source, subject: &Digest, referrer: &Digest) -> Result<(), Error> {
        let tag: Tag = fallback_tag(subject).parse().map_err(|error| Error::Setup(format!("{error}")))?;
        let reference = Reference::Tag(tag);
        let asked = source.asked(format!("list of referrers under the tag {reference}"));
        let _ours = self.writing.lock().await;
        let mut patience = Patience::new(&self.options).tries(ATTEMPTS);
        let mut attempts = 0;
        loop {
            let Found::Index(index) = self.fallback(source, subject).await? else { return Ok(()) };
            let Some(less) = without(&index.bytes, referrer).map_err(|why| malformed(&asked, why))? else {
                return Ok(());
            };
            if attempts > 0 && !patience.another(None).await {
                return Err(Error::LostRace { asked, attempts });
            }
            attempts += 1;
            self.push_manifest(source, &reference, OCI_INDEX, less.into()).await?;
        }
    }
}

/// The list without an entry, everything else in it untouched; nothing if it is not there.
fn without(index: &[u8], referrer: &Digest) -> Result<Option<Vec<u8>>, String> {
    if !Index::read(index)?.manifests.iter().any(|entry| entry.digest == *referrer) {
        return Ok(None);
    }
    let mut whole: Map<String, Value> = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    if let Some(Value::Array(manifests)) = whole.get_mut("manifests") {
        manifests.retain(|entry| entry.get("digest").and_then(Value::as_str) != Some(referrer.as_str()));
    }
    serde_json::to_vec(&whole).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Descriptor;

    #[test]
    fn s25_taking_one_out_leaves_the_others_as_they_are() {
        let [one, other] = [b"a", b"b"].map(|bytes| Descriptor::of("m", bytes));
        let index =
            serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one, other], "x": 1 });
        let index = serde_json::to_vec(&index).unwrap();
        let less = without(&index, &one.digest).unwrap().unwrap();
        let text = String::from_utf8(less.clone()).unwrap();
        assert!(
            text.contains(other.digest.as_str()) && text.contains("\"x\":1") && !text.contains(one.digest.as_str())
        );
        assert_eq!(without(&less, &one.digest).unwrap(), None);
        assert!(without(b"{}", &one.digest).is_err());
    }
}
