//! The conductor: resolve the image, collect its signals, evaluate the policy.
//!
//! Every wait of a check is one call of `Pacer::pause`; what to do next is decided by the pure state machine in
//! [`scan`]. Nothing here prints: what happens is told to a [`Progress`].

mod check;
mod collect;
mod doctor;
mod pace;
mod record;
mod report;
pub mod scan;

pub use aws::{Target, endpoint_override};
pub use check::{Checked, Question, Refused, Timing, check};
pub use collect::{Event, Progress};
pub use doctor::{CheckState, DoctorCheck, Examination, Fix, apply, examine};
pub use pace::Pace;
pub use record::{
    Answer, EnvironmentRecord, FindingsRecord, ImageRecord, PlatformRecord, ReasonRecord, Record, RuleRecord,
    SignalRecord, TimingRecord,
};
pub use report::{SavedReport, judge_report};
