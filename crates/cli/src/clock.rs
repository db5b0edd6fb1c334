//! The one place that reads the wall clock. Everything else takes the time as an argument.

/// Now.
#[expect(clippy::disallowed_methods, reason = "the one clock; everything else takes time as an argument")]
pub(crate) fn now() -> model::Timestamp {
    model::Timestamp::now()
}
