//! Rows on their way into tables: of all batches of a group together, in few statements.

use std::collections::BTreeMap;

use sqlx::AnyConnection;

use crate::tables::Table;
use crate::trouble::Trouble;
use crate::value::{Value, arguments, places, statement};

/// How many rows one statement takes: few sizes, so that each is prepared once, and close enough that any number is two or three statements.
const SIZES: [usize; 12] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Rows of one table. A key stands once: a statement that meets its own row fails in PostgreSQL.
pub(super) struct Rows<'a> {
    table: &'static Table,
    rows: BTreeMap<Vec<Value<'a>>, Vec<Value<'a>>>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(table: &'static Table) -> Self {
        Self { table, rows: BTreeMap::new() }
    }

    /// Adds a row; of two with one key the first stays.
    pub(super) fn add(&mut self, row: Vec<Value<'a>>) {
        self.merge(row, |_, _| {});
    }

    /// Adds a row, or what it says to the one with its key.
    pub(super) fn merge(&mut self, row: Vec<Value<'a>>, merge: impl FnOnce(&mut Vec<Value<'a>>, Vec<Value<'a>>)) {
        debug_assert_eq!(row.len(), self.table.columns.len(), "{}", self.table.name);
        let key = row.iter().take(self.table.key).copied().collect();
        match self.rows.entry(key) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(row);
            }
            std::collections::btree_map::Entry::Occupied(mut there) => merge(there.get_mut(), row),
        }
    }

    /// Inserts them, and gives what each statement returns.
    pub(super) async fn insert(
        self,
        connection: &mut AnyConnection,
        returning: &str,
    ) -> Result<Vec<sqlx::any::AnyRow>, Trouble> {
        let mut answers = Vec::new();
        let rows: Vec<Vec<Value<'a>>> = self.rows.into_values().collect();
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let size = SIZES.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
            let (these, others) = rest.split_at(size);
            let query = statement(insert(self.table, size, returning), arguments(these.iter().flatten())?);
            if returning.is_empty() {
                query.execute(&mut *connection).await?;
            } else {
                answers.extend(query.fetch_all(&mut *connection).await?);
            }
            rest = others;
        }
        Ok(answers)
    }
}

/// The statement that inserts this many rows.
fn insert(table: &Table, count: usize, returning: &str) -> String {
    let width = table.columns.len();
    let rows: Vec<String> = (0..count).map(|row| format!("({})", places(row * width + 1, width))).collect();
    let (name, columns, key, again) = (table.name, table.column_list(), table.key_list(), table.again);
    let returning = if returning.is_empty() { String::new() } else { format!(" RETURNING {returning}") };
    format!("INSERT INTO {name} ({columns}) VALUES {} ON CONFLICT ({key}) {again}{returning}", rows.join(", "))
}
