//! Names AWS gives to things, as far as emitted documents need them: partitions, account ids, regions, repository
//! names and ARNs, registry hosts. Values are checked against closed character sets, so that whatever is written into
//! a policy or a pipeline cannot leave its place there. No AWS calls.

use crate::failure::Failure;

use super::input::shown;

/// An AWS partition: its name in ARNs, the region prefix that tells it, and its registry domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    pub name: &'static str,
    region_prefix: &'static str,
    pub dns_suffix: &'static str,
}

/// Longest prefixes first: `us-isob-` before `us-iso-`, and the commercial partition (no prefix) last.
const PARTITIONS: [Partition; 8] = [
    Partition { name: "aws-cn", region_prefix: "cn-", dns_suffix: "amazonaws.com.cn" },
    Partition { name: "aws-us-gov", region_prefix: "us-gov-", dns_suffix: "amazonaws.com" },
    Partition { name: "aws-iso-b", region_prefix: "us-isob-", dns_suffix: "sc2s.sgov.gov" },
    Partition { name: "aws-iso-f", region_prefix: "us-isof-", dns_suffix: "csp.hci.ic.gov" },
    Partition { name: "aws-iso-e", region_prefix: "eu-isoe-", dns_suffix: "cloud.adc-e.uk" },
    Partition { name: "aws-iso", region_prefix: "us-iso-", dns_suffix: "c2s.ic.gov" },
    Partition { name: "aws-eusc", region_prefix: "eusc-", dns_suffix: "amazonaws.eu" },
    Partition { name: "aws", region_prefix: "", dns_suffix: "amazonaws.com" },
];

impl Partition {
    /// The partition called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        PARTITIONS.into_iter().find(|partition| partition.name == name)
    }

    /// The partition a region belongs to.
    pub(crate) fn of_region(region: &str) -> Self {
        let [.., commercial] = PARTITIONS;
        PARTITIONS.into_iter().find(|partition| region.starts_with(partition.region_prefix)).unwrap_or(commercial)
    }

    /// All names, for messages.
    pub(crate) fn names() -> String {
        PARTITIONS.map(|partition| partition.name).join(", ")
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(crate) fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.contains('-')
        && text.split('-').all(|part| !part.is_empty())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.ends_with(|last: char| last.is_ascii_digit())
}

/// ECR's own rule: lower case, digits, inner `.`, `_`, `-`, and `/` between parts; 2 to 256 characters.
pub(crate) fn is_repository_name(text: &str) -> bool {
    let part_is_fine = |part: &str| {
        let edge = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        part.starts_with(edge)
            && part.ends_with(edge)
            && part.chars().all(|character| edge(character) || matches!(character, '.' | '_' | '-'))
            && !part.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| matches!(byte, b'.' | b'_' | b'-')))
    };
    (2..=256).contains(&text.len()) && text.split('/').all(part_is_fine)
}

/// One ECR repository, fully named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    pub partition: Partition,
    pub region: String,
    pub account: String,
    pub name: String,
}

impl Repository {
    /// From an ARN, a registry path (`ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`), or a name with account and region.
    pub(crate) fn resolve(text: &str, account: Option<&str>, region: Option<&str>) -> Result<Self, Failure> {
        let found = if text.starts_with("arn:") {
            Self::from_arn(text)?
        } else if let Some((host, name)) = text.split_once('/').filter(|(host, _)| host.contains(".dkr.ecr")) {
            let registry = Registry::parse(host)?;
            Self {
                partition: registry.partition,
                region: registry.region,
                account: registry.account,
                name: checked_name(name)?,
            }
        } else {
            let (Some(account), Some(region)) = (account, region) else {
                return Err(Failure::usage(format!(
                    "`{}` is a repository name without account and region",
                    shown(text, 80)
                ))
                .hint("give the repository ARN, or add --account and --region"));
            };
            Self {
                partition: Partition::of_region(checked_region(region)?),
                region: region.to_owned(),
                account: checked_account(account)?.to_owned(),
                name: checked_name(text)?,
            }
        };
        for (flag, given, own) in [("--account", account, &found.account), ("--region", region, &found.region)] {
            if given.is_some_and(|given| given != own) {
                return Err(Failure::usage(format!("{flag} contradicts the repository, which says `{own}`"))
                    .hint(format!("leave {flag} out: the repository already names it")));
            }
        }
        Ok(found)
    }

    fn from_arn(arn: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!("`{}` is not an ECR repository ARN: {why}", shown(arn, 120)))
                .hint("it looks like arn:aws:ecr:REGION:ACCOUNT:repository/NAME")
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, partition, service, region, account, resource] = parts[..] else {
            return Err(wrong("parts are missing"));
        };
        let partition = Partition::named(partition)
            .ok_or_else(|| wrong(&format!("unknown partition; known are {}", Partition::names())))?;
        if service != "ecr" {
            return Err(wrong("the service is not ecr"));
        }
        let name = resource.strip_prefix("repository/").ok_or_else(|| wrong("it names no repository"))?;
        if Partition::of_region(checked_region(region)?) != partition {
            return Err(wrong("the region is not in that partition"));
        }
        Ok(Self {
            partition,
            region: region.to_owned(),
            account: checked_account(account)?.to_owned(),
            name: checked_name(name)?,
        })
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:{}:ecr:{}:{}:repository/{}", self.partition.name, self.region, self.account, self.name)
    }
}

/// A private ECR registry host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    pub host: String,
    pub account: String,
    pub region: String,
    pub partition: Partition,
}

impl Registry {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, its `dkr.ecr-fips` form, and the domains of the other partitions.
    pub(crate) fn parse(host: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("`{}` is not a private ECR registry", shown(host, 120))).hint(
                "it looks like 123456789012.dkr.ecr.eu-central-1.amazonaws.com, without https:// and without a path",
            )
        };
        let (account, rest) = host.split_once(".dkr.").ok_or_else(wrong)?;
        let rest = rest.strip_prefix("ecr.").or_else(|| rest.strip_prefix("ecr-fips.")).ok_or_else(wrong)?;
        let (region, suffix) = rest.split_once('.').ok_or_else(wrong)?;
        let partition = Partition::of_region(region);
        if !is_account(account) || !is_region(region) || suffix != partition.dns_suffix {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), account: account.to_owned(), region: region.to_owned(), partition })
    }
}

/// The account id, or why it is not one.
pub(crate) fn checked_account(account: &str) -> Result<&str, Failure> {
    if is_account(account) {
        return Ok(account);
    }
    Err(Failure::usage(format!("`{}` is not an AWS account id", shown(account, 40))).hint("it has twelve digits"))
}

/// The region, or why it is not one.
pub(crate) fn checked_region(region: &str) -> Result<&str, Failure> {
    if is_region(region) {
        return Ok(region);
    }
    Err(Failure::usage(format!("`{}` is not an AWS region", shown(region, 40))).hint("it looks like eu-central-1"))
}

/// The repository name, or why it is not one.
pub(crate) fn checked_name(name: &str) -> Result<String, Failure> {
    if is_repository_name(name) {
        return Ok(name.to_owned());
    }
    let failure = Failure::usage(format!("`{}` is not an ECR repository name", shown(name, 80)));
    Err(if name.contains('*') {
        failure.hint("a wildcard would cover other repositories too; name one repository")
    } else {
        failure.hint("lower-case letters, digits, and `.`, `_`, `-`, `/` between them; no tag and no digest")
    })
}

/// An IAM role ARN, or why it is not one.
pub(crate) fn checked_role_arn(arn: &str) -> Result<&str, Failure> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let fine = matches!(&parts[..], ["arn", partition, "iam", "", account, resource]
        if Partition::named(partition).is_some() && is_account(account)
            && resource.strip_prefix("role/").is_some_and(|path| !path.is_empty() && path.len() <= 576
                && path.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@/-".contains(c))));
    if fine {
        return Ok(arn);
    }
    Err(Failure::usage(format!("`{}` is not an IAM role ARN", shown(arn, 120)))
        .hint("it looks like arn:aws:iam::123456789012:role/ci-scan-gate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_round_trips() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let arn = format!("arn:{partition}:ecr:{region}:123456789012:repository/team/app");
            assert_eq!(Repository::resolve(&arn, None, None).unwrap().arn(), arn);
            assert_eq!(Repository::resolve("team/app", Some("123456789012"), Some(region)).unwrap().arn(), arn);
            let host = format!("123456789012.dkr.ecr.{region}.{}", Partition::of_region(region).dns_suffix);
            assert_eq!(Repository::resolve(&format!("{host}/team/app"), None, None).unwrap().arn(), arn);
        }
    }

    #[test]
    fn what_is_not_one_repository_is_refused() {
        for text in [
            "arn:aws:ecr:eu-central-1:123456789012:repository/*",
            "arn:aws:ecr:eu-central-1:123456789012:repository/",
            "arn:aws:ecr:*:123456789012:repository/app",
            "arn:aws:ecr:cn-north-1:123456789012:repository/app",
            "arn:aws:s3:::bucket",
            "arn:aws-x:ecr:eu-central-1:123456789012:repository/app",
            "arn:aws:ecr:eu-central-1:12345678901:repository/app",
            "arn:aws:ecr:eu-central-1:123456789012:repository/app\"],\"x\":[\"",
            "app",
            "123456789012.dkr.ecr.eu-central-1.evil.example/app",
        ] {
            assert!(Repository::resolve(text, None, None).is_err(), "{text}");
        }
        assert!(Repository::resolve("app:latest", Some("123456789012"), Some("eu-central-1")).is_err());
    }

    #[test]
    fn flags_that_contradict_the_arn_are_refused() {
        let arn = "arn:aws:ecr:eu-central-1:123456789012:repository/app";
        assert!(Repository::resolve(arn, Some("123456789012"), Some("eu-central-1")).is_ok());
        assert!(Repository::resolve(arn, Some("999999999999"), None).is_err());
        assert!(Repository::resolve(arn, None, Some("eu-west-1")).is_err());
    }

    #[test]
    fn role_arns() {
        assert!(checked_role_arn("arn:aws-cn:iam::123456789012:role/path/ci").is_ok());
        for wrong in [
            "arn:aws:iam::123456789012:user/ci",
            "role/ci",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::1:role/a",
        ] {
            assert!(checked_role_arn(wrong).is_err(), "{wrong}");
        }
    }
}
