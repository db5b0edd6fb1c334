#!/usr/bin/env bash
# Made by `ecr-gate init shell`. Mend the push and the deploy to your needs; leave the gate as it is.
# Check what you made of it: ecr-gate lint FILE
#
# Flow: push -> gate -> deploy. What travels is the digest, never a tag.
# Needs: docker with buildx, aws, jq, and AWS credentials from the environment (a role, no stored keys).
set -euo pipefail

export AWS_REGION='@@REGION@@'
registry='@@REGISTRY@@'
repository='@@REPOSITORY@@'
gate_image='@@GATE_IMAGE@@'
@@GATE_ENVIRONMENT@@

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# 1. Push, and remember the digest of what was pushed.
aws ecr get-login-password > "$work/password"
docker login --username AWS --password-stdin "$registry" < "$work/password"
docker buildx build --push --provenance=false --metadata-file "$work/build.json" \
  --tag "$registry/$repository:$(git rev-parse HEAD)" .
digest="$(jq -er '."containerimage.digest"' "$work/build.json")"
image="$registry/$repository@$digest"
echo "pushed $image"

# 2. Gate: any exit code but 0 ends this script. The time limit is the gate's own (@@TIMEOUT@@) and 3 minutes.
# What the role needs: ecr-gate iam-policy --repository @@ARN@@ --for check
@@ROLE_NOTE@@
aws_variables=()
for name in AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN \
  AWS_ROLE_ARN AWS_OIDC_TOKEN AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN \
  ECR_GATE_ENVIRONMENT; do
  aws_variables+=(--env "$name")
done
mkdir -p gate
timeout --signal=INT --kill-after=30 @@JOB_SECONDS@@ \
  docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD/gate:/gate" --workdir /gate \
  "${aws_variables[@]}" --entrypoint ecr-gate "$gate_image" \
  check "$image" --timeout @@TIMEOUT@@ --dotenv scan.env --output table --output junit=ecr-gate-junit.xml

# 3. Deploy exactly what the gate let through.
# Your deployment, with the digest: kubectl set image …, helm upgrade --set image.digest=…, aws ecs …
./deploy.sh "$image"
