//! What can be read.

mod decisions;
mod images;
mod items;
mod policies;
