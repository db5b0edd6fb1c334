//! The images of kinds that are configured, on the way that their JSON pointers go: the object is read once for each pointer, and nothing else of it is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_json::value::RawValue;

use super::images::{Found, Unread, missing, unread};
use super::kinds::Paths;
use super::pod::PodSpec;

/// Adds every image of an object.
pub(super) fn images(object: &RawValue, paths: &Paths, found: &mut Found) -> Result<(), Unread> {
    let (pointers, are_specs) = match paths {
        Paths::PodSpec(pointers) => (pointers, true),
        Paths::Images(pointers) => (pointers, false),
    };
    for pointer in pointers {
        let parts: Vec<&str> = pointer.split('/').skip(1).collect();
        let way = Way { parts: &parts, at: String::new(), are_specs, found };
        way.deserialize(&mut serde_json::Deserializer::from_str(object.get()))
            .map_err(|error| unread("the object", &error))?;
    }
    if found.is_empty() { Err(missing(&pointers.join(", "))) } else { Ok(()) }
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
}

impl<'de> DeserializeSeed<'de> for Way<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.parts.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let Self { at, found, are_specs, .. } = self;
        let added = if are_specs {
            PodSpec::deserialize(deserializer).map(|spec| spec.images(&at, found))
        } else {
            String::deserialize(deserializer).map(|image| found.add(None, at.clone(), Some(image)))
        };
        added.map_err(|error| D::Error::custom(format_args!("{at}: {error}")))?.map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Way<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let Some(&part) = self.parts.first() else { return Ok(()) };
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
        let only: Option<usize> = part.parse().ok();
        for number in 0_usize.. {
            let more = if part == "*" || only == Some(number) {
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

    // What is neither leads nowhere.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
