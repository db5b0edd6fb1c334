//! The gate as a service, on a real SQLite file and the scripted registry (for what a real one cannot be asked to do).

mod admission;
mod asks;
mod attaching;
mod bounds;
mod changes;
mod denials;
mod destinations;
mod documents;
mod exceptions;
mod log;
mod persons;
mod policies;
mod promotions;
mod rollbacks;
mod scene;
mod sight;
