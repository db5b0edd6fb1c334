//! `ecr-gate doctor` from the outside: the built binary against a scripted ECR (A9).

mod fixing;
mod image;
mod permissions;
mod scene;
mod settings;
mod trouble;
