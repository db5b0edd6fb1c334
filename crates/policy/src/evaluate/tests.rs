//! The judgement, by the IDs of the semantics page.

mod counts;
mod index;
mod keys;
mod last_known_good;
mod policies;
mod properties;
mod time;
mod unknown;
