//! The IAM actions of Amazon ECR: what each may do and on what it can be allowed. From the AWS Service Authorization
//! Reference; IAM compares action names without regard to case.

/// What an action can do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Looks.
    Read,
    /// Changes or adds images or settings.
    Write,
    /// Removes, or hands out access.
    Destructive,
}

/// On what an action can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// One repository's ARN.
    Repository,
    /// The registry: only `"Resource": "*"` works.
    Registry,
}

/// One action of the `ecr:` service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action {
    /// Without the `ecr:` prefix.
    pub name: &'static str,
    pub level: Level,
    pub scope: Scope,
}

const fn action(name: &'static str, level: Level, scope: Scope) -> Action {
    Action { name, level, scope }
}

use Level::{Destructive, Read, Write};
use Scope::{Registry, Repository};

#[rustfmt::skip]
pub(super) const ACTIONS: &[Action] = &[
    action("BatchCheckLayerAvailability", Read, Repository),
    action("BatchDeleteImage", Destructive, Repository),
    action("BatchGetImage", Read, Repository),
    action("BatchGetRepositoryScanningConfiguration", Read, Repository),
    action("BatchImportUpstreamImage", Write, Repository),
    action("CompleteLayerUpload", Write, Repository),
    action("CreatePullThroughCacheRule", Write, Registry),
    action("CreateRepository", Write, Repository),
    action("CreateRepositoryCreationTemplate", Write, Registry),
    action("DeleteLifecyclePolicy", Destructive, Repository),
    action("DeletePullThroughCacheRule", Destructive, Registry),
    action("DeleteRegistryPolicy", Destructive, Registry),
    action("DeleteRepository", Destructive, Repository),
    action("DeleteRepositoryCreationTemplate", Destructive, Registry),
    action("DeleteRepositoryPolicy", Destructive, Repository),
    action("DeleteSigningConfiguration", Destructive, Registry),
    action("DeregisterPullTimeUpdateExclusion", Write, Registry),
    action("DescribeImageReplicationStatus", Read, Repository),
    action("DescribeImages", Read, Repository),
    action("DescribeImageScanFindings", Read, Repository),
    action("DescribeImageSigningStatus", Read, Repository),
    action("DescribePullThroughCacheRules", Read, Registry),
    action("DescribeRegistry", Read, Registry),
    action("DescribeRepositories", Read, Repository),
    action("DescribeRepositoryCreationTemplates", Read, Registry),
    action("GetAccountSetting", Read, Registry),
    action("GetAuthorizationToken", Read, Registry),
    action("GetDownloadUrlForLayer", Read, Repository),
    action("GetImageCopyStatus", Read, Repository),
    action("GetLifecyclePolicy", Read, Repository),
    action("GetLifecyclePolicyPreview", Read, Repository),
    action("GetRegistryPolicy", Read, Registry),
    action("GetRegistryScanningConfiguration", Read, Registry),
    action("GetRepositoryPolicy", Read, Repository),
    action("GetSigningConfiguration", Read, Registry),
    action("InitiateLayerUpload", Write, Repository),
    action("ListImages", Read, Repository),
    action("ListPullTimeUpdateExclusions", Read, Registry),
    action("ListTagsForResource", Read, Repository),
    action("PutAccountSetting", Write, Registry),
    action("PutImage", Write, Repository),
    action("PutImageScanningConfiguration", Write, Repository),
    action("PutImageTagMutability", Write, Repository),
    action("PutLifecyclePolicy", Destructive, Repository),
    action("PutRegistryPolicy", Destructive, Registry),
    action("PutRegistryScanningConfiguration", Write, Registry),
    action("PutReplicationConfiguration", Write, Registry),
    action("PutSigningConfiguration", Write, Registry),
    action("RegisterPullTimeUpdateExclusion", Write, Registry),
    action("ReplicateImage", Write, Repository),
    action("SetRepositoryPolicy", Destructive, Repository),
    action("StartImageScan", Write, Repository),
    action("StartLifecyclePolicyPreview", Write, Repository),
    action("TagResource", Write, Repository),
    action("UntagResource", Write, Repository),
    action("UpdateImageStorageClass", Write, Repository),
    action("UpdatePullThroughCacheRule", Write, Registry),
    action("UpdateRepositoryCreationTemplate", Write, Registry),
    action("UploadLayerPart", Write, Repository),
    action("ValidatePullThroughCacheRule", Read, Registry),
];

/// The action called `name` (without prefix), whatever its case.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name.eq_ignore_ascii_case(name))
}

/// IAM's glob: `*` any run, `?` one character, no regard to case. Linear in the text for each `*`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        let names: Vec<String> = ACTIONS.iter().map(|action| action.name.to_ascii_lowercase()).collect();
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn globs() {
        assert!(matches("Put*", "putimage"));
        assert!(matches("*Image", "PutImage") && matches("?ut*", "PutImage") && matches("*", ""));
        assert!(!matches("Put?", "PutImage") && !matches("", "a") && !matches("*x", "abc"));
        assert!(!matches(&"*a".repeat(200), &"b".repeat(10_000)));
    }
}
