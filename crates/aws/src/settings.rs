//! What `doctor` asks and mends: repository settings, registry scanning, the caller's identity.

use aws_sdk_ecr::types::{
    ImageIdentifier, ImageScanningConfiguration, ImageTagMutability, ScanFrequency, ScanType,
    ScanningConfigurationFailureCode, ScanningRepositoryFilter,
};
use model::Digest;

use crate::connect::Ecr;
use crate::failure::{Failure, FailureKind, call};

/// Whether tags can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Immutability {
    /// Tags can be overwritten.
    Mutable,
    /// Tags cannot be overwritten.
    Immutable,
    /// Immutable but for tags that match these filters.
    ImmutableExcept(Vec<String>),
    /// Mutable but for tags that match these filters.
    MutableExcept(Vec<String>),
    /// A setting that this version does not know.
    Other(String),
}

/// Settings of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Scan on push by the repository's own setting, which counts for basic scanning only.
    pub scan_on_push: bool,
    /// Whether tags can be moved.
    pub tags: Immutability,
}

/// How a registry scans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryScanning {
    /// The account of the registry. It is always the caller's own: the call cannot name another.
    pub account: Option<String>,
    /// Which scanner.
    pub scanner: Scanner,
    /// How many rules say which repositories are scanned when.
    pub rules: usize,
}

/// The scanner of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanner {
    /// Basic scanning.
    Basic,
    /// Enhanced scanning: Amazon Inspector.
    Enhanced,
    /// A scanner that this version does not know.
    Other(String),
}

/// When a repository is scanned, after the rules of its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryScanning {
    /// `scanOnPush`
    pub scan_on_push: bool,
    /// `scanFrequency`
    pub frequency: Frequency,
    /// The filters of the registry's rules that match the repository.
    pub filters: Vec<String>,
}

/// How often images are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frequency {
    /// When they are pushed.
    OnPush,
    /// When they are pushed, and again when a new vulnerability becomes known.
    Continuous,
    /// When somebody asks; with enhanced scanning never.
    Manual,
    /// A word that this version does not know.
    Other(String),
}

impl Ecr {
    /// The ARN of the caller, by `sts:GetCallerIdentity`.
    pub async fn caller(&self) -> Result<String, Failure> {
        let request = self.sts.get_caller_identity();
        call!(self, "GetCallerIdentity", request)?.arn.ok_or_else(|| {
            Failure::new("GetCallerIdentity", &self.target, FailureKind::Malformed, "the answer has no ARN")
        })
    }

    /// `DescribeRepositories` for the one repository.
    pub async fn repository_settings(&self) -> Result<RepositorySettings, Failure> {
        const OPERATION: &str = "DescribeRepositories";
        let request = self
            .client
            .describe_repositories()
            .set_registry_id(self.target.account.clone())
            .repository_names(&self.target.repository);
        let answer = call!(self, OPERATION, request)?;
        let mut repositories = answer.repositories.unwrap_or_else(Vec::new).into_iter();
        let ours = |name: &Option<String>| name.as_ref().is_none_or(|name| *name == self.target.repository);
        let repository = repositories.find(|repository| ours(&repository.repository_name)).ok_or_else(|| {
            Failure::new(OPERATION, &self.target, FailureKind::Malformed, "the answer does not describe the repository")
        })?;
        let exclusions = || {
            let filters = repository.image_tag_mutability_exclusion_filters.iter().flatten();
            filters.map(|filter| filter.filter.clone()).collect()
        };
        let tags = match &repository.image_tag_mutability {
            Some(ImageTagMutability::Immutable) => Immutability::Immutable,
            Some(ImageTagMutability::Mutable) | None => Immutability::Mutable,
            Some(ImageTagMutability::ImmutableWithExclusion) => Immutability::ImmutableExcept(exclusions()),
            Some(ImageTagMutability::MutableWithExclusion) => Immutability::MutableExcept(exclusions()),
            Some(other) => Immutability::Other(other.as_str().to_owned()),
        };
        let scan_on_push = repository.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push);
        Ok(RepositorySettings { scan_on_push, tags })
    }

    /// `GetRegistryScanningConfiguration`, of the caller's own registry.
    pub async fn registry_scanning(&self) -> Result<RegistryScanning, Failure> {
        const OPERATION: &str = "GetRegistryScanningConfiguration";
        let request = self.client.get_registry_scanning_configuration();
        let answer = call!(self, OPERATION, request)?;
        let malformed = |what| Failure::new(OPERATION, &self.target, FailureKind::Malformed, what);
        let scanning =
            answer.scanning_configuration.ok_or_else(|| malformed("the answer has no scanningConfiguration"))?;
        let scanner = match scanning.scan_type.ok_or_else(|| malformed("the answer has no scanType"))? {
            ScanType::Basic => Scanner::Basic,
            ScanType::Enhanced => Scanner::Enhanced,
            other => Scanner::Other(other.as_str().to_owned()),
        };
        Ok(RegistryScanning {
            account: answer.registry_id,
            scanner,
            rules: scanning.rules.map_or(0, |rules| rules.len()),
        })
    }

    /// `BatchGetRepositoryScanningConfiguration` for the one repository, in the caller's own registry.
    pub async fn repository_scanning(&self) -> Result<RepositoryScanning, Failure> {
        const OPERATION: &str = "BatchGetRepositoryScanningConfiguration";
        let request =
            self.client.batch_get_repository_scanning_configuration().repository_names(&self.target.repository);
        let answer = call!(self, OPERATION, request)?;
        let fail = |kind, what: &str| Failure::new(OPERATION, &self.target, kind, what);
        if let Some(failure) = answer.failures.as_ref().and_then(|failures| failures.first()) {
            let kind = match failure.failure_code() {
                Some(ScanningConfigurationFailureCode::RepositoryNotFound) => FailureKind::RepositoryNotFound,
                _ => FailureKind::Unknown,
            };
            return Err(fail(kind, failure.failure_reason().unwrap_or("no reason given")));
        }
        let ours = |name: &Option<String>| name.as_ref().is_none_or(|name| *name == self.target.repository);
        let mut configurations = answer.scanning_configurations.unwrap_or_else(Vec::new).into_iter();
        let configuration = configurations
            .find(|configuration| ours(&configuration.repository_name))
            .ok_or_else(|| fail(FailureKind::Malformed, "the answer does not describe the repository"))?;
        let frequency = match configuration.scan_frequency {
            Some(ScanFrequency::ScanOnPush) => Frequency::OnPush,
            Some(ScanFrequency::ContinuousScan) => Frequency::Continuous,
            Some(ScanFrequency::Manual) => Frequency::Manual,
            Some(other) => Frequency::Other(other.as_str().to_owned()),
            None => return Err(fail(FailureKind::Malformed, "the answer has no scanFrequency")),
        };
        let filter = |filter: ScanningRepositoryFilter| filter.filter;
        let filters = configuration.applied_scan_filters.unwrap_or_else(Vec::new).into_iter().map(filter).collect();
        Ok(RepositoryScanning { scan_on_push: configuration.scan_on_push, frequency, filters })
    }

    /// Whether `BatchGetImage` may be called: any answer will do, also one that says that the image is not there.
    pub async fn try_manifest(&self, digest: &Digest) -> Result<(), Failure> {
        let request = self
            .client
            .batch_get_image()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_ids(ImageIdentifier::builder().image_digest(digest.as_str()).build());
        call!(self, "BatchGetImage", request).map(drop)
    }

    /// `PutImageScanningConfiguration`: scan on push.
    pub async fn turn_on_scan_on_push(&self) -> Result<(), Failure> {
        let request = self
            .client
            .put_image_scanning_configuration()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build());
        call!(self, "PutImageScanningConfiguration", request).map(drop)
    }

    /// `PutImageTagMutability`: immutable.
    pub async fn make_tags_immutable(&self) -> Result<(), Failure> {
        let request = self
            .client
            .put_image_tag_mutability()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_tag_mutability(ImageTagMutability::Immutable);
        call!(self, "PutImageTagMutability", request).map(drop)
    }
}
