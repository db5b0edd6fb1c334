//! Parameters: values that differ from environment to environment, declared once in `spec.parameters` and written as
//! `$name` where a rule, `onUnknown` or `action` has a value. A document is read once for each environment that gives values
//! of its own, so that everything behind the reading knows nothing of parameters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de;
use serde::{Deserialize, Deserializer};

use super::load::read_yaml;
use crate::error::{DocumentError, suggest};

/// A value: text, a whole or decimal number, `true` or `false`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parameter {
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
}

/// Parameters by name.
pub(crate) type Parameters = BTreeMap<String, Parameter>;

impl Parameter {
    /// As it stands where it is used.
    fn text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// As a Rego policy sees it.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            Self::Number(number) => number.clone().into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

/// What a document says about parameters, read before anything else of it.
pub(crate) struct Declared {
    /// For every environment that has none of its own.
    pub(crate) common: Parameters,
    /// All of them, for an environment that gives some of them other values.
    pub(crate) by_environment: BTreeMap<String, Parameters>,
}

#[derive(Deserialize)]
struct Head {
    spec: Option<HeadSpec>,
}

#[derive(Deserialize)]
struct HeadSpec {
    parameters: Option<Parameters>,
    environments: Option<BTreeMap<String, HeadEnvironment>>,
}

#[derive(Deserialize)]
struct HeadEnvironment {
    parameters: Option<Parameters>,
}

impl Declared {
    /// Reads what a document declares. What else is wrong with the document is found when it is read as a policy.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, DocumentError> {
        let nothing = Self { common: Parameters::new(), by_environment: BTreeMap::new() };
        let head: Head = match read_yaml(file, text) {
            // Braces of a parameter can end the text early; of a policy without any that is told as what it is.
            Err(_) if !text.contains("parameters") => return Ok(nothing),
            head => head?,
        };
        let Some(spec) = head.spec else { return Ok(nothing) };
        let common = spec.parameters.unwrap_or(Parameters::new());
        let wrong = |what: String| DocumentError::new(file, what);
        for (name, value) in &common {
            if !is_name(name) {
                return Err(wrong(format!("`spec.parameters`: {name:?} is not a name"))
                    .with_hint("letters, digits and underscores, with a letter first"));
            }
            check(name, value).map_err(wrong)?;
        }
        let mut by_environment = BTreeMap::new();
        for (environment, said) in spec.environments.into_iter().flatten() {
            let Some(own) = said.parameters else { continue };
            let mut all = common.clone();
            for (name, value) in own {
                check(&name, &value).map_err(wrong)?;
                if !common.contains_key(&name) {
                    let names: Vec<&str> = common.keys().map(String::as_str).collect();
                    let what = format!(
                        "environment {environment:?} gives a value to the parameter {name:?}, which `spec.parameters` does not declare"
                    );
                    let hint = suggest(&name, &names).unwrap_or_else(|| {
                        format!("declare it with a value for all the others: `parameters: {{ {name}: … }}`")
                    });
                    return Err(wrong(what).with_hint(hint));
                }
                all.insert(name, value);
            }
            by_environment.insert(environment, all);
        }
        Ok(Self { common, by_environment })
    }

    /// Names that are declared and stand nowhere in the text.
    pub(crate) fn unused(&self, text: &str) -> BTreeSet<String> {
        self.common
            .keys()
            .filter(|name| !text.contains(&format!("${name}")) && !text.contains(&format!("${{{name}}}")))
            .cloned()
            .collect()
    }
}

fn check(name: &str, value: &Parameter) -> Result<(), String> {
    match value {
        Parameter::Text(text) if text.trim().is_empty() => {
            Err(format!("the parameter {name:?} is empty: where it is used nothing would be said"))
        }
        Parameter::Text(text) if text.len() > 1024 || text.chars().any(char::is_control) => {
            Err(format!("the parameter {name:?} is no short text of one line"))
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The values as the reader takes them.
#[expect(clippy::disallowed_types, reason = "the reader wants this map; it is looked up by name and never listed")]
pub(super) fn properties(parameters: &Parameters) -> std::collections::HashMap<String, String> {
    parameters.iter().map(|(name, value)| (name.clone(), value.text())).collect()
}

/// The first quoted parameter, with its line: in quotes it would be the text itself.
pub(super) fn quoted(text: &str, parameters: &Parameters) -> Option<(usize, String)> {
    let quoted = |line: &str, name: &str| {
        let forms =
            [format!("\"${name}\""), format!("'${name}'"), format!("\"${{{name}}}\""), format!("'${{{name}}}'")];
        forms.iter().any(|form| line.contains(form.as_str()))
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or(line);
        if let Some(name) = parameters.keys().find(|name| quoted(line, name)) {
            return Some((number + 1, name.clone()));
        }
    }
    None
}

/// The text with the values in place of the names, for messages.
pub(super) fn written_out(text: &str, parameters: &Parameters) -> String {
    let mut text = text.to_owned();
    // The longest name first: `$high` is no part of `$highest`.
    let mut names: Vec<_> = parameters.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        let value = value.text();
        text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
    }
    text
}

/// The first `${name…}` that is more than a name: a default written there would hide a misspelt name.
pub(super) fn with_operator(text: &str) -> Option<(usize, String)> {
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("${") {
            let rest = &line[at + 2..];
            let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            if name > 0 && rest[name..].starts_with([':', '-', '+', '?']) {
                return Some((number + 1, rest[..name].to_owned()));
            }
        }
    }
    None
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Parameter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, `true` or `false`")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Parameter, E> {
                Ok(Parameter::Flag(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Parameter, E> {
                Ok(Parameter::Number(value.into()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Parameter, E> {
                Ok(Parameter::Number(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Parameter, E> {
                serde_json::Number::from_f64(value).map(Parameter::Number).ok_or_else(|| E::custom("not a number"))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Parameter, E> {
                Ok(Parameter::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Parameter {
    fn schema_name() -> Cow<'static, str> {
        "Parameter".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "number" }, { "type": "boolean" }] })
    }
}
