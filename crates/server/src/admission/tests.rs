//! Reviews, read and answered.
