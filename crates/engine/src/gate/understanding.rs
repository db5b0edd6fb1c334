//! What an ask is about: an image in a registry that the gate is set up for, and an environment that the policy declares.

use std::net::IpAddr;
use std::sync::Arc;

use model::{ImageReference, Tag};
use registry::Reach;

use super::Inner;
use super::asking::{AskError, Asked};
use super::force::InForce;
use super::memory::Known;

/// An ask that was understood.
pub(super) struct Understood {
    pub(super) image: ImageReference,
    /// The tag that is a name alone.
    pub(super) name: Option<Tag>,
    pub(super) environment: String,
}

impl Understood {
    /// The tag that is a name alone, where a rule in force looks at names; elsewhere all names of a digest are one.
    pub(super) fn name(&self, force: &InForce) -> Option<&Tag> {
        self.name.as_ref().filter(|_| force.names)
    }

    /// What is known, under the name that it is asked about by.
    pub(super) fn named(&self, known: Arc<Known>, force: &InForce) -> Arc<Known> {
        match self.name(force) {
            Some(name) => Arc::new(known.under(name)),
            None => known,
        }
    }
}

impl Inner {
    pub(super) fn understand(&self, asked: &Asked) -> Result<Understood, AskError> {
        let usage = |what: String, hint: &str| AskError::Usage { what, hint: Some(hint.to_owned()) };
        let image: ImageReference = asked.image.parse().map_err(|error| {
            usage(
                format!("{:?} is no image reference: {error}", asked.image.chars().take(300).collect::<String>()),
                "write the whole reference, as docker push does: HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…",
            )
        })?;
        let Some(host) = &image.host else {
            let what = format!("{image} names no registry");
            return Err(usage(what, "write the whole reference, with the registry's host"));
        };
        if image.tag.is_none() && image.digest.is_none() {
            let what = format!("{image} has neither tag nor digest");
            return Err(usage(what, "name exactly what was pushed: `…:TAG` or, better, `…@sha256:…`"));
        }
        if asked.name.is_some() && (image.tag.is_some() || image.digest.is_none()) {
            let what = format!("{image} leaves it open which tag is a name alone");
            return Err(usage(what, "a tag is a name beside a digest: name the image by its digest, without a tag"));
        }
        // Addresses of the link are where clouds keep credentials; no registry is there.
        let reach = &self.settings.reach;
        let is_listed = (matches!(reach, Reach::Listed(_)) && reach.allows(host))
            || self.settings.registries.insecure.iter().any(|one| one == host);
        if is_of_the_link(host) && !is_listed {
            return Err(usage(
                format!("{host} is an address of the link, and no registry"),
                "name the registry by its host",
            ));
        }
        if !reach.allows(host) {
            let what = format!("the gate is not set up for the registry {host}");
            let hint = "whoever runs the gate lists it in `registries.allowed`".to_owned();
            return Err(AskError::NotSetUp { what, hint });
        }
        let image = canonical(image);
        let environment = asked.environment.clone().unwrap_or_else(|| "production".to_owned());
        self.follower.force().policies.environment(&environment).map_err(|error| {
            usage(error.to_string(), "environments are declared in `spec.environments` of the policy in force")
        })?;
        Ok(Understood { image, name: asked.name.clone(), environment })
    }
}

fn is_of_the_link(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_unspecified(),
        Ok(IpAddr::V6(address)) => address.is_unicast_link_local() || address.is_unspecified(),
        Err(_) => false,
    }
}

/// The reference with one spelling of its registry, whichever it was written with: what is known about an image is known under it.
pub(super) fn canonical(image: ImageReference) -> ImageReference {
    let host = image.host.as_deref().map(policy::canonical_host);
    let official = host.as_deref() == Some("docker.io") && !image.repository.as_str().contains('/');
    let repository = if official { format!("library/{}", image.repository).parse().ok() } else { None };
    ImageReference { host, repository: repository.unwrap_or(image.repository), ..image }
}
