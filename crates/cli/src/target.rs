//! Which image: from a reference, from flags, or from the variables that pipelines already have.

use engine::{Place, Target};
use model::{Digest, EcrHost, EcrHostError, ImageReference, Repository, Tag};

use crate::env;
use crate::failure::Failure;

/// IMAGE, or its parts.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ImageArgs {
    /// The image: a reference with tag, digest or both, in ECR or any other registry, or a local image
    ///
    /// Local: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME:TAG]`. In ECR any spelling:
    /// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2`, `…/team/app@sha256:…`, dual-stack
    /// `123456789012.dkr-ecr.eu-west-1.on.aws/…` and FIPS hosts, in every AWS partition. Left out: the flags below, then
    /// ECR_REGISTRY, ECR_REPO, IMAGE_TAG and IMAGE_DIGEST.
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
    /// The account of the registry
    #[arg(long, value_name = "ACCOUNT", help_heading = "Image by its parts")]
    pub account: Option<String>,
    /// The region of the registry
    #[arg(long, value_name = "REGION", help_heading = "Image by its parts")]
    pub region: Option<String>,
    /// The repository
    #[arg(long, value_name = "NAME", help_heading = "Image by its parts")]
    pub repository: Option<String>,
    /// The tag
    #[arg(long, value_name = "TAG", help_heading = "Image by its parts")]
    pub tag: Option<String>,
    /// The digest
    #[arg(long, value_name = "DIGEST", help_heading = "Image by its parts")]
    pub digest: Option<String>,
}

/// An image and, if its registry is ECR, where that is.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The reference, with its host if that is known.
    pub reference: ImageReference,
    /// The account, if known.
    pub account: Option<String>,
    registry: Result<EcrHost, EcrHostError>,
    region: Option<String>,
    /// A layout or archive on this machine, as it was written.
    local: Option<(String, Place)>,
}

impl ImageArgs {
    /// No image, for commands that name theirs elsewhere.
    pub(crate) fn none() -> Self {
        Self { image: None, account: None, region: None, repository: None, tag: None, digest: None }
    }

    /// The image meant. Needs a repository; tag and digest may be missing.
    pub(crate) fn resolve(&self) -> Result<Image, Failure> {
        if let Some(text) = &self.image {
            if let Some(image) = Image::local(text)? {
                let parts = [&self.account, &self.region, &self.repository, &self.tag, &self.digest];
                if parts.iter().any(|part| part.is_some()) {
                    return Err(Failure::usage(
                        "a local image has no account, region, repository, tag or digest to give",
                    )
                    .hint("name the one that is meant behind the path: oci:DIR:TAG"));
                }
                return Ok(image);
            }
            let mut image = Image::parse(text)?;
            let place = self.account.is_some() || self.region.is_some();
            let name = self.repository.is_some() || self.tag.is_some() || self.digest.is_some();
            if name || (place && image.reference.host.is_some()) {
                return Err(Failure::usage("give either IMAGE or its parts, not both")
                    .hint("--account and --region go with an IMAGE that names no registry host"));
            }
            if image.reference.host.is_none() {
                image.locate(self)?;
            }
            return Ok(image);
        }
        // The variables of a pipeline go together: with a repository from a flag, none of them is read.
        let variable = |variable: env::Variable| if self.repository.is_some() { None } else { variable.get() };
        let host = variable(env::ECR_REGISTRY);
        let host = host.as_deref().map(|host| host.trim_end_matches('/'));
        if host.is_some() && (self.account.is_some() || self.region.is_some()) {
            return Err(Failure::usage("both ECR_REGISTRY and --account or --region say which registry")
                .hint("give --repository too, or leave the registry to ECR_REGISTRY"));
        }
        let Some(repository) = self.repository.clone().or_else(|| env::ECR_REPO.get()) else {
            return Err(Failure::usage("which image? Neither IMAGE nor --repository nor ECR_REPO is given")
                .hint("ecr-gate check 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2"));
        };
        let repository = repository.trim_matches('/');
        let named = self.tag.is_some() || self.digest.is_some();
        let exact = |variable: env::Variable| if named || self.repository.is_some() { None } else { variable.get() };
        let tag = self.tag.clone().or_else(|| exact(env::IMAGE_TAG));
        let digest = self.digest.clone().or_else(|| exact(env::IMAGE_DIGEST));
        // ECR_REPO is often the whole `repositoryUri`.
        let whole = repository.split('/').next().is_some_and(|first| first.contains('.') && repository.contains('/'));
        let mut text = match host {
            Some(host) if !whole => format!("{host}/{repository}"),
            Some(host) if repository.split('/').next() != Some(host) => {
                return Err(Failure::usage(format!(
                    "ECR_REGISTRY is {host:?}, but ECR_REPO names another registry: {repository:?}"
                )));
            }
            _ => repository.to_owned(),
        };
        if let Some(tag) = tag {
            tag.parse::<Tag>().map_err(|error| Failure::usage(format!("the tag: {error}")))?;
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = digest {
            digest.parse::<Digest>().map_err(|error| Failure::usage(format!("the digest: {error}")))?;
            text = format!("{text}@{digest}");
        }
        let mut image = Image::parse(&text)?;
        if image.reference.host.is_none() {
            image.locate(self)?;
        }
        Ok(image)
    }
}

impl Image {
    fn parse(text: &str) -> Result<Self, Failure> {
        let reference: ImageReference =
            text.parse().map_err(|error| Failure::usage(format!("{text:?} is not an image reference: {error}")))?;
        let registry = match &reference.host {
            Some(host) => host.parse::<EcrHost>(),
            None => Err(EcrHostError::NotEcr("the reference without a host".to_owned())),
        };
        let account = registry.as_ref().ok().map(|registry| registry.account.clone());
        Ok(Self { reference, account, registry, region: None, local: None })
    }

    /// A layout or archive; `None` if the text is not written as one.
    fn local(text: &str) -> Result<Option<Self>, Failure> {
        let Some(place) = Place::local(text) else { return Ok(None) };
        let place = place.map_err(|error| Failure::usage(format!("{text:?}: {error}")))?;
        // `docker-archive:app.tar:team/app:1` says a name; a folder or file only has one of its own.
        let (_, rest) = text.split_once(':').unwrap_or(("", text));
        let (path, name) = rest.split_once(':').unwrap_or((rest, ""));
        let name = if text.starts_with("docker-archive:") { name } else { "" };
        let stem = std::path::Path::new(path).file_stem().map_or("image".into(), |stem| stem.to_string_lossy());
        let plain: String =
            stem.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let reference: Option<ImageReference> =
            [name, plain.trim_matches('-'), "image"].into_iter().find_map(|name| name.parse().ok());
        let Some(reference) = reference else { return Err(Failure::internal("no name for a local image")) };
        // A tag inside a layout is no tag of a registry.
        let reference = ImageReference { host: None, tag: None, digest: None, ..reference };
        let registry = Err(EcrHostError::NotEcr("a local image".to_owned()));
        Ok(Some(Self { reference, account: None, registry, region: None, local: Some((text.to_owned(), place)) }))
    }

    /// The image as the caller wrote it.
    pub(crate) fn written(&self) -> String {
        self.local.as_ref().map_or_else(|| self.reference.to_string(), |(text, _)| text.clone())
    }

    /// True for a layout or archive on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    fn looks_like_a_file(&self) -> bool {
        let name = self.reference.to_string();
        let archive = [".tar", ".tgz", ".tar.gz"].iter().any(|end| name.ends_with(end));
        archive
            || (self.reference.tag.is_none() && self.reference.digest.is_none() && std::path::Path::new(&name).exists())
    }

    /// Where to look for the image. With `handed` something was handed over that may speak for an image whose registry is
    /// not known.
    ///
    /// # Errors
    /// The registry is not known, or its host is a misspelled one of ECR.
    pub(crate) fn place(&self, handed: bool) -> Result<Place, Failure> {
        if let Some((_, place)) = &self.local {
            return Ok(place.clone());
        }
        match (&self.registry, &self.reference.host, &self.region) {
            (Err(EcrHostError::Public(_) | EcrHostError::NotEcr(_)), Some(_), _) => Ok(Place::Registry),
            // `app.tar` is a repository name too; who writes it means the file.
            (Err(_), None, _) if self.looks_like_a_file() => {
                let name = self.reference.to_string();
                Err(Failure::usage(format!(
                    "{name:?} is a file or folder here; as an image it names nothing that can be looked at"
                ))
                .hint(format!("write docker-archive:{name}, oci-archive:{name} or oci:{name}")))
            }
            (Err(_), None, None) if handed => Ok(Place::Nowhere),
            _ => self.target().map(Place::Ecr),
        }
    }

    /// With account and region the host is known.
    fn locate(&mut self, args: &ImageArgs) -> Result<(), Failure> {
        self.account = args.account.clone().or_else(|| env::AWS_ACCOUNT_ID.get());
        let region = args.region.clone().or_else(|| env::first(&[env::AWS_REGION, env::AWS_DEFAULT_REGION]));
        self.region.clone_from(&region);
        if let Some(account) = &self.account
            && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(Failure::usage(format!("{account:?} is not an AWS account id (12 digits)")));
        }
        if let (Some(account), Some(region)) = (&self.account, region) {
            let host = EcrHost { account: account.clone(), region, fips: false, dual_stack: false };
            self.reference.host = Some(host.to_string());
            self.registry = Ok(host);
        }
        Ok(())
    }

    /// The registry to ask.
    ///
    /// # Errors
    /// It is not ECR, or its region is not known.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let repository = self.reference.repository.to_string();
        match (&self.registry, &self.reference.host, &self.region) {
            (Ok(host), _, _) => Ok(Target {
                account: Some(host.account.clone()),
                region: host.region.clone(),
                repository,
                fips: host.fips,
                dual_stack: host.dual_stack,
            }),
            (Err(_), None, Some(region)) => {
                Ok(Target { account: None, region: region.clone(), repository, fips: false, dual_stack: false })
            }
            (Err(_), None, None) => Err(Failure::usage(format!(
                "the registry of {:?} is not known: the reference has no host and no region is set",
                self.reference.to_string()
            ))
            .hint("write the whole reference, as docker push does, or give --account and --region")),
            (Err(error), Some(_), _) => {
                let failure = Failure::usage(error.to_string());
                Err(match error {
                    EcrHostError::Public(_) | EcrHostError::NotEcr(_) => {
                        failure.hint("this command asks the ECR API; `ecr-gate check` judges images of any registry")
                    }
                    _ => failure,
                })
            }
        }
    }

    /// The reference with the classic host name of its registry, which policies match on however it was spelled.
    pub(crate) fn canonical(&self) -> ImageReference {
        let mut reference = self.reference.clone();
        if let Ok(host) = &self.registry {
            reference.host = Some(EcrHost { fips: false, dual_stack: false, ..host.clone() }.to_string());
        }
        reference
    }

    /// The tag that is written beside a digest.
    pub(crate) fn name_beside_digest(&self) -> Option<Tag> {
        self.reference.digest.as_ref().and(self.reference.tag.clone())
    }

    /// `host/repository`, or a local image as it was written.
    pub(crate) fn shown_name(&self) -> String {
        self.local.as_ref().map_or_else(|| self.name(), |(text, _)| text.clone())
    }

    /// `host/repository`
    fn name(&self) -> String {
        let repository: &Repository = &self.reference.repository;
        self.reference.host.as_ref().map_or_else(|| repository.to_string(), |host| format!("{host}/{repository}"))
    }
}

/// `host/repository` with the classic host name of ECR, however it was spelled; `None` for what is no such name.
pub(crate) fn canonical_name(name: &str) -> Option<String> {
    let image = Image::parse(name).ok()?;
    let ImageReference { host, repository, tag, digest } = image.canonical();
    let host = host.filter(|_| tag.is_none() && digest.is_none())?;
    Some(format!("{host}/{repository}"))
}
