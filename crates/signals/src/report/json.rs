//! How every report is read from JSON: bounded, as UTF-8 from its first byte to its last, and by one rule for keys: a key
//! that is read stands once and in its own spelling. Serde alone refuses a second `Results`; here `results` is refused
//! too, for readers written in Go take it for the same key, and a list where an object belongs.
//! What a report does not use is passed over without being built.

use std::borrow::Cow;
use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Deserializer, de};

use super::strict::{Budget, Strict};
use crate::{Limits, ParseError};

/// The document as text: within the limits, UTF-8, without the byte order mark that editors and PowerShell put in front.
pub(super) fn text<'a>(format: Option<&'static str>, bytes: &'a [u8], limits: &Limits) -> Result<&'a str, ParseError> {
    let refused = |cause: String| ParseError { format, place: String::new(), cause };
    if bytes.len() > limits.bytes {
        return Err(refused(format!("it has {} bytes; at most {} are read", bytes.len(), limits.bytes)));
    }
    // Checked as a whole: the JSON reader looks at the bytes of a field that it passes over only for its end.
    let text = std::str::from_utf8(bytes).map_err(|error| match (bytes, error.valid_up_to()) {
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], _) => refused("it is UTF-16; save it as UTF-8".to_owned()),
        (_, place) => refused(format!("it is not UTF-8: byte {place} belongs to no character")),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads a whole document of this format.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    format: &'static str,
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<T, ParseError> {
    let text = text(Some(format), bytes, limits)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let budget = Budget::of(text);
    T::deserialize(Strict::new(&mut reader, &budget))
        .and_then(|document| reader.end().map(|()| document))
        .map_err(|error| malformed(format, &error))
}

/// What serde says, with a word about a document that just ends.
pub(super) fn malformed(format: &'static str, error: &serde_json::Error) -> ParseError {
    let mut parsed = ParseError::json(format, error);
    if error.is_eof() {
        parsed.cause = format!("the document is cut off: {}", parsed.cause);
    }
    parsed
}

/// For `#[serde(default, deserialize_with = "…")]`: the field may be left out, but `null` is not what it may be.
pub(super) fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Text that is borrowed from the document where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl Text<'_> {
    /// The text of a field that may be left out.
    pub(super) fn of<'t>(field: Option<&'t Text<'_>>) -> Option<&'t str> {
        field.map(|text| text.0.as_ref())
    }

    /// The text without white space around it; `None` if nothing is left.
    pub(super) fn filled(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }
}

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

/// A time in RFC 3339 with its offset. An empty text and the zero time of Go (`0001-01-01T00:00:00Z`) say "no time".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let Some(text) = text.filled() else { return Ok(Self(None)) };
        match text.parse::<Timestamp>() {
            Ok(time) if text.starts_with("0001-01-01") || time.as_second() <= 0 => Ok(Self(None)),
            Ok(time) => Ok(Self(Some(time))),
            Err(_) => Err(de::Error::custom(format_args!(
                "{:?} is no time in RFC 3339 with an offset",
                text.chars().take(64).collect::<String>()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample<'a> {
        #[serde(rename = "Name", borrow)]
        name: Option<Text<'a>>,
        #[serde(rename = "Items", default, deserialize_with = "not_null")]
        items: Option<Vec<Item>>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[serde(rename = "id")]
        id: u8,
    }

    fn sample(text: &str) -> Result<Sample<'_>, ParseError> {
        read("sample", text.as_bytes(), &Limits::STANDARD)
    }

    #[test]
    fn a5_a_key_that_is_read_stands_once_and_in_its_own_spelling() {
        let good = sample(r#"{"Name":"a","other":[{"ID":3,"id":4,"id":5}],"Items":[{"id":1,"x":{"ID":2}}]}"#).unwrap();
        assert_eq!(good.items.unwrap()[0].id, 1);
        assert!(matches!(good.name, Some(Text(Cow::Borrowed("a")))));
        for (bad, said) in [
            (r#"{"Items":[],"Items":[{"id":1}]}"#, "duplicate field `Items`"),
            (r#"{"Items":[],"items":[{"id":1}]}"#, r#"the key "items", which other readers take for "Items""#),
            (r#"{"ITEMS":[]}"#, "ITEMS"),
            (r#"{"Item\u017f":[]}"#, "Items"),
            (r#"{"Items":[{"id":1,"Id":2}]}"#, "Id"),
            (r#"{"Items":null}"#, "null"),
            (r#"{"Items":[["id"]]}"#, "expected struct Item"),
            (r#"["a",[]]"#, "expected struct Sample"),
            (r#"{"Items":[]} {}"#, "trailing characters"),
            (r#"{"Items":[{"id":1}"#, "cut off"),
            (r#"{"Items":[{"id":1e0}]}"#, "floating point"),
        ] {
            let error = sample(bad).expect_err(bad).to_string();
            assert!(error.contains(said), "{bad}: {error}");
            assert!(error.starts_with("sample, at line 1, column "), "{error}");
        }
    }

    #[test]
    fn a5_bytes_that_are_no_text_are_refused_wherever_they_stand() {
        let good = "\u{feff}{\"x\":\"abc\"}";
        assert!(sample(good).is_ok());
        let mut bytes = good.as_bytes().to_vec();
        bytes[9] = 0xff;
        let error = read::<Sample<'_>>("sample", &bytes, &Limits::STANDARD).unwrap_err();
        assert!(error.cause.contains("not UTF-8"), "{error}");
        let error = read::<Sample<'_>>("sample", b"\xff\xfe{\0", &Limits::STANDARD).unwrap_err();
        assert!(error.cause.contains("UTF-16"), "{error}");
        let small = Limits { bytes: 3, ..Limits::STANDARD };
        assert!(read::<Sample<'_>>("sample", b"{  }", &small).unwrap_err().cause.contains("at most 3"));
    }

    #[test]
    fn a5_a_list_of_next_to_nothing_does_not_fill_the_memory() {
        #[derive(Debug, Deserialize)]
        struct Large {
            #[serde(rename = "List")]
            _list: Vec<Empty>,
        }
        #[derive(Debug, Deserialize)]
        struct Empty {
            _name: Option<[u64; 30]>,
        }
        let list = |count: usize| format!("{{\"List\":[{}{{}}]}}", "{},".repeat(count));
        let limits = Limits::STANDARD;
        assert!(read::<Large>("sample", list(4_000).as_bytes(), &limits).is_ok());
        let error = read::<Large>("sample", list(100_000).as_bytes(), &limits).unwrap_err();
        assert!(error.cause.contains("more elements"), "{error}");
    }

    #[test]
    fn s18_a_time_is_read_or_is_missing_or_refused() {
        let time = |text: &str| serde_json::from_str::<Time>(text).map(|time| time.0.map(|time| time.to_string()));
        assert_eq!(time(r#""2023-09-01T08:13:42-04:00""#).unwrap().as_deref(), Some("2023-09-01T12:13:42Z"));
        for none in [r#""""#, r#""0001-01-01T00:00:00Z""#, r#""1970-01-01T00:00:00Z""#] {
            assert_eq!(time(none).unwrap(), None, "{none}");
        }
        for bad in [r#""yesterday""#, r#""2023-09-01""#, r#""2023-09-01T08:13:42""#, "3", "null"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
