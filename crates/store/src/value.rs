//! What goes into a statement, and comes out of a row: numbers, text and bytes, in both databases alike.

use std::str::FromStr;

use model::{Digest, Timestamp, Verdict};
use sqlx::Row as _;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments as _, AssertSqlSafe};

use crate::StoreError;
use crate::trouble::Trouble;

/// A value of a column. Its order puts rows of one table into the same order everywhere, so that two writers never wait for each other in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    NoInt,
    NoText,
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::NoInt, Self::Int)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_millisecond())
    }
}

/// Values for the places `$1`, `$2`, … of a statement.
pub(crate) fn arguments<'a>(values: impl IntoIterator<Item = &'a Value<'a>>) -> Result<AnyArguments, Trouble> {
    let mut arguments = AnyArguments::default();
    for value in values {
        let added = match *value {
            // PostgreSQL has no such text, and what one database keeps the other has to be able to.
            Value::Text(text) if text.contains('\0') => {
                return Err(Trouble::Refused(StoreError::Database {
                    doing: "writing",
                    why: "a text holds a zero byte".to_owned(),
                }));
            }
            Value::Int(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Blob(bytes) => arguments.add(bytes),
            Value::NoInt => arguments.add(None::<i64>),
            Value::NoText => arguments.add(None::<String>),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A statement that is not written out in the source. Nothing but names and places may be put together: values go by `arguments`.
pub(crate) fn statement(sql: String, arguments: AnyArguments) -> sqlx::query::Query<'static, sqlx::Any, AnyArguments> {
    sqlx::query_with(AssertSqlSafe(sql), arguments)
}

/// `$4, $5, $6`
pub(crate) fn places(from: usize, count: usize) -> String {
    let mut out = String::with_capacity(count * 5);
    for number in from..from + count {
        if number > from {
            out.push_str(", ");
        }
        out.push('$');
        out.push_str(&number.to_string());
    }
    out
}

/// Conditions, and the values they are about.
#[derive(Default)]
pub(crate) struct Filter<'a> {
    conditions: Vec<String>,
    pub(crate) values: Vec<Value<'a>>,
}

impl<'a> Filter<'a> {
    /// One more, if there is something to compare with: `digest =`.
    pub(crate) fn and(&mut self, condition: &str, value: Option<Value<'a>>) {
        if let Some(value) = value {
            let place = self.place(value);
            self.conditions.push(format!("{condition} {place}"));
        }
    }

    /// One more, about several values at once: `(a, b) >`.
    pub(crate) fn and_row(&mut self, condition: &str, values: impl IntoIterator<Item = Value<'a>>) {
        let places: Vec<String> = values.into_iter().map(|value| self.place(value)).collect();
        self.conditions.push(format!("{condition} ({})", places.join(", ")));
    }

    /// One more, that is written out.
    pub(crate) fn and_that(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// The place of a value that stands elsewhere in the statement.
    pub(crate) fn place(&mut self, value: Value<'a>) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// ` WHERE …`, or nothing.
    pub(crate) fn text(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }
}

/// Reads a column, and says which row could not be read.
pub(crate) struct Reader<'r> {
    pub(crate) row: &'r AnyRow,
    pub(crate) what: &'static str,
}

impl<'r> Reader<'r> {
    pub(crate) fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.row.try_get(column).map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn at(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.get(column)?).map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn at_or_none(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let number: Option<i64> = self.get(column)?;
        number.map(Timestamp::from_millisecond).transpose().map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn digest(&self, column: &'static str) -> Result<Digest, StoreError> {
        let text: &str = self.get(column)?;
        Digest::from_str(text).map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn digest_or_none(&self, column: &'static str) -> Result<Option<Digest>, StoreError> {
        let text: Option<&str> = self.get(column)?;
        text.map(Digest::from_str).transpose().map_err(|error| self.wrong(column, &error))
    }

    /// A list of texts, kept as JSON.
    pub(crate) fn list(&self, column: &'static str) -> Result<Vec<String>, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn verdict(&self, column: &'static str) -> Result<Verdict, StoreError> {
        let text: &str = self.get(column)?;
        [Verdict::Allow, Verdict::Warn, Verdict::Pending, Verdict::Deny]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| self.wrong(column, &"no such verdict"))
    }

    pub(crate) fn hash(&self, column: &'static str) -> Result<[u8; 32], StoreError> {
        let bytes: &[u8] = self.get(column)?;
        bytes.try_into().map_err(|_| self.wrong(column, &"not 32 bytes"))
    }

    pub(crate) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|error| self.wrong(column, &error))
    }

    pub(crate) fn wrong(&self, column: &str, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unreadable { what: self.what, why: format!("{column}: {why}") }
    }
}
