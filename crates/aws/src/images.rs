//! The calls a check makes: `DescribeImages`, `BatchGetImage`, `StartImageScan`, `DescribeImageScanFindings`.

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use model::{Digest, Tag, Timestamp};

use crate::capture::Capture;
use crate::connect::Ecr;
use crate::failure::{Failure, FailureKind, call};

/// Which image of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageId {
    /// By digest.
    Digest(Digest),
    /// By tag.
    Tag(Tag),
}

impl ImageId {
    fn identifier(&self) -> ImageIdentifier {
        match self {
            Self::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
            Self::Tag(tag) => ImageIdentifier::builder().image_tag(tag.as_str()).build(),
        }
    }
}

/// What ECR knows about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `imageDigest`
    pub digest: Digest,
    /// `registryId`
    pub account: Option<String>,
    /// `imagePushedAt`
    pub pushed_at: Option<Timestamp>,
    /// `imageManifestMediaType`
    pub media_type: Option<String>,
    /// `artifactMediaType`: the media type of the config, which tells images from other artifacts.
    pub artifact_media_type: Option<String>,
}

impl Ecr {
    /// `DescribeImages` for one image.
    pub async fn image(&self, id: &ImageId) -> Result<Image, Failure> {
        const OPERATION: &str = "DescribeImages";
        let request = self
            .client
            .describe_images()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_ids(id.identifier());
        let answer = call!(self, OPERATION, request)?;
        let malformed = |what: &str| Failure::new(OPERATION, &self.target, FailureKind::Malformed, what);
        let mut details = answer.image_details.unwrap_or_else(Vec::new);
        // One image was asked for; several rows or none is no answer to that question.
        let detail = match (details.pop(), details.len()) {
            (Some(detail), 0) => detail,
            (None, _) => return Err(malformed("the answer describes no image")),
            (Some(_), others) => return Err(malformed(&format!("the answer describes {} images", others + 1))),
        };
        if detail.repository_name.as_ref().is_some_and(|name| *name != self.target.repository) {
            return Err(malformed("the answer is about another repository"));
        }
        if let (Some(theirs), Some(ours)) = (&detail.registry_id, &self.target.account)
            && theirs != ours
        {
            return Err(malformed("the answer is about another account"));
        }
        let digest = detail.image_digest.ok_or_else(|| malformed("the answer has no imageDigest"))?;
        let digest: Digest = digest.parse().map_err(|error| malformed(&format!("imageDigest: {error}")))?;
        let pushed_at = match detail.image_pushed_at {
            // To the microsecond, as the end of a scan is read: the two are compared. Nothing in ECR is older than 2015.
            Some(at) if at.secs() > 0 => Some(
                Timestamp::new(at.secs(), at.subsec_nanos().cast_signed() / 1_000 * 1_000)
                    .map_err(|_| malformed("imagePushedAt is no time"))?,
            ),
            Some(_) => return Err(malformed("imagePushedAt is no time")),
            None => None,
        };
        Ok(Image {
            digest,
            account: detail.registry_id,
            pushed_at,
            media_type: detail.image_manifest_media_type,
            artifact_media_type: detail.artifact_media_type,
        })
    }

    /// `BatchGetImage` for one digest: the bytes of its manifest.
    pub async fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        const OPERATION: &str = "BatchGetImage";
        let request = self
            .client
            .batch_get_image()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_ids(ImageId::Digest(digest.clone()).identifier())
            .accepted_media_types("application/vnd.oci.image.index.v1+json")
            .accepted_media_types("application/vnd.docker.distribution.manifest.list.v2+json")
            .accepted_media_types("application/vnd.oci.image.manifest.v1+json")
            .accepted_media_types("application/vnd.docker.distribution.manifest.v2+json");
        let answer = call!(self, OPERATION, request)?;
        let fail = |kind, what: String| Failure::new(OPERATION, &self.target, kind, what);
        if let Some(failure) = answer.failures.as_ref().and_then(|failures| failures.first()) {
            let said = failure.failure_reason().unwrap_or("no reason given").to_owned();
            let kind = match failure.failure_code() {
                Some(ImageFailureCode::ImageNotFound) => FailureKind::ImageNotFound,
                Some(
                    ImageFailureCode::ImageInaccessible
                    | ImageFailureCode::KmsError
                    | ImageFailureCode::UpstreamAccessDenied,
                ) => FailureKind::AccessDenied,
                Some(ImageFailureCode::UpstreamTooManyRequests) => FailureKind::Throttled,
                Some(ImageFailureCode::UpstreamUnavailable) => FailureKind::ServerFault,
                _ => FailureKind::Unknown,
            };
            return Err(fail(kind, said));
        }
        let mut images = answer.images.unwrap_or_else(Vec::new);
        match (images.pop().and_then(|image| image.image_manifest), images.len()) {
            (Some(manifest), 0) => Ok(manifest.into_bytes()),
            _ => Err(fail(FailureKind::Malformed, "the answer does not hold exactly one manifest".to_owned())),
        }
    }

    /// `StartImageScan`
    pub async fn start_scan(&self, digest: &Digest) -> Result<(), Failure> {
        let request = self
            .client
            .start_image_scan()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_id(ImageId::Digest(digest.clone()).identifier());
        // What the scan became is read from DescribeImageScanFindings, never from this answer.
        call!(self, "StartImageScan", request).map(drop)
    }

    /// `DescribeImageScanFindings`, one page: the raw bytes of the answer.
    pub async fn scan_findings(&self, digest: &Digest, next_token: Option<&str>) -> Result<Vec<u8>, Failure> {
        let capture = Capture::new();
        let sent = self
            .client
            .describe_image_scan_findings()
            .set_registry_id(self.target.account.clone())
            .repository_name(&self.target.repository)
            .image_id(ImageId::Digest(digest.clone()).identifier())
            .max_results(1000)
            .set_next_token(next_token.map(str::to_owned))
            .customize()
            .interceptor(capture.clone())
            .send()
            .await;
        let captured = capture.take();
        match (sent, captured) {
            // A 200 that the SDK cannot read is for our own parser to name.
            (_, Some(captured)) if captured.status == 200 => Ok(captured.body),
            (Err(error), captured) => {
                Err(Failure::classify("DescribeImageScanFindings", &self.target.arn(), &error, captured.as_ref()))
            }
            (Ok(_), _) => Err(Failure::new(
                "DescribeImageScanFindings",
                &self.target,
                FailureKind::Malformed,
                "the answer has no body",
            )),
        }
    }
}
