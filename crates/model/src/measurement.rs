//! Measurements of an image: start time, memory, latency, each an amount with a unit, attached by CI (B17).
//! Amounts are whole numbers of a small unit, so that comparing them never rounds.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::Digest;
use crate::text::read_as_text;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// In bytes.
    Size,
    /// In nanoseconds.
    Time,
    /// In millionths of a core.
    Cpu,
    /// In millionths; 20% is 200,000.
    Ratio,
    /// In millionths of one.
    Count,
}

/// An amount with its dimension, such as `512MiB`, `250ms`, `0.5cores`, `2%`, `7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    /// What it is an amount of.
    pub dimension: Dimension,
    /// How much, in the small unit of the dimension.
    pub amount: u64,
}

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantityError(String);

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an amount with a unit; write 512MiB, 250ms, 0.5cores, 2% or a bare number", self.0)
    }
}

impl std::error::Error for QuantityError {}

/// Units, the largest of a dimension last; the first of each dimension counts one.
const UNITS: [(&str, Dimension, u64); 20] = [
    ("B", Dimension::Size, 1),
    ("kB", Dimension::Size, 1_000),
    ("KiB", Dimension::Size, 1 << 10),
    ("MB", Dimension::Size, 1_000_000),
    ("MiB", Dimension::Size, 1 << 20),
    ("GB", Dimension::Size, 1_000_000_000),
    ("GiB", Dimension::Size, 1 << 30),
    ("bytes", Dimension::Size, 1),
    ("ns", Dimension::Time, 1),
    ("us", Dimension::Time, 1_000),
    ("ms", Dimension::Time, 1_000_000),
    ("s", Dimension::Time, 1_000_000_000),
    ("m", Dimension::Time, 60_000_000_000),
    ("h", Dimension::Time, 3_600_000_000_000),
    ("millicores", Dimension::Cpu, 1_000),
    ("cores", Dimension::Cpu, 1_000_000),
    ("core", Dimension::Cpu, 1_000_000),
    ("%", Dimension::Ratio, 10_000),
    ("ratio", Dimension::Ratio, 1_000_000),
    ("", Dimension::Count, 1_000_000),
];

impl Quantity {
    /// Reads a number and a unit apart, as a document holds them.
    ///
    /// # Errors
    /// The number is negative, too large or too fine for the unit, or the unit is not known.
    pub fn new(number: &str, unit: &str) -> Result<Self, QuantityError> {
        let wrong = || QuantityError(format!("{number}{unit}"));
        let unit = if unit == "count" { "" } else { unit };
        let (_, dimension, factor) = UNITS.into_iter().find(|(name, ..)| *name == unit).ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || (number.contains('.') && fraction.is_empty()) {
            return Err(wrong());
        }
        let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
        let all: u128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
        // What is finer than the small unit is rounded up: a measurement is never made to look better.
        let amount = (all * u128::from(factor)).div_ceil(scale);
        Ok(Self { dimension, amount: u64::try_from(amount).map_err(|_| wrong())? })
    }
}

impl std::str::FromStr for Quantity {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        Self::new(&text[..end], text[end..].trim()).map_err(|_| QuantityError(text.to_owned()))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: &[&str] = match self.dimension {
            Dimension::Size => &["GiB", "MiB", "KiB", "B"],
            Dimension::Time => &["s", "ms", "us", "ns"],
            Dimension::Cpu => &["cores"],
            Dimension::Ratio => &["%"],
            Dimension::Count => &[""],
        };
        let unit = |name: &&&str| UNITS.into_iter().find(|(known, ..)| *known == **name);
        let fits = shown.iter().filter_map(|name| unit(&name)).find(|(.., factor)| self.amount >= *factor);
        let Some((name, _, factor)) = fits.or_else(|| shown.last().and_then(|name| unit(&name))) else {
            return write!(f, "{}", self.amount);
        };
        let hundredths = u128::from(self.amount) * 100 / u128::from(factor);
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        match rest {
            0 => write!(f, "{whole}{name}"),
            rest if rest % 10 == 0 => write!(f, "{whole}.{}{name}", rest / 10),
            rest => write!(f, "{whole}.{rest:02}{name}"),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_as_text!(Quantity, "An amount with its unit, such as `512MiB`, `250ms`, `2%`.", |text| text
    .parse()
    .map_err(|error: QuantityError| error.to_string()));

/// One metric measured on one image in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Measurement {
    /// The image that was measured.
    pub subject: Digest,
    /// What was measured: `memory_peak_bytes`, `start_time`.
    pub metric: String,
    /// Every sample of the run, in the order they were taken; never empty.
    pub samples: Vec<Quantity>,
    /// What measured it.
    pub tool: String,
    /// `smoke`, `canary`, `production`.
    pub stage: String,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b17_quantities_read_and_show_with_their_units() {
        let q = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(q("512MiB"), Quantity { dimension: Dimension::Size, amount: 512 << 20 });
        assert_eq!(q("1.5 s"), Quantity { dimension: Dimension::Time, amount: 1_500_000_000 });
        assert_eq!(q("20%").amount, 200_000);
        assert_eq!(q("7"), Quantity { dimension: Dimension::Count, amount: 7_000_000 });
        assert_eq!(q("0.0000000001s").amount, 1, "rounded up, never to nothing");
        for (text, shown) in [("1536KiB", "1.5MiB"), ("250ms", "250ms"), ("0.25cores", "0.25cores"), ("0B", "0B")] {
            assert_eq!(q(text).to_string(), shown);
        }
        for bad in ["", "MiB", "1.", ".5s", "-1s", "1 parsec", "1e9", "99999999999999999999", "9999999999999999GiB"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }
}
