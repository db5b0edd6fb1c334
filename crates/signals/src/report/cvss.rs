//! CVSS and EPSS as whole numbers: base scores in tenths, probabilities in millionths. A number out of range and a
//! vector that is none are errors, never "no score": what is absent is the caller's to say.
//! Source: CVSS 2.0, 3.0, 3.1 and 4.0 specifications of FIRST.

use std::fmt;

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// A base score as a JSON number between 0 and 10, in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Score(pub(super) u16);

/// A probability as a JSON number between 0 and 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probability(pub(super) u32);

/// A base score in tenths.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
pub(super) fn tenths(score: f64) -> Result<u16, String> {
    if (0.0..=10.0).contains(&score) {
        Ok((score * 10.0).round() as u16)
    } else {
        Err(format!("{score} is no CVSS score, which lies between 0 and 10"))
    }
}

/// A probability in millionths.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
pub(super) fn millionths(probability: f64) -> Result<u32, String> {
    if (0.0..=1.0).contains(&probability) {
        Ok((probability * 1e6).round() as u32)
    } else {
        Err(format!("{probability} is no probability, which lies between 0 and 1"))
    }
}

/// The base score of a vector, in tenths: `CVSS:3.1/AV:N/…`, `CVSS:4.0/AV:N/…`, or a vector of version 2, which has no
/// prefix. Temporal, threat and environmental metrics are read and do not count.
pub(super) fn vector(text: &str) -> Result<u16, String> {
    let text = text.trim();
    let text = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(text); // as NVD writes version 2
    let wrong = |cause: String| format!("{:?} is no CVSS vector: {cause}", text.chars().take(128).collect::<String>());
    let base: &[&str] = match text.split_once('/').map(|(start, _)| start) {
        Some("CVSS:3.0" | "CVSS:3.1") => &["CVSS", "AV", "AC", "PR", "UI", "S", "C", "I", "A"],
        Some("CVSS:4.0") => &["CVSS", "AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"],
        Some(start) if !start.starts_with("CVSS") => &["AV", "AC", "Au", "C", "I", "A"],
        _ => return Err(wrong("versions 2, 3.0, 3.1 and 4.0 are read".to_owned())),
    };
    // The whole of it must be sound, though only the base metrics count.
    score(text).map_err(wrong)?;
    let metrics: Vec<&str> =
        text.split('/').filter(|metric| metric.split_once(':').is_some_and(|(name, _)| base.contains(&name))).collect();
    if metrics.len() != base.len() {
        return Err(wrong(format!("it needs each of the base metrics {} once", base.join(", "))));
    }
    score(&metrics.join("/")).and_then(tenths).map_err(wrong)
}

fn score(text: &str) -> Result<f64, String> {
    if text.starts_with("CVSS:") {
        text.parse::<cvss::Cvss>().map(|vector| vector.score()).map_err(|error| error.to_string())
    } else {
        text.parse::<cvss::v2::Vector>().map(|vector| vector.score().value()).map_err(|error| error.to_string())
    }
}

/// In Trivy's way of writing them, the highest score of any vendor and version: `{"nvd":{"V3Score":9.8,…},…}`.
pub(super) struct VendorScores {
    pub(super) highest: Option<u16>,
}

#[derive(Deserialize)]
struct OfVendor {
    #[serde(rename = "V2Score")]
    v2: Option<Score>,
    #[serde(rename = "V3Score")]
    v3: Option<Score>,
    #[serde(rename = "V40Score")]
    v4: Option<Score>,
}

impl<'de> Deserialize<'de> for VendorScores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = VendorScores;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the CVSS scores of each vendor")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut vendors: A) -> Result<VendorScores, A::Error> {
                let mut highest = None;
                while let Some((IgnoredAny, scores)) = vendors.next_entry::<_, OfVendor>()? {
                    let of_vendor = [scores.v2, scores.v3, scores.v4];
                    highest = highest.max(of_vendor.into_iter().flatten().map(|score| score.0).max());
                }
                Ok(VendorScores { highest })
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

struct Number<T> {
    expected: &'static str,
    read: fn(f64) -> Result<T, String>,
}

impl<T> de::Visitor<'_> for Number<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        (self.read)(number).map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_f64(u32::try_from(number).map_or(f64::INFINITY, f64::from))
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_f64(i32::try_from(number).map_or(f64::NEG_INFINITY, f64::from))
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(Number {
            expected: "a CVSS score between 0 and 10",
            read: |number| tenths(number).map(Self),
        })
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(Number {
            expected: "a probability between 0 and 1",
            read: |number| millionths(number).map(Self),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_vectors_of_every_version_have_the_score_of_the_specification() {
        for (text, tenths) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 93),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 100),
            ("(AV:N/AC:L/Au:N/C:P/I:N/A:N)", 50),
            // The base score, whatever the temporal and environmental metrics say.
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", 98),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", 93),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:U/RL:OF/RC:UC", 100),
        ] {
            assert_eq!(vector(text), Ok(tenths), "{text}");
        }
    }

    #[test]
    fn a5_what_is_no_score_is_an_error() {
        for text in [
            "",
            "7.5",
            "CVSS:3.1",
            "CVSS:3.1/AV:N",
            "CVSS:5.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:Z",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N",
            "AV:N/AC:L/Au:N/C:C/I:C",
            "E:U/RL:OF",
        ] {
            assert!(vector(text).is_err(), "{text}");
        }
        for text in ["-0.1", "10.1", "1e300", "\"7\"", "true", "18446744073709551615", "-9223372036854775808"] {
            assert!(serde_json::from_str::<Score>(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Probability>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Score>("10").unwrap(), Score(100));
        assert_eq!(serde_json::from_str::<Score>("7.55").unwrap(), Score(76));
        assert_eq!(serde_json::from_str::<Probability>("0.000043").unwrap(), Probability(43));
        assert!(tenths(f64::NAN).is_err() && millionths(f64::NAN).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a5_any_text_is_a_score_in_range_or_an_error(text in "(CVSS:[2345]\\.[01]/)?([A-Z]{1,2}:[A-Z]/?){0,12}") {
            if let Ok(score) = vector(&text) {
                proptest::prop_assert!(score <= 100);
            }
        }
    }
}
