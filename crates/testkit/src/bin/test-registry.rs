//! The testkit's registry as a program, for the tests that are not written in Rust: distribution specification 1.1 with
//! the referrers API, open to everybody, in memory. Debian's docker-registry is the other kind, without that API.
//!
//! It prints `127.0.0.1:PORT` and serves until its standard input ends, so it never outlives who started it.

use std::io::{Read as _, Write as _};

fn main() -> std::io::Result<()> {
    let registry = testkit::oci::Registry::start();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", registry.host())?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
