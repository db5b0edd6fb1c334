//! Texts of clients that go into records, logs and databases: bounded, and without control characters.

use crate::errors::Fail;

/// The longest name of an image, environment, pipeline, commit, …
pub(crate) const NAME: usize = 1024;
/// The longest reason somebody gives.
pub(crate) const WORDS: usize = 4096;

/// Refuses what is empty, too long, or steers terminals.
pub(crate) fn sound(what: &str, text: &str, most: usize) -> Result<(), Fail> {
    if text.trim().is_empty() {
        return Err(Fail::invalid(format!("{what} is empty")));
    }
    if text.len() > most {
        return Err(Fail::invalid(format!("{what} is longer than {most} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Fail::invalid(format!("{what} holds a control character")));
    }
    Ok(())
}

/// The same for what may be left out.
pub(crate) fn sound_if_given(what: &str, text: Option<&str>, most: usize) -> Result<(), Fail> {
    text.map_or(Ok(()), |text| sound(what, text, most))
}

/// The size of a page.
pub(crate) fn limit(given: Option<u32>, usual: u32, most: u32) -> Result<u32, Fail> {
    match given.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        limit => Err(Fail::invalid(format!("limit is {limit}: 1 to {most}"))),
    }
}
