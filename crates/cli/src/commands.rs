//! One file per command.

pub(crate) mod asking;
pub(crate) mod attest;
pub(crate) mod audit;
pub(crate) mod audit_server;
pub(crate) mod aws_names;
pub(crate) mod check;
pub(crate) mod conformance;
pub(crate) mod decisions;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod iam_policy;
pub(crate) mod init;
pub(crate) mod input;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod lint;
pub(crate) mod measure;
pub(crate) mod policy;
pub(crate) mod promote;
mod promotions;
pub(crate) mod reference;
pub(crate) mod rollback;
pub(crate) mod serve;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod trust_policy;
pub(crate) mod verify;
