//! A scripted OCI registry on loopback, and real images to put into it: layers, configurations, manifests, indexes,
//! referrers, with the digests they truly have; as a registry holds them, as a layout folder, as a `docker save` archive.
//!
//! The registry keeps everything in memory and speaks the distribution specification 1.1: pull, push, tags, referrers
//! (or the fallback tag), Basic and token login. [`Fault`]s spoil its answers; [`Registry::requests`] tells what it was
//! asked. It is no model of any one product: tests against real registries are elsewhere.
//!
//! ```
//! use testkit::oci::{Auth, Fault, ImageBuilder, Layer, Referrer, Registry, Settings};
//!
//! let registry = Settings::new().auth(Auth::bearer("ci", "secret")).page_size(2).start();
//! let layer = Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=12\n");
//! let image = ImageBuilder::new().layer(layer).user("65532").build();
//! let digest = registry.push("team/app", Some("v1"), &image);
//! let report = Referrer::new(&image, "application/vnd.example.report").layer("application/json", "{}").build();
//! registry.push("team/app", None, &report);
//! registry.fault(Fault::on("GET", "/blobs/").throttled("1").times(1));
//! assert_eq!(digest, image.digest());
//! assert!(registry.lines().is_empty());
//! ```

mod auth;
mod fault;
mod files;
mod image;
mod index;
mod layer;
mod referrer;
mod registry;
mod reply;
mod routes;
mod server;
mod state;
mod uploads;
mod wire;

use sha2::{Digest as _, Sha256};

pub use auth::{Account, Auth, Bearer};
pub use fault::Fault;
pub use files::{DockerSave, Files, Layout};
pub use image::{Blob, Image, ImageBuilder, Stored};
pub use index::{Index, IndexBuilder};
pub use layer::{Compression, Layer};
pub use referrer::{Artifact, Referrer};
pub use registry::{Registry, Settings};
pub use state::Logged;

/// The media type of an OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The media type of a Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// The media type of the configuration of an artifact that has none.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// `sha256:…` of these bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
