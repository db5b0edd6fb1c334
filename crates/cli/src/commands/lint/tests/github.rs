//! GitHub Actions: one thing changed at a time.

use super::{changed, examine, found};

const SOUND: &str = r#"
name: image
on:
  push:
    branches: [main]
jobs:
  build:
    runs-on: ubuntu-24.04
    outputs:
      digest: ${{ steps.push.outputs.digest }}
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: arn:aws:iam::123456789012:role/push
      - id: push
        uses: docker/build-push-action@v6
        with:
          push: true
          tags: x/app:${{ github.sha }}
  gate:
    needs: build
    runs-on: ubuntu-24.04
    timeout-minutes: 13
    steps:
      - name: gate
        run: ecr-gate check "$IMAGE@$IMAGE_DIGEST"
      - uses: actions/upload-artifact@v4
        if: always()
  deploy:
    needs: [build, gate]
    runs-on: ubuntu-24.04
    environment: production
    steps:
      - run: kubectl set image deployment/app app="$IMAGE@$IMAGE_DIGEST"
"#;

const CHECK: &str = "run: ecr-gate check \"$IMAGE@$IMAGE_DIGEST\"\n";
const DEPLOY: &str = "run: kubectl set image deployment/app app=\"$IMAGE@$IMAGE_DIGEST\"\n";

#[track_caller]
fn github(from: &str, to: &str, expected: &[&str]) {
    changed("workflow.yml", SOUND, from, to, expected);
}

#[test]
fn a_sound_workflow_has_no_findings() {
    assert_eq!(found("workflow.yml", SOUND), []);
}

#[test]
fn the_gate_may_not_fail() {
    github("      - name: gate\n", "      - name: gate\n        continue-on-error: true\n", &["continueOnError!"]);
    github(
        "    timeout-minutes: 13\n",
        "    timeout-minutes: 13\n    continue-on-error: true\n",
        &["continueOnError!"],
    );
    github(
        "    timeout-minutes: 13\n",
        "    timeout-minutes: 13\n    continue-on-error: ${{ inputs.lax }}\n",
        &["continueOnError"],
    );
    github(
        "      - uses: actions/upload-artifact@v4\n",
        "      - uses: actions/upload-artifact@v4\n        continue-on-error: true\n",
        &[],
    );
    github(CHECK, "run: ecr-gate check x@y || true\n", &["swallowedError!"]);
    github(CHECK, "run: ecr-gate check x@y | tee log\n", &["pipedGate!"]);
    github(CHECK, "shell: bash\n        run: ecr-gate check x@y | tee log\n", &[]);
    github(
        CHECK,
        "shell: bash {0}\n        run: |\n          ecr-gate check x@y\n          echo done\n",
        &["noErrexit!"],
    );
}

#[test]
fn every_deploy_waits_for_the_gate() {
    github("needs: [build, gate]", "needs: build", &["missingNeeds!"]);
    github("    needs: [build, gate]\n", "", &["missingNeeds!"]);
    github("    needs: build\n", "", &["gateBeforePush!"]);
    github("    environment: production\n", "    if: always()\n", &["ifAlways!"]);
    github("    environment: production\n", "    if: ${{ !cancelled() }}\n", &["ifAlways!"]);
    github("    environment: production\n", "    if: always() && needs.gate.result == 'success'\n", &[]);
    github(DEPLOY, "if: failure()\n        run: helm upgrade a b\n", &["ifAlways!"]);
    let gate = &SOUND[SOUND.find("  gate:\n").unwrap()..SOUND.find("  deploy:\n").unwrap()];
    changed("workflow.yml", &SOUND.replace(gate, ""), "needs: [build, gate]", "needs: build", &["noGate!"]);
}

#[test]
fn steps_of_one_job_are_in_order() {
    let one = |steps: &[&str]| {
        let steps: String = steps.iter().flat_map(|step| ["      - run: ", step, "\n"]).collect();
        found("workflow.yml", &format!("on: push\njobs:\n  all:\n    timeout-minutes: 13\n    steps:\n{steps}"))
    };
    let (push, check, deploy) = ("docker push x/y:1", "ecr-gate check x@y", "kubectl apply -f k.yml");
    assert_eq!(one(&[push, check, deploy]), []);
    assert_eq!(one(&[push, deploy, check]), [("lint.deployBeforeGate", 7)]);
    assert_eq!(one(&[check, push, deploy]), [("lint.gateBeforePush", 6)]);
}

#[test]
fn images_and_actions() {
    let container = |image: &str| format!("    timeout-minutes: 13\n    container: {image}\n");
    let limit = "    timeout-minutes: 13\n";
    github(limit, &container("x/ecr-gate:1"), &["unpinnedGateImage!"]);
    github(limit, &container("{image: x/ecr-gate:latest}"), &["latestTag!"]);
    github(limit, &container("${{ vars.GATE }}"), &["unpinnedGateImage"]);
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    github(limit, &container(&format!("x/ecr-gate@{digest}")), &[]);
    github(CHECK, "uses: aquasecurity/trivy-action@master\n", &["unpinnedGateImage!"]);
    github(CHECK, "uses: aquasecurity/trivy-action@0.28.0\n", &["unpinnedGateImage"]);
    github(CHECK, "uses: aquasecurity/trivy-action@0123456789abcdef0123456789abcdef01234567\n", &[]);
    github(CHECK, "run: docker run --rm x/ecr-gate:1.2 check x@y\n", &["unpinnedGateImage!"]);
    github(limit, "", &["missingTimeout"]);
    github("timeout-minutes: 13", "timeout-minutes: 5", &["timeoutTooShort"]);
    github("    environment: production\n", "    container: {image: \"x/kubectl:latest\"}\n", &["latestTag"]);
}

#[test]
fn deploys_by_digest() {
    github(DEPLOY, "run: kubectl set image deployment/app app=$ECR/app:${{ github.sha }}\n", &["deployByTag!"]);
    github(
        DEPLOY,
        "uses: azure/k8s-deploy@v5\n        with:\n          images: ${{ env.ECR }}/app:${{ github.sha }}\n",
        &["deployByTag!"],
    );
    github(
        DEPLOY,
        "uses: azure/k8s-deploy@v5\n        with:\n          images: ${{ env.ECR }}/app@${{ needs.build.outputs.digest }}\n",
        &[],
    );
    github(DEPLOY, "uses: azure/k8s-deploy@v5\n        with:\n          images: x/app:latest\n", &["latestTag!"]);
}

/// The shape of the workflow that many start from: one job that pushes, renders a task definition and deploys it.
#[test]
fn push_and_deploy_in_one_job_without_a_gate() {
    let text = r#"
on: push
jobs:
  deploy:
    environment: production
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}
          aws-secret-access-key: ${{ secrets.AWS_SECRET_ACCESS_KEY }}
      - id: build
        run: |
          docker push $ECR/app:$IMAGE_TAG
          echo "image=$ECR/app:$IMAGE_TAG" >> "$GITHUB_OUTPUT"
      - uses: aws-actions/amazon-ecs-render-task-definition@v1
        with:
          image: ${{ env.ECR }}/app:${{ github.sha }}
      - uses: aws-actions/amazon-ecs-deploy-task-definition@v2
"#;
    assert_eq!(
        found("workflow.yml", text),
        [("lint.noGate", 4), ("lint.staticKeys", 9), ("lint.staticKeys", 10), ("lint.deployByTag", 17)]
    );
}

#[test]
fn stored_keys() {
    let role = "role-to-assume: arn:aws:iam::123456789012:role/push";
    github(role, "aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}", &["staticKeys!"]);
    github("jobs:\n", "env:\n  AWS_SECRET_ACCESS_KEY: ${{ secrets.KEY }}\njobs:\n", &["staticKeys!"]);
    let passed_on = "env:\n  AWS_ACCESS_KEY_ID: ${{ env.ID }}\n  AWS_SECRET_ACCESS_KEY: ${{ env.KEY }}\n  AWS_SESSION_TOKEN: ${{ env.TOKEN }}\njobs:\n";
    github("jobs:\n", passed_on, &[]);
}

#[test]
fn called_workflows_are_noted_and_judged_by_name() {
    let from = SOUND.find("  deploy:\n").unwrap();
    let text = SOUND[..from].to_owned() + "  deploy:\n    needs: build\n    uses: ./.github/workflows/deploy.yml\n";
    let report = examine("workflow.yml", &text, None).unwrap();
    assert_eq!(report.findings[0].rule, "lint.missingNeeds");
    assert!(report.notes[0].message.contains("not followed"));
}

#[test]
fn composite_actions() {
    let text = "runs:\n  using: composite\n  steps:\n    - shell: bash\n      run: aws ecr wait image-scan-complete\n";
    assert_eq!(found("action.yml", text), [("lint.scanWaiter", 5)]);
}
