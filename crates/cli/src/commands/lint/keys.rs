//! Static AWS keys in YAML: variables, `env`, `with` and whatever else has their names.

use super::finding::{self as rule, Report};
use super::yaml::{Kind, Node};

const NAMES: [&str; 4] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "aws-access-key-id", "aws-secret-access-key"];

/// Looks at every map of the document.
pub(super) fn check(node: &Node, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter().for_each(|item| check(item, report)),
        Kind::Map(entries) => {
            // With a session token beside them they are short-lived.
            let session = entries.iter().any(|(key, value)| {
                key.text().is_some_and(|key| {
                    key.eq_ignore_ascii_case("AWS_SESSION_TOKEN") || key.eq_ignore_ascii_case("aws-session-token")
                }) && value.text().is_some_and(|value| value.starts_with('$'))
            });
            for (key, value) in entries {
                let named = key.text().and_then(|key| NAMES.into_iter().find(|name| key.eq_ignore_ascii_case(name)));
                let empty = value.text().is_some_and(|value| value.trim().is_empty());
                let passed_on =
                    session && value.text().is_some_and(|value| value.starts_with('$') && !value.contains("secrets."));
                if let Some(name) = named
                    && !empty
                    && !passed_on
                {
                    report.error(&rule::STATIC_KEYS, key.at, format!("{name} is set to a stored key"));
                }
                check(value, report);
            }
        }
    }
}
