//! Preflight of a repository.
