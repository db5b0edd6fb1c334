//! What an image is: its manifest and configuration, and what its layers hold.

mod config;
mod layers;
mod secret;
mod wire;

use model::{Digest, ImageConfig};

pub use self::layers::Reader;
use crate::{Limits, ParseError};

const MANIFEST: &str = "image manifest";
const CONFIGURATION: &str = "image configuration";

/// Reads the configuration of an image together with its manifest: what the image says about itself, and what in it
/// looks like a secret.
///
/// # Errors
/// Not JSON, over the limits, no container image, not the configuration that the manifest names, a key that container
/// runtimes read and this reader does not, or a number of layers on which the two disagree.
pub fn config(
    manifest: &[u8],
    config: &[u8],
    config_digest: &Digest,
    limits: &Limits,
) -> Result<ImageConfig, ParseError> {
    config::config(manifest, config, config_digest, limits)
}
