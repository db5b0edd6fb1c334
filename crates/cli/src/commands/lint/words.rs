//! Which words in a command mean what: running a gate, pushing an image, deploying one.
//! Rough on purpose: it reads names people use, not a shell grammar.

/// Whether `phrase` stands in `text`, not as part of longer words.
pub(super) fn says(text: &str, phrase: &str) -> bool {
    find_phrase(text, phrase).is_some()
}

/// Where `phrase` stands in `text`, not as part of longer words.
pub(super) fn find_phrase(text: &str, phrase: &str) -> Option<usize> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut from = 0;
    while let Some(start) = text[from..].find(phrase).map(|at| from + at) {
        let end = start + phrase.len();
        let before = text[..start].chars().next_back().is_some_and(word);
        let after = text[end..].chars().next().is_some_and(|c| word(c) && c != '.');
        if !before && !after {
            return Some(start);
        }
        from = end;
    }
    None
}

/// All of `words`, in this order, anything between them.
fn in_order(text: &str, words: &[&str]) -> bool {
    let mut rest = text;
    words.iter().all(|word| {
        find_phrase(rest, word).is_some_and(|at| {
            rest = &rest[at + word.len()..];
            true
        })
    })
}

fn any_in_order(text: &str, choices: &[&[&str]]) -> bool {
    choices.iter().any(|words| in_order(text, words))
}

/// Runs a check of an image whose exit code or answer is meant to decide.
pub(super) fn is_gate(text: &str) -> bool {
    any_in_order(
        text,
        &[
            &["ecr-gate", "check"],
            &["describe-image-scan-findings"],
            &["wait", "image-scan-complete"],
            &["trivy", "image"],
            &["trivy", "i"],
            &["grype"],
            &["snyk", "container", "test"],
            &["docker", "scout", "cves"],
            &["ecr-scan-image"],
        ],
    ) && !any_in_order(
        text,
        &[
            &["apt-get", "install"],
            &["apk", "add"],
            &["brew", "install"],
            &["grype", "version"],
            &["trivy", "--version"],
        ],
    )
}

/// Has to do with a scan or its result, or asks ECR.
pub(super) fn is_about_scans(text: &str) -> bool {
    is_gate(text)
        || ["start-image-scan", "imageScan", "everityCounts", "aws ecr describe", "ecr-gate", "ScanNotFound"]
            .iter()
            .any(|word| text.contains(word))
        || in_order(text, &["aws", "ecr"])
}

/// Pushes an image.
pub(super) fn is_push(text: &str) -> bool {
    any_in_order(
        text,
        &[
            &["docker", "push"],
            &["podman", "push"],
            &["buildah", "push"],
            &["nerdctl", "push"],
            &["docker", "build", "--push"],
            &["buildx", "build", "type=registry"],
            &["buildx", "build", "push=true"],
            &["buildx", "bake", "--push"],
            &["buildctl", "push=true"],
            &["skopeo", "copy"],
            &["crane", "push"],
            &["crane", "copy"],
            &["oras", "push"],
            &["ko", "build"],
            &["ko", "publish"],
        ],
    ) || (text.contains("kaniko/executor") && !says(text, "--no-push"))
        || in_order(text, &["buildx", "build", "--push"])
}

/// Brings an image to where it runs.
pub(super) fn is_deploy(text: &str) -> bool {
    any_in_order(
        text,
        &[
            &["kubectl", "apply"],
            &["kubectl", "set", "image"],
            &["kubectl", "create"],
            &["kubectl", "replace"],
            &["kubectl", "patch"],
            &["kubectl", "run"],
            &["kubectl", "rollout", "restart"],
            &["helm", "upgrade"],
            &["helm", "install"],
            &["helmfile", "apply"],
            &["helmfile", "sync"],
            &["aws", "ecs", "update-service"],
            &["aws", "ecs", "register-task-definition"],
            &["aws", "ecs", "deploy"],
            &["aws", "ecs", "run-task"],
            &["ecs-deploy"],
            &["ecs", "deploy"],
            &["aws", "lambda", "update-function-code"],
            &["aws", "apprunner", "start-deployment"],
            &["aws", "apprunner", "update-service"],
            &["aws", "cloudformation", "deploy"],
            &["aws", "cloudformation", "update-stack"],
            &["argocd", "app", "sync"],
            &["argocd", "app", "set"],
            &["terraform", "apply"],
            &["tofu", "apply"],
            &["cdk", "deploy"],
            &["sam", "deploy"],
            &["serverless", "deploy"],
            &["copilot", "deploy"],
            &["eb", "deploy"],
            &["gcloud", "run", "deploy"],
            &["docker", "stack", "deploy"],
            &["docker", "service", "update"],
            &["flux", "reconcile"],
            &["kustomize", "edit", "set", "image"],
            &["nomad", "job", "run"],
            &["make", "deploy"],
        ],
    ) || text.split_whitespace().any(|word| {
        let file = word.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or_default();
        file.starts_with("deploy") && [".sh", ".py", ".rb"].iter().any(|end| file.ends_with(end))
    }) || text.split_whitespace().any(|word| matches!(word.trim_matches(['"', '\'']), "./deploy" | "bin/deploy"))
}

/// Whether a job's or stage's name says that it deploys.
pub(super) fn names_deploy(name: &str) -> bool {
    parts(name).any(|part| ["deploy", "deployment", "rollout", "production", "prod"].contains(&part.as_str()))
}

/// Whether a job's name says that it is the gate.
pub(super) fn names_gate(name: &str) -> bool {
    let all: Vec<String> = parts(name).collect();
    let has = |words: &[&str]| all.iter().any(|part| words.contains(&part.as_str()));
    (has(&["gate"]) && has(&["scan", "image", "ecr", "container", "security", "vulnerability"]))
        || (has(&["scan", "scanning", "scanner"]) && has(&["image", "container", "ecr", "vulnerability"]))
}

fn parts(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_pushes_and_deploys_are_told_apart() {
        for text in [
            "ecr-gate check x@y",
            "docker run --entrypoint ecr-gate \"$I\" check x",
            "aws --region r ecr describe-image-scan-findings",
            "trivy image x",
            "trivy --quiet image x",
        ] {
            assert!(is_gate(text) && !is_push(text) && !is_deploy(text), "{text}");
        }
        for text in [
            "docker push x",
            "docker buildx build --push .",
            "/kaniko/executor --destination x",
            "docker buildx build --output type=registry .",
        ] {
            assert!(is_push(text) && !is_gate(text) && !is_deploy(text), "{text}");
        }
        for text in [
            "kubectl -n prod apply -f x",
            "helm upgrade --install a b",
            "aws ecs update-service --force-new-deployment",
            "sh ./deploy.sh x",
            "./deploy x",
        ] {
            assert!(is_deploy(text) && !is_gate(text) && !is_push(text), "{text}");
        }
        for text in [
            "ecr-gate lint .gitlab-ci.yml",
            "echo deployed",
            "kubectl rollout status x",
            "apk add trivy image",
            "/kaniko/executor --no-push",
        ] {
            assert!(!is_gate(text) && !is_push(text) && !is_deploy(text), "{text}");
        }
    }

    #[test]
    fn names() {
        assert!(
            names_gate("scan-gate")
                && names_gate("image_scan")
                && !names_gate("secret-scan")
                && !names_gate("navigate")
        );
        assert!(names_deploy("deploy:prod") && names_deploy("Deploy to production") && !names_deploy("redeployer"));
    }
}
