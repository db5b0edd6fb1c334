//! Measures the store, and prints one JSON object: `measure WHAT WHERE SIZE`. `make bench` calls it: (p) to (r) of benches/README.md.
//!
//! WHERE is `sqlite:FOLDER` or a PostgreSQL server, `postgres://USER@HOST:PORT`, on which databases are made. WHAT is one of
//! - `recording`: decisions recorded a second by 64 writers at once, each durable before its writer goes on, beside the same rows by bare INSERTs in
//!   transactions of the size that the store's had on average. In turns; SIZE is seconds of each.
//! - `queries`: the time of a query by digest with 10^4, 10^5, … decisions up to SIZE.
//! - `packages`: the time of asking which images hold a package, in a tenth of SIZE images and in SIZE, and on PostgreSQL the rows it reads.

mod bare;
mod databases;
mod packages;
mod queries;
mod recording;
mod rows;

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use databases::Databases;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "measure recording|queries|packages sqlite:FOLDER|postgres://USER@HOST:PORT SIZE";
/// How often each side records; the first turn is not counted.
const TURNS: usize = 6;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, place, size] = arguments.as_slice() else { return Err(USAGE.into()) };
    let (databases, size) = (Databases::at(place)?, size.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        match what.as_str() {
            "recording" => recording::measure(&databases, Duration::from_secs(size), TURNS).await,
            "queries" => queries::measure(&databases, size).await,
            "packages" => packages::measure(&databases, size).await,
            _ => Err(USAGE.into()),
        }
    })?;
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// The time below which this many of a hundred are.
fn percentile(took: &mut [Duration], part: usize) -> u64 {
    took.sort_unstable();
    took.get(took.len() * part / 100).copied().map_or(0, micros)
}

#[cfg(test)]
mod tests;
