//! What a database says when it does not do something, and what follows: another try, a smaller one, or none.

use std::time::Duration;

use crate::StoreError;

/// Why a step did not happen.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database said so.
    Sql(sqlx::Error),
    /// It did not answer for this long.
    Silence(Duration),
    /// We said so: nothing is wrong with the database.
    Refused(StoreError),
}

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The connection is gone, or somebody was in the way: the same again, on a new connection.
    Again,
    /// There is no room: the same again, but not now.
    Later,
    /// Nothing: what was asked cannot be done.
    None,
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl Trouble {
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Silence(_) => Remedy::Again,
            Self::Refused(_) => Remedy::None,
            Self::Sql(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed => Remedy::Again,
                sqlx::Error::Database(database) => remedy_of(database.code().as_deref().unwrap_or("")),
                _ => Remedy::None,
            },
        }
    }

    /// The error as callers get it.
    pub(crate) fn while_doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Silence(after) => {
                StoreError::Database { doing, why: format!("no answer within {} s", after.as_secs().max(1)) }
            }
            Self::Sql(error) => StoreError::Database { doing, why: words(&error) },
        }
    }
}

/// What follows from an error code: five characters of PostgreSQL (SQLSTATE), or a number of SQLite.
fn remedy_of(code: &str) -> Remedy {
    if code.len() == 5 {
        return match code {
            // Shut down, starting up, too many connections, serialization, deadlock, lock timeout.
            "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "40001" | "40P01" | "55P03" | "25P03" => Remedy::Again,
            "53100" | "53200" | "58030" => Remedy::Later,
            _ if code.starts_with("08") => Remedy::Again,
            _ => Remedy::None,
        };
    }
    // The low byte is the kind; the rest says more about it. 5 and 6: somebody has a lock; 10: input or output; 13: full.
    match code.parse::<i64>().map(|code| code & 0xff) {
        Ok(5 | 6) => Remedy::Again,
        Ok(10 | 13) => Remedy::Later,
        _ => Remedy::None,
    }
}

/// What an error says, on one line. Nothing that was bound to a statement is in it: PostgreSQL's detail, which may quote values, is left out.
fn words(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(database) => match database.code() {
            Some(code) => format!("{} (code {code})", database.message()),
            None => database.message().to_owned(),
        },
        // May quote the URL.
        sqlx::Error::Configuration(_) => "the connection settings cannot be used".to_owned(),
        other => other.to_string(),
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, expected) in [
            ("57P01", Remedy::Again),
            ("08006", Remedy::Again),
            ("40P01", Remedy::Again),
            ("53100", Remedy::Later),
            ("23505", Remedy::None),
            ("5", Remedy::Again),
            ("517", Remedy::Again),
            ("13", Remedy::Later),
            ("778", Remedy::Later),
            ("4874", Remedy::Later),
            ("787", Remedy::None),
            ("", Remedy::None),
        ] {
            assert_eq!(remedy_of(code), expected, "{code}");
        }
    }
}
