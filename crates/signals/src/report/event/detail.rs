//! The details of an event as they stand in it: an action on an image, the end of a scan.
//! The detail of a finding is read by the reader of Amazon Inspector.

use std::fmt;

use model::{Scanner, Severity, SeverityCounts};
use serde::{Deserialize, Deserializer, de};

use super::{Envelope, FORMAT, ScanEnd};
use crate::ParseError;
use crate::report::json::Text;
use crate::report::list::List;

/// `ECR Image Action`
#[derive(Deserialize)]
pub(super) struct ImageAction<'a> {
    #[serde(borrow)]
    pub(super) result: Text<'a>,
    #[serde(borrow, rename = "action-type")]
    pub(super) action: Text<'a>,
    #[serde(borrow, rename = "repository-name")]
    pub(super) repository: Text<'a>,
    #[serde(borrow, rename = "image-digest")]
    pub(super) digest: Text<'a>,
    #[serde(borrow, rename = "image-tag")]
    pub(super) tag: Option<Text<'a>>,
}

/// `ECR Image Scan` and `Inspector2 Scan`
#[derive(Deserialize)]
pub(super) struct ScanDetail<'a> {
    #[serde(borrow, rename = "scan-status")]
    status: Text<'a>,
    #[serde(borrow, rename = "repository-name")]
    repository: Text<'a>,
    #[serde(borrow, rename = "image-digest")]
    digest: Text<'a>,
    #[serde(borrow, rename = "image-tags")]
    tags: Option<List<Text<'a>>>,
    #[serde(rename = "finding-severity-counts")]
    counts: Option<Counts>,
}

impl ScanDetail<'_> {
    pub(super) fn into_end(self, envelope: &Envelope<'_>) -> Result<ScanEnd, ParseError> {
        let status = self.status.filled();
        let status = status.ok_or_else(|| ParseError::new(FORMAT, "detail.scan-status", "it is blank"))?.to_owned();
        let tags = List::each(self.tags.as_ref()).filter_map(Text::filled).map(str::to_owned).collect();
        Ok(ScanEnd {
            image: envelope.image(&self.repository, &self.digest, tags)?,
            scanner: if envelope.kind.0 == "Inspector2 Scan" { Scanner::Inspector } else { Scanner::Ecr },
            status,
            counts: self.counts.map_or_else(SeverityCounts::new, |counts| counts.0),
        })
    }
}

/// `finding-severity-counts`. Inspector adds a `TOTAL`, which is no severity. A word that comes twice is refused: which
/// of its counts holds?
struct Counts(SeverityCounts);

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Counts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("counts by severity")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Counts, A::Error> {
                let mut counts = SeverityCounts::new();
                while let Some((word, count)) = fields.next_entry::<String, u64>()? {
                    if word != "TOTAL" && counts.insert(Severity::parse(&word), count).is_some() {
                        return Err(de::Error::custom(format_args!("the severity {word:?} is counted twice")));
                    }
                }
                Ok(Counts(counts))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
