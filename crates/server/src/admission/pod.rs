//! The `spec` of a pod, as far as images are in it.

use serde::Deserialize;

use super::images::{Found, Unread};
use super::list::List;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    containers: Option<List<Container>>,
    init_containers: Option<List<Container>>,
    ephemeral_containers: Option<List<Container>>,
    volumes: Option<List<Volume>>,
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
        if lists[0].1.as_ref().is_none_or(|list| list.0.is_empty()) {
            return Err(Unread(format!("{at}/containers: there is none")));
        }
        for (list, containers) in lists {
            for (number, container) in entries(containers).enumerate() {
                found.add(container.name.as_deref(), format!("{at}/{list}/{number}/image"), container.image)?;
            }
        }
        for (number, volume) in entries(self.volumes).enumerate() {
            let Some(image) = volume.image else { continue };
            found.add(volume.name.as_deref(), format!("{at}/volumes/{number}/image/reference"), image.reference)?;
        }
        Ok(())
    }
}

fn entries<T>(list: Option<List<T>>) -> impl Iterator<Item = T> {
    list.into_iter().flat_map(|list| list.0)
}
