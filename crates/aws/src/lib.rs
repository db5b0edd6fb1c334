//! The Amazon ECR control plane, and keys in KMS: the only crate that links the AWS SDK.
//!
//! The SDK signs, finds credentials and carries bytes. It does not retry (one loop in `engine` owns every wait) and its
//! output types never become findings: the answer of `DescribeImageScanFindings` is handed on as the raw bytes it came
//! in, bounded, for `signals` to read.

mod capture;
mod connect;
mod failure;
mod images;
mod kms;
mod registry_token;
mod settings;

pub use connect::{Ecr, Target, endpoint_override};
pub use failure::{Failure, FailureKind};
pub use images::{Image, ImageId};
pub use kms::{Kms, KmsKey};
pub use registry_token::RegistryTokens;
pub use settings::{Frequency, Immutability, RegistryScanning, RepositoryScanning, RepositorySettings, Scanner};
