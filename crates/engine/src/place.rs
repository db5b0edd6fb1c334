//! Where the image is to be looked for, and opening that place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws::{Ecr, RegistryTokens, Target};
use bytes::Bytes;
use model::{Digest, EcrHost, EcrHostError, ImageReference, Reason, ReasonCode, Timestamp};
use registry::docker_config::{Chain, DockerConfig};
use registry::source::{LocalReference, Source as LocalSource, SourceLimits, Subject};
use registry::{Client, Credentials, Location, Options, Reach, Reference};

use crate::kept::Kept;
use crate::parts::Parts;
use crate::source::Source;

/// Where the image is to be looked for.
#[derive(Debug, Clone)]
pub enum Place {
    /// A repository in Amazon ECR.
    Ecr(Target),
    /// A repository in another registry.
    Registry,
    /// A layout or archive on this machine.
    Local(LocalReference),
    /// The reference names no registry: only what is handed over can speak for it.
    Nowhere,
}

impl Place {
    /// A layout or archive, if the text is written as one: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`.
    ///
    /// # Errors
    /// What is wrong with a text that is written as one.
    pub fn local(text: &str) -> Option<Result<Self, String>> {
        Some(LocalReference::parse(text)?.map(Self::Local).map_err(|error| error.to_string()))
    }
}

/// Where an image with this reference lies, by its host: ECR's own API is asked of ECR's registries.
pub(crate) fn place_of(image: &ImageReference) -> Result<Place, String> {
    let Some(host) = &image.host else {
        return Err(format!("{image} names no registry: write the whole reference, as docker push does"));
    };
    match host.parse::<EcrHost>() {
        Ok(EcrHost { account, region, fips, dual_stack }) => {
            let repository = image.repository.to_string();
            Ok(Place::Ecr(Target { account: Some(account), region, repository, fips, dual_stack }))
        }
        Err(EcrHostError::Public(_) | EcrHostError::NotEcr(_)) => Ok(Place::Registry),
        Err(error) => Err(error.to_string()),
    }
}

/// How registries are spoken to, as the caller says.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Hosts that are spoken to in plain http.
    pub insecure: Vec<String>,
    /// More certificate authorities, each a PEM file's bytes.
    pub authorities: Vec<Vec<u8>>,
    /// Mirrors, each as (host, mirror).
    pub mirrors: Vec<(String, String)>,
    /// Hosts that may hand out tokens for registries that are not their own.
    pub token_realms: Vec<String>,
}

/// A region of ECR, and whether its FIPS and dual-stack endpoints are asked.
type Region = (String, bool, bool);

/// How registries are spoken to, and as whom.
#[derive(Debug, Clone)]
pub struct RegistryAccess {
    pub(crate) options: Options,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) parts: Arc<Parts>,
    /// Made when it is first needed: it keeps logins and connections.
    client: Arc<OnceLock<Client>>,
    /// ECR by region: it keeps credentials and connections.
    ecr: Arc<Mutex<BTreeMap<Region, Ecr>>>,
    /// What is read on the way, for whoever wants it.
    pub(crate) kept: Kept,
}

impl RegistryAccess {
    /// With the credentials of this machine: ECR's own by the AWS chain, others from the Docker configuration.
    pub fn new(settings: RegistrySettings, now: Timestamp) -> Self {
        let mut options = Options::default();
        options.insecure_hosts.extend(settings.insecure);
        options.ca_pem.extend(settings.authorities);
        options.token_realms.extend(settings.token_realms);
        for (host, mirror) in settings.mirrors {
            options.mirrors.entry(host).or_insert_with(Vec::new).push(mirror);
        }
        let logins =
            Chain::new().ecr(Arc::new(RegistryTokens::new(now))).then(Arc::new(DockerConfig::from_environment()));
        Self {
            options,
            credentials: Arc::new(logins),
            parts: Arc::new(Parts::new()),
            client: Arc::default(),
            ecr: Arc::default(),
            kept: Kept::default(),
        }
    }

    /// The same access, which keeps what facts are read from.
    pub(crate) fn keeping(&self) -> Self {
        Self { kept: Kept::wanted(), ..self.clone() }
    }
}

impl RegistryAccess {
    /// The same, for somebody who does not go everywhere (S37). Before anything is asked.
    #[must_use]
    pub(crate) fn within(mut self, reach: Reach) -> Self {
        self.options.reach = reach;
        self
    }

    /// ECR for one repository.
    pub(crate) async fn ecr(&self, target: &Target) -> Ecr {
        let key = (target.region.clone(), target.fips, target.dual_stack);
        let known = self.ecr.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known.of(target.clone());
        }
        let made = Ecr::connect(target.clone()).await;
        self.ecr.lock().unwrap_or_else(PoisonError::into_inner).insert(key, made.clone());
        made
    }

    fn client(&self) -> Result<Client, Reason> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let made = Client::new(self.options.clone(), Arc::clone(&self.credentials)).map_err(|error| error.reason())?;
        Ok(self.client.get_or_init(|| made).clone())
    }
}

/// An opened place with the image that was meant.
pub(crate) struct Opened {
    pub(crate) source: Source,
    /// The manifest's digest; for an archive of `docker save` the image id.
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    /// The image has no manifest digest in any registry.
    pub(crate) by_image_id: bool,
}

/// Opens a repository of a registry and finds the image.
pub(crate) async fn open_registry(image: &ImageReference, access: &RegistryAccess) -> Result<Opened, Reason> {
    let (source, client, location) = registry(image, access)?;
    let by = |reference: &Reference| format!("{location}: {reference}");
    let Some(reference) = Reference::of(image) else {
        return Err(Reason::new(ReasonCode::RegistryNotFound, format!("{image} has neither tag nor digest")));
    };
    let found = client.manifest(&location, &reference).await.map_err(|error| error.reason())?;
    // A16: with tag and digest, the digest is judged and the tag has to stand for it.
    if let (Some(tag), Some(digest)) = (&image.tag, &image.digest) {
        confirm(&client, &location, tag, digest).await?;
    }
    if let Reference::Digest(digest) = &reference
        && found.digest != *digest
    {
        let message = format!("{}: the registry gave {}", by(&reference), found.digest);
        return Err(Reason::new(ReasonCode::RegistryMalformed, message));
    }
    Ok(Opened { source, digest: found.digest, bytes: found.bytes, by_image_id: false })
}

/// A client for the repository that a reference names.
pub(crate) fn registry(image: &ImageReference, access: &RegistryAccess) -> Result<(Source, Client, Location), Reason> {
    let location = Location::of(image)
        .ok_or_else(|| Reason::new(ReasonCode::RegistryNotFound, format!("{image} names no registry host")))?;
    let client = access.client()?;
    let parts = Arc::clone(&access.parts);
    let source =
        Source::Registry { client: client.clone(), location: location.clone(), parts, kept: access.kept.clone() };
    Ok((source, client, location))
}

/// A16: the tag stands for this digest, now.
pub(crate) async fn confirm(
    client: &Client,
    location: &Location,
    tag: &model::Tag,
    digest: &Digest,
) -> Result<(), Reason> {
    let found = client.head(location, &Reference::Tag(tag.clone())).await.map_err(|error| error.reason())?;
    if found.digest == *digest {
        return Ok(());
    }
    let message = format!("the tag {tag} stands for {}, not for {digest}", found.digest);
    Err(Reason::new(ReasonCode::ImageTagMoved, message))
}

/// Opens a layout or archive and finds the image.
pub(crate) async fn open_local(reference: &LocalReference) -> Result<Opened, Reason> {
    let reference = reference.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let source = LocalSource::open(&reference, SourceLimits::default()).map_err(|error| error.reason())?;
        let subject = source.choose().map_err(|error| error.reason())?;
        let (digest, bytes, by_image_id) = match subject {
            Subject::Manifest(manifest) => (manifest.digest, manifest.bytes, false),
            Subject::Saved(image) => (image.config.digest.clone(), image.manifest_bytes(), true),
        };
        Ok(Opened { source: Source::Local(Arc::new(source)), digest, bytes, by_image_id })
    });
    opened.await.map_err(|error| Reason::new(ReasonCode::Internal, format!("reading the image: {error}")))?
}
