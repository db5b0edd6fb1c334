//! Which image the findings are about: all of them must name the same one, for a gate judges one image.
//! The image of a finding is in `resources`: in the details, in the ARN, or in both.

use std::collections::BTreeSet;

use model::Digest;
use serde::Deserialize;

use super::{FORMAT, Wire};
use crate::ParseError;
use crate::report::Subject;
use crate::report::json::Text;
use crate::report::list::List;

/// A resource that a finding is about (`Resource` of the API).
#[derive(Debug, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(borrow)]
    aws_ecr_container_image: Option<Image<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image<'a> {
    #[serde(borrow, rename = "imageHash")]
    digest: Option<Text<'a>>,
    #[serde(borrow)]
    registry: Option<Text<'a>>,
    #[serde(borrow)]
    repository_name: Option<Text<'a>>,
    #[serde(borrow, rename = "imageTags")]
    tags: Option<List<Text<'a>>>,
}

/// What the findings say about their image.
#[derive(Debug, Default)]
pub(super) struct Images {
    digest: Option<Digest>,
    repositories: BTreeSet<String>,
    accounts: BTreeSet<String>,
    tags: BTreeSet<String>,
}

impl Images {
    /// Adds what a finding says.
    ///
    /// # Errors
    /// It is about something else than an ECR image, or about another image than the findings before it.
    pub(super) fn add(&mut self, wire: &Wire<'_>, place: &str) -> Result<(), ParseError> {
        for (at, resource) in List::each(wire.resources.as_ref()).enumerate() {
            self.add_resource(resource)
                .map_err(|cause| ParseError::new(FORMAT, format!("{place}.resources[{at}]"), cause))?;
        }
        Ok(())
    }

    fn add_resource(&mut self, resource: &Resource<'_>) -> Result<(), String> {
        let image = resource.details.as_ref().and_then(|details| details.aws_ecr_container_image.as_ref());
        match resource.kind.as_ref().and_then(Text::filled) {
            Some("AWS_ECR_CONTAINER_IMAGE") => {}
            None if image.is_some() => {}
            other => {
                return Err(format!(
                    "it is about {}, not about an image in ECR; {FILTER}",
                    other.unwrap_or("a resource of no type")
                ));
            }
        }
        let named = resource.id.as_ref().and_then(Text::filled).and_then(Name::of_arn);
        let (mut digests, said) = (Vec::new(), image.and_then(|image| image.digest.as_ref()));
        for text in said.and_then(Text::filled).into_iter().chain(named.as_ref().and_then(|name| name.digest)) {
            digests.push(text.parse::<Digest>().map_err(|error| format!("{text:?} is no digest: {error}"))?);
        }
        if digests.is_empty() {
            return Err("the image has no digest (`details.awsEcrContainerImage.imageHash`)".to_owned());
        }
        for digest in digests {
            match &self.digest {
                Some(before) if *before != digest => {
                    return Err(format!("it is about {digest}, what came before about {before}; {FILTER}"));
                }
                _ => self.digest = Some(digest),
            }
        }
        let filled = |text: &Option<Text<'_>>| text.as_ref().and_then(Text::filled).map(str::to_owned);
        self.repositories.extend(
            image
                .and_then(|image| filled(&image.repository_name))
                .or_else(|| named.as_ref().map(|name| name.repository.to_owned())),
        );
        self.accounts.extend(
            image
                .and_then(|image| filled(&image.registry))
                .or_else(|| named.as_ref().map(|name| name.account.to_owned())),
        );
        let tags = List::each(image.and_then(|image| image.tags.as_ref()));
        self.tags.extend(tags.filter_map(Text::filled).map(str::to_owned));
        Ok(())
    }

    /// The image. An image may stand in several repositories and have several tags: then none of them is named.
    pub(super) fn into_subject(self) -> Subject {
        let only = |names: BTreeSet<String>| if names.len() == 1 { names.into_iter().next() } else { None };
        let repository = only(self.repositories);
        Subject {
            manifests: self.digest.into_iter().collect(),
            config: None,
            name: repository.clone(),
            repository,
            account: only(self.accounts),
            tag: only(self.tags),
        }
    }
}

const FILTER: &str = "save the findings of one image: `aws inspector2 list-findings --filter-criteria \
    '{\"ecrImageHash\":[{\"comparison\":\"EQUALS\",\"value\":\"sha256:…\"}]}'`";

/// What `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME/DIGEST` says; the digest may be left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) account: &'a str,
    pub(super) repository: &'a str,
    pub(super) digest: Option<&'a str>,
}

impl<'a> Name<'a> {
    pub(super) fn of_arn(arn: &'a str) -> Option<Self> {
        let mut fields = arn.splitn(6, ':');
        let (start, _partition, service) = (fields.next()?, fields.next()?, fields.next()?);
        let (_region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
        let path = resource.strip_prefix("repository/")?;
        if start != "arn" || service != "ecr" || account.is_empty() || path.is_empty() {
            return None;
        }
        let (repository, digest) = match path.rsplit_once('/') {
            Some((repository, digest)) if digest.contains(':') => (repository, Some(digest)),
            _ => (path, None),
        };
        Some(Self { account, repository, digest })
    }
}
