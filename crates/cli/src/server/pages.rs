//! Lists that come in pages.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exchange::{Ask, Server};
use super::problem::Trouble;

/// How many of a list are wanted.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Pages {
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// All of them, page by page
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on where an earlier answer says `next`
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// The most that are asked for at once.
const PAGE: u32 = 200;
/// So many pages in a row may hold nothing of what is looked for.
const EMPTY: u32 = 1000;

impl Pages {
    /// Reads the list `name` until there are enough, and the cursor of what follows. Each is what the service said, and how it is
    /// read.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        server: &mut Server,
        name: &str,
        ask: impl Fn() -> Ask,
    ) -> Result<(Vec<(Value, T)>, Option<String>), Trouble> {
        let wanted = if self.all { usize::MAX } else { self.limit as usize };
        let mut list = Vec::new();
        let mut cursor = self.cursor.clone();
        let mut empty = 0;
        loop {
            server.take_time();
            let missing = u32::try_from(wanted.saturating_sub(list.len())).unwrap_or(PAGE).min(PAGE);
            let reply = server.send(&ask().query("cursor", cursor.as_ref()).query("limit", Some(missing))).await?;
            let Page { mut lists, next } = reply.read()?;
            let Some(Value::Array(page)) = lists.remove(name) else {
                return Err(Trouble::NotUnderstood(format!("its answer has no list {name:?}")));
            };
            empty = if page.is_empty() { empty + 1 } else { 0 };
            for value in page {
                let read = T::deserialize(&value)
                    .map_err(|error| Trouble::NotUnderstood(format!("one of {name} cannot be read: {error}")))?;
                list.push((value, read));
            }
            if next.is_some() && (empty > EMPTY || next == cursor) {
                return Err(Trouble::NotUnderstood("its list goes round in a circle".to_owned()));
            }
            if next.is_none() || list.len() >= wanted {
                return Ok((list, next));
            }
            cursor = next;
        }
    }
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    #[serde(flatten)]
    lists: serde_json::Map<String, Value>,
}
