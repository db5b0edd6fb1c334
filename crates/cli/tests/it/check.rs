//! `ecr-gate check` through its front door. Each test begins with the requirement it proves.

mod credentials;
mod dotenv;
mod enhanced;
mod errors;
mod exit;
mod fail_on;
mod image;
mod index;
mod pace;
mod pages;
mod policies;
mod report;
mod running;
mod start;
mod tag;
mod transport;
mod without_scans;
