//! Reads an IAM policy document the way a reviewer must: every key known, nothing said twice (a second `Action` would
//! silently replace the first), strings and lists of strings alike. Judging it is in `review.rs`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::commands::input::shown;
use crate::failure::Failure;

/// JSON that remembers order and refuses a repeated key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// Numbers, booleans and null: never valid where we look.
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("the key `{}` is there twice", shown(&key, 40))));
            }
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}

/// A value with its place in the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub path: String,
    pub value: T,
}

/// A list element that may be negated: `Action` or `NotAction`.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub plain: Vec<At<String>>,
    pub negated: Vec<At<String>>,
}

/// One statement, as far as it is judged.
#[derive(Debug)]
pub(super) struct Statement {
    pub path: String,
    pub allow: bool,
    pub actions: Element,
    pub resources: Element,
    /// Every principal, `AWS: "*"` as `*`; negated under `NotPrincipal`.
    pub principals: Element,
    pub has_condition: bool,
}

/// The document, as far as it is judged.
#[derive(Debug)]
pub(super) struct Document {
    pub version: Option<String>,
    pub statements: Vec<Statement>,
}

const TOP_KEYS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_KEYS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// Reads a document, or says where it is not one.
pub(super) fn parse(text: &str, file: &str) -> Result<Document, Failure> {
    let wrong = |what: String| Failure::configuration(format!("{file} is not an IAM policy document: {what}"));
    let json: Json = serde_json::from_str(text).map_err(|error| {
        wrong(shown(&error.to_string(), 200))
            .hint("an IAM policy is JSON: {\"Version\": \"2012-10-17\", \"Statement\": […]}")
    })?;
    let Json::Object(top) = json else { return Err(wrong("it is not a JSON object".to_owned())) };
    check_keys(&top, &TOP_KEYS, "").map_err(wrong).map_err(|failure| {
        failure.hint("give the policy document itself, without what a command wraps around it (`PolicyDocument`, `policyText`, …)")
    })?;
    let mut document = Document { version: None, statements: Vec::new() };
    let mut has_statement = false;
    for (key, value) in top {
        match (key.as_str(), value) {
            ("Version", Json::Text(version)) => document.version = Some(version),
            ("Version", _) => return Err(wrong("Version is not text".to_owned())),
            ("Statement", Json::List(list)) => {
                has_statement = true;
                for (index, item) in list.into_iter().enumerate() {
                    document.statements.push(statement(item, format!("Statement[{index}]")).map_err(wrong)?);
                }
            }
            ("Statement", item) => {
                has_statement = true;
                document.statements.push(statement(item, "Statement".to_owned()).map_err(wrong)?);
            }
            _ => {}
        }
    }
    if !has_statement {
        return Err(wrong("it has no Statement".to_owned()));
    }
    Ok(document)
}

fn check_keys(object: &[(String, Json)], known: &[&str], path: &str) -> Result<(), String> {
    let Some((key, _)) = object.iter().find(|(key, _)| !known.contains(&key.as_str())) else { return Ok(()) };
    let place = if path.is_empty() { "at its top".to_owned() } else { format!("in {path}") };
    let near = known.iter().find(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &key.to_lowercase()) <= 2);
    let advice =
        near.map_or_else(|| format!("; known are {}", known.join(", ")), |name| format!("; did you mean `{name}`?"));
    Err(format!("unknown key `{}` {place}{advice}", shown(key, 40)))
}

fn statement(json: Json, path: String) -> Result<Statement, String> {
    let Json::Object(entries) = json else { return Err(format!("{path} is not an object")) };
    check_keys(&entries, &STATEMENT_KEYS, &path)?;
    let mut effect = None;
    let mut statement = Statement {
        allow: false,
        actions: Element::default(),
        resources: Element::default(),
        principals: Element::default(),
        has_condition: false,
        path,
    };
    for (key, value) in entries {
        let place = format!("{}.{key}", statement.path);
        match key.as_str() {
            "Effect" => effect = Some(value),
            "Action" => statement.actions.plain = strings(value, &place)?,
            "NotAction" => statement.actions.negated = strings(value, &place)?,
            "Resource" => statement.resources.plain = strings(value, &place)?,
            "NotResource" => statement.resources.negated = strings(value, &place)?,
            "Principal" => statement.principals.plain = principals(value, &place)?,
            "NotPrincipal" => statement.principals.negated = principals(value, &place)?,
            "Condition" => {
                let Json::Object(conditions) = value else { return Err(format!("{place} is not an object")) };
                statement.has_condition = !conditions.is_empty();
            }
            _ => {}
        }
    }
    statement.allow = match effect {
        Some(Json::Text(text)) if text == "Allow" => true,
        Some(Json::Text(text)) if text == "Deny" => false,
        _ => return Err(format!("{}.Effect is neither `Allow` nor `Deny`", statement.path)),
    };
    if statement.actions.plain.is_empty() && statement.actions.negated.is_empty() {
        return Err(format!("{} names no Action", statement.path));
    }
    Ok(statement)
}

fn strings(json: Json, path: &str) -> Result<Vec<At<String>>, String> {
    match json {
        Json::Text(value) => Ok(vec![At { path: path.to_owned(), value }]),
        Json::List(list) => list
            .into_iter()
            .enumerate()
            .map(|(index, item)| match item {
                Json::Text(value) => Ok(At { path: format!("{path}[{index}]"), value }),
                _ => Err(format!("{path}[{index}] is not text")),
            })
            .collect(),
        _ => Err(format!("{path} is neither text nor a list")),
    }
}

fn principals(json: Json, path: &str) -> Result<Vec<At<String>>, String> {
    let Json::Object(kinds) = json else { return strings(json, path) };
    let mut all = Vec::new();
    for (kind, value) in kinds {
        all.extend(strings(value, &format!("{path}.{kind}"))?);
    }
    Ok(all)
}
