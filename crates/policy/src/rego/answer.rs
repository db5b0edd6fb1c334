//! From the value of a rule to messages. Whatever is not a message is an error: nothing a rule says is dropped.

use std::collections::BTreeSet;

use model::{Reason, ReasonCode};
use regorus::Value;

use super::query::Asked;
use super::{Limits, Message};

/// Messages of one kind, sorted, each once.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    all: BTreeSet<Message>,
    limits: &'a Limits,
    text_bytes: usize,
}

impl<'a> Messages<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { all: BTreeSet::new(), limits, text_bytes: 0 }
    }

    /// Takes what a rule said.
    pub(super) fn take(&mut self, asked: &Asked, value: &Value) -> Result<(), Reason> {
        let path = &asked.path;
        match value {
            Value::Undefined => {
                return Err(failed(format!("`{path}` has no value")).remedy(
                    "Write it as `contains message if { … }`, or give it a default: a rule without a value is no answer.",
                ));
            }
            Value::Bool(false) => {}
            Value::Bool(true) => self.add(plain(format!("`{path}` is true")))?,
            Value::Set(elements) => {
                for element in elements.iter() {
                    self.add(message(path, element)?)?;
                }
            }
            Value::Array(elements) => {
                for element in elements.iter() {
                    self.add(message(path, element)?)?;
                }
            }
            other => return Err(failed(format!("`{path}` is {}, not a set of messages", kind(other)))),
        }
        Ok(())
    }

    fn add(&mut self, message: Message) -> Result<(), Reason> {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.text_bytes = self
            .text_bytes
            .saturating_add(message.text.len())
            .saturating_add(length(&message.code))
            .saturating_add(length(&message.remedy));
        self.all.insert(message);
        if self.all.len() > self.limits.messages || self.text_bytes > self.limits.text_bytes {
            return Err(Reason::new(
                ReasonCode::RegoLimit,
                format!(
                    "the rules gave more than {} messages, or more than {} bytes of them",
                    self.limits.messages, self.limits.text_bytes
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn into_sorted(self) -> Vec<Message> {
        self.all.into_iter().collect()
    }
}

/// A text, or an object with `msg`. Other keys than the three are the author's own and are not shown.
fn message(path: &str, element: &Value) -> Result<Message, Reason> {
    match element {
        Value::String(text) => Ok(plain(text.as_ref())),
        Value::Object(_) => {
            let (message, other) = (text(path, element, "msg")?, text(path, element, "message")?);
            let Some(message) = message.or(other) else {
                return Err(failed(format!("`{path}` holds an object without `msg`: {}", short(element))));
            };
            Ok(Message { code: text(path, element, "code")?, text: message, remedy: text(path, element, "remedy")? })
        }
        other => Err(failed(format!("`{path}` holds {}, not a message: {}", kind(other), short(other)))),
    }
}

fn plain(text: impl Into<String>) -> Message {
    Message { code: None, text: text.into(), remedy: None }
}

fn text(path: &str, object: &Value, key: &str) -> Result<Option<String>, Reason> {
    match &object[key] {
        Value::Undefined => Ok(None),
        Value::String(text) => Ok(Some(text.to_string())),
        other => Err(failed(format!("`{path}` holds an object whose `{key}` is {}, not text", kind(other)))),
    }
}

pub(super) fn failed(message: impl Into<String>) -> Reason {
    Reason::new(ReasonCode::RegoFailed, message)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object",
        Value::Undefined => "nothing",
    }
}

/// Enough of a value to recognize it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text,
    }
}
