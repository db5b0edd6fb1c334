//! Attaching measurements to an image, so that policies can compare them (B17).

use std::collections::BTreeMap;

use model::{Digest, ImageReference, Measurement, Reason, ReasonCode};
use registry::Reference;
use signals::measurement;

use crate::check::Refused;
use crate::place::{RegistryAccess, registry};

/// What was attached, and to what.
#[derive(Debug, Clone)]
pub struct AttachedMeasurement {
    /// The image.
    pub subject: Digest,
    /// The referrer's manifest.
    pub referrer: Digest,
}

/// The digest that a reference stands for now.
///
/// # Errors
/// The registry does not say.
pub async fn resolve(image: &ImageReference, access: &RegistryAccess) -> Result<Digest, Refused> {
    let (_, client, location) = registry(image, access)?;
    let reference = Reference::of(image)
        .ok_or_else(|| Reason::new(ReasonCode::RegistryNotFound, format!("{image} has neither tag nor digest")))?;
    Ok(client.manifest(&location, &reference).await.map_err(|error| error.reason())?.digest)
}

/// The document that holds these measurements.
///
/// # Errors
/// A name or sample is not one that the reader would accept.
pub fn document(measurements: &[Measurement]) -> Result<Vec<u8>, Refused> {
    measurement::document(measurements).map_err(|error| error.reason(ReasonCode::MeasurementInvalid).into())
}

/// Attaches a measurement document to the image it is about.
///
/// # Errors
/// The registry refuses it, or does not know the image.
pub async fn attach(
    image: &ImageReference,
    access: &RegistryAccess,
    subject: &Digest,
    document: Vec<u8>,
) -> Result<AttachedMeasurement, Refused> {
    let (_, client, location) = registry(image, access)?;
    let found =
        client.manifest(&location, &Reference::Digest(subject.clone())).await.map_err(|error| error.reason())?;
    let layers = vec![(measurement::MEDIA_TYPE.to_owned(), document.into())];
    let pushed = client
        .push_referrer(&location, &found.descriptor(), measurement::MEDIA_TYPE, layers, BTreeMap::new())
        .await
        .map_err(|error| error.reason())?;
    Ok(AttachedMeasurement { subject: subject.clone(), referrer: pushed.digest })
}
