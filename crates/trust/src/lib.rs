//! Authentication: bytes and trust material in, who signed what and when that is proven out.
//!
//! [`Verifier::verify`] answers with an [`model::Authentic`] value or with every reason why there is none, never with a
//! bool. It takes neither policy nor clock: whether a signer counts, and whether its time has come or gone, is judged
//! afterwards, so that a revocation or a new threshold verifies nothing again. Nothing here asks anybody anything: trust
//! roots, keys and revocation lists are arguments. The one exception to "no clock" is inside `sigstore-verify`, which
//! refuses log entries from the future by the machine's clock; it can only refuse.
#![warn(missing_docs)]

mod artifact;
mod certificate;
mod conformance;
mod cosign;
mod dsse;
mod error;
mod json;
pub mod jwt;
mod key;
pub mod log;
mod material;
mod notation;
mod sign;
mod sigstore;
mod statement;
mod verifier;

pub use artifact::Artifact;
pub use certificate::{CertificateNames, certificate_names};
pub use conformance::{Conformance, ConformanceError, Expected};
pub use error::MaterialError;
pub use json::unambiguous;
pub use key::PublicKey;
pub use material::{Material, SigstoreRoot, StoreKind, TrustStore};
pub use notation::{NotationSigner, TrustPolicyError, trust_policy};
pub use sign::{
    KeyFile, PAYLOAD_TYPE, SUMMARY_TYPE, Scheme, SignError, SigningKey, VerificationSummary, bundle,
    pre_authentication_encoding, statement, to_be_signed, verification_summary,
};
pub use verifier::Verifier;
