//! The judgement, by the IDs of the semantics page.

mod agreement;
mod believed;
mod counts;
mod dates;
pub(super) mod image;
mod index;
mod keys;
mod kinds;
mod labels;
mod last_known_good;
mod merging;
mod monotone;
mod parameters;
mod policies;
mod properties;
mod several;
mod sources;
mod suppressed;
mod time;
mod trust_properties;
mod unknown;
mod vex;
mod whole;
