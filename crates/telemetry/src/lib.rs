//! Every metric, declared once: its name, its labels, and one method that counts it.
//!
//! Whoever runs the service makes one [`Metrics`] and hands clones of it to engine and server; there is no global. No label holds a digest, an
//! image or a name somebody chose (F10): decisions and logs carry those. Nothing here measures time or exports by itself.
#![warn(missing_docs)]

mod labels;
mod metrics;

pub use labels::{Cache, Class, Outcome, Point, RefusalClass, StatusClass, Verdict, Via};
pub use metrics::Metrics;
