//! JSON in which no name stands twice. Readers differ in which of two members they take, and what one tool verified must be
//! what another one reads.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads a document whose every object is free of repeated names.
///
/// # Errors
/// A name stands twice in an object, or it is not JSON of this shape.
pub fn unambiguous<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<Unambiguous>(bytes)?;
    serde_json::from_slice(bytes)
}

/// Any value, looked through and thrown away. How deep it may be is limited by `serde_json`.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = object.next_key::<String>()? {
            object.next_value::<Self>()?;
            if names.contains(&name) {
                return Err(A::Error::custom(format!("{name:?} stands there twice")));
            }
            names.insert(name);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn s22_a_name_that_stands_twice_is_refused_however_deep_and_however_written() {
        assert!(
            unambiguous::<Value>(br#"{"a":[{"b":1.5,"c":null},{"b":-1,"c":"x"}],"d":true,"e":18446744073709551615}"#)
                .is_ok()
        );
        for twice in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":{"c":1,"c":2}}]}"#, r#"{"a":1,"\u0061":2}"#] {
            let error = unambiguous::<Value>(twice.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("twice"), "{error}");
        }
        let deep = "[".repeat(100_000);
        assert!(unambiguous::<Value>(deep.as_bytes()).is_err());
    }
}
