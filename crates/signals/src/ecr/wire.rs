//! The JSON of `DescribeImageScanFindings`, one page. Unknown fields are ignored (AWS adds some); a known field of
//! the wrong type refuses the page; a missing or null field is missing, and what that means is said where it is used.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use model::{Digest, Finding, Reason, ReasonCode, Severity, SeverityCounts, Timestamp};
use serde::{Deserialize, Deserializer, de};

use super::finding::{BasicFinding, EnhancedFinding, WireFinding};
use super::status::ScanStatus;
use super::time::Time;
use crate::Limits;

/// Which image an answer is about. Fields that the answer leaves out are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `registryId`, the account.
    pub account: Option<String>,
    /// `repositoryName`
    pub repository: Option<String>,
    /// `imageId.imageDigest`
    pub digest: Option<Digest>,
    /// `imageId.imageTag`
    pub tag: Option<String>,
}

/// Which scanner made the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Basic scanning.
    Basic,
    /// Enhanced scanning: Amazon Inspector.
    Enhanced,
}

/// The findings object of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// `imageScanCompletedAt`
    pub completed_at: Option<Timestamp>,
    /// `vulnerabilitySourceUpdatedAt`
    pub source_updated_at: Option<Timestamp>,
    /// `findingSeverityCounts`: of the whole scan, on every page. Absent keys are zero (A3).
    pub counts: SeverityCounts,
    /// The list on this page and the scanner it came from; `None` if the object has no list.
    pub list: Option<(Kind, Vec<Finding>)>,
}

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Which image.
    pub subject: Subject,
    /// The status.
    pub status: ScanStatus,
    /// `imageScanStatus.description`
    pub description: String,
    /// The findings object; `None` if the answer has none, which is "pending", not "clean".
    pub findings: Option<Findings>,
    /// `nextToken`: there are more pages.
    pub next_token: Option<String>,
}

/// Reads one page.
///
/// # Errors
/// [`ReasonCode::ScanMalformed`] with the place where reading stopped.
pub fn page(body: &[u8], limits: &Limits) -> Result<Page, Reason> {
    let malformed = |what: String| Reason::new(ReasonCode::ScanMalformed, what);
    if body.len() > limits.bytes {
        return Err(malformed(format!("the answer has {} bytes; at most {} are read", body.len(), limits.bytes)));
    }
    // Checked as a whole: the JSON reader looks at the bytes of a skipped field only for its end.
    let text = std::str::from_utf8(body).map_err(|error| malformed(format!("the answer is not UTF-8: {error}")))?;
    let Object(answer): Object<Answer<'_>> = serde_json::from_str(text).map_err(|error| {
        let cut = if error.is_eof() { "the answer is cut off" } else { "the answer is not in the form of the API" };
        malformed(format!("{cut}: {error}"))
    })?;
    let Object(status) =
        answer.image_scan_status.ok_or_else(|| malformed("the answer has no imageScanStatus".to_owned()))?;
    let word = status.status.ok_or_else(|| malformed("the answer has no imageScanStatus.status".to_owned()))?;
    let image = answer.image_id.map_or(ImageId { image_digest: None, image_tag: None }, |image| image.0);
    let findings =
        answer.image_scan_findings.map(|findings| findings.0.into_findings()).transpose().map_err(malformed)?;
    if let Some(Findings { list: Some((_, list)), .. }) = &findings
        && list.len() > limits.findings
    {
        return Err(malformed(format!("{} findings; at most {} are read", list.len(), limits.findings)));
    }
    Ok(Page {
        subject: Subject {
            account: answer.registry_id,
            repository: answer.repository_name,
            digest: image.image_digest,
            tag: image.image_tag,
        },
        status: ScanStatus::parse(&word.0),
        description: status.description.unwrap_or_else(String::new).chars().take(500).collect(),
        findings,
        next_token: answer.next_token.or(answer.cli_next_token).filter(|token| !token.is_empty()),
    })
}

/// Text that is borrowed from the input where it has no escapes.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A structure written as a JSON object. Serde alone would read an array too, its elements as the fields in order.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(fields))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData)).map(Self)
    }
}

/// `findingSeverityCounts`. A word that comes twice is refused: which of its counts holds?
#[derive(Debug)]
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
                    if counts.insert(Severity::parse(&word), count).is_some() {
                        return Err(de::Error::custom(format!("the severity {word:?} is counted twice")));
                    }
                }
                Ok(Counts(counts))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    registry_id: Option<String>,
    repository_name: Option<String>,
    image_id: Option<Object<ImageId>>,
    #[serde(borrow)]
    image_scan_status: Option<Object<Status<'a>>>,
    #[serde(borrow)]
    image_scan_findings: Option<Object<WireFindings<'a>>>,
    next_token: Option<String>,
    /// What `aws … --max-items` writes in place of `nextToken`.
    #[serde(rename = "NextToken")]
    cli_next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    image_digest: Option<Digest>,
    image_tag: Option<String>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFindings<'a> {
    image_scan_completed_at: Option<Time>,
    vulnerability_source_updated_at: Option<Time>,
    finding_severity_counts: Option<Counts>,
    #[serde(borrow)]
    findings: Option<List<BasicFinding<'a>>>,
    #[serde(borrow)]
    enhanced_findings: Option<List<EnhancedFinding<'a>>>,
}

/// A list of findings, each taken into the vocabulary as it is read. It stops where a scan may not be longer: a few
/// bytes of JSON are many bytes of memory.
struct List<F> {
    findings: Result<Vec<Finding>, String>,
    wire: PhantomData<F>,
}

impl<'de, F: WireFinding + Deserialize<'de>> Deserialize<'de> for List<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<F>(PhantomData<F>);
        impl<'de, F: WireFinding + Deserialize<'de>> de::Visitor<'de> for Visitor<F> {
            type Value = List<F>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of findings")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<List<F>, A::Error> {
                let most = Limits::STANDARD.findings;
                let (mut findings, mut read) = (Ok(Vec::new()), 0);
                while let Some(Object(next)) = list.next_element::<Object<F>>()? {
                    read += 1;
                    if read > most {
                        return Err(de::Error::custom(format!("more than {most} findings")));
                    }
                    if let Ok(taken) = &mut findings {
                        match next.into_finding() {
                            Ok(finding) => taken.push(finding),
                            Err(wrong) => findings = Err(wrong),
                        }
                    }
                }
                Ok(List { findings, wire: PhantomData })
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

impl WireFindings<'_> {
    fn into_findings(self) -> Result<Findings, String> {
        let basic = self.findings.map(|list| list.findings);
        let enhanced = self.enhanced_findings.map(|list| list.findings);
        // Both lists at once is not documented; if it comes, everything in both counts.
        let list = match (basic.transpose()?, enhanced.transpose()?) {
            (None, None) => None,
            (Some(list), None) => Some((Kind::Basic, list)),
            (None, Some(list)) => Some((Kind::Enhanced, list)),
            (Some(mut list), Some(more)) => {
                list.extend(more);
                Some((Kind::Enhanced, list))
            }
        };
        Ok(Findings {
            completed_at: self.image_scan_completed_at.map(|time| time.0),
            source_updated_at: self.vulnerability_source_updated_at.map(|time| time.0),
            counts: self.finding_severity_counts.map_or_else(SeverityCounts::new, |counts| counts.0),
            list,
        })
    }
}
