//! Distinguished names as people write them (RFC 4514), compared attribute by attribute: a policy's `C=US, O=acme` is
//! met by a certificate that has at least these. An attribute that a certificate has twice never matches.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Attributes that a certificate's subject has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    text: String,
    wanted: Vec<(String, String)>,
}

impl Subject {
    /// True if the certificate's subject, as RFC 4514 text, has every attribute, once and with this value.
    pub(crate) fn is_met_by(&self, subject: &str) -> bool {
        let Some(there) = attributes(subject) else { return false };
        self.wanted.iter().all(|(kind, value)| {
            let mut same = there.iter().filter(|(other, _)| other == kind);
            same.next().is_some_and(|(_, first)| first == value) && same.next().is_none()
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The attributes of a name, in order; `None` if it is no name.
fn attributes(text: &str) -> Option<Vec<(String, String)>> {
    split(text).into_iter().map(attribute).collect()
}

/// The parts between the unescaped commas and plus signs.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | '+' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn attribute(part: &str) -> Option<(String, String)> {
    let (kind, value) = part.split_once('=')?;
    let kind = kind.trim().to_ascii_uppercase();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    if kind.is_empty() || !kind.bytes().all(known) {
        return None;
    }
    let kind = match kind.as_str() {
        "S" | "2.5.4.8" => "ST".to_owned(),
        "2.5.4.3" => "CN".to_owned(),
        "2.5.4.6" => "C".to_owned(),
        "2.5.4.7" => "L".to_owned(),
        "2.5.4.10" => "O".to_owned(),
        "2.5.4.11" => "OU".to_owned(),
        "2.5.4.9" => "STREET".to_owned(),
        "0.9.2342.19200300.100.1.25" => "DC".to_owned(),
        "0.9.2342.19200300.100.1.1" => "UID".to_owned(),
        _ => kind,
    };
    let value = unescaped(value)?;
    if value.is_empty() { None } else { Some((kind, value)) }
}

/// The value without escapes and without the spaces around it.
fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    // How much of the result is kept whatever follows: an escaped space at the end is part of the value.
    let mut kept = 0;
    let trimmed = value.trim_start();
    if let Some(inner) = trimmed.trim_end().strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        return if inner.contains(['"', '\\']) { None } else { Some(inner.to_owned()) };
    }
    let mut rest = trimmed.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let next = rest.next()?;
                match hex(next) {
                    Some(high) => bytes.push(high << 4 | hex(rest.next()?)?),
                    None => bytes.push(next),
                }
                kept = bytes.len();
            }
            b'"' => return None,
            b' ' => bytes.push(b' '),
            byte => {
                bytes.push(byte);
                kept = bytes.len();
            }
        }
    }
    bytes.truncate(kept);
    std::str::from_utf8(&bytes).map_or(None, |text| Some(text.to_owned()))
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wanted = attributes(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no subject; write it like C=US, O=acme")))?;
        let mut kinds: Vec<&String> = wanted.iter().map(|(kind, _)| kind).collect();
        kinds.sort_unstable();
        let count = kinds.len();
        kinds.dedup();
        if kinds.len() < count {
            return Err(de::Error::custom(format!("{text:?} names an attribute twice")));
        }
        if let Some((kind, _)) = wanted.iter().find(|(_, value)| value.contains('*')) {
            return Err(de::Error::custom(format!("{kind} of {text:?} has a `*`; attributes are compared exactly")));
        }
        Ok(Self { text, wanted })
    }
}

impl JsonSchema for Subject {
    fn schema_name() -> Cow<'static, str> {
        "Subject".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 3, "examples": ["C=US, O=acme"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(text: &str) -> Result<Subject, String> {
        serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn s27_every_attribute_has_to_be_there_once() {
        for (wanted, there, expected) in [
            ("C=US, O=acme", "CN=release,O=acme,ST=WA,C=US", true),
            ("o=acme", "O=acme", true),
            ("S=WA", "ST=WA", true),
            ("2.5.4.10=acme", "O=acme", true),
            ("C=US, O=acme", "O=acme", false),
            ("O=acme", "O=Acme", false),
            ("O=acme", "O=acme,O=evil", false),
            ("O=acme", "O=evil+O=acme", false),
            ("O=acme", "CN=x\\,O=acme", false),
            ("O=acme", "CN=\"x,O=acme\"", false),
            ("O=acme\\, inc", "O=acme\\2C inc,C=US", true),
            ("O=acme", "O=acme\\ ", false),
            ("O=acme", "O= acme ", true),
            ("O=acme", "", false),
            ("O=acme", "O=acme,broken", false),
            ("CN=caf\u{e9}", "CN=caf\\C3\\A9", true),
        ] {
            assert_eq!(subject(wanted).unwrap().is_met_by(there), expected, "{wanted} / {there}");
        }
    }

    #[test]
    fn s27_what_is_no_subject_is_refused() {
        for text in ["", "acme", "=acme", "O=", "O=a, O=b", "O=acme,", "O=a*", "O=\\4", "O=\\"] {
            assert!(subject(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn s27_no_text_makes_a_subject_panic(text in "\\PC{0,40}", there in "[-=,+\"\\\\ a-zA-Z0-9]{0,40}") {
            if let Ok(subject) = subject(&text) {
                let _ = subject.is_met_by(&there);
            }
            let _ = subject("O=acme").unwrap().is_met_by(&there);
        }

        #[test]
        fn s27_a_value_cannot_add_attributes(value in "[ -~]{1,20}") {
            // Whatever a certificate authority put into the common name, escaped as RFC 4514 says.
            let escaped: Vec<String> = value.bytes().map(|byte| format!("\\{byte:02X}")).collect();
            let there = format!("CN={}", escaped.concat());
            prop_assert!(!subject("O=acme").unwrap().is_met_by(&there), "{}", there);
        }
    }
}
