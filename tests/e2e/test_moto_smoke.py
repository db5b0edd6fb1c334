"""The stage itself: moto answers what the other tests build on. Where moto and Amazon ECR differ, the difference is pinned here, so that
a new moto that behaves otherwise shows as a failure here and not as a riddle elsewhere."""

from __future__ import annotations

import datetime

import botocore.exceptions
import pytest
from conftest import ACCOUNT, digest_of, image_manifest, index_manifest

BASIC_SCAN = {
    "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
    "imageScanFindings": {
        "imageScanCompletedAt": 1798000000,
        "vulnerabilitySourceUpdatedAt": 1797990000.5,
        "findingSeverityCounts": {"CRITICAL": 1},
        "findings": [
            {
                "name": "CVE-2021-44228",
                "uri": "https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
                "severity": "CRITICAL",
                "attributes": [{"key": "package_name", "value": "log4j-core"}, {"key": "package_version", "value": "2.14.1"}],
            }
        ],
    },
}


def error_of(refused: pytest.ExceptionInfo[botocore.exceptions.ClientError]) -> tuple[int, str]:
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_seeded_scan_comes_back_verbatim(moto, push_image, seed_scan):
    digest = push_image("shop/api", "1.0")
    answer = seed_scan("shop/api", digest, BASIC_SCAN)
    assert answer == {"registryId": ACCOUNT, "repositoryName": "shop/api", "imageId": {"imageDigest": digest}, **BASIC_SCAN}
    by_client = moto.ecr.describe_image_scan_findings(repositoryName="shop/api", imageId={"imageDigest": digest})
    assert by_client["imageScanFindings"]["findings"] == BASIC_SCAN["imageScanFindings"]["findings"]


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "FAILED", "UNSUPPORTED_IMAGE", "A_STATUS_OF_TOMORROW"])
def test_any_status_can_be_seeded_and_no_findings_stay_no_findings(push_image, seed_scan, status):
    answer = seed_scan("app", push_image("app", "1"), {"imageScanStatus": {"status": status}})
    assert answer["imageScanStatus"] == {"status": status}
    assert "imageScanFindings" not in answer


def test_untagged_images_of_one_repository_keep_their_own_results(moto, push_image, seed_scan):
    first = push_image("app", None, image_manifest("one"))
    second = push_image("app", None, image_manifest("two"))
    seed_scan("app", first, {"imageScanStatus": {"status": "FAILED"}})
    seed_scan("app", second, {"imageScanStatus": {"status": "PENDING"}})
    for digest, status in [(first, "FAILED"), (second, "PENDING")]:
        assert moto.ecr.describe_image_scan_findings(repositoryName="app", imageId={"imageDigest": digest})["imageScanStatus"]["status"] == status


def test_before_a_scan_there_is_none_and_a_second_one_the_same_day_is_refused(moto, push_image):
    image = {"repositoryName": "app", "imageId": {"imageDigest": push_image("app", "1")}}
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        moto.ecr.describe_image_scan_findings(**image)
    assert error_of(missing) == (400, "ScanNotFoundException")
    assert moto.ecr.start_image_scan(**image)["imageScanStatus"]["status"] == "IN_PROGRESS"
    with pytest.raises(botocore.exceptions.ClientError) as again:
        moto.ecr.start_image_scan(**image)
    assert error_of(again) == (400, "LimitExceededException")


def test_an_index_is_kept_byte_for_byte_with_its_media_type_and_push_time(moto, push_image):
    children = {platform: image_manifest(platform) for platform in ["linux/amd64", "linux/arm64"]}
    digests = {platform: (push_image("app", None, manifest), len(manifest)) for platform, manifest in children.items()}
    index = index_manifest(digests)
    digest = push_image("app", "multi", index)
    assert digest == digest_of(index)
    [image] = moto.ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "multi"}])["images"]
    assert (image["imageManifest"], image["imageManifestMediaType"]) == (index, "application/vnd.oci.image.index.v1+json")
    [detail] = moto.ecr.describe_images(repositoryName="app", imageIds=[{"imageDigest": digest}])["imageDetails"]
    assert detail["imageManifestMediaType"] == "application/vnd.oci.image.index.v1+json"
    assert abs((datetime.datetime.now(datetime.UTC) - detail["imagePushedAt"]).total_seconds()) < 60
    assert "imageScanStatus" not in detail


def test_iam_refuses_with_403_what_the_policy_does_not_allow_and_a_reset_lifts_it(moto, push_image, enforce_iam):
    image = {"repositoryName": "app", "imageIds": [{"imageDigest": push_image("app", "1")}]}
    allowed = moto.client("ecr", enforce_iam(["ecr:DescribeImages"]))
    assert allowed.describe_images(**image)["imageDetails"]
    with pytest.raises(botocore.exceptions.ClientError) as denied:
        allowed.batch_get_image(**image)
    assert error_of(denied) == (403, "403")
    assert "<Code>AccessDenied</Code>" in str(denied.value)
    with pytest.raises(botocore.exceptions.ClientError) as unknown_key:
        moto.ecr.describe_images(**image)
    assert "<Code>InvalidClientTokenId</Code>" in str(unknown_key.value)
    moto.reset()
    assert moto.ecr.describe_repositories()["repositories"] == []
