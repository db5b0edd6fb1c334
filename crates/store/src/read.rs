//! What can be read.

mod decisions;
mod images;
mod policies;
