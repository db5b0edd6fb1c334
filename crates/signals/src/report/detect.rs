//! Which format a report is in, told by the keys at its top and never by the name of its file. One pass that builds
//! nothing but those keys (a quarter of the time that reading takes: 30 of 120 ms for 50 MB of Trivy's or Grype's); what
//! stands under them is the reader's to judge.
//! A document with the marks of two formats is refused: whoever reads it elsewhere may read the other half.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::json::{self, Text};
use super::strict::folded;
use crate::{Limits, ParseError};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Trivy,
    Grype,
    Snyk,
    Harbor,
    Sarif,
    CycloneDx,
    Osv,
    Inspector,
    Event,
    Ecr,
}

/// The keys of a report in Harbor's API, before the version that follows them.
pub(super) const HARBOR_KEYS: [&str; 2] =
    ["application/vnd.scanner.adapter.vuln.report.harbor+json", "application/vnd.security.vulnerability.report"];

/// More keys at the top than any format has.
const MOST_KEYS: usize = 1_000;

impl Format {
    const ALL: [Self; 10] = [
        Self::Trivy,
        Self::Grype,
        Self::Snyk,
        Self::Harbor,
        Self::Sarif,
        Self::CycloneDx,
        Self::Osv,
        Self::Inspector,
        Self::Event,
        Self::Ecr,
    ];

    /// The name of the format for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trivy => "Trivy report",
            Self::Grype => "Grype report",
            Self::Snyk => "Snyk report",
            Self::Harbor => "Harbor scanner report",
            Self::Sarif => "SARIF log",
            Self::CycloneDx => "CycloneDX document",
            Self::Osv => "OSV report",
            Self::Inspector => "Amazon Inspector findings",
            Self::Event => "EventBridge event",
            Self::Ecr => "ECR scan findings",
        }
    }

    /// Whether keys at the top are the marks of the format. Marks are few on purpose: a report that lacks the rest is
    /// named as what it is nearly, by its reader.
    fn is_marked_by(self, top: &Top<'_>) -> bool {
        let has = |key: &str| top.has(key);
        match self {
            Self::Trivy => has("SchemaVersion") || has("ArtifactName") || has("Results") || has("Target"),
            Self::Grype => has("matches") || (has("descriptor") && !has("artifacts")),
            Self::Snyk => {
                (has("vulnerabilities") && ["dependencyCount", "packageManager", "ok"].into_iter().any(has))
                    || (has("ok") && has("error"))
            }
            Self::Harbor => {
                (has("generated_at") && (has("vulnerabilities") || has("scanner") || has("artifact")))
                    || top.keys.iter().any(|key| HARBOR_KEYS.into_iter().any(|harbor| key.starts_with(harbor)))
            }
            Self::Sarif => has("runs"),
            Self::CycloneDx => has("bomFormat"),
            Self::Osv => has("results") || (has("affected") && has("modified")),
            Self::Inspector => has("findings") || has("findingArn"),
            Self::Event => has("detail-type"),
            Self::Ecr => has("imageScanFindings") || has("imageScanStatus"),
        }
    }
}

/// Tells the format.
///
/// # Errors
/// Not JSON, over the limits, a key twice at the top, the marks of no format or of two.
pub(super) fn format(bytes: &[u8], limits: &Limits) -> Result<Format, ParseError> {
    let text = json::text(None, bytes, limits)?;
    let refused = |cause: String| ParseError { format: None, place: String::new(), cause };
    if text.trim().is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let top: Top<'_> = serde_json::from_str(text)
        .map_err(|error| ParseError { format: None, ..json::malformed("document", &error) })?;
    top.each_key_once().map_err(refused)?;
    let mut marked = Format::ALL.into_iter().filter(|format| format.is_marked_by(&top));
    let Some(format) = marked.next() else {
        return Err(refused(format!(
            "{top} is in no format that is read{}; compare it with the table of formats in the documentation",
            top.resembles()
        )));
    };
    if let Some(other) = marked.next() {
        return Err(refused(format!("{top} has the marks of two formats, {} and {}", format.name(), other.name())));
    }
    if top.is_list && format != Format::Snyk {
        let old = if top.has("Target") { ", as Trivy wrote before SchemaVersion 2" } else { "" };
        return Err(ParseError::new(format.name(), "", format!("{top}{old}; it must be one object")));
    }
    Ok(format)
}

/// The keys at the top of a document: of the object, or of all objects in the list that it is.
#[derive(Debug)]
struct Top<'a> {
    is_list: bool,
    keys: Vec<Cow<'a, str>>,
}

impl Top<'_> {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }

    /// In a list the same key stands in each object; the reader looks at those one by one.
    fn each_key_once(&self) -> Result<(), String> {
        let mut spellings: Vec<(String, &str)> =
            self.keys.iter().map(|key| (folded(key).to_lowercase(), key.as_ref())).collect();
        spellings.sort();
        match spellings.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some([(_, one), (_, other)]) if one == other => Err(format!("the key {one:?} stands at the top twice")),
            Some([(_, one), (_, other)]) => {
                Err(format!("the keys {one:?} and {other:?} stand at the top; some readers take them for the same"))
            }
            _ => Ok(()),
        }
    }

    /// Documents that people take for reports.
    fn resembles(&self) -> &'static str {
        if self.has("spdxVersion") || self.has("SPDXID") {
            " (an SPDX document lists packages, not vulnerabilities)"
        } else if self.has("artifacts") && self.has("descriptor") {
            " (a Syft document lists packages, not vulnerabilities)"
        } else if self.has("document") && self.has("vulnerabilities") || self.has("statements") {
            " (a VEX document speaks about findings, it has none)"
        } else if self.has("predicateType") || self.has("payloadType") {
            " (an attestation has to be verified and opened first)"
        } else {
            ""
        }
    }

    fn add(&mut self, key: Cow<'_, str>) -> Result<(), String> {
        if self.keys.len() >= MOST_KEYS {
            return Err(format!("more than {MOST_KEYS} keys at the top"));
        }
        self.keys.push(Cow::Owned(key.into_owned()));
        Ok(())
    }
}

impl fmt::Display for Top<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_list, self.keys.is_empty()) {
            (false, true) => return f.write_str("a JSON object without keys"),
            (true, true) => return f.write_str("a JSON list without objects"),
            (false, false) => "a JSON object with the keys ",
            (true, false) => "a JSON list of objects with the keys ",
        })?;
        for (number, key) in self.keys.iter().enumerate() {
            if number == 12 {
                return write!(f, " and {} more", self.keys.len() - number);
            }
            f.write_str(if number == 0 { "" } else { ", " })?;
            key.chars().take(64).flat_map(char::escape_debug).try_for_each(|letter| f.write_char(letter))?;
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Top<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Top<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report: a JSON object, or a list of objects")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Top<'de>, A::Error> {
        let mut top = Top { is_list: false, keys: Vec::new() };
        while let Some((Text(key), IgnoredAny)) = map.next_entry()? {
            top.add(key).map_err(de::Error::custom)?;
        }
        Ok(top)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Top<'de>, A::Error> {
        let mut top = Top { is_list: true, keys: Vec::new() };
        while let Some(Element(element)) = list.next_element()? {
            for key in element.keys {
                if !top.has(&key) {
                    top.add(key).map_err(de::Error::custom)?;
                }
            }
        }
        Ok(top)
    }
}

/// An object in the list; a list in the list is no report.
struct Element<'a>(Top<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Visitor).map(Element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(text: &str) -> Result<Format, String> {
        format(text.as_bytes(), &Limits::STANDARD).map_err(|error| error.to_string())
    }

    #[test]
    fn b14_the_format_is_told_by_the_keys_at_the_top() {
        for (text, format) in [
            (r#"{"SchemaVersion":2,"ArtifactName":"a","Results":[]}"#, Format::Trivy),
            (r#"{"SchemaVersion":3}"#, Format::Trivy),
            (r#"{"matches":[],"source":{},"descriptor":{}}"#, Format::Grype),
            (r#"{"matches":[]}"#, Format::Grype),
            (r#"{"vulnerabilities":[],"ok":true,"packageManager":"deb"}"#, Format::Snyk),
            (r#"[{"vulnerabilities":[],"ok":true},{"ok":false,"error":"no"}]"#, Format::Snyk),
            (r#"{"application/vnd.security.vulnerability.report; version=1.1":{}}"#, Format::Harbor),
            (r#"{"generated_at":"","artifact":{},"scanner":{},"vulnerabilities":[]}"#, Format::Harbor),
            (r#"{"$schema":"","version":"2.1.0","runs":[]}"#, Format::Sarif),
            (r#"{"bomFormat":"CycloneDX","vulnerabilities":[]}"#, Format::CycloneDx),
            (r#"{"results":[]}"#, Format::Osv),
            (r#"{"findings":[]}"#, Format::Inspector),
            (r#"{"detail-type":"ECR Image Scan","source":"aws.ecr","detail":{}}"#, Format::Event),
            (r#"{"imageScanStatus":{},"imageScanFindings":{}}"#, Format::Ecr),
            ("\u{feff}{\"runs\":[]}\n", Format::Sarif),
        ] {
            assert_eq!(tell(text), Ok(format), "{text}");
        }
    }

    #[test]
    fn a5_the_unknown_is_refused_with_what_was_seen() {
        for (text, said) in [
            (r#"{"a":1,"b":2,"c\n":3}"#, r"a JSON object with the keys a, b, c\n is in no format"),
            ("{}", "a JSON object without keys"),
            ("[]", "a JSON list without objects"),
            ("", "it is empty"),
            ("\u{feff} \n", "it is empty"),
            ("null", "a report: a JSON object"),
            ("3", "a report: a JSON object"),
            ("[3]", "a report: a JSON object"),
            ("[[]]", "a report: a JSON object"),
            (r#"{"runs":[]"#, "cut off"),
            (r#"{"runs":[]}x"#, "trailing characters"),
            (r#"{"vulnerabilities":[]}"#, "keys vulnerabilities is in no format"),
            (r#"{"spdxVersion":"SPDX-2.3","packages":[]}"#, "an SPDX document lists packages"),
            (r#"{"artifacts":[],"source":{},"descriptor":{}}"#, "a Syft document lists packages"),
            (r#"[{"Target":"a","Vulnerabilities":null}]"#, "as Trivy wrote before SchemaVersion 2"),
            (r#"[{"matches":[],"descriptor":{}}]"#, "it must be one object"),
            ("<xml/>", "line 1, column 1"),
        ] {
            let error = tell(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a5_two_formats_and_doubtful_keys_are_refused() {
        for (text, said) in [
            (r#"{"Results":[],"SchemaVersion":2,"matches":[]}"#, "two formats, Trivy report and Grype report"),
            (r#"{"runs":[],"bomFormat":"CycloneDX"}"#, "two formats, SARIF log and CycloneDX document"),
            (r#"{"matches":[],"matches":[1]}"#, "\"matches\" stands at the top twice"),
            (r#"{"matches":[],"Matches":[1]}"#, "\"Matches\" and \"matches\""),
            (r#"{"Results":[],"results":[1]}"#, "\"Results\" and \"results\""),
            (r#"{"match\u0065s":[],"matches":[1]}"#, "stands at the top twice"),
            (r#"{"matche\u017f":[],"matches":[1]}"#, "some readers take them for the same"),
            (r#"[{"ok":true,"vulnerabilities":[]},{"runs":[]}]"#, "two formats"),
        ] {
            let error = tell(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
        let many: Vec<String> = (0..=MOST_KEYS).map(|number| format!("\"k{number}\":0")).collect();
        assert!(tell(&format!("{{{}}}", many.join(","))).unwrap_err().contains("more than 1000 keys"));
    }

    proptest::proptest! {
        #[test]
        fn a5_any_bytes_are_told_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let told = format(&bytes, &Limits::STANDARD);
            proptest::prop_assert!(told.is_err() || serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
        }
    }
}
