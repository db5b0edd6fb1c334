//! What is asked: one rule, or those rules of a package whose names say that they judge.

use super::check::Rules;
use super::definition::{Form, Path};
use super::syntax::path_text;
use crate::error::{DocumentError, suggest};

/// A rule to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its path as regorus writes it, such as `data.house.deny`.
    pub(super) path: String,
    pub(super) kind: Kind,
}

/// Does what it says break the policy?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deny,
    Warn,
}

impl Kind {
    /// The names that conftest looks for too.
    fn of(name: &str) -> Option<Self> {
        let is = |word: &str| name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        if is("deny") || is("violation") {
            Some(Self::Deny)
        } else if is("warn") {
            Some(Self::Warn)
        } else {
            None
        }
    }
}

/// The rules that a query means. `package` is that of the first module.
pub(super) fn asked(
    file: &str,
    query: Option<&str>,
    package: &Path,
    rules: &Rules,
) -> Result<Vec<Asked>, DocumentError> {
    let path = match query {
        Some(query) => parse(file, query)?,
        None => package.clone(),
    };
    if rules.defines(&path) {
        let name = path.last().map_or("", String::as_str);
        // A set of messages is what it is, whatever its name.
        let is_set = rules.of(&path).all(|definition| matches!(definition.form, Form::Set));
        let Some(kind) =
            Kind::of(name).or(is_set.then_some(if name.starts_with("warn") { Kind::Warn } else { Kind::Deny }))
        else {
            // `allow` means the opposite: what it says false to would pass.
            return Err(DocumentError::new(
                file,
                format!("`{}` does not say what it is by its name", path_text(&path)),
            )
            .with_hint("ask a rule that is named `deny`, `violation` or `warn`, or begins with one of them and `_`"));
        };
        return Ok(vec![one(rules, &path, kind)?]);
    }
    if !rules.packages().contains(&path) {
        let packages: Vec<String> = rules.packages().iter().chain(rules.paths()).map(|path| path_text(path)).collect();
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        let text = path_text(&path);
        let error = DocumentError::new(file, format!("there is no package or rule `{text}`"));
        return Err(match suggest(&text, &names) {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }
    let mut asked = Vec::new();
    for rule in rules.paths().filter(|rule| rule.len() == path.len() + 1 && rule.starts_with(&path)) {
        if let Some(kind) = rule.last().and_then(|name| Kind::of(name)) {
            asked.push(one(rules, rule, kind)?);
        }
    }
    if asked.is_empty() {
        return Err(DocumentError::new(file, format!("the package `{}` has no rule that judges", path_text(&path)))
            .with_hint(
                "name one `deny`, `violation` or `warn`, or one with such a name and an ending, such as `deny_root`",
            ));
    }
    Ok(asked)
}

/// A rule that gives a set, an array or a boolean, as far as its form tells.
fn one(rules: &Rules, path: &Path, kind: Kind) -> Result<Asked, DocumentError> {
    let text = path_text(path);
    let mut always = false;
    let mut complete = None;
    for definition in rules.of(path) {
        match definition.form {
            Form::Set | Form::Default => always = true,
            Form::Complete { unconditional } => {
                always |= unconditional;
                complete = Some(&definition.place);
            }
            Form::Function(_) => {
                return Err(definition.place.error(format!("`{text}` is a function and cannot be asked")));
            }
            Form::Object => {
                return Err(definition
                    .place
                    .error(format!("`{text}` is an object, not a set of messages"))
                    .with_hint("write `contains message if { … }`"));
            }
        }
    }
    match complete {
        Some(place) if !always => Err(place
            .error(format!("`{text}` has no value when its condition does not hold, and no value is no answer"))
            .with_hint("write `contains message if { … }`, or add `default … := false`")),
        _ => Ok(Asked { path: text, kind }),
    }
}

/// `data.house.deny`, `data.teams["web-1"].deny`
fn parse(file: &str, query: &str) -> Result<Path, DocumentError> {
    let wrong = || {
        DocumentError::new(file, format!("`{query}` is not a query"))
            .with_hint("write a rule, `data.house.deny`, or a package, `data.house`")
    };
    let mut path = Vec::new();
    let mut rest = query.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (name, after) = quoted.split_once("\"]").ok_or_else(wrong)?;
            if name.contains(['\\', '"']) || path.is_empty() {
                return Err(wrong());
            }
            path.push(name.to_owned());
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let identifier = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(identifier) {
                return Err(wrong());
            }
            path.push(name.to_owned());
            rest = after;
        }
        if rest.is_empty() {
            break;
        }
        if !rest.starts_with('[') {
            rest = rest.strip_prefix('.').ok_or_else(wrong)?;
        }
    }
    match path.split_first() {
        Some((root, tail)) if root == "data" && !tail.is_empty() => Ok(path),
        _ => Err(wrong()),
    }
}
