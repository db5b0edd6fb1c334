//! One file per resource. Each handler: read the request, ask the engine once, write what it said.

pub(crate) mod audit;
pub(crate) mod decide;
pub(crate) mod decisions;
pub(crate) mod denials;
pub(crate) mod evidence;
pub(crate) mod exceptions;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod images;
pub(crate) mod overrides;
pub(crate) mod packages;
pub(crate) mod policies;
pub(crate) mod promotions;
pub(crate) mod reports;
pub(crate) mod rollbacks;
pub(crate) mod signals;
pub(crate) mod tokens;
pub(crate) mod workloads;
