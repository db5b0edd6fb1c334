//! Documents with the shapes ECR and STS really answer, built from parameters. Times are epoch seconds and always
//! given by the test, never read from the clock.

mod cli_output;
mod image;
mod index;
mod scan;
mod service;
mod sts;
mod vulnerability;

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

pub use cli_output::{as_cli_output, iso8601};
pub use image::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, batch_get_image, batch_get_image_failure, describe_images,
    describe_images_as, start_image_scan,
};
pub use index::{index, manifest};
pub use scan::Scan;
pub use service::{COMMON_ERRORS, ERRORS, SEVERITIES, STATUSES, scan_statuses, service_errors};
pub use sts::{assume_role_with_web_identity, get_caller_identity};
pub use vulnerability::Vulnerability;

/// The account every fixture belongs to.
pub const ACCOUNT: &str = "123456789012";
/// The region every fixture lives in.
pub const REGION: &str = "eu-west-1";
/// The repository every fixture is about.
pub const REPOSITORY: &str = "team/app";

/// The n-th digest: well-formed, the same in every run, different for every n.
pub fn digest(n: u64) -> String {
    sha256(format!("ecr-gate fixture {n}").as_bytes())
}

/// The digest of these bytes.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`
pub fn registry() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

/// A full reference: `registry/repository:tag@digest`, without the part that is empty.
pub fn image(tag: &str, digest: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(":{tag}") };
    let digest = if digest.is_empty() { String::new() } else { format!("@{digest}") };
    format!("{}/{REPOSITORY}{tag}{digest}", registry())
}

/// Epoch seconds of this moment.
#[expect(clippy::disallowed_methods, reason = "a test of the whole command meets a gate that reads the clock")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}

/// Epoch seconds as ECR writes them: a JSON number with a fraction.
#[allow(clippy::cast_precision_loss, reason = "exact for every date a test can mean")]
fn timestamp(epoch_seconds: i64) -> f64 {
    epoch_seconds as f64
}
