//! Spoiling a document one place at a time, for the test that nothing spoiled ever counts as good: every field and
//! element removed, null, and every other JSON type; and prefixes of the text. The order is the same in every run.

use std::fmt;

use serde_json::{Value, json};

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Field(String),
    Element(usize),
}

/// What is done to one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// The field or element is not there.
    Remove,
    /// It is null.
    Null,
    /// It is this instead.
    Retype(Value),
    /// It is this JSON text instead, which a [`Value`] can't hold (`1e400`).
    Raw(&'static str),
}

/// One spoiled document.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// For example `imageScanStatus.status: removed`.
    pub name: String,
    pub path: Vec<Step>,
    pub mutation: Mutation,
    /// The spoiled document.
    pub text: String,
}

/// Every field and array element below this value, parents before children.
pub fn paths(value: &Value) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    collect(value, &mut Vec::new(), &mut found);
    found
}

/// Everything that can be done to a place: removed, null, and each of the other values. What it already is, is left
/// out by [`cases`].
pub fn mutations() -> Vec<Mutation> {
    let values =
        [json!(true), json!(false), json!(0), json!(-1), json!(i64::MAX), json!(""), json!("x"), json!([]), json!({})];
    let mut all = vec![Mutation::Remove, Mutation::Null];
    all.extend(values.into_iter().map(Mutation::Retype));
    all.push(Mutation::Raw("1e400"));
    all
}

/// The document with one mutation at a path; the empty path is the document itself. A [`Mutation::Raw`] becomes the
/// largest number a [`Value`] can hold (see [`apply_text`]); removing the document itself leaves null.
pub fn apply(value: &Value, path: &[Step], mutation: &Mutation) -> Value {
    let mut copy = value.clone();
    let new = match mutation {
        Mutation::Remove => {
            let Some((last, parents)) = path.split_last() else { return Value::Null };
            match (at(&mut copy, parents), last) {
                (Some(Value::Object(fields)), Step::Field(name)) => drop(fields.remove(name)),
                (Some(Value::Array(elements)), Step::Element(n)) if *n < elements.len() => drop(elements.remove(*n)),
                _ => {}
            }
            return copy;
        }
        Mutation::Null => Value::Null,
        Mutation::Retype(new) => new.clone(),
        Mutation::Raw(_) => json!(f64::MAX),
    };
    if let Some(place) = at(&mut copy, path) {
        *place = new;
    }
    copy
}

/// [`apply`] as text, the only form a [`Mutation::Raw`] keeps its meaning in; removing the document itself leaves no
/// text at all.
pub fn apply_text(value: &Value, path: &[Step], mutation: &Mutation) -> String {
    const PLACE: &str = "\u{1}here\u{1}";
    match mutation {
        Mutation::Remove if path.is_empty() => String::new(),
        Mutation::Raw(text) => {
            let marked = apply(value, path, &Mutation::Retype(json!(PLACE))).to_string();
            marked.replacen(&json!(PLACE).to_string(), text, 1)
        }
        other => apply(value, path, other).to_string(),
    }
}

/// Every path with every mutation that changes something, the document itself included.
pub fn cases(value: &Value) -> Vec<Case> {
    let mut all = Vec::new();
    for path in std::iter::once(Vec::new()).chain(paths(value)) {
        let current = at(&mut value.clone(), &path).cloned();
        for mutation in mutations() {
            let same = match &mutation {
                Mutation::Null => current == Some(Value::Null),
                Mutation::Retype(new) => current.as_ref() == Some(new),
                Mutation::Remove | Mutation::Raw(_) => false,
            };
            if !same {
                let text = apply_text(value, &path, &mutation);
                all.push(Case { name: name(&path, &mutation), path: path.clone(), mutation, text });
            }
        }
    }
    all
}

/// `imageScanFindings.findings[0].severity: null`
pub fn name(path: &[Step], mutation: &Mutation) -> String {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Field(field) if name.is_empty() => name.push_str(field),
            Step::Field(field) => name.extend([".", field]),
            Step::Element(n) => name.extend(["[", &n.to_string(), "]"]),
        }
    }
    if name.is_empty() {
        name.push_str("(document)");
    }
    format!("{name}: {mutation}")
}

/// At most `n` proper prefixes of the text, evenly spread, the empty one first, cut between characters.
pub fn truncations(text: &str, n: usize) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for k in 0..n {
        let mut end = text.len() * k / n;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let prefix = &text[..end];
        if prefix.len() < text.len() && prefixes.last().is_none_or(|last| last != prefix) {
            prefixes.push(prefix.to_owned());
        }
    }
    prefixes
}

fn collect(value: &Value, path: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let steps: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (Step::Field(name.clone()), field)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(n, value)| (Step::Element(n), value)).collect(),
        _ => return,
    };
    for (step, child) in steps {
        path.push(step);
        found.push(path.clone());
        collect(child, path, found);
        path.pop();
    }
}

fn at<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.as_object_mut()?.get_mut(name),
        Step::Element(n) => value.as_array_mut()?.get_mut(*n),
    })
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove => f.write_str("removed"),
            Self::Null => f.write_str("null"),
            Self::Retype(value) => write!(f, "{value}"),
            Self::Raw(text) => f.write_str(text),
        }
    }
}
