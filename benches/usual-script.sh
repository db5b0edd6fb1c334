#!/usr/bin/env bash
# The other side of the measurement: the scan gate that pipelines have by hand, as it is pasted from one to the next.
# It is here to be measured, not to be used: with no scan, half a scan or a refused call it says 0 and lets the image pass.
FINDINGS=$(aws ecr describe-image-scan-findings --repository-name "$ECR_REPO" --image-id imageDigest="$IMAGE_DIGEST" --output json)

CRITICAL=$(echo "$FINDINGS" | jq '.imageScanFindings.findingSeverityCounts.CRITICAL // 0')
HIGH=$(echo "$FINDINGS" | jq '.imageScanFindings.findingSeverityCounts.HIGH // 0')
MEDIUM=$(echo "$FINDINGS" | jq '.imageScanFindings.findingSeverityCounts.MEDIUM // 0')

echo "Critical: $CRITICAL, high: $HIGH, medium: $MEDIUM"
if [ "$CRITICAL" -gt 0 ] || [ "$HIGH" -gt 0 ]; then
  echo "Vulnerabilities found"
  exit 1
fi
