//! Lists for people: a line an entry, in columns. Words of others are only words, and long ones are cut.

use comfy_table::{ContentArrangement, Table, presets};

use super::logged;

/// The longest text of one cell.
const CELL: usize = 120;

/// The rows under their titles; nothing steers a terminal.
pub(crate) fn columns<const N: usize>(titles: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles);
    for row in rows {
        table.add_row(row.map(|cell| logged(&cell, CELL)));
    }
    let drawn = table.to_string();
    let lines: Vec<&str> = drawn.lines().map(|line| line.trim_end().trim_start_matches(' ')).collect();
    lines.join("\n")
}
