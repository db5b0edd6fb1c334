//! What looks like a secret in a text that everybody who can pull the image can read. Three ways to see one: the form
//! of a known token ([`tokens`]), a password inside a URL, and a value under a name that says it is secret. Not a
//! search for random-looking text: that would blame checksums and public keys. Answers name kinds, never values.

mod name;
mod tokens;

pub(super) use tokens::in_text;

/// A value that only its name gives away.
const BY_NAME: &str = "value of a name that says it is secret";

/// What the value of a variable looks like.
pub(super) fn in_variable(name: &str, value: &str) -> Vec<&'static str> {
    let kinds = in_text(value);
    if !kinds.is_empty() {
        kinds
    } else if tokens::is_aws_secret_key(name, value) {
        vec![tokens::AWS_SECRET_KEY]
    } else if name::is_secret(name) && !name::is_harmless(name, value) {
        vec![BY_NAME]
    } else {
        Vec::new()
    }
}

/// What a step of the history holds: `ENV` and `ARG` instructions, the build arguments that builders write before a
/// command (`|1 TOKEN=…`), and known forms anywhere. `known` says which variables are still in the
/// environment: they are reported there.
pub(super) fn in_step(step: &str, known: impl Fn(&str, &str) -> bool) -> Vec<&'static str> {
    let body = step.strip_prefix("/bin/sh -c #(nop)").unwrap_or(step).trim_start();
    let sets = body.strip_prefix("ENV ");
    let command = body.strip_prefix("RUN").unwrap_or(body).trim_start();
    let words: Vec<&str> = if let Some(rest) = sets.or_else(|| body.strip_prefix("ARG ")) {
        rest.split_whitespace().collect()
    } else if let Some((count, rest)) = command.strip_prefix('|').and_then(|rest| rest.split_once(' ')) {
        // If the count is no number, all words are looked at.
        rest.split_whitespace().take(count.parse().unwrap_or(usize::MAX)).collect()
    } else {
        Vec::new()
    };
    let fresh: Vec<(&str, &str)> = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .filter(|(name, value)| sets.is_none() || !known(name, value))
        .collect();
    if sets.is_some() && fresh.is_empty() {
        return Vec::new();
    }
    let mut kinds = in_text(step);
    kinds.extend(fresh.into_iter().flat_map(|(name, value)| in_variable(name, value)));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests;
