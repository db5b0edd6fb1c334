//! The `ecr-gate` binary.
fn main() {}
