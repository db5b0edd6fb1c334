//! What is wrong with a document, where, and what was probably meant.

use std::fmt;

/// A document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// The file's name as it was given.
    pub file: String,
    /// Line, from 1, if the place is known.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What was probably meant, or what is possible here.
    pub hint: Option<String>,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let (Some(_), Some(column)) = (self.line, self.column) {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for DocumentError {}

impl DocumentError {
    /// An error in a file, without a place.
    pub fn new(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, what: what.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn at(self, line: u64, column: Option<u64>) -> Self {
        Self { line: Some(line), column, ..self }
    }

    /// The same with what was probably meant, or what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn from_yaml(file: &str, error: &serde_saphyr::Error) -> Self {
        use serde_saphyr::Error as Yaml;
        let inner = error.without_snippet();
        let (what, hint) = match inner {
            Yaml::SerdeUnknownField { field, expected, .. } => {
                (format!("unknown key `{field}`"), moved(field, expected).or_else(|| suggest(field, expected)))
            }
            Yaml::SerdeUnknownVariant { variant, expected, .. } => {
                (format!("unknown value `{variant}`"), suggest(variant, expected))
            }
            Yaml::UnresolvedProperty { name, .. } => (
                format!("`${name}` names a parameter that is not declared"),
                Some(format!("declare it: `spec: {{ parameters: {{ {name}: … }} }}`; `$${name}` is the text itself")),
            ),
            Yaml::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
            Yaml::MultipleDocuments { .. } => {
                ("the file holds several documents".to_owned(), Some("write one document per file".to_owned()))
            }
            other => in_words(&first_line(&other.to_string())),
        };
        let at = error.location();
        Self {
            file: file.to_owned(),
            line: at.map(|at| at.line()).filter(|line| *line > 0),
            column: at.map(|at| at.column()).filter(|column| *column > 0),
            what,
            hint,
        }
    }
}

/// What people look for in a `config` rule and is a rule of its own.
fn moved(word: &str, expected: &[&str]) -> Option<String> {
    let rule = match word {
        _ if !expected.contains(&"nonRoot") => return None,
        "age" | "maxAge" => "`age: { max: 90d }`",
        "base" | "baseImage" => "`baseImage: { approved: [...] }`",
        _ => return None,
    };
    Some(format!("that is a rule of its own: {rule}"))
}

/// "did you mean …", or what is possible.
pub(crate) fn suggest(word: &str, expected: &[&str]) -> Option<String> {
    let near = expected
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3));
    match near {
        Some((_, candidate)) => Some(format!("did you mean `{candidate}`?")),
        None if expected.is_empty() => None,
        None => Some(format!("possible here: {}", expected.join(", "))),
    }
}

/// What the reader says, in words that say what to write.
fn in_words(said: &str) -> (String, Option<String>) {
    let wanted = |what: &str, hint: &str| (format!("{what} is expected here"), Some(hint.to_owned()));
    match said {
        "expected sequence start" => wanted("a list", "write `[one, two]`, or a line with `- one` for each"),
        "expected mapping start" => wanted("a map", "write `{ key: value }`, or a line with `key: value` for each"),
        "expected string scalar" => wanted("a text", "write one value"),
        _ if said.starts_with("invalid u") || said.starts_with("invalid i") => {
            wanted("a whole number", "0 or more, written without quotes and unit")
        }
        _ => (said.to_owned(), None),
    }
}

/// The first line, without the place that the error carries apart.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("the document cannot be read");
    line.rsplit_once(" at line ").map_or(line, |(what, _)| what).to_owned()
}
