//! Names of images as they are compared: with everything in them that clients fill in, and one spelling for each registry.
//! Docker Hub has several hosts and leaves out `library/`; hosts are not told apart by case; port 443 is said or not.

use std::borrow::Cow;

use model::{EcrHost, ImageReference};

pub(crate) const DOCKER_HUB: &str = "docker.io";

/// A registry's host in its one spelling.
pub(crate) fn registry_host(written: &str) -> String {
    let host = written.to_lowercase();
    // Only a host of this form is still one without its port: `registry/app` would be a repository of Docker Hub.
    let is_whole = |name: &str| name.contains('.') || name.starts_with('[') || name == "localhost";
    let host = match host.strip_suffix(":443") {
        Some(name) if is_whole(name) => name.to_owned(),
        None if !host.contains(':') && !is_whole(&host) => format!("{host}:443"),
        _ => host,
    };
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB.to_owned(),
        _ => host,
    }
}

/// `host/repository`, of a registry in its one spelling.
pub(crate) fn in_registry(host: &str, repository: &str) -> String {
    if host == DOCKER_HUB && !repository.contains('/') {
        return format!("{host}/library/{repository}");
    }
    format!("{host}/{repository}")
}

/// The name of an image with everything in it that Docker leaves out: `debian` is `docker.io/library/debian:latest`.
/// The digest, if there is one, is left away. `None` if it is no name of an image.
pub(crate) fn full_name(text: &str) -> Option<String> {
    let Ok(reference) = text.parse::<ImageReference>() else { return None };
    let host = reference.host.as_deref().map_or(Cow::Borrowed(DOCKER_HUB), |host| registry_host(host).into());
    let name = in_registry(&host, reference.repository.as_str());
    Some(format!("{name}:{}", reference.tag.as_ref().map_or("latest", model::Tag::as_str)))
}

/// `host/repository` as policies compare it: Amazon ECR by its classic host, as everywhere in a policy. `None` if the
/// reference does not say in which registry the image is.
pub(crate) fn compared_name(reference: &ImageReference) -> Option<String> {
    let host = compared_host(reference.host.as_deref()?);
    Some(in_registry(&host, reference.repository.as_str()))
}

/// A pattern for `host/repository` with its host in the one spelling, if it is written out.
pub(crate) fn compared_pattern(pattern: &str) -> Cow<'_, str> {
    let wild = |text: &str| text.contains(['*', '?', '[', '{', '!']);
    match pattern.split_once('/') {
        Some((host, rest)) if !wild(host) && (host.contains(['.', ':']) || host == "localhost") => {
            let host = compared_host(host);
            if wild(rest) { Cow::Owned(format!("{host}/{rest}")) } else { Cow::Owned(in_registry(&host, rest)) }
        }
        // A pattern for hosts is compared with hosts in their one spelling, which have neither capitals nor port 443.
        Some((host, rest)) if wild(host) => {
            let host = host.to_lowercase();
            // `*:443` is every registry that is said with a port; without the port it would be every registry.
            let named = |name: &&str| name.ends_with(|last: char| last.is_alphanumeric() || matches!(last, ']' | '}'));
            Cow::Owned(format!("{}/{rest}", host.strip_suffix(":443").filter(named).unwrap_or(&host)))
        }
        _ => Cow::Borrowed(pattern),
    }
}

/// A registry's host as policies compare it.
pub fn compared_host(written: &str) -> String {
    let host = registry_host(written);
    match host.parse::<EcrHost>() {
        Ok(ecr) => EcrHost { fips: false, dual_stack: false, ..ecr }.to_string(),
        Err(_) => host,
    }
}
