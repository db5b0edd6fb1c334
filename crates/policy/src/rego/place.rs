//! Where in a policy something is, and what regorus says about it: its errors are pictures of the line, read here.

use regorus::unstable::Span;

use crate::error::DocumentError;

/// A place in a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Place {
    pub(super) fn of(span: &Span) -> Self {
        Self { file: span.source.file().clone(), line: span.line.into(), column: span.col.into() }
    }

    pub(super) fn error(&self, what: impl Into<String>) -> DocumentError {
        DocumentError { line: Some(self.line), column: Some(self.column), ..DocumentError::new(&self.file, what) }
    }
}

/// What an error of regorus says, and where if it says so.
pub(super) fn read(text: &str) -> (String, Option<Place>) {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = match lines.clone().find_map(|line| line.strip_prefix("error: ")) {
        Some(what) => what.to_owned(),
        None => lines.next().unwrap_or("an error without a text").to_owned(),
    };
    (what, text.lines().find_map(|line| arrow(line.trim())))
}

/// `--> file:line:column`
fn arrow(line: &str) -> Option<Place> {
    let mut parts = line.strip_prefix("--> ")?.rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    match (line.parse(), column.parse()) {
        (Ok(line), Ok(column)) => Some(Place { file: file.to_owned(), line, column }),
        _ => None,
    }
}

/// An error of regorus while a policy is loaded.
pub(super) fn error(file: &str, text: &str) -> DocumentError {
    match read(text) {
        (what, Some(place)) => place.error(what),
        (what, None) => DocumentError::new(file, what),
    }
}

/// An error of regorus while a rule is evaluated, in one line.
pub(super) fn sentence(text: &str) -> String {
    match read(text) {
        (what, Some(place)) => format!("{what} ({}:{}:{})", place.file, place.line, place.column),
        (what, None) => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_and_the_sentence_are_read_out_of_the_picture() {
        let text = "\n--> C:\\a.rego:2:11\n  |\n2 | deny[msg] { msg := 1 }\n  |           ^\nerror: `if` is missing";
        let place = Place { file: "C:\\a.rego".to_owned(), line: 2, column: 11 };
        assert_eq!(read(text), ("`if` is missing".to_owned(), Some(place)));
        assert_eq!(sentence(text), "`if` is missing (C:\\a.rego:2:11)");
        assert_eq!(read("not a valid rule path"), ("not a valid rule path".to_owned(), None));
        assert_eq!(read(""), ("an error without a text".to_owned(), None));
    }
}
