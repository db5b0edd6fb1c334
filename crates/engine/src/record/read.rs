//! Records read back: from the store, from a service, from a file. What a newer version added is left out; what is missing or is not
//! understood is an error, never a better verdict. Of the words only the reason codes are open: a deny stays a deny although the
//! reader does not know its reason yet ([`ReasonCode::Unrecognised`]).

use std::fmt;

use model::{ImageReference, ReasonCode, SignalUsed, Tolerant};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::{Record, SCHEMA, SignalRecord};

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Distinct(mut value) = Distinct::deserialize(deserializer)?;
        name_unknown_codes(&mut value);
        let mut record = Self::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        record.image.in_registry = in_registry(&record.image.reference, &record.image.name);
        Ok(record)
    }
}

impl<'de> Deserialize<'de> for SignalRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Beside {
            age_seconds: i64,
        }
        let value = Value::deserialize(deserializer)?;
        let signal = SignalUsed::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        let Beside { age_seconds } = Beside::deserialize(Tolerant(&value)).map_err(de::Error::custom)?;
        Ok(Self { signal, age_seconds })
    }
}

/// The one schema there is.
pub(super) fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let schema = String::deserialize(deserializer)?;
    if schema == SCHEMA {
        return Ok(SCHEMA);
    }
    Err(de::Error::custom(format_args!("the schema is {schema:?} instead of {SCHEMA}")))
}

/// One of the three outcomes of a rule.
pub(super) fn outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let outcome = String::deserialize(deserializer)?;
    let known = ["pass", "fail", "unknown"].into_iter().find(|known| *known == outcome);
    known.ok_or_else(|| de::Error::custom(format_args!("{outcome:?} is no outcome of a rule")))
}

/// A field that may be `null` and may not be missing.
pub(super) fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// A JSON value in which no object says anything twice: which of the two would count is nothing that two programs agree on.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads JSON in which no object says anything twice.
///
/// # Errors
/// It is no JSON, is nested too deeply, or says something twice.
pub fn distinct(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).map(|Distinct(value)| value)
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Distinct;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Distinct, E> {
        Ok(Distinct(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Distinct, E> {
        Ok(Distinct(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Distinct, E> {
        Ok(Distinct(Value::String(text.to_owned())))
    }
    fn visit_string<E>(self, text: String) -> Result<Distinct, E> {
        Ok(Distinct(Value::String(text)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Distinct, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Distinct(Value::Array(list)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((name, Distinct(value))) = map.next_entry::<String, Distinct>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format_args!("{name:?} is said twice")));
            }
            object.insert(name, value);
        }
        Ok(Distinct(Value::Object(object)))
    }
}

/// A local image has no host before its name.
fn in_registry(reference: &str, name: &str) -> bool {
    let Ok(reference) = reference.parse::<ImageReference>() else { return false };
    reference.host.is_some_and(|host| name.strip_prefix(&host).is_some_and(|rest| rest.starts_with('/')))
}

/// Every place in a record where a reason's code stands, as a path; `*` is every element of a list.
const CODES: [&[&str]; 7] = [
    &["reasons", "*", "code"],
    &["rules", "*", "reasons", "*", "code"],
    &["findings", "blocking", "*", "disposition", "by"],
    &["findings", "waived", "*", "disposition", "by"],
    &["pathToGreen", "steps", "*", "code"],
    &["signatures", "*", "reasons", "*", "code"],
    &["signals", "*", "origin", "name", "proof", "refused", "*", "*", "code"],
];

/// Puts [`ReasonCode::Unrecognised`] wherever a reason has a code that this version does not know, and the code before its message.
fn name_unknown_codes(record: &mut Value) {
    for path in CODES {
        at(record, path);
    }
}

fn at(value: &mut Value, path: &[&str]) {
    match (value, path) {
        (Value::Array(list), ["*", rest @ ..]) => list.iter_mut().for_each(|one| at(one, rest)),
        (Value::Object(map), [key]) => {
            // What else became of a finding is not a code: an exception's id, the end of its grace.
            if *key == "by" && map.get("is").is_some_and(|is| is != "blocks") {
                return;
            }
            let Some(Value::String(code)) = map.get_mut(*key) else { return };
            if ReasonCode::ALL.iter().any(|known| known.as_str() == code) {
                return;
            }
            let unknown = std::mem::replace(code, ReasonCode::Unrecognised.as_str().to_owned());
            if let Some(Value::String(message)) = map.get_mut("message") {
                *message = format!("{unknown}: {message}");
            }
        }
        (Value::Object(map), [key, rest @ ..]) => {
            if let Some(next) = map.get_mut(*key) {
                at(next, rest);
            }
        }
        _ => {}
    }
}
