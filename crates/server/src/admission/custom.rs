//! The images of kinds that are configured, on the way that their JSON pointers go: the object is read once for each pointer, and nothing else of it is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_json::value::RawValue;

use super::images::{Found, Unread, missing, unread};
use super::kinds::{CustomKind, Paths};
use super::pod::PodSpec;

/// Adds every image of an object: nothing, where nothing stands and that may be.
pub(super) fn images(object: &RawValue, kind: &CustomKind, found: &mut Found) -> Result<(), Unread> {
    let (pointers, are_specs) = match &kind.paths {
        Paths::PodSpec(pointers) => (pointers, true),
        Paths::Images(pointers) => (pointers, false),
    };
    for pointer in pointers {
        let parts: Vec<&str> = pointer.split('/').skip(1).collect();
        let way = Way { parts: &parts, at: String::new(), are_specs, found };
        way.deserialize(&mut serde_json::Deserializer::from_str(object.get()))
            .map_err(|error| unread("the object", &error))?;
    }
    if !found.is_empty() || kind.optional {
        return Ok(());
    }
    let missing = missing(&pointers.join(", "));
    Err(Unread(format!(
        "{missing}; where objects of this kind may hold no images, say `optional: true` in its entry of `admission.kinds`"
    )))
}

/// The way to what a pointer stands for. A member that is there twice on it is an error.
struct Way<'p> {
    /// What is ahead.
    parts: &'p [&'p str],
    /// The pointer to where it is.
    at: String,
    /// At its end is what is as the `spec` of a pod; else an image.
    are_specs: bool,
    found: &'p mut Found,
}

impl Way<'_> {
    /// One part further.
    fn below(&mut self, part: impl fmt::Display) -> Way<'_> {
        let parts = self.parts.get(1..).unwrap_or(&[]);
        Way { parts, at: format!("{}/{part}", self.at), are_specs: self.are_specs, found: self.found }
    }

    /// What is there cannot hold the next part.
    fn wrong<E: Error>(&self) -> E {
        let wanted = if self.parts.first() == Some(&"*") { "list" } else { "object" };
        let at = if self.at.is_empty() { "it" } else { &self.at };
        E::custom(format_args!("{at} is no {wanted}"))
    }
}

impl<'de> DeserializeSeed<'de> for Way<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.parts.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let Self { at, found, are_specs, .. } = self;
        // `null` is nothing, as API servers read it.
        let added = if are_specs {
            Option::<PodSpec>::deserialize(deserializer).map(|spec| spec.map(|spec| spec.images(&at, found)))
        } else {
            let image = Option::<String>::deserialize(deserializer);
            image.map(|image| image.map(|image| found.add(None, at.clone(), Some(image))))
        };
        let added = added.map_err(|error| D::Error::custom(format_args!("{at}: {error}")))?;
        added.unwrap_or(Ok(())).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Way<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let Some(&part) = self.parts.first() else { return Ok(()) };
        if part == "*" {
            return Err(self.wrong());
        }
        let name = part.replace("~1", "/").replace("~0", "~");
        let mut is_found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != name {
                map.next_value::<IgnoredAny>()?;
            } else if is_found {
                return Err(A::Error::custom(format_args!("{}/{part} is said twice", self.at)));
            } else {
                map.next_value_seed(self.below(part))?;
                is_found = true;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let Some(&part) = self.parts.first() else { return Ok(()) };
        let only = match part {
            "*" => None,
            part => Some(part.parse::<usize>().map_err(|_| self.wrong())?),
        };
        for number in 0_usize.. {
            let more = if only.is_none_or(|only| only == number) {
                list.next_element_seed(self.below(number))?.is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.wrong())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.wrong())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.wrong())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.wrong())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.wrong())
    }
}
