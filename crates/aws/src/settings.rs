//! What `doctor` asks and mends: repository settings, registry scanning, the caller's identity.

use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, ScanType};

use crate::capture::Capture;
use crate::connect::Ecr;
use crate::failure::{Failure, FailureKind};

/// Whether tags can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Immutability {
    /// Tags can be overwritten.
    Mutable,
    /// Tags cannot be overwritten.
    Immutable,
    /// Some tags can: the setting has exclusions.
    Partly(String),
}

/// Settings of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Scan on push by the repository's own setting, which counts for basic scanning only.
    pub scan_on_push: bool,
    /// Whether tags can be moved.
    pub tags: Immutability,
}

/// How the registry scans this repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryScanning {
    /// Enhanced scanning is on.
    pub enhanced: bool,
    /// `SCAN_ON_PUSH`, `CONTINUOUS_SCAN` or `MANUAL` for this repository.
    pub frequency: String,
}

impl Ecr {
    /// The ARN of the caller, by `sts:GetCallerIdentity`.
    pub async fn caller(&self) -> Result<String, Failure> {
        let capture = Capture::new();
        let sent = self.sts.get_caller_identity().customize().interceptor(capture.clone()).send().await;
        sent.map_err(|error| Failure::classify("GetCallerIdentity", &self.target, &error, capture.take().as_ref()))?
            .arn
            .ok_or_else(|| Failure::new("GetCallerIdentity", &self.target, FailureKind::Malformed, "the answer has no ARN"))
    }

    /// `DescribeRepositories` for the one repository.
    pub async fn repository_settings(&self) -> Result<RepositorySettings, Failure> {
        const OPERATION: &str = "DescribeRepositories";
        let capture = Capture::new();
        let sent = self
            .client
            .describe_repositories()
            .set_registry_id(self.target.account.clone())
            .repository_names(&self.target.repository)
            .customize()
            .interceptor(capture.clone())
            .send()
            .await;
        let answer = sent.map_err(|error| Failure::classify(OPERATION, &self.target, &error, capture.take().as_ref()))?;
        let repository = answer.repositories.unwrap_or_else(Vec::new).pop().ok_or_else(|| {
            Failure::new(OPERATION, &self.target, FailureKind::Malformed, "the answer describes no repository")
        })?;
        let tags = match repository.image_tag_mutability {
            Some(ImageTagMutability::Immutable) => Immutability::Immutable,
            Some(ImageTagMutability::Mutable) | None => Immutability::Mutable,
            Some(other) => Immutability::Partly(other.as_str().to_owned()),
        };
        let scan_on_push = repository.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push);
        Ok(RepositorySettings { scan_on_push, tags })
    }

    /// `GetRegistryScanningConfiguration` for the type of scanning and `BatchGetRepositoryScanningConfiguration` for
    /// how often this repository is scanned.
    pub async fn registry_scanning(&self) -> Result<RegistryScanning, Failure> {
        const REGISTRY: &str = "GetRegistryScanningConfiguration";
        const REPOSITORY: &str = "BatchGetRepositoryScanningConfiguration";
        let capture = Capture::new();
        let sent = self.client.get_registry_scanning_configuration().customize().interceptor(capture.clone()).send().await;
        let registry = sent.map_err(|error| Failure::classify(REGISTRY, &self.target, &error, capture.take().as_ref()))?;
        let capture = Capture::new();
        let sent = self
            .client
            .batch_get_repository_scanning_configuration()
            .repository_names(&self.target.repository)
            .customize()
            .interceptor(capture.clone())
            .send()
            .await;
        let repository = sent.map_err(|error| Failure::classify(REPOSITORY, &self.target, &error, capture.take().as_ref()))?;
        let frequency = repository
            .scanning_configurations
            .unwrap_or_else(Vec::new)
            .pop()
            .and_then(|configuration| configuration.scan_frequency)
            .map_or_else(|| "unknown".to_owned(), |frequency| frequency.as_str().to_owned());
        let enhanced = registry.scanning_configuration.is_some_and(|scanning| scanning.scan_type == Some(ScanType::Enhanced));
        Ok(RegistryScanning { enhanced, frequency })
    }

    /// `PutImageScanningConfiguration`: scan on push.
    pub async fn turn_on_scan_on_push(&self) -> Result<(), Failure> {
        let capture = Capture::new();
        let sent = self
            .client
            .put_image_scanning_configuration()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
            .customize()
            .interceptor(capture.clone())
            .send()
            .await;
        sent.map(drop).map_err(|error| {
            Failure::classify("PutImageScanningConfiguration", &self.target, &error, capture.take().as_ref())
        })
    }

    /// `PutImageTagMutability`: immutable.
    pub async fn make_tags_immutable(&self) -> Result<(), Failure> {
        let capture = Capture::new();
        let sent = self
            .client
            .put_image_tag_mutability()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_tag_mutability(ImageTagMutability::Immutable)
            .customize()
            .interceptor(capture.clone())
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| Failure::classify("PutImageTagMutability", &self.target, &error, capture.take().as_ref()))
    }
}
