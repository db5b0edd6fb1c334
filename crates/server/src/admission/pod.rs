//! The `spec` of a pod, as far as images are in it.

use serde::Deserialize;

use super::images::{Found, Unread};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
struct Container {
    name: Option<String>,
    image: Option<String>,
}

#[derive(Deserialize)]
struct Volume {
    name: Option<String>,
    image: Option<ImageVolume>,
}

#[derive(Deserialize)]
struct ImageVolume {
    reference: Option<String>,
}

impl PodSpec {
    /// Adds every image, wherever it is. `at` is the pointer to this `spec`.
    pub(super) fn images(self, at: &str, found: &mut Found) -> Result<(), Unread> {
        let lists = [
            ("containers", self.containers),
            ("initContainers", self.init_containers),
            ("ephemeralContainers", self.ephemeral_containers),
        ];
        if lists[0].1.as_ref().is_none_or(Vec::is_empty) {
            return Err(Unread(format!("{at}/containers: there is none")));
        }
        for (list, containers) in lists {
            for (number, container) in containers.into_iter().flatten().enumerate() {
                found.add(container.name.as_deref(), format!("{at}/{list}/{number}/image"), container.image)?;
            }
        }
        for (number, volume) in self.volumes.into_iter().flatten().enumerate() {
            let Some(image) = volume.image else { continue };
            found.add(volume.name.as_deref(), format!("{at}/volumes/{number}/image/reference"), image.reference)?;
        }
        Ok(())
    }
}
