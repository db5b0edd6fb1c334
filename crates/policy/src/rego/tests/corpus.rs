//! Policies as they are in use, whose answers were compared with OPA's (crates/policy/tests/rego/README.md).
