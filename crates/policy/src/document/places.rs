//! Where something stands in a document: looked up only when there is something to say about it, by reading the text once
//! more with places. Everything that is checked behind the reading of types is so told with line and column.

use std::fmt;

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// A way into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value of a key.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// `spec.rules[2]`
pub(crate) fn rule(index: usize) -> Vec<Step> {
    vec![Step::Key("spec".to_owned()), Step::Key("rules".to_owned()), Step::Item(index)]
}

/// `spec.KEY`
pub(crate) fn spec(key: &str) -> Vec<Step> {
    vec![Step::Key("spec".to_owned()), Step::Key(key.to_owned())]
}

/// Line and column, from 1, of what `path` leads to, or of the last step of it that is there; `None` for a text that cannot be
/// read. The words `what` of a message lead further if they name a key in backticks below it.
pub(crate) fn find(text: &str, path: &[Step], what: &str) -> Option<(u64, u64)> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 100_000, max_aliases: 100, max_anchors: 100, max_depth: 64 },
    };
    let document: Spanned<Node> = match serde_saphyr::from_str_with_options(text, options) {
        Ok(document) => document,
        Err(_) => return None,
    };
    let mut at = &document;
    for step in path {
        match at.value.step(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    for key in named(what) {
        let Some(next) = at.value.below(&key) else { continue };
        at = next;
        break;
    }
    Some((at.referenced.line(), at.referenced.column()))
}

/// The keys that a message names in backticks, each as its parts: `config.ports.deny: []` is `config`, `ports`, `deny`.
fn named(what: &str) -> Vec<Vec<String>> {
    let quoted = what.split('`').skip(1).step_by(2);
    let key = |text: &str| text.split([':', ' ']).next().unwrap_or(text).split('.').map(str::to_owned).collect();
    quoted.map(key).collect()
}

/// A value, with the places of what it holds.
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Leaf,
}

impl Node {
    fn key(&self, key: &str) -> Option<&Spanned<Self>> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::List(_) | Self::Leaf => None,
        }
    }

    fn step(&self, step: &Step) -> Option<&Spanned<Self>> {
        match (step, self) {
            (Step::Key(key), _) => self.key(key),
            (Step::Item(index), Self::List(items)) => items.get(*index),
            (Step::Item(_), _) => None,
        }
    }

    /// What these keys lead to, from here or from one of the values here.
    fn below(&self, keys: &[String]) -> Option<&Spanned<Self>> {
        let follow = |from: &'_ Self| -> Option<()> {
            let mut at = from.key(keys.first()?)?;
            for key in &keys[1..] {
                at = at.value.key(key)?;
            }
            Some(())
        };
        let from = if follow(self).is_some() {
            Some(self)
        } else if let Self::Map(entries) = self {
            entries.iter().map(|(_, value)| &value.value).find(|value| follow(value).is_some())
        } else {
            None
        }?;
        let mut at = from.key(keys.first()?)?;
        for key in &keys[1..] {
            at = at.value.key(key)?;
        }
        Some(at)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_none<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
                Node::deserialize(inner)
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Key>()? {
                    match key.0 {
                        Some(key) => entries.push((key, map.next_value()?)),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Node::Map(entries))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A key, if it is text.
struct Key(Option<String>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer) {
            Ok(text) => Ok(Self(Some(text))),
            Err(_) => Ok(Self(None)),
        }
    }
}
