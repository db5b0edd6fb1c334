//! Parameters of a build: JSON of any shape, kept as it is, for a policy compares what it knows of it. A key stands once; a
//! field that is looked for has no second spelling beside it, for readers written in Go would take one for the other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer};
use serde_json::{Number, Value};

use super::{FORMAT, Raw, wrong};
use crate::sbom::json::{self, Budget};
use crate::{Limits, ParseError};

/// A value, and where it stands.
#[derive(Debug)]
pub(super) struct Tree {
    place: &'static str,
    node: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Scalar(Value),
    List(Vec<Node>),
    Object(BTreeMap<String, Node>),
}

impl Tree {
    /// Reads the value that stands at this place; one that is left out has nothing in it.
    pub(super) fn read(place: &'static str, raw: Option<Raw<'_>>, limits: &Limits) -> Result<Self, ParseError> {
        let Some(raw) = raw else { return Ok(Self { place, node: Node::Scalar(Value::Null) }) };
        let left = Cell::new(limits.entries);
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        let node = Seed(&left)
            .deserialize(&mut reader)
            .and_then(|node| reader.end().map(|()| node))
            .map_err(|error| wrong(place, ParseError::json(FORMAT, &error).cause))?;
        Ok(Self { place, node })
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.node, Node::Object(_))
    }

    /// The text at this path. `None`: there is none, or it is empty.
    ///
    /// # Errors
    /// Something else than a text stands there, or a key is there in another spelling.
    pub(super) fn text(&self, path: &[&str]) -> Result<Option<&str>, ParseError> {
        match self.at(path)? {
            None | Some(Node::Scalar(Value::Null)) => Ok(None),
            Some(Node::Scalar(Value::String(text))) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
            Some(_) => Err(wrong(&self.path(path), "it is no text")),
        }
    }

    /// The digests at this path.
    pub(super) fn digests(&self, path: &[&str]) -> Result<BTreeMap<String, String>, ParseError> {
        let mut digests = BTreeMap::new();
        let Some(Node::Object(object)) = self.at(path)? else { return Ok(digests) };
        for (algorithm, value) in object {
            let Node::Scalar(Value::String(value)) = value else {
                return Err(wrong(&self.path(path), "a digest is no text"));
            };
            digests.insert(algorithm.clone(), value.clone());
        }
        Ok(digests)
    }

    /// The full name of a place below this one.
    pub(super) fn path(&self, path: &[&str]) -> String {
        std::iter::once(self.place).chain(path.iter().copied()).collect::<Vec<_>>().join(".")
    }

    fn at(&self, path: &[&str]) -> Result<Option<&Node>, ParseError> {
        let mut node = &self.node;
        for (depth, key) in path.iter().enumerate() {
            let Node::Object(object) = node else { return Ok(None) };
            let folded = |other: &&String| other.as_str() != *key && other.eq_ignore_ascii_case(key);
            if let Some(other) = object.keys().find(folded) {
                let cause = format!("it has the key {}, which some readers take for {key:?}", json::shown(other));
                return Err(wrong(&self.path(&path[..depth]), cause));
            }
            match object.get(*key) {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Every parameter by its path (`inputs/version`; `~1` stands for `/` in a key and `~0` for `~`, as in JSON pointers).
    /// Lists and empty objects are JSON text.
    pub(super) fn flattened(&self, limits: &Limits) -> Result<BTreeMap<String, String>, ParseError> {
        let mut all = BTreeMap::new();
        let mut budget = Budget::new(FORMAT, limits);
        if let Node::Object(object) = &self.node {
            flatten("", object, &mut all, &mut budget)?;
        } else if self.node != Node::Scalar(Value::Null) {
            // BuildKit, GitHub and GitLab write objects; some tools write `[]` for "none".
            let text = self.node.text();
            if text != "[]" {
                all.insert(String::new(), text);
            }
        }
        Ok(all)
    }
}

fn flatten(
    above: &str,
    object: &BTreeMap<String, Node>,
    all: &mut BTreeMap<String, String>,
    budget: &mut Budget,
) -> Result<(), ParseError> {
    for (key, node) in object {
        let key = key.replace('~', "~0").replace('/', "~1");
        let path = if above.is_empty() { key } else { format!("{above}/{key}") };
        budget.take(1, path.len())?;
        match node {
            Node::Object(inner) if !inner.is_empty() => flatten(&path, inner, all, budget)?,
            node => {
                let text = node.text();
                budget.take(1, text.len())?;
                all.insert(path, text);
            }
        }
    }
    Ok(())
}

impl Node {
    fn text(&self) -> String {
        match self {
            Self::Scalar(Value::String(text)) => text.clone(),
            other => other.json().to_string(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(list) => Value::Array(list.iter().map(Self::json).collect()),
            Self::Object(object) => {
                Value::Object(object.iter().map(|(key, node)| (key.clone(), node.json())).collect())
            }
        }
    }
}

/// Reads a node; so many more may follow.
#[derive(Clone, Copy)]
struct Seed<'c>(&'c Cell<usize>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let left = self.0.get().checked_sub(1);
        self.0.set(left.ok_or_else(|| de::Error::custom("there are more values than are read"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Seed<'_> {
    type Value = Node;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number without a value"))?;
        Ok(Node::Scalar(Value::Number(number)))
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut nodes = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let node = map.next_value_seed(self)?;
            if nodes.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {} stands twice", json::shown(&key))));
            }
            nodes.insert(key, node);
        }
        Ok(Node::Object(nodes))
    }
}
